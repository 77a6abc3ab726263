/* llama - RMS norm, rotary attention with grouped heads, SwiGLU (Touvron et al. 2023). GGUF stores q and k
 * rows so that rotary pairs are neighbours. Mistral is the same with a window, Mixtral with experts. */
#include "graph/arch.h"

#include <stdio.h>

static precis_value layer(pcs_builder *b, int i, precis_value x, precis_value table, bool interleaved, const char *activation)
{
    const int64_t n = b->lm->width, values = (int64_t)b->heads * b->value_dim;
    precis_value qkv[3];
    const precis_attr rope[] = { precis_attr_int("dim", b->key_dim), precis_attr_int("interleaved", interleaved), { 0 } };
    precis_value h = pcs_norm(b, i, "attn_norm", x, n, false);
    pcs_qkv(b, i, h, qkv);
    qkv[0] = PCS_NODE(b, "rope", i, "q_rope", rope, pcs_norm(b, i, "attn_q_norm", qkv[0], b->key_dim, true), table);
    qkv[1] = PCS_NODE(b, "rope", i, "k_rope", rope, pcs_norm(b, i, "attn_k_norm", qkv[1], b->key_dim, true), table);
    h = pcs_attend(b, i, qkv[0], qkv[1], qkv[2]);
    h = pcs_linear(b, i, "attn_output", pcs_norm(b, i, "attn_sub_norm", h, values, true), n, values);
    x = PCS_NODE(b, "add", i, "attn_residual", NULL, x, h);
    h = pcs_ffn(b, i, pcs_norm(b, i, "ffn_norm", x, n, false), activation);
    return PCS_NODE(b, "add", i, "ffn_residual", NULL, x, h);
}

precis_status pcs_llama_graph(pcs_builder *b, bool interleaved, const char *activation)
{
    pcs_lm *lm = b->lm;
    precis_value x = pcs_embed(b, 1.0);
    const precis_value table = pcs_rope_table(b, "rope_table", b->rope_base, true);
    for (uint32_t i = 0; i < lm->layers && !b->g->error; i++) {
        x = layer(b, (int)i, x, table, interleaved, activation);
        if (x >= 0) b->g->values[x].cut = true;
    }
    return pcs_logits(b, pcs_norm(b, -1, "output_norm", x, lm->width, false));
}

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    return st ? st : pcs_llama_graph(&b, true, "swiglu");
}

const pcs_arch pcs_arch_llama = {
    "llama", build,
    .keys = PCS_KEYS_RMS,
    .tensors = PCS_ENDS " " PCS_ATTN " " PCS_FFN " " PCS_EXPERTS " " PCS_QKV_BIASES " "
               "attn_output.bias ffn_gate.bias ffn_up.bias ffn_down.bias",
};
