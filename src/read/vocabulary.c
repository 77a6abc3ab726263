/* vocabulary.c - as many tokens as the embedding has rows.
 *
 * Embeddings are padded to round numbers (Qwen, Phi-3, Gemma 3), and other readers of GGUF count tokens, not rows.
 * Fillers are named as llama.cpp's converter names them and have the type "unused", so that no text becomes one;
 * whoever writes a tokenizer's own file leaves them out again (pcs_is_filler). */
#include "read/read.h"

#include <stdio.h>

enum { NORMAL = 1, UNUSED = 5 };

static pcs_key *array_key(precis_model *m, const char *name)
{
    for (size_t i = 0; i < m->n_keys; i++)
        if (!strcmp(m->keys[i].name, name)) return m->keys[i].type == PCS_KEY_ARRAY ? &m->keys[i] : NULL;
    return NULL;
}

/* An array of `width` bytes an item, longer by what the caller fills. */
static uint8_t *longer(precis_model *m, const void *items, uint64_t have, uint64_t want, size_t width)
{
    uint8_t *all = pcs_arena_alloc(&m->arena, (size_t)want, width);
    if (all) memcpy(all, items, (size_t)have * width);
    return all;
}

static precis_status pad(precis_model *m, pcs_key *tokens, pcs_key *types, pcs_key *scores, uint64_t rows)
{
    const uint64_t have = tokens->n;
    pcs_text *texts = (pcs_text *)(void *)longer(m, tokens->v.texts, have, rows, sizeof *texts);
    int32_t *kinds = (int32_t *)(void *)longer(m, types->v.items, have, rows, sizeof *kinds);
    float *points = scores ? (float *)(void *)longer(m, scores->v.items, have, rows, sizeof *points) : NULL;
    if (!texts || !kinds || (scores && !points)) return PRECIS_ENOMEM;
    for (uint64_t i = have; i < rows; i++) {
        const char *name = pcs_arena_printf(&m->arena, "[PAD%llu]", (unsigned long long)i);
        if (!name) return PRECIS_ENOMEM;
        texts[i] = (pcs_text){ name, strlen(name) };
        kinds[i] = UNUSED;
        if (points) points[i] = -10000.0f; /* as the converter: no piece of a text is ever worse */
    }
    tokens->v.texts = texts;
    types->v.items = kinds;
    if (scores) scores->v.items = points;
    tokens->n = types->n = rows;
    if (scores) scores->n = rows;
    return PRECIS_OK;
}

bool pcs_is_filler(const pcs_key *tokens, const pcs_key *types, uint64_t i)
{
    char name[32];
    const int n = snprintf(name, sizeof name, "[PAD%llu]", (unsigned long long)i);
    if (!types || types->type != PCS_KEY_ARRAY || pcs_key_number(types, i) != UNUSED) return false;
    return tokens->v.texts[i].len == (uint64_t)n && !memcmp(tokens->v.texts[i].s, name, (size_t)n);
}

precis_status pcs_fit_vocabulary(precis_model *m)
{
    const pcs_tensor *e = pcs_model_tensor(m, "token_embd.weight");
    pcs_key *tokens = array_key(m, "tokenizer.ggml.tokens"), *types = array_key(m, "tokenizer.ggml.token_type"),
            *scores = array_key(m, "tokenizer.ggml.scores");
    if (!e || e->dims != 2 || e->ne[1] < 1 || !tokens || tokens->item != PCS_KEY_STRING ||
        tokens->n == (uint64_t)e->ne[1])
        return PRECIS_OK;
    const uint64_t rows = (uint64_t)e->ne[1], have = tokens->n;
    if (rows > PCS_LIMIT_VOCABULARY || !types || pcs_key_width(types->item) != 4 || types->n != have ||
        (scores && (scores->item != PCS_KEY_F32 || scores->n != have)))
        return PRECIS_OK; /* said where the tokenizer is opened */
    if (have < rows) return pad(m, tokens, types, scores, rows);
    for (uint64_t i = rows; i < have; i++)
        if (pcs_key_number(types, i) == NORMAL)
            return PRECIS_OK; /* the tokenizer of another model, which its user is told */
    pcs_warn(m->ctx,
             "%s: the tokenizer has %llu tokens and the embedding %llu rows: the last %llu, from \"%.*s\" on, are left "
             "out",
             m->path, (unsigned long long)have, (unsigned long long)rows, (unsigned long long)(have - rows),
             (int)(tokens->v.texts[rows].len > 60 ? 60 : tokens->v.texts[rows].len), tokens->v.texts[rows].s);
    tokens->n = types->n = rows;
    if (scores) scores->n = rows;
    return PRECIS_OK;
}
