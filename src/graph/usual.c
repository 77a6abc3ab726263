/* usual.c - what an architecture's models take where a file does not say it. */
#include "graph/arch.h"

#include <stdio.h>

const pcs_hf_part pcs_hf_whole[] = {
    { "model.embed_tokens", PCS_ROLE_token_embd },
    { "model.norm", PCS_ROLE_output_norm },
    { "lm_head", PCS_ROLE_output },
    { NULL, PCS_ROLE_none },
};
const pcs_hf_part pcs_hf_parts[] = {
    PCS_HF_SELF_ATTN, PCS_HF_MLP, { "post_attention_layernorm", PCS_ROLE_ffn_norm }, { NULL, PCS_ROLE_none },
};
/* With norms before and after each block. */
const pcs_hf_part pcs_hf_post_parts[] = {
    PCS_HF_SELF_ATTN,
    PCS_HF_MLP,
    { "post_attention_layernorm", PCS_ROLE_post_attention_norm },
    { "pre_feedforward_layernorm", PCS_ROLE_ffn_norm },
    { "post_feedforward_layernorm", PCS_ROLE_post_ffw_norm },
    { NULL, PCS_ROLE_none },
};
const pcs_hf_number pcs_hf_numbers[] = { PCS_HF_NUMBERS, PCS_HF_WORDS, { NULL, NULL, 0 } };

bool pcs_usual_window(const pcs_arch *arch, int64_t layer)
{
    const int every = arch ? arch->windows : PCS_WINDOWS_ALL;
    return every == PCS_WINDOWS_ALL || (every > 0 && (layer + 1) % every != 0);
}

bool pcs_layer_window(const precis_model *m, int64_t layer)
{
    char name[128];
    const char *arch = pcs_model_string(m, "general.architecture");
    snprintf(name, sizeof name, "%.60s.attention.sliding_window_pattern", arch ? arch : "");
    const pcs_key *k = pcs_model_key(m, name);
    if (k && k->type == PCS_KEY_ARRAY && k->item != PCS_KEY_STRING)
        return (uint64_t)layer < k->n && pcs_key_number(k, (uint64_t)layer) != 0;
    const int64_t every = pcs_arch_int(m, "attention.sliding_window_pattern", 0, NULL); /* the last of so many sees all */
    return every > 0 ? (layer + 1) % every != 0 : pcs_usual_window(pcs_arch_of(m), layer);
}

bool pcs_usual_windows(const precis_model *m)
{
    const int64_t layers = pcs_arch_int(m, "block_count", 0, NULL);
    bool usual = true;
    for (int64_t i = 0; i < layers; i++) usual &= pcs_layer_window(m, i) == pcs_usual_window(pcs_arch_of(m), i);
    return usual;
}

double pcs_usual_softcap(const pcs_arch *arch, pcs_cap cap)
{
    return !arch ? 0.0 : cap == PCS_CAP_ATTENTION ? arch->attention_cap : arch->logits_cap;
}

const char *pcs_cap_key(pcs_cap cap)
{
    return cap == PCS_CAP_ATTENTION ? "attn_logit_softcapping" : "final_logit_softcapping";
}

double pcs_usual_query_dim(const precis_model *m)
{
    const pcs_arch *arch = pcs_arch_of(m);
    const int64_t heads = pcs_arch_int(m, "attention.head_count", 1, NULL);
    const int64_t width = pcs_arch_int(m, "embedding_length", 0, NULL);
    const int64_t layers = pcs_arch_int(m, "block_count", 0, NULL);
    if (!arch || !arch->wide_layers || layers != arch->wide_layers) return (double)pcs_head_dim(m);
    return heads > 0 ? (double)width / (double)heads : 1.0;
}

const pcs_hf_type *pcs_hf_type_of(const precis_model *m)
{
    const pcs_arch *arch = pcs_arch_of(m);
    for (const pcs_hf_type *t = arch ? arch->hf.types : NULL; t && t->type; t++)
        if (!t->when || pcs_arch_int(m, t->when, 0, NULL) > 0) return t;
    return NULL;
}
