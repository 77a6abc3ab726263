/* kl_divergence - of each row of a student's logits from a teacher's, both at a temperature, times its square (Hinton
 * et al. 2015, section 2): KL(teacher || student), or with reverse=1 KL(student || teacher). */
#include "base/fmath.h"
#include "graph/op/pair.h"
#include "kernel/scores.h"

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

/* Rows a and b of KL(a || b) at the temperature, their log sums, and the divergence. */
typedef struct { const float *a, *b; double la, lb, kl; } rows_of;

static size_t scratch(const pcs_call *c) { return 2 * sizeof(float) * (size_t)c->in[0].shape[1]; }

static const float *at_temperature(const float *x, size_t n, double t, float *out)
{
    const float over = (float)(1 / t);
    if (t == 1) return x;
    for (size_t i = 0; i < n; i++) out[i] = x[i] * over;
    return out;
}

static rows_of look_at(const pcs_call *c, size_t r, uint32_t ith, bool divergence)
{
    const size_t n = (size_t)c->in[0].shape[1], first = c->attr[REVERSE].integer ? 0 : 1;
    const double t = c->attr[TEMPERATURE].real;
    float *mem = (float *)(void *)(c->scratch + ith * c->scratch_size);
    rows_of w = { .a = at_temperature((const float *)c->in[first].data + r * n, n, t, mem),
                  .b = at_temperature((const float *)c->in[1 - first].data + r * n, n, t, mem + n) };
    w.la = pcs_log_sum(c->kernels, w.a, n, NULL), w.lb = pcs_log_sum(c->kernels, w.b, n, NULL);
    if (divergence) w.kl = pcs_divergence(c->kernels, w.a, w.la, w.b, w.lb, n);
    return w;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const double t = c->attr[TEMPERATURE].real;
    uint64_t begin, end;
    pcs_share((uint64_t)c->in[0].shape[0], 1, ith, nth, &begin, &end);
    for (size_t r = begin; r < end; r++)
        ((float *)c->out[0].data)[r] = (float)(t * t * look_at(c, r, ith, true).kl);
}

/* By a: T p_a (log p_a - log p_b - KL); by b: T (p_b - p_a). */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[0].shape[1], first = c->attr[REVERSE].integer ? 0 : 1;
    float *const da = g->in[first], *const db = g->in[1 - first];
    uint64_t begin, end;
    pcs_share((uint64_t)c->in[0].shape[0], 1, ith, nth, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        const rows_of w = look_at(c, r, ith, da != NULL);
        const float d = (float)c->attr[TEMPERATURE].real * g->out[0][r], la = (float)w.la, lb = (float)w.lb;
        for (size_t i = 0; da && i < n; i++) {
            const double apart = ((double)w.a[i] - w.la) - ((double)w.b[i] - w.lb) - w.kl;
            da[r * n + i] += d * pcs_expf(w.a[i] - la) * (float)apart;
        }
        for (size_t i = 0; db && i < n; i++) db[r * n + i] += d * (pcs_expf(w.b[i] - lb) - pcs_expf(w.a[i] - la));
    }
}

const pcs_op pcs_op_kl_divergence = {
    .name = "kl_divergence",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("temperature", 1), PCS_INT("reverse", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .backward = backward,
    .scratch_back = scratch,
};
