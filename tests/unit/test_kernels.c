/* Every row of kernels.def against the scalar one, bit for bit, on buffers that end at an unreadable page. */
#include "base/f16.h"
#include "base/builtins.h"
#include "format/number.h"
#include "kernel/kernel.h"
#include "emulated.h"
#include "test.h"

#include "run/overflow.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __x86_64__
/* Can this machine run what the emulated tiles of bf16 are compiled for? */
static bool emulates_bf16(void) { return __builtin_cpu_supports("avx512bf16"); }
#endif

/* n bytes that end where reading faults. */
static void *guarded(size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (n + page - 1) / page;
    char *p = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    assert_int_equal(mprotect(p + pages * page, page, PROT_NONE), 0);
    return p + pages * page - n;
}

static void release(void *p, size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (n + page - 1) / page;
    munmap((char *)p + n - pages * page, (pages + 1) * page);
}

static void same(const pcs_kernel *k, const char *what, const void *a, const void *b, size_t n)
{
    if (memcmp(a, b, n)) fail_msg("%s/%s differs from the scalar kernel: %s", k->name, k->isa, what);
}

static pcs_act make_act(size_t k, size_t m)
{
    return pcs_act_in(aligned_alloc(64, (pcs_act_bytes(m, pcs_chunks(k)) + 127) / 64 * 64), m, pcs_chunks(k));
}

static void free_act(pcs_act a) { free(a.tq); }

static void check_quantize_act(const pcs_kernel *k)
{
    static const size_t widths[] = { 32, 64, 96, 256, 288, 576, 1536, 33, 47, 48, 50, 300 };
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        const size_t n = widths[i], m = 5;
        float *x = guarded(n * m * 4);
        test_fill(x, n * m, n, 3.0f);
        x[1] = 1e-40f;
        memset(x + 32, 0, n > 64 ? 128 : 0);
        const pcs_act a = make_act(n, m), b = make_act(n, m);
        memset(a.q, 1, m * pcs_chunks(n) * PCS_CHUNK);
        memset(b.q, 2, m * pcs_chunks(n) * PCS_CHUNK);
        k->run.quantize_act(&(pcs_quantize_act_args){ x, n, 0, m, a });
        pcs_quantize_act_scalar(&(pcs_quantize_act_args){ x, n, 0, m, b });
        same(k, "codes", a.q, b.q, m * pcs_chunks(n) * PCS_CHUNK);
        same(k, "scales", a.d, b.d, m * pcs_chunks(n) * 8 * 4);
        same(k, "sums", a.s, b.s, m * pcs_chunks(n) * 16 * 4);
        same(k, "whole sums", a.z, b.z, m * pcs_chunks(n) * 16 * 4);
        free_act(a);
        free_act(b);
        release(x, n * m * 4);
    }
}

/* Any bytes but for scales of large exponents: every entry of a book, every sign. */
static void any_rows(const pcs_format *f, size_t bytes, uint64_t seed, uint8_t *w)
{
    for (size_t b = 0; b < bytes; b++) w[b] = (uint8_t)pcs_rand(&seed);
    for (uint8_t *block = w; block < w + bytes; block += f->bytes)
        for (const pcs_number *k = f->numbers; k->bytes; k++) block[k->at + k->bytes * k->count - 1] &= 0x3b;
}

/* Rows as a file might hold them, ending where reading faults. */
static uint8_t *make_rows(const pcs_format *f, size_t n, size_t rows, uint64_t seed)
{
    const size_t row = pcs_row_bytes(f, n);
    uint8_t *w = guarded(row * rows);
    float *src = malloc(n * 4);
    const bool book = f->encode && f->block == PCS_BLOCK_MAX;
    if (book && seed % 2) any_rows(f, row * rows, seed, w);
    for (size_t r = 0; r < rows && pcs_format_can_encode(f) && !(book && seed % 2); r++) {
        test_fill(src, n, seed + r, 0.1f);
        pcs_encode_nearest(f, n, src, w + r * row);
    }
    free(src);
    /* Small exponents. */
    for (size_t b = 0; b < row * rows && !pcs_format_can_encode(f); b++) w[b] = (uint8_t)(pcs_rand(&seed) & 0x3b);
    return w;
}

