/* round - learned rounding: each weight goes to the code below or above it, so that the layer's result on the samples
 * errs least, not each weight by itself (Nagel et al. 2020, 2004.10568, equation 20: (w' - w) E[x x^T] (w' - w)^T).
 *
 * The paper relaxes the choice and descends by gradients with a random start; here the sums of the layer's inputs are
 * kept whole, and single weights change sides, one after another, as long as the error falls: exact steps, no chance,
 * the same codes on any number of threads. It begins with the nearest codes, so a layer's error is never above theirs.
 * Where biases are corrected, which takes away the error's mean, its variance falls: E[x x^T] - E[x] E[x]^T. */
#include "base/pool.h"
#include "graph/op/window.h"
#include "quant/net/method.h"

#define SWEEPS 32               /* over all weights of a row, at most */
#define WIDEST 4608             /* weights of a row: sums of pairs of it are 170 MB */
#define WORK ((int64_t)1 << 29) /* products of a batch's places with one another */
#define DAMP 0.01               /* of the mean square of an input: what samples do not tell apart stays near */

extern const pcs_op pcs_op_conv, pcs_op_matmul, pcs_op_product;

/* What a row of weights is multiplied by: for each group of channels sums of x[i] x[j], i <= j, as [k][k]. */
struct pcs_net_gram {
    int64_t k, groups, rows_each; /* rows of weights that a group has */
    double *sums;
    double *means;   /* [groups][k]: sums of x[i]; NULL: means are not taken away */
    int64_t count;   /* places in all */
    float *places;   /* of a batch, [groups][most][k]: a tap may not use threads, so they are added later */
    int64_t most, n; /* places that there is room for, and that are there */
};

static bool conv_weights(const pcs_net_weight *f, const pcs_node *n) { return n->op == &pcs_op_conv && !f->axis; }

static precis_status begin(precis_net_quant *q, size_t node)
{
    const pcs_node *n = &q->g->nodes[node];
    pcs_net_weight f;
    if (!pcs_net_weight_of(q->g, n, &f)) return PRECIS_OK;
    const pcs_value *w = &q->g->values[n->in[f.input]];
    const bool conv = conv_weights(&f, n), matrix = (n->op == &pcs_op_matmul || n->op == &pcs_op_product) && f.matrix;
    if (!conv && !matrix) return PRECIS_OK;
    pcs_net_gram *m = pcs_arena_alloc(&q->arena, 1, sizeof *m);
    if (!m) return PRECIS_ENOMEM;
    m->k = 1;
    for (uint32_t i = 0; i < w->dims; i++) m->k *= i == f.axis ? 1 : w->shape[i];
    m->groups = conv ? q->g->values[n->in[0]].shape[1] / w->shape[1] : 1;
    m->rows_each = f.channels / m->groups;
    if (m->k > WIDEST || m->k < 1) return PRECIS_OK; /* it keeps the nearest codes */
    const int64_t fits = WORK / (m->k * m->k), enough = 8 * m->k < 64 ? 64 : 8 * m->k > 1024 ? 1024 : 8 * m->k;
    m->most = fits < 64 ? 64 : fits < enough ? fits : enough;
    m->sums = pcs_arena_alloc(&q->arena, (size_t)(m->groups * m->k * m->k), sizeof *m->sums);
    m->places = pcs_arena_alloc(&q->arena, (size_t)(m->groups * m->most * m->k), sizeof *m->places);
    const bool corrected = q->mode == PCS_NET_STATIC && q->like == PCS_LIKE_PRECIS && n->op->bias;
    if (corrected) m->means = pcs_arena_alloc(&q->arena, (size_t)(m->groups * m->k), sizeof *m->means);
    if (!m->sums || !m->places || (corrected && !m->means)) return PRECIS_ENOMEM;
    q->nodes[node].gram = m;
    return PRECIS_OK;
}

/* ---- samples -------------------------------------------------------------------------------------- */

/* A row of sums is one thread's, over places in ascending order. */
static void add_rows(void *arg, uint32_t ith, uint32_t nth)
{
    pcs_net_gram *m = arg;
    const int64_t k = m->k;
    for (int64_t r = ith; r < m->groups * k; r += nth)
        for (int64_t p = 0; p < m->n; p++) {
            const float *x = m->places + (r / k * m->most + p) * k;
            const double by = (double)x[r % k];
            double *to = m->sums + r * k;
            for (int64_t j = r % k; j < k && by != 0; j++) to[j] += by * (double)x[j];
            if (m->means) m->means[r] += by;
        }
}

static void add(precis_net_quant *q, size_t node)
{
    pcs_net_gram *m = q->nodes[node].gram;
    if (!m || !m->n) return;
    pcs_run(q->ctx, add_rows, m);
    m->count += m->n;
    m->n = 0;
}

