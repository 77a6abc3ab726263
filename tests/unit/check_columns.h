/* check_columns.h - arithmetic on columns against the scalar rows; test_kernels.c includes it after its helpers. */
#ifndef PCS_TEST_CHECK_COLUMNS_H
#define PCS_TEST_CHECK_COLUMNS_H

enum { COLUMN = 136, COLUMNS_MOST = PCS_COLUMN_TERMS }; /* beyond a part of 64, too */

/* Numbers of all sizes, and of both signs where `negative`; the last ones are the ends of what functions take. */
static double *make_column(uint64_t seed, bool negative)
{
    static const double ends[] = { 0, -0.0, 1e-310, 1.7e308, INFINITY, -INFINITY, NAN, 710 };
    double *x = guarded(COLUMN * sizeof *x);
    for (size_t i = 0; i < COLUMN; i++) {
        const double size = exp(16 * pcs_rand_unit(&seed) - 8);
        x[i] = negative && pcs_rand_unit(&seed) < 0.5 ? -size : size;
    }
    if (negative) memcpy(x + COLUMN - 8, ends, sizeof ends);
    return x;
}

static void free_column(double *x) { release(x, COLUMN * sizeof *x); }

/* NaNs are alike: their signs and payloads are the machine's. */
static void same_column(const pcs_kernel *k, const char *what, double *a, double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(a[i]) && isnan(b[i])) a[i] = b[i] = 0;
    same(k, what, a, b, n * sizeof *a);
}

static void same_pair(const pcs_kernel *k, pcs_column_add_fn *run, pcs_column_add_fn *scalar, bool steps)
{
    double *a = make_column(1, true), *b = make_column(2, true);
    double *y[2] = { make_column(3, false), make_column(3, false) };
    for (int step = steps ? 1 : 2; step < 4; step++) /* not both are numbers: the tape has lanes of those */
        for (size_t n = PCS_COLUMN_LANES; n <= COLUMN; n += PCS_COLUMN_LANES)
            for (int s = 0; s < 2; s++) {
                const size_t from = COLUMN - n;
                const int b_step = step & 1, a_step = step >> 1;
                (s ? scalar : run)(&(pcs_column_pair_args){ y[s] + from, a + from, a_step, b + from, b_step, n });
                if (s) same_column(k, "numbers", y[0], y[1], COLUMN);
            }
    free_column(a), free_column(b), free_column(y[0]), free_column(y[1]);
}

static void check_column_add(const pcs_kernel *k) { same_pair(k, k->run.column_add, pcs_column_add_scalar, true); }
static void check_column_sub(const pcs_kernel *k) { same_pair(k, k->run.column_sub, pcs_column_sub_scalar, true); }
static void check_column_mul(const pcs_kernel *k) { same_pair(k, k->run.column_mul, pcs_column_mul_scalar, true); }
static void check_column_div(const pcs_kernel *k) { same_pair(k, k->run.column_div, pcs_column_div_scalar, true); }
static void check_column_gather(const pcs_kernel *k)
{
    same_pair(k, k->run.column_gather, pcs_column_gather_scalar, false);
}

static void same_function(const pcs_kernel *k, pcs_column_exp_fn *run, pcs_column_exp_fn *scalar)
{
    double *a = make_column(4, true), *y[2] = { make_column(3, false), make_column(3, false) };
    for (size_t n = PCS_COLUMN_LANES; n <= COLUMN; n += PCS_COLUMN_LANES) {
        run(&(pcs_column_args){ y[0] + COLUMN - n, a + COLUMN - n, n });
        scalar(&(pcs_column_args){ y[1] + COLUMN - n, a + COLUMN - n, n });
        same_column(k, "numbers", y[0], y[1], COLUMN);
    }
    free_column(a), free_column(y[0]), free_column(y[1]);
}

