/* codes_conv - x[batch, height, width, in] of codes with panels of weights (kernel/codes.h), sums that begin with
 * `first` (bias less the zero point's share), a factor of each channel: codes [batch, height, width, out]. Padding is
 * x's zero point. A group's channels have panels of their own; where each channel is a group, weights lie by taps.
 *
 * With six inputs the codes are those of one run (ConvInteger): x, weights, bias, sums, scale (one, or one of each
 * channel), x's zero point; numbers (float)sum * scale + bias, [batch, out, height, width] as they are read. Weights of
 * a depthwise one are [taps][channels] then.
 *
 * Windows are copied next to one another for a tile of places, unless they lie so already. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { X, WEIGHTS, BIAS, SUMS, SCALE, ZERO, OF_A_RUN = ZERO + 1 };
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

static bool operands_of_a_run(const precis_graph *g, const pcs_node *n, const layout *l)
{
    const pcs_value *s = &g->values[n->in[SCALE]], *w = &g->values[n->in[WEIGHTS]];
    const uint64_t all = (uint64_t)(l->groups * l->outs), plain = l->depthwise ? all : padded(l);
    return pcs_codes_holds(w, PCS_I8, l->depthwise ? (uint64_t)l->taps * all : weight_bytes(l)) &&
           pcs_codes_holds(&g->values[n->in[BIAS]], PCS_F32, plain) &&
           pcs_codes_holds(&g->values[n->in[SUMS]], PCS_I32, plain) &&
           pcs_codes_holds(&g->values[n->in[ZERO]], PCS_U8, 1) &&
           (pcs_codes_holds(s, PCS_F32, 1) || pcs_codes_holds(s, PCS_F32, all));
}

static bool operands_in_codes(const precis_graph *g, const pcs_node *n, const layout *l)
{
    return pcs_codes_holds(&g->values[n->in[1]], PCS_I8, weight_bytes(l)) &&
           pcs_codes_holds(&g->values[n->in[2]], PCS_I32, padded(l)) &&
           pcs_codes_holds(&g->values[n->in[3]], PCS_I32, padded(l)) &&
           pcs_codes_holds(&g->values[n->in[4]], PCS_F32, padded(l));
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    layout l;
    if (!pcs_codes_known(x, 4) || pcs_window_check(g, n, n->attr, 2) || !layout_of(n->attr, x->shape[3], &l) ||
        !pcs_codes_range_ok(n->attr + RANGE) || n->attr[ZERO_IN].integer < 0 || n->attr[ZERO_IN].integer > 255)
        return g->error ? g->error : pcs_op_fail(g, n, "takes x[batch, height, width, channels] of U8");
    if (n->n_in == OF_A_RUN ? !operands_of_a_run(g, n, &l) : !operands_in_codes(g, n, &l))
        return pcs_op_fail(g, n, "has weights of another layout");
    out->dtype = n->n_in == OF_A_RUN ? PCS_F32 : PCS_U8;
    out->dims = 4;
    out->shape[0] = x->shape[0];
    for (uint32_t i = 0; i < 2; i++) {
        const pcs_window_axis axis = { 2, i, x->shape[1 + i], n->attr[KERNEL].list[i], false };
        out->shape[1 + i] = pcs_window_places(g, n, &axis);
    }
    out->shape[3] = n->attr[CHANNELS].integer;
    if (n->n_in != OF_A_RUN) return g->error;
    out->shape[3] = out->shape[2];
    out->shape[2] = out->shape[1];
    out->shape[1] = n->attr[CHANNELS].integer;
    return g->error;
}

typedef struct {
    const pcs_call *c;
    layout l;
    int64_t h, w, channels, oh, ow, stride[2], pad[2], dilation[2], kernel[2];
    uint8_t zero;
    const float *factors; /* of a run */
} run;

static run run_of(const pcs_call *c)
{
    run r = { .c = c,
              .h = c->in[0].shape[1],
              .w = c->in[0].shape[2],
              .channels = c->in[0].shape[3],
              .oh = c->out[0].shape[c->n_in == OF_A_RUN ? 2 : 1],
              .ow = c->out[0].shape[c->n_in == OF_A_RUN ? 3 : 2],
              .zero = (uint8_t)c->attr[ZERO_IN].integer };
    if (c->n_in == OF_A_RUN && c->in[ZERO].data) r.zero = *(const uint8_t *)c->in[ZERO].data;
    layout_of(c->attr, r.channels, &r.l);
    for (uint32_t i = 0; i < 2; i++) {
        r.stride[i] = pcs_listed(&c->attr[STRIDES], i, 1);
        r.pad[i] = pcs_listed(&c->attr[PADS], i, 0);
        r.dilation[i] = pcs_listed(&c->attr[DILATIONS], i, 1);
        r.kernel[i] = c->attr[KERNEL].list[i];
    }
    return r;
}

