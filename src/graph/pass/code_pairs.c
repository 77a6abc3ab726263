/* code_pairs.c - products of two values of codes of which none is constant (pass fuse_codes). */
#include "graph/pass/codes.h"

/* What a whole product of both is in codes of the result: as onnxruntime rounds it. */
static float factor_of(const pcs_fused *f) { return f->in[0].scale * f->in[1].scale / f->scale; }

/* Of two values of codes, spread over one another: in as many dimensions, since those of four have channels last. */
bool pcs_match_mul_of_codes(const precis_graph *g, const pcs_node *nodes, pcs_fused *f)
{
    const pcs_node *n = f->core;
    f->n_in = 2;
    for (int i = 0; i < 2; i++)
        if (!pcs_coded_of(g, nodes, n->in[i], &f->in[i])) return false;
    const float factor = factor_of(f);
    return g->values[f->in[0].value].dims == g->values[f->in[1].value].dims && factor > 0 && factor <= 3.4028234e38f;
}

precis_value pcs_make_mul_of_codes(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in)
{
    (void)nodes;
    const float factor = factor_of(f);
    const precis_attr attrs[] = { precis_attr_int("zero_a", f->in[0].zero), precis_attr_int("zero_b", f->in[1].zero),
                                  precis_attr_real("factor", (double)factor),
                                  precis_attr_int("sign", f->type == PCS_I8), precis_attr_int("zero", f->to.zero),
                                  precis_attr_int("lo", f->to.lo), precis_attr_int("hi", f->to.hi), { 0 } };
    return precis_graph_node(g, f->core->name, "codes_mul", attrs, 2, in);
}

/* Matrices of codes of which none is constant, as many of both; read as they are, in their own order. */
bool pcs_match_matmul_of_codes(const precis_graph *g, const pcs_node *nodes, pcs_fused *f)
{
    const pcs_node *n = f->core;
    if (n->n_in != 2) return false;
    f->n_in = 2;
    f->plain = true;
    for (int i = 0; i < 2; i++)
        if (!pcs_coded_of(g, nodes, n->in[i], &f->in[i])) return false;
    const pcs_value *a = &g->values[f->in[0].value], *b = &g->values[f->in[1].value];
    const uint32_t dims = a->dims;
    const float factor = factor_of(f);
    return dims >= 2 && b->dims == dims && !memcmp(a->shape, b->shape, (dims - 2) * sizeof a->shape[0]) &&
           a->shape[dims - 1] == b->shape[dims - 2] && a->shape[dims - 1] >= 1 && a->shape[dims - 1] <= 16384 &&
           b->shape[dims - 1] >= 1 && b->shape[dims - 1] <= 1 << 24 && factor > 0 && factor <= 3.4028234e38f;
}

precis_value pcs_make_matmul_of_codes(precis_graph *g, const pcs_node *nodes, const pcs_fused *f,
                                      const precis_value *in)
{
    (void)nodes;
    const float factor = factor_of(f);
    const precis_attr attrs[] = { precis_attr_int("zero_a", f->in[0].zero), precis_attr_int("zero_b", f->in[1].zero),
                                  precis_attr_real("factor", (double)factor), precis_attr_int("to", f->type),
                                  precis_attr_int("zero", f->to.zero), precis_attr_int("lo", f->to.lo),
                                  precis_attr_int("hi", f->to.hi), { 0 } };
    return precis_graph_node(g, f->core->name, "codes_matmul", attrs, 2, in);
}
