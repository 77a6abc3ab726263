/* test_profile_file.c - files of profiles and of plans: every bit of what is saved comes back, and what is none is
 * refused by file, byte and member. */
#include "tiny_model.h"

#include "plan/profile.h"

static void put(const char *text) { test_write(tiny_path("p.json"), text, strlen(text)); }

#define KIND "\"precis\": \"profile\", \"version\": 1"
#define PROBE(members) "{" KIND ", \"tensors\": [{\"name\": \"a\", \"probes\": [{" members "}]}]}"

static void test_odd_profiles(void **state)
{
    (void)state;
    static const struct { const char *text, *says; } odd[] = {
        { "{}", "precis: this is no profile" },
        { "{\"precis\": \"costs\", \"version\": 1}", "precis: this is no profile" },
        { "{\"precis\": \"profile\", \"version\": 3}", "version: 3 is not 1" },
        { "{" KIND ", \"tokens\": -5}", "tokens: -5 is out of range" },
        { "{" KIND ", \"tokens\": \"many\"}", "tokens" },
        { "{" KIND ", \"plans\": [{\"sum\": 1}]}", "plans[]: sum, kld or se is missing" },
        { "{" KIND ", \"plans\": [{\"sum\": 1, \"kld\": 1e12}]}", "plans[]: sum, kld or se" },
        { "{" KIND ", \"plans\": 3}", "plans" },
        { "{" KIND ", \"gains\": [{\"bits\": 4}]}", "gains[]: method is missing" },
        { "{" KIND ", \"gains\": [{\"method\": \"gptq\", \"bits\": 400}]}", "gains[]: bits, share, search or kld" },
        { "{" KIND ", \"tensors\": [{\"probes\": []}]}", "tensors[]: probes come before name" },
        { PROBE("\"type\": \"Q4_0\""), "type, error, kld or se is missing" },
        { PROBE("\"type\": \"Q9_9\", \"error\": 0.1, \"kld\": 0, \"se\": 0"), "\"Q9_9\" is no type" },
        { PROBE("\"type\": \"Q4_0\", \"error\": 1e9, \"kld\": 0, \"se\": 0"), "those of tensor a are out of range" },
        { PROBE("\"type\": \"int8\", \"error\": 0.1, \"kld\": 0, \"se\": 0"), "\"int8\" is no type" }, /* of no cache */
        { "{" KIND, "" },
        { "[1]", "" },
    };
    precis_ctx *ctx = test_ctx(1);
    precis_profile *p;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        put(odd[i].text);
        const precis_status st = precis_profile_open(ctx, &p, tiny_path("p.json"));
        const char *m = precis_ctx_message(ctx);
        if (st != PRECIS_EFORMAT || !strstr(m, odd[i].says) || !strstr(m, "p.json: byte "))
            fail_msg("%s: %d, \"%s\"", odd[i].text, (int)st, m);
        assert_null(p);
    }
    precis_ctx_close(&ctx);
}

/* A profile that was made by hand is saved and read: numbers bit by bit, losses between probes on a line of
 * logarithms, gains by their method and bits. */
static void test_saved(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_profile *p, *r;
    OK(ctx, pcs_profile_new(ctx, &p));
    OK(ctx, pcs_profile_add(p, "blk.0.ffn_up.weight", "Q4_0", 0.01, 1.0 / 3, 0.001));
    OK(ctx, pcs_profile_add(p, "blk.0.ffn_up.weight", "Q8_0", 0.0001, 1.0 / 300, 0.00001));
    OK(ctx, pcs_profile_add(p, "blk.0.cache_k", "int8", 0.002, 0.1, 0));
    OK(ctx, pcs_profile_add_gain(p, &(pcs_gain){ "gptq", 4.5, 0.8, 0.3, 0.2 }));
    OK(ctx, pcs_profile_add_gain(p, &(pcs_gain){ "gptq", 4.5, 0.8, 0.3, 0.1 })); /* written over */
    OK(ctx, pcs_profile_add_gain(p, &(pcs_gain){ "gptq", 3, 0.7, 0.6, 0.3 }));
    for (int i = 0; i < 8; i++) p->plans[p->n_plans++] = (pcs_plan_sample){ 0.01 * (i + 1), 0.011 * (i + 1), 0.001 };
    OK(ctx, precis_profile_save(ctx, p, tiny_path("saved.json")));
    OK(ctx, precis_profile_open(ctx, &r, tiny_path("saved.json")));
    precis_profile *const both[] = { p, r };
    for (int k = 0; k < 2; k++) {
        precis_probe probe = { .size = sizeof probe };
        precis_gain gain = { .size = sizeof gain };
        double interval[2];
        OK(ctx, precis_profile_get(both[k], 0, &probe)); /* the smaller error stands first */
        assert_string_equal(probe.type, "Q8_0");
        assert_true(probe.error == 0.0001 && probe.kld == 1.0 / 300 && probe.kld_se == 0.00001);
        OK(ctx, precis_profile_get(both[k], 1, &probe));
        assert_true(probe.kld == 1.0 / 3);
        assert_int_equal(precis_profile_get(both[k], 3, &probe), PRECIS_EINVAL);
        OK(ctx, precis_profile_get_gain(both[k], 0, &gain));
        assert_string_equal(gain.method, "gptq");
        assert_true(gain.bits == 4.5 && gain.kld == 0.1 && gain.share == 0.8);
        OK(ctx, precis_profile_get_gain(both[k], 1, &gain));
        assert_int_equal(precis_profile_get_gain(both[k], 2, &gain), PRECIS_EINVAL);
        /* a hundredth of the error costs a hundredth: the middle of the logarithms is a tenth of either */
        const double loss = pcs_profile_loss(both[k], "blk.0.ffn_up.weight", "Q5_0", 0.001);
        if (fabs(loss - 1.0 / 30) > 1e-6) fail_msg("%.9g", loss);
        assert_true(pcs_profile_loss(both[k], "blk.9.ffn_up.weight", "Q5_0", 0.001) < 0);
        /* whole plans lose 1.1 times the sum */
        const double whole = precis_profile_predict(both[k], 0.04, interval);
        if (fabs(whole / 0.044 - 1) > 0.05) fail_msg("%.9g", whole);
    }
    precis_profile_close(&r), precis_profile_close(&p), precis_profile_close(&p);
    precis_ctx_close(&ctx);
}

