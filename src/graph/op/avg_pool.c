/* avg_pool - the mean of each window of size x size in x[batch, channels, h, w]; no padding. */
#include "graph/op/square.h"

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_square s = pcs_square_of(c);
    const int64_t places = s.oh * s.ow, taps = s.size * s.size;
    for (int64_t p = ith; p < s.planes; p += nth)
        for (int64_t o = 0; o < places; o++) {
            const float *x = (const float *)c->in[0].data + pcs_square_begin(&s, p, o);
            float sum = 0.0f;
            for (int64_t i = 0; i < taps; i++) sum += x[pcs_square_at(&s, i)];
            ((float *)c->out[0].data)[p * places + o] = sum / (float)taps;
        }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_square s = pcs_square_of(c);
    const int64_t places = s.oh * s.ow, taps = s.size * s.size;
    for (int64_t p = ith; g->in[0] && p < s.planes; p += nth)
        for (int64_t o = 0; o < places; o++) {
            float *dx = g->in[0] + pcs_square_begin(&s, p, o);
            const float each = g->out[0][p * places + o] / (float)taps;
            for (int64_t i = 0; i < taps; i++) dx[pcs_square_at(&s, i)] += each;
        }
}

const pcs_op pcs_op_avg_pool = {
    .name = "avg_pool", .min_in = 1, .max_in = 1, .attrs = PCS_SQUARE_ATTRS, .infer = pcs_infer_square, .eval = eval,
    .backward = backward,
};
