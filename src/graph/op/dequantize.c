/* dequantize - numbers: of a stored tensor by its format; of whole numbers (code - zero) * scale, with one scale and
 * zero point, or one of each along an axis, as the value says. */
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const bool codes = (x->dtype == PCS_I8 || x->dtype == PCS_U8 || x->dtype == PCS_I32) &&
                       (x->affine.scales || x->affine.scale > 0);
    if (x->dtype != PCS_STORED && !codes) return pcs_op_fail(g, n, "takes stored weights, or codes with a scale");
    if (x->affine.scales && x->affine.axis >= x->dims)
        return pcs_op_fail(g, n, "has scales along an axis that is not there");
    out->dims = x->dims;
    memcpy(out->shape, x->shape, sizeof x->shape);
    return PRECIS_OK;
}

static float code_at(const pcs_arg *x, size_t i)
{
    if (x->dtype == PCS_I8) return (float)((const int8_t *)x->data)[i];
    if (x->dtype == PCS_U8) return (float)((const uint8_t *)x->data)[i];
    return (float)((const int32_t *)x->data)[i];
}

/* n codes from `from` on, all of one scale. */
static void codes(const pcs_arg *x, size_t from, size_t n, size_t channel, float *y)
{
    const pcs_affine *a = &x->affine;
    const float scale = a->scales ? a->scales[channel] : a->scale,
                zero = (float)(a->zeros ? a->zeros[channel] : a->zero);
    for (size_t i = 0; i < n; i++) y[i] = (code_at(x, from + i) - zero) * scale;
}

/* A row is what a format stores in one piece: the last dimension, of a vector, too. */
static void stored(const pcs_arg *x, float *y, uint32_t ith, uint32_t nth)
{
    const size_t n = x->dims ? (size_t)x->shape[x->dims - 1] : 1, rows = n ? (size_t)pcs_arg_count(x) / n : 0;
    const size_t bytes = pcs_row_bytes(x->format, n);
    for (size_t r = ith; r < rows; r += nth) pcs_decode(x->format, n, (const uint8_t *)x->data + r * bytes, y + r * n);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    float *y = c->out[0].data;
    if (x->dtype == PCS_STORED) {
        stored(x, y, ith, nth);
        return;
    }
    const size_t axis = x->affine.scales ? x->affine.axis : 0;
    size_t runs = 1,
           channels = x->dims ? (size_t)x->shape[axis] : 1; /* a run: what one index along the axis has in one piece */
    for (size_t i = 0; i < axis; i++) runs *= (size_t)x->shape[i];
    runs *= channels;
    const size_t n = runs ? (size_t)pcs_arg_count(x) / runs : 0;
    for (size_t r = ith; r < runs; r += nth) codes(x, r * n, n, r % channels, y + r * n);
}

const pcs_op pcs_op_dequantize = {
    .name = "dequantize", .min_in = 1, .max_in = 1, .decodes = true, .infer = infer, .eval = eval,
    .not_differentiable = "it decodes what is stored: parameters are f32",
};
