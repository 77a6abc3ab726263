/* codes_linear - rows of codes x[..., k] times panels of weights (kernel/codes.h): codes [..., n], or `numbers` in F32.
 * Sums begin with `first` and have a factor of each output; to numbers a bias is added, where there is one. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { CHANNELS, NUMBERS, RANGE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t outs = n->attr[CHANNELS].integer, k = x->dims ? x->shape[x->dims - 1] : 0;
    if (!pcs_codes_known(x, 0) || x->dims < 1 || outs < 1 || outs > 1 << 24 || k < 1 || k > INT32_MAX / (255 * 128) ||
        !pcs_codes_range_ok(n->attr + RANGE))
        return pcs_op_fail(g, n, "takes rows of U8");
    const uint64_t padded = (uint64_t)pcs_codes_panels((size_t)outs) * PCS_CODES_PANEL;
    if (!pcs_codes_holds(&g->values[n->in[1]], PCS_I8, pcs_codes_bytes((size_t)outs, (size_t)k)) ||
        !pcs_codes_holds(&g->values[n->in[2]], PCS_I32, padded) ||
        !pcs_codes_holds(&g->values[n->in[3]], PCS_I32, padded) ||
        !pcs_codes_holds(&g->values[n->in[4]], PCS_F32, padded) ||
        (n->n_in > 5 && (!n->attr[NUMBERS].integer || !pcs_codes_holds(&g->values[n->in[5]], PCS_F32, padded))))
        return pcs_op_fail(g, n, "has weights of another layout");
    pcs_codes_like(&g->values[n->in[0]], out);
    out->dtype = n->attr[NUMBERS].integer ? PCS_F32 : PCS_U8;
    out->shape[x->dims - 1] = outs;
    return g->error;
}

/* Threads share rows out, or outputs where those are more. Rows can be read a little after their end: values have
 * room. */
static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t k = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]),
                 outs = (size_t)c->attr[CHANNELS].integer, lines = pcs_codes_lines(k), panels = pcs_codes_panels(outs);
    const bool by_panels = outs > rows;
    uint64_t begin, end;
    pcs_share(by_panels ? panels : rows, by_panels ? 2 : 1, ith, nth, &begin, &end);
    if (begin >= end) return;
    const size_t p0 = by_panels ? begin : 0, m0 = by_panels ? 0 : begin, m1 = by_panels ? rows : end,
                 n0 = p0 * PCS_CODES_PANEL,
                 n1 = by_panels && end * PCS_CODES_PANEL < outs ? end * PCS_CODES_PANEL : outs,
                 tile = pcs_codes_tile(k);
    const bool numbers = c->attr[NUMBERS].integer != 0;
    for (size_t m = m0; m < m1; m += tile) {
        const size_t at = m * outs + n0;
        const pcs_codes_gemm_args a = { .a = (const uint8_t *)c->in[0].data + m * k,
                                        .lda = k,
                                        .m = m1 - m < tile ? m1 - m : tile,
                                        .w = (const int8_t *)c->in[1].data + p0 * lines * 64,
                                        .lines = lines,
                                        .n = n1 - n0,
                                        .first = (const int32_t *)c->in[2].data + n0,
                                        .sums = (const int32_t *)c->in[3].data + n0,
                                        .factor = (const float *)c->in[4].data + n0,
                                        .to = pcs_codes_range(c->attr + RANGE),
                                        .y = numbers ? NULL : (uint8_t *)c->out[0].data + at,
                                        .yf = numbers ? (float *)c->out[0].data + at : NULL,
                                        .ldy = outs,
                                        .bias = c->n_in > 5 ? (const float *)c->in[5].data + n0 : NULL };
        if (numbers) c->kernels->codes_gemm_f32(&a);
        else c->kernels->codes_gemm(&a);
    }
}

static uint64_t products(const pcs_call *c)
{
    return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)pcs_arg_width(&c->in[0]);
}

const pcs_op pcs_op_codes_linear = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_linear",
    .min_in = 5,
    .max_in = 6,
    .attrs = PCS_ATTR_TABLE(PCS_INT("channels", 0), PCS_INT("numbers", 0), PCS_CODES_RANGE),
    .infer = infer,
    .eval = eval,
    .products = products,
};
