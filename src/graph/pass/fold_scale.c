/* fold_scale - a constant of each channel that a convolution's result is multiplied by, or that is added to it, becomes
 * part of its weights and bias: what exporters make of batch norms, and MobileNetV3 has by itself. So does one of each
 * column of a product with a matrix of weights, which becomes a matmul with a bias: engines see a Gemm in a MatMul and
 * its Add, too, and round its bias to 32 bits as any other. */
#include "graph/pass.h"

extern const pcs_op pcs_op_mul, pcs_op_add, pcs_op_matmul, pcs_op_product;

static bool constant(const precis_graph *g, precis_value v)
{
    return pcs_value_is_known(&g->values[v]) && g->values[v].dtype == PCS_F32;
}

/* Elements of a constant that stands along dimension 1 of y: channels (columns of a matrix), or one; 0: it stands
 * otherwise. */
static int64_t along_channels(const pcs_value *c, const pcs_value *y)
{
    int64_t n = 1;
    if (c->dims > y->dims) return 0;
    for (uint32_t i = 0; i < c->dims; i++) {
        if (c->shape[i] == 1) continue;
        if (i + y->dims - c->dims != 1 || c->shape[i] != y->shape[1]) return 0;
        n = c->shape[i];
    }
    return n;
}

/* A convolution with constant weights, whose result only this node reads. */
static pcs_node *conv_of(precis_graph *g, precis_value v)
{
    pcs_node *n = g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
    if (!n || !n->op->weight || !n->op->bias || n->op->channel_axis) return NULL;
    const uint32_t dims = g->values[v].dims;
    const bool rows = n->op == &pcs_op_matmul && dims == 2;
    const bool kernel = n->op->result_axis && dims > 2 && g->values[n->in[n->op->weight]].dims == dims;
    if (!rows && !kernel && n->op->result_axis + 2 != dims) return NULL;
    const bool bias = n->n_in > n->op->bias;
    if (!constant(g, n->in[n->op->weight]) || (bias && !constant(g, n->in[n->op->bias]))) return NULL;
    return pcs_value_uses(g, v) == 1 ? n : NULL;
}

/* A product with a constant matrix, whose result only this node reads, gets its columns as a matmul's rows. */
static precis_status turn(precis_graph *g, precis_value v, pcs_node **out)
{
    pcs_node *n = g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
    if (!n || n->op != &pcs_op_product || g->values[v].dims != 2 || !constant(g, n->in[1]) ||
        pcs_value_uses(g, v) != 1)
        return PRECIS_OK;
    const pcs_value w = g->values[n->in[1]];
    const int64_t k = w.shape[0], columns = w.shape[1], shape[] = { columns, k };
    const float *from = pcs_value_f32(&w, (uint64_t)k * (uint64_t)columns);
    if (!from) return pcs_op_fail(g, n, "has fewer weights than its matrix");
    float *rows = pcs_alloc(g->ctx, (size_t)(k * columns) + 1, sizeof *rows);
    precis_value *in = pcs_arena_alloc(&g->arena, 2, sizeof *in);
    for (int64_t i = 0; rows && in && i < k * columns; i++) rows[i % columns * k + i / columns] = from[i];
    if (rows && in) {
        in[0] = n->in[0];
        in[1] = precis_graph_constant(g, w.name, 2, shape, rows);
        n->op = &pcs_op_matmul;
        n->in = in;
        *out = n;
    }
    pcs_free(g->ctx, rows);
    return rows && in ? g->error : PRECIS_ENOMEM;
}

static precis_status fold_into(precis_graph *g, pcs_node *conv, pcs_node *n, const pcs_value *c, int64_t many,
                               bool scales)
{
    const pcs_value w = g->values[conv->in[conv->op->weight]];
    const int64_t channels = w.shape[0];
    int64_t each = 1;
    for (uint32_t i = 1; i < w.dims; i++) each *= w.shape[i];
    const bool has = conv->n_in > conv->op->bias;
    const float *by = pcs_value_f32(c, many == 1 ? 1 : (uint64_t)channels),
                *old = has ? pcs_value_f32(&g->values[conv->in[conv->op->bias]], (uint64_t)channels) : NULL,
                *from = pcs_value_f32(&w, (uint64_t)channels * (uint64_t)each);
    if (!by || !from || (has && !old)) return pcs_op_fail(g, conv, "has fewer weights than channels");
    float *weights = pcs_alloc(g->ctx, (size_t)(channels * each) + 1, sizeof *weights);
    float *bias = pcs_alloc(g->ctx, (size_t)channels + 1, sizeof *bias);
    precis_value *in = pcs_arena_alloc(&g->arena, conv->op->bias + 1, sizeof *in);
    const bool ok = weights && bias && in;
    for (int64_t o = 0; ok && o < channels; o++) {
        const float f = by[many == 1 ? 0 : o], b = old ? old[o] : 0.0f;
        bias[o] = scales ? b * f : b + f;
        for (int64_t i = 0; i < each; i++)
            weights[o * each + i] = from[o * each + i] * (scales ? f : 1.0f);
    }
    if (ok) {
        memcpy(in, conv->in, conv->n_in * sizeof *in);
        in[conv->op->weight] = precis_graph_constant(g, w.name, w.dims, w.shape, weights);
        in[conv->op->bias] = precis_graph_constant(g, "bias", 1, &channels, bias);
        conv->in = in;
        conv->n_in = conv->op->bias + 1;
        conv->out = n->out; /* the later value keeps its id */
    }
    pcs_free(g->ctx, weights);
    pcs_free(g->ctx, bias);
    return ok ? g->error : PRECIS_ENOMEM;
}

static precis_status run(precis_graph *g)
{
    size_t kept = 0;
    pcs_graph_renumber(g);
    for (size_t i = 0; i < g->n_nodes; i++) {
        pcs_node *n = &g->nodes[i];
        const bool scales = n->op == &pcs_op_mul;
        const bool adds = n->op == &pcs_op_add;
        pcs_node *conv = NULL;
        pcs_value c = { .node = -1 };
        int64_t many = 0;
        precis_status st = PRECIS_OK;
        for (uint32_t k = 0; (scales || adds) && k < 2 && !conv && !st; k++) {
            if (!constant(g, n->in[k])) continue;
            c = g->values[n->in[k]];
            many = along_channels(&c, &g->values[n->out[0]]);
            if (many) conv = conv_of(g, n->in[1 - k]);
            if (many && !conv) st = turn(g, n->in[1 - k], &conv);
        }
        if (conv && !st) st = fold_into(g, conv, n, &c, many, scales);
        if (st) return st;
        if (conv) g->values[conv->out[0]].node = (int32_t)(conv - g->nodes);
        else {
            g->nodes[kept] = *n;
            for (uint32_t k = 0; k < n->n_out; k++) g->values[n->out[k]].node = (int32_t)kept;
            kept++;
        }
    }
    g->n_nodes = kept;
    pcs_graph_renumber(g);
    return PRECIS_OK;
}

const pcs_pass pcs_pass_fold_scale = { "fold_scale", run };
