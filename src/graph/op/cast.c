/* cast - elements as another type ("to"): numbers to the nearest, ties to even; to whole numbers towards zero, wrapped
 * into their bits; to a BOOL whether they are not zero. saturate=0: what is too large for 8 bits becomes infinity or
 * NaN. up: to a power of two upwards (2: nearest, 3: down). bits=1: the same bytes under another name. */
#include "base/f16.h"
#include "base/fmath_more.h"
#include "graph/element.h"

enum { TO, SATURATE, ROUND, BITS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t to = n->attr[TO].integer;
    if (to < 0 || to >= PCS_DTYPES || !pcs_dtype_bytes((pcs_dtype)to) || !pcs_dtype_bytes(x->dtype))
        return pcs_op_fail(g, n, "casts to no type of elements");
    if (n->attr[BITS].integer && pcs_dtype_bytes((pcs_dtype)to) != pcs_dtype_bytes(x->dtype))
        return pcs_op_fail(g, n, "%s and %s have not the same bits", pcs_dtype_name(x->dtype),
                           pcs_dtype_name((pcs_dtype)to));
    const precis_status st = pcs_infer_spread(g, n, 0, 1, out);
    out->dtype = (pcs_dtype)to;
    return st;
}

static uint8_t power(float x, int64_t mode)
{
    if (!(x >= 0) || x > 3.4e38f) return pcs_small_encode(PCS_F8E8M0, x, true);
    const uint32_t bits = pcs_f32_bits(x), exponent = bits >> 23, part = bits & 0x7fffff;
    const uint32_t up = mode == 1 ? part > 0 : mode == 2 ? part >= 0x400000 : 0;
    return (uint8_t)(exponent + up > 254 ? 254 : exponent + up);
}

static void store(const precis_attr *attr, pcs_dtype to, const void *numbers, size_t n, char *y)
{
    const float *f = numbers;
    if (to == PCS_F8E8M0)
        for (size_t i = 0; i < n; i++) ((uint8_t *)y)[i] = power(f[i], attr[ROUND].integer);
    else if (pcs_domain_of(to) == PCS_IN_F32 && pcs_dtype_bytes(to) == 1)
        for (size_t i = 0; i < n; i++) ((uint8_t *)y)[i] = pcs_small_encode(to, f[i], attr[SATURATE].integer != 0);
    else pcs_elements_store(to, numbers, n, y);
}

/* Numbers that are not zero; a fraction is not. */
static void truths(pcs_domain from, size_t n, const void *in, int64_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = from == PCS_IN_F32   ? ((const float *)in)[i] != 0
                 : from == PCS_IN_F64 ? ((const double *)in)[i] != 0
                                      : ((const int64_t *)in)[i] != 0;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const size_t wide = pcs_dtype_bytes(x->dtype), narrow = pcs_dtype_bytes(y->dtype);
    const pcs_domain from = pcs_domain_of(x->dtype), to = pcs_domain_of(y->dtype);
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(y), PCS_BLOCK, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i += PCS_BLOCK) {
        const size_t n = end - i < PCS_BLOCK ? (size_t)(end - i) : PCS_BLOCK;
        const char *src = (const char *)x->data + i * wide;
        char *dst = (char *)y->data + i * narrow;
        pcs_block_room a, b;
        if (c->attr[BITS].integer || x->dtype == y->dtype) {
            memcpy(dst, src, n * wide);
            continue;
        }
        pcs_elements_load(x->dtype, src, 1, n, &a);
        if (y->dtype == PCS_BOOL) truths(from, n, &a, b.i);
        else pcs_numbers_convert(from, to, n, &a, &b);
        store(c->attr, y->dtype, &b, n, dst);
    }
}

/* Shapes are computed in I32, too. */
static int64_t known(precis_graph *g, const pcs_node *n, int64_t i)
{
    const pcs_value *x = &g->values[n->in[0]];
    return x->known && (x->dtype == PCS_I64 || x->dtype == PCS_I32) ? x->known[i] : PCS_DIM_ERROR;
}

const pcs_op pcs_op_cast = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "cast",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("to", -1), PCS_INT("saturate", 1), PCS_INT("up", 1), PCS_INT("bits", 0)),
    .known = known,
    .infer = infer,
    .eval = eval,
};
