/* fit.h - finding the parameters of a block: round-to-nearest, and a search for the least weighted squared error sum w
 * (x - decoded)^2; then its codes and bytes. Compiled once per instruction set (kernel/encode.h; fit.c for those who
 * have no kernels at hand), with the same bits.
 *
 * One implementation serves every format: it sees only the grid (codes, book, scale storage). Sixteen choices of
 * parameters are weighed at once (choices.h). All sums run in fixed lanes, so parameters, and with them the bytes of a
 * file, are the same on every machine and with every compiler.
 *
 * The idea of trying several scales around max|x| and solving for the scale by least squares is common to the field
 * (see reference toolkits.md, C5); the joint refinement of integer scales, mins and the two f16 of a K block is
 * ours. */
#ifndef PCS_FIT_H
#define PCS_FIT_H

#include "format/group.h"

#include <math.h>

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
static void fit_zero(const pcs_format *f, const weights *of, pcs_fit_effort effort, bool half, float *d, int *zero)
{
    const moments o = moments_of(of->x, of->w, of->n);
    const float lo = o.lo < 0 ? o.lo : 0.0f, hi = o.hi > 0 ? o.hi : 0.0f, levels = (float)(f->code_hi - f->code_lo);
    *d = (hi - lo) / levels;
    *zero = f->code_lo;
    if (!(*d > 0)) {
        *d = 0;
        return;
    }
    /* 15 scales, shrinking and a little growing, with three zero points each; RTN has the one in the middle */
    enum { SCALES = 15, ALL = 3 * CHOICES };
    const bool search = effort == PCS_FIT_SEARCH;
    float t[ALL];
    int z[ALL];
    for (int l = 0; l < ALL; l++) {
        const int k = search ? l / 3 % SCALES - 2 : 0, dz = search ? l % 3 - 1 : 0;
        const float part = 1.0f - 0.04f * (float)k * (f->code_hi - f->code_lo > 31 ? 0.25f : 1.0f);
        t[l] = half ? pcs_f16_to_f32(to_half(*d * part)) : *d * part;
        z[l] = t[l] > 0 ? clamp_round((float)f->code_lo - lo * part / t[l], f->code_lo, f->code_hi) + dz : 0;
        if (z[l] < f->code_lo || z[l] > f->code_hi) z[l] -= dz;
    }
    double best = 1e300;
    float found = *d;
    for (int at = 0; at < (search ? ALL : CHOICES); at += CHOICES) {
        choices c;
        sums s;
        LANES(l) {
            c.inv[l] = t[at + l] > 0 ? 1.0f / t[at + l] : 0.0f;
            c.m[l] = t[at + l] * (float)z[at + l];
        }
        sums_of(f, &c, of, true, &s);
        LANES(l) {
            const double tried = (double)t[at + l], m = tried * z[at + l];
            const double e = error_of(&o, (double)s.q[l], (double)s.qq[l], (double)s.qx[l], tried, m);
            if (t[at + l] > 0 && e < best) best = e, found = t[at + l], *zero = z[at + l];
        }
    }
    *d = found;
}

static void fit_plain(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    if (f->scale == PCS_SCALE_ZERO) {
        float d;
        int zero;
        fit_zero(f, &(weights){ x, w, f->group, 0 }, effort, true, &d, &zero);
        p->d = to_half(d);
        p->mn[0] = (uint8_t)zero;
        return;
    }
    affine a = { .d = 0 };
    if (f->has_min) fit_affine(f, &(weights){ x, w, f->group, 0 }, 1, effort, false, &a);
    else a.d = fit_symmetric(f, x, w, f->group, effort);
    p->d = to_half(a.d);
    p->m = to_half(-(double)a.m);
}

/* ---- power-of-two scale ---------------------------------------------------------------------- */

/* RTN: exponent of the largest weight less that of the largest code (OCP MX 1.0, 6.3). Search: that
 * and its neighbours, by error. */
