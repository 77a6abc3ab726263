/* imatrix_bytes.c - name, sizes, sums and counts of each entry, as they are in memory. */
#include "quant/imatrix_bytes.h"

precis_status pcs_imatrix_put(pcs_buf *b, const precis_imatrix *im)
{
    const uint64_t numbers[3] = { im->n, im->chunk, im->chunks };
    precis_status st = pcs_buf_add(b, numbers, sizeof numbers);
    for (int i = 0; i < 2 && !st; i++) {
        const char *text = i ? im->source : im->dataset;
        st = pcs_buf_add(b, text ? text : "", (text ? strlen(text) : 0) + 1);
    }
    for (size_t i = 0; i < im->n && !st; i++) {
        const pcs_importance *e = &im->entries[i];
        const uint64_t sizes[2] = { e->n, e->experts };
        st = pcs_buf_add(b, e->name, strlen(e->name) + 1);
        if (!st) st = pcs_buf_add(b, sizes, sizeof sizes);
        if (!st) st = pcs_buf_add(b, e->sum, e->n * e->experts * sizeof *e->sum);
        if (!st) st = pcs_buf_add(b, e->counts, e->experts * sizeof *e->counts);
    }
    return st;
}

typedef struct { const uint8_t *p, *end; } bytes;

static bool take(bytes *b, void *out, uint64_t n)
{
    if ((uint64_t)(b->end - b->p) < n) return false;
    memcpy(out, b->p, n);
    b->p += n;
    return true;
}

static const char *take_text(bytes *b)
{
    const uint8_t *zero = memchr(b->p, 0, (size_t)(b->end - b->p));
    const char *s = zero ? (const char *)b->p : NULL;
    if (zero) b->p = zero + 1;
    return s;
}

/* One entry; false: the bytes are none. */
static bool take_entry(bytes *b, precis_imatrix *im, precis_status *st)
{
    const char *name = take_text(b);
    uint64_t sizes[2], all;
    pcs_importance *e;
    if (!name || !take(b, sizes, sizeof sizes) || !pcs_mul_ok(sizes[0], sizes[1], &all) || !all ||
        all > (uint64_t)(b->end - b->p) / sizeof(double))
        return false;
    *st = pcs_imatrix_add(im, name, strlen(name), sizes[0], sizes[1], &e);
    return *st || (take(b, e->sum, all * sizeof(double)) && take(b, e->counts, sizes[1] * sizeof *e->counts));
}

precis_status pcs_imatrix_take(precis_ctx *ctx, const uint8_t *data, uint64_t len, precis_imatrix **out)
{
    bytes b = { data, data + len };
    uint64_t numbers[3] = { 0 };
    precis_imatrix *im = NULL;
    precis_status st = pcs_imatrix_new(ctx, &im);
    bool ok = take(&b, numbers, sizeof numbers);
    const char *dataset = ok ? take_text(&b) : NULL, *source = dataset ? take_text(&b) : NULL;
    ok = source != NULL;
    for (uint64_t i = 0; i < numbers[0] && ok && !st; i++) ok = take_entry(&b, im, &st);
    if (ok && !st) {
        im->chunk = (uint32_t)numbers[1];
        im->chunks = numbers[2];
        im->dataset = pcs_arena_copy(&im->arena, dataset, strlen(dataset));
        im->source = pcs_arena_copy(&im->arena, source, strlen(source));
        if (!im->dataset || !im->source) st = PRECIS_ENOMEM;
        pcs_imatrix_finish(im);
    }
    if (!ok || st) precis_imatrix_close(&im); /* not ours after all: it is made again */
    *out = im;
    return st;
}
