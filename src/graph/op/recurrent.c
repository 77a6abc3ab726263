/* recurrent - RNN, GRU and LSTM as ONNX has them. Inputs: x[steps, batch, in], w[ways, gates * hidden, in], r[ways,
 * gates * hidden, hidden], b[ways, 2 * gates * hidden], lengths[batch] (I32), h[ways, batch, hidden], and of an LSTM
 * c[ways, batch, hidden] and peepholes p[ways, 3 * hidden]. Results: y[steps, ways, batch, hidden], the last h, and the
 * last c.
 *
 * `kind`: rnn, gru, lstm; `way`: forward, reverse, bidirectional; `act`: a letter for each function of each way in
 * ONNX's order: t tanh, s sigmoid, r relu, a affine, l leaky, T thresholded, S scaled tanh, H hard sigmoid, e elu, g
 * softsign, p softplus, with `coefficients` ([2][functions]: bits of F32) as alpha and beta. One thread has one
 * sequence of one way; sums are in f32, ascending. */
#include "base/f16.h"
#include "base/builtins.h"
#include "base/fmath_more.h"
#include "graph/element.h"

enum { KIND, WAY, ACT, CLIP, COUPLED, LINEAR, COEFFICIENTS };
enum { X, W, R, B, LENGTHS, H, C, P };

static uint32_t gates_of(const precis_attr *a) { return a[KIND].text[0] == 'r' ? 1 : a[KIND].text[0] == 'g' ? 3 : 4; }
static uint32_t functions_of(const precis_attr *a)
{
    return a[KIND].text[0] == 'r' ? 1 : a[KIND].text[0] == 'g' ? 2 : 3;
}
static uint32_t results(const pcs_node *n) { return n->attr[KIND].text[0] == 'l' ? 3 : 2; }

static bool shaped(const precis_graph *g, const pcs_node *n, uint32_t i, uint32_t dims, const int64_t *shape)
{
    const pcs_value *v = &g->values[n->in[i]];
    return v->dtype == PCS_F32 && v->dims == dims && !memcmp(v->shape, shape, dims * sizeof *shape);
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[X]], *r = &g->values[n->in[R]], *l = &g->values[n->in[LENGTHS]];
    const char *kind = n->attr[KIND].text, *way = n->attr[WAY].text;
    const bool lstm = !strcmp(kind, "lstm");
    const int64_t gates = gates_of(n->attr), ways = !strcmp(way, "bidirectional") ? 2 : 1;
    if ((strcmp(kind, "rnn") && strcmp(kind, "gru") && !lstm) ||
        (ways == 1 && strcmp(way, "forward") && strcmp(way, "reverse")))
        return pcs_op_fail(g, n, "knows no kind %s, or no way %s", kind, way);
    if (strlen(n->attr[ACT].text) != (size_t)(ways * functions_of(n->attr)) ||
        strspn(n->attr[ACT].text, "tsralTSHegp") != strlen(n->attr[ACT].text))
        return pcs_op_fail(g, n, "has functions \"%s\"", n->attr[ACT].text);
    if (n->attr[COEFFICIENTS].n != 2 * strlen(n->attr[ACT].text))
        return pcs_op_fail(g, n, "has %u coefficients", n->attr[COEFFICIENTS].n);
    if (n->n_in != (lstm ? 8u : 6u) || x->dims != 3 || r->dims != 3 || x->dtype != PCS_F32 || l->dtype != PCS_I32 ||
        l->dims != 1 || l->shape[0] != x->shape[1])
        return pcs_op_fail(g, n, "takes F32 x[steps, batch, in] and lengths[batch]");
    if (pcs_dim_is_id(r->shape[2])) return pcs_op_fail(g, n, "has weights of a size that is not known yet");
    const int64_t hidden = r->shape[2], batch = x->shape[1], rows = gates * hidden;
    const bool fits = shaped(g, n, W, 3, (const int64_t[]){ ways, rows, x->shape[2] }) &&
                      shaped(g, n, R, 3, (const int64_t[]){ ways, rows, hidden }) &&
                      shaped(g, n, B, 2, (const int64_t[]){ ways, 2 * rows }) &&
                      shaped(g, n, H, 3, (const int64_t[]){ ways, batch, hidden });
    if (!fits || (lstm && (!shaped(g, n, C, 3, (const int64_t[]){ ways, batch, hidden }) ||
                           !shaped(g, n, P, 2, (const int64_t[]){ ways, 3 * hidden }))))
        return pcs_op_fail(g, n,
                           "has weights or states of another shape than %lld ways, %lld gates and %lld hidden ask for",
                           (long long)ways, (long long)gates, (long long)hidden);
    out[0].dims = 4;
    memcpy(out[0].shape, (const int64_t[]){ x->shape[0], ways, batch, hidden }, 4 * sizeof(int64_t));
    for (uint32_t i = 1; i < results(n); i++) {
        out[i].dims = 3;
        memcpy(out[i].shape, (const int64_t[]){ ways, batch, hidden }, 3 * sizeof(int64_t));
    }
    return PRECIS_OK;
}

