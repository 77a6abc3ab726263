/* tasks.c - tasks: their table, their files, their items. */
#include "base/lack.h"
#include "base/options.h"
#include "eval/task.h"

#include "base/file.h"
#include "base/parts.h"
#include "precis/part.h"

#if PCS_HAVE_BZIP2
#include <bzlib.h>

#define BZIP2_CALLS(F) F(BZ2_bzDecompressInit) F(BZ2_bzDecompress) F(BZ2_bzDecompressEnd)
PRECIS_PART_FUNCTIONS("BZIP2", libbz2, BZIP2_CALLS)
#endif
#include <unistd.h>

#include <stdio.h>

enum { TEXT_LIMIT = PCS_LIMIT_JSON };

static const pcs_task_kind kinds[] = {
#define TASK(name, path, load, metric, second, paired, summary) \
    { name, path, metric, second, summary, pcs_task_##load, paired },
#include "eval/tasks.def"
#undef TASK
};
static const pcs_task_kind own = { "jsonl", "", "acc", "acc_norm", "items of the user's own", pcs_task_lines, false };

const char **pcs_task_strings(precis_task *t, uint32_t n) { return pcs_arena_alloc(&t->arena, n, sizeof(char *)); }
const char *pcs_task_trimmed(precis_task *t, const char *from, const char *to)
{
    while (from < to && strchr(" \t\r\n", *from)) from++;
    while (to > from && strchr(" \t\r\n", to[-1])) to--;
    return pcs_arena_copy(&t->arena, from, (size_t)(to - from));
}

bool pcs_task_full(const precis_task *t) { return t->opt.limit && t->n >= t->opt.limit; }

precis_status pcs_task_no_shots(precis_task *t)
{
    if (!t->opt.shots) return PRECIS_OK;
    return pcs_fail(t->ctx, PRECIS_EINVAL, "task %s has no solved examples to show; of the tasks mmlu and gsm8k have",
                    t->name);
}

#if PCS_HAVE_BZIP2
static precis_status inflate_bz2(precis_ctx *ctx, const char *path, char **text, size_t *len)
{
    char *packed = *text;
    pcs_buf out;
    pcs_buf_init(&out, ctx, TEXT_LIMIT);
    bz_stream s = { .next_in = packed, .avail_in = (unsigned)*len };
    libbz2 lib;
    precis_status st = libbz2_open(ctx, path, &lib);
    const bool opened = !st;
    if (!st && lib.BZ2_bzDecompressInit(&s, 0, 0) != BZ_OK) st = PRECIS_ENOMEM;
    char block[65536];
    int rc = BZ_OK;
    while (!st && rc != BZ_STREAM_END) {
        s.next_out = block;
        s.avail_out = sizeof block;
        rc = lib.BZ2_bzDecompress(&s);
        if (rc != BZ_OK && rc != BZ_STREAM_END)
            st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: its compressed data are damaged", path);
        else if (rc == BZ_OK && s.avail_out == sizeof block && !s.avail_in)
            st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: it ends too early", path);
        else st = pcs_buf_add(&out, block, sizeof block - s.avail_out);
    }
    if (opened) lib.BZ2_bzDecompressEnd(&s);
    if (!st) st = pcs_buf_add(&out, "", 1);
    pcs_free(ctx, packed);
    *text = out.data;
    *len = st ? 0 : out.len - 1;
    if (st) {
        pcs_buf_free(&out);
        *text = NULL;
    }
    return st;
}
#else
static precis_status inflate_bz2(precis_ctx *ctx, const char *path, char **text, size_t *len)
{
    char what[4096];
    pcs_free(ctx, *text);
    *text = NULL;
    *len = 0;
    snprintf(what, sizeof what, "%s: what bzip2 packed", path);
    return pcs_part_need(ctx, PCS_PART_BZIP2, what);
}
#endif

precis_status pcs_task_read(precis_task *t, const char *path, char **text, size_t *len)
{
    precis_ctx *ctx = t->ctx;
    *text = NULL;
    if (!t->opt.folder)
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "task %s reads %s: name the folder of the evaluation sets (precis eval --data FOLDER)", t->name,
                        path);
    char whole[4096];
    const char *last = strrchr(path, '/');
    if (snprintf(whole, sizeof whole, "%s/%s", t->opt.folder, path) >= (int)sizeof whole)
        return pcs_fail(ctx, PRECIS_EINVAL, "the path of the evaluation sets is too long");
    if (pcs_absent(whole) && last) { /* the file itself may lie in the folder */
        char plain[4096];
        if (snprintf(plain, sizeof plain, "%s%s", t->opt.folder, last) < (int)sizeof plain && !pcs_absent(plain))
            memcpy(whole, plain, sizeof whole);
    }
    if (!pcs_ends(whole, ".bz2")) return pcs_text_slurp(ctx, whole, TEXT_LIMIT, PRECIS_INPUT_TABLE, text, len);
    precis_status st = pcs_file_slurp(ctx, whole, TEXT_LIMIT, text, len);
    if (!st) st = inflate_bz2(ctx, whole, text, len);
    if (!st && (st = pcs_text_check(ctx, whole, PRECIS_INPUT_TABLE, *text, len))) {
        pcs_free(ctx, *text);
        *text = NULL;
    }
    return st;
}

