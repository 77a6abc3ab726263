/* convolution.h - what convolutions of f32 and of whole numbers have in common: their shapes, their attributes, and
 * what their weights are. */
#ifndef PCS_CONVOLUTION_H
#define PCS_CONVOLUTION_H

#include "graph/op/window.h"

enum { PCS_CONV_STRIDES, PCS_CONV_PADS, PCS_CONV_DILATIONS, PCS_CONV_GROUPS };

/* x[batch, in, ...] with w[out, in / groups, ...] gives [batch, out, ...]. */
static inline precis_status pcs_infer_conv(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]];
    const int64_t groups = n->attr[PCS_CONV_GROUPS].integer;
    if (x->dims < 3 || w->dims != x->dims || pcs_window_check(g, n, n->attr, x->dims - 2))
        return g->error ? g->error : pcs_op_fail(g, n, "takes x[batch, in, ...] and w[out, in / groups, ...]");
    if (!pcs_window_weights(w, groups) || pcs_dim_is_id(x->shape[1]) || w->shape[1] * groups != x->shape[1] ||
        w->shape[0] % groups)
        return pcs_op_fail(g, n, "has %lld groups of %lld channels, x has %lld", (long long)groups,
                           (long long)w->shape[1], (long long)x->shape[1]);
    out->dims = x->dims;
    out->shape[0] = x->shape[0];
    out->shape[1] = w->shape[0];
    for (uint32_t i = 2; i < x->dims; i++) {
        const pcs_window_axis axis = { x->dims - 2, i - 2, x->shape[i], w->shape[i], false };
        out->shape[i] = pcs_window_places(g, n, &axis);
    }
    return g->error;
}

static inline uint64_t pcs_conv_products(const pcs_call *c)
{
    return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)(pcs_arg_count(&c->in[1]) / c->in[1].shape[0]);
}

/* Places that follow one another in a row of the result: `n` of them from lane `lane` on, and where the first one's
 * window begins. */
typedef struct pcs_conv_run {
    int64_t lane, n, at[PCS_WINDOW];
} pcs_conv_run;

/* Of n places from p on; s has room for n. How many there are. */
static inline int pcs_conv_runs(const pcs_window *w, int64_t p, int64_t n, pcs_conv_run *s)
{
    int count = 0;
    for (int64_t l = 0; l < n; count++) {
        const int64_t left = w->out[2] - (p + l) % w->out[2];
        s[count] = (pcs_conv_run){ .lane = l, .n = left < n - l ? left : n - l };
        int64_t rest = p + l;
        for (uint32_t i = PCS_WINDOW; i-- > 0; rest /= w->out[i])
            s[count].at[i] = rest % w->out[i] * w->stride[i] - w->pad[i];
        l += s[count].n;
    }
    return count;
}

/* Gradients of the convolution of f32 (conv_back.c). */
pcs_backward_fn pcs_conv_backward;
size_t pcs_conv_scratch_back(const pcs_call *c);

#define PCS_CONV_ROW                                                                                                  \
    .weight = 1, .result_axis = 2, .products = pcs_conv_products,                                                     \
    .attrs = PCS_ATTR_TABLE(PCS_LIST("strides"), PCS_LIST("pads"), PCS_LIST("dilations"), PCS_INT("groups", 1))

#endif
