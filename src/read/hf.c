/* hf.c - config.json, generation_config.json, tokenizer and chat template of a transformers folder, as GGUF's keys and names.
 *
 * Query and key rows of llama are put into GGUF's rotary order, gemma's norm weights get the 1 that the model adds, gpt2's
 * matrices are turned round, and experts are put into one tensor: each costs a copy. */
#include "read/hf.h"
#include "base/f16.h"
#include "base/fmath.h"
#include "read/tokenizer_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct { precis_model *m; pcs_json_slice text; const char *type, *arch; } config;

/* Model types, and the architecture that builds them. */
static const pcs_hf_type types[] = {
    { "llama", "llama", true, false, false }, { "mistral", "llama", true, false, false }, { "mixtral", "llama", true, false, false },
    { "qwen2", "qwen2", false, false, false }, { "qwen3", "qwen3", false, false, false }, { "qwen3_moe", "qwen3moe", false, false, false },
    { "gemma", "gemma", false, true, false }, { "gemma2", "gemma2", false, true, false }, { "gemma3_text", "gemma3", false, true, false },
    { "gemma3", "gemma3", false, true, false }, { "phi3", "phi3", false, false, false }, { "gpt2", "gpt2", false, false, true },
    { "bert", "bert", false, false, false }, { "bitnet", "bitnet", false, false, false },
};
enum { TYPES = sizeof types / sizeof *types };

const pcs_hf_type *pcs_hf_type_of(const precis_model *m)
{
    const char *arch = pcs_model_string(m, "general.architecture"), *want = arch;
    if (!arch) return NULL;
    if (!strcmp(arch, "llama")) want = pcs_arch_int(m, "expert_count", 0, NULL) > 0 ? "mixtral" : pcs_arch_int(m, "attention.sliding_window", 0, NULL) > 0 ? "mistral" : "llama";
    else if (!strcmp(arch, "qwen3moe")) want = "qwen3_moe";
    else if (!strcmp(arch, "gemma3")) want = "gemma3_text";
    for (size_t i = 0; i < TYPES; i++)
        if (!strcmp(types[i].type, want)) return &types[i];
    return NULL;
}

precis_status pcs_hf_number(precis_ctx *ctx, pcs_json_slice object, const char *key, double *v, bool *found)
{
    pcs_json_slice s;
    pcs_json j;
    pcs_json_token t;
    precis_status st = pcs_json_find(ctx, object, key, &s);
    *found = false;
    if (st != PRECIS_OK || !s.text) return st;
    pcs_json_init(&j, ctx, s.text, s.len);
    st = pcs_json_next(&j, &t);
    if (st != PRECIS_OK) return st;
    *found = t.type == PCS_JSON_NUMBER || t.type == PCS_JSON_TRUE || t.type == PCS_JSON_FALSE;
    if (t.type != PCS_JSON_NUMBER) {
        *v = t.type == PCS_JSON_TRUE;
        return PRECIS_OK; /* null and others: absent */
    }
    return pcs_json_double(&j, &t, v, key);
}

bool pcs_hf_is(pcs_json_slice s, const char *text)
{
    const size_t n = strlen(text);
    return s.text && s.len == n + 2 && s.text[0] == '"' && !memcmp(s.text + 1, text, n);
}

precis_status pcs_hf_slurp(precis_model *m, const char *folder, const char *name, char **text, size_t *len)
{
    char *path = pcs_arena_printf(&m->arena, "%s/%s", folder, name);
    struct stat sb;
    *text = NULL;
    if (!path) return PRECIS_ENOMEM;
    if (stat(path, &sb)) return PRECIS_OK;
    m->ctx->file = path;
    return pcs_file_slurp(m->ctx, path, PCS_LIMIT_JSON, text, len);
}

static const char *key_name(const config *c, const char *suffix, char buf[128])
{
    snprintf(buf, 128, "%s.%s", c->arch, suffix);
    return buf;
}

static precis_status set_float(config *c, const char *suffix, double v)
{
    char buf[128];
    return pcs_model_set_f32(c->m, key_name(c, suffix, buf), (float)v);
}

