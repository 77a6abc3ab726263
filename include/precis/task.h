/* precis/task.h - questions with right answers: accuracy by log-likelihood or by generation, and what changed against a
 * reference.
 *
 * Conventions are those of lm-evaluation-harness (EleutherAI): a continuation's log-likelihood is the sum over its
 * tokens, acc takes the likeliest choice, acc_norm the likeliest per character; the requests of precis carry the same
 * text. Each prompt begins with BOS when the model asks for it. Threads: a task belongs to its context's thread. */
#ifndef PRECIS_TASK_H
#define PRECIS_TASK_H

#include "precis/eval.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_task precis_task;

typedef struct precis_task_options {
    uint32_t    size;   /* sizeof of this struct, set by _INIT                                              */
    const char *folder; /* where the evaluation sets lie (docs/tasks.md); NULL: only tasks that need none    */
    uint32_t    limit;  /* items at most: of the file's first, of each group where there are groups; 0: all  */
    uint32_t    shots;  /* solved examples before each question, where the set has some                     */
    uint64_t    seed;   /* of tasks that are generated                                                      */
} precis_task_options;
#define PRECIS_TASK_OPTIONS_INIT { sizeof(precis_task_options), NULL, 0, 0, 0 }

/* name: one of precis_task_name's, or the path of a .jsonl file whose lines are {"context", "choices": [...], "answer":
 * index, "group"}. PRECIS_EINVAL (unknown name, no folder, no examples), PRECIS_EFORMAT with file and line. */
PRECIS_API precis_status precis_task_open(precis_ctx *ctx, precis_task **out, const char *name,
                                          const precis_task_options *opts);
PRECIS_API void precis_task_close(precis_task **task);
/* Known tasks in the table's order; NULL past the last. *summary (may be NULL): one line; *generated: needs no data.
 * Static storage. */
PRECIS_API const char *precis_task_name(size_t i, const char **summary, int *generated);

typedef struct precis_task_info {
    uint32_t    size;      /* sizeof of this struct, set by the caller                                      */
    const char *name;
    size_t      items;
    const char *metric;    /* "acc", "acc_norm" or "exact_match": what the gate looks at                    */
    const char *second;    /* the other one, or NULL                                                        */
    int         paired;    /* items 2 k and 2 k + 1 differ in one word and in their answers                 */
} precis_task_info;
PRECIS_API void precis_task_get_info(const precis_task *task, precis_task_info *info);

/* One item as it is asked; strings are the task's own. */
typedef struct precis_task_item {
    uint32_t           size;     /* sizeof of this struct, set by the caller                                */
    const char        *context;  /* NULL when each choice has its own                                       */
    const char *const *contexts; /* then those                                                              */
    const char *const *choices;  /* continuations; NULL: the answer is generated                            */
    uint32_t           n_choices, right; /* right: index of the right one                                   */
    const char        *answer;   /* of a generated one                                                      */
    const char        *group;    /* subject, grade; NULL: none                                              */
} precis_task_item;
PRECIS_API precis_status precis_task_get(precis_ctx *ctx, const precis_task *task, size_t i, precis_task_item *item);

/* What a model answered. */
typedef struct precis_answer {
    uint32_t choice, choice_second; /* index, of generated answers a hash; PRECIS_UNANSWERED: not asked     */
    uint8_t  right, right_second;   /* by metric and by second, in the order of precis_task_info            */
    double   loglik;                /* of the right continuation, nats                                      */
    double   margin;                /* log-likelihood of the right choice less the best other               */
} precis_answer;
/* answers[items]. logliks (may be NULL): [items][PRECIS_TASK_CHOICES]. Of the options arithmetic, k_type and v_type
 * count; window is the context (0: 2048, or what the model knows); longer requests lose their beginning; `each` is
 * called for each item (nll of the right continuation, NaN where answers are generated; same: it is right).
 * PRECIS_ECANCELED: answers from where it was stopped are PRECIS_UNANSWERED. */
#define PRECIS_UNANSWERED UINT32_MAX
enum { PRECIS_TASK_CHOICES = 16 };
PRECIS_API precis_status precis_eval_task(precis_ctx *ctx, const precis_model *model, const precis_task *task,
                                          const precis_eval_options *opts, precis_answer *answers, double *logliks);

typedef struct precis_task_result {
    uint32_t size;            /* sizeof of this struct, set by the caller                                   */
    size_t   items;
    double   accuracy, accuracy_se, second, second_se; /* 0 to 1                                            */
    double   reference, reference_second; /* NaN without one                                                */
    uint64_t to_wrong, to_right;  /* right with the reference and wrong now; the opposite                   */
    double   flips, flips_se;     /* (to_wrong + to_right) / items (Dutta et al. 2024, section 3)           */
    double   changed;             /* part of the items whose choice is another one                          */
    double   pairs_right, sensitivity; /* of paired tasks: both right; the choice changes with the word; NaN */
    double   reference_sensitivity;
    double   perplexity;          /* of right continuations, per item (lambada); exp(-mean loglik)          */
} precis_task_result;
/* Of all items (group NULL), or of those of one group, that were answered, by the reference (may be NULL), too. */
PRECIS_API void precis_task_summarize(const precis_task *task, const char *group, const precis_answer *answers,
                                      const precis_answer *reference, precis_task_result *result);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_TASK_H */