static size_t scratch(const pcs_call *c)
{
    return (size_t)c->in[R].shape[2] * (gates_of(c->attr) + 4) * sizeof(float) + 64;
}

static float apply(char f, float x, float a, float b)
{
    switch (f) {
    case 't': return pcs_m_tanhf(x);
    case 's': return 1.0f / (1.0f + pcs_m_expf(-x));
    case 'r': return x > 0 ? x : 0.0f;
    case 'a': return a * x + b;
    case 'l': return x < 0 ? a * x : x;
    case 'T': return x > a ? x : 0.0f;
    case 'S': return a * pcs_m_tanhf(b * x);
    case 'H': return a * x + b < 0 ? 0.0f : a * x + b > 1 ? 1.0f : a * x + b;
    case 'e': return x < 0 ? a * (float)pcs_m_expm1((double)x) : x;
    case 'g': return x / (1 + pcs_absf(x));
    default: return (float)(x > 0 ? x + pcs_m_log1p(pcs_exp(-x)) : pcs_m_log1p(pcs_exp(x)));
    }
}

/* One sequence in work. */
typedef struct {
    const pcs_call *c;
    int64_t hidden, in, way, seq;
    const float *w, *r, *b, *p;
    float *gate, *h, *cell, *reset;
    float clip;
} recurrence;

static float clip_state(const recurrence *s, float x)
{
    return s->clip > 0 ? (x < -s->clip ? -s->clip : x > s->clip ? s->clip : x) : x;
}

static float function(const recurrence *s, uint32_t i, float x)
{
    const uint32_t n = functions_of(s->c->attr), k = (uint32_t)s->way * n + i,
                   all = (uint32_t)strlen(s->c->attr[ACT].text);
    const int64_t *bits = s->c->attr[COEFFICIENTS].list;
    return apply(s->c->attr[ACT].text[k], clip_state(s, x), pcs_bits_f32((uint32_t)bits[k]),
                 pcs_bits_f32((uint32_t)bits[all + k]));
}

/* Lanes of 16, so that the order is fixed and the loop is of registers. */
static float dot(const float *a, const float *b, int64_t n)
{
    float lane[16] = { 0 }, rest = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) PCS_LANES(l, 16) lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++) rest += a[i] * b[i];
    for (int step = 8; step; step /= 2)
        for (int l = 0; l < step; l++) lane[l] += lane[l + step];
    return lane[0] + rest;
}

static void sums(const recurrence *s, const float *x, int64_t first, int64_t last, const float *h)
{
    const int64_t rows = (int64_t)gates_of(s->c->attr) * s->hidden;
    for (int64_t i = first; i < last; i++)
        s->gate[i] = dot(s->w + i * s->in, x, s->in) + s->b[i] +
                     (h ? dot(s->r + i * s->hidden, h, s->hidden) + s->b[rows + i] : 0.0f);
}

static void step_rnn(const recurrence *s, const float *x)
{
    sums(s, x, 0, s->hidden, s->h);
    for (int64_t i = 0; i < s->hidden; i++) s->h[i] = function(s, 0, s->gate[i]);
}

static void step_gru(const recurrence *s, const float *x)
{
    const int64_t n = s->hidden, rows = 3 * n;
    const bool linear = s->c->attr[LINEAR].integer != 0;
    sums(s, x, 0, 2 * n, s->h);
    sums(s, x, 2 * n, 3 * n, NULL);
    for (int64_t i = 0; i < 2 * n; i++) s->gate[i] = function(s, 0, s->gate[i]); /* update, reset */
    for (int64_t i = 0; i < n; i++) s->reset[i] = linear ? s->h[i] : s->gate[n + i] * s->h[i];
    for (int64_t i = 0; i < n; i++) {
        const float back = dot(s->r + (2 * n + i) * n, s->reset, n) + s->b[rows + 2 * n + i];
        s->gate[2 * n + i] = function(s, 1, s->gate[2 * n + i] + (linear ? s->gate[n + i] * back : back));
    }
    for (int64_t i = 0; i < n; i++) s->h[i] = (1 - s->gate[i]) * s->gate[2 * n + i] + s->gate[i] * s->h[i];
}

