/* hf_quant_config.c - quantization_config of config.json: the method, and what the layout of its modules depends on. */
#include "read/hf.h"

/* Layouts of the same methods that are packed otherwise. */
/* A value of JSON in a message: so much of it. */
static int shown(pcs_json_slice v) { return (int)(v.len > 60 ? 60 : v.len); }

static precis_status check_layout(precis_model *m, pcs_json_slice quant, const pcs_hf_quant *s)
{
    static const struct { const char *method, *key, *values[10], *remedy; } known[] = {
        { "awq", "version", { "gemm", "GEMM" }, "AutoAWQ writes version \"gemm\"" },
        { "gptq", "checkpoint_format", { "gptq", "gptq_v2" }, "GPTQModel writes checkpoint_format \"gptq\"" },
        { "compressed-tensors", "format",
          { "pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "nvfp4-pack-quantized",
            "mxfp4-pack-quantized", "mxfp8-quantized", "mixed-precision", "dense" },
          "llm-compressor can save it dense" },
    };
    precis_status st = PRECIS_OK;
    pcs_json_slice v, inner;
    double bits;
    bool there;
    for (size_t i = 0; i < sizeof known / sizeof *known && !st; i++) {
        bool ok = false;
        if (strcmp(s->method, known[i].method)) continue;
        st = pcs_json_find(m->ctx, quant, known[i].key, &v);
        if (st || !v.text || v.text[0] != '"') continue;
        for (size_t k = 0; k < 10 && known[i].values[k]; k++) ok |= pcs_hf_is(v, known[i].values[k]);
        if (!ok)
            return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                            "%s: config.json: quantization_config: %s %.*s cannot be read; %s", m->path, known[i].key,
                            shown(v), v.text, known[i].remedy);
    }
    if (!st) st = pcs_json_find(m->ctx, quant, "sparsity_config", &inner);
    if (!st && inner.text && inner.text[0] == '{') st = pcs_json_find(m->ctx, inner, "format", &v);
    if (!st && inner.text && inner.text[0] == '{' && v.text && v.text[0] == '"' && !pcs_hf_is(v, "dense"))
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: config.json: quantization_config: sparsity_config %.*s cannot be read; save it dense",
                        m->path, shown(v), v.text);
    if (!st) st = pcs_hf_number_of(m->ctx, quant, "bits", &bits, &there);
    if (!st && there && !strcmp(s->method, "awq") && bits != 4)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: config.json: quantization_config: awq with %g bits cannot be read; 4 can", m->path, bits);
    return st;
}

