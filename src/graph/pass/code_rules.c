/* code_rules.c - which nodes can be nodes of codes, and what they become (pass fuse_codes). */
#include "graph/pass/codes.h"

#include <stdio.h>

extern const pcs_op pcs_op_conv, pcs_op_matmul, pcs_op_product, pcs_op_add, pcs_op_mul, pcs_op_pool, pcs_op_reduce,
    pcs_op_relu, pcs_op_min, pcs_op_max, pcs_op_reshape, pcs_op_transpose, pcs_op_slice, pcs_op_concat;

pcs_clamp pcs_clamps_of(const pcs_op *op)
{
    return op == &pcs_op_relu || op == &pcs_op_max ? PCS_CLAMP_BELOW
           : op == &pcs_op_min                     ? PCS_CLAMP_ABOVE
                                                   : PCS_CLAMP_NONE;
}

bool pcs_same_count(const pcs_value *a, const pcs_value *b)
{
    int64_t known[2] = { 1, 1 };
    uint32_t i = 0, k = 0;
    for (;;) { /* the sizes that are not known are the same, one after another */
        for (; i < a->dims && !pcs_dim_is_id(a->shape[i]); i++) known[0] *= a->shape[i];
        for (; k < b->dims && !pcs_dim_is_id(b->shape[k]); k++) known[1] *= b->shape[k];
        if (i == a->dims || k == b->dims) return i == a->dims && k == b->dims && known[0] == known[1];
        if (a->shape[i++] != b->shape[k++]) return false;
    }
}

/* ---- codes of one scale ------------------------------------------------------------------------ */

bool pcs_one_scale(const precis_graph *g, precis_value scale, precis_value zero, float *s, int32_t *z)
{
    const pcs_value *sv = &g->values[scale], *zv = &g->values[zero];
    const float *number = pcs_value_f32(sv, 1);
    const uint8_t *u8 = pcs_value_elements(zv, PCS_U8, 1);
    const int8_t *i8 = pcs_value_elements(zv, PCS_I8, 1);
    if (!number || (!u8 && !i8) || pcs_value_count(sv) != 1 || pcs_value_count(zv) != 1) return false;
    *s = *number;
    *z = u8 ? *u8 : *i8 + 128;
    return *s > 0 && *s <= 3.4028234e38f;
}

bool pcs_coded_of(const precis_graph *g, const pcs_node *nodes, precis_value v, pcs_coded *out)
{
    const pcs_node *n = pcs_node_making(g, nodes, v);
    if (!n || !n->op->decodes || n->n_in != 3 || g->values[v].dtype != PCS_F32) return false;
    const pcs_value *x = &g->values[n->in[0]];
    if ((x->dtype != PCS_U8 && x->dtype != PCS_I8) || pcs_value_is_known(x) || !pcs_value_sized(x)) return false;
    out->value = n->in[0];
    return pcs_one_scale(g, n->in[1], n->in[2], &out->scale, &out->zero);
}

/* ---- weights ------------------------------------------------------------------------------------ */

/* What a decoding node of constant codes of 8 bits reads; NULL: v is something else. */
static const pcs_node *decoded(const precis_graph *g, const pcs_node *nodes, precis_value v, pcs_dtype a, pcs_dtype b)
{
    const pcs_node *n = pcs_node_making(g, nodes, v);
    if (!n || !n->op->decodes || n->n_in != 3 || g->values[v].dtype != PCS_F32) return NULL;
    for (int i = 0; i < 3; i++)
        if (!pcs_value_host(&g->values[n->in[i]])) return NULL;
    const pcs_value *x = &g->values[n->in[0]], *s = &g->values[n->in[1]], *z = &g->values[n->in[2]];
    const bool same = s->dims == z->dims && !memcmp(s->shape, z->shape, s->dims * sizeof s->shape[0]);
    return (x->dtype == a || x->dtype == b) && s->dtype == PCS_F32 && same ? n : NULL;
}

/* Weights lie in rows that are the first dimension (`columns`: the last of two). The stride of scales from row to row,
 * or -1: they are not by row. */
