/* fit.c - finding the parameters of a block: round-to-nearest, and a search for the least weighted
 * squared error sum w (x - decoded)^2.
 *
 * One implementation serves every format: it sees only the grid (codes, book, scale storage). All
 * sums run over eight lanes in a fixed order without fused operations, so parameters, and with them
 * the bytes of a file, are the same on every machine and with every compiler.
 *
 * The idea of trying several scales around max|x| and solving for the scale by least squares is
 * common to the field (see reference toolkits.md, C5); the joint refinement of integer scales, mins
 * and the two f16 of a K block is ours. */
#include "format/format.h"
#include "base/f16.h"

#define MAGIC 12582912.0f /* 1.5 * 2^23: adding and subtracting it rounds to an integer, ties to even */

typedef struct { float a[8]; } lanes;

static double lanes_sum(const lanes *v)
{
    return (double)((v->a[0] + v->a[4]) + (v->a[2] + v->a[6])) + (double)((v->a[1] + v->a[5]) + (v->a[3] + v->a[7]));
}

/* Weighted sums over a group for one choice of codes. */
typedef struct { double q, qq, qx; } sums;

/* q of eight values t in the grid. */
PCS_INLINE void quantize8(const pcs_format *f, const float *t, float *q)
{
    if (f->book) {
        for (int l = 0; l < 8; l++) q[l] = f->book[0];
        for (int k = 0; k < 15; k++) {
            const float step = (float)(f->book[k + 1] - f->book[k]), mid = 0.5f * (float)(f->book[k] + f->book[k + 1]);
            for (int l = 0; l < 8; l++) q[l] += t[l] > mid ? step : 0.0f;
        }
    } else {
        const float lo = f->code_lo, hi = f->code_hi;
        for (int l = 0; l < 8; l++) {
            const float c = t[l] < lo ? lo : t[l] > hi ? hi : t[l];
            q[l] = (c + MAGIC) - MAGIC;
        }
    }
}

/* Eight weights and importances from i on; behind the end zeros. w NULL: all count alike. */
typedef struct { const float *x, *w; } eight;
PCS_INLINE eight eight_at(const float *x, const float *w, size_t i, size_t n, float tail[16])
{
    static const float ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    if (i + 8 <= n) return (eight){ x + i, w ? w + i : ones };
    for (size_t l = 0; l < 8; l++) {
        tail[l] = i + l < n ? x[i + l] : 0.0f;
        tail[8 + l] = i + l < n ? w ? w[i + l] : 1.0f : 0.0f;
    }
    return (eight){ tail, tail + 8 };
}

/* Codes of (x + m) / d given 1/d, and their sums. */
static sums sums_for(const pcs_format *f, const float *x, const float *w, size_t n, float inv, float m)
{
    lanes q1 = { { 0 } }, q2 = { { 0 } }, qx = { { 0 } };
    for (size_t i = 0; i < n; i += 8) {
        float t[8], q[8], tail[16];
        const eight e = eight_at(x, w, i, n, tail);
        for (int l = 0; l < 8; l++) t[l] = (e.x[l] + m) * inv;
        quantize8(f, t, q);
        for (int l = 0; l < 8; l++) {
            const float wq = e.w[l] * q[l];
            q1.a[l] += wq;
            q2.a[l] += wq * q[l];
            qx.a[l] += wq * e.x[l];
        }
    }
    return (sums){ lanes_sum(&q1), lanes_sum(&q2), lanes_sum(&qx) };
}

/* What does not depend on the codes. */
typedef struct { double w, x, xx; float lo, hi; } moments;

static moments moments_of(const float *x, const float *w, size_t n)
{
    lanes sw = { { 0 } }, sx = { { 0 } }, sxx = { { 0 } };
    float lo = x[0], hi = x[0];
    for (size_t i = 0; i < n; i += 8) {
        float tail[16];
        const eight e = eight_at(x, w, i, n, tail);
        for (int l = 0; l < 8; l++) {
            const float wx = e.w[l] * e.x[l];
            sw.a[l] += e.w[l];
            sx.a[l] += wx;
            sxx.a[l] += wx * e.x[l];
            lo = e.x[l] < lo ? e.x[l] : lo;
            hi = e.x[l] > hi ? e.x[l] : hi;
        }
    }
    return (moments){ lanes_sum(&sw), lanes_sum(&sx), lanes_sum(&sxx), lo, hi };
}

/* Weighted squared error of w = d q - m. */
static double error_of(const moments *o, const sums *s, double d, double m)
{
    return o->xx + d * d * s->qq + m * m * o->w - 2 * d * m * s->q - 2 * d * s->qx + 2 * m * o->x;
}

