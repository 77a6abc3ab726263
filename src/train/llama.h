/* llama.h - the llama family as a graph to train: parameters under GGUF's names, attention over the batch's own keys, a
 * loss. */
#ifndef PCS_TRAIN_LLAMA_H
#define PCS_TRAIN_LLAMA_H

#include "run/reverse.h"

typedef struct pcs_llama_config {
    int64_t width, layers, heads, kv_heads, hidden, vocabulary;
    double eps, rope_base;
    bool qk_norm;
    bool interleaved; /* rotary pairs are neighbours, as in a GGUF's llama; else half a head apart */
    /* 2 to 8: rounded straight through; more: not. W by output row, A by token, K and V by token and head */
    int w_bits, a_bits, kv_bits;
    const char *w_type; /* instead of w_bits: W as this type stores it; NULL: none */
} pcs_llama_config;

typedef struct pcs_trained {
    char name[64];
    uint32_t dims;
    int64_t shape[2];
    size_t n;
    float *data; /* the caller's, before the graph is built */
    precis_value value;
} pcs_trained;

typedef struct pcs_llama {
    pcs_trained *parameters; /* owned */
    size_t n;
    int64_t tokens; /* the symbol */
    precis_value ids, targets, positions, sequences; /* i32 [tokens] */
    precis_value logits, rows, loss; /* rows: of each token; loss: the mean over targets that are not -100 */
} pcs_llama;

/* Names and shapes of the parameters; PRECIS_EFORMAT when the numbers do not make a net. */
precis_status pcs_llama_open(precis_ctx *ctx, pcs_llama *l, const pcs_llama_config *c);
void pcs_llama_close(precis_ctx *ctx, pcs_llama *l);
pcs_trained *pcs_llama_parameter(const pcs_llama *l, const char *name);
/* Add the net to a graph, once every parameter has its data. Errors are the graph's. */
void pcs_llama_build(pcs_llama *l, precis_graph *g, const pcs_llama_config *c);

#endif
