/* suite.h - what `precis eval` knows of several texts and tasks (suite.c, suite_print.c). */
#ifndef PRECIS_CLI_SUITE_H
#define PRECIS_CLI_SUITE_H

#include "eval.h"

typedef struct suite {
    cli *c;
    const precis_model *m, *ref;
    precis_arithmetic arithmetic;
    precis_suite *suite;
    char *texts[PRECIS_SUITE_MOST]; /* NULL: one that is carried */
    size_t n_texts, n_tasks;
    bool stopped; /* results are of what was done before */
    cli_running running;
    double max_kld, max_ppl, max_drop;
} suite;

/* suite_print.c: the results as JSON and as text; the exit code of printing. */
int cli_suite_json(const suite *s);
int cli_suite_text(const suite *s);

#endif
