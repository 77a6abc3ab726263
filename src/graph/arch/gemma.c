/* gemma - as llama with a scaled embedding and GeGLU (Gemma Team 2024). */
#include "graph/arch.h"

const pcs_arch pcs_arch_gemma = {
    "gemma",
    .decoder = &(const pcs_decoder){ .scaled_embedding = true, .activation = "geglu" },
    .keys = PCS_KEYS_RMS,
    .tensors = "token_embd.weight output_norm.weight " PCS_ATTN " " PCS_FFN,
    .hf = {
        .types = (const pcs_hf_type[]){ { "gemma", "GemmaForCausalLM", 1e-6, NULL }, { 0 } },
        PCS_HF_PLAIN(pcs_hf_parts),
        .act_key = "hidden_act",
        .acts = "gelu gelu_pytorch_tanh gelu_new", /* its first files say gelu and mean the other */
        .act = "gelu_pytorch_tanh",
        .act_too = "hidden_activation",
        .plus_one = true,
    },
};