static int64_t scale_stride(const pcs_value *w, const pcs_value *s, bool columns)
{
    const uint32_t axis = columns ? w->dims - 1 : 0;
    if (pcs_value_count(s) == 1) return 0;
    if (s->dims > w->dims || pcs_value_count(s) != w->shape[axis]) return -1;
    const uint32_t own = axis - (w->dims - s->dims);
    return axis >= w->dims - s->dims && s->shape[own] == w->shape[axis] ? 1 : -1;
}

/* Codes of 8 bits with or without a sign. */
typedef struct {
    const int8_t *i8;
    const uint8_t *u8;
} codes8;

/* All of a value's, `n` at the least; both are NULL where they are of another type, or fewer. */
static codes8 codes_of(const pcs_value *v, uint64_t n)
{
    return (codes8){ pcs_value_elements(v, PCS_I8, n), pcs_value_elements(v, PCS_U8, n) };
}

static int32_t code_at(const codes8 *c, size_t i) { return c->i8 ? c->i8[i] : c->u8[i]; }

bool pcs_code_weights_are(const precis_graph *g, const pcs_node *nodes, precis_value v, bool columns)
{
    const pcs_node *n = decoded(g, nodes, v, PCS_I8, PCS_U8);
    if (!n) return false;
    const pcs_value *w = &g->values[n->in[0]], *s = &g->values[n->in[1]], *z = &g->values[n->in[2]];
    if (w->dims < 2 || (columns && w->dims != 2) || pcs_value_count(w) < 1) return false;
    const int64_t stride = scale_stride(w, s, columns), rows = w->shape[columns ? w->dims - 1 : 0];
    if (stride < 0) return false;
    const int64_t count = pcs_value_count(w), n_scales = stride ? rows : 1;
    const float *scale = pcs_value_f32(s, (uint64_t)n_scales);
    const codes8 codes = codes_of(w, (uint64_t)count), zeros = codes_of(z, (uint64_t)n_scales);
    if (!scale || (!codes.i8 && !codes.u8) || (!zeros.i8 && !zeros.u8)) return false;
    for (int64_t r = 0; r < n_scales; r++)
        if (!(scale[r] > 0) || scale[r] > 3e38f) return false;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = columns ? i % rows : i / (count / rows);
        const int32_t q = code_at(&codes, (size_t)i) - code_at(&zeros, (size_t)(row * stride));
        if (q < -128 || q > 127) return false;
    }
    return true;
}

bool pcs_code_weights_of(precis_graph *g, const pcs_node *nodes, precis_value v, bool columns, pcs_code_weights *out)
{
    const pcs_node *n = decoded(g, nodes, v, PCS_I8, PCS_U8);
    const pcs_value *w = &g->values[n->in[0]], *s = &g->values[n->in[1]], *z = &g->values[n->in[2]];
    const int64_t stride = scale_stride(w, s, columns);
    const float *scale = pcs_value_f32(s, (uint64_t)pcs_value_count(s));
    const codes8 codes = codes_of(w, (uint64_t)pcs_value_count(w)), zeros = codes_of(z, (uint64_t)pcs_value_count(z));
    if (!scale || (!codes.i8 && !codes.u8) || (!zeros.i8 && !zeros.u8))
        return pcs_op_fail(g, n, "has fewer codes than its shape"), false;
    out->rows = (size_t)w->shape[columns ? w->dims - 1 : 0];
    out->k = (size_t)pcs_value_count(w) / out->rows;
    out->scale = pcs_alloc(g->ctx, out->rows * (sizeof(float) + out->k) + 64, 1);
    if (!out->scale) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx)), false;
    out->w = (int8_t *)(out->scale + out->rows);
    for (size_t r = 0; r < out->rows; r++) {
        out->scale[r] = scale[r * (size_t)stride];
        for (size_t i = 0; i < out->k; i++)
            out->w[r * out->k + i] = (int8_t)(code_at(&codes, columns ? i * out->rows + r : r * out->k + i) -
                                              code_at(&zeros, r * (size_t)stride));
    }
    return true;
}

precis_value pcs_code_constant(precis_graph *g, const char *name, pcs_dtype d, int64_t n, const void *data)
{
    static const pcs_affine whole = { 0 };
    const size_t bytes = (size_t)n * pcs_dtype_bytes(d);
    void *own = pcs_arena_alloc(&g->arena, bytes + 64, 1);
    if (!own) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    own = (char *)own + (64 - (uintptr_t)own % 64) % 64;
    memcpy(own, data, bytes);
    return pcs_graph_codes(g, name, &(pcs_code_value){ d, 1, &n, own, &whole });
}

