/* quant.h - methods, importance, the loss table. */
#ifndef PCS_QUANT_H
#define PCS_QUANT_H

#include "kernel/kernel.h"
#include "model/model.h"
#include "plan/plan.h"
#include "precis/quant.h"

/* A method turns rows of numbers into a format's bytes. One file, one row of methods.def. */
typedef struct pcs_row_job {
    const pcs_format *f;
    const float *importance;  /* [n] or NULL                                             */
    const pcs_shared *shared; /* of the tensor, for formats whose parameters are its     */
    pcs_fit_effort rounding;  /* PCS_FIT_RTN, or how power-of-two scales are rounded     */
    const pcs_kernels *kernels;
} pcs_row_job;

typedef enum { PCS_CODER, PCS_TRANSFORM, PCS_RESIDUAL } pcs_method_kind;
struct pcs_work;

typedef struct pcs_method {
    const char *name;
    pcs_method_kind kind;
    /* coders of rows: bytes, and what they decode to */
    void (*row)(const pcs_row_job *j, size_t n, const float *x, void *dst, float *y);
    precis_status (*apply)(struct pcs_work *w); /* transforms; coders and residuals of the whole model */
    /* Why a format cannot be coded so; NULL: it can. May be NULL. */
    const char *(*refuses)(const pcs_format *f);
    /* Of transforms: the coder when none is named, and what it cannot code takes search; NULL: the table's first. */
    const char *coder;
    /* Of coders: the one from whose codes this one goes on. It loses less than that, so where nothing is known of it,
     * the other's costs and predictions are taken. NULL: it stands alone. */
    const char *refines;
    uint64_t learns; /* of coders: tokens that each layer is run on, forward and back, beside the calibration's */
    bool uses_importance; /* of coders: inputs that matter more weigh more, so that a calibration is worth its time */
    bool uses_rounding;   /* of coders: how power-of-two scales are rounded is the caller's to say */
    bool in_sweep;        /* of what prunes: a coder that makes up for losses chooses as it goes, in its place */
    unsigned does;        /* pcs_method_does: what decides which methods go together */
} pcs_method;
typedef enum {
    PCS_MOVES_SCALE = 1,   /* between activations and weights */
    PCS_CUTS_WEIGHTS = 2,  /* at the ends of a range, before they are coded */
    PCS_CHOOSES_RANGE = 4, /* cuts as it codes */
    PCS_MAKES_UP = 8,      /* for what a rounding loses, in other columns */
    PCS_BRINGS_BACK = 16,  /* what the codes lost, beside them */
    PCS_PRUNES = 32,       /* leaves weights out, which must stay 0 */
} pcs_method_does;
extern const pcs_method *const pcs_methods[];
/* NULL name: the default. */
const pcs_method *pcs_method_by_name(const char *name);
/* The method by which a profile is made for this one, or for a combination by these names: what it refines, or
 * itself. */
const char *pcs_method_profiled(const char *name);
/* The coder that goes on from this one's codes; NULL: there is none. */
const pcs_method *pcs_method_refining(const char *name);

typedef struct pcs_importance {
    const char *name;
    double *sum;      /* [experts][n] of squares */
    float *mean;      /* [experts][n] */
    uint64_t *counts; /* [experts]: tokens that each saw */
    size_t n, experts; /* 1: a weight that every token sees */
    uint64_t tokens;  /* all counts */
} pcs_importance;

/* Mean squares of a tensor's inputs; of experts, each has its own. */
typedef struct pcs_row_weights { const float *mean; size_t stride; uint64_t rows; } pcs_row_weights;
static inline const float *pcs_row_importance(const pcs_row_weights *w, uint64_t row)
{
    return w->mean ? w->mean + row / w->rows * w->stride : NULL;
}

struct precis_imatrix {
    precis_ctx *ctx;
    pcs_arena arena;
    pcs_importance *entries;
    size_t n, cap;
    pcs_map map;
    char *dataset;
    uint32_t chunk;   /* tokens of a chunk */
    uint64_t chunks;
    char *source;     /* JSON for the manifest: where it came from */
};

precis_status pcs_imatrix_new(precis_ctx *ctx, precis_imatrix **out);
/* A new entry of experts * n zeros; PRECIS_EFORMAT when the name is there already. */
precis_status pcs_imatrix_add(precis_imatrix *im, const char *name, size_t len, size_t n, size_t experts,
                              pcs_importance **out);
void pcs_imatrix_finish(precis_imatrix *im);
/* Are all sums within what a file of it holds, and a search can weigh with? PRECIS_EFORMAT names the tensor. */
precis_status pcs_imatrix_sound(const precis_imatrix *im);
/* Mean squares for a tensor's rows; mean NULL when there are none. PRECIS_EINVAL when the widths differ. */
precis_status pcs_imatrix_for(const precis_imatrix *im, const pcs_tensor *t, pcs_row_weights *out);

/* Can the job's type hold the row's largest number (finite, and within its scales)? x, y[n] and dst are overwritten. */
bool pcs_row_holds(const pcs_row_job *j, size_t n, float *x, float *y, uint8_t *dst);
/* What coding loses: weighted squares of the error, and of the weights. */
typedef struct pcs_row_loss { double err, norm; } pcs_row_loss;
static inline double pcs_relative(const pcs_row_loss *l) { return l->norm > 0 ? l->err / l->norm : 0; }
/* Where a row goes. scratch: 2 n floats and what kernels read after them. */
typedef struct pcs_row_out { float *scratch; uint8_t *dst; } pcs_row_out;
/* Encode one row as the job's type with the method (bytes are kept when the type stays the same). false, and an
 * infinite error: a number of it is not finite, or beyond the type's scales. */
