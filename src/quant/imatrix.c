/* imatrix.c - the importance matrix and its two kinds of file.
 *
 * Legacy (.dat, little-endian): int32 entries; each int32 length, name, int32 calls, int32 n, n floats (sums over calls
 * of means); then int32 chunks, int32 length, dataset. GGUF: general.type "imatrix", for each tensor NAME.in_sum2 [n]
 * and NAME.counts [1], or [experts, n] and [experts, 1]. In the legacy kind experts follow one another in one entry. */
#include "base/lack.h"
#include "base/f16.h"
#include "quant/quant.h"
#include "write/write.h"

#include <math.h>
#include <stdio.h>

#define MAX_ENTRIES (1u << 18)
#define MAX_WIDTH (1u << 24)
/* Sums of squares end before F32 does: what is written here is read here, and a search weighs with it. */
#define MAX_SUM 1e38

precis_status pcs_imatrix_new(precis_ctx *ctx, precis_imatrix **out)
{
    *out = NULL;
    precis_imatrix *im = pcs_alloc(ctx, 1, sizeof *im);
    if (!im) return PRECIS_ENOMEM;
    im->ctx = ctx;
    pcs_arena_init(&im->arena, ctx);
    pcs_map_init(&im->map, ctx);
    *out = im;
    return PRECIS_OK;
}

void precis_imatrix_close(precis_imatrix **imatrix)
{
    if (!imatrix || !*imatrix) return;
    precis_imatrix *im = *imatrix;
    precis_ctx *ctx = im->ctx;
    pcs_free(ctx, im->entries);
    pcs_map_free(&im->map);
    pcs_arena_free(&im->arena);
    pcs_free(ctx, im);
    *imatrix = NULL;
}

precis_status pcs_imatrix_add(precis_imatrix *im, const char *name, size_t len, size_t n, size_t experts,
                              pcs_importance **out)
{
    pcs_importance *entries = pcs_one_more(im->ctx, im->entries, im->n, &im->cap, sizeof *entries);
    if (!entries) return PRECIS_ENOMEM;
    im->entries = entries;
    char *copy = pcs_arena_copy(&im->arena, name, len);
    double *sum = pcs_arena_alloc(&im->arena, n * experts + 1, sizeof *sum);
    float *mean = pcs_arena_alloc(&im->arena, n * experts + 1, sizeof *mean);
    uint64_t *counts = pcs_arena_alloc(&im->arena, experts, sizeof *counts);
    bool existed;
    if (!copy || !sum || !mean || !counts || pcs_map_put(&im->map, copy, len, (uint32_t)im->n, &existed))
        return PRECIS_ENOMEM;
    if (existed) return pcs_fail(im->ctx, PRECIS_EFORMAT, "importance of tensor %.200s is there twice", copy);
    *out = &im->entries[im->n++];
    **out = (pcs_importance){ .name = copy, .sum = sum, .mean = mean, .counts = counts, .n = n, .experts = experts };
    return PRECIS_OK;
}

void pcs_imatrix_finish(precis_imatrix *im)
{
    for (size_t i = 0; i < im->n; i++) {
        pcs_importance *e = &im->entries[i];
        e->tokens = 0;
        for (size_t x = 0; x < e->experts; x++) {
            e->tokens += e->counts[x];
            for (size_t k = x * e->n; k < (x + 1) * e->n; k++)
                e->mean[k] = e->counts[x] ? (float)(e->sum[k] / (double)e->counts[x]) : 1.0f;
        }
    }
}

precis_status pcs_imatrix_sound(const precis_imatrix *im)
{
    for (size_t i = 0; i < im->n; i++) {
        const pcs_importance *e = &im->entries[i];
        for (size_t k = 0; k < e->n * e->experts; k++)
            if (!(e->sum[k] < MAX_SUM))
                return pcs_fail(im->ctx, PRECIS_EFORMAT,
                                "tensor %s: squares of what it reads in channel %zu add up to %.4g, and an importance "
                                "matrix ends at %g: weights before it are too large (damaged, or of a training that "
                                "went wrong)",
                                e->name, k % e->n, e->sum[k], MAX_SUM);
    }
    return PRECIS_OK;
}

size_t precis_imatrix_size(const precis_imatrix *imatrix) { return imatrix->n; }

precis_status precis_imatrix_get(const precis_imatrix *im, size_t i, const char **tensor, const float **values,
                                 size_t *n, uint64_t *tokens)
{
    if (i >= im->n) return pcs_fail(im->ctx, PRECIS_EINVAL, "there is no entry %zu", i);
    *tensor = im->entries[i].name;
    *values = im->entries[i].mean;
    *n = im->entries[i].n * im->entries[i].experts;
    *tokens = im->entries[i].tokens;
    return PRECIS_OK;
}

