/* kl_divergence - of each row of a student's logits from a teacher's, both at a temperature, times its square (Hinton
 * et al. 2015, section 2): KL(teacher || student), or with reverse=1 KL(student || teacher). */
#include "base/fmath.h"
#include "graph/op/pair.h"

enum { TEMPERATURE, REVERSE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (!(n->attr[TEMPERATURE].real > 0)) return pcs_op_fail(g, n, "temperature is %g", n->attr[TEMPERATURE].real);
    if (g->values[n->in[0]].dims != 2)
        return pcs_op_fail(g, n, "takes student[rows, classes] and teacher[rows, classes]");
    const precis_status st = pcs_infer_pair(g, n, out);
    out->dims = 1;
    return st;
}

/* A row's logarithms of probabilities are x / T - log_sum. */
static double log_sum_at(const float *x, size_t n, double t)
{
    double top = x[0], sum = 0;
    for (size_t i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
    for (size_t i = 0; i < n; i++) sum += pcs_exp((x[i] - top) / t);
    return top / t + pcs_log(sum);
}

/* KL(a || b) without the square of the temperature. */
static double divergence(const float *a, const float *b, size_t n, double t, double la, double lb)
{
    double kl = 0;
    for (size_t i = 0; i < n; i++) kl += pcs_exp(a[i] / t - la) * ((a[i] / t - la) - (b[i] / t - lb));
    return kl;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[0].shape[1], rows = (size_t)c->in[0].shape[0],
                 first = c->attr[REVERSE].integer ? 0 : 1;
    const double t = c->attr[TEMPERATURE].real;
    uint64_t begin, end;
    pcs_share(rows, 1, ith, nth, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        const float *a = (const float *)c->in[first].data + r * n, *b = (const float *)c->in[1 - first].data + r * n;
        ((float *)c->out[0].data)[r] = (float)(t * t *
                                               divergence(a, b, n, t, log_sum_at(a, n, t), log_sum_at(b, n, t)));
    }
}

/* By a: T p_a (log p_a - log p_b - KL); by b: T (p_b - p_a). */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[0].shape[1], rows = (size_t)c->in[0].shape[0],
                 first = c->attr[REVERSE].integer ? 0 : 1;
    const double t = c->attr[TEMPERATURE].real;
    float *const da = g->in[first], *const db = g->in[1 - first];
    uint64_t begin, end;
    pcs_share(rows, 1, ith, nth, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        const float *a = (const float *)c->in[first].data + r * n, *b = (const float *)c->in[1 - first].data + r * n;
        const double la = log_sum_at(a, n, t), lb = log_sum_at(b, n, t), kl = divergence(a, b, n, t, la, lb),
                     d = t * g->out[0][r];
        for (size_t i = 0; i < n; i++) {
            const double pa = pcs_exp(a[i] / t - la), pb = pcs_exp(b[i] / t - lb);
            if (da) da[r * n + i] += (float)(d * pa * ((a[i] / t - la) - (b[i] / t - lb) - kl));
            if (db) db[r * n + i] += (float)(d * (pb - pa));
        }
    }
}

const pcs_op pcs_op_kl_divergence = {
    .name = "kl_divergence",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("temperature", 1), PCS_INT("reverse", 0)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
};
