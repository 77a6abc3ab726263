/* Configurations of precis train. */
#include "fuzz.h"
#include "train/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    char *text = malloc(size + 1);
    if (!text) abort();
    memcpy(text, data, size);
    text[size] = 0;
    pcs_train_config c;
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    if (!pcs_train_config_parse(ctx, &c, "fuzz", text, size)) {
        if (!c.steps || !c.context || !c.batch || !c.optimizer || !c.schedule) abort();
        if (pcs_train_config_text(&c, &b)) abort();
        if (c.arrays.data && pcs_train_arrays_text(&c, &b)) abort();
    }
    pcs_train_config_close(&c);
    pcs_buf_free(&b);
    free(text);
    precis_ctx_close(&ctx);
    return 0;
}