precis_status pcs_imatrix_for(const precis_imatrix *im, const pcs_tensor *t, pcs_row_weights *out)
{
    uint32_t i;
    *out = (pcs_row_weights){ NULL, 0, 1 };
    if (!im || !pcs_map_get(&im->map, t->name, strlen(t->name), &i)) return PRECIS_OK;
    const pcs_importance *e = &im->entries[i];
    const size_t width = (size_t)t->ne[0], experts = t->dims > 2 ? (size_t)t->ne[2] : 1, all = e->n * e->experts;
    if (all != width && all != width * experts)
        return pcs_fail(im->ctx, PRECIS_EINVAL,
                        "tensor %s has rows of %lld, its importance %zu numbers: this imatrix is of another model",
                        t->name, (long long)t->ne[0], all);
    double least = INFINITY; /* of an expert that saw zeros alone, nothing is known, as of a weight */
    for (size_t x = 0; x < all / width; x++) {
        double total = 0;
        for (size_t k = 0; k < width; k++) total += e->mean[x * width + k];
        least = total < least ? total : least;
    }
    if (least > 0)
        *out = (pcs_row_weights){ e->mean, all > width ? width : 0,
                                  t->dims > 2 ? (uint64_t)t->ne[1] : pcs_tensor_rows(t) + 1 };
    return PRECIS_OK;
}

