/* binary - functions of two operands, element by element, of every type that the row (binary.def) has: an op for each.
 */
#include "base/fmath_more.h"
#include "graph/op/element_op.h"

#define OP_INPUTS 2
#define OP_ATTRS NULL
#define OP_NUMBERS(attr) (void)attr;

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

/* Of operands with as many elements as the result, or one. */
static int64_t of_known(precis_graph *g, const pcs_node *n, int64_t i, pcs_dim_fn *fn)
{
    const int64_t all = pcs_value_count(&g->values[n->out[0]]);
    int64_t x[2];
    for (uint32_t k = 0; k < 2; k++) {
        const pcs_value *v = &g->values[n->in[k]];
        const int64_t have = v->known ? pcs_value_count(v) : 0;
        if (have != 1 && (have < 1 || have != all)) return PCS_DIM_ERROR;
        x[k] = v->known[have == 1 ? 0 : i];
    }
    return fn(g, x[0], x[1]);
}

#define EVERY_BINARY(name, of, real, whole, natural, by_x, by_y, ...) \
    BLOCK(name##_f32, float, float, float, real) \
    BLOCK(name##_f64, double, double, double, real) \
    BLOCK(name##_i64, int64_t, int64_t, int64_t, whole) \
    BLOCK(name##_u64, uint64_t, uint64_t, uint64_t, natural) \
    SLOPE(name##_by_x, by_x) \
    SLOPE(name##_by_y, by_y) \
    SMOOTH_OP(name, (REALS(name), WHOLES(name), .kernel = of, .slope = { name##_by_x, name##_by_y }), __VA_ARGS__)
#define BINARY(name, real, whole, natural, by_x, by_y) \
    EVERY_BINARY(name, PCS_NO_FUNCTION, real, whole, natural, by_x, by_y, .known = NULL)
#define BINARY_KERNEL(name, of, real, whole, natural, by_x, by_y) \
    EVERY_BINARY(name, of, real, whole, natural, by_x, by_y, .known = NULL)
#define BINARY_DIM(name, of, real, whole, natural, by_x, by_y) \
    static int64_t known_##name(precis_graph *g, const pcs_node *n, int64_t i) \
    { \
        return of_known(g, n, i, pcs_dim_##name); \
    } \
    EVERY_BINARY(name, of, real, whole, natural, by_x, by_y, .known = known_##name)
#define BINARY_WHOLE(name, whole, natural) \
    BLOCK(name##_i64, int64_t, int64_t, int64_t, whole) \
    BLOCK(name##_u64, uint64_t, uint64_t, uint64_t, natural) \
    WHOLE_OP(name, (WHOLES(name)))
#define COMPARE(name, holds) \
    BLOCK(name##_f32, float, float, int64_t, holds) \
    BLOCK(name##_f64, double, double, int64_t, holds) \
    BLOCK(name##_i64, int64_t, int64_t, int64_t, holds) \
    BLOCK(name##_u64, uint64_t, uint64_t, int64_t, holds) \
    TEST_OP(name, (REALS(name), WHOLES(name), .test = true))
#include "graph/op/binary.def"
