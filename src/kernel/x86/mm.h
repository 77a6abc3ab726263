/* mm.h - the loop of mm around an instruction set's dot().
 *
 * The file that includes this defines `struct mm_acc`, mm_zero, mm_step (one chunk of 256 for one token)
 * and mm_sum. A row is unpacked once and used for all tokens. */
#ifndef PCS_MM_H
#define PCS_MM_H

#include "kernel/x86/unpack_k.h"

/* Rows ahead of the one in work, in bytes: memory time hides behind compute (kernels.md, section 2). */
#define MM_PREFETCH 8192

PCS_INLINE void mm_prefetch(const uint8_t *w, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64) _mm_prefetch((const char *)w + MM_PREFETCH + i, _MM_HINT_T0);
}


PCS_INLINE void mm_tile(const pcs_mm_args *a, const pcs_row *r, size_t n, size_t m0, int tokens)
{
    const size_t chunks = pcs_chunks(a->k);
    struct mm_acc acc[MM_TOKENS];
    for (int t = 0; t < tokens; t++) mm_zero(&acc[t]);
    for (size_t c = 0; c < chunks; c++)
        mm_step(acc, tokens, a->f->has_min, r->q + c * PCS_CHUNK, r->d + c * 16, r->m + c * 16, a->act.q + (m0 * chunks + c) * PCS_CHUNK,
                a->act.d + (m0 * chunks + c) * 8, a->act.s + (m0 * chunks + c) * 16, chunks);
    for (int t = 0; t < tokens; t++) a->y[(m0 + (size_t)t) * a->ldy + n] = mm_sum(&acc[t], a->f->has_min) + (a->bias ? a->bias[n] : 0.0f);
}

typedef void mm_unpack_fn(const uint8_t *w, size_t k, const pcs_row *r);

PCS_INLINE void mm_rows(const pcs_mm_args *a, mm_unpack_fn *unpack)
{
    const pcs_row r = pcs_row_in(a->scratch, a->k);
    pcs_row_pad(&r, a->k);
    for (size_t n = a->n0; n < a->n1; n++) {
        const uint8_t *w = a->w + n * a->row_bytes;
        if (n + 1 + MM_PREFETCH / a->row_bytes < a->n1) mm_prefetch(w, a->row_bytes);
        if (unpack) unpack(w, a->k, &r);
        else pcs_row_unpack(a->f, w, a->k, &r);
        size_t m = 0;
        for (; m + MM_TOKENS <= a->m; m += MM_TOKENS) mm_tile(a, &r, n, m, MM_TOKENS);
        for (; m < a->m; m++) mm_tile(a, &r, n, m, 1);
    }
}

#define UNPACKER(name) static void rows_##name(const pcs_mm_args *a) { mm_rows(a, unpack_##name); }
#include "kernel/x86/unpackers.def"
#undef UNPACKER
static void rows_any(const pcs_mm_args *a) { mm_rows(a, NULL); }

#define UNPACKER(name) extern const pcs_format pcs_format_##name;
#include "kernel/x86/unpackers.def"
#undef UNPACKER

static inline void mm_run(const pcs_mm_args *a)
{
    static const struct { const pcs_format *f; void (*run)(const pcs_mm_args *); } rows[] = {
#define UNPACKER(name) { &pcs_format_##name, rows_##name },
#include "kernel/x86/unpackers.def"
#undef UNPACKER
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].f == a->f) {
            rows[i].run(a);
            return;
        }
    rows_any(a);
}

#endif
