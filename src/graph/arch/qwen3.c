/* qwen3 - as llama, with a norm over each head of q and k before the rotation, and rotary pairs half a head apart (Yang
 * et al. 2025, section 2). */
#include "graph/arch.h"

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    return pcs_llama_graph(&b, false, "swiglu");
}

const pcs_arch pcs_arch_qwen3 = {
    "qwen3", build,
    .keys = PCS_KEYS_RMS,
    .tensors = PCS_ENDS " " PCS_ATTN " " PCS_FFN " " "attn_q_norm.weight attn_k_norm.weight cls.output.weight",
    .needs = "attn_q_norm.weight attn_k_norm.weight",
};
