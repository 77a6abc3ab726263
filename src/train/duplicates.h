/* duplicates.h - paragraphs that come again, and held-out text that training has seen. */
#ifndef PCS_DUPLICATES_H
#define PCS_DUPLICATES_H

#include "base/base.h"

typedef struct pcs_duplicates {
    uint64_t paragraphs, again, bytes;
} pcs_duplicates; /* bytes: of those that came again */

/* Drops from a text, in place, each paragraph (up to and with the blank lines after it) whose words were seen before,
 * in this text or in another; blanks and line ends do not count. Those of less than 32 letters stay: titles and "The
 * end" are no copies. seen: hashes of 128 bits, owned by the caller. PRECIS_ENOMEM. */
precis_status pcs_drop_duplicates(pcs_map *seen, pcs_arena *keys, char *text, size_t *n, pcs_duplicates *d);

/* Of all rows of `length` tokens of `held`, how many stand in `text`, too. Two texts share none by chance of 13 words'
 * tokens (GPT-3: 2005.14165, appendix C) or of 50 letters (Lee et al. 2022, 2107.06499). PRECIS_ENOMEM. */
typedef struct pcs_rows_shared { size_t length; uint64_t rows, found; } pcs_rows_shared;
precis_status pcs_rows_seen(precis_ctx *ctx, const int32_t *held, size_t n_held, const int32_t *text, size_t n,
                          pcs_rows_shared *o);

#endif
