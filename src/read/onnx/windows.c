/* windows.c - convolutions, poolings and normalizations. */
#include "read/onnx/functions.h"

#include <stdio.h>

static bool listed(pcs_onnx_node *n, const char *name, uint32_t wanted, int64_t dflt, int64_t *out)
{
    uint32_t count;
    const int64_t *v = pcs_attr_ints(n, name, &count);
    for (uint32_t i = 0; i < wanted; i++) out[i] = i < count ? v[i] : dflt;
    if (count && count != wanted) pcs_wrong(n, "%s has %u numbers, not %u", name, count, wanted);
    for (uint32_t i = 0; i < wanted && !pcs_failed(n); i++)
        if (out[i] < 0 || out[i] > 1 << 20) pcs_wrong(n, "%s has %lld", name, (long long)out[i]);
    return !pcs_failed(n);
}

bool pcs_read_windows(pcs_onnx_node *n, precis_value x, precis_value w, bool transposed, pcs_sliding *o)
{
    if (x < 0) return false;
    const pcs_value v = *pcs_of(n, x);
    const char *automatic = pcs_attr_text(n, "auto_pad", "NOTSET");
    if (v.dims < 3 || v.dims > 5)
        return pcs_refuse(n, "takes 1 to 3 dimensions behind batch and channels, not %d", (int)v.dims - 2), false;
    o->dims = v.dims - 2;
    if (!listed(n, "strides", o->dims, 1, o->strides) || !listed(n, "pads", 2 * o->dims, 0, o->pads) ||
        !listed(n, "dilations", o->dims, 1, o->dilations))
        return false;
    if (w >= 0 && pcs_of(n, w)->dims != v.dims)
        return pcs_wrong(n, "its weights have %u dimensions, x has %u", pcs_of(n, w)->dims, v.dims), false;
    if (w < 0 && !pcs_has_attr(n, "kernel_shape")) return pcs_wrong(n, "has no kernel_shape"), false;
    if (!listed(n, "kernel_shape", o->dims, 0, o->kernel)) return false;
    for (uint32_t i = 0; i < o->dims; i++) {
        if (!o->strides[i] || !o->dilations[i]) return pcs_wrong(n, "has a stride or dilation of zero"), false;
        const int64_t k = w >= 0 ? pcs_of(n, w)->shape[2 + i] : o->kernel[i];
        if (pcs_dim_is_id(k) || k > (int64_t)1 << 31)
            return pcs_refuse(n, "has a kernel whose size is not known yet, or too large"), false;
        if (w >= 0 && pcs_has_attr(n, "kernel_shape") && o->kernel[i] != k)
            return pcs_wrong(n, "its kernel_shape is not that of its weights"), false;
        o->kernel[i] = k;
        if (!strcmp(automatic, "NOTSET") || transposed) continue;
        o->pads[i] = o->pads[o->dims + i] = 0;
        if (!strcmp(automatic, "VALID")) continue;
        const bool upper = !strcmp(automatic, "SAME_UPPER");
        if (!upper && strcmp(automatic, "SAME_LOWER")) return pcs_wrong(n, "auto_pad is %s", automatic), false;
        const int64_t d = v.shape[2 + i], s = o->strides[i], span = o->dilations[i] * (k - 1) + 1;
        if (pcs_dim_is_id(d) && s != 1) return pcs_refuse(n, "pads dimension %u, which has no size yet", i + 2), false;
        int64_t all = pcs_dim_is_id(d) ? span - 1 : ((d + s - 1) / s - 1) * s + span - d;
        if (all < 0) all = 0;
        o->pads[i] = upper ? all / 2 : all - all / 2;
        o->pads[o->dims + i] = all - o->pads[i];
    }
    return !pcs_failed(n);
}

