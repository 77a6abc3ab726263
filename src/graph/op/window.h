/* window.h - the windows of convolutions and poolings over up to three dimensions after batch and channels. Attributes
 * are lists with one entry a dimension; pads have all beginnings, then all ends. Missing lists mean ones, and pads of
 * zero. */
#ifndef PCS_WINDOW_H
#define PCS_WINDOW_H

#include "graph/element.h"

#define PCS_WINDOW 3

typedef struct pcs_window {
    uint32_t dims;
    int64_t in[PCS_WINDOW], out[PCS_WINDOW], kernel[PCS_WINDOW], stride[PCS_WINDOW], dilation[PCS_WINDOW],
        pad[PCS_WINDOW];
    int64_t places, taps, area; /* of out, kernel, in */
} pcs_window;

static inline int64_t pcs_listed(const precis_attr *a, uint32_t i, int64_t dflt)
{
    return i < a->n ? a->list[i] : dflt;
}

/* Are the dimensions of weights numbers, and the groups so few that what is computed of them fits? */
static inline bool pcs_window_weights(const pcs_value *w, int64_t groups)
{
    for (uint32_t i = 0; i < w->dims; i++)
        if (pcs_dim_is_id(w->shape[i])) return false;
    return groups >= 1 && groups <= 1 << 20 && w->dims > 1 && w->shape[1] <= (int64_t)1 << 31;
}

/* attr: strides, pads, dilations, one after another. */
static inline precis_status pcs_window_check(precis_graph *g, const pcs_node *n, const precis_attr *attr, uint32_t dims)
{
    static const char *const names[] = { "strides", "pads", "dilations" };
    if (dims < 1 || dims > PCS_WINDOW)
        return pcs_op_fail(g, n, "takes 1 to 3 dimensions behind batch and channels, not %u", dims);
    for (uint32_t a = 0; a < 3; a++) {
        if (attr[a].n && attr[a].n != dims * (a == 1 ? 2 : 1))
            return pcs_op_fail(g, n, "has %u %s for %u dimensions", attr[a].n, names[a], dims);
        for (uint32_t i = 0; i < attr[a].n; i++)
            if (attr[a].list[i] < (a == 1 ? 0 : 1) || attr[a].list[i] > (int64_t)1 << 31)
                return pcs_op_fail(g, n, "its %s have %lld", names[a], (long long)attr[a].list[i]);
    }
    return PRECIS_OK;
}

/* A window's dimension i of `dims`, along a size d. */
typedef struct pcs_window_axis {
    uint32_t dims, i;
    int64_t d, kernel;
    bool ceil; /* a place for what is left behind the last whole stride */
} pcs_window_axis;

/* Places of a window along an axis; the node's first attributes are those of pcs_window_check. */
static inline int64_t pcs_window_places(precis_graph *g, const pcs_node *n, const pcs_window_axis *axis)
{
    const precis_attr *attr = n->attr;
    const uint32_t i = axis->i, dims = axis->dims;
    const int64_t d = axis->d, kernel = axis->kernel;
    const bool ceil = axis->ceil;
    const int64_t stride = pcs_listed(&attr[0], i, 1), before = pcs_listed(&attr[1], i, 0),
                  behind = pcs_listed(&attr[1], dims + i, 0);
    const bool small = kernel >= 1 && kernel <= (int64_t)1 << 31;
    const int64_t span = small ? pcs_listed(&attr[2], i, 1) * (kernel - 1) + 1 : kernel;
    if (!small || (!pcs_dim_is_id(d) && d + before + behind < span)) {
        pcs_op_fail(g, n, "a window of %lld does not fit into %lld and its padding", (long long)span, (long long)d);
        return PCS_DIM_ERROR;
    }
    int64_t out = pcs_dim_linear(g, d, 1, before + behind - span + stride + (ceil ? stride - 1 : 0), stride);
    if (ceil && pcs_dim_is_id(d) && stride > 1)
        pcs_op_fail(g, n, "rounds up the places of its windows in dimension %u, which has no size yet", i);
    else if (ceil && !g->error && (out - 1) * stride >= d + before) out--; /* none begins in the padding behind */
    return out;
}

static inline pcs_window pcs_window_of(const precis_attr *attr, const pcs_arg *x, const pcs_arg *y,
                                       const int64_t *kernel)
{
    pcs_window w = { .dims = PCS_WINDOW, .places = 1, .taps = 1, .area = 1 };
    const uint32_t dims = x->dims - 2, skip = PCS_WINDOW - dims;
    for (uint32_t i = 0; i < PCS_WINDOW; i++) {
        const bool there = i >= skip;
        w.in[i] = there ? x->shape[2 + i - skip] : 1;
        w.out[i] = there ? y->shape[2 + i - skip] : 1;
        w.kernel[i] = there ? kernel[i - skip] : 1;
        w.stride[i] = there ? pcs_listed(&attr[0], i - skip, 1) : 1;
        w.pad[i] = there ? pcs_listed(&attr[1], i - skip, 0) : 0;
        w.dilation[i] = there ? pcs_listed(&attr[2], i - skip, 1) : 1;
        w.places *= w.out[i];
        w.taps *= w.kernel[i];
        w.area *= w.in[i];
    }
    return w;
}

#endif
