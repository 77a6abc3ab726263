/* precis quant --replay: a manifest up to a zero byte, then the model that it names, "m.gguf". 64 times "@" in the
 * manifest become the hash of the model's tensors, so that a changed model is come to at all. */
#include "command.h"

static void sign(char *manifest)
{
    char marks[65] = { 0 }, hex[65];
    memset(marks, '@', 64);
    char *at = strstr(manifest, marks);
    precis_ctx *ctx = at ? fuzz_ctx() : NULL;
    precis_model *m = NULL;
    if (ctx && !precis_model_open(ctx, &m, "m.gguf") && !precis_model_sha256(m, hex)) memcpy(at, hex, 64);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    const size_t len = zero ? (size_t)(zero - data) : size;
    char *manifest = malloc(len + 1);
    if (!manifest) return 0;
    memcpy(manifest, data, len);
    manifest[len] = 0;
    fuzz_enter();
    fuzz_put("m.gguf", data + len + (zero ? 1 : 0), size - len - (zero ? 1 : 0));
    sign(manifest);
    fuzz_put("manifest.json", manifest, len);
    fuzz_written(fuzz_command("quant --replay manifest.json -o out --no-eval"), "out", false);
    fuzz_leave();
    free(manifest);
    return 0;
}
