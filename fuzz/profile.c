/* Profiles of tensors' costs. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    char path[64];
    const int fd = fuzz_file(data, size, path);
    precis_profile *p;
    if (!precis_profile_open(ctx, &p, path)) {
        precis_probe t = { .size = sizeof t };
        precis_profile_info info = { .size = sizeof info };
        double interval[2];
        precis_profile_get_info(p, &info);
        for (size_t i = 0; !precis_profile_get(p, i, &t); i++)
            if (!t.tensor || !t.type) abort();
        for (double sum = 1e-9; sum < 1e3; sum *= 100)
            if (precis_profile_predict(p, sum, interval) < 0) abort();
        precis_profile_close(&p);
    }
    close(fd);
    precis_ctx_close(&ctx);
    return 0;
}
