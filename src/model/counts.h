/* counts.h - the numbers in a model's keys that say how its tensors are laid out.
 *
 * A key is a claim. Nobody divides by one, strides by one or loops to one that did not come from here: bounds and the
 * tensors' own shapes have been compared by then. */
#ifndef PCS_COUNTS_H
#define PCS_COUNTS_H

#include "model/model.h"

/* Numbers of a transformer. 0: the file does not say it, and nothing stands for it. */
typedef struct pcs_counts {
    uint32_t layers, width, context, heads, kv_heads, key_dim, value_dim, rope_dims, hidden, window;
    uint32_t experts, experts_used, expert_hidden;
} pcs_counts;

/* All of them; every key that a transformer must have is there, or PRECIS_EUNSUPPORTED names it. PRECIS_EFORMAT: a
 * key out of bounds, keys that do not fit together, or a tensor whose shape or layer they do not fit. */
precis_status pcs_counts_read(const precis_model *m, pcs_counts *c);
/* The same of those keys that are there. */
precis_status pcs_counts_check(const precis_model *m);

#endif
