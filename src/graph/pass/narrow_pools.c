/* narrow_pools - a pool of largest elements whose places nobody reads gives none. */
#include "graph/pass.h"

extern const pcs_op pcs_op_pool;

static precis_status narrow(precis_graph *g, pcs_node *n, size_t kind)
{
    const uint32_t count = pcs_op_attrs(n->op);
    precis_attr *attr = pcs_arena_alloc(&g->arena, count + 1, sizeof *attr);
    if (!attr) return PRECIS_ENOMEM;
    memcpy(attr, n->attr, count * sizeof *attr);
    attr[kind].text = "largest";
    n->attr = attr;
    n->n_out = 1;
    return PRECIS_OK;
}

static size_t kind_of(const pcs_op *op)
{
    size_t i = 0;
    while (strcmp(op->attrs[i].name, "kind")) i++;
    return i;
}

static precis_status run(precis_graph *g)
{
    precis_status st = PRECIS_OK;
    const size_t kind = kind_of(&pcs_op_pool);
    for (size_t i = 0; i < g->n_nodes && !st; i++) {
        pcs_node *n = &g->nodes[i];
        if (n->op == &pcs_op_pool && n->n_out == 2 && !pcs_value_uses(g, n->out[1])) st = narrow(g, n, kind);
    }
    pcs_graph_renumber(g);
    return st;
}

const pcs_pass pcs_pass_narrow_pools = { "narrow_pools", run };
