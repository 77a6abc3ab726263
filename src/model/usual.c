/* usual.c - what an architecture's models take where a file does not say it. */
#include "model/model.h"

#include <stdio.h>

static const char *arch_of(const precis_model *m)
{
    const char *arch = pcs_model_string(m, "general.architecture");
    return arch ? arch : "";
}

bool pcs_usual_window(const char *arch, int64_t layer)
{
    if (!strcmp(arch, "gemma2")) return layer % 2 == 0;
    if (!strcmp(arch, "gemma3")) return (layer + 1) % 6 != 0;
    static const char *const full[] = { "bitnet", "gemma", "gpt2", "bert" };
    for (size_t i = 0; i < sizeof full / sizeof *full; i++)
        if (!strcmp(arch, full[i])) return false;
    return strncmp(arch, "qwen", 4) != 0;
}

bool pcs_layer_window(const precis_model *m, int64_t layer)
{
    char name[128];
    const char *arch = arch_of(m);
    snprintf(name, sizeof name, "%.60s.attention.sliding_window_pattern", arch);
    const pcs_key *k = pcs_model_key(m, name);
    if (k && k->type == PCS_KEY_ARRAY && k->item != PCS_KEY_STRING)
        return (uint64_t)layer < k->n && pcs_key_number(k, (uint64_t)layer) != 0;
    /* A single number n: the last of each n layers sees all. */
    const int64_t every = pcs_arch_int(m, "attention.sliding_window_pattern", 0, NULL);
    return every > 0 ? (layer + 1) % every != 0 : pcs_usual_window(arch, layer);
}

bool pcs_usual_windows(const precis_model *m)
{
    const int64_t layers = pcs_arch_int(m, "block_count", 0, NULL);
    bool usual = true;
    for (int64_t i = 0; i < layers; i++) usual &= pcs_layer_window(m, i) == pcs_usual_window(arch_of(m), i);
    return usual;
}

double pcs_usual_softcap(const char *arch, const char *suffix)
{
    return strcmp(arch, "gemma2") ? 0.0 : strcmp(suffix, "attn_logit_softcapping") ? 30.0 : 50.0;
}

int64_t pcs_head_dim(const precis_model *m)
{
    const int64_t heads = pcs_arch_int(m, "attention.head_count", 1, NULL);
    const int64_t width = pcs_arch_int(m, "embedding_length", 0, NULL);
    return pcs_arch_int(m, "attention.key_length", heads > 0 ? width / heads : width, NULL);
}

double pcs_usual_query_dim(const precis_model *m)
{
    const char *arch = arch_of(m);
    const int64_t heads = pcs_arch_int(m, "attention.head_count", 1, NULL);
    const int64_t width = pcs_arch_int(m, "embedding_length", 0, NULL);
    const int64_t layers = pcs_arch_int(m, "block_count", 0, NULL);
    /* Gemma's 27B models scale by width / heads instead of the head's dimension. */
    const bool is_27b = (!strcmp(arch, "gemma2") && layers == 46) || (!strcmp(arch, "gemma3") && layers == 62);
    if (is_27b) return heads > 0 ? (double)width / (double)heads : 1.0;
    return (double)pcs_head_dim(m);
}
