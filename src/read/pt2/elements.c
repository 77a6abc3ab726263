/* elements.c - functions of elements: types by torch's promotion, then rows of
 * op/unary.def and op/binary.def. */
#include "read/pt2/aten.h"

#include "base/fmath_more.h"

static precis_value number(pcs_aten *c, precis_value like, double v)
{
    return like < 0 ? -1 : pcs_numbers(&c->n, pcs_of(&c->n, like)->dtype, v);
}

static precis_value one_of(pcs_aten *c, const char *op, precis_value x, double a, double b)
{
    return pcs_make1(&c->n, op, PRECIS_ATTRS(precis_attr_real("alpha", a), precis_attr_real("beta", b)), x);
}

/* The first argument; whole numbers as floats. */
static precis_value floating(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    return x < 0 ? -1 : pcs_as(&c->n, x, pcs_floating(pcs_of(&c->n, x)->dtype));
}

/* ---- of one operand ----------------------------------------------------------------------------- */

/* Of its own type. */
void pcs_aten_unary(pcs_aten *c) { c->n.out[0] = one_of(c, c->row->with, pcs_arg_tensor(c, "self"), 1, 1); }

/* Rounding of whole numbers changes nothing. */
void pcs_aten_rounding(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    if (x >= 0) c->n.out[0] = pcs_dtype_whole(pcs_of(&c->n, x)->dtype) ? x : one_of(c, c->row->with, x, 1, 1);
}

void pcs_aten_trunc(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    if (x < 0) return;
    c->n.out[0] = pcs_dtype_whole(pcs_of(&c->n, x)->dtype)
                      ? x
                      : pcs_make3(&c->n, "where", NULL, pcs_make2(&c->n, "less", NULL, x, number(c, x, 0)),
                                  one_of(c, "ceil", x, 1, 1), one_of(c, "floor", x, 1, 1));
}

/* "with": the op, and the argument that is its alpha. */
void pcs_aten_float(pcs_aten *c)
{
    const char *space = strchr(c->row->with, ' ');
    const char *op =
        pcs_arena_copy(&c->n.im->arena, c->row->with, space ? (size_t)(space - c->row->with) : strlen(c->row->with));
    const precis_value x = floating(c);
    if (!op) c->n.im->error = PRECIS_ENOMEM;
    if (x < 0 || !op) return;
    c->n.out[0] = one_of(c, op, x, space ? pcs_arg_real(c, space + 1) : 1, 1);
}

/* A leaky ReLU when a net is run: by the middle of both slopes. */
void pcs_aten_rrelu(pcs_aten *c)
{
    const precis_value x = floating(c), noise = *c->row->with ? pcs_arg_tensor(c, "noise") : -1;
    const double lower = pcs_arg_real(c, "lower"), upper = pcs_arg_real(c, "upper");
    if (pcs_arg_flag(c, "training")) pcs_refuse(&c->n, "draws slopes as in training; export net.eval()");
    pcs_arg_given(c, "generator");
    c->n.out[0] = one_of(c, "leaky_relu", x, 0.5 * (lower + upper), 1);
    if (c->n.n_out > 1) c->n.out[1] = noise;
}

void pcs_aten_test(pcs_aten *c)
{
    const precis_value x = floating(c);
    c->n.out[0] = one_of(c, c->row->with, x, 1, 1);
}

void pcs_aten_finite(pcs_aten *c)
{
    const precis_value x = floating(c);
    const precis_value none = pcs_make2(&c->n, "or", NULL, one_of(c, "is_nan", x, 1, 1), one_of(c, "is_inf", x, 1, 1));
    c->n.out[0] = pcs_make1(&c->n, "not", NULL, none);
}

void pcs_aten_relu(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    c->n.out[0] = PCS_BORROW(c, .raise = pcs_raise_relu, .n_in = 1, .in = &x);
}

/* scale times elu; core's form of selu, too. */
void pcs_aten_elu(pcs_aten *c)
{
    const precis_value x = floating(c);
    const double alpha = pcs_arg_real(c, "alpha"), scale = pcs_arg_real(c, "scale"),
                 in = pcs_arg_real(c, "input_scale");
    if (in != 1) pcs_refuse(&c->n, "scales what comes by %g", in);
    const precis_value y = one_of(c, "elu", x, alpha, 1);
    c->n.out[0] = scale == 1 ? y : pcs_make2(&c->n, "mul", NULL, y, number(c, y, scale));
}