static void fit_e8m0(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    const moments o = moments_of(x, w, f->group);
    const float top = -o.lo > o.hi ? -o.lo : o.hi;
    const int first = pcs_e8m0_scale(top, 2, 6.0f, 1, effort); /* the largest code is 6 = 1.5 * 2^2 */
    p->d = (uint16_t)first;
    if (effort != PCS_FIT_SEARCH || top == 0.0f) return;
    choices c = { { 0 }, { 0 } };
    uint16_t code[3];
    float d[3];
    for (int l = 0; l < 3; l++) { /* the first, then its neighbours */
        float all[PCS_SUB], none[PCS_SUB];
        const int e = first + (l == 1 ? -1 : l == 2 ? 1 : 0);
        code[l] = (uint16_t)(e < 0 ? 0 : e > 254 ? 254 : e);
        pcs_expand(f, &(pcs_params){ .d = code[l] }, all, none);
        d[l] = all[0];
        c.inv[l] = safe_inverse(d[l]);
    }
    sums s;
    sums_of(f, &c, &(weights){ x, w, f->group, 0 }, false, &s);
    double best = 1e300;
    for (int l = 0; l < 3; l++) {
        const double e = error_of(&o, 0, (double)s.qq[l], (double)s.qx[l], (double)d[l], 0);
        if (e < best) best = e, p->d = code[l];
    }
}

/* ---- integer scales under one or two f16 per block ------------------------------------------- */

typedef struct {
    const pcs_format *f;
    const float *x, *w; /* w may be NULL */
    affine of[PCS_SUB];
    struct { double q, qq, qx; } s[PCS_SUB]; /* of the codes chosen */
    uint32_t groups;
} super;

/* The block's scale and minimum, which are rounded to f16. */
typedef struct { float d, m; } super_scale;

/* Choices of integer scales and mins, and the sums of their codes. */
typedef struct { float sc[CHOICES]; sums s; } tried;

/* Integer scales (and mins) around those that group g has, or g and g + 1 with half of the choices each. */
static void try_super(const super *b, uint32_t g, bool two, super_scale all, const pcs_params *p, tried *t)
{
    /* what is added to scale and min: all of one group with a min, of one without, near ones of two groups with and
     * without */
    static const float scales[4][CHOICES] = {
        { -2, -1, 0, 1, 2, -2, -1, 0, 1, 2, -2, -1, 0, 1, 2, -2 },
        { -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7 },
        { 0, -1, 1, 0, 0, 1, -1, -2, 0, -1, 1, 0, 0, 1, -1, -2 },
        { -4, -3, -2, -1, 0, 1, 2, 3, -4, -3, -2, -1, 0, 1, 2, 3 },
    };
    static const float mins[4][CHOICES] = {
        { -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2 },
        { 0 },
        { 0, 0, 0, -1, 1, 1, -1, 0, 0, 0, 0, -1, 1, 1, -1, 0 },
        { 0 },
    };
    const pcs_format *f = b->f;
    const weights of = { b->x + g * f->group, b->w ? b->w + g * f->group : NULL, f->group, two ? f->group : 0 };
    const float *ds = scales[2 * two + !f->has_min], *dm = mins[2 * two + !f->has_min];
    const float sc_lo = f->sc_lo, sc_hi = f->sc_hi;
    choices c;
    for (int h = 0; h < CHOICES; h += 8) {
        const uint32_t at = g + (two && h);
        const float sc0 = p->sc[at], mn0 = p->mn[at];
        PCS_LANES(k, 8)
        {
            const int l = h + k;
            const float scale = sc0 + ds[l], in = scale < sc_lo ? sc_lo : scale > sc_hi ? sc_hi : scale;
            t->sc[l] = in;
            c.inv[l] = safe_inverse(all.d * in);
            c.m[l] = all.m * (mn0 + dm[l]);
        }
    }
    sums_of(f, &c, &of, f->has_min, &t->s);
}

