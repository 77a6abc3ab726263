/* kv_scores and kv_values, reference: unpack_kv's numbers and gemm's sums. */
#include "base/f16.h"
#include "kernel/kernel.h"

#include <math.h>

/* Number i of an array of `bits`; high: of nibbles, the upper ones. */
static float number(const uint8_t *codes, int bits, size_t i, bool high)
{
    float x;
    uint16_t h;
    if (bits == 8) return (float)(int8_t)codes[i];
    if (bits == 4) return (float)((high ? codes[i] >> 4 : codes[i] & 15) - 8);
    if (bits == 16) {
        memcpy(&h, codes + 2 * i, sizeof h);
        return pcs_f16_to_f32(h);
    }
    memcpy(&x, codes + 4 * i, sizeof x);
    return x;
}

void pcs_kv_scores_scalar(const pcs_kv_scores_args *a)
{
    for (size_t j = 0; j < 16 * a->tiles; j++) {
        const uint8_t *tile = a->codes + j / 16 * ((a->dims + 1) / 2 * 4 * (size_t)a->bits);
        for (size_t r = 0; r < a->m; r++) {
            float sum = 0.0f;
            for (size_t k = 0; k < a->dims; k++) {
                const float v = number(tile, a->bits, (a->bits == 4 ? k / 2 : k) * 16 + j % 16, k & 1);
                sum = fmaf(a->x[r * a->dims + k], a->bits < 16 ? v * a->d[j] : v, sum);
            }
            a->y[r * a->ldy + j] = sum;
        }
    }
}

void pcs_kv_values_scalar(const pcs_kv_values_args *a)
{
    const size_t half = a->width / 2;
    for (size_t r = 0; r < a->m; r++)
        for (size_t i = 0; i < a->width; i++) {
            float sum = a->accumulate ? a->y[r * a->ldy + i] : 0.0f;
            const bool high = a->bits == 4 && i >= half;
            for (size_t j = 0; j < a->n; j++) {
                const float v = number(a->codes + j * (a->width * (size_t)a->bits / 8), a->bits, high ? i - half : i,
                                       high);
                sum = fmaf(a->w[r * a->ldw + j], a->bits < 16 ? v * a->d[j] : v, sum);
            }
            a->y[r * a->ldy + i] = sum;
        }
}
