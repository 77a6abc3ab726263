/* precis/suite.h - several texts and tasks at once: results of each, and the gate over all of them.
 * Threads: a suite belongs to its context's thread. */
#ifndef PRECIS_SUITE_H
#define PRECIS_SUITE_H

#include "precis/task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_suite precis_suite;

typedef struct precis_suite_options {
    uint32_t size;        /* sizeof of this struct, set by _INIT                                                   */
    const precis_eval_options *eval; /* of texts and tasks; its `each` is called for both; NULL: the usual ones     */
    uint32_t task_window; /* tokens of a task's prompt; 0: what the model knows                                     */
    /* margins of the gate, each 0: it is not asked for. Nats per token; percent of the perplexity; part of the items */
    double   max_kld, max_ppl, max_drop;
    /* Before each text and task, for the reference's answers once more, with the `user` of eval; NULL: none */
    void   (*begin)(void *user, const char *name, int task);
} precis_suite_options;
#define PRECIS_SUITE_OPTIONS_INIT { sizeof(precis_suite_options), NULL, 0, 0, 0, 0, NULL }

/* Models and texts are borrowed until the suite is closed; reference may be NULL. PRECIS_EINVAL: a margin without a
 * reference. */
PRECIS_API precis_status precis_suite_open(precis_ctx *ctx, precis_suite **out, const precis_model *model,
                                           const precis_model *reference, const precis_suite_options *opts);
PRECIS_API void precis_suite_close(precis_suite **suite);
/* PRECIS_EINVAL beyond PRECIS_SUITE_MOST of each. */
enum { PRECIS_SUITE_MOST = 64 };
PRECIS_API precis_status precis_suite_add_text(precis_suite *suite, const char *name, const char *text, size_t len);
/* As precis_task_open. */
PRECIS_API precis_status precis_suite_add_task(precis_suite *suite, const char *name,
                                               const precis_task_options *opts);
/* Evaluate everything, then the gate where margins are set. A text that the model cannot be evaluated on is named in
 * the message. Once per suite. PRECIS_ECANCELED: the results are of the windows and items that were done, without a
 * verdict. */
PRECIS_API precis_status precis_suite_run(precis_suite *suite);

/* Results: 0 beyond the last that was evaluated, and what they point to is the suite's. */
typedef struct precis_suite_text {
    uint32_t      size;   /* sizeof of this struct, set by the caller                                             */
    const char   *name, *sha256;
    const precis_eval_result *eval;
    const double *kld, *log_ratio; /* [tokens]: of each token, nats; without a reference kld is 0                  */
    size_t        tokens;
    int           uneven; /* with a reference: it loses more than twice what the text with the least divergence does, by
                           * the gate's test                                                                      */
    int           best;   /* that text                                                                            */
} precis_suite_text;
PRECIS_API int precis_suite_get_text(const precis_suite *suite, size_t i, precis_suite_text *out);

typedef struct precis_suite_task {
    uint32_t             size;       /* sizeof of this struct, set by the caller                                   */
    const precis_task   *task;
    const precis_answer *answers, *reference; /* [items]; reference: NULL without one                             */
    const double        *logliks;    /* [items][PRECIS_TASK_CHOICES]                                              */
    const char          *sha256;     /* of the questions                                                          */
} precis_suite_task;
PRECIS_API int precis_suite_get_task(const precis_suite *suite, size_t i, precis_suite_task *out);

/* A row of the gate: one measure of one text or task beside its margin. */
typedef struct precis_suite_row {
    uint32_t    size;     /* sizeof of this struct, set by the caller                                             */
    const char *what, *unit, *of;
    int         percent;  /* the gate's figures are logarithms of 1 + percent / 100                               */
    const precis_gate_result *gate;
} precis_suite_row;
PRECIS_API int precis_suite_get_row(const precis_suite *suite, size_t i, precis_suite_row *out);
/* Of all rows together; PRECIS_UNDECIDED where there are none. */
PRECIS_API precis_verdict precis_suite_verdict(const precis_suite *suite);

/* Keep the results in a history (precis/record.h) under a name. */
PRECIS_API precis_status precis_suite_keep(const precis_suite *suite, const char *path, const char *name, int64_t when);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_SUITE_H */
