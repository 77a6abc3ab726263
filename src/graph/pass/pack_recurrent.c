/* pack_recurrent - a recurrent node becomes one that reads packed weights, and a node that packs them, which is
 * computed once where they are constants. The bits are the same. */
#include "graph/pass.h"

extern const pcs_op pcs_op_recurrent, pcs_op_dynamic_recurrent, pcs_op_recurrent_pack, pcs_op_packed_recurrent;

enum { X, W, R, B, LENGTHS, H, C, P };

/* Sizes that the layout needs are there. */
static bool sized(const precis_graph *g, const pcs_node *n)
{
    for (uint32_t i = W; i <= B; i++)
        for (uint32_t k = 0; k < g->values[n->in[i]].dims; k++)
            if (pcs_dim_is_id(g->values[n->in[i]].shape[k])) return false;
    const pcs_value *x = &g->values[n->in[X]], *h = &g->values[n->in[H]];
    return !pcs_dim_is_id(x->shape[2]) && !pcs_dim_is_id(h->shape[0]) && !pcs_dim_is_id(h->shape[2]);
}

static bool is_recurrent(const pcs_node *n)
{
    return n->op == &pcs_op_recurrent || n->op == &pcs_op_dynamic_recurrent;
}

static precis_status replace_recurrent(precis_graph *g, const pcs_node *old)
{
    const bool dynamic = old->op == &pcs_op_dynamic_recurrent;
    const uint32_t scales = old->n_in - (dynamic ? 4 : 0), count = pcs_op_attrs(old->op);
    precis_value in[7] = { old->in[W], old->in[R], old->in[B] };
    for (uint32_t i = 0; i < 4 && dynamic; i++) in[3 + i] = old->in[scales + i];
    const precis_attr kind[] = { old->attr[0], { 0 } };
    const precis_value packed = precis_graph_node(g, old->name, pcs_op_recurrent_pack.name, kind, dynamic ? 7 : 3, in);
    precis_attr *attr = pcs_arena_alloc(&g->arena, count + 2, sizeof *attr);
    precis_value *reads = pcs_arena_alloc(&g->arena, 6, sizeof *reads);
    if (packed < 0 || !attr || !reads) return g->error ? g->error : PRECIS_ENOMEM;
    memcpy(attr, old->attr, count * sizeof *attr);
    attr[count] = pcs_op_packed_recurrent.attrs[count];
    attr[count].integer = dynamic;
    const precis_value from[] = { old->in[X], packed, old->in[LENGTHS], old->in[H], scales > C ? old->in[C] : -1,
                                  scales > C ? old->in[P] : -1 };
    memcpy(reads, from, sizeof from);
    pcs_node n = *old;
    n.op = &pcs_op_packed_recurrent;
    n.attr = attr;
    n.in = reads;
    n.n_in = scales > C ? 6 : 4;
    return pcs_graph_push(g, &n);
}

static precis_status run(precis_graph *g)
{
    const size_t n = g->n_nodes;
    precis_status st = PRECIS_OK;
    bool any = false;
    for (size_t i = 0; i < n; i++) any = any || is_recurrent(&g->nodes[i]);
    pcs_node *old = any ? pcs_alloc(g->ctx, n, sizeof *old) : NULL;
    if (!old) return any ? PRECIS_ENOMEM : PRECIS_OK;
    memcpy(old, g->nodes, n * sizeof *old);
    g->n_nodes = 0;
    for (size_t i = 0; i < n && !st; i++)
        st = is_recurrent(&old[i]) && sized(g, &old[i]) ? replace_recurrent(g, &old[i]) : pcs_graph_push(g, &old[i]);
    pcs_free(g->ctx, old);
    pcs_graph_renumber(g);
    return st;
}

const pcs_pass pcs_pass_pack_recurrent = { "pack_recurrent", run };
