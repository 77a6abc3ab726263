/* bert - an encoder: every token sees its whole sequence; norms come after each block (Devlin et al. 2018). Rows of
 * the last layer are the result; `precis run --embed` pools them. */
#include "graph/arch.h"

#include "base/json.h"

static precis_value layer(pcs_builder *b, int i, precis_value x)
{
    const int64_t n = b->lm->width;
    precis_value qkv[3];
    pcs_qkv(b, i, x, qkv);
    precis_value h = pcs_attend(b, i, qkv[0], qkv[1], qkv[2]);
    h = pcs_linear(b, i, "attn_output", h, n, (int64_t)b->heads * b->value_dim);
    x = pcs_layer_norm(b, i, "attn_output_norm", PCS_NODE(b, "add", i, "attn_residual", NULL, x, h));
    h = PCS_NODE(b, "gelu", i, "ffn_act", NULL, pcs_linear(b, i, "ffn_up", x, b->hidden, n));
    h = pcs_linear(b, i, "ffn_down", h, n, b->hidden);
    return pcs_layer_norm(b, i, "layer_output_norm", PCS_NODE(b, "add", i, "ffn_residual", NULL, x, h));
}

static precis_status build(const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    pcs_builder b;
    lm->encoder = true;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    precis_value x = pcs_embed_places(&b);
    const pcs_tensor *types = pcs_model_tensor(m, "token_types.weight");
    if (types) { /* every token is of the first sentence */
        const int64_t n_types = (int64_t)pcs_tensor_rows(types);
        const precis_value w = pcs_weight(&b, -1, "token_types.weight", n_types, lm->width, false);
        const precis_attr *first = PRECIS_ATTRS(precis_attr_int("row", 0));
        const precis_value type = PCS_NODE(&b, "embedding", -1, "type_embedding", first, lm->tokens, w);
        x = PCS_NODE(&b, "add", -1, "typed", NULL, x, type);
    }
    x = pcs_layer_norm(&b, -1, "token_embd_norm", x);
    for (uint32_t i = 0; i < lm->layers && !g->error; i++) {
        x = layer(&b, (int)i, x);
        if (x >= 0) g->values[x].cut = true;
    }
    lm->logits = PCS_NODE(&b, "gather", -1, "last", NULL, x, lm->outputs);
    precis_graph_output(g, lm->logits);
    return g->error ? pcs_fail(m->ctx, g->error, "%s", g->message) : PRECIS_OK;
}

static precis_status write(const precis_model *m, pcs_buf *b)
{
    const pcs_tensor *kinds = pcs_model_part(m, -1, PCS_ROLE_token_types, PCS_END_weight);
    return pcs_buf_printf(b, ",\n \"hidden_act\": \"gelu\",\n \"type_vocab_size\": %lld",
                          kinds ? (long long)pcs_tensor_rows(kinds) : 0);
}

const pcs_arch pcs_arch_bert = {
    "bert", build,
    .keys = PCS_KEYS " attention.layer_norm_epsilon tokenizer.ggml.token_type_count",
    .tensors = "token_embd.weight token_types.weight position_embd.weight token_embd_norm.weight token_embd_norm.bias "
               "cls.weight cls.bias cls.output.weight cls.output.bias " PCS_ATTN " " PCS_QKV_BIASES " "
               "attn_output.bias attn_output_norm.weight attn_output_norm.bias ffn_up.weight ffn_up.bias "
               "ffn_down.weight ffn_down.bias layer_output_norm.weight layer_output_norm.bias",
    .needs = "attn_output.bias attn_output_norm.bias ffn_up.bias ffn_down.bias layer_output_norm.bias",
    .encoder = true,
    .learned_positions = true,
    .hf = {
        .types = (const pcs_hf_type[]){ { "bert", "BertModel", 1e-12, NULL }, { 0 } },
        .whole = (const pcs_hf_part[]){ { "embeddings.word_embeddings", PCS_ROLE_token_embd },
                                        { "embeddings.position_embeddings", PCS_ROLE_position_embd },
                                        { "embeddings.token_type_embeddings", PCS_ROLE_token_types },
                                        { "embeddings.LayerNorm", PCS_ROLE_token_embd_norm },
                                        { 0 } },
        .layers = "encoder.layer",
        .parts = (const pcs_hf_part[]){ { "attention.self.query", PCS_ROLE_attn_q },
                                        { "attention.self.key", PCS_ROLE_attn_k },
                                        { "attention.self.value", PCS_ROLE_attn_v },
                                        { "attention.output.dense", PCS_ROLE_attn_output },
                                        { "attention.output.LayerNorm", PCS_ROLE_attn_output_norm },
                                        { "intermediate.dense", PCS_ROLE_ffn_up },
                                        { "output.dense", PCS_ROLE_ffn_down },
                                        { "output.LayerNorm", PCS_ROLE_layer_output_norm },
                                        { 0 } },
        .numbers = (const pcs_hf_number[]){
            PCS_HF_NUMBERS,
            { "layer_norm_eps", "attention.layer_norm_epsilon", PCS_HF_BOTH | PCS_HF_REAL },
            PCS_HF_WORDS,
            { 0 },
        },
        .fixed = (const pcs_hf_fixed[]){ { "is_decoder", 0, NULL },
                                         { "position_embedding_type", 0, "absolute" },
                                         { 0 } },
        .act_key = "hidden_act",
        .acts = "gelu",
        .layer_norm = true,
        .write = write,
    },
};