precis_status pcs_csv_row(pcs_arena *a, const char **p, const char *end, char **fields, uint32_t max, uint32_t *n)
{
    const char *s = *p;
    *n = 0;
    while (s < end && (*s == '\n' || *s == '\r')) s++;
    while (s < end) {
        if (*n == max) return pcs_fail(a->ctx, PRECIS_EFORMAT, "a row of the table has more than %u fields", max);
        const bool quoted = *s == '"';
        const char *from = s + quoted;
        size_t len = 0;
        for (s = from; s < end && (quoted || (*s != ',' && *s != '\n')); s++, len++)
            if (quoted && *s == '"' && !(s + 1 < end && *++s == '"')) break;
        char *field = pcs_arena_alloc(a, len + 2, 1);
        if (!field) return PRECIS_ENOMEM;
        len = 0;
        for (s = from; s < end && (quoted || (*s != ',' && *s != '\n')); s++) {
            if (quoted && *s == '"') {
                if (!(s + 1 < end && s[1] == '"')) break;
                s++;
            }
            field[len++] = *s;
        }
        if (quoted && s >= end) return pcs_fail(a->ctx, PRECIS_EFORMAT, "a quoted field of the table does not end");
        if (quoted) s++;
        if (!quoted && len && field[len - 1] == '\r') field[len - 1] = 0;
        fields[(*n)++] = field;
        if (s < end && *s == '\r') s++;
        if (s >= end || *s == '\n') break;
        if (*s != ',') return pcs_fail(a->ctx, PRECIS_EFORMAT, "a field of the table goes on behind its quotes");
        s++;
    }
    *p = s;
    return PRECIS_OK;
}

precis_status precis_task_open(precis_ctx *ctx, precis_task **out, const char *name, const precis_task_options *opts)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    const pcs_task_kind *kind = pcs_ends(name, ".jsonl") ? &own : NULL;
    *out = NULL;
    for (size_t i = 0; !kind && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name)) kind = &kinds[i];
    if (!kind)
        return pcs_fail(ctx, PRECIS_EINVAL, "\"%.60s\" is no task and no .jsonl file; precis list tasks names them",
                        name);
    precis_task *t = pcs_alloc(ctx, 1, sizeof *t);
    if (!t) return PRECIS_ENOMEM;
    *t = (precis_task){ .ctx = ctx, .kind = kind, .opt = PRECIS_TASK_OPTIONS_INIT };
    pcs_options_take(&t->opt, sizeof t->opt, opts);
    pcs_arena_init(&t->arena, ctx);
    const char *slash = strrchr(name, '/'), *shown = kind == &own && slash ? slash + 1 : name;
    t->name = pcs_arena_copy(&t->arena, shown, strlen(shown));
    precis_status st = t->name ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st && kind == &own) st = pcs_text_slurp(ctx, name, TEXT_LIMIT, PRECIS_INPUT_TABLE, &t->text, &t->len);
    else if (!st && kind->path && strcmp(kind->name, "mmlu")) st = pcs_task_read(t, kind->path, &t->text, &t->len);
    if (!st) st = kind->load(t);
    pcs_free(ctx, t->text);
    t->text = NULL;
    if (!st && !t->n) st = pcs_fail(ctx, PRECIS_EFORMAT, "task %s: the file has no items", t->name);
    st = pcs_with_memory(ctx, refused, st);
    if (st) precis_task_close(&t);
    *out = t;
    return st;
}

void precis_task_close(precis_task **task)
{
    if (!task || !*task) return;
    precis_task *t = *task;
    pcs_free(t->ctx, t->text);
    pcs_free(t->ctx, t->items);
    pcs_arena_free(&t->arena);
    pcs_free(t->ctx, t);
    *task = NULL;
}

const char *precis_task_name(size_t i, const char **summary, int *generated)
{
    if (i >= sizeof kinds / sizeof *kinds) return NULL;
    if (summary) *summary = kinds[i].summary;
    if (generated) *generated = !kinds[i].path;
    return kinds[i].name;
}

void precis_task_get_info(const precis_task *t, precis_task_info *info)
{
    const precis_task_info r = { info->size, t->name, t->n, t->kind->metric, t->kind->second, t->kind->paired };
    pcs_options_give(info, &r, sizeof r);
}

precis_status precis_task_get(precis_ctx *ctx, const precis_task *t, size_t i, precis_task_item *item)
{
    if (i >= t->n) return pcs_fail(ctx, PRECIS_EINVAL, "task %s has %zu items, no number %zu", t->name, t->n, i);
    const pcs_item *k = &t->items[i];
    const precis_task_item r = { item->size,   k->context, k->contexts, k->choices,
                                 k->n_choices, k->right,   k->answer,   k->group };
    pcs_options_give(item, &r, sizeof r);
    return PRECIS_OK;
}
