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
#include "kernel/bf16.h"
#include "kernel/codes.h"
#include "kernel/columns.h"
#include "kernel/functions.h"
#include "kernel/int8.h"
#include "kernel/panels.h"
#include "kernel/xnor.h"

#define PCS_CHUNK 256 /* weights that kernels handle at a time; rows of codes are padded to it */

static inline size_t pcs_chunks(size_t k) { return (k + PCS_CHUNK - 1) / PCS_CHUNK; }

#define PCS_TILE 12   /* tokens that mp handles at a time */

static inline size_t pcs_tiles(size_t m) { return (m + PCS_TILE - 1) / PCS_TILE; }

/* Activations in int8: groups of 32 with a scale, and d * sum(q) of every 16. Rows are padded with
 * zeros to whole chunks. The kernel mp reads a second copy, in which the numbers that the 12 tokens of a tile have for
 * the same k lie together; tokens that the last tile lacks are zeros. */
typedef struct pcs_act {
    int8_t *q;    /* [m][chunks * 256]                       */
    float *d;     /* [m][chunks * 8]                         */
    float *s;     /* [m][chunks * 16]                        */
    int32_t *z;   /* [m][chunks * 16]: sum(q) of every 16    */
    int8_t *tq;   /* [tiles][chunks * 64][PCS_TILE][4]       */
    float *td;    /* [tiles][chunks * 8][PCS_TILE]           */
    float *ts;    /* [tiles][chunks * 16][PCS_TILE]          */
    int32_t *t16; /* [tiles][chunks * 16][PCS_TILE]: -128 sum(q) of every 16, what codes + 128 have too much */
    int32_t *t32; /* [tiles][chunks * 8][PCS_TILE]: of every 32 */
} pcs_act;

/* Bytes of m rows; and the parts of a block of so many, aligned to 64. */
static inline uint64_t pcs_act_bytes(uint64_t m, size_t chunks)
{
    return m * chunks * (PCS_CHUNK + 40 * 4) +
           (m + PCS_TILE - 1) / PCS_TILE * PCS_TILE * chunks * (PCS_CHUNK + 48 * 4) + 128;
}
static inline pcs_act pcs_act_in(void *data, size_t m, size_t chunks)
{
    const size_t rows = pcs_tiles(m) * PCS_TILE;
    pcs_act a = { .tq = (int8_t *)data };
    a.td = (float *)(void *)(a.tq + rows * chunks * PCS_CHUNK);
    a.ts = a.td + rows * chunks * 8;
    a.t16 = (int32_t *)(void *)(a.ts + rows * chunks * 16);
    a.t32 = a.t16 + rows * chunks * 16;
    a.q = (int8_t *)(void *)(a.t32 + rows * chunks * 8);
    a.d = (float *)(void *)(a.q + m * chunks * PCS_CHUNK);
    a.s = a.d + m * chunks * 8;
    a.z = (int32_t *)(void *)(a.s + m * chunks * 16);
    return a;
}
/* Row r alone. */
pcs_act pcs_act_row(const pcs_act *a, size_t chunks, size_t r);
/* Rows [m0, m1) of m into their tiles; who has the last row makes the rest of its tile zero. */
void pcs_act_interleave(const pcs_act *a, size_t chunks, size_t m, size_t m0, size_t m1);

/* quantize_act: x [m][k] to act, rows [m0, m1). d = max|x| / 127, q = nearest(x / d). */
typedef struct { const float *x; size_t k, m0, m1; pcs_act act; } pcs_quantize_act_args;

/* pack: rows 0 .. rows - 1 (at most 16) of k weights into a panel; the other rows are zero. */
typedef struct {
    const pcs_format *f;
    const uint8_t *w;
    size_t row_bytes, k, rows;
    uint8_t *panel; /* pcs_panel_bytes(f, k) */
} pcs_pack_args;

/* Field i of blocks [first, last); and n bytes of a field, a multiple of 64 and aligned to them, by a format's map. */
typedef void pcs_pack_field_fn(const pcs_pack_args *a, const pcs_panel_layout *o, size_t i, size_t first, size_t last);
typedef void pcs_pack_recode_fn(const uint8_t *map, uint8_t *bytes, size_t n);

