/* binary - functions of two operands, element by element, of every type that the row (binary.def) has: an op for each.
 */
#include "base/fmath_more.h"
#include "graph/element.h"

static uint64_t natural_pow(uint64_t x, uint64_t y)
{
    uint64_t r = 1;
    for (; y; y >>= 1, x *= x)
        if (y & 1) r *= x;
    return r;
}
static int64_t whole_pow(int64_t x, int64_t y)
{
    if (y >= 0) return (int64_t)natural_pow((uint64_t)x, (uint64_t)y);
    return x == 1 || (x == -1 && y % 2 == 0) ? 1 : x == -1 ? -1 : 0;
}
/* The remainder has the divisor's sign, as in Python. */
static int64_t whole_mod(int64_t x, int64_t y)
{
    if (y == 0 || y == -1) return 0;
    const int64_t r = x % y;
    return r && (r < 0) != (y < 0) ? r + y : r;
}
static double floor_mod(double x, double y)
{
    const double r = pcs_m_fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

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
    const pcs_value *x = &g->values[n->in[0]], *y = &g->values[n->in[1]];
    if (x->dtype != y->dtype)
        return pcs_op_fail(g, n, "takes operands of one type, not %s and %s", pcs_dtype_name(x->dtype),
                           pcs_dtype_name(y->dtype));
    if (!pcs_dtype_bytes(x->dtype) || !of(r, x->dtype))
        return pcs_op_fail(g, n, "does not take %s", pcs_dtype_name(x->dtype));
    out->dtype = r->test ? PCS_BOOL : x->dtype;
    return pcs_infer_spread(g, n, 0, 2, out);
}

#define BLOCK(name, IN, OUT, expr) \
    static void name(const precis_attr *attr, size_t n, const void *const *in, void *out) \
    { \
        (void)attr; \
        for (size_t k = 0; k < n; k++) { \
            const IN x = ((const IN *)in[0])[k], y = ((const IN *)in[1])[k]; \
            (void)y; \
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
        .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, .name = #name_, .min_in = 2, .max_in = 2, \
        .infer = infer_##name_, .eval = eval_##name_ \
    };

#define BINARY(name, real, whole, natural) \
    BLOCK(name##_f32, float, float, real) \
    BLOCK(name##_f64, double, double, real) \
    BLOCK(name##_i64, int64_t, int64_t, whole) \
    BLOCK(name##_u64, uint64_t, uint64_t, natural) \
    OP_OF_ROW(name, name##_f32, name##_f64, name##_i64, name##_u64, false)
#define BINARY_WHOLE(name, whole, natural) \
    BLOCK(name##_i64, int64_t, int64_t, whole) \
    BLOCK(name##_u64, uint64_t, uint64_t, natural) \
    OP_OF_ROW(name, NULL, NULL, name##_i64, name##_u64, false)
#define COMPARE(name, test) \
    BLOCK(name##_f32, float, int64_t, test) \
    BLOCK(name##_f64, double, int64_t, test) \
    BLOCK(name##_i64, int64_t, int64_t, test) \
    BLOCK(name##_u64, uint64_t, int64_t, test) \
    OP_OF_ROW(name, name##_f32, name##_f64, name##_i64, name##_u64, true)
#include "graph/op/binary.def"
