/* mean - of all numbers, or of those whose id (input 1, i32, one for each number) is not `ignore`; 0 when none counts.
 */
#include "graph/graph.h"

enum { IGNORE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = n->n_in > 1 ? &g->values[n->in[1]] : NULL;
    if (x->dtype != PCS_F32) return pcs_op_fail(g, n, "input 0 is not f32");
    if (ids &&
        (ids->dtype != PCS_I32 || ids->dims != x->dims || memcmp(ids->shape, x->shape, x->dims * sizeof x->shape[0])))
        return pcs_op_fail(g, n, "takes an id for each number");
    out->dims = 1;
    out->shape[0] = 1;
    return PRECIS_OK;
}

static bool counts(const pcs_call *c, size_t i)
{
    return c->n_in < 2 || ((const int32_t *)c->in[1].data)[i] != c->attr[IGNORE].integer;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    (void)nth;
    const float *x = c->in[0].data;
    const size_t n = (size_t)pcs_arg_count(&c->in[0]);
    double sum = 0;
    size_t counted = 0;
    for (size_t i = 0; ith == 0 && i < n; i++)
        if (counts(c, i)) sum += x[i], counted++;
    if (ith == 0) *(float *)c->out[0].data = counted ? (float)(sum / (double)counted) : 0.0f;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_count(&c->in[0]);
    size_t counted = 0;
    for (size_t i = 0; i < n; i++) counted += counts(c, i);
    uint64_t begin, end;
    pcs_share(n, 64, ith, nth, &begin, &end);
    for (size_t i = begin; g->in[0] && i < end; i++)
        if (counts(c, i)) g->in[0][i] += g->out[0][0] / (float)counted;
}

const pcs_op pcs_op_mean = {
    .name = "mean",
    .min_in = 1,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_INT("ignore", -100)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
};
