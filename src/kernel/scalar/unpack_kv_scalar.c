/* unpack_kv, reference. */
#include "kernel/kernel.h"

static int code(const pcs_unpack_kv_args *a, const uint8_t *q, size_t at, bool high)
{
    return a->bits == 8 ? (int)(int8_t)q[at] : (high ? q[at] >> 4 : q[at] & 15) - 8;
}

void pcs_unpack_kv_scalar(const pcs_unpack_kv_args *a)
{
    const size_t half = a->width / 2, part = a->bits == 8 ? 1 : 2; /* numbers of a byte */
    if (!a->width)
        for (size_t i = 0; i < a->n; i++)
            for (size_t l = 0; l < 16; l++)
                a->dst[i * 16 + l] = (float)code(a, a->q + i / part * 16, l, i % part) * a->s[l];
    for (size_t j = 0; a->width && j < a->n; j++)
        for (size_t i = 0; i < a->width; i++)
            a->dst[j * a->width + i] = (float)code(a, a->q + j * a->width / part, part == 2 ? i % half : i,
                                                   part == 2 && i >= half) *
                                       a->s[j];
}
