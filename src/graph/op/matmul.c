/* matmul - y[t][n] = sum_k x[t][k] w[n][k] + bias[n]. Weights are rows of outputs, as every file stores them.
 *
 * Reference: pieces of 16 rows of weights are decoded to f32 into a panel and summed in ascending k with fma, so
 * the result is the same on every machine. Fast: int8 activations for quantized weights (mp, or mv for a few tokens:
 * the same bits); float weights as the reference, by mv where they are packed: the same bits, too. In the arithmetic
 * bf16 all of them by mp_bf16; in int8 those whose rows have one scale by mp_int8. */
#include "base/pool.h"
#include "graph/op/weight_rows.h"
#include "graph/pieces.h"
#include "graph/op/share_table.h"
#include "graph/turn.h"

/* Panels side by side, and tokens of the last one's tile, where its rows are fewer than 16. */
#define PANELS 4
#define TILE 60

static size_t scratch(const pcs_call *c)
{
    const size_t k = (size_t)c->in[1].shape[1];
    if (c->in[0].dtype == PCS_ACT_BF16) return pcs_line_up(pcs_mp_bf16_scratch(k)) + 256;
    if (c->in[0].dtype == PCS_ACT_INT8) return pcs_line_up(pcs_mp_int8_scratch(k)) + 256;
    if (c->in[0].dtype == PCS_ACT) return pcs_line_up(pcs_mp_scratch(k)) + 256;
    return pcs_line_up(sizeof(float) * (pcs_piece_floats(&c->in[1], PANELS) + TILE * PCS_PANEL)) + 256;
}

static uint32_t workers(const pcs_call *c) { return pcs_piece_threads((size_t)c->in[1].shape[0]); }

/* y[m][0..rows-1] of one panel of fewer than 16 rows, which gemm would write beyond: by a tile. */
static void narrow(const pcs_call *c, pcs_gemm_args one, size_t rows, float *tile)
{
    const size_t m = one.m;
    for (size_t m0 = 0; m0 < m; m0 += TILE) {
        const size_t tokens = m - m0 < TILE ? m - m0 : TILE;
        float *y = one.y + m0 * one.ldy;
        for (size_t r = 0; r < tokens && one.accumulate; r++) memcpy(tile + r * 16, y + r * one.ldy, rows * sizeof *y);
        c->kernels->gemm(
            &(pcs_gemm_args){ one.x + m0 * one.ldx, one.ldx, one.b, one.ldb, one.k, tokens, tile, 16, one.accumulate });
        for (size_t r = 0; r < tokens; r++) memcpy(y + r * one.ldy, tile + r * 16, rows * sizeof *y);
    }
}

/* Outputs n0 to n0 + count - 1 of all tokens, piece by piece. */
static void outputs(const pcs_call *c, size_t n0, size_t count, float *mem)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1];
    const size_t n = (size_t)w->shape[0], k = (size_t)w->shape[1], m = (size_t)pcs_arg_rows(x), piece = pcs_piece(w);
    const size_t step = PCS_PANEL * piece, whole = count / PCS_PANEL, rest = count % PCS_PANEL;
    float *b = mem + step, *tile = b + PANELS * step, *y = (float *)c->out[0].data + n0;
    const float *bias = c->n_in > 2 ? (const float *)c->in[2].data + n0 : NULL;
    for (size_t at = 0; at < k || !at; at += piece) {
        const size_t now = k - at < piece ? k - at : piece;
        for (size_t p = 0; p * PCS_PANEL < count; p++) {
            const pcs_piece_at part = { n0 + PCS_PANEL * p, p < whole ? PCS_PANEL : rest, at, now };
            pcs_piece_panel(c, &part, mem, b + p * step);
        }
        pcs_gemm_args one = { (const float *)x->data + at, k, b, PCS_PANEL, now, m, y, n, at > 0 };
        if (whole) c->kernels->gemm_wide(&(pcs_gemm_wide_args){ one, whole, step });
        one.b += whole * step;
        one.y += whole * PCS_PANEL;
        if (rest) narrow(c, one, rest, tile);
    }
    for (size_t r = 0; r < m; r++)
        for (size_t i = 0; i < count; i++) y[r * n + i] += bias ? bias[i] : 0.0f;
}

