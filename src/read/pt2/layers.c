/* layers.c - convolutions, poolings, products, normalizations, resizing. */
#include "read/pt2/aten.h"

#include "base/fmath_more.h"

/* ---- windows ------------------------------------------------------------------------------------ */

/* A list over the window's dimensions: one number is spread; none is `usual`.
 */
static bool window_list(pcs_aten *c, const char *name, uint32_t dims, const int64_t *usual, int64_t *out)
{
    uint32_t count;
    const int64_t *v = pcs_arg_ints(c, name, &count);
    if (!v) return false;
    if (count > 1 && count != dims) return pcs_wrong(&c->n, "%s has %u numbers, not %u", name, count, dims), false;
    for (uint32_t i = 0; i < dims; i++) {
        out[i] = !count ? usual[i] : v[count == 1 ? 0 : i];
        if (out[i] < 0 || out[i] > 1 << 20) return pcs_refuse(&c->n, "%s has %lld", name, (long long)out[i]), false;
    }
    return true;
}

/* A batch in front, where the caller left it out. */
static precis_value with_batch(pcs_aten *c, precis_value x, uint32_t dims, bool *without)
{
    static const int64_t first = 0;
    if (x < 0) return -1;
    *without = pcs_of(&c->n, x)->dims == dims + 1;
    return *without ? pcs_unsqueezed(&c->n, x, 1, &first) : x;
}

static precis_value without_batch(pcs_aten *c, precis_value y, bool without)
{
    if (!without || y < 0) return y;
    const pcs_value v = *pcs_of(&c->n, y);
    return pcs_shaped(&c->n, y, v.dims - 1, v.shape + 1);
}

typedef struct {
    precis_value x, w, b;
    uint32_t dims;
    int64_t strides[3], pads[6], dilations[3], more[3], groups;
    const char *automatic;
    bool transposed, without;
} convolution;

static void convolve(pcs_aten *c, const convolution *o)
{
    const precis_value in[] = { o->x, o->w, o->b };
    const precis_attr attrs[] = {
        precis_attr_list("strides", o->dims, o->strides),
        precis_attr_list("dilations", o->dims, o->dilations),
        precis_attr_int("group", o->groups),
        o->automatic ? precis_attr_text("auto_pad", o->automatic) : precis_attr_list("pads", 2 * o->dims, o->pads),
        o->transposed ? precis_attr_list("output_padding", o->dims, o->more) : (precis_attr){ 0 },
        { 0 }
    };
    const precis_value y = PCS_BORROW(c, .raise = o->transposed ? pcs_raise_conv_transpose : pcs_raise_conv, .with = "",
                                      .attrs = attrs, .n_in = o->b >= 0 ? 3 : 2, .in = in);
    c->n.out[0] = without_batch(c, y, o->without);
}

/* All overloads: conv1d to conv3d, by padding ("with" p), transposed ("with"
 * t), and core's convolution ("with" c). */
void pcs_aten_conv(pcs_aten *c)
{
    static const int64_t zeros[3] = { 0 }, ones[3] = { 1, 1, 1 };
    const char how = c->row->with[0];
    convolution o = { .x = pcs_arg_tensor(c, "input"),
                      .w = pcs_arg_tensor(c, "weight"),
                      .b = pcs_arg_optional(c, "bias") };
    if (o.x < 0 || o.w < 0 || pcs_failed(&c->n)) return;
    const uint32_t rank = pcs_of(&c->n, o.w)->dims;
    if (rank < 3 || rank > 5) {
        pcs_wrong(&c->n, "has weights of %u dimensions", rank);
        return;
    }
    o.dims = rank - 2;
    o.groups = pcs_arg_size(c, "groups");
    o.transposed = how == 't' || (how == 'c' && pcs_arg_flag(c, "transposed"));
    o.x = with_batch(c, o.x, o.dims, &o.without);
    if (!window_list(c, "stride", o.dims, ones, o.strides) || !window_list(c, "dilation", o.dims, ones, o.dilations))
        return;
    if ((how == 't' || how == 'c') && !window_list(c, "output_padding", o.dims, zeros, o.more)) return;
    if (how == 'p') {
        const char *text = pcs_arg_text(c, "padding");
        if (strcmp(text, "same") && strcmp(text, "valid")) pcs_refuse(&c->n, "padding is %s", text);
        o.automatic = text[0] == 's' ? "SAME_UPPER" : "VALID";
    } else {
        if (!window_list(c, "padding", o.dims, zeros, o.pads)) return;
        for (uint32_t i = 0; i < o.dims; i++) o.pads[o.dims + i] = o.pads[i];
    }
    if (!pcs_failed(&c->n)) convolve(c, &o);
}

