/* llama - RMS norm, rotary attention with grouped heads, SwiGLU (Touvron et al. 2023). GGUF stores q and k rows so that
 * rotary pairs are neighbours. Mistral is the same with a window, Mixtral with experts. */
#include "graph/arch.h"

const pcs_arch pcs_arch_llama = {
    "llama",
    .decoder = &(const pcs_decoder){ .interleaved = true, .head_norms = PCS_IF_THERE, .inner_norms = true,
                                     .activation = "swiglu" },
    .keys = PCS_KEYS_RMS,
    .tensors = PCS_ENDS " " PCS_ATTN " " PCS_FFN " " PCS_EXPERTS " " PCS_QKV_BIASES " "
               "attn_output.bias ffn_gate.bias ffn_up.bias ffn_down.bias",
    .windows = PCS_WINDOWS_ALL,
    .hf = {
        .types = (const pcs_hf_type[]){ { "mixtral", "MixtralForCausalLM", 1e-5, "expert_count" },
                                        { "mistral", "MistralForCausalLM", 1e-6, "attention.sliding_window" },
                                        { "llama", "LlamaForCausalLM", 1e-6, NULL },
                                        { 0 } },
        .whole = pcs_hf_whole,
        .layers = PCS_HF_LAYERS,
        .parts = (const pcs_hf_part[]){ PCS_HF_SELF_ATTN, PCS_HF_MLP,
                                        { "post_attention_layernorm", PCS_ROLE_ffn_norm },
                                        { "block_sparse_moe.gate", PCS_ROLE_ffn_gate_inp },
                                        { "block_sparse_moe.experts.*.w1", PCS_ROLE_ffn_gate_exps },
                                        { "block_sparse_moe.experts.*.w3", PCS_ROLE_ffn_up_exps },
                                        { "block_sparse_moe.experts.*.w2", PCS_ROLE_ffn_down_exps },
                                        { 0 } },
        .numbers = (const pcs_hf_number[]){ PCS_HF_NUMBERS, PCS_HF_WORDS, PCS_HF_EXPERTS("num_local_experts"), { 0 } },
        .fixed = (const pcs_hf_fixed[]){ { "use_bidirectional_attention", 0, NULL }, { 0 } },
        PCS_HF_SILU,
        .interleaved = true,
    },
};
