/* dynamic_codes - x as U8 codes with the scale and zero point that its own range gives: codes, scale (F32), zero point
 * (U8): ONNX's DynamicQuantizeLinear, each step rounded to f32. The range includes 0. */
#include "base/fmath_more.h"
#include "base/pool.h"
#include "graph/element.h"

static uint32_t results(const pcs_node *n) { return (void)n, 3; }

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (g->values[n->in[0]].dtype != PCS_F32)
        return pcs_op_fail(g, n, "takes F32, not %s", pcs_dtype_name(g->values[n->in[0]].dtype));
    pcs_infer_spread(g, n, 0, 1, out);
    out->dtype = PCS_U8;
    out[1].dtype = PCS_F32;
    out[2].dtype = PCS_U8;
    out[1].dims = out[2].dims = 0;
    return g->error;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const float *x = c->in[0].data;
    const size_t n = (size_t)pcs_arg_count(&c->in[0]);
    float lo, hi;
    uint64_t begin, end;
    c->kernels->extremes(&(pcs_extremes_args){ x, n, &lo, &hi }); /* each thread looks at all: less than to wait */
    const float width = hi - lo, scale = (width == 0 ? 1.0f : width) / 255.0f;
    const float at = 0.0f - lo / scale;
    const uint8_t zero = pcs_codes_round(at, (pcs_codes_to){ 0, 0, 255 });
    if (!(scale > 0 && scale < PCS_INFINITY)) pcs_outside(c);
    if (ith == 0) {
        *(float *)c->out[1].data = scale;
        *(uint8_t *)c->out[2].data = zero;
    }
    pcs_share(n, 64, ith, nth, &begin, &end);
    c->kernels->codes_encode(
        &(pcs_codes_encode_args){ x + begin, end - begin, scale, { zero, 0, 255 }, (uint8_t *)c->out[0].data + begin });
}

const pcs_op pcs_op_dynamic_codes = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "dynamic_codes",
    .min_in = 1,
    .max_in = 1,
    .results = results,
    .infer = infer,
    .eval = eval,
};
