/* bitnet - as llama, with norms before the output of attention and before the down projection, and ternary weights
 * (Ma et al. 2024, BitNet b1.58). The 2B4T model squares a ReLU where others have SiLU. */
#include "graph/arch.h"

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    const char *act = pcs_model_string(m, "bitnet.feed_forward.activation");
    return pcs_llama_graph(&b, false, act && !strcmp(act, "relu2") ? "relu2glu" : "swiglu");
}

const pcs_arch pcs_arch_bitnet = {
    "bitnet", build,
    .keys = PCS_KEYS_RMS,
    .tensors = "token_embd.weight output_norm.weight rope_freqs.weight " PCS_ATTN " " PCS_FFN " "
               "attn_sub_norm.weight "
               "ffn_sub_norm.weight",
    .needs = "attn_sub_norm.weight ffn_sub_norm.weight",
};