static precis_status set_number(config *c, const char *hf, const char *gguf, int kind)
{
    double v;
    bool found;
    char name[128];
    const precis_status st = pcs_hf_number(c->m->ctx, c->text, hf, &v, &found);
    if (st != PRECIS_OK) return st;
    if (!found && kind == 0) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %s is missing", c->m->path, hf);
    if (!found) return PRECIS_OK;
    if (kind == 2) return set_float(c, gguf, v);
    if (v < 0 || v > 4e9 || v != (double)(uint32_t)v) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %s is not a count", c->m->path, hf);
    return pcs_model_set_u32(c->m, key_name(c, gguf, name), (uint32_t)v);
}

static precis_status set_numbers(config *c)
{
    static const struct { const char *types, *hf, *gguf; int kind; } map[] = { /* kind 0: needed whole number, 1: optional, 2: float */
        { NULL, "max_position_embeddings", "context_length", 0 }, { NULL, "hidden_size", "embedding_length", 0 }, { NULL, "num_hidden_layers", "block_count", 0 },
        { NULL, "intermediate_size", "feed_forward_length", 0 }, { NULL, "num_attention_heads", "attention.head_count", 0 },
        { NULL, "num_key_value_heads", "attention.head_count_kv", 1 }, { NULL, "head_dim", "rope.dimension_count", 1 }, { NULL, "head_dim", "attention.key_length", 1 },
        { NULL, "head_dim", "attention.value_length", 1 }, { NULL, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 2 },
        { "bert", "layer_norm_eps", "attention.layer_norm_epsilon", 2 },
        { "gpt2", "n_positions", "context_length", 0 }, { "gpt2", "n_embd", "embedding_length", 0 }, { "gpt2", "n_layer", "block_count", 0 }, { "gpt2", "n_head", "attention.head_count", 0 },
        { "gpt2", "n_inner", "feed_forward_length", 1 }, { "gpt2", "layer_norm_epsilon", "attention.layer_norm_epsilon", 2 },
        { NULL, "vocab_size", "vocab_size", 1 }, { NULL, "sliding_window", "attention.sliding_window", 1 }, { NULL, "attn_logit_softcapping", "attn_logit_softcapping", 2 },
        { NULL, "final_logit_softcapping", "final_logit_softcapping", 2 }, { NULL, "num_local_experts", "expert_count", 1 }, { NULL, "num_experts", "expert_count", 1 },
        { NULL, "num_experts_per_tok", "expert_used_count", 1 }, { NULL, "moe_intermediate_size", "expert_feed_forward_length", 1 }, { NULL, "norm_topk_prob", "expert_weights_norm", 1 },
    };
    const bool gpt2 = !strcmp(c->type, "gpt2");
    precis_status st = pcs_model_set_string(c->m, "general.architecture", c->arch, strlen(c->arch));
    for (size_t i = 0; i < sizeof map / sizeof *map && !st; i++) {
        const bool own = map[i].types && !strcmp(map[i].types, c->type);
        if ((map[i].types && !own) || (gpt2 && !own && map[i].kind == 0)) continue;
        if ((!strcmp(c->arch, "qwen2") || !strcmp(c->arch, "qwen3") || !strcmp(c->arch, "qwen3moe")) && strstr(map[i].gguf, "sliding_window")) continue;
        st = set_number(c, map[i].hf, map[i].gguf, map[i].kind);
    }
    bool there;
    if (!st && gpt2 && (pcs_model_index_keys(c->m), !pcs_arch_int(c->m, "feed_forward_length", 0, &there))) {
        char buf[128];
        st = pcs_model_set_u32(c->m, key_name(c, "feed_forward_length", buf), (uint32_t)(4 * pcs_arch_int(c->m, "embedding_length", 0, NULL)));
    }
    pcs_json_slice act;
    if (!st) st = pcs_json_find(c->m->ctx, c->text, "hidden_act", &act);
    if (!st && !strcmp(c->arch, "bitnet") && pcs_hf_is(act, "relu2")) st = pcs_model_set_string(c->m, "bitnet.feed_forward.activation", "relu2", 5);
    if (!st && !strcmp(c->arch, "bert")) {
        if (act.text && !pcs_hf_is(act, "gelu")) return pcs_fail(c->m->ctx, PRECIS_EUNSUPPORTED, "%s: config.json: hidden_act %.*s: only gelu can be run", c->m->path, (int)act.len, act.text);
        st = pcs_model_set_u32(c->m, "bert.pooling_type", 1);
        if (!st) st = pcs_model_set_bool(c->m, "bert.attention.causal", false);
    }
    return st;
}

