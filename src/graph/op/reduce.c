/* reduce - a value over the dimensions "axes" (a list) by `kind`: sum mean max min prod l1 l2 log_sum log_sum_exp
 * sum_square. keep=1 leaves dimensions of one. Sums are taken in f64 (whole numbers in 64 bits), in ascending order of
 * elements: the same on any number of threads. What is reduced over nothing is the kind's neutral number. */
#include "base/fmath_more.h"
#include "base/builtins.h"
#include "graph/element.h"

enum { KIND, AXES, KEEP };

typedef struct {
    const char *name;
    double none;
    double (*add)(double sum, double x);
    double (*last)(double sum, double n);
    int64_t (*add_whole)(int64_t sum, int64_t x); /* NULL: none of whole numbers */
} kind;

static double sum_(double s, double x) { return s + x; }
static double most(double s, double x) { return x != x || x > s ? x : s; }
static double least(double s, double x) { return x != x || x < s ? x : s; }
static double times(double s, double x) { return s * x; }
static double magnitudes(double s, double x) { return s + pcs_abs_(x); }
static double squares(double s, double x) { return s + x * x; }
static double as_is(double s, double n) { return (void)n, s; }
static double over_n(double s, double n) { return s / n; }
static double root(double s, double n) { return (void)n, pcs_sqrt(s); }
static double log_of(double s, double n) { return (void)n, pcs_m_log(s); }
static int64_t sum_whole(int64_t s, int64_t x) { return (int64_t)((uint64_t)s + (uint64_t)x); }
static int64_t most_whole(int64_t s, int64_t x) { return x > s ? x : s; }
static int64_t least_whole(int64_t s, int64_t x) { return x < s ? x : s; }
static int64_t times_whole(int64_t s, int64_t x) { return (int64_t)((uint64_t)s * (uint64_t)x); }
static int64_t magnitudes_whole(int64_t s, int64_t x) { return sum_whole(s, x < 0 ? -x : x); }
static int64_t squares_whole(int64_t s, int64_t x) { return sum_whole(s, times_whole(x, x)); }

static const kind kinds[] = {
    { "sum", 0, sum_, as_is, sum_whole },
    { "mean", 0, sum_, over_n, sum_whole },
    { "max", -PCS_INFINITY, most, as_is, most_whole },
    { "min", PCS_INFINITY, least, as_is, least_whole },
    { "prod", 1, times, as_is, times_whole },
    { "l1", 0, magnitudes, as_is, magnitudes_whole },
    { "l2", 0, squares, root, NULL },
    { "log_sum", 0, sum_, log_of, NULL },
    { "log_sum_exp", 0, sum_, log_of, NULL },
    { "sum_square", 0, squares, as_is, squares_whole },
};

static const kind *kind_of(const precis_attr *attr)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, attr[KIND].text)) return &kinds[i];
    return NULL;
}

/* Which dimensions go; false: an axis is not there, or twice. */
static bool gone(const precis_attr *attr, uint32_t dims, bool *over)
{
    memset(over, 0, PCS_GRAPH_DIMS);
    for (uint32_t i = 0; i < attr[AXES].n; i++) {
        const uint32_t axis = pcs_axis(attr[AXES].list[i], dims);
        if (axis == dims || over[axis]) return false;
        over[axis] = true;
    }
    return true;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const kind *k = kind_of(n->attr);
    bool over[PCS_GRAPH_DIMS];
    if (!k) return pcs_op_fail(g, n, "knows no kind %s", n->attr[KIND].text);
    if (!pcs_dtype_bytes(x->dtype) || (pcs_dtype_whole(x->dtype) && !k->add_whole))
        return pcs_op_fail(g, n, "does not take %s", pcs_dtype_name(x->dtype));
    if (!gone(n->attr, x->dims, over)) return pcs_op_fail(g, n, "has an axis that is not there, or twice");
    out->dtype = x->dtype;
    for (uint32_t i = 0; i < x->dims; i++)
        if (!over[i] || n->attr[KEEP].integer) out->shape[out->dims++] = over[i] ? 1 : x->shape[i];
    return PRECIS_OK;
}

