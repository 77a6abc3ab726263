/* muon - momentum whose update is made orthogonal by Newton-Schulz (Jordan et al. 2024; coefficients 3.4445,
 * -4.7750, 2.0315), for matrices only. */
#include "base/pool.h"
#include "base/builtins.h"
#include "graph/turn.h"
#include "train/optimizer.h"

double pcs_muon_scale(size_t rows, size_t columns)
{
    return rows > columns ? pcs_sqrt((double)rows / (double)columns) : 1.0;
}

/* out [n][m] = a [n][k] b [k][m], or with b turned [m][k]; a thread has rows. */
typedef struct {
    const float *a, *b;
    float *out;
    size_t k, m;
    bool turned;
} matrix_product;

static void rows_of(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const matrix_product *j = arg;
    for (uint64_t r = begin; r < end; r++)
        for (size_t c = 0; c < j->m; c++) {
            double sum = 0;
            for (size_t k = 0; k < j->k; k++)
                sum += (double)j->a[r * j->k + k] * (j->turned ? j->b[c * j->k + k] : j->b[k * j->m + c]);
            j->out[r * j->m + c] = (float)sum;
        }
}

/* x[n][m] with n <= m, and room: square[n][n], mix[n][n], next[n][m]. */
typedef struct { float *x, *square, *mix, *next; size_t n, m; } newton_schulz;

static void steps(precis_ctx *ctx, const newton_schulz *of)
{
    float *x = of->x, *square = of->square, *mix = of->mix, *next = of->next;
    const size_t n = of->n, m = of->m;
    const float a = 3.4445f, b = -4.7750f, c = 2.0315f;
    for (int s = 0; s < 5; s++) {
        pcs_for(ctx, n, 4, rows_of, &(matrix_product){ x, x, square, m, n, true });
        pcs_for(ctx, n, 4, rows_of, &(matrix_product){ square, square, mix, n, n, false });
        for (size_t i = 0; i < n * n; i++) mix[i] = b * square[i] + c * mix[i];
        pcs_for(ctx, n, 4, rows_of, &(matrix_product){ mix, x, next, n, m, false });
        for (size_t i = 0; i < n * m; i++) x[i] = a * x[i] + next[i];
    }
}

precis_status pcs_muon_orthogonal(precis_ctx *ctx, float *x, size_t rows, size_t columns)
{
    const bool tall = rows > columns;
    const size_t n = tall ? columns : rows, m = tall ? rows : columns;
    float *mem = pcs_alloc(ctx, 2 * n * n + 2 * n * m + 1, sizeof *mem);
    if (!mem) return PRECIS_ENOMEM;
    const pcs_kernels k = pcs_kernels_for(ctx->cpu);
    float *square = mem, *mix = square + n * n, *next = mix + n * n, *wide = next + n * m;
    double sum = 0;
    for (size_t i = 0; i < n * m; i++) sum += (double)x[i] * x[i];
    const float norm = (float)pcs_sqrt(sum) + 1e-7f;
    if (tall) pcs_turn(&k, &(pcs_turned){ x, columns, rows, columns, wide, rows });
    else memcpy(wide, x, n * m * sizeof *x);
    for (size_t i = 0; i < n * m; i++) wide[i] /= norm;
    steps(ctx, &(newton_schulz){ wide, square, mix, next, n, m });
    if (tall) pcs_turn(&k, &(pcs_turned){ wide, rows, columns, rows, x, columns });
    else memcpy(x, wide, n * m * sizeof *x);
    pcs_free(ctx, mem);
    return PRECIS_OK;
}

static size_t bytes(const pcs_optimizer_settings *set, size_t rows, size_t columns)
{
    (void)set;
    return rows * columns * sizeof(float);
}

static precis_status step(precis_ctx *ctx, const pcs_update *u)
{
    const size_t n = u->rows * u->columns;
    const float momentum = (float)u->set->momentum, keep = (float)(1 - u->set->lr * u->set->decay);
    const float lr = (float)(u->set->lr * pcs_muon_scale(u->rows, u->columns));
    float *moment = u->state, *by = pcs_alloc(ctx, n + 1, sizeof *by);
    if (!by) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        moment[i] += (u->g[i] - moment[i]) * (1 - momentum);
        by[i] = u->set->nesterov ? u->g[i] + (moment[i] - u->g[i]) * momentum : moment[i];
    }
    const precis_status st = pcs_muon_orthogonal(ctx, by, u->rows, u->columns);
    for (size_t i = 0; i < n && !st; i++) u->p[i] = u->p[i] * keep - lr * by[i];
    pcs_free(ctx, by);
    return st;
}

const pcs_optimizer pcs_optimizer_muon = { .name = "muon", .bytes = bytes, .step = step, .matrices = true };
