/* elements.c - functions of elements, raised to rows of op/unary.def and op/binary.def. */
#include "read/onnx/functions.h"

#include "base/fmath_more.h"

/* "with": the op, then what alpha and beta are: names of attributes with their defaults. */
static const struct {
    const char *op, *alpha;
    double a;
    const char *beta;
    double b;
} parameters[] = {
    { "elu", "alpha", 1, NULL, 1 },
    { "selu", "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875 },
    { "celu", "alpha", 1, NULL, 1 },
    { "leaky_relu", "alpha", 0.01, NULL, 1 },
    { "thresholded_relu", "alpha", 1, NULL, 1 },
    { "hard_sigmoid", "alpha", 0.2, "beta", 0.5 },
    { "swish", "alpha", 1, NULL, 1 },
    { "shrink", "lambd", 0.5, "bias", 0 },
};

static void unary(pcs_onnx_node *n, double alpha, double beta)
{
    pcs_has_attr(n, "consumed_inputs");
    const precis_attr *attrs = PRECIS_ATTRS(precis_attr_real("alpha", alpha), precis_attr_real("beta", beta));
    n->out[0] = pcs_make1(n, n->row->with, attrs, pcs_in(n, 0));
}

void pcs_raise_unary(pcs_onnx_node *n)
{
    double a = 1, b = 1;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (strcmp(parameters[i].op, n->row->with)) continue;
        a = pcs_attr_real(n, parameters[i].alpha, parameters[i].a);
        b = parameters[i].beta ? pcs_attr_real(n, parameters[i].beta, parameters[i].b) : 1;
    }
    unary(n, a, b);
}

void pcs_raise_is_inf(pcs_onnx_node *n)
{
    unary(n, (double)pcs_attr_int(n, "detect_positive", 1), (double)pcs_attr_int(n, "detect_negative", 1));
}

/* The exact form in f32 alone, as others compute it; the tanh form is no quicker there. */
precis_value pcs_gelu(pcs_onnx_node *n, precis_value x, bool tanh)
{
    return pcs_make1(n, "gelu", PRECIS_ATTRS(precis_attr_int("tanh", tanh), precis_attr_int("single", !tanh)), x);
}

void pcs_raise_gelu(pcs_onnx_node *n)
{
    const char *how = pcs_attr_text(n, "approximate", "none");
    if (strcmp(how, "none") && strcmp(how, "tanh")) pcs_wrong(n, "approximate is %s", how);
    n->out[0] = pcs_gelu(n, pcs_in(n, 0), how[0] == 't');
}

void pcs_raise_relu(pcs_onnx_node *n)
{
    pcs_has_attr(n, "consumed_inputs");
    n->out[0] = pcs_make1(n, "relu", NULL, pcs_in(n, 0));
}

/* Slopes may stand along the channels. */
void pcs_raise_binary(pcs_onnx_node *n) { n->out[0] = pcs_make2(n, n->row->with, NULL, pcs_in(n, 0), pcs_in(n, 1)); }

void pcs_raise_shift(pcs_onnx_node *n)
{
    const char *way = pcs_attr_text(n, "direction", "");
    if (strcmp(way, "LEFT") && strcmp(way, "RIGHT")) pcs_wrong(n, "direction is %s", way);
    n->out[0] = pcs_make2(n, way[0] == 'L' ? "shift_left" : "shift_right", NULL, pcs_in(n, 0), pcs_in(n, 1));
}

void pcs_raise_mod(pcs_onnx_node *n)
{
    n->out[0] = pcs_make2(n, pcs_attr_int(n, "fmod", 0) ? "fmod" : "mod", NULL, pcs_in(n, 0), pcs_in(n, 1));
}

/* Exponents have a type of their own; a whole base with an exponent that is none is raised as F64. */
void pcs_raise_pow(pcs_onnx_node *n)
{
    precis_value x = pcs_in(n, 0), y = pcs_in(n, 1);
    if (x < 0 || y < 0) return;
    const pcs_dtype d = pcs_of(n, x)->dtype, e = pcs_of(n, y)->dtype;
    const bool wide = pcs_dtype_whole(d) && !pcs_dtype_whole(e);
    const pcs_dtype in = wide ? PCS_F64 : d;
    n->out[0] = pcs_as(n, pcs_make2(n, "pow", NULL, pcs_as(n, x, in), pcs_as(n, y, in)), d);
}

/* Sum, Max, Min of any number of inputs, from the first to the last. */
void pcs_raise_many(pcs_onnx_node *n)
{
    precis_value v = pcs_in(n, 0);
    pcs_has_attr(n, "consumed_inputs");
    for (uint32_t i = 1; i < n->n_in; i++) v = pcs_make2(n, n->row->with, NULL, v, pcs_in(n, i));
    n->out[0] = v;
}