void pcs_raise_conv(pcs_onnx_node *n)
{
    precis_value in[3] = { pcs_in(n, 0), pcs_weight_in(n, 1), pcs_has(n, 2) ? pcs_weight_in(n, 2) : -1 };
    pcs_sliding o;
    const int64_t groups = pcs_attr_int(n, "group", 1);
    if (in[1] < 0 || !pcs_read_windows(n, in[0], in[1], false, &o)) return;
    const pcs_dtype d = pcs_of(n, in[0])->dtype;
    for (int i = 0; i < 3; i++) in[i] = pcs_f32(n, in[i]);
    const precis_attr attrs[] = { precis_attr_list("strides", o.dims, o.strides),
                                  precis_attr_list("pads", 2 * o.dims, o.pads),
                                  precis_attr_list("dilations", o.dims, o.dilations),
                                  precis_attr_int("groups", groups),
                                  { 0 } };
    n->out[0] = pcs_as(n, pcs_make(n, "conv", attrs, pcs_has(n, 2) ? 3 : 2, in), d);
}

static precis_value zero_of(pcs_onnx_node *n, uint32_t i, precis_value like)
{
    return pcs_has(n, i) ? n->in[i] : like < 0 ? -1 : pcs_numbers(n, pcs_of(n, like)->dtype, 0);
}

void pcs_raise_conv_whole(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0), w = pcs_in(n, 1), xz = zero_of(n, 2, x), wz = zero_of(n, 3, w);
    pcs_sliding o;
    const int64_t groups = pcs_attr_int(n, "group", 1);
    if (w < 0 || xz < 0 || wz < 0 || !pcs_read_windows(n, x, w, false, &o)) return;
    const precis_attr attrs[] = { precis_attr_list("strides", o.dims, o.strides),
                                  precis_attr_list("pads", 2 * o.dims, o.pads),
                                  precis_attr_list("dilations", o.dims, o.dilations),
                                  precis_attr_int("groups", groups),
                                  { 0 } };
    n->out[0] = pcs_make(n, "conv_whole", attrs, 4, (const precis_value[]){ x, w, xz, wz });
}

/* Pads that give the shape which output_shape or auto_pad ask for. */
static bool pads_back(pcs_onnx_node *n, const pcs_value *x, pcs_sliding *o, int64_t *more)
{
    uint32_t count;
    const int64_t *shape = pcs_attr_ints(n, "output_shape", &count);
    const char *automatic = pcs_attr_text(n, "auto_pad", "NOTSET");
    const bool same = !strncmp(automatic, "SAME", 4);
    if (count && count != o->dims && count != o->dims + 2)
        return pcs_wrong(n, "output_shape has %u numbers", count), false;
    if (count == o->dims + 2) shape += 2;
    for (uint32_t i = 0; i < o->dims && (count || same); i++) {
        if (pcs_dim_is_id(x->shape[2 + i]))
            return pcs_refuse(n, "pads dimension %u, which has no size yet", i + 2), false;
        const int64_t wanted = count ? shape[i] : x->shape[2 + i] * o->strides[i];
        if (wanted < 1 || wanted > (int64_t)1 << 40)
            return pcs_wrong(n, "output_shape has %lld", (long long)wanted), false;
        int64_t all =
            o->strides[i] * (x->shape[2 + i] - 1) + more[i] + (o->kernel[i] - 1) * o->dilations[i] + 1 - wanted;
        if (all < 0) more[i] -= all, all = 0;
        const int64_t less = all / 2;
        o->pads[i] = !strcmp(automatic, "SAME_UPPER") ? less : all - less;
        o->pads[o->dims + i] = all - o->pads[i];
    }
    if (!strcmp(automatic, "VALID"))
        for (uint32_t i = 0; i < 2 * o->dims; i++) o->pads[i] = 0;
    return true;
}

