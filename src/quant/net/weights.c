/* weights.c - constants of the net in codes: weights by channel, and biases as sums of 32 bits at the scale of the
 * products that they are added to. */
#include "quant/net/method.h"

#include "base/fmath_more.h"
#include "format/number.h"

#include <float.h>
#include <stdio.h>

#define SUM_MOST 2147483647.0

static void set_code(pcs_dtype d, void *to, size_t i, int32_t code)
{
    pcs_set_real(&(pcs_arg){ .dtype = d, .data = to }, i, code);
}

/* Weights as [outer][channels][inner]; w is NULL where there are fewer. by_channel: each has a scale of its own. */
typedef struct {
    const float *w;
    int64_t outer, channels, inner;
    bool by_channel;
} layout;

static layout lay_out_by(const pcs_value *v, uint32_t axis, bool by_channel)
{
    layout l = { NULL, 1, v->shape[axis], 1, by_channel };
    for (uint32_t i = 0; i < axis; i++) l.outer *= v->shape[i];
    for (uint32_t i = axis + 1; i < v->dims; i++) l.inner *= v->shape[i];
    l.w = pcs_value_f32(v, (uint64_t)(l.outer * l.channels * l.inner));
    return l;
}

/* False: what is no finite number lies there. */
static bool extremes(const layout *l, int64_t c, float *low, float *high)
{
    bool finite = true;
    for (int64_t o = 0; o < l->outer; o++) {
        const float *x = l->w + (o * l->channels + c) * l->inner;
        for (int64_t i = 0; i < l->inner; i++) {
            finite = finite && x[i] >= -FLT_MAX && x[i] <= FLT_MAX;
            *low = x[i] < *low ? x[i] : *low;
            *high = x[i] > *high ? x[i] : *high;
        }
    }
    return finite;
}

static double squares(const precis_net_quant *q, const layout *l, int64_t c, const pcs_qparams *p)
{
    double sum = 0;
    for (int64_t o = 0; o < l->outer; o++) {
        const float *x = l->w + (o * l->channels + c) * l->inner;
        for (int64_t i = 0; i < l->inner; i++) {
            const double d = (double)x[i] - (double)pcs_qparams_real(p, pcs_qparams_code(&q->weights, p, x[i]));
            sum += d * d;
        }
    }
    return sum;
}

/* Of scales from the range's down to half of it, the one that loses least. */
static pcs_qparams least_loss(const precis_net_quant *q, const layout *l, int64_t c, float low, float high)
{
    pcs_qparams best = pcs_qparams_choose(&q->weights, low, high);
    if (q->like != PCS_LIKE_PRECIS || q->o.rough) return best;
    double least = squares(q, l, c, &best);
    for (int k = 98; k >= 50; k -= 2) {
        const pcs_qparams p = pcs_qparams_choose(&q->weights, low * (float)k / 100, high * (float)k / 100);
        const double lost = squares(q, l, c, &p);
        if (lost < least) least = lost, best = p;
    }
    return best;
}

typedef struct {
    const precis_net_quant *q;
    const layout *l;
    pcs_qparams *p;
    bool *bad; /* by channel */
} choosing;

/* A channel is one thread's, so that its scale does not depend on how many there are. */
static void choose_channels(void *arg, uint32_t ith, uint32_t nth)
{
    const choosing *k = arg;
    for (int64_t c = ith; c < k->l->channels; c += nth) {
        float low = 0, high = 0;
        k->bad[c] = !extremes(k->l, c, &low, &high);
        if (!k->bad[c]) k->p[c] = least_loss(k->q, k->l, c, low, high);
    }
}

/* Scales for all channels; one for all where it is asked per tensor. */
static precis_status choose_scales(precis_net_quant *q, const layout *l, pcs_qparams *p, const char *name)
{
    float low = 0, high = 0;
    bool *bad = pcs_alloc(q->ctx, (size_t)l->channels + 1, sizeof *bad), any = false;
    if (!bad) return PRECIS_ENOMEM;
    if (l->by_channel) pcs_run(q->ctx, choose_channels, &(choosing){ q, l, p, bad });
    else
        for (int64_t c = 0; c < l->channels; c++) bad[c] = !extremes(l, c, &low, &high);
    for (int64_t c = 0; c < l->channels; c++) {
        any = any || bad[c];
        if (!l->by_channel && !any) p[c] = pcs_qparams_choose(&q->weights, low, high);
    }
    pcs_free(q->ctx, bad);
    return any ? pcs_fail(q->ctx, PRECIS_EFORMAT, "weights %s hold what is no finite number", name) : PRECIS_OK;
}

/* Products of codes that are summed for one result: as many times 255 * 127 at most. Codes of 16 bits are decoded by
 * every engine that takes the file, so that no sum of theirs is of 32 bits. */
