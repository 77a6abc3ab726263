/* codes_layout - codes of 8 bits from channels first to channels last (`last`), or back; those with a sign become U8
 * moved by 128 on the way there, and get it back. Of other than four dimensions the order stays. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { LAST, TO };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const bool last = n->attr[LAST].integer != 0;
    const int64_t to = n->attr[TO].integer;
    if ((x->dtype != PCS_U8 && (x->dtype != PCS_I8 || !last)) || (to != PCS_U8 && (to != PCS_I8 || last)))
        return pcs_op_fail(g, n, "takes codes of 8 bits");
    pcs_codes_like(&g->values[n->in[0]], out);
    out->dtype = (pcs_dtype)to;
    for (uint32_t i = 1; i < 4 && x->dims == 4; i++)
        out->shape[i] = x->shape[last ? (i == 3 ? 1 : i + 1) : (i == 1 ? 3 : i - 1)];
    return g->error;
}

/* n codes `from_step` apart to places `to_step` apart. */
static void move(const uint8_t *from, size_t from_step, uint8_t *to, size_t to_step, size_t n, uint8_t flip)
{
    if (from_step == 1 && to_step == 1)
        for (size_t i = 0; i < n; i++) to[i] = from[i] ^ flip;
    else if (from_step == 1)
        for (size_t i = 0; i < n; i++) to[i * to_step] = from[i] ^ flip;
    else
        for (size_t i = 0; i < n; i++) to[i * to_step] = from[i * from_step] ^ flip;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const uint8_t flip = x->dtype != y->dtype ? 0x80 : 0;
    const uint8_t *from = x->data;
    uint8_t *to = y->data;
    const bool last = c->attr[LAST].integer != 0, turns = x->dims == 4;
    const size_t count = (size_t)pcs_arg_count(x), channels = turns ? (size_t)(last ? x : y)->shape[1] : 1;
    const size_t images = turns ? (size_t)x->shape[0] : 1, area = channels && images ? count / channels / images : 0;
    uint64_t begin, end;
    pcs_share(images * area, 64, ith, nth, &begin, &end);
    for (size_t at = begin; at < end;) { /* places of one image, few enough for a cache to hold all their channels */
        const size_t image = at / area, i = at % area, left = area - i < end - at ? area - i : end - at,
                     n = left < 64 || channels <= 4 ? left : 64;
        for (size_t ch = 0; ch < channels; ch++) {
            const size_t planes = (image * channels + ch) * area + i, pixels = (image * area + i) * channels + ch;
            if (last) move(from + planes, 1, to + pixels, channels, n, flip);
            else move(from + pixels, channels, to + planes, 1, n, flip);
        }
        at += n;
    }
}

const pcs_op pcs_op_codes_layout = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_layout",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("last", 1), PCS_INT("to", PCS_U8)),
    .infer = infer,
    .eval = eval,
};
