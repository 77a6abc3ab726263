/* mmlu.c - MMLU: a folder of CSV tables, one a subject: question, four choices, number of
 * the right one. Solved examples come from ../dev. */
#include "base/file.h"
#include "eval/task.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SUBJECTS = 128, FIELDS = 6 };
typedef struct { const char *asked, *fields[4]; uint32_t right; } question;
typedef struct { question *at; uint32_t n, most; } questions;

/* Reads the rows of a table after its heading: as many as there are, as fit, and at most `limit` (0: no limit). */
static precis_status rows(precis_task *t, const char *folder, const char *subject, const char *tail, uint32_t limit,
                          questions *out)
{
    char path[512], *text;
    size_t len;
    out->n = 0;
    if (snprintf(path, sizeof path, "mmlu/%s/%s%s.csv", folder, subject, tail) >= (int)sizeof path)
        return pcs_fail(t->ctx, PRECIS_EINVAL, "a subject's name is too long");
    precis_status st = pcs_task_read(t, path, &text, &len);
    if (st) return st;
    const char *p = text, *end = text + len;
    char *f[FIELDS];
    uint32_t k;
    st = pcs_csv_row(&t->arena, &p, end, f, FIELDS, &k);
    if (!st && (k != FIELDS || strcmp(f[0], "question")))
        st = pcs_fail(t->ctx, PRECIS_EFORMAT,
                      "%s: its first row is not question,choice0,choice1,choice2,choice3,answer", path);
    while (!st && out->n < out->most && (!limit || out->n < limit)) {
        st = pcs_csv_row(&t->arena, &p, end, f, FIELDS, &k);
        if (st || !k) break;
        question *q = &out->at[out->n];
        const long right = k == FIELDS ? strtol(f[5], NULL, 10) : -1;
        if (right < 0 || right > 3 || !*f[FIELDS - 1])
            st = pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: row %u has no question, four choices and an answer from 0 to 3",
                          path, out->n + 1);
        else if (!(q->asked = pcs_task_trimmed(t, f[0], f[0] + strlen(f[0])))) st = PRECIS_ENOMEM;
        else {
            memcpy(q->fields, f + 1, 4 * sizeof *f);
            q->right = (uint32_t)right;
            out->n++;
        }
    }
    pcs_free(t->ctx, text);
    return st;
}

static precis_status ask(pcs_buf *b, const question *q, bool solved)
{
    precis_status st = pcs_buf_add(b, q->asked, strlen(q->asked));
    for (int i = 0; i < 4 && !st; i++) {
        const char label[4] = { '\n', (char)('A' + i), '.', ' ' };
        st = pcs_buf_add(b, label, 4);
        if (!st) st = pcs_buf_add(b, q->fields[i], strlen(q->fields[i]));
    }
    if (!st) st = pcs_buf_add(b, "\nAnswer:", 8);
    const char tail[4] = { ' ', (char)('A' + q->right), '\n', '\n' };
    return st || !solved ? st : pcs_buf_add(b, tail, 4);
}

static precis_status subject(precis_task *t, const char *name, questions *asked)
{
    static const char *const letters[] = { " A", " B", " C", " D" };
    question solved[8];
    questions shown = { solved, 0, t->opt.shots };
    pcs_buf head, b;
    precis_status st = t->opt.shots ? rows(t, "dev", name, "_dev", 0, &shown) : PRECIS_OK;
    if (!st && shown.n < t->opt.shots)
        st = pcs_fail(t->ctx, PRECIS_EINVAL, "task mmlu: %s has %u solved examples, less than %u", name, shown.n,
                      t->opt.shots);
    if (!st) st = rows(t, "test", name, "_test", t->opt.limit, asked);
    if (st) return st;
    char *spoken = pcs_arena_copy(&t->arena, name, strlen(name));
    if (!spoken) return PRECIS_ENOMEM;
    for (char *c = spoken; *c; c++)
        if (*c == '_') *c = ' ';
    pcs_buf_init(&head, t->ctx, 1 << 20);
    st = pcs_buf_printf(&head, "The following are multiple choice questions (with answers) about %.200s.\n\n", spoken);
    for (uint32_t i = 0; i < shown.n && !st; i++) st = ask(&head, &solved[i], true);
    for (uint32_t i = 0; i < asked->n && !st; i++) {
        const question *q = &asked->at[i];
        pcs_item item = { .choices = pcs_task_strings(t, 4), .n_choices = 4, .right = q->right, .group = spoken };
        pcs_buf_init(&b, t->ctx, 1 << 22);
        st = pcs_buf_add(&b, head.data, head.len);
        if (!st) st = ask(&b, q, false);
        if (!st && !(item.choices && (item.context = pcs_arena_copy(&t->arena, b.data, b.len)))) st = PRECIS_ENOMEM;
        if (!st) {
            memcpy(item.choices, letters, sizeof letters);
            st = pcs_task_add(t, item);
        }
        pcs_buf_free(&b);
    }
    pcs_buf_free(&head);
    return st;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

precis_status pcs_task_mmlu(precis_task *t)
{
    if (!t->opt.folder)
        return pcs_fail(t->ctx, PRECIS_EINVAL,
                        "task mmlu reads mmlu/test/*.csv: name the folder of the evaluation sets (precis eval --data "
                        "FOLDER)");
    if (t->opt.shots > 5) return pcs_fail(t->ctx, PRECIS_EINVAL, "task mmlu has 5 solved examples a subject");
    char path[4096];
    const char *names[SUBJECTS];
    size_t n = 0;
    if (snprintf(path, sizeof path, "%s/mmlu/test", t->opt.folder) >= (int)sizeof path)
        return pcs_fail(t->ctx, PRECIS_EINVAL, "the path of the evaluation sets is too long");
    DIR *d = opendir(path);
    if (!d) return pcs_fail(t->ctx, pcs_errno_status(errno), "%s: %s", path, strerror(errno));
    precis_status st = PRECIS_OK;
    for (struct dirent *e; !st && n < SUBJECTS && (e = readdir(d));) {
        if (!pcs_ends(e->d_name, "_test.csv")) continue;
        names[n] = pcs_arena_copy(&t->arena, e->d_name, strlen(e->d_name) - 9);
        if (!names[n++]) st = PRECIS_ENOMEM;
    }
    closedir(d);
    qsort(names, n, sizeof *names, by_name); /* the order of a folder is the system's */
    enum { MAX = 4096 };
    questions q = { st ? NULL : pcs_alloc(t->ctx, MAX, sizeof *q.at), 0, MAX };
    if (!st && !q.at) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) st = subject(t, names[i], &q);
    pcs_free(t->ctx, q.at);
    return st;
}
