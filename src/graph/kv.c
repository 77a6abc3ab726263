/* kv.c - storage of keys and values. */
#include "graph/kv.h"

#include "base/f16.h"

#include <string.h>
#include <strings.h>

const pcs_kv_type pcs_kv_types[] = {
    { "f32", 32, false, 0 }, { "f16", 16, false, 65504.0f }, { "int8", 8, true, 0 }, { "int4", 4, true, 0 }, { 0 }
};

const pcs_kv_type *pcs_kv_type_by_name(const char *name)
{
    for (const pcs_kv_type *t = pcs_kv_types; t->name; t++)
        if (!strcasecmp(t->name, name)) return t;
    return NULL;
}

precis_status pcs_kv_list(precis_ctx *ctx, const char *text, int part, size_t n, const pcs_kv_type **types)
{
    const char *split = strchr(text, ';'), *p = split && part ? split + 1 : text,
               *end = split && !part ? split : p + strlen(p);
    size_t k = 0;
    for (; p <= end; k++) {
        char name[16] = { 0 };
        size_t len = strcspn(p, ",;");
        if (len > (size_t)(end - p)) len = (size_t)(end - p);
        memcpy(name, p, len < 15 ? len : 15);
        const pcs_kv_type *t = len < 16 ? pcs_kv_type_by_name(name) : NULL;
        if (!t) return pcs_fail(ctx, PRECIS_EINVAL, "KV type \"%.40s\" is none of f32, f16, int8, int4", name);
        if (k < n) types[k] = t;
        p += len + 1;
    }
    if (k == 1) for (size_t i = 1; i < n; i++) types[i] = types[0];
    else if (k != n)
        return pcs_fail(ctx, PRECIS_EINVAL, "%zu KV types for %zu layers: give one, or one for each", k, n);
    return PRECIS_OK;
}

/* Bytes of `keys` keys of all heads, their values, and one scale for each of them. */
static bool sizes(const pcs_kv *kv, uint64_t keys, uint64_t *k, uint64_t *v, uint64_t *s)
{
    uint64_t rows;
    return pcs_mul_ok(keys, kv->heads, &rows) && rows < (uint64_t)1 << 40 &&
           pcs_mul_ok(rows, (uint64_t)(kv->kd + 1) / 2 * 2 * kv->kt->bits / 8, k) &&
           pcs_mul_ok(rows, (uint64_t)kv->vp * kv->vt->bits / 8, v) && pcs_mul_ok(rows, sizeof(float), s);
}

bool pcs_kv_bytes(const pcs_kv *kv, uint64_t *bytes)
{
    uint64_t k, v, s, keys;
    if (!pcs_mul_ok(kv->pages->most, (uint64_t)1 << kv->pages->shift, &keys)) return false;
    if (!sizes(kv, keys, &k, &v, &s)) return false;
    *bytes = k + v + (kv->kt->scaled ? s : 0) + (kv->vt->scaled ? s : 0);
    return true;
}

precis_status pcs_kv_open(precis_ctx *ctx, pcs_kv *kv, pcs_pages *pages)
{
    uint64_t k, v, s, all;
    kv->pages = pages;
    if (!pcs_kv_bytes(kv, &all) || !sizes(kv, (uint64_t)1 << pages->shift, &k, &v, &s))
        return pcs_fail(ctx, PRECIS_EINVAL, "the KV cache is too large");
    kv->k_at = pcs_pages_room(pages, k);
    kv->v_at = pcs_pages_room(pages, v);
    kv->ks_at = pcs_pages_room(pages, kv->kt->scaled ? s : 0);
    kv->vs_at = pcs_pages_room(pages, kv->vt->scaled ? s : 0);
    return PRECIS_OK;
}

/* Where a key of a head lies, its value, and their scales. All that lies after it in its page follows; a key's tile is
 * that of its position rounded down to 16. */
typedef struct { uint8_t *key, *value; float *ks, *vs; } place;

