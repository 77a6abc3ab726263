/* cnn.c - a small convolutional net, built by hand through the public graph header.
 *
 * Builds conv, batch norm, ReLU, pool and linear with random weights; folds the batch norm; runs the reference
 * lowering; watches every value with a min-max observer (a tap); quantizes to static int8; and prints the
 * signal-to-quantization-noise ratio (SQNR) at each node of both versions of the net.
 *
 *   cc cnn.c $(pkg-config --cflags --libs precis) -lm -o cnn
 *   ./cnn */
#include <precis/precis.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 4, CHANNELS = 3, SIZE = 16, FILTERS = 8, CLASSES = 10, MAX_VALUES = 64 };

static double uniform(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (double)(*s >> 11) * 0x1p-53 * 2 - 1;
}

/* Numbers of a constant: offset, and scale times a draw from -1 to 1. */
typedef struct { double scale, offset; } spread;

static precis_value constant(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape, spread of,
                             uint64_t *seed)
{
    static float data[FILTERS * (SIZE / 2) * (SIZE / 2) * CLASSES];
    size_t n = 1;
    for (uint32_t i = 0; i < dims; i++) n *= (size_t)shape[i];
    for (size_t i = 0; i < n; i++) data[i] = (float)(of.offset + of.scale * uniform(seed));
    return precis_graph_constant(g, name, dims, shape, data);
}

static precis_value build(precis_graph *g, precis_value *input)
{
    uint64_t seed = 1;
    const int64_t picture[] = { BATCH, CHANNELS, SIZE, SIZE }, filters[] = { FILTERS, CHANNELS, 3, 3 };
    const int64_t each[] = { FILTERS }, classes[] = { CLASSES };
    const int64_t all[] = { CLASSES, FILTERS * (SIZE / 2) * (SIZE / 2) };
    const precis_attr *once = PRECIS_ATTRS(precis_attr_int("stride", 1), precis_attr_int("pad", 1));
    const precis_attr *halved = PRECIS_ATTRS(precis_attr_int("size", 2), precis_attr_int("stride", 2));
    *input = precis_graph_input(g, "picture", 4, picture);
    const precis_value in[] = { *input, constant(g, "conv.weight", 4, filters, (spread){ 0.3, 0 }, &seed),
                                constant(g, "conv.bias", 1, each, (spread){ 0.1, 0 }, &seed) };
    precis_value y = precis_graph_node(g, "conv", "conv2d", once, 3, in);
    const precis_value norm[] = { y, constant(g, "gamma", 1, each, (spread){ 0.2, 1 }, &seed),
                                  constant(g, "beta", 1, each, (spread){ 0.2, 0 }, &seed),
                                  constant(g, "mean", 1, each, (spread){ 0.2, 0 }, &seed),
                                  constant(g, "variance", 1, each, (spread){ 0.3, 1 }, &seed) };
    y = precis_graph_node(g, "norm", "batch_norm", NULL, 5, norm);
    y = precis_graph_node(g, "relu", "relu", NULL, 1, &y);
    y = precis_graph_node(g, "pool", "max_pool", halved, 1, &y);
    y = precis_graph_node(g, "flat", "flatten", NULL, 1, &y);
    const precis_value linear[] = { y, constant(g, "linear.weight", 2, all, (spread){ 0.05, 0 }, &seed),
                                    constant(g, "linear.bias", 1, classes, (spread){ 0.1, 0 }, &seed) };
    y = precis_graph_node(g, "linear", "matmul", NULL, 3, linear);
    precis_graph_output(g, y);
    return y;
}

/* The observer: the range of a value over all runs, and its numbers in the last one. */
typedef struct { float lo, hi; float *data; uint64_t n; } observed;

static void observe(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    observed *o = (observed *)user + v;
    for (uint64_t i = 0; i < rows * width; i++) {
        if (x[i] < o->lo) o->lo = x[i];
        if (x[i] > o->hi) o->hi = x[i];
    }
    o->n = rows * width;
    o->data = realloc(o->data, o->n * sizeof *x);
    if (o->data) memcpy(o->data, x, o->n * sizeof *x);
}

static precis_status run(precis_ctx *ctx, precis_graph *g, precis_value input, const float *picture, observed *o)
{
    precis_program *p;
    precis_status st = precis_program_open(ctx, &p, g, PRECIS_REFERENCE);
    for (size_t v = 0; !st && v < precis_graph_values(g) && v < MAX_VALUES; v++)
        if (*precis_graph_value_op(g, (precis_value)v) || (precis_value)v == input)
            st = precis_program_tap(p, (precis_value)v, observe, o);
    if (!st) st = precis_program_set_input(p, input, picture);
    if (!st) st = precis_program_run(p);
    precis_program_close(&p);
    return st;
}

static void line(void *user, const char *text)
{
    (void)user;
    printf("  %s\n", text);
}

int main(void)
{
    static float picture[BATCH * CHANNELS * SIZE * SIZE];
    static observed exact[MAX_VALUES], int8[MAX_VALUES];
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof picture / sizeof *picture; i++) picture[i] = (float)uniform(&seed);
    precis_ctx *ctx;
    precis_graph *g;
    precis_value input = -1;
    if (precis_ctx_open(&ctx, NULL)) return 4;
    precis_status st = precis_graph_open(ctx, &g);
    if (!st) build(g, &input);
    if (!st) st = precis_graph_pass(g, "fold_batch_norm");
    if (!st) st = run(ctx, g, input, picture, exact);
    const size_t values = precis_graph_values(g);
    precis_range ranges[MAX_VALUES];
    size_t n = 0;
    for (size_t v = 0; v < values && v < MAX_VALUES; v++)
        if (exact[v].n && strcmp(precis_graph_value_name(g, (precis_value)v), "flat"))
            ranges[n++] = (precis_range){ (precis_value)v, exact[v].lo, exact[v].hi };
    if (!st) st = precis_graph_quantize_static(g, ranges, n);
    if (!st) st = run(ctx, g, input, picture, int8);
    if (!st) {
        printf("the quantized net:\n");
        precis_graph_print(g, line, NULL);
        printf("\n%-10s %-12s %10s %10s %10s\n", "node", "op", "lowest", "highest", "SQNR");
    }
    for (size_t v = 0; !st && v < values; v++) {
        if (!exact[v].n || !int8[v].n) continue;
        double signal = 0, noise = 0;
        for (uint64_t i = 0; i < exact[v].n; i++) {
            const double d = (double)exact[v].data[i] - int8[v].data[i];
            signal += (double)exact[v].data[i] * exact[v].data[i];
            noise += d * d;
        }
        printf("%-10s %-12s %10.4f %10.4f ", precis_graph_value_name(g, (precis_value)v),
               precis_graph_value_op(g, (precis_value)v), (double)exact[v].lo, (double)exact[v].hi);
        if (noise > 0) printf("%7.1f dB\n", 10 * log10(signal / noise));
        else printf("%10s\n", "exact");
    }
    if (st) fprintf(stderr, "%s\n", precis_ctx_message(ctx));
    for (size_t v = 0; v < MAX_VALUES; v++) free(exact[v].data), free(int8[v].data);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
    return st ? 1 : 0;
}
