/* raise_activations - x * sigmoid(x), as exporters write it, becomes swish; x * hard_sigmoid(x) of a sixth and a half
 * hard_swish: one op, whose result alone is rounded when nets get codes. */
#include "graph/pass.h"

extern const pcs_op pcs_op_mul, pcs_op_sigmoid, pcs_op_hard_sigmoid, pcs_op_swish, pcs_op_hard_swish;

static const pcs_node *maker(const precis_graph *g, precis_value v)
{
    return g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
}

/* What the product of x and this node's result is; NULL: nothing with a name. */
static const pcs_op *product(const pcs_node *gate)
{
    if (gate->op == &pcs_op_sigmoid) return &pcs_op_swish;
    if (gate->op != &pcs_op_hard_sigmoid) return NULL;
    const double a = gate->attr[0].real * 6 - 1, b = gate->attr[1].real - 0.5;
    return a * a < 1e-12 && b * b < 1e-12 ? &pcs_op_hard_swish : NULL;
}

static precis_status raise(precis_graph *g, pcs_node *n)
{
    for (uint32_t k = 0; k < 2; k++) {
        const pcs_node *gate = maker(g, n->in[k]);
        const precis_value x = n->in[1 - k];
        const pcs_op *op = gate && gate->in[0] == x && g->values[x].dtype == PCS_F32 ? product(gate) : NULL;
        if (op) return pcs_node_become(g, n, op, 1, &x);
    }
    return PRECIS_OK;
}

static precis_status run(precis_graph *g)
{
    precis_status st = PRECIS_OK;
    pcs_graph_renumber(g);
    for (size_t i = 0; i < g->n_nodes && !st; i++)
        if (g->nodes[i].op == &pcs_op_mul) st = raise(g, &g->nodes[i]);
    return st;
}

const pcs_pass pcs_pass_raise_activations = { "raise_activations", run };
