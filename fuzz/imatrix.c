/* Importance matrices of both kinds. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    char path[64];
    const int fd = fuzz_file(data, size, path);
    precis_imatrix *im;
    if (!precis_imatrix_open(ctx, &im, path)) {
        for (size_t i = 0; i < precis_imatrix_size(im); i++) {
            const char *name;
            const float *v;
            size_t n;
            uint64_t tokens;
            if (precis_imatrix_get(im, i, &name, &v, &n, &tokens)) abort();
        }
        precis_imatrix_close(&im);
    }
    close(fd);
    precis_ctx_close(&ctx);
    return 0;
}
