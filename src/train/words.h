/* words.h - the tokenizer of a run: one that its texts give, or a file's. */
#ifndef PCS_TRAIN_WORDS_H
#define PCS_TRAIN_WORDS_H

#include "model/model.h"

/* A model that has nothing but a tokenizer's keys, learned from the texts at n paths (text/bpe.h) or, where `file` is
 * not NULL, read from a tokenizer.json. PRECIS_EFORMAT: the texts do not give so many tokens. */
precis_status pcs_words_open(precis_ctx *ctx, precis_model **out, const char *const *paths, size_t n,
                             uint32_t vocabulary, const char *file);

#endif