/* Blocks [first, last) of the rows as panels have them, as rows of their own. */
static inline pcs_pack_args pcs_pack_formed(const pcs_pack_args *a, size_t first, size_t last, uint8_t *formed)
{
    const size_t bytes = a->f->form->bytes, row = (last - first) * bytes;
    for (size_t r = 0; r < a->rows; r++)
        for (size_t b = first; b < last; b++)
            a->f->form->to(a->w + r * a->row_bytes + b * a->f->bytes, formed + r * row + (b - first) * bytes);
    return (pcs_pack_args){ a->f, formed, row, (last - first) * a->f->block, a->rows, NULL };
}

PCS_INLINE void pcs_pack_fields(const pcs_pack_args *a, pcs_pack_field_fn *field, pcs_pack_recode_fn *recode)
{
    const pcs_panel_layout o = pcs_panel_layout_of(a->f);
    const size_t blocks = a->k / a->f->block,
                 most = a->f->block > 256 ? 1 : 512 / a->f->block; /* while rows are in the cache */
    if (blocks % o.piece) memset(a->panel + blocks / o.piece * o.bytes, 0, o.lines);
    for (size_t b = 0; b < blocks; b += most) {
        const size_t last = blocks - b < most ? blocks : b + most;
        if (a->f->form) {
            uint8_t formed[PCS_PANEL * 2 * PCS_FORM_MOST];
            pcs_pack_args in = pcs_pack_formed(a, b, last, formed);
            in.panel = a->panel + (b >> o.shift) * o.bytes;
            for (size_t i = 0; i < PCS_FIELDS && a->f->fields[i].bytes; i++) field(&in, &o, i, 0, last - b);
            continue;
        }
        for (size_t i = 0; i < PCS_FIELDS && a->f->fields[i].bytes; i++) {
            const uint8_t *map = pcs_field_recode(a->f, i, 0);
            field(a, &o, i, b, last);
            for (size_t at = b; map && at < last; at++)
                for (size_t u = 0; u < a->f->fields[i].bytes / 4; u++)
                    recode(map, a->panel + pcs_panel_at(&o, at, i) + u * o.unit[i], 4 * PCS_PANEL);
        }
    }
}

/* mp: y[m][n] = sum_k w[n][k] a[m][k] for rows n in [n0, n1) of quantized weights and int8 activations. Sums of
 * whole groups are integers: acc = fma(dw da, dot of the group, acc), group after group, then acc = fma(-mw, s, acc)
 * where there is a minimum; groups are of 32, or of 16 for formats whose scales are. The sum of s of 32 is that of
 * its two halves. So the bits depend neither on how many tokens a call has nor on how the weights are stored. */
typedef struct {
    const pcs_format *f;
    const uint8_t *w;   /* row 0, or the first panel */
    size_t row_bytes, k, n0, n1, m; /* n0: a multiple of 16 */
    pcs_act act;
    float *y;
    size_t ldy;
    const float *bias;  /* [n] or NULL */
    void *scratch;      /* pcs_mp_scratch(k) bytes, aligned to 64 */
    bool packed;        /* w is panels */
} pcs_mp_args;
size_t pcs_mp_scratch(size_t k);

/* mv_FORMAT: mp for a few tokens and one format with panels (act has no tiles): at most PCS_FEW: the same bits. */
#define PCS_FEW 8

static inline bool pcs_mp_wide(const pcs_format *f) { return f->group % 32 == 0; }
static inline size_t pcs_mp_groups(const pcs_format *f, size_t k)
{
    return pcs_mp_wide(f) ? (k + 31) / 32 : (k + 15) / 16;
}

/* Pairs of products with an int8 that a 16-bit lane of the AVX2 row holds, by the range of the codes: 15 x 127 x 16
 * = 30,480; 0: not even one. */
static inline int pcs_mp_pairs(const pcs_format *f)
{
    const int range = f->code_hi - f->code_lo;
    return range <= 15 && pcs_mp_wide(f) ? 8 : range <= 31 ? 4 : range <= 63 ? 2 : 0;
}

/* mvf_F32, mvf_F16, mvf_BF16: panels of float weights and f32 activations, a few tokens: gemm's sums. */
typedef struct {
    const pcs_format *f;
    const uint8_t *w; /* the first panel */
    size_t k, n0, n1, m; /* n0: a multiple of 16 */
    const float *x; /* [m][k] */
    float *y;
    size_t ldy;
    const float *bias;
} pcs_mvf_args;

