/* mp_arm.h - mp on 128 bits, around the including file's mp_group(): a quarter of a panel, 4 rows, by four tokens.
 * mp_group(w, x, lines, dot): dot[t] = sum over `lines` lines, 64 bytes apart, of the products of 4 rows of signed
 * codes with token t; x has 4 activations of 12 tokens for each line. */
#ifndef PCS_MP_ARM_H
#define PCS_MP_ARM_H

#define VEC 16
#include "kernel/simd/mp.h"

enum { MP_TOKENS = 4 }; /* tiles are whole numbers of these */

PCS_INLINE void mp_group(const uint8_t *w, const int8_t *x, int lines, int32x4_t *dot);

/* `tokens` of a tile, from `first` on. */
PCS_INLINE void mp_tile(const pcs_mp_args *a, const mp_panel *p, mp_place place, int lines)
{
    const size_t n = place.n, rows = place.rows, at = place.tile, first = place.first;
    const size_t chunks = pcs_chunks(a->k), groups = pcs_mp_groups(a->f, a->k), m0 = at * PCS_TILE + first;
    for (size_t part = 0; part < 4; part++) {
        const int8_t *x = a->act.tq + at * chunks * PCS_CHUNK * PCS_TILE + 4 * first;
        const float *d = a->act.td + at * chunks * 8 * PCS_TILE + first,
                    *s = a->act.ts + at * chunks * 16 * PCS_TILE + first;
        const uint8_t *w = p->codes + 16 * part;
        float32x4_t acc[MP_TOKENS];
        for (int t = 0; t < MP_TOKENS; t++) acc[t] = vdupq_n_f32(0);
        for (size_t g = 0; g < groups; g++, w += 64 * lines, x += 4 * PCS_TILE * lines) {
            int32x4_t dot[MP_TOKENS];
            mp_group(w, x, lines, dot);
            const float32x4_t dw = vld1q_f32(p->d + g * 16 + 4 * part);
            for (int t = 0; t < MP_TOKENS; t++)
                acc[t] = vfmaq_f32(acc[t], vmulq_n_f32(dw, d[t]), vcvtq_f32_s32(dot[t]));
            if (lines == 8 || g % 2) d += PCS_TILE;
            if (!a->f->has_min) continue;
            const float32x4_t mw = vld1q_f32(p->m + g * 16 + 4 * part);
            for (int t = 0; t < MP_TOKENS; t++)
                acc[t] = vfmsq_f32(acc[t], mw, vdupq_n_f32(lines == 8 ? s[t] + s[PCS_TILE + t] : s[t]));
            s += lines == 8 ? 2 * PCS_TILE : PCS_TILE;
        }
        for (size_t t = 0; t < MP_TOKENS && m0 + t < a->m; t++) {
            _Alignas(64) float out[4];
            vst1q_f32(out, acc[t]);
            for (size_t i = 0; i < 4 && 4 * part + i < rows; i++) {
                const size_t row = n + 4 * part + i;
                a->y[(m0 + t) * a->ldy + row] = out[i] + (a->bias ? a->bias[row] : 0.0f);
            }
        }
    }
}

PCS_INLINE void mp_all(const pcs_mp_args *a)
{
    mp_decode_fn *decode = pcs_panels_fit(a->f, a->k) ? mp_decoder(a->f) : NULL;
    mp_panel p = mp_panel_in(a, decode, 0);
    for (size_t n = a->n0; n < a->n1; n += 16) {
        const size_t rows = a->n1 - n < 16 ? a->n1 - n : 16;
        mp_fill(a, &p, decode, n, 0);
        mp_next next = mp_next_from(a, n + PCS_PANEL, 1, MP_TOKENS);
        for (size_t m = 0; m < a->m; m += MP_TOKENS) {
            mp_ahead(&next);
            const mp_place place = { n, rows, m / PCS_TILE, m % PCS_TILE };
            if (pcs_mp_wide(a->f)) mp_tile(a, &p, place, 8);
            else mp_tile(a, &p, place, 4);
        }
    }
}

#endif
