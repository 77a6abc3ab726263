/* bitnet - as llama, with norms before the output of attention and before the down projection, and ternary weights
 * (Ma et al. 2024, BitNet b1.58). The 2B4T model squares a ReLU where others have SiLU. */
#include "graph/arch.h"

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    const char *act = pcs_model_string(m, "bitnet.feed_forward.activation");
    const bool squared = act && !strcmp(act, "relu2");
    const pcs_decoder d = { .head_norms = PCS_IF_THERE, .inner_norms = true,
                            .activation = squared ? "relu2glu" : "swiglu" };
    return pcs_decoder_build(m, g, lm, &d);
}

const pcs_arch pcs_arch_bitnet = {
    "bitnet",
    build,
    .keys = PCS_KEYS_RMS,
    .tensors = "token_embd.weight output_norm.weight rope_freqs.weight " PCS_ATTN " " PCS_FFN " "
               "attn_sub_norm.weight "
               "ffn_sub_norm.weight",
    .needs = "attn_sub_norm.weight ffn_sub_norm.weight",
    .hf = {
        .types = (const pcs_hf_type[]){ { "bitnet", "BitNetForCausalLM", 1e-5, NULL }, { 0 } },
        PCS_HF_PLAIN(pcs_hf_parts),
        .act_key = "hidden_act",
        .acts = "silu relu2",
        .act = "silu",
        .act_kept = "relu2",
        .act_said = "SiLU",
    },
};
