/* codes_conv - x[batch, height, width, in] of codes with panels of weights (kernel/codes.h), sums that begin with
 * `first` (bias less the zero point's share), a factor of each channel: codes [batch, height, width, out]. Padding is
 * x's zero point. A group's channels have panels of their own; where each channel is a group, weights lie by taps.
 *
 * Windows are copied next to one another for a tile of places, unless they lie so already. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { STRIDES, PADS, DILATIONS, KERNEL, GROUPS, CHANNELS, ZERO_IN, RANGE };

typedef struct {
    int64_t groups, each, outs; /* channels of a group, in and out */
    size_t taps, k, lines, panels, height, kernel;
    bool depthwise;
} layout;

static bool layout_of(const precis_attr *attr, int64_t channels, layout *l)
{
    const int64_t groups = attr[GROUPS].integer, outs = attr[CHANNELS].integer;
    if (attr[KERNEL].n != 2 || groups < 1 || outs < 1 || outs > 1 << 24 || channels % groups || outs % groups)
        return false;
    *l = (layout){ .groups = groups, .each = channels / groups, .outs = outs / groups };
    uint64_t taps = 1, k;
    for (int i = 0; i < 2; i++)
        if (attr[KERNEL].list[i] < 1 || !pcs_mul_ok(taps, (uint64_t)attr[KERNEL].list[i], &taps)) return false;
    if (!pcs_mul_ok(taps, (uint64_t)l->each, &k) || k > INT32_MAX / (255 * 128)) return false;
    l->taps = (size_t)taps;
    l->k = (size_t)k;
    l->depthwise = groups > 1 && groups == channels && groups == outs;
    l->lines = pcs_codes_lines(l->k);
    l->panels = pcs_codes_panels((size_t)l->outs);
    l->height = (size_t)attr[KERNEL].list[0];
    l->kernel = (size_t)attr[KERNEL].list[1];
    return true;
}

static uint64_t weight_bytes(const layout *l)
{
    return l->depthwise ? pcs_codes_taps_bytes((size_t)l->groups, l->height, l->kernel)
                        : (uint64_t)l->groups * l->panels * l->lines * 64;
}
/* Elements of arrays by output. */
static uint64_t padded(const layout *l)
{
    return l->depthwise ? pcs_codes_align((size_t)l->groups) : (uint64_t)l->groups * l->panels * PCS_CODES_PANEL;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    layout l;
    if (!pcs_codes_known(x, 4) || pcs_window_check(g, n, n->attr, 2) || !layout_of(n->attr, x->shape[3], &l) ||
        !pcs_codes_range_ok(n->attr + RANGE) || n->attr[ZERO_IN].integer < 0 || n->attr[ZERO_IN].integer > 255)
        return g->error ? g->error : pcs_op_fail(g, n, "takes x[batch, height, width, channels] of U8");
    if (!pcs_codes_holds(&g->values[n->in[1]], PCS_I8, weight_bytes(&l)) ||
        !pcs_codes_holds(&g->values[n->in[2]], PCS_I32, padded(&l)) ||
        !pcs_codes_holds(&g->values[n->in[3]], PCS_I32, padded(&l)) ||
        !pcs_codes_holds(&g->values[n->in[4]], PCS_F32, padded(&l)))
        return pcs_op_fail(g, n, "has weights of another layout");
    out->dtype = PCS_U8;
    out->dims = 4;
    out->shape[0] = x->shape[0];
    for (uint32_t i = 0; i < 2; i++) {
        const pcs_window_axis axis = { 2, i, x->shape[1 + i], n->attr[KERNEL].list[i], false };
        out->shape[1 + i] = pcs_window_places(g, n, &axis);
    }
    out->shape[3] = n->attr[CHANNELS].integer;
    return g->error;
}

typedef struct {
    const pcs_call *c;
    layout l;
    int64_t h, w, channels, oh, ow, stride[2], pad[2], dilation[2], kernel[2];
    uint8_t zero;
} run;

static run run_of(const pcs_call *c)
{
    run r = { .c = c,
              .h = c->in[0].shape[1],
              .w = c->in[0].shape[2],
              .channels = c->in[0].shape[3],
              .oh = c->out[0].shape[1],
              .ow = c->out[0].shape[2],
              .zero = (uint8_t)c->attr[ZERO_IN].integer };
    layout_of(c->attr, r.channels, &r.l);
    for (uint32_t i = 0; i < 2; i++) {
        r.stride[i] = pcs_listed(&c->attr[STRIDES], i, 1);
        r.pad[i] = pcs_listed(&c->attr[PADS], i, 0);
        r.dilation[i] = pcs_listed(&c->attr[DILATIONS], i, 1);
        r.kernel[i] = c->attr[KERNEL].list[i];
    }
    return r;
}

