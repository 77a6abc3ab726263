/* test_pt2_ops.c - what ops of torch.export's archives give, against the figures of pt2_*.inc, which make_pt2_ops.py
 * took from torch; and, where ONNX has a form for them, what the ONNX file gives that precis writes of them. */
#include "onnx_arrays.h"
#include "precis/quant_net.h"
#include "pt2_model.h"
#include "pt2_zip.h"

typedef struct {
    const char *name, *calls, *in, *out;
} torch_row;

static const torch_row elements[] = {
#include "pt2_elements.inc"
};
static const torch_row shapes[] = {
#include "pt2_shapes.inc"
};
static const torch_row layers[] = {
#include "pt2_layers.inc"
};
static const torch_row made[] = {
#include "pt2_made.inc"
};

static void save(const pt2_case *c, const char *path)
{
    const onnx_bytes json = pt2_json(c), archive = pt2_archive(&json);
    test_write(path, archive.data, archive.n);
    free(json.data), free(archive.data);
}

static void run_archive(precis_ctx *ctx, precis_net *net, const char *name, const char *how, const pt2_case *c)
{
    precis_array in[PORTS];
    const precis_array *got;
    onnx_inputs(ctx, net, c->in, c->n_in, in);
    if (precis_net_run(net, in, c->n_in, &got)) DIFFERS("%s (%s): %s", name, how, precis_ctx_message(ctx));
    else
        for (size_t i = 0; i < c->n_out; i++) compare(name, how, &got[i], &c->out[i]);
    free_inputs(in, c->n_in);
}

/* Returns whether there is an ONNX form. */
static bool run_as_onnx(precis_ctx *ctx, precis_net *net, const char *name, const pt2_case *c)
{
    char path[128];
    precis_net *written;
    snprintf(path, sizeof path, "%s/w.onnx", test_folder());
    remove(path);
    const precis_status st = precis_net_write(net, path, NULL);
    if (st && st != PRECIS_EUNSUPPORTED)
        DIFFERS("%s: written with status %d: %s", name, (int)st, precis_ctx_message(ctx));
    if (st) return false;
    OK(ctx, precis_net_open(ctx, &written, path));
    run_archive(ctx, written, name, "written", c);
    precis_net_close(&written);
    return true;
}

/* At least `least` of the nets are written as ONNX. */
static void walk_archives(const torch_row *rows, size_t n, size_t least)
{
    precis_ctx *ctx = test_ctx(1);
    char path[128];
    size_t written = 0;
    snprintf(path, sizeof path, "%s/n.pt2", test_folder());
    differences = 0;
    for (size_t i = 0; i < n; i++) {
        onnx_tensor in[PORTS], out[PORTS];
        precis_net *net;
        pt2_case c = { .calls = rows[i].calls, .in = in, .out = out };
        c.n_in = read_tensors(rows[i].in, in);
        c.n_out = read_tensors(rows[i].out, out);
        save(&c, path);
        if (precis_net_open(ctx, &net, path)) DIFFERS("%s: %s", rows[i].name, precis_ctx_message(ctx));
        else {
            run_archive(ctx, net, rows[i].name, "given", &c);
            written += run_as_onnx(ctx, net, rows[i].name, &c);
            precis_net_close(&net);
        }
        free_tensors(in, c.n_in), free_tensors(out, c.n_out);
    }
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
    if (written < least) fail_msg("%zu of %zu nets are written as ONNX, not %zu", written, n, least);
}

static void test_elements(void **state)
{
    (void)state;
    walk_archives(elements, ONNX_COUNT(elements), 40);
}

static void test_shapes(void **state)
{
    (void)state;
    walk_archives(shapes, ONNX_COUNT(shapes), 35);
}

static void test_layers(void **state)
{
    (void)state;
    walk_archives(layers, ONNX_COUNT(layers), 35);
}

static void test_made(void **state)
{
    (void)state;
    walk_archives(made, ONNX_COUNT(made), 15);
}

/* Sizes of an archive that look like ids of dimensions (graph/dims.h) are numbers, and no size. */
static void test_numbers_like_ids(void **state)
{
    (void)state;
    static const char *const calls[] = { "y = aten.view.default(self=x, size=[-4611686018427387904, 2])",
                                         "y = aten.reshape.default(self=x, shape=[-4611686018426387904, 2])",
                                         "y = aten.expand.default(self=x, size=[-9223372036854775807, 3, 2])",
                                         "y = aten.full.default(size=[-2305843009213693953], fill_value=1.0)",
                                         "y = aten.repeat.default(self=x, repeats=[-4611686018427387903, 1])" };
    precis_ctx *ctx = test_ctx(1);
    char path[128];
    snprintf(path, sizeof path, "%s/i.pt2", test_folder());
    for (size_t i = 0; i < ONNX_COUNT(calls); i++) {
        onnx_tensor in[1], out[1];
        precis_net *net;
        precis_array x[1];
        const precis_array *got;
        read_tensors("float[3,2] x {1,2,3,4,5,6}", in), read_tensors("float[1] y {0}", out);
        save(&(pt2_case){ calls[i], in, out, 1, 1 }, path);
        precis_status st = precis_net_open(ctx, &net, path);
        if (!st) {
            onnx_inputs(ctx, net, in, 1, x);
            st = precis_net_run(net, x, 1, &got);
            free_inputs(x, 1);
            precis_net_close(&net);
        }
        if (st != PRECIS_EFORMAT && st != PRECIS_EUNSUPPORTED) fail_msg("%s: %d", calls[i], (int)st);
        free_tensors(in, 1), free_tensors(out, 1);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_elements), cmocka_unit_test(test_shapes),
                                        cmocka_unit_test(test_layers), cmocka_unit_test(test_made),
                                        cmocka_unit_test(test_numbers_like_ids) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