static uint8_t *make_panels(const pcs_format *f, size_t n, size_t rows, const uint8_t *w)
{
    const size_t panel = pcs_panel_bytes(f, n), row = pcs_row_bytes(f, n);
    uint8_t *p = guarded(pcs_panels_bytes(f, n, rows));
    for (size_t r = 0; r < rows; r += PCS_PANEL) {
        const size_t few = rows - r < PCS_PANEL ? rows - r : PCS_PANEL;
        pcs_pack_scalar(&(pcs_pack_args){ f, w + r * row, row, n, few, p + r / PCS_PANEL * panel });
    }
    return p;
}

static size_t blocks_most(const pcs_format *f) { return f->block == 256 ? 3 : 19; }

static pcs_mp_fn *multiply(const pcs_kernel *k) { return k->op == PCS_DO_mv ? k->run.mv : k->run.mp; }

/* Panels of formats that have other bytes there: any byte, also one that no row has, is the same codes at every
 * level; and a row's byte keeps its codes on its way there and back. */
static void check_recoded(const pcs_kernel *k)
{
    const pcs_format *only = k->format;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!f->recode || (only && f != only)) continue;
        const size_t n = f->block * 8, row = pcs_row_bytes(f, n), bytes = pcs_panel_bytes(f, n), m = 2;
        const pcs_panel_layout o = pcs_panel_layout_of(f);
        uint8_t *w = make_rows(f, n, PCS_PANEL, 7), *panel = make_panels(f, n, PCS_PANEL, w);
        uint32_t next = 0;
        for (size_t b = 0; b < 8; b++)
            for (size_t field = 0; field < PCS_FIELDS && f->fields[field].bytes; field++)
                for (size_t u = 0; pcs_field_recode(f, field, 0) && u < f->fields[field].bytes / 4; u++)
                    for (size_t at = 0; at < 4 * PCS_PANEL; at++)
                        panel[pcs_panel_at(&o, b, field) + u * o.unit[field] + at] = (uint8_t)next++;
        assert_true(next >= 256);
        float *x = malloc(n * m * 4), y[2][2 * PCS_PANEL];
        test_fill(x, n * m, 3, 1.0f);
        const pcs_act a = make_act(n, m);
        pcs_quantize_act_scalar(&(pcs_quantize_act_args){ x, n, 0, m, a });
        pcs_act_interleave(&a, pcs_chunks(n), m, 0, m);
        void *mem = aligned_alloc(64, (pcs_mp_scratch(n) + 127) / 64 * 64);
        for (size_t tokens = 1; tokens <= m; tokens++)
            for (int s = 0; s < 2; s++) {
                memset(y[s], 0, sizeof y[s]);
                const pcs_mp_args args = { f, panel, row, n, 0, PCS_PANEL, only ? tokens : m, a, y[s], PCS_PANEL,
                                           NULL, mem, true };
                (s ? multiply(k) : pcs_mp_scalar)(&args);
                if (s) same(k, "any byte of a panel", y[1], y[0], sizeof y[0]);
            }
        for (unsigned b = 0; b < 256; b++) {
            uint8_t from[256], back[256];
            int8_t q[2][256];
            float d[16], mins[16];
            memset(from, (int)b, f->bytes);
            memcpy(back, from, f->bytes);
            for (size_t field = 0; field < PCS_FIELDS && f->fields[field].bytes; field++)
                for (size_t at = 0; pcs_field_recode(f, field, 0) && at < f->fields[field].bytes; at++)
                    back[f->fields[field].at + at] = f->recode[1][f->recode[0][b]];
            f->unpack(from, q[0], d, mins);
            f->unpack(back, q[1], d, mins);
            same(k, "a row's byte by its panel's", q[0], q[1], sizeof q[0]);
        }
        free(mem);
        free(x);
        free_act(a);
        release(w, row * PCS_PANEL);
        release(panel, bytes);
    }
}

