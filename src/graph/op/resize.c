/* resize - ONNX's Resize: x at other sizes, one dimension after another. Inputs: x and, as constants, scales F32[dims]
 * and a region F32[2 * dims] (starts, then ends). Each place of the result has some elements of x and their weights:
 * computed in f64, as ONNX's reference has them; dimensions that stay as they are cost nothing. */
#include "graph/op/resize.h"

#include "base/fmath_more.h"
#include "graph/element.h"

enum { SIZES, MODE, COORDINATES, NEAREST, CUBIC, OUTSIDE, EXTRAPOLATION, ANTIALIAS };

/* Is it one of the words of a list, each with a blank after it? */
static bool listed(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = list; n && (at = strstr(at, word)); at++)
        if (at[n] == ' ' && (at == list || at[-1] == ' ')) return true;
    return false;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    static const char *const modes = "nearest linear cubic ",
                             *const places = "half_pixel half_pixel_symmetric pytorch_half_pixel align_corners "
                                             "asymmetric tf_crop_and_resize tf_half_pixel_for_nn ",
                             *const roundings = "round_prefer_floor round_prefer_ceil floor ceil ";
    const pcs_value *x = &g->values[n->in[0]], *s = &g->values[n->in[1]], *r = &g->values[n->in[2]];
    const char *words[] = { n->attr[MODE].text, n->attr[COORDINATES].text, n->attr[NEAREST].text }, *const lists[] = {
        modes, places, roundings
    };
    for (int i = 0; i < 3; i++)
        if (!listed(lists[i], words[i])) return pcs_op_fail(g, n, "knows no %s", words[i]);
    if (x->dtype != PCS_F32 && x->dtype != PCS_U8 && x->dtype != PCS_I8)
        return pcs_op_fail(g, n, "does not take %s", pcs_dtype_name(x->dtype));
    if (n->attr[SIZES].n != x->dims || s->dtype != PCS_F32 || s->dims != 1 || s->shape[0] != x->dims ||
        r->dtype != PCS_F32 || r->dims != 1 || r->shape[0] != 2 * x->dims)
        return pcs_op_fail(g, n, "takes sizes, scales and a region of %u dimensions", x->dims);
    const float *scales = pcs_value_f32(s, x->dims);
    if (!scales || !pcs_value_f32(r, 2 * (uint64_t)x->dims))
        return pcs_op_fail(g, n, "has scales that are not known before it runs");
    for (uint32_t i = 0; i < x->dims; i++) {
        const float scale = scales[i];
        const int64_t size = n->attr[SIZES].list[i]; /* a dimension that has no size yet stays what it is */
        if (!(scale > 0 && scale < 1e9f) || (pcs_dim_is_id(size) ? size != x->shape[i] : size < 0) ||
            (pcs_dim_is_id(x->shape[i]) && !pcs_dim_is_id(size)) || (x->shape[i] == 0 && size))
            return pcs_op_fail(g, n, "scales dimension %u by %g", i, (double)scale);
        if (n->attr[ANTIALIAS].integer && scale < 1e-4f)
            return pcs_op_fail(g, n, "smooths over more than 10,000 elements");
        out->shape[i] = size;
    }
    out->dims = x->dims;
    out->dtype = x->dtype;
    return PRECIS_OK;
}

/* Elements that a place has, along dimension i. */
static int64_t taps_of(const pcs_call *c, uint32_t i)
{
    const char mode = c->attr[MODE].text[0];
    const double scale = (double)((const float *)c->in[1].data)[i];
    if (mode == 'n') return 2;
    if (!c->attr[ANTIALIAS].integer || scale >= 1) return mode == 'l' ? 2 : 4;
    const double reach = mode == 'l' ? 1 / scale : 2 / scale;
    const int64_t start = (int64_t)pcs_m_floor(-reach) + 1;
    return 2 - 2 * start;
}

static bool stays(const pcs_call *c, uint32_t i)
{
    const float *region = c->in[2].data, scale = ((const float *)c->in[1].data)[i];
    return scale == 1 && c->in[0].shape[i] == c->out[0].shape[i] && region[i] == 0 && region[c->in[0].dims + i] == 1;
}

/* The length of a result of dimension i, which is no whole number where scales are given that give none. Where sizes
 * are given the scale is their quotient, rounded to f32: not its rounding, but the size decides then on which side of a
 * half, or of a whole number, a place lies. */
static double length_of_result(const pcs_call *c, uint32_t i)
{
    const double out = (double)((const float *)c->in[1].data)[i] * (double)c->in[0].shape[i],
                 size = (double)c->out[0].shape[i];
    return pcs_abs_(out - size) <= size * 0x1p-23 ? size : out;
}

