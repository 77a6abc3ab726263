/* Options and results of a caller who was compiled against an older, shorter struct: what lies after it is neither
 * read nor written. Each call gets its options in a struct that ends after the size, with bytes of another kind after
 * it (a pointer or a number among them would be followed, or refused), and its result in one whose bytes after the
 * size must stay as they are. */
#include "read/onnx_arrays.h"
#include "read/onnx_net.h"

#include "model/model.h"
#include "precis/bench.h"
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

static precis_net *net;
static precis_array input;
static precis_net_quant *job;

static precis_status tell_model(void *r) { return precis_model_get_info(model, r), PRECIS_OK; }
static precis_status tell_tensor(void *r) { return precis_model_get_tensor(model, 0, r); }
static precis_status tell_format(void *r) { return precis_format_find("Q8_0", r); }
static precis_status tell_plan(void *r) { return precis_plan_get(plan, 0, r); }
static precis_status tell_kernel(void *r) { return precis_plan_get_kernel(plan, 0, r); }
static precis_status solve(void *r)
{
    const precis_choice one = { .bytes = 1, .loss = 1 };
    const precis_item item = { &one, 1 };
    size_t pick;
    return precis_plan_solve(ctx, &item, 1, 1, &pick, r);
}
static precis_status plan_budget(void *r)
{
    precis_plan *p = NULL;
    const precis_status st = precis_quant_plan(ctx, &p, model, 10000000, NULL, r);
    precis_plan_close(&p);
    return st;
}
static precis_status evaluate(void *r)
{
    static const char text[] = "It was the best of times, it was the worst of times, it was the age of wisdom";
    const precis_eval_options o = { .size = sizeof o, .window = 8, .windows = 1 };
    return precis_eval_text(ctx, model, NULL, text, sizeof text - 1, &o, r);
}
static precis_status measure(void *r)
{
    const precis_bench_options o = { .size = sizeof o, .prompt = 2, .generate = 1 };
    return precis_bench(ctx, PRECIS_SOURCE_DIR "/models/gutenberg-7m", &o, r);
}
static precis_status judge(void *r)
{
    const double drops[] = { 0.1, 0.2, 0.1, 0.2 };
    return precis_gate(ctx, drops, 4, 1, 0.5, r);
}
static precis_status judge_accuracy(void *r) { return precis_gate_accuracy(ctx, 100, 2, 1, 0.1, r); }
static precis_status measure_net(void *r)
{
    const precis_net_bench_options o = { .size = sizeof o, .seconds = 1e-3, .net_alone = 1 };
    return precis_net_bench(net, &input, 1, &o, r);
}
static precis_status write_net(void *r) { return precis_net_write(net, path, r); }
static precis_status write_net_c(void *r) { return precis_net_write_c(net, path, r); }
static precis_status write_job(void *r) { return precis_net_quant_write(job, path, r); }
static precis_status tell_node(void *r) { return precis_net_quant_node(job, 0, r) ? PRECIS_OK : PRECIS_EINVAL; }
static precis_status learn_words(void *r)
{
    static const char *const texts[] = { PRECIS_SOURCE_DIR "/README.md" };
    return precis_tokenizer_train(ctx, texts, 1, 300, path, r);
}

static onnx_tensor net_in[2];

static void open_small_net(void)
{
    onnx_tensor out[1];
    const size_t n = read_tensors("float[2,3] x {1,2,3,4,5,6} float[3,2] w {1,2,3,4,5,6}", net_in);
    read_tensors("float[1] y {0}", out);
    onnx_bytes file = onnx_model(&(onnx_case){ "y = MatMul (x, w)", 17, net_in, out, n, 1, 1 });
    snprintf(path, sizeof path, "%s/n.onnx", test_folder());
    test_write(path, file.data, file.n);
    OK(ctx, precis_net_open(ctx, &net, path));
    onnx_inputs(ctx, net, net_in, 1, &input);
    const precis_net_quant_options o = { .size = sizeof o, .mode = "weights" };
    OK(ctx, precis_net_quant_open(net, &o, &job));
    OK(ctx, precis_net_quant_pass(job));
    free(file.data), free_tensors(out, 1), free_tensors(net_in + 1, n - 1);
}

static void test_results(void **state)
{
    (void)state;
    const struct {
        const char *what;
        precis_status (*call)(void *result);
    } calls[] = {
        { "precis_model_get_info", tell_model },   { "precis_model_get_tensor", tell_tensor },
        { "precis_format_find", tell_format },     { "precis_plan_get", tell_plan },
        { "precis_plan_get_kernel", tell_kernel }, { "precis_plan_solve", solve },
        { "precis_quant_plan", plan_budget },      { "precis_eval_text", evaluate },
        { "precis_bench", measure },               { "precis_gate", judge },
        { "precis_gate_accuracy", judge_accuracy }, { "precis_net_bench", measure_net },
        { "precis_net_write", write_net },         { "precis_net_write_c", write_net_c },
        { "precis_net_quant_write", write_job },   { "precis_net_quant_node", tell_node },
        { "precis_tokenizer_train", learn_words },
    };
    ctx = test_ctx(1);
    OK(ctx, precis_model_open(ctx, &model, PRECIS_SOURCE_DIR "/models/gutenberg-7m"));
    OK(ctx, precis_plan_types(ctx, &plan, model, "Q8_0", 0));
    open_small_net();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        _Alignas(16) unsigned char result[4096];
        const uint32_t size = OLD;
        memset(result, 0xa5, sizeof result);
        memset(result, 0, OLD);
        memcpy(result, &size, sizeof size);
        snprintf(path, sizeof path, "%s/%zu.out", test_folder(), i);
        const precis_status st = calls[i].call(result);
        if (st) fail_msg("%s: status %d (%s)", calls[i].what, st, precis_ctx_message(ctx));
        for (size_t k = OLD; k < sizeof result; k++)
            if (result[k] != 0xa5) fail_msg("%s: byte %zu behind a struct of %d was written", calls[i].what, k, OLD);
    }
    precis_net_quant_close(&job);
    free_inputs(&input, 1), free_tensors(net_in, 1);
    precis_net_close(&net);
    precis_plan_close(&plan);
    precis_model_close(&model);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older),
        cmocka_unit_test(test_results),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
