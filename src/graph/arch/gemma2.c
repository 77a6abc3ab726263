/* gemma2 - norms before and after each block, capped attention scores and logits, a window in every other layer (Gemma 2
 * report, 2024, section 2). */
#include "graph/arch.h"

#include <stdio.h>

static precis_value layer(pcs_builder *b, int i, precis_value x, precis_value table)
{
    const int64_t n = b->lm->width;
    precis_value qkv[3], h = pcs_norm(b, i, "attn_norm", x, n, false);
    const precis_attr rope[] = { precis_attr_int("dim", b->key_dim), { 0 } };
    pcs_qkv(b, i, h, qkv);
    qkv[0] = PCS_NODE(b, "rope", i, "q_rope", rope, qkv[0], table);
    qkv[1] = PCS_NODE(b, "rope", i, "k_rope", rope, qkv[1], table);
    h = pcs_attend(b, i, qkv[0], qkv[1], qkv[2]);
    h = pcs_norm(b, i, "post_attention_norm", pcs_linear(b, i, "attn_output", h, n, (int64_t)b->heads * b->value_dim), n, false);
    x = PCS_NODE(b, "add", i, "attn_residual", NULL, x, h);
    h = pcs_norm(b, i, "post_ffw_norm", pcs_ffn(b, i, pcs_norm(b, i, "ffn_norm", x, n, false), "geglu"), n, false);
    return PCS_NODE(b, "add", i, "ffn_residual", NULL, x, h);
}

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    precis_value x = pcs_embed(&b, (double)(float)__builtin_sqrt(lm->width));
    const precis_value table = pcs_rope_table(&b, "rope_table", b.rope_base, true);
    for (uint32_t i = 0; i < lm->layers && !g->error; i++) {
        x = layer(&b, (int)i, x, table);
        if (x >= 0) g->values[x].cut = true;
    }
    return pcs_logits(&b, pcs_norm(&b, -1, "output_norm", x, lm->width, false));
}

const pcs_arch pcs_arch_gemma2 = {
    "gemma2", build,
    .keys = PCS_KEYS_RMS,
    .tensors = "token_embd.weight output_norm.weight " PCS_ATTN " " PCS_FFN " " "post_attention_norm.weight "
               "post_ffw_norm.weight",
};
