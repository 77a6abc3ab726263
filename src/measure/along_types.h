/* along_types.h - costs of tensors in several types, made less noisy by one another.
 *
 * A tensor's costs go by a power of its errors, all tensors' by nearly the same one, and a type has what it has in
 * common with all tensors. What lies off that is by three quarters another one where another text is measured or the
 * tensor is coded anew, and a plan takes what looks cheap by chance: it is taken back to three tenths. */
#ifndef PCS_ALONG_TYPES_H
#define PCS_ALONG_TYPES_H

#include "quant/quant.h"

/* kld: where the cost lies. Costs and errors of 0 and tensors of fewer than three types stay as they are. */
typedef struct pcs_cost_of_type { const void *tensor; const pcs_format *f; double error, *kld; } pcs_cost_of_type;

precis_status pcs_along_types(precis_ctx *ctx, const pcs_cost_of_type *costs, size_t n);

#endif