/* Their sum over how many they are. */
void pcs_raise_mean(pcs_onnx_node *n)
{
    pcs_raise_many(n);
    const precis_value sum = n->out[0];
    if (sum >= 0) n->out[0] = pcs_make2(n, "div", NULL, sum, pcs_numbers(n, pcs_of(n, sum)->dtype, n->n_in));
}

/* A bound is a scalar; some writers give it a dimension of 1, with which it would be no bound of codes. */
static precis_value bound(pcs_onnx_node *n, uint32_t i, pcs_dtype d, const char *name)
{
    const precis_value v = pcs_has(n, i) ? n->in[i] : pcs_numbers(n, d, pcs_attr_real(n, name, 0));
    for (uint32_t k = 0; v >= 0 && k < pcs_of(n, v)->dims; k++)
        if (pcs_of(n, v)->shape[k] != 1) return pcs_wrong(n, "its bound %s is not one number", name);
    return v >= 0 && pcs_of(n, v)->dims ? pcs_shaped(n, v, 0, NULL) : v;
}

void pcs_raise_clip(pcs_onnx_node *n)
{
    precis_value v = pcs_in(n, 0);
    if (v < 0) return;
    const pcs_dtype d = pcs_of(n, v)->dtype;
    const bool lo = pcs_has(n, 1) || pcs_has_attr(n, "min"), hi = pcs_has(n, 2) || pcs_has_attr(n, "max");
    if (lo) v = pcs_make2(n, "max", NULL, v, bound(n, 1, d, "min"));
    if (hi) v = pcs_make2(n, "min", NULL, v, bound(n, 2, d, "max"));
    pcs_has_attr(n, "consumed_inputs");
    n->out[0] = v;
}

void pcs_raise_cast(pcs_onnx_node *n)
{
    const bool like = !strcmp(n->row->with, "like"), bits = !strcmp(n->row->with, "bits");
    const char *mode = pcs_attr_text(n, "round_mode", "up");
    pcs_dtype to = PCS_F32;
    const precis_value x = pcs_in(n, 0);
    if (like && pcs_in(n, 1) >= 0) to = pcs_of(n, n->in[1])->dtype;
    else if (!like && !pcs_onnx_dtype(pcs_attr_int(n, "to", 0), &to))
        pcs_refuse(n, "casts to data type %lld", (long long)pcs_attr_int(n, "to", 0));
    int64_t up = !strcmp(mode, "up") ? 1 : !strcmp(mode, "nearest") ? 2 : !strcmp(mode, "down") ? 3 : 0;
    if (!up) pcs_wrong(n, "round_mode is %s", mode);
    if (to != PCS_F8E8M0) up = 1; /* others are rounded to the nearest, whatever it says */
    const int64_t saturate = pcs_saturates(to, pcs_attr_int(n, "saturate", 1));
    if (x < 0 || pcs_failed(n)) return;
    if (pcs_of(n, x)->dtype == to) n->out[0] = x;
    else
        n->out[0] = pcs_make1(n, "cast",
                              PRECIS_ATTRS(precis_attr_int("to", to), precis_attr_int("saturate", saturate),
                                           precis_attr_int("up", up), precis_attr_int("bits", bits)),
                              x);
}

void pcs_raise_where(pcs_onnx_node *n)
{
    n->out[0] = pcs_make3(n, "where", NULL, pcs_in(n, 0), pcs_in(n, 1), pcs_in(n, 2));
}
void pcs_raise_same(pcs_onnx_node *n) { n->out[0] = pcs_in(n, 0); }

/* With ratio or training they differ; when a net is run nothing is dropped. */
void pcs_raise_dropout(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    pcs_has_attr(n, "seed");
    pcs_has_attr(n, "ratio");
    if (x < 0) return;
    if (pcs_attr_int(n, "is_test", 1) == 0 && n->version < 7) pcs_refuse(n, "drops values as in training");
    if (pcs_has(n, 2) && pcs_constant_real(n, n->in[2], 0) != 0) pcs_refuse(n, "drops values as in training");
    n->out[0] = x;
    if (!pcs_wants(n, 1) || pcs_failed(n)) return;
    const pcs_value *v = pcs_of(n, x);
    int64_t shape[PCS_GRAPH_DIMS];
    const uint32_t dims = v->dims;
    memcpy(shape, v->shape, sizeof shape);
    n->out[1] = pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", dims, shape)),
                          pcs_numbers(n, n->version < 7 ? v->dtype : PCS_BOOL, 1));
}

/* ---- reductions --------------------------------------------------------------------------------- */