bool pcs_quantize_row(const pcs_tensor *t, uint64_t row, const pcs_row_job *j, const pcs_method *method,
                      const pcs_row_out *to, pcs_row_loss *loss);
/* A tensor that is to be of a type, by a coder of rows. */
typedef struct pcs_tensor_job {
    const pcs_tensor *t;
    const pcs_format *f;
    const pcs_method *method;
    pcs_row_weights weights;
} pcs_tensor_job;
/* All rows into out[rows * pcs_row_bytes]; *error: of all, relative. Rows of threads, sums in order. */
precis_status pcs_quantize_tensor(precis_ctx *ctx, const pcs_tensor_job *job, uint8_t *out, double *error);
/* Extremes and mean of |w| of a tensor, for formats that ask for them. */
precis_status pcs_tensor_shared(precis_ctx *ctx, const pcs_tensor *t, pcs_shared *shared);

/* Rows drawn from a tensor, by which its relative error in a type is estimated (draw.c). */
typedef struct pcs_draw {
    precis_ctx *ctx;
    const pcs_tensor *t;
    const pcs_method *method; /* a coder of rows */
    pcs_kernels kernels;
    pcs_row_weights weights;
    float *roots;  /* weights.mean, when rooted */
    pcs_shared shared;
    bool known;    /* shared is */
    size_t steps;
    /* weighted squares: of all rows; of all but the certain ones; of those of them up to each */
    double norm, rest, *ends;
    size_t certain;
    struct pcs_pick *picks; /* certain rows first */
    float *scratch; /* of threads */
    size_t scratch_size;
} pcs_draw;
/* Steps for a tensor of a model with so many weights. */
size_t pcs_draw_steps(const pcs_tensor *t, double weights);
typedef struct pcs_draw_job {
    const pcs_tensor *t;
    const pcs_method *method;
    const precis_imatrix *imatrix;
    bool rooted; /* an input counts by the root of its importance */
    size_t steps;
} pcs_draw_job;
precis_status pcs_draw_open(precis_ctx *ctx, pcs_draw *d, const pcs_draw_job *job);
/* After a failed open, too. */
void pcs_draw_close(pcs_draw *d);
/* *relative: weighted squared error over weighted square. steps: at most those of open. */
precis_status pcs_draw_error(pcs_draw *d, const pcs_format *f, size_t steps, double *relative);

/* Losses of every tensor in every type it may take, solved for one budget after another (budget.c). o must outlive it.
 * books: with the types of vector books, which take long to fit. *loss: their sum. */
struct precis_costs;
typedef struct pcs_loss_table pcs_loss_table;
/* What pcs_loss_table_open would refuse before it measures anything: types, pins, and a profile of other tensors. */
precis_status pcs_choices_check(precis_ctx *ctx, const precis_model *m, const precis_quant_options *o);
/* Is it a type of vector books, which are slow to make? And may a plan of a file of so many bytes, whose costs were
 * measured, take such, though nobody named them? */
bool pcs_has_book(const pcs_format *f);
bool pcs_wants_books(precis_ctx *ctx, const precis_model *m, const char *method, uint64_t bytes);
enum { PCS_CHOICES = 40 }; /* types of a tensor at most */
/* How candidates are chosen: those with books of vectors, too; without a look at the numbers, which some cannot
 * hold. */
enum { PCS_BOOKS = 1, PCS_UNSEEN = 2 };
/* Types that a tensor may take, types[PCS_CHOICES]: its own, and all that fit and take no more room than it. */
precis_status pcs_candidates(precis_ctx *ctx, const pcs_tensor *t, const precis_quant_options *o, int how,
                             const pcs_format **types, size_t *n);

/* The smallest plan that a budget may choose, known without measuring (least.c). */
typedef struct pcs_least {
    precis_plan *plan;
    uint64_t bytes;  /* of its file */
    double bits;     /* of a weight */
    char why[256];   /* what keeps it from being smaller */
} pcs_least;
precis_status pcs_least_open(precis_ctx *ctx, pcs_least *least, const precis_model *m, const precis_quant_options *o);
void pcs_least_close(pcs_least *least);
/* PRECIS_EBUDGET in one sentence: the least size, why, and what would do. */
precis_status pcs_least_refuse(precis_ctx *ctx, const pcs_least *least, uint64_t max_bytes);
/* Whether the input is no larger than max_bytes (or than bits per weight, which 0 leaves out): then a sentence of the
 * context says that nothing needs to be done. */
bool pcs_needs_nothing(precis_ctx *ctx, const precis_model *m, uint64_t max_bytes, double bits);
/* The same when max_bytes is below the least; PRECIS_OK otherwise. solution: NULL, or gets min_bytes. */
precis_status pcs_least_check(precis_ctx *ctx, const precis_model *m, const precis_quant_options *o,
                              uint64_t max_bytes, precis_solution *solution);
precis_status pcs_loss_table_open(precis_ctx *ctx, pcs_loss_table **out, const precis_model *m,
                                  const precis_quant_options *o, bool books);
/* From now on plans keep to so many seconds of a token, too; costs must outlive the table. NULL: no longer. */
precis_status pcs_loss_table_limit(pcs_loss_table *t, const struct precis_costs *costs, double seconds);
precis_status pcs_loss_table_plan(pcs_loss_table *t, uint64_t max_bytes, precis_plan **out, precis_solution *solution,
                                  double *loss);
/* *loss: of a plan of the same model. False: it takes a type that the table has not. */
bool pcs_loss_table_of(const pcs_loss_table *t, const precis_plan *plan, double *loss);
void pcs_loss_table_close(pcs_loss_table **t);

#endif
