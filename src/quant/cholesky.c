/* cholesky.c - the factor of a Hessian that GPTQ needs, in f64.
 *
 * GPTQ makes up what a rounding loses by the columns still to come, with the rows of an upper U for which H^-1 = U^T U
 * (Frantar et al. 2022, section 3, step 3). The same roundings come from H itself: with H = R R^T for an upper R,
 * column k is rounded after all that was lost before, times R[j][k] / R[k][k], is added to it (Chee et al. 2023,
 * section 3 and theorem 6). So there is no inverse. R is the ordinary lower factor of H with rows and columns
 * reversed. */
#include "base/pool.h"
#include "base/builtins.h"
#include "quant/methods.h"

#define BLOCK 64 /* columns that are done at a time */
#define FACTOR_ROWS 24  /* of a factoring */

typedef struct {
    const pcs_kernels *kernels;
    const double *h;
    const uint32_t *order;
    double damp;
    size_t n, ld, k0, k1;
    double *l, *b; /* [n][ld]; the block's rows as panels of 16 columns, [panels][k0][16] */
    float *a;
} factoring;

/* Rows of H in their order from the last to the first, and columns alike: the lower part, zeros to the end of the
 * diagonal's block. */
static void reverse_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const factoring *j = arg;
    const size_t n = j->n;
    for (uint64_t i = begin; i < end; i++) {
        const double *from = j->h + (size_t)j->order[n - 1 - i] * n;
        double *row = j->l + i * j->ld;
        for (size_t c = 0; c <= i; c++) row[c] = from[j->order[n - 1 - c]];
        row[i] += j->damp;
        for (size_t c = i + 1; c < (i / BLOCK + 1) * BLOCK && c < j->ld; c++) row[c] = 0;
    }
}

static void pack_panels(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const factoring *j = arg;
    for (uint64_t p = begin; p < end; p++)
        for (size_t i = 0; i < 16; i++) {
            const size_t r = j->k0 + p * 16 + i;
            for (size_t k = 0; k < j->k0; k++) j->b[(p * j->k0 + k) * 16 + i] = r < j->k1 ? j->l[r * j->ld + k] : 0;
        }
}

/* Rows from the block on lose what the columns before it explain. */
static void update_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const factoring *j = arg;
    for (uint64_t c = begin; c < end; c++) {
        const size_t first = j->k0 + c * FACTOR_ROWS, rows = j->n - first < FACTOR_ROWS ? j->n - first : FACTOR_ROWS;
        for (size_t p = 0; j->k0 + p * 16 < j->k1; p++)
            j->kernels->gemm_f64(&(pcs_gemm_f64_args){ j->l + first * j->ld, j->ld, j->b + p * j->k0 * 16, j->k0, rows,
                                                       j->l + first * j->ld + j->k0 + p * 16, j->ld });
    }
}

static double less_dot(const factoring *j, const double *row, const double *other, size_t c)
{
    double sum;
    j->kernels->dot(&(pcs_dot_args){ row + j->k0, other + j->k0, c - j->k0, &sum });
    return row[c] - sum;
}

/* Rows after the block, by its triangle. */
static void solve_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const factoring *j = arg;
    for (size_t r = j->k1 + begin * FACTOR_ROWS; r < j->k1 + end * FACTOR_ROWS && r < j->n; r++)
        for (size_t c = j->k0; c < j->k1; c++) {
            double *row = j->l + r * j->ld;
            const double *other = j->l + c * j->ld;
            row[c] = less_dot(j, row, other, c) / other[c];
        }
}

/* The block's own triangle; false: there is none. */
static bool factor_block(const factoring *j)
{
    for (size_t r = j->k0; r < j->k1; r++) {
        double *row = j->l + r * j->ld;
        for (size_t c = j->k0; c < r; c++) row[c] = less_dot(j, row, j->l + c * j->ld, c) / j->l[c * j->ld + c];
        const double d = less_dot(j, row, row, r);
        if (!(d > 0)) return false;
        row[r] = pcs_sqrt(d);
    }
    return true;
}

/* A[i][c] = R[i][c] / R[c][c] = L[n-1-i][n-1-c] / L[n-1-c][n-1-c] for i < c; panels of 16 columns. */
static void write_panels(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const factoring *j = arg;
    const size_t n = j->n;
    for (uint64_t p = begin; p < end; p++) {
        float *to = j->a + PCS_FEEDBACK_PANEL(p);
        double each[16];
        for (size_t l = 0; l < 16; l++)
            each[l] = p * 16 + l < n ? 1 / j->l[(n - 1 - p * 16 - l) * j->ld + n - 1 - p * 16 - l] : 0;
        for (size_t i = 0; i < (p + 1) * 16; i++)
            for (size_t l = 0; l < 16; l++) {
                const size_t c = p * 16 + l;
                to[i * 16 + l] = i < c && c < n ? (float)(j->l[(n - 1 - i) * j->ld + n - 1 - c] * each[l]) : 0.0f;
            }
    }
}

bool pcs_feedback(precis_ctx *ctx, const pcs_damped *of, double *work, float *a)
{
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    const size_t n = of->n;
    factoring j = { .kernels = &kernels, .h = of->h, .order = of->order, .damp = of->damp, .n = n,
                    .ld = PCS_FEEDBACK_LD(n), .l = work, .a = a };
    j.b = work + n * j.ld;
    pcs_for(ctx, n, 16, reverse_rows, &j);
    for (; j.k0 < n; j.k0 = j.k1) {
        j.k1 = j.k0 + BLOCK < n ? j.k0 + BLOCK : n;
        if (j.k0) {
            pcs_for(ctx, (j.k1 - j.k0 + 15) / 16, 1, pack_panels, &j);
            pcs_for(ctx, (n - j.k0 + FACTOR_ROWS - 1) / FACTOR_ROWS, 1, update_rows, &j);
        }
        if (!factor_block(&j)) return false;
        if (j.k1 < n) pcs_for(ctx, (n - j.k1 + FACTOR_ROWS - 1) / FACTOR_ROWS, 1, solve_rows, &j);
    }
    pcs_for(ctx, (n + 15) / 16, 1, write_panels, &j);
    return true;
}
