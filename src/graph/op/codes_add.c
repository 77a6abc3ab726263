/* codes_add - the sum of two values of codes as codes: (a - za) sa + (b - zb) sb over a scale, each step rounded to
 * f32, as from_codes, plus and to_codes do it. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { SCALE_A, ZERO_A, SCALE_B, ZERO_B, SCALE, RANGE };

static bool scale_ok(double s) { return s > 0 && s <= 3.4028234e38; }

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    if (!pcs_codes_known(a, 0) || !pcs_codes_known(b, a->dims) ||
        memcmp(a->shape, b->shape, a->dims * sizeof a->shape[0]))
        return pcs_op_fail(g, n, "takes U8 of one shape");
    if (!scale_ok(n->attr[SCALE_A].real) || !scale_ok(n->attr[SCALE_B].real) || !scale_ok(n->attr[SCALE].real) ||
        !pcs_codes_range_ok(n->attr + RANGE))
        return pcs_op_fail(g, n, "has a scale that is none, or codes that are none");
    pcs_codes_like(&g->values[n->in[0]], out);
    out->dtype = PCS_U8;
    return g->error;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    if (begin >= end) return;
    c->kernels->codes_add(&(pcs_codes_add_args){
        (const uint8_t *)c->in[0].data + begin, (const uint8_t *)c->in[1].data + begin, end - begin,
        (float)c->attr[SCALE_A].real, (float)c->attr[SCALE_B].real, (float)c->attr[SCALE].real,
        (int32_t)c->attr[ZERO_A].integer, (int32_t)c->attr[ZERO_B].integer, pcs_codes_range(c->attr + RANGE),
        (uint8_t *)c->out[0].data + begin });
}

const pcs_op pcs_op_codes_add = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_add",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("scale_a", 0), PCS_INT("zero_a", 0), PCS_REAL("scale_b", 0), PCS_INT("zero_b", 0),
                            PCS_REAL("scale", 0), PCS_CODES_RANGE),
    .infer = infer,
    .eval = eval,
};
