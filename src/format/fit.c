/* fit.c - parameters, codes and bytes: the scalar compilation of fit.h, which kernel/kernels.def has for every
 * instruction set. */
#include "format/fit.h"

int pcs_e8m0_scale(float top, int exponent, float largest, int mantissa, pcs_fit_effort effort)
{
    uint32_t u = pcs_f32_bits(top);
    if (effort == PCS_FIT_EVEN) u += 1u << (22 - mantissa); /* rounds up to the next power where the elements would */
    if (effort == PCS_FIT_CEIL) u += 0x7fffff;
    int e = (int)(u >> 23) - exponent;
    if (effort == PCS_FIT_RCEIL) { /* the least power of two that lets nothing overflow: amax / largest, rounded up */
        const uint32_t r = pcs_f32_bits(top / largest);
        e = (int)(r >> 23) + ((r & 0x7fffff) != 0);
    }
    return e < 0 ? 0 : e > 254 ? 254 : e;
}

void pcs_codes(const pcs_format *f, const float *x, const float *d, const float *m, int8_t *q)
{
    codes_under(f, x, d, m, q);
}
void pcs_encode(const pcs_encode_args *a) { encode_row(a); }
