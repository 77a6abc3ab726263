/* data.h - batches of tokens: windows of texts, or sequences of the language, each a function of the seed and its
 * number alone, so that a run that goes on needs no position but its step. */
#ifndef PCS_TRAIN_DATA_H
#define PCS_TRAIN_DATA_H

#include "base/sha256.h"
#include "train/config.h"
#include "train/duplicates.h"
#include "train/language.h"

#include "precis/text.h"

/* What a file gave. */
typedef struct pcs_train_text {
    size_t bytes, tokens;
    char sha256[65]; /* of the file */
    pcs_duplicates duplicates;
} pcs_train_text;

typedef struct pcs_train_data {
    precis_ctx *ctx;
    const pcs_train_config *c;
    int32_t *text, *held; /* tokens of all texts one after another; or NULL */
    size_t n_text, n_held;
    pcs_language *language;
    int16_t *last;   /* of the language */
    float *log_p;    /* [context + 1] */
    char sha256[65]; /* of what is trained on */
    pcs_train_text of[PCS_TRAIN_TEXTS], of_held;
    pcs_rows_shared overlap; /* of the held-out text with the others */
} pcs_train_data;

/* m: whose tokenizer reads the texts; NULL: tokens are bytes. */
precis_status pcs_train_data_open(precis_ctx *ctx, pcs_train_data *d, const pcs_train_config *c, const precis_model *m);
void pcs_train_data_close(pcs_train_data *d);
/* Sequence `number` of training: `context` tokens and, one place on, their targets. */
void pcs_train_sequence(pcs_train_data *d, uint64_t number, int32_t *ids, int32_t *targets);
/* Held-out sequence i, and the entropy of its targets where it is known (NaN); false: there are no more. */
bool pcs_train_held(pcs_train_data *d, uint64_t i, int32_t *ids, int32_t *targets, double *entropy);

#endif
