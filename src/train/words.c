/* words.c - see words.h. */
#include "train/words.h"
#include "base/options.h"

#include "precis/train.h"
#include "read/tokenizer_json.h"
#include "text/bpe.h"
#include "write/write.h"

#define LARGEST ((size_t)1 << 32) /* a text's bytes */
enum { MOST_TEXTS = 4096 };

/* A tokenizer.json, and how many tokens and merges it has. */
typedef struct { pcs_buf json; uint32_t tokens, merges; } learned;

/* What the texts at n paths give. */
static precis_status learn(precis_ctx *ctx, const char *const *paths, size_t n, uint32_t vocabulary, learned *out)
{
    if (!n || n > MOST_TEXTS)
        return pcs_fail(ctx, PRECIS_EINVAL, "a tokenizer is learned from 1 to %d texts", MOST_TEXTS);
    char **texts = pcs_alloc(ctx, n, sizeof *texts);
    size_t *lens = pcs_alloc(ctx, n, sizeof *lens);
    pcs_bpe b = { 0 };
    precis_status st = texts && lens ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) st = pcs_file_slurp(ctx, paths[i], LARGEST, &texts[i], &lens[i]);
    if (!st) st = pcs_bpe_train(ctx, &b, (const char *const *)texts, lens, n, vocabulary);
    if (!st) st = pcs_bpe_json(&b, &out->json);
    out->tokens = b.n, out->merges = b.n_merges;
    for (size_t i = 0; texts && i < n; i++) pcs_free(ctx, texts[i]);
    pcs_bpe_close(&b);
    pcs_free(ctx, texts);
    pcs_free(ctx, lens);
    return st;
}

precis_status precis_tokenizer_train(precis_ctx *ctx, const char *const *paths, size_t n, uint32_t vocabulary,
                                     const char *out, precis_tokenizer_trained *result)
{
    learned l = { .tokens = 0 };
    pcs_buf_init(&l.json, ctx, PCS_LIMIT_JSON);
    precis_status st = pcs_out_check(ctx, out, 0, NULL);
    if (!st) st = learn(ctx, paths, n, vocabulary, &l);
    if (!st) st = pcs_write_file(ctx, out, l.json.data, l.json.len);
    precis_tokenizer_trained all = { .size = result->size, .tokens = l.tokens, .merges = l.merges };
    if (!st) precis_sha256(l.json.data, l.json.len, all.sha256);
    pcs_options_give(result, &all, sizeof all);
    pcs_buf_free(&l.json);
    return st;
}

precis_status pcs_words_open(precis_ctx *ctx, precis_model **out, const char *const *paths, size_t n,
                             uint32_t vocabulary, const char *file)
{
    char *read = NULL;
    size_t len = 0;
    learned l = { .tokens = vocabulary };
    pcs_buf_init(&l.json, ctx, PCS_LIMIT_JSON);
    *out = NULL;
    precis_status st = file ? pcs_file_slurp(ctx, file, PCS_LIMIT_JSON, &read, &len)
                            : learn(ctx, paths, n, vocabulary, &l);
    if (!st && !file && l.tokens < vocabulary)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "model.vocabulary: the texts give %u tokens, not %u", l.tokens, vocabulary);
    if (!st) st = pcs_model_new(ctx, out, file ? file : "texts", "tokenizer");
    ctx->file = file;
    const pcs_json_slice text = file ? (pcs_json_slice){ read, len } : (pcs_json_slice){ l.json.data, l.json.len };
    if (!st) st = pcs_tokenizer_json(*out, text);
    if (!st) st = pcs_model_index(*out);
    ctx->file = NULL;
    pcs_free(ctx, read);
    pcs_buf_free(&l.json);
    if (st) precis_model_close(out);
    return st;
}
