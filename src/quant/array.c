/* array.c - rows of numbers that are in no file, by way of the coders of tensors. */
#include "precis/array.h"

#include "base/options.h"
#include "base/pool.h"
#include "quant/quant.h"

#include <math.h>

static precis_status format_of(precis_ctx *ctx, const char *type, uint64_t rows, uint64_t width, const pcs_format **f,
                               uint64_t *bytes)
{
    *f = type ? pcs_format_by_name(type) : NULL;
    *bytes = 0;
    if (!*f)
        return pcs_fail(ctx, PRECIS_EINVAL, "%s is no type; `precis list formats` has them", type ? type : "(null)");
    if (!width || width > (uint64_t)PCS_LIMIT_DIM)
        return pcs_fail(ctx, PRECIS_EINVAL, "an array has rows of 1 to %lld numbers", (long long)PCS_LIMIT_DIM);
    if (!pcs_format_fits(*f, width))
        return pcs_fail(ctx, PRECIS_EINVAL, "rows of %llu numbers are not whole blocks of %u (%s)",
                        (unsigned long long)width, (*f)->block, (*f)->name);
    uint64_t n;
    if (!pcs_mul_ok(rows, width, &n) || n > (uint64_t)1 << 48 || !pcs_format_size(*f, width, rows, bytes))
        return pcs_fail(ctx, PRECIS_EINVAL, "%llu rows of %llu numbers are too many", (unsigned long long)rows,
                        (unsigned long long)width);
    return PRECIS_OK;
}

precis_status precis_array_bytes(precis_ctx *ctx, const char *type, uint64_t rows, uint64_t width,
                                 uint64_t *bytes)
{
    const pcs_format *f;
    return format_of(ctx, type, rows, width, &f, bytes);
}

/* The array as a tensor, which is what coders know. */
static pcs_tensor tensor_of(const float *x, uint64_t rows, uint64_t width)
{
    return (pcs_tensor){ .name = "array", .source = "array", .format = pcs_format_by_name("F32"), .dims = 2,
                         .ne = { (int64_t)width, (int64_t)rows, 1, 1, 1, 1, 1, 1 },
                         .shape = { (int64_t)rows, (int64_t)width },
                         .n = rows * width, .bytes = rows * width * sizeof *x, .data = (const uint8_t *)x };
}

static precis_status coder_of(precis_ctx *ctx, const pcs_format *f, const char *name, const pcs_method **method)
{
    if (!pcs_encodable(f)) return pcs_fail(ctx, PRECIS_EINVAL, "type %s cannot be written", f->name);
    *method = pcs_method_by_name(name);
    if (!*method || !(*method)->row)
        return pcs_fail(ctx, PRECIS_EINVAL, "%s is no method that looks at one row, as search, rtn and hqq are", name);
    const char *why = (*method)->refuses && f->kind == PCS_QUANT ? (*method)->refuses(f) : NULL;
    if (why) return pcs_fail(ctx, PRECIS_EINVAL, "%s cannot be applied to %s: %s", (*method)->name, f->name, why);
    return PRECIS_OK;
}

static precis_status all_finite(precis_ctx *ctx, const float *x, uint64_t rows, uint64_t width)
{
    for (uint64_t i = 0; i < rows * width; i++)
        if (!isfinite(x[i]))
            return pcs_fail(ctx, PRECIS_EFORMAT,
                            "element %llu of the array (row %llu, column %llu) is %g; weights must be finite",
                            (unsigned long long)i, (unsigned long long)(i / width), (unsigned long long)(i % width),
                            (double)x[i]);
    return PRECIS_OK;
}

precis_status precis_array_quantize(precis_ctx *ctx, const char *type, const float *x, uint64_t rows,
                                    uint64_t width, const precis_array_options *opts, void *out, double *error)
{
    precis_array_options o = PRECIS_ARRAY_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    const pcs_format *f;
    const pcs_method *method = NULL;
    uint64_t bytes;
    double relative = 0;
    precis_status st = format_of(ctx, type, rows, width, &f, &bytes);
    if (!st) st = coder_of(ctx, f, o.method, &method);
    for (uint64_t i = 0; o.importance && i < width && !st; i++)
        if (!(o.importance[i] >= 0 && o.importance[i] < INFINITY))
            st = pcs_fail(ctx, PRECIS_EINVAL, "importance %llu is %g; it must be finite and not negative",
                          (unsigned long long)i, (double)o.importance[i]);
    if (!st) st = all_finite(ctx, x, rows, width);
    if (st || !rows) return st;
    const pcs_tensor t = tensor_of(x, rows, width);
    const pcs_row_weights weights = { o.importance, 0, rows };
    st = pcs_quantize_tensor(ctx, &(pcs_tensor_job){ &t, f, method, weights }, out, &relative);
    if (!st && error) *error = relative;
    return st;
}

typedef struct { const pcs_format *f; const uint8_t *src; size_t width; float *out; } decoding;

static void decode_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const decoding *d = arg;
    (void)ith;
    const uint64_t row = pcs_row_bytes(d->f, d->width);
    for (uint64_t r = begin; r < end; r++) pcs_decode(d->f, d->width, d->src + r * row, d->out + r * d->width);
}

precis_status precis_array_dequantize(precis_ctx *ctx, const char *type, const void *src, uint64_t bytes, uint64_t rows,
                                      uint64_t width, float *out)
{
    const pcs_format *f;
    uint64_t must;
    const precis_status st = format_of(ctx, type, rows, width, &f, &must);
    if (st) return st;
    if (bytes != must)
        return pcs_fail(ctx, PRECIS_EINVAL, "%llu rows of %llu numbers in %s take %llu bytes, not %llu",
                        (unsigned long long)rows, (unsigned long long)width, f->name, (unsigned long long)must,
                        (unsigned long long)bytes);
    decoding d = { f, src, (size_t)width, out };
    pcs_for(ctx, rows, 1 + 16384 / width, decode_rows, &d);
    return PRECIS_OK;
}

uint32_t precis_array_shape(const precis_model *m, size_t i, int64_t shape[PRECIS_ARRAY_DIMS])
{
    if (i >= m->n_tensors) return 0;
    const pcs_tensor *t = &m->tensors[i];
    for (uint32_t d = 0; d < t->dims; d++) shape[d] = t->ne[t->dims - 1 - d];
    return t->dims;
}
