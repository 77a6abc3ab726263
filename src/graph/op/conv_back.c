/* conv_back.c - gradients of conv. By the weights: windows of x lie in panels of 16 taps, places under one another, and
 * gemm multiplies the gradient's rows with them, image after image. By x: the gradient lies in panels of 64 places,
 * which gemm multiplies with the turned weights; each product is laid back where its tap had looked. Sums have one
 * order: places ascending within an image, then images; taps ascending, outermost channels first. */
#include "base/pool.h"
#include "graph/op/convolution.h"

#define DEPTH 512 /* places that a panel of taps has at most */
#define BESIDE 64   /* places beside one another */
#define TALL 64   /* rows of a tile */

static size_t each_of(const pcs_call *c)
{
    size_t k = 1;
    for (uint32_t i = 1; i < c->in[1].dims; i++) k *= (size_t)c->in[1].shape[i];
    return k;
}

/* Outputs of a group. */
static size_t outs_of(const pcs_call *c)
{
    return (size_t)(c->in[1].shape[0] / c->attr[PCS_CONV_GROUPS].integer);
}

size_t pcs_conv_scratch_back(const pcs_call *c)
{
    const size_t outs = outs_of(c);
    const size_t weights = DEPTH * 64 + outs * 64,
                 x = pcs_line_up(each_of(c) * outs * 4) + outs * BESIDE * 4 + TALL * BESIDE * 4;
    return (weights > x ? weights : x) + 256;
}

/* What tap t of a channel (its numbers at `x`) sees from the places of a segment: b[lane * 16]. */
static void see(const pcs_window *w, const pcs_conv_run *s, const float *x, int64_t t, float *b)
{
    const int64_t z = s->at[0] + t / (w->kernel[1] * w->kernel[2]) * w->dilation[0],
                  y = s->at[1] + t / w->kernel[2] % w->kernel[1] * w->dilation[1],
                  v = s->at[2] + t % w->kernel[2] * w->dilation[2];
    const bool there = z >= 0 && z < w->in[0] && y >= 0 && y < w->in[1];
    const float *row = there ? x + (z * w->in[1] + y) * w->in[2] : NULL;
    for (int64_t l = 0; l < s->n; l++) {
        const int64_t at = v + l * w->stride[2];
        b[(s->lane + l) * 16] = row && at >= 0 && at < w->in[2] ? row[at] : 0.0f;
    }
}

/* dw of a group for the 16 taps from `first` on (channel * taps + tap). */
static void taps_back(const pcs_call *c, const pcs_window *w, const pcs_grads *g, int64_t group, int64_t first,
                       float *mem)
{
    const float *d = g->out[0];
    float *dw = g->in[1];
    const int64_t each = (int64_t)each_of(c), outs = (int64_t)outs_of(c), n = each - first < 16 ? each - first : 16,
                  channels = c->in[1].shape[1];
    float *panel = mem, *tile = mem + DEPTH * 16;
    pcs_conv_run s[DEPTH];
    for (int64_t b = 0; b < c->in[0].shape[0]; b++) {
        const float *x = (const float *)c->in[0].data + (b * c->in[0].shape[1] + group * channels) * w->area;
        for (int64_t p = 0; p < w->places; p += DEPTH) {
            const int64_t depth = w->places - p < DEPTH ? w->places - p : DEPTH;
            const int count = pcs_conv_runs(w, p, depth, s);
            if (n < 16) memset(panel, 0, (size_t)depth * 64);
            for (int64_t l = 0; l < n; l++)
                for (int k = 0; k < count; k++)
                    see(w, &s[k], x + (first + l) / w->taps * w->area, (first + l) % w->taps, panel + l);
            c->kernels->gemm(&(pcs_gemm_args){ d + (b * c->out[0].shape[1] + group * outs) * w->places + p,
                                               (size_t)w->places, panel, 16, (size_t)depth, (size_t)outs, tile, 16,
                                               false });
            for (int64_t o = 0; o < outs; o++)
                for (int64_t l = 0; l < n; l++) dw[(group * outs + o) * each + first + l] += tile[o * 16 + l];
        }
    }
}

