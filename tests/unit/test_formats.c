/* Every row of formats.def: bytes, bounds, special numbers, substitutes. */
#include "base/f16.h"
#include "format/format.h"
#include "test.h"

#include <math.h>

#define ENCODABLE(f) (((f)->kind == PCS_QUANT || (f)->element) && pcs_format_can_encode(f))
/* Weights that one check of a format encodes: a block, and for schemes a cut one too. */
#define CHECKED(f) ((f)->padded ? 45u : (f)->block)

/* SHA-256 of 8 rows of fixed numbers under RTN and under weighted search: the bytes are the same on every machine. A
 * row that changes on purpose changes here too (build/test_formats --print). */
static const struct { const char *name, *rtn, *search; } golden[] = {
#include "golden.inc"
    { 0 },
};

static void hash_of(const pcs_format *f, pcs_fit_effort effort, char hex[65])
{
    enum { N = 256 * 8 };
    static float x[N], w[N];
    static uint8_t out[N * 8];
    const size_t n = f->padded ? N : N / f->block * f->block;
    test_fill(x, N, 42, 0.05f);
    test_fill(w, N, 43, 1.0f);
    for (int i = 0; i < N; i++) w[i] = w[i] * w[i];
    pcs_encode(&(pcs_encode_args){ f, n, x, effort == PCS_FIT_SEARCH ? w : NULL, effort, NULL, out, NULL });
    precis_sha256(out, pcs_row_bytes(f, n), hex);
}

static void test_golden(void **state)
{
    (void)state;
    size_t n = 0;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!ENCODABLE(f)) continue;
        char rtn[65], search[65];
        hash_of(f, PCS_FIT_RTN, rtn);
        hash_of(f, PCS_FIT_SEARCH, search);
        bool found = false;
        for (size_t k = 0; golden[k].name; k++) {
            if (strcmp(golden[k].name, f->name)) continue;
            found = true;
            if (strncmp(rtn, golden[k].rtn, 16) || strncmp(search, golden[k].search, 16))
                fail_msg("%s: its bytes changed: rtn %.16s, search %.16s", f->name, rtn, search);
        }
        if (!found) fail_msg("%s has no golden bytes: { \"%s\", \"%.16s\", \"%.16s\" }", f->name, f->name, rtn, search);
        n++;
    }
    assert_true(n >= 15);
}

static void test_bound(void **state)
{
    (void)state;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!ENCODABLE(f) || f->bound == 0) continue; /* bare elements have no scale, and no bound */
        /* half of the smallest f16 step of d, times the largest code (and the largest integer scale) */
        const double step = 0x1p-25 * 128 * (f->scale == PCS_SCALE_SUPER ? (f->sc_hi > 64 ? 128 : 64) : 1)
                            /* Scales of E4M3; a tensor's own scale keeps them in range. */
                            + (f->scaled_whole ? 0x1p-10 * 6 : 0);
        for (uint64_t seed = 1; seed <= 200; seed++) {
            float x[PCS_BLOCK_MAX], y[PCS_BLOCK_MAX];
            uint8_t out[1024];
            uint64_t s = seed;
            const float scale = (float)ldexp(1.0, (int)(pcs_rand(&s) % 20) - 10);
            test_fill(x, CHECKED(f), seed, scale);
            float top = 0;
            for (uint32_t k = 0; k < CHECKED(f); k++) top = fabsf(x[k]) > top ? fabsf(x[k]) : top;
            pcs_encode_nearest(f, CHECKED(f), x, out);
            pcs_decode(f, CHECKED(f), out, y);
            for (uint32_t k = 0; k < CHECKED(f); k++)
                if (!(fabs((double)x[k] - y[k]) <= f->bound * top + step))
                    fail_msg("%s, seed %llu: %g became %g, bound %g of %g", f->name, (unsigned long long)seed,
                             (double)x[k], (double)y[k], f->bound, (double)top);
        }
    }
}

static void test_zero(void **state)
{
    (void)state;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!ENCODABLE(f)) continue;
        float x[PCS_BLOCK_MAX] = { 0 }, y[PCS_BLOCK_MAX];
        uint8_t out[1024];
        for (int effort = 0; effort < 2; effort++) {
            pcs_encode(&(pcs_encode_args){ f, CHECKED(f), x, NULL, (pcs_fit_effort)effort, NULL, out, NULL });
            pcs_decode(f, CHECKED(f), out, y);
            for (uint32_t k = 0; k < CHECKED(f); k++) assert_true(y[k] == 0.0f);
        }
    }
}

/* The largest code of the low side, subnormal weights, one large weight among zeros:
 * finite, and the search is never worse. */
