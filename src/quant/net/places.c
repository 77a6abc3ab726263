/* places.c - the rows of places.def, and what decides by node. */
#include "quant/net/net.h"

#define PLACE(op, kind, of, low, high) extern const pcs_op pcs_op_##op;
#include "quant/net/places.def"
#undef PLACE

static bool is_float_constant(const precis_graph *g, precis_value v)
{
    return pcs_value_is_known(&g->values[v]) && g->values[v].dtype == PCS_F32;
}

bool pcs_net_weight_of(const precis_graph *g, const pcs_node *n, pcs_net_weight *out)
{
    const uint32_t i = n->op->weight ? n->op->weight : 1;
    if (i >= n->n_in || !is_float_constant(g, n->in[i])) return false;
    const pcs_value *w = &g->values[n->in[i]];
    *out = (pcs_net_weight){ .input = i,
                             .axis = n->op->weight ? n->op->channel_axis : w->dims - 1,
                             .matrix = w->dims == 2 };
    if (w->dims < 2) return false;
    out->channels = w->shape[out->axis];
    return true;
}

bool pcs_net_is_recurrent(const precis_graph *g, const pcs_node *n)
{
    return n->op == &pcs_op_recurrent && is_float_constant(g, n->in[1]) && is_float_constant(g, n->in[2]);
}

static pcs_code_place_kind by_recurrence(const precis_graph *g, const pcs_node *n)
{
    return pcs_net_is_recurrent(g, n) ? PCS_CODES_STORED : PCS_CODES_FLOAT;
}

static pcs_code_place_kind by_weight(const precis_graph *g, const pcs_node *n)
{
    pcs_net_weight w;
    if (g->values[n->in[0]].dtype != PCS_F32) return PCS_CODES_FLOAT;
    if (pcs_net_weight_of(g, n, &w)) return PCS_CODES_MULTIPLY;
    return n->op->weight || is_float_constant(g, n->in[0]) || g->values[n->in[1]].dtype != PCS_F32 ? PCS_CODES_FLOAT
                                                                                                   : PCS_CODES_BOTH;
}

static pcs_code_place_kind by_pool(const precis_graph *g, const pcs_node *n)
{
    (void)g;
    const char *kind = n->attr[4].text; /* max moves elements, mean makes new ones */
    return kind[0] == 'm' ? (kind[1] == 'a' ? PCS_CODES_SHARE : PCS_CODES_OWN) : PCS_CODES_FLOAT;
}

static pcs_code_place_kind by_reduction(const precis_graph *g, const pcs_node *n)
{
    const char *kind = n->attr[0].text;
    const pcs_value *x = &g->values[n->in[0]];
    const bool mean = kind[0] == 'm' && kind[1] == 'e', spatial = x->dims > 2 && n->attr[1].n + 2 == x->dims;
    return mean && spatial && n->attr[2].integer ? PCS_CODES_OWN : PCS_CODES_FLOAT;
}

/* Nearest neighbours are elements of x; others are sums of several, within their range. */
static pcs_code_place_kind by_resize(const precis_graph *g, const pcs_node *n)
{
    (void)g;
    return n->attr[1].text[0] == 'c' ? PCS_CODES_FLOAT : PCS_CODES_SHARE; /* cubic ones overshoot */
}

static pcs_code_place_kind by_constant_index(const precis_graph *g, const pcs_node *n)
{
    return pcs_value_is_known(&g->values[n->in[0]]) ? PCS_CODES_FLOAT : PCS_CODES_SHARE;
}

/* Zero is a code of every range; another number may be none. */
static pcs_code_place_kind by_zero_pad(const precis_graph *g, const pcs_node *n)
{
    const pcs_value *v = &g->values[n->in[1]];
    const bool constant = n->attr[1].text[0] == 'c';
    const float *number = pcs_value_f32(v, 1);
    return !constant || (number && *number == 0) ? PCS_CODES_SHARE : PCS_CODES_FLOAT;
}

static pcs_code_place_kind by_bound(const precis_graph *g, const pcs_node *n)
{
    for (uint32_t i = 0; i < 2; i++) {
        const pcs_value *v = &g->values[n->in[i]];
        if (pcs_value_f32(v, 1) && v->dims == 0) return PCS_CODES_CLAMP;
    }
    return PCS_CODES_FLOAT;
}

const pcs_code_place pcs_code_places[] = {
#define PLACE(op, kind, of, low, high) { &pcs_op_##op, PCS_CODES_##kind, of, low, high },
#include "quant/net/places.def"
#undef PLACE
    { 0 },
};

const pcs_code_place *pcs_code_place_row(const pcs_op *op)
{
    for (const pcs_code_place *p = pcs_code_places; p->op; p++)
        if (p->op == op) return p;
    return NULL;
}

pcs_code_place_kind pcs_code_place_of(const precis_graph *g, const pcs_node *n)
{
    const pcs_code_place *p = pcs_code_place_row(n->op);
    if (!p || g->values[n->out[0]].dtype != PCS_F32) return PCS_CODES_FLOAT;
    return p->of ? p->of(g, n) : p->kind;
}

bool pcs_code_place_moves(const precis_graph *g, const pcs_node *n)
{
    const pcs_code_place *p = pcs_code_place_row(n->op);
    const bool between = p && p->of == by_resize && n->attr[1].text[0] != 'n'; /* sums of several are rounded again */
    return !between && pcs_code_place_of(g, n) == PCS_CODES_SHARE;
}
