/* element.h - floating-point elements of at most 8 bits: what each code stands for, and rows of codes times a scale.
 *
 * A format of this kind is a table of values and a place for the scale: per row (head, f32), per block of 128 (f32),
 * per 32 (E8M0) or per 64 (f16). Fitting and rounding are written once. */
#ifndef PCS_ELEMENT_H
#define PCS_ELEMENT_H

#include "format/format.h"

typedef enum { PCS_AT_ROW, PCS_AT_BLOCK_F32, PCS_AT_BLOCK_F16, PCS_AT_BLOCK_E8M0 } pcs_scale_place;

typedef struct pcs_element {
    const char *name;
    int bits;
    int exponent_bits, mantissa_bits, bias; /* 0 exponent bits: `values` alone says it */
    /* The top exponent is infinity and NaN (IEEE), else only all ones is NaN (E4M3FN, when nan). */
    bool infinities;
    bool nan;
    const float *values; /* [2^bits], ascending codes need not be ascending values */
    float largest;
    pcs_scale_place place;
} pcs_element;

/* What a code stands for; NaN codes give NaN. */
float pcs_element_value(const pcs_element *e, unsigned code);
/* Code of the nearest value, ties to the even code; beyond the largest: the largest. */
unsigned pcs_element_code(const pcs_element *e, float x);
/* Of 8 bits a code: where those of a row from weight `at` on lie, and the scale that they stand on. */
const uint8_t *pcs_element_codes(const pcs_format *f, const uint8_t *row, size_t at, float *scale);
/* Numbers of a row, and encoding: for the formats' tables. */
void pcs_element_decode(const pcs_format *f, size_t n, const uint8_t *src, float *dst);
void pcs_element_encode(const pcs_encode_args *a);

extern const pcs_element pcs_e4m3, pcs_e5m2, pcs_e3m2, pcs_e2m3;

#endif
