/* .npz archives: each member unpacked and parsed. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const int fd = fuzz_file(data, size, path);
    precis_ctx *ctx = fuzz_ctx();
    precis_array *list;
    size_t n;
    if (ctx && !precis_arrays_read(ctx, &list, &n, path)) {
        for (size_t i = 0; i < n; i++)
            if (!list[i].name || !*list[i].name) abort();
        precis_arrays_free(ctx, &list, n);
    }
    precis_ctx_close(&ctx);
    close(fd);
    return 0;
}