/* Rows [begin, end) of all tokens. */
static void pieces(const pcs_call *c, size_t begin, size_t end, char *scratch)
{
    const size_t wide = PCS_PANEL * PANELS;
    for (size_t n0 = begin; n0 < end; n0 += wide)
        outputs(c, n0, end - n0 < wide ? end - n0 : wide, (float *)(void *)scratch);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    if (!pcs_piece_share((size_t)c->in[1].shape[0], ith, nth, &begin, &end)) return;
    pieces(c, begin, end, c->scratch + ith * c->scratch_size);
}

/* Which kernels multiply, and the units in which threads take the product: `rows` of the weights by `tokens`, of which
 * `across` lie side by side; the last ones have what is left. */
typedef struct {
    const pcs_call *c;
    size_t n, k, m, rows, tokens, across;
    pcs_mv_fn *mv;
    pcs_mvf_fn *mvf;
    const uint8_t *w;
    bool packed;
} fast_work;

/* Rows [n0, n1) by tokens [t0, t1); again: the same rows as in the call before. */
typedef struct { size_t n0, n1, t0, t1; bool again; } part;

static fast_work fast_work_of(const pcs_call *c)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1];
    fast_work p = { .c = c, .n = (size_t)w->shape[0], .k = (size_t)w->shape[1], .m = (size_t)pcs_arg_rows(x),
                  .across = 1, .packed = w->panels != NULL };
    const bool few = w->dtype == PCS_STORED && p.m <= PCS_FEW;
    p.rows = few ? PCS_PANEL : 2 * PCS_PANEL; /* kernels of many tokens take two panels at a time */
    p.w = p.packed ? w->panels : w->data;
    p.mv = few ? pcs_few(c->kernels, w->format, p.k) : NULL;
    p.mvf = few && p.packed ? pcs_few_floats(c->kernels, w->format, p.k) : NULL;
    /* Rows that stay decoded while tokens pass are as many as are decoded together. */
    const bool bf16 = x->dtype == PCS_ACT_BF16 && c->kernels->mp_bf16_again,
               int8 = x->dtype == PCS_ACT_INT8 && c->kernels->mp_int8_again;
    if ((bf16 || int8) && p.m >= 2 * PCS_AGAIN_TOKENS) {
        p.rows = PCS_PANEL * (bf16 ? pcs_bf16_panels(p.k) : pcs_int8_panels(p.k));
        p.across = p.m / PCS_AGAIN_TOKENS;
    }
    p.tokens = p.across > 1 ? PCS_AGAIN_TOKENS : p.m;
    return p;
}

static void by_bf16(const fast_work *p, const part *of, char *scratch)
{
    const pcs_call *c = p->c;
    const pcs_arg *w = &c->in[1];
    const pcs_mp_bf16_args a = {
        w->format, p->w, pcs_row_bytes(w->format, p->k), p->k, of->n0, of->n1, of->t1 - of->t0,
        pcs_act_bf16_row(c->in[0].data, p->k, of->t0), (float *)c->out[0].data + of->t0 * p->n, p->n,
        c->n_in > 2 ? c->in[2].data : NULL, scratch, p->packed, 0, p->m - of->t1
    };
    (of->again ? c->kernels->mp_bf16_again : c->kernels->mp_bf16)(&a);
}

static void by_int8(const fast_work *p, const part *of, char *scratch)
{
    const pcs_call *c = p->c;
    const pcs_arg *w = &c->in[1];
    const pcs_act_int8 act = pcs_act_int8_in(c->in[0].data, p->m, p->k);
    const pcs_mp_int8_args a = {
        w->format, p->w, pcs_row_bytes(w->format, p->k), p->k, of->n0, of->n1, of->t1 - of->t0,
        pcs_act_int8_row(&act, p->k, of->t0), (float *)c->out[0].data + of->t0 * p->n, p->n,
        c->n_in > 2 ? c->in[2].data : NULL, scratch, p->packed, p->m - of->t1
    };
    (of->again ? c->kernels->mp_int8_again : c->kernels->mp_int8)(&a);
}

