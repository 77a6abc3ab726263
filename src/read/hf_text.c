/* hf_text.c - tokenizer and chat templates of a transformers folder. A tokenizer that cannot be read leaves a model
 * that can be quantized and scored by ids; why is said, and kept (precis.no_tokenizer) for whoever asks for text. */
#include "read/hf.h"
#include "read/tokenizer_parts.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- chat templates ------------------------------------------------------------------------------------------------
 */

/* Named templates, as they are found; a later one of the same name replaces. */
typedef struct { pcs_text name, text; } named;
typedef struct { precis_model *m; named *v; size_t n, cap; } templates;

static precis_status keep(templates *t, const char *name, const char *text, size_t len)
{
    precis_model *m = t->m;
    if (len > PCS_LIMIT_TEMPLATE) {
        pcs_warn(m->ctx, "%s: the chat template %s has %zu bytes, at most %d are read: it is left out", m->path, name,
                 len, PCS_LIMIT_TEMPLATE);
        return PRECIS_OK;
    }
    size_t i = 0;
    while (i < t->n && strcmp(t->v[i].name.s, name)) i++;
    if (i == t->cap) {
        const size_t cap = 2 * t->cap + 8;
        named *grown = pcs_arena_alloc(&m->arena, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        if (t->n) memcpy(grown, t->v, t->n * sizeof *grown);
        t->v = grown;
        t->cap = cap;
    }
    const char *copy = pcs_arena_copy(&m->arena, text, len), *title = pcs_arena_copy(&m->arena, name, strlen(name));
    if (!copy || !title) return PRECIS_ENOMEM;
    t->v[i] = (named){ { title, strlen(title) }, { copy, len } };
    t->n += i == t->n;
    return PRECIS_OK;
}

/* A template, or a list of { name, template }. */
static precis_status read_value(templates *t, pcs_json_slice value)
{
    char *s, *name;
    size_t len, n;
    precis_status st = pcs_tok_string(t->m, value, &s, &len);
    if (st || s) return st ? st : keep(t, "default", s, len);
    if (pcs_tok_null(value) || value.text[0] != '[') return PRECIS_OK;
    pcs_tok_walk w;
    for (pcs_tok_walk_begin(&w, t->m->ctx, value); pcs_tok_walk_next(&w);) {
        pcs_json_slice title, text;
        st = pcs_json_find(t->m->ctx, w.value, "name", &title);
        if (!st) st = pcs_json_find(t->m->ctx, w.value, "template", &text);
        if (!st) st = pcs_tok_string(t->m, title, &name, &n);
        if (!st) st = pcs_tok_string(t->m, text, &s, &len);
        if (!st && (!name || !s || !n || strlen(name) != n))
            st = pcs_json_fail(&w.j, w.value.text, "chat_template", "holds an item without name or template");
        if (!st) st = keep(t, name, s, len);
        if (st) return st;
    }
    return w.st;
}

/* The member "chat_template" of a JSON file. */
static precis_status read_member(templates *t, const char *folder, const char *file)
{
    char *text;
    size_t len;
    pcs_json_slice value;
    precis_status st = pcs_hf_slurp(t->m, folder, file, &text, &len);
    if (st || !text) return st;
    st = pcs_json_find(t->m->ctx, (pcs_json_slice){ text, len }, "chat_template", &value);
    if (!st) st = read_value(t, value);
    pcs_free(t->m->ctx, text);
    return st;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* additional_chat_templates/NAME.jinja, by name: a folder has no order of its own. */
static precis_status read_additional(templates *t, const char *folder)
{
    enum { MOST = 64 };
    const char *dir = pcs_arena_printf(&t->m->arena, "%s/additional_chat_templates", folder), *names[MOST];
    if (!dir) return PRECIS_ENOMEM;
    DIR *d = opendir(dir);
    size_t n = 0;
    precis_status st = PRECIS_OK;
    for (struct dirent *e; d && !st && n < MOST && (e = readdir(d));) {
        if (e->d_name[0] == '.' || !pcs_ends(e->d_name, ".jinja")) continue;
        if (!(names[n] = pcs_arena_copy(&t->m->arena, e->d_name, strlen(e->d_name) - 6))) st = PRECIS_ENOMEM;
        n++;
    }
    if (d) closedir(d);
    if (!st) qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n && !st; i++) {
        char file[300], *text;
        size_t len;
        if (snprintf(file, sizeof file, "%s.jinja", names[i]) >= (int)sizeof file) continue;
        st = pcs_hf_slurp(t->m, dir, file, &text, &len);
        if (!st && text) st = keep(t, names[i], text, len);
        if (!st) pcs_free(t->m->ctx, text);
    }
    return st;
}

/* The default becomes GGUF's tokenizer.chat_template; the others are kept beside it, where llama.cpp has them. */
static precis_status set_templates(const templates *t)
{
    precis_model *m = t->m;
    const pcs_text *first = NULL;
    pcs_text *others = pcs_arena_alloc(&m->arena, t->n + 1, sizeof *others);
    size_t n = 0, at = 0;
    char list[200] = "", key[300];
    precis_status st = others ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < t->n && !st; i++) {
        if (!strcmp(t->v[i].name.s, "default")) {
            first = &t->v[i].text;
            continue;
        }
        const int len = snprintf(list + at, sizeof list - at, "%s%s", n ? ", " : "", t->v[i].name.s);
        at = len > 0 && (size_t)len < sizeof list - at ? at + (size_t)len : sizeof list - 1;
        if (snprintf(key, sizeof key, "tokenizer.chat_template.%s", t->v[i].name.s) >= (int)sizeof key) continue;
        others[n++] = t->v[i].name;
        if (!pcs_tok_key(m, key)) st = pcs_model_set_string(m, key, t->v[i].text.s, (size_t)t->v[i].text.len);
    }
    if (!st && n) st = pcs_tok_add_array(m, "tokenizer.chat_templates", PCS_KEY_STRING, n, others);
    if (st) return st;
    if (first) {
        if (n)
            pcs_warn(m->ctx, "%s: of %zu chat templates the one named default is used (the others: %s)", m->path, t->n,
                     list);
        return pcs_model_set_string(m, "tokenizer.chat_template", first->s, (size_t)first->len);
    }
    if (n)
        pcs_warn(
            m->ctx,
            "%s: none of its chat templates is named default (%s): none is used; run --chat-template FILE gives one",
            m->path, list);
    return PRECIS_OK;
}

