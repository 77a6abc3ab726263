/* test_quantized_folders.c - modules of quantized checkpoints in transformers folders: their weights are what
 * make_quantized_folders.py says that they are, and parts that do not fit are refused with their reason; numbers beside
 * experts are stacked. */
#include "folders.h"
#include "onnx_arrays.h"

typedef struct {
    const char *name, *config, *tensors, *want; /* a tensor of floats, or the reason of an error */
    const char *more;                           /* of config.json; NULL: a type that precis has no net for */
} module_row;

static const module_row good[] = {
#include "quantized_folders.inc"
};

static const char *type_of(const onnx_tensor *t)
{
    static const char *const types[][2] = { { "float", "F32" }, { "float16", "F16" }, { "uint8", "U8" },
                                            { "int8", "I8" },   { "int32", "I32" },   { "int64", "I64" } };
    for (size_t i = 0; i < ONNX_COUNT(types); i++)
        if (!strcmp(types[i][0], onnx_types[t->type].name)) return types[i][1];
    fail_msg("no %s in safetensors here", onnx_types[t->type].name);
    return NULL;
}

static void save_tensors(const char *path, const char *text)
{
    onnx_tensor t[PORTS];
    onnx_bytes data = { 0 }, file = { 0 };
    char head[4096];
    const size_t count = read_tensors(text, t);
    size_t n = (size_t)snprintf(head, sizeof head, "{");
    for (size_t i = 0; i < count; i++) {
        const size_t at = data.n;
        for (size_t k = 0; k < t[i].n; k++) onnx_element(&t[i], k, &data);
        n += (size_t)snprintf(head + n, sizeof head - n, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "",
                              t[i].name, type_of(&t[i]));
        for (uint32_t k = 0; k < t[i].dims; k++)
            n += (size_t)snprintf(head + n, sizeof head - n, "%s%lld", k ? "," : "", (long long)t[i].shape[k]);
        n += (size_t)snprintf(head + n, sizeof head - n, "],\"data_offsets\":[%zu,%zu]}", at, data.n);
    }
    n += (size_t)snprintf(head + n, sizeof head - n, "}");
    while (n % 8) head[n++] = ' ';
    onnx_put(&file, &(uint64_t){ n }, 8), onnx_put(&file, head, n), onnx_put(&file, data.data, data.n);
    test_write(path, file.data, file.n);
    free(file.data), free(data.data), free_tensors(t, count);
}

static precis_status open_row(precis_ctx *ctx, const module_row *r, precis_model **m)
{
    char folder[96], path[128], config[1024];
    snprintf(folder, sizeof folder, "%s/q", test_folder());
    mkdir(folder, 0777);
    const int n = snprintf(config, sizeof config, "{%s%s%s%s}", r->more ? r->more : "'model_type':'of_pictures'",
                           r->config ? ",'quantization_config':{" : "", r->config ? r->config : "",
                           r->config ? "}" : "");
    for (int i = 0; i < n; i++)
        if (config[i] == '\'') config[i] = '"';
    snprintf(path, sizeof path, "%s/config.json", folder);
    test_write(path, config, (size_t)n);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    save_tensors(path, r->tensors);
    return precis_model_open(ctx, m, folder);
}

static void same_weights(const module_row *r, const precis_model *m)
{
    onnx_tensor want[PORTS];
    const size_t count = read_tensors(r->want, want);
    for (size_t w = 0; w < count; w++) {
        const pcs_tensor *t = pcs_model_tensor(m, want[w].name);
        if (!t || t->dims != want[w].dims || t->n != want[w].n) {
            DIFFERS("%s: no %s of this shape", r->name, want[w].name);
            continue;
        }
        float *x = calloc((size_t)t->ne[0] + 256, sizeof *x);
        for (uint64_t i = 0; i < t->n; i++) {
            const uint64_t c = i % (uint64_t)t->ne[0];
            if (!c) folder_row(t, i / (uint64_t)t->ne[0], x);
            if ((double)x[c] == want[w].values[i].real) continue;
            DIFFERS("%s: %s[%llu] is %g, not %g", r->name, t->name, (unsigned long long)i, (double)x[c],
                    want[w].values[i].real);
            break;
        }
        free(x);
    }
    free_tensors(want, count);
}