static void part_of(const fast_work *p, const part *of, uint32_t ith)
{
    const pcs_call *c = p->c;
    const pcs_arg *x = &c->in[0], *w = &c->in[1];
    char *scratch = c->scratch + ith * c->scratch_size;
    const float *bias = c->n_in > 2 ? c->in[2].data : NULL;
    if (x->dtype == PCS_ACT_BF16) by_bf16(p, of, scratch);
    else if (x->dtype == PCS_ACT_INT8) by_int8(p, of, scratch);
    else if (x->dtype == PCS_ACT)
        (p->mv ? p->mv : c->kernels->mp)(&(pcs_mp_args){
            w->format, p->w, pcs_row_bytes(w->format, p->k), p->k, of->n0, of->n1, p->m,
            *(const pcs_act *)x->data, c->out[0].data, p->n, bias, scratch, p->packed });
    else if (p->mvf)
        p->mvf(&(pcs_mvf_args){ w->format, w->panels, p->k, of->n0, of->n1, p->m, x->data, c->out[0].data, p->n,
                                bias });
    else pieces(c, of->n0, of->n1, scratch);
}

/* Units [at, end): whole rows of units in one call, parts of them in one each. */
static void claimed(const fast_work *p, uint64_t at, uint64_t end, size_t *last, uint32_t ith)
{
    while (at < end) {
        const size_t down = (size_t)(at / p->across), first = (size_t)(at % p->across);
        const uint64_t left = end - at, whole = first ? 0 : left / p->across;
        const uint64_t units = whole ? whole * p->across : left < p->across - first ? left : p->across - first;
        const size_t below = down + (whole ? (size_t)whole : 1), behind = whole ? p->across : first + (size_t)units;
        part of = { down * p->rows, below * p->rows, first * p->tokens, behind * p->tokens, false };
        if (of.n1 > p->n) of.n1 = p->n;
        if (behind == p->across) of.t1 = p->m;
        of.again = !whole && *last == down + 1;
        *last = whole ? 0 : down + 1;
        part_of(p, &of, ith);
        at += units;
    }
}


static void fast(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const fast_work p = fast_work_of(c);
    const uint32_t most = pcs_piece_threads(p.n), threads = nth < most ? nth : most;
    if (ith >= threads) return;
    const uint64_t units = (p.n + p.rows - 1) / p.rows * p.across;
    size_t last = 0; /* rows of units that were decoded last, counted from 1 */
    pcs_claim k = pcs_claim_open(c->claims, c->step, units, ith, threads);
    while (pcs_claim_next(&k, units)) claimed(&p, k.begin, k.end, &last, ith);
}

/* The row of weights as numbers; memory: room for one in its own form and one in numbers. */
static const float *weight_row(const pcs_call *c, size_t r, size_t k, float *numbers, uint8_t *bytes)
{
    const pcs_arg *w = &c->in[1];
    if (w->dtype == PCS_F32) return (const float *)w->data + r * k;
    pcs_decode_by(c->kernels, w->format, k, pcs_arg_row(w, r, k, bytes), numbers);
    return numbers;
}

/* Gradients take rows of weights, or of tokens, so many at a time. */
#define BACK 256
#define WIDE (16 * PANELS) /* columns of a gradient at a time */

static size_t scratch_back(const pcs_call *c)
{
    const size_t k = (size_t)c->in[1].shape[1], m = (size_t)pcs_arg_rows(&c->in[0]), n = (size_t)c->in[1].shape[0];
    const size_t depth = m > n ? m : n, stored = c->in[1].format ? (size_t)pcs_row_bytes(c->in[1].format, k) : 0;
    const size_t row = pcs_line_up(4 * k) + pcs_line_up(stored + 64);
    return pcs_line_up(4 * WIDE * depth) + pcs_line_up(4 * WIDE * BACK) + pcs_line_up(4 * BACK * m) + row + 256;
}