/* mp, and mv: one format, a few tokens. By rows and, where there are some, by panels. */
static void check_mp(const pcs_kernel *k)
{
    static const size_t counts[] = { 1, 2, 3, 4, 5, 7, 8, 9, 13, 17 };
    enum { ROWS = 21, MOST = 17 };
    const pcs_format *only = k->format;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (f->kind != PCS_QUANT || (only && f != only)) continue;
        for (size_t blocks = 1; blocks <= blocks_most(f); blocks += f->block == 256 ? 1 : 3)
            for (size_t c = 0; c < sizeof counts / sizeof *counts && (!only || counts[c] <= PCS_FEW); c++) {
                const size_t n = f->block * blocks - (f->padded && c % 2 ? 13 : 0), m = counts[c];
                const size_t row = pcs_row_bytes(f, n);
                uint8_t *w = make_rows(f, n, ROWS, n * 31 + m);
                uint8_t *panels = pcs_panels_fit(f, n) ? make_panels(f, n, ROWS, w) : NULL;
                float *x = malloc(n * m * 4), y[3][ROWS * MOST], bias[ROWS];
                test_fill(x, n * m, n + m, 1.0f);
                test_fill(bias, ROWS, 5, 1.0f);
                const pcs_act a = make_act(n, m);
                pcs_quantize_act_scalar(&(pcs_quantize_act_args){ x, n, 0, m, a });
                if (only) memset(a.tq, 0x55, (size_t)((char *)a.q - (char *)a.tq)); /* mv has no tiles */
                else {
                    pcs_act_interleave(&a, pcs_chunks(n), m, 0, m / 2);
                    pcs_act_interleave(&a, pcs_chunks(n), m, m / 2, m);
                }
                void *mem = aligned_alloc(64, (pcs_mp_scratch(n) + 127) / 64 * 64);
                memset(y, 0, sizeof y);
                for (int s = 0; s < (panels ? 3 : 2); s++) {
                    const pcs_mp_args args = { f, s == 2 ? panels : w, row, n, 0, ROWS, m, a, y[s], ROWS,
                                               c & 1 ? bias : NULL, mem, s == 2 };
                    (s == 0 ? pcs_mp_scalar : multiply(k))(&args);
                }
                char what[80];
                snprintf(what, sizeof what, "%s, width %zu, %zu tokens", f->name, n, m);
                same(k, what, y[1], y[0], sizeof y[0]);
                if (panels) same(k, what, y[2], y[0], sizeof y[0]);
                free(mem);
                free_act(a);
                free(x);
                release(w, row * ROWS);
                if (panels) release(panels, pcs_panels_bytes(f, n, ROWS));
            }
    }
    check_recoded(k);
}

/* Panels are the reference's, and give back their rows. */
static void check_pack(const pcs_kernel *k)
{
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        for (size_t blocks = 1; f->fields && blocks <= blocks_most(f); blocks++)
            for (size_t rows = 13; rows <= PCS_PANEL; rows += 3) {
                const size_t n = f->block * blocks, row = pcs_row_bytes(f, n), bytes = pcs_panel_bytes(f, n);
                uint8_t *w = make_rows(f, n, rows, n + rows), *want = make_panels(f, n, rows, w);
                uint8_t *got = guarded(bytes), *back = guarded(row);
                memset(got, 0xaa, bytes);
                k->run.pack(&(pcs_pack_args){ f, w, row, n, rows, got });
                same(k, f->name, got, want, bytes);
                for (size_t r = 0; r < rows; r++) {
                    pcs_panels_row(f, n, got, r, back);
                    same(k, "a row out of its panel", back, w + r * row, row);
                }
                release(w, row * rows);
                release(want, bytes);
                release(got, bytes);
                release(back, row);
            }
    }
}

