/* cholesky.c - the factor of an inverse that GPTQ needs, in f64 (Frantar et al. 2022, section 3, step 3).
 *
 * GPTQ wants the upper U with H^-1 = U^T U. With H = R R^T for an upper R, U = R^-1. R is the ordinary lower factor of H with rows
 * and columns reversed, so one factorization and one triangular inverse do. Sums run in eight lanes in a fixed order. */
#include "base/pool.h"
#include "quant/methods.h"

#define BLOCK 64

static double dot(const double *a, const double *b, size_t n)
{
    double lane[8] = { 0 };
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int l = 0; l < 8; l++) lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++) lane[i % 8] += a[i] * b[i];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

typedef struct { size_t n, k0, k1; double *l, *x; float *u; bool bad; } job;

/* Rows behind a block: their entries in its columns. */
static void panel_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    job *j = arg;
    for (uint64_t r = begin; r < end; r++) {
        double *row = j->l + (j->k1 + r) * j->n;
        for (size_t c = j->k0; c < j->k1; c++) row[c] = (row[c] - dot(row, j->l + c * j->n, c)) / j->l[c * j->n + c];
    }
}

/* Column c of L^-1, in the thread's x; into its places of U. */
static void inverse_columns(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    job *j = arg;
    double *x = j->x + ith * j->n;
    for (uint64_t c = begin; c < end; c++) {
        for (size_t i = 0; i < c; i++) x[i] = 0;
        for (size_t i = c; i < j->n; i++) {
            const double *row = j->l + i * j->n;
            x[i] = ((i == c ? 1.0 : 0.0) - dot(row + c, x + c, i - c)) / row[i];
        }
        /* U[a][b] = L^-1[n-1-a][n-1-b] */
        for (size_t i = c; i < j->n; i++) j->u[(j->n - 1 - i) * j->n + (j->n - 1 - c)] = (float)x[i];
    }
}

bool pcs_inverse_cholesky(precis_ctx *ctx, size_t n, double *h, float *u)
{
    job j = { .n = n, .l = h, .u = u };
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
            for (size_t k = j.k0; k < c; k++) row[k] = (row[k] - dot(row, h + k * n, k)) / h[k * n + k];
            const double d = row[c] - dot(row, row, c);
            if (!(d > 0)) return false;
            row[c] = __builtin_sqrt(d);
        }
        if (j.k1 < n) pcs_for(ctx, n - j.k1, 16, panel_rows, &j);
    }
    j.x = pcs_alloc(ctx, n * precis_ctx_threads(ctx), sizeof *j.x);
    if (!j.x) return false;
    memset(u, 0, n * n * sizeof *u);
    pcs_for(ctx, n, 8, inverse_columns, &j);
    pcs_free(ctx, j.x);
    return true;
}
