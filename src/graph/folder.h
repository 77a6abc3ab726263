/* folder.h - what transformers calls an architecture: its model types, its tensors and the members of config.json; and
 * how weights lie otherwise there than in GGUF.
 *
 * Readers, writers and adapters walk these tables, which stand in the architecture's own file; no other file names an
 * architecture. What many have in common is below. */
#ifndef PCS_FOLDER_H
#define PCS_FOLDER_H

#include "model/model.h"

/* A model type. Of several, a folder that is written has the first whose key ARCH.when is above 0, or that has none. */
typedef struct pcs_hf_type {
    const char *type, *class;
    double epsilon; /* of norms, where config.json says none */
    const char *when;
} pcs_hf_type;

/* A tensor's name without its layer and its end; '*' stands for the number of an expert. When a name is looked for the
 * first that fits counts, in both directions. NULL ends a list. */
typedef struct pcs_hf_part {
    const char *name;
    pcs_tensor_role role;
} pcs_hf_part;

/* A member of config.json as a key ARCH.key. NULL ends a list. */
enum { PCS_HF_READ = 1, PCS_HF_WRITE = 2, PCS_HF_BOTH = 3, PCS_HF_NEEDED = 4, PCS_HF_REAL = 8 };
typedef struct pcs_hf_number {
    const char *name, *key;
    unsigned how;
} pcs_hf_number;

/* A number that the class in transformers has where config.json says none. */
typedef struct pcs_hf_usual {
    const char *name;
    double v;
} pcs_hf_usual;

/* A setting of which the graph has one value: a number, or a text. */
typedef struct pcs_hf_fixed {
    const char *name;
    double number;
    const char *text;
} pcs_hf_fixed;

typedef struct pcs_hf {
    const pcs_hf_type *types; /* NULL: transformers has none that precis knows */
    const pcs_hf_part *whole; /* of the model */
    const char *layers;       /* where the layers stand */
    const pcs_hf_part *parts; /* of a layer */
    const pcs_hf_number *numbers;
    const pcs_hf_usual *usual; /* or NULL, as the next */
    const pcs_hf_fixed *fixed;
    /* The activation: the member that says it, and its words for what the graph computes, parted by blanks; the one
     * that is written (NULL: none is), also as another member; the one that is kept in ARCH.feed_forward.activation,
     * because the graph computes two; the usual one's name in sentences. */
    const char *act_key, *acts, *act, *act_too, *act_kept, *act_said;
    bool interleaved; /* queries and keys: GGUF has rotary pairs as neighbours, transformers half a head apart */
    bool plus_one;    /* norms: transformers stores them without the 1 that the model adds */
    bool transposed;  /* matrices of layers */
    bool layer_norm;  /* which epsilon the norms have */
    bool asked_windows; /* layers have windows only where use_sliding_window asks, from max_window_layers on */
    bool part_turned;   /* partial_rotary_factor is known */
    bool two_bases;     /* rotary tables of layers with a window and without */
    uint32_t hidden_times; /* feed_forward_length in widths, where config.json says none; 0: it must */
    /* What only this architecture says in config.json: members, each after a comma. NULL: nothing. */
    precis_status (*write)(const precis_model *m, pcs_buf *b);
} pcs_hf;

/* Names and numbers of llama and what varies it. */
extern const pcs_hf_part pcs_hf_whole[], pcs_hf_parts[], pcs_hf_post_parts[];
extern const pcs_hf_number pcs_hf_numbers[];
#define PCS_HF_LAYERS "model.layers"
#define PCS_HF_SELF_ATTN                                                                                               \
    { "self_attn.q_proj", PCS_ROLE_attn_q }, { "self_attn.k_proj", PCS_ROLE_attn_k },                                  \
    { "self_attn.v_proj", PCS_ROLE_attn_v }, { "self_attn.qkv_proj", PCS_ROLE_attn_qkv },                              \
    { "self_attn.o_proj", PCS_ROLE_attn_output }, { "self_attn.q_norm", PCS_ROLE_attn_q_norm },                        \
    { "self_attn.k_norm", PCS_ROLE_attn_k_norm }, { "self_attn.attn_sub_norm", PCS_ROLE_attn_sub_norm },               \
    { "input_layernorm", PCS_ROLE_attn_norm }
#define PCS_HF_MLP                                                                                                     \
    { "mlp.gate_proj", PCS_ROLE_ffn_gate }, { "mlp.up_proj", PCS_ROLE_ffn_up },                                        \
    { "mlp.gate_up_proj", PCS_ROLE_ffn_up }, { "mlp.down_proj", PCS_ROLE_ffn_down },                                   \
    { "mlp.ffn_sub_norm", PCS_ROLE_ffn_sub_norm }
#define PCS_HF_NUMBERS                                                                                                 \
    { "max_position_embeddings", "context_length", PCS_HF_BOTH | PCS_HF_NEEDED },                                      \
    { "hidden_size", "embedding_length", PCS_HF_BOTH | PCS_HF_NEEDED },                                                \
    { "num_hidden_layers", "block_count", PCS_HF_BOTH | PCS_HF_NEEDED },                                               \
    { "intermediate_size", "feed_forward_length", PCS_HF_BOTH | PCS_HF_NEEDED },                                       \
    { "num_attention_heads", "attention.head_count", PCS_HF_BOTH | PCS_HF_NEEDED },                                    \
    { "num_key_value_heads", "attention.head_count_kv", PCS_HF_BOTH },                                                 \
    { "head_dim", "rope.dimension_count", PCS_HF_READ }, { "head_dim", "attention.key_length", PCS_HF_BOTH },          \
    { "head_dim", "attention.value_length", PCS_HF_READ },                                                             \
    { "rms_norm_eps", "attention.layer_norm_rms_epsilon", PCS_HF_BOTH | PCS_HF_REAL },                                 \
    { "sliding_window", "attention.sliding_window", PCS_HF_WRITE } /* it is read with the layers that have one */
#define PCS_HF_WORDS { "vocab_size", "vocab_size", PCS_HF_READ } /* written by the rows of the embedding */
/* count: how many experts, as the model types' config.json says it */
#define PCS_HF_EXPERTS(count)                                                                                          \
    { "num_local_experts", "expert_count", PCS_HF_READ }, { "num_experts", "expert_count", PCS_HF_READ },              \
    { "num_experts_per_tok", "expert_used_count", PCS_HF_BOTH },                                                       \
    { "moe_intermediate_size", "expert_feed_forward_length", PCS_HF_BOTH },                                            \
    { "norm_topk_prob", "expert_weights_norm", PCS_HF_READ }, { count, "expert_count", PCS_HF_WRITE }
/* Names, layers and numbers of who has llama's, with its own parts of a layer. */
#define PCS_HF_PLAIN(of_layer)                                                                                        \
    .whole = pcs_hf_whole, .layers = PCS_HF_LAYERS, .parts = of_layer, .numbers = pcs_hf_numbers
/* Gemma's second and third edition. */
#define PCS_HF_GEMMA                                                                                                  \
    PCS_HF_PLAIN(pcs_hf_post_parts), .plus_one = true, .act_key = "hidden_activation",                                \
        .acts = "gelu_pytorch_tanh gelu_new", .act = "gelu_pytorch_tanh", .act_too = "hidden_activation",             \
        .fixed = (const pcs_hf_fixed[]){ { "use_bidirectional_attention", 0, NULL }, { 0 } }
/* Gated by SiLU. */
#define PCS_HF_SILU .act_key = "hidden_act", .acts = "silu swish", .act = "silu"

#endif