/* The operand as out's elements and what lies under each. */
typedef struct {
    uint32_t outer, inner;
    int64_t outer_shape[PCS_GRAPH_DIMS], outer_stride[PCS_GRAPH_DIMS], inner_shape[PCS_GRAPH_DIMS],
        inner_stride[PCS_GRAPH_DIMS], count;
} reduced;

static void split(const pcs_call *c, reduced *w)
{
    const pcs_arg *x = &c->in[0];
    int64_t dense[PCS_GRAPH_DIMS];
    bool over[PCS_GRAPH_DIMS];
    gone(c->attr, x->dims, over);
    pcs_dense(x->dims, x->shape, dense);
    *w = (reduced){ .count = 1 };
    for (uint32_t i = 0; i < x->dims; i++) {
        const bool joins = over[i] && w->inner && w->inner_stride[w->inner - 1] == dense[i] * x->shape[i];
        if (joins) w->inner_shape[w->inner - 1] *= x->shape[i], w->inner_stride[w->inner - 1] = dense[i];
        else if (over[i]) w->inner_shape[w->inner] = x->shape[i], w->inner_stride[w->inner++] = dense[i];
        else w->outer_shape[w->outer] = x->shape[i], w->outer_stride[w->outer++] = dense[i];
        if (over[i]) w->count *= x->shape[i];
    }
}

static int64_t place_of(uint32_t dims, const int64_t *shape, const int64_t *stride, int64_t i)
{
    int64_t at = 0;
    for (uint32_t k = dims; k-- > 0; i /= shape[k]) at += i % shape[k] * stride[k];
    return at;
}

/* How elements of a type are put together: as they are, or their exponentials, less `top`; whole numbers in `whole`,
 * others in `s`. */
typedef struct { const kind *k; pcs_dtype d; bool exps; double top, s; int64_t whole; } folding;

/* n elements along the innermost. */
static void fold(folding *f, const char *from, int64_t stride, int64_t n)
{
    const kind *k = f->k;
    const pcs_dtype d = f->d;
    const pcs_domain m = pcs_domain_of(d);
    for (int64_t i = 0; i < n; i += PCS_BLOCK) {
        pcs_block_room room;
        const size_t part = n - i < PCS_BLOCK ? (size_t)(n - i) : PCS_BLOCK;
        pcs_elements_load(d, from + i * stride * (int64_t)pcs_dtype_bytes(d), stride, part, &room);
        for (size_t e = 0; e < part; e++) {
            if (m >= PCS_IN_I64) f->whole = k->add_whole(f->whole, room.i[e]);
            else {
                const double x = m == PCS_IN_F32 ? (double)room.f[e] : room.d[e];
                f->s = k->add(f->s, f->exps ? pcs_exp(x - f->top) : x);
            }
        }
    }
}

static double over_all(folding *f, const reduced *w, const char *from)
{
    f->s = f->k->none;
    const int64_t last = w->inner ? w->inner_shape[w->inner - 1] : 1, rows = last ? w->count / last : 0;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = w->inner ? place_of(w->inner - 1, w->inner_shape, w->inner_stride, r) : 0;
        fold(f, from + at * (int64_t)pcs_dtype_bytes(f->d), w->inner ? w->inner_stride[w->inner - 1] : 1, last);
    }
    return f->s;
}