/* selu's numbers are the op's that ONNX has: its alpha and gamma. */
void pcs_aten_selu(pcs_aten *c)
{
    const precis_value x = floating(c);
    c->n.out[0] = one_of(c, "selu", x, 1.6732632423543772, 1.0507009873554805);
}

void pcs_aten_hard_sigmoid(pcs_aten *c) { c->n.out[0] = one_of(c, "hard_sigmoid", floating(c), 1.0 / 6, 0.5); }

void pcs_aten_gelu(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const char *how = pcs_arg_text(c, "approximate");
    if (how[0] != 'n' && how[0] != 't') pcs_refuse(&c->n, "approximate is %s", how);
    c->n.out[0] = pcs_gelu(&c->n, x, how[0] == 't');
}

/* log1p, expm1, exp2, log2 and log10, of f64 where f32 would lose what they are
 * for. */
void pcs_aten_logs(pcs_aten *c)
{
    precis_value x = floating(c);
    if (x < 0) return;
    const pcs_dtype d = pcs_of(&c->n, x)->dtype;
    const char *op = c->row->with;
    x = pcs_as(&c->n, x, PCS_F64);
    const precis_value unit = pcs_numbers(&c->n, PCS_F64, 1);
    if (!strcmp(op, "log1p")) x = one_of(c, "log", pcs_make2(&c->n, "add", NULL, x, unit), 1, 1);
    else if (!strcmp(op, "expm1")) { /* 2t / (1 - t) with t = tanh(x / 2); e^x - 1 above 1, where nothing cancels */
        const precis_value half = pcs_make2(&c->n, "mul", NULL, x, pcs_numbers(&c->n, PCS_F64, 0.5)),
                           t = one_of(c, "tanh", half, 1, 1), twice = pcs_make2(&c->n, "add", NULL, t, t),
                           below = pcs_make2(&c->n, "div", NULL, twice, pcs_make2(&c->n, "sub", NULL, unit, t)),
                           above = pcs_make2(&c->n, "sub", NULL, one_of(c, "exp", x, 1, 1), unit);
        x = pcs_make3(&c->n, "where", NULL, pcs_make2(&c->n, "less", NULL, x, unit), below, above);
    } else if (!strcmp(op, "exp2"))
        x = one_of(c, "exp", pcs_make2(&c->n, "mul", NULL, x, pcs_numbers(&c->n, PCS_F64, 0.69314718055994530942)), 1,
                   1);
    else
        x = pcs_make2(&c->n, "mul", NULL, one_of(c, "log", x, 1, 1),
                      pcs_numbers(&c->n, PCS_F64, op[3] == '2' ? 1.4426950408889634074 : 0.43429448190325182765));
    c->n.out[0] = pcs_as(&c->n, x, d);
}

void pcs_aten_rsqrt(pcs_aten *c) { c->n.out[0] = one_of(c, "reciprocal", one_of(c, "sqrt", floating(c), 1, 1), 1, 1); }

void pcs_aten_softplus(pcs_aten *c)
{
    const precis_value x = floating(c);
    const double beta = pcs_arg_real(c, "beta"), threshold = pcs_arg_real(c, "threshold");
    if (x < 0 || pcs_failed(&c->n)) return;
    const precis_value bx = pcs_make2(&c->n, "mul", NULL, x, number(c, x, beta));
    const precis_value y = pcs_make2(&c->n, "div", NULL, one_of(c, "softplus", bx, 1, 1), number(c, x, beta));
    c->n.out[0] = pcs_make3(&c->n, "where", NULL, pcs_make2(&c->n, "greater", NULL, bx, number(c, x, threshold)), x, y);
}

/* hardtanh, clamp: bounds that are not there bound nothing. "with": names of
 * the bounds. */
