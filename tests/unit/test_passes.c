/* Passes that fuse: what a graph prints after each, and that its numbers stay what they were. */
#include "graph/graph.h"
#include "run/program.h"
#include "attributes.h"
#include "test.h"

#include <math.h>

enum { C = 4, O = 4, H = 5, N = O * H * H };

typedef struct {
    char text[2048];
    size_t at;
} printed;

static void add_line(void *user, const char *text)
{
    printed *p = user;
    p->at += (size_t)snprintf(p->text + p->at, sizeof p->text - p->at, "%s\n", text);
}

static void run_net(precis_ctx *ctx, precis_graph *g, precis_value in, precis_value out, float y[N])
{
    precis_program *p;
    float x[C * H * H];
    test_fill(x, C * H * H, 11, 2);
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    OK(ctx, precis_program_set_input(p, in, x));
    OK(ctx, precis_program_run(p));
    memcpy(y, precis_program_get(p, out), N * sizeof *y);
    precis_program_close(&p);
}

/* A net that `build` adds to, before and after a pass. */
static void check_pass(const char *pass, precis_value (*build)(precis_graph *g, precis_value x), const char *golden)
{
    precis_ctx *ctx = test_ctx(2);
    precis_graph *g;
    printed p = { .at = 0 };
    float before[N], after[N];
    const int64_t shape[] = { 1, C, H, H };
    OK(ctx, precis_graph_open(ctx, &g));
    const precis_value x = precis_graph_input(g, "x", 4, shape), y = build(g, x);
    precis_graph_output(g, y);
    run_net(ctx, g, x, y, before);
    OK(ctx, precis_graph_pass(g, pass));
    test_attributes_end(g);
    OK(ctx, precis_graph_pass(g, "drop_unused"));
    precis_graph_print(g, add_line, &p);
    assert_string_equal(p.text, golden);
    run_net(ctx, g, x, y, after);
    for (int i = 0; i < N; i++) assert_true(fabsf(before[i] - after[i]) <= 1e-5f * (1 + fabsf(before[i])));
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

static precis_value convolved(precis_graph *g, precis_value x)
{
    float w[O * C];
    const int64_t shape[] = { O, C, 1, 1 };
    test_fill(w, O * C, 3, 1);
    const precis_value in[] = { x, precis_graph_constant(g, "w", 4, shape, w) };
    return precis_graph_node(g, "conv", "conv", NULL, 2, in);
}

static precis_value by_constant(precis_graph *g, precis_value x, const char *op, uint32_t dims)
{
    float v[O] = { 0.5f, -1, 2, 0.25f };
    const int64_t shape[] = { 1, O, 1, 1 };
    const precis_value in[] = { precis_graph_constant(g, "v", dims, shape + 4 - dims, v), x };
    return precis_graph_node(g, op, op, NULL, 2, in);
}

static precis_value scaled_channels(precis_graph *g, precis_value x)
{
    return by_constant(g, by_constant(g, convolved(g, x), "mul", 3 + 1), "add", 3 + 1);
}

/* Read twice: the convolution stays what it is. */
static precis_value read_twice(precis_graph *g, precis_value x)
{
    const precis_value c = convolved(g, x), t = by_constant(g, c, "mul", 4);
    return precis_graph_node(g, "sum", "add", NULL, 2, (precis_value[]){ c, t });
}

/* A row for each place, times a matrix of C rows and O columns. */
static precis_value dense(precis_graph *g, precis_value x)
{
    float w[O * C];
    const int64_t shape[] = { C, O }, rows[] = { H * H, C };
    test_fill(w, O * C, 3, 1);
    int64_t *to = pcs_arena_alloc(&g->arena, 2, sizeof *to);
    memcpy(to, rows, sizeof rows);
    const pcs_value list = { .name = "shape", .dtype = PCS_I64, .role = PCS_CONSTANT, .node = -1, .dims = 1,
                             .shape = { 2 }, .known = to, .store = pcs_store_rows(to, sizeof rows, PCS_KEPT_BY_GRAPH) };
    const precis_value r = precis_graph_node(g, "rows", "reshape", NULL, 2,
                                             (precis_value[]){ x, pcs_graph_add_value(g, &list) });
    return precis_graph_node(g, "dense", "product", NULL, 2,
                             (precis_value[]){ r, precis_graph_constant(g, "w", 2, shape, w) });
}

static precis_value scaled_columns(precis_graph *g, precis_value x)
{
    static const float by[O] = { 2, 0.5f, -1, 3 }, more[O] = { 1, 2, 3, 4 };
    const int64_t one_row[] = { 1, O }, n = O;
    const precis_value m = precis_graph_node(
        g, "mul", "mul", NULL, 2, (precis_value[]){ dense(g, x), precis_graph_constant(g, "by", 2, one_row, by) });
    return precis_graph_node(g, "add", "add", NULL, 2,
                             (precis_value[]){ precis_graph_constant(g, "more", 1, &n, more), m });
}

/* One number of each row is none of a column; nor does a product that is read twice change. */
static precis_value scaled_rows(precis_graph *g, precis_value x)
{
    float by[H * H];
    const int64_t column[] = { H * H, 1 };
    test_fill(by, H * H, 5, 1);
    const precis_value d = dense(g, x), c = precis_graph_constant(g, "by", 2, column, by);
    const precis_value m = precis_graph_node(g, "mul", "mul", NULL, 2, (precis_value[]){ d, c });
    return precis_graph_node(g, "sum", "add", NULL, 2, (precis_value[]){ d, m });
}

static precis_value gated(precis_graph *g, precis_value x)
{
    const precis_value c = convolved(g, x), s = precis_graph_node(g, "gate", "sigmoid", NULL, 1, &c);
    return precis_graph_node(g, "silu", "mul", NULL, 2, (precis_value[]){ s, c });
}

static precis_value hard_gated(precis_graph *g, precis_value x)
{
    const precis_attr *sixth = PRECIS_ATTRS(precis_attr_real("alpha", 1 / 6.0), precis_attr_real("beta", 0.5));
    const precis_value c = convolved(g, x), s = precis_graph_node(g, "gate", "hard_sigmoid", sixth, 1, &c);
    return precis_graph_node(g, "act", "mul", NULL, 2, (precis_value[]){ c, s });
}

/* A gate of something else is none. */
static precis_value crossed(precis_graph *g, precis_value x)
{
    const precis_value c = convolved(g, x), s = precis_graph_node(g, "gate", "sigmoid", NULL, 1, &x);
    return precis_graph_node(g, "product", "mul", NULL, 2, (precis_value[]){ c, s });
}

/* Zeros around positions, beside pads of the convolution's own; [1, 4, 5, 5] again by a kernel of 3. */
static precis_value padded(precis_graph *g, precis_value x)
{
    float w[O * C * 9], zero = 0;
    const int64_t pads[] = { 0, 0, 1, 0, 0, 0, 0, 1 }, own[] = { 0, 1, 1, 0 }, shape[] = { O, C, 3, 3 };
    test_fill(w, O * C * 9, 3, 1);
    const precis_attr *around = PRECIS_ATTRS(precis_attr_list("pads", 8, pads));
    const precis_value wide = precis_graph_node(
        g, "pad", "pad", around, 2, (precis_value[]){ x, precis_graph_constant(g, "zero", 0, NULL, &zero) });
    return precis_graph_node(g, "conv", "conv", PRECIS_ATTRS(precis_attr_list("pads", 4, own)), 2,
                             (precis_value[]){ wide, precis_graph_constant(g, "w", 4, shape, w) });
}

/* Ones, or channels that are added: nothing to fold. */
static precis_value padded_by_one(precis_graph *g, precis_value x)
{
    float w[O * C * 9], one = 1;
    const int64_t pads[] = { 0, 0, 1, 1, 0, 0, 1, 1 }, shape[] = { O, C, 3, 3 };
    test_fill(w, O * C * 9, 3, 1);
    const precis_attr *around = PRECIS_ATTRS(precis_attr_list("pads", 8, pads));
    const precis_value wide = precis_graph_node(
        g, "pad", "pad", around, 2, (precis_value[]){ x, precis_graph_constant(g, "one", 0, NULL, &one) });
    return precis_graph_node(g, "conv", "conv", NULL, 2,
                             (precis_value[]){ wide, precis_graph_constant(g, "w", 4, shape, w) });
}

/* y as its norm by constants: 4 channels. */
static precis_value normed(precis_graph *g, precis_value y)
{
    static const float of[][O] = {
        { 0.5f, -1, 2, 0.25f }, { 1, 2, 3, 4 }, { 0.1f, 0, -0.1f, 1 }, { 1, 2, 0.5f, 4 }
    };
    const int64_t n = O;
    precis_value in[5] = { y };
    for (int i = 0; i < 4; i++) in[1 + i] = precis_graph_constant(g, "n", 1, &n, of[i]);
    return precis_graph_node(g, "norm", "batch_norm", NULL, 5, in);
}

/* Two groups of two channels to two: each group has its own norms. */
static precis_value transposed(precis_graph *g, precis_value x)
{
    float w[C * 2];
    const int64_t shape[] = { C, 2, 1, 1 };
    test_fill(w, C * 2, 3, 1);
    const precis_value in[] = { x, precis_graph_constant(g, "w", 4, shape, w) };
    return normed(g, precis_graph_node(g, "up", "conv_transpose", PRECIS_ATTRS(precis_attr_int("groups", 2)), 2, in));
}

#define CONV " strides=[] pads=[] dilations=[] groups=1 : [1, 4, 5, 5]  conv\n"
#define ONES " alpha=1 beta=1 : [1, 4, 5, 5]  "

static void test_fold_scale(void **state)
{
    (void)state;
    check_pass("fold_scale", scaled_channels, "%6 = conv(%0, %9, %10)" CONV);
    check_pass("fold_scale", scaled_columns,
               "%2 = reshape(%0, %1) : [25, 4]  rows\n%8 = matmul(%2, %12, %13) : [25, 4]  dense\n");
    check_pass("fold_scale", scaled_rows,
               "%2 = reshape(%0, %1) : [25, 4]  rows\n%4 = product(%2, %3) : [25, 4]  dense\n"
               "%6 = mul(%4, %5) : [25, 4]  mul\n%7 = add(%4, %6) : [25, 4]  sum\n");
    check_pass("fold_scale", read_twice,
          "%2 = conv(%0, %1)" CONV "%4 = mul(%3, %2) : [1, 4, 5, 5]  mul\n%5 = add(%2, %4) : [1, 4, 5, 5]  sum\n");
}

static void test_raise_activations(void **state)
{
    (void)state;
    check_pass("raise_activations", gated, "%2 = conv(%0, %1)" CONV "%4 = swish(%2)" ONES "silu\n");
    check_pass("raise_activations", hard_gated, "%2 = conv(%0, %1)" CONV "%4 = hard_swish(%2)" ONES "act\n");
    check_pass("raise_activations", crossed,
          "%2 = conv(%0, %1)" CONV "%3 = sigmoid(%0)" ONES "gate\n%4 = mul(%2, %3) : [1, 4, 5, 5]  product\n");
}

static void test_fold_pad(void **state)
{
    (void)state;
    check_pass("fold_pad", padded,
               "%4 = conv(%0, %3) strides=[] pads=[1, 1, 1, 1] dilations=[] groups=1 : [1, 4, 5, 5]  conv\n");
    check_pass("fold_pad", padded_by_one,
               "%2 = pad(%0, %1) pads=[0, 0, 1, 1, 0, 0, 1, 1] mode=constant : [1, 4, 7, 7]  pad\n"
               "%4 = conv(%2, %3)" CONV);
}

static void test_fold_batch_norm(void **state)
{
    (void)state;
    check_pass("fold_batch_norm", transposed,
               "%7 = conv_transpose(%0, %8, %9) strides=[] pads=[] dilations=[] groups=2 more=[] : [1, 4, 5, 5]  up\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fold_scale), cmocka_unit_test(test_raise_activations),
                                        cmocka_unit_test(test_fold_pad), cmocka_unit_test(test_fold_batch_norm) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
