/* attention_full - softmax(scale * q k^T) v over the keys and values of the call itself, without a cache, so that
 * gradients reach them: training's attention. Inputs q[tokens, heads * dim], k, v [tokens, key heads * ...], positions,
 * sequences (i32).
 *
 * A token sees tokens of its own sequence, whose rows lie one after another, at positions up to its own (the last
 * `window` of them, when given; causal=0: at all). cap: as attention's. plus_one=1: one more score of 0, whose weight
 * goes nowhere ("softmax one"). gamma and zeta: weights are clamp((zeta - gamma) w + gamma, 0, 1) (2306.12929, equation
 * 4).
 *
 * The weights are those of the same kernel that the cached op calls. */
#include "base/fmath.h"
#include "graph/graph.h"

enum { DIM, SCALE, WINDOW, CAP, CAUSAL, PLUS_ONE, ZETA, GAMMA };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *v[5];
    const int64_t dim = n->attr[DIM].integer;
    for (int i = 0; i < 5; i++) v[i] = &g->values[n->in[i]];
    bool ok = dim > 0;
    for (int i = 0; i < 3; i++)
        ok = ok && v[i]->dtype == PCS_F32 && v[i]->dims == 2 && v[i]->shape[0] == v[0]->shape[0];
    for (int i = 3; i < 5; i++)
        ok = ok && v[i]->dtype == PCS_I32 && v[i]->dims == 1 && v[i]->shape[0] == v[0]->shape[0];
    ok = ok && v[0]->shape[1] % dim == 0 && v[1]->shape[1] >= dim && v[1]->shape[1] % dim == 0;
    const int64_t heads = ok ? v[0]->shape[1] / dim : 1, shared = ok ? v[1]->shape[1] / dim : 1;
    if (!ok || heads % shared || v[2]->shape[1] % shared)
        return pcs_op_fail(g, n,
                           "takes q[tokens, heads * dim], k and v of heads that divide them, positions and sequences");
    out->dims = 2;
    out->shape[0] = v[0]->shape[0];
    out->shape[1] = v[2]->shape[1] / shared * heads;
    return PRECIS_OK;
}

typedef struct {
    size_t rows, dim, vdim, heads, shared, group; /* shared: key heads */
    const float *q, *k, *v;
    const int32_t *pos, *seq;
    int64_t window;
    bool causal;
} sizes;

static sizes sizes_of(const pcs_call *c)
{
    sizes z = { .rows = (size_t)c->in[0].shape[0], .dim = (size_t)c->attr[DIM].integer };
    z.heads = (size_t)c->in[0].shape[1] / z.dim;
    z.shared = (size_t)c->in[1].shape[1] / z.dim;
    z.group = z.heads / z.shared;
    z.vdim = (size_t)c->in[2].shape[1] / z.shared;
    z.q = c->in[0].data, z.k = c->in[1].data, z.v = c->in[2].data;
    z.pos = c->in[3].data, z.seq = c->in[4].data;
    z.window = c->attr[WINDOW].integer;
    z.causal = c->attr[CAUSAL].integer != 0;
    return z;
}

/* Rows [*first, *last) of row t's sequence. */
static void run_of(const sizes *z, size_t t, size_t *first, size_t *last)
{
    for (*first = t; *first > 0 && z->seq[*first - 1] == z->seq[t];) --*first;
    for (*last = t + 1; *last < z->rows && z->seq[*last] == z->seq[t];) ++*last;
}

static bool sees(const sizes *z, size_t t, size_t u)
{
    const int64_t back = (int64_t)z->pos[t] - z->pos[u];
    return (!z->causal || back >= 0) && (z->window <= 0 || back < z->window);
}

/* Of one query: the keys it sees, their scores before scale and cap, and their weights before and after the clamp. */
typedef struct {
    size_t n;
    uint32_t *key;
    float *score, *weight, *used;
} seen;

static size_t scratch(const pcs_call *c)
{
    return ((size_t)c->in[0].shape[0] + 16) * 4 * 4 + (size_t)c->in[2].shape[1] * 4 + 4 * 64;
}

static seen seen_in(const sizes *z, char *mem)
{
    const size_t room = z->rows + 16;
    return (seen){ 0, (uint32_t *)mem, (float *)mem + room, (float *)mem + 2 * room, (float *)mem + 3 * room };
}

static float dot(const float *a, const float *b, size_t n)
{
    float lane[16] = { 0 };
    for (size_t i = 0; i < n; i++) lane[i % 16] += a[i] * b[i];
    for (size_t step = 8; step; step /= 2)
        for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
    return lane[0];
}

