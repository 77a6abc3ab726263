/* codes_pool - windows of x[batch, height, width, channels] of codes become one code: the largest, or (kind "mean") the
 * mean of their numbers, summed in f64 over the window in ascending order, rounded to f32 and made a code, as
 * from_codes, pool and to_codes do it. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { STRIDES, PADS, DILATIONS, KERNEL, KIND, CEIL, ALL, SCALE_IN, ZERO_IN, SCALE, RANGE };

static bool is_mean(const precis_attr *attr) { return attr[KIND].text && attr[KIND].text[1] == 'e'; }

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (!pcs_codes_known(x, 4) || n->attr[KERNEL].n != 2 || pcs_window_check(g, n, n->attr, 2))
        return g->error ? g->error : pcs_op_fail(g, n, "takes x[batch, height, width, channels] of U8");
    if (is_mean(n->attr) &&
        (!(n->attr[SCALE_IN].real > 0) || !(n->attr[SCALE].real > 0) || !pcs_codes_range_ok(n->attr + RANGE)))
        return pcs_op_fail(g, n, "has a scale that is none, or codes that are none");
    out->dtype = PCS_U8;
    out->dims = 4;
    out->shape[0] = x->shape[0];
    for (uint32_t i = 0; i < 2; i++) {
        const pcs_window_axis axis = { 2, i, x->shape[1 + i], n->attr[KERNEL].list[i], n->attr[CEIL].integer != 0 };
        out->shape[1 + i] = pcs_window_places(g, n, &axis);
    }
    out->shape[3] = x->shape[3];
    return g->error;
}

static size_t scratch(const pcs_call *c) { return (size_t)c->in[0].shape[3] * sizeof(double) + 64; }

/* The part of a window along dimension i that is in x; counted: in x and its padding. */
typedef struct {
    int64_t at, first, last, counted;
} span;
static span span_of(const pcs_call *c, uint32_t i, int64_t place)
{
    const int64_t in = c->in[0].shape[1 + i], kernel = c->attr[KERNEL].list[i],
                  d = pcs_listed(&c->attr[DILATIONS], i, 1), end = in + pcs_listed(&c->attr[PADS], 2 + i, 0);
    span s = { .at = place * pcs_listed(&c->attr[STRIDES], i, 1) - pcs_listed(&c->attr[PADS], i, 0), .first = kernel };
    for (int64_t k = 0; k < kernel; k++) {
        const int64_t v = s.at + k * d;
        if (v >= 0 && v < in) s.last = k + 1, s.first = s.first < k ? s.first : k;
        s.counted += v < end;
    }
    return s;
}

/* What codes stand for, and room for the sums of a place. */
typedef struct {
    double number[256], *sums;
} numbers;

static void mean(const pcs_call *c, const double *sums, int64_t count, uint8_t *y)
{
    const int64_t channels = c->in[0].shape[3];
    for (int64_t ch = 0; ch < channels; ch++)
        y[ch] = pcs_codes_round((float)(sums[ch] / (double)count) / (float)c->attr[SCALE].real,
                                pcs_codes_range(c->attr + RANGE));
}

/* One place, of all channels. */
static void pool_place(const pcs_call *c, const numbers *t, const span *r, const span *q, const uint8_t *x, uint8_t *y)
{
    double *sums = t ? t->sums : NULL;
    const int64_t channels = c->in[0].shape[3], width = c->in[0].shape[2], dy = pcs_listed(&c->attr[DILATIONS], 0, 1),
                  dx = pcs_listed(&c->attr[DILATIONS], 1, 1);
    if (t) memset(sums, 0, (size_t)channels * sizeof *sums);
    else memset(y, 0, (size_t)channels);
    for (int64_t a = r->first; a < r->last; a++)
        for (int64_t e = q->first; e < q->last; e++) {
            const uint8_t *from = x + ((r->at + a * dy) * width + q->at + e * dx) * channels;
            if (t)
                for (int64_t ch = 0; ch < channels; ch++) sums[ch] += t->number[from[ch]];
            else
                for (int64_t ch = 0; ch < channels; ch++) y[ch] = from[ch] > y[ch] ? from[ch] : y[ch];
        }
    if (t)
        mean(c, sums, c->attr[ALL].integer ? r->counted * q->counted : (r->last - r->first) * (q->last - q->first), y);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const int64_t oh = y->shape[1], ow = y->shape[2], channels = x->shape[3];
    const bool means = is_mean(c->attr);
    numbers t = { .sums = (double *)(void *)(c->scratch + ith * c->scratch_size) };
    uint64_t begin, end;
    for (int32_t i = 0; i < 256 && means; i++)
        t.number[i] = (double)((float)(i - (int32_t)c->attr[ZERO_IN].integer) * (float)c->attr[SCALE_IN].real);
    pcs_share((uint64_t)(x->shape[0] * oh), 1, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) {
        const span r = span_of(c, 0, (int64_t)i % oh);
        const uint8_t *image = (const uint8_t *)x->data + (int64_t)i / oh * x->shape[1] * x->shape[2] * channels;
        for (int64_t p = 0; p < ow; p++) {
            const span q = span_of(c, 1, p);
            pool_place(c, means ? &t : NULL, &r, &q, image, (uint8_t *)y->data + ((int64_t)i * ow + p) * channels);
        }
    }
}

const pcs_op pcs_op_codes_pool = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_pool",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("strides"), PCS_LIST("pads"), PCS_LIST("dilations"), PCS_LIST("kernel"),
                            PCS_TEXT("kind", "max"), PCS_INT("ceil", 0), PCS_INT("all", 0), PCS_REAL("scale_in", 0),
                            PCS_INT("zero_in", 0), PCS_REAL("scale", 0), PCS_CODES_RANGE),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
};
