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
    const char *split = strchr(text, ';'), *p = split && part ? split + 1 : text, *end = split && !part ? split : p + strlen(p);
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
    else if (k != n) return pcs_fail(ctx, PRECIS_EINVAL, "%zu KV types for %zu layers: give one, or one for each", k, n);
    return PRECIS_OK;
}

static bool sizes(const pcs_kv *kv, uint64_t *k, uint64_t *v, uint64_t *s)
{
    uint64_t rows;
    return pcs_mul_ok(kv->sequences, kv->heads, &rows) && pcs_mul_ok(rows, kv->capacity, &rows) && rows < (uint64_t)1 << 40 &&
           pcs_mul_ok(rows, (uint64_t)(kv->kd + 1) / 2 * 2 * kv->kt->bits / 8, k) && pcs_mul_ok(rows, (uint64_t)kv->vp * kv->vt->bits / 8, v) &&
           pcs_mul_ok(rows, sizeof(float), s);
}

bool pcs_kv_bytes(const pcs_kv *kv, uint64_t *bytes)
{
    uint64_t k, v, s;
    if (!sizes(kv, &k, &v, &s)) return false;
    *bytes = k + v + (kv->kt->scaled ? s : 0) + (kv->vt->scaled ? s : 0);
    return true;
}

precis_status pcs_kv_open(precis_ctx *ctx, pcs_kv *kv)
{
    uint64_t k, v, s;
    if (!sizes(kv, &k, &v, &s)) return pcs_fail(ctx, PRECIS_EINVAL, "the KV cache is too large");
    kv->k = kv->heap->alloc(ctx, k);
    kv->v = kv->heap->alloc(ctx, v);
    kv->ks = kv->kt->scaled ? kv->heap->alloc(ctx, s) : NULL;
    kv->vs = kv->vt->scaled ? kv->heap->alloc(ctx, s) : NULL;
    if (kv->k && kv->v && (kv->ks || !kv->kt->scaled) && (kv->vs || !kv->vt->scaled)) return PRECIS_OK;
    pcs_kv_close(ctx, kv);
    return PRECIS_ENOMEM;
}

void pcs_kv_close(precis_ctx *ctx, pcs_kv *kv)
{
    uint64_t k, v, s;
    if (!kv->heap || !sizes(kv, &k, &v, &s)) return;
    kv->heap->release(ctx, kv->k, k);
    kv->heap->release(ctx, kv->v, v);
    kv->heap->release(ctx, kv->ks, s);
    kv->heap->release(ctx, kv->vs, s);
    kv->k = kv->v = NULL;
    kv->ks = kv->vs = NULL;
}

static size_t row_of(const pcs_kv *kv, uint32_t sequence, uint32_t head) { return ((size_t)sequence * kv->heads + head) * kv->capacity; }

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

static void put_key(pcs_kv *kv, size_t row, uint32_t pos, const float *x)
{
    const size_t dims = (kv->kd + 1) / 2 * 2;
    uint8_t *tile = kv->k + (row + (pos & ~15u)) * dims * kv->kt->bits / 8;
    const uint32_t lane = pos & 15;
    const float d = kv->kt->scaled ? scale_of(x, kv->kd, kv->kt->bits) : 1.0f, inv = d != 0.0f ? 1.0f / d : 0.0f;
    if (kv->ks) kv->ks[row + pos] = d;
    for (uint32_t i = 0; i < kv->kd && kv->kt->bits == 16; i += HALVES) {
        uint16_t h[HALVES];
        const uint32_t n = kv->kd - i < HALVES ? kv->kd - i : HALVES;
        to_halves(x + i, n, h);
        for (uint32_t k = 0; k < n; k++) pcs_store16(tile + ((size_t)(i + k) * 16 + lane) * 2, h[k]);
    }
    for (uint32_t i = 0; i < kv->kd && kv->kt->bits != 16; i++) {
        const size_t at = (size_t)i * 16 + lane;
        if (kv->kt->bits == 32) memcpy(tile + at * 4, &x[i], 4);
        else if (kv->kt->bits == 8) ((int8_t *)tile)[at] = (int8_t)code(x[i], inv, -127, 127);
        else put_nibble(tile + i / 2 * 16 + lane, i & 1, code(x[i], inv, -8, 7));
    }
}

