/* words.c - see words.h. */
#include "train/words.h"

#include "precis/train.h"
#include "read/tokenizer_json.h"
#include "text/bpe.h"
#include "write/write.h"

#define LARGEST ((size_t)1 << 32) /* a text's bytes */
enum { MOST_TEXTS = 4096 };

/* What the texts at n paths give, as a tokenizer.json. */
static precis_status learn(precis_ctx *ctx, const char *const *paths, size_t n, uint32_t vocabulary, pcs_buf *json,
                           uint32_t *tokens, uint32_t *merges)
{
    if (!n || n > MOST_TEXTS)
        return pcs_fail(ctx, PRECIS_EINVAL, "a tokenizer is learned from 1 to %d texts", MOST_TEXTS);
    char **texts = pcs_alloc(ctx, n, sizeof *texts);
    size_t *lens = pcs_alloc(ctx, n, sizeof *lens);
    pcs_bpe b = { 0 };
    precis_status st = texts && lens ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) st = pcs_file_slurp(ctx, paths[i], LARGEST, &texts[i], &lens[i]);
    if (!st) st = pcs_bpe_train(ctx, &b, (const char *const *)texts, lens, n, vocabulary);
    if (!st) st = pcs_bpe_json(&b, json);
    *tokens = b.n, *merges = b.n_merges;
    for (size_t i = 0; texts && i < n; i++) pcs_free(ctx, texts[i]);
    pcs_bpe_close(&b);
    pcs_free(ctx, texts);
    pcs_free(ctx, lens);
    return st;
}

precis_status precis_tokenizer_train(precis_ctx *ctx, const char *const *paths, size_t n, uint32_t vocabulary,
                                     const char *out, precis_tokenizer_trained *result)
{
    pcs_buf json;
    pcs_buf_init(&json, ctx, PCS_LIMIT_JSON);
    precis_tokenizer_trained all = { .size = result->size };
    precis_status st = pcs_out_check(ctx, out, 0, NULL);
    if (!st) st = learn(ctx, paths, n, vocabulary, &json, &all.tokens, &all.merges);
    if (!st) st = pcs_write_file(ctx, out, json.data, json.len);
    if (!st) precis_sha256(json.data, json.len, all.sha256);
    memcpy(result, &all, result->size < sizeof all ? result->size : sizeof all);
    pcs_buf_free(&json);
    return st;
}

precis_status pcs_words_open(precis_ctx *ctx, precis_model **out, const char *const *paths, size_t n,
                             uint32_t vocabulary, const char *file)
{
    char *read = NULL;
    pcs_buf json;
    size_t len = 0;
    uint32_t tokens = vocabulary, merges;
    pcs_buf_init(&json, ctx, PCS_LIMIT_JSON);
    *out = NULL;
    precis_status st = file ? pcs_file_slurp(ctx, file, PCS_LIMIT_JSON, &read, &len)
                            : learn(ctx, paths, n, vocabulary, &json, &tokens, &merges);
    if (!st && !file && tokens < vocabulary)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "model.vocabulary: the texts give %u tokens, not %u", tokens, vocabulary);
    if (!st) st = pcs_model_new(ctx, out, file ? file : "texts", "tokenizer");
    ctx->file = file;
    if (!st)
        st = pcs_tokenizer_json(*out, file ? (pcs_json_slice){ read, len } : (pcs_json_slice){ json.data, json.len });
    if (!st) st = pcs_model_index(*out);
    ctx->file = NULL;
    pcs_free(ctx, read);
    pcs_buf_free(&json);
    if (st) precis_model_close(out);
    return st;
}