/* ---- products ----------------------------------------------------------------------------------- */

/* A bias by row: I32 at the scale of the sums, or numbers. None: bias < 0. */
static bool bias_is(const precis_graph *g, const pcs_node *nodes, precis_value bias, int64_t rows)
{
    if (bias < 0) return true;
    const pcs_value *b = &g->values[bias];
    if (b->dtype != PCS_F32 || pcs_value_count(b) != rows || b->shape[b->dims ? b->dims - 1 : 0] != rows) return false;
    if (pcs_value_is_known(b)) return true;
    const pcs_node *n = decoded(g, nodes, bias, PCS_I32, PCS_I32);
    if (!n) return false;
    const pcs_value *z = &g->values[n->in[2]];
    const int32_t *zero = pcs_value_elements(z, PCS_I32, (uint64_t)pcs_value_count(z));
    for (int64_t i = 0; i < pcs_value_count(z); i++)
        if (!zero || zero[i]) return false;
    return pcs_value_count(z) == 1 || pcs_value_count(z) == rows;
}

typedef struct { double unit; int64_t most; } bias_room;

/* The bias of row r in whole numbers of `unit`; false: it is more than `most`, all that a sum has room for beside k
 * products. */
static bool bias_at(const precis_graph *g, const pcs_node *nodes, precis_value bias, size_t r, bias_room room,
                    int64_t *out)
{
    const double unit = room.unit;
    *out = 0;
    if (bias < 0) return true;
    const pcs_value *b = &g->values[bias];
    const pcs_node *n = pcs_value_is_known(b) ? NULL : pcs_node_making(g, nodes, bias);
    const float *numbers = pcs_value_f32(b, r + 1);
    double x;
    if (!n && !numbers) return false;
    if (!n) x = (double)numbers[r] / unit;
    else {
        const pcs_value *s = &g->values[n->in[1]];
        const size_t at = pcs_value_count(s) > 1 ? r : 0;
        const float *scales = pcs_value_f32(s, at + 1);
        const int32_t *codes = pcs_value_elements(&g->values[n->in[0]], PCS_I32, r + 1);
        if (!scales || !codes) return false;
        const double scale = (double)scales[at];
        const int32_t code = codes[r];
        x = scale >= unit * (1 - 1e-6) && scale <= unit * (1 + 1e-6) ? (double)code : (double)code * scale / unit;
    }
    if (!(x >= -(double)room.most && x <= (double)room.most)) return false;
    *out = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    return true;
}

/* Panels of weights, and arrays by output, of a product in `groups`. */
typedef struct {
    precis_value w, first, sums, factor;
} operands;

typedef struct {
    precis_graph *g;
    const pcs_node *nodes;
    const pcs_fused *f;
    pcs_code_weights w;
    precis_value bias;
    size_t groups, height, kernel; /* height > 0: depthwise */
} packing;

/* Where row r stands among outputs that are padded by group. */
static size_t place_of(const packing *p, size_t r)
{
    const size_t each = p->w.rows / p->groups;
    return p->height ? r : r / each * pcs_codes_panels(each) * PCS_CODES_PANEL + r % each;
}

static bool fill_row(const packing *p, size_t r, int32_t *first, int32_t *sums, float *factor)
{
    const pcs_fused *f = p->f;
    const float unit = f->in[0].scale * p->w.scale[r];
    const int64_t most = INT32_MAX - (int64_t)p->w.k * 255 * 128;
    int64_t sum = 0, bias;
    for (size_t i = 0; i < p->w.k; i++) sum += p->w.w[r * p->w.k + i];
    if (!(unit > 0) || !bias_at(p->g, p->nodes, p->bias, r, (bias_room){ (double)unit, most }, &bias)) return false;
    const size_t at = place_of(p, r);
    first[at] = (int32_t)(bias - sum * f->in[0].zero);
    sums[at] = (int32_t)sum;
    factor[at] = unit / f->scale;
    return factor[at] <= 3.4028234e38f;
}

