/* constants.c - constants that quantizing adds to a graph. */
#include "quant/net/net.h"

precis_value pcs_net_constant(precis_net_quant *q, const char *name, pcs_dtype d, uint32_t dims, const int64_t *shape,
                              const void *data)
{
    pcs_value v = { .name = name, .dtype = d, .role = PCS_CONSTANT, .node = -1, .dims = dims };
    size_t bytes = pcs_dtype_bytes(d);
    for (uint32_t i = 0; i < dims; i++) {
        v.shape[i] = shape[i];
        bytes *= (size_t)shape[i];
    }
    void *copy = pcs_arena_alloc(&q->g->arena, bytes + 64, 1);
    if (!copy) return pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    if (bytes && !data)
        return pcs_graph_fail(q->g, PRECIS_EINVAL, "constant %s has fewer elements than its shape", name);
    if (bytes) memcpy(copy, data, bytes);
    v.store = pcs_store_rows(copy, bytes, PCS_KEPT_BY_GRAPH);
    return pcs_graph_add_value(q->g, &v);
}
