/* solve.h - the parts of precis_law_fit_run. */
#ifndef PCS_SOLVE_H
#define PCS_SOLVE_H

#include "base/pool.h"
#include "law/fit.h"

enum { PCS_STARTS_MOST = 5000, PCS_STARTS_LEAST = 8, PCS_STARTS_KEPT = 4, PCS_WARNINGS = 64 };

/* What a fit owns, behind precis_law_fit.inner. */
typedef struct pcs_fitting {
    precis_ctx *ctx;
    pcs_arena arena;
    const precis_law *form;
    const precis_law_fit_options *opts;
    const pcs_objective *objective;
    double delta;
    pcs_table table;
    bool held[PCS_LAW_PARAMS];
    pcs_problem problem;
    double x[PCS_LAW_PARAMS];      /* the optimum, n_free */
    double f;
    double *kept;                  /* PCS_STARTS_KEPT good starts, n_free each, for resamples */
    int n_kept;
    char **warnings;
    size_t n_warnings;
} pcs_fitting;

void pcs_fit_warn(pcs_fitting *f, const char *fmt, ...) PCS_PRINTF(2, 3);

/* A list of starts for a problem: `all` of them, in mixed radix; projected where the loss is linear. */
typedef struct pcs_starts {
    const pcs_problem *p;
    double values[PCS_LAW_PARAMS][PCS_LAW_STARTS];
    int count[PCS_LAW_PARAMS];
    bool project, project_some[PCS_LAW_PARAMS];
    uint64_t product;
    size_t n;
    uint64_t seed;
} pcs_starts;
void pcs_starts_init(pcs_starts *s, const pcs_problem *p, bool project, bool grid, size_t most, uint64_t seed);
/* Start number i into x. */
void pcs_starts_get(const pcs_starts *s, pcs_worker *w, size_t i, double *x);

/* identify.c: which parameters the rows cannot determine; warnings, or PRECIS_EINVAL when one of them has no value. */
precis_status pcs_identify(pcs_fitting *f, const pcs_table *t, bool *held, bool quiet);
/* Of fitted parameters those that no row of weight depends on, at any of 16 starts. */
void pcs_no_row(pcs_worker *w, const pcs_starts *s, bool *none);
/* After the fit: what the numbers rest on. */
void pcs_identify_after(pcs_fitting *f, precis_law_fit *fit);

/* Down to the last digits, by the objective's way: smaller and smaller deltas, or a free scale. x is near. */
double pcs_finish(pcs_worker *w, double *x, double *scale);
/* Least over some starts, one thread. */
double pcs_solve_alone(pcs_worker *w, const pcs_starts *s, double *x);

precis_status pcs_resample(pcs_fitting *f, precis_law_fit *fit);   /* resample.c */
precis_status pcs_likelihood(pcs_fitting *f, precis_law_fit *fit); /* likelihood.c */
precis_status pcs_holdout(pcs_fitting *f, precis_law_fit *fit);    /* holdout.c */

/* n items of `size` bytes each, made on all threads of all processes and then known to all: fn fills item i with a
 * worker of its thread. */
typedef struct pcs_items { void *at; size_t size, n; } pcs_items;
typedef void pcs_item_fn(void *arg, pcs_worker *w, size_t i, void *item);
precis_status pcs_spread_work(pcs_fitting *f, const char *stage, pcs_items items, pcs_item_fn *fn, void *arg);

#endif