void pcs_aten_clamp(pcs_aten *c)
{
    const bool six = c->row->with[0] == '6';
    const bool hard = c->row->with[0] == 'h';
    const char *low = hard ? "min_val" : "min", *high = hard ? "max_val" : "max";
    pcs_operand x[3] = { { pcs_arg_tensor(c, "self"), false } };
    uint32_t n = 1;
    int lo = -1, hi = -1;
    if (six) {
        c->n.out[0] = pcs_make2(&c->n, "min", NULL, pcs_make2(&c->n, "max", NULL, x[0].v, number(c, x[0].v, 0)),
                                number(c, x[0].v, 6));
        return;
    }
    if (pcs_arg_given(c, low)) x[lo = (int)n++] = pcs_arg_operand(c, low);
    if (pcs_arg_given(c, high)) x[hi = (int)n++] = pcs_arg_operand(c, high);
    if (pcs_failed(&c->n)) return;
    const pcs_dtype d = pcs_promoted(c, n, x);
    precis_value v = pcs_as(&c->n, x[0].v, d);
    if (lo > 0) v = pcs_make2(&c->n, "max", NULL, v, pcs_as(&c->n, x[lo].v, d));
    if (hi > 0) v = pcs_make2(&c->n, "min", NULL, v, pcs_as(&c->n, x[hi].v, d));
    c->n.out[0] = v;
}

void pcs_aten_not(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    if (x < 0) return;
    const bool bits = c->row->with[0] == 'b' && pcs_of(&c->n, x)->dtype != PCS_BOOL;
    c->n.out[0] = pcs_make1(&c->n, bits ? "bit_not" : "not", NULL, bits ? x : pcs_as(&c->n, x, PCS_BOOL));
}

void pcs_aten_same(pcs_aten *c)
{
    c->n.out[0] = pcs_arg_tensor(c, c->args[0].name.n == 4 ? "self" : "input");
    if (c->n.n_out > 1 && c->n.out[0] >= 0) { /* native_dropout's mask: all of it */
        const pcs_value v = *pcs_of(&c->n, c->n.out[0]);
        c->n.out[1] = pcs_filled(c, PCS_BOOL, v.dims, v.shape, (pcs_scalar){ PCS_TRUTH, 1, 0 });
    }
}

void pcs_aten_dropout(pcs_aten *c)
{
    pcs_arg_real(c, "p");
    if (pcs_arg_given(c, "train") && pcs_arg_flag(c, "train"))
        pcs_refuse(&c->n, "drops values as in training; export net.eval()");
    if (!pcs_failed(&c->n)) pcs_aten_same(c);
}

/* What only asserts, or says what is known anyway. */
void pcs_aten_nothing(pcs_aten *c)
{
    for (uint32_t i = 0; i < c->n_args; i++) c->args[i].used = true;
}

/* ---- of two operands ---------------------------------------------------------------------------- */

static void both(pcs_aten *c, pcs_operand *x, pcs_dtype *d)
{
    x[0] = pcs_arg_operand(c, "self");
    x[1] = pcs_arg_operand(c, "other");
    *d = pcs_promoted(c, 2, x);
}

/* op in d; truth values as they add and multiply, which ONNX has other ops for. */
static precis_value apply(pcs_aten *c, const char *op, precis_value a, precis_value b, pcs_dtype d)
{
    if (a < 0 || b < 0) return -1;
    a = pcs_as(&c->n, a, d), b = pcs_as(&c->n, b, d);
    static const char *const of_truth[][2] = { { "add", "or" }, { "max", "or" }, { "mul", "and" }, { "min", "and" } };
    for (size_t i = 0; d == PCS_BOOL && i < sizeof of_truth / sizeof *of_truth; i++)
        if (!strcmp(op, of_truth[i][0])) return pcs_make2(&c->n, of_truth[i][1], NULL, a, b);
    return pcs_make2(&c->n, op, NULL, a, b);
}

/* add, sub, rsub, mul, maximum, minimum; `alpha` multiplies the second operand
 * of a sum. "with": the op, "-" before it where operands change places. */
void pcs_aten_binary(pcs_aten *c)
{
    pcs_operand x[2];
    pcs_dtype d;
    const bool turned = c->row->with[0] == '-';
    const char *op = c->row->with + turned;
    both(c, x, &d);
    if (pcs_failed(&c->n)) return;
    precis_value a = x[0].v, b = x[1].v;
    if (c->n_args > 2 && pcs_str_is(c->args[2].name, "alpha")) {
        const pcs_scalar by = pcs_arg_number(c, "alpha");
        if (by.kind == PCS_NUMBER ? by.r != 1 : by.i != 1) b = apply(c, "mul", b, pcs_scalar_value(c, d, by), d);
    }
    c->n.out[0] = turned ? apply(c, op, b, a, d) : apply(c, op, a, b, d);
}

