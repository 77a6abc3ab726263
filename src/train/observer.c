/* observer.c - moving averages of minima and maxima, and the grid that they give. */
#include "train/observer.h"

#include "graph/op/round.h"

const pcs_range_scheme pcs_range_schemes[] = {
    { "affine_u8", 0, 255, false },
    { "symmetric_s8", -128, 127, true },
    { "affine_s8", -128, 127, false },
    { "symmetric_u8", 0, 255, true },
    { NULL, 0, 0, false },
};

void pcs_observe(pcs_observer *o, const float *x, size_t n)
{
    if (!n) return;
    float low = x[0], high = x[0];
    for (size_t i = 1; i < n; i++) low = x[i] < low ? x[i] : low, high = x[i] > high ? x[i] : high;
    const float c = (float)o->c;
    o->low = o->seen ? o->low + c * (low - o->low) : low;
    o->high = o->seen ? o->high + c * (high - o->high) : high;
    o->seen = true;
}

void pcs_observer_grid(const pcs_observer *o, const pcs_range_scheme *s, float *scale, float *zero)
{
    const float low = o->low < 0 ? o->low : 0, high = o->high > 0 ? o->high : 0,
                least = 1.1920929e-7f; /* torch's eps */
    const float codes = (float)(s->high - s->low), wide = -low > high ? -low : high;
    *scale = s->symmetric ? wide / (codes / 2) : (high - low) / codes;
    if (!(*scale > least)) *scale = least;
    if (s->symmetric) *zero = (float)(s->low < 0 ? 0 : (s->high + 1) / 2);
    else *zero = pcs_clamp((float)s->low - pcs_nearest(low / *scale), (float)s->low, (float)s->high);
}