/* The window at a place, channels outermost: as weights lie. */
static void copy_window(const pcs_window *w, const float *x, int64_t channels, int64_t place, float *to)
{
    int64_t at[PCS_WINDOW], rest = place;
    for (uint32_t d = PCS_WINDOW; d-- > 0; rest /= w->out[d]) at[d] = rest % w->out[d] * w->stride[d] - w->pad[d];
    for (int64_t c = 0; c < channels; c++, x += w->area)
        for (int64_t a = 0; a < w->kernel[0]; a++)
            for (int64_t b = 0; b < w->kernel[1]; b++)
                for (int64_t i = 0; i < w->kernel[2]; i++) {
                    const int64_t z = at[0] + a * w->dilation[0], y = at[1] + b * w->dilation[1],
                                  v = at[2] + i * w->dilation[2];
                    const bool in = z >= 0 && z < w->in[0] && y >= 0 && y < w->in[1] && v >= 0 && v < w->in[2];
                    *to++ = in ? x[(z * w->in[1] + y) * w->in[2] + v] : 0.0f;
                }
}

static void see_images(const precis_net_quant *q, const pcs_node *n, pcs_net_gram *m, const float *x, uint64_t count)
{
    const pcs_value *v = &q->g->values[n->in[0]], *y = &q->g->values[n->out[0]], *w = &q->g->values[n->in[1]];
    pcs_arg in = { .dims = v->dims }, out = { .dims = v->dims };
    for (uint32_t d = 2; d < v->dims; d++) {
        in.shape[d] = pcs_program_extent(q->program, v->shape[d]);
        out.shape[d] = pcs_program_extent(q->program, y->shape[d]);
    }
    const pcs_window window = pcs_window_of(n->attr, &in, &out, w->shape + 2);
    const int64_t channels = w->shape[1], image = m->groups * channels * window.area,
                  all = image ? (int64_t)count / image * window.places : 0;
    m->n = all < m->most ? all : m->most;
    for (int64_t g = 0; g < m->groups; g++)
        for (int64_t p = 0; p < m->n; p++) {
            const int64_t at = p * all / m->n;
            copy_window(&window, x + at / window.places * image + g * channels * window.area, channels,
                        at % window.places, m->places + (g * m->most + p) * m->k);
        }
}

static void see_rows(pcs_net_gram *m, const float *x, uint64_t count)
{
    const int64_t rows = (int64_t)count / m->k;
    m->n = rows < m->most ? rows : m->most;
    for (int64_t p = 0; p < m->n; p++)
        memcpy(m->places + p * m->k, x + p * rows / m->n * m->k, (size_t)m->k * sizeof *x);
}

static void see(precis_net_quant *q, size_t node, const float *x, uint64_t n)
{
    const pcs_node *of = &q->g->nodes[node];
    pcs_net_gram *m = q->nodes[node].gram;
    if (!m) return;
    if (of->op == &pcs_op_conv) see_images(q, of, m, x, n);
    else see_rows(m, x, n);
}

/* ---- codes ---------------------------------------------------------------------------------------- */

static double pair_of(const pcs_net_gram *m, int64_t group, int64_t i, int64_t j)
{
    const double *sums = m->sums + group * m->k * m->k, *means = m->means ? m->means + group * m->k : NULL;
    const double sum = i < j ? sums[i * m->k + j] : sums[j * m->k + i];
    return means ? sum - means[i] * means[j] / (double)m->count : sum;
}

/* What is added to each square of a group. */
static double damp_of(const pcs_net_gram *m, int64_t group)
{
    double sum = 0;
    for (int64_t i = 0; i < m->k; i++) sum += pair_of(m, group, i, i);
    return DAMP * sum / (double)m->k;
}

/* The code on the other side of the weight; the same where codes end. */
static int32_t other_side(const pcs_net_row *r, int64_t i, const pcs_qscheme *s)
{
    const double real = (double)r->codes[i] * (double)r->scale[i];
    const int32_t to = r->codes[i] + (real < (double)r->w[i] ? 1 : -1);
    return to < s->low || to > s->high ? r->codes[i] : to;
}

/* room: errors, and half the slope of the whole by each. Error e changes by d: 2 d slope + d^2 sum[i][i]. */
static void choose(const precis_net_quant *q, size_t node, const pcs_net_row *r, double *room)
{
    const pcs_net_gram *m = q->nodes[node].gram;
    if (!m->count) return;
    const int64_t group = r->channel / m->rows_each;
    double *error = room, *slope = room + r->k;
    const double damp = damp_of(m, group);
    for (int64_t i = 0; i < r->k; i++) error[i] = (double)r->codes[i] * (double)r->scale[i] - (double)r->w[i];
    for (int64_t i = 0; i < r->k; i++) {
        slope[i] = damp * error[i];
        for (int64_t j = 0; j < r->k; j++) slope[i] += pair_of(m, group, i, j) * error[j];
    }
    bool moved = true;
    for (int sweep = 0; sweep < SWEEPS && moved; sweep++) {
        moved = false;
        for (int64_t i = 0; i < r->k; i++) {
            const int32_t to = other_side(r, i, &q->weights);
            const double d = (double)(to - r->codes[i]) * (double)r->scale[i], own = pair_of(m, group, i, i) + damp;
            if (!(2 * d * slope[i] + d * d * own < -1e-12 * d * d * own)) continue;
            for (int64_t j = 0; j < r->k; j++) slope[j] += d * pair_of(m, group, i, j);
            slope[i] += d * damp;
            r->codes[i] = to;
            moved = true;
        }
    }
}

const pcs_net_method pcs_net_method_round = {
    .name = "round", .what = "learned rounding: codes that leave the layer's result least wrong on --calib",
    .begin = begin, .see = see, .add = add, .choose = choose,
};
