/* check_encode.h - kernels encode, fit and error against the scalar rows; test_kernels.c includes it after its
 * helpers. */
#ifndef PCS_TEST_CHECK_ENCODE_H
#define PCS_TEST_CHECK_ENCODE_H

/* Weights of all kinds: usual ones, zeros, one large among small, the ends of what a float holds in a block. */
static void fill_weights(float *x, size_t n, int kind, uint64_t seed)
{
    test_fill(x, n, seed, kind == 1 ? 1e-30f : 0.05f);
    for (size_t i = 0; kind == 2 && i < n / 2; i++) x[i] = i % 3 ? 0.0f : -0.0f;
    if (kind == 3) x[n / 3] = -40.0f, x[n - 1] = 40.0f;
    if (kind == 4) x[0] = 65504.0f, x[n / 2] = 1e-42f;
    for (size_t i = 0; kind == 5 && i < n; i++) x[i] = x[i] > 0 ? x[i] : -x[i]; /* one sign */
}

static void check_encode(const pcs_kernel *k)
{
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!pcs_format_can_encode(f)) continue;
        const int efforts = f->scale == PCS_SCALE_E8M0 ? PCS_FIT_EVEN : PCS_FIT_SEARCH;
        for (int kind = 0; kind < 6; kind++)
            for (int effort = PCS_FIT_RTN; effort <= efforts; effort++)
                for (int weighted = 0; weighted < 3; weighted++) {
                    const size_t n = f->padded ? (size_t)(300 + 13 * kind) : 2 * f->block, bytes = pcs_row_bytes(f, n);
                    float *x = guarded(n * 4), *w = guarded(n * 4), *y = guarded(n * 4), *z = guarded(n * 4);
                    uint8_t *a = guarded(bytes), *b = guarded(bytes);
                    fill_weights(x, n, kind, i + (uint64_t)kind);
                    test_fill(w, n, i + 99, 1.0f);
                    for (size_t j = 0; j < n; j++) w[j] = weighted == 2 && j % 3 == 0 ? 0.0f : w[j] * w[j];
                    const pcs_shared shared = { -3.0f, 2.5f, 0.4f };
                    pcs_encode_args args = { f, n, x, NULL, (pcs_fit_effort)effort, NULL, a, y };
                    if (weighted) args.w = w, args.shared = &shared;
                    k->run.encode(&args);
                    args.dst = b;
                    args.y = z;
                    pcs_encode_scalar(&args);
                    same(k, f->name, a, b, bytes);
                    same(k, f->name, y, z, n * 4);
                    pcs_decode(f, n, a, z);
                    same(k, "what it decodes to", y, z, n * 4);
                    release(x, n * 4), release(w, n * 4), release(y, n * 4), release(z, n * 4);
                    release(a, bytes), release(b, bytes);
                }
    }
}

static void check_fit(const pcs_kernel *k)
{
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (f->kind != PCS_QUANT || f->encode) continue;
        for (int kind = 0; kind < 6; kind++) {
            const size_t n = f->head ? (size_t)(1000 + 7 * kind) : f->block;
            float *x = guarded(n * 4), d[2] = { 0 };
            int zero[2] = { 0 };
            pcs_params p[2];
            fill_weights(x, n, kind, i);
            pcs_fit_args args = { f, n, x, NULL, PCS_FIT_SEARCH, NULL, f->head ? NULL : &p[0], &d[0], &zero[0] };
            k->run.fit(&args);
            args.params = f->head ? NULL : &p[1];
            args.d = &d[1];
            args.zero = &zero[1];
            pcs_fit_scalar(&args);
            if (!f->head) same(k, f->name, &p[0], &p[1], sizeof *p);
            same(k, f->name, &d[0], &d[1], sizeof *d);
            same(k, f->name, &zero[0], &zero[1], sizeof *zero);
            release(x, n * 4);
        }
    }
}

static void check_error(const pcs_kernel *k)
{
    for (size_t n = 1; n < 80; n++) {
        float *x = guarded(n * 4), *y = guarded(n * 4), *w = guarded(n * 4);
        double e[4];
        test_fill(x, n, n, 1.0f);
        test_fill(y, n, n + 1, 1.0f);
        test_fill(w, n, n + 2, 1.0f);
        for (int weighted = 0; weighted < 2; weighted++) {
            k->run.error(&(pcs_error_args){ n, x, y, weighted ? w : NULL, &e[0], &e[1] });
            pcs_error_scalar(&(pcs_error_args){ n, x, y, weighted ? w : NULL, &e[2], &e[3] });
            same(k, "sums", e, e + 2, 2 * sizeof *e);
        }
        release(x, n * 4), release(y, n * 4), release(w, n * 4);
    }
}

#endif
