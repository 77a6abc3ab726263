/* max_pool - the largest of each window of size x size in x[batch, channels, h, w]; no padding. NaN is the largest, as
 * torch has it: what went wrong before is not hidden by pooling. */
#include "graph/op/square.h"

static bool is_larger(float v, float than) { return v > than || (v != v && than == than); }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_square s = pcs_square_of(c);
    const int64_t places = s.oh * s.ow;
    for (int64_t p = ith; p < s.planes; p += nth)
        for (int64_t o = 0; o < places; o++) {
            const float *x = (const float *)c->in[0].data + pcs_square_begin(&s, p, o);
            float most = x[pcs_square_at(&s, 0)];
            for (int64_t i = 1; i < s.size * s.size; i++) {
                const float v = x[pcs_square_at(&s, i)];
                most = is_larger(v, most) ? v : most;
            }
            ((float *)c->out[0].data)[p * places + o] = most;
        }
}

/* The first of the largest takes all, as eval keeps it. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_square s = pcs_square_of(c);
    const int64_t places = s.oh * s.ow;
    for (int64_t p = ith; g->in[0] && p < s.planes; p += nth)
        for (int64_t o = 0; o < places; o++) {
            const int64_t at = pcs_square_begin(&s, p, o);
            const float *x = (const float *)c->in[0].data + at;
            int64_t best = 0;
            for (int64_t i = 1; i < s.size * s.size; i++)
                if (is_larger(x[pcs_square_at(&s, i)], x[pcs_square_at(&s, best)])) best = i;
            g->in[0][at + pcs_square_at(&s, best)] += g->out[0][p * places + o];
        }
}

const pcs_op pcs_op_max_pool = {
    .name = "max_pool", .min_in = 1, .max_in = 1, .attrs = PCS_SQUARE_ATTRS, .infer = pcs_infer_square, .eval = eval,
    .backward = backward,
};