/* Rows of [in / groups][taps] as [taps][in / groups]: channels are last in what they are multiplied with. */
static void channels_last(const packing *p, size_t taps, size_t r, int8_t *row)
{
    const size_t channels = p->w.k / taps;
    for (size_t c = 0; c < channels; c++)
        for (size_t t = 0; t < taps; t++) row[t * channels + c] = p->w.w[r * p->w.k + c * taps + t];
}

static void pack_weights(const packing *p, size_t taps, int8_t *row, int8_t *to)
{
    const size_t each = p->w.rows / p->groups, lines = pcs_codes_lines(p->w.k);
    for (size_t r = 0; r < p->w.rows; r++) {
        channels_last(p, taps, r, row);
        for (size_t t = 0; t < p->height * p->kernel; t++)
            to[pcs_codes_tap(r, p->height, p->kernel, t / p->kernel, t % p->kernel)] = row[t];
        if (!p->height)
            pcs_codes_pack_row(to, lines, r / each * pcs_codes_panels(each) * PCS_CODES_PANEL + r % each, row, p->w.k);
    }
}

static bool pack(packing *p, size_t taps, operands *o)
{
    precis_graph *g = p->g;
    const size_t each = p->w.rows / p->groups,
                 n = p->height ? (p->w.rows + 63) / 64 * 64 : p->groups * pcs_codes_panels(each) * 16,
                 bytes = p->height ? pcs_codes_taps_bytes(p->w.rows, p->height, p->kernel)
                                   : p->groups * pcs_codes_bytes(each, p->w.k);
    int32_t *first = pcs_alloc(g->ctx, n + 1, 12);
    int8_t *to = pcs_alloc(g->ctx, bytes + p->w.k + 64, 1);
    bool ok = first && to;
    if (!ok) pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    float *factor = (float *)(void *)(first + 2 * n);
    for (size_t r = 0; r < p->w.rows && ok; r++) ok = fill_row(p, r, first, first + n, factor);
    if (ok) {
        pack_weights(p, taps, to + bytes, to);
        *o = (operands){ pcs_code_constant(g, "weights", PCS_I8, (int64_t)bytes, to),
                         pcs_code_constant(g, "first", PCS_I32, (int64_t)n, first),
                         pcs_code_constant(g, "sums", PCS_I32, (int64_t)n, first + n),
                         pcs_code_constant(g, "factor", PCS_F32, (int64_t)n, factor) };
    }
    pcs_free(g->ctx, first);
    pcs_free(g->ctx, to);
    return ok && !g->error;
}

/* Are biases and factors such that sums hold them? Looked at before anything is made. */
static bool fits(const precis_graph *g, const pcs_node *nodes, const pcs_fused *f, precis_value weights, bool columns,
                 precis_value bias)
{
    pcs_code_weights w;
    if (!pcs_code_weights_are(g, nodes, weights, columns)) return false;
    if (!pcs_code_weights_of((precis_graph *)(uintptr_t)g, nodes, weights, columns, &w)) return false;
    bool ok = w.k <= INT32_MAX / (255 * 128 * 2) && bias_is(g, nodes, bias, (int64_t)w.rows);
    for (size_t r = 0; r < w.rows && ok; r++) {
        const float unit = f->in[0].scale * w.scale[r];
        int64_t b;
        const bias_room room = { (double)unit, INT32_MAX - (int64_t)w.k * 255 * 128 };
        ok = unit > 0 && unit / f->scale <= 3.4028234e38f && bias_at(g, nodes, bias, r, room, &b);
    }
    pcs_free(g->ctx, w.scale);
    return ok;
}

static precis_value bias_of(const pcs_node *n) { return n->n_in > 2 ? n->in[2] : -1; }

/* A bias that is numbers is added to numbers as it is; -1: there is none, or it begins the sums. */
static precis_value added_bias(const precis_graph *g, const pcs_fused *f)
{
    const precis_value b = bias_of(f->core);
    return f->rule->numbers && b >= 0 && pcs_value_is_known(&g->values[b]) ? b : -1;
}

