/* The scalar kernels, which define the answers of all others (unit.kernels), against what their comments say: numbers
 * that are exact are computed another way here, sums fused in their order, and functions by libm in double. */
#include "test.h"

#include "base/f16.h"
#include "kernel/kernel.h"

#include <math.h>

enum { GUARD = 8 };
#define MARK 1234.5f

static void check_guard(const float *behind)
{
    for (int i = 0; i < GUARD; i++) assert_true(behind[i] == MARK);
}

/* IEEE 754's binary16, from its fields. */
static double half_value(uint32_t h)
{
    const uint32_t e = h >> 10 & 31, f = h & 1023;
    const double size = e == 31 ? (f ? NAN : INFINITY) : e ? ldexp(1024 + f, (int)e - 25) : ldexp(f, -24);
    return h & 0x8000 ? -size : size;
}

static void test_halves(void **state)
{
    (void)state;
    static uint16_t h[65536];
    static float x[65536 + GUARD];
    for (uint32_t i = 0; i < 65536; i++) h[i] = (uint16_t)i;
    for (int i = 0; i < GUARD; i++) x[65536 + i] = MARK;
    pcs_f16_f32_scalar(&(pcs_f16_f32_args){ h, x, 65536 });
    for (uint32_t i = 0; i < 65536; i++) {
        const double want = half_value(i);
        if (isnan(want) ? !isnan(x[i]) : (double)x[i] != want || !signbit(x[i]) != !(i & 0x8000))
            fail_msg("half %04x became %g, not %g", i, (double)x[i], want);
    }
    check_guard(x + 65536);
}

static void test_panel(void **state)
{
    (void)state;
    enum { K = 5, LD = 7 };
    float w[16 * LD], b[16 * K + GUARD];
    test_fill(w, 16 * LD, 3, 1);
    for (size_t rows = 1; rows <= 16; rows++) {
        for (int i = 0; i < 16 * K + GUARD; i++) b[i] = MARK;
        pcs_panel_scalar(&(pcs_panel_args){ w, LD, rows, K, b });
        for (size_t k = 0; k < K; k++)
            for (size_t r = 0; r < 16; r++) assert_true(b[16 * k + r] == (r < rows ? w[r * LD + k] : 0.0f));
        check_guard(b + 16 * K);
    }
}

static void test_gemm(void **state)
{
    (void)state;
    enum { K = 37, M = 5, LDX = 40, LDY = 20, LDB = 18 };
    float x[M * LDX], b[K * LDB], y[M * LDY], before[M * LDY];
    test_fill(x, M * LDX, 5, 1);
    test_fill(b, K * LDB, 6, 1);
    test_fill(before, M * LDY, 7, 1);
    for (int add = 0; add < 2; add++)
        for (size_t k = 0; k <= K; k += 37) {
            memcpy(y, before, sizeof y);
            pcs_gemm_scalar(&(pcs_gemm_args){ x, LDX, b, LDB, k, M, y, LDY, add != 0 });
            for (size_t r = 0; r < M; r++)
                for (size_t c = 0; c < LDY; c++) {
                    float want = c < 16 && !add ? 0.0f : before[r * LDY + c];
                    for (size_t i = 0; i < k && c < 16; i++) want = fmaf(x[r * LDX + i], b[i * LDB + c], want);
                    assert_true(y[r * LDY + c] == want);
                }
        }
}

static void test_gemm_f64(void **state)
{
    (void)state;
    enum { K = 11, M = 3 };
    double x[M * K], b[K * 16], y[M * 16], want[M * 16];
    uint64_t seed = 9;
    for (int i = 0; i < M * K; i++) x[i] = pcs_rand_unit(&seed) - 0.5;
    for (int i = 0; i < K * 16; i++) b[i] = pcs_rand_unit(&seed) - 0.5;
    for (int i = 0; i < M * 16; i++) y[i] = want[i] = pcs_rand_unit(&seed);
    pcs_gemm_f64_scalar(&(pcs_gemm_f64_args){ x, K, b, K, M, y, 16 });
    for (int r = 0; r < M; r++)
        for (int c = 0; c < 16; c++) {
            for (int i = 0; i < K; i++) want[16 * r + c] = fma(-x[r * K + i], b[16 * i + c], want[16 * r + c]);
            assert_true(y[16 * r + c] == want[16 * r + c]);
        }
}

/* Codes are the nearest to x / d, and their sums are sums. */
static void test_quantize_act(void **state)
{
    (void)state;
    enum { M = 3, K = 256 };
    precis_ctx *ctx = test_ctx(1);
    static float x[M * K];
    test_fill(x, M * K, 11, 2);
    for (int i = 0; i < 32; i++) x[K + i] = 0; /* a group of zeros */
    void *mem = pcs_alloc(ctx, pcs_act_bytes(M, 1), 1);
    const pcs_act a = pcs_act_in(mem, M, 1);
    pcs_quantize_act_scalar(&(pcs_quantize_act_args){ x, K, 0, M, a });
    for (size_t g = 0; g < M * 8; g++) {
        float top = 0;
        int sum[2] = { 0, 0 };
        for (size_t i = 0; i < 32; i++) top = fmaxf(top, fabsf(x[32 * g + i]));
        assert_true(fabs((double)a.d[g] * 127 - (double)top) <= 1e-6 * (double)top);
        for (size_t i = 0; i < 32; i++) {
            const double off = (double)x[32 * g + i] - (double)a.d[g] * a.q[32 * g + i];
            assert_true(fabs(off) <= 0.5001 * (double)a.d[g]);
            sum[i / 16] += a.q[32 * g + i];
        }
        for (size_t h = 0; h < 2; h++) {
            assert_int_equal(a.z[2 * g + h], sum[h]);
            assert_true(a.s[2 * g + h] == a.d[g] * (float)sum[h]);
        }
    }
    pcs_free(ctx, mem);
    precis_ctx_close(&ctx);
}