static void put_value(pcs_kv *kv, size_t row, uint32_t pos, const float *x)
{
    uint8_t *dst = kv->v + (row + pos) * kv->vp * kv->vt->bits / 8;
    const float d = kv->vt->scaled ? scale_of(x, kv->vd, kv->vt->bits) : 1.0f, inv = d != 0.0f ? 1.0f / d : 0.0f;
    if (kv->vs) kv->vs[row + pos] = d;
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

void pcs_kv_put(pcs_kv *kv, uint32_t sequence, uint32_t head, uint32_t pos, const float *key, const float *value)
{
    const size_t row = row_of(kv, sequence, head);
    put_key(kv, row, pos, key);
    put_value(kv, row, pos, value);
}

bool pcs_kv_few(const pcs_kv *kv, size_t rows) { return rows <= PCS_FEW && (kv->vt->bits != 4 || kv->vp % 32 == 0); }

static const uint8_t *key_at(const pcs_kv *kv, size_t row) { return kv->k + row * ((kv->kd + 1) / 2 * 2) * kv->kt->bits / 8; }
static const uint8_t *value_at(const pcs_kv *kv, size_t row) { return kv->v + row * kv->vp * kv->vt->bits / 8; }

pcs_kv_span pcs_kv_span_of(const pcs_kv *kv, uint32_t sequence, uint32_t head, uint32_t next, uint32_t first, uint32_t last)
{
    const size_t row = row_of(kv, sequence, head);
    const uint8_t *v = value_at(kv, row + first);
    return (pcs_kv_span){ key_at(kv, row + last), v, value_at(kv, row + last), next < kv->heads ? key_at(kv, row_of(kv, sequence, next) + first) : v };
}

void pcs_kv_scores(const pcs_kv *kv, const pcs_kernels *kernels, uint32_t sequence, uint32_t head, uint32_t first, uint32_t tiles, const float *q, size_t rows, float *y, size_t ldy, const pcs_kv_span *span)
{
    const size_t row = row_of(kv, sequence, head) + first;
    kernels->kv_scores(&(pcs_kv_scores_args){ q, rows, kv->kd, key_at(kv, row), kv->ks ? kv->ks + row : NULL, (int)kv->kt->bits, tiles, y, ldy, span->keys_end, span->values });
}

void pcs_kv_mix(const pcs_kv *kv, const pcs_kernels *kernels, uint32_t sequence, uint32_t head, uint32_t first, uint32_t n, const float *w, size_t ldw, size_t rows, float *y, bool accumulate, const pcs_kv_span *span)
{
    const size_t row = row_of(kv, sequence, head) + first;
    kernels->kv_values(&(pcs_kv_values_args){ w, ldw, rows, n, kv->vp, value_at(kv, row), kv->vs ? kv->vs + row : NULL, (int)kv->vt->bits, y, kv->vp, accumulate, span->values_end, span->next });
}

void pcs_kv_keys(const pcs_kv *kv, const pcs_kernels *kernels, uint32_t sequence, uint32_t head, uint32_t tile, float *panel)
{
    const size_t row = row_of(kv, sequence, head) + (size_t)tile * 16;
    const uint8_t *src = key_at(kv, row);
    if (kv->kt->bits == 32) memcpy(panel, src, (size_t)kv->kd * 16 * sizeof(float));
    else if (kv->kt->bits == 16) kernels->f16_f32(&(pcs_f16_f32_args){ (const uint16_t *)(const void *)src, panel, (size_t)kv->kd * 16 });
    else kernels->unpack_kv(&(pcs_unpack_kv_args){ src, kv->ks + row, kv->kd, 0, (int)kv->kt->bits, panel });
}

const float *pcs_kv_values(const pcs_kv *kv, const pcs_kernels *kernels, uint32_t sequence, uint32_t head, uint32_t first, uint32_t n, float *dst)
{
    const size_t row = row_of(kv, sequence, head) + first;
    const uint8_t *src = value_at(kv, row);
    if (kv->vt->bits == 32) return (const float *)(const void *)src;
    if (kv->vt->bits == 16) {
        kernels->f16_f32(&(pcs_f16_f32_args){ (const uint16_t *)(const void *)src, dst, (size_t)n * kv->vp });
        return dst;
    }
    kernels->unpack_kv(&(pcs_unpack_kv_args){ src, kv->vs + row, n, kv->vp, (int)kv->vt->bits, dst });
    return dst;
}