/* max_pool and avg_pool of 1 to 3 dimensions. "with": "max 2", "mean 3", ... */
void pcs_aten_pool(pcs_aten *c)
{
    static const int64_t zeros[3] = { 0 }, ones[3] = { 1, 1, 1 };
    const bool max = c->row->with[1] == 'a';
    const uint32_t dims = (uint32_t)(c->row->with[strlen(c->row->with) - 1] - '0');
    int64_t kernel[3], strides[3], pads[6], dilations[3] = { 1, 1, 1 }, all = 1;
    bool without;
    precis_value x = pcs_arg_tensor(c, "self");
    if (!window_list(c, "kernel_size", dims, ones, kernel) || !window_list(c, "stride", dims, kernel, strides) ||
        !window_list(c, "padding", dims, zeros, pads) || (max && !window_list(c, "dilation", dims, ones, dilations)))
        return;
    const bool up = pcs_arg_flag(c, "ceil_mode"), count = !max && pcs_arg_flag(c, "count_include_pad");
    const bool divisor = !max && dims > 1 && pcs_arg_given(c, "divisor_override");
    x = with_batch(c, x, dims, &without);
    if (x < 0 || pcs_failed(&c->n)) return;
    for (uint32_t i = 0; i < dims; i++) pads[dims + i] = pads[i], all *= kernel[i];
    const pcs_value v = *pcs_of(&c->n, x);
    const precis_attr attrs[] = { precis_attr_list("strides", dims, strides),
                                  precis_attr_list("pads", 2 * dims, pads),
                                  precis_attr_list("kernel_shape", dims, kernel),
                                  precis_attr_list("dilations", dims, dilations),
                                  precis_attr_int("ceil_mode", up),
                                  precis_attr_int("count_include_pad", count || divisor),
                                  { 0 } };
    precis_value at = -1;
    const bool places = max && c->n.n_out > 1 && pcs_wants(&c->n, 1);
    precis_value y = PCS_BORROW(c, .raise = max ? pcs_raise_max_pool : pcs_raise_pool, .with = max ? "max" : "mean",
                                .attrs = attrs, .n_in = 1, .in = &x, .second = places ? &at : NULL);
    if (divisor && up) pcs_refuse(&c->n, "has a divisor of its own and windows that are cut");
    if (divisor)
        y = pcs_make2(&c->n, "mul", NULL, y,
                      pcs_numbers(&c->n, v.dtype, (double)all / pcs_arg_real(c, "divisor_override")));
    c->n.out[0] = without_batch(c, y, without);
    if (!places || at < 0) return;
    int64_t plane = 1; /* ONNX counts places over all of x, torch over each plane */
    for (uint32_t i = 2; i < v.dims; i++) plane = pcs_dim_is_id(v.shape[i]) ? 0 : plane * v.shape[i];
    if (!plane) pcs_refuse(&c->n, "gives places in planes that have no size yet");
    const precis_value of_plane = pcs_data(&c->n, PCS_I64, 0, NULL, &plane);
    c->n.out[1] = without_batch(c, pcs_make2(&c->n, "mod", NULL, at, of_plane), without);
}

/* A matrix that gives the mean of each window floor(i in / out) to ceil((i + 1)
 * in / out). */
static precis_value averages(pcs_aten *c, int64_t in, int64_t out)
{
    if (in > 1 << 16 || out > 1 << 16 || in * out > 1 << 24)
        return pcs_refuse(&c->n, "averages %lld to %lld", (long long)in, (long long)out);
    float *m = pcs_room(&c->n, (size_t)(in * out), sizeof *m);
    for (int64_t i = 0; m && i < out; i++) {
        const int64_t from = i * in / out, to = ((i + 1) * in + out - 1) / out;
        for (int64_t k = from; k < to; k++) m[i * in + k] = 1.0f / (float)(to - from);
    }
    return m ? pcs_data(&c->n, PCS_F32, 2, (const int64_t[]){ out, in }, m) : -1;
}

