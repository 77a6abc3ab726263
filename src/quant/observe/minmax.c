/* minmax.c - the smallest and the largest value of all (torch's MinMaxObserver and PerChannelMinMaxObserver,
 * onnxruntime's MinMax). */
#include "quant/observe/observe.h"

typedef struct { float low, high; bool any; } extremes;

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    extremes *e = pcs_observation_state(o, channel);
    float low, high;
    pcs_extremes(x, n, &low, &high);
    e->low = e->any && e->low < low ? e->low : low;
    e->high = e->any && e->high > high ? e->high : high;
    e->any = true;
    return PRECIS_OK;
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    const extremes *e = pcs_observation_state(o, channel);
    const float wide = -e->low > e->high ? -e->low : e->high;
    *low = o->o.symmetric ? -wide : e->low;
    *high = o->o.symmetric ? wide : e->high;
    return PRECIS_OK;
}

const pcs_observer_kind pcs_observer_minmax = {
    .name = "minmax", .what = "smallest and largest value", .per_channel = true, .state = sizeof(extremes),
    .see = see, .range = range,
};
