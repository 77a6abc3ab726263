/* check_bf16.h - the arithmetic bf16 against its scalar rows; test_kernels.c includes it after its helpers. */
#ifndef PCS_TEST_CHECK_BF16_H
#define PCS_TEST_CHECK_BF16_H

extern const pcs_format pcs_format_f32;

static uint16_t *make_act_bf16(size_t m, size_t k) { return aligned_alloc(64, pcs_act_bf16_bytes(m, k) + 64); }

/* Rows that lie turned, with other numbers after them, give what they give as they are. */
static void turned_bf16(const pcs_kernel *act_kernel, const pcs_kernel *k, size_t n, size_t m)
{
    enum { ROWS = 37, BESIDE = 5 };
    float *x = malloc(n * m * 4), *w = malloc(n * ROWS * 4), *xt = guarded(n * (m + BESIDE) * 4),
          *wt = guarded(n * (ROWS + BESIDE) * 4), want[ROWS * 70], got[ROWS * 70];
    test_fill(x, n * m, n + m, 1.0f), test_fill(w, n * ROWS, m, 1.0f);
    test_fill(xt, n * (m + BESIDE), 1, 1.0f), test_fill(wt, n * (ROWS + BESIDE), 2, 1.0f);
    for (size_t i = 0; i < n; i++) {
        for (size_t r = 0; r < m; r++) xt[i * (m + BESIDE) + r] = x[r * n + i];
        for (size_t r = 0; r < ROWS; r++) wt[i * (ROWS + BESIDE) + r] = w[r * n + i];
    }
    uint16_t *act = make_act_bf16(m, n), *turned = make_act_bf16(m, n);
    memset(turned, 0x55, pcs_act_bf16_bytes(m, n));
    pcs_act_bf16_scalar(&(pcs_act_bf16_args){ x, n, m, 0, m, act, 0 });
    for (size_t half = 0; half < 2 && act_kernel; half++)
        act_kernel->run.act_bf16(
            &(pcs_act_bf16_args){ xt, n, m, half ? m / 2 : 0, half ? m : m / 2, turned, m + BESIDE });
    if (act_kernel) same(act_kernel, "tiles of turned rows", turned, act, pcs_act_bf16_bytes(m, n));
    void *mem = aligned_alloc(64, (pcs_mp_bf16_scratch(n) + 127) / 64 * 64);
    const pcs_mp_bf16_args rows = { &pcs_format_f32, (const uint8_t *)w, n * 4, n, 0, ROWS, m, act, want, ROWS, NULL,
                                    mem, false, 0, 0 };
    pcs_mp_bf16_args columns = rows;
    columns.w = (const uint8_t *)wt, columns.y = got, columns.turned = ROWS + BESIDE;
    pcs_mp_bf16_scalar(&rows);
    if (k) k->run.mp_bf16(&columns);
    if (k) same(k, "turned rows", got, want, m * ROWS * 4);
    free(x), free(w), free(act), free(turned), free(mem);
    release(xt, n * (m + BESIDE) * 4), release(wt, n * (ROWS + BESIDE) * 4);
}

static void check_act_bf16(const pcs_kernel *k)
{
    static const size_t widths[] = { 1, 31, 32, 33, 64, 100, 288 };
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t m = 1; m < 40; m += 6) {
            const size_t n = widths[i], bytes = pcs_act_bf16_bytes(m, n);
            float *x = guarded(n * m * 4);
            test_fill(x, n * m, n + m, 3.0f);
            for (size_t j = 0; j < n * m; j += 7) x[j] *= j % 2 ? 1e-17f : 1e17f; /* beyond 2^-56, too */
            x[0] = 0x1p-56f, x[n * m - 1] = -0x1.ffp-57f;
            uint16_t *got = make_act_bf16(m, n), *want = make_act_bf16(m, n);
            memset(got, 0x55, bytes), memset(want, 0xaa, bytes);
            for (size_t half = 0; half < 2; half++)
                k->run.act_bf16(&(pcs_act_bf16_args){ x, n, m, half ? m / 2 : 0, half ? m : m / 2, got, 0 });
            pcs_act_bf16_scalar(&(pcs_act_bf16_args){ x, n, m, 0, m, want, 0 });
            same(k, "tiles", got, want, bytes);
            assert_int_equal(pcs_act_bf16_row(got, n, 0)[0], n * m > 1 ? 0x2380 : 0xa380); /* rounded up to -2^-56 */
            free(got), free(want);
            release(x, n * m * 4);
            turned_bf16(k, NULL, n, m);
        }
}