/* True division, or rounded: "floor", "trunc". */
static precis_value divided(pcs_aten *c, precis_value a, precis_value b, pcs_dtype d, const char *how)
{
    if (!*how) return apply(c, "div", a, b, pcs_floating(d));
    if (!pcs_dtype_whole(d)) {
        const precis_value q = apply(c, "div", a, b, d);
        if (how[0] == 'f') return one_of(c, "floor", q, 1, 1);
        return pcs_make3(&c->n, "where", NULL, pcs_make2(&c->n, "less", NULL, q, number(c, q, 0)),
                         one_of(c, "ceil", q, 1, 1), one_of(c, "floor", q, 1, 1));
    }
    a = pcs_as(&c->n, a, d), b = pcs_as(&c->n, b, d);
    if (how[0] == 'f') a = pcs_make2(&c->n, "sub", NULL, a, pcs_make2(&c->n, "mod", NULL, a, b));
    return pcs_make2(&c->n, "div", NULL, a, b);
}

void pcs_aten_div(pcs_aten *c)
{
    pcs_operand x[2];
    pcs_dtype d;
    both(c, x, &d);
    const char *how = c->row->with;
    if (how[0] == 'm') how = pcs_arg_given(c, "rounding_mode") ? pcs_arg_text(c, "rounding_mode") : "";
    if (*how && strcmp(how, "floor") && strcmp(how, "trunc")) pcs_refuse(&c->n, "rounding_mode is %s", how);
    if (!pcs_failed(&c->n)) c->n.out[0] = divided(c, x[0].v, x[1].v, d, how);
}

/* Truth values as bytes: comparisons have none. */
static pcs_dtype comparable(pcs_dtype d) { return d == PCS_BOOL ? PCS_U8 : d; }

void pcs_aten_compare(pcs_aten *c)
{
    pcs_operand x[2];
    pcs_dtype d;
    const bool inverse = c->row->with[0] == '!';
    both(c, x, &d);
    if (pcs_failed(&c->n)) return;
    const precis_value y = pcs_make2(&c->n, c->row->with + inverse, NULL, pcs_as(&c->n, x[0].v, comparable(d)),
                                     pcs_as(&c->n, x[1].v, comparable(d)));
    c->n.out[0] = inverse ? pcs_make1(&c->n, "not", NULL, y) : y;
}

void pcs_aten_logical(pcs_aten *c)
{
    const precis_value a = pcs_as(&c->n, pcs_arg_tensor(c, "self"), PCS_BOOL),
                       b = pcs_as(&c->n, pcs_arg_tensor(c, "other"), PCS_BOOL);
    c->n.out[0] = pcs_make2(&c->n, c->row->with, NULL, a, b);
}

void pcs_aten_pow(pcs_aten *c)
{
    const pcs_operand x[2] = { pcs_arg_operand(c, "self"), pcs_arg_operand(c, "exponent") };
    if (x[0].v < 0 || x[1].v < 0) return;
    const pcs_dtype d = pcs_promoted(c, 2, x);
    const precis_value a = pcs_as(&c->n, x[0].v, d);
    const double e = x[1].weak ? pcs_constant_real(&c->n, x[1].v, 0) : 0;
    if (x[1].weak && e == 2) c->n.out[0] = pcs_make2(&c->n, "mul", NULL, a, a);
    else if (x[1].weak && e == 0.5) c->n.out[0] = one_of(c, "sqrt", a, 1, 1);
    else c->n.out[0] = pcs_make2(&c->n, "pow", NULL, a, pcs_as(&c->n, x[1].v, d));
}

