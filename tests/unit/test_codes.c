/* Nets of codes: fused as not fused, bit for bit, at every level and on any number of threads. Scales are powers of two
 * where the float net is the judge: its sums are exact then, so that there is one right answer. */
#include "graph/graph.h"
#include "graph/pass.h"
#include "test.h"

typedef struct {
    precis_graph *g;
    uint64_t seed;
    pcs_dtype type; /* of activations */
} maker;

static uint32_t pick(maker *m, uint32_t n) { return (uint32_t)(pcs_rand(&m->seed) >> 33) % n; }

static precis_value constant(maker *m, pcs_dtype d, uint32_t dims, const int64_t *shape, const void *data)
{
    static const pcs_affine whole = { 0 };
    int64_t n = 1;
    for (uint32_t i = 0; i < dims; i++) n *= shape[i];
    void *own = pcs_arena_alloc(&m->g->arena, (size_t)n * pcs_dtype_bytes(d) + 16, 1);
    memcpy(own, data, (size_t)n * pcs_dtype_bytes(d));
    return pcs_graph_codes(m->g, "c", &(pcs_code_value){ d, dims, shape, own, &whole });
}
static precis_value number(maker *m, float x) { return constant(m, PCS_F32, 0, NULL, &x); }
static precis_value zero_point(maker *m, pcs_dtype d, int32_t zero)
{
    const uint8_t code = (uint8_t)zero;
    return constant(m, d, 0, NULL, &code);
}

static precis_value to_codes(maker *m, precis_value x, float scale, int32_t zero)
{
    return precis_graph_node(m->g, "q", "to_codes", PRECIS_ATTRS(precis_attr_int("to", m->type)), 3,
                             (precis_value[]){ x, number(m, scale), zero_point(m, m->type, zero) });
}
static precis_value from_codes(maker *m, precis_value x, float scale, int32_t zero)
{
    return precis_graph_node(m->g, "d", "from_codes", NULL, 3,
                             (precis_value[]){ x, number(m, scale), zero_point(m, m->type, zero) });
}
static int32_t zero_of(maker *m) { return m->type == PCS_U8 ? (int32_t)pick(m, 256) : (int32_t)pick(m, 256) - 128; }
/* Quantized and back, by a scale that is a power of two. */
static precis_value round_trip(maker *m, precis_value x)
{
    const float scale = (float[]){ 0.0625f, 0.125f, 0.25f }[pick(m, 3)];
    const int32_t zero = zero_of(m);
    return from_codes(m, to_codes(m, x, scale, zero), scale, zero);
}

/* Codes of weights with a scale for each row, all powers of two. */
static precis_value weights(maker *m, uint32_t dims, const int64_t *shape)
{
    int8_t codes[8192], zeros[64] = { 0 };
    float scales[64];
    int64_t n = 1, one[4] = { shape[0], 1, 1, 1 };
    for (uint32_t i = 0; i < dims; i++) n *= shape[i];
    assert_true(n <= (int64_t)sizeof codes && shape[0] <= 64);
    for (int64_t i = 0; i < n; i++) codes[i] = (int8_t)pick(m, 255) - 127;
    for (int64_t i = 0; i < shape[0]; i++) scales[i] = i % 2 ? 0x1p-6f : 0x1p-7f;
    return precis_graph_node(m->g, "w", "from_codes", NULL, 3,
                             (precis_value[]){ constant(m, PCS_I8, dims, shape, codes),
                                               constant(m, PCS_F32, dims, one, scales),
                                               constant(m, PCS_I8, dims, one, zeros) });
}

/* Numbers that are no whole ones of any unit: what is added to exact sums is rounded once. */
static precis_value any_bias(maker *m, int64_t n)
{
    float b[64];
    for (int64_t i = 0; i < n; i++) b[i] = 0.37f * (float)((int32_t)pick(m, 400) - 200) / 7;
    return constant(m, PCS_F32, 1, &n, b);
}

static precis_value bias(maker *m, int64_t n)
{
    float b[64];
    for (int64_t i = 0; i < n; i++)
        b[i] = (float)((int32_t)pick(m, 400) - 200) * 0x1p-8f; /* a whole number of any of the sums' units */
    return constant(m, PCS_F32, 1, &n, b);
}

