/* attention_full - softmax(scale * q k^T) v over the keys and values of the call itself, without a cache, so that
 * gradients reach them: training's attention. Inputs q[tokens, heads * dim], k, v [tokens, key heads * ...] and
 * sequences (i32).
 *
 * The rows of a sequence lie one after another, in the order of their positions. A token sees rows of its own sequence
 * up to its own (the last `window` of them, when given; causal=0: those after it, too). cap: as attention's.
 * plus_one=1: one more score of 0, whose weight goes nowhere ("softmax one"). gamma and zeta: weights are clamp((zeta -
 * gamma) w + gamma, 0, 1) (2306.12929, equation 4).
 *
 * A thread has whole heads of whole sequences, backward those that share keys, which no other thread's gradients
 * reach then; their queries go through gemm ROW_TILE rows at a time. The weights are those of the same kernel that
 * the cached op calls. */
#include "base/fmath.h"
#include "base/lane_sums.h"
#include "graph/graph.h"
#include "graph/turn.h"

enum { DIM, SCALE, WINDOW, CAP, CAUSAL, PLUS_ONE, ZETA, GAMMA };

#define ROW_TILE 48

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *v[4];
    const int64_t dim = n->attr[DIM].integer;
    for (int i = 0; i < 4; i++) v[i] = &g->values[n->in[i]];
    bool ok = dim > 0;
    for (int i = 0; i < 3; i++)
        ok = ok && v[i]->dtype == PCS_F32 && v[i]->dims == 2 && v[i]->shape[0] == v[0]->shape[0];
    ok = ok && v[3]->dtype == PCS_I32 && v[3]->dims == 1 && v[3]->shape[0] == v[0]->shape[0];
    ok = ok && v[0]->shape[1] % dim == 0 && v[1]->shape[1] >= dim && v[1]->shape[1] % dim == 0;
    const int64_t heads = ok ? v[0]->shape[1] / dim : 1, shared = ok ? v[1]->shape[1] / dim : 1;
    if (!ok || heads % shared || v[2]->shape[1] % shared)
        return pcs_op_fail(g, n, "takes q[tokens, heads * dim], k and v of heads that divide them, and sequences");
    out->dims = 2;
    out->shape[0] = v[0]->shape[0];
    out->shape[1] = v[2]->shape[1] / shared * heads;
    return PRECIS_OK;
}

static size_t up16(size_t n) { return (n + 15) & ~(size_t)15; }

typedef struct {
    const pcs_call *c;
    size_t rows, dim, vdim, heads, shared, group; /* shared: key heads */
    size_t dp, vp;                                /* dim and vdim as whole panels */
    const float *q, *k, *v;
    const int32_t *seq;
    float scale, cap, gamma, stretch;
} sizes;

static sizes sizes_of(const pcs_call *c)
{
    sizes z = { .c = c, .rows = (size_t)c->in[0].shape[0], .dim = (size_t)c->attr[DIM].integer };
    z.heads = (size_t)c->in[0].shape[1] / z.dim;
    z.shared = (size_t)c->in[1].shape[1] / z.dim;
    z.group = z.heads / z.shared;
    z.vdim = (size_t)c->in[2].shape[1] / z.shared;
    z.dp = up16(z.dim), z.vp = up16(z.vdim);
    z.q = c->in[0].data, z.k = c->in[1].data, z.v = c->in[2].data, z.seq = c->in[3].data;
    z.scale = (float)c->attr[SCALE].real, z.cap = (float)c->attr[CAP].real;
    z.gamma = (float)c->attr[GAMMA].real, z.stretch = (float)(c->attr[ZETA].real - c->attr[GAMMA].real);
    return z;
}

/* What a thread works with: one key head of one sequence of n rows from `first` on, n as whole panels in `keys`. */
typedef struct {
    size_t first, n, keys, shared;
    float *k_panels, *v_panels; /* [keys / 16][dim][16] */
    float *k, *v;               /* [keys][dp], [keys][vp], zeros after the last */
    float *dk, *dv;             /* the same */
    float *score, *weight, *used, *turned; /* [ROW_TILE][keys + 16], turned [keys][ROW_TILE] */
    float *q, *d, *tile;        /* [ROW_TILE][dp], [ROW_TILE][vp], [ROW_TILE][the wider] */
} head_work;

