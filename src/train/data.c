/* data.c - see data.h. */
#include "base/builtins.h"
#include "train/data.h"

#define LARGEST ((size_t)1 << 32) /* a text's bytes */
#define HELD_FROM ((uint64_t)1 << 60) /* numbers of held-out sequences, which training never comes to */

/* Texts on their way to tokens. */
typedef struct {
    pcs_train_data *d;
    precis_tokenizer *by; /* NULL: tokens are bytes */
    pcs_map seen;         /* paragraphs */
    pcs_arena keys;
} reading;

/* A text's tokens after those that are there. */
static precis_status add_tokens(reading *r, const char *text, size_t len, int32_t **to, size_t *n, size_t *count)
{
    precis_ctx *ctx = r->d->ctx;
    int32_t *ids = NULL;
    *count = len;
    precis_status st = r->by ? precis_tokenizer_encode(r->by, text, len, 0, &ids, count) : PRECIS_OK;
    if (st) return st;
    int32_t *grown = pcs_grow(ctx, *to, *n * sizeof *grown, *n + *count + 1, sizeof *grown);
    if (grown) {
        *to = grown;
        for (size_t i = 0; i < *count; i++) grown[*n + i] = r->by ? ids[i] : (unsigned char)text[i];
        *n += *count;
    }
    if (r->by) precis_ids_free(r->by, ids);
    return grown ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status add_text_of(reading *r, const char *path, bool held, pcs_train_text *of)
{
    pcs_train_data *d = r->d;
    char *text = NULL;
    size_t len;
    precis_status st = pcs_file_slurp(d->ctx, path, LARGEST, &text, &len);
    if (st) return st;
    of->bytes = len;
    precis_sha256(text, len, of->sha256);
    if (d->c->deduplicate && !held) st = pcs_drop_duplicates(&r->seen, &r->keys, text, &len, &of->duplicates);
    if (!st) st = add_tokens(r, text, len, held ? &d->held : &d->text, held ? &d->n_held : &d->n_text, &of->tokens);
    pcs_free(d->ctx, text);
    return st;
}

static precis_status long_enough(const pcs_train_data *d, const char *path, size_t n)
{
    if (n >= d->c->context + 1) return PRECIS_OK;
    return pcs_fail(d->ctx, PRECIS_EFORMAT, "%s: %zu tokens of text are no window of %llu and one more", path, n,
                    (unsigned long long)d->c->context);
}

static precis_status open_texts(pcs_train_data *d, const precis_model *m)
{
    const pcs_train_config *c = d->c;
    reading r = { .d = d };
    pcs_map_init(&r.seen, d->ctx);
    pcs_arena_init(&r.keys, d->ctx);
    precis_status st = m ? precis_tokenizer_open(d->ctx, &r.by, m) : PRECIS_OK;
    for (size_t i = 0; i < c->n_texts && !st; i++) st = add_text_of(&r, c->texts[i], false, &d->of[i]);
    if (!st && c->heldout) st = add_text_of(&r, c->heldout, true, &d->of_held);
    precis_tokenizer_close(&r.by);
    pcs_map_free(&r.seen);
    pcs_arena_free(&r.keys);
    if (!st) st = long_enough(d, c->texts[0], d->n_text);
    if (!st && c->heldout) st = long_enough(d, c->heldout, d->n_held);
    const size_t held = d->n_held < c->heldout_tokens ? d->n_held : (size_t)c->heldout_tokens;
    d->overlap.length = m ? 13 : 50;
    return st || !c->heldout ? st : pcs_rows_seen(d->ctx, d->held, held, d->text, d->n_text, &d->overlap);
}

static precis_status open_language(pcs_train_data *d)
{
    const size_t symbols = (size_t)d->c->model.vocabulary;
    d->language = pcs_alloc(d->ctx, 1, sizeof *d->language);
    d->last = pcs_alloc(d->ctx, symbols * symbols, sizeof *d->last);
    d->log_p = pcs_alloc(d->ctx, d->c->context + 1, sizeof *d->log_p);
    if (!d->language || !d->last || !d->log_p) return PRECIS_ENOMEM;
    pcs_language_open(d->language, d->c->language_seed, symbols);
    return PRECIS_OK;
}

precis_status pcs_train_data_open(precis_ctx *ctx, pcs_train_data *d, const pcs_train_config *c, const precis_model *m)
{
    *d = (pcs_train_data){ .ctx = ctx, .c = c };
    const precis_status st = c->language ? open_language(d) : open_texts(d, m);
    pcs_sha256 hash;
    pcs_sha256_begin(&hash);
    if (!st && d->text) pcs_sha256_add(&hash, d->text, d->n_text * sizeof *d->text);
    pcs_sha256_end(&hash, d->sha256);
    if (st) pcs_train_data_close(d);
    return st;
}

void pcs_train_data_close(pcs_train_data *d)
{
    if (!d->ctx) return;
    pcs_free(d->ctx, d->text);
    pcs_free(d->ctx, d->held);
    pcs_free(d->ctx, d->language);
    pcs_free(d->ctx, d->last);
    pcs_free(d->ctx, d->log_p);
    *d = (pcs_train_data){ 0 };
}

static void window(const int32_t *text, size_t n, int32_t *ids, int32_t *targets)
{
    memcpy(ids, text, n * sizeof *ids);
    memcpy(targets, text + 1, n * sizeof *targets);
}

static void symbols(pcs_train_data *d, uint64_t number, int32_t *ids, int32_t *targets, float *log_p)
{
    const size_t n = d->c->context;
    pcs_language_draw(d->language, &(pcs_sequence){ d->c->seed, number, n, d->last }, ids, log_p);
    for (size_t i = 0; i + 1 < n; i++) targets[i] = ids[i + 1];
    targets[n - 1] = -100; /* it has no next one */
}

void pcs_train_sequence(pcs_train_data *d, uint64_t number, int32_t *ids, int32_t *targets)
{
    if (d->language) {
        symbols(d, number, ids, targets, NULL);
        return;
    }
    uint64_t state = d->c->seed * 0x9e3779b97f4a7c15u ^ number * 0xd1b54a32d192ed03u;
    const uint64_t places = d->n_text - d->c->context;
    window(d->text + pcs_rand(&state) % places, d->c->context, ids, targets);
}

bool pcs_train_held(pcs_train_data *d, uint64_t i, int32_t *ids, int32_t *targets, double *entropy)
{
    const uint64_t n = d->c->context;
    *entropy = pcs_nan();
    if ((i + 1) * n > d->c->heldout_tokens && i) return false;
    if (!d->language) {
        if (!d->held || (i + 1) * n + 1 > d->n_held) return false;
        window(d->held + i * n, n, ids, targets);
        return true;
    }
    symbols(d, HELD_FROM + i, ids, targets, d->log_p);
    *entropy = 0;
    for (uint64_t t = 1; t < n; t++) *entropy -= (double)d->log_p[t];
    return true;
}
