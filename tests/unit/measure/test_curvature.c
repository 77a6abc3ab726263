/* Costs by gradients beside costs by swaps: the same tensors, types and text. */
#include "measure/curvature.h"
#include "measure/divergence.h"
#include "test.h"

#include <math.h>

enum { TOKENS = 1024, WINDOW = 128 };

typedef struct { uint8_t *bytes; double swapped; } coded;

/* What the model says when one tensor alone is swapped. */
static double swapped(precis_ctx *ctx, pcs_reference *r, precis_model *copy, const pcs_alternative *a, size_t i)
{
    pcs_tensor kept = copy->tensors[i];
    copy->tensors[i].format = a->f;
    copy->tensors[i].data = a->bytes;
    copy->tensors[i].bytes = pcs_tensor_rows(&kept) * pcs_row_bytes(a->f, (uint64_t)kept.ne[0]);
    double kld, se;
    OK(ctx, pcs_reference_divergence(r, copy, &(pcs_compared){ 0 }, &kld, &se));
    copy->tensors[i] = kept;
    return kld;
}

static void compare(const char *type, double least_correlation, double most_bias)
{
    precis_ctx *ctx = test_ctx(2);
    precis_model *m, *copy;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, pcs_model_copy(ctx, &copy, m));
    pcs_windows w;
    precis_calibrate_options o = PRECIS_CALIBRATE_OPTIONS_INIT;
    size_t len;
    char *text = test_read(PRECIS_SOURCE_DIR "/data/eval.txt", &len);
    assert_non_null(text);
    const char *texts[] = { text };
    o.texts = texts;
    o.lengths = &len;
    o.n_texts = 1;
    o.tokens = TOKENS;
    OK(ctx, pcs_windows_make(ctx, m, &o, WINDOW, &w));
    pcs_curvature *c;
    pcs_reference r;
    OK(ctx, pcs_curvature_open(ctx, &c, m, WINDOW));
    OK(ctx, pcs_reference_open(ctx, &r, m, &(pcs_reference_text){ &w, w.n_ids, 4096, NULL, 0 }));
    const pcs_format *f = pcs_format_by_name(type);
    static pcs_alternative list[32];
    static coded by[32];
    size_t n = 0;
    for (size_t i = 0; i < m->n_tensors && n < 32; i += 3) {
        const pcs_tensor *t = &m->tensors[i];
        if (t->dims != 2 || t->ne[0] % f->block) continue;
        double error;
        by[n].bytes = malloc(pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]) + 64);
        const pcs_method *search = pcs_method_by_name("search");
        OK(ctx, pcs_quantize_tensor(ctx, &(pcs_tensor_job){ t, f, search, { 0 } }, by[n].bytes, &error));
        list[n] = (pcs_alternative){ t, f, by[n].bytes, 0, 0 };
        by[n].swapped = swapped(ctx, &r, copy, &list[n], i);
        n++;
    }
    assert_true(n >= 15);
    OK(ctx, pcs_curvature_run(c, &w, list, n, &(pcs_curvature_work){ .seed = 1 }));
    double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(list[i].kld > 0 && by[i].swapped > 0);
        const double x = log(by[i].swapped), y = log(list[i].kld);
        sx += x, sy += y, sxx += x * x, syy += y * y, sxy += x * y;
        print_message("%-28s %.6f swapped, %.6f +- %.6f by gradients\n", list[i].tensor->name, by[i].swapped,
                      list[i].kld, list[i].se);
        free(by[i].bytes);
    }
    const double N = (double)n, r2 = (N * sxy - sx * sy) / sqrt((N * sxx - sx * sx) * (N * syy - sy * sy));
    print_message("%s: correlation of logarithms %.3f, mean ratio %.3f\n", type, r2, exp((sy - sx) / N));
    assert_true(r2 > least_correlation);
    assert_true(fabs((sy - sx) / N) < most_bias);
    pcs_reference_close(&r);
    pcs_curvature_close(&c);
    pcs_windows_free(&w);
    precis_model_close(&copy);
    precis_model_close(&m);
    free(text);
    precis_ctx_close(&ctx);
}

/* Small errors are where the second order is all there is; at two bits a third order shows. */
static void test_small(void **state) { (void)state, compare("Q4_K", 0.95, 0.2); }
static void test_large(void **state) { (void)state, compare("Q2_K", 0.9, 0.4); }

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_small), cmocka_unit_test(test_large) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
