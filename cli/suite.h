/* suite.h - what `precis eval` knows of several texts and tasks while it works on them (suite.c, suite_print.c). */
#ifndef PRECIS_CLI_SUITE_H
#define PRECIS_CLI_SUITE_H

#include "eval.h"

enum {
    DOMAINS = 64,
    TASKS = 64,
    ROWS = 3 * DOMAINS + TASKS,
    BLOCK = 64 /* tokens that are taken to depend on each other */
};

typedef struct { double *kld, *ratio; size_t n, cap; bool failed; } tokens;

typedef struct domain {
    const char *name;
    char *own;                 /* freed with precis_text_free; NULL: the text is carried */
    const char *text;
    size_t len;
    char sha[65];
    precis_eval_result e;
    tokens k;
    bool uneven;               /* the model loses far more here than elsewhere */
} domain;

typedef struct asked {
    precis_task *task;
    precis_task_info info;
    precis_answer *answers, *reference;
    double *logliks;
    char sha[65];
} asked;

typedef struct row { const char *what, *unit, *of; bool percent; } row;

typedef struct suite {
    cli *c;
    const precis_model *m, *ref;
    precis_eval_options o;
    domain domains[DOMAINS];
    asked tasks[TASKS];
    size_t n_domains, n_tasks, n_rows, best; /* best: the text with the least divergence */
    row rows[ROWS];
    precis_gate_result gates[ROWS];
    precis_verdict verdict;
    double max_kld, max_ppl, max_drop;
} suite;

/* suite_print.c: the results as JSON and as text; the exit code of printing. */
int cli_suite_json(const suite *s);
int cli_suite_text(const suite *s);

#endif
