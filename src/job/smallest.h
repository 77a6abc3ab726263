/* smallest.h - the smallest file whose predicted divergence stays below a bound. */
#ifndef PCS_JOB_SMALLEST_H
#define PCS_JOB_SMALLEST_H

#include "quant/quant.h"

/* The greatest bound in nats per token that anybody may ask for; what is not above 0 or beyond it is no bound. */
#define PCS_KLD_MOST 1e3

/* PRECIS_EINVAL: not finite, not above 0, or absurd. */
precis_status pcs_kld_check(precis_ctx *ctx, double max_kld);
/* The fewest bytes, of at most `most`, whose best plan has a predicted interval that ends at max_kld or below; o has a
 * profile. PRECIS_EBUDGET, with the least divergence that there is: none. */
precis_status pcs_smallest(precis_ctx *ctx, pcs_loss_table *t, const precis_quant_options *o, double max_kld,
                           uint64_t most, uint64_t *bytes);

#endif
