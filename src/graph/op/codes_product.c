/* codes_product - rows of U8 codes a[..., k] less their zero point times panels of weights (kernel/codes.h), as
 * numbers: (float)sum * scale, plus a bias where there is one. Inputs: a, its zero point (U8, one), scale (F32, one or
 * of each output), weights, their sums, bias (padded to whole panels). Made by the pass fuse_products. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { A, ZERO, SCALE, WEIGHTS, SUMS, BIAS };
enum { CHANNELS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[A]], *s = &g->values[n->in[SCALE]];
    const int64_t outs = n->attr[CHANNELS].integer, k = a->dims ? a->shape[a->dims - 1] : 0;
    if (!pcs_codes_known(a, 0) || a->dims < 1 || outs < 1 || outs > 1 << 24 || k < 1 || k > INT32_MAX / (255 * 128))
        return pcs_op_fail(g, n, "takes rows of U8");
    const uint64_t padded = (uint64_t)pcs_codes_panels((size_t)outs) * PCS_CODES_PANEL;
    if (!pcs_codes_holds(&g->values[n->in[ZERO]], PCS_U8, 1) ||
        (!pcs_codes_holds(s, PCS_F32, 1) && !pcs_codes_holds(s, PCS_F32, (uint64_t)outs)) ||
        !pcs_codes_holds(&g->values[n->in[WEIGHTS]], PCS_I8, pcs_codes_bytes((size_t)outs, (size_t)k)) ||
        !pcs_codes_holds(&g->values[n->in[SUMS]], PCS_I32, padded) ||
        (n->n_in > BIAS && !pcs_codes_holds(&g->values[n->in[BIAS]], PCS_F32, padded)))
        return pcs_op_fail(g, n, "has operands of another layout");
    pcs_codes_like(a, out);
    out->dtype = PCS_F32;
    out->shape[a->dims - 1] = outs;
    return g->error;
}

static size_t padded_columns(const pcs_call *c)
{
    return pcs_codes_panels((size_t)c->attr[CHANNELS].integer) * PCS_CODES_PANEL;
}
static size_t scratch(const pcs_call *c) { return 8 * padded_columns(c) + 128; }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t k = (size_t)pcs_arg_width(&c->in[A]), rows = (size_t)pcs_arg_rows(&c->in[A]),
                 outs = (size_t)c->attr[CHANNELS].integer, lines = pcs_codes_lines(k), tile = pcs_codes_tile(k),
                 all = padded_columns(c);
    const bool by_panels = outs > rows, one = pcs_arg_count(&c->in[SCALE]) == 1;
    int32_t *first = (int32_t *)(void *)(c->scratch + ith * c->scratch_size);
    float *factor = (float *)(void *)(first + all);
    const int32_t *sums = c->in[SUMS].data, zero = *(const uint8_t *)c->in[ZERO].data;
    const float *scale = c->in[SCALE].data, *bias = c->n_in > BIAS ? c->in[BIAS].data : NULL;
    uint64_t begin, end;
    pcs_share(by_panels ? pcs_codes_panels(outs) : rows, by_panels ? 2 : 1, ith, nth, &begin, &end);
    if (begin >= end) return;
    for (size_t i = 0; i < all; i++) {
        first[i] = -zero * sums[i];
        factor[i] = i < outs ? scale[one ? 0 : i] : 0;
    }
    const size_t p0 = by_panels ? begin : 0, m0 = by_panels ? 0 : begin, m1 = by_panels ? rows : end,
                 n0 = p0 * PCS_CODES_PANEL,
                 n1 = by_panels && end * PCS_CODES_PANEL < outs ? end * PCS_CODES_PANEL : outs;
    for (size_t m = m0; m < m1; m += tile)
        c->kernels->codes_gemm_f32(&(pcs_codes_gemm_args){ .a = (const uint8_t *)c->in[A].data + m * k,
                                                           .lda = k,
                                                           .m = m1 - m < tile ? m1 - m : tile,
                                                           .w = (const int8_t *)c->in[WEIGHTS].data + p0 * lines * 64,
                                                           .lines = lines,
                                                           .n = n1 - n0,
                                                           .first = first + n0,
                                                           .sums = sums + n0,
                                                           .factor = factor + n0,
                                                           .yf = (float *)c->out[0].data + m * outs + n0,
                                                           .ldy = outs,
                                                           .bias = bias ? bias + n0 : NULL });
}

static uint64_t products(const pcs_call *c)
{
    return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)pcs_arg_width(&c->in[A]);
}

const pcs_op pcs_op_codes_product = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_product",
    .min_in = 5,
    .max_in = 6,
    .attrs = PCS_ATTR_TABLE(PCS_INT("channels", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .products = products,
};
