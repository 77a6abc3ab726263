/* phi3 - as llama, with q, k and v in one weight, gate and up in another, and rotary pairs half a head apart (Abdin et al.
 * 2024). */
#include "graph/arch.h"

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    return pcs_llama_graph(&b, false, "swiglu");
}

const pcs_arch pcs_arch_phi3 = {
    "phi3", build,
    .keys = PCS_KEYS_RMS,
    .tensors = PCS_ENDS " " PCS_ATTN " " "ffn_norm.weight ffn_up.weight ffn_down.weight " PCS_QKV_BIASES,
};
