/* entropy.c - the symmetric cut at which the distribution of the values changes least when it has `levels` bins: least
 * Kullback-Leibler divergence from the cut distribution, outliers put into its ends (S. Migacz, 8-bit inference with
 * TensorRT, GTC 2017; onnxruntime's get_entropy_threshold, whose truncations are kept).
 *
 * onnxruntime's defaults (128 bins and 128 levels, one call) leave one candidate, so that it is minmax: --like
 * onnxruntime does that too. Ours has 2,048 bins at the least. */
#include "quant/observe/bins.h"

#include "base/fmath.h"

#include <math.h>

static precis_status begin(pcs_observation *o)
{
    pcs_bins *b = pcs_observation_state(o, 0);
    if (o->o.like == PCS_LIKE_ORT) b->rule = PCS_BINS_ORT;
    if (o->o.levels < 2 || o->o.levels > 65536 || (o->o.bins && o->o.bins < o->o.levels))
        return pcs_fail(o->ctx, PRECIS_EINVAL,
                        "%s: observer entropy with %u bins and %u levels; levels are 2 to 65,536 and at most the bins",
                        o->value, o->o.bins, o->o.levels);
    if (o->o.like == PCS_LIKE_PRECIS && o->o.bins && o->o.bins < 2048)
        return pcs_fail(o->ctx, PRECIS_EINVAL, "%s: observer entropy with %u bins; it needs 2,048 to have a choice",
                        o->value, o->o.bins);
    return PRECIS_OK;
}

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    const size_t own = o->o.like == PCS_LIKE_ORT ? 128 : 4096; /* after growing, half of them hold values */
    return pcs_bins_see(o, pcs_observation_state(o, channel), o->o.bins ? o->o.bins : own, x, n);
}

typedef struct {
    const pcs_bins *b;
    uint64_t *before;   /* [n + 1]: counts of the bins before */
    float *p, *q;       /* [n] */
    uint64_t *counts;   /* [n]: p before it is smoothed */
    uint32_t levels;
} search;

/* NumPy's sum of f32: in pairs of halves, in blocks of 128 by eight lanes. Neighbouring cuts differ by less than f32
 * shows, so which of them is best depends on it. */
static float pairwise(const float *x, size_t n)
{
    float r[8], sum = 0;
    size_t i;
    if (n > 128) {
        const size_t half = n / 2 - n / 2 % 8;
        return pairwise(x, half) + pairwise(x + half, n - half);
    }
    if (n < 8) {
        for (i = 0; i < n; i++) sum += x[i];
        return sum;
    }
    for (i = 0; i < 8; i++) r[i] = x[i];
    for (i = 8; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++) r[k] += x[i + k];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++) sum += x[i];
    return sum;
}

/* Zeros become eps, which others give; false: all are zero. x: counts as f32. */
static bool smooth(float *x, size_t n)
{
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++) zeros += x[i] == 0;
    if (zeros == n) return false;
    const float eps = 1e-4f, less = (float)(-(1e-4 * (double)zeros / (double)(n - zeros)));
    for (size_t i = 0; i < n; i++) x[i] = x[i] == 0 ? eps : x[i] + less;
    const float sum = pairwise(x, n);
    for (size_t i = 0; i < n; i++) x[i] /= sum;
    return true;
}

/* Divergence of the bins first to end - 1 from themselves in `levels` bins. */
static float divergence(const search *s, size_t first, size_t end)
{
    const size_t n = end - first, merged = n / s->levels;
    for (size_t i = 0; i < n; i++) s->counts[i] = s->b->count[first + i];
    s->counts[0] += s->before[first];
    s->counts[n - 1] += s->before[s->b->n] - s->before[end];
    for (size_t i = 0; i < n; i++) s->p[i] = (float)s->counts[i], s->q[i] = 0;
    for (size_t l = 0; l < s->levels; l++) {
        const size_t begin_at = l * merged, to = l + 1 < s->levels ? begin_at + merged : n;
        const uint64_t sum = s->before[first + to] - s->before[first + begin_at];
        uint64_t some = 0;
        for (size_t i = begin_at; i < begin_at + merged; i++) some += s->counts[i] != 0;
        /* whole numbers there, so that what is left of a quotient is lost */
        for (size_t i = begin_at; i < begin_at + merged && some; i++) s->q[i] = (float)(sum / some);
    }
    float term = 0, last_p = -1, last_q = -1;
    if (!smooth(s->p, n) || !smooth(s->q, n)) return INFINITY;
    for (size_t i = 0; i < n; i++) {
        const float p = s->p[i], q = s->q[i];
        if (p != last_p || q != last_q) /* runs of empty bins have the same term */
            term = p > 0 && q > 0 ? p * (float)pcs_log((double)(p / q)) : INFINITY;
        last_p = p;
        last_q = q;
        s->p[i] = term;
    }
    return pairwise(s->p, n);
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    const pcs_bins *b = pcs_observation_state(o, channel);
    search s = { .b = b, .levels = o->o.levels };
    float least = 0;
    size_t best = 0, half = o->o.levels / 2, zero = b->n / 2;
    s.before = pcs_alloc(o->ctx, b->n + 1, 2 * sizeof *s.before);
    s.p = pcs_alloc(o->ctx, b->n + 1, 2 * sizeof *s.p);
    if (!s.before || !s.p) {
        pcs_free(o->ctx, s.before);
        pcs_free(o->ctx, s.p);
        return PRECIS_ENOMEM;
    }
    s.counts = s.before + b->n + 1;
    s.q = s.p + b->n + 1;
    for (size_t i = 0; i < b->n; i++) s.before[i + 1] = s.before[i] + b->count[i];
    for (size_t i = half; i <= zero; i++) {
        const float d = divergence(&s, zero - i, zero + i + 1 < b->n ? zero + i + 1 : b->n);
        if (i == half || d < least) least = d, best = i;
    }
    *low = b->edge[zero - best];
    *high = b->edge[zero + best + 1 < b->n ? zero + best + 1 : b->n];
    pcs_bins_clamp(b, low, high);
    pcs_free(o->ctx, s.before);
    pcs_free(o->ctx, s.p);
    return PRECIS_OK;
}

static void close_bins(pcs_observation *o) { pcs_bins_free(o->ctx, pcs_observation_state(o, 0)); }

const pcs_observer_kind pcs_observer_entropy = {
    .name = "entropy", .what = "the cut that changes the distribution least", .state = sizeof(pcs_bins),
    .passes = pcs_bins_passes, .begin = begin, .see = see, .range = range, .close = close_bins,
};
