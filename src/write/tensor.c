/* tensor.c - one tensor as little-endian f32. */
#include "write/write.h"

#define PART 65536 /* a multiple of every block */

/* IEEE single precision, lowest byte first, on any machine. */
static void little_endian(const float *x, size_t n, unsigned char *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, &x[i], 4);
        for (int b = 0; b < 4; b++) out[4 * i + (size_t)b] = (unsigned char)(u >> (8 * b));
    }
}

precis_status precis_tensor_export(const precis_model *model, size_t i, const char *path)
{
    precis_ctx *ctx = model->ctx;
    if (i >= model->n_tensors) return pcs_fail(ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    const uint64_t n = model->tensors[i].n;
    uint64_t bytes;
    if (!pcs_mul_ok(n, 4, &bytes)) return pcs_fail(ctx, PRECIS_EINVAL, "tensor %s: too large", model->tensors[i].name);
    float *x = pcs_alloc(ctx, PART, sizeof *x);
    unsigned char *raw = pcs_alloc(ctx, PART, 4);
    pcs_out o = { .ctx = ctx, .fd = -1 };
    precis_status st = x && raw ? pcs_out_open(ctx, &o, path, bytes, model) : PRECIS_ENOMEM;
    for (uint64_t at = 0; at < n && !st; at += PART) {
        const size_t k = n - at < PART ? (size_t)(n - at) : PART;
        st = precis_model_read_f32(model, i, at, k, x);
        if (st) break;
        little_endian(x, k, raw);
        st = pcs_out_add(&o, raw, 4 * k);
    }
    if (!st) st = pcs_out_commit(&o);
    pcs_out_close(&o);
    pcs_free(ctx, raw);
    pcs_free(ctx, x);
    return st;
}
