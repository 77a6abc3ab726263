/* history.h - versions of a model beside each other (versions.c), whatever file their figures are read from. */
#ifndef PCS_HISTORY_H
#define PCS_HISTORY_H

#include "base/base.h"
#include "precis/record.h"

/* One figure of one run, in the order of the runs. key: figures of one key can be compared (one measure on the same
 * data, against the same reference, with the same settings). Borrowed for the call. */
typedef struct pcs_history_figure {
    const char *at, *name, *model, *verdict, *what, *of, *key;
    double mean, se;
    const float *values; /* [n] */
    size_t n;
    int64_t run;
} pcs_history_figure;

typedef struct pcs_versions pcs_versions;
/* fn is called for each figure when its run is complete, for then all tests of the run are known (Holm). */
precis_status pcs_versions_open(precis_ctx *ctx, pcs_versions **out, precis_history_fn *fn, void *user);
/* PRECIS_EFORMAT: more series than anyone keeps. */
precis_status pcs_versions_add(pcs_versions *v, const pcs_history_figure *f);
/* No more figures: tells the last run. *worse: it is worse than the one before it. */
void pcs_versions_end(pcs_versions *v, bool *worse);
void pcs_versions_close(pcs_versions **v);

#endif