static float *carve(char **mem, size_t n)
{
    float *r = (float *)*mem;
    *mem += (n * sizeof(float) + 63) / 64 * 64;
    return r;
}

static head_work work_in(const sizes *z, char *mem)
{
    const size_t keys = up16(z->rows), wide = z->dp > z->vp ? z->dp : z->vp;
    head_work w = { 0 };
    float **const by_dim[] = { &w.k_panels, &w.k, &w.dk }, **const by_vdim[] = { &w.v_panels, &w.v, &w.dv };
    float **const scores[] = { &w.score, &w.weight, &w.used };
    for (int i = 0; i < 3; i++) {
        *by_dim[i] = carve(&mem, keys * z->dp);
        *by_vdim[i] = carve(&mem, keys * z->vp);
        *scores[i] = carve(&mem, ROW_TILE * (keys + 16));
    }
    w.turned = carve(&mem, ROW_TILE * keys);
    w.q = carve(&mem, ROW_TILE * z->dp);
    w.d = carve(&mem, ROW_TILE * z->vp);
    w.tile = carve(&mem, ROW_TILE * wide);
    return w;
}

static size_t scratch(const pcs_call *c)
{
    const sizes z = sizes_of(c);
    const size_t keys = up16(z.rows), wide = z.dp + z.vp;
    return (3 * keys * wide + 3 * ROW_TILE * (keys + 16) + ROW_TILE * keys + 2 * ROW_TILE * wide) * sizeof(float) +
           16 * 64;
}

/* n rows of a head, each `width` numbers, `step` apart. */
typedef struct { const float *from; size_t step, n, width; } head_rows;

/* They in `padded` numbers each; zeros up to `keys` rows. */
static void copy_rows(head_rows r, size_t keys, size_t padded, float *to)
{
    for (size_t i = 0; i < r.n; i++) {
        memcpy(to + i * padded, r.from + i * r.step, r.width * sizeof *to);
        memset(to + i * padded + r.width, 0, (padded - r.width) * sizeof *to);
    }
    if (keys > r.n) memset(to + r.n * padded, 0, (keys - r.n) * padded * sizeof *to);
}

static void to_panels(const sizes *z, const float *rows, size_t width, size_t padded, size_t keys, float *panels)
{
    for (size_t p = 0; p < keys / 16; p++)
        z->c->kernels->panel(&(pcs_panel_args){ rows + p * 16 * padded, padded, 16, width, panels + p * 16 * width });
}

static void open_head(const sizes *z, head_work *w, size_t first, size_t n, size_t shared, bool back)
{
    w->first = first, w->n = n, w->shared = shared, w->keys = up16(n);
    const size_t kw = z->shared * z->dim, vw = z->shared * z->vdim;
    copy_rows((head_rows){ z->k + first * kw + shared * z->dim, kw, n, z->dim }, w->keys, z->dp, w->k);
    copy_rows((head_rows){ z->v + first * vw + shared * z->vdim, vw, n, z->vdim }, w->keys, z->vp, w->v);
    to_panels(z, w->k, z->dim, z->dp, w->keys, w->k_panels);
    if (!back) return;
    to_panels(z, w->v, z->vdim, z->vp, w->keys, w->v_panels);
    memset(w->dk, 0, w->keys * z->dp * sizeof *w->dk);
    memset(w->dv, 0, w->keys * z->vp * sizeof *w->dv);
}

/* y[rows][16 * panels] (+)= x[rows][k] b[k][...]. */
static void multiply(const sizes *z, pcs_gemm_args one, size_t panels, size_t step)
{
    z->c->kernels->gemm_wide(&(pcs_gemm_wide_args){ one, panels, step });
}

/* Keys [*lo, *hi) that row t of the sequence sees. */
static void seen_keys(const sizes *z, const head_work *w, size_t t, size_t *lo, size_t *hi)
{
    const int64_t window = z->c->attr[WINDOW].integer;
    *hi = z->c->attr[CAUSAL].integer != 0 ? t + 1 : w->n;
    *lo = window > 0 && (int64_t)t + 1 > window ? t + 1 - (size_t)window : 0;
}

