/* sample - x[batch, channels, ...] at places of a grid[batch, ..., dims] from -1 to 1, the last dimension's coordinate
 * first: ONNX's GridSample over 2 or 3 dimensions. mode nearest, linear or cubic; outside x: zeros, border or
 * reflection. */
#include "base/fmath_more.h"
#include "graph/element.h"

enum { MODE, PADDING, ALIGN };
#define DIMS_MOST 3

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *at = &g->values[n->in[1]];
    const char *mode = n->attr[MODE].text, *padding = n->attr[PADDING].text;
    if ((strcmp(mode, "nearest") && strcmp(mode, "linear") && strcmp(mode, "cubic")) ||
        (strcmp(padding, "zeros") && strcmp(padding, "border") && strcmp(padding, "reflection")))
        return pcs_op_fail(g, n, "knows no mode %s, or no padding %s", mode, padding);
    if (x->dtype != PCS_F32 || at->dtype != PCS_F32 || x->dims < 3 || x->dims > DIMS_MOST + 2 || at->dims != x->dims ||
        at->shape[at->dims - 1] != x->dims - 2 || at->shape[0] != x->shape[0])
        return pcs_op_fail(g, n, "takes F32 x[batch, channels, ...] and a grid[batch, ..., dims]");
    for (uint32_t i = 2; i < x->dims; i++)
        if (x->shape[i] == 0 || pcs_dim_is_id(x->shape[i]))
            return pcs_op_fail(g, n, "dimension %u has no elements, or no size yet", i);
    out->dims = x->dims;
    for (uint32_t i = 0; i < x->dims; i++) out->shape[i] = i < 2 ? x->shape[i] : at->shape[i - 1];
    return PRECIS_OK;
}

/* Mirrored at the borders until it lies between them. */
static double reflect(double x, double lo, double hi)
{
    const double range = hi - lo;
    if (range <= 0) return lo;
    const double off = x < lo ? lo - x : x - hi, turns = pcs_m_trunc(off / range), rest = off - turns * range;
    const bool even = pcs_m_fmod(turns, 2) == 0;
    return x >= lo && x <= hi ? x : even == (x < lo) ? lo + rest : hi - rest;
}

typedef struct {
    const pcs_arg *x;
    int64_t base;
    uint32_t dims;
    const int64_t *shape;
    char mode, padding;
    bool align;
    double at[DIMS_MOST];
} place;

static void edges(const place *p, uint32_t i, double *lo, double *hi)
{
    *lo = p->align ? 0 : -0.5;
    *hi = p->align ? (double)p->shape[i] - 1 : (double)p->shape[i] - 0.5;
}

/* Where index k of dimension i lies; -1: it is zero. */
static int64_t index_inside(const place *p, uint32_t i, double k)
{
    const int64_t n = p->shape[i];
    double lo, hi;
    if (k >= 0 && k <= (double)n - 1) return (int64_t)k;
    if (p->padding == 'z') return -1;
    if (p->padding == 'b') return k < 0 ? 0 : n - 1;
    edges(p, i, &lo, &hi);
    const int64_t at = (int64_t)pcs_m_trunc(reflect(k, lo, hi));
    return at < 0 ? 0 : at >= n ? n - 1 : at;
}

static void cubic_weights(double x, double *w)
{
    const double a = -0.75;
    w[0] = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
    w[1] = ((a + 2) * x - (a + 3)) * x * x + 1;
    w[2] = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
    w[3] = ((a * (2 - x) - 5 * a) * (2 - x) + 8 * a) * (2 - x) - 4 * a;
}

static double sampled(const place *p, uint32_t i, int64_t at)
{
    if (i == p->dims || i == 3) return (double)((const float *)p->x->data)[p->base + at]; /* 3: they are no more */
    const double low = pcs_m_floor(p->at[i]);
    double w[4] = { 1, 0, 0, 0 }, sum = 0;
    const int taps = p->mode == 'n' ? 1 : p->mode == 'l' ? 2 : 4;
    if (p->mode == 'l') w[0] = 1 - (p->at[i] - low), w[1] = p->at[i] - low;
    if (p->mode == 'c') cubic_weights(p->at[i] - low, w);
    for (int k = 0; k < taps; k++) {
        const int64_t index = index_inside(p, i, low + k - (p->mode == 'c'));
        if (index >= 0) sum += w[k] * sampled(p, i + 1, at * p->shape[i] + index);
    }
    return sum;
}

/* Coordinate i of the grid, as a place in x. */
static double coordinate(const place *p, uint32_t i, double g)
{
    const double n = (double)p->shape[i];
    double lo, hi, x = (double)(float)(p->align ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2);
    if (!(pcs_abs_(x) < 1e9)) x = -1e9;
    if (p->mode == 'n') x = pcs_m_round(x);
    edges(p, i, &lo, &hi);
    if (x >= lo && x <= hi) return x;
    if (p->padding == 'b') return p->mode == 'c' ? x : x < 0 ? 0 : n - 1; /* each tap of a cubic is clipped: inside */
    return p->padding == 'r' ? reflect(x, lo, hi) : x;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const float *grid = c->in[1].data;
    const uint32_t dims = x->dims - 2;
    int64_t area = 1, places = 1;
    for (uint32_t i = 2; i < x->dims; i++) area *= x->shape[i], places *= y->shape[i];
    for (int64_t o = ith; o < pcs_arg_count(y); o += nth) {
        const int64_t plane = o / places, batch = plane / x->shape[1];
        place p = { .x = x,
                    .base = plane * area,
                    .dims = dims,
                    .shape = x->shape + 2,
                    .mode = c->attr[MODE].text[0],
                    .padding = c->attr[PADDING].text[0],
                    .align = c->attr[ALIGN].integer != 0 };
        for (uint32_t i = 0; i < dims; i++)
            p.at[i] = coordinate(&p, i, (double)grid[(batch * places + o % places) * dims + (dims - 1 - i)]);
        ((float *)y->data)[o] = (float)sampled(&p, 0, 0);
    }
}

const pcs_op pcs_op_sample = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "sample",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_TEXT("mode", "linear"), PCS_TEXT("padding", "zeros"), PCS_INT("align", 0)),
    .infer = infer,
    .eval = eval,
};
