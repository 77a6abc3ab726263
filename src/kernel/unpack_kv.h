/* unpack_kv.h - the loops, compiled once per instruction set; every number is one product, so every compilation gives the same bits. */
#ifndef PCS_UNPACK_KV_H
#define PCS_UNPACK_KV_H

#include "kernel/kernel.h"

/* 16 keys: codes [n][16] (int4: of two dimensions in a byte), a scale for each key. */
PCS_INLINE void pcs_unpack_keys8(const int8_t *restrict q, const float *restrict s, size_t n, float *restrict dst)
{
    for (size_t i = 0; i < n; i++)
        for (int l = 0; l < 16; l++) dst[i * 16 + (size_t)l] = (float)q[i * 16 + (size_t)l] * s[l];
}

PCS_INLINE void pcs_unpack_keys4(const uint8_t *restrict q, const float *restrict s, size_t n, float *restrict dst)
{
    for (size_t i = 0; i < n; i += 2) {
        const uint8_t *both = q + i * 8;
        for (int l = 0; l < 16; l++) dst[i * 16 + (size_t)l] = (float)((both[l] & 15) - 8) * s[l];
        if (i + 1 == n) break;
        for (int l = 0; l < 16; l++) dst[i * 16 + 16 + (size_t)l] = (float)((both[l] >> 4) - 8) * s[l];
    }
}

/* Values: rows of `width`, a multiple of 16, a scale for each row; int4: the second half of a row is in the high nibbles. */
PCS_INLINE void pcs_unpack_values8(const int8_t *restrict q, const float *restrict s, size_t n, size_t width, float *restrict dst)
{
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < width; i += 16)
            for (size_t l = 0; l < 16; l++) dst[j * width + i + l] = (float)q[j * width + i + l] * s[j];
}

PCS_INLINE void pcs_unpack_values4(const uint8_t *restrict q, const float *restrict s, size_t n, size_t width, float *restrict dst)
{
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < width / 2; i += 8)
            for (size_t l = 0; l < 8; l++) {
                const uint8_t b = q[j * width / 2 + i + l];
                dst[j * width + i + l] = (float)((b & 15) - 8) * s[j];
                dst[j * width + width / 2 + i + l] = (float)((b >> 4) - 8) * s[j];
            }
}

PCS_INLINE void pcs_unpack_kv_all(const pcs_unpack_kv_args *a)
{
    if (a->width && a->bits == 8) pcs_unpack_values8((const int8_t *)a->q, a->s, a->n, a->width, a->dst);
    else if (a->width) pcs_unpack_values4(a->q, a->s, a->n, a->width, a->dst);
    else if (a->bits == 8) pcs_unpack_keys8((const int8_t *)a->q, a->s, a->n, a->dst);
    else pcs_unpack_keys4(a->q, a->s, a->n, a->dst);
}

#endif