void pcs_raise_conv_transpose(pcs_onnx_node *n)
{
    precis_value in[3] = { pcs_in(n, 0), pcs_weight_in(n, 1), pcs_has(n, 2) ? pcs_weight_in(n, 2) : -1 };
    pcs_sliding o;
    int64_t more[3] = { 0 };
    const int64_t groups = pcs_attr_int(n, "group", 1);
    if (in[1] < 0 || !pcs_read_windows(n, in[0], in[1], true, &o)) return;
    const pcs_value x = *pcs_of(n, in[0]);
    if (!listed(n, "output_padding", o.dims, 0, more) || !pads_back(n, &x, &o, more)) return;
    for (int i = 0; i < 3; i++) in[i] = pcs_f32(n, in[i]);
    const precis_attr attrs[] = { precis_attr_list("strides", o.dims, o.strides),
                                  precis_attr_list("pads", 2 * o.dims, o.pads),
                                  precis_attr_list("dilations", o.dims, o.dilations),
                                  precis_attr_int("groups", groups),
                                  precis_attr_list("more", o.dims, more),
                                  { 0 } };
    n->out[0] = pcs_as(n, pcs_make(n, "conv_transpose", attrs, pcs_has(n, 2) ? 3 : 2, in), x.dtype);
}

static void pool(pcs_onnx_node *n, bool max)
{
    precis_value x = pcs_in(n, 0);
    pcs_sliding o;
    const int64_t ceil = pcs_attr_int(n, "ceil_mode", 0), all = pcs_attr_int(n, "count_include_pad", 0),
                  p = pcs_attr_int(n, "p", 2), columns = pcs_attr_int(n, "storage_order", 0);
    if (!pcs_read_windows(n, x, -1, false, &o)) return;
    const pcs_dtype d = pcs_of(n, x)->dtype;
    if (!max || (d != PCS_I8 && d != PCS_U8)) x = pcs_f32(n, x);
    const precis_attr attrs[] = {
        precis_attr_list("strides", o.dims, o.strides),
        precis_attr_list("pads", 2 * o.dims, o.pads),
        precis_attr_list("dilations", o.dims, o.dilations),
        precis_attr_list("kernel", o.dims, o.kernel),
        precis_attr_text("kind", n->row->with),
        precis_attr_int("ceil", ceil),
        precis_attr_int("all", all),
        precis_attr_int("p", p),
        precis_attr_int("columns", columns),
        { 0 },
    };
    const precis_value y = pcs_make(n, "pool", attrs, 1, &x);
    n->out[0] = pcs_as(n, y, d);
    if (n->n_out > 1 && max) n->out[1] = pcs_second(n, y, 1);
}

void pcs_raise_pool(pcs_onnx_node *n) { pool(n, false); }
void pcs_raise_max_pool(pcs_onnx_node *n) { pool(n, true); }

void pcs_raise_deform(pcs_onnx_node *n)
{
    precis_value in[5] = { pcs_in(n, 0), pcs_in(n, 1), pcs_in(n, 2), -1, -1 };
    uint32_t count = 3;
    pcs_sliding o;
    const int64_t groups = pcs_attr_int(n, "group", 1), offsets = pcs_attr_int(n, "offset_group", 1);
    if (in[2] < 0 || in[1] < 0 || !pcs_read_windows(n, in[0], in[1], false, &o)) return;
    const pcs_dtype d = pcs_of(n, in[0])->dtype;
    if (o.dims != 2) {
        pcs_refuse(n, "has %u dimensions behind batch and channels, not 2", o.dims);
        return;
    }
    if (pcs_has(n, 3)) in[count++] = n->in[3];
    if (pcs_has(n, 4)) in[count++] = n->in[4];
    for (uint32_t i = 0; i < count; i++) in[i] = pcs_f32(n, in[i]);
    const precis_attr attrs[] = { precis_attr_list("strides", 2, o.strides),     precis_attr_list("pads", 4, o.pads),
                                  precis_attr_list("dilations", 2, o.dilations), precis_attr_int("groups", groups),
                                  precis_attr_int("offsets", offsets),
                                  precis_attr_int("masked", pcs_has(n, 4)),
                                  { 0 } };
    n->out[0] = pcs_as(n, pcs_make(n, "deform", attrs, count, in), d);
}