enum { OUTS_AT_A_TIME = 128, PLACES_AT_A_TIME = 16 }; /* of a run: what is turned before it is written */

static size_t scratch(const pcs_call *c)
{
    const run r = run_of(c);
    const size_t step = pcs_codes_step(r.l.lines), columns = (size_t)padded(&r.l);
    const size_t turned = pcs_codes_tile(step) * OUTS_AT_A_TIME * sizeof(float);
    if (c->n_in == OF_A_RUN && r.l.depthwise) return (size_t)r.channels * PLACES_AT_A_TIME * sizeof(int32_t) + 64;
    if (r.l.depthwise) return 2 * (size_t)r.kernel[0] * sizeof(void *) + 64;
    return pcs_codes_tile(step) * step + 128 + (c->n_in == OF_A_RUN ? 8 * columns + turned : 0);
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

/* Numbers of m places from p on, ld apart, of n channels from o on, to where they belong. */
typedef struct { const float *from; size_t ld, p, m, o, n; } turned;
static void turn_places(const run *r, const turned *t)
{
    const size_t area = (size_t)(r->oh * r->ow), all = (size_t)(r->l.groups * r->l.outs);
    float *y = (float *)r->c->out[0].data;
    for (size_t i = 0, most; i < t->m; i += most) {
        const size_t image = (t->p + i) / area, rest = (t->p + i) % area;
        most = area - rest < t->m - i ? area - rest : t->m - i;
        for (size_t o = 0; o < t->n; o++) {
            float *to = y + (image * all + t->o + o) * area + rest;
            for (size_t k = 0; k < most; k++) to[k] = t->from[(i + k) * t->ld + o];
        }
    }
}

/* The products of a tile of places from m on, with channels from o on: some at a time, after the factors. */
static void numbers(const run *r, const pcs_codes_gemm_args *tile, size_t m, size_t o)
{
    pcs_codes_gemm_args args = *tile;
    const size_t panels = (size_t)padded(&r->l);
    args.yf = (float *)(uintptr_t)(r->factors + panels);
    args.ldy = OUTS_AT_A_TIME;
    for (size_t n = 0; n < tile->n; n += OUTS_AT_A_TIME) {
        args.n = tile->n - n < OUTS_AT_A_TIME ? tile->n - n : OUTS_AT_A_TIME;
        args.w = tile->w + n / PCS_CODES_PANEL * tile->lines * 64;
        args.first = tile->first + n;
        args.sums = tile->sums + n;
        args.factor = tile->factor + n;
        args.bias = tile->bias + n;
        r->c->kernels->codes_gemm_f32(&args);
        turn_places(r, &(turned){ args.yf, OUTS_AT_A_TIME, m, args.m, o + n, args.n });
    }
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
    const bool of_a_run = c->n_in == OF_A_RUN;
    const int32_t *first = of_a_run ? (const int32_t *)(const void *)(room + pcs_codes_tile(step) * step)
                                    : (const int32_t *)c->in[2].data;
    args.first = first + at * PCS_CODES_PANEL;
    args.sums = (const int32_t *)c->in[3].data + at * PCS_CODES_PANEL;
    args.factor = (of_a_run ? r->factors : (const float *)c->in[4].data) + at * PCS_CODES_PANEL;
    if (of_a_run) args.bias = (const float *)c->in[BIAS].data + at * PCS_CODES_PANEL;
    const uint8_t *x = (const uint8_t *)c->in[0].data + group * l->each;
    for (size_t m = m0; m < m1; m += tile) {
        args.m = m1 - m < tile ? m1 - m : tile;
        if (!direct) windows(r, x, m, args.m, room, step);
        if (direct) args.a = x + m * (size_t)r->channels, args.lda = (size_t)r->channels;
        args.y = (uint8_t *)c->out[0].data + m * all + (size_t)(group * l->outs) + n0;
        if (of_a_run) numbers(r, &args, m, (size_t)(group * l->outs) + n0);
        else c->kernels->codes_gemm(&args);
    }
}

/* Of a run: what sums begin with, and what they are multiplied by, after the windows in the thread's scratch. */
static void factors_of_run(run *r, uint32_t ith)
{
    const pcs_call *c = r->c;
    const size_t step = pcs_codes_step(r->l.lines), all = (size_t)padded(&r->l), outs = (size_t)r->l.outs;
    uint8_t *room = (uint8_t *)c->scratch + ith * c->scratch_size;
    room += (64 - (uintptr_t)room % 64) % 64;
    int32_t *first = (int32_t *)(void *)(room + pcs_codes_tile(step) * step);
    float *factor = (float *)(void *)(first + all);
    const int32_t *sums = c->in[SUMS].data;
    const float *scale = c->in[SCALE].data;
    const bool one = pcs_arg_count(&c->in[SCALE]) == 1;
    r->factors = factor;
    for (size_t i = 0; i < all; i++) {
        const size_t group = i / (r->l.panels * PCS_CODES_PANEL), o = i % (r->l.panels * PCS_CODES_PANEL);
        first[i] = -(int32_t)r->zero * sums[i];
        factor[i] = o < outs ? scale[one ? 0 : group * outs + o] : 0;
    }
}

enum { BLOCK = 64 }; /* channels: a count that compilers know, so that they take several at a time */

static void add_taps(int32_t *to, const uint8_t *x, const int8_t *w, int32_t zero, size_t n)
{
    for (; n >= BLOCK; n -= BLOCK, to += BLOCK, x += BLOCK, w += BLOCK)
        for (size_t i = 0; i < BLOCK; i++) to[i] += (int16_t)((int16_t)x[i] - (int16_t)zero) * (int16_t)w[i];
    for (size_t i = 0; i < n; i++) to[i] += ((int32_t)x[i] - zero) * w[i];
}

/* Sums of one place of a depthwise convolution. What lies outside is the zero point, which adds nothing. */
static void sums_at(const run *r, const uint8_t *image, int64_t oy, int64_t ox, int32_t *sums)
{
    const size_t n = (size_t)r->channels;
    memset(sums, 0, n * sizeof *sums);
    for (int64_t a = 0; a < r->kernel[0]; a++) {
        const int64_t y = oy * r->stride[0] - r->pad[0] + a * r->dilation[0];
        if (y < 0 || y >= r->h) continue;
        for (int64_t e = 0; e < r->kernel[1]; e++) {
            const int64_t v = ox * r->stride[1] - r->pad[1] + e * r->dilation[1];
            if (v < 0 || v >= r->w) continue;
            add_taps(sums, image + (y * r->w + v) * r->channels,
                     (const int8_t *)r->c->in[WEIGHTS].data + (a * r->kernel[1] + e) * r->channels, r->zero, n);
        }
    }
}

static void depthwise_numbers(const run *r, uint32_t ith, uint32_t nth)
{
    const pcs_call *c = r->c;
    const size_t n = (size_t)r->channels;
    const bool one = pcs_arg_count(&c->in[SCALE]) == 1;
    const float *scale = c->in[SCALE].data, *bias = c->in[BIAS].data;
    int32_t *sums = (int32_t *)(void *)(c->scratch + ith * c->scratch_size);
    uint64_t begin, end;
    pcs_share((uint64_t)(c->in[0].shape[0] * r->oh * r->ow), 1, ith, nth, &begin, &end);
    for (uint64_t p = begin, some; p < end; p += some) {
        some = end - p < PLACES_AT_A_TIME ? end - p : PLACES_AT_A_TIME;
        for (uint64_t k = 0; k < some; k++) {
            const int64_t area = r->oh * r->ow, at = (int64_t)(p + k), rest = at % area;
            int32_t *to = sums + k * n;
            float *y = (float *)(void *)to; /* in place: element i is read before it is written */
            sums_at(r, (const uint8_t *)c->in[0].data + at / area * r->h * r->w * r->channels, rest / r->ow,
                    rest % r->ow, to);
            for (size_t i = 0; i < n; i++) {
                const float v = (float)to[i] * scale[one ? 0 : i] + bias[i];
                memcpy(&y[i], &v, sizeof v);
            }
        }
        turn_places(r, &(turned){ (const float *)(const void *)sums, n, (size_t)p, (size_t)some, 0, n });
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
    run r = run_of(c);
    const uint64_t places = (uint64_t)(c->in[0].shape[0] * r.oh * r.ow), panels = r.l.panels;
    uint64_t begin, end;
    if (r.l.depthwise) {
        if (c->n_in == OF_A_RUN) depthwise_numbers(&r, ith, nth);
        else depthwise(&r, ith, nth);
        return;
    }
    if (c->n_in == OF_A_RUN) factors_of_run(&r, ith);
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
    .max_in = 6,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("strides"), PCS_LIST("pads"), PCS_LIST("dilations"), PCS_LIST("kernel"),
                            PCS_INT("groups", 1), PCS_INT("channels", 0), PCS_INT("zero_in", 0), PCS_CODES_RANGE),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .products = products,
};
