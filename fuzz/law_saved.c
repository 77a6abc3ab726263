/* A saved fit: anyone's JSON. */
#include "fuzz.h"
#include "law/saved.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    precis_law *law;
    if (!ctx) return 0;
    if (!pcs_saved_read(ctx, &law, "fuzz", (const char *)data, size)) {
        precis_law_point p;
        precis_law_value v = { .size = sizeof v };
        precis_law_point_init(&p);
        p.v[PRECIS_LAW_N] = 1e9, p.v[PRECIS_LAW_D] = 1e10;
        precis_law_predict(law, &p, &v);
    }
    precis_law_close(&law);
    precis_ctx_close(&ctx);
    return 0;
}
