/* check_int8.h - the arithmetic int8 against its definition and its scalar rows; test_kernels.c includes it after its
 * helpers. */
#ifndef PCS_TEST_CHECK_INT8_H
#define PCS_TEST_CHECK_INT8_H

#include <math.h>

static void *make_act_int8(size_t m, size_t k)
{
    const size_t bytes = (pcs_act_int8_bytes(m, k) + 127) / 64 * 64;
    return memset(aligned_alloc(64, bytes), 0x55, bytes);
}

/* x / d, rounded and clipped, by the sentence in kernel/int8.h. */
static int defined_code(float x, float d)
{
    if (!(d > 0) || isinf(d)) return 0;
    const float q = nearbyintf(x / d);
    return q < -127 ? -127 : q > 127 ? 127 : (int)q;
}

static void act_int8_defined(const float *x, size_t k, size_t m, const pcs_act_int8 *got)
{
    for (size_t r = 0; r < m; r++) {
        float top = 0;
        bool nan = false;
        for (size_t i = 0; i < k; i++) top = fmaxf(top, fabsf(x[r * k + i])), nan |= isnan(x[r * k + i]);
        const pcs_act_int8 row = pcs_act_int8_row(got, k, r);
        int sum = 0;
        if (nan) assert_true(isnan(*row.d));
        else assert_true(*row.d == top / 127.0f);
        for (size_t i = 0; i < k; i++) {
            const int want = nan ? 0 : defined_code(x[r * k + i], *row.d), code = row.q[i / 64 * 1024 + i % 64];
            if (code != want) fail_msg("row %zu, number %zu, %a by %a: %d, not %d", r, i, (double)x[r * k + i],
                                       (double)*row.d, code, want);
            sum += code;
        }
        assert_int_equal(*row.sum, sum);
    }
}

static void check_act_int8(const pcs_kernel *k)
{
    static const size_t widths[] = { 1, 15, 63, 64, 65, 100, 200, 1000 };
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t m = 1; m < 40; m += 6) {
            const size_t n = widths[i], bytes = pcs_act_int8_bytes(m, n);
            float *x = guarded(n * m * 4);
            test_fill(x, n * m, n + m, 3.0f);
            for (size_t j = 0; j < n * m; j++) {
                const size_t r = j / n;
                if (r % 9 == 2) x[j] = (float)((int)(j * 37 % 509) - 254) * 0.5f; /* ties, of a scale of 1 */
                if (r % 9 == 3) x[j] *= 0x1p-140f;                              /* scales that are subnormal */
                if (r % 9 == 4) x[j] = 0;
                if (r % 9 == 5) x[j] *= 1e30f;
            }
            for (size_t r = 0; r < m; r++) {
                if (r % 9 == 2) x[r * n] = 127.0f;
                if (r == 6) x[r * n + n / 2] = NAN;
                if (r == 7) x[r * n + n / 2] = -INFINITY;
            }
            void *got = make_act_int8(m, n), *want = make_act_int8(m, n);
            for (size_t half = 0; half < 2; half++)
                k->run.act_int8(&(pcs_act_int8_args){ x, n, m, half ? m / 2 : 0, half ? m : m / 2,
                                                      pcs_act_int8_in(got, m, n) });
            pcs_act_int8_scalar(&(pcs_act_int8_args){ x, n, m, 0, m, pcs_act_int8_in(want, m, n) });
            same(k, "codes", got, want, bytes);
            const pcs_act_int8 all = pcs_act_int8_in(got, m, n);
            act_int8_defined(x, n, m, &all);
            free(got), free(want);
            release(x, n * m * 4);
        }
}

/* All blocks of a row get the first one's scale, and P4S multipliers that its encoder writes. */
static void one_scale(const pcs_format *f, size_t n, size_t rows, uint8_t *w)
{
    const size_t row = pcs_row_bytes(f, n);
    float s;
    for (size_t r = 0; r < rows; r++, w += row) {
        uint8_t *const first = w + f->head;
        for (size_t b = 0; f->numbers->at >= f->head && !f->head && b < row / f->bytes; b++)
            memcpy(first + b * f->bytes + f->numbers->at, first + f->numbers->at, f->numbers->bytes);
        if (!f->codes_row(w, n, NULL, &s)) /* a multiplier leads each block */
            for (size_t b = 0; b < (row - f->head) / f->bytes; b++) first[b * f->bytes] = (uint8_t)(b * 7 % 31 - 15);
        assert_true(f->codes_row(w, n, NULL, &s));
    }
}

