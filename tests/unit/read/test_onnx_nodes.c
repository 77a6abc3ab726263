/* test_onnx_nodes.c - what single ops of ONNX give, against the figures of onnx_*.inc, which make_onnx_nodes.py took
 * from onnx's own reference. Each case runs with its inputs given, with all of them in the file (so that the import
 * computes the answer), with the first one given, and out of the file that precis writes of that. */
#include "onnx_arrays.h"
#include "onnx_net.h"
#include "base/cpu.h"
#include "precis/quant_net.h"

typedef struct {
    const char *nodes;
    int opset;
    const char *in, *out;
    bool writes; /* the net has an ONNX form of ours, without the contents of its inputs */
} row;

static const row elements[] = {
#include "onnx_elements.inc"
};
static const row shapes[] = {
#include "onnx_shapes.inc"
};
static const row windows[] = {
#include "onnx_windows.inc"
};
static const row sequences[] = {
#include "onnx_sequences.inc"
};
static const row codes[] = {
#include "onnx_codes.inc"
};

static void run(precis_ctx *ctx, precis_net *net, const row *r, const char *how, const onnx_case *c)
{
    precis_array in[PORTS];
    onnx_inputs(ctx, net, c->in, c->n_given, in);
    const precis_array *got;
    if (precis_net_run(net, in, c->n_given, &got)) DIFFERS("%s (%s): %s", r->nodes, how, precis_ctx_message(ctx));
    else
        for (size_t i = 0; i < c->n_out; i++) compare(r->nodes, how, &got[i], &c->out[i]);
    free_inputs(in, c->n_given);
}

static void run_written(precis_ctx *ctx, precis_net *net, const row *r, const onnx_case *c)
{
    char path[128];
    precis_net *written;
    snprintf(path, sizeof path, "%s/w.onnx", test_folder());
    remove(path);
    const precis_status st = precis_net_write(net, path, NULL);
    if (st != (r->writes ? PRECIS_OK : PRECIS_EUNSUPPORTED))
        DIFFERS("%s: written with status %d: %s", r->nodes, (int)st, st ? precis_ctx_message(ctx) : "");
    if (st) return;
    OK(ctx, precis_net_open(ctx, &written, path));
    run(ctx, written, r, "written", c);
    precis_net_close(&written);
}

static void one(precis_ctx *ctx, const row *r, const char *how, onnx_case *c)
{
    char path[128];
    snprintf(path, sizeof path, "%s/n.onnx", test_folder());
    onnx_bytes model = onnx_model(c);
    test_write(path, model.data, model.n);
    free(model.data);
    precis_net *net;
    if (precis_net_open(ctx, &net, path)) {
        DIFFERS("%s (%s): %s", r->nodes, how, precis_ctx_message(ctx));
        return;
    }
    run(ctx, net, r, how, c);
    if (c->n_given == 1) run_written(ctx, net, r, c);
    precis_net_close(&net);
}

/* In all ways, or with inputs given alone. */
static void walk_at(unsigned cpu, const row *rows, size_t n, bool all)
{
    precis_ctx *ctx = test_ctx(1);
    ctx->cpu = cpu;
    for (size_t i = 0; i < n; i++) {
        onnx_tensor in[PORTS], out[PORTS];
        onnx_case c = { .nodes = rows[i].nodes, .opset = rows[i].opset, .in = in, .out = out };
        c.n_in = read_tensors(rows[i].in, in);
        c.n_out = read_tensors(rows[i].out, out);
        if (all) one(ctx, &rows[i], "in the file", &c);
        c.n_given = 1;
        if (all) one(ctx, &rows[i], "first given", &c);
        c.n_given = c.n_in;
        if (c.n_in > 1 || !all) one(ctx, &rows[i], "given", &c);
        free_tensors(in, c.n_in), free_tensors(out, c.n_out);
    }
    precis_ctx_close(&ctx);
}

static void walk(const row *rows, size_t n)
{
    differences = 0;
    walk_at(pcs_cpu_flags(), rows, n, true);
    assert_int_equal(differences, 0);
}

/* Codes and windows at every level that this machine has. */
static void test_levels(void **state)
{
    (void)state;
    static const char *const levels[] = { "scalar", "avx2",    "avxvnni", "avx512vnni",
                                          "amx",    "neon", "dotprod", "i8mm" };
    unsigned before = ~0u;
    differences = 0;
    for (size_t i = 0; i < ONNX_COUNT(levels); i++) {
        const unsigned cpu = pcs_cpu_flags() & (unsigned)pcs_cpu_level(levels[i]);
        if (cpu == before) continue; /* it has no more than the one below */
        before = cpu;
        walk_at(cpu, codes, ONNX_COUNT(codes), false);
        walk_at(cpu, windows, 20, false);
        if (differences) fail_msg("at level %s", levels[i]);
    }
}

#define WALK(name) \
    static void test_##name(void **state) \
    { \
        (void)state; \
        walk(name, ONNX_COUNT(name)); \
    }
WALK(elements)
WALK(shapes)
WALK(windows)
WALK(sequences)
WALK(codes)

/* Numbers of a file that look like ids of dimensions (graph/dims.h) are numbers, and no shape. */
static void test_numbers_like_ids(void **state)
{
    (void)state;
    static const char *const nodes[] = { "y = Reshape (x, s)", "y = Expand (x, s)",
                                         "z = Shape (x) r = Add (z, s) y = Reshape (x, r)",
                                         ("c = Constant <value_ints = [-4611686018427387900, 2]> () "
                                          "y = Reshape (x, c)") };
    static const char *const shapes[] = { "-4611686018427387904", "-4611686018426387904", "-9223372036854775808",
                                          "-2305843009213693953" };
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < ONNX_COUNT(nodes) * ONNX_COUNT(shapes); i++) {
        char text[160], path[128];
        onnx_tensor in[2], out[1];
        precis_net *net;
        snprintf(text, sizeof text, "float[3,2] x {1,2,3,4,5,6} int64[2] s {%s, 2}", shapes[i / ONNX_COUNT(nodes)]);
        read_tensors(text, in), read_tensors("float[1] y {0}", out);
        onnx_bytes model = onnx_model(&(onnx_case){ nodes[i % ONNX_COUNT(nodes)], 17, in, out, 2, 1, 1 });
        snprintf(path, sizeof path, "%s/i.onnx", test_folder());
        test_write(path, model.data, model.n);
        OK(ctx, precis_net_open(ctx, &net, path));
        const onnx_bytes data = plain(&in[0]);
        const precis_array x = { sizeof x, "x", "F32", 2, { 3, 2 }, data.data, data.n }, *got;
        const precis_status st = precis_net_run(net, &x, 1, &got);
        if (st != PRECIS_EFORMAT && st != PRECIS_EUNSUPPORTED) fail_msg("%s %s: %d", nodes[i % 4], text, (int)st);
        precis_net_close(&net);
        free_tensors(in, 2), free_tensors(out, 1), free(data.data), free(model.data);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_elements), cmocka_unit_test(test_shapes),
                                        cmocka_unit_test(test_windows), cmocka_unit_test(test_sequences),
                                        cmocka_unit_test(test_codes), cmocka_unit_test(test_levels),
                                        cmocka_unit_test(test_numbers_like_ids) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
