/* pad - elements before and after each dimension (pads: all before, then all after; negative ones take away): mode
 * constant (input 1, one element), edge, reflect (without the edge) or wrap. tile is pad's wrap, with as many as there
 * are. */
#include "graph/element.h"

enum { PADS, MODE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *value = &g->values[n->in[1]];
    const precis_attr *p = &n->attr[PADS];
    const char *mode = n->attr[MODE].text;
    const bool constant = !strcmp(mode, "constant");
    if (!pcs_dtype_bytes(x->dtype) || p->n != 2 * x->dims || value->dtype != x->dtype)
        return pcs_op_fail(g, n, "takes pads of %u dimensions, and a value of the same type", x->dims);
    if (!constant && strcmp(mode, "edge") && strcmp(mode, "reflect") && strcmp(mode, "wrap"))
        return pcs_op_fail(g, n, "knows no mode %s", mode);
    for (uint32_t i = 0; i < value->dims; i++)
        if (value->shape[i] != 1) return pcs_op_fail(g, n, "its value is not one element");
    out->dims = x->dims;
    out->dtype = x->dtype;
    for (uint32_t i = 0; i < x->dims; i++) {
        const int64_t before = p->list[i], behind = p->list[x->dims + i];
        if (before < -((int64_t)1 << 40) || before > (int64_t)1 << 40 || behind < -((int64_t)1 << 40) ||
            behind > (int64_t)1 << 40)
            return pcs_op_fail(g, n, "pads dimension %u by too much", i);
        out->shape[i] = pcs_dim_linear(g, x->shape[i], 1, before + behind, 1);
        if (!constant && x->shape[i] == 0 && out->shape[i])
            return pcs_op_fail(g, n, "repeats elements of dimension %u, which has none", i);
    }
    return g->error;
}

/* The element of n that stands at i; -1: none does. */
static int64_t source(char mode, int64_t i, int64_t n)
{
    if (i >= 0 && i < n) return i;
    if (mode == 'c') return -1;
    if (mode == 'e' || n == 1) return i < 0 ? 0 : n - 1;
    const int64_t period = mode == 'w' ? n : 2 * (n - 1), at = (i % period + period) % period;
    return at < n ? at : period - at;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const size_t bytes = pcs_dtype_bytes(x->dtype);
    const char mode = c->attr[MODE].text[0];
    const int64_t *pads = c->attr[PADS].list, rows = pcs_arg_rows(y), n = pcs_arg_width(y), width = pcs_arg_width(x);
    int64_t dense[PCS_GRAPH_DIMS] = { 0 };
    uint64_t begin, end;
    pcs_dense(x->dims, x->shape, dense);
    if (!pcs_arg_count(y)) return;
    pcs_share((uint64_t)rows, 1, ith, nth, &begin, &end);
    for (int64_t r = (int64_t)begin; r < (int64_t)end; r++) {
        int64_t rest = r, from = 0;
        for (uint32_t k = x->dims ? x->dims - 1 : 0; k-- > 0 && from >= 0; rest /= y->shape[k]) {
            const int64_t at = source(mode, rest % y->shape[k] - pads[k], x->shape[k]);
            from = at < 0 ? -1 : from + at * dense[k];
        }
        char *to = (char *)y->data + (size_t)(r * n) * bytes;
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = from < 0 ? -1 : x->dims ? source(mode, i - pads[x->dims - 1], width) : i;
            memcpy(to + (size_t)i * bytes, at < 0 ? c->in[1].data : (const char *)x->data + (size_t)(from + at) * bytes,
                   bytes);
        }
    }
}

/* An element of x stands in several places where it is repeated: one thread, elements of the result ascending. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const char mode = c->attr[MODE].text[0];
    int64_t dense[PCS_GRAPH_DIMS] = { 0 };
    pcs_dense(x->dims, x->shape, dense);
    for (int64_t i = 0; ith == nth - 1 && i < pcs_arg_count(y); i++) {
        int64_t rest = i, from = 0;
        for (uint32_t k = x->dims; k-- > 0 && from >= 0; rest /= y->shape[k]) {
            const int64_t at = source(mode, rest % y->shape[k] - c->attr[PADS].list[k], x->shape[k]);
            from = at < 0 ? -1 : from + at * dense[k];
        }
        if (from >= 0 && g->in[0]) g->in[0][from] += g->out[0][i];
        if (from < 0 && g->in[1]) g->in[1][0] += g->out[0][i];
    }
}

const pcs_op pcs_op_pad = {
    .backward = backward,
    .name = "pad",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("pads"), PCS_TEXT("mode", "constant")),
    .infer = infer,
    .eval = eval,
};
