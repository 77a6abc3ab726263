/* drop_unused - nodes whose result nobody reads. */
#include "graph/pass.h"

/* Does somebody read a result of the node? */
static bool reads(const pcs_node *n, const bool *used)
{
    for (uint32_t i = 0; i < n->n_out; i++)
        if (used[n->out[i]]) return true;
    return false;
}

static precis_status run(precis_graph *g)
{
    bool *used = pcs_alloc(g->ctx, g->n_values, sizeof *used);
    if (!used) return PRECIS_ENOMEM;
    for (size_t i = 0; i < g->n_values; i++) used[i] = g->values[i].output || g->values[i].dtype == PCS_STATE;
    size_t n = 0;
    for (size_t i = g->n_nodes; i-- > 0;)
        if (reads(&g->nodes[i], used))
            for (uint32_t k = 0; k < g->nodes[i].n_in; k++) used[g->nodes[i].in[k]] = true;
    for (size_t i = 0; i < g->n_nodes; i++)
        if (reads(&g->nodes[i], used)) g->nodes[n++] = g->nodes[i];
    g->n_nodes = n;
    pcs_free(g->ctx, used);
    pcs_graph_renumber(g);
    return PRECIS_OK;
}

const pcs_pass pcs_pass_drop_unused = { "drop_unused", run };