/* The same as the scalar row, and what the C library has, within the error that columns.h states. */
static void check_column_exp(const pcs_kernel *k)
{
    double x[COLUMN], y[COLUMN];
    same_function(k, k->run.column_exp, pcs_column_exp_scalar);
    for (int i = 0; i < COLUMN; i++) x[i] = -40 + 0.61 * i;
    x[0] = -1e300, x[1] = 1e300, x[2] = NAN;
    k->run.column_exp(&(pcs_column_args){ y, x, COLUMN });
    for (int i = 3; i < COLUMN; i++) assert_true(fabs(y[i] / exp(x[i]) - 1) < 5e-16);
    assert_true(y[0] == 0 && isinf(y[1]) && isnan(y[2]));
}

static void check_column_log(const pcs_kernel *k)
{
    double x[COLUMN], y[COLUMN];
    same_function(k, k->run.column_log, pcs_column_log_scalar);
    for (int i = 0; i < COLUMN; i++) x[i] = exp(-60 + 0.9 * i);
    x[0] = 0, x[1] = -1, x[2] = INFINITY, x[3] = 1e-320;
    k->run.column_log(&(pcs_column_args){ y, x, COLUMN });
    for (int i = 4; i < COLUMN; i++) assert_true(fabs(y[i] - log(x[i])) <= 3e-16 * fmax(1, fabs(log(x[i]))));
    assert_true(y[0] == -INFINITY && isnan(y[1]) && isinf(y[2]));
}

static void check_column_lse(const pcs_kernel *k)
{
    for (int terms = 1; terms <= COLUMNS_MOST; terms++) {
        const double *t[COLUMNS_MOST];
        double *share[2][COLUMNS_MOST], *o[2] = { make_column(1, false), make_column(1, false) };
        int step[COLUMNS_MOST];
        for (int i = 0; i < terms; i++) {
            t[i] = make_column((uint64_t)(7 + i), false);
            step[i] = i % 3 != 1;
            for (int s = 0; s < 2; s++) share[s][i] = make_column(2, false);
        }
        k->run.column_lse(&(pcs_column_lse_args){ o[0], share[0], t, step, terms, COLUMN });
        pcs_column_lse_scalar(&(pcs_column_lse_args){ o[1], share[1], t, step, terms, COLUMN });
        same(k, "sums", o[0], o[1], COLUMN * sizeof **o);
        for (size_t r = 0; r < COLUMN; r++) {
            double all = 0;
            for (int i = 0; i < terms; i++) all += share[0][i][r];
            assert_true(fabs(all - 1) < 1e-14);
        }
        for (int i = 0; i < terms; i++) {
            same(k, "shares", share[0][i], share[1][i], COLUMN * sizeof **o);
            free_column((double *)(uintptr_t)t[i]), free_column(share[0][i]), free_column(share[1][i]);
        }
        free_column(o[0]), free_column(o[1]);
    }
}

static void check_column_sum(const pcs_kernel *k)
{
    double *a = make_column(5, false), sum[2];
    for (size_t n = 0; n <= COLUMN; n += PCS_COLUMN_LANES) {
        k->run.column_sum(&(pcs_column_sum_args){ a + COLUMN - n, n, &sum[0] });
        pcs_column_sum_scalar(&(pcs_column_sum_args){ a + COLUMN - n, n, &sum[1] });
        same(k, "sum", &sum[0], &sum[1], sizeof *sum);
    }
    free_column(a);
}

static void check_column_huber(const pcs_kernel *k)
{
    double *r = make_column(6, false), *w = make_column(7, false), sum[2];
    double *psi[2] = { make_column(8, false), make_column(8, false) };
    for (size_t i = 0; i < COLUMN; i += 3) r[i] = -r[i];
    for (double delta = 1e-3; delta < 1e4; delta *= 10) {
        k->run.column_huber(&(pcs_column_huber_args){ r, w, delta, psi[0], COLUMN, &sum[0] });
        pcs_column_huber_scalar(&(pcs_column_huber_args){ r, w, delta, psi[1], COLUMN, &sum[1] });
        same(k, "sum", &sum[0], &sum[1], sizeof *sum);
        same(k, "psi", psi[0], psi[1], COLUMN * sizeof **psi);
    }
    free_column(r), free_column(w), free_column(psi[0]), free_column(psi[1]);
}

#endif
