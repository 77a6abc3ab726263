/* div - x by input 1, elementwise; axis >= 0: input 1 has one number for each index along that axis of x. */
#include "graph/op/pair.h"

enum { AXIS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    return pcs_infer_along(g, n, n->attr[AXIS].integer, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const float *x = c->in[0].data, *s = c->in[1].data;
    const pcs_along a =
        c->attr[AXIS].integer < 0 ? (pcs_along){ 0 } : pcs_along_of(&c->in[0], (size_t)c->attr[AXIS].integer);
    float *y = c->out[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) y[i] = x[i] / s[a.channels ? i / a.inner % a.channels : i];
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const float *x = c->in[0].data, *s = c->in[1].data, *d = g->out[0];
    const pcs_along a =
        c->attr[AXIS].integer < 0 ? (pcs_along){ 0 } : pcs_along_of(&c->in[0], (size_t)c->attr[AXIS].integer);
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; g->in[0] && i < end; i++)
        g->in[0][i] += d[i] / s[a.channels ? i / a.inner % a.channels : i];
    for (uint64_t i = begin; g->in[1] && !a.channels && i < end; i++) g->in[1][i] -= d[i] * x[i] / (s[i] * s[i]);
    for (size_t ch = ith; g->in[1] && ch < a.channels; ch += nth) {
        double sum = 0;
        for (size_t o = 0; o < a.outer; o++)
            for (size_t i = 0, at = (o * a.channels + ch) * a.inner; i < a.inner; i++)
                sum += (double)d[at + i] * x[at + i];
        g->in[1][ch] -= (float)(sum / ((double)s[ch] * s[ch]));
    }
}

const pcs_op pcs_op_div = {
    .name = "div", .min_in = 2, .max_in = 2, .attrs = PCS_ATTR_TABLE(PCS_INT("axis", -1)), .infer = infer, .eval = eval,
    .backward = backward,
};
