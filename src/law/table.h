/* table.h - runs from a CSV file: columns of variables and losses. */
#ifndef PCS_TABLE_H
#define PCS_TABLE_H

#include "law/law.h"
#include "precis/law_fit.h"

typedef struct pcs_table {
    size_t n, rows;      /* taken; in the file */
    double *values;      /* n x PCS_VARS */
    double *loss;
    uint32_t *run;       /* which run a row is of, from 0 in order of appearance */
    size_t runs;
    int *line;           /* of the file */
    bool given[PCS_VARS]; /* the file has a column of it */
} pcs_table;

/* Columns by name or as opts->columns says, rows as opts->where says, without the drop_highest highest losses. */
precis_status pcs_table_open(precis_ctx *ctx, pcs_table *t, const char *path, const precis_law_fit_options *opts);
void pcs_table_close(precis_ctx *ctx, pcs_table *t);

#endif
