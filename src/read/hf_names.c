/* hf_names.c - transformers' tensor names to GGUF's. */
#include "read/hf.h"

#include "model/counts.h"

#include <stdio.h>

/* First match counts; types: model types that a row is for, NULL: all. */
static const struct { const char *types, *hf, *gguf; } parts[] = {
    { "gemma2 gemma3 gemma3_text", "post_attention_layernorm", "post_attention_norm" },
    { "gemma2 gemma3 gemma3_text", "pre_feedforward_layernorm", "ffn_norm" },
    { "gemma2 gemma3 gemma3_text", "post_feedforward_layernorm", "post_ffw_norm" },
    { NULL, "self_attn.q_proj", "attn_q" }, { NULL, "self_attn.k_proj", "attn_k" }, { NULL, "self_attn.v_proj", "attn_v" },
    { NULL, "self_attn.qkv_proj", "attn_qkv" }, { NULL, "self_attn.o_proj", "attn_output" },
    { NULL, "self_attn.q_norm", "attn_q_norm" }, { NULL, "self_attn.k_norm", "attn_k_norm" }, { NULL, "self_attn.attn_sub_norm", "attn_sub_norm" },
    { NULL, "mlp.gate_proj", "ffn_gate" }, { NULL, "mlp.up_proj", "ffn_up" }, { NULL, "mlp.gate_up_proj", "ffn_up" }, { NULL, "mlp.down_proj", "ffn_down" },
    { NULL, "mlp.ffn_sub_norm", "ffn_sub_norm" }, { "qwen3_moe", "mlp.gate", "ffn_gate_inp" }, { NULL, "block_sparse_moe.gate", "ffn_gate_inp" },
    { NULL, "input_layernorm", "attn_norm" }, { NULL, "post_attention_layernorm", "ffn_norm" },
    /* gpt2 */
    { "gpt2", "ln_1", "attn_norm" }, { "gpt2", "ln_2", "ffn_norm" }, { "gpt2", "attn.c_attn", "attn_qkv" }, { "gpt2", "attn.c_proj", "attn_output" },
    { "gpt2", "mlp.c_fc", "ffn_up" }, { "gpt2", "mlp.c_proj", "ffn_down" },
    /* bert */
    { "bert", "attention.self.query", "attn_q" }, { "bert", "attention.self.key", "attn_k" }, { "bert", "attention.self.value", "attn_v" },
    { "bert", "attention.output.dense", "attn_output" }, { "bert", "attention.output.LayerNorm", "attn_output_norm" }, { "bert", "intermediate.dense", "ffn_up" },
    { "bert", "output.dense", "ffn_down" }, { "bert", "output.LayerNorm", "layer_output_norm" },
};

static const struct { const char *hf, *gguf; } whole[] = {
    { "embed_tokens", "token_embd" }, { "norm", "output_norm" }, { "lm_head", "output" }, { "wte", "token_embd" }, { "wpe", "position_embd" }, { "ln_f", "output_norm" },
    { "embeddings.word_embeddings", "token_embd" }, { "embeddings.position_embeddings", "position_embd" }, { "embeddings.token_type_embeddings", "token_types" },
    { "embeddings.LayerNorm", "token_embd_norm" },
};

static const struct { const char *hf, *gguf; } of_experts[] = {
    { "w1", "ffn_gate_exps" }, { "w3", "ffn_up_exps" }, { "w2", "ffn_down_exps" }, { "gate_proj", "ffn_gate_exps" }, { "up_proj", "ffn_up_exps" }, { "down_proj", "ffn_down_exps" },
};

bool pcs_hf_listed(const char *list, const char *word, size_t len)
{
    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == len && !memcmp(p, word, len)) return true;
    return false;
}

static bool lists(const char *types, const char *type) { return !types || pcs_hf_listed(types, type, strlen(type)); }

/* The rest of s behind a name and a dot, or NULL. */
static const char *behind(const char *s, const char *name)
{
    const size_t n = strlen(name);
    return !strncmp(s, name, n) && s[n] == '.' ? s + n : NULL;
}

/* What stands behind one of the places and a plain number, "layers.12." for one; NULL: none of them does. */
static const char *numbered(const char *s, const char *const *places, uint32_t *index)
{
    for (; *places; places++) {
        const size_t n = strlen(*places);
        if (!strncmp(s, *places, n)) return pcs_index_of(s + n, index);
    }
    return NULL;
}

