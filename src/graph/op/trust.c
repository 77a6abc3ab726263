/* trust - numbers that were turned by a Hadamard matrix, rounded to a grid fitted to a normal distribution; the
 * gradient passes where rounding moved them little.
 *
 * scheme 0: QuEST (2502.05003): the middles of 2^bits - 1 steps over +- c rms of the row; passes where |y - x| <= rms c
 * / (2^bits - 1), with c the factor of the least error at so many bits (0: the paper's). scheme 1: Quartet's forward
 * (2505.14669): E2M1 with a scale of 2^floor(log2(2.92247856 / 6 * deviation)) per 32, passes where |x / scale| < 6. */
#include "base/fmath.h"
#include "graph/graph.h"
#include "graph/op/round.h"

enum { SCHEME, BITS, C };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t scheme = n->attr[SCHEME].integer, bits = n->attr[BITS].integer;
    if (scheme < 0 || scheme > 1 || !x->dims) return pcs_op_fail(g, n, "has no scheme %lld", (long long)scheme);
    if (scheme == 0 && !(n->attr[C].real > 0) && (bits < 1 || (bits > 4 && bits != 8)))
        return pcs_op_fail(g, n, "has no factor for %lld bits: give c", (long long)bits);
    if (bits < 1 || bits > 16) return pcs_op_fail(g, n, "takes 1 to 16 bits");
    if (scheme == 1 && x->shape[x->dims - 1] % 32) return pcs_op_fail(g, n, "rows are not whole blocks of 32");
    return pcs_infer_like(g, n, 0, out);
}

/* Of Gaussian numbers, where the squared error of a uniform grid of so many bits is least. */
static double factor(const precis_attr *attr)
{
    static const double least[9] = { 0, 0.79788456, 1.49353, 2.05107, 2.51393, 0, 0, 0, 3.88494 };
    return attr[C].real > 0 ? attr[C].real : least[attr[BITS].integer];
}

/* What a number becomes, and whether its gradient passes. */
typedef struct { float y; bool passes; } result;

static result midpoint(float x, float scale, float steps)
{
    const float step = 2 * scale / steps, y = pcs_nearest(pcs_clamp(x, -scale, scale) / step + 0.5f) * step - step / 2;
    const float moved = y - x < 0 ? x - y : y - x;
    return (result){ y, moved <= scale / steps };
}

static result block_code(float x, float scale)
{
    const float v = x / scale, a = v < 0 ? -v : v;
    return (result){ pcs_e2m1_nearest(v) * scale, a < 6 };
}

/* 2^floor(log2(x)): of a positive, normal number its exponent alone. */
static float power_below(float x) { return pcs_bits_f32(pcs_f32_bits(x) & 0x7f800000u); }

static float trusted_scale(const precis_attr *attr, const float *x, size_t n)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    const double mean = attr[SCHEME].integer ? sum / (double)n : 0;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    const float deviation = pcs_sqrtf((float)(squares / (double)n));
    return attr[SCHEME].integer ? power_below((float)(2.92247856 / 6) * deviation + 1e-8f)
                                : (float)factor(attr) * (deviation + 1e-8f);
}

/* Each row, or each block of 32, through `each`. */
static void walk(const pcs_call *c, const float *d, float *out, uint32_t ith, uint32_t nth)
{
    const size_t width = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    const size_t n = c->attr[SCHEME].integer ? 32 : width, blocks = n ? width / n : 0;
    const float steps = (float)((1 << c->attr[BITS].integer) - 1);
    for (size_t u = rows * ith / nth * blocks; u < rows * (ith + 1) / nth * blocks; u++) {
        const float *x = (const float *)c->in[0].data + u * n, scale = trusted_scale(c->attr, x, n);
        for (size_t i = 0; i < n; i++) {
            const result r = c->attr[SCHEME].integer ? block_code(x[i], scale) : midpoint(x[i], scale, steps);
            if (!d) out[u * n + i] = r.y;
            else if (r.passes) out[u * n + i] += d[u * n + i];
        }
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth) { walk(c, NULL, c->out[0].data, ith, nth); }

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    if (g->in[0]) walk(c, g->out[0], g->in[0], ith, nth);
}

const pcs_op pcs_op_trust = {
    .name = "trust", .min_in = 1, .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("scheme", 0), PCS_INT("bits", 4), PCS_REAL("c", 0)), .infer = infer, .eval = eval,
    .backward = backward, .straight_through = true,
};
