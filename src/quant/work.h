/* work.h - a job in work: methods that look at the whole model change a copy of it. */
#ifndef PCS_WORK_H
#define PCS_WORK_H

#include "quant/method_set.h"
#include "quant/windows.h"

/* of a tensor; bytes NULL: not coded yet; store holds them */
typedef struct pcs_encoded { uint8_t *bytes; const char *method; double error; pcs_spill store; } pcs_encoded;
/* Room for all rows of a tensor in a format; e->bytes points to it. */
precis_status pcs_encoded_open(precis_ctx *ctx, pcs_encoded *e, const pcs_tensor *t, const pcs_format *f);
void pcs_encoded_close(precis_ctx *ctx, pcs_encoded *e);

/* Types beside one another, each as a plan and what tensors become by it, [n][tensors]: a coder of the whole model
 * codes them from one look at the net, none of which is coded meanwhile, and leaves out what it cannot code. */
typedef struct pcs_variants { const precis_plan *const *plans; pcs_encoded *const *coded; size_t n; } pcs_variants;

/* A job in work: the model's copy, calibration, options. */
typedef struct pcs_work {
    precis_ctx *ctx;
    const precis_model *origin;
    precis_model *before;         /* the copy before weights were coded; NULL: m still has them */
    precis_model *m;              /* the copy; what methods change is F32 in its arena */
    pcs_windows windows;
    const precis_quant_options *opt;
    const precis_calibrate_options *calibrate;
    pcs_method_set set;
    const precis_plan *plan;      /* of m; NULL before there is one */
    const pcs_variants *variants;   /* instead of a plan, which is not applied: to find out; or NULL */
    const pcs_format **formats;   /* of the origin's tensors, as the type asked for has them; NULL where it stays */
    pcs_encoded *coded;           /* [m->n_tensors] */
    size_t n_coded;
    struct pcs_resume *resume;    /* NULL: none */
} pcs_work;

/* calibrate NULL: whoever opens it gives it its windows before they are needed. */
precis_status pcs_work_open(precis_ctx *ctx, pcs_work *w, const precis_model *origin, const precis_quant_options *opt,
                            const precis_calibrate_options *calibrate, const char *type);
void pcs_work_close(pcs_work *w);
/* A tensor of the copy as F32 that may be written; NULL when memory is short. */
float *pcs_work_own(pcs_work *w, const char *name, pcs_tensor **t);
/* The format that a tensor will take, as far as it is known before there is a plan; NULL: it stays. */
const pcs_format *pcs_work_format(const pcs_work *w, const char *name);
/* Add an F32 tensor to the copy; rows 0: a vector. */
precis_status pcs_work_add(pcs_work *w, const char *name, int64_t rows, int64_t cols, float **data);
/* All of it: transforms, then (with a plan of w->m) coders and residuals; w->coded and new tensors are the result. */
precis_status pcs_work_transform(pcs_work *w);
precis_status pcs_work_code(pcs_work *w);

#endif
