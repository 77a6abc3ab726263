/* cholesky.c - the factor of an inverse that GPTQ needs, in f64 (Frantar et al. 2022, section 3, step 3).
 *
 * GPTQ wants the upper U with H^-1 = U^T U. With H = R R^T for an upper R, U = R^-1. R is the ordinary lower factor of H with rows
 * and columns reversed, so one factorization and one triangular inverse do. Sums run in eight lanes in a fixed order. */
#include "base/pool.h"
#include "quant/methods.h"

#define BLOCK 64
#define COLUMNS 8 /* of the inverse, and rows behind a block, at a time */

static double dot(const pcs_kernels *k, const double *a, const double *b, size_t n)
{
    double sum;
    k->dot(&(pcs_dot_args){ a, b, n, &sum });
    return sum;
}

typedef struct { const pcs_kernels *kernels; size_t n, k0, k1; double *l, *x; float *u; bool bad; } job;

/* Rows behind a block, eight at a time: their entries in its columns. */
static void panel_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    job *j = arg;
    for (uint64_t b = begin; b < end; b++) {
        const size_t first = j->k1 + b * COLUMNS, last = first + COLUMNS < j->n ? first + COLUMNS : j->n;
        for (size_t c = j->k0; c < j->k1; c++) {
            const double *other = j->l + c * j->n;
            for (size_t r = first; r < last; r++) {
                double *row = j->l + r * j->n;
                row[c] = (row[c] - dot(j->kernels, row, other, c)) / other[c];
            }
        }
    }
}

/* Eight columns of L^-1 from 8 b on, in the thread's x, so that L is read once for all; into their places of U. */
static void inverse_columns(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    job *j = arg;
    const size_t n = j->n;
    double *x = j->x + ith * n * COLUMNS;
    for (uint64_t b = begin; b < end; b++) {
        const size_t first = b * COLUMNS, count = n - first < COLUMNS ? n - first : COLUMNS;
        for (size_t i = first; i < n; i++) {
            const double *row = j->l + i * n;
            for (size_t k = 0; k < count; k++) {
                double *own = x + k * n;
                own[i] = i < first + k ? 0.0 : ((i == first + k ? 1.0 : 0.0) - dot(j->kernels, row + first, own + first, i - first)) / row[i];
            }
        }
        /* U[a][b] = L^-1[n-1-a][n-1-b] */
        for (size_t k = 0; k < count; k++)
            for (size_t i = first + k; i < n; i++) j->u[(n - 1 - i) * n + (n - 1 - first - k)] = (float)x[k * n + i];
    }
}

bool pcs_inverse_cholesky(precis_ctx *ctx, size_t n, double *h, float *u)
{
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    job j = { .kernels = &kernels, .n = n, .l = h, .u = u };
    /* reverse rows and columns in place: h is symmetric */
    for (size_t i = 0; i < n * n / 2; i++) {
        const double t = h[i];
        h[i] = h[n * n - 1 - i];
        h[n * n - 1 - i] = t;
    }
    for (j.k0 = 0; j.k0 < n; j.k0 = j.k1) {
        j.k1 = j.k0 + BLOCK < n ? j.k0 + BLOCK : n;
        for (size_t c = j.k0; c < j.k1; c++) {
            double *row = h + c * n;
            for (size_t k = j.k0; k < c; k++) row[k] = (row[k] - dot(&kernels, row, h + k * n, k)) / h[k * n + k];
            const double d = row[c] - dot(&kernels, row, row, c);
            if (!(d > 0)) return false;
            row[c] = __builtin_sqrt(d);
        }
        if (j.k1 < n) pcs_for(ctx, (n - j.k1 + COLUMNS - 1) / COLUMNS, 1, panel_rows, &j);
    }
    j.x = pcs_alloc(ctx, n * COLUMNS * precis_ctx_threads(ctx), sizeof *j.x);
    if (!j.x) return false;
    memset(u, 0, n * n * sizeof *u);
    pcs_for(ctx, (n + COLUMNS - 1) / COLUMNS, 1, inverse_columns, &j);
    pcs_free(ctx, j.x);
    return true;
}
