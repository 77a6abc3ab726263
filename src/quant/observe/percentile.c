/* percentile.c - the range that holds so much of a hundred of the values: onnxruntime's Percentile, in its histogram or
 * ours (bins.h). Where that is an edge of a bin, not a value, so the finer the bins the nearer. */
#include "quant/observe/bins.h"

#define OWN_BINS 8192 /* of which, after growing, half hold values at the least */

static precis_status begin(pcs_observation *o)
{
    pcs_bins *b = pcs_observation_state(o, 0);
    if (o->o.like == PCS_LIKE_ORT) b->rule = o->o.symmetric ? PCS_BINS_ORT_MAGNITUDE : PCS_BINS_ORT;
    return PRECIS_OK;
}

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    const size_t own = o->o.like == PCS_LIKE_ORT ? 2048 : OWN_BINS;
    return pcs_bins_see(o, pcs_observation_state(o, channel), o->o.bins ? o->o.bins : own, x, n);
}

/* The first bin up to which there is `share` of all; n: none. Shares are summed one after another, as cumsum does. */
static size_t bin_at(const pcs_bins *b, double total, double share)
{
    double sum = 0;
    for (size_t i = 0; i < b->n; i++) {
        sum += (double)b->count[i] / total;
        if (sum >= share) return i;
    }
    return b->n;
}

/* The same from the right end. */
static size_t bin_from_right(const pcs_bins *b, double share)
{
    uint64_t sum = 0;
    for (size_t i = b->n; i > 0; i--) {
        sum += b->count[i - 1];
        if ((double)sum > share * (double)b->total) return i;
    }
    return 0;
}

/* Of our bins both ends of a range are outer edges, so that what is kept is at least the share asked for. */
static void own_range(const pcs_observation *o, const pcs_bins *b, float *low, float *high)
{
    const double cut = (100 - o->o.percentile) / (o->o.symmetric ? 100 : 200);
    uint64_t sum = 0;
    size_t left = 0;
    if (o->o.symmetric) {
        size_t k = b->n / 2; /* bins on each side that are kept */
        while (k > 1) {
            sum += b->count[b->n / 2 - k] + b->count[b->n / 2 + k - 1];
            if ((double)sum > cut * (double)b->total) break;
            k--;
        }
        *high = b->edge[b->n / 2 + k];
        *low = -*high;
        return;
    }
    while (left < b->n && (double)(sum += b->count[left]) <= cut * (double)b->total) left++;
    *low = b->edge[left < b->n ? left : 0];
    *high = b->edge[bin_from_right(b, cut)];
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    const pcs_bins *b = pcs_observation_state(o, channel);
    double total = 0;
    for (size_t i = 0; i < b->n; i++) total += (double)b->count[i];
    if (o->o.like != PCS_LIKE_ORT) own_range(o, b, low, high);
    else if (o->o.symmetric) {
        *high = b->edge[bin_at(b, total, o->o.percentile / 100.0)];
        *low = -*high;
    } else {
        const double cut = (100.0 - o->o.percentile) / 200.0;
        *low = b->edge[bin_at(b, total, cut)];
        *high = b->edge[bin_at(b, total, 1.0 - cut)];
    }
    if (o->o.like == PCS_LIKE_ORT || !o->o.symmetric) pcs_bins_clamp(b, low, high);
    return PRECIS_OK;
}

static void close_bins(pcs_observation *o) { pcs_bins_free(o->ctx, pcs_observation_state(o, 0)); }

const pcs_observer_kind pcs_observer_percentile = {
    .name = "percentile", .what = "the range that holds 99.999 % of the values", .state = sizeof(pcs_bins),
    .passes = pcs_bins_passes, .begin = begin, .see = see, .range = range, .close = close_bins,
};