/* panel: b[k][0..15] = w[0..15][k], rows from `rows` on are zero. */
typedef struct {
    const float *w;
    size_t ldw, rows, k;
    float *b;
} pcs_panel_args;

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

/* gemm_f64: y[m][0..15] -= sum_k x[m][k] b[k][0..15], f64, fused, k ascending; rows of b after one another. */
typedef struct {
    const double *x;
    size_t ldx;
    const double *b;
    size_t k, m;
    double *y;
    size_t ldy;
} pcs_gemm_f64_args;

/* gemm_wide: gemm of `panels` panels side by side, panel p at b + p * step, its results at y + 16 p: a few rows
 * alone would wait for one sum after another. */
typedef struct { pcs_gemm_args one; size_t panels, step; } pcs_gemm_wide_args;
/* Its panels from p on, by gemm. */
static inline void pcs_gemm_panels(const pcs_gemm_wide_args *w, size_t p, void (*gemm)(const pcs_gemm_args *args))
{
    for (; p < w->panels; p++) {
        pcs_gemm_args one = w->one;
        one.b += p * w->step;
        one.y += 16 * p;
        gemm(&one);
    }
}

/* swiglu, geglu: y = act(gate) * up. */
typedef struct { const float *gate, *up; float *y; size_t n; } pcs_glu_args;

/* softmax: n scores, in place, that belong to keys `first` on: times scale, cap tanh(s / cap) when cap > 0; summed
 * in the lanes of key % 16. */
typedef struct { float *s; size_t n, first; float scale, cap; } pcs_softmax_args;

/* unpack_kv: int8 or int4 codes of a cache to f32. width 0: 16 keys of n dimensions, dst [n][16], s of each key;
 * else n values of `width` (a multiple of 16) numbers, s of each. */
typedef struct { const uint8_t *q; const float *s; size_t n, width; int bits; float *dst; } pcs_unpack_kv_args;

/* kv_scores: y[r][16 t + i] = sum_k x[r][k] key(16 t + i)[k] with keys as the cache has them, tiles of 16
 * (graph/kv.h): floats of 32 or 16 bits, or codes of 8 or 4 and d of each key. kv_values: y[r][i] = (accumulate ? y
 * : 0) + sum_j w[r][j] value(j)[i]; width: a multiple of 16, of 32 with codes of 4 bits. fma, k and j ascending: the
 * sums of gemm. For a few rows; many are faster with numbers that are unpacked once. end: of the stream that codes
 * is a part of, and where reading goes on then, which kernels ask for ahead; NULL: not known, or nowhere. */
typedef struct {
    const float *x;
    size_t m, dims;
    const uint8_t *codes;
    const float *d;
    int bits;
    size_t tiles;
    float *y;
    size_t ldy;
    const uint8_t *end, *next;
} pcs_kv_scores_args;
typedef struct {
    const float *w;
    size_t ldw, m, n, width;
    const uint8_t *codes;
    const float *d;
    int bits;
    float *y;
    size_t ldy;
    bool accumulate;
    const uint8_t *end, *next;
} pcs_kv_values_args;

/* panel_bytes: b[n][16] of codes of an element of 8 bits (format/element.h), those of row r from src + r * step on,
 * times scale[r]; rows from `rows` on are zero. */
struct pcs_element;
typedef struct pcs_panel_bytes_args {
    const struct pcs_element *e;
    const uint8_t *src;
    size_t step, rows, n;
    const float *scale; /* [16] */
    float *b;
} pcs_panel_bytes_args;
/* f16_f32: n numbers, exact (a NaN stays one; its payload may become quiet). */
typedef struct { const uint16_t *src; float *dst; size_t n; } pcs_f16_f32_args;

/* log_sum: the log of the sum of exponentials of x[n], and the first place of the largest. divergence: KL(p || q) in
 * nats of two rows of logits, whose log sums are lp and lq. Summed in 16 lanes of doubles. */
typedef struct { const float *x; size_t n, *best; double *sum; } pcs_log_sum_args;
typedef struct { const float *p, *q; double lp, lq; size_t n; double *kl; } pcs_divergence_args;

