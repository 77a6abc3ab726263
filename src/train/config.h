/* config.h - what `precis train` is to do, from JSON: every key is known, and every number has a range. */
#ifndef PCS_TRAIN_CONFIG_H
#define PCS_TRAIN_CONFIG_H

#include "train/estimator.h"
#include "train/llama.h"
#include "train/optimizer.h"
#include "train/schedule.h"

enum { PCS_TRAIN_TEXTS = 64, PCS_TRAIN_PATTERNS = 32, PCS_TRAIN_STACK = 64 };

/* What is rounded, how it learns, and when. Shares are of all steps. */
typedef struct pcs_train_quant {
    const char *weights; /* a type, for matrices of layers; or PATTERN=TYPE, ...; or NULL   */
    const char *plan;    /* instead: a file that precis plan wrote                          */
    const char *types;   /* what the plan says, as PATTERN=TYPE, ...: set by who reads it   */
    const pcs_estimator *estimator;
    int a_bits, kv_bits; /* more than 8: not rounded                                        */
    pcs_train_scale a_scale;
    double from;         /* the share of steps that are trained in full first               */
    double observe;      /* from which on observers look                                    */
    double freeze;       /* from which on ranges, learned or observed, stay as they are     */
    double freeze_norm;  /* from which on batch norms have running statistics (nets of arrays) */
    double average;      /* of observers: what the newest batch counts                      */
    double lr;           /* of weights that are rounded, times that of the others           */
    double decay;        /* of the same; below 0: as the others                             */
    double range_lr, range_decay; /* of learned ranges                                      */
    double dampen;       /* the loss gets that much of sum (w - rounded w)^2 (Nagel et al. 2022, 2203.11086, eq. 5) */
} pcs_train_quant;

/* A net of arrays: a file's (pcs_train_config.from), or these layers. */
typedef struct pcs_train_layer {
    bool linear, norm;
    int64_t out, kernel, stride, pad, groups, pool; /* pool: windows of the largest after it; 0: none */
    const char *activation; /* an op of one operand; NULL: none */
} pcs_train_layer;

typedef struct pcs_train_arrays {
    const char *data, *labels;  /* .npy; labels also .txt. data NULL: tokens are trained on instead */
    const char *held_labels;    /* of the configuration's heldout */
    int64_t input[4], classes;  /* input: without the batch; 0 ends it */
    pcs_train_layer stack[PCS_TRAIN_STACK];
    size_t n_stack;
    double momentum; /* of batch norms: what the newest batch counts in running statistics */
} pcs_train_arrays;

/* Which weights are left out: `out` of each `of` along a row, once, in step `from` of all. */
typedef enum { PCS_PRUNE_NONE, PCS_PRUNE_MAGNITUDE, PCS_PRUNE_WANDA, PCS_PRUNE_SPARSEGPT } pcs_prune_method;
typedef struct pcs_train_prune { pcs_prune_method method; size_t out, of; double from; } pcs_train_prune;

typedef struct pcs_train_config {
    pcs_llama_config model;
    const char *texts[PCS_TRAIN_TEXTS];
    size_t n_texts;
    const char *tokenizer;   /* a tokenizer.json; NULL: bytes, or learned from the texts where there are more tokens */
    bool vocabulary_asked;   /* model.vocabulary is of the configuration */
    const char *heldout;     /* a text; or NULL */
    uint64_t heldout_tokens; /* at most */
    bool deduplicate;        /* paragraphs of texts that came before are left out */
    bool language;           /* instead of texts */
    uint64_t language_seed;
    uint64_t context, batch, steps;
    uint64_t parts; /* of a batch, which divide it */
    uint64_t every; /* steps between checkpoints */
    const pcs_optimizer *optimizer;
    pcs_optimizer_settings settings;
    double others_lr; /* of what the optimizer leaves to another; 0: it leaves nothing */
    double clip;
    const pcs_schedule *schedule;
    pcs_schedule_settings rates;
    uint64_t seed;
    double decay_until; /* the share of steps after which weights do not decay any more */
    const char *from;   /* a model's file to begin with; NULL: random numbers */
    const char *teacher; /* a model's file that is learned from; model.temperature and model.distill say how; or NULL */
    double alpha;        /* of adapters of model.rank */
    const char *only[PCS_TRAIN_PATTERNS]; /* parameters that are trained; none: all */
    size_t n_only;
    pcs_train_quant quant;
    pcs_train_prune prune;
    pcs_train_arrays arrays;
    pcs_arena arena; /* of the texts above */
} pcs_train_config;

/* name: of the file, for messages. PRECIS_EFORMAT with the path of the key, PRECIS_EUNSUPPORTED. Closed by
 * pcs_train_config_close in any case. The first only reads; what else is said (on a command line) may be set before the
 * second sees whether it is whole. */
precis_status pcs_train_config_read(precis_ctx *ctx, pcs_train_config *c, const char *name, const char *text,
                                    size_t len);
precis_status pcs_train_config_finish(precis_ctx *ctx, const char *name, pcs_train_config *c);
precis_status pcs_train_config_parse(precis_ctx *ctx, pcs_train_config *c, const char *name, const char *text,
                                     size_t len);
void pcs_train_config_close(pcs_train_config *c);
/* What decides the bytes of a checkpoint, as one line of JSON: two configurations that are the same give the same. */
precis_status pcs_train_config_text(const pcs_train_config *c, pcs_buf *b);

/* compute, from elsewhere. PRECIS_EINVAL: no arithmetic. */
precis_status pcs_train_set_compute(precis_ctx *ctx, pcs_train_config *c, const char *name);
/* ---- of nets of arrays (config_arrays.c) ---- */
/* PRECIS_EFORMAT: what is missing, or does not go with such nets. */
precis_status pcs_train_arrays_check(precis_ctx *ctx, const char *name, const pcs_train_config *c);
precis_status pcs_train_arrays_text(const pcs_train_config *c, pcs_buf *b);
/* ---- of `quant` (config_quant.c) ---- */
/* quant.weights, from elsewhere. PRECIS_EFORMAT: no type. */
precis_status pcs_train_set_weights(precis_ctx *ctx, pcs_train_config *c, const char *spec);
/* "r=8,alpha=16". PRECIS_EINVAL. */
precis_status pcs_train_set_adapter(precis_ctx *ctx, pcs_train_config *c, const char *text);
bool pcs_train_quantizes(const pcs_train_quant *q);
precis_status pcs_train_quant_check(precis_ctx *ctx, const char *name, const pcs_train_quant *q);
precis_status pcs_train_quant_text(const pcs_train_quant *q, pcs_buf *b);

#endif
