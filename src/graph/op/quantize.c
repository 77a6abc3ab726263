/* quantize - affine codes of a tensor in whole numbers: clamp(nearest-even(x / scale) + zero), as ONNX's
 * QuantizeLinear. The result is i8, or u8 with unsigned=1, and carries its scale and zero point. */
#include "base/f16.h"
#include "base/pool.h"
#include "graph/graph.h"

enum { SCALE, ZERO, UNSIGNED };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const double scale = n->attr[SCALE].real;
    const int64_t zero = n->attr[ZERO].integer, lo = n->attr[UNSIGNED].integer ? 0 : -128;
    if (!((float)scale > 0)) return pcs_op_fail(g, n, "scale is %g", scale);
    if (zero < lo || zero > lo + 255) return pcs_op_fail(g, n, "zero is %lld, which is no code", (long long)zero);
    out->affine = (pcs_affine){ .scale = (float)scale, .zero = (int32_t)zero };
    const precis_status st = pcs_infer_like(g, n, 0, out);
    out->dtype = n->attr[UNSIGNED].integer ? PCS_U8 : PCS_I8;
    return st;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    const bool is_unsigned = c->out[0].dtype == PCS_U8;
    const float *x = c->in[0].data, scale = c->out[0].affine.scale, zero = (float)c->out[0].affine.zero;
    const float lo = is_unsigned ? 0.0f : -128.0f, hi = is_unsigned ? 255.0f : 127.0f;
    uint8_t *y = c->out[0].data;
    for (uint64_t i = begin; i < end; i++) {
        float v = x[i] / scale;
        v = v < -1e6f ? -1e6f : v > 1e6f ? 1e6f : v; /* pcs_round's range */
        v = (float)pcs_round(v) + zero;
        v = v < lo ? lo : v > hi ? hi : v;
        y[i] = (uint8_t)(int)v; /* i8 has the same bits */
    }
}

const pcs_op pcs_op_quantize = {
    .name = "quantize", .min_in = 1, .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("scale", 1), PCS_INT("zero", 0), PCS_INT("unsigned", 0)),
    .infer = infer, .eval = eval,
    .not_differentiable = "its result is codes: fake_quant has gradients",
};
