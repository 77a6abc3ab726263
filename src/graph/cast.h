/* cast.h - numbers in elements of 8 and 4 bits and back, with the scales of training's recipes.
 *
 * Each function gives the numbers that the codes stand for, since training computes with those where the machine has no
 * such elements; a block of zeros stays zeros. */
#ifndef PCS_CAST_H
#define PCS_CAST_H

#include "format/element.h"

/* The nearest value, ties to even. Past the largest: the largest when `saturate`, else infinity where the element has
 * one (E4M3FN has none and saturates). A NaN stays one. */
float pcs_cast(const pcs_element *e, float x, bool saturate);

/* y = cast(x * scale) / scale. */
void pcs_cast_scaled(const pcs_element *e, const float *x, float *y, size_t n, float scale);
/* largest / magnitude, over 2^margin; 1 for a magnitude of 0. power: floored to a power of two. */
float pcs_scale_to(const pcs_element *e, float magnitude, int margin, bool power);

/* Scales by the largest magnitude of earlier steps alone (TransformerEngine's DelayedScaling). */
typedef struct pcs_delayed {
    float history[1024];
    uint32_t length, filled, next; /* length: of the history, at most 1024 */
    int margin;
} pcs_delayed;
float pcs_delayed_scale(const pcs_delayed *d, const pcs_element *e);
/* After a step. */
void pcs_delayed_see(pcs_delayed *d, float magnitude);

/* E4M3 by tiles of `rows` x `columns` of x[n][k], scale = magnitude / 448 in f32 (DeepSeek-V3, 2412.19437,
 * section 3.3.2). scales: [n / rows][k / columns], parts of tiles counted as tiles. */
typedef struct pcs_tiling { size_t n, k, rows, columns; } pcs_tiling;
void pcs_cast_tiles(const pcs_element *e, const pcs_tiling *by, const float *x, float *y, float *scales);

/* NVFP4: E2M1 with E4M3 scales of blocks of `rows` x 16 (1 or 16 rows: 2509.25149, section 4.3), times a scale of the
 * tensor. scales: the blocks' as numbers. Returns the tensor's. */
float pcs_cast_nvfp4(const float *x, float *y, size_t n, size_t k, size_t rows, float *scales);

/* MXFP4: E2M1 with E8M0 scales 2^(floor(log2 magnitude) - 2) of 32 numbers (OCP Microscaling 1.0); codes past 6
 * saturate. */
void pcs_cast_mxfp4(const float *x, float *y, size_t n, float *scales);
/* The same, over 3/4 so that nothing saturates, rounded by u from [0, 1) (Quartet's backward, 2505.14669). */
void pcs_cast_mxfp4_stochastic(const float *x, const float *u, float *y, size_t n);

/* ---- stochastic rounding: up when u is below what is left -------------------------------------- */

/* floor(x + u). */
float pcs_stochastic_whole(float x, float u);
/* To bf16, away from zero when r is below the 16 bits that fall away. */
float pcs_stochastic_bf16(float x, uint16_t r);
/* To E2M1; beyond 6 it saturates. */
float pcs_stochastic_e2m1(float x, float u);
/* Numbers in [0, 1) of 24 bits: a function of seed and place alone, so that threads and restarts do not matter. */
float pcs_uniform(uint64_t seed, uint64_t place);

/* x diag(sign) H / sqrt(n) of each row of n numbers (a power of two), in place: the random Hadamard transform. */
void pcs_turn_signed(float *x, size_t rows, size_t n, const float *sign);

#endif