/* ---- normalizations ----------------------------------------------------------------------------- */

static uint32_t spatial(const pcs_value *v, int64_t *axes)
{
    uint32_t count = 0;
    for (uint32_t i = 2; i < v->dims; i++) axes[count++] = i;
    return count;
}

void pcs_raise_global(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    int64_t axes[PCS_GRAPH_DIMS], p = pcs_attr_int(n, "p", 2);
    if (x < 0) return;
    const pcs_value v = *pcs_of(n, x);
    const uint32_t count = spatial(&v, axes);
    if (strcmp(n->row->with, "lp")) n->out[0] = pcs_reduced(n, x, n->row->with, count, axes, true);
    else {
        const precis_value power =
            pcs_make2(n, "pow", NULL, pcs_make1(n, "abs", NULL, x), pcs_numbers(n, v.dtype, (double)p));
        n->out[0] = pcs_make2(n, "pow", NULL, pcs_reduced(n, power, "sum", count, axes, true),
                              pcs_numbers(n, v.dtype, 1.0 / (double)p));
    }
}

void pcs_raise_batch_norm(pcs_onnx_node *n)
{
    precis_value in[5];
    const double eps = pcs_attr_real(n, "epsilon", 1e-5);
    pcs_attr_real(n, "momentum", 0.9);
    pcs_has_attr(n, "is_test");
    pcs_has_attr(n, "spatial");
    pcs_has_attr(n, "consumed_inputs");
    if (pcs_attr_int(n, "training_mode", 0)) {
        pcs_refuse(n, "is in training mode");
        return;
    }
    for (uint32_t i = 0; i < 5; i++)
        if ((in[i] = pcs_f32(n, i ? pcs_weight_in(n, i) : pcs_in(n, 0))) < 0) return;
    n->out[0] = pcs_as(n, pcs_make(n, "batch_norm", PRECIS_ATTRS(precis_attr_real("eps", eps)), 5, in),
                       pcs_of(n, n->in[0])->dtype);
}

precis_value pcs_normalized(pcs_onnx_node *n, precis_value x, pcs_moments *m)
{
    m->mean = m->inverse = -1;
    if (m->centered) {
        m->mean = pcs_reduced(n, x, "mean", m->count, m->axes, true);
        x = pcs_make2(n, "sub", NULL, x, m->mean);
    }
    const precis_value squares = pcs_reduced(n, pcs_make2(n, "mul", NULL, x, x), "mean", m->count, m->axes, true);
    if (squares < 0) return -1;
    const precis_value eps = pcs_numbers(n, pcs_of(n, squares)->dtype, m->eps);
    const precis_value deviation = pcs_make1(n, "sqrt", NULL, pcs_make2(n, "add", NULL, squares, eps));
    m->inverse = pcs_make1(n, "reciprocal", NULL, deviation);
    return pcs_make2(n, "mul", NULL, x, m->inverse);
}

