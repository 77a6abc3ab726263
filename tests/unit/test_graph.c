/* The graph: the example's ops against plain loops, shape errors, passes. */
#include "base/fmath_more.h"
#include "graph/graph.h"
#include "run/program.h"
#include "test.h"

#include <math.h>

enum { C = 3, O = 4, H = 7, W = 6, K = 3 };
typedef struct { const float *x, *w, *bias, *gamma, *beta, *mean, *var; } conv_case;

/* Element `at` of [2][O][4][3]: a convolution with a stride of 2 and zeros around, normalized. */
static double conv_at(const conv_case *of, int at)
{
    const int j = at % 3, i = at / 3 % 4, q = at / 12 % O, b = at / 12 / O;
    double s = of->bias[q];
    for (int c = 0; c < C; c++)
        for (int u = 0; u < K; u++)
            for (int v = 0; v < K; v++) {
                const int y = 2 * i + u - 1, x = 2 * j + v - 1;
                if (y < 0 || y >= H || x < 0 || x >= W) continue;
                s += (double)of->w[((q * C + c) * K + u) * K + v] * of->x[((b * C + c) * H + y) * W + x];
            }
    return (s - of->mean[q]) / sqrt(of->var[q] + 1e-5) * of->gamma[q] + of->beta[q];
}