/* Along one dimension: a mean of all, windows that are equal, or a matrix. */
static precis_value adapt(pcs_aten *c, precis_value x, uint32_t axis, int64_t out)
{
    const int64_t a = axis;
    if (x < 0) return -1;
    const pcs_value v = *pcs_of(&c->n, x);
    if (out == v.shape[axis]) return x;
    if (out == 1) return pcs_reduced(&c->n, x, "mean", 1, &a, true);
    if (pcs_dim_is_id(v.shape[axis]) || out < 1 || pcs_dim_is_id(out))
        return pcs_refuse(&c->n, "averages a dimension that has no size yet");
    if (axis == v.dims - 1)
        return pcs_swapped(&c->n,
                           pcs_make2(&c->n, "product", NULL, averages(c, v.shape[axis], out), pcs_swapped(&c->n, x)));
    int64_t perm[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < v.dims; i++) perm[i] = i;
    perm[axis] = v.dims - 1, perm[v.dims - 1] = axis;
    x = adapt(c, pcs_permuted(&c->n, x, v.dims, perm), v.dims - 1, out);
    return pcs_permuted(&c->n, x, v.dims, perm);
}

/* "with": dimensions. */
void pcs_aten_adaptive_mean(pcs_aten *c)
{
    const uint32_t dims = (uint32_t)(c->row->with[0] - '0');
    int64_t to[3], axes[3];
    uint32_t count;
    precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *given = pcs_arg_ints(c, "output_size", &count);
    if (x < 0 || !given) return;
    const pcs_dtype d = pcs_of(&c->n, x)->dtype;
    const uint32_t rank = pcs_of(&c->n, x)->dims;
    if (rank < dims + 1 || !count || (count != 1 && count != dims)) {
        pcs_wrong(&c->n, "takes %u sizes, and x of more dimensions", dims);
        return;
    }
    bool ones = true;
    for (uint32_t i = 0; i < dims; i++)
        to[i] = given[count == 1 ? 0 : i], axes[i] = rank - dims + i, ones = ones && to[i] == 1;
    x = pcs_f32(&c->n, x);
    if (ones) x = pcs_reduced(&c->n, x, "mean", dims, axes, true);
    for (uint32_t i = 0; i < dims && !ones; i++) x = adapt(c, x, (uint32_t)axes[i], to[i]);
    c->n.out[0] = pcs_as(&c->n, x, d);
}

/* Maxima of the same windows. */
void pcs_aten_adaptive_max(pcs_aten *c)
{
    const uint32_t dims = (uint32_t)(c->row->with[0] - '0');
    uint32_t count;
    precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *given = pcs_arg_ints(c, "output_size", &count);
    if (x < 0 || !given || !count) return;
    const uint32_t rank = pcs_of(&c->n, x)->dims;
    for (uint32_t i = 0; i < dims && rank >= dims; i++) {
        const int64_t out = given[count == 1 ? 0 : i], axis = rank - dims + i,
                      in = x < 0 ? 0 : pcs_of(&c->n, x)->shape[axis];
        precis_value parts[64];
        if (x < 0 || pcs_dim_is_id(in) || out < 1 || out > 64) {
            pcs_refuse(&c->n, "takes maxima of a dimension that has no size yet, or to more than 64");
            return;
        }
        for (int64_t k = 0; k < out; k++) {
            const int64_t from = k * in / out, to = ((k + 1) * in + out - 1) / out;
            parts[k] = pcs_reduced(&c->n, pcs_part(&c->n, x, (uint32_t)axis, from, to - from), "max", 1, &axis, true);
        }
        x = pcs_joined(&c->n, (uint32_t)out, parts, axis);
    }
    c->n.out[0] = x;
}

/* ---- products ----------------------------------------------------------------------------------- */

static precis_value product(pcs_aten *c, precis_value a, precis_value b)
{
    const precis_value in[] = { a, b };
    return PCS_BORROW(c, .raise = pcs_raise_matmul, .with = "", .n_in = 2, .in = in);
}

/* matmul, mm, bmm: "with" names the second argument. */
void pcs_aten_matmul(pcs_aten *c)
{
    const precis_value a = pcs_arg_tensor(c, "self"), b = pcs_arg_tensor(c, c->row->with);
    if (a >= 0 && b >= 0) c->n.out[0] = product(c, a, b);
}

/* x w^T + b: rows of weights, as matmul has them, whatever the dimensions of x.
 */
