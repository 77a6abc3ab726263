/* quantize - affine codes of a tensor as whole numbers in f32: clamp(nearest-even(x / scale) + zero, lo, hi), as
 * ONNX's QuantizeLinear. The reference lowering keeps codes in f32, where they are exact. */
#include "base/pool.h"
#include "base/f16.h"
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (!(n->attr[0] > 0)) return pcs_op_fail(g, n, "scale is %g", n->attr[0]);
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out), 64, ith, nth, &begin, &end);
    const float *x = c->in[0].data, scale = (float)c->attr[0], zero = (float)c->attr[1], lo = (float)c->attr[2], hi = (float)c->attr[3];
    float *y = c->out.data;
    for (uint64_t i = begin; i < end; i++) {
        float v = x[i] / scale;
        v = v < -1e6f ? -1e6f : v > 1e6f ? 1e6f : v; /* pcs_round's range */
        v = (float)pcs_round(v) + zero;
        y[i] = v < lo ? lo : v > hi ? hi : v;
    }
}

const pcs_op pcs_op_quantize = { .name = "quantize", .min_in = 1, .max_in = 1, .attrs = { "scale", "zero", "lo", "hi" }, .defaults = { 1, 0, -128, 127 },
                                 .infer = infer, .eval = eval };
