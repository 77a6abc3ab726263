/* fold_batch_norm - a batch_norm behind a conv2d that nobody else reads becomes part of its weights and bias. */
#include "base/fmath.h"
#include "graph/pass.h"

static bool constant(const precis_graph *g, precis_value v) { return g->values[v].data && g->values[v].dtype == PCS_F32; }

static precis_status fold(precis_graph *g, pcs_node *conv, pcs_node *norm)
{
    const pcs_value w = g->values[conv->in[1]];
    const int64_t out = w.shape[0], n = w.shape[1] * w.shape[2] * w.shape[3];
    const float *gamma = g->values[norm->in[1]].data, *beta = g->values[norm->in[2]].data, *mean = g->values[norm->in[3]].data,
                *var = g->values[norm->in[4]].data, *bias = conv->n_in > 2 ? g->values[conv->in[2]].data : NULL;
    float *nw = pcs_alloc(g->ctx, (size_t)(out * n), sizeof *nw), *nb = pcs_alloc(g->ctx, (size_t)out, sizeof *nb);
    if (nw && nb) {
        for (int64_t o = 0; o < out; o++) {
            const float a = gamma[o] / pcs_sqrtf(var[o] + (float)norm->attr[0]);
            nb[o] = beta[o] + ((bias ? bias[o] : 0.0f) - mean[o]) * a;
            for (int64_t i = 0; i < n; i++) nw[o * n + i] = ((const float *)w.data)[o * n + i] * a;
        }
        conv->in[1] = precis_graph_constant(g, w.name, w.dims, w.shape, nw);
        conv->in[2] = precis_graph_constant(g, "bias", 1, &out, nb);
        conv->n_in = 3;
        conv->out = norm->out; /* the norm's value keeps its id */
    }
    const bool ok = nw && nb;
    pcs_free(g->ctx, nw);
    pcs_free(g->ctx, nb);
    return ok ? g->error : PRECIS_ENOMEM;
}

static precis_status run(precis_graph *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        pcs_node *norm = &g->nodes[i], *conv = NULL;
        if (!strcmp(norm->op->name, "batch_norm") && pcs_value_uses(g, norm->in[0]) == 1)
            for (size_t k = 0; k < n; k++)
                if (g->nodes[k].out == norm->in[0] && !strcmp(g->nodes[k].op->name, "conv2d") && constant(g, g->nodes[k].in[1])) conv = &g->nodes[k];
        for (uint32_t k = 1; conv && k < 5; k++)
            if (!constant(g, norm->in[k])) conv = NULL;
        if (conv && conv->n_in > 2 && !constant(g, conv->in[2])) conv = NULL;
        if (!conv) {
            g->nodes[n++] = *norm;
            continue;
        }
        const precis_status st = fold(g, conv, norm);
        if (st) return st;
    }
    g->n_nodes = n;
    pcs_graph_renumber(g);
    return PRECIS_OK;
}

const pcs_pass pcs_pass_fold_batch_norm = { "fold_batch_norm", run };
