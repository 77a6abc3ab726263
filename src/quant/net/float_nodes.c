/* float_nodes.c - nodes that stay in float because somebody wants it: found by their names, or by what the file calls
 * their results. */
#include "quant/net/net.h"

#include "plan/plan.h"
#include "run/net.h"

precis_status pcs_net_keep_called(precis_net_quant *q)
{
    const pcs_netfile_graph *f;
    const precis_status st = pcs_net_named_graph(q->net, &f);
    if (st) return st;
    q->called = pcs_arena_alloc(&q->arena, f->n_names + 1, sizeof *q->called);
    if (!q->called) return PRECIS_ENOMEM;
    for (size_t i = 0; i < f->n_names; i++) {
        const int32_t node = f->graph->values[f->names[i].value].node;
        if (node < 0) continue;
        const char *of = f->graph->nodes[node].name;
        const char *value = pcs_arena_copy(&q->arena, f->names[i].name, strlen(f->names[i].name));
        const char *name = pcs_arena_copy(&q->arena, of, strlen(of));
        if (!value || !name) return PRECIS_ENOMEM;
        q->called[q->n_called].value = value;
        q->called[q->n_called++].node = name;
    }
    return PRECIS_OK;
}

static bool fits(const precis_net_quant *q, const pcs_node *n, const char *pattern)
{
    const size_t length = strlen(pattern);
    if (pcs_match(pattern, length, n->name)) return true;
    for (size_t i = 0; i < q->n_called; i++)
        if (!strcmp(q->called[i].node, n->name) && pcs_match(pattern, length, q->called[i].value)) return true;
    return false;
}

const char *pcs_net_kept_float(const precis_net_quant *q, size_t i)
{
    for (size_t k = 0; k < q->o.n_floats; k++)
        if (fits(q, &q->g->nodes[i], q->o.floats[k]))
            return k < q->o.n_reasons && q->o.reasons[k] ? q->o.reasons[k] : "is to stay in float";
    return NULL;
}

precis_status pcs_net_floats_known(const precis_net_quant *q)
{
    for (size_t k = 0; k < q->o.n_floats; k++) {
        size_t i = 0;
        while (i < q->n_nodes && !fits(q, &q->g->nodes[i], q->o.floats[k])) i++;
        if (i == q->n_nodes)
            return pcs_fail(q->ctx, PRECIS_EINVAL, "no node is called %s, none gives a value of that name, and so none "
                            "stays in float", q->o.floats[k]);
    }
    return PRECIS_OK;
}

const char *pcs_net_maker(const precis_net_quant *q, const char *value)
{
    const char *node = value;
    for (size_t i = 0; i < q->n_called; i++)
        if (!strcmp(q->called[i].value, value)) node = q->called[i].node;
    for (size_t i = 0; i < q->n_nodes; i++) {
        if (strcmp(q->names[i], node)) continue;
        const pcs_net_node *m = &q->nodes[i];
        const size_t root = m->state == PCS_NODE_FUSED && m->fused_into >= 0 ? (size_t)m->fused_into : i;
        return q->nodes[root].state == PCS_NODE_WHOLE ? q->names[root] : NULL;
    }
    return NULL;
}