static float safe_inverse(float d) { return d > -1e-38f && d < 1e-38f ? 0.0f : 1.0f / d; }

/* The extreme code that the largest weight is mapped to. */
static float extreme(const pcs_format *f) { return f->code_lo < -f->code_hi ? (float)f->code_lo : (float)f->code_hi; }

/* Best d for w = d q over one group; 0 for an all-zero group. */
static float fit_symmetric(const pcs_format *f, const float *x, const float *w, size_t n, pcs_fit_effort effort)
{
    const moments o = moments_of(x, w, n);
    const float top = -o.lo > o.hi ? o.lo : o.hi, ext = extreme(f);
    if (top == 0.0f) return 0.0f;
    const float rtn = top / ext;
    if (effort != PCS_FIT_SEARCH) {
        /* Ternary: the largest weight becomes +-1. Else the largest maps to the far end of the grid. */
        return rtn;
    }
    double best = -1.0;
    float d = rtn;
    const bool ternary = f->code_lo == -1 && f->code_hi == 1;
    const bool wide = ext <= -127 || ext >= 127, both = f->code_lo != -f->code_hi;
    const int steps = wide && !f->book ? 3 : ternary ? 0 : 9;
    for (int sign = 1; sign >= (both ? -1 : 1); sign -= 2)
        for (int k = -steps; k <= steps; k++) {
            const float reach = f->book ? (float)k * 0.045f * ext / 9.0f * 5.0f : (float)k * 0.1f * (ext < 8 && ext > -8 ? 1.0f : 1.4f);
            const float inv = (float)sign * (ext + (ext < 0 ? -reach : reach)) / top;
            const sums s = sums_for(f, x, w, n, inv, 0.0f);
            if (s.qq > 0 && s.qx * s.qx > best * s.qq) {
                best = s.qx * s.qx / s.qq;
                d = (float)(s.qx / s.qq);
            }
        }
    if (ternary) /* thresholds from 1/5 to all of the largest weight */
        for (int k = 1; k <= 20; k++) {
            const float inv = 5.0f * (float)k / 20.0f / (top < 0 ? -top : top);
            const sums s = sums_for(f, x, w, n, inv, 0.0f);
            if (s.qq > 0 && s.qx * s.qx > best * s.qq) {
                best = s.qx * s.qx / s.qq;
                d = (float)(s.qx / s.qq);
            }
        }
    return d;
}

/* Least squares for d and m under codes with sums s; m is kept at or above 0 when `bounded`. */
static bool solve_affine(const moments *o, const sums *s, bool bounded, double *d, double *m)
{
    const double det = o->w * s->qq - s->q * s->q;
    if (!(det > 0)) return false;
    *d = (o->w * s->qx - o->x * s->q) / det;
    *m = -(s->qq * o->x - s->q * s->qx) / det;
    if (bounded && *m < 0) {
        *m = 0;
        *d = s->qx / s->qq;
    }
    return *d > 0;
}

/* Best d and m for w = d q - m over one group. bounded: m >= 0, as K types store it. */
static void fit_affine(const pcs_format *f, const float *x, const float *w, uint32_t n, pcs_fit_effort effort, bool bounded,
                       float *d, float *m)
{
    const moments o = moments_of(x, w, n);
    const float lo = bounded && o.lo > 0 ? 0.0f : o.lo, range = o.hi - lo, top = f->code_hi;
    *m = -lo;
    *d = range > 0 ? range / top : 0.0f;
    if (!(range > 0) || effort != PCS_FIT_SEARCH) return;
    sums s = sums_for(f, x, w, n, top / range, -lo);
    double best = error_of(&o, &s, *d, *m), dd, mm;
    const float spread = f->code_hi <= 3 ? 0.05f : 0.1f;
    for (int k = -7; k <= 12; k++) {
        const float inv = (top + spread * (float)k) / range;
        s = sums_for(f, x, w, n, inv, -lo);
        if (!solve_affine(&o, &s, bounded, &dd, &mm)) continue;
        double e = error_of(&o, &s, dd, mm);
        if (e < best) best = e, *d = (float)dd, *m = (float)mm;
        if (k % 3) continue; /* the codes of the solution may be better still */
        s = sums_for(f, x, w, n, (float)(1.0 / dd), (float)mm);
        if (!solve_affine(&o, &s, bounded, &dd, &mm)) continue;
        e = error_of(&o, &s, dd, mm);
        if (e < best) best = e, *d = (float)dd, *m = (float)mm;
    }
}

