/* eval.h - the parts of `precis eval`. */
#ifndef PRECIS_CLI_EVAL_H
#define PRECIS_CLI_EVAL_H

#include "cli.h"

int cli_eval_ids(cli *c, const precis_model *m, const precis_eval_options *o);
int cli_eval_pairs_of_sentences(cli *c, precis_arithmetic arithmetic);
int cli_eval_ladder(cli *c, const precis_eval_options *eval, const char *text, size_t len);

/* running.c: sums of what was scored so far, of which the bar says mean and error: `each` of a text or a task with such
 * sums as its user, `begin` of a suite, `each` of nets. */
typedef struct cli_running {
    size_t n; /* tokens, or items of a task */
    double nll, nll2, kld, kld2, right;
    bool reference, task;
    char name[40];
} cli_running;
void cli_running_begin(void *user, const char *name, int task);
void cli_running_token(void *user, const precis_eval_token *t);
void cli_running_net(void *user, const precis_eval_net_result *r);

/* suite.c: several texts and tasks, and the gate over them. ref may be NULL. */
int cli_eval_suite(cli *c, const precis_model *m, const precis_model *ref, const precis_eval_options *o);
bool cli_eval_is_suite(const cli *c);

/* history.c: `eval --history`. */
int cli_history_show(cli *c);

#endif
