/* counting.c - ranges of numbers, also up to a size that is not known yet. */
#include "read/onnx/functions.h"

/* A dimension that has no size yet is counted by adding up ones. */
precis_value pcs_counted_up(pcs_onnx_node *n, int64_t count)
{
    const precis_value ones = pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", 1, &count)),
                                        pcs_whole(n, 1, (const int64_t[]){ 1 }));
    return pcs_make1(n, "cumulate", PRECIS_ATTRS(precis_attr_int("axis", 0), precis_attr_int("exclusive", 1)), ones);
}

/* 0, 1, ... below a dimension that has no size yet; false: the node is another one. */
static bool range_of_dim(pcs_onnx_node *n)
{
    const precis_value end = pcs_in(n, 1);
    int64_t count = 0, c = 0;
    if (end < 0 || pcs_of(n, end)->dtype != PCS_I64) return false;
    const int64_t *to = pcs_contents(n, end, &count);
    if (!to || count != 1 || !pcs_dim_is_id(*to)) return false;
    const int64_t *from = pcs_contents(n, pcs_in(n, 0), &c), *by = from ? pcs_contents(n, pcs_in(n, 2), &c) : NULL;
    if (!from || !by) return true;
    if (*from || *by != 1) pcs_refuse(n, "counts to a size that is not known yet, and not from 0 by 1");
    else n->out[0] = pcs_counted_up(n, *to);
    return true;
}

/* start + i * step for i from 0 on, in the type of the start. */
void pcs_raise_range(pcs_onnx_node *n)
{
    if (range_of_dim(n) || pcs_failed(n)) return;
    const pcs_value *first = pcs_constant(n, pcs_in(n, 0)), *last = pcs_constant(n, pcs_in(n, 1)),
                    *delta = pcs_constant(n, pcs_in(n, 2));
    pcs_has_attr(n, "stash_type");
    if (!first || !last || !delta) return;
    const pcs_dtype d = first->dtype;
    if (last->dtype != d || delta->dtype != d) {
        pcs_wrong(n, "counts in one type, not %s, %s and %s", pcs_dtype_name(d), pcs_dtype_name(last->dtype),
                  pcs_dtype_name(delta->dtype));
        return;
    }
    const double start = pcs_constant_real(n, n->in[0], 0), end = pcs_constant_real(n, n->in[1], 0),
                 step = pcs_constant_real(n, n->in[2], 0);
    const double span = step != 0 ? (end - start) / step : -1;
    if (!(step != 0) || !(span < 0x1p31)) {
        pcs_wrong(n, "from %g to %g by %g is no range", start, end, step);
        return;
    }
    const int64_t count = span > 0 ? (int64_t)span + ((double)(int64_t)span < span) : 0;
    void *data = pcs_room(n, (size_t)count * pcs_dtype_bytes(d) + 64, 1);
    if (!data) return;
    const pcs_arg a = { .dtype = d, .data = data };
    for (int64_t i = 0; i < count; i++) pcs_set_real(&a, (size_t)i, start + (double)i * step);
    n->out[0] = pcs_data(n, d, 1, &count, data);
}