/* f16 bits of the nearest finite half. */
static uint16_t to_half(double v)
{
    const float c = v > 65504.0 ? 65504.0f : v < -65504.0 ? -65504.0f : (float)v;
    return pcs_f32_to_f16(c);
}

static int clamp_round(float v, int lo, int hi)
{
    const float c = v < (float)lo ? (float)lo : v > (float)hi ? (float)hi : v;
    return pcs_round(c);
}

/* ---- one f16 (and one f16 minimum or a zero point) per group ----------------------------------- */

/* Scale and whole zero point for w = d (q - zero), 0 within the grid. `half`: d will be stored as f16. */
static void fit_zero(const pcs_format *f, const float *x, const float *w, size_t n, pcs_fit_effort effort, bool half, float *d, int *zero)
{
    const moments o = moments_of(x, w, n);
    const float lo = o.lo < 0 ? o.lo : 0.0f, hi = o.hi > 0 ? o.hi : 0.0f, levels = (float)(f->code_hi - f->code_lo);
    *d = (hi - lo) / levels;
    *zero = f->code_lo;
    if (!(*d > 0)) {
        *d = 0;
        return;
    }
    double best = -1;
    float found = *d;
    const int steps = effort == PCS_FIT_SEARCH ? 12 : 0;
    for (int k = -2 * (steps > 0); k <= steps; k++) { /* shrinking, and a little growing */
        const float part = 1.0f - 0.04f * (float)k * (f->code_hi - f->code_lo > 31 ? 0.25f : 1.0f);
        float t = *d * part;
        if (half) t = pcs_f16_to_f32(to_half(t));
        if (!(t > 0)) continue;
        const int z0 = clamp_round((float)f->code_lo - lo * part / t, f->code_lo, f->code_hi);
        for (int dz = -(steps > 0); dz <= (steps > 0); dz++) {
            const int z = z0 + dz;
            if (z < f->code_lo || z > f->code_hi) continue;
            const sums s = sums_for(f, x, w, n, 1.0f / t, t * (float)z);
            const double e = error_of(&o, &s, t, (double)t * z);
            if (best < 0 || e < best) best = e, found = t, *zero = z;
        }
    }
    *d = found;
}

static void fit_plain(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    float d, m = 0.0f;
    if (f->scale == PCS_SCALE_ZERO) {
        int zero;
        fit_zero(f, x, w, f->group, effort, true, &d, &zero);
        p->d = to_half(d);
        p->mn[0] = (uint8_t)zero;
        return;
    }
    if (f->has_min) fit_affine(f, x, w, f->group, effort, false, &d, &m);
    else d = fit_symmetric(f, x, w, f->group, effort);
    p->d = to_half(d);
    p->m = to_half(-(double)m);
}

/* ---- power-of-two scale ---------------------------------------------------------------------- */

int pcs_e8m0_scale(float top, int exponent, float largest, int mantissa, pcs_fit_effort effort)
{
    uint32_t u = pcs_f32_bits(top);
    if (effort == PCS_FIT_EVEN) u += 1u << (22 - mantissa); /* rounds up to the next power where the elements would */
    if (effort == PCS_FIT_CEIL) u += 0x7fffff;
    int e = (int)(u >> 23) - exponent;
    if (effort == PCS_FIT_RCEIL) { /* the least power of two that lets nothing overflow: amax / largest, rounded up */
        const uint32_t r = pcs_f32_bits(top / largest);
        e = (int)(r >> 23) + ((r & 0x7fffff) != 0);
    }
    return e < 0 ? 0 : e > 254 ? 254 : e;
}

/* RTN: exponent of the largest weight less that of the largest code (OCP MX 1.0, 6.3). Search: that
 * and its neighbours, by error. */
static void fit_e8m0(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    const moments o = moments_of(x, w, f->group);
    const float top = -o.lo > o.hi ? -o.lo : o.hi;
    const int first = pcs_e8m0_scale(top, 2, 6.0f, 1, effort); /* the largest code is 6 = 1.5 * 2^2 */
    p->d = (uint16_t)first;
    if (effort != PCS_FIT_SEARCH || top == 0.0f) return;
    double best = -1.0;
    for (int c = first > 0 ? first - 1 : 0; c <= first + 1 && c <= 254; c++) {
        float d[PCS_SUB], m[PCS_SUB];
        const pcs_params try = { .d = (uint16_t)c };
        pcs_expand(f, &try, d, m);
        const sums s = sums_for(f, x, w, f->group, safe_inverse(d[0]), 0.0f);
        const double err = error_of(&o, &s, d[0], 0);
        if (best < 0 || err < best) best = err, p->d = (uint16_t)c;
    }
}

