/* folders.h - transformers folders for tests: written by precis of a tiny model, edited, and read again. */
#ifndef TEST_FOLDERS_H
#define TEST_FOLDERS_H

#include "tiny_model.h"

#include "graph/arch.h"
#include "model/model.h"

#include <unistd.h>

/* FOLDER/FILE of the test's folder; the next call but seven overwrites it. */
static inline const char *folder_file(const char *folder, const char *file)
{
    char name[120];
    snprintf(name, sizeof name, "%s/%s", folder, file);
    return tiny_path(name);
}

static inline char *folder_text(const char *folder, const char *file)
{
    size_t n;
    char *text = test_read(folder_file(folder, file), &n);
    if (!text) fail_msg("%s has no %s", folder, file);
    return text;
}

static inline void folder_put(const char *folder, const char *file, const char *text)
{
    test_write(folder_file(folder, file), text, strlen(text));
}

/* The first `from` of a file becomes `to`. */
static inline void folder_edit(const char *folder, const char *file, const char *from, const char *to)
{
    char *text = folder_text(folder, file), *at = strstr(text, from);
    if (!at) fail_msg("%s/%s has no %s", folder, file, from);
    const size_t n = strlen(text), gone = strlen(from), more = strlen(to);
    char *edited = malloc(n + more + 1);
    assert_non_null(edited);
    memcpy(edited, text, (size_t)(at - text));
    memcpy(edited + (at - text), to, more);
    memcpy(edited + (at - text) + more, at + gone, strlen(at + gone) + 1);
    folder_put(folder, file, edited);
    free(edited), free(text);
}

static inline void folder_remove(const char *folder)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", tiny_path(folder));
    assert_int_equal(system(command), 0);
}

/* A model in another container: "gguf" as NAME.gguf, or a folder of that name. */
static inline const char *converted(precis_ctx *ctx, const precis_model *m, const char *format, const char *name)
{
    precis_convert_options o = PRECIS_CONVERT_OPTIONS_INIT;
    precis_convert_report *r;
    o.format = format;
    o.exact = 1;
    folder_remove(name);
    OK(ctx, precis_convert(ctx, m, tiny_path(name), &o, &r));
    precis_convert_report_close(&r);
    return name;
}

static inline precis_model *folder_open(precis_ctx *ctx, const char *name)
{
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, tiny_path(name)));
    return m;
}

/* The folder is refused with that status, and the message has that word. */
static inline void folder_refused(precis_ctx *ctx, const char *name, precis_status st, const char *says)
{
    precis_model *m;
    const precis_status got = precis_model_open(ctx, &m, tiny_path(name));
    if (got != st || !strstr(precis_ctx_message(ctx), says))
        fail_msg("status %d, \"%s\", not %d with \"%s\"", (int)got, got ? precis_ctx_message(ctx) : "", (int)st, says);
    assert_null(m);
}

/* Numbers of tensor t, row r. */
static inline void folder_row(const pcs_tensor *t, uint64_t r, float *x)
{
    pcs_decode(t->format, (size_t)t->ne[0], t->data + r * pcs_tensor_row_bytes(t), x);
}

/* All tensors of `a` are in `b` with the same numbers. */
static inline void same_tensors(const precis_model *a, const precis_model *b)
{
    for (size_t i = 0; i < a->n_tensors; i++) {
        const pcs_tensor *t = &a->tensors[i], *u = pcs_model_tensor(b, t->name);
        if (!u) fail_msg("%s has no %s", b->path, t->name);
        assert_int_equal(t->n, u->n);
        float *x = malloc((size_t)t->ne[0] * 2 * sizeof *x), *y = x + t->ne[0];
        assert_non_null(x);
        for (uint64_t r = 0; r < t->n / (uint64_t)t->ne[0]; r++) {
            folder_row(t, r, x), folder_row(u, r, y);
            if (memcmp(x, y, (size_t)t->ne[0] * sizeof *x))
                fail_msg("%s: row %llu differs", t->name, (unsigned long long)r);
        }
        free(x);
    }
}

/* Both make the same tokens of a text. */
static inline void same_tokens(precis_ctx *ctx, const precis_model *a, const precis_model *b, const char *text)
{
    const precis_model *const both[] = { a, b };
    precis_tokenizer *t[2];
    int32_t *ids[2];
    size_t n[2];
    for (int i = 0; i < 2; i++) {
        OK(ctx, precis_tokenizer_open(ctx, &t[i], both[i]));
        OK(ctx, precis_tokenizer_encode(t[i], text, strlen(text),
                                       PRECIS_TEXT_PARSE | PRECIS_TEXT_ADD, &ids[i], &n[i]));
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(ids[0], ids[1], n[0] * sizeof **ids);
    assert_true(n[0] > 0);
    for (int i = 0; i < 2; i++) {
        precis_ids_free(t[i], ids[i]);
        precis_tokenizer_close(&t[i]);
    }
}

#endif