/* Where place o of dimension i comes from; *outside: nowhere. */
static double origin(const pcs_call *c, uint32_t i, int64_t o, bool *outside)
{
    const char *how = c->attr[COORDINATES].text;
    const double n = (double)c->in[0].shape[i], out = length_of_result(c, i), x = (double)o;
    const double lo = (double)((const float *)c->in[2].data)[i],
                 hi = (double)((const float *)c->in[2].data)[c->in[0].dims + i];
    double at;
    *outside = false;
    if (!strcmp(how, "align_corners")) return out == 1 ? 0 : x * (n - 1) / (out - 1);
    if (!strcmp(how, "asymmetric")) return x * n / out;
    if (!strcmp(how, "tf_half_pixel_for_nn")) return (x + 0.5) * n / out;
    if (!strcmp(how, "pytorch_half_pixel") && out <= 1) return 0;
    if (how[0] == 't') {
        at = (out == 1 ? (hi - lo) * (n - 1) / 2 : x * (hi - lo) * (n - 1) / (out - 1)) + lo * (n - 1);
        *outside = at < 0 || at > n - 1;
        return at;
    }
    at = (x + 0.5) * n / out - 0.5;
    return strcmp(how, "half_pixel_symmetric") ? at : at + n / 2 * (1 - (double)c->out[0].shape[i] / out);
}