static void weigh(const pcs_call *c, const sizes *z, size_t t, size_t head, size_t first, size_t last, seen *s)
{
    const float *q = z->q + (t * z->heads + head) * z->dim;
    s->n = 0;
    for (size_t u = first; u < last; u++)
        if (sees(z, t, u)) s->key[s->n++] = (uint32_t)u;
    for (size_t j = 0; j < s->n; j++)
        s->score[j] = dot(q, z->k + (s->key[j] * z->shared + head / z->group) * z->dim, z->dim);
    memcpy(s->weight, s->score, s->n * sizeof *s->weight);
    const size_t more = c->attr[PLUS_ONE].integer != 0;
    s->weight[s->n] = 0.0f;
    const pcs_softmax_args a = { s->weight, s->n + more, 0, (float)c->attr[SCALE].real, (float)c->attr[CAP].real };
    if (a.n) c->kernels->softmax(&a);
    const float gamma = (float)c->attr[GAMMA].real, stretch = (float)(c->attr[ZETA].real - c->attr[GAMMA].real);
    for (size_t j = 0; j < s->n; j++) {
        const float w = stretch * s->weight[j] + gamma;
        s->used[j] = w < 0 ? 0.0f : w > 1 ? 1.0f : w;
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const sizes z = sizes_of(c);
    seen s = seen_in(&z, c->scratch + ith * c->scratch_size);
    for (size_t t = ith; t < z.rows; t += nth) {
        size_t first, last;
        run_of(&z, t, &first, &last);
        for (size_t h = 0; h < z.heads; h++) {
            float *y = (float *)c->out[0].data + (t * z.heads + h) * z.vdim;
            weigh(c, &z, t, h, first, last, &s);
            memset(y, 0, z.vdim * sizeof *y);
            for (size_t j = 0; j < s.n; j++) {
                const float *v = z.v + (s.key[j] * z.shared + h / z.group) * z.vdim, w = s.used[j];
                for (size_t i = 0; i < z.vdim; i++) y[i] += w * v[i];
            }
        }
    }
}

/* The gradient by each score, in place of `used`: back through the clamp, the softmax, the cap and the scale. */
static void by_scores(const pcs_call *c, const sizes *z, const float *d, size_t head, seen *s)
{
    const float gamma = (float)c->attr[GAMMA].real, stretch = (float)(c->attr[ZETA].real - c->attr[GAMMA].real);
    const float scale = (float)c->attr[SCALE].real, cap = (float)c->attr[CAP].real;
    double mean = 0;
    for (size_t j = 0; j < s->n; j++) {
        const float w = stretch * s->weight[j] + gamma,
                    by = dot(d, z->v + (s->key[j] * z->shared + head / z->group) * z->vdim, z->vdim);
        s->used[j] = w < 0 || w > 1 ? 0.0f : stretch * by;
        mean += (double)s->weight[j] * s->used[j];
    }
    for (size_t j = 0; j < s->n; j++) {
        const float t = cap > 0 ? pcs_tanhf(s->score[j] * scale / cap) : 0.0f;
        s->used[j] = s->weight[j] * (s->used[j] - (float)mean) * scale * (1.0f - t * t);
    }
}

static void back_row(const pcs_call *c, const sizes *z, const pcs_grads *g, size_t t, size_t head, seen *s)
{
    const float *d = g->out[0] + (t * z->heads + head) * z->vdim, *q = z->q + (t * z->heads + head) * z->dim;
    const size_t shared = head / z->group;
    for (size_t j = 0; g->in[2] && j < s->n; j++)
        for (size_t i = 0; i < z->vdim; i++)
            g->in[2][(s->key[j] * z->shared + shared) * z->vdim + i] += s->used[j] * d[i];
    by_scores(c, z, d, head, s);
    for (size_t j = 0; j < s->n; j++) {
        const size_t at = (s->key[j] * z->shared + shared) * z->dim;
        for (size_t i = 0; g->in[0] && i < z->dim; i++)
            g->in[0][(t * z->heads + head) * z->dim + i] += s->used[j] * z->k[at + i];
        for (size_t i = 0; g->in[1] && i < z->dim; i++) g->in[1][at + i] += s->used[j] * q[i];
    }
}

/* A thread has whole key heads of whole sequences, whose keys no other thread's queries see. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const sizes z = sizes_of(c);
    seen s = seen_in(&z, c->scratch + ith * c->scratch_size);
    size_t task = 0;
    for (size_t first = 0, last; first < z.rows; first = last) {
        size_t begin;
        run_of(&z, first, &begin, &last);
        for (size_t shared = 0; shared < z.shared; shared++, task++)
            for (size_t t = first; t < last && task % nth == ith; t++)
                for (size_t h = shared * z.group; h < (shared + 1) * z.group; h++) {
                    weigh(c, &z, t, h, first, last, &s);
                    back_row(c, &z, g, t, h, &s);
                }
    }
}

const pcs_op pcs_op_attention_full = {
    .name = "attention_full",
    .min_in = 5,
    .max_in = 5,
    .attrs = PCS_ATTR_TABLE(PCS_INT("dim", 0), PCS_REAL("scale", 1), PCS_INT("window", 0), PCS_REAL("cap", 0),
                            PCS_INT("causal", 1), PCS_INT("plus_one", 0), PCS_REAL("zeta", 1), PCS_REAL("gamma", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .backward = backward,
    .scratch_back = scratch,
};
