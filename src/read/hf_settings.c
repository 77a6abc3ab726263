/* hf_settings.c - numbers, windows and activations of config.json as GGUF's keys; what the graphs do not have is recorded. */
#include "read/hf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const char *key_name(const pcs_hf_config *c, const char *suffix, char buf[128])
{
    snprintf(buf, 128, "%s.%s", c->arch, suffix);
    return buf;
}

precis_status pcs_hf_set_float(pcs_hf_config *c, const char *suffix, double v)
{
    char buf[128];
    if (!isfinite((float)v))
        return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %g for %s is no number that 32 bits hold",
                        c->m->path, v, suffix);
    return pcs_model_set_f32(c->m, key_name(c, suffix, buf), (float)v);
}

precis_status pcs_hf_set_count(pcs_hf_config *c, const char *suffix, double v)
{
    char buf[128];
    return pcs_model_set_u32(c->m, key_name(c, suffix, buf), v >= 0 && v < 4294967296.0 ? (uint32_t)v : 0);
}

precis_status pcs_hf_set_text(pcs_hf_config *c, const char *suffix, const char *v, size_t len)
{
    char buf[128];
    return pcs_model_set_string(c->m, key_name(c, suffix, buf), v, len);
}

void pcs_hf_cannot(pcs_hf_config *c, const char *fmt, ...)
{
    va_list ap;
    if (c->reason[0]) return;
    va_start(ap, fmt);
    vsnprintf(c->reason, sizeof c->reason, fmt, ap);
    va_end(ap);
}

/* Gemma 3's own files leave out what its class in transformers has already. */
static bool usual_number(const pcs_hf_config *c, const char *hf, double *v)
{
    static const struct {
        const char *hf;
        double v;
    } gemma3[] = { { "num_attention_heads", 8 },
                   { "num_key_value_heads", 4 },
                   { "head_dim", 256 },
                   { "max_position_embeddings", 131072 } };
    for (size_t i = 0; i < sizeof gemma3 / sizeof *gemma3 && !strcmp(c->arch, "gemma3"); i++)
        if (!strcmp(gemma3[i].hf, hf)) {
            *v = gemma3[i].v;
            return true;
        }
    return false;
}

static precis_status set_number(pcs_hf_config *c, const char *hf, const char *gguf, int kind)
{
    double v;
    bool found;
    char name[128];
    const precis_status st = pcs_hf_number(c->m->ctx, c->text, hf, &v, &found);
    if (st != PRECIS_OK) return st;
    found = found || usual_number(c, hf, &v);
    if (!found && kind == 0) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %s is missing", c->m->path, hf);
    if (!found) return PRECIS_OK;
    if (kind == 2) return pcs_hf_set_float(c, gguf, v);
    if (v < 0 || v > 4e9 || v != (double)(uint32_t)v) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %s is not a count", c->m->path, hf);
    return pcs_model_set_u32(c->m, key_name(c, gguf, name), (uint32_t)v);
}

static precis_status set_numbers(pcs_hf_config *c)
{
    static const struct { const char *types, *hf, *gguf; int kind; } map[] = { /* kind 0: needed whole number, 1: optional, 2: float */
        { NULL, "max_position_embeddings", "context_length", 0 }, { NULL, "hidden_size", "embedding_length", 0 }, { NULL, "num_hidden_layers", "block_count", 0 },
        { NULL, "intermediate_size", "feed_forward_length", 0 }, { NULL, "num_attention_heads", "attention.head_count", 0 },
        { NULL, "num_key_value_heads", "attention.head_count_kv", 1 }, { NULL, "head_dim", "rope.dimension_count", 1 }, { NULL, "head_dim", "attention.key_length", 1 },
        { NULL, "head_dim", "attention.value_length", 1 }, { NULL, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 2 },
        { "bert", "layer_norm_eps", "attention.layer_norm_epsilon", 2 },
        { "gpt2", "n_positions", "context_length", 0 }, { "gpt2", "n_embd", "embedding_length", 0 }, { "gpt2", "n_layer", "block_count", 0 }, { "gpt2", "n_head", "attention.head_count", 0 },
        { "gpt2", "n_inner", "feed_forward_length", 1 }, { "gpt2", "layer_norm_epsilon", "attention.layer_norm_epsilon", 2 },
        { NULL, "vocab_size", "vocab_size", 1 }, 
        { NULL, "num_local_experts", "expert_count", 1 }, { NULL, "num_experts", "expert_count", 1 },
        { NULL, "num_experts_per_tok", "expert_used_count", 1 }, { NULL, "moe_intermediate_size", "expert_feed_forward_length", 1 }, { NULL, "norm_topk_prob", "expert_weights_norm", 1 },
    };
    const bool gpt2 = !strcmp(c->type, "gpt2");
    precis_status st = pcs_model_set_string(c->m, "general.architecture", c->arch, strlen(c->arch));
    for (size_t i = 0; i < sizeof map / sizeof *map && !st; i++) {
        const bool own = map[i].types && !strcmp(map[i].types, c->type);
        if ((map[i].types && !own) || (gpt2 && !own && map[i].kind == 0)) continue;
        st = set_number(c, map[i].hf, map[i].gguf, map[i].kind);
    }
    bool there;
    if (!st && gpt2 && (pcs_model_index_keys(c->m), !pcs_arch_int(c->m, "feed_forward_length", 0, &there))) {
        char buf[128];
        st = pcs_model_set_u32(c->m, key_name(c, "feed_forward_length", buf), (uint32_t)(4 * pcs_arch_int(c->m, "embedding_length", 0, NULL)));
    }
    return st;
}