static double most_of_sum(const precis_net_quant *q, const layout *l)
{
    const double codes = (double)q->activations.high - (double)q->activations.low;
    if (q->mode == PCS_NET_WEIGHTS || pcs_dtype_bytes(q->activation_type) != 1) return 0;
    return (double)l->outer * (double)l->inner * codes * (double)q->weights.high;
}

bool pcs_net_sum_fits(const precis_net_quant *q, const pcs_node *n)
{
    pcs_net_weight f;
    if (!pcs_net_weight_of(q->g, n, &f)) return true;
    const layout l = lay_out_by(&q->g->values[n->in[f.input]], f.axis, false); /* its sizes */
    return most_of_sum(q, &l) < SUM_MOST;
}

/* A bias must fit into 32 bits beside the products; where it does not, the weights' scale is raised until it does. A
 * channel of zeros takes a scale at which its bias has 24 bits. */
static bool make_room(const precis_net_quant *q, const layout *l, const float *bias, float x_scale, pcs_qparams *p)
{
    const double room = SUM_MOST - most_of_sum(q, l) - 1;
    bool raised = false;
    for (int64_t c = 0; c < l->channels && bias; c++) {
        float low = 0, high = 0;
        const double b = bias[c] < 0 ? -(double)bias[c] : (double)bias[c];
        if (l->by_channel) extremes(l, c, &low, &high);
        if (l->by_channel && low == 0 && high == 0) {
            const double s = b / ((double)x_scale * 8388608.0);
            p[c].scale = s > 1e-30 ? (float)s : 1.0f;
        }
        const double least = b / ((double)x_scale * room);
        if ((double)p[c].scale >= least) continue;
        p[c].scale = (float)(least * 1.0001);
        raised = true;
    }
    double most = 0;
    for (int64_t c = 0; c < l->channels && !l->by_channel; c++)
        most = (double)p[c].scale > most ? (double)p[c].scale : most;
    for (int64_t c = 0; c < l->channels && !l->by_channel; c++) p[c].scale = (float)most;
    return raised;
}

static precis_value scales_of(precis_net_quant *q, const char *name, const pcs_qparams *p, int64_t n, uint32_t dims,
                              uint32_t axis)
{
    float *s = pcs_alloc(q->ctx, (size_t)n, sizeof *s);
    int64_t shape[PCS_GRAPH_DIMS];
    char text[160];
    if (!s) return pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    for (int64_t i = 0; i < n; i++) s[i] = p[i].scale;
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == axis ? n : 1;
    snprintf(text, sizeof text, "%.100s_scale", name);
    const precis_value v = pcs_net_constant(q, text, PCS_F32, n > 1 ? dims : 0, shape, s);
    pcs_free(q->ctx, s);
    return v;
}

static precis_value zeros_of(precis_net_quant *q, const char *name, pcs_dtype d, int64_t n, uint32_t dims,
                             uint32_t axis)
{
    int64_t shape[PCS_GRAPH_DIMS];
    char text[160];
    void *z = pcs_alloc(q->ctx, (size_t)n + 1, 8);
    if (!z) return pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == axis ? n : 1;
    snprintf(text, sizeof text, "%.100s_zero_point", name);
    const precis_value v = pcs_net_constant(q, text, d, n > 1 ? dims : 0, shape, z);
    pcs_free(q->ctx, z);
    return v;
}

static precis_value decoded_weights(precis_net_quant *q, const char *name, precis_value codes, precis_value s,
                                    precis_value z)
{
    char text[160];
    snprintf(text, sizeof text, "%.100s_dequantized", name);
    return precis_graph_node(q->g, text, "from_codes", NULL, 3, (const precis_value[]){ codes, s, z });
}

/* Codes of weights as they lie, and what they mean by channel. */
typedef struct {
    const int32_t *codes;
    const pcs_qparams *p;
} stored;

static precis_value weight_codes(precis_net_quant *q, const pcs_value *w, const layout *l, const stored *s,
                                 uint32_t axis)
{
    const size_t n = (size_t)(l->outer * l->channels * l->inner);
    void *codes = pcs_alloc(q->ctx, n + 1, pcs_dtype_bytes(q->weight_type));
    char text[160];
    if (!codes) return pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    for (size_t i = 0; i < n; i++) set_code(q->weight_type, codes, i, s->codes[i]);
    snprintf(text, sizeof text, "%.100s_quantized", w->name);
    const precis_value v = pcs_net_constant(q, text, q->weight_type, w->dims, w->shape, codes);
    pcs_free(q->ctx, codes);
    const uint32_t dims = l->by_channel ? w->dims : 0;
    return decoded_weights(q, w->name, v, scales_of(q, w->name, s->p, l->channels, dims, axis),
                           zeros_of(q, w->name, q->weight_type, l->channels, dims, axis));
}

