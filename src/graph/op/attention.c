/* attention - softmax(scale * q k^T) v over the cache of each token's own sequence, positions 0 to its own
 * (the last `window` of them, when given; causal=0: to the last position of its sequence in this call); heads share
 * keys in groups (Ainslie et al. 2023).
 *
 * Work is cut into tiles of rows of one sequence by one key head. The sums of a row have a fixed order
 * (ascending dimension, 16 lanes over keys, ascending key), so its result depends neither on the tile,
 * nor on other rows of the batch, nor on threads. */
#include "graph/graph.h"
#include "graph/kv.h"

enum { SCALE, WINDOW, CAP, CAUSAL };

#define VALUES 64 /* keys whose values are unpacked at a time */
#define ROWS 16
#define PANELS 4 /* of 16 keys, at a time */

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *q = &g->values[n->in[0]], *s = &g->values[n->in[1]];
    if (s->dtype != PCS_STATE || q->dims != 2 || q->shape[1] % s->shape[2] || q->shape[1] / s->shape[2] % s->shape[1])
        return pcs_op_fail(g, n, "takes q[tokens, heads * dim] and a state whose heads divide them");
    out->dims = 2;
    out->shape[0] = q->shape[0];
    out->shape[1] = q->shape[1] / s->shape[2] * s->shape[3];
    return PRECIS_OK;
}

typedef struct {
    const pcs_kv *kv;
    size_t group, rows; /* query heads of a key head; rows of a tile at most */
    size_t qrow, orow;  /* widths */
    size_t keys;        /* width of a row of scores */
    bool causal;
} dims;

static dims dims_of(const pcs_call *c)
{
    dims d = { .kv = c->in[1].data };
    d.qrow = (size_t)c->in[0].shape[1];
    d.group = d.qrow / d.kv->kd / d.kv->heads;
    d.orow = d.group * d.kv->heads * d.kv->vd;
    d.keys = d.kv->capacity;
    d.causal = c->attr[CAUSAL].integer != 0;
    const size_t fit = ((size_t)1 << 18) / (d.group * d.keys); /* scores of a tile: 1 MiB */
    d.rows = fit < 1 ? 1 : fit < ROWS ? fit : ROWS;
    return d;
}

static size_t scratch(const pcs_call *c)
{
    const dims d = dims_of(c);
    const size_t m = d.rows * d.group;
    return (m * d.kv->kd + m * d.keys + m * d.kv->vp + 16 * PANELS * d.kv->kd + VALUES * d.kv->vp) * sizeof(float) + 5 * 64;
}

static float *carve(char **p, size_t n)
{
    float *r = (float *)*p;
    *p += (n * sizeof(float) + 63) / 64 * 64;
    return r;
}

/* Scores [first, last] to weights that sum to 1, zero elsewhere in [lo, hi). */
static void softmax_row(const pcs_call *c, float *s, size_t lo, size_t hi, size_t first, size_t last)
{
    for (size_t j = lo; j < first; j++) s[j - lo] = 0.0f;
    for (size_t j = last + 1; j < hi; j++) s[j - lo] = 0.0f;
    c->kernels->softmax(&(pcs_softmax_args){ s + (first - lo), last + 1 - first, first, (float)c->attr[SCALE].real, (float)c->attr[CAP].real });
}

