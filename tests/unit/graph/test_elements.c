/* Functions of elements: operands of any shapes that go together against a loop that looks up each element by itself,
 * at 1, 2 and 7 threads; and what is 0, and what is no number. */
#include "graph/graph.h"
#include "run/program.h"
#include "test.h"

#include <math.h>

enum { MOST = 4096 };

/* The element of an operand that stands at element i of a result of `dims` dimensions. */
static size_t spread_to(size_t i, uint32_t dims, const int64_t *shape, uint32_t own, const int64_t *of)
{
    size_t at = 0, each = 1;
    for (uint32_t k = dims; k-- > 0; i /= (size_t)shape[k]) {
        if (k + own < dims) break;
        const int64_t d = of[k + own - dims];
        if (d > 1) at += i % (size_t)shape[k] * each;
        each *= (size_t)d;
    }
    return at;
}

static float made(const char *op, float x, float y)
{
    return !strcmp(op, "add") ? x + y : !strcmp(op, "sub") ? x - y : !strcmp(op, "mul") ? x * y : x / y;
}

typedef struct { uint32_t dims[2]; int64_t shape[2][4]; } pair;

static void run_pair(uint32_t threads, const char *op, const pair *t)
{
    static float data[2][MOST];
    precis_ctx *ctx = test_ctx(threads);
    precis_graph *g;
    precis_program *p;
    precis_value in[2];
    int64_t shape[PRECIS_MAX_DIMS];
    size_t n = 1;
    OK(ctx, precis_graph_open(ctx, &g));
    for (int i = 0; i < 2; i++) {
        test_fill(data[i], MOST, 3 + (uint64_t)i, 1);
        in[i] = precis_graph_input(g, i ? "y" : "x", t->dims[i], t->shape[i]);
    }
    const precis_value out = precis_graph_node(g, "z", op, NULL, 2, in);
    precis_graph_output(g, out);
    OK(ctx, precis_graph_verify(g));
    const uint32_t dims = precis_graph_value_shape(g, out, shape);
    for (uint32_t k = 0; k < dims; k++) n *= (size_t)shape[k];
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    for (int i = 0; i < 2; i++) OK(ctx, precis_program_set_input(p, in[i], data[i]));
    OK(ctx, precis_program_run(p));
    const float *z = precis_program_get(p, out);
    for (size_t i = 0; i < n; i++) {
        const float x = data[0][spread_to(i, dims, shape, t->dims[0], t->shape[0])],
                    y = data[1][spread_to(i, dims, shape, t->dims[1], t->shape[1])], want = made(op, x, y);
        if (memcmp(&want, &z[i], sizeof want)) fail_msg("%s: element %zu is %g, not %g", op, i, z[i], want);
    }
    precis_program_close(&p);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

static void test_spread(void **state)
{
    (void)state;
    static const char *const ops[] = { "add", "sub", "mul", "div" };
    static const uint32_t threads[] = { 1, 2, 7 };
    static const pair pairs[] = {
        { { 2, 2 }, { { 7, 300 }, { 7, 300 } } },    { { 2, 1 }, { { 7, 300 }, { 300 } } },
        { { 2, 2 }, { { 7, 1 }, { 1, 300 } } },      { { 3, 2 }, { { 4, 1, 9 }, { 5, 1 } } },
        { { 4, 3 }, { { 2, 3, 4, 5 }, { 3, 1, 1 } } }, { { 1, 4 }, { { 5 }, { 2, 3, 4, 5 } } },
        { { 0, 2 }, { { 0 }, { 3, 5 } } },           { { 1, 1 }, { { 2000 }, { 2000 } } },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (size_t o = 0; o < sizeof ops / sizeof *ops; o++)
            for (size_t k = 0; k < 3; k++) run_pair(threads[k], ops[o], &pairs[i]);
}

static void test_apart(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_graph *g;
    OK(ctx, precis_graph_open(ctx, &g));
    const precis_value in[] = { precis_graph_input(g, "x", 2, (const int64_t[]){ 4, 3 }),
                                precis_graph_input(g, "y", 1, (const int64_t[]){ 4 }) };
    precis_graph_node(g, "z", "add", NULL, 2, in);
    assert_int_equal(precis_graph_verify(g), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "elements along dimension"));
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

/* Of -2, 0, 3 and what is no number. */
static void test_ends(void **state)
{
    (void)state;
    static const struct { const char *op; float want[3]; } ops[] = {
        { "relu", { 0, 0, 3 } }, { "sign", { -1, 0, 1 } }, { "ste_sign", { -1, 1, 1 } }, { "abs", { 2, 0, 3 } },
    };
    static const float x[] = { -2, 0, 3, NAN };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        precis_ctx *ctx = test_ctx(1);
        precis_graph *g;
        precis_program *p;
        OK(ctx, precis_graph_open(ctx, &g));
        const precis_value in = precis_graph_input(g, "x", 2, (const int64_t[]){ 2, 2 });
        const precis_value out = precis_graph_node(g, "y", ops[i].op, NULL, 1, &in);
        precis_graph_output(g, out);
        OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
        OK(ctx, precis_program_set_input(p, in, x));
        OK(ctx, precis_program_run(p));
        const float *y = precis_program_get(p, out);
        for (int k = 0; k < 3; k++) assert_true(y[k] == ops[i].want[k]);
        assert_true(isnan(y[3]));
        precis_program_close(&p);
        precis_graph_close(&g);
        precis_ctx_close(&ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_spread), cmocka_unit_test(test_apart),
                                        cmocka_unit_test(test_ends) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
