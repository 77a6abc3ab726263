/* roi_align - the means (max=1: the largest weighted corners) of bilinear samples in the bins of regions[n, 4] of
 * x[batch, channels, h, w]; batches[n] says whose region each is: ONNX's RoiAlign. */
#include "base/fmath_more.h"
#include "graph/element.h"

enum { HEIGHT, WIDTH, RATIO, SCALE, MAX, HALF };
#define GRID 64 /* samples along a side of a bin, at most */

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *r = &g->values[n->in[1]], *b = &g->values[n->in[2]];
    if (x->dtype != PCS_F32 || r->dtype != PCS_F32 || b->dtype != PCS_I64 || x->dims != 4 || r->dims != 2 ||
        r->shape[1] != 4 || b->dims != 1 || b->shape[0] != r->shape[0] || x->shape[0] == 0 || x->shape[2] == 0 ||
        x->shape[3] == 0)
        return pcs_op_fail(g, n, "takes F32 x[batch, channels, h, w], regions[n, 4] and batches[n]");
    if (n->attr[HEIGHT].integer < 1 || n->attr[WIDTH].integer < 1 || n->attr[HEIGHT].integer > 65536 ||
        n->attr[WIDTH].integer > 65536 || n->attr[RATIO].integer > GRID)
        return pcs_op_fail(g, n, "has no bins, or more than %d samples in one", GRID);
    out->dims = 4;
    memcpy(out->shape, (const int64_t[]){ r->shape[0], x->shape[1], n->attr[HEIGHT].integer, n->attr[WIDTH].integer },
           4 * sizeof(int64_t));
    return PRECIS_OK;
}

/* The corners around one coordinate and the weight of the second. */
static bool corners(double at, int64_t n, int64_t *lo, int64_t *hi, double *w)
{
    if (!(at >= -1 && at <= (double)n)) return false;
    if (at < 0) at = 0;
    *lo = (int64_t)at;
    *hi = *lo + 1;
    if (*lo >= n - 1) *lo = *hi = n - 1, at = (double)(n - 1);
    *w = at - (double)*lo;
    return true;
}

static int64_t points_of(int64_t ratio, double size)
{
    const double n = ratio > 0 ? (double)ratio : pcs_m_ceil(size);
    return n > GRID ? GRID : n > 0 ? (int64_t)n : 0;
}

static float bin(const pcs_call *c, const float *x, double y0, double x0, double h, double w)
{
    const int64_t high = c->in[0].shape[2], wide = c->in[0].shape[3], gh = points_of(c->attr[RATIO].integer, h),
                  gw = points_of(c->attr[RATIO].integer, w);
    double sum = 0;
    bool any = false;
    for (int64_t a = 0; a < gh; a++)
        for (int64_t b = 0; b < gw; b++) {
            int64_t yl = 0, yh = 0, xl = 0, xh = 0;
            double v = 0, wy = 0, wx = 0, p[4] = { 0 };
            if (corners(y0 + ((double)a + 0.5) * h / (double)gh, high, &yl, &yh, &wy) &&
                corners(x0 + ((double)b + 0.5) * w / (double)gw, wide, &xl, &xh, &wx)) {
                p[0] = (1 - wy) * (1 - wx) * (double)x[yl * wide + xl],
                p[1] = (1 - wy) * wx * (double)x[yl * wide + xh];
                p[2] = wy * (1 - wx) * (double)x[yh * wide + xl], p[3] = wy * wx * (double)x[yh * wide + xh];
            }
            v = p[0];
            for (int k = 1; k < 4; k++) v = c->attr[MAX].integer ? (p[k] > v ? p[k] : v) : v + p[k];
            sum = !c->attr[MAX].integer ? sum + v : !any || v > sum ? v : sum;
            any = true;
        }
    return (float)(c->attr[MAX].integer || gh * gw < 1 ? sum : sum / (double)(gh * gw));
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const int64_t *s = c->in[0].shape, *o = c->out[0].shape, batches = s[0];
    const double scale = c->attr[SCALE].real, off = c->attr[HALF].integer ? 0.5 : 0;
    for (int64_t i = ith; i < o[0] * o[1]; i += nth) {
        const int64_t r = i / o[1], ch = i % o[1], given = ((const int64_t *)c->in[2].data)[r],
                      b = given < 0 || given >= batches ? 0 : given;
        if (b != given) pcs_outside(c);
        const float *q = (const float *)c->in[1].data + 4 * r,
                    *x = (const float *)c->in[0].data + (b * s[1] + ch) * s[2] * s[3];
        const double x0 = (double)q[0] * scale - off, y0 = (double)q[1] * scale - off;
        double w = (double)q[2] * scale - off - x0, h = (double)q[3] * scale - off - y0;
        if (!c->attr[HALF].integer) w = w > 1 ? w : 1, h = h > 1 ? h : 1;
        w /= (double)o[3], h /= (double)o[2];
        for (int64_t p = 0; p < o[2] * o[3]; p++)
            ((float *)c->out[0].data)[i * o[2] * o[3] + p] =
                bin(c, x, y0 + (double)(p / o[3]) * h, x0 + (double)(p % o[3]) * w, h, w);
    }
}

const pcs_op pcs_op_roi_align = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "roi_align",
    .min_in = 3,
    .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_INT("height", 1), PCS_INT("width", 1), PCS_INT("ratio", 0), PCS_REAL("scale", 1),
                            PCS_INT("max", 0), PCS_INT("half", 1)),
    .infer = infer,
    .eval = eval,
};