/* mv of float weights: gemm's sums. */
static void check_mvf(const pcs_kernel *k)
{
    const pcs_format *f = k->format;
    static const size_t heights[] = { 1, 16, 21, 64, 83 };
    for (size_t h = 0; h < sizeof heights / sizeof *heights; h++)
        for (size_t n = 1; n <= 70; n += n < 20 ? 1 : 7)
            for (size_t m = 1; m <= PCS_FEW; m++) {
                const size_t rows = heights[h], row = n * f->bytes;
                uint8_t *w = guarded(row * rows);
                float *src = malloc(n * rows * 4), *x = guarded(n * m * 4), *b = malloc(n * 64);
                float *got = calloc(rows * m, 4), *want = calloc(rows * m, 4), *bias = malloc(rows * 4);
                test_fill(src, n * rows, n, 0.3f);
                test_fill(x, n * m, n + 1, 1.0f);
                test_fill(bias, rows, 3, 1.0f);
                f->from_f32(n * rows, src, w);
                f->to_f32(n * rows, w, src);
                uint8_t *panels = make_panels(f, n, rows, w);
                k->run.mvf(&(pcs_mvf_args){ f, panels, n, 0, rows, m, x, got, rows, m & 1 ? bias : NULL });
                for (size_t r = 0; r < rows; r += 16) {
                    const size_t count = rows - r < 16 ? rows - r : 16;
                    float tile[16 * PCS_FEW];
                    pcs_panel_scalar(&(pcs_panel_args){ src + r * n, n, count, n, b });
                    pcs_gemm_scalar(&(pcs_gemm_args){ x, n, b, 16, n, m, tile, 16, false });
                    for (size_t t = 0; t < m; t++)
                        for (size_t i = 0; i < count; i++)
                            want[t * rows + r + i] = tile[16 * t + i] + (m & 1 ? bias[r + i] : 0.0f);
                }
                char what[80];
                snprintf(what, sizeof what, "%zu rows of %zu, %zu tokens", rows, n, m);
                same(k, what, got, want, rows * m * 4);
                release(w, row * rows);
                release(x, n * m * 4);
                release(panels, pcs_panels_bytes(f, n, rows));
                free(src), free(got), free(want), free(b), free(bias);
            }
}

/* swiglu and geglu are functions of one type. */
static void same_glu(const pcs_kernel *k, pcs_swiglu_fn *run, pcs_swiglu_fn *scalar)
{
    for (size_t n = 1; n < 100; n += 7) {
        float *g = guarded(n * 4), *u = guarded(n * 4), y[2][100];
        test_fill(g, n, n, 20.0f);
        test_fill(u, n, n + 1, 3.0f);
        g[0] = n % 2 ? -1e30f : 1e30f;
        for (int s = 0; s < 2; s++) (s ? scalar : run)(&(pcs_glu_args){ g, u, y[s], n });
        same(k, "values", y[0], y[1], n * 4);
        release(g, n * 4);
        release(u, n * 4);
    }
}

static void check_swiglu(const pcs_kernel *k) { same_glu(k, k->run.swiglu, pcs_swiglu_scalar); }
static void check_geglu(const pcs_kernel *k) { same_glu(k, k->run.geglu, pcs_geglu_scalar); }

static void check_softmax(const pcs_kernel *k)
{
    for (size_t n = 1; n < 200; n += 9)
        for (size_t first = 0; first < 40; first += 13) {
            float *s[2] = { guarded(n * 4), guarded(n * 4) };
            for (int i = 0; i < 2; i++) {
                test_fill(s[i], n, n, 30.0f);
                const pcs_softmax_args a = { s[i], n, first, 0.3f, n % 2 ? 20.0f : 0.0f };
                (i ? pcs_softmax_scalar : k->run.softmax)(&a);
            }
            same(k, "weights", s[0], s[1], n * 4);
            double sum = 0;
            for (size_t i = 0; i < n; i++) sum += s[0][i];
            assert_true(sum > 1 - 1e-5 && sum < 1 + 1e-5);
            release(s[0], n * 4);
            release(s[1], n * 4);
        }
}

