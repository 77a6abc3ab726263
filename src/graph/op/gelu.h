/* gelu.h - gelu by its tanh form and its slope, for the gradients of gelu and geglu. */
#ifndef PCS_GELU_H
#define PCS_GELU_H

#include "base/fmath.h"

/* y = x / 2 (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3); slope = (1 + tanh u) / 2 + x / 2 (1 - tanh^2 u) u'. */
static inline void pcs_gelu_tanh(float x, float *y, float *slope)
{
    const float t = pcs_tanhf(0.79788456f * x * (1.0f + 0.044715f * x * x));
    const float inner = 0.79788456f * (1.0f + 3 * 0.044715f * x * x);
    *y = 0.5f * x * (1.0f + t);
    *slope = 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner;
}

#endif
