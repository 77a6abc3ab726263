/* qwen3moe - qwen3 with experts in place of the feed-forward block (Yang et al. 2025, section 2). */
#include "graph/arch.h"

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    return pcs_llama_graph(&b, false, "swiglu");
}

const pcs_arch pcs_arch_qwen3moe = {
    "qwen3moe", build,
    .keys = PCS_KEYS_RMS " expert_count expert_used_count",
    .tensors = PCS_ENDS " " PCS_ATTN " " "ffn_norm.weight " PCS_EXPERTS " " "attn_q_norm.weight attn_k_norm.weight",
    .needs = "attn_q_norm.weight attn_k_norm.weight",
};