/* One format, in rows and in panels. */
static void same_bf16(const pcs_kernel *k, const pcs_format *f, size_t n, size_t m, bool with_bias)
{
    enum { ROWS = 37 }; /* two panels and a part */
    const size_t row = pcs_row_bytes(f, n);
    uint8_t *w = f->kind == PCS_QUANT ? make_rows(f, n, ROWS, n * 31 + m) : guarded(row * ROWS);
    float *x = malloc(n * m * 4), *y[3], bias[ROWS], *numbers = malloc(n * ROWS * 4);
    test_fill(x, n * m, n + m, 1.0f);
    test_fill(bias, ROWS, 5, 1.0f);
    test_fill(numbers, n * ROWS, m, 1.0f);
    if (f->kind != PCS_QUANT) f->from_f32(n * ROWS, numbers, w);
    uint8_t *panels = pcs_panels_fit(f, n) ? make_panels(f, n, ROWS, w) : NULL;
    uint16_t *act = make_act_bf16(m, n);
    pcs_act_bf16_scalar(&(pcs_act_bf16_args){ x, n, m, 0, m, act, 0 });
    void *mem = aligned_alloc(64, (pcs_mp_bf16_scratch(n) + 127) / 64 * 64);
    for (int s = 0; s < (panels ? 3 : 2); s++) {
        y[s] = calloc(m, ROWS * 4);
        const pcs_mp_bf16_args args = { f, s == 2 ? panels : w, row, n, 0, ROWS, m, act, y[s], ROWS,
                                        with_bias ? bias : NULL, mem, s == 2, 0, 0 };
        (s == 0 ? pcs_mp_bf16_scalar : k->run.mp_bf16)(&args);
    }
    char what[80];
    snprintf(what, sizeof what, "%s, width %zu, %zu tokens", f->name, n, m);
    for (int s = 1; s < (panels ? 3 : 2); s++) same(k, what, y[s], y[0], m * ROWS * 4);
    if (m > 1) { /* a row alone, as experts take it */
        float one[ROWS];
        const pcs_mp_bf16_args last = { f, w, row, n, 0, ROWS, 1, pcs_act_bf16_row(act, n, m - 1), one, ROWS,
                                        with_bias ? bias : NULL, mem, false, 0, 0 };
        k->run.mp_bf16(&last);
        same(k, what, one, y[0] + (m - 1) * ROWS, sizeof one);
    }
    for (int s = 0; s < (panels ? 3 : 2); s++) free(y[s]);
    free(x), free(act), free(mem), free(numbers);
    release(w, row * ROWS);
    if (panels) release(panels, pcs_panels_bytes(f, n, ROWS));
}

static void check_mp_bf16(const pcs_kernel *k)
{
    for (size_t m = 1; m <= 70; m += 23) turned_bf16(NULL, k, 13 + 29 * m, m);
    static const size_t counts[] = { 1, 2, 8, 15, 16, 17, 31, 32, 33, 49, 70 };
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (f->kind == PCS_INT || (f->kind == PCS_FLOAT && !f->from_f32)) continue;
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            if ((c + i) % 3) continue; /* a third of them for each format: the scalar row takes its time */
            const size_t blocks = f->block == 1 ? 7 + 29 * c : f->block == 256 ? 1 + c % 3 : 1 + 3 * c;
            same_bf16(k, f, f->block * blocks - (f->padded && c % 2 ? 13 : 0), counts[c], c & 1);
        }
    }
}

/* Tokens in two calls, the second of which takes the rows as the first has left them decoded. */
static void again_bf16(const pcs_kernel *k, const pcs_format *f, size_t n, pcs_mp_bf16_fn *first)
{
    enum { ROWS = 37, FIRST = 64, M = FIRST + 50 };
    const size_t row = pcs_row_bytes(f, n);
    uint8_t *w = make_rows(f, n, ROWS, n * 7);
    float *x = malloc(n * M * 4), *want = calloc(M, ROWS * 4), *got = calloc(M, ROWS * 4), bias[ROWS];
    test_fill(x, n * M, n, 1.0f);
    test_fill(bias, ROWS, 5, 1.0f);
    uint16_t *act = make_act_bf16(M, n);
    pcs_act_bf16_scalar(&(pcs_act_bf16_args){ x, n, M, 0, M, act, 0 });
    void *mem = aligned_alloc(64, (pcs_mp_bf16_scratch(n) + 127) / 64 * 64);
    pcs_mp_bf16_args a = { f, w, row, n, 0, ROWS, M, act, want, ROWS, bias, mem, false, 0, 0 };
    pcs_mp_bf16_scalar(&a);
    a.y = got, a.m = FIRST, a.after = M - FIRST;
    first(&a);
    a.y += FIRST * ROWS, a.act = pcs_act_bf16_row(act, n, FIRST), a.m = M - FIRST, a.after = 0;
    k->run.mp_bf16_again(&a);
    char what[80];
    snprintf(what, sizeof what, "%s, width %zu, again", f->name, n);
    same(k, what, got, want, M * ROWS * 4);
    free(x), free(want), free(got), free(act), free(mem);
    release(w, row * ROWS);
}

static void check_mp_bf16_again(const pcs_kernel *k)
{
    pcs_mp_bf16_fn *first = pcs_kernel_find(PCS_DO_mp_bf16, NULL, k->needs)->run.mp_bf16;
#ifdef __x86_64__
    if (strstr(k->isa, "emulated")) first = pcs_mp_bf16_amx_emulated;
#endif
    for (size_t i = 0; pcs_formats[i]; i++)
        if (pcs_formats[i]->kind == PCS_QUANT && i % 3 == 0)
            again_bf16(k, pcs_formats[i], pcs_formats[i]->block * 2, first);
}

#endif
