/* type_quant - the numbers that a type would store (`type`: a name of `precis list formats`), row by row as method rtn
 * writes them: encoded and decoded. The gradient passes as it is, so that what is trained is what is served, whatever
 * the type: its own scales and their own rounding are in the numbers.
 *
 * A type whose parameters are the tensor's takes them from all of x. top > 0: x is first divided so that the largest
 * magnitude of it and of further inputs, which share the scale, is top (NVFP4's scale beside a weight). */
#include "graph/graph.h"
#include "graph/op/round.h"

enum { TYPE, TOP };

#define SHARING 8 /* inputs */

static const pcs_format *format_of(const precis_attr *attr)
{
    return attr[TYPE].text ? pcs_format_by_name(attr[TYPE].text) : NULL;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const pcs_format *f = format_of(n->attr);
    if (!f || !pcs_format_can_encode(f))
        return pcs_op_fail(g, n, "no type %s that can be written", n->attr[TYPE].text ? n->attr[TYPE].text : "");
    const int64_t width = x->dims ? x->shape[x->dims - 1] : 0;
    if (width < 1 || !pcs_format_fits(f, (uint64_t)width))
        return pcs_op_fail(g, n, "rows of %lld do not fit %s, whose blocks are of %u", (long long)width, f->name,
                           f->block);
    for (uint32_t i = 1; i < n->n_in; i++)
        if (g->values[n->in[i]].dtype != PCS_F32) return pcs_op_fail(g, n, "input %u is not f32", i);
    if (f->tensor && n->attr[TOP].real > 0) return pcs_op_fail(g, n, "%s has a scale of the tensor already", f->name);
    return pcs_infer_like(g, n, 0, out);
}

static size_t scratch(const pcs_call *c)
{
    const uint64_t n = (uint64_t)pcs_arg_width(&c->in[0]);
    return n * sizeof(float) + (size_t)pcs_row_bytes(format_of(c->attr), n) + 64;
}

/* What x is divided by. */
static float given_scale(const pcs_call *c)
{
    const float top = (float)c->attr[TOP].real;
    float most = 0;
    for (uint32_t i = 0; top > 0 && i < c->n_in; i++) {
        const float m = pcs_largest(c->in[i].data, (size_t)pcs_arg_count(&c->in[i]));
        most = m > most ? m : most;
    }
    return most > 0 ? most / top : 1.0f;
}

static bool all_finite(const pcs_call *c, const float *x, size_t n)
{
    float low, high;
    c->kernels->extremes(&(pcs_extremes_args){ x, n, &low, &high });
    return low == low;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_format *f = format_of(c->attr);
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    const float *x = c->in[0].data;
    float *const scaled = (float *)(c->scratch + ith * c->scratch_size);
    char *const bytes = (char *)(scaled + n);
    pcs_shared shared = { 0 };
    uint64_t begin, end;
    pcs_share(rows, 1, ith, nth, &begin, &end);
    for (size_t r = 0; f->tensor && begin < end && r < rows; r++) pcs_shared_add(&shared, n, x + r * n, r * n);
    const float s = begin < end ? given_scale(c) : 1.0f;
    for (size_t r = begin; r < end; r++) {
        float *y = (float *)c->out[0].data + r * n;
        const float *row = s == 1.0f ? x + r * n : scaled;
        for (size_t i = 0; i < n && s != 1.0f; i++) scaled[i] = x[r * n + i] / s;
        if (!all_finite(c, row, n)) { /* no type holds it, and the loss must show it */
            memcpy(y, x + r * n, n * sizeof *y);
            continue;
        }
        pcs_encode(
            &(pcs_encode_args){ .f = f, .n = n, .x = row, .effort = PCS_FIT_RTN, .shared = &shared, .dst = bytes });
        pcs_decode(f, n, bytes, y);
        for (size_t i = 0; i < n && s != 1.0f; i++) y[i] *= s;
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    for (uint64_t i = begin; g->in[0] && i < end; i++) g->in[0][i] += g->out[0][i];
}

const pcs_op pcs_op_type_quant = {
    .name = "type_quant",
    .min_in = 1,
    .max_in = SHARING,
    .attrs = PCS_ATTR_TABLE(PCS_TEXT("type", "Q8_0"), PCS_REAL("top", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .backward = backward,
    .straight_through = true,
};