static void check_gemm(const pcs_kernel *k)
{
    for (size_t n = 1; n <= 600; n += n < 40 ? 3 : 270) /* beyond a part of 256, too */
        for (size_t m = 1; m <= 27; m++)
            for (int acc = 0; acc < 2; acc++) {
                float *x = guarded(n * m * 4), *b = guarded(n * 16 * 4), y[2][27 * 16];
                test_fill(x, n * m, n, 1.0f);
                test_fill(b, n * 16, m, 1.0f);
                for (int s = 0; s < 2; s++) {
                    test_fill(y[s], m * 16, 9, 1.0f);
                    (s ? pcs_gemm_scalar : k->run.gemm)(&(pcs_gemm_args){ x, n, b, 16, n, m, y[s], 16, acc });
                }
                same(k, "gemm", y[0], y[1], m * 64);
                release(x, n * m * 4);
                release(b, n * 64);
            }
}

static void check_f16_f32(const pcs_kernel *k)
{
    static uint16_t src[65536];
    static float y[2][65536];
    for (uint32_t i = 0; i < 65536; i++) /* NaN payloads may be made quiet */
        src[i] = (uint16_t)((i & 0x7fff) > 0x7c00 ? 0x7e00 : i);
    for (size_t n = 65519; n <= 65536; n++) {
        k->run.f16_f32(&(pcs_f16_f32_args){ src, y[0], n });
        pcs_f16_f32_scalar(&(pcs_f16_f32_args){ src, y[1], n });
        same(k, "f16", y[0], y[1], n * 4);
    }
}

static void check_gemm_f64(const pcs_kernel *k)
{
    for (size_t n = 1; n <= 300; n += n < 40 ? 3 : 130) /* beyond a part of 128, too */
        for (size_t m = 1; m <= 27; m++) {
            double *x = guarded(n * m * 8), *b = guarded(n * 16 * 8), y[2][27 * 16];
            uint64_t seed = n * 100 + m;
            for (size_t i = 0; i < n * m; i++) x[i] = pcs_rand_unit(&seed) - 0.5;
            for (size_t i = 0; i < n * 16; i++) b[i] = pcs_rand_unit(&seed) - 0.5;
            for (size_t i = 0; i < m * 16; i++) y[0][i] = y[1][i] = pcs_rand_unit(&seed);
            k->run.gemm_f64(&(pcs_gemm_f64_args){ x, n, b, n, m, y[0], 16 });
            pcs_gemm_f64_scalar(&(pcs_gemm_f64_args){ x, n, b, n, m, y[1], 16 });
            same(k, "gemm_f64", y[0], y[1], m * 128);
            release(x, n * m * 8);
            release(b, n * 128);
        }
}

static void check_gemm_wide(const pcs_kernel *k)
{
    for (size_t m = 1; m <= 14; m++)
        for (size_t panels = 1; panels <= 6; panels++)
            for (size_t n = 1; n <= 80; n += 13)
                /* Panels lie one after another, or side by side, and are added to y, or not. */
                for (int layout = 0; layout < 4; layout++) {
                    const bool beside = layout & 1;
                    const size_t ldb = beside ? 16 * panels : 16, step = beside ? 16 : 16 * n, ldy = 16 * panels;
                    float *x = guarded(m * n * 4), *b = guarded(n * 64 * panels), *y[2];
                    test_fill(x, m * n, n, 1.0f);
                    test_fill(b, n * 16 * panels, m, 1.0f);
                    for (int s = 0; s < 2; s++) {
                        y[s] = malloc(m * ldy * 4);
                        test_fill(y[s], m * ldy, 9, 1.0f);
                        const pcs_gemm_args one = { x, n, b, ldb, n, m, y[s], ldy, layout > 1 };
                        const pcs_gemm_wide_args wide = { one, panels, step };
                        (s ? pcs_gemm_wide_scalar : k->run.gemm_wide)(&wide);
                    }
                    same(k, "gemm_wide", y[0], y[1], m * ldy * 4);
                    release(x, m * n * 4);
                    release(b, n * 64 * panels);
                    free(y[0]), free(y[1]);
                }
}