precis_status precis_imatrix_check(const precis_imatrix *im, const precis_model *m)
{
    size_t common = 0, covered = 0, matrices = 0;
    const char *first = NULL; /* that it does not cover */
    for (size_t i = 0; i < m->n_tensors; i++) {
        const pcs_tensor *t = &m->tensors[i];
        uint32_t at;
        const bool known = pcs_map_get(&im->map, t->name, strlen(t->name), &at);
        const bool matrix = t->dims > 1 && t->is.layer >= 0 && t->is.end == PCS_END_weight;
        common += known;
        matrices += matrix;
        covered += matrix && known;
        if (matrix && !known && !first) first = t->name;
    }
    if (!common)
        return pcs_fail(im->ctx, PRECIS_EINVAL,
                        "the importance matrix has no tensor of %s (its first is %.100s): it is of another model; "
                        "precis profile MODEL -o FILE.gguf makes one",
                        m->path, im->n ? im->entries[0].name : "none");
    if (covered < matrices)
        pcs_warn(im->ctx,
                 "the importance matrix covers %zu of the %zu matrices of the layers; in the others (%s, ...) all "
                 "inputs count alike",
                 covered, matrices, first);
    return PRECIS_OK;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static precis_status need(pcs_stream *s, void *dst, size_t n, const char *field)
{
    return pcs_stream_read(s, dst, n, field);
}

static precis_status get_i32(pcs_stream *s, int32_t *v, const char *field)
{
    uint8_t b[4];
    const precis_status st = need(s, b, 4, field);
    *v = (int32_t)pcs_load32(b);
    return st;
}

static precis_status bad(pcs_stream *s, const char *field, const char *why)
{
    return pcs_fail_at(s->ctx, PRECIS_EFORMAT, s->at, field, "%s", why);
}

static precis_status legacy_entry(pcs_stream *s, precis_imatrix *im)
{
    int32_t len, calls, n;
    char name[1024];
    precis_status st = get_i32(s, &len, "name length");
    if (st) return st;
    if (len < 1 || len > (int32_t)sizeof name) return bad(s, "name length", "is not 1 to 1024");
    if ((st = need(s, name, (size_t)len, "name")) || (st = get_i32(s, &calls, "calls")) ||
        (st = get_i32(s, &n, "count")))
        return st;
    if (memchr(name, 0, (size_t)len)) return bad(s, "name", "has a zero byte");
    if (calls < 0) return bad(s, "calls", "is negative");
    if (n < 1 || n > (int32_t)MAX_WIDTH || (uint64_t)n * 4 > s->file->size - s->at)
        return bad(s, "count", "is larger than the file");
    pcs_importance *e;
    if ((st = pcs_imatrix_add(im, name, (size_t)len, (size_t)n, 1, &e))) return st;
    e->counts[0] = calls ? (uint64_t)calls : 1;
    for (int32_t k = 0; k < n && !st; k++) {
        uint8_t b[4];
        st = need(s, b, 4, name);
        e->sum[k] = (double)pcs_bits_f32(pcs_load32(b));
        if (!st && !(e->sum[k] >= 0 && e->sum[k] < MAX_SUM))
            st = bad(s, e->name, "a mean square is negative, NaN or infinite");
    }
    return st;
}

static precis_status open_legacy(precis_ctx *ctx, precis_imatrix *im, const pcs_file *f)
{
    pcs_stream *s = pcs_alloc(ctx, 1, sizeof *s);
    if (!s) return PRECIS_ENOMEM;
    pcs_stream_init(s, ctx, f);
    int32_t n = 0;
    precis_status st = get_i32(s, &n, "entries");
    if (!st && (n < 1 || n > (int32_t)MAX_ENTRIES || (uint64_t)n * 13 > f->size))
        st = bad(s, "entries", "neither GGUF nor a legacy imatrix: the count of entries is out of range");
    for (int32_t i = 0; i < n && !st; i++) st = legacy_entry(s, im);
    if (!st && s->at < f->size) { /* newer files say what they were made from */
        int32_t chunks, len;
        char text[1024];
        if (!(st = get_i32(s, &chunks, "chunks")) && s->at < f->size && !(st = get_i32(s, &len, "dataset length"))) {
            if (len < 0 || len > (int32_t)sizeof text) st = bad(s, "dataset length", "is not 0 to 1024");
            else if (!(st = need(s, text, (size_t)len, "dataset")))
                im->dataset = pcs_arena_copy(&im->arena, text, (size_t)len);
        }
        im->chunks = chunks > 0 ? (uint64_t)chunks : 0;
    }
    pcs_free(ctx, s);
    return st;
}

static precis_status open_gguf(precis_ctx *ctx, precis_imatrix *im, const char *path)
{
    static const char suffix[] = ".in_sum2";
    precis_model *m;
    precis_status st = precis_model_open(ctx, &m, path);
    if (st) return st;
    const char *type = pcs_model_string(m, "general.type");
    if (!type || strcmp(type, "imatrix"))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: a GGUF, but its key general.type is not \"imatrix\"", path);
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        const pcs_tensor *t = &m->tensors[i];
        const size_t len = strlen(t->name);
        char other[1100];
        if (len <= strlen(suffix) || len > 1024 || strcmp(t->name + len - strlen(suffix), suffix)) continue;
        const size_t base = len - strlen(suffix);
        snprintf(other, sizeof other, "%.*s.counts", (int)base, t->name);
        const pcs_tensor *c = pcs_model_tensor(m, other);
        if (t->format != &pcs_format_f32 || !c || c->format != &pcs_format_f32 || !c->n ||
            t->ne[0] > (int64_t)MAX_WIDTH || pcs_tensor_rows(t) != c->n)
            st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: tensor %s and its counts do not fit together", path, t->name);
        pcs_importance *e;
        if (!st) st = pcs_imatrix_add(im, t->name, base, (size_t)t->ne[0], (size_t)c->n, &e);
        for (uint64_t r = 0; !st && r < c->n; r++) {
            const float count = pcs_bits_f32(pcs_load32(c->data + 4 * r));
            if (!(count >= 0 && count < 1e15f))
                st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: tensor %s: a count of %g", path, other, (double)count);
            if (!st) e->counts[r] = (uint64_t)count;
            for (size_t k = 0; k < e->n && !st; k++) {
                const double v = (double)pcs_bits_f32(pcs_load32(t->data + 4 * (r * e->n + k)));
                if (!(v >= 0 && v < MAX_SUM))
                    st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: tensor %s: element %zu is %g", path, t->name, k, v);
                e->sum[r * e->n + k] = v;
            }
        }
    }
    im->chunk = (uint32_t)pcs_model_int(m, "imatrix.chunk_size", 0, NULL);
    im->chunks = (uint64_t)pcs_model_int(m, "imatrix.chunk_count", 0, NULL);
    precis_model_close(&m);
    if (!st && !im->n) st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: it has no NAME.in_sum2 tensor", path);
    return st;
}