/* The best of them to *p, with the best min under its codes. Returns the error. */
static double settle_super(super *b, uint32_t g, bool two, super_scale all, const tried *t, pcs_params *p)
{
    const bool has_min = b->f->has_min;
    const sums *s = &t->s;
    const double m0 = (double)all.m, mn_hi = b->f->mn_hi, round = 6755399441055744.0;
    double e[CHOICES], mn[CHOICES];
    for (int h = 0; h < CHOICES; h += 8) { /* least squares for the min under these codes */
        const moments o = b->of[g + (two && h)].o;
        const double over = all.m != 0.0f && o.w > 0 ? 1.0 / (o.w * m0) : 0.0;
        PCS_LANES(k, 8)
        {
            const int l = h + k;
            const double d = (double)(all.d * t->sc[l]), q = has_min ? (double)s->q[l] : 0.0;
            const double qq = (double)s->qq[l], qx = (double)s->qx[l];
            const double want = (d * q - o.x) * over, above = want < 0 ? 0 : want, cut = above > mn_hi ? mn_hi : above;
            mn[l] = (cut + round) - round;
            const double err = error_of(&o, q, qq, qx, d, m0 * mn[l]);
            e[l] = err < 1e300 ? err : 1e300;
        }
    }
    double sum = 0;
    for (uint32_t h = 0; h <= (uint32_t)two; h++) {
        const int best = two ? 8 * (int)h + least_of_8(e + 8 * h) : least_of(e);
        p->sc[g + h] = (int8_t)t->sc[best];
        p->mn[g + h] = (uint8_t)mn[best];
        b->s[g + h].q = (double)s->q[best];
        b->s[g + h].qq = (double)s->qq[best];
        b->s[g + h].qx = (double)s->qx[best];
        sum += e[best];
    }
    return sum;
}

/* The block's two f16 by least squares, codes, integer scales and mins given. */
static void refit_super(const super *b, float *d0, float *m0, const pcs_params *p)
{
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0; /* w = d0 * A - m0 * B with A = sc q, B = mn */
    for (uint32_t g = 0; g < b->groups; g++) {
        const double c = p->sc[g], n = p->mn[g];
        aa += c * c * b->s[g].qq;
        ab += c * n * b->s[g].q;
        bb += n * n * b->of[g].o.w;
        ax += c * b->s[g].qx;
        bx += n * b->of[g].o.x;
    }
    const double det = aa * bb - ab * ab;
    if (b->f->has_min && det > 1e-12 * aa * bb && bb > 0) {
        const double d = (ax * bb - ab * bx) / det, m = (ab * ax - aa * bx) / det;
        if (d > 0 && m >= 0) *d0 = (float)d, *m0 = (float)m;
    } else if (aa > 0) {
        const double d = (ax + ab * (double)*m0) / aa;
        if (d != 0) *d0 = (float)d;
    }
}

/* near: choices close by are enough, of two groups at once (types with books, and blocks of one group, keep all). */
static double refine_super(super *b, bool near, pcs_params *p, super_scale all)
{
    double total = 0;
    tried t[PCS_SUB];
    const bool two = near && !b->f->book && b->groups % 2 == 0;
    for (uint32_t g = 0; g < b->groups; g += 1 + (uint32_t)two) try_super(b, g, two, all, p, &t[g]);
    for (uint32_t g = 0; g < b->groups; g += 1 + (uint32_t)two) total += settle_super(b, g, two, all, &t[g], p);
    return total;
}

/* Returns what the block's error is at most, after a search. Types of up to 16 levels start with near choices and
 * take one step more, finer ones all and two: the rest costs Q4_K a third of the time for 0.4 % of its error, but
 * Q6_K would lose 3 %. */
