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

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[1].shape[0], wide = PCS_PANEL * PANELS;
    uint64_t begin, end;
    if (!pcs_piece_share(n, ith, nth, &begin, &end)) return;
    for (size_t n0 = begin; n0 < end; n0 += wide)
        outputs(c, n0, end - n0 < wide ? end - n0 : wide, (float *)(void *)(c->scratch + ith * c->scratch_size));
}

static void fast(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1];
    const size_t n = (size_t)w->shape[0], k = (size_t)w->shape[1], m = (size_t)pcs_arg_rows(x);
    const bool few = w->dtype == PCS_STORED && m <= PCS_FEW;
    pcs_mv_fn *mv = few ? pcs_few(c->kernels, w->format, k) : NULL;
    pcs_mvf_fn *mvf = few ? pcs_few_floats(c->kernels, w->format, k) : NULL;
    const float *bias = c->n_in > 2 ? c->in[2].data : NULL;
    uint64_t begin, end;
    if (!pcs_piece_share(n, ith, nth, &begin, &end)) return;
    if (x->dtype == PCS_ACT_BF16)
        c->kernels->mp_bf16(&(pcs_mp_bf16_args){ w->format, w->panels ? w->panels : w->data,
                                                 pcs_row_bytes(w->format, k), k, begin, end, m, x->data, c->out[0].data,
                                                 n, bias, c->scratch + ith * c->scratch_size, w->panels != NULL, 0 });
    else if (x->dtype == PCS_ACT_INT8)
        c->kernels->mp_int8(&(pcs_mp_int8_args){ w->format, w->panels ? w->panels : w->data,
                                                 pcs_row_bytes(w->format, k), k, begin, end, m,
                                                 pcs_act_int8_in(x->data, m, k), c->out[0].data, n, bias,
                                                 c->scratch + ith * c->scratch_size, w->panels != NULL });
    else if (x->dtype == PCS_ACT)
        (mv ? mv
            : c->kernels->mp)(&(pcs_mp_args){ w->format, w->panels ? w->panels : w->data, pcs_row_bytes(w->format, k),
                                              k, begin, end, m, *(const pcs_act *)x->data, c->out[0].data, n, bias,
                                              c->scratch + ith * c->scratch_size, w->panels != NULL });
    else if (mvf && w->panels)
        mvf(&(pcs_mvf_args){ w->format, w->panels, k, begin, end, m, x->data, c->out[0].data, n, bias });
    else eval(c, ith, nth);
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
