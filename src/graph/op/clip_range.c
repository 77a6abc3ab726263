/* clip_range - weights [rows, k] clipped at +-c before a type rounds them, with c learned [1] or [rows], or rms times
 * the root of the mean square of each row.
 *
 * What the type's own scale is made of is thereby at most c, so that a group of weights that reaches c has the step of
 * LSQ (1902.08153) or ParetoQ (2502.02631) whose largest level c is. Gradients: x's where |x| <= c (1 + margin), margin
 * being half a step in QuEST's trust region (2502.05003, section 3.2); c's by what is clipped, times `factor`; what
 * rounding adds to it is range_step's. */
#include "base/fmath.h"
#include "graph/graph.h"
#include "graph/op/round.h"

enum { RMS, MARGIN, FACTOR };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *c = n->n_in > 1 ? &g->values[n->in[1]] : NULL;
    if (x->dims != 2 || x->dtype != PCS_F32) return pcs_op_fail(g, n, "takes x[rows, k]");
    if (c && (c->dtype != PCS_F32 || c->dims != 1 || (c->shape[0] != 1 && c->shape[0] != x->shape[0])))
        return pcs_op_fail(g, n, "takes a range for all, or one for each row");
    if (!c && !(n->attr[RMS].real > 0))
        return pcs_op_fail(g, n, "has neither a range nor a share of the root mean square");
    return pcs_infer_like(g, n, 0, out);
}

/* Of row r; below 1e-8 nothing would be left of it. */
static float range_of(const pcs_call *c, size_t r, size_t k)
{
    float range;
    if (c->n_in > 1) range = ((const float *)c->in[1].data)[c->in[1].shape[0] == 1 ? 0 : r];
    else {
        const float *x = (const float *)c->in[0].data + r * k;
        double squares = 0;
        for (size_t i = 0; i < k; i++) squares += (double)x[i] * x[i];
        range = (float)c->attr[RMS].real * pcs_sqrtf((float)(squares / (double)k));
    }
    return range > 1e-8f ? range : 1e-8f;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)c->in[0].shape[0], k = (size_t)c->in[0].shape[1];
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++) {
        const float *x = (const float *)c->in[0].data + r * k, range = range_of(c, r, k);
        for (size_t i = 0; i < k; i++) ((float *)c->out[0].data)[r * k + i] = pcs_clamp(x[i], -range, range);
    }
}

/* The sum over a row of d where it is clipped, with the sign of x. */
static double clipped(const float *x, const float *d, size_t k, float range)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++) sum += x[i] > range ? (double)d[i] : x[i] < -range ? -(double)d[i] : 0;
    return sum;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)c->in[0].shape[0], k = (size_t)c->in[0].shape[1];
    const float *x = c->in[0].data, *d = g->out[0];
    const float wide = 1.0f + (float)c->attr[MARGIN].real;
    for (size_t r = rows * ith / nth; g->in[0] && r < rows * (ith + 1) / nth; r++) {
        const float range = range_of(c, r, k) * wide;
        for (size_t i = r * k; i < (r + 1) * k; i++)
            if (x[i] <= range && x[i] >= -range) g->in[0][i] += d[i];
    }
    if (c->n_in < 2 || !g->in[1]) return;
    const double factor = c->attr[FACTOR].real;
    if (c->in[1].shape[0] != 1) {
        for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++)
            g->in[1][r] += (float)(factor * clipped(x + r * k, d + r * k, k, range_of(c, r, k)));
        return;
    }
    double sum = 0; /* one thread: it is over all rows */
    for (size_t r = 0; ith == nth - 1 && r < rows; r++) sum += clipped(x + r * k, d + r * k, k, range_of(c, r, k));
    if (ith == nth - 1) g->in[1][0] += (float)(factor * sum);
}

const pcs_op pcs_op_clip_range = {
    .name = "clip_range",
    .min_in = 1,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("rms", 0), PCS_REAL("margin", 0), PCS_REAL("factor", 1)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
    .straight_through = true,
};
