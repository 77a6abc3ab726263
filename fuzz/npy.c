/* .npy files. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const int fd = fuzz_file(data, size, path);
    precis_ctx *ctx = fuzz_ctx();
    precis_array a;
    if (ctx && !precis_array_read(ctx, &a, path)) precis_array_free(ctx, &a);
    precis_ctx_close(&ctx);
    close(fd);
    return 0;
}
