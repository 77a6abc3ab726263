/* dequantize - numbers of codes: a stored tensor by its format (times input 1, a scale per outermost index, for
 * plain integers), or (x - zero) * scale of codes in f32. */
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (x->dtype != PCS_STORED && x->dtype != PCS_F32) return pcs_op_fail(g, n, "takes stored weights or codes");
    if (n->n_in > 1 && (g->values[n->in[1]].dims != 1 || g->values[n->in[1]].shape[0] != x->shape[0])) return pcs_op_fail(g, n, "scales are not one per row");
    out->dims = x->dims;
    memcpy(out->shape, x->shape, sizeof x->shape);
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    const size_t rows = (size_t)(x->dims ? x->shape[0] : 1), n = rows ? (size_t)pcs_arg_count(x) / rows : 0;
    const float *scales = c->n_in > 1 ? c->in[1].data : NULL;
    for (size_t r = ith; r < rows; r += nth) {
        float *y = (float *)c->out.data + r * n;
        if (x->dtype == PCS_STORED) pcs_decode(x->format, n, (const uint8_t *)x->data + r * pcs_row_bytes(x->format, n), y);
        else
            for (size_t i = 0; i < n; i++) y[i] = (((const float *)x->data)[r * n + i] - (float)c->attr[1]) * (float)c->attr[0];
        for (size_t i = 0; scales && i < n; i++) y[i] *= scales[r];
    }
}

const pcs_op pcs_op_dequantize = { .name = "dequantize", .min_in = 1, .max_in = 2, .attrs = { "scale", "zero" }, .defaults = { 1, 0 }, .infer = infer,
                                   .eval = eval };
