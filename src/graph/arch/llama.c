/* llama - RMS norm, rotary attention with grouped heads, SwiGLU (Touvron et al. 2023). GGUF stores q and k
 * rows so that rotary pairs are neighbours. Mistral is the same with a window. */
#include "graph/arch.h"

#include <stdio.h>

/* A norm over each head, where the model has one. */
static precis_value head_norm(pcs_builder *b, int i, const char *name, precis_value x)
{
    char tensor[64], attrs[64];
    snprintf(tensor, sizeof tensor, "%s.weight", name);
    snprintf(attrs, sizeof attrs, "eps=%.9g dim=%u", (double)b->eps, b->key_dim);
    const precis_value w = pcs_weight(b, i, tensor, 1, b->key_dim, true);
    return w == -2 ? x : PCS_NODE(b, "rms_norm", i, name, attrs, x, w);
}

static precis_value layer(pcs_builder *b, int i, precis_value x, precis_value table, bool interleaved)
{
    const int64_t n = b->lm->width, qn = (int64_t)b->heads * b->key_dim, kn = (int64_t)b->kv_heads * b->key_dim, vn = (int64_t)b->kv_heads * b->value_dim;
    char eps[48], rope[48];
    snprintf(eps, sizeof eps, "eps=%.9g", (double)b->eps);
    snprintf(rope, sizeof rope, "dim=%u interleaved=%d", b->key_dim, interleaved);
    precis_value h = PCS_NODE(b, "rms_norm", i, "attn_norm", eps, x, pcs_weight(b, i, "attn_norm.weight", 1, n, false));
    precis_value q = pcs_linear(b, i, "attn_q", h, qn, n), k = pcs_linear(b, i, "attn_k", h, kn, n);
    const precis_value v = pcs_linear(b, i, "attn_v", h, vn, n);
    q = PCS_NODE(b, "rope", i, "q_rope", rope, head_norm(b, i, "attn_q_norm", q), table);
    k = PCS_NODE(b, "rope", i, "k_rope", rope, head_norm(b, i, "attn_k_norm", k), table);
    const double scale = 1.0 / __builtin_sqrt(b->key_dim);
    h = pcs_attend(b, i, q, k, v, scale, b->window);
    h = pcs_linear(b, i, "attn_output", h, n, (int64_t)b->heads * b->value_dim);
    x = PCS_NODE(b, "add", i, "attn_residual", NULL, x, h);
    h = PCS_NODE(b, "rms_norm", i, "ffn_norm", eps, x, pcs_weight(b, i, "ffn_norm.weight", 1, n, false));
    const precis_value gate = pcs_linear(b, i, "ffn_gate", h, b->hidden, n), up = pcs_linear(b, i, "ffn_up", h, b->hidden, n);
    h = PCS_NODE(b, "swiglu", i, "ffn_act", NULL, gate, up);
    h = pcs_linear(b, i, "ffn_down", h, n, b->hidden);
    return PCS_NODE(b, "add", i, "ffn_residual", NULL, x, h);
}

precis_status pcs_llama_graph(pcs_builder *b, bool interleaved, double rope_scale)
{
    pcs_lm *lm = b->lm;
    const precis_value embed = pcs_weight(b, -1, "token_embd.weight", lm->vocabulary, lm->width, false);
    precis_value x = PCS_NODE(b, "embedding", -1, "embedding", NULL, lm->tokens, embed);
    const precis_value table = pcs_rope_table(b, "rope_table", b->rope_base, rope_scale);
    for (uint32_t i = 0; i < lm->layers && !b->g->error; i++) {
        x = layer(b, (int)i, x, table, interleaved);
        if (x >= 0) b->g->values[x].cut = true;
    }
    char eps[48];
    snprintf(eps, sizeof eps, "eps=%.9g", (double)b->eps);
    return pcs_logits(b, PCS_NODE(b, "rms_norm", -1, "output_norm", eps, x, pcs_weight(b, -1, "output_norm.weight", 1, lm->width, false)));
}

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    if (pcs_arch_int(m, "expert_count", 0, NULL) > 0)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: key llama.expert_count: mixtures of experts cannot be run yet", m->path);
    const char *scaling = pcs_model_string(m, "llama.rope.scaling.type");
    if (scaling && strcmp(scaling, "none") && strcmp(scaling, "linear"))
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: key llama.rope.scaling.type: \"%.40s\" cannot be run yet", m->path, scaling);
    const double factor = scaling && !strcmp(scaling, "linear") ? pcs_arch_float(m, "rope.scaling.factor", 1.0, NULL) : 1.0;
    return pcs_llama_graph(&b, true, factor > 0 ? 1.0 / factor : 1.0);
}

const pcs_arch pcs_arch_llama = { "llama", build };
