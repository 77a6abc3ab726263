/* check_functions.h - kernels of functions of elements and of rows (kernel/functions.h) against the scalar ones. */

/* Which NaN it is depends on the order in which a compiler takes operands. */
static void one_nan(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != x[i]) x[i] = 12345.0f;
}

static void check_elements(const pcs_kernel *k)
{
    for (pcs_function f = PCS_OF_ADD; f <= PCS_OF_SWISH; f++)
        for (size_t n = 1; n < 100; n += 11)
            for (int form = 0; form < 4; form++) {
                float *x = guarded(n * 4), *y = guarded(n * 4), to[2][100];
                test_fill(x, n, n, form == 3 ? 200.0f : 6.0f);
                test_fill(y, n, n + 1, 3.0f);
                x[n / 2] = n % 3 ? NAN : -INFINITY;
                x[n / 3] = n % 2 ? 1e-30f : 89.0f;
                const pcs_elements_args a = { f, 1.5f, x, y, form != 1, form != 2, to[0], n };
                pcs_elements_args b = a;
                b.to = to[1];
                k->run.elements(&a);
                pcs_elements_scalar(&b);
                one_nan(to[0], n), one_nan(to[1], n);
                same(k, "elements", to[0], to[1], n * 4);
                release(x, n * 4);
                release(y, n * 4);
            }
}

static void check_extremes(const pcs_kernel *k)
{
    for (size_t n = 1; n < 150; n += 7)
        for (int form = 0; form < 3; form++) {
            float *x = guarded(n * 4), got[2], want[2];
            test_fill(x, n, n, 5.0f);
            if (form) x[n - 1] = form == 1 ? NAN : INFINITY;
            k->run.extremes(&(pcs_extremes_args){ x, n, &got[0], &got[1] });
            pcs_extremes_scalar(&(pcs_extremes_args){ x, n, &want[0], &want[1] });
            same(k, "extremes", got, want, sizeof got);
            for (size_t i = 0; i < n && !form; i++) assert_true(got[0] <= x[i] && x[i] <= got[1]);
            assert_true(form ? got[0] != got[0] : got[0] <= 0 && got[1] >= 0);
            release(x, n * 4);
        }
}

static void same_rows(const pcs_kernel *k, pcs_layer_norm_fn *run, pcs_layer_norm_fn *scalar, bool weights)
{
    for (size_t rows = 1; rows < 20; rows += 3)
        for (size_t n = 1; n < 70; n += 9) {
            const size_t bytes = rows * n * 4;
            float *x = guarded(bytes), *w = guarded(n * 4), *y[2] = { guarded(bytes), guarded(bytes) };
            test_fill(x, rows * n, n, 9.0f);
            test_fill(w, n, n, 2.0f);
            if (rows == 7) x[rows * n / 2] = NAN;
            for (int i = 0; i < 2; i++)
                (i ? scalar : run)(&(pcs_rows_args){ x, y[i], rows, n, w, rows % 2 && weights ? w : NULL, 1e-5f });
            for (int i = 0; i < 2; i++) one_nan(y[i], rows * n);
            same(k, "rows", y[0], y[1], bytes);
            double sum = 0;
            for (size_t i = 0; i < n; i++) sum += (double)y[0][i];
            assert_true(weights || (sum > 1 - 1e-5 && sum < 1 + 1e-5)); /* of the first row */
            release(x, bytes), release(w, n * 4), release(y[0], bytes), release(y[1], bytes);
        }
}

static void check_softmax_rows(const pcs_kernel *k)
{
    same_rows(k, k->run.softmax_rows, pcs_softmax_rows_scalar, false);
}
static void check_layer_norm(const pcs_kernel *k) { same_rows(k, k->run.layer_norm, pcs_layer_norm_scalar, true); }