/* ---- integer scales under one or two f16 per block ------------------------------------------- */

typedef struct {
    const pcs_format *f;
    const float *x, *w;
    moments o[PCS_SUB];
    uint32_t groups;
} super;

/* The best integer scale near sc, and the min that goes with it, for group g. Returns the error. */
static double refine_group(const super *b, uint32_t g, float d0, float m0, pcs_params *p)
{
    const pcs_format *f = b->f;
    const float *x = b->x + g * f->group, *w = b->w + g * f->group;
    double best = -1.0;
    const int sc = p->sc[g], mn = p->mn[g];
    for (int c = sc - 1; c <= sc + 1; c++) {
        if (c < f->sc_lo || c > f->sc_hi) continue;
        const float d = d0 * (float)c;
        const sums s = sums_for(f, x, w, f->group, safe_inverse(d), m0 * (float)mn);
        int n = mn;
        if (f->has_min && m0 != 0.0f && b->o[g].w > 0) { /* least squares for m under these codes */
            const double m = ((double)d * s.q - b->o[g].x) / b->o[g].w;
            n = clamp_round((float)(m / m0), 0, f->mn_hi);
        }
        const double e = error_of(&b->o[g], &s, d, (double)m0 * n);
        if (best < 0 || e < best) best = e, p->sc[g] = (int8_t)c, p->mn[g] = (uint8_t)n;
    }
    return best;
}

/* The block's two f16 by least squares, codes, integer scales and mins given. */
static void refit_super(const super *b, float *d0, float *m0, const pcs_params *p)
{
    const pcs_format *f = b->f;
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0; /* w = d0 * A - m0 * B with A = sc q, B = mn */
    for (uint32_t g = 0; g < b->groups; g++) {
        const sums s = sums_for(f, b->x + g * f->group, b->w + g * f->group, f->group,
                                safe_inverse(*d0 * (float)p->sc[g]), *m0 * (float)p->mn[g]);
        const double c = p->sc[g], n = p->mn[g];
        aa += c * c * s.qq;
        ab += c * n * s.q;
        bb += n * n * b->o[g].w;
        ax += c * s.qx;
        bx += n * b->o[g].x;
    }
    const double det = aa * bb - ab * ab;
    if (f->has_min && det > 1e-12 * aa * bb && bb > 0) {
        const double d = (ax * bb - ab * bx) / det, m = (ab * ax - aa * bx) / det;
        if (d > 0 && m >= 0) *d0 = (float)d, *m0 = (float)m;
    } else if (aa > 0) {
        const double d = (ax + ab * (double)*m0) / aa;
        if (d != 0) *d0 = (float)d;
    }
}

static double super_error(const super *b, pcs_params *p, float d0, float m0, bool refine)
{
    double total = 0;
    for (uint32_t g = 0; g < b->groups; g++)
        if (refine) {
            total += refine_group(b, g, d0, m0, p);
        } else {
            const sums s = sums_for(b->f, b->x + g * b->f->group, b->w + g * b->f->group, b->f->group,
                                    safe_inverse(d0 * (float)p->sc[g]), m0 * (float)p->mn[g]);
            total += error_of(&b->o[g], &s, (double)d0 * p->sc[g], (double)m0 * p->mn[g]);
        }
    return total;
}

