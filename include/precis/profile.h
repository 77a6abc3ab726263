/* precis/profile.h - what quantizing each tensor alone costs, measured on the model. */
#ifndef PRECIS_PROFILE_H
#define PRECIS_PROFILE_H

#include "precis/quant.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Per tensor: the KL divergence from the original when only it is quantized (one of them swapped at a time), at one or
 * more types; and how well these add up. Immutable once made; owned by the caller. */
typedef struct precis_profile precis_profile;

typedef struct precis_profile_options {
    uint32_t              size;       /* sizeof of this struct, set by _INIT                                    */
    precis_calibrate_options calibrate; /* text that the divergence is measured on; none: the model's own        */
    const precis_imatrix *imatrix;    /* weights of the errors; NULL: all alike                                */
    const char           *types;      /* probes, "Q4_K,Q2_K"; NULL: these                                      */
    double                time_limit; /* seconds; 0: 600. Fewer tokens, then fewer probes, so that it is kept   */
    const char           *cache;      /* file of partial results, read first and written on the way; NULL: none */
    /* "gptq", "awq", ...: measure also what it gains over search on whole plans, within the time limit once more; NULL:
     * none */
    const char           *method;
    /* normal: by gradients, on tokens that the model's size decides, so that it is the same on every machine; default:
     * best, by swaps, as many tokens as the time limit allows */
    precis_effort         effort;
    const char           *folder;     /* of what was measured before, by content (precis_calibrate_kept); NULL: none */
} precis_profile_options;
#define PRECIS_PROFILE_OPTIONS_INIT \
    { sizeof(precis_profile_options), PRECIS_CALIBRATE_OPTIONS_INIT, NULL, NULL, 0, NULL, NULL, PRECIS_EFFORT_DEFAULT, \
      NULL }

/* precis_calibrate, with a folder in which results are kept by what they depend on (the model's tensors and keys,
 * texts, settings, seed, version), and from which they are taken, bit by bit; *kept: it was. At most 256 MB lie there;
 * files of others, and damaged ones, are not believed. NULL: no folder. */
PRECIS_API precis_status precis_calibrate_kept(precis_ctx *ctx, precis_imatrix **out, const precis_model *model,
                                               const precis_calibrate_options *opts, const char *folder, int *kept);
/* What precis_profile_make refuses whatever is measured: unknown types and methods (PRECIS_EINVAL). */
PRECIS_API precis_status precis_profile_check(precis_ctx *ctx, const precis_profile_options *opts);
/* Measure. Progress stage "profile". PRECIS_EUNSUPPORTED for a model that cannot be run, or an encoder. */
PRECIS_API precis_status precis_profile_make(precis_ctx *ctx, precis_profile **out, const precis_model *model,
                                             const precis_profile_options *opts);
/* As JSON (docs/json.md). Reading is checked: PRECIS_EFORMAT with the byte offset. */
PRECIS_API precis_status precis_profile_save(precis_ctx *ctx, const precis_profile *profile, const char *path);
PRECIS_API precis_status precis_profile_open(precis_ctx *ctx, precis_profile **out, const char *path);
PRECIS_API void precis_profile_close(precis_profile **profile);

typedef struct precis_profile_info {
    uint32_t size;     /* sizeof of this struct, set by the caller                                            */
    uint32_t tokens;   /* that the divergence was measured on                                                 */
    size_t   tensors, plans; /* measured alone; random plans measured whole                                    */
    double   ratio;    /* measured divergence of whole plans over the sum of their tensors', geometric mean    */
    double   slope;    /* of log measured over log sum, in the middle of the plans                            */
    double   spread;   /* standard deviation of what the curve through them leaves, in log                     */
    double   seconds;  /* that it took                                                                        */
    /* of the cheap second-order estimate and the swaps, tensors in layers: Spearman's correlation; geometric mean of
     * their ratio */
    double   estimate_rank, estimate_ratio;
} precis_profile_info;
PRECIS_API void precis_profile_get_info(const precis_profile *profile, precis_profile_info *info);

typedef struct precis_probe {
    uint32_t    size;  /* sizeof of this struct, set by the caller                                             */
    const char *tensor, *type;
    double      error; /* weighted squared error over weighted squares                                         */
    double      kld, kld_se; /* nats per token                                                                */
} precis_probe;
/* Probe i of all tensors in the model's order; PRECIS_EINVAL beyond the last. */
PRECIS_API precis_status precis_profile_get(const precis_profile *profile, size_t i, precis_probe *probe);
/* Divergence of a whole plan whose tensors' add up to `sum`, with the ends of the interval that holds 90 % of such
 * plans. */
PRECIS_API double precis_profile_predict(const precis_profile *profile, double sum, double interval[2]);

/* What a method that looks beyond one row (gptq, awq, rotate, ...) makes of a plan: divergences of the same types by
 * search and by it, on text that neither saw. */
typedef struct precis_gain {
    uint32_t    size;  /* sizeof of this struct, set by the caller */
    const char *method;
    /* bits per weight of the plan; part of its loss that is of tensors which the method can be applied to; nats per
     * token */
    double      bits, share, search, kld;
} precis_gain;
/* PRECIS_EINVAL beyond the last. */
PRECIS_API precis_status precis_profile_get_gain(const precis_profile *profile, size_t i, precis_gain *gain);
/* The same prediction for a method, which can be applied to tensors with this share of the sum. *plans: on how many its
 * gain was measured; 0: the prediction is search's. */
PRECIS_API double precis_profile_predict_method(const precis_profile *profile, const char *method, double share,
                                                double sum, double interval[2], size_t *plans);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_PROFILE_H */
