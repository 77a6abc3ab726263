/* methods.h - methods that look beyond one row: transforms of a model's weights, coders with a Hessian, residuals. They
 * work on a copy of the model whose weights they own. */
#ifndef PCS_METHODS_H
#define PCS_METHODS_H

#include "precis/text.h"
#include "quant/quant.h"
#include "run/runner.h"

enum { PCS_METHODS_MOST = 8 };
typedef struct pcs_method_set {
    const pcs_method *all[PCS_METHODS_MOST], *coder;
    size_t n;
    bool transforms, residual;
} pcs_method_set;

precis_status pcs_methods_parse(precis_ctx *ctx, const char *spec, pcs_method_set *set);
const char *pcs_methods_conflict(const pcs_method *a, const pcs_method *b); /* NULL: they go together */
void pcs_methods_name(const pcs_method_set *set, char *out, size_t cap);
/* Row i of the table of pairs, "a + b: works"; false at the end. */
bool pcs_methods_pair(size_t i, char *text, size_t cap);

/* Token windows for calibration, all at position 0 on. */
typedef struct pcs_windows {
    precis_ctx *ctx;
    int32_t *ids;      /* windows after one another */
    uint32_t *lengths;
    size_t n, cap, n_ids, cap_ids;
    uint32_t longest;
} pcs_windows;
/* length: of a window of a text, in tokens; 0: 512. */
precis_status pcs_windows_make(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o,
                               uint32_t length, pcs_windows *w);
/* 0, 1/2, 1/4, 3/4, 1/8, ...: every beginning is spread over 0 to 1 (van der Corput). */
double pcs_spread(size_t k);
/* At most `tokens` of all, from windows at even distances, in an order whose every beginning is spread over the text as
 * well. */
precis_status pcs_windows_spread(const pcs_windows *all, uint64_t tokens, pcs_windows *w);
precis_status pcs_windows_add(pcs_windows *w, const int32_t *ids, uint32_t n);
void pcs_windows_free(pcs_windows *w);

/* The model's own text (sample.c): a runner for it, whose other options the caller has set; then `tokens` of it, at
 * least, as windows (NULL: not kept, the caller taps the runner). t: NULL without a tokenizer. */
#define PCS_SAMPLED_SEQUENCES 32
#define PCS_SAMPLED_LENGTH 512
precis_status pcs_sample_open(precis_ctx *ctx, precis_runner **r, const precis_model *m, uint64_t tokens,
                              precis_runner_options *o);
precis_status pcs_sample(precis_runner *r, const precis_tokenizer *t, uint64_t tokens, const char *stage,
                         pcs_windows *w, uint64_t *made);

/* What the input of a group of weights looks like: statistics, and some of its rows. */
typedef struct pcs_inputs {
    precis_value value;   /* of the graph */
    size_t n;             /* width */
    float *top, *mean;    /* [n]: largest and mean |x| */
    float *rows;          /* [n_rows][n] */
    size_t n_rows, cap_rows;
    uint64_t seen;
} pcs_inputs;

/* of a tensor; bytes NULL: not coded yet; store holds them */
typedef struct pcs_encoded { uint8_t *bytes; const char *method; double error; pcs_spill store; } pcs_encoded;
/* Room for all rows of a tensor in a format; e->bytes points to it. */
precis_status pcs_encoded_open(precis_ctx *ctx, pcs_encoded *e, const pcs_tensor *t, const pcs_format *f);
void pcs_encoded_close(precis_ctx *ctx, pcs_encoded *e);

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
    const pcs_format **formats;   /* of the origin's tensors, as the type asked for has them; NULL where it stays */
    pcs_encoded *coded;           /* [m->n_tensors] */
    size_t n_coded;
    struct pcs_resume *resume;    /* NULL: none */
} pcs_work;

precis_status pcs_work_open(precis_ctx *ctx, pcs_work *w, const precis_model *origin, const precis_quant_options *opt,
                            const precis_calibrate_options *calibrate, const char *type);
void pcs_work_close(pcs_work *w);
/* A tensor of the copy as F32 that may be written; NULL when memory is short. */
float *pcs_work_own(pcs_work *w, const char *name, pcs_tensor **t);
/* The format that a tensor will take, as far as it is known before there is a plan; NULL: it stays. */
const pcs_format *pcs_work_format(const pcs_work *w, const char *name);
/* Add an F32 tensor to the copy; rows 0: a vector. */
precis_status pcs_work_add(pcs_work *w, const char *name, int64_t rows, int64_t cols, float **data);
/* Statistics of the inputs of all weights, from one pass over the windows. *list is [*n], freed with
 * pcs_inputs_free. */
precis_status pcs_inputs_collect(pcs_work *w, precis_runner **r, pcs_inputs **list, size_t *n);
void pcs_inputs_free(precis_ctx *ctx, pcs_inputs *list, size_t n);
const pcs_inputs *pcs_inputs_of(const pcs_inputs *list, size_t n, precis_value v);
/* The node that multiplies by a weight's tensor, or NULL. */
const pcs_node *pcs_weight_node(const precis_graph *g, const char *tensor);

/* What column c of a weight takes over from the losses of the columns i < c before it: A[i][c] = R[i][c] / R[c][c]
 * where H + damp I = R R^T, R upper triangular, rows and columns of the symmetric h [n][n] in the order given. false: H
 * is not positive definite. Panel p, at a + PCS_FEEDBACK_PANEL(p), has columns 16 p to 16 p + 15 of rows 0 to 16 p +
 * 15, zeros where i >= c. Fixed order of sums: the same bits on every machine and for any number of threads. */
#define PCS_FEEDBACK_LD(n) (((n) + 15) / 16 * 16)
#define PCS_FEEDBACK_PANEL(p) ((size_t)(p) * ((size_t)(p) + 1) * 128)
#define PCS_FEEDBACK_WORK(n) ((n) * PCS_FEEDBACK_LD(n) + 64 * (n)) /* doubles */
#define PCS_FEEDBACK_SIZE(n) PCS_FEEDBACK_PANEL(((n) + 15) / 16)    /* floats */
bool pcs_feedback(precis_ctx *ctx, size_t n, const double *h, const uint32_t *order, double damp, double *work,
                  float *a);
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
/* precis_quantize with tensors that are coded already, pieces of an earlier run, and a text beside it (each may be
 * NULL). */
precis_status pcs_quantize_coded(precis_ctx *ctx, const precis_model *m, const precis_plan *plan, const char *path, const precis_quant_options *opts, const pcs_encoded *coded,
                                 struct pcs_resume *resume, const pcs_report_beside *beside,
                                 precis_quant_report **report);
/* The largest magnitude that a matrix of the type is scaled to before it is encoded, by a scale beside it; 0: it has
 * none. */
float pcs_scaled_to(const pcs_format *f);
/* Scales of whole tensors that NVFP4 stands on, shared by q, k and v and by gate and up: NAME.scale, and the weights
 * divided by it. */
precis_status pcs_global_scales(pcs_work *w);
/* Scales of activations from calibration: NAME.input_scale. */
precis_status pcs_static_activations(pcs_work *w);

/* All of it: transforms, then (with a plan of w->m) coders and residuals; w->coded and new tensors are the result. */
precis_status pcs_work_transform(pcs_work *w);
precis_status pcs_work_code(pcs_work *w);

#endif
