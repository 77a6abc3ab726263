/* fuse_dynamic - the pieces that ONNX defines DynamicQuantizeLinear by, as readers make them, become one node:
 *   hi = max(reduce_max(x), 0), lo = min(reduce_min(x), 0), scale = (hi == lo ? 1 : hi - lo) / 255,
 *   zero = u8(round(clamp(0 - lo / scale, 0, 255))), codes = to_codes(x, scale, zero).
 * dynamic_codes gives their bits. */
#include "graph/pass/codes.h"

extern const pcs_op pcs_op_to_codes, pcs_op_div, pcs_op_where, pcs_op_equal, pcs_op_sub, pcs_op_max, pcs_op_min,
    pcs_op_reduce, pcs_op_cast, pcs_op_round, pcs_op_dynamic_codes;

    static const pcs_node *made_by(const precis_graph *g, precis_value v, const pcs_op *op)
{
    const pcs_node *n = pcs_node_making(g, g->nodes, v);
    return n && n->op == op ? n : NULL;
}

static bool is_number(const precis_graph *g, precis_value v, float number)
{
    const pcs_value *x = &g->values[v];
    const float *one = pcs_value_f32(x, 1);
    return one && pcs_value_count(x) == 1 && *one == number;
}

/* max(reduce max, 0) or min(reduce min, 0) of all of x. */
static bool is_extreme(const precis_graph *g, precis_value v, const pcs_op *op, char kind, precis_value x)
{
    const pcs_node *n = made_by(g, v, op),
                   *r = n && is_number(g, n->in[1], 0) ? made_by(g, n->in[0], &pcs_op_reduce) : NULL;
    return r && r->in[0] == x && r->attr[0].text[0] == 'm' && r->attr[0].text[1] == kind &&
           r->attr[1].n == g->values[x].dims && !r->attr[2].integer;
}

/* The scale; *lo is what the zero point is made of. */
static bool is_scale(const precis_graph *g, precis_value scale, precis_value x, precis_value *lo)
{
    const pcs_node *over = made_by(g, scale, &pcs_op_div);
    const pcs_node *where = over && is_number(g, over->in[1], 255) ? made_by(g, over->in[0], &pcs_op_where) : NULL;
    const pcs_node *equal = where && is_number(g, where->in[1], 1) ? made_by(g, where->in[0], &pcs_op_equal) : NULL;
    const pcs_node *range = equal && equal->in[0] == where->in[2] && is_number(g, equal->in[1], 0)
                                ? made_by(g, where->in[2], &pcs_op_sub)
                                : NULL;
    if (!range) return false;
    *lo = range->in[1];
    return is_extreme(g, range->in[0], &pcs_op_max, 'a', x) && is_extreme(g, *lo, &pcs_op_min, 'i', x);
}

static bool is_zero(const precis_graph *g, precis_value zero, precis_value scale, precis_value lo)
{
    const pcs_node *cast = made_by(g, zero, &pcs_op_cast),
                   *round = cast ? made_by(g, cast->in[0], &pcs_op_round) : NULL,
                   *most = round ? made_by(g, round->in[0], &pcs_op_min) : NULL,
                   *least = most && is_number(g, most->in[1], 255) ? made_by(g, most->in[0], &pcs_op_max) : NULL,
                   *sub = least && is_number(g, least->in[1], 0) ? made_by(g, least->in[0], &pcs_op_sub) : NULL,
                   *over = sub && is_number(g, sub->in[0], 0) ? made_by(g, sub->in[1], &pcs_op_div) : NULL;
    return over && over->in[0] == lo && over->in[1] == scale && g->values[zero].dtype == PCS_U8 &&
           !g->values[zero].dims;
}

static bool is_dynamic(const precis_graph *g, const pcs_node *n)
{
    precis_value lo;
    if (n->op != &pcs_op_to_codes || n->n_in != 3 || g->values[n->in[0]].dtype != PCS_F32 || g->values[n->in[1]].dims ||
        g->values[n->out[0]].dtype != PCS_U8 || g->values[n->in[1]].dtype != PCS_F32)
        return false;
    return is_scale(g, n->in[1], n->in[0], &lo) && is_zero(g, n->in[2], n->in[1], lo);
}

/* All three results where the scale was made: nobody reads them earlier. */
static precis_status replace(precis_graph *g, const pcs_node *n, bool *gone)
{
    precis_value *in = pcs_arena_alloc(&g->arena, 4, sizeof *in), *out = in + 1;
    if (!in) return PRECIS_ENOMEM;
    const int32_t at = g->values[n->in[1]].node;
    in[0] = n->in[0];
    out[0] = n->out[0];
    out[1] = n->in[1];
    out[2] = n->in[2];
    gone[n - g->nodes] = gone[g->values[n->in[2]].node] = true;
    g->nodes[at] =
        (pcs_node){ .name = n->name, .op = &pcs_op_dynamic_codes, .n_in = 1, .n_out = 3, .in = in, .out = out };
    return PRECIS_OK;
}

static precis_status run(precis_graph *g)
{
    bool *gone = pcs_alloc(g->ctx, g->n_nodes + 1, sizeof *gone);
    precis_status st = gone ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < g->n_nodes && !st; i++)
        if (is_dynamic(g, &g->nodes[i])) st = replace(g, &g->nodes[i], gone);
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes && gone; i++)
        if (!gone[i]) g->nodes[n++] = g->nodes[i];
    if (gone) g->n_nodes = n;
    pcs_free(g->ctx, gone);
    pcs_graph_renumber(g);
    return st ? st : precis_graph_pass(g, "drop_unused");
}

const pcs_pass pcs_pass_fuse_dynamic = { "fuse_dynamic", run };