/* What one tap had seen from the places of a segment gets `from`. */
static void lay_back(const pcs_window *w, const pcs_conv_run *s, int64_t t, const float *from, float *dx)
{
    const int64_t z = s->at[0] + t / (w->kernel[1] * w->kernel[2]) * w->dilation[0],
                  y = s->at[1] + t / w->kernel[2] % w->kernel[1] * w->dilation[1],
                  v = s->at[2] + t % w->kernel[2] * w->dilation[2];
    if (z < 0 || z >= w->in[0] || y < 0 || y >= w->in[1]) return;
    float *row = dx + (z * w->in[1] + y) * w->in[2];
    for (int64_t l = 0; l < s->n; l++) {
        const int64_t at = v + l * w->stride[2];
        if (at >= 0 && at < w->in[2]) row[at] += from[s->lane + l];
    }
}

/* The weights of a group as [taps of all channels][outs]. */
static void turn_weights(const float *w, size_t each, size_t outs, float *to)
{
    for (size_t k = 0; k < each; k++)
        for (size_t o = 0; o < outs; o++) to[k * outs + o] = w[o * each + k];
}

/* dx of one image's channels of a group. */
static void image_back(const pcs_call *c, const pcs_window *w, const float *d, float *dx, const float *turned,
                     float *panel)
{
    const size_t each = each_of(c), outs = outs_of(c);
    float *tile = panel + outs * BESIDE;
    pcs_conv_run s[BESIDE];
    for (int64_t p = 0; p < w->places; p += BESIDE) {
        const int64_t n = w->places - p < BESIDE ? w->places - p : BESIDE;
        const int count = pcs_conv_runs(w, p, n, s);
        for (size_t o = 0; o < outs; o++) {
            memcpy(panel + o * BESIDE, d + (int64_t)o * w->places + p, (size_t)n * sizeof *panel);
            for (int64_t l = n; l < BESIDE; l++) panel[o * BESIDE + (size_t)l] = 0;
        }
        for (size_t r = 0; r < each; r += TALL) {
            const size_t rows = each - r < TALL ? each - r : TALL;
            const pcs_gemm_args one = { turned + r * outs, outs, panel, BESIDE, outs, rows, tile, BESIDE, false };
            c->kernels->gemm_wide(&(pcs_gemm_wide_args){ one, (size_t)(n + 15) / 16, 16 });
            for (size_t i = 0; i < rows; i++)
                for (int k = 0; k < count; k++)
                    lay_back(w, &s[k], (int64_t)(r + i) % w->taps, tile + i * BESIDE,
                             dx + (int64_t)(r + i) / w->taps * w->area);
        }
    }
}

/* Images and groups, each one thread's. */
static void images_back(const pcs_call *c, const pcs_window *w, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t each = each_of(c), outs = outs_of(c);
    const int64_t groups = c->attr[PCS_CONV_GROUPS].integer, channels = c->in[1].shape[1];
    char *mem = c->scratch + ith * c->scratch_size;
    float *turned = (float *)(void *)mem, *panel = (float *)(void *)(mem + pcs_line_up(each * outs * 4));
    uint64_t begin, end;
    pcs_share((uint64_t)(c->in[0].shape[0] * groups), 1, ith, nth, &begin, &end);
    int64_t last = -1;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        const int64_t b = i / groups, group = i % groups;
        if (group != last) turn_weights((const float *)c->in[1].data + (size_t)group * outs * each, each, outs, turned);
        last = group;
        image_back(c, w, g->out[0] + (b * c->out[0].shape[1] + group * (int64_t)outs) * w->places,
                 g->in[0] + (b * c->in[0].shape[1] + group * channels) * w->area, turned, panel);
    }
}

static void bias_back(const pcs_call *c, const pcs_window *w, const pcs_grads *g, int64_t o)
{
    double sum = 0;
    for (int64_t b = 0; b < c->out[0].shape[0]; b++)
        for (int64_t p = 0; p < w->places; p++) sum += (double)g->out[0][(b * c->out[0].shape[1] + o) * w->places + p];
    g->in[2][o] += (float)sum;
}

void pcs_conv_backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_window w = pcs_window_of(c->attr, &c->in[0], &c->out[0], c->in[1].shape + 2);
    const int64_t groups = c->attr[PCS_CONV_GROUPS].integer, blocks = ((int64_t)each_of(c) + 15) / 16;
    if (!pcs_arg_count(&c->out[0])) return;
    if (g->in[0]) images_back(c, &w, g, ith, nth);
    for (int64_t i = ith; g->in[1] && i < groups * blocks; i += nth)
        taps_back(c, &w, g, i / blocks, i % blocks * 16,
                   (float *)(void *)(c->scratch + ith * c->scratch_size));
    for (int64_t o = ith; c->n_in > 2 && g->in[2] && o < c->out[0].shape[1]; o += nth) bias_back(c, &w, g, o);
}
