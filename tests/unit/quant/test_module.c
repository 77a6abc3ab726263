/* Nets by hand: eager (stubs and named fusions), graph, and export (the float net written and read) give the same
 * bytes; what is wrong is refused by name. */
#include "test.h"

#include <math.h>
#include <unistd.h>

enum { BATCH = 3, IN = 3, C = 8, SIZE = 6, CLASSES = 5, X = BATCH * IN * SIZE * SIZE };

static const float *some(size_t n, uint64_t seed, float scale)
{
    static float room[8][4096];
    static int next;
    float *to = room[next++ % 8];
    test_fill(to, n, seed, scale);
    return to;
}

static precis_value norm(precis_module *m, const char *name, precis_value x, uint64_t seed)
{
    float variance[C];
    for (int i = 0; i < C; i++) variance[i] = 0.5f + 0.25f * (float)i;
    const float *gamma = some(C, seed, 1), *beta = some(C, seed + 1, 0.5f), *mean = some(C, seed + 2, 0.5f);
    const precis_module_norm of = { gamma, beta, mean, variance, 1e-5 };
    return precis_module_batch_norm(m, name, x, &of);
}

static precis_value two(precis_module *m, const char *name, const char *op, precis_value a, precis_value b)
{
    return precis_module_layer(m, name, op, NULL, b < 0 ? 1 : 2, (precis_value[]){ a, b });
}

/* Convolution, norm and ReLU; depthwise with ReLU6; a sum with what came before; a linear layer. stubs: by hand. */
static precis_module *build(precis_ctx *ctx, bool stubs)
{
    static const int64_t shape[] = { -1, IN, SIZE, SIZE }, spatial[] = { 2, 3 };
    precis_module *m;
    OK(ctx, precis_module_open(ctx, &m));
    precis_value x = precis_module_input(m, "x", 4, shape);
    if (stubs) x = precis_module_quant(m, x);
    precis_module_conv_options o = PRECIS_MODULE_CONV_INIT;
    o.out = C, o.kernel[0] = 3, o.pad[0] = o.pad[1] = 1;
    x = precis_module_conv(m, "c1", x, &o, some(C * IN * 9, 1, 0.5f), NULL);
    const precis_value first = x = two(m, "r1", "relu", norm(m, "n1", x, 3), -1);
    o.groups = C;
    x = precis_module_conv(m, "dw", x, &o, some(C * 9, 9, 0.7f), some(C, 10, 0.2f));
    x = precis_module_relu6(m, "r2", norm(m, "n2", x, 11));
    precis_module_conv_options p = PRECIS_MODULE_CONV_INIT;
    p.out = C;
    x = precis_module_conv(m, "c3", x, &p, some(C * C, 15, 0.5f), some(C, 16, 0.2f));
    x = two(m, "r3", "relu", two(m, "sum", "add", x, first), -1);
    const precis_attr *mean = PRECIS_ATTRS(precis_attr_text("kind", "mean"), precis_attr_list("axes", 2, spatial),
                                           precis_attr_int("keep", 1));
    x = precis_module_flatten(m, "flat", precis_module_layer(m, "pool", "reduce", mean, 1, &x));
    x = precis_module_linear(m, "fc", x, CLASSES, some(CLASSES * C, 17, 0.5f), some(CLASSES, 18, 0.2f));
    if (stubs) x = precis_module_dequant(m, x);
    precis_module_output(m, "y", x);
    return m;
}

static const char *const fused[][4] = { { "c1", "n1", "r1" }, { "dw", "n2", "r2" }, { "sum", "r3" } };

static void fuse_all(precis_ctx *ctx, precis_module *m)
{
    for (int i = 0; i < 3; i++) OK(ctx, precis_module_fuse(m, i < 2 ? 3 : 2, fused[i]));
}