static void test_special(void **state)
{
    (void)state;
    static const float values[] = { -128.0f, 1e-42f, -1e-40f, 65504.0f, -65504.0f, 1e-8f };
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!ENCODABLE(f)) continue;
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            float x[PCS_BLOCK_MAX] = { 0 }, y[PCS_BLOCK_MAX];
            uint8_t out[1024];
            double err[2] = { 0 };
            x[3] = values[v];
            x[CHECKED(f) - 1] = -values[v] / 3;
            for (int effort = 0; effort < 2; effort++) {
                pcs_encode(&(pcs_encode_args){ f, CHECKED(f), x, NULL, (pcs_fit_effort)effort, NULL, out, NULL });
                pcs_decode(f, CHECKED(f), out, y);
                for (uint32_t k = 0; k < CHECKED(f); k++) {
                    if (!isfinite(y[k])) fail_msg("%s: %g gave %g", f->name, (double)values[v], (double)y[k]);
                    err[effort] += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
                }
            }
            if (!(err[1] <= err[0] * (1 + 1e-6) + 1e-12))
                fail_msg("%s: search error %g, RTN %g at %g", f->name, err[1], err[0], (double)values[v]);
        }
    }
}

/* What an earlier call left on the stack. */
static void leave_on_stack(int byte)
{
    volatile unsigned char stack[1 << 16];
    for (size_t i = 0; i < sizeof stack; i++) stack[i] = (unsigned char)byte;
}

static void (*volatile leave)(int byte) = leave_on_stack; /* called, not inlined */

/* Numbers whose squares, or that themselves times an importance, pass the range of F32: whatever is chosen is chosen by
 * the numbers alone. */
static void test_huge(void **state)
{
    (void)state;
    static const float values[] = { 1e17f, 3e19f, 3.4e38f };
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!ENCODABLE(f)) continue;
        for (size_t v = 0; v < 2 * sizeof values / sizeof *values; v++) {
            float x[PCS_BLOCK_MAX], w[PCS_BLOCK_MAX];
            uint8_t out[2][1024];
            for (uint32_t k = 0; k < CHECKED(f); k++) {
                x[k] = values[v / 2] / (float)(1 + k % 7) * (k % 3 ? 1 : -1);
                w[k] = v % 2 ? 3e38f : 1;
            }
            for (int effort = 0; effort < 2; effort++) {
                for (int left = 0; left < 2; left++) {
                    memset(out[left], 0, sizeof out[left]);
                    leave(left ? 0xff : 0x5a);
                    pcs_encode(&(pcs_encode_args){ f, CHECKED(f), x, w, (pcs_fit_effort)effort, NULL, out[left],
                                                   NULL });
                }
                if (memcmp(out[0], out[1], sizeof out[0]))
                    fail_msg("%s: %g has other codes each time", f->name, (double)values[v / 2]);
            }
        }
    }
}

/* Encoding what was decoded gives the same numbers (types with a stored grid), and every byte pattern decodes. */
static void test_decode_any(void **state)
{
    (void)state;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        uint8_t bytes[4096];
        float y[PCS_BLOCK_MAX * 2];
        uint64_t seed = 7;
        for (int round = 0; round < 50; round++) {
            for (uint32_t k = 0; k < pcs_row_bytes(f, f->block); k++) bytes[k] = (uint8_t)pcs_rand(&seed);
            pcs_decode(f, f->block, bytes, y);
        }
    }
}

static void test_substitutes(void **state)
{
    (void)state;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!ENCODABLE(f) || f->block == 1) continue;
        const pcs_format *s = f;
        int steps = 0;
        while (s && !pcs_format_fits(s, 172) && steps++ < 5)
            s = s->substitute ? pcs_format_by_name(s->substitute) : NULL;
        if (!s) fail_msg("%s has no substitute for a width of 172", f->name);
    }
}

static void test_half(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const float x = pcs_f16_to_f32((uint16_t)h);
        if (x == x) assert_int_equal(pcs_f32_to_f16(x), h);
        const float b = pcs_bf16_to_f32((uint16_t)h);
        if (b == b) assert_int_equal(pcs_f32_to_bf16(b), h);
    }
    assert_int_equal(pcs_f32_to_f16(65519.9f), 0x7bff);
    assert_int_equal(pcs_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(pcs_f32_to_f16(0x1p-25f), 0);
    assert_int_equal(pcs_f32_to_f16(0x1.000002p-25f), 1);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--print")) {
        for (size_t i = 0; pcs_formats[i]; i++) {
            char rtn[65], search[65];
            if (!ENCODABLE(pcs_formats[i])) continue;
            hash_of(pcs_formats[i], PCS_FIT_RTN, rtn);
            hash_of(pcs_formats[i], PCS_FIT_SEARCH, search);
            printf("{ \"%s\", \"%.16s\", \"%.16s\" },\n", pcs_formats[i]->name, rtn, search);
        }
        return 0;
    }
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden),     cmocka_unit_test(test_bound),
                                        cmocka_unit_test(test_zero),       cmocka_unit_test(test_special),
                                        cmocka_unit_test(test_huge),
                                        cmocka_unit_test(test_decode_any), cmocka_unit_test(test_substitutes),
                                        cmocka_unit_test(test_half) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
