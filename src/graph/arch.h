/* arch.h - architectures: each is one builder file that makes a graph of a model, and one row. */
#ifndef PCS_ARCH_H
#define PCS_ARCH_H

#include "graph/folder.h"
#include "graph/graph.h"

/* What the language-model runner must know; every builder of one fills it. */
typedef struct pcs_lm {
    precis_value tokens, positions, sequences, outputs; /* i32 inputs */
    int64_t rows, wanted; /* dimensions: tokens of a call, and those whose logits are wanted */
    precis_value logits;                                /* [outputs, vocabulary]; of encoders [outputs, width] */
    uint32_t layers, context, vocabulary, width;
    int64_t most_rows, most_wanted;                     /* of a call; set before building, 0: any */
    int64_t wanted_context; /* tokens that the caller wants; set before building, 0: unknown */
    uint32_t position_limit;                            /* positions that a table has; 0: any */
    bool encoder;                                       /* rows see the whole of their sequence; no next tokens */
    bool whole; /* set before building: calls are whole texts, no cache keeps keys and values, gradients reach them */
} pcs_lm;

/* A decoder of layers as llama's, and in what others differ. Norms of heads: never, where a model has them, always. */
typedef enum { PCS_NEVER, PCS_IF_THERE, PCS_ALWAYS } pcs_presence;
typedef struct pcs_decoder {
    bool interleaved;       /* rotary pairs are neighbours; else half a head apart */
    bool scaled_embedding;  /* by the root of the width */
    bool post_norms;        /* norms after attention and after the feed-forward block, too */
    bool two_bases;         /* layers with a window turn by a base of their own (rope.local.freq_base) */
    pcs_presence head_norms;
    bool inner_norms; /* norms before the output of attention and before the down projection, where there are some */
    const char *activation; /* op of (gate, up) */
} pcs_decoder;

enum { PCS_WINDOWS_NONE = 0, PCS_WINDOWS_ALL = -1 };

/* Everything that precis knows of an architecture: it stands in one file, and no other file says its name. */
typedef struct pcs_arch {
    const char *name; /* general.architecture */
    precis_status (*build)(const precis_model *m, precis_graph *g, pcs_lm *lm); /* NULL: `decoder` says it */
    const pcs_decoder *decoder;
    /* What llama.cpp needs of a file: keys (of the architecture, or "tokenizer..."), parted by blanks; and all tensors
     * that it takes, without the layer's number: it refuses a file that has others. */
    const char *keys, *tensors;
    /* Tensors of each layer that this architecture's models always have, though the graph could do without. */
    const char *needs;
    /* -- where a file does not say it (usual.c) -------------------------------------------------------------------- */
    int windows;          /* layers that have one, in a model with a window: PCS_WINDOWS_..., n: all but every n-th */
    double attention_cap, logits_cap;
    bool query_scale;     /* queries' products may be scaled by a number of the model's own (attention.scale) */
    uint32_t wide_layers; /* with so many layers, by the width over the heads, not by a head's dimension; 0: never */
    /* -- what the net is like -------------------------------------------------------------------------------------- */
    bool encoder;           /* rows see the whole of their sequence */
    bool learned_positions; /* a table of them; nothing is turned, no head is capped */
    bool llama_windows;     /* llama.cpp's net has windows, in the usual layers */
    pcs_hf hf;
} pcs_arch;

/* Keys of every architecture but the epsilon of its norms; tensors of every one, of attention, and of feed-forward
 * blocks. */
#define PCS_KEYS "context_length embedding_length block_count feed_forward_length attention.head_count"
#define PCS_KEYS_RMS PCS_KEYS " attention.layer_norm_rms_epsilon"
#define PCS_ENDS                                                                                                       \
    "token_embd.weight output_norm.weight output.weight rope_freqs.weight rope_factors_long.weight "                   \
    "rope_factors_short.weight"
#define PCS_ATTN "attn_norm.weight attn_q.weight attn_k.weight attn_v.weight attn_qkv.weight attn_output.weight"
#define PCS_FFN "ffn_norm.weight ffn_gate.weight ffn_up.weight ffn_down.weight"
#define PCS_EXPERTS "ffn_gate_inp.weight ffn_gate_exps.weight ffn_up_exps.weight ffn_down_exps.weight"
#define PCS_QKV_BIASES "attn_q.bias attn_k.bias attn_v.bias attn_qkv.bias"

extern const pcs_arch *const pcs_archs[];
/* The row of a name (NULL: none), and of a model by its key general.architecture; NULL when no graph here is it. */
const pcs_arch *pcs_arch_by_name(const char *name);
const pcs_arch *pcs_arch_of(const precis_model *m);
/* Build the graph of a model; *out and its values belong to the caller, the weights to the model.
 * PRECIS_EUNSUPPORTED naming the architecture or setting that no graph has, PRECIS_EFORMAT the key or tensor that is
 * missing or wrong. */
precis_status pcs_arch_build(const precis_model *m, precis_graph **out, pcs_lm *lm);
/* Model type of the folder that would be written of a model; NULL: its architecture has none. */
const pcs_hf_type *pcs_hf_type_of(const precis_model *m);

/* ---- what models take where a file does not say it (usual.c) ----------------------------------------------------- */
/* Has a layer a window, in a model that has windows: usually; in this one, with the file's own pattern; and have all
 * layers of it what is usual? arch NULL: one that is not known. */