static precis_value clamped(maker *m, precis_value x)
{
    const uint32_t kind = pick(m, 4);
    if (kind == 1) return precis_graph_node(m->g, "relu", "relu", NULL, 1, &x);
    if (kind < 2) return x;
    const precis_value low = precis_graph_node(m->g, "max", "max", NULL, 2, (precis_value[]){ x, number(m, -1.5f) });
    return precis_graph_node(m->g, "min", "min", NULL, 2, (precis_value[]){ kind == 2 ? low : x, number(m, 6.25f) });
}

/* A convolution of x[.., channels, .., ..]; outs 0: depthwise. */
static precis_value conv(maker *m, precis_value x, int64_t outs, int64_t kernel)
{
    if (m->g->values[x].shape[2] < 5 || m->g->values[x].shape[3] < 5) kernel = 1;
    const int64_t channels = m->g->values[x].shape[1],
                  groups = !outs                                                   ? channels
                           : channels % 2 == 0 && outs % 2 == 0 && pick(m, 3) == 0 ? 2
                                                                                   : 1,
                  n = outs ? outs : channels, shape[] = { n, channels / groups, kernel, kernel };
    const int64_t pad = pick(m, (uint32_t)kernel), pads[] = { pad, pad, pad, pad },
                  stride[] = { 1 + pick(m, 2), 1 + pick(m, 2) }, dilation[] = { 1, kernel == 3 ? 1 + pick(m, 2) : 1 };
    const precis_attr attrs[] = { precis_attr_list("strides", 2, stride),
                                  precis_attr_list("pads", 4, pads),
                                  precis_attr_list("dilations", 2, dilation),
                                  precis_attr_int("groups", groups),
                                  { 0 } };
    const precis_value in[] = { x, weights(m, 4, shape), bias(m, n) };
    return round_trip(m, clamped(m, precis_graph_node(m->g, "conv", "conv", attrs, pick(m, 2) + 2, in)));
}

static precis_value pool(maker *m, precis_value x, bool mean)
{
    const int64_t two[] = { 2, 2 }, ones[] = { 1, 1, 1, 1 };
    const precis_attr attrs[] = { precis_attr_list("strides", 2, two),
                                  precis_attr_list("pads", 4, ones),
                                  precis_attr_list("kernel", 2, (const int64_t[]){ 3, 3 }),
                                  precis_attr_text("kind", mean ? "mean" : "max"),
                                  precis_attr_int("all", pick(m, 2)),
                                  { 0 } };
    const precis_value y = precis_graph_node(m->g, "pool", "pool", attrs, 1, &x);
    if (mean) return round_trip(m, y);
    const pcs_node *d = &m->g->nodes[m->g->values[x].node]; /* the scale stays */
    const precis_value q = precis_graph_node(m->g, "q", "to_codes", PRECIS_ATTRS(precis_attr_int("to", m->type)), 3,
                                             (precis_value[]){ y, d->in[1], d->in[2] });
    return precis_graph_node(m->g, "d", "from_codes", NULL, 3, (precis_value[]){ q, d->in[1], d->in[2] });
}

/* The same net from the same seed: convolutions of all kinds, a residual, pools, the mean of a plane, a last product.
 */
static precis_value build(maker *m, precis_value *in)
{
    const int64_t channels = 3 + pick(m, 9), shape[] = { 1 + pick(m, 2), channels, 9 + pick(m, 8), 9 + pick(m, 8) };
    *in = precis_graph_input(m->g, "x", 4, shape);
    precis_value x = round_trip(m, *in);
    x = conv(m, x, 2 * (4 + pick(m, 12)), 3);
    x = pick(m, 2) ? conv(m, x, 0, 3) : conv(m, x, 8 + pick(m, 40), 1);
    const int64_t width = m->g->values[x].shape[1];
    const precis_value side[] = { x, conv(m, x, width, 1) };
    const pcs_value *a = &m->g->values[side[0]], *b = &m->g->values[side[1]];
    if (a->shape[2] == b->shape[2] && a->shape[3] == b->shape[3])
        x = round_trip(m, clamped(m, precis_graph_node(m->g, "add", "add", NULL, 2, side)));
    if (m->g->values[x].shape[2] > 2 && m->g->values[x].shape[3] > 2) x = pool(m, x, pick(m, 2));
    const precis_attr axes[] = { precis_attr_text("kind", "mean"),
                                 precis_attr_list("axes", 2, (const int64_t[]){ 2, 3 }),
                                 precis_attr_int("keep", 1),
                                 { 0 } };
    x = round_trip(m, precis_graph_node(m->g, "mean", "reduce", axes, 1, &x));
    const int64_t last[] = { 10, m->g->values[x].shape[1] };
    const int64_t flat[] = { m->g->values[x].shape[0], last[1] }, two = 2;
    x = precis_graph_node(m->g, "flat", "reshape", NULL, 2, (precis_value[]){ x, constant(m, PCS_I64, 1, &two, flat) });
    x = round_trip(m, x);
    const precis_value y = precis_graph_node(m->g, "gemm", "matmul", NULL, 3,
                                             (precis_value[]){ x, weights(m, 2, last), bias(m, 10) });
    return round_trip(m, y);
}

