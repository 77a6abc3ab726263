/* gelu - x times the normal distribution function (Hendrycks and Gimpel 2016): exact by erf, or its tanh form. */
#include "base/fmath.h"
#include "graph/op/gelu.h"
#include "graph/graph.h"

enum { TANH };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out) { return pcs_infer_like(g, n, 0, out); }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    if (c->attr[TANH].integer != 0)
        for (uint64_t i = begin; i < end; i++)
            y[i] = 0.5f * x[i] * (1.0f + pcs_tanhf(0.79788456f * x[i] * (1.0f + 0.044715f * x[i] * x[i])));
    else
        for (uint64_t i = begin; i < end; i++)
            y[i] = (float)(0.5 * (double)x[i] * (1.0 + pcs_erf((double)x[i] * 0.70710678118654752440)));
}

/* Of the exact form: the distribution function, and x times its density. */
static float exact_slope(float x)
{
    const double density = 0.39894228040143267794 * pcs_exp(-0.5 * (double)x * x);
    return (float)(0.5 * (1.0 + pcs_erf((double)x * 0.70710678118654752440)) + (double)x * density);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *x = c->in[0].data;
    for (uint64_t i = begin; g->in[0] && i < end; i++) {
        float y, slope;
        if (c->attr[TANH].integer != 0) pcs_gelu_tanh(x[i], &y, &slope);
        else slope = exact_slope(x[i]);
        g->in[0][i] += g->out[0][i] * slope;
    }
}

const pcs_op pcs_op_gelu = {
    .name = "gelu", .by_rows = true, .min_in = 1, .max_in = 1, .attrs = PCS_ATTR_TABLE(PCS_INT("tanh", 0)),
    .infer = infer, .eval = eval, .backward = backward,
};
