/* hf_config.c - config.json of a transformers folder, from GGUF's keys. */
#include "write/convert.h"

#include "base/f16.h"
#include "base/fmath.h"
#include "read/hf.h"
#include "read/read.h"

#include <stdio.h>

static precis_status member_int(const precis_model *m, pcs_buf *b, const char *hf, const char *gguf)
{
    bool ok;
    const int64_t v = pcs_arch_int(m, gguf, 0, &ok);
    return ok ? pcs_buf_printf(b, ",\n \"%s\": %lld", hf, (long long)v) : PRECIS_OK;
}

static precis_status put_real(pcs_buf *b, const char *hf, double v)
{
    char text[64];
    snprintf(text, sizeof text, "%.9g", v);
    /* its readers tell whole numbers from others by the point */
    return pcs_buf_printf(b, ",\n \"%s\": %s%s", hf, text, strpbrk(text, ".ein") ? "" : ".0");
}

static precis_status member_float(const precis_model *m, pcs_buf *b, const char *hf, const char *gguf)
{
    bool ok;
    const double v = pcs_arch_float(m, gguf, 0, &ok);
    return ok ? put_real(b, hf, v) : PRECIS_OK;
}

static precis_status put_factors(const precis_model *m, pcs_buf *b, const char *hf, const char *tensor)
{
    const pcs_tensor *t = pcs_model_tensor(m, tensor);
    if (!t || t->format != &pcs_format_f32) return PRECIS_OK;
    precis_status st = pcs_buf_printf(b, ", \"%s\": [", hf);
    for (uint64_t i = 0; i < t->n && !st; i++) {
        const double factor = (double)pcs_bits_f32(pcs_load32(t->data + 4 * i));
        st = pcs_buf_printf(b, "%s%.9g", i ? ", " : "", factor);
    }
    return st ? st : pcs_buf_printf(b, "]");
}

/* What YaRN has beside its factor; GGUF's attn_factor stands beside YaRN's own 1 + 0.1 ln(factor). */
static precis_status put_yarn(const precis_model *m, pcs_buf *b, double factor)
{
    static const char *const betas[2][2] = { { "beta_fast", "rope.scaling.yarn_beta_fast" },
                                             { "beta_slow", "rope.scaling.yarn_beta_slow" } };
    precis_status st = PRECIS_OK;
    bool ok;
    for (int i = 0; i < 2 && !st; i++) {
        const double v = pcs_arch_float(m, betas[i][1], 0, &ok);
        if (ok) st = pcs_buf_printf(b, ", \"%s\": %.9g", betas[i][0], v);
    }
    const double own = pcs_arch_float(m, "rope.scaling.attn_factor", 1, &ok);
    return st || !ok ? st : pcs_buf_printf(b, ", \"attention_factor\": %.9g", own * (1 + 0.1 * pcs_log(factor)));
}

/* Heads of which a part is turned. */
static precis_status put_part(const precis_model *m, pcs_buf *b, const char *before)
{
    const int64_t dim = pcs_head_dim(m), turned = pcs_arch_int(m, "rope.dimension_count", dim, NULL);
    if (turned == dim || dim < 1) return PRECIS_OK;
    return pcs_buf_printf(b, "%s\"partial_rotary_factor\": %.9g", before, (double)turned / (double)dim);
}

/* Layers with a window, where they are not the usual ones. */
static precis_status put_layers(const precis_model *m, pcs_buf *b)
{
    const int64_t layers = pcs_arch_int(m, "block_count", 0, NULL);
    if (pcs_usual_windows(m) || pcs_arch_int(m, "attention.sliding_window", 0, NULL) < 1) return PRECIS_OK;
    const char *asks = ",\n \"use_sliding_window\": true,\n \"max_window_layers\": 0";
    precis_status st = pcs_buf_printf(b, "%s,\n \"layer_types\": [", pcs_arch_of(m)->hf.asked_windows ? asks : "");
    for (int64_t i = 0; i < layers && !st; i++) {
        const char *kind = pcs_layer_window(m, i) ? "sliding" : "full";
        st = pcs_buf_printf(b, "%s\"%s_attention\"", i ? ", " : "", kind);
    }
    return st ? st : pcs_buf_printf(b, "]");
}

