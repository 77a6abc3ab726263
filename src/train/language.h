/* language.h - a synthetic language whose conditional probabilities are known, so that its entropy is measured and not
 * fitted.
 *
 * p(x | h) = .05 Zipf + .25 p1 + .30 p2 + .30 p3 + .10 copy. p_k(. | the last k symbols): 4 successors with weights ~
 * 1/(j + 1), drawn by a hash of (seed, k, context, j) through Zipf's inverse distribution: there is no table. copy: the
 * symbol after the last occurrence of the last two symbols, a Zipf draw where there is none. */
#ifndef PCS_LANGUAGE_H
#define PCS_LANGUAGE_H

#include "base/base.h"

enum { PCS_SYMBOLS = 256 };

typedef struct pcs_language {
    uint64_t seed;
    size_t symbols;
    double zipf[PCS_SYMBOLS], zipf_sum[PCS_SYMBOLS];
} pcs_language;

void pcs_language_open(pcs_language *l, uint64_t seed, size_t symbols);
/* Sequence `number` of n symbols: a function of the language, the seed and the number alone. */
typedef struct pcs_sequence {
    uint64_t seed, number;
    size_t n;
    int16_t *last; /* [symbols * symbols] of scratch */
} pcs_sequence;
/* Its symbols x[n], and log_p of each given those before it; or NULL. */
void pcs_language_draw(const pcs_language *l, const pcs_sequence *s, int32_t *x, float *log_p);

#endif