static void fit_super(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    super b = { .f = f, .x = x, .w = w, .groups = f->block / f->group };
    float d[PCS_SUB], m[PCS_SUB] = { 0 }, dtop = 0, mtop = 0;
    for (uint32_t g = 0; g < b.groups; g++) {
        const float *gx = x + g * f->group, *gw = w + g * f->group;
        if (f->has_min) fit_affine(f, gx, gw, f->group, effort, true, &d[g], &m[g]);
        else d[g] = fit_symmetric(f, gx, gw, f->group, effort);
        if ((d[g] < 0 ? -d[g] : d[g]) > (dtop < 0 ? -dtop : dtop)) dtop = d[g];
        if (m[g] > mtop) mtop = m[g];
    }
    const float ext = f->sc_lo < 0 ? (float)f->sc_lo : (float)f->sc_hi;
    p->d = to_half((double)dtop / ext);
    p->m = to_half(f->has_min ? (double)mtop / f->mn_hi : 0.0);
    float d0 = pcs_f16_to_f32(p->d), m0 = pcs_f16_to_f32(p->m);
    for (uint32_t g = 0; g < b.groups; g++) {
        p->sc[g] = (int8_t)(d0 != 0.0f ? clamp_round(d[g] / d0, f->sc_lo, f->sc_hi) : 0);
        p->mn[g] = (uint8_t)(m0 != 0.0f ? clamp_round(m[g] / m0, 0, f->mn_hi) : 0);
    }
    if (effort != PCS_FIT_SEARCH || d0 == 0.0f) return;
    for (uint32_t g = 0; g < b.groups; g++) b.o[g] = moments_of(x + g * f->group, w + g * f->group, f->group);
    double best = super_error(&b, p, d0, m0, true);
    for (int round = 0; round < 2; round++) {
        pcs_params try = *p;
        float d1 = d0, m1 = m0;
        refit_super(&b, &d1, &m1, &try);
        try.d = to_half(d1);
        try.m = to_half(m1);
        d1 = pcs_f16_to_f32(try.d);
        m1 = pcs_f16_to_f32(try.m);
        const double e = super_error(&b, &try, d1, m1, true);
        if (!(e < best)) return;
        best = e;
        *p = try;
        d0 = d1;
        m0 = m1;
    }
}

/* Weighted squared error of a block under stored parameters. */
static double block_error(const pcs_format *f, const float *x, const float *w, const pcs_params *p)
{
    float d[PCS_SUB], m[PCS_SUB];
    int8_t q[PCS_BLOCK_MAX];
    double e = 0;
    pcs_expand(f, p, d, m);
    pcs_codes(f, x, d, m, q);
    for (uint32_t i = 0; i < f->block; i++) {
        const double diff = (double)x[i] - ((double)d[i / 16] * q[i] - (double)m[i / 16]);
        e += (double)w[i] * diff * diff;
    }
    return e;
}

static void fit(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    memset(p, 0, sizeof *p);
    if (f->scale == PCS_SCALE_SUPER) fit_super(f, x, w, effort, p);
    else if (f->scale == PCS_SCALE_E8M0) fit_e8m0(f, x, w, effort, p);
    else fit_plain(f, x, w, effort, p);
}

void pcs_fit(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    float ones[PCS_BLOCK_MAX], scaled[PCS_BLOCK_MAX];
    float top = 0;
    if (w) /* sums of huge or tiny importances would leave the range of f32: only ratios matter */
        for (uint32_t i = 0; i < f->block; i++) top = w[i] > top ? w[i] : top;
    if (w && top > 0 && top < 3e38f) {
        for (uint32_t i = 0; i < f->block; i++) scaled[i] = w[i] / top + 1e-6f;
        w = scaled;
    } else {
        pcs_fill(ones, f->block, 1.0f);
        w = ones;
    }
    fit(f, x, w, effort, p);
    /* Groups are searched one by one, then their scales are rounded to a common grid: on blocks with few large weights
     * that can end worse than plain rounding. */
    if (effort != PCS_FIT_SEARCH || (f->scale != PCS_SCALE_SUPER && !f->padded)) return;
    pcs_params plain;
    fit(f, x, w, PCS_FIT_RTN, &plain);
    if (block_error(f, x, w, &plain) < block_error(f, x, w, p)) *p = plain;
}

void pcs_fit_row(const pcs_format *f, size_t n, const float *x, const float *w, pcs_fit_effort effort, const pcs_shared *shared, float *d, int *zero)
{
    pcs_shared own = { 0 };
    *zero = 0;
    pcs_shared_add(&own, n, x, 0);
    if (!f->tensor || !shared) shared = &own;
    if (f->code_lo == -1 && f->code_hi == 1 && (f->tensor || effort != PCS_FIT_SEARCH)) { /* ternary, binary: mean of |w| (Ma et al. 2024, equation 3) */
        *d = shared->mean;
        return;
    }
    if (f->tensor || effort != PCS_FIT_SEARCH) {
        const float lo = shared->lo < 0 ? shared->lo : 0.0f, hi = shared->hi > 0 ? shared->hi : 0.0f, top = -lo > hi ? lo : hi;
        *d = f->has_min ? (hi - lo) / (float)(f->code_hi - f->code_lo) : top / extreme(f);
        if (f->has_min) *zero = *d > 0 ? clamp_round((float)f->code_lo - lo / *d, f->code_lo, f->code_hi) : f->code_lo;
        return;
    }
    if (f->has_min) fit_zero(f, x, w, n, effort, false, d, zero);
    else *d = fit_symmetric(f, x, w, n, effort);
}
