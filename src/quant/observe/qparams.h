/* qparams.h - scale and zero point of a range: real = scale * (code - zero).
 *
 * Three formulas are kept apart, because files are compared with those of the programs that made them: ours (f64, the
 * zero point from the scale that is stored), torch's (f32 throughout, a least scale) and onnxruntime's (f64; where the
 * range is empty, scale 1 and zero point 0). A range is always widened to hold zero, but in float_zero. */
#ifndef PCS_QPARAMS_H
#define PCS_QPARAMS_H

#include "base/base.h"

/* Whose numbers are made: the field of schemes and of observers' options. */
typedef enum { PCS_LIKE_PRECIS, PCS_LIKE_TORCH, PCS_LIKE_ORT } pcs_like;
/* By name ("precis", "torch", "onnxruntime"); false when there is none. */
bool pcs_like_by_name(const char *name, pcs_like *out);

/* Integer types of codes (qtypes.def); a name of NULL ends the table. */
typedef struct pcs_qtype {
    const char *name; /* "int8" */
    int32_t low, high;
    int32_t narrow;   /* the least code of a symmetric range, so that -x and x are both codes */
    int32_t ort_low, ort_high; /* onnxruntime's reduced range: for int8 -64 to 64, torch's -64 to 63 */
} pcs_qtype;
extern const pcs_qtype pcs_qtypes[];
const pcs_qtype *pcs_qtype_by_name(const char *name); /* NULL: none */

/* How codes stand for numbers. */
typedef struct pcs_qscheme {
    int32_t low, high; /* codes that are used */
    bool symmetric;    /* the zero point is the middle, whatever the range */
    /* torch's per_channel_affine_float_qparams: a zero point that is no code, a range without zero. */
    bool float_zero;
    int32_t middle;    /* the zero point when symmetric */
    uint32_t bits;     /* of the type, however many codes are used */
    float eps;         /* the least scale; 0: none. torch: FLT_EPSILON, or 2^-12 in its configurations for XNNPACK */
    pcs_like like;
} pcs_qscheme;

/* The scheme of a type. reduced: one bit less, for multipliers whose sums of two products saturate at 16 bits. */
pcs_qscheme pcs_qscheme_of(const pcs_qtype *type, bool symmetric, bool reduced, pcs_like like);

typedef struct pcs_qparams {
    float scale;
    int32_t zero;
    float zero_real; /* with float_zero: the zero point; else that of `zero` */
} pcs_qparams;

/* low, high: finite, low <= high. The scale is finite and positive: a range whose width passes FLT_MAX is divided in
 * f64 (torch's formula gives infinity there, which the caller must refuse). */
pcs_qparams pcs_qparams_choose(const pcs_qscheme *s, float low, float high);

/* The code of a number: nearest, ties to even, then clamped. torch multiplies by 1 / scale, others divide; a NaN gives
 * the least code. */
int32_t pcs_qparams_code(const pcs_qscheme *s, const pcs_qparams *q, float x);
static inline float pcs_qparams_real(const pcs_qparams *q, int32_t code)
{
    return (float)(code - q->zero) * q->scale;
}

#endif