/* How many nodes are by an op whose name begins so. */
static size_t count(const precis_graph *g, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) n += !strncmp(g->nodes[i].op->name, name, strlen(name));
    return n;
}

typedef precis_value build_fn(maker *m, precis_value *in);

/* A net of a seed, with a pass or without. */
typedef struct { build_fn *make; uint64_t seed; pcs_dtype type; const char *pass; uint32_t threads; } made;

/* What the net gives; the number of its nodes of codes. */
static size_t run_made(made net, float *y, size_t *n)
{
    precis_ctx *ctx = test_ctx(net.threads);
    maker m = { .seed = net.seed, .type = net.type };
    precis_program *p;
    precis_value in;
    OK(ctx, precis_graph_open(ctx, &m.g));
    const precis_value out = net.make(&m, &in);
    if (out >= 0) precis_graph_output(m.g, out);
    OK(ctx, precis_graph_verify(m.g));
    if (net.pass) OK(ctx, precis_graph_pass(m.g, net.pass));
    *n = 1;
    size_t count_in = 1;
    for (uint32_t i = 0; i < m.g->values[out].dims; i++) *n *= (size_t)m.g->values[out].shape[i];
    for (uint32_t i = 0; i < m.g->values[in].dims; i++) count_in *= (size_t)m.g->values[in].shape[i];
    float *x = malloc(count_in * sizeof *x);
    test_fill(x, count_in, net.seed, 8.0f);
    OK(ctx, precis_program_open(ctx, &p, m.g, PRECIS_FAST));
    OK(ctx, precis_program_set_input(p, in, x));
    OK(ctx, precis_program_run(p));
    memcpy(y, precis_program_get(p, out), *n * sizeof *y);
    const size_t found = count(m.g, "codes_");
    free(x);
    precis_program_close(&p);
    precis_graph_close(&m.g);
    precis_ctx_close(&ctx);
    return found;
}

static void same_fused(build_fn *make, uint64_t seed, pcs_dtype type, const char *pass)
{
    static float want[4096], got[4096];
    size_t n, m;
    assert_int_equal(run_made((made){ make, seed, type, NULL, 1 }, want, &n), 0);
    for (uint32_t threads = 1; threads <= 3; threads++) {
        if (!run_made((made){ make, seed, type, pass, threads }, got, &m))
            fail_msg("seed %llu: nothing is fused", (unsigned long long)seed);
        assert_int_equal(n, m);
        for (size_t i = 0; i < n; i++)
            if (memcmp(&want[i], &got[i], sizeof *want))
                fail_msg("seed %llu, %s, %u threads: element %zu is %g, not fused it is %g", (unsigned long long)seed,
                         pcs_dtype_name(type), threads, i, (double)got[i], (double)want[i]);
    }
}

static void test_fused(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) same_fused(build, seed, seed % 2 ? PCS_U8 : PCS_I8, "fuse_codes");
}

/* Convolutions of lines: grouped, depthwise, strided, dilated, with different pads at both ends. */
static precis_value line_conv(maker *m, precis_value x, int64_t outs)
{
    const int64_t channels = m->g->values[x].shape[1], kernel = m->g->values[x].shape[2] < 7 ? 1 : 1 + pick(m, 3),
                  groups = !outs ? channels : channels % 2 == 0 && outs % 2 == 0 && pick(m, 2) ? 2 : 1,
                  n = outs ? outs : channels, shape[] = { n, channels / groups, kernel };
    const int64_t pads[] = { pick(m, (uint32_t)kernel), pick(m, (uint32_t)kernel) }, stride = 1 + pick(m, 2),
                  dilation = 1 + pick(m, 2);
    const precis_attr attrs[] = { precis_attr_list("strides", 1, &stride), precis_attr_list("pads", 2, pads),
                                  precis_attr_list("dilations", 1, &dilation), precis_attr_int("groups", groups),
                                  { 0 } };
    const precis_value in[] = { x, weights(m, 3, shape), bias(m, n) };
    return round_trip(m, clamped(m, precis_graph_node(m->g, "conv", "conv", attrs, pick(m, 2) + 2, in)));
}

