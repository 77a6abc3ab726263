/* inline.c - graphs within a graph that only say how to compute. */
#include "read/pt2/aten.h"

static const pcs_tree *tree(const pcs_pt2_graph *g) { return &g->net->tree; }

/* wrap_with_set_grad_enabled and wrap_with_autocast say how to compute what is
 * in them; one that only forbids gradients, or turns autocast off, changes
 * nothing. */
precis_status pcs_inline_graph(pcs_aten *c, const uint32_t *names)
{
    pcs_pt2_graph *g = c->g;
    const pcs_tree *t = tree(g);
    const uint32_t list = pcs_tree_get(t, c->token, "inputs");
    uint32_t graph = 0, arg = 0;
    pcs_str tag;
    for (uint32_t k = list + 1; list && k < pcs_tree_end(t, list) && !graph; k = pcs_tree_next(t, k), arg++) {
        const uint32_t a = pcs_tree_get(t, k, "arg"), v = a ? pcs_tree_only(t, a, &tag) : 0;
        if (v && pcs_str_is(tag, "as_graph")) graph = pcs_tree_get(t, v, "graph"), arg = k;
    }
    const uint32_t nodes = graph ? pcs_tree_get(t, graph, "nodes") : 0,
                   ins = graph ? pcs_tree_get(t, graph, "inputs") : 0,
                   outs = graph ? pcs_tree_get(t, graph, "outputs") : 0,
                   metas = graph ? pcs_tree_get(t, graph, "tensor_values") : 0;
    if (!nodes || !ins || !outs || !metas || g->depth >= PCS_LIMIT_NET_DEPTH) {
        pcs_refuse(&c->n, "its graph has not all parts, or nests deeper than %d", PCS_LIMIT_NET_DEPTH);
        return g->im.error;
    }
    pcs_map inner, *outer = g->names, no_metas;
    const pcs_map *outer_metas = g->metas;
    pcs_map_init(&inner, g->im.ctx);
    pcs_map_init(&no_metas, g->im.ctx);
    precis_status st = PRECIS_OK;
    uint32_t given = pcs_tree_next(t, arg);
    for (uint32_t k = ins + 1; k < pcs_tree_end(t, ins) && !st;
         k = pcs_tree_next(t, k), given = pcs_tree_next(t, given)) {
        pcs_str in_tag, of_tag;
        const uint32_t v = pcs_tree_only(t, k, &in_tag),
                       a = given < pcs_tree_end(t, list) ? pcs_tree_get(t, given, "arg") : 0,
                       w = a ? pcs_tree_only(t, a, &of_tag) : 0, name = v ? pcs_tree_get(t, v, "name") : 0,
                       of = w ? pcs_tree_get(t, w, "name") : 0;
        uint32_t thing;
        bool existed;
        const pcs_str s = of ? pcs_tree_text(t, of) : (pcs_str){ "", 0 };
        if (!name || !of || !pcs_map_get(outer, s.s, s.n, &thing))
            st = pcs_tree_fail(t, k, PRECIS_EUNSUPPORTED, "an input of the graph within is no tensor before it");
        else st = pcs_map_put(&inner, pcs_tree_text(t, name).s, pcs_tree_text(t, name).n, thing, &existed);
    }
    g->names = &inner;
    g->metas = &no_metas;
    g->depth++;
    for (uint32_t k = nodes + 1; k < pcs_tree_end(t, nodes) && !st; k = pcs_tree_next(t, k)) st = pcs_call_aten(g, k);
    g->depth--;
    g->names = outer;
    g->metas = outer_metas;
    uint32_t i = 0;
    for (uint32_t k = outs + 1; k < pcs_tree_end(t, outs) && !st; k = pcs_tree_next(t, k), i++) {
        const uint32_t v = pcs_tree_only(t, k, &tag), name = v ? pcs_tree_get(t, v, "name") : 0;
        uint32_t thing;
        const pcs_str s = name ? pcs_tree_text(t, name) : (pcs_str){ "", 0 };
        if (i >= c->n.n_out || !name || !pcs_map_get(&inner, s.s, s.n, &thing))
            st = pcs_tree_fail(t, k, PRECIS_EFORMAT, "is no result of the graph within");
        else if (names[i]) st = pcs_bind(g, names[i], thing);
    }
    pcs_map_free(&inner);
    pcs_map_free(&no_metas);
    return st;
}
