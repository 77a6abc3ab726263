/* Rows at the ends of what a type can hold: each format either codes a row as well as the same row in the middle of its
 * range (all are alike but for a power of two), or says that the number is too large; it never clips silently. And what
 * a format says that it holds wherever it stands (pcs_format.largest) is not refused. */
#include "test.h"
#include "width.h"

#include "model/model.h"
#include "quant/methods.h"
#include "quant/quant.h"

#include <math.h>

enum { WIDTH = 256, MOST = WIDTH + PCS_BLOCK_MAX, SHAPES = 5 };

/* Weights of a shape whose largest magnitude is `top`: of both signs, negative, positive, one alone among smaller
 * ones, or both ends in blocks whose magnitudes differ. */
static void shape_row(int shape, float top, size_t n, float *x)
{
    test_fill(x, n, 11, 1.0f);
    float most = 0;
    for (size_t i = 0; i < n; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (size_t i = 0; i < n; i++) {
        const float v = x[i] / most;
        x[i] = shape == 1 ? -fabsf(v) : shape == 2 ? fabsf(v) : shape == 3 ? 0.9f * v : i < 64 ? v : 0.3f * v;
        if (fabsf(x[i]) > 1) x[i] = x[i] < 0 ? -1.0f : 1.0f;
    }
    x[17] = shape == 1 ? -1.0f : 1.0f;
    if (shape == 4) x[18] = -1.0f;
    for (size_t i = 0; i < n; i++) x[i] *= top;
}

/* The relative error of the largest weight, and of the row. */
typedef struct { double top, row; } loss;

static precis_status code(precis_ctx *ctx, const pcs_format *f, const char *coder, const float *x, loss *l)
{
    const size_t width = test_width(f, WIDTH);
    float z[MOST];
    uint8_t out[8 * MOST + 64];
    const pcs_tensor t = { .name = "x", .format = pcs_format_by_name("F32"), .dims = 2, .n = width, .bytes = 4 * width,
                           .ne = { (int64_t)width, 1, 1, 1, 1, 1, 1, 1 }, .data = (const uint8_t *)x };
    double error;
    const pcs_tensor_job job = { &t, f, pcs_method_by_name(coder), { 0 } };
    const precis_status st = pcs_quantize_tensor(ctx, &job, out, &error);
    if (st) return st;
    pcs_decode(f, width, out, z);
    double e = 0, n = 0;
    for (size_t i = 0; i < width; i++) {
        e += ((double)x[i] - z[i]) * ((double)x[i] - z[i]);
        n += (double)x[i] * x[i];
    }
    *l = (loss){ fabs((double)x[17] - z[17]) / fabs((double)x[17]), e / n };
    return PRECIS_OK;
}

static int failed; /* all are said before the test ends */

static void one(precis_ctx *ctx, const pcs_format *f, const char *coder, int shape, float top)
{
    const size_t width = test_width(f, WIDTH);
    float x[MOST], middle[MOST];
    loss there, here;
    int power;
    shape_row(shape, top, width, x);
    frexpf(top, &power);
    for (size_t i = 0; i < width; i++) middle[i] = ldexpf(x[i], 3 - power);
    loss nearest;
    if (code(ctx, f, coder, middle, &here) || code(ctx, f, "rtn", middle, &nearest))
        fail_msg("%s: %s", f->name, precis_ctx_message(ctx));
    here.top = fmax(here.top, nearest.top); /* rows that a search cannot weigh are rounded to nearest */
    here.row = fmax(here.row, nearest.row);
    const precis_status st = code(ctx, f, coder, x, &there);
    if (st) {
        assert_int_equal(st, PRECIS_EFORMAT);
        assert_non_null(strstr(precis_ctx_message(ctx), f->name));
        if (f->largest && top <= f->largest)
            failed++, print_error("%s, %s, shape %d: %g is refused, and it holds %g\n", f->name, coder, shape,
                          (double)top, (double)f->largest);
        return;
    }
    if (!(there.row <= 1.2 * here.row + 1e-5) || !(there.top <= 1.2 * here.top + 0.04))
        failed++,
            print_error("%s, %s, shape %d: at %g, errors of %g (row) and %g (largest) where %g and %g are right\n",
                        f->name, coder, shape, (double)top, there.row, there.top, here.row, here.top);
}

static void test_large(void **state)
{
    (void)state;
    static const float tops[] = { 440, 460, 3000, 6e4f, 7e4f, 1e5f, 1.2e5f, 4e5f, 5e5f, 9e5f, 1.1e6f, 2e6f, 5e6f,
                                  8.4e6f, 1.2e7f,
                                  3e8f, 1e30f, 8e37f, 1.8e38f, 3e38f, 3.4e38f };
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!pcs_format_can_encode(f) || f->kind == PCS_INT) continue;
        for (size_t k = 0; k < sizeof tops / sizeof *tops; k++)
            for (int shape = 0; shape < SHAPES; shape++) {
                one(ctx, f, "rtn", shape, tops[k]);
                one(ctx, f, "search", shape, tops[k]);
            }
    }
    precis_ctx_close(&ctx);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
