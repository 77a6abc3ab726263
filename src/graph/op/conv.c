/* conv - x[batch, in, ...] with w[out, in / groups, ...], bias[out], over 1 to 3 dimensions: cross-correlation, as
 * ONNX's Conv.
 *
 * Groups of 8 channels and more: windows lie in panels of 16 places, which gemm multiplies with the rows of w (fma,
 * taps in ascending order, channels outermost); fewer: each tap is added to a plane. Which one is a matter of shapes
 * alone. */
#include "base/pool.h"
#include "graph/op/convolution.h"

#define PANELS 4
#define TILE 60
#define FEW 8

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]];
    if (x->dtype != PCS_F32 || w->dtype != PCS_F32)
        return pcs_op_fail(g, n, "takes F32, not %s and %s", pcs_dtype_name(x->dtype), pcs_dtype_name(w->dtype));
    const precis_status st = pcs_infer_conv(g, n, out);
    if (!st && n->n_in > 2 && (g->values[n->in[2]].dtype != PCS_F32 || g->values[n->in[2]].dims != 1 ||
                               g->values[n->in[2]].shape[0] != w->shape[0]))
        return pcs_op_fail(g, n, "bias is not F32 [%lld]", (long long)w->shape[0]);
    return st;
}

static bool by_planes(const pcs_call *c) { return c->in[1].shape[0] / c->attr[PCS_CONV_GROUPS].integer < FEW; }

static size_t scratch(const pcs_call *c)
{
    size_t k = 1;
    for (uint32_t i = 1; i < c->in[1].dims; i++) k *= (size_t)c->in[1].shape[i];
    return by_planes(c) ? 0 : PANELS * pcs_line_up(64 * k + 64) + TILE * PANELS * 64 + 256;
}

/* What a segment's places see in a row of x (NULL: outside), from column `at` on. first, last: of all of x, within
 * which 16 numbers are read at a time. */
static void copy_segment(const pcs_window *w, const pcs_conv_run *s, const float *row, int64_t at,
                         const float *const ends[2], float *b)
{
    const int64_t step = w->stride[2];
    b += s->lane;
    if (!row) {
        for (int64_t l = 0; l < 16 - s->lane; l++) b[l] = 0.0f;
        return;
    }
    if (step == 1 && row + at >= ends[0] && row + at + 16 <= ends[1]) {
        memcpy(b, row + at, 16 * sizeof *b); /* those after the segment are written again */
        for (int64_t l = 0; l < s->n && at + l < 0; l++) b[l] = 0.0f;
        for (int64_t l = s->n; l-- > 0 && at + l >= w->in[2];) b[l] = 0.0f;
        return;
    }
    for (int64_t l = 0; l < s->n; l++) {
        const int64_t v = at + l * step;
        b[l] = v >= 0 && v < w->in[2] ? row[v] : 0.0f;
    }
}

/* What windows are taken of: the channels of an image, and where its batch begins and ends in memory. */
typedef struct { const float *x; int64_t channels; const float *ends[2]; } image;

/* The windows of up to 16 places from p on of all channels, a place in each lane. b has room for 16 numbers more. */
static void panel(const pcs_window *w, const image *of, int64_t p, int64_t n, float *b)
{
    const float *x = of->x;
    const int64_t channels = of->channels;
    const float *const *ends = of->ends;
    pcs_conv_run s[16];
    const int count = pcs_conv_runs(w, p, n, s);
    for (int64_t ch = 0; ch < channels; ch++, x += w->area)
        for (int64_t t = 0; t < w->taps; t++, b += 16) {
            const int64_t a = t / (w->kernel[1] * w->kernel[2]) * w->dilation[0],
                          e = t / w->kernel[2] % w->kernel[1] * w->dilation[1], i = t % w->kernel[2] * w->dilation[2];
            for (int k = 0; k < count; k++) {
                const int64_t z = s[k].at[0] + a, y = s[k].at[1] + e;
                const bool there = z >= 0 && z < w->in[0] && y >= 0 && y < w->in[1];
                copy_segment(w, &s[k], there ? x + (z * w->in[1] + y) * w->in[2] : NULL, s[k].at[2] + i, ends, b);
            }
            for (int64_t l = n; l < 16; l++) b[l] = 0.0f;
        }
}

