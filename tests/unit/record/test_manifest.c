/* The manifest of a job that is called from C, without a command line: it is written beside the output, says what it
 * was made from, has the same bytes for the same job, and is refused where it could not be read again. */
#include "test.h"

#include "base/json_sorted.h"

static precis_ctx *ctx;
static precis_model *model;
static char input[512];

static const char *const arguments[] = { "--type", "Q4_K", "--note", "a \"quoted\"\tword, \x01 and \xc3\xa9" };

static precis_manifest *open_manifest(const char *named)
{
    static precis_manifest_input in[1];
    in[0] = (precis_manifest_input){ "--calib", named, NULL };
    precis_manifest_options o = PRECIS_MANIFEST_OPTIONS_INIT;
    o.model_path = "model";
    o.arguments = arguments;
    o.n_arguments = 4;
    o.inputs = in;
    o.n_inputs = 1;
    o.seed = 7;
    precis_manifest *m;
    OK(ctx, precis_manifest_open(ctx, &m, model, &o));
    return m;
}

/* The file that precis_job_quantize wrote beside its output. */
static char *manifest_of(const char *name, char output_sha256[65])
{
    char path[512], beside[560];
    size_t len;
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    snprintf(beside, sizeof beside, "%s.manifest.json", path);
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    precis_job job = { 0 };
    precis_manifest *m = open_manifest(input);
    o.type = "Q4_K";
    o.quant.method = "rtn";
    o.no_calibration = 1;
    o.no_eval = 1;
    o.manifest = precis_manifest_text;
    o.user = m;
    OK(ctx, precis_job_quantize(ctx, model, path, &o, &job));
    precis_job_close(&job);
    precis_manifest_close(&m);
    OK(ctx, precis_sha256_file(ctx, path, output_sha256));
    char *text = test_read(beside, &len);
    assert_non_null(text);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("the manifest lacks %s", part);
}

static void test_written(void **state)
{
    (void)state;
    char one_sha[65], two_sha[65], part[128], tensors[65], file[65];
    char *one = manifest_of("one.gguf", one_sha), *two = manifest_of("two.gguf", two_sha);
    assert_string_equal(one, two); /* no time, no host, no name of the output */
    assert_string_equal(one_sha, two_sha);
    OK(ctx, precis_model_sha256(model, tensors));
    OK(ctx, precis_sha256_file(ctx, input, file));
    snprintf(part, sizeof part, "\"sha256\": \"%s\"", one_sha);
    assert_has(one, part);
    snprintf(part, sizeof part, "\"tensors_sha256\": \"%s\"", tensors);
    assert_has(one, part);
    snprintf(part, sizeof part, "\"sha256\": \"%s\"", file);
    assert_has(one, part);
    assert_has(one, "\"a \\\"quoted\\\"\\tword, \\u0001 and \xc3\xa9\"");
    assert_has(one, "\"seed\": 7");
    assert_has(one, "\"type\": \"Q4_K\"");
    assert_has(one, "\"calibration\": null");
    /* it is JSON, in the one form that it has */
    pcs_buf again;
    pcs_buf_init(&again, ctx, PCS_LIMIT_JSON);
    OK(ctx, pcs_json_sorted(&again, (pcs_json_slice){ one, strlen(one) }, PCS_JSON_INDENTED));
    assert_int_equal(again.len, strlen(one));
    assert_memory_equal(again.data, one, again.len);
    pcs_buf_free(&again);
    free(one);
    free(two);
}

static void test_key(void **state)
{
    (void)state;
    const char *key, *other;
    precis_manifest *m = open_manifest(input), *changed = open_manifest(input);
    OK(ctx, precis_manifest_key(m, &key));
    assert_null(strchr(key, '\n'));
    assert_ptr_equal(strstr(key, "{\"arguments\":[\"--type\""), key);
    OK(ctx, precis_manifest_key(changed, &other));
    assert_string_equal(key, other);
    test_write(input, "other words", 11); /* the same path, another file: another job */
    OK(ctx, precis_manifest_key(changed, &other));
    assert_string_not_equal(key, other);
    test_write(input, "words", 5);
    precis_manifest_close(&m);
    precis_manifest_close(&changed);
    precis_manifest_close(&changed); /* of none: nothing */
}

