/* moving_average.c - minima and maxima of batches, averaged with less and less weight of the old ones (torch's
 * MovingAverageMinMaxObserver, per channel too). Like onnxruntime it is the plain mean of all batches: its constant
 * acts only between calls that collect, and quantize_static makes one. */
#include "quant/observe/observe.h"

typedef struct {
    float low, high;             /* the average so far; onnxruntime: sums in f32 */
    double low_sum, high_sum;
    uint64_t batches;
} average;

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    average *a = pcs_observation_state(o, channel);
    const float c = (float)o->o.averaging;
    float low, high;
    pcs_extremes(x, n, &low, &high);
    if (o->o.like == PCS_LIKE_ORT) {
        a->low += low, a->low_sum += (double)low;
        a->high += high, a->high_sum += (double)high;
    } else {
        a->low = a->batches ? a->low + c * (low - a->low) : low;
        a->high = a->batches ? a->high + c * (high - a->high) : high;
    }
    a->batches++;
    return PRECIS_OK;
}

/* NumPy sums fewer than 8 numbers one after another in f32, and more in pairs, to which f64 is nearer. */
static float mean(const average *a, float sum, double exact)
{
    return a->batches < 8 ? sum / (float)a->batches : (float)(exact / (double)a->batches);
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    const average *a = pcs_observation_state(o, channel);
    const bool plain = o->o.like == PCS_LIKE_ORT && a->batches;
    const float least = plain ? mean(a, a->low, a->low_sum) : a->low;
    const float most = plain ? mean(a, a->high, a->high_sum) : a->high, wide = -least > most ? -least : most;
    *low = o->o.symmetric ? -wide : least;
    *high = o->o.symmetric ? wide : most;
    return PRECIS_OK;
}

const pcs_observer_kind pcs_observer_moving_average = {
    .name = "moving_average", .what = "smallest and largest value of batches, averaged", .per_channel = true,
    .state = sizeof(average), .see = see, .range = range,
};
