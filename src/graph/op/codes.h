/* codes.h - what the ops of fused integer nets share. Their values are U8 with channels last: codes with a sign are
 * moved by 128, and their zero points with them, so that one kind of product serves both. They are made by the pass
 * fuse_codes alone. */
#ifndef PCS_OP_CODES_H
#define PCS_OP_CODES_H

#include "graph/op/window.h"

#define PCS_CODES_RANGE PCS_INT("zero", 0), PCS_INT("lo", 0), PCS_INT("hi", 255)

static inline pcs_codes_to pcs_codes_range(const precis_attr *attr)
{
    return (pcs_codes_to){ (int32_t)attr[0].integer, (int32_t)attr[1].integer, (int32_t)attr[2].integer };
}
static inline bool pcs_codes_range_ok(const precis_attr *attr)
{
    return attr[0].integer >= 0 && attr[0].integer <= 255 && attr[1].integer >= 0 &&
           attr[1].integer <= attr[2].integer && attr[2].integer <= 255;
}
/* A value of a type, with as many elements. */
static inline bool pcs_codes_holds(const pcs_value *v, pcs_dtype d, uint64_t count)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < v->dims; i++)
        if (pcs_dim_is_id(v->shape[i]) || !pcs_mul_ok(n, (uint64_t)v->shape[i], &n)) return false;
    return v->dtype == d && n == count;
}
/* Nothing of a U8 value depends on what is not known yet. */
static inline bool pcs_codes_known(const pcs_value *v, uint32_t dims)
{
    for (uint32_t i = 0; i < v->dims; i++)
        if (pcs_dim_is_id(v->shape[i])) return false;
    return v->dtype == PCS_U8 && (!dims || v->dims == dims);
}
/* The shape of x, of U8. */
static inline void pcs_codes_like(const pcs_value *x, pcs_value *out)
{
    out->dtype = PCS_U8;
    out->dims = x->dims;
    memcpy(out->shape, x->shape, sizeof x->shape);
}
static inline size_t pcs_codes_align(size_t n) { return (n + 63) / 64 * 64; }

/* Rows that are multiplied at a time: they stay in the cache next to a few panels. */
static inline size_t pcs_codes_tile(size_t lda) { return lda <= 2730 ? 96 : 48; }
/* Bytes from a row to the next in scratch: rows a power of two apart would share their places in the cache. */
static inline size_t pcs_codes_step(size_t lines)
{
    const size_t n = pcs_codes_align(4 * lines + 16);
    return n % 512 ? n : n + 64;
}

#endif