static void step_lstm(const recurrence *s, const float *x)
{
    const int64_t n = s->hidden;
    const bool coupled = s->c->attr[COUPLED].integer != 0;
    sums(s, x, 0, 4 * n, s->h); /* input, output, forget, cell */
    for (int64_t i = 0; i < n; i++) {
        const float in = function(s, 0, s->gate[i] + s->p[i] * s->cell[i]);
        const float forget = coupled ? 1 - in : function(s, 0, s->gate[2 * n + i] + s->p[2 * n + i] * s->cell[i]);
        s->cell[i] = forget * s->cell[i] + in * function(s, 1, s->gate[3 * n + i]);
        s->h[i] = function(s, 0, s->gate[n + i] + s->p[n + i] * s->cell[i]) * function(s, 2, s->cell[i]);
    }
}

static void sequence(const recurrence *s)
{
    const pcs_call *c = s->c;
    const int64_t steps = c->in[X].shape[0], batch = c->in[X].shape[1], ways = c->in[W].shape[0], n = s->hidden;
    const bool back = s->way == 1 || c->attr[WAY].text[0] == 'r';
    int64_t length = ((const int32_t *)c->in[LENGTHS].data)[s->seq];
    length = length < 0 ? 0 : length > steps ? steps : length;
    for (int64_t t = 0; t < length; t++) {
        const int64_t at = back ? length - 1 - t : t;
        const float *x = (const float *)c->in[X].data + (at * batch + s->seq) * s->in;
        (c->attr[KIND].text[0] == 'r' ? step_rnn : c->attr[KIND].text[0] == 'g' ? step_gru : step_lstm)(s, x);
        memcpy((float *)c->out[0].data + ((at * ways + s->way) * batch + s->seq) * n, s->h, (size_t)n * sizeof *s->h);
    }
    for (int64_t t = length; t < steps; t++)
        memset((float *)c->out[0].data + ((t * ways + s->way) * batch + s->seq) * n, 0, (size_t)n * sizeof *s->h);
    memcpy((float *)c->out[1].data + (s->way * batch + s->seq) * n, s->h, (size_t)n * sizeof *s->h);
    if (c->n_out > 2)
        memcpy((float *)c->out[2].data + (s->way * batch + s->seq) * n, s->cell, (size_t)n * sizeof *s->h);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const int64_t n = c->in[R].shape[2], in = c->in[X].shape[2], batch = c->in[X].shape[1], ways = c->in[W].shape[0],
                  rows = (int64_t)gates_of(c->attr) * n;
    float *mem = (float *)(void *)(c->scratch + ith * c->scratch_size);
    for (int64_t i = ith; i < ways * batch; i += nth) {
        const int64_t way = i / batch, seq = i % batch;
        const bool lstm = c->n_in > 6;
        const recurrence s = {
            .c = c,
            .hidden = n,
            .in = in,
            .way = way,
            .seq = seq,
            .clip = (float)c->attr[CLIP].real,
            .w = (const float *)c->in[W].data + way * rows * in,
            .r = (const float *)c->in[R].data + way * rows * n,
            .b = (const float *)c->in[B].data + way * 2 * rows,
            .p = lstm ? (const float *)c->in[P].data + way * 3 * n : NULL,
            .gate = mem,
            .h = mem + rows,
            .cell = mem + rows + n,
            .reset = mem + rows + 2 * n,
        };
        memcpy(s.h, (const float *)c->in[H].data + (way * batch + seq) * n, (size_t)n * sizeof *s.h);
        if (lstm) memcpy(s.cell, (const float *)c->in[C].data + (way * batch + seq) * n, (size_t)n * sizeof *s.h);
        sequence(&s);
    }
}

/* Of both weights, at each step. */
static uint64_t products(const pcs_call *c)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1], *r = &c->in[2];
    return (uint64_t)(x->shape[0] * x->shape[1]) * (uint64_t)(pcs_arg_count(w) + pcs_arg_count(r));
}

const pcs_op pcs_op_recurrent = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "recurrent",
    .min_in = 6,
    .max_in = 8,
    .results = results,
    .attrs = PCS_ATTR_TABLE(PCS_TEXT("kind", "lstm"), PCS_TEXT("way", "forward"), PCS_TEXT("act", ""),
                            PCS_REAL("clip", 0), PCS_INT("coupled", 0), PCS_INT("linear", 0), PCS_LIST("coefficients")),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .products = products,
};