/* Of whole numbers of few bits the least and the most are those of the type. */
static int64_t none_whole(const kind *k, pcs_dtype d)
{
    const uint32_t bits = d == PCS_BOOL ? 1 : pcs_dtype_bits(d);
    const bool natural = pcs_domain_of(d) == PCS_IN_U64 || d == PCS_BOOL;
    const uint64_t all = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    if (k->add == most) return natural ? 0 : -(int64_t)(all >> 1) - 1;
    if (k->add == least) return natural ? (int64_t)(bits == 64 ? all >> 1 : all) : (int64_t)(all >> 1);
    return k->none != 0;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const kind *k = kind_of(c->attr);
    const bool exps = !strcmp(k->name, "log_sum_exp");
    uint64_t begin, end;
    reduced w;
    split(c, &w);
    pcs_share((uint64_t)pcs_arg_count(y), 16, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) {
        const char *from = (const char *)x->data + place_of(w.outer, w.outer_shape, w.outer_stride, (int64_t)i) *
                                                       (int64_t)pcs_dtype_bytes(x->dtype);
        folding f = { k, x->dtype, exps, 0, 0, none_whole(k, x->dtype) };
        double top = exps && w.count ? over_all(&(folding){ .k = &kinds[2], .d = x->dtype }, &w, from) : 0;
        if (!(pcs_abs_(top) < PCS_INFINITY)) top = 0;
        f.top = top;
        const double s = k->last(over_all(&f, &w, from), (double)w.count) + top;
        if (pcs_dtype_whole(y->dtype)) {
            if (k->last == over_n) f.whole = w.count ? f.whole / w.count : 0;
            pcs_elements_store(y->dtype, &f.whole, 1, (char *)y->data + i * pcs_dtype_bytes(y->dtype));
        } else pcs_set_real(y, i, s);
    }
}

/* The derivative of a result y by one of the n elements under it, x; prod's needs all of them. */
static double slope(const kind *k, double x, double y, double n)
{
    const char *name = k->name;
    if (k->add == squares) return k->last == root ? y > 0 ? x / y : 0 : 2 * x;
    if (k->add == magnitudes) return x > 0 ? 1 : x < 0 ? -1 : 0;
    if (k->last == over_n) return 1 / n;
    if (k->last == log_of) return pcs_exp((name[sizeof "log_sum" - 1] ? x : 0) - y);
    return 1;
}

/* Where element r under the result's element is, which lies at `from`. */
static int64_t under(const reduced *w, int64_t from, int64_t r)
{
    return from + place_of(w->inner, w->inner_shape, w->inner_stride, r);
}

/* The first that equals the result takes all (max, min). */
static void to_first(const reduced *w, const float *x, float *dx, int64_t from, const float y[2])
{
    for (int64_t r = 0; r < w->count; r++) {
        const int64_t at = under(w, from, r);
        if (x[at] != y[0]) continue;
        dx[at] += y[1];
        return;
    }
}

static void to_factors(const reduced *w, const float *x, float *dx, int64_t from, float d)
{
    for (int64_t r = 0; r < w->count; r++) {
        double others = 1;
        for (int64_t o = 0; o < w->count; o++) others *= o == r ? 1 : (double)x[under(w, from, o)];
        dx[under(w, from, r)] += (float)((double)d * others);
    }
}

/* What lies under each element of the result is one thread's. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const float *x = c->in[0].data, *y = c->out[0].data;
    const kind *k = kind_of(c->attr);
    uint64_t begin, end;
    reduced w;
    split(c, &w);
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 16, ith, nth, &begin, &end);
    for (uint64_t i = begin; g->in[0] && i < end; i++) {
        const int64_t from = place_of(w.outer, w.outer_shape, w.outer_stride, (int64_t)i);
        const float d = g->out[0][i];
        if (k->add == most || k->add == least) to_first(&w, x, g->in[0], from, (const float[]){ y[i], d });
        else if (k->add == times) to_factors(&w, x, g->in[0], from, d);
        else
            for (int64_t r = 0; r < w.count; r++) {
                const int64_t at = under(&w, from, r);
                g->in[0][at] += (float)((double)d * slope(k, (double)x[at], (double)y[i], (double)w.count));
            }
    }
}

const pcs_op pcs_op_reduce = {
    .backward = backward,
    .name = "reduce",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_TEXT("kind", "sum"), PCS_LIST("axes"), PCS_INT("keep", 1)),
    .infer = infer,
    .eval = eval,
};
