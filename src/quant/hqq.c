/* hqq - half-quadratic quantization (Badri and Shaji 2023): the zero point is moved so that the error without its
 * outliers is small, by alternating a shrinkage of the residual (p = 0.7) with a mean. No calibration. */
#include "base/f16.h"
#include "base/fmath.h"
#include "quant/quant.h"

static float shrink(float x, float beta)
{
    const float a = x < 0 ? -x : x;
    if (a == 0) return 0;
    const float t = a - (float)pcs_pow((double)a, 0.7 - 1.0) / beta; /* p = 0.7 */
    return t > 0 ? x < 0 ? -t : t : 0;
}

static void group(const pcs_format *f, const float *x, uint32_t n, float *d, float *m)
{
    const float levels = (float)(f->code_hi - f->code_lo), low = (float)f->code_lo;
    float lo = x[0], hi = x[0];
    for (uint32_t i = 1; i < n; i++) lo = x[i] < lo ? x[i] : lo, hi = x[i] > hi ? x[i] : hi;
    const float s = hi > lo ? (hi - lo) / levels : 0;
    *d = s;
    *m = 0;
    if (!(s > 0)) {
        *d = 0;
        *m = -lo;
        return;
    }
    float zero = low - lo / s, beta = 10.0f, best = 3e38f, keep = zero;
    for (int round = 0; round < 20; round++) {
        float error = 0;
        double sum = 0;
        for (uint32_t i = 0; i < n; i++) {
            float q = x[i] / s + zero;
            q = q < low ? low : q > (float)f->code_hi ? (float)f->code_hi : q;
            q = (float)pcs_round(q);
            const float e = x[i] - s * (q - zero);
            error += e < 0 ? -e : e;
            sum += (double)(q - (x[i] - shrink(e, beta)) / s);
        }
        if (!(error < best)) break;
        best = error;
        keep = zero;
        zero = (float)(sum / n);
        beta *= 1.01f;
    }
    *m = s * keep;
}

static void row(const pcs_row_job *j, size_t n, const float *x, void *dst, float *y)
{
    const pcs_format *f = j->f;
    uint8_t *out = dst;
    for (size_t at = 0; at < n; at += f->block, out += f->bytes) {
        float xs[PCS_BLOCK_MAX] = { 0 }, d[PCS_SUB], m[PCS_SUB];
        int8_t q[PCS_BLOCK_MAX];
        const size_t k = n - at < f->block ? n - at : f->block;
        memcpy(xs, x + at, k * sizeof *xs);
        pcs_params p = { 0 };
        float scale, min;
        group(f, xs, (uint32_t)k, &scale, &min);
        p.d = pcs_f32_to_f16(scale > 65504.0f ? 65504.0f : scale);
        const float stored = pcs_f16_to_f32(p.d);
        if (f->scale == PCS_SCALE_ZERO) {
            const float z = stored > 0 ? min / stored : 0;
            p.mn[0] = (uint8_t)(int8_t)pcs_round(z < (float)f->code_lo   ? (float)f->code_lo
                                                 : z > (float)f->code_hi ? (float)f->code_hi
                                                                         : z);
        } else p.m = pcs_f32_to_f16(-min);
        pcs_expand(f, &p, d, m);
        pcs_codes(f, xs, d, m, q);
        f->pack(q, &p, out);
    }
    pcs_decode(f, n, dst, y);
}

static const char *refuses(const pcs_format *f)
{
    if (f->kind != PCS_QUANT || !f->pack || f->head || !f->has_min || f->scale == PCS_SCALE_SUPER)
        return "hqq moves zero points, and this type has no free one per group";
    return NULL;
}

const pcs_method pcs_method_hqq = { .name = "hqq", .kind = PCS_CODER, .row = row, .refuses = refuses };