/* The panels of up to 64 places from p on, and their products with all rows of a group. */
static void places(const pcs_call *c, const pcs_window *w, int64_t batch, int64_t group, int64_t p, uint32_t ith)
{
    const pcs_arg *x = &c->in[0], *wt = &c->in[1];
    const int64_t each = wt->shape[1], rows = wt->shape[0] / c->attr[PCS_CONV_GROUPS].integer,
                  n = w->places - p < 16 * PANELS ? w->places - p : 16 * PANELS;
    const size_t k = (size_t)(each * w->taps), step = pcs_line_up(64 * k + 64) / sizeof(float),
                 panels = (size_t)(n + 15) / 16;
    float *b = (float *)(void *)(c->scratch + ith * c->scratch_size), *tile = b + PANELS * step;
    const float *from = (const float *)x->data + (batch * x->shape[1] + group * each) * w->area;
    const image of = { from, each, { x->data, (const float *)x->data + pcs_arg_count(x) } };
    const float *bias = c->n_in > 2 ? c->in[2].data : NULL;
    for (int64_t i = 0; i < (int64_t)panels; i++)
        panel(w, &of, p + 16 * i, n - 16 * i < 16 ? n - 16 * i : 16, b + (size_t)i * step);
    for (int64_t r = 0; r < rows; r += TILE) {
        const int64_t m = rows - r < TILE ? rows - r : TILE, first = group * rows + r;
        c->kernels->gemm_wide(&(pcs_gemm_wide_args){
            { (const float *)wt->data + (size_t)first * k, k, b, 16, k, (size_t)m, tile, 16 * PANELS, false },
            panels,
            step });
        for (int64_t i = 0; i < m; i++) {
            float *y = (float *)c->out[0].data + ((batch * wt->shape[0] + first + i) * w->places + p);
            const float add = bias ? bias[first + i] : 0.0f;
            for (int64_t l = 0; l < n; l++) y[l] = tile[i * 16 * PANELS + l] + add;
        }
    }
}

/* y += tap * x along the last dimension, where x is there. */
static void add_row(const pcs_window *w, float tap, const float *x, int64_t shift, float *y)
{
    const int64_t s = w->stride[2];
    int64_t lo = shift < 0 ? (-shift + s - 1) / s : 0, hi = shift >= w->in[2] ? 0 : (w->in[2] - 1 - shift) / s + 1;
    if (hi > w->out[2]) hi = w->out[2];
    if (s == 1)
        for (int64_t i = lo; i < hi; i++) y[i] += tap * x[i + shift];
    else
        for (int64_t i = lo; i < hi; i++) y[i] += tap * x[i * s + shift];
}

/* One row of a plane, tap after tap. */
static void plane_row(const pcs_window *w, const float *taps, int64_t each, const float *x, int64_t row, float *y)
{
    const int64_t z0 = row / w->out[1] * w->stride[0] - w->pad[0], v0 = row % w->out[1] * w->stride[1] - w->pad[1];
    for (int64_t t = 0; t < each * w->taps; t++) {
        const int64_t k = t % w->taps, z = z0 + k / (w->kernel[1] * w->kernel[2]) * w->dilation[0],
                      v = v0 + k / w->kernel[2] % w->kernel[1] * w->dilation[1];
        if (z < 0 || z >= w->in[0] || v < 0 || v >= w->in[1]) continue;
        add_row(w, taps[t], x + t / w->taps * w->area + (z * w->in[1] + v) * w->in[2],
                k % w->kernel[2] * w->dilation[2] - w->pad[2], y);
    }
}

static void plane(const pcs_call *c, const pcs_window *w, int64_t p)
{
    const pcs_arg *x = &c->in[0], *wt = &c->in[1];
    const int64_t outs = wt->shape[0], each = wt->shape[1], o = p % outs,
                  group = o / (outs / c->attr[PCS_CONV_GROUPS].integer);
    const float *taps = (const float *)wt->data + o * each * w->taps,
                *from = (const float *)x->data + (p / outs * x->shape[1] + group * each) * w->area;
    float *y = (float *)c->out[0].data + p * w->places;
    const float first = c->n_in > 2 ? ((const float *)c->in[2].data)[o] : 0.0f;
    for (int64_t i = 0; i < w->places; i++) y[i] = first;
    for (int64_t row = 0; row < w->out[0] * w->out[1]; row++)
        plane_row(w, taps, each, from, row, y + row * w->out[2]);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_window w = pcs_window_of(c->attr, &c->in[0], &c->out[0], c->in[1].shape + 2);
    const int64_t groups = c->attr[PCS_CONV_GROUPS].integer, batch = c->in[0].shape[0],
                  blocks = (w.places + 16 * PANELS - 1) / (16 * PANELS);
    uint64_t begin, end;
    if (!pcs_arg_count(&c->out[0])) return;
    if (by_planes(c)) {
        for (int64_t p = ith; p < batch * c->in[1].shape[0]; p += nth) plane(c, &w, p);
        return;
    }
    pcs_share((uint64_t)(batch * groups * blocks), 1, ith, nth, &begin, &end);
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++)
        places(c, &w, i / blocks / groups, i / blocks % groups, i % blocks * 16 * PANELS, ith);
}

const pcs_op pcs_op_conv = {
    PCS_CONV_ROW, .name = "conv", .min_in = 2, .max_in = 3, .bias = 2, .infer = infer, .eval = eval, .scratch = scratch,
    .backward = pcs_conv_backward, .scratch_back = pcs_conv_scratch_back,
};