/* A second block with another scale, or a multiplier that is too large, makes a row none. */
static void more_scales(const pcs_format *f)
{
    const size_t n = 2 * f->block, row = pcs_row_bytes(f, n), number = f->head ? 0 : f->numbers->at;
    if (f->head && strcmp(f->name, "P4S")) return; /* the head is the row's */
    uint8_t *w = make_rows(f, n, 1, 3);
    float s;
    one_scale(f, n, 1, w);
    w[f->head + f->bytes + number] = (uint8_t)(f->head ? 100 : w[number] ^ 1);
    assert_false(f->codes_row(w, n, NULL, &s));
    assert_true(f->codes_row(w, f->block, NULL, &s));
    release(w, row);
}

/* What a row's codes and scale say is what its bytes decode to, but for the rounding of the product. */
static void codes_are_weights(const pcs_format *f, size_t n, const uint8_t *row)
{
    int8_t *c = malloc(n + PCS_ROW_PAD);
    float *x = malloc((n + PCS_ROW_PAD) * 4), s, first;
    pcs_decode(f, n, row, x);
    assert_true(f->codes_row(row, n, c, &s) && f->codes_row(row, 0, NULL, &first) && first == s);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(x[i] - s * (float)c[i]) <= 1e-6f * fabsf(x[i])))
            fail_msg("%s, weight %zu: %a, not %d times %a", f->name, i, (double)x[i], c[i], (double)s);
    free(c), free(x);
}

static void int8_defined(const pcs_mp_int8_args *a, const uint8_t *w)
{
    int8_t *c = malloc(a->k + PCS_ROW_PAD);
    for (size_t n = a->n0; n < a->n1; n++) {
        float s;
        assert_true(a->f->codes_row(w + n * a->row_bytes, a->k, c, &s));
        for (size_t t = 0; t < a->m; t++) {
            const pcs_act_int8 x = pcs_act_int8_row(&a->act, a->k, t);
            int64_t sum = 0;
            for (size_t i = 0; i < a->k; i++) sum += (int64_t)x.q[i / 64 * 1024 + i % 64] * c[i];
            const float y = (float)sum * (*x.d * s) + (a->bias ? a->bias[n] : 0.0f);
            assert_memory_equal(&y, &a->y[t * a->ldy + n], sizeof y);
        }
    }
    free(c);
}

/* One format, in rows and in panels. */
static void same_int8(const pcs_kernel *k, const pcs_format *f, size_t n, size_t m, bool with_bias)
{
    enum { ROWS = 37 }; /* two panels and a part */
    const size_t row = pcs_row_bytes(f, n);
    uint8_t *w = make_rows(f, n, ROWS, n * 31 + m);
    float *x = malloc(n * m * 4), *y[3], bias[ROWS];
    one_scale(f, n, ROWS, w);
    codes_are_weights(f, n, w + (n + m) % ROWS * row);
    test_fill(x, n * m, n + m, 1.0f);
    test_fill(bias, ROWS, 5, 1.0f);
    uint8_t *panels = pcs_panels_fit(f, n) ? make_panels(f, n, ROWS, w) : NULL;
    void *codes = make_act_int8(m, n);
    const pcs_act_int8 act = pcs_act_int8_in(codes, m, n);
    pcs_act_int8_scalar(&(pcs_act_int8_args){ x, n, m, 0, m, act });
    void *mem = aligned_alloc(64, (pcs_mp_int8_scratch(n) + 127) / 64 * 64);
    for (int s = 0; s < (panels ? 3 : 2); s++) {
        y[s] = calloc(m, ROWS * 4);
        const pcs_mp_int8_args args = { f, s == 2 ? panels : w, row, n, 0, ROWS, m, act, y[s], ROWS,
                                        with_bias ? bias : NULL, mem, s == 2, 0 };
        (s == 0 ? pcs_mp_int8_scalar : k->run.mp_int8)(&args);
        if (s == 0) int8_defined(&args, w);
    }
    char what[80];
    snprintf(what, sizeof what, "%s, width %zu, %zu tokens", f->name, n, m);
    for (int s = 1; s < (panels ? 3 : 2); s++) same(k, what, y[s], y[0], m * ROWS * 4);
    if (m > 1) { /* a row alone, as experts take it, and rows of a thread's part */
        float one[ROWS] = { 0 };
        const pcs_mp_int8_args last = { f, w, row, n, 16, ROWS, 1, pcs_act_int8_row(&act, n, m - 1), one, ROWS,
                                        with_bias ? bias : NULL, mem, false, 0 };
        k->run.mp_int8(&last);
        same(k, what, one + 16, y[0] + (m - 1) * ROWS + 16, sizeof one - 16 * sizeof *one);
    }
    for (int s = 0; s < (panels ? 3 : 2); s++) free(y[s]);
    free(x), free(codes), free(mem);
    release(w, row * ROWS);
    if (panels) release(panels, pcs_panels_bytes(f, n, ROWS));
}

