/* fixed.c - a range that is known beforehand, as that of a sigmoid (0 to 255/256) or tanh (torch's
 * FixedQParamsObserver; onnxruntime's Softmax). It needs no values. */
#include "quant/observe/observe.h"

#include <math.h>

static precis_status begin(pcs_observation *o)
{
    if (o->o.low <= o->o.high && isfinite(o->o.low) && isfinite(o->o.high)) return PRECIS_OK;
    return pcs_fail(o->ctx, PRECIS_EINVAL, "%s: a fixed range of %g to %g", o->value, (double)o->o.low,
                    (double)o->o.high);
}

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    (void)o, (void)channel, (void)x, (void)n;
    return PRECIS_OK;
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    (void)channel;
    *low = o->o.low;
    *high = o->o.high;
    return PRECIS_OK;
}

const pcs_observer_kind pcs_observer_fixed = {
    .name = "fixed", .what = "a range that is given", .per_channel = true, .needs_nothing = true, .state = 1,
    .begin = begin, .see = see, .range = range,
};