static void test_modules(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    differences = 0;
    for (size_t i = 0; i < ONNX_COUNT(good); i++) {
        precis_model *m;
        if (open_row(ctx, &good[i], &m)) DIFFERS("%s: %s", good[i].name, precis_ctx_message(ctx));
        else same_weights(&good[i], m), precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
}

#define GPTQ(group) "'quant_method':'gptq','bits':4,'group_size':" #group
#define CT4 CT ",'config_groups':{'group_0':{'weights':{'num_bits':4}}}"
#define CT "'quant_method':'compressed-tensors'"
#define WORDS "int32[1,8] m.qweight {1,2,3,4,5,6,7,8} "
#define ZEROS "int32[1,1] m.qzeros {0} "
#define SCALES "float[1,8] m.scales {1,1,1,1,1,1,1,1} "
#define PACKED "int32[2,1] m.weight_packed {1,2} float[2,1] m.weight_scale {1,1} "
#define EIGHT "int8[2,3] m.weight {1,2,3,4,5,6} "
static const module_row bad[] = {
    { "no zeros", GPTQ(8), WORDS SCALES, "module m: qweight without qzeros and scales", NULL },
    { "no bits", "'quant_method':'gptq'", WORDS ZEROS SCALES, "bits is missing or not 2 to 8", NULL },
    { "few outputs", "'quant_method':'gptq','bits':3", "int32[3,8] m.qweight {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
      "1,1,1,1} " ZEROS SCALES, "its outputs do not fill whole words", NULL },
    { "scales", GPTQ(8), WORDS ZEROS "float[1,4] m.scales {1,1,1,1}", "scales or qzeros do not fit qweight", NULL },
    { "group size", GPTQ(4), WORDS ZEROS SCALES, "group size of config.json does not fit scales", NULL },
    { "more groups than inputs", GPTQ(-1), WORDS "int32[9,1] m.qzeros {0,0,0,0,0,0,0,0,0} float[9,8] m.scales {1,1,1,1,"
      "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
      "1,1,1,1,1,1,1,1,1,1,1,1,1}", "group size of config.json does not fit scales", NULL },
    { "index", GPTQ(8), WORDS ZEROS SCALES "int32[7] m.g_idx {0,0,0,0,0,0,0}", "g_idx is not one int32 per input",
      NULL },
    { "index beyond", GPTQ(8), WORDS ZEROS SCALES "int32[8] m.g_idx {0,0,0,0,0,2,0,0}",
      "g_idx 2 of input 5 is outside of 1 groups", NULL },
    { "zero beyond", GPTQ(8), WORDS "int32[1,1] m.qzeros {15} " SCALES,
      "zero point 16 of row 0, group 0 does not fit 4 bits", NULL },
    { "bits of awq", "'quant_method':'awq','bits':8", WORDS ZEROS SCALES, "awq with 8 bits cannot be read; 4 can",
      NULL },
    { "no shape", CT, PACKED, "weight_packed without weight_scale and weight_shape", NULL },
    { "other rows", CT, PACKED "int64[2] m.weight_shape {3,8}", "weight_shape has other rows", NULL },
    { "no columns", CT, PACKED "int64[2] m.weight_shape {2,0}", "weight_shape has no columns, or too many", NULL },
    { "other columns", CT, PACKED "int64[2] m.weight_shape {2,99}", "how many bits its codes have", NULL },
    { "bits not said", CT, PACKED "int64[2] m.weight_shape {2,8}", "how many bits its codes have", NULL },
    { "odd scales", CT4, "int32[2,1] m.weight_packed {1,2} float[3] m.weight_scale {1,1,1} int64[2] m.weight_shape "
      "{2,8}", "weight_scale does not fit the matrix", NULL },
    { "packed zeros", CT4, PACKED "int64[2] m.weight_shape {2,8} int8[3] m.weight_zero_point {0,0,0}",
      "weight_zero_point does not fit the matrix", NULL },
    { "packed zero below", CT4, PACKED "int64[2] m.weight_shape {2,8} int8[2,1] m.weight_zero_point {0,-9}",
      "zero point -1 of row 1, group 0 does not fit 4 bits", NULL },
    { "zeros of eight", CT, EIGHT "float[2,1] m.weight_scale {1,1} int8[3] m.weight_zero_point {0,0,0}",
      "weight_zero_point does not fit the matrix", NULL },
    { "scales of eight", CT, EIGHT "float[4] m.weight_scale {1,1,1,1}", "weight_scale does not fit the matrix", NULL },
};

static void test_misfits(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    differences = 0;
    for (size_t i = 0; i < ONNX_COUNT(bad); i++) {
        precis_model *m;
        const precis_status st = open_row(ctx, &bad[i], &m);
        const bool typed = st == PRECIS_EFORMAT || st == PRECIS_EUNSUPPORTED;
        if (!typed || !strstr(precis_ctx_message(ctx), bad[i].want))
            DIFFERS("%s: %d, not \"%s\": %s", bad[i].name, (int)st, bad[i].want, st ? precis_ctx_message(ctx) : "");
        if (!st) precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
}

/* Numbers beside experts: scales stay apart, inputs share the largest. */
#define E(n) "model.layers.0.block_sparse_moe.experts." #n ".w1"
#define MIXTRAL \
    "'model_type':'mixtral','hidden_size':4,'num_hidden_layers':1,'intermediate_size':2,'num_attention_heads':1," \
    "'num_key_value_heads':1,'vocab_size':8,'max_position_embeddings':16,'rms_norm_eps':0.00001,'rope_theta':10000," \
    "'num_local_experts':2,'num_experts_per_tok':1"
#define BOTH "float[2,4] " E(0) ".weight {1,2,3,4,5,6,7,8} float[2,4] " E(1) ".weight {9,10,11,12,13,14,15,16} "

static void test_experts(void **state)
{
    (void)state;
    static const module_row row = {
        "experts", NULL, BOTH "float[1] " E(0) ".scale {0.5} float[1] " E(1) ".scale {0.25} float[1] " E(0)
        ".input_scale {3} float[1] " E(1) ".input_scale {4}",
        "float[2,2,4] blk.0.ffn_gate_exps.weight {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16} "
        "float[2] blk.0.ffn_gate_exps.scale {0.5,0.25} float[1] blk.0.ffn_gate_exps.input_scale {4}", MIXTRAL };
    static const module_row wrong[] = {
        { "two numbers", NULL, BOTH "float[2] " E(0) ".scale {0.5,1}", "not one F32 number", MIXTRAL },
        { "a third", NULL, BOTH "float[2,4] " E(2) ".weight {1,2,3,4,5,6,7,8}", "expert 2 of 2", MIXTRAL },
        { "a vector", NULL, "float[8] " E(0) ".weight {1,2,3,4,5,6,7,8}", "expert 0 of 2", MIXTRAL },
        { "other shapes", NULL, "float[2,4] " E(0) ".weight {1,2,3,4,5,6,7,8} float[1,4] " E(1) ".weight {1,2,3,4}",
          "differs from other experts", MIXTRAL },
    };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    differences = 0;
    OK(ctx, open_row(ctx, &row, &m));
    same_weights(&row, m);
    precis_model_close(&m);
    for (size_t i = 0; i < ONNX_COUNT(wrong); i++)
        if (open_row(ctx, &wrong[i], &m) != PRECIS_EFORMAT || !strstr(precis_ctx_message(ctx), wrong[i].want))
            DIFFERS("%s, not \"%s\": %s", wrong[i].name, wrong[i].want, precis_ctx_message(ctx));
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_modules), cmocka_unit_test(test_misfits),
                                        cmocka_unit_test(test_experts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