static size_t scratch(const pcs_call *c)
{
    const run r = run_of(c);
    const size_t step = pcs_codes_step(r.l.lines);
    return r.l.depthwise ? 2 * (size_t)r.kernel[0] * sizeof(void *) + 64 : pcs_codes_tile(step) * step + 128;
}

/* In parts of 16 bytes: up to 15 more are read and written, which values and rows have room for. */
static void copy(uint8_t *to, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i += 16) memcpy(to + i, from + i, 16);
}

/* A window that is inside of x altogether, whose rows lie together. */
static void inner_window(const run *r, const uint8_t *from, size_t row, uint8_t *to)
{
    const size_t step = (size_t)(r->dilation[0] * r->w * r->channels);
    for (int64_t a = 0; a < r->kernel[0]; a++, to += row, from += step) copy(to, from, row);
}

/* The window of one place, of channels from x on; what lies outside is zero. */
static void window(const run *r, const uint8_t *x, int64_t y0, int64_t x0, uint8_t *to)
{
    const size_t each = (size_t)r->l.each, row = (size_t)r->kernel[1] * each;
    const bool together = r->dilation[1] == 1 && r->l.groups == 1 && x0 >= 0 && x0 + r->kernel[1] <= r->w;
    if (together && y0 >= 0 && y0 + (r->kernel[0] - 1) * r->dilation[0] < r->h) {
        inner_window(r, x + (y0 * r->w + x0) * r->channels, row, to);
        return;
    }
    for (int64_t a = 0; a < r->kernel[0]; a++, to += row) {
        const int64_t y = y0 + a * r->dilation[0];
        if (y < 0 || y >= r->h) {
            memset(to, r->zero, row);
            continue;
        }
        const uint8_t *from = x + y * r->w * r->channels;
        if (together) {
            copy(to, from + x0 * r->channels, row);
            continue;
        }
        for (int64_t e = 0; e < r->kernel[1]; e++) {
            const int64_t v = x0 + e * r->dilation[1];
            if (v < 0 || v >= r->w) memset(to + (size_t)e * each, r->zero, each);
            else memcpy(to + (size_t)e * each, from + v * r->channels, each);
        }
    }
}

/* The windows of n places from p on, `step` bytes apart. */
static void windows(const run *r, const uint8_t *x, size_t p, size_t n, uint8_t *to, size_t step)
{
    const int64_t area = r->oh * r->ow, rest = (int64_t)p % area;
    const uint8_t *image = x + (int64_t)p / area * r->h * r->w * r->channels;
    int64_t y = rest / r->ow, v = rest % r->ow;
    for (size_t i = 0; i < n; i++, to += step) {
        window(r, image, y * r->stride[0] - r->pad[0], v * r->stride[1] - r->pad[1], to);
        if (++v < r->ow) continue;
        v = 0;
        if (++y < r->oh) continue;
        y = 0;
        image += r->h * r->w * r->channels;
    }
}

/* Do windows lie next to one another as they are? */
static bool in_place(const run *r)
{
    bool plain = r->l.groups == 1 && r->l.taps == 1 && r->oh == r->h && r->ow == r->w;
    for (int i = 0; i < 2; i++) plain = plain && r->stride[i] == 1 && r->pad[i] == 0;
    return plain;
}

