/* test_pieces.c - a product with weights of any format is decoded by pieces of columns: the bits are those of whole
 * rows, for any number of threads, and what a thread needs does not grow with the width. */
#include "test.h"

#include "format/format.h"
#include "graph/pieces.h"
#include "kernel/panels.h"

#include <math.h>

enum { N = 37, M = 11, WIDEST = 1024 + 19 };

static pcs_arg rows_of(pcs_dtype type, int64_t n, int64_t k, const void *data, const pcs_format *f)
{
    return (pcs_arg){ .dtype = type, .dims = 2, .shape = { n, k }, .data = (void *)(uintptr_t)data, .format = f };
}

/* y of one call on so many threads, one after another. */
static void multiply(const pcs_op *op, pcs_call *c, uint32_t threads)
{
    const size_t each = (op->scratch(c) + 127) / 64 * 64;
    const uint32_t most = op->workers(c), used = threads < most ? threads : most;
    c->scratch_size = each;
    c->scratch = aligned_alloc(64, each * used + 64);
    memset(c->scratch, 0xff, each * used + 64);
    for (uint32_t i = 0; i < threads; i++) op->eval(c, i, threads);
    for (size_t i = 0; i < 64; i++) assert_int_equal((unsigned char)c->scratch[each * used + i], 0xff);
    free(c->scratch);
}

static void check_format(const pcs_format *f, size_t k, bool packed, const float *x, const float *plain)
{
    static float w[N * WIDEST], y[M * N], want[M * N], bias[N];
    const size_t bytes = f ? (size_t)pcs_row_bytes(f, k) : 4 * k;
    uint8_t *stored = calloc(N + 1, bytes + 64), *panels = NULL;
    pcs_kernels kernels = pcs_kernels_for(0);
    for (size_t n = 0; n < N; n++) {
        bias[n] = (float)n * 0.25f;
        if (!f) memcpy(w + n * k, plain + n * k, k * sizeof *w);
        else {
            pcs_encode_nearest(f, k, plain + n * k, stored + n * bytes);
            pcs_decode(f, k, stored + n * bytes, w + n * k);
        }
    }
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            float sum = 0;
            for (size_t i = 0; i < k; i++) sum = fmaf(x[m * k + i], w[n * k + i], sum);
            want[m * N + n] = sum + bias[n];
        }
    pcs_call c = { .kernels = &kernels, .n_in = 3, .n_out = 1 };
    pcs_arg in[3] = { rows_of(PCS_F32, M, (int64_t)k, x, NULL),
                      rows_of(f ? PCS_STORED : PCS_F32, N, (int64_t)k, f ? (void *)stored : w, f),
                      { .dtype = PCS_F32, .dims = 1, .shape = { N }, .data = bias } };
    pcs_arg out = rows_of(PCS_F32, M, N, y, NULL);
    c.in = in;
    c.out = &out;
    if (packed) {
        const size_t each = pcs_panel_bytes(f, k);
        panels = calloc((N + 15) / 16, each);
        for (size_t n = 0; n < N; n += 16) {
            const size_t rows = N - n < 16 ? N - n : 16;
            kernels.pack(&(pcs_pack_args){ f, stored + n * bytes, bytes, k, rows, panels + n / 16 * each });
        }
        in[1].panels = panels;
        in[1].data = NULL;
    }
    static const uint32_t threads[] = { 1, 2, 3, 16 };
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        memset(y, 0, sizeof y);
        multiply(pcs_op_by_name("matmul"), &c, threads[t]);
        if (memcmp(y, want, sizeof y))
            fail_msg("%s, %zu columns, %u threads%s: other bits", f ? f->name : "f32", k, threads[t],
                     packed ? ", packed" : "");
    }
    free(stored);
    free(panels);
}

static void test_bits(void **state)
{
    (void)state;
    static float x[M * WIDEST], plain[N * WIDEST];
    static const size_t widths[] = { 32, 256, 512, 1024, 1024 + 19, 67 };
    test_fill(x, M * WIDEST, 1, 1.0f);
    test_fill(plain, N * WIDEST, 2, 0.1f);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        check_format(NULL, widths[i], false, x, plain);
        for (const pcs_format *const *f = pcs_formats; *f; f++) {
            if (!pcs_format_can_encode(*f) || (*f)->kind == PCS_INT || (*f)->internal) continue;
            if (!pcs_format_fits(*f, widths[i])) continue;
            check_format(*f, widths[i], false, x, plain);
            if (pcs_has_panels(*f, widths[i])) check_format(*f, widths[i], true, x, plain);
        }
    }
}

/* 64 threads on wide rows need no more than on narrow ones; and threads without a part need nothing. */
static void test_scratch(void **state)
{
    (void)state;
    const pcs_op *op = pcs_op_by_name("matmul");
    const pcs_format *f16 = pcs_format_by_name("F16");
    pcs_arg in[2] = { rows_of(PCS_F32, M, 256, "", NULL), rows_of(PCS_STORED, 256, 256, "", f16) };
    pcs_call c = { .n_in = 2, .n_out = 1, .in = in };
    const size_t narrow = op->scratch(&c);
    in[0].shape[1] = in[1].shape[1] = 65536;
    assert_int_equal(op->scratch(&c), narrow);
    assert_true(narrow < 65536);
    assert_int_equal(op->workers(&c), 16);
    in[1].format = pcs_format_by_name("Q4_K");
    assert_true(op->scratch(&c) < 131072);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_bits), cmocka_unit_test(test_scratch) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