static void test_conv(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_graph *g;
    OK(ctx, precis_graph_open(ctx, &g));
    float x[2 * C * H * W], w[O * C * K * K], bias[O], gamma[O], beta[O], mean[O], var[O];
    test_fill(x, 2 * C * H * W, 1, 1);
    test_fill(w, O * C * K * K, 2, 1);
    float *vectors[] = { bias, gamma, beta, mean, var };
    for (int i = 0; i < 5; i++) test_fill(vectors[i], O, (uint64_t)i + 3, 1);
    for (int i = 0; i < O; i++) var[i] = var[i] * var[i] + 0.5f;
    const int64_t xs[] = { 2, C, H, W }, ws[] = { O, C, K, K }, o[] = { O };
    const precis_value in = precis_graph_input(g, "x", 4, xs);
    const precis_attr *halved = PRECIS_ATTRS(precis_attr_int("stride", 2), precis_attr_int("pad", 1));
    const precis_value conv_in[] = { in, precis_graph_constant(g, "w", 4, ws, w),
                                     precis_graph_constant(g, "b", 1, o, bias) };
    const precis_value conv = precis_graph_node(g, "conv", "conv2d", halved, 3, conv_in);
    const precis_value norm_in[] = {
        conv, precis_graph_constant(g, "g", 1, o, gamma), precis_graph_constant(g, "b", 1, o, beta),
        precis_graph_constant(g, "m", 1, o, mean), precis_graph_constant(g, "v", 1, o, var)
    };
    const precis_value norm = precis_graph_node(g, "norm", "batch_norm", NULL, 5, norm_in);
    precis_graph_output(g, norm);
    OK(ctx, precis_graph_verify(g));
    int64_t shape[PRECIS_MAX_DIMS];
    assert_int_equal(precis_graph_value_shape(g, norm, shape), 4);
    assert_int_equal(shape[2], 4);
    assert_int_equal(shape[3], 3);
    const conv_case is = { x, w, bias, gamma, beta, mean, var };
    float before[2 * O * 4 * 3];
    for (int folded = 0; folded < 2; folded++) {
        if (folded) OK(ctx, precis_graph_pass(g, "fold_batch_norm"));
        precis_program *p;
        OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
        OK(ctx, precis_program_set_input(p, in, x));
        OK(ctx, precis_program_run(p));
        const float *y = precis_program_get(p, norm);
        for (int at = 0; at < 2 * O * 4 * 3; at++) {
            const double want = conv_at(&is, at);
            assert_true(fabs(want - y[at]) <= 1e-5 * (1 + fabs(want)) * 4);
            if (!folded) before[at] = y[at];
            else assert_true(fabs(before[at] - (double)y[at]) < 1e-4);
        }
        precis_program_close(&p);
    }
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

static void test_errors(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    const struct { const char *op; precis_attr attrs[2]; const char *why; } cases[] = {
        { "no_such_op", { { 0 } }, "no op" },
        { "add", { { 0 } }, "inputs" },
        { "relu", { precis_attr_int("x", 1) }, "no attribute" },
        { "max_pool", { precis_attr_text("size", "two") }, "a whole number" },
        { "max_pool", { precis_attr_real("size", 2) }, "a whole number" },
        { "max_pool", { precis_attr_int("size", 99) }, "at least" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        precis_graph *g;
        OK(ctx, precis_graph_open(ctx, &g));
        const precis_value x = precis_graph_input(g, "x", 4, (int64_t[]){ 1, 1, 4, 4 });
        const precis_value y = precis_graph_node(g, "y", cases[i].op, cases[i].attrs, 1, &x);
        assert_int_equal(precis_graph_node(g, "z", "relu", NULL, 1, &y), -1); /* the error is kept */
        assert_true(precis_graph_verify(g) != PRECIS_OK);
        if (!strstr(precis_ctx_message(ctx), cases[i].why)) fail_msg("%s: %s", cases[i].op, precis_ctx_message(ctx));
        precis_graph_close(&g);
    }
    precis_ctx_close(&ctx);
}

/* Codes are whole numbers that carry their scale and zero point, for the value or along an axis. */
static void test_codes(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_graph *g;
    OK(ctx, precis_graph_open(ctx, &g));
    const int64_t shape[] = { 2, 3 };
    const precis_value x = precis_graph_input(g, "x", 2, shape);
    const precis_attr is_unsigned[] = { precis_attr_real("scale", 0.5), precis_attr_int("zero", 3),
                                        precis_attr_int("unsigned", 1), { 0 } };
    const precis_attr is_signed[] = { precis_attr_real("scale", 0.5), { 0 } };
    const precis_value signed_codes = precis_graph_node(g, "s", "quantize", is_signed, 1, &x);
    const precis_value codes = precis_graph_node(g, "u", "quantize", is_unsigned, 1, &x);
    assert_int_equal(g->values[signed_codes].dtype, PCS_I8);
    assert_int_equal(g->values[codes].dtype, PCS_U8);
    assert_int_equal(g->values[codes].affine.zero, 3);
    const precis_value back = precis_graph_node(g, "b", "dequantize", NULL, 1, &codes);
    static const int8_t table[6] = { -128, 127, 1, 2, -3, 4 };
    static const float scales[3] = { 1.0f, 0.5f, 2.0f };
    static const int32_t zeros[3] = { 0, 1, -1 };
    const pcs_affine affine = { .scales = scales, .zeros = zeros, .axis = 1 };
    const precis_value stored = pcs_graph_codes(g, "w", &(pcs_code_value){ PCS_I8, 2, shape, table, &affine });
    const precis_value along = precis_graph_node(g, "a", "dequantize", NULL, 1, &stored);
    precis_program *p;
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    const float in[6] = { 0.0f, 0.25f, -0.75f, 1000.0f, -1000.0f, 63.5f };
    OK(ctx, precis_program_set_input(p, x, in));
    OK(ctx, precis_program_run(p));
    /* Nearest even of 0.5 is 0, of -1.5 is -2; codes are 0 to 255. */
    const float want[6] = { 0.0f, 0.0f, -1.0f, 126.0f, -1.5f, 63.5f };
    const float want_along[6] = { -128.0f, 63.0f, 4.0f, 2.0f, -2.0f, 10.0f };
    assert_memory_equal(precis_program_get(p, back), want, sizeof want);
    assert_memory_equal(precis_program_get(p, along), want_along, sizeof want_along);
    assert_null(precis_program_get(p, codes)); /* no floats lie there */
    precis_program_close(&p);
    precis_graph_node(g, "bare", "dequantize", NULL, 1, &x);
    assert_int_equal(precis_graph_verify(g), PRECIS_EINVAL);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

enum { SYM_C = 2, SYM_O = 3 };

/* conv, pool, flatten and a product of sums, over pictures of any size. */
static precis_value pictures(precis_graph *g, const int64_t shape[4], precis_value *x)
{
    float w[SYM_O * SYM_C * 3 * 3];
    test_fill(w, sizeof w / sizeof *w, 7, 1);
    const int64_t ws[] = { SYM_O, SYM_C, 3, 3 };
    *x = precis_graph_input(g, "x", 4, shape);
    const precis_value in[2] = { *x, precis_graph_constant(g, "w", 4, ws, w) };
    precis_value y = precis_graph_node(g, "conv", "conv2d", PRECIS_ATTRS(precis_attr_int("stride", 2)), 2, in);
    y = precis_graph_node(g, "pool", "max_pool", NULL, 1, &y);
    y = precis_graph_node(g, "flat", "flatten", NULL, 1, &y);
    precis_graph_output(g, y);
    return y;
}

/* Dimensions without a size compute as numbers do, and a program takes sizes as they come. */
static void test_symbols(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_graph *g;
    OK(ctx, precis_graph_open(ctx, &g));
    const int64_t batch = precis_graph_symbol(g, "batch", 4), height = precis_graph_symbol(g, "height", 0);
    const int64_t width = precis_graph_symbol(g, "width", 0);
    assert_true(batch < 0 && height < 0 && width < 0 && precis_graph_symbol(g, "batch", 4) == batch);
    precis_value x;
    const precis_value y = pictures(g, (int64_t[]){ batch, SYM_C, height, width }, &x);
    OK(ctx, precis_graph_verify(g));
    precis_program *p;
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    static float data[4 * SYM_C * 20 * 20];
    test_fill(data, sizeof data / sizeof *data, 8, 1);
    OK(ctx, precis_program_set_input(p, x, data));
    assert_int_equal(precis_program_run(p), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "batch has no size"));
    static const int64_t sizes[][3] = { { 1, 9, 9 }, { 3, 20, 11 }, { 1, 9, 9 }, { 4, 7, 20 }, { 2, 20, 20 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        OK(ctx, precis_program_set_size(p, batch, sizes[i][0]));
        OK(ctx, precis_program_set_size(p, height, sizes[i][1]));
        OK(ctx, precis_program_set_size(p, width, sizes[i][2]));
        OK(ctx, precis_program_run(p));
        precis_graph *fixed;
        precis_program *q;
        precis_value fx;
        int64_t shape[PRECIS_MAX_DIMS];
        OK(ctx, precis_graph_open(ctx, &fixed));
        const precis_value fy = pictures(fixed, (int64_t[]){ sizes[i][0], SYM_C, sizes[i][1], sizes[i][2] }, &fx);
        OK(ctx, precis_program_open(ctx, &q, fixed, PRECIS_REFERENCE));
        OK(ctx, precis_program_set_input(q, fx, data));
        OK(ctx, precis_program_run(q));
        precis_graph_value_shape(fixed, fy, shape);
        assert_true(shape[0] * shape[1] > 0);
        const size_t bytes = (size_t)(shape[0] * shape[1]) * sizeof(float);
        assert_memory_equal(precis_program_get(p, y), precis_program_get(q, fy), bytes);
        precis_program_close(&q);
        precis_graph_close(&fixed);
    }
    assert_int_equal(precis_program_set_size(p, batch, 5), PRECIS_EINVAL); /* beyond its bound */
    assert_int_equal(precis_program_set_size(p, 3, 5), PRECIS_EINVAL);     /* no symbol */
    OK(ctx, precis_program_set_size(p, height, 2));
    assert_int_equal(precis_program_run(p), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "too small"));
    OK(ctx, precis_program_set_size(p, height, 20));
    OK(ctx, precis_program_run(p));
    precis_program_close(&p);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

/* What a graph computes of shapes alone is known before it runs, also where dimensions have no size yet. */
static void test_shapes(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_graph *g;
    OK(ctx, precis_graph_open(ctx, &g));
    const int64_t batch = precis_graph_symbol(g, "batch", 0), two = 2, shape[] = { batch, 3, 4 };
    static const int64_t first[1] = { 0 }, rest[1] = { -1 }, zero_rest[2] = { 0, -1 };
    const pcs_affine none = { 0 };
    const precis_value x = precis_graph_input(g, "x", 3, shape);
    const precis_value all = precis_graph_node(g, "shape", "shape", NULL, 1, &x);
    const int64_t one = 1;
    const precis_value ids = pcs_graph_codes(g, "ids", &(pcs_code_value){ PCS_I64, 1, &one, first, &none });
    const precis_value b = precis_graph_node(g, "batch", "gather", NULL, 2, (precis_value[]){ all, ids });
    const precis_value minus = pcs_graph_codes(g, "rest", &(pcs_code_value){ PCS_I64, 1, &one, rest, &none });
    const precis_value to = precis_graph_node(g, "to", "concat", NULL, 2, (precis_value[]){ b, minus });
    const precis_value y = precis_graph_node(g, "y", "reshape", NULL, 2, (precis_value[]){ x, to });
    int64_t got[PRECIS_MAX_DIMS];
    assert_int_equal(precis_graph_value_shape(g, y, got), 2);
    assert_true(got[0] == batch && got[1] == 12);
    const precis_value by_zero = pcs_graph_codes(g, "zero", &(pcs_code_value){ PCS_I64, 1, &two, zero_rest, &none });
    const precis_value z = precis_graph_node(g, "z", "reshape", NULL, 2, (precis_value[]){ x, by_zero });
    assert_int_equal(precis_graph_value_shape(g, z, got), 2);
    assert_true(got[0] == batch && got[1] == 12);
    precis_graph_output(g, y);
    precis_program *p;
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    assert_int_equal(p->n_steps, 2); /* the reshapes: nothing computes shapes when it runs */
    float data[24];
    test_fill(data, 24, 1, 1);
    OK(ctx, precis_program_set_input(p, x, data));
    OK(ctx, precis_program_set_size(p, batch, 2));
    OK(ctx, precis_program_run(p));
    assert_memory_equal(precis_program_get(p, y), data, sizeof data);
    precis_program_close(&p);
    static const int64_t five[1] = { 5 }; /* 12 numbers of each picture are no rows of 5 */
    const precis_value bad = pcs_graph_codes(g, "five", &(pcs_code_value){ PCS_I64, 1, &one, five, &none });
    const precis_value to_bad = precis_graph_node(g, "to_bad", "concat", NULL, 2, (precis_value[]){ minus, bad });
    assert_true(precis_graph_node(g, "w", "reshape", NULL, 2, (precis_value[]){ x, to_bad }) < 0);
    assert_int_equal(precis_graph_verify(g), PRECIS_EINVAL);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

/* The largest of a window with NaN in it is NaN, as in torch; -infinity is a number. */
static void test_pool_nan(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_graph *g;
    precis_program *p;
    OK(ctx, precis_graph_open(ctx, &g));
    const precis_value x = precis_graph_input(g, "x", 4, (int64_t[]){ 1, 1, 2, 8 });
    const precis_value y = precis_graph_node(g, "pool", "max_pool", NULL, 1, &x);
    precis_graph_output(g, y);
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    const float data[] = { 1, 2, NAN, 1, 3, 1, -INFINITY, -INFINITY, 3, 0, 1, 1, 2, NAN, -INFINITY, -INFINITY };
    OK(ctx, precis_program_set_input(p, x, data));
    OK(ctx, precis_program_run(p));
    const float *out = precis_program_get(p, y);
    assert_true(out[0] == 3 && isnan(out[1]) && isnan(out[2]) && out[3] == -INFINITY);
    precis_program_close(&p);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

/* Own exp, log and sine against libm. */
static void test_math(void **state)
{
    (void)state;
    for (double x = -87; x < 87; x += 0.0137) {
        assert_true(fabs((double)pcs_expf((float)x) / exp((double)(float)x) - 1) < 3e-7);
        assert_true(fabs(pcs_exp(x) / exp(x) - 1) < 4e-15);
        assert_true(fabs(pcs_log(exp(x)) - x) < 1e-13 * (1 + fabs(x)));
    }
    const double outside[] = { -INFINITY, INFINITY, (double)NAN };
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        double s, c;
        pcs_sincos(outside[i], &s, &c);
        assert_true(isnan(s) && isnan(c));
    }
}

/* Any argument, also those next to whole quarters of a turn, of which few bits are left. */
static void test_angles(void **state)
{
    (void)state;
    const double near[] = { 0x1.921fb54442d18p+0, 0x1.921fb6p+0, 16367173 * 0x1p72, 0x1.fffffep127,
                            0x1.fffffffffffffp1023, 0x1p20, 0x1p31, 0x1p55, 3.2e23, 1e22 };
    double sine, worst; /* the double next to a quarter: Muller, Elementary Functions, 2006, table 11.1 */
    pcs_sincos(0x1.6ac5b262ca1ffp+849, &sine, &worst);
    assert_true(sine == 1 && fabs(worst / -4.68716592425462761112e-19 - 1) < 4e-16);
    for (size_t i = 0; i < sizeof near / sizeof *near; i++)
        for (int sign = 1; sign >= -1; sign -= 2) {
            const double x = sign * near[i];
            double s, c;
            pcs_sincos(x, &s, &c);
            assert_true(fabs(s - sin(x)) <= 4e-16 * fabs(sin(x)) && fabs(c - cos(x)) <= 4e-16 * fabs(cos(x)));
        }
    for (double x = 0.01; x < 1e300; x *= 1.0137) {
        double s, c;
        pcs_sincos(x, &s, &c);
        assert_true(fabs(s - sin(x)) < 1e-15 && fabs(c - cos(x)) < 1e-15);
        assert_true(fabsf((float)s - (float)sin(x)) <= 1e-7f * (float)fabs(sin(x)));
    }
}

static int same_number(double a, double b) { return a == b ? signbit(a) == signbit(b) : isnan(a) && isnan(b); }

/* Powers and remainders as C's annex F has them, and what is next to the largest number. */
static void test_ends(void **state)
{
    (void)state;
    const double of[] = { 0,      0.5,    1,      2,     3,        5, 1.5, 64, 65, 66, 127,
                          0x1p53, 0x1p60, 1e-300, 709.5, INFINITY, (double)NAN };
    enum { N = sizeof of / sizeof *of };
    for (int i = 0; i < 2 * N; i++)
        for (int k = 0; k < 2 * N; k++) {
            const double x = i < N ? of[i] : -of[i - N], y = k < N ? of[k] : -of[k - N], z = pow(x, y);
            const double p = pcs_m_pow(x, y), tiny = 1e-290;
            if (isfinite(z) && fabs(z) > tiny) assert_true(fabs(p - z) <= 1e-12 * fabs(z));
            else assert_true(same_number(p, z) || (fabs(z) <= tiny && fabs(p) <= tiny));
            assert_true(same_number(pcs_m_fmod(x, y), fmod(x, y)));
        }
    for (double x = 700; x < 712; x += 0.0625) {
        assert_true(same_number(pcs_exp(x), exp(x)) || fabs(pcs_exp(x) / exp(x) - 1) < 4e-15);
        assert_true(same_number(pcs_m_sinh(x), sinh(x)) || fabs(pcs_m_sinh(x) / sinh(x) - 1) < 1e-14);
        assert_true(same_number(pcs_m_cosh(-x), cosh(x)) || fabs(pcs_m_cosh(-x) / cosh(x) - 1) < 1e-14);
    }
}

/* Looking at a graph leaves nothing behind, however often it is done (each pass does). */
static void test_memory(void **state)
{
    (void)state;
    enum { NODES = 4000 };
    precis_ctx *ctx = test_ctx(1);
    precis_graph *g;
    const int64_t shape[] = { 2, 3 };
    OK(ctx, precis_graph_open(ctx, &g));
    precis_value v = precis_graph_input(g, "x", 2, shape);
    for (int i = 0; i < NODES; i++) v = precis_graph_node(g, "n", i % 2 ? "relu" : "neg", NULL, 1, &v);
    precis_graph_output(g, v);
    OK(ctx, precis_graph_verify(g));
    const uint64_t peak = precis_ctx_memory_peak(ctx);
    assert_true(peak > 0 && peak / NODES < 1500);
    for (int i = 0; i < 20; i++) OK(ctx, precis_graph_verify(g));
    assert_int_equal(precis_ctx_memory_peak(ctx), peak);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_conv),   cmocka_unit_test(test_errors),
                                        cmocka_unit_test(test_memory),
                                        cmocka_unit_test(test_codes),  cmocka_unit_test(test_symbols),
                                        cmocka_unit_test(test_shapes), cmocka_unit_test(test_math),
                                        cmocka_unit_test(test_angles), cmocka_unit_test(test_ends),
                                        cmocka_unit_test(test_pool_nan) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
