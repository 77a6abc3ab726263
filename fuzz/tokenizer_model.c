/* SentencePiece's tokenizer.model, and the tokenizer that comes of it. */
#include "fuzz.h"
#include "read/tokenizer_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    precis_model *m;
    if (!ctx) return 0;
    uint8_t *copy = malloc(size + 1);
    if (copy && size && !pcs_model_new(ctx, &m, "fuzz", "safetensors")) {
        uint8_t *exact = malloc(size); /* exactly as long as the file: reads beyond it are seen */
        memcpy(exact, data, size);
        if (!pcs_tokenizer_model(m, exact, size) && !pcs_model_index(m)) fuzz_model(ctx, m);
        free(exact);
        precis_model_close(&m);
    }
    free(copy);
    precis_ctx_close(&ctx);
    return 0;
}