/* Scores of rows [t, t + m) of a head, as whole panels up to *keys, and their weights, 0 where nothing is seen. */
static void weigh(const sizes *z, head_work *w, size_t t, size_t m, size_t head, size_t *keys)
{
    const size_t width = w->keys + 16;
    size_t lo, hi;
    seen_keys(z, w, t + m - 1, &lo, &hi);
    *keys = up16(hi);
    const float *q = z->q + ((w->first + t) * z->heads + head) * z->dim;
    copy_rows((head_rows){ q, z->heads * z->dim, m, z->dim }, m, z->dp, w->q);
    const pcs_gemm_args one = { w->q, z->dp, w->k_panels, 16, z->dim, m, w->score, width, false };
    multiply(z, one, *keys / 16, 16 * z->dim);
    for (size_t r = 0; r < m; r++) {
        float *s = w->weight + r * width, *used = w->used + r * width;
        seen_keys(z, w, t + r, &lo, &hi);
        memset(s, 0, lo * sizeof *s);
        memcpy(s + lo, w->score + r * width + lo, (hi - lo) * sizeof *s);
        s[hi] = 0; /* the score of plus_one, or nobody's */
        const size_t more = z->c->attr[PLUS_ONE].integer != 0;
        z->c->kernels->softmax(&(pcs_softmax_args){ s + lo, hi - lo + more, lo, z->scale, z->cap });
        memset(s + hi, 0, (width - hi) * sizeof *s);
        memset(used, 0, lo * sizeof *used);
        memset(used + hi, 0, (width - hi) * sizeof *used);
        for (size_t j = lo; j < hi; j++) {
            const float v = z->stretch * s[j] + z->gamma;
            used[j] = v < 0 ? 0.0f : v > 1 ? 1.0f : v;
        }
    }
}

static void forward_head(const sizes *z, head_work *w, size_t head)
{
    for (size_t t = 0, m; t < w->n; t += m) {
        size_t keys;
        m = w->n - t < ROW_TILE ? w->n - t : ROW_TILE;
        weigh(z, w, t, m, head, &keys);
        const pcs_gemm_args one = { w->used, w->keys + 16, w->v, z->vp, keys, m, w->tile, z->vp, false };
        multiply(z, one, z->vp / 16, 16);
        float *y = (float *)z->c->out[0].data + ((w->first + t) * z->heads + head) * z->vdim;
        for (size_t r = 0; r < m; r++) memcpy(y + r * z->heads * z->vdim, w->tile + r * z->vp, z->vdim * sizeof *y);
    }
}

/* sum s[j] used[j] of j in [lo, hi), in 8 lanes. */
static double weighted_sum(const float *s, const float *used, size_t lo, size_t hi)
{
    double lane[8] = { 0 };
    size_t j = lo;
    for (; j + 8 <= hi; j += 8)
        for (size_t l = 0; l < 8; l++) lane[l] += (double)s[j + l] * used[j + l];
    for (; j < hi; j++) lane[(j - lo) % 8] += (double)s[j] * used[j];
    return pcs_eight_lanes(lane);
}

/* `used` holds gradients by the weights that were used; it becomes those by the products of q and k: back through the
 * clamp, the softmax, the cap and the scale. */
static void by_scores(const sizes *z, const head_work *w, size_t t, size_t m)
{
    for (size_t r = 0; r < m; r++) {
        const size_t at = r * (w->keys + 16);
        const float *s = w->weight + at, *score = w->score + at;
        float *used = w->used + at;
        size_t lo, hi;
        seen_keys(z, w, t + r, &lo, &hi);
        for (size_t j = lo; j < hi; j++) {
            const float v = z->stretch * s[j] + z->gamma;
            used[j] = v < 0 || v > 1 ? 0.0f : z->stretch * used[j];
        }
        const float mean = (float)weighted_sum(s, used, lo, hi);
        memset(used, 0, lo * sizeof *used);
        memset(used + hi, 0, (w->keys - hi) * sizeof *used);
        for (size_t j = lo; j < hi; j++) used[j] = s[j] * (used[j] - mean) * z->scale;
        for (size_t j = lo; z->cap > 0 && j < hi; j++) {
            const float c = pcs_tanhf(score[j] * z->scale / z->cap);
            used[j] *= 1.0f - c * c;
        }
    }
}

