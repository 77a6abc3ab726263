/* A table of runs: anyone's CSV, with a small form. */
#include "fuzz.h"
#include "law/law.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "law t\nparam A = 400 positive\nparam alpha = 0.3 start 0.3\nparam g = 2 positive start "
                               "0.5\nlet base = A / (N * (1 - exp(-bits_w / g)))^alpha + 1\n";
    precis_ctx *ctx = fuzz_ctx();
    precis_law *law = NULL;
    char path[64];
    const int fd = fuzz_file(data, size < 4096 ? size : 4096, path);
    if (ctx && !pcs_law_read(ctx, &law, "fuzz", text, sizeof text - 1)) {
        precis_law_fit fit = { .size = sizeof fit };
        precis_law_fit_options o = PRECIS_LAW_FIT_OPTIONS_INIT;
        o.bootstrap = 2;
        o.where = size % 3 ? NULL : "bits_w=4|8;N=@N";
        o.cluster = size % 2 ? "run" : NULL;
        if (!precis_law_fit_run(ctx, &fit, law, path, &o) && !(fit.objective == fit.objective)) abort();
        precis_law_fit_close(&fit);
    }
    close(fd);
    precis_law_close(&law);
    precis_ctx_close(&ctx);
    return 0;
}
