/* eval.h - the parts of `precis eval`. */
#ifndef PRECIS_CLI_EVAL_H
#define PRECIS_CLI_EVAL_H

#include "cli.h"

int cli_eval_ids(cli *c, const precis_model *m, const precis_eval_options *o);
int cli_eval_pairs_of_sentences(cli *c, precis_arithmetic arithmetic);
int cli_eval_ladder(cli *c, const precis_eval_options *eval, const char *text, size_t len);

/* suite.c: several texts and tasks, and the gate over them. ref may be NULL. */
int cli_eval_suite(cli *c, const precis_model *m, const precis_model *ref, const precis_eval_options *o);
bool cli_eval_is_suite(const cli *c);

/* One figure of one run: its values, in order (right or wrong: 1 and 0, of the model less those of the reference). */
typedef struct cli_measure {
    const char *what, *domain, *data; /* "kld", "ppl", "acc"; a text's name or a task's; SHA-256 of the data */
    const float *values;
    size_t n;
    double mean, se;
    const char *verdict; /* NULL: none was asked for */
} cli_measure;
/* What a run found, and with which settings. verdict: NULL, none was asked for. */
typedef struct cli_run_figures {
    const char *settings, *verdict;
    const cli_measure *measures;
    size_t n;
} cli_run_figures;
/* history.c: add a run to the results (--results FILE, or the user's own); -1 or an exit code. And `eval --history`. */
int cli_history_add(cli *c, const precis_model *m, const precis_model *ref, const cli_run_figures *run);
int cli_history_show(cli *c);

#endif