/* ---- rotary scaling ------------------------------------------------------------------------------ */

static precis_status add_f32(precis_model *m, const char *name, const float *v, int64_t n)
{
    pcs_tensor *t = pcs_model_add_tensor(m);
    float *data = pcs_arena_alloc(&m->arena, (size_t)n, sizeof *data);
    if (!t || !data) return PRECIS_ENOMEM;
    memcpy(data, v, (size_t)n * sizeof *data);
    t->name = t->source = pcs_arena_copy(&m->arena, name, strlen(name));
    t->format = pcs_format_by_name("F32");
    t->dims = 1;
    t->ne[0] = t->shape[0] = n;
    t->n = (uint64_t)n;
    t->bytes = 4 * t->n;
    t->data = (const uint8_t *)data;
    return t->name ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Llama 3.1's factors of each frequency (its technical report, 2024; transformers modeling_rope_utils). */
static precis_status llama3_factors(config *c, pcs_json_slice rope, double base, int64_t dims)
{
    double v[4];
    static const char *const keys[4] = { "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings" };
    for (int i = 0; i < 4; i++) {
        bool found;
        const precis_status st = pcs_hf_number(c->m->ctx, rope, keys[i], &v[i], &found);
        if (st) return st;
        if (!found || !(v[i] > 0)) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: rope scaling: %s is missing", c->m->path, keys[i]);
    }
    float f[4096];
    if (dims < 2 || dims / 2 > 4096) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: head_dim %lld", c->m->path, (long long)dims);
    for (int64_t i = 0; i < dims / 2; i++) {
        const double wave = 6.283185307179586 * pcs_pow(base, 2.0 * (double)i / (double)dims), smooth = (v[3] / wave - v[1]) / (v[2] - v[1]);
        f[i] = wave < v[3] / v[2] ? 1.0f : wave > v[3] / v[1] ? (float)v[0] : (float)(1.0 / ((1.0 - smooth) / v[0] + smooth));
    }
    char buf[128];
    precis_status st = pcs_model_set_u32(c->m, key_name(c, "rope.scaling.original_context_length", buf), v[3] < 4e9 ? (uint32_t)v[3] : 0);
    if (!st) st = set_float(c, "rope.scaling.low_freq_factor", v[1]);
    if (!st) st = set_float(c, "rope.scaling.high_freq_factor", v[2]);
    return st ? st : add_f32(c->m, "rope_freqs.weight", f, dims / 2);
}

static precis_status longrope_factors(config *c, pcs_json_slice rope)
{
    static const char *const keys[2][2] = { { "long_factor", "rope_factors_long.weight" }, { "short_factor", "rope_factors_short.weight" } };
    for (int k = 0; k < 2; k++) {
        pcs_json_slice list;
        pcs_json j;
        pcs_json_token t;
        float f[4096];
        int64_t n = 0;
        precis_status st = pcs_json_find(c->m->ctx, rope, keys[k][0], &list);
        if (st) return st;
        if (!list.text) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: rope scaling: %s is missing", c->m->path, keys[k][0]);
        pcs_json_init(&j, c->m->ctx, list.text, list.len);
        st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, keys[k][0]);
        while (!st && !(st = pcs_json_next(&j, &t)) && t.type != PCS_JSON_ARRAY_END) {
            double v;
            st = pcs_json_double(&j, &t, &v, keys[k][0]);
            if (n == 4096) return pcs_json_fail(&j, t.text, keys[k][0], "is too long");
            f[n++] = (float)v;
        }
        if (!st) st = add_f32(c->m, keys[k][1], f, n);
        if (st) return st;
    }
    return PRECIS_OK;
}

