/* npy.c - arrays as .npy files of version 1, whole or not at all; types that NumPy lacks as their raw codes without a
 * sign. */
#include "graph/element.h"
#include "precis/net.h"
#include "write/write.h"

#include <stdio.h>

static const struct {
    pcs_dtype dtype;
    const char *descr;
} types[] = {
    { PCS_F32, "<f4" }, { PCS_F16, "<f2" },  { PCS_F64, "<f8" },  { PCS_I8, "|i1" },  { PCS_I16, "<i2" },
    { PCS_I32, "<i4" }, { PCS_I64, "<i8" },  { PCS_U8, "|u1" },   { PCS_U16, "<u2" }, { PCS_U32, "<u4" },
    { PCS_U64, "<u8" }, { PCS_BOOL, "|b1" }, { PCS_BF16, "<u2" },
};

static const char *descr_of(pcs_dtype d)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == d) return types[i].descr;
    return "|u1";
}

static precis_status type_of(precis_ctx *ctx, const precis_array *a, pcs_dtype *out)
{
    for (int d = 0; d < PCS_DTYPES; d++)
        if (pcs_dtype_bytes((pcs_dtype)d) && !strcmp(pcs_dtype_name((pcs_dtype)d), a->type)) {
            *out = (pcs_dtype)d;
            return PRECIS_OK;
        }
    return pcs_fail(ctx, PRECIS_EINVAL, "array %s: type %s is none", a->name ? a->name : "", a->type);
}

static precis_status add_header(pcs_out *o, const precis_array *a, pcs_dtype d)
{
    char text[512], shape[256] = "";
    uint8_t head[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0 };
    size_t at = 0;
    for (uint32_t i = 0; i < a->dims; i++)
        at += (size_t)snprintf(shape + at, sizeof shape - at,
                               i + 1 < a->dims ? "%lld, "
                               : a->dims == 1  ? "%lld,"
                                               : "%lld",
                               (long long)a->shape[i]);
    size_t n = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                                descr_of(d), shape);
    while ((sizeof head + n + 1) % 64) text[n++] = ' ';
    text[n++] = '\n';
    head[8] = (uint8_t)n;
    head[9] = (uint8_t)(n >> 8);
    const precis_status st = pcs_out_add(o, head, sizeof head);
    return st ? st : pcs_out_add(o, text, n);
}

/* Codes of 4 and 2 bits that have a sign lose it. */
static precis_status add_data(pcs_out *o, const precis_array *a, pcs_dtype d)
{
    const uint8_t *p = a->data;
    const uint32_t bits = pcs_dtype_bits(d);
    precis_status st = PRECIS_OK;
    if (bits >= 8) return pcs_out_add(o, p, (size_t)a->bytes);
    for (uint64_t at = 0; at < a->bytes && !st; at += 4096) {
        uint8_t part[4096];
        const size_t n = a->bytes - at < sizeof part ? (size_t)(a->bytes - at) : sizeof part;
        for (size_t i = 0; i < n; i++) part[i] = (uint8_t)(p[at + i] & ((1u << bits) - 1));
        st = pcs_out_add(o, part, n);
    }
    return st;
}

static precis_status begin(precis_ctx *ctx, pcs_out *o, const precis_array *a, const char *path)
{
    pcs_dtype d = PCS_F32;
    uint64_t bytes = 1;
    precis_status st = type_of(ctx, a, &d);
    if (st) return st;
    for (uint32_t i = 0; i < a->dims; i++)
        if (a->shape[i] < 0 || !pcs_mul_ok(bytes, (uint64_t)a->shape[i], &bytes))
            return pcs_fail(ctx, PRECIS_EINVAL, "%s: dimension %u is %lld", path, i, (long long)a->shape[i]);
    if (a->dims > PRECIS_MAX_DIMS || !pcs_mul_ok(bytes, pcs_dtype_bytes(d), &bytes) || bytes != a->bytes)
        return pcs_fail(ctx, PRECIS_EINVAL, "%s: its array has other bytes than its shape", path);
    st = pcs_out_open(ctx, o, path, bytes + 128, NULL);
    if (!st) st = add_header(o, a, d);
    if (!st) st = add_data(o, a, d);
    return st;
}

precis_status precis_array_write(precis_ctx *ctx, const precis_array *array, const char *path)
{
    pcs_out o = { .ctx = ctx, .fd = -1 };
    precis_status st = begin(ctx, &o, array, path);
    if (!st) st = pcs_out_commit(&o);
    pcs_out_close(&o);
    return st;
}