static precis_value lines(maker *m, precis_value *in)
{
    const int64_t shape[] = { 1 + pick(m, 2), 2 + pick(m, 8), 9 + pick(m, 30) };
    *in = precis_graph_input(m->g, "x", 3, shape);
    precis_value x = line_conv(m, round_trip(m, *in), 2 * (1 + pick(m, 12)));
    x = line_conv(m, x, pick(m, 2) ? 0 : 1 + pick(m, 20));
    return line_conv(m, x, 1 + pick(m, 20));
}

static void test_lines(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) same_fused(lines, seed, seed % 2 ? PCS_U8 : PCS_I8, "fuse_codes");
}

/* A product of rows, along the last of up to four dimensions, whose numbers or codes are wanted. */
static precis_value rows_times(maker *m, precis_value *in)
{
    const uint32_t dims = 2 + pick(m, 3);
    const int64_t k = 1 + pick(m, 40), outs = 1 + pick(m, 40), shape[] = { 1 + pick(m, 3), 1 + pick(m, 3), 2, k },
                  *from = shape + 4 - dims, ws[] = { outs, k };
    *in = precis_graph_input(m->g, "x", dims, from);
    const bool numbers = pick(m, 2);
    const precis_value x = round_trip(m, *in), w = weights(m, 2, ws), b = numbers ? any_bias(m, outs) : bias(m, outs),
                       y = precis_graph_node(m->g, "mm", "matmul", NULL, 2 + pick(m, 2), (precis_value[]){ x, w, b });
    return numbers ? y : round_trip(m, clamped(m, y));
}

static void test_rows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) same_fused(rows_times, seed, seed % 2 ? PCS_U8 : PCS_I8, "fuse_codes");
}

/* ---- any scales: the nodes of whole numbers are the judge ------------------------------------------ */

static float any_scale(maker *m) { return 0.01f + 0.0001f * (float)pick(m, 500); }

/* One product of codes as QLinearConv has it, or (by `fused`) as QDQ writes it. */
static precis_value one_conv(maker *m, precis_value *in, bool fused)
{
    const int64_t channels = 4 * (1 + pick(m, 8)), outs = 5 + pick(m, 40), kernel = pick(m, 2) ? 3 : 1,
                  shape[] = { 1, channels, 7, 6 }, ws[] = { outs, channels, kernel, kernel },
                  pads[] = { kernel / 2, kernel / 2, kernel / 2, kernel / 2 }, per_in[] = { outs, 1, 1, 1 },
                  per_out[] = { 1, outs, 1, 1 };
    const float sx = any_scale(m), sy = any_scale(m) * 8;
    const int32_t zx = zero_of(m), zy = zero_of(m);
    int8_t codes[64 * 64 * 9], none[64] = { 0 };
    float scales[64], factors[64];
    int32_t sums[64], no_zero[64] = { 0 };
    for (int64_t i = 0; i < outs * channels * kernel * kernel; i++) codes[i] = (int8_t)pick(m, 255) - 127;
    for (int64_t i = 0; i < outs; i++) {
        scales[i] = any_scale(m) * 0.1f;
        sums[i] = (int32_t)pick(m, 40000) - 20000;
        factors[i] = sx * scales[i] / sy;
    }
    *in = precis_graph_input(m->g, "x", 4, shape);
    const precis_value q = to_codes(m, *in, sx, zx), w = constant(m, PCS_I8, 4, ws, codes);
    const precis_attr attrs[] = { precis_attr_list("pads", 4, pads), { 0 } };
    if (!fused) {
        precis_value y = precis_graph_node(
            m->g, "conv", "conv_whole", attrs, 4,
            (precis_value[]){ q, w, zero_point(m, m->type, zx), constant(m, PCS_I8, 0, NULL, none) });
        y = precis_graph_node(m->g, "bias", "add", NULL, 2,
                              (precis_value[]){ y, constant(m, PCS_I32, 4, per_out, sums) });
        y = precis_graph_node(
            m->g, "re", "requantize", NULL, 3,
            (precis_value[]){ y, constant(m, PCS_F32, 4, per_out, factors), zero_point(m, m->type, zy) });
        return from_codes(m, y, sy, zy);
    }
    for (int64_t i = 0; i < outs; i++) factors[i] = sx * scales[i]; /* the bias' scale */
    const precis_value numbers = precis_graph_node(
        m->g, "w", "from_codes", NULL, 3,
        (precis_value[]){ w, constant(m, PCS_F32, 4, per_in, scales), constant(m, PCS_I8, 4, per_in, none) });
    const precis_value b = precis_graph_node(m->g, "b", "from_codes", NULL, 3,
                                             (precis_value[]){ constant(m, PCS_I32, 1, &outs, sums),
                                                               constant(m, PCS_F32, 1, &outs, factors),
                                                               constant(m, PCS_I32, 1, &outs, no_zero) });
    const precis_value y = precis_graph_node(m->g, "conv", "conv", attrs, 3,
                                             (precis_value[]){ from_codes(m, q, sx, zx), numbers, b });
    return from_codes(m, to_codes(m, y, sy, zy), sy, zy);
}
static precis_value conv_of_numbers(maker *m, precis_value *in) { return one_conv(m, in, true); }
static precis_value conv_of_codes(maker *m, precis_value *in) { return one_conv(m, in, false); }