#include "check_bf16.h"
#include "check_int8.h"
#include "check_columns.h"
#include "check_encode.h"
#include "check_functions.h"
#include "check_kv.h"
#include "check_panels.h"

static void check_log_sum(const pcs_kernel *k)
{
    for (size_t n = 1; n < 100; n++) {
        float *x = guarded(n * 4);
        test_fill(x, n, n, 8.0f);
        if (n > 40) x[n / 2] = x[3] = x[n - 1] = 30.0f; /* the first of equal ones */
        size_t best[2];
        double sum[2], plain = 0;
        k->run.log_sum(&(pcs_log_sum_args){ x, n, &best[0], &sum[0] });
        pcs_log_sum_scalar(&(pcs_log_sum_args){ x, n, &best[1], &sum[1] });
        same(k, "place", &best[0], &best[1], sizeof *best);
        same(k, "sum", &sum[0], &sum[1], sizeof *sum);
        for (size_t i = 0; i < n; i++) plain += exp((double)x[i]);
        for (size_t i = 0; i < best[0]; i++) assert_true(x[i] < x[best[0]]);
        for (size_t i = 0; i < n; i++) assert_true(x[i] <= x[best[0]]);
        assert_true(fabs(log(plain) - sum[0]) < 1e-6);
        release(x, n * 4);
    }
}

static void check_divergence(const pcs_kernel *k)
{
    for (size_t n = 1; n < 100; n++) {
        float *p = guarded(n * 4), *q = guarded(n * 4);
        double lp = 0, lq = 0, kl[2], plain = 0;
        test_fill(p, n, n, 4.0f);
        test_fill(q, n, n + 1, 4.0f);
        for (size_t i = 0; i < n; i++) lp += exp((double)p[i]), lq += exp((double)q[i]);
        lp = log(lp), lq = log(lq);
        for (size_t i = 0; i < n; i++) plain += exp((double)p[i] - lp) * (((double)p[i] - lp) - ((double)q[i] - lq));
        k->run.divergence(&(pcs_divergence_args){ p, q, lp, lq, n, &kl[0] });
        pcs_divergence_scalar(&(pcs_divergence_args){ p, q, lp, lq, n, &kl[1] });
        same(k, "divergence", &kl[0], &kl[1], sizeof *kl);
        assert_true(fabs(kl[0] - plain) < 1e-6 * (1 + plain));
        release(p, n * 4), release(q, n * 4);
    }
}

static void check_dot(const pcs_kernel *k)
{
    for (size_t n = 0; n < 70; n++) {
        double *a = guarded(n * 8 + 8), *b = guarded(n * 8 + 8), sum[2];
        uint64_t seed = n;
        for (size_t i = 0; i <= n; i++) a[i] = pcs_rand_unit(&seed) - 0.5, b[i] = pcs_rand_unit(&seed) - 0.5;
        k->run.dot(&(pcs_dot_args){ a + 1, b + 1, n, &sum[0] });
        pcs_dot_scalar(&(pcs_dot_args){ a + 1, b + 1, n, &sum[1] });
        same(k, "sum", &sum[0], &sum[1], sizeof *sum);
        release(a, n * 8 + 8), release(b, n * 8 + 8);
    }
}