char *pcs_hf_name(precis_model *m, const char *type, const char *s, unsigned *expert)
{
    static const char *const prefixes[] = { "base_model.model.", "language_model.", "model.", "language_model.", "model.", "transformer.", "bert." };
    static const char *const layers_of[] = { "layers.", "h.", "encoder.layer.", NULL };
    static const char *const experts_of[] = { "block_sparse_moe.experts.", "mlp.experts.", NULL };
    *expert = UINT32_MAX;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(s, prefixes[i], strlen(prefixes[i]))) s += strlen(prefixes[i]);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        const char *rest = behind(s, whole[i].hf);
        if (rest) return pcs_arena_printf(&m->arena, "%s%s", whole[i].gguf, rest);
    }
    uint32_t layer;
    if (!(s = numbered(s, layers_of, &layer))) return NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *rest = behind(s, parts[i].hf);
        if (rest && lists(parts[i].types, type)) return pcs_arena_printf(&m->arena, "blk.%u.%s%s", layer, parts[i].gguf, rest);
    }
    if (!(s = numbered(s, experts_of, expert))) {
        *expert = UINT32_MAX;
        return NULL;
    }
    for (size_t i = 0; i < sizeof of_experts / sizeof *of_experts; i++) {
        const char *rest = behind(s, of_experts[i].hf);
        if (rest) return pcs_arena_printf(&m->arena, "blk.%u.%s%s", layer, of_experts[i].gguf, rest);
    }
    *expert = UINT32_MAX;
    return NULL;
}

static bool is_prefix(const char *s, const char *name, size_t *n)
{
    *n = strlen(name);
    return !strncmp(s, name, *n) && (s[*n] == '.' || !s[*n]);
}

char *pcs_hf_source(pcs_arena *a, const char *type, const char *name, unsigned expert)
{
    const bool gpt2 = !strcmp(type, "gpt2"), bert = !strcmp(type, "bert");
    size_t n;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        const bool of_gpt2 = strchr("wl", whole[i].hf[0]) && strcmp(whole[i].hf, "lm_head"), of_bert = !strncmp(whole[i].hf, "embeddings.", 11);
        if (!is_prefix(name, whole[i].gguf, &n) || (strcmp(whole[i].hf, "lm_head") && (of_gpt2 != gpt2 || of_bert != bert))) continue;
        return pcs_arena_printf(a, "%s%s%s", !strcmp(whole[i].hf, "lm_head") || bert ? "" : gpt2 ? "transformer." : "model.", whole[i].hf, name + n);
    }
    uint32_t layer;
    const char *s = strncmp(name, "blk.", 4) ? NULL : pcs_index_of(name + 4, &layer);
    if (!s) return NULL;
    const char *place = gpt2 ? "transformer.h" : bert ? "encoder.layer" : "model.layers";
    const bool mixtral = !strcmp(type, "mixtral");
    for (size_t i = 0; i < sizeof of_experts / sizeof *of_experts; i++)
        if (is_prefix(s, of_experts[i].gguf, &n) && mixtral == (of_experts[i].hf[0] == 'w'))
            return pcs_arena_printf(a, "%s.%u.%s.experts.%u.%s%s", place, layer, mixtral ? "block_sparse_moe" : "mlp", expert, of_experts[i].hf, s + n);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!is_prefix(s, parts[i].gguf, &n) || !lists(parts[i].types, type)) continue;
        const char *hf = parts[i].hf;
        if ((gpt2 || bert) != (parts[i].types && lists(parts[i].types, type) && parts[i].types[0] != 'q' && strncmp(parts[i].types, "gemma", 5))) continue;
        if (!strncmp(hf, "block_sparse", 12) != mixtral && !strcmp(parts[i].gguf, "ffn_gate_inp")) continue;
        if (!strcmp(hf, "mlp.up_proj") && !strcmp(type, "phi3")) continue;
        if (!strcmp(hf, "mlp.gate_up_proj") && strcmp(type, "phi3")) continue;
        if (!strcmp(hf, "post_attention_layernorm") && !parts[i].types && lists("gemma2 gemma3_text", type)) continue;
        return pcs_arena_printf(a, "%s.%u.%s%s", place, layer, hf, s + n);
    }
    return NULL;
}
