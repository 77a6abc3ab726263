/* The solver against exhaustive search; patterns; mixes; substitutes; plans under an importance matrix. */
#include "plan/plan.h"
#include "quant/quant.h"
#include "test.h"

#include <math.h>

static void test_solver(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t s = seed;
        enum { N = 6, C = 4 };
        precis_choice choices[N][C];
        precis_item items[N];
        size_t picks[N], total = 1;
        uint64_t least = 0;
        for (int i = 0; i < N; i++) {
            items[i] = (precis_item){ choices[i], 1 + pcs_rand(&s) % C };
            uint64_t low = UINT64_MAX;
            for (size_t c = 0; c < items[i].n; c++) {
                choices[i][c] = (precis_choice){ 1 + pcs_rand(&s) % 50, (double)(pcs_rand(&s) % 1000) / 10 };
                low = choices[i][c].bytes < low ? choices[i][c].bytes : low;
            }
            total *= items[i].n;
            least += low;
        }
        const uint64_t budget = least + pcs_rand(&s) % 80;
        double best = 1e30;
        for (size_t k = 0; k < total; k++) {
            uint64_t bytes = 0;
            double loss = 0;
            for (size_t i = 0, r = k; i < N; r /= items[i].n, i++)
                bytes += choices[i][r % items[i].n].bytes, loss += choices[i][r % items[i].n].loss;
            if (bytes <= budget && loss < best) best = loss;
        }
        precis_solution sol = { .size = sizeof sol };
        OK(ctx, precis_plan_solve(ctx, items, N, budget, picks, &sol));
        uint64_t bytes = 0;
        double loss = 0;
        for (int i = 0; i < N; i++) bytes += choices[i][picks[i]].bytes, loss += choices[i][picks[i]].loss;
        if (!sol.exact || bytes > budget || fabs(loss - best) > 1e-9)
            fail_msg("seed %llu: loss %g in %llu bytes, the best is %g in %llu", (unsigned long long)seed, loss,
                     (unsigned long long)bytes, best, (unsigned long long)budget);
        assert_true(sol.bound <= loss + 1e-9 && sol.bytes == bytes && sol.min_bytes == least);
        if (least > 1) {
            assert_int_equal(precis_plan_solve(ctx, items, N, least - 1, picks, &sol), PRECIS_EBUDGET);
            assert_int_equal(sol.min_bytes, least);
        }
    }
    precis_ctx_close(&ctx);
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct { const char *p, *t; bool yes;
    } cases[] = { { "*", "", true },
                  { "a*b", "ab", true },
                  { "a*b", "acb", true },
                  { "a*b", "acbd", false },
                  { "*attn_v*", "blk.3.attn_v.weight", true },
                  { "blk.?.x", "blk.12.x", false },
                  { "a?c", "abc", true },
                  { "", "x", false },
                  { "*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (pcs_match(cases[i].p, strlen(cases[i].p), cases[i].t) != cases[i].yes)
            fail_msg("%s on %s", cases[i].p, cases[i].t);
}

static void test_types(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_plan *p;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    for (size_t i = 0; pcs_mixes[i].name; i++) {
        OK(ctx, precis_plan_types(ctx, &p, m, pcs_mixes[i].name, 1)); /* every width of this model fits every type */
        precis_plan_close(&p);
    }
    OK(ctx, precis_plan_types(ctx, &p, m, "*attn_v*=Q6_K,*ffn*=q4_0", 0));
    size_t v = 0, ffn = 0;
    for (size_t i = 0; i < precis_plan_size(p); i++) {
        precis_plan_row r = { .size = sizeof r };
        OK(ctx, precis_plan_get(p, i, &r));
        v += strstr(r.tensor, "attn_v.") && !strcmp(r.to, "Q6_K");
        ffn += strstr(r.tensor, "ffn_") && !strcmp(r.to, "Q4_0");
        if (strstr(r.tensor, "norm")) assert_string_equal(r.to, "F32");
    }
    assert_int_equal(v, 8);
    assert_int_equal(ffn, 24);
    precis_plan_close(&p);
    static const char *const bad[] = { "Q9_Z", "I8", "*=Q9", "x=" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(precis_plan_types(ctx, &p, m, bad[i], 0), PRECIS_EINVAL);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* One F32 tensor of width 172, as stories260K has. */
static precis_status precis_model_new_for_test(precis_ctx *ctx, precis_model **m)
{
    static const float data[172 * 4];
    precis_status st = pcs_model_new(ctx, m, "test", "gguf");
    if (st) return st;
    pcs_tensor *t = pcs_model_add_tensor(*m);
    if (!t) return PRECIS_ENOMEM;
    *t = (pcs_tensor){ .name = "blk.0.ffn_down.weight",
                       .source = "blk.0.ffn_down.weight",
                       .format = pcs_format_by_name("F32"),
                       .dims = 2,
                       .ne = { 172, 4 },
                       .shape = { 172, 4 },
                       .n = 172 * 4,
                       .bytes = sizeof data,
                       .data = (const uint8_t *)data };
    return pcs_model_index(*m);
}

/* A width of 172 fits no block: F16 is the documented substitute, listed; strict refuses. */
static void test_ragged(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_plan *p;
    OK(ctx, precis_model_new_for_test(ctx, &m));
    OK(ctx, precis_plan_types(ctx, &p, m, "Q4_K", 0));
    precis_plan_row r = { .size = sizeof r };
    OK(ctx, precis_plan_get(p, 0, &r));
    assert_string_equal(r.to, "F16");
    assert_string_equal(r.wanted, "Q4_K");
    precis_plan_close(&p);
    assert_int_equal(precis_plan_types(ctx, &p, m, "Q4_K", 1), PRECIS_EINVAL);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* Two layers alike; in the first, one input has a massive activation, as in models with attention sinks. It does not
 * make the other 255 worth nothing: both are given types of about the same bits. */
static void test_massive(void **state)
{
    (void)state;
    enum { WIDTH = 256, ROWS = 64 };
    static float data[WIDTH * ROWS];
    static const char *const names[] = { "blk.0.ffn_down.weight", "blk.1.ffn_down.weight" };
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    precis_imatrix *im;
    uint64_t seed = 7;
    for (size_t i = 0; i < WIDTH * ROWS; i++)
        data[i] = (float)(pcs_rand_unit(&seed) + pcs_rand_unit(&seed) + pcs_rand_unit(&seed) - 1.5);
    OK(ctx, pcs_model_new(ctx, &m, "test", "gguf"));
    OK(ctx, pcs_imatrix_new(ctx, &im));
    for (size_t l = 0; l < 2; l++) {
        pcs_tensor *t = pcs_model_add_tensor(m);
        pcs_importance *e;
        assert_non_null(t);
        *t = (pcs_tensor){ .name = names[l],
                           .source = names[l],
                           .format = pcs_format_by_name("F32"),
                           .dims = 2,
                           .ne = { WIDTH, ROWS },
                           .shape = { WIDTH, ROWS },
                           .n = WIDTH * ROWS,
                           .bytes = sizeof data,
                           .data = (const uint8_t *)data };
        OK(ctx, pcs_imatrix_add(im, names[l], strlen(names[l]), WIDTH, 1, &e));
        for (size_t k = 0; k < WIDTH; k++) e->sum[k] = l == 0 && k == 77 ? 1e5 : 1;
        e->counts[0] = 1;
    }
    OK(ctx, pcs_model_index(m));
    pcs_imatrix_finish(im);
    for (int bits = 3; bits <= 6; bits++) {
        precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
        precis_plan *p;
        double own[2];
        o.imatrix = im;
        OK(ctx, precis_quant_plan(ctx, &p, m, 4096 + (uint64_t)(bits * WIDTH * ROWS / 8 * 2), &o, NULL));
        for (size_t l = 0; l < 2; l++) {
            precis_plan_row r = { .size = sizeof r };
            OK(ctx, precis_plan_get(p, l, &r));
            own[l] = pcs_format_bpw(pcs_format_by_name(r.to));
        }
        if (fabs(own[0] - own[1]) > 1.5)
            fail_msg("%d bits: %g with the massive activation, %g without", bits, own[0], own[1]);
        precis_plan_close(&p);
    }
    precis_imatrix_close(&im);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_solver), cmocka_unit_test(test_patterns),
                                        cmocka_unit_test(test_types), cmocka_unit_test(test_ragged),
                                        cmocka_unit_test(test_massive) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
