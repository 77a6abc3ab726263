/* tensor.c - one tensor as f32, in the byte order of the machine: little-endian, as every file that precis reads. */
#include "write/write.h"

#define PART 65536 /* a multiple of every block */

precis_status precis_tensor_export(const precis_model *model, size_t i, const char *path)
{
    precis_ctx *ctx = model->ctx;
    if (i >= model->n_tensors) return pcs_fail(ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    const uint64_t n = model->tensors[i].n;
    uint64_t bytes;
    if (!pcs_mul_ok(n, 4, &bytes)) return pcs_fail(ctx, PRECIS_EINVAL, "tensor %s: too large", model->tensors[i].name);
    float *x = pcs_alloc(ctx, PART, sizeof *x);
    pcs_out o = { .ctx = ctx, .fd = -1 };
    precis_status st = x ? pcs_out_open(ctx, &o, path, bytes, model) : PRECIS_ENOMEM;
    for (uint64_t at = 0; at < n && !st; at += PART) {
        const size_t k = n - at < PART ? (size_t)(n - at) : PART;
        st = precis_model_read_f32(model, i, at, k, x);
        if (st) break;
        st = pcs_out_add(&o, x, k * sizeof *x);
    }
    if (!st) st = pcs_out_commit(&o);
    pcs_out_close(&o);
    pcs_free(ctx, x);
    return st;
}