/* LayerNormalization and RMSNormalization: over the last dimension by one op where that says all; else from pieces. */
void pcs_raise_layer_norm(pcs_onnx_node *n)
{
    precis_value in[3] = { pcs_in(n, 0), pcs_weight_in(n, 1), pcs_has(n, 2) ? pcs_weight_in(n, 2) : -1 };
    const bool rms = n->row->with[0] == 'r';
    const double eps = pcs_attr_real(n, "epsilon", 1e-5);
    const int64_t axis = pcs_attr_int(n, "axis", -1);
    int64_t axes[PCS_GRAPH_DIMS];
    uint32_t count = 0;
    pcs_attr_int(n, "stash_type", 1);
    if (in[0] < 0 || in[1] < 0) return;
    const pcs_dtype d = pcs_of(n, in[0])->dtype;
    const uint32_t dims = pcs_of(n, in[0])->dims, a = pcs_axis(axis, dims);
    if (a == dims) {
        pcs_wrong(n, "has no axis %lld", (long long)axis);
        return;
    }
    for (int i = 0; i < 3; i++) in[i] = pcs_f32(n, in[i]);
    for (uint32_t i = a; i < dims; i++) axes[count++] = i;
    if (pcs_failed(n)) return;
    const int64_t last = pcs_of(n, in[0])->shape[dims - 1];
    bool plain = count == 1 && n->n_out == 1;
    for (int i = 1; i < 3 && in[i] >= 0; i++)
        plain = plain && pcs_of(n, in[i])->dims == 1 && pcs_of(n, in[i])->shape[0] == last;
    pcs_moments m = { .count = count, .axes = axes, .eps = eps, .centered = !rms, .mean = -1, .inverse = -1 };
    precis_value y;
    if (plain && !rms)
        y = pcs_make(n, "layer_norm", PRECIS_ATTRS(precis_attr_real("eps", eps)), in[2] >= 0 ? 3 : 2, in);
    else {
        y = pcs_make2(n, "mul", NULL, pcs_normalized(n, in[0], &m), in[1]);
        if (in[2] >= 0) y = pcs_make2(n, "add", NULL, y, in[2]);
    }
    n->out[0] = pcs_as(n, y, d);
    if (n->n_out > 1) n->out[1] = rms ? m.inverse : m.mean;
    if (n->n_out > 2) n->out[2] = m.inverse;
}

