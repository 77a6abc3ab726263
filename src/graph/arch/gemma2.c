/* gemma2 - norms before and after each block, capped attention scores and logits, a window in every other layer
 * (Gemma 2 report, 2024, section 2). */
#include "graph/arch.h"

const pcs_arch pcs_arch_gemma2 = {
    "gemma2",
    .decoder = &(const pcs_decoder){ .scaled_embedding = true, .post_norms = true, .activation = "geglu" },
    .keys = PCS_KEYS_RMS,
    .tensors = "token_embd.weight output_norm.weight " PCS_ATTN " " PCS_FFN " " "post_attention_norm.weight "
               "post_ffw_norm.weight",
    .windows = 2,
    .attention_cap = 50,
    .logits_cap = 30,
    .query_scale = true,
    .wide_layers = 46, /* the 27B model */
    .llama_windows = true,
    .hf = {
        .types = (const pcs_hf_type[]){ { "gemma2", "Gemma2ForCausalLM", 1e-6, NULL }, { 0 } },
        PCS_HF_GEMMA,
    },
};