bool pcs_usual_window(const pcs_arch *arch, int64_t layer);
bool pcs_layer_window(const precis_model *m, int64_t layer);
bool pcs_usual_windows(const precis_model *m);
/* The dimension whose root divides a query's products. */
double pcs_usual_query_dim(const precis_model *m);
/* Caps of scores and of logits, 0: none; and the key ARCH.key, which config.json calls alike. */
typedef enum { PCS_CAP_ATTENTION, PCS_CAP_LOGITS, PCS_CAPS } pcs_cap;
double pcs_usual_softcap(const pcs_arch *arch, pcs_cap cap);
const char *pcs_cap_key(pcs_cap cap);

/* ---- shared by the builders ------------------------------------------------------------------- */
typedef struct pcs_builder {
    const precis_model *m;
    precis_graph *g;
    pcs_lm *lm;
    /* keys that every transformer has */
    uint32_t heads, kv_heads, key_dim, value_dim, hidden, rope_dims, window;
    uint32_t experts, experts_used, expert_hidden;
    bool experts_norm;
    float eps;
    double rope_base;
    /* Attributes of fake_quant on inputs of weights, with their end; none at first: no rounding. */
    precis_attr act_scheme[4];
    /* what was made last, so that q, k and v share it */
    precis_value round_from, round_to, turn_from, turn_to, scale_from, scale_to;
    float round_scale, scale_by;
} pcs_builder;

/* Read the common keys and make the inputs. */
precis_status pcs_builder_open(pcs_builder *b, const precis_model *m, precis_graph *g, pcs_lm *lm);
/* Tensor "blk.L.name" (L < 0: the name itself): its stored value [rows, width] after a dequantize node, or f32
 * when it has one dimension. Missing: -1 and an error, or with `optional` -2 and none. */
precis_value pcs_weight(pcs_builder *b, int layer, const char *name, int64_t rows, int64_t width, bool optional);
/* A node that is to be: layer < 0 has no number in its name. */
typedef struct pcs_node_spec {
    const char *op;
    int layer;
    const char *name;
    const precis_attr *attrs;
} pcs_node_spec;
precis_value pcs_node_of(pcs_builder *b, const pcs_node_spec *s, uint32_t n, const precis_value *in);
#define PCS_NODE(b, op, layer, name, attrs, ...)                                          \
    pcs_node_of(b, &(pcs_node_spec){ op, layer, name, attrs },                            \
                (uint32_t)(sizeof((precis_value[]){ __VA_ARGS__ }) / sizeof(precis_value)), \
                (precis_value[]){ __VA_ARGS__ })
/* Rows [first, first + rows) of a weight that has `all`; width 1: of a vector. */
typedef struct pcs_rows { int64_t first, rows, all, width; } pcs_rows;
/* A weight, or rows of a fused one, that multiplies; its nodes are named after `as`. */
typedef struct pcs_weight_use {
    int layer;
    const char *name, *as;
    pcs_rows of;
} pcs_weight_use;
/* y plus what the low-rank pairs beside a weight make of x: an SVD residual (NAME.weight.svd_a, _b), an adapter
 * (lora_a, lora_b). */
precis_value pcs_low_rank(pcs_builder *b, const pcs_weight_use *m, precis_value x, precis_value y);
/* x times a weight, with the bias tensor and the low-rank pairs beside it when the model has them. */
precis_value pcs_linear(pcs_builder *b, int layer, const char *name, precis_value x, int64_t rows, int64_t width);
/* RMS norm of x in groups of `dim` by tensor NAME.weight; with `optional` x itself where the model has none. */
precis_value pcs_norm(pcs_builder *b, int layer, const char *name, precis_value x, int64_t dim, bool optional);
/* Rows of the embedding times a factor. */
precis_value pcs_embed(pcs_builder *b, double factor);
/* The same and a learned row for each position, of which there are no more than the model has rows of. */
precis_value pcs_embed_places(pcs_builder *b);
/* A number beside a weight: tensor NAME.suffix; 0 when there is none. */
float pcs_scalar(pcs_builder *b, int layer, const char *name, const char *suffix);
precis_value pcs_layer_norm(pcs_builder *b, int layer, const char *name, precis_value x);
precis_value pcs_weight_part(pcs_builder *b, int layer, const char *name, const pcs_rows *of);
/* q, k and v of x, from three weights or one. */
void pcs_qkv(pcs_builder *b, int layer, precis_value x, precis_value out[3]);
/* Gated feed-forward block by an op of (gate, up): three weights, gate and up in one, or experts. */
precis_value pcs_ffn(pcs_builder *b, int layer, precis_value x, const char *activation);
/* Rotary table of a base; `scaled`: by the keys rope.scaling.* (linear, yarn, longrope) and the factors among the
 * tensors. A scaling that is not known is refused by its key. */
precis_value pcs_rope_table(pcs_builder *b, const char *name, double base, bool scaled);
/* "name" or "blk.LAYER.name". */
void pcs_tensor_name(char *out, size_t cap, int layer, const char *name);
/* Keys and values into the cache of a layer, and attention over it. */
precis_value pcs_attend(pcs_builder *b, int layer, precis_value q, precis_value k, precis_value v);
/* The net of a decoder from embedding to logits (decoder.c); biases are used where the model has them. */
precis_status pcs_decoder_build(const precis_model *m, precis_graph *g, pcs_lm *lm, const pcs_decoder *d);
/* The final norm has been applied: gather the wanted rows and make logits (tied to the embedding when
 * output.weight is absent). */
precis_status pcs_logits(pcs_builder *b, precis_value x);

#endif