/* Gemma 3's: layers that see all tokens have one base, and those with a window have another. */
static precis_status put_two_bases(const precis_model *m, pcs_buf *b, bool linear)
{
    const double base = pcs_arch_float(m, "rope.freq_base", 10000.0, NULL);
    const double local = pcs_arch_float(m, "rope.local.freq_base", 10000.0, NULL);
    const double factor = pcs_arch_float(m, "rope.scaling.factor", 1.0, NULL);
    return pcs_buf_printf(b, ",\n \"rope_parameters\": {\"full_attention\": {\"rope_type\": \"%s\", \"factor\": %.9g, "
                             "\"rope_theta\": %.9g}, \"sliding_attention\": {\"rope_type\": \"default\", "
                             "\"rope_theta\": %.9g}}",
                          linear ? "linear" : "default", factor, base, local);
}

/* Llama 3's: GGUF has a factor for each frequency, and the largest of them is the scaling's. */
static precis_status put_llama3(const precis_model *m, pcs_buf *b, const pcs_tensor *freqs)
{
    const double factor = (double)pcs_bits_f32(pcs_load32(freqs->data + 4 * (freqs->n - 1)));
    const double low = pcs_arch_float(m, "rope.scaling.low_freq_factor", 1.0, NULL);
    const double high = pcs_arch_float(m, "rope.scaling.high_freq_factor", 4.0, NULL);
    const long long original = pcs_arch_int(m, "rope.scaling.original_context_length", 8192, NULL);
    return pcs_buf_printf(b, ",\n \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": %.9g, "
                             "\"low_freq_factor\": %.9g, \"high_freq_factor\": %.9g, "
                             "\"original_max_position_embeddings\": %lld}",
                          factor, low, high, original);
}

static precis_status put_rope(const precis_model *m, pcs_buf *b)
{
    char key[128];
    const char *arch = pcs_model_string(m, "general.architecture");
    snprintf(key, sizeof key, "%.60s.rope.scaling.type", arch);
    const char *type = pcs_model_string(m, key);
    const double base = pcs_arch_float(m, "rope.freq_base", 10000.0, NULL);
    const double factor = pcs_arch_float(m, "rope.scaling.factor", 1.0, NULL);
    if (pcs_arch_of(m)->hf.two_bases) return put_two_bases(m, b, type && !strcmp(type, "linear"));
    precis_status st = pcs_buf_printf(b, ",\n \"rope_theta\": %.9g", base);
    if (st) return st;
    const pcs_tensor *freqs = pcs_model_tensor(m, "rope_freqs.weight");
    if (freqs && freqs->format == &pcs_format_f32 && freqs->n) return put_llama3(m, b, freqs);
    st = put_part(m, b, ",\n ");
    if (st || !type || !strcmp(type, "none")) return st;
    st = pcs_buf_printf(b, ",\n \"rope_scaling\": {\"rope_type\": \"%s\", \"rope_theta\": %.9g", type, base);
    if (!st && strcmp(type, "longrope")) st = pcs_buf_printf(b, ", \"factor\": %.9g", factor);
    bool ok;
    const int64_t original = pcs_arch_int(m, "rope.scaling.original_context_length", 0, &ok);
    if (!st && ok) st = pcs_buf_printf(b, ", \"original_max_position_embeddings\": %lld", (long long)original);
    if (!st && !strcmp(type, "yarn")) st = put_yarn(m, b, factor);
    if (!st) st = put_part(m, b, ", ");
    if (!st) st = put_factors(m, b, "long_factor", "rope_factors_long.weight");
    if (!st) st = put_factors(m, b, "short_factor", "rope_factors_short.weight");
    if (!st) st = pcs_buf_printf(b, "}");
    return st || !ok ? st : pcs_buf_printf(b, ",\n \"original_max_position_embeddings\": %lld", (long long)original);
}

/* What begins, ends and pads texts; a list where several tokens end one. */
static precis_status put_special(const precis_model *m, pcs_buf *b, bool encoder)
{
    static const char *const ids[][2] = { { "bos_token_id", "tokenizer.ggml.bos_token_id" },
                                          { "eos_token_id", "tokenizer.ggml.eos_token_id" },
                                          { "pad_token_id", "tokenizer.ggml.padding_token_id" } };
    const pcs_key *list = pcs_model_key(m, PCS_KEY_ENDS);
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 3 && !st; i++) {
        bool ok;
        const int64_t v = pcs_model_int(m, ids[i][1], 0, &ok);
        if (i == 1 && ok && list && list->type == PCS_KEY_ARRAY && list->n) {
            st = pcs_buf_printf(b, ",\n \"%s\": [", ids[i][0]);
            for (uint64_t k = 0; k < list->n && !st; k++)
                st = pcs_buf_printf(b, "%s%.0f", k ? ", " : "", pcs_key_number(list, k));
            if (!st) st = pcs_buf_printf(b, "]");
        } else if (ok) st = pcs_buf_printf(b, ",\n \"%s\": %lld", ids[i][0], (long long)v);
        else if (i != 2 && !encoder) st = pcs_buf_printf(b, ",\n \"%s\": null", ids[i][0]);
    }
    return st;
}

