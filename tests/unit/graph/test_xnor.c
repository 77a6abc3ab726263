/* Products of signs by counting bits: every level has the scalar one's bits, which are those of a plain sum; and the op
 * is what fake_quant of 1 bit and matmul make, for weights of bits and for others, for any number of threads. */
#include "test.h"

#include "graph/graph.h"
#include "kernel/xnor.h"
#include "run/program.h"

#include <math.h>
#include <stdlib.h>

enum { M = 3, N = 5 };

static void test_levels(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t k = 1; k <= 1100; k += k < 70 ? 1 : 103) {
        const size_t words = pcs_xnor_words(k), row = 4 + 4 * words;
        uint8_t *w = calloc(N, row);
        float *x = malloc(M * k * sizeof *x), *v = malloc(N * k * sizeof *v), scale[M], want[M * N], got[M * N];
        uint32_t *signs = calloc(M, words * sizeof *signs);
        test_fill(x, M * k, k, 1);
        test_fill(v, N * k, k + 1, 1);
        x[0] = 0;
        for (size_t t = 0; t < M; t++) scale[t] = pcs_xnor_signs(x + t * k, k, signs + t * words);
        const pcs_format *f = pcs_format_by_name("BINARY");
        for (size_t r = 0; r < N; r++) pcs_encode_nearest(f, k, v + r * k, w + r * row);
        assert_int_equal(pcs_row_bytes(f, k), row);
        for (const pcs_xnor_row *level = pcs_xnor_rows;; level++) {
            if ((level->needs & ctx->cpu) != level->needs) continue;
            memset(got, 0, sizeof got);
            level->run(&(pcs_xnor_args){ w, row, k, 1, N, M, signs, scale, got, N });
            for (size_t t = 0; t < M; t++)
                for (size_t r = 0; r < N; r++) {
                    float a;
                    int agree = 0;
                    memcpy(&a, w + r * row, sizeof a);
                    for (size_t i = 0; i < k; i++) agree += (x[t * k + i] < 0) == (v[r * k + i] < 0) ? 1 : -1;
                    want[t * N + r] = r ? (float)agree * (a * scale[t]) : 0;
                }
            if (memcmp(want, got, sizeof got)) fail_msg("%s: k %zu: other bits", level->isa, k);
            if (!strcmp(level->isa, "scalar")) break;
        }
        free(w);
        free(x);
        free(v);
        free(signs);
    }
    precis_ctx_close(&ctx);
}

enum { K = 288 };
/* Weights of rows of K, and what they are multiplied by. */
typedef struct { const pcs_format *f; const uint8_t *w; const float *x; } operands;

/* One product of a graph: by xnor, or by its parts. */
static void product(uint32_t threads, const operands *o, bool whole, float *y)
{
    precis_ctx *ctx = test_ctx(threads);
    precis_graph *g;
    precis_program *p;
    const int64_t xs[2] = { M, K }, ws[2] = { N, K };
    OK(ctx, precis_graph_open(ctx, &g));
    const precis_value in = precis_graph_input(g, "x", 2, xs);
    const precis_value stored = pcs_graph_stored(
        g, "w", o->f, 2, ws, pcs_store_rows(o->w, N * pcs_row_bytes(o->f, K), PCS_KEPT_BY_CALLER));
    const precis_value numbers = precis_graph_node(g, "numbers", "dequantize", NULL, 1, &stored);
    const precis_attr one[] = { precis_attr_int("bits", 1), { 0 } };
    const precis_value rounded = whole ? in : precis_graph_node(g, "signs", "fake_quant", one, 1, &in);
    const precis_value out =
        precis_graph_node(g, "y", whole ? "xnor" : "matmul", NULL, 2, (precis_value[]){ rounded, numbers });
    precis_graph_output(g, out);
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_EMULATED));
    pcs_program_bind(p, in, o->x);
    OK(ctx, pcs_program_run(p));
    memcpy(y, pcs_program_value(p, out), M * N * sizeof *y);
    precis_program_close(&p);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

static void test_op(void **state)
{
    (void)state;
    static const char *const types[] = { "BINARY", "Q8_0" };
    const size_t k = K;
    float *x = malloc(M * k * sizeof *x), *v = malloc(N * k * sizeof *v), parts[M * N], one[M * N], three[M * N];
    test_fill(x, M * k, 5, 1);
    test_fill(v, N * k, 6, 1);
    for (size_t i = 0; i < 2; i++) {
        const pcs_format *f = pcs_format_by_name(types[i]);
        const size_t row = (size_t)pcs_row_bytes(f, k);
        uint8_t *w = calloc(N, row + 64);
        for (size_t r = 0; r < N; r++) pcs_encode_nearest(f, k, v + r * k, w + r * row);
        const operands o = { f, w, x };
        product(1, &o, false, parts);
        product(1, &o, true, one);
        product(3, &o, true, three);
        assert_memory_equal(one, three, sizeof one);
        for (size_t e = 0; e < M * N; e++)
            if (!(fabsf(one[e] - parts[e]) <= 1e-4f * (1 + fabsf(parts[e]))))
                fail_msg("%s: number %zu is %g, by parts %g", types[i], e, (double)one[e], (double)parts[e]);
        free(w);
    }
    free(x);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_levels), cmocka_unit_test(test_op) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