/* Scale and bias of channels, as they spread over x. */
static precis_value channels(pcs_onnx_node *n, precis_value v, uint32_t dims, int64_t c)
{
    int64_t shape[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == 1 ? c : 1;
    return pcs_shaped(n, v, dims, shape);
}

/* Instance and group normalization: groups of channels and all after them have one mean. */
void pcs_raise_group_norm(pcs_onnx_node *n)
{
    precis_value x = pcs_in(n, 0), scale = pcs_weight_in(n, 1), bias = pcs_weight_in(n, 2);
    const bool instance = n->row->with[0] == 'i';
    const double eps = pcs_attr_real(n, "epsilon", 1e-5);
    const int64_t axis = 2;
    pcs_attr_int(n, "stash_type", 1);
    pcs_has_attr(n, "consumed_inputs");
    const int64_t given = pcs_attr_int(n, "num_groups", 1);
    if (x < 0 || scale < 0 || bias < 0) return;
    const pcs_value v = *pcs_of(n, x);
    if (v.dims < 2 || pcs_dim_is_id(v.shape[1])) {
        pcs_wrong(n, "takes x[batch, channels, ...]");
        return;
    }
    const int64_t groups = instance ? v.shape[1] : given, c = v.shape[1];
    if (groups < 1 || c % groups) {
        pcs_wrong(n, "has %lld groups of %lld channels", (long long)groups, (long long)c);
        return;
    }
    x = pcs_f32(n, x), scale = pcs_f32(n, scale), bias = pcs_f32(n, bias);
    int64_t inner = c / groups;
    for (uint32_t i = 2; i < v.dims; i++) inner = pcs_dim_product(n->im->g, inner, v.shape[i]);
    pcs_moments m = { .count = 1, .axes = &axis, .eps = eps, .centered = true };
    precis_value y = pcs_normalized(n, pcs_shaped(n, x, 3, (const int64_t[]){ v.shape[0], groups, inner }), &m);
    if (!instance && n->version < 21) { /* of groups then, not of channels */
        const int64_t per[] = { groups, 1 };
        y = pcs_make2(n, "add", NULL, pcs_make2(n, "mul", NULL, y, pcs_shaped(n, scale, 2, per)),
                      pcs_shaped(n, bias, 2, per));
        n->out[0] = pcs_as(n, pcs_shaped(n, y, v.dims, v.shape), v.dtype);
        return;
    }
    y = pcs_shaped(n, y, v.dims, v.shape);
    y = pcs_make2(n, "add", NULL, pcs_make2(n, "mul", NULL, y, channels(n, scale, v.dims, c)),
                  channels(n, bias, v.dims, c));
    n->out[0] = pcs_as(n, y, v.dtype);
}

/* Sums of squares over neighbouring channels: an average pooling over them. */
void pcs_raise_lrn(pcs_onnx_node *n)
{
    const precis_value x = pcs_f32(n, pcs_in(n, 0));
    const double alpha = pcs_attr_real(n, "alpha", 1e-4), beta = pcs_attr_real(n, "beta", 0.75),
                 bias = pcs_attr_real(n, "bias", 1);
    const int64_t size = pcs_attr_int(n, "size", 0);
    if (x < 0) return;
    const pcs_value v = *pcs_of(n, x);
    if (size < 1 || v.dims < 2) {
        pcs_wrong(n, "takes x[batch, channels, ...] and a size");
        return;
    }
    int64_t inner = 1;
    for (uint32_t i = 2; i < v.dims; i++) inner = pcs_dim_product(n->im->g, inner, v.shape[i]);
    const int64_t kernel[] = { size, 1 }, pads[] = { (size - 1) / 2, 0, size - 1 - (size - 1) / 2, 0 },
                  flat[] = { v.shape[0], 1, v.shape[1], inner };
    precis_value s = pcs_shaped(n, pcs_make2(n, "mul", NULL, x, x), 4, flat);
    s = pcs_make1(n, "pool",
                  PRECIS_ATTRS(precis_attr_list("kernel", 2, kernel), precis_attr_list("pads", 4, pads),
                               precis_attr_text("kind", "mean"), precis_attr_int("all", 1)),
                  s);
    s = pcs_shaped(n, s, v.dims, v.shape);
    s = pcs_make2(n, "add", NULL, pcs_make2(n, "mul", NULL, s, pcs_numbers(n, PCS_F32, alpha)),
                  pcs_numbers(n, PCS_F32, bias));
    n->out[0] = pcs_as(n, pcs_make2(n, "div", NULL, x, pcs_make2(n, "pow", NULL, s, pcs_numbers(n, PCS_F32, beta))),
                       pcs_of(n, n->in[0])->dtype);
}

/* MeanVarianceNormalization and LpNormalization. */
void pcs_raise_mvn(pcs_onnx_node *n)
{
    uint32_t count;
    static const int64_t usual[] = { 0, 2, 3 };
    precis_value mean, x = pcs_in(n, 0);
    const int64_t *axes = pcs_attr_ints(n, "axes", &count);
    if (x < 0) return;
    if (!count) axes = usual, count = 3;
    const pcs_dtype d = pcs_of(n, x)->dtype;
    mean = pcs_reduced(n, x, "mean", count, axes, true);
    x = pcs_make2(n, "sub", NULL, x, mean);
    const precis_value deviation =
        pcs_make1(n, "sqrt", NULL, pcs_reduced(n, pcs_make2(n, "mul", NULL, x, x), "mean", count, axes, true));
    n->out[0] = pcs_make2(n, "div", NULL, x, pcs_make2(n, "add", NULL, deviation, pcs_numbers(n, d, 1e-9)));
}

void pcs_raise_lp_norm(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    const int64_t axis = pcs_attr_int(n, "axis", -1), p = pcs_attr_int(n, "p", 2);
    if (p != 1 && p != 2) {
        pcs_wrong(n, "has a norm of degree %lld", (long long)p);
        return;
    }
    const precis_value norm = pcs_reduced(n, x, p == 1 ? "l1" : "l2", 1, &axis, true);
    if (norm < 0) return;
    const precis_value zero = pcs_numbers(n, pcs_of(n, norm)->dtype, 0),
                       one = pcs_numbers(n, pcs_of(n, norm)->dtype, 1);
    n->out[0] =
        pcs_make2(n, "div", NULL, x, pcs_make3(n, "where", NULL, pcs_make2(n, "equal", NULL, norm, zero), one, norm));
}
