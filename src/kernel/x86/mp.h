/* mp.h - panels of 16 rows for prompts, around an instruction set's mp_tokens(): r16k4 (kernels.md, 3.1), a line of 64 bytes is 16 rows of 4 codes, so
 * that one register multiplies 16 rows by four activations that are broadcast, and nothing is summed across lanes.
 *
 * A panel is unpacked once per call and used for all tokens. */
#ifndef PCS_MP_H
#define PCS_MP_H

#include "kernel/x86/lanes.h"
#include "kernel/x86/unpack_k.h"

/* Bytes ahead of the rows in work: memory time hides behind unpacking (kernels.md, section 0). */
#define MP_PREFETCH 8192

/* Rows as they come, and interleaved: line l of codes is [16][4] of k = 4 l; d and m of group g are [16]. */
typedef struct {
    pcs_row rows[16];
    uint8_t *codes;
    float *d, *m;
} mp_panel;

typedef void mp_unpack_fn(const uint8_t *w, size_t k, const pcs_row *r);

static mp_unpack_fn *mp_unpacker(const pcs_format *f)
{
#define UNPACKER(name) extern const pcs_format pcs_format_##name;
#include "kernel/x86/unpackers.def"
#undef UNPACKER
    static const struct { const pcs_format *f; mp_unpack_fn *unpack; } rows[] = {
#define UNPACKER(name) { &pcs_format_##name, unpack_##name },
#include "kernel/x86/unpackers.def"
#undef UNPACKER
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].f == f) return rows[i].unpack;
    return NULL;
}

static mp_panel mp_panel_in(void *scratch, size_t chunks)
{
    const size_t codes = chunks * PCS_CHUNK, slots = chunks * 16;
    mp_panel p;
    int8_t *q = (int8_t *)scratch;
    p.codes = (uint8_t *)scratch + 16 * codes;
    float *f = (float *)(void *)(p.codes + 16 * codes);
    for (int i = 0; i < 16; i++) p.rows[i] = (pcs_row){ q + (size_t)i * codes, f + (size_t)i * slots, f + (size_t)(16 + i) * slots };
    p.d = f + 32 * slots;
    p.m = p.d + 16 * slots;
    return p;
}

/* 32 codes of each of the 16 rows as eight lines. */
PCS_INLINE void mp_lines(const mp_panel *p, size_t k, uint8_t bias)
{
    const __m256i off = _mm256_set1_epi8((char)bias);
    for (int half = 0; half < 2; half++) {
        __m256i r[8];
        for (int i = 0; i < 8; i++) r[i] = _mm256_add_epi8(_mm256_load_si256((const __m256i *)(p->rows[8 * half + i].q + k)), off);
        transpose8(r);
        for (int i = 0; i < 8; i++) _mm256_store_si256((__m256i *)(p->codes + k * 16 + 32 * half + 64 * i), r[i]);
    }
}

/* Four activations, for every row. */
PCS_INLINE __m256i mp_four(const int8_t *x)
{
    int32_t v;
    memcpy(&v, x, 4);
    return _mm256_set1_epi32(v);
}

/* Rows n .. n + 15 (those from `rows` on are zero) as a panel, codes + bias. */
static void mp_fill(const pcs_mm_args *a, mp_panel *p, mp_unpack_fn *unpack, size_t n, size_t rows, uint8_t bias)
{
    const size_t chunks = pcs_chunks(a->k), step = pcs_mp_wide(a->f) ? 2 : 1, groups = chunks * 16 / step;
    for (size_t i = 0; i < 16; i++) {
        const pcs_row *r = &p->rows[i];
        if (i >= rows) {
            memset(r->q, 0, chunks * PCS_CHUNK);
            memset(r->d, 0, chunks * 16 * sizeof *r->d);
            memset(r->m, 0, chunks * 16 * sizeof *r->m);
            continue;
        }
        const uint8_t *w = a->w + (n + i) * a->row_bytes;
        for (size_t at = 0; at < a->row_bytes; at += 64) _mm_prefetch((const char *)w + MP_PREFETCH + at, _MM_HINT_T0);
        if (unpack) unpack(w, a->k, r);
        else pcs_row_unpack(a->f, w, a->k, r);
        pcs_row_pad(r, a->k);
    }
    for (size_t k = 0; k < chunks * PCS_CHUNK; k += 32) mp_lines(p, k, bias);
    for (size_t g = 0; g < groups; g++)
        for (size_t i = 0; i < 16; i++) p->d[g * 16 + i] = p->rows[i].d[g * step];
    for (size_t g = 0; g < groups && a->f->has_min; g++)
        for (size_t i = 0; i < 16; i++) p->m[g * 16 + i] = p->rows[i].m[g * step];
}

#endif