static void test_pointwise(void **state)
{
    (void)state;
    enum { N = 53 };
    float g[N], u[N], y[N + GUARD], s[N + GUARD];
    test_fill(g, N, 13, 6);
    test_fill(u, N, 14, 2);
    for (int i = 0; i < GUARD; i++) y[N + i] = s[N + i] = MARK;
    pcs_swiglu_scalar(&(pcs_glu_args){ g, u, y, N });
    for (int i = 0; i < N; i++) {
        const double want = (double)g[i] / (1 + exp(-(double)g[i])) * (double)u[i];
        assert_true(fabs((double)y[i] - want) <= 1e-6 * (1 + fabs(want)));
    }
    pcs_geglu_scalar(&(pcs_glu_args){ g, u, y, N });
    for (int i = 0; i < N; i++) {
        const double x = (double)g[i], inner = 0.7978845608028654 * (x + 0.044715 * x * x * x);
        const double want = 0.5 * x * (1 + tanh(inner)) * (double)u[i];
        assert_true(fabs((double)y[i] - want) <= 2e-6 * (1 + fabs(want)));
    }
    check_guard(y + N);
    static const float caps[] = { 0, 3 };
    for (int c = 0; c < 2; c++)
        for (size_t first = 0; first < 20; first += 3) {
            double all = 0, at[N];
            memcpy(s, g, sizeof g);
            pcs_softmax_scalar(&(pcs_softmax_args){ s, N, first, 0.7f, caps[c] });
            for (int i = 0; i < N; i++) {
                const double v = 0.7 * (double)g[i], cap = (double)caps[c];
                all += at[i] = exp(cap > 0 ? cap * tanh(v / cap) : v);
            }
            for (int i = 0; i < N; i++) assert_true(fabs((double)s[i] - at[i] / all) <= 2e-6);
            check_guard(s + N);
        }
}

static void test_logits(void **state)
{
    (void)state;
    enum { N = 45 };
    float p[N], q[N];
    double lp, lq, kl, want = 0, sum = 0;
    size_t best;
    test_fill(p, N, 15, 3);
    test_fill(q, N, 16, 3);
    p[30] = p[17] = 9; /* the first of the largest */
    pcs_log_sum_scalar(&(pcs_log_sum_args){ q, N, &best, &lq });
    pcs_log_sum_scalar(&(pcs_log_sum_args){ p, N, &best, &lp });
    for (int i = 0; i < N; i++) sum += exp((double)p[i]);
    assert_int_equal(best, 17);
    assert_true(fabs(lp - log(sum)) < 1e-6);
    pcs_divergence_scalar(&(pcs_divergence_args){ p, q, lp, lq, N, &kl });
    for (int i = 0; i < N; i++) want += exp((double)p[i] - lp) * ((double)p[i] - lp - (double)q[i] + lq);
    assert_true(kl > 0 && fabs(kl - want) < 1e-6 * (1 + want));
    pcs_divergence_scalar(&(pcs_divergence_args){ p, p, lp, lp, N, &kl });
    assert_true(kl == 0);
}

/* Codes of a cache, as keys (a tile of 16) and as values. */
static void test_unpack_kv(void **state)
{
    (void)state;
    enum { N = 6, WIDTH = 32 };
    uint8_t q[N * WIDTH];
    float s[N > 16 ? N : 16], y[N * WIDTH];
    uint64_t seed = 17;
    for (size_t i = 0; i < sizeof q; i++) q[i] = (uint8_t)pcs_rand(&seed);
    test_fill(s, 16, 18, 1);
    pcs_unpack_kv_scalar(&(pcs_unpack_kv_args){ q, s, N, 0, 8, y });
    for (int d = 0; d < N; d++)
        for (int k = 0; k < 16; k++) assert_true(y[16 * d + k] == (float)(int8_t)q[16 * d + k] * s[k]);
    pcs_unpack_kv_scalar(&(pcs_unpack_kv_args){ q, s, N, 0, 4, y }); /* a byte has two dimensions, the low one first */
    for (int d = 0; d < N; d++)
        for (int k = 0; k < 16; k++) {
            const int byte = q[d / 2 * 16 + k], code = (d % 2 ? byte >> 4 : byte & 15) - 8;
            assert_true(y[16 * d + k] == (float)code * s[k]);
        }
    pcs_unpack_kv_scalar(&(pcs_unpack_kv_args){ q, s, N, WIDTH, 4, y }); /* one half of a value after the other */
    for (int j = 0; j < N; j++)
        for (int i = 0; i < WIDTH; i++) {
            const int byte = q[j * WIDTH / 2 + i % (WIDTH / 2)], code = (i < WIDTH / 2 ? byte & 15 : byte >> 4) - 8;
            assert_true(y[j * WIDTH + i] == (float)code * s[j]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves), cmocka_unit_test(test_panel), cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_gemm_f64), cmocka_unit_test(test_quantize_act), cmocka_unit_test(test_pointwise),
        cmocka_unit_test(test_logits), cmocka_unit_test(test_unpack_kv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
