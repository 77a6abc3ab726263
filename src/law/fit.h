/* fit.h - one problem of fitting, and the workers that each thread has for it. */
#ifndef PCS_LAW_FIT_H
#define PCS_LAW_FIT_H

#include "kernel/kernel.h"
#include "law/law.h"
#include "law/table.h"

typedef struct pcs_objective {
    const char *name, *what;
    bool raw;       /* residuals of losses, not of their logarithms */
    double delta;   /* where Huber's function becomes linear; 0: as asked for */
    bool scale;     /* with a free scale: the density of Huber's function in units of it */
} pcs_objective;
extern const pcs_objective pcs_objectives[];

/* Rows as columns, shared by all workers; read-only while they work. */
typedef struct pcs_problem {
    precis_ctx *ctx;
    const precis_law *law;
    const pcs_objective *objective;
    double delta;
    size_t n, padded;
    double *values[PCS_VARS], *logs[PCS_VARS], *y; /* y: what is fitted, log losses or losses */
    int node;                     /* the law's loss */
    int free_[PCS_LAW_PARAMS], n_free; /* parameters that are fitted */
    int linear[PCS_LAW_PARAMS], n_linear; /* of them those that the loss is linear in */
    double start[PCS_LAW_PARAMS]; /* in the space of the fit; of all parameters */
    pcs_arena arena;
} pcs_problem;

struct pcs_fitting; /* solve.h */
precis_status pcs_problem_open(const struct pcs_fitting *f, pcs_problem *p, const pcs_table *t, const bool *held);
void pcs_problem_close(pcs_problem *p);

/* One thread's: tapes and room. x has n_free numbers. */
typedef struct pcs_worker {
    const pcs_problem *p;
    pcs_tape *tape, *wide, *value; /* gradient; Jacobian; Jacobian of the loss itself, for projection */
    double *w, *r, *psi;           /* weights of rows (1), residuals, w rho'(r) */
    double params[PCS_LAW_PARAMS], delta;
    double *matrix;                /* scratch of k x k */
} pcs_worker;

precis_status pcs_worker_open(pcs_worker *w, const pcs_problem *p);
void pcs_worker_close(pcs_worker *w);
/* The objective, and its gradient where g is not NULL; INFINITY where the law has no value. */
double pcs_worker_value(pcs_worker *w, const double *x, double *g);
/* Down from x by L-BFGS in coordinates in which the curvature is about one; x is changed. */
double pcs_worker_minimize(pcs_worker *w, double *x, int rounds);
/* Newton's steps from a point near the optimum to the last digits. */
double pcs_worker_polish(pcs_worker *w, double *x);
/* The linear parameters of x by weighted least squares with none negative, the others as
 * they are (Golub and Pereyra 1973). */
void pcs_worker_project(pcs_worker *w, double *x);
/* J^T J of the residuals at x, with Huber's weights; k x k. */
void pcs_worker_normal(pcs_worker *w, const double *x, double *h);

/* Cholesky's factor in place (lower), false when it is not positive; and the solution of L L^T x = b in place. */
bool pcs_small_cholesky(double *a, int k);
void pcs_small_solve(const double *l, int k, double *b);

#endif