static precis_value linear(pcs_aten *c, precis_value x, precis_value w, precis_value b)
{
    if (x < 0 || w < 0 || pcs_failed(&c->n)) return -1;
    const pcs_value v = *pcs_of(&c->n, x), m = *pcs_of(&c->n, w);
    if (m.dims != 2 || v.dims < 1) return pcs_wrong(&c->n, "takes a matrix of weights");
    int64_t rows = 1, out[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i + 1 < v.dims; i++) rows = pcs_dim_product(c->n.im->g, rows, out[i] = v.shape[i]);
    out[v.dims - 1] = m.shape[0];
    const int64_t flat[] = { rows, v.shape[v.dims - 1] };
    const precis_value in[] = { pcs_shaped(&c->n, x, 2, flat), w, b };
    const precis_attr attrs[] = { precis_attr_int("transB", 1), { 0 } };
    const precis_value y =
        PCS_BORROW(c, .raise = pcs_raise_gemm, .with = "", .attrs = attrs, .n_in = b >= 0 ? 3 : 2, .in = in);
    return pcs_shaped(&c->n, y, v.dims, out);
}

void pcs_aten_linear(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "input"), w = pcs_arg_tensor(c, "weight"), b = pcs_arg_optional(c, "bias");
    c->n.out[0] = linear(c, x, w, b);
}

static precis_value scaled(pcs_aten *c, precis_value v, double by)
{
    return by == 1 || v < 0 ? v : pcs_make2(&c->n, "mul", NULL, v, pcs_numbers(&c->n, pcs_of(&c->n, v)->dtype, by));
}

/* beta self + alpha a b. With a vector for self and constant weights it is a
 * linear layer whose weights were turned: the core form of one. */
void pcs_aten_addmm(pcs_aten *c)
{
    const bool batch = c->row->with[0] == 'b';
    const precis_value self = pcs_arg_tensor(c, "self"), a = pcs_arg_tensor(c, batch ? "batch1" : "mat1"),
                       b = pcs_arg_tensor(c, batch ? "batch2" : "mat2");
    const double beta = pcs_arg_real(c, "beta"), alpha = pcs_arg_real(c, "alpha");
    if (self < 0 || a < 0 || b < 0 || pcs_failed(&c->n)) return;
    if (!batch && alpha == 1 && beta == 1 && pcs_of(&c->n, self)->dims == 1 &&
        pcs_value_is_known(pcs_of(&c->n, b)) && pcs_of(&c->n, a)->dims == 2) {
        c->n.out[0] = linear(c, a, pcs_swapped(&c->n, b), self);
        return;
    }
    const precis_value y = scaled(c, product(c, a, b), alpha);
    c->n.out[0] = beta == 0 ? y : pcs_make2(&c->n, "add", NULL, y, scaled(c, self, beta));
}

void pcs_aten_einsum(pcs_aten *c)
{
    uint32_t count;
    const char *equation = pcs_arg_text(c, "equation");
    const precis_value *v = pcs_arg_tensors(c, "tensors", &count);
    const precis_attr attrs[] = { precis_attr_text("equation", equation), { 0 } };
    if (v) c->n.out[0] = PCS_BORROW(c, .raise = pcs_raise_einsum, .with = "", .attrs = attrs, .n_in = count, .in = v);
}

/* ---- normalizations ----------------------------------------------------------------------------- */

/* Ones or zeros where there is no weight or bias. */
static precis_value or_filled(pcs_aten *c, const char *name, int64_t n, double v)
{
    const precis_value given = pcs_arg_optional(c, name);
    return given >= 0 || pcs_failed(&c->n) ? given : pcs_spread_to(c, pcs_numbers(&c->n, PCS_F32, v), 1, &n);
}

void pcs_aten_batch_norm(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "input");
    const double eps = pcs_arg_real(c, "eps");
    pcs_arg_real(c, "momentum");
    if (x < 0) return;
    const pcs_value v = *pcs_of(&c->n, x);
    const int64_t channels = v.dims > 1 ? v.shape[1] : 1;
    if (c->row->with[0] != 'n' && pcs_arg_flag(c, "training"))
        pcs_refuse(&c->n, "is in training mode; export net.eval()");
    const precis_value in[] = { x, or_filled(c, "weight", channels, 1), or_filled(c, "bias", channels, 0),
                                pcs_arg_tensor(c, "running_mean"), pcs_arg_tensor(c, "running_var") };
    const precis_attr attrs[] = { precis_attr_real("epsilon", eps), { 0 } };
    if (pcs_failed(&c->n)) return;
    c->n.out[0] = PCS_BORROW(c, .raise = pcs_raise_batch_norm, .with = "", .attrs = attrs, .n_in = 5, .in = in);
}

