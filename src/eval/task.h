/* task.h - how a task's items are made. A task is one row of tasks.def; its loader adds items. */
#ifndef PCS_TASK_H
#define PCS_TASK_H

#include "base/base.h"
#include "base/json.h"
#include "precis/task.h"

typedef struct pcs_item {
    const char *context, **contexts, **choices; /* as precis_task_item */
    uint32_t n_choices, right;
    const char *answer, *group;
} pcs_item;

typedef struct pcs_task_kind {
    const char *name, *path, *metric, *second, *summary;
    precis_status (*load)(precis_task *t);
    bool paired;
} pcs_task_kind;

struct precis_task {
    precis_ctx *ctx;
    const pcs_task_kind *kind;
    const char *name;
    precis_task_options opt;
    pcs_arena arena;
    pcs_item *items;
    size_t n, cap;
    char *text;      /* of the file, while it is loaded */
    size_t len;
};

/* Add an item; its strings are the arena's. */
precis_status pcs_task_add(precis_task *t, pcs_item item);
/* n strings in the arena. */
const char **pcs_task_strings(precis_task *t, uint32_t n);
/* Text between two places without blanks at its ends, in the arena. */
const char *pcs_task_trimmed(precis_task *t, const char *from, const char *to);
bool pcs_task_full(const precis_task *t);
/* A file of the folder (path, or its last part alone), decompressed when it ends in .bz2. Freed with pcs_free. */
precis_status pcs_task_read(precis_task *t, const char *path, char **text, size_t *len);
precis_status pcs_task_no_shots(precis_task *t);
/* Index 0 to n - 1. */
static inline uint32_t pcs_task_draw(uint64_t *seed, uint32_t n) { return (uint32_t)(pcs_rand(seed) % n); }

/* Reads one row of a CSV table (RFC 4180) of at most n fields, unquoted in the arena, and moves *p on. Returns how many
 * fields there are; 0 at the end. */
precis_status pcs_csv_row(pcs_arena *a, const char **p, const char *end, char **fields, uint32_t max, uint32_t *n);

precis_status pcs_task_lines(precis_task *t);
#define TASK(name, path, load, metric, second, paired, summary) precis_status pcs_task_##load(precis_task *t);
#include "eval/tasks.def"
#undef TASK

#endif