static void test_any_scale(void **state)
{
    (void)state;
    static float want[8192], got[8192];
    for (uint64_t seed = 1; seed <= 40; seed++) {
        size_t n, m;
        const pcs_dtype type = seed % 2 ? PCS_U8 : PCS_I8;
        run_made((made){ conv_of_codes, seed, type, NULL, 1 }, want, &n);
        const made fused = { conv_of_numbers, seed, type, "fuse_codes", (uint32_t)(1 + seed % 3) };
        assert_true(run_made(fused, got, &m) > 0);
        assert_int_equal(n, m);
        assert_memory_equal(want, got, n * sizeof *want);
    }
}

/* As quantize_dynamic writes a linear layer. */
static precis_value dynamic(maker *m, precis_value *in)
{
    const int64_t rows = 1 + pick(m, 30), k = 1 + pick(m, 90), n = 1 + pick(m, 60), shape[] = { 1, rows, k },
                  ws[] = { k, n };
    const bool each = pick(m, 2), biased = pick(m, 2);
    int8_t codes[90 * 60], none = 0;
    float scales[60], b[60];
    for (int64_t i = 0; i < k * n; i++) codes[i] = (int8_t)pick(m, 255) - 127;
    for (int64_t i = 0; i < n; i++) scales[i] = any_scale(m), b[i] = any_scale(m);
    *in = precis_graph_input(m->g, "x", 3, shape);
    const precis_value q = precis_graph_node(m->g, "q", "dynamic_codes", NULL, 1, in),
                       s = precis_graph_result(m->g, q, 1), z = precis_graph_result(m->g, q, 2);
    precis_value y = precis_graph_node(
        m->g, "mm", "product_whole", NULL, 4,
        (precis_value[]){ q, constant(m, PCS_I8, 2, ws, codes), z, constant(m, PCS_I8, 0, NULL, &none) });
    y = precis_graph_node(m->g, "cast", "cast", PRECIS_ATTRS(precis_attr_int("to", PCS_F32)), 1, &y);
    const precis_value both = precis_graph_node(m->g, "scales", "mul", NULL, 2,
                                                (precis_value[]){ s, constant(m, PCS_F32, each ? 1 : 0, &n, scales) });
    y = precis_graph_node(m->g, "mul", "mul", NULL, 2, (precis_value[]){ y, both });
    return biased
               ? precis_graph_node(m->g, "add", "add", NULL, 2, (precis_value[]){ constant(m, PCS_F32, 1, &n, b), y })
               : y;
}

static void test_dynamic(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) same_fused(dynamic, seed, PCS_U8, "fuse_products");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fused), cmocka_unit_test(test_rows),
                                        cmocka_unit_test(test_lines), cmocka_unit_test(test_any_scale),
                                        cmocka_unit_test(test_dynamic) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