static precis_value padded_bias(precis_graph *g, precis_value bias, size_t outs)
{
    const size_t padded = pcs_codes_panels(outs) * PCS_CODES_PANEL;
    const float *from = pcs_value_f32(&g->values[bias], outs);
    float *to = pcs_alloc(g->ctx, padded, sizeof *to);
    if (!to || !from) {
        pcs_free(g->ctx, to);
        return pcs_graph_fail(g, from ? PRECIS_ENOMEM : PRECIS_EINVAL, "bias %s: no %zu numbers of it are there",
                              g->values[bias].name, outs);
    }
    memcpy(to, from, outs * sizeof *to);
    const precis_value v = pcs_code_constant(g, "bias", PCS_F32, (int64_t)padded, to);
    pcs_free(g->ctx, to);
    return v;
}

static precis_value in_shape(precis_graph *g, const char *name, precis_value x, uint32_t dims, const int64_t *shape)
{
    const precis_value in[] = { x, pcs_code_constant(g, "shape", PCS_I64, dims, shape) };
    return precis_graph_node(g, name, "reshape", NULL, 2, in);
}

/* A convolution of lines is one of planes that are one high. */
static bool match_conv(const precis_graph *g, const pcs_node *nodes, pcs_fused *f)
{
    const pcs_node *n = f->core;
    const pcs_value *x = &g->values[n->in[0]];
    f->n_in = 1;
    f->plain = x->dims == 3;
    return (x->dims == 4 || (f->plain && pcs_value_sized(x))) && pcs_coded_of(g, nodes, n->in[0], &f->in[0]) &&
           fits(g, nodes, f, n->in[1], false, bias_of(n));
}

static precis_attr of_planes(const pcs_fused *f, const char *name, int64_t across, int64_t *room)
{
    const precis_attr *a = pcs_node_attr(f->core, name);
    for (uint32_t i = 0; i < a->n && f->plain; i++) room[2 * i] = across, room[2 * i + 1] = a->list[i];
    return f->plain ? precis_attr_list(name, 2 * a->n, room) : *a;
}

/* x as planes, U8 and channels last; and back. */
static precis_value as_planes(precis_graph *g, const pcs_node *n, precis_value x)
{
    const int64_t *of = g->values[x].shape, shape[] = { of[0], of[1], 1, of[2] };
    const precis_value planes = in_shape(g, n->name, x, 4, shape);
    return precis_graph_node(g, n->name, "codes_layout", NULL, 1, &planes);
}

static precis_value as_lines(precis_graph *g, const pcs_fused *f, precis_value y)
{
    const precis_attr attrs[] = { precis_attr_int("last", 0), precis_attr_int("to", f->type), { 0 } };
    const precis_value planes = precis_graph_node(g, f->core->name, "codes_layout", attrs, 1, &y);
    int64_t shape[3];
    memcpy(shape, g->values[f->core->out[0]].shape, sizeof shape);
    return in_shape(g, f->core->name, planes, 3, shape);
}

static precis_value make_conv(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in)
{
    const pcs_node *n = f->core;
    const pcs_value w = g->values[n->in[1]];
    const int64_t kernel[] = { f->plain ? 1 : w.shape[2], w.shape[f->plain ? 2 : 3] };
    const int64_t groups = pcs_node_attr(n, "groups")->integer;
    const size_t taps = (size_t)(kernel[0] * kernel[1]);
    packing p = { .g = g, .nodes = nodes, .f = f, .bias = bias_of(n), .groups = (size_t)groups };
    operands o;
    int64_t room[8];
    if (!pcs_code_weights_of(g, nodes, n->in[1], false, &p.w)) return -1;
    if (groups > 1 && w.shape[1] == 1 && groups == w.shape[0])
        p.height = (size_t)kernel[0], p.kernel = (size_t)kernel[1];
    const bool ok = pack(&p, taps, &o);
    pcs_free(g->ctx, p.w.scale);
    if (!ok) return g->error ? -1 : pcs_graph_fail(g, PRECIS_EINVAL, "node %s: its bias does not fit", n->name);
    const precis_attr attrs[] = { of_planes(f, "strides", 1, room),
                                  of_planes(f, "pads", 0, room + 2),
                                  of_planes(f, "dilations", 1, room + 6),
                                  precis_attr_list("kernel", 2, kernel),
                                  precis_attr_int("groups", groups),
                                  precis_attr_int("channels", w.shape[0]),
                                  precis_attr_int("zero_in", f->in[0].zero),
                                  precis_attr_int("zero", f->to.zero),
                                  precis_attr_int("lo", f->to.lo),
                                  precis_attr_int("hi", f->to.hi),
                                  { 0 } };
    const precis_value all[] = { f->plain ? as_planes(g, n, in[0]) : in[0], o.w, o.first, o.sums, o.factor };
    const precis_value y = precis_graph_node(g, n->name, "codes_conv", attrs, 5, all);
    return f->plain ? as_lines(g, f, y) : y;
}