static void calibrate(precis_ctx *ctx, precis_net_quant *job, const char *file)
{
    static float data[X];
    const precis_array a = { .size = sizeof a, .name = "x", .type = "F32", .dims = 4,
                             .shape = { BATCH, IN, SIZE, SIZE }, .data = data, .bytes = sizeof data };
    const uint32_t passes = precis_net_quant_passes(job);
    for (uint32_t pass = 0; pass < (passes ? passes : 1); pass++) {
        for (uint64_t k = 0; passes && k < 4; k++) {
            test_fill(data, X, 100 + k, 1);
            OK(ctx, precis_net_quant_see(job, &a, 1));
        }
        OK(ctx, precis_net_quant_pass(job));
    }
    OK(ctx, precis_net_quant_write(job, file, NULL));
}

static void by_module(precis_ctx *ctx, precis_module_way way, const precis_net_quant_options *o, const char *file)
{
    precis_module *m = build(ctx, way == PRECIS_MODULE_EAGER);
    precis_net *net;
    precis_net_quant *job;
    if (way == PRECIS_MODULE_EAGER) fuse_all(ctx, m);
    OK(ctx, precis_module_prepare(m, way, o, &net, &job));
    calibrate(ctx, job, file);
    precis_net_quant_close(&job);
    precis_net_close(&net);
    precis_module_close(&m);
}

static void by_export(precis_ctx *ctx, const precis_net_quant_options *o, const char *exported, const char *file)
{
    precis_module *m = build(ctx, false);
    precis_net *net;
    precis_net_quant *job;
    OK(ctx, precis_module_net(m, &net));
    OK(ctx, precis_net_write(net, exported, NULL));
    precis_net_close(&net);
    precis_module_close(&m);
    OK(ctx, precis_net_open(ctx, &net, exported));
    OK(ctx, precis_net_quant_open(net, o, &job));
    calibrate(ctx, job, file);
    precis_net_quant_close(&job);
    precis_net_close(&net);
}

static void same_files(const char *a, const char *b)
{
    size_t n = 0, k = 0;
    char *x = test_read(a, &n), *y = test_read(b, &k);
    assert_non_null(x);
    assert_non_null(y);
    if (n != k || memcmp(x, y, n) != 0) fail_msg("%s and %s: other bytes", a, b);
    free(x);
    free(y);
}

static void test_three_ways(void **state)
{
    const struct { const char *mode, *weights; int per_tensor, whole; } settings[] = {
        { "static", NULL, 0, 0 }, { "static", NULL, 1, 0 }, { "static", NULL, 0, 1 }, { "dynamic", NULL, 0, 0 },
        { "weights", "int4", 0, 0 }
    };
    char folder[] = "/tmp/module.XXXXXX", names[4][64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 4; i++) snprintf(names[i], sizeof names[i], "%s/%d.onnx", folder, i);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        precis_net_quant_options o = PRECIS_NET_QUANT_OPTIONS_INIT;
        precis_ctx *ctx = test_ctx(2);
        o.mode = settings[i].mode, o.weights = settings[i].weights;
        o.per_tensor = settings[i].per_tensor, o.whole = settings[i].whole;
        by_module(ctx, PRECIS_MODULE_EAGER, &o, names[0]);
        by_module(ctx, PRECIS_MODULE_GRAPH, &o, names[1]);
        by_export(ctx, &o, names[2], names[3]);
        same_files(names[0], names[1]);
        same_files(names[1], names[3]);
        precis_ctx_close(&ctx);
    }
    for (int i = 0; i < 4; i++) unlink(names[i]);
    rmdir(folder);
}

/* The state of a node of the net by hand, where the first `n` fusions are named. */
static void state_of(int n, const char *name, char state[64])
{
    precis_ctx *ctx = test_ctx(1);
    precis_module *m = build(ctx, true);
    precis_net *net;
    precis_net_quant *job;
    precis_net_coverage c = { .size = sizeof c };
    const precis_net_quant_options o = PRECIS_NET_QUANT_OPTIONS_INIT;
    for (int i = 0; i < n; i++) OK(ctx, precis_module_fuse(m, i < 2 ? 3 : 2, fused[i]));
    OK(ctx, precis_module_prepare(m, PRECIS_MODULE_EAGER, &o, &net, &job));
    snprintf(state, 64, "none");
    for (size_t i = 0; precis_net_quant_node(job, i, &c); i++)
        if (!strcmp(c.name, name)) snprintf(state, 64, "%s", c.state);
    precis_net_quant_close(&job);
    precis_net_close(&net);
    precis_module_close(&m);
    precis_ctx_close(&ctx);
}

