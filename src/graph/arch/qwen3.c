/* qwen3 - as llama, with a norm over each head of q and k before the rotation, and rotary pairs half a head apart (Yang
 * et al. 2025, section 2). */
#include "graph/arch.h"

const pcs_arch pcs_arch_qwen3 = {
    "qwen3",
    .decoder = &(const pcs_decoder){ .head_norms = PCS_IF_THERE, .inner_norms = true, .activation = "swiglu" },
    .keys = PCS_KEYS_RMS,
    .tensors = PCS_ENDS " " PCS_ATTN " " PCS_FFN " " "attn_q_norm.weight attn_k_norm.weight cls.output.weight",
    .needs = "attn_q_norm.weight attn_k_norm.weight",
    .hf = {
        .types = (const pcs_hf_type[]){ { "qwen3", "Qwen3ForCausalLM", 1e-6, NULL }, { 0 } },
        PCS_HF_PLAIN(pcs_hf_parts),
        PCS_HF_SILU,
        .asked_windows = true,
    },
};
