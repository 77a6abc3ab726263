/* modules.c - a net of layers by hand, quantized as an eager module: stubs say where codes begin and end, fusions are
 * named, samples go through it, and an ONNX file of codes comes out.
 *
 *   cc modules.c $(pkg-config --cflags --libs precis) -lm -o modules
 *   ./modules OUT.onnx */
#include <precis/precis.h>

#include <stdio.h>
#include <string.h>

enum { BATCH = 8, CHANNELS = 3, SIZE = 12, FILTERS = 16, CLASSES = 10, BATCHES = 4 };

static uint64_t seed = 7;

static float draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(seed >> 11) * 0x1p-53 * 2 - 1);
}

/* Numbers where yours come from training. */
static const float *numbers(float *to, size_t n, float from, float width)
{
    for (size_t i = 0; i < n; i++) to[i] = from + width * draw();
    return to;
}

static precis_value convolution(precis_module *m, const char *name, precis_value x, int64_t groups)
{
    static float w[FILTERS * CHANNELS * 9], b[FILTERS];
    precis_module_conv_options o = PRECIS_MODULE_CONV_INIT;
    o.out = FILTERS;
    o.groups = groups;
    o.kernel[0] = 3;
    o.pad[0] = o.pad[1] = 1;
    numbers(w, sizeof w / sizeof *w, 0, 0.5f);
    return precis_module_conv(m, name, x, &o, w, numbers(b, FILTERS, 0, 0.2f));
}

static precis_value norm(precis_module *m, const char *name, precis_value x)
{
    static float gamma[FILTERS], beta[FILTERS], mean[FILTERS], variance[FILTERS];
    const precis_module_norm of = { numbers(gamma, FILTERS, 1, 0.3f), numbers(beta, FILTERS, 0, 0.3f),
                                    numbers(mean, FILTERS, 0, 0.5f), numbers(variance, FILTERS, 1, 0.5f), 1e-5 };
    return precis_module_batch_norm(m, name, x, &of);
}

static precis_value relu(precis_module *m, const char *name, precis_value x)
{
    return precis_module_layer(m, name, "relu", NULL, 1, &x);
}

/* Errors of building are kept: the first call that returns a status says them. */
static precis_status make_layers(precis_module *m)
{
    static const char *const fused[][3] = { { "conv", "norm", "relu" }, { "depthwise", "norm2", "relu6" } };
    static const char *const sum[] = { "sum", "relu3" };
    static const int64_t shape[] = { -1, CHANNELS, SIZE, SIZE }, places[] = { 2, 3 };
    static float w[CLASSES * FILTERS], b[CLASSES];
    const precis_attr *mean = PRECIS_ATTRS(precis_attr_text("kind", "mean"), precis_attr_list("axes", 2, places));
    precis_value x = precis_module_quant(m, precis_module_input(m, "x", 4, shape));
    const precis_value first = relu(m, "relu", norm(m, "norm", convolution(m, "conv", x, 1)));
    x = precis_module_relu6(m, "relu6", norm(m, "norm2", convolution(m, "depthwise", first, FILTERS)));
    x = relu(m, "relu3", precis_module_layer(m, "sum", "add", NULL, 2, (const precis_value[]){ x, first }));
    x = precis_module_flatten(m, "flat", precis_module_layer(m, "pool", "reduce", mean, 1, &x));
    numbers(w, CLASSES * FILTERS, 0, 0.5f);
    x = precis_module_linear(m, "classes", x, CLASSES, w, numbers(b, CLASSES, 0, 0.1f));
    precis_module_output(m, "y", precis_module_dequant(m, x));
    precis_status st = precis_module_fuse(m, 3, fused[0]);
    if (!st) st = precis_module_fuse(m, 3, fused[1]);
    return st ? st : precis_module_fuse(m, 2, sum);
}

/* All passes that the observer asks for, over batches that would be yours. */
static precis_status calibrate(precis_net_quant *job)
{
    static float data[BATCHES][BATCH * CHANNELS * SIZE * SIZE];
    precis_status st = PRECIS_OK;
    for (int k = 0; k < BATCHES; k++) numbers(data[k], sizeof *data / sizeof **data, 0, 1);
    for (uint32_t pass = 0; pass < precis_net_quant_passes(job) && !st; pass++) {
        for (int k = 0; k < BATCHES && !st; k++) {
            const precis_array x = { .size = sizeof x, .name = "x", .type = "F32", .dims = 4,
                                     .shape = { BATCH, CHANNELS, SIZE, SIZE }, .data = data[k],
                                     .bytes = sizeof data[k] };
            st = precis_net_quant_see(job, &x, 1);
        }
        if (!st) st = precis_net_quant_pass(job);
    }
    return st;
}

int main(int argc, char **argv)
{
    precis_ctx *ctx;
    precis_module *m = NULL;
    precis_net *net = NULL;
    precis_net_quant *job = NULL;
    precis_net_file file = { .size = sizeof file };
    precis_net_coverage n = { .size = sizeof n };
    if (argc != 2) {
        fprintf(stderr, "usage: modules OUT.onnx\n");
        return 2;
    }
    if (precis_ctx_open(&ctx, NULL)) return 4;
    precis_status st = precis_module_open(ctx, &m);
    if (!st) st = make_layers(m);
    if (!st) st = precis_module_prepare(m, PRECIS_MODULE_EAGER, NULL, &net, &job);
    if (!st) st = calibrate(job);
    if (!st) st = precis_net_quant_write(job, argv[1], &file);
    for (size_t i = 0; !st && precis_net_quant_node(job, i, &n); i++)
        printf("%-10s %-12s %-9s %s%s\n", n.name, n.op, n.state, n.into, n.method);
    if (!st) printf("%s: %llu bytes, opset %lld\n", argv[1], (unsigned long long)file.bytes, (long long)file.opset);
    else fprintf(stderr, "%s\n", precis_ctx_message(ctx));
    precis_net_quant_close(&job);
    precis_net_close(&net);
    precis_module_close(&m);
    precis_ctx_close(&ctx);
    return st ? 1 : 0;
}
