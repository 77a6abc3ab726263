/* test_dequantize.c - a stored value is decoded row by row, a row being its last dimension: of a vector (a norm, a
 * bias) that is stored in blocks, all of it. The source is exactly as long as its rows, so that reading past them is
 * seen. */
#include "test.h"

#include "format/format.h"
#include "graph/graph.h"

enum { WIDTH = 512, ROWS = 6 };

static void check(const pcs_format *f, uint32_t dims, const int64_t *shape, const float *numbers)
{
    size_t rows = 1;
    for (uint32_t d = 0; d + 1 < dims; d++) rows *= (size_t)shape[d];
    const size_t bytes = (size_t)pcs_row_bytes(f, WIDTH);
    uint8_t *stored = malloc(rows * bytes);
    float *want = malloc(rows * WIDTH * sizeof *want), *got = malloc(rows * WIDTH * sizeof *got);
    for (size_t r = 0; r < rows; r++) {
        pcs_encode_nearest(f, WIDTH, numbers + r * WIDTH, stored + r * bytes);
        pcs_decode(f, WIDTH, stored + r * bytes, want + r * WIDTH);
    }
    pcs_arg in = { .dtype = PCS_STORED, .dims = dims, .data = stored, .format = f };
    pcs_arg out = { .dtype = PCS_F32, .dims = dims, .data = got };
    memcpy(in.shape, shape, dims * sizeof *shape);
    memcpy(out.shape, shape, dims * sizeof *shape);
    const pcs_call call = { .in = &in, .out = &out, .n_in = 1, .n_out = 1 };
    for (uint32_t threads = 1; threads <= 3; threads++) {
        memset(got, 0xff, rows * WIDTH * sizeof *got);
        for (uint32_t i = 0; i < threads; i++) pcs_op_by_name("dequantize")->eval(&call, i, threads);
        if (memcmp(got, want, rows * WIDTH * sizeof *got))
            fail_msg("%s, %u dimensions, %u threads", f->name, dims, threads);
    }
    free(stored);
    free(want);
    free(got);
}

static void rows_are_the_last_dimension(void **state)
{
    (void)state;
    float numbers[ROWS * WIDTH];
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        numbers[i] = 1.0f + 0.001f * (float)((i * 7919) % 1009) - 0.5f * (float)(i % 2);
    size_t tried = 0;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!pcs_format_can_encode(f) || !pcs_format_fits(f, WIDTH)) continue;
        check(f, 1, (int64_t[]){ WIDTH }, numbers);
        check(f, 2, (int64_t[]){ ROWS, WIDTH }, numbers);
        check(f, 3, (int64_t[]){ 2, 3, WIDTH }, numbers);
        tried++;
    }
    assert_true(tried > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_are_the_last_dimension) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