static precis_status set_scaling(config *c, pcs_json_slice rope, double base)
{
    pcs_json_slice type;
    double v;
    bool found;
    char buf[128];
    precis_status st = pcs_json_find(c->m->ctx, rope, "rope_type", &type);
    if (!st && !type.text) st = pcs_json_find(c->m->ctx, rope, "type", &type);
    if (st || !type.text || pcs_hf_is(type, "default")) return st;
    st = pcs_model_index_keys(c->m);
    if (st) return st;
    int64_t dims = pcs_arch_int(c->m, "rope.dimension_count", 0, NULL);
    const int64_t heads = pcs_arch_int(c->m, "attention.head_count", 1, NULL);
    if (!dims) dims = pcs_arch_int(c->m, "embedding_length", 0, NULL) / (heads > 0 ? heads : 1);
    if (pcs_hf_is(type, "llama3")) return llama3_factors(c, rope, base, dims);
    const bool longrope = pcs_hf_is(type, "longrope") || pcs_hf_is(type, "su");
    st = longrope ? pcs_model_set_string(c->m, key_name(c, "rope.scaling.type", buf), "longrope", 8)
                  : pcs_model_set_string(c->m, key_name(c, "rope.scaling.type", buf), type.text + 1, type.len > 2 ? type.len - 2 : 0);
    double factor = 0;
    if (!st) st = pcs_hf_number(c->m->ctx, rope, "factor", &factor, &found);
    if (!st && found) st = set_float(c, "rope.scaling.factor", factor);
    double original = 0, context = (double)pcs_arch_int(c->m, "context_length", 0, NULL);
    if (!st) st = pcs_hf_number(c->m->ctx, rope, "original_max_position_embeddings", &original, &found);
    if (!st && !found) st = pcs_hf_number(c->m->ctx, c->text, "original_max_position_embeddings", &original, &found);
    if (!st && found && original >= 1 && original < 4e9) st = pcs_model_set_u32(c->m, key_name(c, "rope.scaling.original_context_length", buf), (uint32_t)original);
    static const char *const betas[2][2] = { { "beta_fast", "rope.scaling.yarn_beta_fast" }, { "beta_slow", "rope.scaling.yarn_beta_slow" } };
    for (int i = 0; i < 2 && !st; i++) {
        st = pcs_hf_number(c->m->ctx, rope, betas[i][0], &v, &found);
        if (!st && found) st = set_float(c, betas[i][1], v);
    }
    if (!st) st = pcs_hf_number(c->m->ctx, rope, "attention_factor", &v, &found);
    if (st) return st;
    if (longrope) {
        const double scale = original > 0 ? context / original : 1;
        st = set_float(c, "rope.scaling.attn_factor", found ? v : scale > 1 ? __builtin_sqrt(1 + pcs_log(scale) / pcs_log(original)) : 1);
        return st ? st : longrope_factors(c, rope);
    }
    /* GGUF's factor stands beside YaRN's own 1 + 0.1 ln(factor) */
    return found && factor > 0 ? set_float(c, "rope.scaling.attn_factor", v / (1 + 0.1 * pcs_log(factor))) : PRECIS_OK;
}

static precis_status set_rope(config *c)
{
    pcs_json_slice rope, local, global;
    double base = 10000.0;
    bool found, given;
    precis_status st = pcs_hf_number(c->m->ctx, c->text, "rope_theta", &base, &given);
    if (!st) st = pcs_json_find(c->m->ctx, c->text, "rope_parameters", &rope);
    if (!st && (!rope.text || rope.text[0] != '{')) st = pcs_json_find(c->m->ctx, c->text, "rope_scaling", &rope);
    if (st) return st;
    if (rope.text && rope.text[0] == '{') {
        st = pcs_json_find(c->m->ctx, rope, "full_attention", &global);
        if (!st) st = pcs_json_find(c->m->ctx, rope, "sliding_attention", &local);
        if (!st && local.text) {
            double v;
            st = pcs_hf_number(c->m->ctx, local, "rope_theta", &v, &found);
            if (!st && found) st = set_float(c, "rope.local.freq_base", v);
        }
        if (!st && global.text) rope = global;
        double v;
        if (!st) st = pcs_hf_number(c->m->ctx, rope, "rope_theta", &v, &found);
        if (!st && found) base = v, given = true;
    } else {
        rope.text = NULL;
        double v;
        st = pcs_hf_number(c->m->ctx, c->text, "rope_local_base_freq", &v, &found);
        if (!st && found) st = set_float(c, "rope.local.freq_base", v);
    }
    if (!st && given) st = set_float(c, "rope.freq_base", base);
    return st || !rope.text ? st : set_scaling(c, rope, base);
}

