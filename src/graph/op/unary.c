/* unary - functions of one operand, element by element, of every type that the row (unary.def) has: an op for each. */
#include "base/fmath_more.h"
#include "graph/element.h"

enum { ALPHA, BETA };

/* NaN stays. */
static double pcs_clamp_(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

typedef struct {
    pcs_block_fn *f32, *f64, *i64, *u64;
    bool test;
} row;

static pcs_block_fn *of(const row *r, pcs_dtype d)
{
    const pcs_domain m = pcs_domain_of(d);
    return m == PCS_IN_F32 ? r->f32 : m == PCS_IN_F64 ? r->f64 : m == PCS_IN_I64 ? r->i64 : r->u64;
}

static precis_status infer_row(precis_graph *g, const pcs_node *n, pcs_value *out, const row *r)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (!pcs_dtype_bytes(x->dtype) || !of(r, x->dtype))
        return pcs_op_fail(g, n, "does not take %s", pcs_dtype_name(x->dtype));
    out->dtype = r->test ? PCS_BOOL : x->dtype;
    return pcs_infer_spread(g, n, 0, 1, out);
}

#define BLOCK(name, IN, OUT, expr) \
    static void name(const precis_attr *attr, size_t n, const void *const *in, void *out) \
    { \
        const double a = attr[ALPHA].real, b = attr[BETA].real; \
        (void)a, (void)b; \
        for (size_t k = 0; k < n; k++) { \
            const IN x = ((const IN *)in[0])[k]; \
            ((OUT *)out)[k] = (OUT)(expr); \
        } \
    }
/* f32 by way of f64. */
#define WIDENED(name, OUT, expr) \
    static void name(const precis_attr *attr, size_t n, const void *const *in, void *out) \
    { \
        const double a = attr[ALPHA].real, b = attr[BETA].real; \
        (void)a, (void)b; \
        for (size_t k = 0; k < n; k++) { \
            const double x = (double)((const float *)in[0])[k]; \
            ((OUT *)out)[k] = (OUT)(expr); \
        } \
    }
#define OP_OF_ROW(name_, ...) \
    static const row row_##name_ = { __VA_ARGS__ }; \
    static precis_status infer_##name_(precis_graph *g, const pcs_node *n, pcs_value *out) \
    { \
        return infer_row(g, n, out, &row_##name_); \
    } \
    static void eval_##name_(const pcs_call *c, uint32_t ith, uint32_t nth) \
    { \
        pcs_elementwise(c, ith, nth, of(&row_##name_, c->in[0].dtype)); \
    } \
    const pcs_op pcs_op_##name_ = { \
        .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, \
        .name = #name_, \
        .min_in = 1, \
        .max_in = 1, \
        .attrs = PCS_ATTR_TABLE(PCS_REAL("alpha", 1), PCS_REAL("beta", 1)), \
        .infer = infer_##name_, \
        .eval = eval_##name_, \
    };

#define UNARY_REAL(name, real) \
    WIDENED(name##_f32, float, real) \
    BLOCK(name##_f64, double, double, real) \
    OP_OF_ROW(name, name##_f32, name##_f64, NULL, NULL, false)
#define UNARY_F32(name, narrow, real) \
    BLOCK(name##_f32, float, float, narrow) \
    BLOCK(name##_f64, double, double, real) \
    OP_OF_ROW(name, name##_f32, name##_f64, NULL, NULL, false)
#define UNARY_TEST(name, real) \
    WIDENED(name##_f32, int64_t, real) \
    BLOCK(name##_f64, double, int64_t, real) \
    OP_OF_ROW(name, name##_f32, name##_f64, NULL, NULL, true)
#define UNARY_BOTH(name, real, whole, natural) \
    WIDENED(name##_f32, float, real) \
    BLOCK(name##_f64, double, double, real) \
    BLOCK(name##_i64, int64_t, int64_t, whole) \
    BLOCK(name##_u64, uint64_t, uint64_t, natural) \
    OP_OF_ROW(name, name##_f32, name##_f64, name##_i64, name##_u64, false)
#define UNARY_WHOLE(name, whole) \
    BLOCK(name##_i64, int64_t, int64_t, whole) \
    BLOCK(name##_u64, uint64_t, uint64_t, whole) \
    OP_OF_ROW(name, NULL, NULL, name##_i64, name##_u64, false)
#include "graph/op/unary.def"