static void back_tile(const sizes *z, const pcs_grads *g, head_work *w, size_t t, size_t m, size_t head)
{
    const size_t row = (w->first + t) * z->heads + head, width = w->keys + 16;
    size_t keys;
    weigh(z, w, t, m, head, &keys);
    copy_rows((head_rows){ g->out[0] + row * z->vdim, z->heads * z->vdim, m, z->vdim }, m, z->vp, w->d);
    pcs_turn(z->c->kernels, &(pcs_turned){ w->used, width, m, keys, w->turned, m });
    multiply(z, (pcs_gemm_args){ w->turned, m, w->d, z->vp, m, keys, w->dv, z->vp, true }, z->vp / 16, 16);
    const pcs_gemm_args by_weight = { w->d, z->vp, w->v_panels, 16, z->vdim, m, w->used, width, false };
    multiply(z, by_weight, keys / 16, 16 * z->vdim);
    by_scores(z, w, t, m);
    multiply(z, (pcs_gemm_args){ w->used, width, w->k, z->dp, keys, m, w->tile, z->dp, false }, z->dp / 16, 16);
    float *dq = g->in[0] ? g->in[0] + row * z->dim : NULL;
    for (size_t r = 0; dq && r < m; r++)
        for (size_t i = 0; i < z->dim; i++) dq[r * z->heads * z->dim + i] += w->tile[r * z->dp + i];
    pcs_turn(z->c->kernels, &(pcs_turned){ w->used, width, m, keys, w->turned, m });
    multiply(z, (pcs_gemm_args){ w->turned, m, w->q, z->dp, m, keys, w->dk, z->dp, true }, z->dp / 16, 16);
}

static void add_rows(const float *from, size_t padded, size_t n, size_t width, float *to, size_t step)
{
    for (size_t r = 0; to && r < n; r++)
        for (size_t i = 0; i < width; i++) to[r * step + i] += from[r * padded + i];
}

static void back_head(const sizes *z, const pcs_grads *g, head_work *w)
{
    for (size_t head = w->shared * z->group; head < (w->shared + 1) * z->group; head++)
        for (size_t t = 0, m; t < w->n; t += m) {
            m = w->n - t < ROW_TILE ? w->n - t : ROW_TILE;
            back_tile(z, g, w, t, m, head);
        }
    const size_t kw = z->shared * z->dim, vw = z->shared * z->vdim;
    add_rows(w->dk, z->dp, w->n, z->dim, g->in[1] ? g->in[1] + w->first * kw + w->shared * z->dim : NULL, kw);
    add_rows(w->dv, z->vp, w->n, z->vdim, g->in[2] ? g->in[2] + w->first * vw + w->shared * z->vdim : NULL, vw);
}

/* g NULL: forward, whose tasks are heads of queries, so that there are more of them; a thread that goes on with the
 * same keys has them ready. Gradients of keys are sums over the heads that share them: one thread's. */
static void heads(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const sizes z = sizes_of(c);
    const size_t each = g ? z.group : 1;
    head_work w = work_in(&z, c->scratch + ith * c->scratch_size);
    size_t task = 0;
    for (size_t first = 0, n; first < z.rows; first += n) {
        for (n = 1; first + n < z.rows && z.seq[first + n] == z.seq[first];) n++;
        for (size_t head = 0; head < z.heads; head += each, task++) {
            const size_t shared = head / z.group;
            if (task % nth != ith) continue;
            if (!w.n || w.first != first || w.shared != shared) open_head(&z, &w, first, n, shared, g != NULL);
            if (g) back_head(&z, g, &w);
            else forward_head(&z, &w, head);
        }
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth) { heads(c, NULL, ith, nth); }

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth) { heads(c, g, ith, nth); }

const pcs_op pcs_op_attention_full = {
    .name = "attention_full", .min_in = 4, .max_in = 4,
    .attrs = PCS_ATTR_TABLE(PCS_INT("dim", 0), PCS_REAL("scale", 1), PCS_INT("window", 0), PCS_REAL("cap", 0),
                            PCS_INT("causal", 1), PCS_INT("plus_one", 0), PCS_REAL("zeta", 1), PCS_REAL("gamma", 0)),
    .infer = infer, .eval = eval, .scratch = scratch, .backward = backward, .scratch_back = scratch,
};