/* A measure, not a function: that it counts what it did is all that can be wrong. */
static void counts(const pcs_kernel *k, pcs_peak_fn *run)
{
    uint64_t once = 0, thrice = 0;
    volatile uint32_t sink = 0;
    run(&(pcs_peak_args){ 1, &once, &sink });
    run(&(pcs_peak_args){ 3, &thrice, &sink });
    if (!once || thrice != 3 * once)
        fail_msg("%s/%s counts %llu for one round, %llu for three", k->name, k->isa, (unsigned long long)once,
                 (unsigned long long)thrice);
}

#include "check_codes.h"

static void check_peak(const pcs_kernel *k) { counts(k, k->run.peak); }
static void check_peakf(const pcs_kernel *k) { counts(k, k->run.peakf); }
static void check_peak_bf16(const pcs_kernel *k) { counts(k, k->run.peak_bf16); }
static void check_mv(const pcs_kernel *k) { check_mp(k); }
/* Every operation has a check: one that is not written does not compile. */
static void (*const checks[])(const pcs_kernel *k) = {
#define OP(name, args) [PCS_DO_##name] = check_##name,
#define OP_OF(name, args) OP(name, args)
#include "kernel/operations.def"
#undef OP
#undef OP_OF
};

static void test_all(void **state)
{
    (void)state;
    const unsigned cpu = pcs_cpu_flags();
    for (const pcs_kernel *k = pcs_kernel_table; k->name; k++) {
        if (k->format && !k->format->fields) fail_msg("%s is of no format with panels", k->name);
        if ((k->needs & cpu) == k->needs) checks[k->op](k);
        else print_message("not on this machine: %s/%s\n", k->name, k->isa);
    }
#ifdef __x86_64__
    static const struct { pcs_kernel k; bool bf16; } emulated[] = {
#define EMULATED(op, bf16) \
    { { PCS_DO_##op, #op, "amx, emulated", PCS_CPU_AVX512VNNI, NULL, { .op = pcs_##op##_amx_emulated } }, bf16 }
        EMULATED(codes_gemm, false), EMULATED(codes_gemm_f32, false), EMULATED(mp, false), EMULATED(mp_int8, false),
        EMULATED(mp_bf16, true), EMULATED(mp_bf16_again, true), EMULATED(mp_int8_again, false),
    };
    for (size_t i = 0; i < sizeof emulated / sizeof *emulated; i++) {
        const pcs_kernel *k = &emulated[i].k;
        const bool can = k->needs & cpu && (!emulated[i].bf16 || emulates_bf16());
        if (can) checks[k->op](k);
        else print_message("not on this machine: %s/%s\n", k->name, k->isa);
    }
#endif
}

/* Every operation has a scalar row, or is of a format; levels choose the first row that they can run. */
static void test_found(void **state)
{
    (void)state;
    static const bool some[PCS_OPERATIONS] = {
#define OP(name, args)
#define OP_OF(name, args)
#define OP_SOME(name, args) [PCS_DO_##name] = true,
#include "kernel/operations.def"
#undef OP
#undef OP_OF
    };
    for (int op = 0; op < PCS_OPERATIONS; op++) {
        if (some[op]) continue;
        bool of_format = false;
        for (const pcs_kernel *k = pcs_kernel_table; k->name; k++) of_format |= (int)k->op == op && k->format;
        const pcs_kernel *k = pcs_kernel_find((pcs_operation)op, NULL, PCS_CPU_SCALAR);
        if (!of_format && (!k || strcmp(k->isa, "scalar"))) fail_msg("operation %d has no scalar row", op);
    }
    const pcs_kernels none = pcs_kernels_for(PCS_CPU_SCALAR), all = pcs_kernels_for(pcs_cpu_flags());
    assert_true(none.mp == pcs_mp_scalar && none.column_huber == pcs_column_huber_scalar);
    assert_true(all.mp == pcs_kernel_find(PCS_DO_mp, NULL, pcs_cpu_flags())->run.mp);
}

/* mp against the plain sum of products, within rounding: |error| <= eps * (k + 8) * sum |w| |x|, with x the
 * quantized activations. */
static void test_mp_value(void **state)
{
    (void)state;
    const pcs_format *f = pcs_format_by_name("Q4_K");
    enum { N = 512 };
    float src[N], x[N], w[N], y;
    uint8_t row[N / 256 * 144];
    test_fill(src, N, 1, 0.1f);
    test_fill(x, N, 2, 1.0f);
    pcs_encode_nearest(f, N, src, row);
    pcs_decode(f, N, row, w);
    const pcs_act a = make_act(N, 1);
    pcs_quantize_act_scalar(&(pcs_quantize_act_args){ x, N, 0, 1, a });
    void *mem = aligned_alloc(64, (pcs_mp_scratch(N) + 127) / 64 * 64);
    double want = 0, bound = 0;
    for (int i = 0; i < N; i++)
        want += (double)w[i] * a.q[i] * a.d[i / 32], bound += pcs_abs((double)w[i] * a.q[i] * a.d[i / 32]);
    pcs_mp_scalar(&(pcs_mp_args){ f, row, sizeof row, N, 0, 1, 1, a, &y, 1, NULL, mem, false });
    /* w = d q - m is rounded once more in the decoder */
    assert_true(pcs_abs(want - y) <= 0x1p-23 * (N + 8) * bound * 4);
    free(mem);
    free_act(a);
}

/* Every kernel that multiplies codes has its accumulators in the table, and no lane of random and extreme codes
 * passes its bound. */
static void test_accumulators(void **state)
{
    (void)state;
    size_t n;
    const pcs_accumulator *all = pcs_accumulators(&n);
    for (const pcs_kernel *row = pcs_kernel_table; row->name; row++) {
        if (row->op != PCS_DO_mv && row->op != PCS_DO_mp) continue;
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= !strcmp(all[k].kernel, row->op == PCS_DO_mv ? "mv" : "mp") && !strcmp(all[k].isa, row->isa);
        if (!found) fail_msg("%s/%s has no row in accumulators.def", row->name, row->isa);
    }
    uint64_t seed = 3;
    for (size_t k = 0; k < n; k++) {
        int8_t q[64];
        for (int round = 0; round < 200; round++) {
            const int offset = all[k].offset, span = all[k].raw ? (offset ? 2 * offset : 32) : 255;
            const int low = all[k].raw ? -offset : -127;
            for (int i = 0; i < 64; i++)
                q[i] = (int8_t)(low + (int)(pcs_rand(&seed) % (round == 0 ? 1 : (uint64_t)span)));
            const int64_t bound = pcs_accumulator_bound(&all[k], q, 64);
            for (int at = 0; at < 64; at += (int)all[k].products) {
                int64_t lane = 0, code = 0;
                for (uint32_t p = 0; p < all[k].products; p++) {
                    const int a = round % 2 ? (q[at + p] < 0 ? -127 : 127) : (int)(pcs_rand(&seed) % 255) - 127;
                    lane += (int64_t)(q[at + p] + (all[k].raw ? all[k].offset : 0)) * a;
                    code += (int64_t)q[at + p] * a;
                }
                assert_true((lane < 0 ? -lane : lane) <= bound && (code < 0 ? -code : code) <= bound);
            }
        }
    }
    /* 8 unsigned bits in pairs of 16: the known overflow of maddubs is found */
    const pcs_accumulator bad = { "none", "none", 16, 2, 128, true };
    const int8_t q[4] = { 127, 127, 0, 0 };
    assert_true(pcs_accumulator_bound(&bad, q, 4) > 32767);
}

#include "check_shared.h"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all), cmocka_unit_test(test_shared), cmocka_unit_test(test_found),
        cmocka_unit_test(test_mp_value), cmocka_unit_test(test_accumulators)
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