static precis_status set_special(config *c)
{
    static const char *const ids[][2] = { { "bos_token_id", "tokenizer.ggml.bos_token_id" }, { "eos_token_id", "tokenizer.ggml.eos_token_id" }, { "pad_token_id", "tokenizer.ggml.padding_token_id" } };
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 3 && st == PRECIS_OK; i++) {
        double v;
        bool found;
        st = pcs_hf_number(c->m->ctx, c->text, ids[i][0], &v, &found);
        if (st == PRECIS_OK && found && v >= 0 && v < 4e9) st = pcs_model_set_u32(c->m, ids[i][1], (uint32_t)v);
    }
    return st;
}

/* ---- tensors --------------------------------------------------------------------------------------- */

/* Rows of each head: half-split rotary order (r, r + hd/2) to interleaved (2r, 2r + 1). */
static precis_status interleave_rows(precis_model *m, pcs_tensor *t, int64_t heads)
{
    const uint64_t rows = t->dims == 1 ? (uint64_t)t->ne[0] : pcs_tensor_rows(t), row = rows ? t->bytes / rows : 0;
    if (heads < 1 || rows % (2 * (uint64_t)heads)) return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: rows do not divide into heads", m->path, t->source);
    uint8_t *copy = pcs_arena_alloc(&m->arena, (size_t)t->bytes, 1);
    if (!copy) return PRECIS_ENOMEM;
    const uint64_t hd = rows / (uint64_t)heads;
    for (uint64_t r = 0; r < rows; r++) {
        const uint64_t h = r / hd, k = r % hd, from = h * hd + k / 2 + (k % 2 ? hd / 2 : 0);
        memcpy(copy + r * row, t->data + from * row, (size_t)row);
    }
    t->data = copy;
    return PRECIS_OK;
}

static precis_status plus_one(precis_model *m, pcs_tensor *t)
{
    float *f = pcs_arena_alloc(&m->arena, (size_t)t->n, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    pcs_decode(t->format, (size_t)t->n, t->data, f);
    for (uint64_t i = 0; i < t->n; i++) f[i] += 1.0f;
    t->data = (const uint8_t *)f;
    t->format = pcs_format_by_name("F32");
    t->bytes = 4 * t->n;
    return PRECIS_OK;
}

static precis_status transpose(precis_model *m, pcs_tensor *t)
{
    const size_t w = t->format->bytes, rows = (size_t)t->ne[1], cols = (size_t)t->ne[0];
    if (t->format->block != 1 || t->format->head) return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: %s: a %s matrix cannot be turned round", m->path, t->source, t->format->name);
    uint8_t *copy = pcs_arena_alloc(&m->arena, (size_t)t->bytes, 1);
    if (!copy) return PRECIS_ENOMEM;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) memcpy(copy + (c * rows + r) * w, t->data + (r * cols + c) * w, w);
    t->data = copy;
    t->ne[0] = (int64_t)rows;
    t->ne[1] = (int64_t)cols;
    return PRECIS_OK;
}