/* ---- plans ------------------------------------------------------------------------------------------------ */

/* The plan's file with one thing changed: refused by it. */
static void change_plan(precis_ctx *ctx, const precis_model *m)
{
    char *types, *method, *kv;
    size_t n = 0;
    char *text = test_read(tiny_path("plan.json"), &n);
    static const struct { const char *from, *to, *says; precis_status st; } odd[] = {
        { "\"plan\"", "\"plum\"", "precis: this is no plan", PRECIS_EFORMAT },
        { "\"version\": 1", "\"version\": 7", "version: 7 is not 1", PRECIS_EFORMAT },
        { "blk.0.ffn_up.weight", "blk.0.ffn_xx.weight", "the model has no tensor", PRECIS_EFORMAT },
        { "blk.0.ffn_up.weight", "blk.0.ffn_down.weight", "comes twice", PRECIS_EFORMAT },
        { "\"type\": \"", "\"type\": \"Z", "there is no type", PRECIS_EFORMAT },
        { "\"type\": ", "\"typo\": ", "type: is missing", PRECIS_EFORMAT },
        { "\"name\": ", "\"nome\": ", "name: is missing", PRECIS_EFORMAT },
        { "\"tensors\"", "\"kv\": {\"k\": \"f99\"}, \"tensors\"", "\"f99\" is no KV type", PRECIS_EFORMAT },
        { "\"tensors\"", "\"others\"", "is not among them", PRECIS_EFORMAT },
        { "\"model\": \"", "\"model\": \"0", "model: the plan was made for another model", PRECIS_EINVAL },
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char *at = strstr(text, odd[i].from);
        if (!at) fail_msg("no %s in %s", odd[i].from, text);
        char *edited = malloc(n + 100);
        assert_non_null(edited);
        snprintf(edited, n + 100, "%.*s%s%s", (int)(at - text), text, odd[i].to, at + strlen(odd[i].from));
        put(edited);
        free(edited);
        const precis_status st = precis_plan_read(ctx, m, tiny_path("p.json"), &types, &method, &kv);
        const char *message = precis_ctx_message(ctx);
        if (st != odd[i].st || !strstr(message, odd[i].says) || !strstr(message, "p.json"))
            fail_msg("%s: %d, \"%s\"", odd[i].to, (int)st, message);
        const char *byte = strstr(message, "byte ");
        assert_true(byte && strtoull(byte + 5, NULL, 10) < n + 100); /* of the file */
        assert_true(!types && !method && !kv);
    }
    free(text);
}

static void test_plans(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const tiny_shape shape = { 1, 64, 128, 4, 2 };
    precis_model *m = tiny_open(ctx, &shape);
    precis_planning_options o = PRECIS_PLANNING_OPTIONS_INIT;
    precis_planning made = { 0 };
    char *types, *method, *kv;
    o.max_part = 0.4;
    OK(ctx, precis_job_plan(ctx, m, &o, &made));
    OK(ctx, precis_planning_save(ctx, &made, &o, tiny_path("plan.json")));
    OK(ctx, precis_plan_read(ctx, m, tiny_path("plan.json"), &types, &method, &kv));
    precis_plan *p;
    OK(ctx, precis_plan_types(ctx, &p, m, types, 1)); /* what it says makes the same plan */
    assert_int_equal(precis_plan_size(p), precis_plan_size(made.plan));
    for (size_t i = 0; i < precis_plan_size(p); i++) {
        precis_plan_row a = { .size = sizeof a }, b = { .size = sizeof b };
        OK(ctx, precis_plan_get(p, i, &a));
        OK(ctx, precis_plan_get(made.plan, i, &b));
        assert_string_equal(a.to, b.to);
    }
    precis_plan_close(&p);
    precis_text_free(ctx, types), precis_text_free(ctx, method), precis_text_free(ctx, kv);
    change_plan(ctx, m);
    precis_planning_close(&made);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_odd_profiles), cmocka_unit_test(test_saved),
                                        cmocka_unit_test(test_plans) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
