/* unary - functions of one operand, element by element, of every type that the row (unary.def) has: an op for each. */
#include "base/fmath_more.h"
#include "graph/op/element_op.h"

enum { ALPHA, BETA };

#define OP_INPUTS 1
#define OP_ATTRS PCS_ATTR_TABLE(PCS_REAL("alpha", 1), PCS_REAL("beta", 1))
#define OP_NUMBERS(attr) \
    const double a = attr[ALPHA].real, b = attr[BETA].real; \
    (void)a, (void)b;

/* NaN stays. */
static double pcs_clamp_(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }
static double logistic(double x) { return 1 / (1 + pcs_exp(-x)); }
static double log_1_exp(double x) { return x > 0 ? x + pcs_m_log1p(pcs_exp(-x)) : pcs_m_log1p(pcs_exp(x)); }
/* Of x tanh(softplus(x)). */
static double mish_slope(double x)
{
    const double t = pcs_m_tanh(log_1_exp(x));
    return t + x * (1 - t * t) * logistic(x);
}

/* f32 by way of f64. */
#define WIDENED(name, OUT, expr) BLOCK(name, float, double, OUT, expr)

#define UNARY_REAL(name, real, by) \
    WIDENED(name##_f32, float, real) \
    BLOCK(name##_f64, double, double, double, real) \
    SLOPE(name##_by_x, by) \
    SMOOTH_OP(name, (REALS(name), .slope = { name##_by_x }), .known = NULL)
#define UNARY_KERNEL(name, of, narrow, real, by) \
    BLOCK(name##_f32, float, float, float, narrow) \
    BLOCK(name##_f64, double, double, double, real) \
    SLOPE(name##_by_x, by) \
    SMOOTH_OP(name, (REALS(name), .kernel = of, .slope = { name##_by_x }), .known = NULL)
#define UNARY_F32(name, narrow, real, by) UNARY_KERNEL(name, PCS_NO_FUNCTION, narrow, real, by)
#define UNARY_TEST(name, real) \
    WIDENED(name##_f32, int64_t, real) \
    BLOCK(name##_f64, double, double, int64_t, real) \
    TEST_OP(name, (REALS(name), .test = true))
#define UNARY_BOTH(name, real, whole, natural, by) UNARY_BOTH_KERNEL(name, PCS_NO_FUNCTION, real, whole, natural, by)
#define UNARY_BOTH_KERNEL(name, of, real, whole, natural, by) \
    BLOCK(name##_f32, float, float, float, real) \
    BLOCK(name##_f64, double, double, double, real) \
    BLOCK(name##_i64, int64_t, int64_t, int64_t, whole) \
    BLOCK(name##_u64, uint64_t, uint64_t, uint64_t, natural) \
    SLOPE(name##_by_x, by) \
    SMOOTH_OP(name, (REALS(name), WHOLES(name), .kernel = of, .slope = { name##_by_x }), .known = NULL)
#define UNARY_WHOLE(name, whole) \
    BLOCK(name##_i64, int64_t, int64_t, int64_t, whole) \
    BLOCK(name##_u64, uint64_t, uint64_t, uint64_t, whole) \
    WHOLE_OP(name, (WHOLES(name)))
#include "graph/op/unary.def"