/* As transformers: files of their own count before the settings of the tokenizer, and those before the processor's. */
static precis_status read_templates(precis_model *m, const char *folder)
{
    templates t = { .m = m };
    char *text;
    size_t len;
    precis_status st = read_member(&t, folder, "chat_template.json");
    if (!st) st = read_member(&t, folder, "tokenizer_config.json");
    if (!st) st = read_additional(&t, folder);
    if (!st) st = pcs_hf_slurp(m, folder, "chat_template.jinja", &text, &len);
    if (!st && text) st = keep(&t, "default", text, len);
    if (!st) pcs_free(m->ctx, text);
    return st ? st : set_templates(&t);
}

/* ---- tokenizer
 * ---------------------------------------------------------------------------------------------------------- */

/* Files of a tokenizer that another file would have to go with. */
static precis_status say_lone_files(precis_model *m, const char *folder)
{
    static const char *const names[] = {
        "vocab.json",  "merges.txt",     "vocab.txt",    "spiece.model", "sentencepiece.bpe.model",
        "tekken.json", "tiktoken.model", "qwen.tiktoken"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text;
        size_t len;
        const precis_status st = pcs_hf_slurp(m, folder, names[i], &text, &len);
        if (st) return st;
        if (!text) continue;
        pcs_free(m->ctx, text);
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: %s without tokenizer.json or tokenizer.model: precis does not read it alone "
                        "(AutoTokenizer.from_pretrained(...).save_pretrained(...) writes tokenizer.json)",
                        folder, names[i]);
    }
    return PRECIS_OK;
}

static pcs_json_slice slice(const char *text, size_t len) { return (pcs_json_slice){ text, len }; }

static precis_status read_tokenizer(precis_model *m, const char *folder)
{
    enum { JSON, MODEL, CONFIG, ADDED, SPECIAL, FILES };
    static const char *const names[FILES] = { "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                                              "added_tokens.json", "special_tokens_map.json" };
    char *text[FILES] = { NULL };
    size_t len[FILES] = { 0 };
    precis_status st = PRECIS_OK;
    for (int i = 0; i < FILES && !st; i++)
        if (i != MODEL || !text[JSON]) st = pcs_hf_slurp(m, folder, names[i], &text[i], &len[i]);
    m->ctx->file = pcs_arena_printf(&m->arena, "%s/%s", folder, text[JSON] ? names[JSON] : names[MODEL]);
    if (st) {}
    else if (text[JSON]) st = pcs_tokenizer_json(m, slice(text[JSON], len[JSON]));
    else if (text[MODEL]) st = pcs_tokenizer_model(m, (const uint8_t *)text[MODEL], len[MODEL]);
    else st = say_lone_files(m, folder); /* a model without any can be quantized, and scored by ids */
    m->ctx->file = pcs_arena_printf(&m->arena, "%s/%s", folder, names[CONFIG]);
    if (!st && (text[JSON] || text[MODEL]))
        st = pcs_tokenizer_config(m, slice(text[CONFIG], len[CONFIG]), slice(text[ADDED], len[ADDED]),
                                  slice(text[SPECIAL], len[SPECIAL]), !text[JSON]);
    for (int i = 0; i < FILES; i++) pcs_free(m->ctx, text[i]);
    return st;
}

/* What a refused tokenizer has left. */
static void forget(precis_model *m, size_t n)
{
    size_t kept = n;
    for (size_t i = n; i < m->n_keys; i++)
        if (strncmp(m->keys[i].name, "tokenizer.", 10) && strncmp(m->keys[i].name, "precis.tokenizer.", 17))
            m->keys[kept++] = m->keys[i];
    m->n_keys = kept;
}

precis_status pcs_hf_text(precis_model *m, const char *folder)
{
    const size_t before = m->n_keys;
    precis_status st = read_tokenizer(m, folder);
    if (st == PRECIS_EUNSUPPORTED) {
        forget(m, before);
        pcs_warn(m->ctx,
                 "%s; the tokenizer is left out: the model can be quantized, and scored by ids, but reads no text",
                 m->ctx->message);
        st = pcs_model_set_string(m, "precis.no_tokenizer", m->ctx->message, strlen(m->ctx->message));
    }
    return st ? st : read_templates(m, folder);
}