/* Rows [m0, m1) of places times panels [p0, p1) of a group. */
typedef struct { int64_t group; size_t m0, m1, p0, p1; } tile_part;
static void multiply_part(const run *r, const tile_part *part, uint32_t ith)
{
    const int64_t group = part->group;
    const size_t m0 = part->m0, m1 = part->m1, p0 = part->p0, p1 = part->p1;
    const pcs_call *c = r->c;
    const layout *l = &r->l;
    const size_t step = pcs_codes_step(l->lines), tile = pcs_codes_tile(step), all = (size_t)(l->groups * l->outs),
                 at = (size_t)group * l->panels + p0, n0 = p0 * PCS_CODES_PANEL,
                 n1 = p1 * PCS_CODES_PANEL < (size_t)l->outs ? p1 * PCS_CODES_PANEL : (size_t)l->outs;
    const bool direct = in_place(r);
    uint8_t *room = (uint8_t *)c->scratch + ith * c->scratch_size;
    room += (64 - (uintptr_t)room % 64) % 64;
    pcs_codes_gemm_args args = { .a = room,
                                 .lda = step,
                                 .w = (const int8_t *)c->in[1].data + at * l->lines * 64,
                                 .lines = l->lines,
                                 .n = n1 - n0,
                                 .to = pcs_codes_range(c->attr + RANGE),
                                 .ldy = all };
    args.first = (const int32_t *)c->in[2].data + at * PCS_CODES_PANEL;
    args.sums = (const int32_t *)c->in[3].data + at * PCS_CODES_PANEL;
    args.factor = (const float *)c->in[4].data + at * PCS_CODES_PANEL;
    const uint8_t *x = (const uint8_t *)c->in[0].data + group * l->each;
    for (size_t m = m0; m < m1; m += tile) {
        args.m = m1 - m < tile ? m1 - m : tile;
        if (!direct) windows(r, x, m, args.m, room, step);
        if (direct) args.a = x + m * (size_t)r->channels, args.lda = (size_t)r->channels;
        args.y = (uint8_t *)c->out[0].data + m * all + (size_t)(group * l->outs) + n0;
        c->kernels->codes_gemm(&args);
    }
}

/* Two rows of results at a time: next to one another they share most of what they see. */
static void depthwise(const run *r, uint32_t ith, uint32_t nth)
{
    const pcs_call *c = r->c;
    const uint8_t **rows = (const uint8_t **)(void *)(c->scratch + ith * c->scratch_size);
    const int64_t images = c->in[0].shape[0], pairs = (r->oh + 1) / 2;
    uint64_t begin, end;
    pcs_share((uint64_t)(images * pairs), 1, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) {
        const int64_t image = (int64_t)i / pairs, y = (int64_t)i % pairs * 2, n = r->oh - y < 2 ? 1 : 2;
        const uint8_t *x = (const uint8_t *)c->in[0].data + image * r->h * r->w * r->channels;
        for (int64_t j = 0; j < n; j++)
            for (int64_t a = 0; a < r->kernel[0]; a++) {
                const int64_t v = (y + j) * r->stride[0] - r->pad[0] + a * r->dilation[0];
                rows[j * r->kernel[0] + a] = v < 0 || v >= r->h ? NULL : x + v * r->w * r->channels;
            }
        c->kernels->codes_depthwise(
            &(pcs_codes_depthwise_args){ .rows = rows,
                                         .n_rows = (size_t)n,
                                         .height = (size_t)r->kernel[0],
                                         .kernel = (size_t)r->kernel[1],
                                         .width = (size_t)r->w,
                                         .pixels = (size_t)r->ow,
                                         .channels = (size_t)r->channels,
                                         .stride = r->stride[1],
                                         .pad = r->pad[1],
                                         .dilation = r->dilation[1],
                                         .w = c->in[1].data,
                                         .first = c->in[2].data,
                                         .factor = c->in[4].data,
                                         .zero_in = r->zero,
                                         .to = pcs_codes_range(c->attr + RANGE),
                                         .y = (uint8_t *)c->out[0].data + (image * r->oh + y) * r->ow * r->channels });
    }
}

static uint64_t products(const pcs_call *c)
{
    const run r = run_of(c);
    return (uint64_t)pcs_arg_count(&c->out[0]) * (r.l.depthwise ? r.l.taps : r.l.k);
}

/* Threads share places out, or channels where those are more: then each reads a part of the weights. */
static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const run r = run_of(c);
    const uint64_t places = (uint64_t)(c->in[0].shape[0] * r.oh * r.ow), panels = r.l.panels;
    uint64_t begin, end;
    if (r.l.depthwise) {
        depthwise(&r, ith, nth);
        return;
    }
    const bool by_panels = (uint64_t)r.l.outs > places && panels >= 4 * (uint64_t)nth;
    pcs_share(by_panels ? panels : places, by_panels ? 2 : 1, ith, nth, &begin, &end);
    for (int64_t g = 0; g < r.l.groups && begin < end; g++) {
        const tile_part part = by_panels ? (tile_part){ g, 0, places, begin, end }
                                         : (tile_part){ g, begin, end, 0, panels };
        multiply_part(&r, &part, ith);
    }
}

const pcs_op pcs_op_codes_conv = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_conv",
    .min_in = 5,
    .max_in = 5,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("strides"), PCS_LIST("pads"), PCS_LIST("dilations"), PCS_LIST("kernel"),
                            PCS_INT("groups", 1), PCS_INT("channels", 0), PCS_INT("zero_in", 0), PCS_CODES_RANGE),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .products = products,
};