const int64_t *pcs_axes(pcs_onnx_node *n, const char *name, uint32_t input, uint32_t *count)
{
    int64_t k = 0;
    if (!pcs_has(n, input)) return pcs_attr_ints(n, name, count);
    const int64_t *v = pcs_contents(n, n->in[input], &k);
    *count = v ? (uint32_t)k : 0;
    if (k > PCS_GRAPH_DIMS * 8) pcs_wrong(n, "has %lld %s", (long long)k, name);
    return pcs_failed(n) ? NULL : v;
}

/* wide: of whole numbers in f64, since what it computes is none. */
static void reduce(pcs_onnx_node *n, bool wide)
{
    uint32_t count;
    int64_t all[PCS_GRAPH_DIMS];
    precis_value x = pcs_in(n, 0);
    const int64_t *axes = pcs_axes(n, "axes", 1, &count);
    const bool keep = pcs_attr_int(n, "keepdims", 1) != 0, noop = pcs_attr_int(n, "noop_with_empty_axes", 0) != 0;
    if (x < 0 || pcs_failed(n)) return;
    const pcs_dtype d = pcs_of(n, x)->dtype;
    const uint32_t dims = pcs_of(n, x)->dims;
    for (uint32_t i = 0; i < dims; i++) all[i] = i;
    if (!count && noop) axes = NULL;
    else if (!count) axes = all, count = dims;
    if (wide && pcs_dtype_whole(d)) x = pcs_as(n, x, PCS_F64);
    n->out[0] = pcs_as(n, pcs_reduced(n, x, n->row->with, count, axes, keep), d);
}

void pcs_raise_reduce(pcs_onnx_node *n) { reduce(n, false); }
void pcs_raise_reduce_wide(pcs_onnx_node *n) { reduce(n, true); }

void pcs_raise_arg(pcs_onnx_node *n)
{
    const int64_t axis = pcs_attr_int(n, "axis", 0), keep = pcs_attr_int(n, "keepdims", 1),
                  last = pcs_attr_int(n, "select_last_index", 0);
    n->out[0] = pcs_make1(n, "arg_reduce",
                          PRECIS_ATTRS(precis_attr_int("axis", axis), precis_attr_int("keep", keep),
                                       precis_attr_int("least", n->row->with[0] == 'l'), precis_attr_int("last", last)),
                          pcs_in(n, 0));
}

/* Before opset 13 the dimensions from the axis on are one. */
void pcs_raise_softmax(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    const bool flat = n->version < 13;
    const int64_t axis = pcs_attr_int(n, "axis", flat ? 1 : -1);
    if (x < 0) return;
    const pcs_value v = *pcs_of(n, x);
    const pcs_dtype d = v.dtype;
    precis_value y = d == PCS_F64 ? x : pcs_f32(n, x);
    const int64_t a = axis < 0 ? axis + v.dims : axis; /* of an old one all from here on is one dimension */
    const bool joins = flat && a != (int64_t)v.dims - 1;
    if (flat && (a < 0 || a > v.dims || !v.dims)) {
        pcs_wrong(n, "has no axis %lld", (long long)axis);
        return;
    }
    if (joins) {
        const uint32_t last = a < v.dims ? (uint32_t)a : 1; /* behind the last dimension stands one of one */
        int64_t shape[PCS_GRAPH_DIMS] = { 1, 1 };
        for (uint32_t i = 0; i < v.dims; i++) {
            const uint32_t to = a < v.dims ? (i < last ? i : last) : 0;
            shape[to] = i == to ? v.shape[i] : pcs_dim_product(n->im->g, shape[to], v.shape[i]);
        }
        y = pcs_shaped(n, y, last + 1, shape);
    }
    y = pcs_make1(n, "normalize",
                  PRECIS_ATTRS(precis_attr_int("axis", flat ? -1 : axis), precis_attr_text("kind", n->row->with)), y);
    if (joins) y = pcs_shaped(n, y, v.dims, v.shape);
    n->out[0] = pcs_as(n, y, d);
}

void pcs_raise_cumulate(pcs_onnx_node *n)
{
    int64_t count = 0;
    const int64_t *axis = pcs_contents(n, pcs_in(n, 1), &count);
    const int64_t exclusive = pcs_attr_int(n, "exclusive", 0), reverse = pcs_attr_int(n, "reverse", 0);
    if (!axis || count != 1) {
        pcs_wrong(n, "its axis is not one number");
        return;
    }
    n->out[0] =
        pcs_make1(n, "cumulate",
                  PRECIS_ATTRS(precis_attr_int("axis", *axis), precis_attr_int("exclusive", exclusive),
                               precis_attr_int("reverse", reverse), precis_attr_int("product", n->row->with[0] == 'p')),
                  pcs_in(n, 0));
}
