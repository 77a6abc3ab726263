/* checkpoint.h - a GGUF file that is the model, and holds beside it what training goes on from: the step, what the run
 * was asked for, and each optimizer state as I8 bytes. It appears whole or not at all, and is read back before it has
 * its name. */
#ifndef PCS_CHECKPOINT_H
#define PCS_CHECKPOINT_H

#include "train/data.h"

/* A run's state: the parameters, their optimizer's states, and how many steps are done. */
typedef struct pcs_train_state {
    pcs_llama llama;
    void **state;  /* [llama.n]; NULL: the optimizer keeps none */
    size_t *bytes; /* of each */
    uint64_t step;
    const char *asked; /* pcs_train_config_text, and the data's digest */
    const float *
        *served; /* [llama.n]: what the file has of a parameter of the net, which then stands beside it; or NULL */
    const precis_model *origin; /* whose keys the file has; or NULL */
    const precis_model *words;  /* whose keys of a tokenizer it has otherwise; or NULL: bytes */
} pcs_train_state;

/* sha256: [65], of the file. */
precis_status pcs_checkpoint_write(precis_ctx *ctx, const char *path, const pcs_train_config *c,
                                   const pcs_train_state *s, char *sha256);
/* Into a state of the same configuration. PRECIS_EFORMAT: another run's, or no checkpoint. */
precis_status pcs_checkpoint_read(precis_ctx *ctx, const char *path, pcs_train_state *s, char *sha256);

#endif
