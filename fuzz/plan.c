/* Plan files, of the carried model. */
#include "fuzz.h"

#ifndef PRECIS_SOURCE_DIR
#define PRECIS_SOURCE_DIR "."
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static precis_ctx *ctx;
    static precis_model *m;
    if (!ctx && (!(ctx = fuzz_ctx()) || precis_model_open(ctx, &m, PRECIS_SOURCE_DIR "/models/gutenberg-7m"))) abort();
    char path[64], *types, *method, *kv;
    const int fd = fuzz_file(data, size, path);
    if (!precis_plan_read(ctx, m, path, &types, &method, &kv)) {
        precis_plan *plan;
        if (!precis_plan_types(ctx, &plan, m, types, 1)) precis_plan_close(&plan);
        precis_text_free(ctx, types);
        precis_text_free(ctx, method);
        precis_text_free(ctx, kv);
    }
    close(fd);
    return 0;
}
