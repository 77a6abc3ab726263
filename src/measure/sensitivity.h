/* sensitivity.h - what quantizing each tensor alone costs: the probes of a profile, and whole plans beside them. */
#ifndef PCS_SENSITIVITY_H
#define PCS_SENSITIVITY_H

#include "plan/profile.h"
#include "quant/method_set.h"
#include "quant/windows.h"

/* PRECIS_EINVAL: types that cannot be probed, told before anything is measured. */
precis_status pcs_sensitivity_check(precis_ctx *ctx, const precis_profile_options *opts);
/* The text of a profile: windows of `length`, `most` tokens spread over all of it to measure on, and up to `rest`
 * others that a method codes the probes from (0: none): half of a short text. The model samples as much itself. */
typedef struct pcs_profile_text { uint32_t length, most, rest; } pcs_profile_text;
precis_status pcs_profile_windows(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *calibrate,
                                  const pcs_profile_text *how, pcs_windows *measured, pcs_windows *rest);
precis_status pcs_profile_keep_text(precis_profile *p, const pcs_windows *measured, const pcs_windows *rest);
/* The method of the whole model by which such a profile codes its probes, so that costs are its own and nobody has to
 * compare it with search; NULL: none. */
const pcs_method *pcs_sensitivity_coder(precis_ctx *ctx, const precis_profile_options *opts);
/* Measure the model under opts, whose defaults are filled in. *out is what was measured so far, also after an error;
 * the caller closes it. *vocabulary: of the model's logits. */
precis_status pcs_sensitivity_measure(precis_ctx *ctx, precis_profile **out, uint32_t *vocabulary,
                                      const precis_model *model, const precis_profile_options *opts);
/* Divergence of a model that was made of `origin`, on the tokens of the profile's whole plans, with its standard error:
 * what a prediction has to be held against. NaN: the profile has not kept them. */
precis_status pcs_sensitivity_again(precis_ctx *ctx, const precis_profile *p, const precis_model *origin,
                                    const precis_model *made, double *kld, double *se);

#endif