static bool ends(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

/* A number that stands beside each expert's weight: their weights' scales stay apart, [experts]; the input, which they share, is
 * rounded by the largest. */
static precis_status stack_scalar(precis_model *m, pcs_tensor *s, const pcs_tensor *one, unsigned expert, int64_t count, bool first)
{
    const bool apart = ends(one->name, ".scale");
    if (one->n != 1 || strcmp(one->format->name, "F32")) return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: not one F32 number", m->path, one->source);
    if (first) {
        *s = *one;
        s->dims = 1;
        s->n = apart ? (uint64_t)count : 1;
        s->ne[0] = s->shape[0] = (int64_t)s->n;
        s->bytes = 4 * s->n;
        s->source = s->name;
        if (!(s->data = pcs_arena_alloc(&m->arena, (size_t)s->n, 4))) return PRECIS_ENOMEM;
    }
    float *to = (float *)(uintptr_t)s->data, v = pcs_bits_f32(pcs_load32(one->data));
    if (apart) to[expert] = v;
    else if (v > *to || first) *to = v;
    return PRECIS_OK;
}

/* Tensors of experts, one after another, as one: [experts, rows, width]. numbers: of the expert, or UINT32_MAX. */
static precis_status stack_experts(precis_model *m, const unsigned *numbers, int64_t count)
{
    size_t kept = 0;
    pcs_map first;
    pcs_map_init(&first, m->ctx);
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        pcs_tensor *t = &m->tensors[i];
        uint32_t at = (uint32_t)kept;
        bool existed = false;
        if (numbers[i] == UINT32_MAX) {
            m->tensors[kept++] = *t;
            continue;
        }
        const bool scalar = ends(t->name, ".scale") || ends(t->name, ".input_scale") || ends(t->name, ".input_zero");
        if (numbers[i] >= (uint64_t)count || (!scalar && t->dims != 2)) st = pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: expert %u of %lld", m->path, t->source, numbers[i], (long long)count);
        if (!st && pcs_map_get(&first, t->name, strlen(t->name), &at)) existed = true;
        else if (!st) st = pcs_map_put(&first, t->name, strlen(t->name), (uint32_t)kept, &existed);
        if (st) break;
        const pcs_tensor one = *t;
        if (scalar) {
            st = stack_scalar(m, &m->tensors[at], &one, numbers[i], count, !existed);
            kept += !existed;
            continue;
        }
        if (!existed) {
            uint64_t all;
            if (!pcs_mul_ok(one.bytes, (uint64_t)count, &all) || all > (uint64_t)1 << 46) st = pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: too large", m->path, one.source);
            pcs_tensor *s = &m->tensors[kept++];
            *s = one;
            if (!st && !(s->data = pcs_arena_alloc(&m->arena, (size_t)all, 1))) st = PRECIS_ENOMEM;
            s->dims = 3;
            s->ne[2] = s->shape[0] = count;
            s->shape[1] = one.ne[1];
            s->shape[2] = one.ne[0];
            s->n = one.n * (uint64_t)count;
            s->bytes = all;
            s->source = s->name;
            existed = true;
        }
        pcs_tensor *s = &m->tensors[at];
        if (!st && (one.format != s->format || one.ne[0] != s->ne[0] || one.ne[1] != s->ne[1])) st = pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: differs from other experts", m->path, one.source);
        if (!st) memcpy((uint8_t *)(uintptr_t)s->data + numbers[i] * one.bytes, one.data, (size_t)one.bytes);
    }
    pcs_map_free(&first);
    if (!st) m->n_tensors = kept;
    return st;
}

static precis_status canonical(config *c, size_t row)
{
    precis_model *m = c->m;
    precis_status st = pcs_model_index_keys(m);
    if (st) return st;
    const int64_t heads = pcs_arch_int(m, "attention.head_count", 0, NULL), kv = pcs_arch_int(m, "attention.head_count_kv", heads, NULL), experts = pcs_arch_int(m, "expert_count", 0, NULL);
    unsigned *numbers = pcs_alloc(m->ctx, m->n_tensors, sizeof *numbers);
    if (!numbers) return PRECIS_ENOMEM;
    bool stacked = false;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        pcs_tensor *t = &m->tensors[i];
        char *name = pcs_hf_name(m, c->type, t->source, &numbers[i]);
        if (name) t->name = name;
        stacked |= numbers[i] != UINT32_MAX;
        const bool rows = types[row].interleaved && heads && (ends(t->name, ".weight") || ends(t->name, ".bias"));
        if (rows && strstr(t->name, ".attn_q.")) st = interleave_rows(m, t, heads);
        else if (rows && strstr(t->name, ".attn_k.")) st = interleave_rows(m, t, kv);
        else if (types[row].plus_one && ends(t->name, "norm.weight")) st = plus_one(m, t);
        else if (types[row].transposed && t->dims == 2 && name && strncmp(t->name, "token_", 6) && strncmp(t->name, "position_", 9) && strcmp(t->name, "output.weight")) st = transpose(m, t);
    }
    if (!st && stacked) st = stack_experts(m, numbers, experts);
    pcs_free(m->ctx, numbers);
    return st;
}

