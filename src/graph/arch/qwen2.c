/* qwen2 - as llama, with biases on q, k and v, and rotary pairs half a head apart (Yang et al. 2024). */
#include "graph/arch.h"

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    return pcs_llama_graph(&b, false, "swiglu");
}

const pcs_arch pcs_arch_qwen2 = {
    "qwen2", build,
    .keys = PCS_KEYS_RMS,
    .tensors = PCS_ENDS " " PCS_ATTN " " PCS_FFN " " PCS_QKV_BIASES " " "output.bias",
};
