/* cross_entropy - of each row of logits with its target, in nats; probabilities are never stored.
 *
 * (1 - smoothing) (L - x[target]) + smoothing (L - mean x) + z L^2, with L = log sum e^x; z: PaLM's z-loss (Chowdhery
 * et al. 2022, section 5). A row whose target is `ignore` gives 0 and has no gradient; one whose target is no column
 * gives NaN, so that nobody trains on it unseen. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "graph/graph.h"
#include "kernel/scores.h"

enum { SMOOTHING, Z, IGNORE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *t = &g->values[n->in[1]];
    const double smoothing = n->attr[SMOOTHING].real;
    if (x->dtype != PCS_F32 || x->dims != 2 || t->dtype != PCS_I32 || t->dims != 1 || t->shape[0] != x->shape[0] ||
        x->shape[1] < 1)
        return pcs_op_fail(g, n, "takes logits[rows, classes] and i32 targets[rows]");
    if (!(smoothing >= 0 && smoothing < 1))
        return pcs_op_fail(g, n, "smoothing is %g, not from 0 to below 1", smoothing);
    out->dims = 1;
    out->shape[0] = x->shape[0];
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[0].shape[1], rows = (size_t)c->in[0].shape[0];
    const int32_t *target = c->in[1].data;
    const double smoothing = c->attr[SMOOTHING].real;
    float *y = c->out[0].data;
    uint64_t begin, end;
    pcs_share(rows, 1, ith, nth, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        const float *x = (const float *)c->in[0].data + r * n;
        const bool outside = target[r] < 0 || (size_t)target[r] >= n;
        y[r] = target[r] == c->attr[IGNORE].integer ? 0.0f : pcs_nanf();
        if (target[r] == c->attr[IGNORE].integer || outside) continue;
        const double l = pcs_log_sum(c->kernels, x, n, NULL);
        double mean = 0;
        for (size_t i = 0; smoothing > 0 && i < n; i++) mean += x[i];
        y[r] = (float)((1 - smoothing) * (l - x[target[r]]) + smoothing * (l - mean / (double)n) +
                       c->attr[Z].real * l * l);
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[0].shape[1], rows = (size_t)c->in[0].shape[0];
    const int32_t *target = c->in[1].data;
    const float smoothing = (float)c->attr[SMOOTHING].real, each = smoothing / (float)n;
    uint64_t begin, end;
    pcs_share(rows, 1, ith, nth, &begin, &end);
    for (size_t r = begin; g->in[0] && r < end; r++) {
        const bool outside = target[r] < 0 || (size_t)target[r] >= n;
        if (target[r] == c->attr[IGNORE].integer || outside) continue;
        const float *x = (const float *)c->in[0].data + r * n, d = g->out[0][r];
        float *dx = g->in[0] + r * n;
        const double l = pcs_log_sum(c->kernels, x, n, NULL);
        const float shift = (float)l, by = (float)(1 + 2 * c->attr[Z].real * l);
        for (size_t i = 0; i < n; i++) dx[i] += d * (pcs_expf(x[i] - shift) * by - each);
        dx[target[r]] -= d * (1.0f - smoothing);
    }
}

const pcs_op pcs_op_cross_entropy = {
    .name = "cross_entropy",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("smoothing", 0), PCS_REAL("z", 0), PCS_INT("ignore", -100)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
};
