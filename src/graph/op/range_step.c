/* range_step - weights y [rows, k] that a type made of x [rows, k], which was clipped at a learned c ([1] or [rows]),
 * as they are; for the gradient of c alone, by what rounding added (LSQ: 1902.08153, equation 3).
 *
 * In a group of `group` weights (0: the row) whose scale c has set, because something in it reaches c, the levels move
 * with c, and a weight within by (y - x) / c. y's gradient is the result's. The sum is times `factor`. */
#include "graph/graph.h"

enum { GROUP, FACTOR };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *y = &g->values[n->in[0]], *x = &g->values[n->in[1]], *c = &g->values[n->in[2]];
    bool ok = y->dims == 2 && x->dims == 2 && c->dims == 1 && y->dtype == PCS_F32 && x->dtype == PCS_F32 &&
              c->dtype == PCS_F32 && n->attr[GROUP].integer >= 0;
    ok = ok && y->shape[0] == x->shape[0] && y->shape[1] == x->shape[1];
    if (!ok || (c->shape[0] != 1 && c->shape[0] != x->shape[0]))
        return pcs_op_fail(g, n, "takes y[rows, k], x[rows, k] and a range for all, or one for each row");
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    memcpy((float *)c->out[0].data + begin, (const float *)c->in[0].data + begin,
           (size_t)(end - begin) * sizeof(float));
}

/* Of a row. */
static double moved(const pcs_call *c, const float *d, size_t r, size_t k)
{
    const float *y = (const float *)c->in[0].data + r * k, *x = (const float *)c->in[1].data + r * k;
    const float range = ((const float *)c->in[2].data)[c->in[2].shape[0] == 1 ? 0 : r];
    const size_t group = c->attr[GROUP].integer ? (size_t)c->attr[GROUP].integer : k;
    double sum = 0;
    for (size_t at = 0; range > 1e-8f && at < k; at += group) {
        const size_t end = k - at < group ? k : at + group;
        bool reaches = false;
        double part = 0;
        for (size_t i = at; i < end; i++) {
            const bool edge = x[i] >= range || x[i] <= -range;
            reaches |= edge;
            part += edge ? 0 : (double)d[r * k + i] * ((double)y[i] - x[i]) / range;
        }
        sum += reaches ? part : 0;
    }
    return sum;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)c->in[0].shape[0], k = (size_t)c->in[0].shape[1];
    const double factor = c->attr[FACTOR].real;
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    for (uint64_t i = begin; g->in[0] && i < end; i++) g->in[0][i] += g->out[0][i];
    if (!g->in[2]) return;
    if (c->in[2].shape[0] != 1) {
        for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++)
            g->in[2][r] += (float)(factor * moved(c, g->out[0], r, k));
        return;
    }
    double sum = 0; /* one thread: it is over all rows */
    for (size_t r = 0; ith == nth - 1 && r < rows; r++) sum += moved(c, g->out[0], r, k);
    if (ith == nth - 1) g->in[2][0] += (float)(factor * sum);
}

const pcs_op pcs_op_range_step = {
    .name = "range_step",
    .min_in = 3,
    .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_INT("group", 0), PCS_REAL("factor", 1)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
    .straight_through = true,
};
