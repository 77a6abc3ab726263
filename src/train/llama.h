/* llama.h - the llama family as a graph to train: parameters under GGUF's names, attention over the batch's own keys, a
 * loss. */
#ifndef PCS_TRAIN_LLAMA_H
#define PCS_TRAIN_LLAMA_H

#include "graph/low.h"
#include "run/reverse.h"
#include "train/estimator.h"

/* How the scale of an activation comes about. */
typedef enum {
    PCS_SCALE_ESTIMATED, /* as the estimator has it: one learned number for all, or by token                 */
    PCS_SCALE_TOKEN,     /* of each token by itself                                                          */
    PCS_SCALE_OBSERVED   /* one for all, of a moving average of the least and the largest (train/observer.h) */
} pcs_train_scale;

typedef struct pcs_llama_config {
    int64_t width, layers, heads, kv_heads, hidden, vocabulary;
    int64_t head_dim; /* 0: width / heads */
    double eps, rope_base;
    const float *rope_factors; /* [head_dim / 2], which frequencies are divided by; or NULL */
    const char *activation; /* op of gate and up; NULL: swiglu */
    bool qk_norm;
    bool interleaved; /* rotary pairs are neighbours, as in a GGUF's llama; else half a head apart */
    bool untied;      /* the head is a matrix of its own */
    /* 2 to 8: rounded straight through; more: not. W by output row, A by token, K and V by token and head */
    int w_bits, a_bits, kv_bits;
    const pcs_estimator *estimator; /* of parameters that have a type, and of activations; NULL: ste */
    pcs_train_scale a_scale;
    bool cached;         /* keys and values of 4 bits have the scale that caches give them (graph/kv.c) */
    bool counted;        /* products of signs are counted as where they are served (op xnor), and have no gradient */
    bool plain;          /* nothing is rounded in this graph, whatever types there are */
    const pcs_low *compute; /* of the products of layers' matrices; NULL: f32 */
    double temperature;  /* above 0: a teacher's logits are an input, and the loss has the divergence from them */
    double distill;      /* its share of the loss; the rest is cross entropy */
    int64_t rank;        /* above 0: low-rank adapters beside the matrices of layers */
    double adapter_scale; /* what an adapter's product counts: alpha / rank */
} pcs_llama_config;

typedef enum {
    PCS_TRAINED_NET,      /* of the net, under GGUF's names */
    PCS_TRAINED_ADAPTER,  /* NAME.weight.lora_a [rank, k] and lora_b [rows, rank] */
    PCS_TRAINED_RANGE,    /* "range:NAME": learned, of a weight or of an activation */
    PCS_TRAINED_OBSERVED, /* "range:NAME": set by an observer */
    PCS_TRAINED_OBSERVER, /* "seen:NAME": [3] least, largest, and 1 once there was something */
    PCS_TRAINED_STATISTIC /* of a batch norm: of the batches that went by */
} pcs_trained_kind;

typedef struct pcs_trained {
    char name[64];
    uint32_t dims;
    int64_t shape[2];
    size_t n;
    float *data; /* the caller's, before the graph is built */
    precis_value value;
    pcs_trained_kind kind;
    bool fixed;             /* not trained: the caller's wish, before the graph is built */
    const pcs_format *type; /* what it is rounded to; NULL: it is not. The caller's, before ranges are added */
    size_t of;              /* of a weight's range, an observed range, an observer: the parameter that it is of */
    /* Of the graph that was built last: what the type encodes and what it makes of it (or the weight itself); what an
     * activation's range looks at. -1: there is none */
    precis_value ready, rounded, watched;
    precis_value input; /* of the same, what the weight is multiplied with; -1 */
} pcs_trained;

/* Of an adapter's two matrices the one that takes the input. */
static inline bool pcs_trained_first(const pcs_trained *p) { return p->name[strlen(p->name) - 1] == 'a'; }

typedef struct pcs_llama {
    pcs_trained *parameters; /* owned */
    size_t n, room;
    int64_t tokens; /* the symbol */
    precis_value ids, targets, positions, sequences; /* i32 [tokens] */
    precis_value draw;    /* i32 [1]: the step, where the arithmetic draws; -1: there is none */
    precis_value teacher; /* f32 [tokens, vocabulary]; -1: there is none */
    precis_value logits, rows,
        loss; /* rows: cross entropy of each token; loss: the mean over targets that are not -100 */
} pcs_llama;

/* Names and shapes of the parameters; PRECIS_EFORMAT when the numbers do not make a net. */
precis_status pcs_llama_open(precis_ctx *ctx, pcs_llama *l, const pcs_llama_config *c);
/* Ranges of typed parameters and of activations, as the configuration's estimator has them, and adapters' matrices
 * (trained; the rest is fixed then). PRECIS_ENOMEM. */
precis_status pcs_llama_add_ranges(precis_ctx *ctx, pcs_llama *l, const pcs_llama_config *c);
precis_status pcs_llama_add_adapters(precis_ctx *ctx, pcs_llama *l, const pcs_llama_config *c);
/* A parameter of its own name, after the others; NULL: no memory. rows 0: a vector. */
pcs_trained *pcs_llama_push(precis_ctx *ctx, pcs_llama *l, int64_t rows, int64_t columns);
void pcs_llama_close(precis_ctx *ctx, pcs_llama *l);
pcs_trained *pcs_llama_parameter(const pcs_llama *l, const char *name);
/* Add the net to a graph, once every parameter has its data. Errors are the graph's. */
void pcs_llama_build(pcs_llama *l, precis_graph *g, const pcs_llama_config *c);

#endif
