/* Pieces of an interrupted job. The head is made right, so that what follows is read. */
#include "fuzz.h"

#include "quant/resume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64], file[80];
    if (!*path) {
        snprintf(path, sizeof path, "/dev/shm/precis-fuzz-%d", (int)getpid());
        snprintf(file, sizeof file, "%s.resume", path);
    }
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    pcs_resume *r;
    if (!pcs_resume_open(ctx, &r, path, "key")) { /* a head alone */
        pcs_resume_close(&r, false);
        FILE *f = fopen(file, "ab");
        if (f) {
            fwrite(data, 1, size, f);
            fclose(f);
        }
        if (!pcs_resume_open(ctx, &r, path, "key")) {
            precis_imatrix *im;
            const pcs_piece *p = pcs_resume_find(r, "blk.0.attn_q.weight");
            uint64_t sum = 0;
            for (uint64_t i = 0; p && i < p->len; i++) sum += p->bytes[i];
            if (sum == UINT64_MAX) abort();
            if (!pcs_resume_load_imatrix(r, &im)) precis_imatrix_close(&im);
        }
    }
    pcs_resume_close(&r, true);
    precis_ctx_close(&ctx);
    return 0;
}
