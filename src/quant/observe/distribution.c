/* distribution.c - mean and standard deviation of the values, from which onnxruntime's Distribution makes the scale of
 * an 8-bit float; its range is all of the histogram. Of magnitudes to a power ("p3": 1/3), where asked. */
#include "quant/observe/bins.h"

#include "base/builtins.h"
#include "base/fmath.h"

static precis_status begin(pcs_observation *o)
{
    pcs_bins *b = pcs_observation_state(o, 0);
    if (o->o.like == PCS_LIKE_ORT) b->rule = PCS_BINS_ORT;
    if (o->o.bins && o->o.bins < 512)
        return pcs_fail(o->ctx, PRECIS_EINVAL, "%s: observer distribution with %u bins; it needs 512", o->value,
                        o->o.bins);
    if (!(o->o.power > 0 && o->o.power <= 9))
        return pcs_fail(o->ctx, PRECIS_EINVAL, "%s: observer distribution of the power %g; it is above 0, up to 9",
                        o->value, o->o.power);
    return PRECIS_OK;
}

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    return pcs_bins_see(o, pcs_observation_state(o, channel), o->o.bins ? o->o.bins : 2048, x, n);
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    const pcs_bins *b = pcs_observation_state(o, channel);
    *low = o->o.like == PCS_LIKE_ORT ? b->edge[0] : b->low;
    *high = o->o.like == PCS_LIKE_ORT ? b->edge[b->n] : b->high;
    return PRECIS_OK;
}

/* The middle of a bin, to the power asked for, with its sign. */
static float value_of(const pcs_observation *o, const pcs_bins *b, size_t i)
{
    const float v = (b->edge[i] + b->edge[i + 1]) * 0.5f, a = v < 0 ? -v : v;
    if (o->o.power == 1) return v;
    const float p = a > 0 ? (float)pcs_pow((double)a, o->o.power) : 0;
    return v < 0 ? -p : p;
}

static precis_status moments(pcs_observation *o, uint32_t channel, float *mean, float *deviation)
{
    const pcs_bins *b = pcs_observation_state(o, channel);
    double sum = 0, squares = 0, total = 0;
    for (size_t i = 0; i < b->n; i++) {
        const float v = value_of(o, b, i);
        sum += (double)b->count[i] * (double)v;
        squares += (double)b->count[i] * (double)(v * v);
        total += (double)b->count[i];
    }
    const double avg = sum / total, variance = squares / total - avg * avg;
    *mean = (float)avg;
    *deviation = (float)pcs_sqrt(variance > 0 ? variance : 0);
    return PRECIS_OK;
}

static void close_bins(pcs_observation *o) { pcs_bins_free(o->ctx, pcs_observation_state(o, 0)); }

const pcs_observer_kind pcs_observer_distribution = {
    .name = "distribution", .what = "mean and deviation, for scales of 8-bit floats", .state = sizeof(pcs_bins),
    .passes = pcs_bins_passes, .begin = begin, .see = see, .range = range, .moments = moments, .close = close_bins,
};