/* ---- windows ------------------------------------------------------------------------------------- */

/* layer_types, or the settings that stood for it before; local[i]: layer i has a window. */
static precis_status read_layers(pcs_hf_config *c, bool *local, int64_t layers)
{
    pcs_json_slice list;
    precis_status st = pcs_json_find(c->m->ctx, c->text, "layer_types", &list);
    double from = 0, every = 0;
    bool has_from, has_every;
    if (!st) st = pcs_hf_number(c->m->ctx, c->text, "max_window_layers", &from, &has_from);
    if (!st) st = pcs_hf_number(c->m->ctx, c->text, "sliding_window_pattern", &every, &has_every);
    for (int64_t i = 0; i < layers && !st; i++)
        local[i] = !strncmp(c->arch, "qwen", 4) ? has_from && (double)i >= from : has_every && every >= 1 ? (i + 1) % (int64_t)every != 0 : pcs_usual_window(c->arch, i);
    if (st || !list.text || list.text[0] != '[') return st;
    pcs_json j;
    pcs_json_token t;
    int64_t n = 0;
    pcs_json_init(&j, c->m->ctx, list.text, list.len);
    st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, "layer_types");
    for (; !st && !(st = pcs_json_next(&j, &t)) && t.type != PCS_JSON_ARRAY_END; n++) {
        char *text;
        size_t len;
        if (t.type != PCS_JSON_STRING) return pcs_json_fail(&j, t.text, "layer_types", "holds no strings");
        st = pcs_json_string(&j, &t, &c->m->arena, &text, &len);
        if (st) break;
        if (strcmp(text, "sliding_attention") && strcmp(text, "full_attention")) pcs_hf_cannot(c, "layers of type %.40s", text);
        if (n < layers) local[n] = !strcmp(text, "sliding_attention");
    }
    if (!st && n != layers) st = pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: layer_types has %lld entries for %lld layers", c->m->path, (long long)n, (long long)layers);
    return st;
}

static precis_status set_windows(pcs_hf_config *c)
{
    double window = 0, used = 1;
    bool found, given;
    char buf[128];
    precis_status st = pcs_hf_number(c->m->ctx, c->text, "sliding_window", &window, &found);
    if (!st) st = pcs_hf_number(c->m->ctx, c->text, "use_sliding_window", &used, &given);
    if (!st && !strncmp(c->arch, "qwen", 4) && !given) used = 0;
    if (st || !found || window < 1 || window > 1e9 || used == 0) return st;
    if ((st = pcs_model_index_keys(c->m))) return st;
    const int64_t layers = pcs_arch_int(c->m, "block_count", 0, NULL);
    if (layers < 1 || layers > PCS_LIMIT_LAYERS) return PRECIS_OK; /* said elsewhere */
    bool *local = pcs_arena_alloc(&c->m->arena, (size_t)layers, sizeof *local), usual = true, any = false;
    if (!local) return PRECIS_ENOMEM;
    st = read_layers(c, local, layers);
    for (int64_t i = 0; i < layers; i++) {
        usual &= local[i] == pcs_usual_window(c->arch, i);
        any |= local[i];
    }
    if (st || !any) return st;
    st = pcs_hf_set_count(c, "attention.sliding_window", window);
    return st || usual ? st : pcs_model_set_bools(c->m, key_name(c, "attention.sliding_window_pattern", buf), local, (size_t)layers);
}

/* ---- what a graph must have ----------------------------------------------------------------------- */

