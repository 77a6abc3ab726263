/* Tables of costs. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    char path[64];
    const int fd = fuzz_file(data, size, path);
    precis_costs *c;
    if (!precis_costs_open(ctx, &c, path)) {
        precis_costs_info info = { .size = sizeof info };
        precis_costs_get_info(c, &info);
        if (!info.rows || !info.cpu || !info.threads) abort();
        precis_costs_close(&c);
    }
    close(fd);
    precis_ctx_close(&ctx);
    return 0;
}
