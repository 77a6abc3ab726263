/* llama - RMS norm, rotary attention with grouped heads, SwiGLU (Touvron et al. 2023). GGUF stores q and k
 * rows so that rotary pairs are neighbours. Mistral is the same with a window. */
#include "graph/arch.h"

#include <stdio.h>

static precis_value layer(pcs_builder *b, int i, precis_value x, precis_value table, bool interleaved)
{
    const int64_t n = b->lm->width, qn = (int64_t)b->heads * b->key_dim, kn = (int64_t)b->kv_heads * b->key_dim, vn = (int64_t)b->kv_heads * b->value_dim;
    char rope[48];
    snprintf(rope, sizeof rope, "dim=%u interleaved=%d", b->key_dim, interleaved);
    precis_value h = pcs_norm(b, i, "attn_norm", x, n, false);
    precis_value q = pcs_linear(b, i, "attn_q", h, qn, n), k = pcs_linear(b, i, "attn_k", h, kn, n);
    const precis_value v = pcs_linear(b, i, "attn_v", h, vn, n);
    q = PCS_NODE(b, "rope", i, "q_rope", rope, pcs_norm(b, i, "attn_q_norm", q, b->key_dim, true), table);
    k = PCS_NODE(b, "rope", i, "k_rope", rope, pcs_norm(b, i, "attn_k_norm", k, b->key_dim, true), table);
    const double scale = 1.0 / __builtin_sqrt(b->key_dim);
    h = pcs_attend(b, i, q, k, v, scale, b->window);
    h = pcs_linear(b, i, "attn_output", h, n, (int64_t)b->heads * b->value_dim);
    x = PCS_NODE(b, "add", i, "attn_residual", NULL, x, h);
    h = pcs_norm(b, i, "ffn_norm", x, n, false);
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
    return pcs_logits(b, pcs_norm(b, -1, "output_norm", x, lm->width, false));
}

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    if (pcs_arch_int(m, "expert_count", 0, NULL) > 0)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: key llama.expert_count: mixtures of experts cannot be run yet", m->path);
    double scale;
    st = pcs_rope_scaling(m, true, &scale);
    return st ? st : pcs_llama_graph(&b, true, scale);
}

const pcs_arch pcs_arch_llama = { "llama", build };