/* Activations that the graph of a model type computes. */
static const struct { const char *types, *key, *values; } acts[] = {
    { "gpt2", "activation_function", "gelu_new gelu_pytorch_tanh" }, { "bert", "hidden_act", "gelu" }, { "bitnet", "hidden_act", "silu relu2" },
    { "gemma", "hidden_act", "gelu gelu_pytorch_tanh gelu_new" }, /* its first files say gelu and mean the other */
    { "gemma2 gemma3 gemma3_text", "hidden_activation", "gelu_pytorch_tanh gelu_new" },
    { "llama mistral mixtral qwen2 qwen3 qwen3_moe phi3", "hidden_act", "silu swish" },
};

/* Settings of which the graphs have one value. */
static const struct { const char *types, *key; double only; } fixed[] = {
    { "gpt2", "scale_attn_weights", 1 }, { "gpt2", "scale_attn_by_inverse_layer_idx", 0 }, { "gpt2", "add_cross_attention", 0 },
    { "gemma3 gemma3_text", "use_bidirectional_attention", 0 }, { "gemma2", "use_bidirectional_attention", 0 }, { "llama", "use_bidirectional_attention", 0 }, { "bert", "is_decoder", 0 },
};

static precis_status check(pcs_hf_config *c)
{
    precis_status st = PRECIS_OK;
    const size_t len = strlen(c->type);
    for (size_t i = 0; i < sizeof acts / sizeof *acts && !st; i++) {
        pcs_json_slice v;
        if (!pcs_hf_listed(acts[i].types, c->type, len)) continue;
        st = pcs_json_find(c->m->ctx, c->text, acts[i].key, &v);
        if (!st && v.text && v.text[0] == '"' && !pcs_hf_listed(acts[i].values, v.text + 1, v.len - 2)) pcs_hf_cannot(c, "%s %.*s", acts[i].key, (int)(v.len > 40 ? 40 : v.len), v.text);
        if (!st && !strcmp(c->type, "bitnet") && pcs_hf_is(v, "relu2")) st = pcs_hf_set_text(c, "feed_forward.activation", "relu2", 5);
    }
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed && !st; i++) {
        double v;
        bool found;
        if (!pcs_hf_listed(fixed[i].types, c->type, len)) continue;
        st = pcs_hf_number(c->m->ctx, c->text, fixed[i].key, &v, &found);
        if (!st && found && v != fixed[i].only) pcs_hf_cannot(c, "%s %s", fixed[i].key, v == 1 ? "true" : v == 0 ? "false" : "of another value");
    }
    pcs_json_slice place;
    if (!st && !strcmp(c->type, "bert")) st = pcs_json_find(c->m->ctx, c->text, "position_embedding_type", &place);
    if (!st && !strcmp(c->type, "bert") && place.text && place.text[0] == '"' && !pcs_hf_is(place, "absolute")) pcs_hf_cannot(c, "position_embedding_type %.*s", (int)(place.len > 40 ? 40 : place.len), place.text);
    return st;
}

/* Gemma's queries are scaled by a number of its own. */
static precis_status set_query_scale(pcs_hf_config *c)
{
    double v;
    bool found;
    precis_status st = pcs_hf_number(c->m->ctx, c->text, "query_pre_attn_scalar", &v, &found);
    if (!st) st = pcs_model_index_keys(c->m);
    if (st || !found || (strcmp(c->arch, "gemma2") && strcmp(c->arch, "gemma3"))) return st;
    if (!(v > 0 && v < 1e9)) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: query_pre_attn_scalar %g", c->m->path, v);
    return v == pcs_usual_query_dim(c->m) ? PRECIS_OK : pcs_hf_set_float(c, "attention.scale", 1.0 / sqrt(v));
}

/* Gemma 2 caps unless null is said; others only where a number is. */
static precis_status set_caps(pcs_hf_config *c)
{
    static const char *const caps[] = { "attn_logit_softcapping", "final_logit_softcapping" };
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < 2 && !st; i++) {
        pcs_json_slice s;
        double v;
        bool found;
        st = pcs_json_find(c->m->ctx, c->text, caps[i], &s);
        if (!st) st = pcs_hf_number(c->m->ctx, c->text, caps[i], &v, &found);
        const double usual = pcs_usual_softcap(c->arch, caps[i]);
        if (!st && (found || usual > 0)) st = pcs_hf_set_float(c, caps[i], found ? v : s.text ? 0 : usual);
    }
    return st;
}

precis_status pcs_hf_settings(pcs_hf_config *c)
{
    precis_status st = set_numbers(c);
    if (!st) st = set_caps(c);
    if (!st) st = set_windows(c);
    if (!st) st = set_query_scale(c);
    if (!st) st = check(c);
    if (!st && !strcmp(c->arch, "bert")) {
        st = pcs_model_set_u32(c->m, "bert.pooling_type", 1);
        if (!st) st = pcs_model_set_bool(c->m, "bert.attention.causal", false);
    }
    return st;
}