static double cubic(double x, double a)
{
    x = pcs_abs_(x);
    return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Weights of n elements from `first` on, for a place at `at`. */
static void weights_at(const pcs_call *c, uint32_t i, double at, double ratio, int64_t n, double *w)
{
    const char mode = c->attr[MODE].text[0];
    const double a = c->attr[CUBIC].real;
    double scale = (double)((const float *)c->in[1].data)[i], sum = 0;
    (void)at;
    if (mode == 'n') {
        const char *round = c->attr[NEAREST].text;
        const bool up = ratio == 1 || (!strcmp(round, "round_prefer_floor")  ? ratio > 0.5
                                       : !strcmp(round, "round_prefer_ceil") ? ratio >= 0.5
                                                                             : round[0] == 'c');
        w[0] = !up;
        w[1] = up;
        return;
    }
    if (!c->attr[ANTIALIAS].integer || scale > 1) scale = 1;
    const int64_t start = 1 - n / 2;
    for (int64_t k = 0; k < n; k++) {
        const double x = ((double)(start + k) - ratio) * scale, v = 1 - pcs_abs_(x);
        w[k] = mode == 'l' ? (v < 0 ? 0 : v) : cubic(x, a);
        sum += w[k];
    }
    for (int64_t k = 0; k < n && c->attr[ANTIALIAS].integer; k++) w[k] /= sum;
}

/* A table of one dimension: first element and weights of each place. */
typedef struct {
    int64_t taps, *first;
    double *weights;
    bool *outside;
} table;

static void fill(const pcs_call *c, uint32_t i, table *t)
{
    const int64_t n = c->in[0].shape[i];
    for (int64_t o = 0; o < c->out[0].shape[i]; o++) {
        double at = origin(c, i, o, &t->outside[o]);
        if (!(pcs_abs_(at) < 1e12)) at = 0, t->outside[o] = true; /* of a region that is no number */
        const double low = pcs_m_floor(at), ratio = at == low ? 1 : at - low;
        double *w = t->weights + o * t->taps, sum = 0;
        t->first[o] = (int64_t)low - t->taps / 2 + (at == low ? 0 : 1);
        weights_at(c, i, at, ratio, t->taps, w);
        if (!c->attr[OUTSIDE].integer) continue;
        for (int64_t k = 0; k < t->taps; k++) {
            if (t->first[o] + k < 0 || t->first[o] + k >= n) w[k] = 0;
            sum += w[k];
        }
        for (int64_t k = 0; k < t->taps && sum != 0; k++) w[k] /= sum;
    }
}

int64_t pcs_resize_taps(const pcs_call *c, uint32_t i) { return stays(c, i) ? 0 : taps_of(c, i); }

void pcs_resize_table(const pcs_call *c, uint32_t i, int64_t *first, double *weights, bool *outside)
{
    fill(c, i, &(table){ taps_of(c, i), first, weights, outside });
}

static size_t table_bytes(const pcs_call *c, uint32_t i)
{
    const size_t out = (size_t)c->out[0].shape[i];
    return stays(c, i) ? 0 : out * (sizeof(int64_t) + (size_t)taps_of(c, i) * sizeof(double) + 1) + 64;
}

static size_t scratch(const pcs_call *c)
{
    size_t n = 64;
    for (uint32_t i = 0; i < c->in[0].dims; i++) n += table_bytes(c, i);
    return n;
}

/* The value at a place whose dimensions from i on are left: at is where those before lead. */
static double value(const pcs_call *c, const table *t, const int64_t *index, uint32_t i, int64_t at)
{
    const pcs_arg *x = &c->in[0];
    if (i == x->dims) return pcs_real_at(x, (size_t)at);
    const int64_t n = x->shape[i];
    if (!t[i].taps) return value(c, t, index, i + 1, at * n + index[i]);
    double sum = 0;
    if (t[i].outside[index[i]]) return c->attr[EXTRAPOLATION].real;
    for (int64_t k = 0; k < t[i].taps; k++) {
        const double w = t[i].weights[index[i] * t[i].taps + k];
        const int64_t from = t[i].first[index[i]] + k;
        if (w != 0) sum += w * value(c, t, index, i + 1, at * n + (from < 0 ? 0 : from >= n ? n - 1 : from));
    }
    return sum;
}

/* A table of each dimension that does not stay, in a thread's room. */
static void fill_tables(const pcs_call *c, uint32_t ith, table *t)
{
    char *mem = c->scratch + ith * c->scratch_size;
    for (uint32_t i = 0; i < c->in[0].dims; i++) {
        if (stays(c, i)) continue;
        const size_t out = (size_t)c->out[0].shape[i];
        t[i].taps = taps_of(c, i);
        t[i].first = (int64_t *)(void *)mem;
        t[i].weights = (double *)(void *)(t[i].first + out);
        t[i].outside = (bool *)(t[i].weights + out * (size_t)t[i].taps);
        mem += (table_bytes(c, i) + 7) / 8 * 8;
        fill(c, i, &t[i]);
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *y = &c->out[0];
    table t[PCS_GRAPH_DIMS] = { { 0 } };
    uint64_t begin, end;
    fill_tables(c, ith, t);
    pcs_share((uint64_t)pcs_arg_count(y), 16, ith, nth, &begin, &end);
    for (uint64_t o = begin; o < end; o++) {
        int64_t index[PCS_GRAPH_DIMS], rest = (int64_t)o;
        for (uint32_t k = y->dims; k-- > 0; rest /= y->shape[k]) index[k] = rest % y->shape[k];
        double v = value(c, t, index, 0, 0);
        if (y->dtype == PCS_U8) v = v < 0 ? 0 : v > 255 ? 255 : v;
        if (y->dtype == PCS_I8) v = v < -128 ? -128 : v > 127 ? 127 : v;
        pcs_set_real(y, o, v);
    }
}

/* A place's gradient goes where its value came from, by the same weights. */
typedef struct { const pcs_call *c; const table *t; const int64_t *index; float *dx; } scattering;

static void scatter(const scattering *s, uint32_t i, int64_t at, double d)
{
    const pcs_arg *x = &s->c->in[0];
    if (i == x->dims) {
        s->dx[at] += (float)d;
        return;
    }
    const int64_t n = x->shape[i], index = s->index[i];
    const table *t = &s->t[i];
    if (!t->taps) {
        scatter(s, i + 1, at * n + index, d);
        return;
    }
    for (int64_t k = 0; k < t->taps && !t->outside[index]; k++) {
        const double w = t->weights[index * t->taps + k];
        const int64_t from = t->first[index] + k;
        if (w != 0) scatter(s, i + 1, at * n + (from < 0 ? 0 : from >= n ? n - 1 : from), d * w);
    }
}

/* Threads share the first dimensions, as far as they stay: images and channels. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_arg *y = &c->out[0];
    table t[PCS_GRAPH_DIMS] = { { 0 } };
    int64_t apart = 1, index[PCS_GRAPH_DIMS];
    const scattering s = { c, t, index, g->in[0] };
    uint64_t begin, end;
    for (uint32_t i = 0; i < y->dims && stays(c, i); i++) apart *= y->shape[i];
    pcs_share((uint64_t)apart, 1, ith, nth, &begin, &end);
    if (begin == end || !g->in[0]) return;
    fill_tables(c, ith, t);
    const uint64_t each = (uint64_t)(pcs_arg_count(y) / apart);
    for (uint64_t o = begin * each; o < end * each; o++) {
        int64_t rest = (int64_t)o;
        for (uint32_t k = y->dims; k-- > 0; rest /= y->shape[k]) index[k] = rest % y->shape[k];
        scatter(&s, 0, 0, (double)g->out[0][o]);
    }
}

const pcs_op pcs_op_resize = {
    .backward = backward,
    .scratch_back = scratch,
    .name = "resize",
    .min_in = 3,
    .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("sizes"), PCS_TEXT("mode", "nearest"), PCS_TEXT("coordinates", "half_pixel"),
                            PCS_TEXT("nearest", "round_prefer_floor"), PCS_REAL("cubic", -0.75), PCS_INT("outside", 0),
                            PCS_REAL("extrapolation", 0), PCS_INT("antialias", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
};