/* The mean over the calibration of what wrong weights add to each channel: sum of (w - w') times the mean of the
 * input's channel (Nagel et al. 2019, section 4.2, with measured means). Exact but at borders that are padded. */
static void correct_bias(const precis_net_quant *q, const pcs_node *n, precis_value x_value, const layout *l,
                         const stored *s, float *bias)
{
    const pcs_net_value *m = &q->values[x_value];
    const pcs_value *w = &q->g->values[n->in[n->op->weight]]; /* decoded: of the same shape */
    if (q->like != PCS_LIKE_PRECIS || !m->channel_sums || !m->channel_count || n->op->channel_axis || l->outer != 1)
        return;
    int64_t taps = 1;
    for (uint32_t i = 2; i < w->dims; i++) taps *= w->shape[i];
    const int64_t each = l->inner / taps,
                  groups = q->g->values[x_value].dims < 3 ? 1 : q->g->values[x_value].shape[1] / each;
    for (int64_t c = 0; c < l->channels; c++) {
        double sum = 0;
        for (int64_t i = 0; i < l->inner; i++) {
            const float x = l->w[c * l->inner + i];
            const double wrong = (double)x - (double)pcs_qparams_real(&s->p[c], s->codes[c * l->inner + i]);
            const int64_t channel = c / (l->channels / (groups ? groups : 1)) * each + i / taps;
            sum += wrong * m->channel_sums[channel] / (double)m->channel_count;
        }
        bias[c] = (float)((double)bias[c] + sum);
    }
}

static precis_value bias_codes(precis_net_quant *q, const char *name, const float *bias, const layout *l, float x_scale,
                               const pcs_qparams *p)
{
    const int64_t n = l->channels;
    const uint32_t dims = l->by_channel ? 1 : 0;
    int32_t *codes = pcs_alloc(q->ctx, (size_t)n + 1, sizeof *codes);
    pcs_qparams *s = pcs_alloc(q->ctx, (size_t)n + 1, sizeof *s);
    char text[160];
    precis_value v = -1;
    for (int64_t c = 0; codes && s && c < n; c++) {
        s[c] = (pcs_qparams){ .scale = x_scale * p[c].scale };
        codes[c] = (int32_t)pcs_m_round((double)bias[c] / (double)s[c].scale);
    }
    snprintf(text, sizeof text, "%.100s_quantized", name);
    if (codes && s) v = pcs_net_constant(q, text, PCS_I32, 1, &n, codes);
    if (v >= 0) v = decoded_weights(q, name, v, scales_of(q, name, s, n, dims, 0),
                                    zeros_of(q, name, PCS_I32, n, dims, 0));
    pcs_free(q->ctx, codes);
    pcs_free(q->ctx, s);
    return v;
}

/* The node's bias, corrected; a new one where it has none and the correction is some. */
static precis_status store_bias(precis_net_quant *q, pcs_node *n, const layout *l, const stored *s,
                                const pcs_qparams *x, precis_value x_value)
{
    const uint32_t at = n->op->bias;
    const bool has = at && n->n_in > at;
    const float *from = has ? pcs_value_f32(&q->g->values[n->in[at]], (uint64_t)l->channels) : NULL;
    if (has && !from)
        return pcs_fail(q->ctx, PRECIS_EINVAL, "node %s: its bias has fewer numbers than channels", n->name);
    float *bias = pcs_alloc(q->ctx, (size_t)l->channels + 1, sizeof *bias);
    if (!bias) return PRECIS_ENOMEM;
    if (has) memcpy(bias, from, (size_t)l->channels * sizeof *bias);
    correct_bias(q, n, x_value, l, s, bias);
    const precis_value v = bias_codes(q, has ? q->g->values[n->in[at]].name : n->name, bias, l, x->scale, s->p);
    precis_value *in = pcs_arena_alloc(&q->g->arena, at + 1, sizeof *in);
    pcs_free(q->ctx, bias);
    if (v < 0 || !in) return q->g->error ? q->g->error : PRECIS_ENOMEM;
    memcpy(in, n->in, n->n_in * sizeof *in);
    in[at] = v;
    n->in = in;
    n->n_in = at + 1;
    return PRECIS_OK;
}

/* The node with that input in place of its weights. */
static precis_status replace(precis_net_quant *q, pcs_node *n, uint32_t input, precis_value v)
{
    precis_value *in = pcs_arena_alloc(&q->g->arena, n->n_in + 1, sizeof *in);
    if (!in || v < 0) return q->g->error ? pcs_fail(q->ctx, q->g->error, "%s", q->g->message) : PRECIS_ENOMEM;
    memcpy(in, n->in, n->n_in * sizeof *in);
    in[input] = v;
    n->in = in;
    return PRECIS_OK;
}

