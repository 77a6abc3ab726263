/* attend - attention over all keys at once, as nets of arrays have it: normalize(q k * scale / over + mask) v, for
 * q[..., queries, e], k[..., e, keys] (turned already), v[..., keys, width] with as many matrices each, and a mask that
 * is spread over [batch, queries, keys], `batch` as the scores had it.
 *
 * Each step is the one of product, mul, div, add, normalize and product again, in that order, so the bits are those of
 * the pieces; but scores are there for some queries of one matrix at a time, where the pieces keep all. safe: a query
 * that sees no key (all its scores are minus infinity) gets zeros, as torch has it. */
#include "base/fmath.h"
#include "base/fmath_more.h"
#include "graph/op/matrices.h"

enum { SCALE, OVER, SAFE, BATCH };
#define TILE 60
#define PANELS 4

static int64_t matrices(const int64_t *shape, uint32_t dims)
{
    int64_t n = 1;
    for (uint32_t i = 0; i + 2 < dims; i++) n *= shape[i];
    return n;
}

static bool masks(const pcs_node *n, const pcs_value *m, int64_t queries, int64_t keys)
{
    const precis_attr *b = &n->attr[BATCH];
    if (m->dtype != PCS_F32 || m->dims > b->n + 2) return false;
    for (uint32_t i = 0; i < m->dims; i++) {
        const uint32_t at = b->n + 2 - m->dims + i;
        const int64_t whole = at < b->n ? b->list[at] : at == b->n ? queries : keys;
        if (m->shape[i] != 1 && m->shape[i] != whole) return false;
    }
    return true;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *q = &g->values[n->in[0]], *k = &g->values[n->in[1]], *v = &g->values[n->in[2]];
    int64_t batch = 1;
    for (uint32_t i = 0; i < n->attr[BATCH].n; i++) {
        if (n->attr[BATCH].list[i] < 1) return pcs_op_fail(g, n, "has a batch of no size");
        batch *= n->attr[BATCH].list[i];
    }
    for (uint32_t i = 0; i < 3; i++) {
        const pcs_value *x = &g->values[n->in[i]];
        if (x->dtype != PCS_F32 || x->dims < 2) return pcs_op_fail(g, n, "takes matrices of F32");
        for (uint32_t d = 0; d < x->dims; d++)
            if (pcs_dim_is_id(x->shape[d])) return pcs_op_fail(g, n, "takes sizes that are known");
        if (matrices(x->shape, x->dims) != batch) return pcs_op_fail(g, n, "has batches that differ");
    }
    const int64_t queries = q->shape[q->dims - 2], keys = k->shape[k->dims - 1];
    if (q->shape[q->dims - 1] != k->shape[k->dims - 2] || v->shape[v->dims - 2] != keys || keys < 1)
        return pcs_op_fail(g, n, "has queries, keys and values that do not go together");
    if (n->n_in > 3 && !masks(n, &g->values[n->in[3]], queries, keys))
        return pcs_op_fail(g, n, "has a mask of another shape than its scores");
    out->dims = v->dims;
    memcpy(out->shape, v->shape, v->dims * sizeof v->shape[0]);
    out->shape[v->dims - 2] = queries;
    return PRECIS_OK;
}

typedef struct {
    const pcs_call *c;
    size_t e, queries, keys, width, key_panels, value_panels, batches, tiles;
    int64_t mask[PCS_GRAPH_DIMS + 2]; /* steps of the mask: batch dimensions, queries, keys */
} attend_sizes;

static size_t up16(size_t n) { return (n + 15) / 16; }

static attend_sizes attend_sizes_of(const pcs_call *c)
{
    const pcs_arg *q = &c->in[0], *k = &c->in[1], *v = &c->in[2];
    attend_sizes z = { .c = c, .e = (size_t)pcs_arg_width(q), .queries = (size_t)q->shape[q->dims - 2],
                .keys = (size_t)pcs_arg_width(k), .width = (size_t)pcs_arg_width(v),
                .batches = (size_t)matrices(q->shape, q->dims) };
    z.key_panels = up16(z.keys), z.value_panels = up16(z.width);
    z.tiles = (z.queries + TILE - 1) / TILE;
    if (c->n_in < 4) return z;
    const pcs_arg *m = &c->in[3];
    const uint32_t all = c->attr[BATCH].n + 2;
    int64_t step = 1;
    for (uint32_t i = m->dims; i-- > 0; step *= m->shape[i])
        z.mask[all - m->dims + i] = m->shape[i] == 1 ? 0 : step;
    return z;
}

/* Panels of keys, of values, scores of a tile, and its results. */
typedef struct { float *k, *v, *score, *tile; } attend_room;

static size_t floats_of(const attend_sizes *z, attend_room *w, float *at)
{
    const size_t k = z->key_panels * 16 * z->e, v = z->value_panels * 16 * z->keys,
                 score = TILE * z->key_panels * 16;
    *w = (attend_room){ at, at + k, at + k + v, at + k + v + score };
    return k + v + score + TILE * z->value_panels * 16;
}

static size_t scratch(const pcs_call *c)
{
    const attend_sizes z = attend_sizes_of(c);
    attend_room w;
    return floats_of(&z, &w, NULL) * sizeof(float) + 128;
}