static precis_status member_text(pcs_buf *b, const char *hf, const char *text)
{
    return pcs_buf_printf(b, ",\n \"%s\": \"%s\"", hf, text);
}

/* The activation: the model's own word, where the graph has two. */
static precis_status put_activation(const precis_model *m, pcs_buf *b, const pcs_arch *arch)
{
    char key[128];
    snprintf(key, sizeof key, "%s.feed_forward.activation", arch->name);
    const char *own = pcs_model_string(m, key), *act = own ? own : arch->hf.act;
    if (!arch->hf.act) return PRECIS_OK;
    const precis_status st = member_text(b, "hidden_act", act);
    return st || !arch->hf.act_too ? st : member_text(b, arch->hf.act_too, act);
}

/* Caps; where there is none although it is usual, null says so. */
static precis_status put_caps(const precis_model *m, pcs_buf *b, const pcs_arch *arch)
{
    precis_status st = PRECIS_OK;
    for (pcs_cap i = 0; i < PCS_CAPS && !st; i++) {
        const double usual = pcs_usual_softcap(arch, i), v = pcs_arch_float(m, pcs_cap_key(i), usual, NULL);
        if (v > 0) st = put_real(b, pcs_cap_key(i), v);
        else if (usual > 0) st = pcs_buf_printf(b, ",\n \"%s\": null", pcs_cap_key(i));
    }
    return st;
}

/* By what queries' products are divided. */
static precis_status put_query_scale(const precis_model *m, pcs_buf *b)
{
    bool ok;
    const double scale = pcs_arch_float(m, "attention.scale", 0, &ok);
    return pcs_buf_printf(b, ",\n \"query_pre_attn_scalar\": %.7g",
                          ok && scale > 0 ? 1.0 / (scale * scale) : pcs_usual_query_dim(m));
}

/* Weights that are there or not. */
static precis_status put_presence(const precis_model *m, pcs_buf *b, const pcs_arch *arch)
{
    const pcs_tensor *embed = pcs_model_part(m, -1, PCS_ROLE_token_embd, PCS_END_weight);
    const bool head = pcs_model_part(m, -1, PCS_ROLE_output, PCS_END_weight);
    const bool biased = pcs_model_part(m, 0, PCS_ROLE_attn_q, PCS_END_bias);
    precis_status st = PRECIS_OK;
    if (embed) st = pcs_buf_printf(b, ",\n \"vocab_size\": %lld", (long long)pcs_tensor_rows(embed));
    if (!st) st = pcs_buf_printf(b, ",\n \"tie_word_embeddings\": %s", head ? "false" : "true");
    if (st || arch->learned_positions) return st;
    st = pcs_buf_printf(b, ",\n \"attention_bias\": %s", biased ? "true" : "false");
    if (st || !pcs_model_part(m, 0, PCS_ROLE_ffn_down, PCS_END_bias)) return st;
    return pcs_buf_printf(b, ",\n \"mlp_bias\": true");
}

precis_status pcs_hf_write_config(const precis_model *m, pcs_buf *b)
{
    const pcs_arch *arch = pcs_arch_of(m);
    const pcs_hf_type *type = pcs_hf_type_of(m);
    precis_status st = pcs_buf_printf(b, "{\n \"model_type\": \"%s\"", type->type);
    if (!st && type->class) st = pcs_buf_printf(b, ",\n \"architectures\": [\"%s\"]", type->class);
    for (const pcs_hf_number *n = arch->hf.numbers; n->name && !st; n++)
        if (n->how & PCS_HF_WRITE)
            st = n->how & PCS_HF_REAL ? member_float(m, b, n->name, n->key) : member_int(m, b, n->name, n->key);
    if (!st && arch->hf.write) st = arch->hf.write(m, b);
    if (!st) st = put_layers(m, b);
    if (!st) st = put_activation(m, b, arch);
    if (!st) st = put_caps(m, b, arch);
    if (!st && arch->query_scale) st = put_query_scale(m, b);
    if (!st && !arch->learned_positions) st = put_rope(m, b);
    if (!st) st = put_presence(m, b, arch);
    if (!st) st = put_special(m, b, arch->encoder);
    return st ? st : pcs_buf_printf(b, ",\n \"torch_dtype\": \"float16\"");
}