static precis_status read_config(precis_model *m, const char *folder)
{
    char *text, *generation = NULL;
    size_t len, n_generation = 0;
    precis_status st = pcs_hf_slurp(m, folder, "config.json", &text, &len);
    if (st) return st;
    if (!text) return pcs_fail(m->ctx, PRECIS_EIO, "%s/config.json: there is no such file", folder);
    config c = { m, { text, len }, "", "" };
    pcs_json_slice type, inner;
    st = pcs_hf_quantized(m, c.text);
    if (!st) st = pcs_json_find(m->ctx, c.text, "model_type", &type);
    size_t row = TYPES;
    for (size_t i = 0; i < TYPES && !st; i++)
        if (pcs_hf_is(type, types[i].type)) row = i;
    if (!st && row == TYPES)
        pcs_warn(m->ctx, "%s: model_type %.*s: tensors keep their names; the model can be inspected and quantized, not run", m->ctx->file, (int)(type.len > 40 ? 40 : type.len),
                 type.text ? type.text : "(none)");
    if (!st && row < TYPES) {
        c.type = types[row].type;
        c.arch = types[row].arch;
        st = pcs_json_find(m->ctx, c.text, "text_config", &inner); /* of a model that sees, the part that reads */
        const pcs_json_slice outer = c.text;
        if (!st && inner.text && inner.text[0] == '{') c.text = inner;
        if (!st) st = set_numbers(&c);
        if (!st) st = set_rope(&c);
        c.text = outer;
        if (!st) st = canonical(&c, row);
        if (!st) st = pcs_hf_slurp(m, folder, "generation_config.json", &generation, &n_generation);
        bool found = false;
        double v;
        if (!st) st = pcs_hf_number(m->ctx, c.text, "bos_token_id", &v, &found);
        if (!st && !found && generation) c.text = (pcs_json_slice){ generation, n_generation };
        if (!st) st = set_special(&c);
    }
    pcs_free(m->ctx, generation);
    pcs_free(m->ctx, text);
    return st;
}

/* ---- tokenizer and template ------------------------------------------------------------------------ */

static precis_status read_template(precis_model *m, const char *folder)
{
    char *text;
    size_t len;
    precis_status st = pcs_hf_slurp(m, folder, "chat_template.jinja", &text, &len);
    if (st) return st;
    if (text) {
        if (len <= PCS_LIMIT_TEMPLATE) st = pcs_model_set_string(m, "tokenizer.chat_template", text, len);
        pcs_free(m->ctx, text);
        return st;
    }
    pcs_json_slice value = { 0 };
    st = pcs_hf_slurp(m, folder, "tokenizer_config.json", &text, &len);
    if (st || !text) return st;
    st = pcs_json_find(m->ctx, (pcs_json_slice){ text, len }, "chat_template", &value);
    if (!st && value.text && value.text[0] == '"') {
        pcs_json j;
        pcs_json_token t;
        char *s;
        size_t n;
        pcs_json_init(&j, m->ctx, value.text, value.len);
        st = pcs_json_next(&j, &t);
        if (!st) st = pcs_json_string(&j, &t, &m->arena, &s, &n);
        if (!st && n <= PCS_LIMIT_TEMPLATE) st = pcs_model_set_string(m, "tokenizer.chat_template", s, n);
    }
    pcs_free(m->ctx, text);
    return st;
}

static precis_status read_tokenizer(precis_model *m, const char *folder)
{
    char *text;
    size_t len;
    precis_status st = pcs_hf_slurp(m, folder, "tokenizer.json", &text, &len);
    if (st) return st;
    if (text) {
        st = pcs_tokenizer_json(m, (pcs_json_slice){ text, len });
        pcs_free(m->ctx, text);
    } else {
        st = pcs_hf_slurp(m, folder, "tokenizer.model", &text, &len);
        if (st) return st;
        if (!text) return PRECIS_OK; /* a model without one can be quantized, and scored by ids */
        st = pcs_tokenizer_model(m, (const uint8_t *)text, len);
        pcs_free(m->ctx, text);
    }
    if (st == PRECIS_EUNSUPPORTED) {
        pcs_warn(m->ctx, "%s", m->ctx->message);
        st = PRECIS_OK;
    }
    return st ? st : read_template(m, folder);
}

precis_status pcs_hf_folder(precis_model *m, const char *folder)
{
    const precis_status st = read_config(m, folder);
    return st ? st : read_tokenizer(m, folder);
}
