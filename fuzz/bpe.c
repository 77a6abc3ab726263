/* A tokenizer learned from any bytes, whose every token is a text of them, and which reads itself back. */
#include "fuzz.h"
#include "read/tokenizer_json.h"
#include "text/bpe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    const char *text = (const char *)data;
    pcs_bpe b;
    pcs_buf json;
    precis_model *m = NULL;
    precis_tokenizer *t = NULL;
    pcs_buf_init(&json, ctx, PCS_LIMIT_JSON);
    if (!pcs_bpe_train(ctx, &b, &text, &size, 1, 300)) {
        if (b.n < 256 || b.n > 300) abort();
        if (!pcs_bpe_json(&b, &json) && !pcs_model_new(ctx, &m, "fuzz", "fuzz")) {
            if (pcs_tokenizer_json(m, (pcs_json_slice){ json.data, json.len })) abort();
            if (!pcs_model_index(m) && !precis_tokenizer_open(ctx, &t, m) && precis_tokenizer_size(t) != b.n) abort();
        }
    }
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    pcs_bpe_close(&b);
    pcs_buf_free(&json);
    precis_ctx_close(&ctx);
    return 0;
}
