/* Reverse runs of whole programs: a value that is read twice, gradients added over parts of a batch, sizes that change,
 * the same bits for any number of threads, and refusals by name. */
#include "test.h"
#include "run/reverse.h"

#include <math.h>

enum { V = 11, D = 8, MOST = 9 };

typedef struct {
    precis_graph *g;
    precis_program *p;
    pcs_reverse *r;
    float table[V * D], gain[D];
    precis_value ids, targets, rows, loss, parameter[2];
    int64_t tokens;
} tied_net;

/* Embedding, norm, and the table again as the head: a tied table has gradients from both ends. */
static void open_tied_net(precis_ctx *ctx, tied_net *n)
{
    test_fill(n->table, V * D, 1, 0.5f);
    for (int i = 0; i < D; i++) n->gain[i] = 1 + 0.1f * (float)i;
    OK(ctx, precis_graph_open(ctx, &n->g));
    n->tokens = precis_graph_symbol(n->g, "tokens", 0);
    n->ids = pcs_graph_input_i32(n->g, "ids", 1, &n->tokens);
    n->targets = pcs_graph_input_i32(n->g, "targets", 1, &n->tokens);
    const int64_t table[] = { V, D }, gain = D;
    n->parameter[0] = pcs_graph_parameter(n->g, "table", 2, table, n->table);
    n->parameter[1] = pcs_graph_parameter(n->g, "gain", 1, &gain, n->gain);
    precis_value x = precis_graph_node(n->g, "x", "embedding", NULL, 2, (precis_value[]){ n->ids, n->parameter[0] });
    x = precis_graph_node(n->g, "sum", "add", NULL, 2, (precis_value[]){ x, x });
    x = precis_graph_node(n->g, "norm", "rms_norm", NULL, 2, (precis_value[]){ x, n->parameter[1] });
    x = precis_graph_node(n->g, "head", "matmul", NULL, 2, (precis_value[]){ x, n->parameter[0] });
    n->rows = precis_graph_node(n->g, "rows", "cross_entropy", NULL, 2, (precis_value[]){ x, n->targets });
    n->loss = precis_graph_node(n->g, "loss", "mean", NULL, 1, &n->rows);
    precis_graph_output(n->g, n->loss);
    OK(ctx, precis_program_open(ctx, &n->p, n->g, PRECIS_EMULATED));
    OK(ctx, pcs_reverse_open(ctx, &n->r, n->p, n->loss, NULL, 0));
}

static void close_tied_net(tied_net *n)
{
    pcs_reverse_close(&n->r);
    precis_program_close(&n->p);
    precis_graph_close(&n->g);
}

static const int32_t ids[MOST] = { 3, 1, 4, 1, 5, 9, 2, 6, 5 }, targets[MOST] = { 1, 4, 1, 5, 9, 2, 6, 5, 3 };

static float run_tied(precis_ctx *ctx, tied_net *n, int64_t tokens, int64_t from)
{
    OK(ctx, precis_program_set_size(n->p, n->tokens, tokens));
    pcs_program_bind(n->p, n->ids, ids + from);
    pcs_program_bind(n->p, n->targets, targets + from);
    OK(ctx, pcs_program_run(n->p));
    return *pcs_program_value(n->p, n->loss);
}

/* By central differences of the whole; h^2 f'''/6 is below 1e-3 of the gradients here, f32 below 1e-4. */
static void test_differences(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    tied_net n = { 0 };
    open_tied_net(ctx, &n);
    run_tied(ctx, &n, MOST, 0);
    OK(ctx, pcs_reverse_run(n.r, NULL, false));
    for (int k = 0; k < 2; k++) {
        float *x = k ? n.gain : n.table, kept[V * D];
        const int count = k ? D : V * D;
        memcpy(kept, pcs_reverse_gradient(n.r, n.parameter[k]), (size_t)count * sizeof *kept);
        for (int i = 0; i < count; i++) {
            const float at = x[i], h = 0.01f;
            x[i] = at + h;
            const double above = run_tied(ctx, &n, MOST, 0);
            x[i] = at - h;
            const double want = (above - run_tied(ctx, &n, MOST, 0)) / (2 * (double)h);
            x[i] = at;
            if (!(fabs(want - kept[i]) < 1e-3 * (1 + fabs(want))))
                fail_msg("parameter %d, %d: %g, not %g", k, i, (double)kept[i], want);
        }
    }
    assert_null(pcs_reverse_gradient(n.r, n.rows)); /* not wanted */
    assert_true(pcs_reverse_bytes(n.r) > 0);
    close_tied_net(&n);
    precis_ctx_close(&ctx);
}

/* The gradient of a mean over parts is the sum of theirs, by their shares; and sizes come and go. */
static void test_parts(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    tied_net n = { 0 };
    float whole[V * D];
    open_tied_net(ctx, &n);
    run_tied(ctx, &n, 8, 0);
    OK(ctx, pcs_reverse_run(n.r, NULL, false));
    memcpy(whole, pcs_reverse_gradient(n.r, n.parameter[0]), sizeof whole);
    for (int part = 0; part < 2; part++) {
        const float share = part ? 0.625f : 0.375f;
        run_tied(ctx, &n, part ? 5 : 3, part ? 3 : 0);
        OK(ctx, pcs_reverse_run(n.r, &share, part > 0));
    }
    const float *sum = pcs_reverse_gradient(n.r, n.parameter[0]);
    for (int i = 0; i < V * D; i++) assert_true(fabs((double)sum[i] - whole[i]) < 1e-6);
    run_tied(ctx, &n, 8, 0);
    OK(ctx, pcs_reverse_run(n.r, NULL, false));
    assert_memory_equal(pcs_reverse_gradient(n.r, n.parameter[0]), whole, sizeof whole);
    close_tied_net(&n);
    precis_ctx_close(&ctx);
}

