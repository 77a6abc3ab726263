/* Products of training in few bits: how far they are from f64, that rounding by chance has no bias, and that what is
 * said to be f32 is. */
#include "graph/graph.h"
#include "graph/low.h"
#include "run/program.h"
#include "run/reverse.h"
#include "test.h"

#include <math.h>

enum { M = 1056, N = 560, K = 272 }; /* the most */

typedef struct {
    precis_ctx *ctx;
    precis_graph *g;
    precis_program *p;
    pcs_reverse *r;
    precis_value x, w, y;
    int32_t draw[16];
    int m, n, k;
    float xs[M * K], ws[N * K], d[M * N];
    double result[3][N * K + M * K + M * N]; /* sums over draws */
} low_net;

static void open_low_net(low_net *n, const char *as)
{
    const int64_t one = 1;
    test_fill(n->xs, (size_t)(n->m * n->k), 1, 1);
    test_fill(n->ws, (size_t)(n->n * n->k), 2, 1);
    test_fill(n->d, (size_t)(n->m * n->n), 3, 1);
    OK(n->ctx, precis_graph_open(n->ctx, &n->g));
    n->x = pcs_graph_parameter(n->g, "x", 2, (const int64_t[]){ n->m, n->k }, n->xs);
    n->w = pcs_graph_parameter(n->g, "w", 2, (const int64_t[]){ n->n, n->k }, n->ws);
    const precis_value draw = pcs_graph_input_i32(n->g, "draw", 1, &one);
    n->y = precis_graph_node(n->g, "y", "matmul_low", PRECIS_ATTRS(precis_attr_text("as", as)), 3,
                             (const precis_value[]){ n->x, n->w, draw });
    precis_graph_output(n->g, n->y);
    OK(n->ctx, precis_program_open(n->ctx, &n->p, n->g, PRECIS_EMULATED));
    OK(n->ctx, pcs_reverse_open(n->ctx, &n->r, n->p, n->y, NULL, 0));
    pcs_program_bind(n->p, draw, n->draw);
}

static void close_net(low_net *n)
{
    pcs_reverse_close(&n->r);
    precis_program_close(&n->p);
    precis_graph_close(&n->g);
}

static void run_low(low_net *n, int32_t draw)
{
    n->draw[0] = draw;
    OK(n->ctx, pcs_program_run(n->p));
    OK(n->ctx, pcs_reverse_run(n->r, n->d, false));
    const float *of[3] = { pcs_program_value(n->p, n->y), pcs_reverse_gradient(n->r, n->x),
                           pcs_reverse_gradient(n->r, n->w) };
    const int count[3] = { n->m * n->n, n->m * n->k, n->n * n->k };
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < count[i]; k++) n->result[i][k] += (double)of[i][k];
}

/* Root of the squared error over the root of the squares, of the mean of `draws` results. */
static double error(const low_net *n, int which, int draws)
{
    double lost = 0, all = 0;
    const int rows = which == 2 ? n->n : n->m, columns = which == 0 ? n->n : n->k,
              depth = which == 0 ? n->k : which == 1 ? n->n : n->m;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            double sum = 0;
            for (int k = 0; k < depth; k++)
                sum += which == 0   ? (double)n->xs[r * n->k + k] * n->ws[c * n->k + k]
                       : which == 1 ? (double)n->d[r * n->n + k] * n->ws[k * n->k + c]
                                    : (double)n->d[k * n->n + r] * n->xs[k * n->k + c];
            lost += pow(n->result[which][r * columns + c] / draws - sum, 2);
            all += sum * sum;
        }
    return sqrt(lost / all);
}

/* Half a unit of each operand's last place, over the root of 3 and times the root of 2 operands: 2^-9 of bf16; 1/254 of
 * the largest of a row for int8, some 2.7 of the root mean square; 2^-4 of E4M3; 1/4 to 1/12 of E2M1. By chance it is
 * twice that. */
typedef struct { const char *as; double most[3], least; int draws; } errors;

static void check_errors(const errors *of, int m, int n_, int k_, uint32_t threads)
{
    static low_net n;
    memset(&n, 0, sizeof n);
    n.ctx = test_ctx(threads);
    n.m = m, n.n = n_, n.k = k_;
    open_low_net(&n, of->as);
    for (int k = 0; k < of->draws; k++) run_low(&n, k);
    for (int k = 0; k < 3; k++) {
        const double e = error(&n, k, of->draws);
        if (!(e < of->most[k] && e > of->least))
            fail_msg("%s, product %d, %d draws: relative error %g", of->as, k, of->draws, e);
    }
    close_net(&n);
    precis_ctx_close(&n.ctx);
}

static void test_errors(void **state)
{
    (void)state;
    static const errors cases[] = {
        { "bf16", { 0.003, 0.003, 0.003 }, 1e-4, 1 },
        { "int8", { 0.012, 0.012, 3e-3 }, 1e-8, 1 },
        { "fp8", { 0.05, 0.05, 0.05 }, 0.01, 1 },
        { "nvfp4", { 0.2, 0.3, 0.3 }, 0.05, 1 },
        { "mxfp4", { 1e-6, 0.6, 0.6 }, 1e-8, 1 },
        { "mxfp4", { 1e-6, 0.04, 0.04 }, 1e-8, 400 }, /* .6 / sqrt(400): no bias is left */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_errors(&cases[i], 40, 144, 96, 2);
}

/* More rows than a thread takes at a time, and sums over whole pages of tokens. */
static void test_parts(void **state)
{
    (void)state;
    static const errors cases[] = { { "bf16", { 0.003, 0.003, 0.003 }, 1e-4, 1 },
                                    { "int8", { 0.013, 0.013, 3e-3 }, 1e-8, 1 } };
    static const int tokens[] = { 512, 1024, 1056 };
    for (size_t i = 0; i < 6; i++) check_errors(&cases[i % 2], tokens[i / 2], N, K, 1 + (uint32_t)i % 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_errors), cmocka_unit_test(test_parts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