static place place_of(const pcs_kv *kv, uint32_t sequence, uint32_t head, uint32_t pos)
{
    const uint32_t shift = kv->pages->shift;
    uint8_t *page = pcs_page_at(kv->pages, sequence, pos);
    const size_t row = ((size_t)head << shift) + (pos & ((1u << shift) - 1));
    const size_t dims = (kv->kd + 1) / 2 * 2;
    return (place){
        page + kv->k_at + (row & ~(size_t)15) * dims * kv->kt->bits / 8,
        page + kv->v_at + row * kv->vp * kv->vt->bits / 8,
        kv->kt->scaled ? (float *)(void *)(page + kv->ks_at) + row : NULL,
        kv->vt->scaled ? (float *)(void *)(page + kv->vs_at) + row : NULL,
    };
}

/* Where the part of [pos, last) ends that lies in the page of `pos`. */
static uint32_t part_end(const pcs_kv *kv, uint32_t pos, uint32_t last)
{
    const uint32_t end = ((pos >> kv->pages->shift) + 1) << kv->pages->shift;
    return end < last ? end : last;
}

/* Codes of a vector: int8 symmetric by max / 127; int4 by the signed largest / -8, so that it is exact. */
static float scale_of(const float *x, uint32_t n, uint32_t bits)
{
    float top = 0.0f, signed_top = 0.0f;
    for (uint32_t i = 0; i < n; i++) {
        const float a = x[i] < 0 ? -x[i] : x[i];
        if (a > top) top = a, signed_top = x[i];
    }
    return bits == 8 ? top / 127.0f : signed_top / -8.0f;
}

static int code(float x, float inv, int lo, int hi)
{
    const int q = pcs_round(x * inv);
    return q < lo ? lo : q > hi ? hi : q;
}

static void put_nibble(uint8_t *p, int high, int q)
{
    *p = (uint8_t)(high ? (*p & 0x0f) | (q + 8) << 4 : (*p & 0xf0) | (q + 8));
}

/* Half-precision numbers of a vector of at most HALVES. */
enum { HALVES = 64 };
static void to_halves(const float *x, uint32_t n, uint16_t *h)
{
    for (uint32_t i = 0; i < n; i++) h[i] = pcs_f32_to_f16(x[i]);
}

static void put_key(const pcs_kv *kv, const place *at, uint32_t lane, const float *x)
{
    uint8_t *tile = at->key;
    const float d = kv->kt->scaled ? scale_of(x, kv->kd, kv->kt->bits) : 1.0f, inv = d != 0.0f ? 1.0f / d : 0.0f;
    if (at->ks) *at->ks = d;
    for (uint32_t i = 0; i < kv->kd && kv->kt->bits == 16; i += HALVES) {
        uint16_t h[HALVES];
        const uint32_t n = kv->kd - i < HALVES ? kv->kd - i : HALVES;
        to_halves(x + i, n, h);
        for (uint32_t k = 0; k < n; k++) pcs_store16(tile + ((size_t)(i + k) * 16 + lane) * 2, h[k]);
    }
    for (uint32_t i = 0; i < kv->kd && kv->kt->bits != 16; i++) {
        const size_t to = (size_t)i * 16 + lane;
        if (kv->kt->bits == 32) memcpy(tile + to * 4, &x[i], 4);
        else if (kv->kt->bits == 8) ((int8_t *)tile)[to] = (int8_t)code(x[i], inv, -127, 127);
        else put_nibble(tile + i / 2 * 16 + lane, i & 1, code(x[i], inv, -8, 7));
    }
}

static void put_value(const pcs_kv *kv, const place *at, const float *x)
{
    uint8_t *dst = at->value;
    const float d = kv->vt->scaled ? scale_of(x, kv->vd, kv->vt->bits) : 1.0f, inv = d != 0.0f ? 1.0f / d : 0.0f;
    if (at->vs) *at->vs = d;
    if (kv->vt->bits == 16) {
        to_halves(x, kv->vd, (uint16_t *)(void *)dst);
        return;
    }
    for (uint32_t i = 0; i < kv->vd; i++) {
        if (kv->vt->bits == 32) memcpy(dst + (size_t)i * 4, &x[i], 4);
        else if (kv->vt->bits == 8) ((int8_t *)dst)[i] = (int8_t)code(x[i], inv, -127, 127);
        else put_nibble(dst + i % (kv->vp / 2), i >= kv->vp / 2, code(x[i], inv, -8, 7));
    }
}

void pcs_kv_put(const pcs_kv *kv, uint32_t sequence, uint32_t head, uint32_t pos, const float *key, const float *value)
{
    const place at = place_of(kv, sequence, head, pos);
    put_key(kv, &at, pos & 15, key);
    put_value(kv, &at, value);
}

