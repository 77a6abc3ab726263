/* qwen2 - as llama, with biases on q, k and v, and rotary pairs half a head apart (Yang et al. 2024). */
#include "graph/arch.h"

const pcs_arch pcs_arch_qwen2 = {
    "qwen2",
    .decoder = &(const pcs_decoder){ .head_norms = PCS_IF_THERE, .inner_norms = true, .activation = "swiglu" },
    .keys = PCS_KEYS_RMS,
    .tensors = PCS_ENDS " " PCS_ATTN " " PCS_FFN " " PCS_QKV_BIASES " " "output.bias",
    .hf = {
        .types = (const pcs_hf_type[]){ { "qwen2", "Qwen2ForCausalLM", 1e-6, NULL }, { 0 } },
        PCS_HF_PLAIN(pcs_hf_parts),
        PCS_HF_SILU,
        .asked_windows = true,
    },
};
