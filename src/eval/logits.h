/* logits.h - the logits of a reference on a text, kept in a file, so that the next model is
 * compared without running the reference again.
 *
 * A GGUF file: "logits" I16 [rows][vocabulary], code c stands for low + step * (c + 32768), and "rows" F64
 * [rows][5]: low, step, the log of the sum of exponentials of what the codes stand for, and, from the logits
 * themselves, the negative log-likelihood of the next token and the likeliest token. Rounding by step / 2
 * (3e-4 where logits span 40) adds about step^2 / 24 to a divergence. */
#ifndef PCS_LOGITS_H
#define PCS_LOGITS_H

#include "kernel/kernel.h"
#include "precis/run.h"
#include "write/write.h"

/* What the logits are of. */
typedef struct pcs_logits_of {
    const int32_t *ids; /* of the text's windows, without the BOS that takes a first one's place */
    uint32_t window;
    size_t windows, vocabulary;
    precis_arithmetic arithmetic;
} pcs_logits_of;

typedef struct { double low, step, log_sum, nll, best; } pcs_logits_row;

typedef struct pcs_kept_logits {
    precis_model *file;
    const uint8_t *codes, *rows;
    size_t n, vocabulary;
} pcs_kept_logits;

/* Rows that windows of so many tokens have: the second half, but for the last. */
static inline size_t pcs_logits_rows(uint32_t window) { return window - 1 - window / 2; }

/* PRECIS_EINVAL where the file is of another text, arithmetic or (reference not NULL)
 * model, and says which. After a failure, too, close. */
precis_status pcs_logits_open(precis_ctx *ctx, pcs_kept_logits *l, const char *path, const pcs_logits_of *of,
                              const precis_model *reference);
void pcs_logits_close(pcs_kept_logits *l);
/* Row i as numbers, x[vocabulary]. */
pcs_logits_row pcs_logits_get(const pcs_kept_logits *l, size_t i, float *x);

/* Codes of a row of logits whose next token is `next`; x becomes what the codes stand for. */
pcs_logits_row pcs_logits_code(const pcs_kernels *k, float *x, size_t vocabulary, int32_t next, int16_t *codes);
/* The file, with codes from fill(user, out, 0), which adds them row by row, and then the
 * rows' numbers from fill(user, out, 1). */
precis_status pcs_logits_write(precis_ctx *ctx, const char *path, const pcs_logits_of *of,
                               const precis_model *reference, pcs_gguf_fill *fill, void *user);

#endif
