/* code_pools.c - rules of fuse_codes for what takes the largest or the mean of windows of codes. */
#include "graph/pass/codes.h"

/* Windows that hold at least one element each: padding is less than the kernel. */
static bool small_pads(const pcs_node *n)
{
    const precis_attr *pads = pcs_node_attr(n, "pads"), *kernel = pcs_node_attr(n, "kernel");
    for (uint32_t i = 0; i < pads->n; i++)
        if (pads->list[i] >= kernel->list[i % kernel->n]) return false;
    return pcs_node_attr(n, "ceil")->integer == 0;
}

bool pcs_match_pool_of_codes(const precis_graph *g, const pcs_node *nodes, pcs_fused *f)
{
    const pcs_node *n = f->core;
    const char *kind = pcs_node_attr(n, "kind")->text;
    f->n_in = 1;
    if (g->values[n->in[0]].dims != 4 || kind[1] == 'p' || !small_pads(n) ||
        !pcs_coded_of(g, nodes, n->in[0], &f->in[0]))
        return false;
    /* The largest code is the largest number's, where both scales are one. */
    return kind[1] == 'e' ||
           (f->in[0].scale == f->scale && f->in[0].zero == f->to.zero && f->to.lo == 0 && f->to.hi == 255);
}

static precis_value pool_node(precis_graph *g, const pcs_fused *f, const precis_attr *window, precis_value in)
{
    const precis_attr attrs[] = { window[0],
                                  window[1],
                                  window[2],
                                  window[3],
                                  window[4],
                                  window[5],
                                  window[6],
                                  precis_attr_real("scale_in", (double)f->in[0].scale),
                                  precis_attr_int("zero_in", f->in[0].zero),
                                  precis_attr_real("scale", (double)f->scale),
                                  precis_attr_int("zero", f->to.zero),
                                  precis_attr_int("lo", f->to.lo),
                                  precis_attr_int("hi", f->to.hi),
                                  { 0 } };
    return precis_graph_node(g, f->core->name, "codes_pool", attrs, 1, &in);
}

precis_value pcs_make_pool_of_codes(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in)
{
    (void)nodes;
    return pool_node(g, f, f->core->attr, in[0]);
}

/* The mean over height and width. */
bool pcs_match_mean_of_codes(const precis_graph *g, const pcs_node *nodes, pcs_fused *f)
{
    const pcs_node *n = f->core;
    const precis_attr *axes = pcs_node_attr(n, "axes");
    const char *kind = pcs_node_attr(n, "kind")->text;
    f->n_in = 1;
    if (g->values[n->in[0]].dims != 4 || axes->n != 2 || kind[0] != 'm' || kind[1] != 'e' ||
        !pcs_node_attr(n, "keep")->integer)
        return false;
    const uint32_t a = pcs_axis(axes->list[0], 4), b = pcs_axis(axes->list[1], 4);
    if (a + b != 5 || (a != 2 && a != 3) || !pcs_coded_of(g, nodes, n->in[0], &f->in[0])) return false;
    const int64_t *shape = g->values[f->in[0].value].shape;
    return shape[2] > 0 && shape[3] > 0;
}

precis_value pcs_make_mean_of_codes(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in)
{
    (void)nodes;
    const int64_t *shape = g->values[f->in[0].value].shape, kernel[] = { shape[2], shape[3] };
    const precis_attr window[] = { precis_attr_list("strides", 2, kernel),
                                   precis_attr_list("pads", 0, NULL),
                                   precis_attr_list("dilations", 0, NULL),
                                   precis_attr_list("kernel", 2, kernel),
                                   precis_attr_text("kind", "mean"),
                                   precis_attr_int("ceil", 0),
                                   precis_attr_int("all", 0) };
    return pool_node(g, f, window, in[0]);
}
