/* PNG and JPEG images, resized and cropped, in memory that has a bound. */
#include "fuzz.h"
#include "read/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const int fd = fuzz_file(data, size, path);
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    size_t most = (size_t)64 << 20;
    o.threads = 1;
    o.realloc = fuzz_bounded;
    o.user = &most;
    precis_ctx *ctx = NULL;
    pcs_image image, small;
    if (!precis_ctx_open(&ctx, &o) && !pcs_image_read(ctx, path, &image)) {
        if (image.width < 512 && image.height < 512 && !pcs_image_resize(ctx, &image, 9, 7, &small)) {
            if (!pcs_image_crop(&small, 4, 5) || small.width != 4 || small.height != 5) abort();
            pcs_free(ctx, small.rgb);
        }
        pcs_free(ctx, image.rgb);
    }
    precis_ctx_close(&ctx);
    close(fd);
    return 0;
}
