/* bpe.h - a byte-level BPE (Sennrich et al. 2016, over GPT-2's alphabet) learned from texts.
 *
 * Texts are read line by line and cut by GPT-2's pre-tokenizer; the pair that occurs most often is merged, of equal
 * ones the one with the lower ids: what Hugging Face's `tokenizers` learns from the same files, merge by merge. One
 * thread; the result depends on the texts alone. */
#ifndef PCS_BPE_H
#define PCS_BPE_H

#include "text/tokenizer.h"

typedef struct pcs_bpe {
    precis_ctx *ctx;
    pcs_arena arena;
    uint32_t n, n_merges;   /* tokens: 256 bytes, then one for each merge that gave a new text */
    pcs_text *tokens;       /* as bytes of a text */
    uint32_t (*merges)[2];  /* in order of their rank */
} pcs_bpe;

/* Texts of lens[i] bytes each. 256 <= vocabulary <= 2^20; there may be fewer tokens, when nothing is left to merge.
 * PRECIS_EINVAL, PRECIS_ENOMEM, PRECIS_ECANCELED. Closed by pcs_bpe_close in any case. */
precis_status pcs_bpe_train(precis_ctx *ctx, pcs_bpe *b, const char *const *texts, const size_t *lens, size_t n,
                            uint32_t vocabulary);
void pcs_bpe_close(pcs_bpe *b);
/* A token as GPT-2's alphabet writes its bytes, in UTF-8; NULL: no memory. */
char *pcs_bpe_written(pcs_arena *a, const pcs_text *token);
/* tokenizer.json, which `tokenizers` reads. */
precis_status pcs_bpe_json(const pcs_bpe *b, pcs_buf *out);
/* The byte that is token i of the first 256, in the order of GPT-2's alphabet. */
uint8_t pcs_bpe_byte(uint32_t i);

#endif