/* b[k][n] as panels of 16 columns, [panel][k][16]. */
static void pack(const float *b, size_t k, size_t n, float *to)
{
    for (size_t p = 0; p < up16(n); p++) {
        const size_t wide = n - 16 * p < 16 ? n - 16 * p : 16;
        for (size_t r = 0; r < k; r++, to += 16) {
            memcpy(to, b + r * n + 16 * p, wide * sizeof *to);
            for (size_t l = wide; l < 16; l++) to[l] = 0;
        }
    }
}

/* m rows of k numbers, ld apart. */
typedef struct { const float *x; size_t ld, k, m; } attend_rows;

/* y[m][16 panels] = rows by packed panels. */
static void by_panels(const attend_sizes *z, attend_rows of, const float *b, size_t panels, float *y)
{
    for (size_t p = 0; p < panels; p += PANELS) {
        const size_t n = panels - p < PANELS ? panels - p : PANELS;
        const pcs_gemm_args one = { of.x, of.ld, b + p * 16 * of.k, 16, of.k, of.m, y + 16 * p, panels * 16, false };
        z->c->kernels->gemm_wide(&(pcs_gemm_wide_args){ one, n, 16 * of.k });
    }
}

/* What is added to the scores of a query: where the mask's row begins. */
static const float *mask_row(const attend_sizes *z, size_t batch, size_t query)
{
    const precis_attr *b = &z->c->attr[BATCH];
    int64_t at = z->mask[b->n] * (int64_t)query;
    for (uint32_t i = b->n; i-- > 0; batch /= (size_t)b->list[i])
        at += z->mask[i] * (int64_t)(batch % (size_t)b->list[i]);
    return (const float *)z->c->in[3].data + at;
}

/* Scores with their factors and the mask: the steps of mul, div and add. False: the query sees nothing, and its weights
 * are zeros. */
static bool mask_scores(const attend_sizes *z, size_t batch, size_t query, float *s)
{
    const float scale = (float)z->c->attr[SCALE].real, over = (float)z->c->attr[OVER].real;
    const size_t n = z->keys;
    for (size_t i = 0; i < n && scale != 1; i++) s[i] *= scale;
    for (size_t i = 0; i < n && over != 1; i++) s[i] /= over;
    if (z->c->n_in > 3) {
        const float *m = mask_row(z, batch, query);
        const int64_t step = z->mask[z->c->attr[BATCH].n + 1];
        if (step == 1)
            for (size_t i = 0; i < n; i++) s[i] += m[i];
        else
            for (size_t i = 0; i < n; i++) s[i] += m[(int64_t)i * step];
    }
    if (!z->c->attr[SAFE].integer) return true;
    float top = s[0];
    for (size_t i = 1; i < n; i++) top = s[i] > top || s[i] != s[i] ? s[i] : top;
    if (top == -PCS_INFINITY) memset(s, 0, n * sizeof *s);
    return top != -PCS_INFINITY;
}

static void softmax(const attend_sizes *z, float *s, size_t rows)
{
    z->c->kernels->softmax_rows(&(pcs_rows_args){ .x = s, .y = s, .rows = rows, .n = z->keys });
}

/* Scores of m queries from `first` on as weights: all together where their rows lie side by side. */
static void weigh_scores(const attend_sizes *z, size_t batch, size_t first, size_t m, float *s)
{
    const size_t step = z->key_panels * 16;
    const bool together = step == z->keys && !z->c->attr[SAFE].integer;
    for (size_t r = 0; r < m; r++)
        if (mask_scores(z, batch, first + r, s + r * step) && !together) softmax(z, s + r * step, 1);
    if (together) softmax(z, s, m);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const attend_sizes z = attend_sizes_of(c);
    const uintptr_t at = (uintptr_t)(c->scratch + ith * c->scratch_size);
    size_t packed = z.batches;
    uint64_t begin, end;
    attend_room w;
    floats_of(&z, &w, (float *)((at + 63) / 64 * 64));
    pcs_share(z.batches * z.tiles, 1, ith, nth, &begin, &end);
    for (uint64_t unit = begin; unit < end; unit++) {
        const size_t batch = unit / z.tiles, first = unit % z.tiles * TILE,
                     m = z.queries - first < TILE ? z.queries - first : TILE;
        if (batch != packed) {
            pack((const float *)c->in[1].data + batch * z.e * z.keys, z.e, z.keys, w.k);
            pack((const float *)c->in[2].data + batch * z.keys * z.width, z.keys, z.width, w.v);
            packed = batch;
        }
        const float *q = (const float *)c->in[0].data + (batch * z.queries + first) * z.e;
        by_panels(&z, (attend_rows){ q, z.e, z.e, m }, w.k, z.key_panels, w.score);
        weigh_scores(&z, batch, first, m, w.score);
        by_panels(&z, (attend_rows){ w.score, z.key_panels * 16, z.keys, m }, w.v, z.value_panels, w.tile);
        float *y = (float *)c->out[0].data + (batch * z.queries + first) * z.width;
        for (size_t r = 0; r < m; r++)
            memcpy(y + r * z.width, w.tile + r * z.value_panels * 16, z.width * sizeof *y);
    }
}

static uint64_t products(const pcs_call *c)
{
    const attend_sizes z = attend_sizes_of(c);
    return (uint64_t)z.batches * z.queries * z.keys * (z.e + z.width);
}

const pcs_op pcs_op_attend = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, .name = "attend", .min_in = 3, .max_in = 4, .infer = infer,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("scale", 1), PCS_REAL("over", 1), PCS_INT("safe", 0), PCS_LIST("batch")),
    .eval = eval, .scratch = scratch, .products = products,
};