static void check_mp_int8(const pcs_kernel *k)
{
    size_t formats = 0;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!f->codes_row) continue;
        formats++;
        more_scales(f);
        for (size_t m = 1; m <= 70; m += m < 40 ? 1 : 15) {
            if (m > 9 && (m + i) % 4) continue; /* a fourth of them for each format */
            const size_t small = f->block == 64 ? 1 + m % 5 + m % 2 * 16 : 1 + 3 * m % 41;
            const size_t blocks = f->block == 256 ? 1 + m % 3 : small;
            same_int8(k, f, f->block * blocks - (f->padded && m % 2 ? 13 : 0), m, m & 1);
        }
    }
    assert_true(formats >= 20);
}

/* Tokens in two calls, the second of which takes the rows as the first has left them decoded. */
static void again_int8(const pcs_kernel *k, const pcs_format *f, size_t n, pcs_mp_int8_fn *first)
{
    enum { ROWS = 37, FIRST = 64, M = FIRST + 50 };
    const size_t row = pcs_row_bytes(f, n);
    uint8_t *w = make_rows(f, n, ROWS, n * 7);
    float *x = malloc(n * M * 4), *want = calloc(M, ROWS * 4), *got = calloc(M, ROWS * 4), bias[ROWS];
    one_scale(f, n, ROWS, w);
    test_fill(x, n * M, n, 1.0f);
    test_fill(bias, ROWS, 5, 1.0f);
    void *codes = make_act_int8(M, n);
    const pcs_act_int8 act = pcs_act_int8_in(codes, M, n);
    pcs_act_int8_scalar(&(pcs_act_int8_args){ x, n, M, 0, M, act });
    void *mem = aligned_alloc(64, (pcs_mp_int8_scratch(n) + 127) / 64 * 64);
    pcs_mp_int8_args a = { f, w, row, n, 0, ROWS, M, act, want, ROWS, bias, mem, false, 0 };
    pcs_mp_int8_scalar(&a);
    a.y = got, a.m = FIRST, a.after = M - FIRST;
    first(&a);
    a.y += FIRST * ROWS, a.act = pcs_act_int8_row(&act, n, FIRST), a.m = M - FIRST, a.after = 0;
    k->run.mp_int8_again(&a);
    char what[80];
    snprintf(what, sizeof what, "%s, width %zu, again", f->name, n);
    same(k, what, got, want, M * ROWS * 4);
    free(x), free(want), free(got), free(codes), free(mem);
    release(w, row * ROWS);
}

static void check_mp_int8_again(const pcs_kernel *k)
{
    pcs_mp_int8_fn *first = pcs_kernel_find(PCS_DO_mp_int8, NULL, k->needs)->run.mp_int8;
#ifdef __x86_64__
    if (strstr(k->isa, "emulated")) first = pcs_mp_int8_amx_emulated;
#endif
    for (size_t i = 0; pcs_formats[i]; i++)
        if (pcs_formats[i]->codes_row) again_int8(k, pcs_formats[i], pcs_formats[i]->block * 2, first);
}

#endif
