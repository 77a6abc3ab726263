/* codes_gemm and what goes with it, reference. */
#include "kernel/kernel.h"

static int32_t sum_of(const pcs_codes_gemm_args *a, size_t m, size_t n)
{
    const int8_t *w = a->w + n / PCS_CODES_PANEL * a->lines * 64 + n % PCS_CODES_PANEL * 4;
    const uint8_t *x = a->a + m * a->lda;
    uint32_t sum = (uint32_t)a->first[n];
    for (size_t l = 0; l < a->lines; l++)
        for (size_t i = 0; i < 4; i++) sum += (uint32_t)(x[4 * l + i] * w[64 * l + i]);
    return (int32_t)sum;
}

void pcs_codes_gemm_scalar(const pcs_codes_gemm_args *a)
{
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++)
            a->y[m * a->ldy + n] = pcs_codes_round((float)sum_of(a, m, n) * a->factor[n], a->to);
}

void pcs_codes_gemm_f32_scalar(const pcs_codes_gemm_args *a)
{
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++) {
            const float y = (float)sum_of(a, m, n) * a->factor[n];
            a->yf[m * a->ldy + n] = a->bias ? y + a->bias[n] : y;
        }
}

static uint8_t place_of(const pcs_codes_depthwise_args *d, size_t j, size_t p, size_t c)
{
    uint32_t sum = (uint32_t)d->first[c];
    for (size_t e = 0; e < d->kernel; e++)
        for (size_t a = 0; a < d->height; a++) {
            const uint8_t *x = pcs_codes_column(d, j, a, (int64_t)p * d->stride - d->pad + (int64_t)e * d->dilation);
            sum += (uint32_t)((x ? x[c] : d->zero_in) * d->w[pcs_codes_tap(c, d->height, d->kernel, a, e)]);
        }
    return pcs_codes_round((float)(int32_t)sum * d->factor[c], d->to);
}

void pcs_codes_depthwise_scalar(const pcs_codes_depthwise_args *d)
{
    for (size_t j = 0; j < d->n_rows; j++)
        for (size_t p = 0; p < d->pixels; p++)
            for (size_t c = 0; c < d->channels; c++) d->y[(j * d->pixels + p) * d->channels + c] = place_of(d, j, p, c);
}

void pcs_codes_encode_scalar(const pcs_codes_encode_args *a)
{
    for (size_t i = 0; i < a->n; i++) a->y[i] = pcs_codes_round(a->x[i] / a->scale, a->to);
}

void pcs_codes_decode_scalar(const pcs_codes_decode_args *a)
{
    for (size_t i = 0; i < a->n; i++) a->y[i] = (float)(a->x[i] - a->zero) * a->scale;
}

void pcs_codes_add_scalar(const pcs_codes_add_args *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const float x = (float)(a->a[i] - a->za) * a->sa, y = (float)(a->b[i] - a->zb) * a->sb, sum = x + y;
        a->y[i] = pcs_codes_round(sum / a->scale, a->to);
    }
}