bool pcs_kv_few(const pcs_kv *kv, size_t rows) { return rows <= PCS_FEW && (kv->vt->bits != 4 || kv->vp % 32 == 0); }

void pcs_kv_scores(const pcs_kv *kv, const pcs_kernels *kernels, const pcs_kv_part *part, const pcs_kv_rows *r,
                   const pcs_kv_span *span)
{
    const uint32_t sequence = part->sequence, head = part->head, first = part->first, last = first + part->n;
    const size_t tile = (kv->kd + 1) / 2 * 4 * (size_t)kv->kt->bits;
    place at = place_of(kv, sequence, head, first);
    for (uint32_t pos = first, end; pos < last; pos = end) {
        end = part_end(kv, pos, last);
        const place next = place_of(kv, sequence, head, end < last ? end : span->first);
        kernels->kv_scores(&(pcs_kv_scores_args){ r->x, r->rows, kv->kd, at.key, at.ks, (int)kv->kt->bits,
                                                  (end - pos) / 16, r->y + (pos - first), r->ld,
                                                  at.key + (end - pos) / 16 * tile,
                                                  end < last ? next.key : next.value });
        at = next;
    }
}

void pcs_kv_mix(const pcs_kv *kv, const pcs_kernels *kernels, const pcs_kv_part *part, const pcs_kv_rows *r,
                bool accumulate, const pcs_kv_span *span)
{
    const uint32_t sequence = part->sequence, head = part->head, first = part->first, n = part->n;
    const size_t row = (size_t)kv->vp * kv->vt->bits / 8;
    for (uint32_t pos = first, end; pos < first + n; pos = end) {
        end = part_end(kv, pos, first + n);
        const place at = place_of(kv, sequence, head, pos);
        const uint32_t stop = part_end(kv, pos, span->last); /* reading goes on to here, in the next call */
        const uint8_t *next = stop < span->last ? place_of(kv, sequence, head, stop).value
                              : span->next < kv->heads ? place_of(kv, sequence, span->next, span->first).key
                                                       : at.value;
        kernels->kv_values(&(pcs_kv_values_args){ r->x + (pos - first), r->ld, r->rows, end - pos, kv->vp, at.value,
                                                  at.vs, (int)kv->vt->bits, r->y, kv->vp, accumulate || pos > first,
                                                  at.value + (stop - pos) * row, next });
    }
}

void pcs_kv_keys(const pcs_kv *kv, const pcs_kernels *kernels, uint32_t sequence, uint32_t head, uint32_t tile,
                 float *panel)
{
    const place at = place_of(kv, sequence, head, tile * 16);
    const size_t n = (size_t)kv->kd * 16;
    if (kv->kt->bits == 32) memcpy(panel, at.key, n * sizeof(float));
    else if (kv->kt->bits == 16)
        kernels->f16_f32(&(pcs_f16_f32_args){ (const uint16_t *)(const void *)at.key, panel, n });
    else kernels->unpack_kv(&(pcs_unpack_kv_args){ at.key, at.ks, kv->kd, 0, (int)kv->kt->bits, panel });
}

const float *pcs_kv_values(const pcs_kv *kv, const pcs_kernels *kernels, const pcs_kv_part *part, float *dst)
{
    const uint32_t sequence = part->sequence, head = part->head, first = part->first, n = part->n;
    for (uint32_t pos = first, end; pos < first + n; pos = end) {
        end = part_end(kv, pos, first + n);
        const place at = place_of(kv, sequence, head, pos);
        const size_t all = (size_t)(end - pos) * kv->vp;
        float *to = dst + (size_t)(pos - first) * kv->vp;
        if (kv->vt->bits == 32 && end - pos == n) return (const float *)(const void *)at.value;
        if (kv->vt->bits == 32) memcpy(to, at.value, all * sizeof *to);
        else if (kv->vt->bits == 16)
            kernels->f16_f32(&(pcs_f16_f32_args){ (const uint16_t *)(const void *)at.value, to, all });
        else kernels->unpack_kv(&(pcs_unpack_kv_args){ at.value, at.vs, end - pos, kv->vp, (int)kv->vt->bits, to });
    }
    return dst;
}
