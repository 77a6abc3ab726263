/* rope_table - cosines, then sines, of position * frequency, times `scale`: [tokens][2 * n] for n frequencies. */
#include "base/fmath.h"
#include "graph/graph.h"

enum { SCALE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *pos = &g->values[n->in[0]], *f = &g->values[n->in[1]];
    if (pos->dtype != PCS_I32 || pos->dims != 1 || f->dtype != PCS_F32 || f->dims != 1)
        return pcs_op_fail(g, n, "takes positions[tokens] and frequencies[n]");
    out->dims = 2;
    out->shape[0] = pos->shape[0];
    out->shape[1] = 2 * f->shape[0];
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[1].shape[0];
    const int32_t *pos = c->in[0].data;
    const float *f = c->in[1].data;
    for (size_t t = ith; t < (size_t)c->in[0].shape[0]; t += nth) {
        float *y = (float *)c->out[0].data + t * 2 * n;
        for (size_t i = 0; i < n; i++) {
            double sn, cs;
            pcs_sincos((double)pos[t] * (double)f[i], &sn, &cs);
            y[i] = (float)cs * (float)c->attr[SCALE].real;
            y[n + i] = (float)sn * (float)c->attr[SCALE].real;
        }
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[1].shape[0];
    const int32_t *pos = c->in[0].data;
    const float *f = c->in[1].data;
    for (size_t i = ith; g->in[1] && i < n; i += nth) {
        double sum = 0;
        for (size_t t = 0; t < (size_t)c->in[0].shape[0]; t++) {
            const float *d = g->out[0] + t * 2 * n;
            double sn, cs;
            pcs_sincos((double)pos[t] * (double)f[i], &sn, &cs);
            sum += ((double)d[n + i] * cs - (double)d[i] * sn) * (double)pos[t];
        }
        g->in[1][i] += (float)(sum * c->attr[SCALE].real);
    }
}

const pcs_op pcs_op_rope_table = {
    .name = "rope_table", .min_in = 2, .max_in = 2, .attrs = PCS_ATTR_TABLE(PCS_REAL("scale", 1)), .infer = infer,
    .eval = eval, .backward = backward,
};
