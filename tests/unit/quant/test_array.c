/* Arrays to a format's bytes and back: as a file's tensors, and what is refused. */
#include "precis/array.h"
#include "precis/quant.h"
#include "test.h"

#include <math.h>

enum { ROWS = 5, WIDTH = 512 };

static void same_as_a_file(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *model, *made;
    precis_plan *plan;
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    o.method = "rtn";
    char path[512];
    snprintf(path, sizeof path, "%s/array.gguf", test_folder());
    OK(ctx, precis_model_open(ctx, &model, MODEL));
    OK(ctx, precis_plan_types(ctx, &plan, model, "Q4_K", 0));
    OK(ctx, precis_quantize(ctx, model, plan, path, &o, NULL));
    OK(ctx, precis_model_open(ctx, &made, path));
    size_t i, k;
    OK(ctx, precis_model_find_tensor(model, "blk.0.ffn_down.weight", &i));
    OK(ctx, precis_model_find_tensor(made, "blk.0.ffn_down.weight", &k));
    int64_t shape[PRECIS_ARRAY_DIMS], other[PRECIS_ARRAY_DIMS];
    assert_int_equal(precis_array_shape(model, i, shape), 2); /* a folder and a GGUF, which has the row length first */
    assert_int_equal(precis_array_shape(made, k, other), 2);
    assert_memory_equal(shape, other, 2 * sizeof *shape);
    assert_int_equal(precis_array_shape(model, SIZE_MAX, shape), 0);
    const uint64_t rows = (uint64_t)other[0], width = (uint64_t)other[1], n = rows * width;
    float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y), *z = malloc(n * sizeof *z);
    uint64_t bytes;
    OK(ctx, precis_array_bytes(ctx, "Q4_K", rows, width, &bytes));
    void *data = malloc(bytes);
    OK(ctx, precis_model_read_f32(model, i, 0, n, x));
    OK(ctx, precis_model_read_f32(made, k, 0, n, y));
    precis_array_options rtn = PRECIS_ARRAY_OPTIONS_INIT;
    rtn.method = "rtn";
    OK(ctx, precis_array_quantize(ctx, "Q4_K", x, rows, width, &rtn, data, NULL));
    OK(ctx, precis_array_dequantize(ctx, "Q4_K", data, bytes, rows, width, z));
    assert_memory_equal(y, z, n * sizeof *y);
    free(x), free(y), free(z), free(data);
    precis_plan_close(&plan);
    precis_model_close(&made);
    precis_model_close(&model);
    precis_ctx_close(&ctx);
    remove(path);
}

/* The error that is told is that of the numbers that come back. */
static void error(void **state)
{
    (void)state;
    static float x[ROWS * WIDTH], y[ROWS * WIDTH];
    static unsigned char data[ROWS * WIDTH * 4];
    precis_ctx *ctx = test_ctx(2);
    test_fill(x, ROWS * WIDTH, 1, 1);
    static const char *const types[] = { "Q8_0", "Q2_K", "IQ4_XS", "MXFP4", "INT4_G64", "UINT8_T", "TQ2_0", "F16" };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        uint64_t bytes;
        double told, err = 0, norm = 0;
        OK(ctx, precis_array_bytes(ctx, types[t], ROWS, WIDTH, &bytes));
        assert_true(bytes <= sizeof data);
        OK(ctx, precis_array_quantize(ctx, types[t], x, ROWS, WIDTH, NULL, data, &told));
        OK(ctx, precis_array_dequantize(ctx, types[t], data, bytes, ROWS, WIDTH, y));
        for (size_t i = 0; i < ROWS * WIDTH; i++) {
            err += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
            norm += (double)x[i] * x[i];
        }
        assert_true(fabs(told - err / norm) <= 1e-5 * told);
    }
    precis_ctx_close(&ctx);
}

static void refused(void **state)
{
    (void)state;
    static float x[ROWS * WIDTH], weights[WIDTH];
    static unsigned char data[ROWS * WIDTH * 4];
    precis_ctx *ctx = test_ctx(2);
    uint64_t bytes;
    precis_array_options o = PRECIS_ARRAY_OPTIONS_INIT;
    test_fill(x, ROWS * WIDTH, 1, 1);
    assert_int_equal(precis_array_bytes(ctx, "Q99", 1, 256, &bytes), PRECIS_EINVAL);
    assert_int_equal(precis_array_bytes(ctx, "Q4_K", 1, 100, &bytes), PRECIS_EINVAL);
    assert_int_equal(precis_array_bytes(ctx, "Q4_K", 1, 0, &bytes), PRECIS_EINVAL);
    assert_int_equal(precis_array_bytes(ctx, "Q4_K", UINT64_MAX / 256, 512, &bytes), PRECIS_EINVAL);
    assert_int_equal(precis_array_quantize(ctx, "I32", x, ROWS, WIDTH, NULL, data, NULL), PRECIS_EINVAL);
    o.method = "gptq";
    assert_int_equal(precis_array_quantize(ctx, "Q4_K", x, ROWS, WIDTH, &o, data, NULL), PRECIS_EINVAL);
    o.method = NULL;
    o.importance = weights;
    weights[7] = -1;
    assert_int_equal(precis_array_quantize(ctx, "Q4_K", x, ROWS, WIDTH, &o, data, NULL), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "importance 7"));
    x[WIDTH + 3] = NAN;
    assert_int_equal(precis_array_quantize(ctx, "Q4_K", x, ROWS, WIDTH, NULL, data, NULL), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "row 1, column 3"));
    x[WIDTH + 3] = 1e30f;
    assert_int_equal(precis_array_quantize(ctx, "Q4_0", x, ROWS, WIDTH, NULL, data, NULL), PRECIS_EFORMAT);
    assert_int_equal(precis_array_dequantize(ctx, "Q4_0", data, 17, 1, 32, x), PRECIS_EINVAL);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(same_as_a_file), cmocka_unit_test(error),
                                        cmocka_unit_test(refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