static double fit_super(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    super b = { .f = f, .x = x, .w = w, .groups = f->block / f->group };
    const bool few = few_levels(f);
    float dtop = 0, mtop = 0;
    if (f->has_min) fit_affine(f, &(weights){ x, w, f->group, 0 }, b.groups, effort, true, b.of);
    for (uint32_t g = 0; g < b.groups && !f->has_min; g++) {
        const float *gx = x + g * f->group, *gw = w ? w + g * f->group : NULL;
        b.of[g] = (affine){ .d = fit_symmetric(f, gx, gw, f->group, effort) };
        if (effort == PCS_FIT_SEARCH) b.of[g].o = moments_of(gx, gw, f->group);
    }
    for (uint32_t g = 0; g < b.groups; g++) {
        const float d = b.of[g].d, m = b.of[g].m;
        if ((d < 0 ? -d : d) > (dtop < 0 ? -dtop : dtop)) dtop = d;
        if (m > mtop) mtop = m;
    }
    const float ext = f->sc_lo < 0 ? (float)f->sc_lo : (float)f->sc_hi;
    p->d = to_half((double)dtop / ext);
    p->m = to_half(f->has_min ? (double)mtop / f->mn_hi : 0.0);
    float d0 = pcs_f16_to_f32(p->d), m0 = pcs_f16_to_f32(p->m);
    for (uint32_t g = 0; g < b.groups; g++) {
        p->sc[g] = (int8_t)(d0 != 0.0f ? clamp_round(b.of[g].d / d0, f->sc_lo, f->sc_hi) : 0);
        p->mn[g] = (uint8_t)(m0 != 0.0f ? clamp_round(b.of[g].m / m0, 0, f->mn_hi) : 0);
    }
    if (effort != PCS_FIT_SEARCH || d0 == 0.0f) return HUGE_VAL;
    double best = refine_super(&b, few, p, (super_scale){ d0, m0 }), xx = 0;
    for (int round = few; round < 2; round++) {
        pcs_params try = *p;
        float d1 = d0, m1 = m0;
        refit_super(&b, &d1, &m1, &try);
        try.d = to_half(d1);
        try.m = to_half(m1);
        d1 = pcs_f16_to_f32(try.d);
        m1 = pcs_f16_to_f32(try.m);
        const double e = refine_super(&b, true, &try, (super_scale){ d1, m1 });
        if (!(e < best)) break;
        best = e;
        *p = try;
        d0 = d1;
        m0 = m1;
    }
    for (uint32_t g = 0; g < b.groups; g++) xx += b.of[g].o.xx;
    return best + 0x1p-16 * xx; /* its sums are of f32 */
}

/* ---- a block ----------------------------------------------------------------------------------- */

/* Nearest codes under given parameters. */
static void codes_under(const pcs_format *f, const float *x, const float *d, const float *m, int8_t *q)
{
    const float lo = f->code_lo, hi = f->code_hi;
    for (uint32_t s = 0; s < f->block / 16; s++) {
        /* 1/d may overflow for a subnormal d: what is clamped may be infinite. */
        const float inv = d[s] != 0.0f ? 1.0f / d[s] : 0.0f, min = f->has_min ? m[s] : 0.0f;
        float t[16];
        LANES(i) {
            const float v = (x[16 * s + i] + min) * inv;
            t[i] = v == v ? v : 0.0f; /* 0 * infinity */
        }
        if (f->book) {
            int at[16] = { 0 };
            for (int k = 0; k < 15; k++) {
                const float mid = 0.5f * (float)(f->book[k] + f->book[k + 1]);
                LANES(i) at[i] += t[i] > mid;
            }
            LANES(i) q[16 * s + i] = f->book[at[i]];
        } else {
            LANES(i) {
                const float cut = t[i] < lo ? lo : t[i] > hi ? hi : t[i];
                q[16 * s + i] = (int8_t)(int)((cut + 12582912.0f) - 12582912.0f);
            }
        }
    }
}

/* What codes decode to, as pcs_decode has it. */
static void numbers_of(const pcs_format *f, size_t n, const int8_t *q, const float *d, const float *m, float *y)
{
    size_t i = 0;
    for (; i + CHOICES <= n; i += CHOICES) {
        const float ds = d[i / 16], ms = f->has_min ? m[i / 16] : 0.0f;
        if (f->has_min) LANES(l) y[i + l] = ds * (float)q[i + l] - ms;
        else LANES(l) y[i + l] = ds * (float)q[i + l];
    }
    for (; i < n; i++) y[i] = f->has_min ? d[i / 16] * (float)q[i] - m[i / 16] : d[i / 16] * (float)q[i];
}