/* A vector with an element for each number of y's last dimension. */
static bool is_line(const precis_graph *g, precis_value v, precis_value y)
{
    const pcs_value *b = &g->values[v], *of = &g->values[y];
    const int64_t outs = of->dims ? of->shape[of->dims - 1] : 0;
    return b->dtype == PCS_F32 && b->dims && pcs_value_count(b) == outs && b->shape[b->dims - 1] == outs;
}

/* Rows of x times weights: matmul has rows of outputs, product columns of them. What has four dimensions has its rows
 * along the last one, which is the channels of no twin. */
static bool match_linear(const precis_graph *g, const pcs_node *nodes, pcs_fused *f)
{
    const pcs_node *n = f->core;
    const bool columns = n->op == &pcs_op_product;
    f->n_in = 1;
    f->plain = g->values[n->in[0]].dims == 4;
    return g->values[n->in[1]].dims == 2 && pcs_coded_of(g, nodes, n->in[0], &f->in[0]) &&
           (added_bias(g, f) < 0 ? fits(g, nodes, f, n->in[1], columns, bias_of(n))
                                 : fits(g, nodes, f, n->in[1], columns, -1) && is_line(g, bias_of(n), n->out[0]));
}

/* The rows of x, U8. */
static precis_value rows_of(precis_graph *g, const char *name, precis_value x, int64_t k)
{
    const int64_t count = pcs_value_count(&g->values[x]), shape[] = { k ? count / k : 0, k };
    const precis_value rows = in_shape(g, name, x, 2, shape);
    return precis_graph_node(g, name, "codes_layout", NULL, 1, &rows);
}

/* Rows of a result as they are wanted: in all dimensions, and with a sign where codes have one. */
static precis_value of_rows(precis_graph *g, const pcs_fused *f, precis_value y)
{
    const pcs_value *like = &g->values[f->core->out[0]];
    const precis_attr attrs[] = { precis_attr_int("last", 0), precis_attr_int("to", f->type), { 0 } };
    int64_t shape[PCS_GRAPH_DIMS];
    memcpy(shape, like->shape, sizeof shape);
    const uint32_t dims = like->dims;
    if (f->type == PCS_I8) y = precis_graph_node(g, f->core->name, "codes_layout", attrs, 1, &y);
    return in_shape(g, f->core->name, y, dims, shape);
}

static precis_value make_linear(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in)
{
    const pcs_node *n = f->core;
    const precis_value added = added_bias(g, f);
    packing p = { .g = g, .nodes = nodes, .f = f, .bias = added < 0 ? bias_of(n) : -1, .groups = 1 };
    operands o;
    if (!pcs_code_weights_of(g, nodes, n->in[1], n->op == &pcs_op_product, &p.w)) return -1;
    const bool ok = pack(&p, 1, &o);
    const int64_t outs = (int64_t)p.w.rows, k = (int64_t)p.w.k;
    pcs_free(g->ctx, p.w.scale);
    if (!ok) return g->error ? -1 : pcs_graph_fail(g, PRECIS_EINVAL, "node %s: its bias does not fit", n->name);
    const precis_attr attrs[] = { precis_attr_int("channels", outs),
                                  precis_attr_int("numbers", f->rule->numbers),
                                  precis_attr_int("zero", f->to.zero),
                                  precis_attr_int("lo", f->to.lo),
                                  precis_attr_int("hi", f->to.hi),
                                  { 0 } };
    const precis_value x = f->plain ? rows_of(g, n->name, in[0], k) : in[0];
    const precis_value in5 = added < 0 ? -1 : padded_bias(g, added, (size_t)outs);
    const precis_value all[] = { x, o.w, o.first, o.sums, o.factor, in5 };
    const precis_value y = precis_graph_node(g, n->name, "codes_linear", attrs, added < 0 ? 5 : 6, all);
    return f->plain ? of_rows(g, f, y) : y;
}

