/* Products of training in few bits: how far they are from f64, that rounding by chance has no bias, and that what is
 * said to be f32 is. */
#include "graph/graph.h"
#include "graph/low.h"
#include "run/program.h"
#include "run/reverse.h"
#include "test.h"

#include <math.h>

enum { M = 40, N = 144, K = 96 };

typedef struct {
    precis_ctx *ctx;
    precis_graph *g;
    precis_program *p;
    pcs_reverse *r;
    precis_value x, w, y;
    int32_t draw[16];
    float xs[M * K], ws[N * K], d[M * N];
    double result[3][N * K + M * K + M * N]; /* sums over draws */
} low_net;

static void open_low_net(low_net *n, const char *as)
{
    const int64_t one = 1;
    test_fill(n->xs, M * K, 1, 1);
    test_fill(n->ws, N * K, 2, 1);
    test_fill(n->d, M * N, 3, 1);
    OK(n->ctx, precis_graph_open(n->ctx, &n->g));
    n->x = pcs_graph_parameter(n->g, "x", 2, (const int64_t[]){ M, K }, n->xs);
    n->w = pcs_graph_parameter(n->g, "w", 2, (const int64_t[]){ N, K }, n->ws);
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
    const int count[3] = { M * N, M * K, N * K };
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < count[i]; k++) n->result[i][k] += (double)of[i][k];
}

/* Root of the squared error over the root of the squares, of the mean of `draws` results. */
static double error(const low_net *n, int which, int draws)
{
    double lost = 0, all = 0;
    const int rows = which == 2 ? N : M, columns = which == 0 ? N : K, depth = which == 0 ? K : which == 1 ? N : M;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            double sum = 0;
            for (int k = 0; k < depth; k++)
                sum += which == 0   ? (double)n->xs[r * K + k] * n->ws[c * K + k]
                       : which == 1 ? (double)n->d[r * N + k] * n->ws[k * K + c]
                                    : (double)n->d[k * N + r] * n->xs[k * K + c];
            lost += pow(n->result[which][r * columns + c] / draws - sum, 2);
            all += sum * sum;
        }
    return sqrt(lost / all);
}

/* Half a unit of each operand's last place, over the root of 3 and times the root of 2 operands: 2^-9 of bf16; 1/254 of
 * the largest of a row for int8, some 2.7 of the root mean square; 2^-4 of E4M3; 1/4 to 1/12 of E2M1. By chance it is
 * twice that. */
static void test_errors(void **state)
{
    (void)state;
    static const struct { const char *as; double most[3], least; int draws; } cases[] = {
        { "bf16", { 0.003, 0.003, 0.003 }, 1e-4, 1 },
        { "int8", { 0.012, 0.012, 3e-3 }, 1e-8, 1 },
        { "fp8", { 0.05, 0.05, 0.05 }, 0.01, 1 },
        { "nvfp4", { 0.2, 0.3, 0.3 }, 0.05, 1 },
        { "mxfp4", { 1e-6, 0.6, 0.6 }, 1e-8, 1 },
        { "mxfp4", { 1e-6, 0.04, 0.04 }, 1e-8, 400 }, /* .6 / sqrt(400): no bias is left */
    };
    static low_net n;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(&n, 0, sizeof n);
        n.ctx = test_ctx(2);
        open_low_net(&n, cases[i].as);
        for (int k = 0; k < cases[i].draws; k++) run_low(&n, k);
        for (int k = 0; k < 3; k++) {
            const double e = error(&n, k, cases[i].draws);
            if (!(e < cases[i].most[k] && e > cases[i].least))
                fail_msg("%s, product %d, %d draws: relative error %g", cases[i].as, k, cases[i].draws, e);
        }
        close_net(&n);
        precis_ctx_close(&n.ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_errors) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