/* dx[t][i] = sum_n d[t][n] w[n][i] of tokens and columns, n ascending. */
static void by_input(const pcs_call *c, const float *d, float *dx, pcs_rectangle p, char *mem)
{
    const size_t n = (size_t)c->in[1].shape[0], k = (size_t)c->in[1].shape[1], m = (size_t)pcs_arg_rows(&c->in[0]);
    const size_t depth = m > n ? m : n;
    float *b = (float *)mem, *tile = (float *)(mem + pcs_line_up(4 * WIDE * depth));
    float *numbers = (float *)((char *)tile + pcs_line_up(4 * WIDE * BACK) + pcs_line_up(4 * BACK * m));
    for (size_t i0 = p.c0; i0 < p.c1 && p.r0 < p.r1; i0 += WIDE) {
        const size_t count = p.c1 - i0 < WIDE ? p.c1 - i0 : WIDE;
        if (count < WIDE) memset(b, 0, n * WIDE * sizeof *b);
        for (size_t r = 0; r < n; r++)
            memcpy(b + r * WIDE, weight_row(c, r, k, numbers, (uint8_t *)numbers + pcs_line_up(4 * k)) + i0,
                   count * sizeof *b);
        for (size_t t0 = p.r0; t0 < p.r1; t0 += BACK) {
            const size_t tokens = p.r1 - t0 < BACK ? p.r1 - t0 : BACK;
            const pcs_gemm_args one = { d + t0 * n, n, b, WIDE, n, tokens, tile, WIDE, false };
            c->kernels->gemm_wide(&(pcs_gemm_wide_args){ one, (count + 15) / 16, 16 });
            for (size_t t = 0; t < tokens; t++)
                for (size_t i = 0; i < count; i++) dx[(t0 + t) * k + i0 + i] += tile[t * WIDE + i];
        }
    }
}

/* dw[r][i] = sum_t d[t][r] x[t][i] of rows and columns, t ascending. */
static void by_weights(const pcs_call *c, const float *d, float *dw, pcs_rectangle p, char *mem)
{
    const size_t n = (size_t)c->in[1].shape[0], k = (size_t)c->in[1].shape[1], m = (size_t)pcs_arg_rows(&c->in[0]);
    const size_t depth = m > n ? m : n;
    const float *x = c->in[0].data;
    float *b = (float *)mem, *tile = (float *)(mem + pcs_line_up(4 * WIDE * depth));
    float *turned = (float *)((char *)tile + pcs_line_up(4 * WIDE * BACK));
    for (size_t r0 = p.r0; r0 < p.r1 && p.c0 < p.c1; r0 += BACK) {
        const size_t rows = p.r1 - r0 < BACK ? p.r1 - r0 : BACK;
        pcs_turn(c->kernels, &(pcs_turned){ d + r0, n, m, rows, turned, m });
        for (size_t i0 = p.c0; i0 < p.c1; i0 += WIDE) {
            const size_t count = p.c1 - i0 < WIDE ? p.c1 - i0 : WIDE;
            if (count < WIDE) memset(b, 0, m * WIDE * sizeof *b);
            for (size_t t = 0; t < m; t++) memcpy(b + t * WIDE, x + t * k + i0, count * sizeof *b);
            const pcs_gemm_args one = { turned, m, b, WIDE, m, rows, tile, WIDE, false };
            c->kernels->gemm_wide(&(pcs_gemm_wide_args){ one, (count + 15) / 16, 16 });
            for (size_t r = 0; r < rows; r++)
                for (size_t i = 0; i < count; i++) dw[(r0 + r) * k + i0 + i] += tile[r * WIDE + i];
        }
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[1].shape[0], k = (size_t)c->in[1].shape[1], m = (size_t)pcs_arg_rows(&c->in[0]);
    char *mem = c->scratch + ith * c->scratch_size;
    uint64_t begin, end;
    if (g->in[0]) by_input(c, g->out[0], g->in[0], pcs_share_table(m, k, 16, ith, nth), mem);
    if (g->in[1]) by_weights(c, g->out[0], g->in[1], pcs_share_table(n, k, 16, ith, nth), mem);
    pcs_share(n, 16, ith, nth, &begin, &end);
    for (size_t t = 0; c->n_in > 2 && g->in[2] && t < m; t++)
        for (size_t r = begin; r < end; r++) g->in[2][r] += g->out[0][t * n + r];
}

static uint64_t products(const pcs_call *c)
{
    return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)c->in[1].shape[1];
}

const pcs_op pcs_op_matmul = {
    .name = "matmul", .min_in = 2, .max_in = 3, .weight = 1, .bias = 2, .reads_stored = 1, .spreads_odd = true,
    .infer = pcs_infer_rows, .eval = eval, .fast = fast, .scratch = scratch, .workers = workers,
    .backward = backward, .scratch_back = scratch_back, .products = products,
};