/* next: the head that this thread goes on with. */
static void tile(const pcs_call *c, const dims *d, size_t t0, size_t rows, uint32_t head, uint32_t next, char *mem)
{
    const pcs_kv *kv = d->kv;
    const int32_t *pos = c->in[2].data, *seq = c->in[3].data;
    const size_t m = rows * d->group, window = c->attr[WINDOW].integer > 0 ? (size_t)c->attr[WINDOW].integer : (size_t)1 << 40;
    float *q = carve(&mem, d->rows * d->group * kv->kd), *s = carve(&mem, d->rows * d->group * d->keys), *y = carve(&mem, d->rows * d->group * kv->vp);
    float *panel = carve(&mem, 16 * PANELS * (size_t)kv->kd), *values = carve(&mem, VALUES * (size_t)kv->vp);
    size_t lo = (size_t)1 << 40, hi = 0, end = 0; /* end: last key of all rows, when they look ahead */
    for (size_t r = 0; !d->causal && r < (size_t)c->in[0].shape[0]; r++)
        if (seq[r] == seq[t0] && (size_t)pos[r] > end) end = (size_t)pos[r];
    for (size_t r = 0; r < rows; r++) {
        const size_t p = d->causal ? (size_t)pos[t0 + r] : end, first = p + 1 > window ? p + 1 - window : 0;
        lo = first < lo ? first : lo;
        hi = p + 1 > hi ? p + 1 : hi;
        memcpy(q + r * d->group * kv->kd, (const float *)c->in[0].data + (t0 + r) * d->qrow + head * d->group * kv->kd, d->group * kv->kd * sizeof *q);
    }
    lo &= ~(size_t)15;
    const size_t reach = hi;
    hi = (hi + 15) & ~(size_t)15;
    const size_t keys = hi - lo;
    const bool few = pcs_kv_few(kv, m);
    const pcs_kv_span span = { (uint32_t)lo, (uint32_t)hi, next };
    if (few) pcs_kv_scores(kv, c->kernels, (uint32_t)seq[t0], head, (uint32_t)lo, (uint32_t)(keys / 16), q, m, s, keys, &span);
    for (size_t j = lo; j < hi && !few; j += 16 * PANELS) {
        const size_t panels = hi - j < 16 * PANELS ? (hi - j) / 16 : PANELS, step = 16 * (size_t)kv->kd;
        for (size_t p = 0; p < panels; p++)
            pcs_kv_keys(kv, c->kernels, (uint32_t)seq[t0], head, (uint32_t)(j / 16 + p), panel + p * step);
        c->kernels->gemm_wide(&(pcs_gemm_wide_args){ { q, kv->kd, panel, 16, kv->kd, m, s + (j - lo), keys, false }, panels, step });
    }
    for (size_t r = 0; r < m; r++) {
        const size_t p = d->causal ? (size_t)pos[t0 + r / d->group] : end, first = p + 1 > window ? p + 1 - window : 0;
        softmax_row(c, s + r * keys, lo, hi, first, p);
    }
    /* Values of tokens that were computed, no others: what lies behind them in the last tile of keys may be no number,
     * which a weight of 0 does not make one. */
    for (size_t j = lo; j < reach; j += VALUES) {
        const size_t n = reach - j < VALUES ? reach - j : VALUES;
        if (few) {
            pcs_kv_mix(kv, c->kernels, (uint32_t)seq[t0], head, (uint32_t)j, (uint32_t)n, s + (j - lo), keys, m, y, j > lo, &span);
            continue;
        }
        const float *v = pcs_kv_values(kv, c->kernels, (uint32_t)seq[t0], head, (uint32_t)j, (uint32_t)n, values);
        c->kernels->gemm_wide(&(pcs_gemm_wide_args){ { s + (j - lo), keys, v, kv->vp, n, m, y, kv->vp, j > lo }, kv->vp / 16, 16 });
    }
    for (size_t r = 0; r < m; r++)
        memcpy((float *)c->out[0].data + (t0 + r / d->group) * d->orow + (head * d->group + r % d->group) * kv->vd, y + r * kv->vp, kv->vd * sizeof *y);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const dims d = dims_of(c);
    const int32_t *seq = c->in[3].data;
    const size_t rows = (size_t)c->in[0].shape[0];
    size_t task = 0;
    for (size_t t = 0, n; t < rows; t += n) {
        for (n = 1; n < d.rows && t + n < rows && seq[t + n] == seq[t]; n++) {}
        for (uint32_t h = 0; h < d.kv->heads; h++, task++)
            if (task % nth == ith) tile(c, &d, t, n, h, h + nth, c->scratch + ith * c->scratch_size);
    }
}

static void attends(const pcs_node *n, int64_t *window, bool *causal)
{
    *window = n->attr[WINDOW].integer;
    *causal = n->attr[CAUSAL].integer != 0;
}

const pcs_op pcs_op_attention = {
    .name = "attention", .min_in = 4, .max_in = 4, .attends = attends,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("scale", 1), PCS_INT("window", 0), PCS_REAL("cap", 0), PCS_INT("causal", 1)),
    .infer = infer, .eval = eval, .scratch = scratch,
    .not_differentiable = "its keys and values lie in a cache: attention_full has gradients",
};
