/* found - ops whose results are as large as their inputs' contents say: these must be constants when a graph is made,
 * so a net that has such an op is made for each input of its run. where_not_zero: I64[dims, found]. */
#include "graph/element.h"

static int64_t not_zero(const void *data, pcs_dtype d, int64_t count)
{
    const pcs_arg a = { .dtype = d, .data = (void *)(uintptr_t)data };
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) n += pcs_real_at(&a, (size_t)i) != 0;
    return n;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    int64_t count = 1;
    const void *data = pcs_value_host(x);
    if (!data || !pcs_dtype_bytes(x->dtype))
        return pcs_op_fail(g, n, "depends on contents that are not known before it runs");
    for (uint32_t i = 0; i < x->dims; i++) count *= x->shape[i];
    out->dtype = PCS_I64;
    out->dims = 2;
    out->shape[0] = x->dims;
    out->shape[1] = not_zero(data, x->dtype, count);
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    const int64_t found = c->out[0].shape[1];
    int64_t at = 0;
    (void)nth;
    for (int64_t i = 0; i < pcs_arg_count(x) && ith == 0; i++) {
        if (pcs_real_at(x, (size_t)i) == 0) continue;
        int64_t rest = i;
        for (uint32_t k = x->dims; k-- > 0; rest /= x->shape[k])
            ((int64_t *)c->out[0].data)[k * found + at] = rest % x->shape[k];
        at++;
    }
}

const pcs_op pcs_op_where_not_zero = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "where_not_zero", .min_in = 1, .max_in = 1, .infer = infer, .eval = eval
};
