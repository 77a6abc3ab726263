/* gemma3 - norms before and after each block, norms of q and k, GeGLU, a scaled embedding; five layers with a
 * sliding window and their own rotary base to one with full attention (Gemma 3 technical report, 2025). */
#include "graph/arch.h"

#include <stdio.h>

typedef struct { pcs_builder b; precis_value local, global; } gemma;

static precis_value layer(gemma *m, int i, precis_value x)
{
    pcs_builder *b = &m->b;
    const int64_t n = b->lm->width;
    const bool local = b->window && pcs_layer_window(b->m, i);
    const precis_attr rope[] = { precis_attr_int("dim", b->key_dim), { 0 } };
    precis_value h = pcs_norm(b, i, "attn_norm", x, n, false);
    precis_value qkv[3];
    pcs_qkv(b, i, h, qkv);
    qkv[0] = PCS_NODE(b, "rope", i, "q_rope", rope, pcs_norm(b, i, "attn_q_norm", qkv[0], b->key_dim, false), local ? m->local : m->global);
    qkv[1] = PCS_NODE(b, "rope", i, "k_rope", rope, pcs_norm(b, i, "attn_k_norm", qkv[1], b->key_dim, false), local ? m->local : m->global);
    h = pcs_attend(b, i, qkv[0], qkv[1], qkv[2]);
    h = pcs_norm(b, i, "post_attention_norm", pcs_linear(b, i, "attn_output", h, n, (int64_t)b->heads * b->value_dim), n, false);
    x = PCS_NODE(b, "add", i, "attn_residual", NULL, x, h);
    h = pcs_ffn(b, i, pcs_norm(b, i, "ffn_norm", x, n, false), "geglu");
    return PCS_NODE(b, "add", i, "ffn_residual", NULL, x, pcs_norm(b, i, "post_ffw_norm", h, n, false));
}

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    gemma gm = { .local = -1 };
    const precis_status st = pcs_builder_open(&gm.b, m, g, lm);
    if (st) return st;
    precis_value x = pcs_embed(&gm.b, (double)(float)__builtin_sqrt(lm->width));
    gm.global = pcs_rope_table(&gm.b, "rope_global", pcs_arch_float(m, "rope.freq_base", 1e6, NULL), true);
    gm.local = pcs_rope_table(&gm.b, "rope_local", pcs_arch_float(m, "rope.local.freq_base", 10000.0, NULL), false);
    for (uint32_t i = 0; i < lm->layers && !g->error; i++) {
        x = layer(&gm, (int)i, x);
        if (x >= 0) g->values[x].cut = true;
    }
    return pcs_logits(&gm.b, pcs_norm(&gm.b, -1, "output_norm", x, lm->width, false));
}

const pcs_arch pcs_arch_gemma3 = {
    "gemma3", build,
    .keys = PCS_KEYS_RMS,
    .tensors = "token_embd.weight output_norm.weight output.weight " PCS_ATTN " " PCS_FFN " "
               "post_attention_norm.weight post_ffw_norm.weight attn_q_norm.weight attn_k_norm.weight",
};