/* By hand nothing is looked for: a norm that is not named stays what it is, a ReLU has codes of its own. */
static void test_only_what_is_named(void **state)
{
    static const struct { int n; const char *name, *state; } wanted[] = {
        { 0, "n1", "float" }, { 0, "n2", "float" },   { 1, "n1", "none" },  { 1, "n2", "float" },
        { 2, "n2", "none" },  { 2, "r3", "integers" }, { 3, "r3", "fused" }, { 3, "fc", "integers" },
    };
    char is[64];
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        state_of(wanted[i].n, wanted[i].name, is);
        if (strcmp(is, wanted[i].state) != 0)
            fail_msg("%s behind %d fusions: %s, not %s", wanted[i].name, wanted[i].n, is, wanted[i].state);
    }
}

static void is_refused(precis_ctx *ctx, precis_status st, const char *why)
{
    assert_int_equal(st, PRECIS_EINVAL);
    if (!strstr(precis_ctx_message(ctx), why)) fail_msg("\"%s\" is not in: %s", why, precis_ctx_message(ctx));
}

static void test_refused(void **state)
{
    precis_ctx *ctx = test_ctx(1);
    precis_module *m = build(ctx, false);
    precis_net *net;
    precis_net_quant *job;
    const int64_t shape[] = { -1, 4 };
    (void)state;
    is_refused(ctx, precis_module_prepare(m, PRECIS_MODULE_EAGER, NULL, &net, &job), "no quant stub");
    is_refused(ctx, precis_module_fuse(m, 2, (const char *const[]){ "c1", "r1" }), "r1 does not read c1");
    is_refused(ctx, precis_module_fuse(m, 2, (const char *const[]){ "c1", "nosuch" }), "nosuch");
    is_refused(ctx, precis_module_fuse(m, 2, (const char *const[]){ "r1", "dw" }), "begins no fusion");
    is_refused(ctx, precis_module_fuse(m, 2, (const char *const[]){ "sum", "pool" }), "pool does not read sum");
    precis_module_close(&m);

    OK(ctx, precis_module_open(ctx, &m));
    is_refused(ctx, precis_module_net(m, &net), "no output");
    const precis_value x = precis_module_input(m, "x", 2, shape), q = precis_module_quant(m, x);
    precis_module_output(m, "y", two(m, "mixed", "add", x, q));
    is_refused(ctx, precis_module_prepare(m, PRECIS_MODULE_EAGER, NULL, &net, &job), "a stub is missing");
    assert_true(two(m, "mixed", "relu", x, -1) < 0);
    is_refused(ctx, precis_module_net(m, &net), "two of the name mixed");
    precis_module_close(&m);

    for (int i = 0; i < 3; i++) {
        const float nan[] = { 1, 2, NAN, 4 };
        OK(ctx, precis_module_open(ctx, &m));
        const precis_value v = precis_module_input(m, "x", 2, shape);
        if (i == 0) precis_module_linear(m, "l", v, 1, nan, NULL);
        if (i == 1) precis_module_linear(m, "l", v, 0, nan, NULL);
        if (i == 2) precis_module_layer(m, "a*", "relu", NULL, 1, &v);
        precis_module_output(m, "y", v);
        is_refused(ctx, precis_module_net(m, &net), i == 0 ? "NaN" : i == 1 ? "no size" : "holds *");
        precis_module_close(&m);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_three_ways), cmocka_unit_test(test_only_what_is_named),
                                        cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
