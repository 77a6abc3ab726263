/* kernel.h - the inner loops, one row of kernels.def per operation and instruction set.
 *
 * Every operation defines its result to the last bit: which products are summed in which of 16 lanes,
 * in which order, fused or not. All levels give the same bits, so results do not depend on the
 * machine, and tests compare for equality. */
#ifndef PCS_KERNEL_H
#define PCS_KERNEL_H

#include "base/base.h"
#include "base/cpu.h"
#include "format/format.h"

#define PCS_CHUNK 256 /* weights that mm handles at a time; rows of codes are padded to it */

static inline size_t pcs_chunks(size_t k) { return (k + PCS_CHUNK - 1) / PCS_CHUNK; }

/* Activations in int8: groups of 32 with a scale, and d * sum(q) of every 16. Rows are padded with
 * zeros to whole chunks. */
typedef struct pcs_act {
    int8_t *q; /* [m][chunks * 256]               */
    float *d;  /* [m][chunks * 8]                 */
    float *s;  /* [m][chunks * 16]                */
} pcs_act;

/* quantize_act: x [m][k] to act, rows [m0, m1). d = max|x| / 127, q = nearest(x / d). */
typedef struct { const float *x; size_t k, m0, m1; pcs_act act; } pcs_quantize_act_args;

/* mm: y[m][n] = sum_k w[n][k] a[m][k] for rows n in [n0, n1) of quantized weights and int8
 * activations. Lane (k / 32 % 2) * 8 + k % 32 / 4 takes fma(dw * da, dot of 4, .), and lane k / 16 % 16 of a
 * second set takes fma(mw, s, .); the sets are summed pairwise and subtracted. */
typedef struct {
    const pcs_format *f;
    const uint8_t *w;   /* row 0 */
    size_t row_bytes, k, n0, n1, m;
    pcs_act act;
    float *y;
    size_t ldy;
    const float *bias;  /* [n] or NULL */
    void *scratch;      /* pcs_mm_scratch(k) bytes, aligned to 64 */
} pcs_mm_args;
size_t pcs_mm_scratch(size_t k);

/* mv_FORMAT: mm for one token and one format (m is 1, f is FORMAT, scratch is not used): the same bits. */

/* mmf: the same for F32, F16 and BF16 weights and f32 activations; lane k % 16, fma. */
typedef struct {
    const pcs_format *f;
    const uint8_t *w;
    size_t row_bytes, k, n0, n1, m;
    const float *x; /* [m][k] */
    float *y;
    size_t ldy;
    const float *bias;
    void *scratch; /* 4 * k bytes */
} pcs_mmf_args;

/* gemm: y[m][0..15] = (accumulate ? y : 0) + sum_k x[m][k] b[k][0..15], fma, k ascending. */
typedef struct {
    const float *x;
    size_t ldx;
    const float *b; /* row k at b + k * ldb */
    size_t ldb, k, m;
    float *y;
    size_t ldy;
    bool accumulate;
} pcs_gemm_args;

/* f16_f32: n numbers, exact (a NaN stays one; its payload may become quiet). */
typedef struct { const uint16_t *src; float *dst; size_t n; } pcs_f16_f32_args;

/* peak, peakf: how fast a core multiplies when nothing has to be loaded, for the limits that bench prints: int8 products
 * summed in int32, and f32 fma. Writes how many multiplications it made; sink keeps the compiler from dropping them. */
typedef struct { uint64_t rounds, *multiplications; volatile uint32_t *sink; } pcs_peak_args;

typedef void pcs_kernel_fn(const void *args);
typedef struct pcs_kernel { const char *op, *isa; unsigned needs; pcs_kernel_fn *run; } pcs_kernel;

#define KERNEL(op, isa, needs) pcs_kernel_fn pcs_##op##_##isa;
#include "kernel/kernels.def"
#undef KERNEL

extern const pcs_kernel pcs_kernel_table[]; /* ends with op == NULL */
/* The first row of an operation that a machine with these levels can run. */
const pcs_kernel *pcs_kernel_find(const char *op, unsigned cpu);

/* One of each, chosen once per context. */
typedef struct pcs_kernels {
    pcs_kernel_fn *quantize_act, *mm, *mmf, *gemm, *f16_f32;
    pcs_kernel_fn *mv[PCS_FORMAT_IDS]; /* by the format's id; NULL: mm */
} pcs_kernels;
pcs_kernels pcs_kernels_for(unsigned cpu);

#endif
