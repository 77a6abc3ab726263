/* config.h - what `precis train` is to do, from JSON: every key is known, and every number has a range. */
#ifndef PCS_TRAIN_CONFIG_H
#define PCS_TRAIN_CONFIG_H

#include "train/llama.h"
#include "train/optimizer.h"
#include "train/schedule.h"

enum { PCS_TRAIN_TEXTS = 64 };

typedef struct pcs_train_config {
    pcs_llama_config model;
    const char *texts[PCS_TRAIN_TEXTS];
    size_t n_texts;
    const char *heldout;     /* a text; or NULL */
    uint64_t heldout_tokens; /* at most */
    bool language;           /* instead of texts */
    uint64_t language_seed;
    uint64_t context, batch, steps;
    uint64_t every; /* steps between checkpoints */
    const pcs_optimizer *optimizer;
    pcs_optimizer_settings settings;
    double clip;
    const pcs_schedule *schedule;
    pcs_schedule_settings rates;
    uint64_t seed;
    double quant_from; /* the share of steps that are trained in full first */
    pcs_arena arena; /* of the texts above */
} pcs_train_config;

/* name: of the file, for messages. PRECIS_EFORMAT with the path of the key, PRECIS_EUNSUPPORTED. Closed by
 * pcs_train_config_close in any case. */
precis_status pcs_train_config_parse(precis_ctx *ctx, pcs_train_config *c, const char *name, const char *text,
                                     size_t len);
void pcs_train_config_close(pcs_train_config *c);
/* What decides the bytes of a checkpoint, as one line of JSON: two configurations that are the same give the same. */
precis_status pcs_train_config_text(const pcs_train_config *c, pcs_buf *b);

#endif