/* The name of a method that can be read, or "". */
static const char *method_of(pcs_json_slice v)
{
    static const char *const known[] = { "gptq", "awq", "fp8", "bitnet", "compressed-tensors" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (pcs_hf_is(v, known[i])) return known[i];
    return "";
}

/* The first of compressed-tensors' config_groups: bits of its weights, and the scheme of what its modules read. */
static precis_status read_group(precis_model *m, pcs_json_slice groups, pcs_hf_quant *s)
{
    pcs_json_slice inputs, weights, type, strategy, one = { 0 };
    pcs_json j;
    pcs_json_token t;
    char *name;
    size_t len;
    double v, bits = 8, symmetric = 1, group = 0;
    bool there;
    pcs_json_init(&j, m->ctx, groups.text, groups.len);
    precis_status st = pcs_json_next(&j, &t);
    if (!st) st = pcs_json_next(&j, &t);
    if (st || t.type != PCS_JSON_KEY) return st;
    st = pcs_json_string(&j, &t, &m->arena, &name, &len);
    if (!st) st = pcs_json_find(m->ctx, groups, name, &one);
    if (st || !one.text || one.text[0] != '{') return st;
    st = pcs_json_find(m->ctx, one, "weights", &weights);
    if (!st && weights.text && weights.text[0] == '{') {
        st = pcs_hf_number_of(m->ctx, weights, "num_bits", &v, &there);
        if (!st && there) s->bits = v >= 1 && v <= 16 ? (int)v : 0;
    }
    if (!st) st = pcs_json_find(m->ctx, one, "input_activations", &inputs);
    if (st || !inputs.text || inputs.text[0] != '{') return st;
    st = pcs_json_find(m->ctx, inputs, "type", &type);
    if (!st) st = pcs_json_find(m->ctx, inputs, "strategy", &strategy);
    if (!st) st = pcs_hf_number_of(m->ctx, inputs, "num_bits", &bits, &there);
    if (!st) st = pcs_hf_number_of(m->ctx, inputs, "symmetric", &symmetric, &there);
    if (!st) st = pcs_hf_number_of(m->ctx, inputs, "group_size", &group, &there);
    if (st) return st;
    if (!pcs_hf_is(type, "float")) {
        const int whole = bits >= 2 && bits <= 8 ? (int)bits : 8;
        s->input = pcs_arena_printf(&m->arena, "%sINT%d", symmetric != 0 ? "" : "U", whole);
    } else if (group == 32) s->input = bits == 8 ? "MXFP8_E4M3" : "MXFP4";
    else s->input = bits == 8 ? "FP8_E4M3" : "NVFP4";
    return PRECIS_OK;
}

precis_status pcs_hf_quant_settings(precis_model *m, pcs_json_slice text, pcs_hf_quant *s, bool *found)
{
    pcs_json_slice quant, groups = { 0 }, method, member;
    double v;
    bool there;
    precis_status st = pcs_json_find(m->ctx, text, "quantization_config", &quant);
    if (!st && !quant.text) st = pcs_json_find(m->ctx, text, "compression_config", &quant);
    *found = false;
    if (st || !quant.text || quant.text[0] != '{') return st;
    *found = true;
    st = pcs_json_find(m->ctx, quant, "quant_method", &method);
    s->method = method_of(method);
    if (!st && method.text && !*s->method)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: config.json: quant_method %.*s cannot be read (compressed-tensors, gptq, awq, fp8 and "
                        "bitnet can); dequantize it with the program that made it",
                        m->path, (int)(method.len > 40 ? 40 : method.len), method.text);
    if (!st) st = check_layout(m, quant, s);
    if (!st && !strcmp(s->method, "bitnet")) {
        s->input = "INT8";
        st = pcs_json_find(m->ctx, quant, "linear_class", &member);
        s->divides = !member.text || !pcs_hf_is(member, "autobitlinear");
    }
    if (!st) st = pcs_hf_number_of(m->ctx, quant, "bits", &v, &there);
    if (!st && there) s->bits = v >= 1 && v <= 8 ? (int)v : 0;
    if (!st) st = pcs_hf_number_of(m->ctx, quant, "group_size", &v, &there);
    if (!st && there) s->group = v >= 1 && v < 1e9 ? (int64_t)v : -1;
    if (!st) st = pcs_json_find(m->ctx, quant, "checkpoint_format", &member);
    if (!st) s->v2 = pcs_hf_is(member, "gptq_v2");
    if (!st) st = pcs_json_find(m->ctx, quant, "config_groups", &groups);
    if (st || !groups.text || groups.text[0] != '{') return st;
    return read_group(m, groups, s);
}

int64_t pcs_hf_packed_words(int64_t n, int bits, bool dense)
{
    return dense ? (n * bits + 31) / 32 : (n + 32 / bits - 1) / (32 / bits);
}

int pcs_hf_packed_bits(int64_t n, int64_t words)
{
    int found[2] = { 0 }, count[2] = { 0 };
    for (int bits = 2; bits <= 8; bits++)
        for (int dense = 0; dense < 2; dense++)
            if (pcs_hf_packed_words(n, bits, dense) == words) found[dense] = bits, count[dense]++;
    const int how = count[1] > 0;
    return count[how] == 1 ? found[how] : 0;
}
