/* gpt2 - layer norms, learned positions, q, k and v in one weight, GELU (Radford et al. 2019). */
#include "graph/arch.h"

static precis_value layer(pcs_builder *b, int i, precis_value x)
{
    const int64_t n = b->lm->width;
    precis_value qkv[3], h = pcs_layer_norm(b, i, "attn_norm", x);
    pcs_qkv(b, i, h, qkv);
    h = pcs_attend(b, i, qkv[0], qkv[1], qkv[2]);
    h = pcs_linear(b, i, "attn_output", h, n, (int64_t)b->heads * b->value_dim);
    x = PCS_NODE(b, "add", i, "attn_residual", NULL, x, h);
    h = pcs_linear(b, i, "ffn_up", pcs_layer_norm(b, i, "ffn_norm", x), b->hidden, n);
    h = PCS_NODE(b, "gelu", i, "ffn_act", PRECIS_ATTRS(precis_attr_int("tanh", 1), precis_attr_int("single", 1)), h);
    h = pcs_linear(b, i, "ffn_down", h, n, b->hidden);
    return PCS_NODE(b, "add", i, "ffn_residual", NULL, x, h);
}

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    precis_value x = pcs_embed_places(&b);
    for (uint32_t i = 0; i < lm->layers && !g->error; i++) {
        x = layer(&b, (int)i, x);
        if (x >= 0) g->values[x].cut = true;
    }
    return pcs_logits(&b, pcs_layer_norm(&b, -1, "output_norm", x));
}

const pcs_arch pcs_arch_gpt2 = {
    "gpt2", build,
    .keys = PCS_KEYS " attention.layer_norm_epsilon",
    .tensors = "token_embd.weight position_embd.weight output_norm.weight output_norm.bias output.weight "
               "attn_norm.weight attn_norm.bias attn_qkv.weight attn_qkv.bias attn_output.weight attn_output.bias "
               "ffn_norm.weight ffn_norm.bias ffn_up.weight ffn_up.bias ffn_down.weight ffn_down.bias",
    .needs = "attn_norm.bias attn_qkv.bias attn_output.bias ffn_norm.bias ffn_up.bias ffn_down.bias",
    .learned_positions = true,
    .hf = {
        .types = (const pcs_hf_type[]){ { "gpt2", "GPT2LMHeadModel", 1e-5, NULL }, { 0 } },
        .whole = (const pcs_hf_part[]){ { "lm_head", PCS_ROLE_output },
                                        { "transformer.wte", PCS_ROLE_token_embd },
                                        { "transformer.wpe", PCS_ROLE_position_embd },
                                        { "transformer.ln_f", PCS_ROLE_output_norm },
                                        { 0 } },
        .layers = "transformer.h",
        .parts = (const pcs_hf_part[]){ { "ln_1", PCS_ROLE_attn_norm }, { "ln_2", PCS_ROLE_ffn_norm },
                                        { "attn.c_attn", PCS_ROLE_attn_qkv }, { "attn.c_proj", PCS_ROLE_attn_output },
                                        { "mlp.c_fc", PCS_ROLE_ffn_up }, { "mlp.c_proj", PCS_ROLE_ffn_down },
                                        { 0 } },
        .numbers = (const pcs_hf_number[]){
            { "n_positions", "context_length", PCS_HF_BOTH | PCS_HF_NEEDED },
            { "n_embd", "embedding_length", PCS_HF_BOTH | PCS_HF_NEEDED },
            { "n_layer", "block_count", PCS_HF_BOTH | PCS_HF_NEEDED },
            { "n_head", "attention.head_count", PCS_HF_BOTH | PCS_HF_NEEDED },
            { "n_inner", "feed_forward_length", PCS_HF_BOTH },
            { "layer_norm_epsilon", "attention.layer_norm_epsilon", PCS_HF_BOTH | PCS_HF_REAL },
            PCS_HF_WORDS,
            { 0 },
        },
        .fixed = (const pcs_hf_fixed[]){ { "scale_attn_weights", 1, NULL },
                                         { "scale_attn_by_inverse_layer_idx", 0, NULL },
                                         { "add_cross_attention", 0, NULL },
                                         { 0 } },
        .act_key = "activation_function",
        .acts = "gelu_new gelu_pytorch_tanh",
        .transposed = true,
        .layer_norm = true,
        .hidden_times = 4,
    },
};
