/* What a method of the whole model gains: which methods need a measurement, the part of a plan that they can be applied
 * to, gains that are known and not measured again, and a text that is too short to hold a part back. */
#include "test.h"

#include "graph/net.h"
#include "job/gain.h"
#include "quant/quant.h"

#include <math.h>

static void test_needed(void **state)
{
    (void)state;
    static const struct { const char *method, *name; bool needed; } cases[] = {
        { NULL, "search", false }, { "search", "search", false },   { "rtn", "rtn", false },
        { "gptq", "gptq", true },  { "awq+gptq", "awq+gptq", true }, { "svd", "svd", true },
    };
    precis_ctx *ctx = test_ctx(1);
    char name[96];
    bool needed;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OK(ctx, pcs_gain_needed(ctx, cases[i].method, &needed, name));
        if (needed != cases[i].needed || !strstr(name, cases[i].name))
            fail_msg("%s: %s, %d", cases[i].method ? cases[i].method : "none", name, needed);
    }
    assert_int_equal(pcs_gain_needed(ctx, "gtpq", &needed, name), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "gtpq"));
    precis_ctx_close(&ctx);
}

static void test_share(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_plan *plan;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, precis_plan_types(ctx, &plan, m, "Q4_0", 0));
    assert_true(pcs_gain_share(ctx, plan, "gptq") == 0); /* a plan without losses */
    const pcs_method *gptq = pcs_method_by_name("gptq");
    double all = 0, own = 0;
    for (size_t i = 0; i < plan->n; i++) {
        pcs_plan_row *row = &plan->rows[i];
        row->loss = 1.0 + (double)i;
        if (row->to == row->tensor->format) continue; /* what stays as it is loses nothing */
        all += row->loss;
        const bool codes = row->tensor->is.layer >= 0 || pcs_makes_logits(m, row->tensor);
        if (codes && !gptq->refuses(row->to)) own += row->loss;
    }
    assert_true(own > 0 && own <= all);
    assert_true(fabs(pcs_gain_share(ctx, plan, "gptq") - own / all) < 1e-12);
    assert_true(fabs(pcs_gain_share(ctx, plan, "awq") - 1) < 1e-12); /* it changes what all of them stand on */
    precis_plan_close(&plan);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static void test_known(void **state)
{
    (void)state;
    static const double bits[] = { 4.3, 3.1, 5.6 };
    size_t len;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    precis_profile *p;
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    const char *text = precis_eval_default_text(&len), *few = "Too few words for that.";
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, pcs_profile_new(ctx, &p));
    for (int i = 0; i < 3; i++)
        OK(ctx, pcs_profile_add_gain(p, &(pcs_gain){ "gptq", bits[i], 0.9, 0.02, 0.01 }));
    o.method = "search";
    OK(ctx, pcs_gain_measure(ctx, m, &o, p, 256)); /* predictions hold for it as they are */
    o.method = "gptq";
    len = len < 16000 ? len : 16000;
    o.calibrate.texts = &text;
    o.calibrate.lengths = &len;
    o.calibrate.n_texts = 1;
    OK(ctx, pcs_gain_measure(ctx, m, &o, p, 256));
    assert_int_equal(p->n_gains, 3);
    for (int i = 0; i < 3; i++) {
        const pcs_gain *g = pcs_profile_gain_at(p, "gptq", bits[i]);
        assert_true(g && g->search == 0.02 && g->kld == 0.01);
    }
    len = strlen(few);
    o.calibrate.texts = &few;
    assert_int_equal(pcs_gain_measure(ctx, m, &o, p, 256), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "what gptq gains is measured on two fifths"));
    precis_profile_close(&p);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_needed), cmocka_unit_test(test_share),
                                        cmocka_unit_test(test_known) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