/* Weighted squared error of a block under stored parameters. */
static double block_error(const pcs_format *f, const float *x, const float *w, const pcs_params *p)
{
    float d[PCS_SUB], m[PCS_SUB] = { 0 };
    int8_t q[PCS_BLOCK_MAX];
    float e[16] = { 0 };
    double sum = 0;
    pcs_expand(f, p, d, m);
    codes_under(f, x, d, m, q);
    for (uint32_t s = 0; s < f->block / 16; s++)
        LANES(l) {
            const uint32_t i = 16 * s + (uint32_t)l;
            const float diff = x[i] - (d[s] * (float)q[i] - m[s]);
            e[l] += (w ? w[i] * diff : diff) * diff;
        }
    LANES(l) sum += (double)e[l];
    return sum;
}

/* Returns what the error is at most, where that is known. */
static double fit_one(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    memset(p, 0, sizeof *p);
    if (f->scale == PCS_SCALE_SUPER) return fit_super(f, x, w, effort, p);
    if (f->scale == PCS_SCALE_E8M0) fit_e8m0(f, x, w, effort, p);
    else fit_plain(f, x, w, effort, p);
    return HUGE_VAL;
}

static void fit_block(const pcs_format *f, const float *x, const float *w, pcs_fit_effort effort, pcs_params *p)
{
    float scaled[PCS_BLOCK_MAX], top = 0, least;
    /* Sums of huge or tiny importances would leave the range of f32: only ratios matter. */
    if (w) extremes(w, f->block, &least, &top);
    if (w && top > 0 && top < 3e38f) {
        const float over = 1.0f / top;
        for (uint32_t i = 0; i < f->block; i++) scaled[i] = w[i] * over + 1e-6f;
        w = scaled;
    } else {
        w = NULL;
    }
    const double most = fit_one(f, x, w, effort, p);
    /* Groups are searched one by one, then their scales are rounded to a common grid: on blocks with few large weights
     * that can end worse than plain rounding. */
    if (effort != PCS_FIT_SEARCH || (f->scale != PCS_SCALE_SUPER && !f->padded)) return;
    pcs_params plain;
    fit_one(f, x, w, PCS_FIT_RTN, &plain);
    const double error = block_error(f, x, w, &plain);
    if (error < most && error < block_error(f, x, w, p)) *p = plain;
}

/* ---- a row -------------------------------------------------------------------------------------- */

/* Does every code of a row's grid decode to a finite number? */
static bool finite_grid(const pcs_format *f, float d, int zero)
{
    const float m = d * (float)zero, lo = d * (float)f->code_lo - m, hi = d * (float)f->code_hi - m;
    return lo - lo == 0.0f && hi - hi == 0.0f;
}

/* Scale and zero point of a row, for formats with a head. */
static void fit_row(const pcs_encode_args *a, float *d, int *zero)
{
    const pcs_format *f = a->f;
    const bool search = !f->tensor && a->effort == PCS_FIT_SEARCH;
    pcs_shared own = { 0 };
    *zero = 0;
    pcs_shared_add(&own, a->n, a->x, 0);
    const pcs_shared *shared = f->tensor && a->shared ? a->shared : &own;
    /* Of ternary and binary rows the scale is the mean of |w| (Ma et al. 2024, equation 3). */
    if (f->code_lo == -1 && f->code_hi == 1 && !search) {
        *d = shared->mean;
        return;
    }
    if (!search) {
        const float lo = shared->lo < 0 ? shared->lo : 0.0f, hi = shared->hi > 0 ? shared->hi : 0.0f;
        const float top = -lo > hi ? lo : hi;
        *d = f->has_min ? (hi - lo) / (float)(f->code_hi - f->code_lo) : top / extreme(f);
        if (f->has_min) *zero = *d > 0 ? clamp_round((float)f->code_lo - lo / *d, f->code_lo, f->code_hi) : f->code_lo;
        return;
    }
    if (f->has_min) fit_zero(f, &(weights){ a->x, a->w, a->n, 0 }, a->effort, false, d, zero);
    else *d = fit_symmetric(f, a->x, a->w, a->n, a->effort);
    /* its sums of squares leave the range of f32 before the weights do */
    pcs_encode_args plain = *a;
    plain.effort = PCS_FIT_RTN;
    if (!finite_grid(f, *d, *zero)) fit_row(&plain, d, zero);
}

