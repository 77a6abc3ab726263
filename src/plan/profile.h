/* profile.h - inside of a profile: probes of tensors, and whole plans. */
#ifndef PCS_PROFILE_H
#define PCS_PROFILE_H

#include "precis/profile.h"
#include "plan/plan.h"

enum { PCS_PROBES = 5 };
typedef struct pcs_kept_probe { const char *type; double error, kld, se; } pcs_kept_probe;
typedef struct pcs_sensitivity {
    const char *tensor;
    size_t n;
    pcs_kept_probe probe[PCS_PROBES]; /* by rising error */
} pcs_sensitivity;
/* of a whole plan: its tensors' sum; measured, with the standard error over the text */
typedef struct pcs_plan_sample { double sum, kld, se; } pcs_plan_sample;

/* A plan of so many bits per weight, made by search and by a method of the whole model: divergences of both on the same
 * text. share: of the plan's loss, what is of tensors that the method can be applied to. */
typedef struct pcs_gain { const char *method; double bits, share, search, kld; } pcs_gain;

struct precis_profile {
    precis_ctx *ctx;
    pcs_arena arena;
    pcs_map map; /* tensor to its place */
    pcs_sensitivity *t;
    size_t n, cap;
    pcs_plan_sample plans[64];
    size_t n_plans;
    pcs_gain gains[16];
    size_t n_gains;
    char *model, *text; /* SHA-256 of the tensors; of the tokens that it was measured on */
    char *coder;        /* method that coded the probes */
    uint32_t tokens;
    double seconds;
    /* the tokens of the whole plans, in windows; NULL: it was neither measured by this process nor kept by one */
    const int32_t *ids;
    const uint32_t *lengths;
    size_t n_windows, n_rest; /* of the whole plans; after them, what a method coded the probes from */
};

precis_status pcs_profile_new(precis_ctx *ctx, precis_profile **out);
/* The tokens, copied: `lengths` of n windows and of `rest` others after them, whose ids follow one another. */
precis_status pcs_profile_set_text(precis_profile *p, const uint32_t *lengths, size_t n, size_t rest,
                                   const int32_t *ids);
/* As JSON, and back: every bit of its numbers. */
precis_status pcs_profile_put(pcs_buf *b, const precis_profile *p);
precis_status pcs_profile_take(precis_ctx *ctx, precis_profile **out, const char *data, size_t len);
/* A probe of a tensor, kept in order; one of the same type is written over. */
precis_status pcs_profile_add(precis_profile *p, const char *tensor, const char *type, double error, double kld,
                              double se);
/* PRECIS_EFORMAT: numbers out of range, or too many. The same method and bits are written over. */
precis_status pcs_profile_add_gain(precis_profile *p, const pcs_gain *gain);
const pcs_gain *pcs_profile_gain_at(const precis_profile *p, const char *method, double bits); /* NULL: none */
/* PRECIS_EINVAL: the profile names tensors that the model has not. A warning, when `weights`: their numbers are
 * others. */
precis_status pcs_profile_check(precis_ctx *ctx, const precis_profile *p, const precis_model *m, bool weights);
const pcs_sensitivity *pcs_profile_of(const precis_profile *p, const char *tensor);
/* Divergence that a relative error of a tensor is likely to cause alone: log-linear between and beyond the probes.
 * Negative: unknown. */
double pcs_profile_loss(const precis_profile *p, const char *tensor, const char *type, double error);

/* The second-order estimate that needs no swap: the relative weighted error of a tensor in a layer, times the number of
 * layers, times a factor of its class (docs/planning.md). */
double pcs_class_loss(const char *tensor, double layers, double error);

#endif