/* Quadrants by signs, of what atan gives for the quotient. */
void pcs_aten_atan2(pcs_aten *c)
{
    pcs_operand x[2];
    pcs_dtype d;
    both(c, x, &d);
    if (pcs_failed(&c->n)) return;
    d = pcs_floating(d);
    const precis_value y = pcs_as(&c->n, x[0].v, PCS_F64), w = pcs_as(&c->n, x[1].v, PCS_F64),
                       zero = pcs_numbers(&c->n, PCS_F64, 0), pi = pcs_numbers(&c->n, PCS_F64, 3.14159265358979323846);
    const precis_value at = one_of(c, "atan", pcs_make2(&c->n, "div", NULL, y, w), 1, 1);
    const precis_value left = pcs_make2(&c->n, "less", NULL, w, zero), below = pcs_make2(&c->n, "less", NULL, y, zero);
    const precis_value turned = pcs_make3(&c->n, "where", NULL, below, pcs_make2(&c->n, "sub", NULL, at, pi),
                                          pcs_make2(&c->n, "add", NULL, at, pi));
    precis_value r = pcs_make3(&c->n, "where", NULL, left, turned, at);
    const precis_value nothing = pcs_make2(&c->n, "and", NULL, pcs_make2(&c->n, "equal", NULL, y, zero),
                                           pcs_make2(&c->n, "equal", NULL, w, zero));
    c->n.out[0] = pcs_as(&c->n, pcs_make3(&c->n, "where", NULL, nothing, zero, r), d);
}

/* ---- choices ------------------------------------------------------------------------------------ */

void pcs_aten_where(pcs_aten *c)
{
    const precis_value at = pcs_as(&c->n, pcs_arg_tensor(c, "condition"), PCS_BOOL);
    pcs_operand x[2];
    pcs_dtype d;
    both(c, x, &d);
    if (at >= 0 && !pcs_failed(&c->n))
        c->n.out[0] = pcs_make3(&c->n, "where", NULL, at, pcs_as(&c->n, x[0].v, d), pcs_as(&c->n, x[1].v, d));
}

void pcs_aten_masked_fill(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self"), mask = pcs_as(&c->n, pcs_arg_tensor(c, "mask"), PCS_BOOL);
    const pcs_operand v = pcs_arg_operand(c, "value");
    if (x < 0 || mask < 0 || v.v < 0) return;
    c->n.out[0] = pcs_make3(&c->n, "where", NULL, mask, pcs_as(&c->n, v.v, pcs_of(&c->n, x)->dtype), x);
}

/* copy and fill: the second argument in the first one's shape and type. */
void pcs_aten_copy(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const pcs_operand w = pcs_arg_operand(c, c->row->with);
    if (x < 0 || w.v < 0) return;
    const pcs_value v = *pcs_of(&c->n, x);
    c->n.out[0] = pcs_spread_to(c, pcs_as(&c->n, w.v, v.dtype), v.dims, v.shape);
}

/* self + value * a * b, or a / b. */
void pcs_aten_addc(pcs_aten *c)
{
    const pcs_operand x[3] = { { pcs_arg_tensor(c, "self"), false },
                               { pcs_arg_tensor(c, "tensor1"), false },
                               { pcs_arg_tensor(c, "tensor2"), false } };
    const pcs_scalar by = pcs_arg_number(c, "value");
    if (pcs_failed(&c->n)) return;
    pcs_dtype d = pcs_promoted(c, 3, x);
    if (c->row->with[0] == 'o') d = pcs_floating(d);
    const precis_value v = apply(c, c->row->with, x[1].v, x[2].v, d);
    c->n.out[0] = apply(c, "add", x[0].v, apply(c, "mul", v, pcs_scalar_value(c, d, by), d), d);
}

/* ---- types -------------------------------------------------------------------------------------- */

void pcs_aten_to(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    if (x < 0) return;
    pcs_dtype d = pcs_of(&c->n, x)->dtype;
    if (c->row->with[0] == 'o') { /* the other's */
        const precis_value other = pcs_arg_tensor(c, "other");
        if (other >= 0) d = pcs_of(&c->n, other)->dtype;
    } else if (c->row->with[0] == 'd') d = pcs_arg_type(c, "dtype", d);
    if (pcs_failed(&c->n)) return;
    const pcs_dtype from = pcs_of(&c->n, x)->dtype;
    /* torch rounds towards zero, and wraps what a whole number's type does not
     * hold */
    c->n.out[0] = from == d ? x
                            : pcs_make1(&c->n, "cast",
                                        PRECIS_ATTRS(precis_attr_int("to", d),
                                                     precis_attr_int("saturate", d != PCS_F8E5M2 && d != PCS_F8E4M3FN)),
                                        x);
}
