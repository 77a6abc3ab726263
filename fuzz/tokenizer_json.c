/* tokenizer.json, and the tokenizer that comes of it. */
#include "fuzz.h"
#include "read/tokenizer_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    precis_model *m;
    if (!ctx) return 0;
    char *copy = malloc(size + 1); /* exactly as long as the text: reads beyond it are seen */
    if (copy && !pcs_model_new(ctx, &m, "fuzz", "safetensors")) {
        memcpy(copy, data, size);
        if (!pcs_tokenizer_json(m, (pcs_json_slice){ copy, size }) && !pcs_model_index(m)) fuzz_model(ctx, m);
        precis_model_close(&m);
    }
    free(copy);
    precis_ctx_close(&ctx);
    return 0;
}