/* ---- the rest ------------------------------------------------------------------------------------ */

static bool match_add(const precis_graph *g, const pcs_node *nodes, pcs_fused *f)
{
    const pcs_node *n = f->core;
    f->n_in = 2;
    for (int i = 0; i < 2; i++)
        if (!pcs_coded_of(g, nodes, n->in[i], &f->in[i])) return false;
    const pcs_value *a = &g->values[f->in[0].value], *b = &g->values[f->in[1].value];
    return a->dims == b->dims && !memcmp(a->shape, b->shape, a->dims * sizeof a->shape[0]);
}

static precis_value make_add(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in)
{
    (void)nodes;
    const precis_attr attrs[] = { precis_attr_real("scale_a", (double)f->in[0].scale),
                                  precis_attr_int("zero_a", f->in[0].zero),
                                  precis_attr_real("scale_b", (double)f->in[1].scale),
                                  precis_attr_int("zero_b", f->in[1].zero),
                                  precis_attr_real("scale", (double)f->scale),
                                  precis_attr_int("zero", f->to.zero),
                                  precis_attr_int("lo", f->to.lo),
                                  precis_attr_int("hi", f->to.hi),
                                  { 0 } };
    return precis_graph_node(g, f->core->name, "codes_add", attrs, 2, in);
}

/* Elements only move: the node itself, of codes. */
static bool match_move(const precis_graph *g, const pcs_node *nodes, pcs_fused *f)
{
    const pcs_node *n = f->core;
    const bool many = n->op == &pcs_op_concat;
    f->n_in = many ? n->n_in : 1;
    if (n->n_out != 1 || f->n_in > PCS_CODED_MOST) return false;
    for (uint32_t i = 0; i < f->n_in; i++)
        if (!pcs_coded_of(g, nodes, n->in[i], &f->in[i])) return false;
    for (uint32_t i = f->n_in; i < n->n_in; i++)
        if (!pcs_value_is_known(&g->values[n->in[i]])) return false;
    return true;
}

static precis_value make_move(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in)
{
    (void)nodes;
    const pcs_node *n = f->core;
    precis_value given[PCS_CODED_MOST + 8];
    precis_attr attrs[24] = { 0 };
    const uint32_t count = pcs_op_attrs(n->op);
    if (n->n_in > PCS_CODED_MOST + 8 || count > 23)
        return pcs_graph_fail(g, PRECIS_EUNSUPPORTED, "node %s: too many operands", n->name);
    for (uint32_t i = 0; i < n->n_in; i++) given[i] = i < f->n_in ? in[i] : n->in[i];
    for (uint32_t i = 0; i < count; i++) attrs[i] = n->attr[i];
    return precis_graph_node(g, n->name, n->op->name, attrs, n->n_in, given);
}

const pcs_code_rule pcs_code_rules[] = {
    { &pcs_op_conv, match_conv, make_conv, false, false },
    { &pcs_op_matmul, match_linear, make_linear, false, false },
    { &pcs_op_product, match_linear, make_linear, false, false },
    { &pcs_op_product, pcs_match_matmul_of_codes, pcs_make_matmul_of_codes, false, false },
    { &pcs_op_add, match_add, make_add, false, false },
    { &pcs_op_mul, pcs_match_mul_of_codes, pcs_make_mul_of_codes, false, false },
    { &pcs_op_pool, pcs_match_pool_of_codes, pcs_make_pool_of_codes, false, false },
    { &pcs_op_reduce, pcs_match_mean_of_codes, pcs_make_mean_of_codes, false, false },
    { &pcs_op_reshape, match_move, make_move, true, false },
    { &pcs_op_transpose, match_move, make_move, true, false },
    { &pcs_op_slice, match_move, make_move, true, false },
    { &pcs_op_concat, match_move, make_move, true, false },
    { 0 },
};

const pcs_code_rule pcs_number_rules[] = {
    { &pcs_op_matmul, match_linear, make_linear, false, true },
    { &pcs_op_product, match_linear, make_linear, false, true },
    { &pcs_op_product, pcs_match_matmul_of_codes, pcs_make_matmul_of_codes, false, true },
    { 0 },
};