bool pcs_net_by_channel(const precis_net_quant *q, const pcs_node *n)
{
    pcs_net_weight f;
    const bool batches = !n->op->weight && !pcs_net_is_recurrent(q->g, n) && pcs_net_weight_of(q->g, n, &f) &&
                         q->g->values[n->in[f.input]].dims > 2;
    return q->per_channel && (q->mode == PCS_NET_WEIGHTS || !batches);
}

precis_status pcs_net_store(precis_net_quant *q, size_t at, pcs_node *n, const pcs_qparams *x, precis_value x_value)
{
    pcs_net_weight f;
    if (!pcs_net_weight_of(q->g, n, &f))
        return pcs_fail(q->ctx, PRECIS_EINVAL, "node %s: its weights are no constants", n->name);
    const pcs_value w = q->g->values[n->in[f.input]];
    if (!pcs_dtype_whole(q->weight_type)) return replace(q, n, f.input, pcs_net_small_floats(q, &w, f.axis));
    if (q->block && f.matrix) return replace(q, n, f.input, pcs_net_blocks(q, at, &w, !f.axis, q->block));
    const layout l = lay_out_by(&w, f.axis, pcs_net_by_channel(q, n));
    if (!l.w) return pcs_fail(q->ctx, PRECIS_EINVAL, "node %s: its weights are fewer than their shape", n->name);
    const bool bias = n->op->bias && n->n_in > n->op->bias;
    const pcs_value b = bias ? q->g->values[n->in[n->op->bias]] : (pcs_value){ .node = -1 };
    const bool fits = n->op->bias && (!bias || (pcs_value_is_known(&b) && b.shape[0] == l.channels)) &&
                      !n->op->channel_axis;
    pcs_qparams *p = pcs_alloc(q->ctx, (size_t)l.channels + 1, sizeof *p);
    if (!p) return PRECIS_ENOMEM;
    precis_status st = choose_scales(q, &l, p, w.name);
    const float *biases = bias && fits ? pcs_value_f32(&b, (uint64_t)l.channels) : NULL;
    if (!st && x && biases && !pcs_all_finite(biases, (size_t)l.channels))
        st = pcs_fail(q->ctx, PRECIS_EFORMAT, "node %s: bias %s holds what is no finite number", n->name, b.name);
    if (!st && x && bias && fits)
        q->nodes[at].weight_raised = make_room(q, &l, biases, x->scale, p);
    int32_t *codes = st ? NULL : pcs_net_codes(q, at, l.w, (int64_t[]){ l.outer, l.channels, l.inner }, p);
    if (!st && !codes) st = PRECIS_ENOMEM;
    const stored s = { codes, p };
    if (!st) st = replace(q, n, f.input, weight_codes(q, &w, &l, &s, f.axis));
    if (!st && x && fits) st = store_bias(q, n, &l, &s, x, x_value);
    pcs_free(q->ctx, codes);
    pcs_free(q->ctx, p);
    return st;
}

/* Codes of w [ways, rows, k] with a scale for each row. */
precis_status pcs_net_row_scales(precis_net_quant *q, const pcs_value *w, pcs_qparams **scales)
{
    const layout l = lay_out_by(w, 1, q->per_channel);
    *scales = NULL;
    if (!l.w) return pcs_fail(q->ctx, PRECIS_EINVAL, "weights %s are fewer than their shape", w->name);
    *scales = pcs_alloc(q->ctx, (size_t)l.channels + 1, sizeof **scales);
    return *scales ? choose_scales(q, &l, *scales, w->name) : PRECIS_ENOMEM;
}

/* Weights of a recurrent node, [ways, gates * hidden, in] and [ways, gates * hidden, hidden], by row of its gates,
 * which are decoded and multiplied as floats. */
precis_status pcs_net_store_recurrent(precis_net_quant *q, size_t at, pcs_node *n)
{
    precis_status st = PRECIS_OK;
    for (uint32_t i = 1; i < 3 && !st; i++) {
        const pcs_value w = q->g->values[n->in[i]];
        if (!pcs_dtype_whole(q->weight_type)) {
            st = replace(q, n, i, pcs_net_small_floats(q, &w, 1));
            continue;
        }
        const layout l = lay_out_by(&w, 1, q->per_channel);
        pcs_qparams *p;
        st = pcs_net_row_scales(q, &w, &p);
        int32_t *codes = st ? NULL : pcs_net_codes(q, at, l.w, (int64_t[]){ l.outer, l.channels, l.inner }, p);
        if (!st && !codes) st = PRECIS_ENOMEM;
        if (!st) st = replace(q, n, i, weight_codes(q, &w, &l, &(const stored){ codes, p }, 1));
        pcs_free(q->ctx, codes);
        pcs_free(q->ctx, p);
    }
    return st;
}
