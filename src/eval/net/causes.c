/* causes.c - why a node of a net in codes loses, from what was measured of it, and what would mend it.
 *
 * Its own error has parts: what its weights (and bias) lose, seen before its result is rounded (raw); and what its
 * result's codes lose (the rest), of which some comes from values beyond their range. A remedy changes one part, which
 * is computed on the float values, not guessed: other ranges by coding the values again, scales of channels by coding
 * the weights again. */
#include "eval/net/nodes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

extern const pcs_op pcs_op_from_codes;

#define OUTLIER 8.0 /* a channel's largest magnitude over the median one's */
#define FAR 2.0     /* a range over the data's */
#define WORTH 0.6   /* what a better range must leave of the error, so that it is named */

/* ---- weights ------------------------------------------------------------------------------------- */

/* What the weights of a channel would lose with a scale of their own: they are known in codes alone, so that their
 * error is that of a uniform rounding, scale^2 / 12 for each weight. */
static void measure(const float *w, const pcs_value *x, uint32_t axis, float scale, float *top, pcs_node_weights *out)
{
    double own = 0, one = 0;
    uint64_t inner = 1, all = 1;
    for (uint32_t d = 0; d < x->dims; d++) {
        all *= (uint64_t)x->shape[d];
        if (d > axis) inner *= (uint64_t)x->shape[d];
    }
    for (uint64_t i = 0; i < all; i++) {
        const uint64_t c = i / inner % out->channels;
        const float a = fabsf(w[i]);
        top[c] = a > top[c] ? a : top[c];
    }
    for (uint64_t c = 0; c < out->channels; c++) {
        const double s = (double)top[c] / 127;
        own += s * s;
        one += (double)scale * (double)scale;
        out->dead += top[c] == 0;
    }
    out->ratio = one > 0 ? own / one : 1;
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

precis_status pcs_node_look_at_weights(precis_ctx *ctx, const precis_program *q, const precis_graph *g, int32_t node,
                                       pcs_node_weights *w)
{
    *w = (pcs_node_weights){ .ratio = 1 };
    if (node < 0) return PRECIS_OK;
    const pcs_node *n = &g->nodes[node];
    for (uint32_t i = 1; i < n->n_in && !w->there; i++) {
        const precis_value v = n->in[i];
        const pcs_value *x = v < 0 ? NULL : &g->values[v];
        if (!x || x->node < 0 || g->nodes[x->node].op != &pcs_op_from_codes || x->dims < 2) continue;
        const pcs_node *decode = &g->nodes[x->node];
        const pcs_value *codes = &g->values[decode->in[0]], *scale = &g->values[decode->in[1]];
        const float *numbers = q->slots[q->slots[v].root].data;
        const float *first = pcs_value_f32(scale, 1);
        if (!pcs_value_is_known(codes) || !first || !numbers) continue;
        const uint32_t axis = n->op->weight == i && n->op->channel_axis < x->dims ? n->op->channel_axis : x->dims - 1;
        uint64_t scales = 1;
        for (uint32_t d = 0; d < scale->dims; d++) scales *= (uint64_t)scale->shape[d];
        w->there = true;
        w->one_scale = scales == 1;
        w->channels = (uint64_t)x->shape[axis];
        if (!w->channels) continue;
        float *top = pcs_alloc(ctx, (size_t)w->channels, sizeof *top);
        if (!top) return PRECIS_ENOMEM;
        measure(numbers, x, axis, *first, top, w);
        qsort(top, (size_t)w->channels, sizeof *top, by_size);
        const float middle = top[w->channels / 2], largest = top[w->channels - 1];
        w->outlier = middle > 0 ? (double)largest / (double)middle : largest > 0 ? INFINITY : 1;
        pcs_free(ctx, top);
    }
    return PRECIS_OK;
}

/* ---- causes -------------------------------------------------------------------------------------- */

/* How many times the magnitude of the median channel the largest one has. */
static double outlier_of(const pcs_node_pair *p)
{
    uint64_t below = 0;
    float largest = 0, middle = 0;
    for (uint64_t c = 0; c < p->channels; c++) largest = p->top[c] > largest ? p->top[c] : largest;
    for (uint64_t c = 0; c < p->channels; c++) { /* the channel that half of them do not pass */
        below = 0;
        for (uint64_t k = 0; k < p->channels; k++) below += p->top[k] <= p->top[c];
        if (below * 2 >= p->channels && (middle == 0 || p->top[c] < middle)) middle = p->top[c];
    }
    return middle > 0 ? (double)largest / (double)middle : 1;
}

static void say(pcs_node_pair *p, const char *cause, const char *option, double noise)
{
    p->e.why.cause = cause;
    p->e.why.option = option;
    p->e.why.gain_db = noise > 0 ? 10 * log10(p->added / noise) : INFINITY;
    if (p->e.why.gain_db < 0) p->e.why.gain_db = 0;
}

#define DETAIL(...) snprintf(p->e.why.detail, sizeof p->e.why.detail, __VA_ARGS__)

/* Codes lose most of it. */
static void explain_codes(pcs_node_pair *p, double own, double codes)
{
    const double per = p->tried ? (double)p->n / (double)p->tried : 0;
    const double data = p->of_data * per, best = p->of_best * per, least = data < best ? data : best;
    const char *range = data <= best * 1.05 ? "--observer minmax" : "--observer mse";
    const double width = ((double)p->scheme.high - p->scheme.low) * (double)p->params.scale;
    const double from = p->low < 0 ? (double)p->low : 0, to = p->high > 0 ? (double)p->high : 0;
    const double outlier = outlier_of(p);
    if (p->clipped_noise > 0.5 * codes) {
        say(p, "clipped", range, own + least);
        DETAIL("%.3g %% of the values lie beyond the range of its codes", 100 * p->e.clipped);
    } else if (width > FAR * (to - from) && p->shared) {
        say(p, "shared range", "--like precis", own + least);
        DETAIL("its codes span %.4g, its values %.4g: the range is another value's, too", width, to - from);
    } else if (width > FAR * (to - from)) {
        say(p, "range far from data", range, own + least);
        DETAIL("its codes span %.4g, its values %.4g", width, to - from);
    } else if (outlier > OUTLIER) {
        say(p, "outlier channel", "--activations u16", own + codes / 65536);
        DETAIL("the largest channel is %.3g times the median one, and all share a scale", outlier);
    } else if (p->shared && own + least < WORTH * p->added) {
        say(p, "shared range", "--like precis", own + least);
        DETAIL("its scale is another value's, too");
    } else if (own + least < WORTH * p->added) {
        say(p, "range far from data", range, own + least);
        DETAIL("its codes span %.4g, its values %.4g", width, to - from);
    } else {
        say(p, "rounding", "--activations u16", own + codes / 65536);
        DETAIL("8 bits of its result's codes are what it loses");
    }
}

void pcs_node_explain(pcs_node_pair *p)
{
    double biased = 0;
    for (uint64_t c = 0; c < p->channels; c++)
        if (p->count[c]) biased += p->error_sum[c] * p->error_sum[c] / (double)p->count[c];
    const bool coded = p->d != p->q;
    const double own = coded ? (p->input < 0 ? p->raw : 0) : p->added, codes = p->added > own ? p->added - own : 0;
    if (coded && p->has_codes && (codes >= own || !p->w.there)) {
        explain_codes(p, own, codes);
        return;
    }
    if (p->w.there && p->w.one_scale && p->w.ratio < 0.8) {
        const bool dead = p->w.dead > 0;
        say(p, dead ? "dead channel" : "outlier channel", "--per-channel", codes + own * p->w.ratio);
        if (dead) DETAIL("%llu of %llu channels of weights are nothing but zeros in codes of one scale",
                         (unsigned long long)p->w.dead, (unsigned long long)p->w.channels);
        else DETAIL("the largest channel of weights is %.3g times the median one, and all share a scale", p->w.outlier);
    } else if (biased > 0.5 * p->added) {
        say(p, "bias", "--like precis", p->added - biased);
        DETAIL("%.0f %% of its error is a shift of whole channels, which a corrected bias takes away",
               100 * biased / p->added);
    } else {
        say(p, "weights", "left in float", codes);
        DETAIL("the codes of its weights are what it loses, in every channel alike");
    }
}