/* dot: the sum of a[i] b[i], f64, in 8 lanes that are not fused. */
typedef struct { const double *a, *b; size_t n; double *sum; } pcs_dot_args;

/* encode: a row as pcs_encode does (pcs_encode_args of format/format.h). fit: the parameters of a block (params), or
 * scale and zero point of a row of a format with a head (params NULL): w = d * (q - zero). */
typedef struct {
    const pcs_format *f;
    size_t n;
    const float *x, *w;
    pcs_fit_effort effort;
    const pcs_shared *shared;
    pcs_params *params;
    float *d;
    int *zero;
} pcs_fit_args;

/* error: weighted squares of x - y, and of x; w NULL: all alike. */
typedef struct { size_t n; const float *x, *y, *w; double *err, *norm; } pcs_error_args;

/* peak, peakf: how fast a core multiplies when nothing has to be loaded, for the limits that bench prints: int8
 * products summed in int32, and f32 fma; peak_bf16: products of tiles, if there are such. Writes how many
 * multiplications it made; sink keeps the compiler from dropping them. */
typedef struct { uint64_t rounds, *multiplications; volatile uint32_t *sink; } pcs_peak_args;

/* The type of each operation's functions; all operations; a pointer to a function of one of them. */
#define OP(name, args) typedef void pcs_##name##_fn(const args *);
#define OP_OF(name, args) OP(name, args)
#include "kernel/operations.def"
#undef OP
#undef OP_OF
typedef enum pcs_operation {
#define OP(name, args) PCS_DO_##name,
#define OP_OF(name, args) OP(name, args)
#include "kernel/operations.def"
#undef OP
#undef OP_OF
    PCS_OPERATIONS
} pcs_operation;
typedef union pcs_kernel_run {
#define OP(name, args) pcs_##name##_fn *name;
#define OP_OF(name, args) OP(name, args)
#include "kernel/operations.def"
#undef OP
#undef OP_OF
} pcs_kernel_run;

/* A row of kernels.def. name: of the operation, and of the format where it has one (else format is NULL). */
typedef struct pcs_kernel {
    pcs_operation op;
    const char *name, *isa;
    unsigned needs;
    const pcs_format *format;
    pcs_kernel_run run;
} pcs_kernel;

#define KERNEL(op, isa, needs) pcs_##op##_fn pcs_##op##_##isa;
#define KERNEL_OF(op, format, isa, needs) pcs_##op##_fn pcs_##op##_##format##_##isa;
#include "kernel/kernels.def"
#undef KERNEL
#undef KERNEL_OF

extern const pcs_kernel pcs_kernel_table[]; /* ends with name == NULL */
/* The first row of an operation (and of a format, else NULL) that a machine with these levels can run; NULL: there
 * is none. */
const pcs_kernel *pcs_kernel_find(pcs_operation op, const pcs_format *f, unsigned cpu);

/* One of each, chosen once per context; those of a format by its id, NULL where it has none. */
typedef struct pcs_kernels {
#define OP(name, args) pcs_##name##_fn *name;
#define OP_OF(name, args) pcs_##name##_fn *name[PCS_KERNEL_IDS];
#include "kernel/operations.def"
#undef OP
#undef OP_OF
} pcs_kernels;
pcs_kernels pcs_kernels_for(unsigned cpu);
/* pcs_decode, by a kernel where there is one. */
void pcs_decode_by(const pcs_kernels *k, const pcs_format *f, size_t n, const void *src, float *dst);

static inline bool pcs_has_panels(const pcs_format *f, size_t n)
{
    return f->id < PCS_KERNEL_IDS && pcs_panels_fit(f, n);
}
/* mv for rows of n weights, of codes or of floats; NULL: there is none. */
static inline pcs_mv_fn *pcs_few(const pcs_kernels *k, const pcs_format *f, size_t n)
{
    return pcs_has_panels(f, n) ? k->mv[f->id] : NULL;
}
static inline pcs_mvf_fn *pcs_few_floats(const pcs_kernels *k, const pcs_format *f, size_t n)
{
    return pcs_has_panels(f, n) ? k->mvf[f->id] : NULL;
}
/* Either of them. */
static inline bool pcs_has_few(const pcs_kernels *k, const pcs_format *f, size_t n)
{
    return pcs_few(k, f, n) || pcs_few_floats(k, f, n);
}

#endif
