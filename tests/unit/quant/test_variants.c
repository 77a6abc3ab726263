/* Weights that are coded as several types from one look at the net are what they become where nothing else is coded;
 * what is kept between the groups of a layer changes no byte; and importance may be that of some of a text. */
#include "test.h"

#include "plan/plan.h"
#include "quant/methods.h"

#include <stdlib.h>

enum { TYPES = 2, WINDOWS = 6, LENGTH = 64 };

static const char *const types[TYPES] = { "Q4_0", "Q8_0" };

static void open_work(precis_ctx *ctx, pcs_work *w, const precis_model *m)
{
    static precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    int32_t ids[LENGTH];
    o.method = "gptq";
    o.fallback = 1;
    OK(ctx, pcs_work_open(ctx, w, m, &o, NULL, NULL));
    w->windows.ctx = ctx;
    for (int i = 0; i < WINDOWS; i++) {
        for (int k = 0; k < LENGTH; k++) ids[k] = 3 + (i * 131 + k * k * 7 + k) % 200;
        OK(ctx, pcs_windows_add(&w->windows, ids, LENGTH));
    }
}

/* All matrices whose names have a part, in a type. */
static precis_plan *plan_of(precis_ctx *ctx, const precis_model *m, const char *part, const char *type)
{
    precis_plan *plan = NULL;
    OK(ctx, pcs_plan_new(ctx, &plan, m, "test"));
    for (size_t i = 0; i < m->n_tensors; i++) {
        const pcs_tensor *t = &m->tensors[i];
        const pcs_format *f = pcs_quantizable(t) ? pcs_fitting(pcs_format_by_name(type), t->ne[0]) : NULL;
        if (f && strstr(t->name, part)) pcs_plan_set(&plan->rows[i], f);
    }
    return plan;
}

/* A whole plan as apply codes it; w is the caller's to close. */
static void code(precis_ctx *ctx, pcs_work *w, const precis_model *m, const precis_plan *plan)
{
    open_work(ctx, w, m);
    w->plan = plan;
    OK(ctx, pcs_work_code(w));
}

static void same_rows(const pcs_encoded *a, const pcs_encoded *b)
{
    assert_true(a->bytes && b->bytes && a->store.bytes == b->store.bytes);
    assert_memory_equal(a->bytes, b->bytes, a->store.bytes);
}

static void test_variants(void **state)
{
    (void)state;
    static const char *const names[] = { "blk.0.attn_v", "blk.2.attn_output", "blk.3.ffn_up", "blk.4.ffn_down",
                                         "token_embd" };
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    precis_plan *plans[TYPES];
    pcs_encoded *coded[TYPES];
    pcs_work w, one;
    size_t n = 0;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    open_work(ctx, &w, m);
    for (int k = 0; k < TYPES; k++) {
        plans[k] = plan_of(ctx, w.m, "", types[k]);
        coded[k] = pcs_alloc(ctx, m->n_tensors, sizeof *coded[k]);
    }
    w.variants = &(pcs_variants){ (const precis_plan *const *)plans, coded, TYPES };
    OK(ctx, pcs_work_code(&w));
    for (size_t i = 0; i < m->n_tensors; i++)
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            for (int k = 0; k < TYPES && strstr(m->tensors[i].name, names[j]); k++, n++) {
                precis_plan *alone = plan_of(ctx, m, m->tensors[i].name, types[k]);
                code(ctx, &one, m, alone);
                same_rows(&coded[k][i], &one.coded[i]);
                pcs_work_close(&one);
                precis_plan_close(&alone);
            }
    assert_int_equal(n, TYPES * sizeof names / sizeof *names);
    for (int k = 0; k < TYPES; k++) {
        for (size_t i = 0; i < m->n_tensors; i++) pcs_encoded_close(ctx, &coded[k][i]);
        pcs_free(ctx, coded[k]);
        precis_plan_close(&plans[k]);
    }
    pcs_work_close(&w);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* Under a limit on memory each pass over a layer begins where the layer does. */
static void test_between(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2), *limited = test_ctx(2);
    precis_model *m, *again;
    pcs_work w, plain;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(limited, precis_ctx_set_memory_limit(limited, (uint64_t)4 << 30, test_folder()));
    OK(limited, precis_model_open(limited, &again, MODEL));
    precis_plan *plan = plan_of(ctx, m, "blk", "Q4_0"), *other = plan_of(limited, again, "blk", "Q4_0");
    code(ctx, &w, m, plan);
    code(limited, &plain, again, other);
    size_t n = 0;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (w.coded[i].bytes || plain.coded[i].bytes) same_rows(&w.coded[i], &plain.coded[i]), n++;
    assert_true(n > 20);
    pcs_work_close(&w);
    pcs_work_close(&plain);
    precis_plan_close(&plan);
    precis_plan_close(&other);
    precis_model_close(&m);
    precis_model_close(&again);
    precis_ctx_close(&ctx);
    precis_ctx_close(&limited);
}

/* Tokens that the first weight of an importance matrix has seen, and the sum of what it saw. */
static uint64_t importance(precis_ctx *ctx, const precis_model *m, uint32_t tokens, uint32_t most, double *sum)
{
    static char text[6000];
    const char *texts[] = { text };
    const size_t lengths[] = { sizeof text };
    precis_calibrate_options o = PRECIS_CALIBRATE_OPTIONS_INIT;
    precis_imatrix *im;
    const char *name;
    const float *values;
    size_t n;
    uint64_t seen;
    for (size_t i = 0; i < sizeof text; i++) text[i] = i % 7 == 6 ? ' ' : (char)('a' + i * (1 + i / 1500) * i % 26);
    o.texts = texts;
    o.lengths = lengths;
    o.n_texts = 1;
    o.tokens = tokens;
    OK(ctx, pcs_calibrate_some(ctx, &im, m, &o, most));
    OK(ctx, precis_imatrix_get(im, 0, &name, &values, &n, &seen));
    *sum = 0;
    for (size_t i = 0; i < n; i++) *sum += (double)values[i];
    precis_imatrix_close(&im);
    return seen;
}

/* Importance of some of a text is that of windows from all over it, not of its beginning; of no more than there is, all
 * of it. */
static void test_some(void **state)
{
    (void)state;
    enum { MOST = 1024 };
    double all, same, some, first;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    const uint64_t whole = importance(ctx, m, 0, UINT32_MAX, &all);
    assert_true(whole > 2 * MOST);
    assert_int_equal(importance(ctx, m, 0, (uint32_t)whole, &same), whole);
    assert_true(all == same);
    assert_int_equal(importance(ctx, m, 0, MOST, &some), MOST);
    assert_int_equal(importance(ctx, m, MOST, UINT32_MAX, &first), MOST);
    assert_true(some != first && some != all);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_some),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
