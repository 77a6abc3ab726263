/* precis/law_fit.h - constants of a law from a table of runs, with what supports them. */
#ifndef PRECIS_LAW_FIT_H
#define PRECIS_LAW_FIT_H

#include "precis/law.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Work spread over processes: item i of every list is made by process i % size; gather gives all of them to all, in
 * order. */
typedef struct precis_spread {
    uint32_t rank, size;
    int (*gather)(void *user, void *items, size_t item_bytes, size_t n); /* 0: done */
    void *user;
} precis_spread;

typedef struct precis_law_fit_options {
    uint32_t    size;
    const char *columns;      /* "N=Model Size,loss=val loss": a variable's column; NULL: by the names that are known */
    const char *where;        /* "w_bits=4|16;a_quant=None": rows to take; NULL: all */
    const char *fix;          /* "beta=0.5,E=1.7": parameters that are not fitted; a name alone: at the law's value */
    /* column that names the run of a row (checkpoints of one run go together); NULL: every row is a run */
    const char *cluster;
    const char *objective;    /* huber (default), huber-scale, squares, absolute, huber-raw, squares-raw */
    const char *starts;       /* grid, projection; NULL: grid when it has at most 5,000 points */
    double      delta;        /* of huber; 0: 0.001 */
    uint32_t    drop_highest; /* rows with the highest losses that are left out */
    uint32_t    bootstrap;    /* resamples; 0: none */
    int         profile;      /* profiles of the objective, one per parameter */
    int         holdout;      /* errors on rows that were held out */
    const precis_spread *spread; /* NULL: this process */
} precis_law_fit_options;
#define PRECIS_LAW_FIT_OPTIONS_INIT \
    { sizeof(precis_law_fit_options), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, NULL }

typedef struct precis_law_holdout {
    uint32_t size;
    char name[64];                /* "largest N", "largest D/N", "bits_w 4", "N 8x larger", "5-fold" */
    size_t trained, held;
    double rmse_log, max_log, r2; /* r2 of log losses on the held-out rows */
    double factor;                /* how far beyond the training rows the held-out ones reach */
    /* part of held-out losses in the 95 % band of a bootstrap of the training rows; NAN: not asked for */
    double coverage;
} precis_law_holdout;

typedef struct precis_law_fit {
    uint32_t size;
    precis_law *law;              /* with the constants of the fit, and the bootstrap's samples; owned by the fit */
    size_t n, rows, clusters;     /* rows used, rows of the file */
    size_t params;                /* as the law's; values NAN where a parameter is in no expression */
    /* se to correlation (params x params): NULL without a bootstrap */
    const double *values, *se, *low, *high, *correlation;
    const int *held;              /* 1: the parameter was not fitted */
    double objective, rmse_log, max_log, scale;           /* scale: of huber-scale, else 0 */
    size_t starts, starts_at_optimum, resamples;
    const precis_law_holdout *holdouts;
    size_t n_holdouts;
    const double *profile;        /* params x profile_points x 2: value and objective; NULL: not asked for. NAN: none */
    /* params x 2: where the objective is (1 + 3.84 / (n - params)) of the least; +-INFINITY: open */
    const double *profile_interval;
    size_t profile_points;
    const double *points;         /* n x PRECIS_LAW_VARIABLES: the rows */
    const double *observed, *fitted; /* n losses each */
    const char *const *warnings;
    size_t n_warnings;
    void *inner;
} precis_law_fit;

/* law: its form, and starting values. fit->size is set by the caller. PRECIS_EFORMAT: the table, with row and column;
 * PRECIS_EINVAL: options, or a table that cannot determine the law; PRECIS_EBUDGET: fewer than two starts agree on the
 * optimum. */
PRECIS_API precis_status precis_law_fit_run(precis_ctx *ctx, precis_law_fit *fit, const precis_law *law,
                                            const char *path, const precis_law_fit_options *opts);
PRECIS_API void precis_law_fit_close(precis_law_fit *fit);
/* A file that precis_law_open reads. */
PRECIS_API precis_status precis_law_fit_save(precis_ctx *ctx, const precis_law_fit *fit, const char *path);
/* Objectives by name; NULL after the last. */
PRECIS_API const char *precis_law_objective(size_t i, const char **what);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_LAW_FIT_H */
