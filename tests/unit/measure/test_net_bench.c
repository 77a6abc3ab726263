/* test_net_bench.c - what a net's bench counts: products as its shapes have them, nodes in their order. Times are only
 * asked to be there. */
#include "read/onnx_arrays.h"
#include "read/onnx_net.h"

#include "precis/bench.h"

typedef struct {
    char ops[256];
    uint64_t products, codes;
    int stop_after, seen;
} nodes;

static int note(void *user, const precis_net_node *node)
{
    nodes *n = user;
    snprintf(n->ops + strlen(n->ops), sizeof n->ops - strlen(n->ops), "%s ", node->op);
    if (node->codes) n->codes += node->products;
    else n->products += node->products;
    assert_true(node->seconds >= 0);
    return ++n->seen == n->stop_after;
}

/* x[2,3] times w[3,5], and a convolution of 2 x 4 x 4 by 3 filters of 2 x 2 x 2. */
static precis_net *open_net(precis_ctx *ctx, const char *text, const char *ins, onnx_tensor *in)
{
    char path[128];
    precis_net *net;
    onnx_tensor out[1];
    const size_t n = read_tensors(ins, in);
    read_tensors("float[1] y {0}", out);
    onnx_bytes model = onnx_model(&(onnx_case){ text, 17, in, out, n, 1, 1 });
    snprintf(path, sizeof path, "%s/b.onnx", test_folder());
    test_write(path, model.data, model.n);
    free(model.data), free_tensors(out, 1), free_tensors(in + 1, n - 1);
    OK(ctx, precis_net_open(ctx, &net, path));
    return net;
}

static void test_products(void **state)
{
    (void)state;
    static const struct {
        const char *text, *in, *ops;
        uint64_t products;
    } cases[] = {
        { "h = MatMul (x, w) y = Relu (h)",
          "float[2,3] x {1,2,3,4,5,6} float[3,5] w {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6}", "relu", 2 * 3 * 5 },
        { "y = Conv (x, w)", "float[1,1,4,4] x {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7} float[2,1,2,2] w {1,2,3,4,5,6,7,8}",
          "conv", 2 * 3 * 3 * 2 * 2 },
    };
    precis_ctx *ctx = test_ctx(2);
    for (size_t i = 0; i < ONNX_COUNT(cases); i++) {
        onnx_tensor in[2];
        precis_array x[1];
        precis_net *net = open_net(ctx, cases[i].text, cases[i].in, in);
        precis_net_speed speed = { .size = sizeof speed };
        precis_net_bench_options o = PRECIS_NET_BENCH_OPTIONS_INIT;
        nodes seen = { .ops = "" };
        onnx_inputs(ctx, net, in, 1, x);
        o.seconds = 0.01, o.node = note, o.user = &seen;
        OK(ctx, precis_net_bench(net, x, 1, &o, &speed));
        assert_int_equal(speed.products, cases[i].products);
        assert_int_equal(seen.products, cases[i].products); /* all nodes' are the net's */
        assert_int_equal(speed.code_products, 0);
        assert_int_equal(seen.codes, 0);
        assert_non_null(strstr(seen.ops, cases[i].ops));
        assert_true(speed.runs >= 3);
        assert_true(speed.seconds <= speed.median);
        assert_true(speed.fma_s > 0 && speed.multiply_s > 0 && speed.floor > 0);
        seen.stop_after = seen.seen + 1; /* whoever says stop is heard */
        assert_int_equal(precis_net_bench(net, x, 1, &o, &speed), PRECIS_ECANCELED);
        free_inputs(x, 1), free_tensors(in, 1);
        precis_net_close(&net);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_products) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
