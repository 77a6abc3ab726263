/* fold_batch_norm - what scales and shifts channels (a batch_norm of constants), after an op with constant weights
 * that nobody else reads, becomes part of those weights and their bias. */
#include "graph/pass.h"

static bool constant(const precis_graph *g, precis_value v)
{
    return pcs_value_is_known(&g->values[v]) && g->values[v].dtype == PCS_F32;
}

/* Channels of the result: of transposed convolutions, w[in, out / groups, ...], those of all groups. */
static int64_t channels_of(const precis_graph *g, const pcs_node *op)
{
    return g->values[op->out[0]].shape[1];
}

/* Weights times a, by channel; bias times a, plus b. */
static bool scale_weights(const precis_graph *g, const pcs_node *op, const float *a, const float *b, float *weights,
                          float *bias)
{
    const pcs_value *w = &g->values[op->in[op->op->weight]];
    const int64_t channels = channels_of(g, op), each = op->op->channel_axis ? w->shape[1] : 1,
                  rows = w->shape[0] * each, groups = op->op->channel_axis ? channels / each : 1;
    int64_t n = 1;
    for (uint32_t i = op->op->channel_axis + 1; i < w->dims; i++) n *= w->shape[i];
    const bool has = op->n_in > op->op->bias;
    const float *old = has ? pcs_value_f32(&g->values[op->in[op->op->bias]], (uint64_t)channels) : NULL,
                *from = pcs_value_f32(w, (uint64_t)rows * (uint64_t)n);
    if (!from || (has && !old)) return false;
    for (int64_t o = 0; o < channels; o++) bias[o] = (old ? old[o] * a[o] : 0.0f) + b[o];
    for (int64_t r = 0; r < rows; r++) {
        const int64_t o = op->op->channel_axis ? r / each / (w->shape[0] / groups) * each + r % each : r;
        for (int64_t i = 0; i < n; i++) weights[r * n + i] = from[r * n + i] * a[o];
    }
    return true;
}

static precis_status fold(precis_graph *g, pcs_node *op, const pcs_node *norm)
{
    const pcs_value w = g->values[op->in[op->op->weight]];
    const int64_t channels = channels_of(g, op);
    uint64_t count = 1;
    for (uint32_t i = 0; i < w.dims; i++) count *= (uint64_t)w.shape[i];
    float *weights = pcs_alloc(g->ctx, count, sizeof *weights);
    float *rest = pcs_alloc(g->ctx, (size_t)channels, 3 * sizeof *rest);
    precis_value *in = pcs_arena_alloc(&g->arena, op->op->bias + 1, sizeof *in);
    const bool ok = weights && rest && in;
    if (ok) {
        float *a = rest, *b = rest + channels, *bias = rest + 2 * channels;
        if (!norm->op->by_channel(g, norm, a, b) || !scale_weights(g, op, a, b, weights, bias))
            pcs_op_fail(g, op, "has fewer weights than channels");
        memcpy(in, op->in, op->n_in * sizeof *in);
        in[op->op->weight] = precis_graph_constant(g, w.name, w.dims, w.shape, weights);
        in[op->op->bias] = precis_graph_constant(g, "bias", 1, &channels, bias);
        op->in = in;
        op->n_in = op->op->bias + 1;
        op->out = norm->out; /* the norm's value keeps its id */
    }
    pcs_free(g->ctx, weights);
    pcs_free(g->ctx, rest);
    return ok ? g->error : PRECIS_ENOMEM;
}

/* The channels of the op's result are dimension 1, and its weights and bias are constants, one of each per channel. */
static bool takes(const precis_graph *g, const pcs_node *op)
{
    const pcs_op *o = op->op;
    const uint32_t dims = g->values[op->out[0]].dims;
    if (!o->weight || !o->bias || o->route || o->channel_axis > 1 || !constant(g, op->in[o->weight])) return false;
    const bool kernel = o->result_axis && dims > 2 && g->values[op->in[o->weight]].dims == dims; /* of any dimensions */
    if (!kernel && (o->channel_axis || o->result_axis + 2 != dims)) return false;
    return op->n_in <= o->bias || constant(g, op->in[o->bias]);
}

/* Among the first n nodes: the one that a norm can be folded into, or NULL. */
static pcs_node *before(const precis_graph *g, const pcs_node *norm, size_t n)
{
    if (!norm->op->by_channel || pcs_value_uses(g, norm->in[0]) != 1) return NULL;
    for (uint32_t k = 1; k < norm->n_in; k++)
        if (!constant(g, norm->in[k])) return NULL;
    for (size_t k = 0; k < n; k++)
        if (g->nodes[k].out[0] == norm->in[0]) return takes(g, &g->nodes[k]) ? &g->nodes[k] : NULL;
    return NULL;
}

static precis_status run(precis_graph *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        pcs_node *op = before(g, &g->nodes[i], n);
        if (!op) g->nodes[n++] = g->nodes[i];
        const precis_status st = op ? fold(g, op, &g->nodes[i]) : PRECIS_OK;
        if (st) return st;
    }
    g->n_nodes = n;
    pcs_graph_renumber(g);
    return PRECIS_OK;
}

const pcs_pass pcs_pass_fold_batch_norm = { "fold_batch_norm", run };
