/* Chat templates. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const precis_message messages[] = {
        { "system", "Be brief." }, { "user", "Hi\n\"x\" 'y'" }, { "assistant", "\xc3\xa9" }, { "user", "" }
    };
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    char *copy = malloc(size + 1), *out;
    if (copy) {
        memcpy(copy, data, size);
        copy[size] = 0;
        if (!precis_chat_render(ctx, copy, messages, 4, 1, "<s>", "</s>", &out)) precis_text_free(ctx, out);
    }
    free(copy);
    precis_ctx_close(&ctx);
    return 0;
}
