/* unpack - codes of `bits` (2, 4, 8) that stand several to a byte, the low ones first, one to a byte: U8 x[..., n]
 * gives U8[..., n * 8 / bits]. */
#include "graph/element.h"

enum { BITS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t bits = n->attr[BITS].integer;
    if (x->dtype != PCS_U8 || !x->dims || (bits != 2 && bits != 4 && bits != 8))
        return pcs_op_fail(g, n, "takes U8 with codes of 2, 4 or 8 bits");
    out->dims = x->dims;
    out->dtype = PCS_U8;
    memcpy(out->shape, x->shape, sizeof out->shape);
    out->shape[out->dims - 1] = pcs_dim_linear(g, x->shape[x->dims - 1], 8 / bits, 0, 1);
    return g->error;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const uint32_t bits = (uint32_t)c->attr[BITS].integer, per = 8 / bits;
    const uint8_t *x = c->in[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++)
        ((uint8_t *)c->out[0].data)[i] = (uint8_t)(x[i / per] >> (i % per * bits) & ((1u << bits) - 1));
}

const pcs_op pcs_op_unpack = { .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, .name = "unpack",
                               .min_in = 1,
                               .max_in = 1,
                               .attrs = PCS_ATTR_TABLE(PCS_INT("bits", 4)),
                               .infer = infer,
                               .eval = eval };
