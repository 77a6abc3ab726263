/* inline.c - graphs within a graph that only say how to compute: wrap_with_set_grad_enabled, and wrap_with_autocast
 * where that is off. Their calls are made in place of the call that has them. */
#include "read/pt2/aten.h"

static const pcs_tree *tree(const pcs_pt2_graph *g) { return &g->net->tree; }

typedef struct {
    uint32_t list, given; /* the call's arguments, and the first one after the graph */
    uint32_t nodes, ins, outs;
} within;

static bool parts_of(const pcs_aten *c, within *w)
{
    const pcs_tree *t = tree(c->g);
    w->list = pcs_tree_get(t, c->token, "inputs");
    for (uint32_t k = w->list + 1; w->list && k < pcs_tree_end(t, w->list); k = pcs_tree_next(t, k)) {
        pcs_str tag;
        const uint32_t a = pcs_tree_get(t, k, "arg"), v = a ? pcs_tree_only(t, a, &tag) : 0,
                       graph = v && pcs_str_is(tag, "as_graph") ? pcs_tree_get(t, v, "graph") : 0;
        if (!graph) continue;
        w->given = pcs_tree_next(t, k);
        w->nodes = pcs_tree_get(t, graph, "nodes");
        w->ins = pcs_tree_get(t, graph, "inputs");
        w->outs = pcs_tree_get(t, graph, "outputs");
        return w->nodes && w->ins && w->outs;
    }
    return false;
}

/* The name that an Argument has; .n 0: none. */
static pcs_str name_of(const pcs_tree *t, uint32_t argument)
{
    pcs_str tag;
    const uint32_t v = argument ? pcs_tree_only(t, argument, &tag) : 0,
                   name = v ? pcs_tree_get(t, v, pcs_str_is(tag, "as_tensor") ? "name" : "as_name") : 0;
    return name ? pcs_tree_text(t, name) : (pcs_str){ "", 0 };
}

/* Its inputs are things of the graph around it. */
static precis_status bind_inputs(pcs_pt2_graph *g, const within *w, const pcs_map *outer, pcs_map *inner)
{
    const pcs_tree *t = tree(g);
    uint32_t given = w->given;
    for (uint32_t k = w->ins + 1; k < pcs_tree_end(t, w->ins); k = pcs_tree_next(t, k)) {
        const uint32_t a = given < pcs_tree_end(t, w->list) ? pcs_tree_get(t, given, "arg") : 0;
        const pcs_str name = name_of(t, k), of = name_of(t, a);
        uint32_t thing;
        bool existed;
        if (!name.n || !of.n || !pcs_map_get(outer, of.s, of.n, &thing))
            return pcs_tree_fail(t, k, PRECIS_EUNSUPPORTED, "an input of the graph within is nothing that has a name");
        const precis_status st = pcs_map_put(inner, name.s, name.n, thing, &existed);
        if (st) return st;
        given = pcs_tree_next(t, given);
    }
    return PRECIS_OK;
}

static precis_status bind_outputs(pcs_aten *c, const within *w, const pcs_map *inner, const uint32_t *names)
{
    const pcs_tree *t = tree(c->g);
    uint32_t i = 0;
    for (uint32_t k = w->outs + 1; k < pcs_tree_end(t, w->outs); k = pcs_tree_next(t, k), i++) {
        const pcs_str name = name_of(t, k);
        uint32_t thing;
        if (i >= c->n.n_out || !name.n || !pcs_map_get(inner, name.s, name.n, &thing))
            return pcs_tree_fail(t, k, PRECIS_EFORMAT, "is no result of the graph within");
        const precis_status st = names[i] ? pcs_bind(c->g, names[i], thing) : PRECIS_OK;
        if (st) return st;
    }
    return PRECIS_OK;
}

precis_status pcs_inline_graph(pcs_aten *c, const uint32_t *names)
{
    pcs_pt2_graph *g = c->g;
    const pcs_tree *t = tree(g);
    within w = { 0 };
    pcs_map inner, none, *outer = g->names;
    const pcs_map *metas = g->metas;
    if (!parts_of(c, &w) || g->depth >= PCS_LIMIT_NET_DEPTH) {
        pcs_refuse(&c->n, "its graph has not all parts, or nests deeper than %d", PCS_LIMIT_NET_DEPTH);
        return g->im.error;
    }
    pcs_map_init(&inner, g->im.ctx);
    pcs_map_init(&none, g->im.ctx); /* names within are its own: the archive's descriptions are of those outside */
    precis_status st = bind_inputs(g, &w, outer, &inner);
    g->names = &inner;
    g->metas = &none;
    g->depth++;
    for (uint32_t k = w.nodes + 1; k < pcs_tree_end(t, w.nodes) && !st; k = pcs_tree_next(t, k))
        st = pcs_call_aten(g, k);
    g->depth--;
    g->names = outer;
    g->metas = metas;
    if (!st) st = bind_outputs(c, &w, &inner, names);
    pcs_map_free(&inner);
    pcs_map_free(&none);
    return st;
}
