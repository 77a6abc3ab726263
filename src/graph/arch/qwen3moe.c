/* qwen3moe - qwen3 with experts in place of the feed-forward block (Yang et al. 2025, section 2). */
#include "graph/arch.h"

#include "base/json.h"

/* Whether the weights of a token's experts are made to add up to 1; and the layers without experts, in a model that has
 * some with them. */
static precis_status write(const precis_model *m, pcs_buf *b)
{
    const int64_t layers = pcs_arch_int(m, "block_count", 0, NULL);
    precis_status st = pcs_buf_printf(b, ",\n \"norm_topk_prob\": %s",
                                      pcs_arch_int(m, "expert_weights_norm", 1, NULL) ? "true" : "false");
    if (!st) st = pcs_buf_printf(b, ",\n \"decoder_sparse_step\": 1,\n \"mlp_only_layers\": [");
    bool first = true;
    for (int64_t i = 0; i < layers && !st; i++) {
        if (pcs_model_part(m, (int)i, PCS_ROLE_ffn_gate_inp, PCS_END_weight)) continue;
        st = pcs_buf_printf(b, "%s%lld", first ? "" : ", ", (long long)i);
        first = false;
    }
    return st ? st : pcs_buf_printf(b, "]");
}

const pcs_arch pcs_arch_qwen3moe = {
    "qwen3moe",
    .decoder = &(const pcs_decoder){ .head_norms = PCS_IF_THERE, .inner_norms = true, .activation = "swiglu" },
    .keys = PCS_KEYS_RMS " expert_count expert_used_count",
    .tensors = PCS_ENDS " " PCS_ATTN " " "ffn_norm.weight " PCS_EXPERTS " " "attn_q_norm.weight attn_k_norm.weight",
    .needs = "attn_q_norm.weight attn_k_norm.weight",
    .hf = {
        .types = (const pcs_hf_type[]){ { "qwen3_moe", "Qwen3MoeForCausalLM", 1e-6, NULL }, { 0 } },
        .whole = pcs_hf_whole,
        .layers = PCS_HF_LAYERS,
        .parts = (const pcs_hf_part[]){ PCS_HF_SELF_ATTN, PCS_HF_MLP,
                                        { "post_attention_layernorm", PCS_ROLE_ffn_norm },
                                        { "mlp.gate", PCS_ROLE_ffn_gate_inp },
                                        { "mlp.experts.*.gate_proj", PCS_ROLE_ffn_gate_exps },
                                        { "mlp.experts.*.up_proj", PCS_ROLE_ffn_up_exps },
                                        { "mlp.experts.*.down_proj", PCS_ROLE_ffn_down_exps },
                                        { 0 } },
        .numbers = (const pcs_hf_number[]){ PCS_HF_NUMBERS, PCS_HF_WORDS, PCS_HF_EXPERTS("num_experts"), { 0 } },
        PCS_HF_SILU,
        .asked_windows = true,
        .write = write,
    },
};
