/* A law's text: everything that reads it, at one point, with its gradient. */
#include "fuzz.h"
#include "law/law.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    precis_law *law;
    if (!ctx) return 0;
    if (!pcs_law_read(ctx, &law, "fuzz", (const char *)data, size)) {
        precis_law_point p;
        precis_law_value v = { .size = sizeof v };
        double x;
        precis_law_point_init(&p);
        for (int i = 0; i < PRECIS_LAW_VARIABLES; i++) p.v[i] = i < 2 ? 1e9 : 4;
        if (!precis_law_predict(law, &p, &v) && !(v.loss == v.loss)) abort();
        precis_law_critical(law, &p, 0, &x);
        precis_law_lacks(law, "loss");
        precis_law *copy;
        if (pcs_law_copy(ctx, &copy, law)) abort(); /* what was read once is read again */
        precis_law_close(&copy);
    }
    precis_law_close(&law);
    precis_ctx_close(&ctx);
    return 0;
}
