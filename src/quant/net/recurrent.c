/* recurrent.c - recurrent nets with the range of each run: codes of weights with a scale for each row of gates, and x
 * and h rounded to 8 bits where they are multiplied (op dynamic_recurrent; onnxruntime's DynamicQuantizeLSTM). */
#include "quant/net/net.h"

extern const pcs_op pcs_op_expand;

enum { X, W, R, B, LENGTHS };

/* w [ways, rows, k] as codes [ways, k, rows], their scales [ways, rows], and zero points: the same, or one for all. */
static precis_status turned(precis_net_quant *q, const pcs_value *w, bool one_zero, precis_value *codes,
                            precis_value *scales, precis_value *zeros)
{
    const int64_t ways = w->shape[0], rows = w->shape[1], k = w->shape[2], shape[] = { ways, k, rows };
    const int64_t by_row[] = { ways, rows };
    pcs_qparams *p = NULL;
    int8_t *to = pcs_alloc(q->ctx, (size_t)(ways * rows * k) + 1, 1),
           *zero = pcs_alloc(q->ctx, (size_t)(ways * rows) + 1, 1);
    float *scale = pcs_alloc(q->ctx, (size_t)(ways * rows) + 1, sizeof *scale);
    const float *numbers = pcs_value_f32(w, (uint64_t)(ways * rows * k));
    precis_status st = to && scale && zero ? pcs_net_row_scales(q, w, &p) : PRECIS_ENOMEM;
    if (!st && !numbers) st = pcs_fail(q->ctx, PRECIS_EINVAL, "weights %s are fewer than their shape", w->name);
    for (int64_t i = 0; i < ways * rows && !st; i++) {
        const float *from = numbers + i * k;
        scale[i] = p[i % rows].scale;
        for (int64_t j = 0; j < k; j++)
            to[(i / rows * k + j) * rows + i % rows] = (int8_t)pcs_qparams_code(&q->weights, &p[i % rows], from[j]);
    }
    if (!st) {
        *codes = pcs_net_constant(q, w->name, PCS_I8, 3, shape, to);
        *scales = pcs_net_constant(q, "scale", PCS_F32, 2, by_row, scale);
        *zeros = pcs_net_constant(q, "zero_point", PCS_I8, one_zero ? 0 : 2, by_row, zero);
        if (q->g->error) st = q->g->error;
    }
    pcs_free(q->ctx, p);
    pcs_free(q->ctx, to);
    pcs_free(q->ctx, zero);
    pcs_free(q->ctx, scale);
    return st;
}

/* A GRU is a function of the file (write/onnx/gru.c), of all steps and with the usual activations. */
static bool usual_gru(const precis_graph *g, const pcs_node *n)
{
    const pcs_value *lengths = &g->values[n->in[LENGTHS]], *x = &g->values[n->in[X]];
    const char *act = n->attr[2].text;
    if (n->attr[0].text[0] != 'g' || n->attr[3].real > 0) return false;
    for (size_t i = 0; act[i]; i++)
        if (act[i] != "st"[i % 2]) return false;
    const int32_t *length = pcs_value_elements(lengths, PCS_I32, (uint64_t)lengths->shape[0]);
    if (!length) return lengths->node >= 0 && g->nodes[lengths->node].op == &pcs_op_expand;
    for (int64_t i = 0; i < lengths->shape[0]; i++)
        if (length[i] != x->shape[0]) return false;
    return true;
}

bool pcs_net_can_dynamic_recurrent(const precis_net_quant *q, const pcs_node *n)
{
    return q->mode == PCS_NET_DYNAMIC && q->weight_type == PCS_I8 && !q->block && pcs_net_is_recurrent(q->g, n) &&
           (n->attr[0].text[0] == 'l' || usual_gru(q->g, n));
}

precis_status pcs_net_dynamic_recurrent(precis_net_quant *q, const pcs_node *old, const pcs_node *mapped)
{
    precis_value in[12], results[2];
    const uint32_t n = mapped->n_in;
    const pcs_value w = q->g->values[mapped->in[W]], r = q->g->values[mapped->in[R]];
    memcpy(in, mapped->in, n * sizeof *in);
    const bool gru = old->attr[0].text[0] == 'g';
    precis_status st = turned(q, &w, gru, &in[W], &in[n], &in[n + 1]);
    if (!st) st = turned(q, &r, gru, &in[R], &in[n + 2], &in[n + 3]);
    if (st) return st;
    const precis_value y = precis_graph_node(q->g, old->name, "dynamic_recurrent", old->attr, n + 4, in);
    for (uint32_t i = 1; i < old->n_out && y >= 0; i++) results[i - 1] = precis_graph_result(q->g, y, i);
    if (y < 0) return q->g->error;
    q->map[old->out[0]] = y;
    for (uint32_t i = 1; i < old->n_out; i++) q->map[old->out[i]] = results[i - 1];
    return q->g->error;
}
