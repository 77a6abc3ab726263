/* Options of a caller who was compiled against an older, shorter struct: what lies behind it in the caller's memory is
 * not read. Each call gets its options in a struct that ends after the size, with bytes of another kind behind it; a
 * pointer or a number among them would be followed, or refused. */
#include "test.h"

#include "model/model.h"
#include "precis/job.h"
#include "precis/law.h"
#include "precis/law_fit.h"
#include "precis/profile.h"

enum { OLD = 8 }; /* bytes of the oldest struct: its size, and what pads it */

static precis_ctx *ctx;
static precis_model *model;
static precis_plan *plan;
static char path[512];

static precis_status count_bytes(const void *o)
{
    uint64_t bytes;
    return precis_quant_file_bytes(ctx, model, plan, o, &bytes);
}

static precis_status quantize_with(const void *o)
{
    precis_quant_report *r = NULL;
    const precis_status st = precis_quantize(ctx, model, plan, path, o, &r);
    precis_quant_report_close(&r);
    return st;
}

static precis_status under_budget(const void *o)
{
    precis_plan *p = NULL;
    precis_solution s = { .size = sizeof s };
    const precis_status st = precis_quant_plan(ctx, &p, model, 10000000, o, &s);
    precis_plan_close(&p);
    return st;
}

static precis_status check_profile(const void *o) { return precis_profile_check(ctx, o); }

static precis_status fit_law(const void *o)
{
    precis_law_fit fit = { .size = sizeof fit };
    precis_law *law;
    precis_status st = precis_law_open(ctx, &law, "chinchilla");
    if (!st) st = precis_law_fit_run(ctx, &fit, law, "/nowhere/table.csv", o);
    precis_law_close(&law);
    return st;
}

static precis_status open_suite(const void *o)
{
    precis_suite *s;
    const precis_status st = precis_suite_open(ctx, &s, model, NULL, o);
    precis_suite_close(&s);
    return st;
}

static precis_status open_manifest(const void *o)
{
    precis_manifest *m;
    const char *key;
    precis_status st = precis_manifest_open(ctx, &m, model, o);
    if (!st) st = precis_manifest_key(m, &key);
    precis_manifest_close(&m);
    return st;
}

static precis_status add_run(const void *o) { return precis_history_add(ctx, path, o); }

static void test_older(void **state)
{
    (void)state;
    const struct {
        const char *what;
        precis_status (*call)(const void *options);
        precis_status expected;
    } calls[] = {
        { "precis_quant_file_bytes", count_bytes, PRECIS_OK },
        { "precis_quantize", quantize_with, PRECIS_OK },
        { "precis_quant_plan", under_budget, PRECIS_OK },
        { "precis_profile_check", check_profile, PRECIS_OK },
        { "precis_law_fit_run", fit_law, PRECIS_EIO },
        { "precis_suite_open", open_suite, PRECIS_OK },
        { "precis_manifest_open", open_manifest, PRECIS_OK },
        /* it has no name then */
        { "precis_history_add", add_run, precis_history_available() ? PRECIS_EINVAL : PRECIS_EUNSUPPORTED },
    };
    ctx = test_ctx(1);
    snprintf(path, sizeof path, "%s/out.gguf", test_folder());
    OK(ctx, precis_model_open(ctx, &model, PRECIS_SOURCE_DIR "/models/gutenberg-7m"));
    OK(ctx, precis_plan_types(ctx, &plan, model, "Q8_0", 0));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        _Alignas(16) unsigned char options[1024];
        const uint32_t size = OLD;
        memset(options, 0xa5, sizeof options);
        memset(options, 0, OLD);
        memcpy(options, &size, sizeof size);
        const precis_status st = calls[i].call(options);
        if (st != calls[i].expected) fail_msg("%s: status %d (%s)", calls[i].what, st, precis_ctx_message(ctx));
    }
    precis_plan_close(&plan);
    precis_model_close(&model);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
