/* methods.h - methods that look beyond one row: transforms of a model's weights, coders with a Hessian, residuals. They
 * work on a copy of the model whose weights they own. */
#ifndef PCS_METHODS_H
#define PCS_METHODS_H

#include "quant/inputs.h"
#include "quant/method_set.h"
#include "quant/samples.h"
#include "quant/work.h"
#include "run/runner.h"

/* What column c of a weight takes over from the losses of the columns i < c before it: A[i][c] = R[i][c] / R[c][c]
 * where H + damp I = R R^T, R upper triangular, rows and columns of the symmetric h [n][n] in the order given. false: H
 * is not positive definite. Panel p, at a + PCS_FEEDBACK_PANEL(p), has columns 16 p to 16 p + 15 of rows 0 to 16 p +
 * 15, zeros where i >= c. Fixed order of sums: the same bits on every machine and for any number of threads. */
#define PCS_FEEDBACK_LD(n) (((n) + 15) / 16 * 16)
#define PCS_FEEDBACK_PANEL(p) ((size_t)(p) * ((size_t)(p) + 1) * 128)
#define PCS_FEEDBACK_WORK(n) ((n) * PCS_FEEDBACK_LD(n) + 64 * (n)) /* doubles */
#define PCS_FEEDBACK_SIZE(n) PCS_FEEDBACK_PANEL(((n) + 15) / 16)    /* floats */
typedef struct pcs_damped {
    size_t n;
    const double *h;
    const uint32_t *order;
    double damp;
} pcs_damped;
bool pcs_feedback(precis_ctx *ctx, const pcs_damped *of, double *work, float *a);
enum { PCS_ROUND_TOKENS = 1024 }; /* of a batch of round, or a window that is longer */
/* Bytes of GPTQ for a weight of `rows` rows and n columns, windows of `batch` tokens at a time. */
uint64_t pcs_gptq_memory(uint64_t n, uint64_t rows, uint64_t batch, uint64_t threads);

/* Coders and residuals of the whole model, after the plan. */
precis_status pcs_gptq(pcs_work *w);
precis_status pcs_svd(pcs_work *w);

/* A text that is made of the report and stands beside the file; pcs_beside (write/write.h) says when it is asked for
 * and named. */
typedef struct pcs_report_beside {
    const char *suffix;
    precis_status (*text)(void *user, precis_quant_report *report, const char **text, size_t *len);
    void *user;
} pcs_report_beside;
/* A model that is written by a plan, and what there is of it already. */
typedef struct pcs_write_job {
    const precis_model *m;
    const precis_plan *plan;
    const char *path;
    const precis_quant_options *opts; /* whole: all of its fields are read */
    const pcs_encoded *coded;         /* of each tensor; NULL: none is coded already */
    struct pcs_resume *resume;        /* pieces of an earlier run, or NULL */
    const pcs_report_beside *beside;  /* or NULL */
} pcs_write_job;
/* precis_quantize, with all of that. */
precis_status pcs_quantize_coded(precis_ctx *ctx, const pcs_write_job *job, precis_quant_report **report);
/* The largest magnitude that a matrix of the type is scaled to before it is encoded, by a scale beside it; 0: it has
 * none. */
float pcs_scaled_to(const pcs_format *f);
/* Scales of whole tensors that NVFP4 stands on, shared by q, k and v and by gate and up: NAME.scale, and the weights
 * divided by it. */
precis_status pcs_global_scales(pcs_work *w);
/* Scales of activations from calibration: NAME.input_scale. */
precis_status pcs_static_activations(pcs_work *w);

#endif
