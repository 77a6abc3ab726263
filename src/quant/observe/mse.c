/* mse.c - the range of least squared error in the codes that it is for, by a search over shrunken ranges: a hundred
 * steps on each side in turn. Exact zeros cost nothing, since zero is a code; all other values of a bin count as its
 * middle. One histogram of 4,096 bins a channel. */
#include "quant/observe/bins.h"

#include <math.h>

enum { BINS = 4096, STEPS = 100, ROUNDS = 3 };

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    return pcs_bins_see(o, pcs_observation_state(o, channel), o->o.bins ? o->o.bins : BINS, x, n);
}

static double nearest(double x) { return (x + 0x1.8p52) - 0x1.8p52; }

static double rounding_error(const pcs_observation *o, const pcs_bins *b, float low, float high)
{
    const pcs_qscheme *s = &o->o.scheme;
    const pcs_qparams q = pcs_qparams_choose(s, low, high);
    double sum = 0;
    for (size_t i = 0; i < b->n; i++) {
        uint64_t count = b->count[i];
        if (b->edge[i] <= 0 && b->edge[i + 1] > 0 && count >= b->zeros) count -= b->zeros;
        if (!count) continue;
        const double x = ((double)b->edge[i] + (double)b->edge[i + 1]) / 2;
        double code = nearest(x / (double)q.scale) + q.zero;
        code = code < s->low ? s->low : code > s->high ? s->high : code;
        const double e = (code - q.zero) * (double)q.scale - x;
        sum += (double)count * (e * e);
    }
    return sum;
}

/* The best of STEPS parts of `most` down from `from`, the other side fixed. */
static float best_of(const pcs_observation *o, const pcs_bins *b, float other, float most, bool is_high)
{
    double least = INFINITY;
    float best = most;
    const float room = most < -1e36f || most > 1e36f ? 0x1p-7f : 1; /* a hundred times most is a number still */
    for (int i = 0; i < STEPS; i++) {
        const float at = most * room * (float)(STEPS - i) / STEPS / room;
        const bool both = o->o.symmetric || o->o.scheme.symmetric;
        const float low = is_high ? (both ? -at : other) : at, high = is_high ? at : other;
        const double e = rounding_error(o, b, low, high);
        if (e < least) least = e, best = at;
    }
    return best;
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    const pcs_bins *b = pcs_observation_state(o, channel);
    const float least = b->low < 0 ? b->low : 0, most = b->high > 0 ? b->high : 0;
    const bool both = o->o.symmetric || o->o.scheme.symmetric;
    *low = least;
    *high = most;
    if (b->zeros == b->total || !b->total) return PRECIS_OK;
    if (both) {
        *high = best_of(o, b, 0, -least > most ? -least : most, true);
        *low = -*high;
        return PRECIS_OK;
    }
    for (int i = 0; i < ROUNDS; i++) {
        const float before_low = *low, before_high = *high;
        if (most > 0) *high = best_of(o, b, *low, most, true);
        if (least < 0) *low = best_of(o, b, *high, least, false);
        if (*low == before_low && *high == before_high) break;
    }
    return PRECIS_OK;
}

static void close_bins(pcs_observation *o)
{
    for (uint32_t c = 0; c < o->o.channels; c++) pcs_bins_free(o->ctx, pcs_observation_state(o, c));
}

const pcs_observer_kind pcs_observer_mse = {
    .name = "mse", .what = "the range of least squared error in its codes", .per_channel = true,
    .state = sizeof(pcs_bins), .see = see, .range = range, .close = close_bins,
};