static void test_refused(void **state)
{
    (void)state;
    const char *key = "";
    precis_manifest *m = open_manifest("/nowhere/text");
    assert_int_equal(precis_manifest_key(m, &key), PRECIS_EIO);
    assert_null(key);
    assert_non_null(strstr(precis_ctx_message(ctx), "/nowhere/text"));
    precis_manifest_close(&m);
    precis_manifest_options o = PRECIS_MANIFEST_OPTIONS_INIT;
    o.model_path = "\xff\xfe";
    OK(ctx, precis_manifest_open(ctx, &m, model, &o));
    assert_int_equal(precis_manifest_key(m, &key), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "UTF-8"));
    precis_manifest_close(&m);
}

/* Of a net: its file's hash, the input that a file is for, what measurements left in float, no evaluation. */
static void test_net(void **state)
{
    (void)state;
    static const char *const floats[] = { "conv \"1\"", "head" };
    const precis_manifest_input in = { "--calib", input, "pixels" };
    precis_manifest_options o = PRECIS_MANIFEST_OPTIONS_INIT;
    precis_manifest *m;
    const char *text;
    char file[65], part[128];
    size_t len;
    o.model_path = input;
    o.inputs = &in;
    o.n_inputs = 1;
    o.floats = floats;
    o.n_floats = 2;
    OK(ctx, precis_manifest_open(ctx, &m, NULL, &o));
    OK(ctx, precis_manifest_net_text(m, "5eed", 12345, &text, &len));
    assert_int_equal(strlen(text), len);
    OK(ctx, precis_sha256_file(ctx, input, file));
    snprintf(part, sizeof part, "\"tensors_sha256\": \"%s\"", file);
    assert_has(text, part);
    assert_has(text, "\"floats\": [\n  \"conv \\\"1\\\"\",\n  \"head\"\n ]");
    assert_has(text, "\"bytes\": 12345,\n  \"sha256\": \"5eed\"");
    assert_has(text, "\"name\": \"pixels\"");
    assert_null(strstr(text, "evaluation"));
    precis_manifest_close(&m);
    o.model_path = "/nowhere/net.onnx";
    OK(ctx, precis_manifest_open(ctx, &m, NULL, &o));
    assert_int_equal(precis_manifest_net_text(m, "", 0, &text, &len), PRECIS_EIO);
    precis_manifest_close(&m);
}

/* Members by their keys at every level, numbers and strings untouched; what is no JSON is refused. */
static void test_sorted(void **state)
{
    (void)state;
    static const struct { const char *in, *out; } cases[] = {
        { "{\"b\":[1,{\"z\":null,\"y\":true}],\"a\":{},\"aa\":[]}",
          "{\"a\":{},\"aa\":[],\"b\":[1,{\"y\":true,\"z\":null}]}" },
        { " [ 1.50 , -2e+7,\"\\u00e9\" , false ] ", "[1.50,-2e+7,\"\\u00e9\",false]" },
        { "\"x\"", "\"x\"" }, { "{\"a\":1,\"b\"}", NULL }, { "[1,]", NULL }, { "", NULL }, { "{} {}", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pcs_buf b;
        pcs_buf_init(&b, ctx, 4096);
        const pcs_json_slice in = { cases[i].in, strlen(cases[i].in) };
        const precis_status st = pcs_json_sorted(&b, in, PCS_JSON_ON_ONE_LINE);
        assert_int_equal(st, cases[i].out ? PRECIS_OK : PRECIS_EFORMAT);
        if (!st) assert_int_equal(b.len, strlen(cases[i].out));
        if (!st) assert_memory_equal(b.data, cases[i].out, b.len);
        pcs_buf_free(&b);
    }
}

int main(void)
{
    ctx = test_ctx(2);
    snprintf(input, sizeof input, "%s/calib.txt", test_folder());
    test_write(input, "words", 5);
    if (precis_model_open(ctx, &model, MODEL)) return 1;
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_written), cmocka_unit_test(test_key),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_net),
                                        cmocka_unit_test(test_sorted) };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    precis_model_close(&model);
    precis_ctx_close(&ctx);
    return failed;
}
