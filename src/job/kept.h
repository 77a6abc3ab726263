/* kept.h - what was measured of a model, kept in a folder of the user's by what it was measured from, so that a second
 * budget costs nothing.
 *
 * A file is KEY.kept; KEY is the SHA-256 of all that its content depends on. It is written by the one road of outputs,
 * so that processes that run at once see whole files; it is believed when it is the user's own, and its key and the
 * hash of its content are right. Nobody's job fails for the cache's sake. */
#ifndef PCS_JOB_KEPT_H
#define PCS_JOB_KEPT_H

#include "precis/profile.h"
#include "quant/quant.h"

/* Key of something that is measured of a model (keys and tensors) with a text and the context's seed; more: what
 * else it depends on. */
precis_status pcs_kept_key(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *text,
                           const char *more, char key[65]);
/* *data NULL: it is not there, or not believed. The caller frees it. */
precis_status pcs_kept_load(precis_ctx *ctx, const char *folder, const char *key, char **data, size_t *len);
/* Older files go where there are too many. Errors are those that stop everything (memory, cancelled). */
precis_status pcs_kept_keep(precis_ctx *ctx, const char *folder, const char *key, const void *data, size_t len);
/* folder: as precis_calibrate_kept has it; most: as pcs_calibrate_some has it. */
typedef struct pcs_keeping { const char *folder; uint32_t most; } pcs_keeping;
precis_status pcs_calibrate_kept(precis_ctx *ctx, precis_imatrix **out, const precis_model *model,
                                 const precis_calibrate_options *opts, const pcs_keeping *how, int *kept);
/* Is importance there, of at most so many tokens, and a profile from it (opts: what it would be made with, but for the
 * importance)? */
precis_status pcs_kept_before(precis_ctx *ctx, const precis_model *m, const precis_profile_options *opts, uint32_t most,
                              bool *importance, bool *profile);

#endif