/* By means of what comes: what instance norms are in core. */
void pcs_aten_own_norm(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "input");
    const double eps = pcs_arg_real(c, "eps");
    int64_t axes[PCS_GRAPH_DIMS], shape[PCS_GRAPH_DIMS];
    uint32_t count = 0;
    pcs_arg_real(c, "momentum"), pcs_arg_flag(c, "training");
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (v.dims < 2) {
        pcs_wrong(&c->n, "takes x[batch, channels, ...]");
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++) {
        shape[i] = i == 1 ? v.shape[1] : 1;
        if (i != 1) axes[count++] = i;
    }
    pcs_moments m = { .count = count, .axes = axes, .eps = eps, .centered = true };
    precis_value y = pcs_normalized(&c->n, pcs_f32(&c->n, x), &m);
    const precis_value w = pcs_arg_optional(c, "weight"), b = pcs_arg_optional(c, "bias");
    if (w >= 0) y = pcs_make2(&c->n, "mul", NULL, y, pcs_shaped(&c->n, w, v.dims, shape));
    if (b >= 0) y = pcs_make2(&c->n, "add", NULL, y, pcs_shaped(&c->n, b, v.dims, shape));
    c->n.out[0] = pcs_as(&c->n, y, v.dtype);
}

/* layer_norm and native_layer_norm, over any number of last dimensions; "with"
 * r: rms_norm. */
void pcs_aten_layer_norm(pcs_aten *c)
{
    const bool rms = c->row->with[0] == 'r';
    uint32_t count;
    const precis_value x = pcs_arg_tensor(c, "input");
    const int64_t *shape = pcs_arg_ints(c, "normalized_shape", &count);
    double eps = rms ? 1.1920928955078125e-07 : 1e-5; /* torch.finfo(float32).eps where rms_norm says none */
    if (pcs_arg_given(c, "eps")) eps = pcs_arg_real(c, "eps");
    const precis_value w = pcs_arg_optional(c, "weight"), b = rms ? -1 : pcs_arg_optional(c, "bias");
    if (x < 0 || !shape || pcs_failed(&c->n)) return;
    const precis_value one = w >= 0 ? w : pcs_spread_to(c, pcs_numbers(&c->n, PCS_F32, 1), count, shape);
    const precis_value in[] = { x, one, b };
    const precis_attr attrs[] = { precis_attr_int("axis", -(int64_t)count), precis_attr_real("epsilon", eps), { 0 } };
    precis_value mean = -1, inverse = -1;
    const bool more = c->n.n_out > 1 && (pcs_wants(&c->n, 1) || pcs_wants(&c->n, 2));
    c->n.out[0] =
        PCS_BORROW(c, .raise = pcs_raise_layer_norm, .with = rms ? "rms" : "layer", .attrs = attrs,
                   .n_in = b >= 0 ? 3 : 2, .in = in, .second = more ? &mean : NULL, .third = more ? &inverse : NULL);
    if (more) c->n.out[1] = mean;
    if (more && c->n.n_out > 2) c->n.out[2] = inverse;
}

/* "with": g group_norm, n native_group_norm (whose sizes are x's), i
 * instance_norm. */
void pcs_aten_group_norm(pcs_aten *c)
{
    const char how = c->row->with[0];
    const precis_value x = pcs_arg_tensor(c, "input");
    const double eps = pcs_arg_real(c, "eps");
    const int64_t groups = how == 'i' ? 1 : pcs_arg_size(c, how == 'n' ? "group" : "num_groups");
    if (how == 'n') pcs_arg_int(c, "N"), pcs_arg_int(c, "C"), pcs_arg_int(c, "HxW");
    if (how == 'i') {
        pcs_arg_real(c, "momentum");
        pcs_arg_optional(c, "running_mean"), pcs_arg_optional(c, "running_var");
        if (!pcs_arg_flag(c, "use_input_stats")) pcs_refuse(&c->n, "uses means of training; use batch_norm");
    }
    if (x < 0 || pcs_failed(&c->n)) return;
    const int64_t channels = pcs_of(&c->n, x)->dims > 1 ? pcs_of(&c->n, x)->shape[1] : 1;
    const precis_value in[] = { x, or_filled(c, "weight", channels, 1), or_filled(c, "bias", channels, 0) };
    const precis_attr attrs[] = { precis_attr_real("epsilon", eps), precis_attr_int("num_groups", groups), { 0 } };
    c->n.out[0] = PCS_BORROW(c, .raise = pcs_raise_group_norm, .with = how == 'i' ? "instance" : "group",
                             .attrs = attrs, .n_in = 3, .in = in);
}