precis_status precis_imatrix_open(precis_ctx *ctx, precis_imatrix **out, const char *path)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    *out = NULL;
    pcs_file f;
    precis_status st = pcs_file_open(ctx, &f, path);
    if (st) return st;
    ctx->file = path;
    precis_imatrix *im = NULL;
    uint8_t magic[4] = { 0 };
    st = pcs_imatrix_new(ctx, &im);
    if (!st && f.size < 4)
        st = pcs_fail_at(ctx, PRECIS_EFORMAT, 0, "header", "%llu bytes are no imatrix", (unsigned long long)f.size);
    if (!st) st = pcs_file_read(ctx, &f, 0, magic, 4, "magic");
    if (!st) st = memcmp(magic, "GGUF", 4) ? open_legacy(ctx, im, &f) : open_gguf(ctx, im, path);
    ctx->file = NULL;
    pcs_file_close(ctx, &f);
    char hex[65];
    if (!st) st = precis_sha256_file(ctx, path, hex);
    if (!st && !(im->source = pcs_arena_printf(&im->arena, "{\"imatrix_sha256\":\"%s\"}", hex))) st = PRECIS_ENOMEM;
    st = pcs_with_memory(ctx, refused, st);
    if (st) precis_imatrix_close(&im);
    else pcs_imatrix_finish(im);
    *out = im;
    return st;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void put_i32(pcs_buf *b, int32_t v, precis_status *st)
{
    const uint8_t bytes[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
    if (!*st) *st = pcs_buf_add(b, bytes, 4);
}

static precis_status save_legacy(precis_imatrix *im, const char *path)
{
    pcs_buf b;
    pcs_buf_init(&b, im->ctx, (size_t)1 << 32);
    precis_status st = PRECIS_OK;
    const char *dataset = im->dataset ? im->dataset : "precis";
    put_i32(&b, (int32_t)im->n, &st);
    for (size_t i = 0; i < im->n && !st; i++) {
        const pcs_importance *e = &im->entries[i];
        const int32_t calls = (int32_t)(im->chunks ? im->chunks : 1);
        put_i32(&b, (int32_t)strlen(e->name), &st);
        if (!st) st = pcs_buf_add(&b, e->name, strlen(e->name));
        put_i32(&b, calls, &st);
        put_i32(&b, (int32_t)(e->n * e->experts), &st);
        for (size_t k = 0; k < e->n * e->experts; k++)
            put_i32(&b, (int32_t)pcs_f32_bits(e->mean[k] * (float)calls), &st);
    }
    put_i32(&b, (int32_t)im->chunks, &st);
    put_i32(&b, (int32_t)strlen(dataset), &st);
    if (!st) st = pcs_buf_add(&b, dataset, strlen(dataset));
    if (!st) st = pcs_write_file(im->ctx, path, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

static precis_status fill(void *user, pcs_out *o, size_t i)
{
    const precis_imatrix *im = user;
    const pcs_importance *e = &im->entries[i / 2];
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < (i & 1 ? 1 : e->n) * e->experts && !st; k++) {
        const uint32_t v = pcs_f32_bits(i & 1 ? (float)e->counts[k] : (float)e->sum[k]);
        const uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
        st = pcs_out_add(o, b, 4);
    }
    return st;
}

static precis_status save_gguf(precis_imatrix *im, const char *path)
{
    const char *dataset = im->dataset ? im->dataset : "precis";
    pcs_text *sets = pcs_arena_alloc(&im->arena, 1, sizeof *sets);
    pcs_gguf_tensor *t = pcs_alloc(im->ctx, 2 * im->n + 1, sizeof *t);
    precis_status st = sets && t ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        *sets = (pcs_text){ dataset, strlen(dataset) };
        const pcs_format *f32 = &pcs_format_f32;
        for (size_t i = 0; i < 2 * im->n && !st; i++) {
            const pcs_importance *e = &im->entries[i / 2];
            t[i] = (pcs_gguf_tensor){ pcs_arena_printf(&im->arena, "%s.%s", e->name, i & 1 ? "counts" : "in_sum2"),
                                      f32,
                                      2,
                                      { i & 1 ? 1 : (int64_t)e->n, (int64_t)e->experts },
                                      4 * e->experts * (i & 1 ? 1 : e->n),
                                      false };
            if (!t[i].name) st = PRECIS_ENOMEM;
        }
        const pcs_key keys[] = {
            { .name = "general.type", .type = PCS_KEY_STRING, .v.text = { "imatrix", 7 } },
            { .name = "imatrix.datasets", .type = PCS_KEY_ARRAY, .item = PCS_KEY_STRING, .n = 1, .v.texts = sets },
            { .name = "imatrix.chunk_count", .type = PCS_KEY_U32, .v.u = im->chunks },
            { .name = "imatrix.chunk_size", .type = PCS_KEY_U32, .v.u = im->chunk },
        };
        const pcs_gguf_file f = { keys, 4, t, 2 * im->n, fill, im, NULL, 0, NULL, NULL };
        if (!st) st = pcs_write_gguf(im->ctx, path, &f, NULL);
    }
    pcs_free(im->ctx, t);
    return st;
}

precis_status precis_imatrix_save(precis_imatrix *imatrix, const char *path)
{
    const size_t n = strlen(path);
    const precis_status st = pcs_imatrix_sound(imatrix);
    if (st) return st;
    return n > 5 && !strcmp(path + n - 5, ".gguf") ? save_gguf(imatrix, path) : save_legacy(imatrix, path);
}
