/* gemma3 - norms before and after each block, norms of q and k, GeGLU, a scaled embedding; five layers with a
 * sliding window and their own rotary base to one with full attention (Gemma 3 technical report, 2025). */
#include "graph/arch.h"

const pcs_arch pcs_arch_gemma3 = {
    "gemma3",
    .decoder = &(const pcs_decoder){ .scaled_embedding = true, .post_norms = true, .two_bases = true,
                                     .head_norms = PCS_ALWAYS, .activation = "geglu" },
    .keys = PCS_KEYS_RMS,
    .tensors = "token_embd.weight output_norm.weight output.weight " PCS_ATTN " " PCS_FFN " "
               "post_attention_norm.weight post_ffw_norm.weight attn_q_norm.weight attn_k_norm.weight",
    .windows = 6,
    .query_scale = true,
    .wide_layers = 62, /* the 27B model */
    .llama_windows = true,
    .hf = {
        .types = (const pcs_hf_type[]){ { "gemma3_text", "Gemma3ForCausalLM", 1e-6, NULL },
                                        { "gemma3", NULL, 1e-6, NULL }, /* that sees, too */
                                        { 0 } },
        PCS_HF_GEMMA,
        /* its own files leave out what its class in transformers has already */
        .usual = (const pcs_hf_usual[]){ { "num_attention_heads", 8 },
                                         { "num_key_value_heads", 4 },
                                         { "head_dim", 256 },
                                         { "max_position_embeddings", 131072 },
                                         { 0 } },
        .two_bases = true,
    },
};
