/* phi3 - as llama, with q, k and v in one weight, gate and up in another, and rotary pairs half a head apart (Abdin
 * et al. 2024). */
#include "graph/arch.h"

const pcs_arch pcs_arch_phi3 = {
    "phi3",
    .decoder = &(const pcs_decoder){ .head_norms = PCS_IF_THERE, .inner_norms = true, .activation = "swiglu" },
    .keys = PCS_KEYS_RMS,
    .tensors = PCS_ENDS " " PCS_ATTN " " "ffn_norm.weight ffn_up.weight ffn_down.weight " PCS_QKV_BIASES,
    .windows = PCS_WINDOWS_ALL,
    .hf = {
        .types = (const pcs_hf_type[]){ { "phi3", "Phi3ForCausalLM", 1e-5, NULL }, { 0 } },
        .whole = pcs_hf_whole,
        .layers = PCS_HF_LAYERS,
        .parts = (const pcs_hf_part[]){ { "mlp.gate_up_proj", PCS_ROLE_ffn_up }, PCS_HF_SELF_ATTN, PCS_HF_MLP,
                                        { "post_attention_layernorm", PCS_ROLE_ffn_norm },
                                        { 0 } },
        .numbers = pcs_hf_numbers,
        PCS_HF_SILU,
        .part_turned = true,
    },
};
