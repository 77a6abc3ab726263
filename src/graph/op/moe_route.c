/* moe_route - which experts take a token, and how much each counts: router logits [tokens, experts] to
 * [tokens, 2 * top]: numbers of the experts, then their weights (Shazeer et al. 2017, section 2.1; softmax first, as
 * Switch does). Ties go to the lower number. norm=1: the weights of the chosen ones sum to 1. */
#include "base/fmath.h"
#include "graph/graph.h"

enum { TOP, NORM, SCALE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t top = n->attr[TOP].integer;
    if (x->dtype != PCS_F32 || x->dims != 2 || top < 1 || top > x->shape[1])
        return pcs_op_fail(g, n, "takes logits[tokens, experts] and top of 1 to experts");
    out->dims = 2;
    out->shape[0] = x->shape[0];
    out->shape[1] = 2 * top;
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)c->in[0].shape[0], n = (size_t)c->in[0].shape[1], top = (size_t)c->attr[TOP].integer;
    for (size_t t = ith; t < rows; t += nth) {
        const float *x = (const float *)c->in[0].data + t * n;
        float *id = (float *)c->out[0].data + t * 2 * top, *weight = id + top, most = x[0], sum = 0, chosen = 0;
        for (size_t e = 1; e < n; e++) most = x[e] > most ? x[e] : most;
        for (size_t e = 0; e < n; e++) sum += pcs_expf(x[e] - most);
        for (size_t k = 0; k < top; k++) {
            size_t best = n;
            for (size_t e = 0; e < n; e++) {
                bool taken = false;
                for (size_t j = 0; j < k; j++) taken |= (size_t)id[j] == e;
                if (!taken && (best == n || x[e] > x[best])) best = e;
            }
            if (best == n) best = k; /* NaN everywhere */
            id[k] = (float)best;
            weight[k] = pcs_expf(x[best] - most) / sum;
            chosen += weight[k];
        }
        for (size_t k = 0; k < top; k++)
            weight[k] = (c->attr[NORM].integer != 0 ? weight[k] / chosen : weight[k]) * (float)c->attr[SCALE].real;
    }
}

/* p: probabilities of all experts; weight k is p[id k], over the sum of the chosen ones with norm, times scale. */
static void by_logits(const pcs_call *c, const float *x, const float *id, const float *d, float *dx)
{
    const size_t n = (size_t)c->in[0].shape[1], top = (size_t)c->attr[TOP].integer;
    float most = x[0];
    double sum = 0, chosen = 0, flow = 0, mean = 0;
    for (size_t e = 1; e < n; e++) most = x[e] > most ? x[e] : most;
    for (size_t e = 0; e < n; e++) sum += (double)pcs_expf(x[e] - most);
    for (size_t k = 0; k < top; k++) {
        const double p = (double)pcs_expf(x[(size_t)id[k]] - most) / sum;
        chosen += p;
        flow += p * d[k];
    }
    const bool norm = c->attr[NORM].integer != 0;
    const double scale = c->attr[SCALE].real / (norm ? chosen : 1.0), back = norm ? flow / chosen : 0.0;
    for (size_t k = 0; k < top; k++)
        mean += (double)pcs_expf(x[(size_t)id[k]] - most) / sum * ((double)d[k] - back) * scale;
    for (size_t e = 0; e < n; e++) {
        double by = 0; /* the gradient by p[e] */
        for (size_t k = 0; k < top; k++)
            if ((size_t)id[k] == e) by += ((double)d[k] - back) * scale;
        dx[e] += (float)((double)pcs_expf(x[e] - most) / sum * (by - mean));
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)c->in[0].shape[0], n = (size_t)c->in[0].shape[1], top = (size_t)c->attr[TOP].integer;
    const float *x = c->in[0].data, *route = c->out[0].data;
    for (size_t t = ith; g->in[0] && t < rows; t += nth)
        by_logits(c, x + t * n, route + t * 2 * top, g->out[0] + t * 2 * top + top, g->in[0] + t * n);
}

const pcs_op pcs_op_moe_route = {
    .name = "moe_route", .min_in = 1, .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("top", 2), PCS_INT("norm", 1), PCS_REAL("scale", 1)), .infer = infer,
    .eval = eval, .backward = backward,
};