static void test_threads(void **state)
{
    (void)state;
    static const uint32_t threads[] = { 1, 2, 3, 7 };
    float first[V * D];
    for (size_t i = 0; i < 4; i++) {
        precis_ctx *ctx = test_ctx(threads[i]);
        tied_net n = { 0 };
        open_tied_net(ctx, &n);
        run_tied(ctx, &n, MOST, 0);
        OK(ctx, pcs_reverse_run(n.r, NULL, false));
        const float *d = pcs_reverse_gradient(n.r, n.parameter[0]);
        if (!i) memcpy(first, d, sizeof first);
        assert_memory_equal(d, first, sizeof first);
        close_tied_net(&n);
        precis_ctx_close(&ctx);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_graph *g;
    precis_program *p;
    pcs_reverse *r;
    const int64_t shape[] = { 2, 3 };
    const float data[6] = { 0 };
    OK(ctx, precis_graph_open(ctx, &g));
    const precis_value w = pcs_graph_parameter(g, "w", 2, shape, data),
                       free_of = precis_graph_constant(g, "c", 2, shape, data);
    const precis_value codes = precis_graph_node(g, "codes", "quantize", NULL, 1, &w);
    const precis_value y = precis_graph_node(g, "y", "dequantize", NULL, 1, &codes);
    const precis_value z = precis_graph_node(g, "z", "relu", NULL, 1, &free_of);
    precis_graph_output(g, y);
    precis_graph_output(g, z);
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    OK(ctx, pcs_program_run(p)); /* what a parameter leads to is no constant */
    assert_int_equal(pcs_reverse_open(ctx, &r, p, z, NULL, 0), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "no parameter leads to it"));
    assert_int_equal(pcs_reverse_open(ctx, &r, p, codes, NULL, 0), PRECIS_EINVAL);
    assert_int_equal(pcs_reverse_open(ctx, &r, p, z, &codes, 1), PRECIS_EINVAL);
    precis_program_close(&p);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

/* A way through an op without a gradient is named with its node and the reason. */
static void test_no_way(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_graph *g;
    precis_program *p;
    pcs_reverse *r;
    const int64_t two = 2, state_shape[] = { 1, 1, 4, 4 }, wide[] = { 2, 4 };
    static const float data[8] = { 1 };
    static const int32_t zeros[2] = { 0, 1 }, sequence[2] = { 0, 0 };
    OK(ctx, precis_graph_open(ctx, &g));
    const precis_value k = pcs_graph_parameter(g, "k", 2, wide, data), s = pcs_graph_state(g, "cache", 4, state_shape);
    const precis_value pos = pcs_graph_input_i32(g, "pos", 1, &two), seq = pcs_graph_input_i32(g, "seq", 1, &two);
    const precis_value held = precis_graph_node(g, "held", "kv_append", NULL, 5, (precis_value[]){ s, k, k, pos, seq });
    const precis_value y = precis_graph_node(g, "looked", "attention", NULL, 4, (precis_value[]){ k, held, pos, seq });
    precis_graph_output(g, y);
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    pcs_program_bind(p, pos, zeros);
    pcs_program_bind(p, seq, sequence);
    assert_int_equal(pcs_reverse_open(ctx, &r, p, y, NULL, 0), PRECIS_EUNSUPPORTED);
    assert_non_null(strstr(precis_ctx_message(ctx), "node looked: a gradient cannot pass through attention: its keys"));
    precis_program_close(&p);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

/* What follows from parameters alone is not made anew in a run that goes on, what follows from inputs is. */
static void test_again(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_graph *g;
    precis_program *p;
    const int64_t shape = 4;
    float w[4] = { 1, 2, 3, 4 }, x[4] = { 1, 1, 1, 1 }, other[4] = { 5, 6, 7, 8 };
    OK(ctx, precis_graph_open(ctx, &g));
    const precis_value weight = pcs_graph_parameter(g, "w", 1, &shape, w);
    const precis_value in = precis_graph_input(g, "x", 1, &shape);
    const precis_value twice = precis_graph_node(g, "twice", "add", NULL, 2, (precis_value[]){ weight, weight });
    const precis_value y = precis_graph_node(g, "y", "add", NULL, 2, (precis_value[]){ twice, in });
    precis_graph_output(g, y);
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_REFERENCE));
    pcs_program_bind(p, in, x);
    OK(ctx, pcs_program_run(p));
    pcs_program_bind(p, in, other);
    w[0] = 100;
    OK(ctx, pcs_program_run_again(p));
    const float kept[4] = { 2 + 5, 4 + 6, 6 + 7, 8 + 8 }, anew[4] = { 200 + 5, 4 + 6, 6 + 7, 8 + 8 };
    assert_memory_equal(pcs_program_value(p, y), kept, sizeof kept);
    OK(ctx, pcs_program_run(p));
    assert_memory_equal(pcs_program_value(p, y), anew, sizeof anew);
    precis_program_close(&p);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_differences), cmocka_unit_test(test_parts),
                                        cmocka_unit_test(test_threads), cmocka_unit_test(test_refusals),
                                        cmocka_unit_test(test_no_way), cmocka_unit_test(test_again) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
