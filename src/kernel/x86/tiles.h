/* tiles.h - AMX tiles by the numbers of their registers. The compiler's own macros do not say which memory they read
 * (gcc up to 13.2 throws away a configuration that it believes unread), so these are written out.
 * PCS_TILES_EMULATED: the same in C, for tests on machines without AMX. */
#ifndef PCS_TILES_H
#define PCS_TILES_H

#include "base/f16.h"

/* Rows and bytes of a row, of each of the eight tiles. */
typedef struct { uint8_t palette, start, zeros[14]; uint16_t bytes[16]; uint8_t rows[16]; } tiles_config;

#ifndef PCS_TILES_EMULATED

PCS_INLINE void tiles_configure(const tiles_config *c) { __asm__ volatile("ldtilecfg %0" ::"m"(*c)); }
PCS_INLINE void tiles_release(void) { __asm__ volatile("tilerelease" ::: "memory"); }
    #define TILE_LOAD(t, base, stride) \
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"(base), "r"((size_t)(stride)) : "memory")
    #define TILE_STORE(t, base, stride) \
        __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(base), "r"((size_t)(stride)) : "memory")
    #define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t ::)
    /* c += a b: a is rows of int8, b holds four of a row's neighbours together. */
    #define TILE_DOT(c, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)
    /* The same with rows of uint8. */
    #define TILE_DOT_UNSIGNED(c, a, b) __asm__ volatile("tdpbusd %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)
    /* The same of rows of int8 with b of uint8. */
    #define TILE_DOT_BY_UNSIGNED(c, a, b) __asm__ volatile("tdpbsud %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)
    /* The same with bf16, of which b holds two of a row's neighbours together; sums are f32 (kernel/bf16.h). */
    #define TILE_DOT_BF16(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)

#else

static struct { tiles_config c; int8_t t[8][16][64]; } emulated;

static void tiles_configure(const tiles_config *c)
{
    memset(&emulated, 0, sizeof emulated);
    emulated.c = *c;
}
static void tiles_release(void) { memset(&emulated, 0, sizeof emulated); }

static void tile_load(int t, const void *base, size_t stride)
{
    memset(emulated.t[t], 0, sizeof emulated.t[t]);
    for (int r = 0; r < emulated.c.rows[t]; r++)
        memcpy(emulated.t[t][r], (const char *)base + (size_t)r * stride, emulated.c.bytes[t]);
}
static void tile_store(int t, void *base, size_t stride)
{
    for (int r = 0; r < emulated.c.rows[t]; r++)
        memcpy((char *)base + (size_t)r * stride, emulated.t[t][r], emulated.c.bytes[t]);
}
PCS_INLINE int tile_code(int8_t code, bool sign) { return sign ? code : (uint8_t)code; }
/* SDM vol. 2, TDPBSSD, TDPBUSD and TDPBSUD, modulo 2^32; shapes that do not fit each other fault there. */
PCS_INLINE void tile_dot(int c, int a, int b, bool a_sign, bool b_sign)
{
    if (emulated.c.palette != 1 || emulated.c.rows[c] != emulated.c.rows[a] ||
        emulated.c.bytes[c] != emulated.c.bytes[b] || emulated.c.bytes[a] != 4 * emulated.c.rows[b] ||
        !emulated.c.rows[a])
        __builtin_trap();
    for (int m = 0; m < emulated.c.rows[c]; m++)
        for (int n = 0; n < emulated.c.bytes[c] / 4; n++) {
            uint32_t sum;
            memcpy(&sum, &emulated.t[c][m][4 * n], sizeof sum);
            for (int k = 0; k < emulated.c.bytes[a]; k++)
                sum += (uint32_t)(tile_code(emulated.t[a][m][k], a_sign) *
                                  tile_code(emulated.t[b][k / 4][4 * n + k % 4], b_sign));
            memcpy(&emulated.t[c][m][4 * n], &sum, sizeof sum);
        }
}
/* SDM vol. 2, TDPBF16PS, for numbers of which no sum is subnormal. */
PCS_INLINE float tile_number(const int8_t *at)
{
    uint16_t h;
    memcpy(&h, at, sizeof h);
    return pcs_bf16_to_f32(h);
}
PCS_INLINE void tile_dot_bf16(int c, int a, int b)
{
    if (emulated.c.palette != 1 || emulated.c.rows[c] != emulated.c.rows[a] ||
        emulated.c.bytes[c] != emulated.c.bytes[b] || emulated.c.bytes[a] != 4 * emulated.c.rows[b] ||
        !emulated.c.rows[a])
        __builtin_trap();
    for (int m = 0; m < emulated.c.rows[c]; m++)
        for (int n = 0; n < emulated.c.bytes[c] / 4; n++) {
            float sum;
            _Alignas(8) float temp[2] = { 0, 0 };
            memcpy(&sum, &emulated.t[c][m][4 * n], sizeof sum);
            for (int k = 0; k < emulated.c.bytes[a] / 2; k++)
                temp[k % 2] = __builtin_fmaf(tile_number(&emulated.t[a][m][2 * k]),
                                             tile_number(&emulated.t[b][k / 2][4 * n + 2 * (k % 2)]), temp[k % 2]);
            sum += temp[0] + temp[1];
            memcpy(&emulated.t[c][m][4 * n], &sum, sizeof sum);
        }
}
#define TILE_LOAD(t, base, stride) tile_load(t, base, stride)
#define TILE_STORE(t, base, stride) tile_store(t, base, stride)
#define TILE_ZERO(i) memset(emulated.t[i], 0, sizeof emulated.t[i])
#define TILE_DOT(c, a, b) tile_dot(c, a, b, true, true)
#define TILE_DOT_UNSIGNED(c, a, b) tile_dot(c, a, b, false, true)
#define TILE_DOT_BY_UNSIGNED(c, a, b) tile_dot(c, a, b, true, false)
#define TILE_DOT_BF16(c, a, b) tile_dot_bf16(c, a, b)

#endif
#endif