/* A row under parameters of the row. */
static void encode_headed(const pcs_encode_args *a)
{
    const pcs_format *f = a->f;
    const size_t n = a->n, pad = (n + f->block - 1) / f->block * f->block;
    float d, m, block[PCS_BLOCK_MAX], ds[PCS_SUB], ms[PCS_SUB];
    int zero;
    fit_row(a, &d, &zero);
    m = d * (float)zero;
    pcs_fill(ds, PCS_SUB, d);
    pcs_fill(ms, PCS_SUB, m);
    f->pack_row(0, NULL, d, zero, a->dst);
    uint8_t *out = (uint8_t *)a->dst + f->head;
    for (size_t at = 0; at < pad; at += f->block, out += f->bytes) {
        int8_t q[PCS_BLOCK_MAX];
        const size_t k = n - at < f->block ? n - at : f->block;
        memset(block, 0, sizeof block);
        memcpy(block, a->x + at, k * sizeof *block);
        codes_under(f, block, ds, ms, q);
        f->pack(q, NULL, out);
        if (a->y) numbers_of(f, k, q, ds, ms, a->y + at);
    }
}

/* Weighted squares of x - y, and of x. */
PCS_INLINE void error_row(size_t n, const float *x, const float *y, const float *w, double *err, double *norm)
{
    double e[CHOICES] = { 0 }, s[CHOICES] = { 0 };
    const size_t whole = n / CHOICES * CHOICES;
    for (size_t i = 0; i < whole; i += CHOICES)
        LANES(l) {
            const double d = (double)x[i + l] - (double)y[i + l], v = (double)x[i + l], wi = w ? (double)w[i + l] : 1.0;
            e[l] += wi * d * d;
            s[l] += wi * v * v;
        }
    for (size_t i = whole; i < n; i++) {
        const double d = (double)x[i] - (double)y[i], v = (double)x[i], wi = w ? (double)w[i] : 1.0;
        e[i % CHOICES] += wi * d * d;
        s[i % CHOICES] += wi * v * v;
    }
    for (int step = CHOICES / 2; step; step /= 2)
        for (int l = 0; l < step; l++) e[l] += e[l + step], s[l] += s[l + step];
    *err = e[0];
    *norm = s[0];
}

static void encode_row(const pcs_encode_args *a)
{
    const pcs_format *f = a->f;
    const size_t n = a->n;
    if (f->encode || f->kind != PCS_QUANT) {
        if (f->encode) f->encode(a);
        else f->from_f32(n, a->x, a->dst);
        if (a->y) pcs_decode(f, n, a->dst, a->y);
        return;
    }
    if (f->head) {
        encode_headed(a);
        return;
    }
    int8_t q[PCS_BLOCK_MAX];
    float d[PCS_SUB], m[PCS_SUB] = { 0 }, xs[PCS_BLOCK_MAX], ws[PCS_BLOCK_MAX];
    uint8_t *out = a->dst;
    for (size_t at = 0; at < n; at += f->block, out += f->bytes) {
        const float *xb = a->x + at, *wb = a->w ? a->w + at : NULL;
        pcs_params p;
        if (n - at < f->block) { /* a cut block: what is missing weighs nothing */
            memset(xs, 0, sizeof xs);
            memcpy(xs, xb, (n - at) * sizeof *xs);
            pcs_fill(ws, PCS_BLOCK_MAX, 0.0f);
            for (size_t i = 0; i < n - at; i++) ws[i] = wb ? wb[i] : 1.0f;
            xb = xs;
            wb = ws;
        }
        fit_block(f, xb, wb, a->effort, &p);
        pcs_expand(f, &p, d, m);
        codes_under(f, xb, d, m, q);
        f->pack(q, &p, out);
        if (a->y) numbers_of(f, n - at < f->block ? n - at : f->block, q, d, m, a->y + at);
    }
}

#endif
