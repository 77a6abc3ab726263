/* codes_mul - the product of two values of codes, spread over one another, as codes: (a - za) (b - zb), which is exact,
 * times sa sb / s, plus the zero point, each rounded to f32, then to the nearest: onnxruntime's QLinearMul. The zero
 * point is that of the codes as the net has them ("sign": they have one), since it is added before the rounding. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { ZERO_A, ZERO_B, FACTOR, SIGN, RANGE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    const double factor = n->attr[FACTOR].real;
    bool spread = pcs_codes_known(a, 0) && pcs_codes_known(b, 0) && a->dims == b->dims;
    for (uint32_t i = 0; spread && i < a->dims; i++)
        spread = a->shape[i] == b->shape[i] || a->shape[i] == 1 || b->shape[i] == 1;
    if (!spread) return pcs_op_fail(g, n, "takes U8 of as many dimensions, which are alike or 1");
    if (!(factor > 0 && factor <= 3.4028234e38) || !pcs_codes_range_ok(n->attr + RANGE))
        return pcs_op_fail(g, n, "has a factor that is none, or codes that are none");
    pcs_codes_like(&g->values[n->in[0]], out);
    for (uint32_t i = 0; i < out->dims; i++)
        if (out->shape[i] == 1) out->shape[i] = g->values[n->in[1]].shape[i];
    return g->error;
}

/* Places of a line: of b, or one of it for all. */
typedef struct {
    const uint8_t *a, *b;
    size_t n;
    int32_t za, zb;
    float factor, zero;
    pcs_codes_to to; /* its zero is 0 */
    uint8_t sign;    /* 128: the codes have one */
    uint8_t *y;
} line;

/* Of a whole product. */
static inline uint8_t code_of(const line *l, int32_t product)
{
    return (uint8_t)(pcs_codes_round((float)product * l->factor + l->zero, l->to) + l->sign);
}

static void each_by_each(const line *l)
{
    for (size_t i = 0; i < l->n; i++)
        l->y[i] = code_of(l, (l->a[i] - l->za) * (l->b[i] - l->zb));
}

static void each_by_one(const line *l)
{
    const int32_t b = *l->b - l->zb;
    for (size_t i = 0; i < l->n; i++) l->y[i] = code_of(l, (l->a[i] - l->za) * b);
}

/* The dimensions from `outer` on are a line: in both alike, or all of them 1 in one. */
static uint32_t outer_dims(const pcs_arg *a, const pcs_arg *b, const pcs_arg *y)
{
    uint32_t i = y->dims;
    bool same = true, a_one = true, b_one = true;
    for (; i > 0; i--) {
        same = same && a->shape[i - 1] == b->shape[i - 1];
        a_one = a_one && a->shape[i - 1] == 1;
        b_one = b_one && b->shape[i - 1] == 1;
        if (!same && !a_one && !b_one) break;
    }
    return i;
}

static size_t count_from(const pcs_arg *x, uint32_t from)
{
    size_t n = 1;
    for (uint32_t i = from; i < x->dims; i++) n *= (size_t)x->shape[i];
    return n;
}

/* Where line `row` of the result begins in x. */
static size_t line_begin(const pcs_arg *x, const pcs_arg *y, uint32_t outer, size_t row)
{
    size_t at = 0, step = count_from(x, outer);
    for (uint32_t i = outer; i-- > 0; row /= (size_t)y->shape[i]) {
        if (x->shape[i] != 1) at += row % (size_t)y->shape[i] * step;
        step *= (size_t)x->shape[i];
    }
    return at;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
    const uint32_t outer = outer_dims(a, b, y);
    const size_t n = count_from(y, outer), rows = n ? (size_t)pcs_arg_count(y) / n : 0;
    const size_t na = count_from(a, outer), nb = count_from(b, outer);
    const pcs_codes_to to = pcs_codes_range(c->attr + RANGE);
    const int32_t sign = c->attr[SIGN].integer ? 128 : 0;
    line l = { .za = (int32_t)c->attr[ZERO_A].integer, .zb = (int32_t)c->attr[ZERO_B].integer,
               .factor = (float)c->attr[FACTOR].real, .to = { 0, to.lo - sign, to.hi - sign },
               .zero = (float)(to.zero - sign), .sign = (uint8_t)sign };
    uint64_t begin, end, first = 0, last = n;
    pcs_share(rows, 1, ith, nth, &begin, &end);
    if (rows == 1) { /* threads share its places */
        begin = 0, end = 1;
        pcs_share(n, 64, ith, nth, &first, &last);
    }
    for (size_t r = begin; r < end && first < last; r++) {
        const uint8_t *from_a = (const uint8_t *)a->data + line_begin(a, y, outer, r),
                      *from_b = (const uint8_t *)b->data + line_begin(b, y, outer, r);
        line one = l;
        one.n = last - first;
        one.y = (uint8_t *)y->data + r * n + first;
        one.a = na == n ? from_a + first : from_b + first;
        one.b = na == n ? (nb == n ? from_b + first : from_b) : from_a;
        if (na != n) one.za = l.zb, one.zb = l.za;
        if (na == n && nb == n) each_by_each(&one);
        else each_by_one(&one);
    }
}

const pcs_op pcs_op_codes_mul = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_mul",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_INT("zero_a", 0), PCS_INT("zero_b", 0), PCS_REAL("factor", 0), PCS_INT("sign", 0),
                            PCS_CODES_RANGE),
    .infer = infer,
    .eval = eval,
};
