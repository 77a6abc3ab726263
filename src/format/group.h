/* group.h - the scale of one group, or its scale and minimum: round-to-nearest, and the search around it (fit.h,
 * which includes this, has the whole). */
#ifndef PCS_GROUP_H
#define PCS_GROUP_H

#include "format/choices.h"

/* What does not depend on the codes: sums of w, w x, w x x, and extremes. */
typedef struct { double w, x, xx; float lo, hi; } moments;

static moments moments_of(const float *x, const float *w, size_t n)
{
    float sw[16] = { 0 }, sx[16] = { 0 }, sxx[16] = { 0 };
    const size_t whole = n / 16 * 16;
    for (size_t i = 0; i < whole; i += 16)
        LANES(l) {
            const float wi = w ? w[i + l] : 1.0f, wx = wi * x[i + l];
            sw[l] += wi;
            sx[l] += wx;
            sxx[l] += wx * x[i + l];
        }
    for (size_t i = whole; i < n; i++) {
        const float wi = w ? w[i] : 1.0f, wx = wi * x[i];
        sw[0] += wi;
        sx[0] += wx;
        sxx[0] += wx * x[i];
    }
    moments o = { 0 };
    double a[16], b[16], c[16];
    LANES(l) a[l] = (double)sw[l], b[l] = (double)sx[l], c[l] = (double)sxx[l];
    for (int step = 8; step; step /= 2)
        for (int l = 0; l < step; l++) a[l] += a[l + step], b[l] += b[l + step], c[l] += c[l + step];
    o.w = a[0];
    o.x = b[0];
    o.xx = c[0];
    extremes(x, n, &o.lo, &o.hi);
    return o;
}

/* Weighted squared error of w = d q - m. */
static double error_of(const moments *o, double q, double qq, double qx, double d, double m)
{
    return o->xx + d * d * qq + m * m * o->w - 2 * d * m * q - 2 * d * qx + 2 * m * o->x;
}

static float safe_inverse(float d) { return d > -1e-38f && d < 1e-38f ? 0.0f : 1.0f / d; }

/* The extreme code that the largest weight is mapped to. */
static float extreme(const pcs_format *f) { return f->code_lo < -f->code_hi ? (float)f->code_lo : (float)f->code_hi; }

/* ---- one scale --------------------------------------------------------------------------------- */

/* The best scale so far of each lane: score is how much of sum w x x it explains. */
typedef struct { float score[CHOICES], d[CHOICES]; } best_scale;

static void try_scales(const pcs_format *f, const choices *c, const float *x, const float *w, size_t n, best_scale *b)
{
    sums s;
    sums_of(f, c, &(weights){ x, w, n, 0 }, false, &s);
    LANES(l) {
        const float over = s.qq[l] > 0 ? s.qq[l] : 1.0f, d = s.qx[l] / over, score = s.qx[l] * d;
        b->d[l] = score > b->score[l] ? d : b->d[l];
        b->score[l] = score > b->score[l] ? score : b->score[l];
    }
}

static float best_of(const best_scale *b, float otherwise)
{
    const int l = largest_of(b->score);
    return b->score[l] > 0 ? b->d[l] : otherwise;
}

/* Best d for w = d q over one group; 0 for an all-zero group. */
static float fit_symmetric(const pcs_format *f, const float *x, const float *w, size_t n, pcs_fit_effort effort)
{
    float lo, hi;
    extremes(x, n, &lo, &hi);
    const float top = -lo > hi ? lo : hi, ext = extreme(f);
    if (top == 0.0f) return 0.0f;
    const float rtn = top / ext; /* ternary: the largest weight becomes +-1; else it maps to the far end of the grid */
    if (effort != PCS_FIT_SEARCH) return rtn;
    const bool ternary = f->code_lo == -1 && f->code_hi == 1, both = f->code_lo != -f->code_hi;
    const bool wide = (ext <= -127 || ext >= 127) && !f->book;
    best_scale b = { { 0 }, { 0 } };
    choices c;
    if (ternary) { /* thresholds from 1/10 to all of the largest weight */
        LANES(l) c.inv[l] = 5.0f * (float)(l + 1) / (float)CHOICES / (top < 0 ? -top : top);
        try_scales(f, &c, x, w, n, &b);
        return best_of(&b, rtn);
    }
    /* Scales around that of round-to-nearest, for the largest weight at either end where one reaches farther; a few
     * weights have eight of each in one pass (0.1 % more error; rows would have 2 %). */
    const float step = wide ? 0.07f : f->book ? 0.0225f * (ext < 0 ? -ext : ext) : ext < 8 && ext > -8 ? 0.1f : 0.14f;
    const bool halves = both && n <= 32;
    for (int sign = 1; sign >= (both && !halves ? -1 : 1); sign -= 2) {
        LANES(l) {
            const float reach = (float)(halves ? 2 * (l % 8) - 7 : l - 7) * step;
            c.inv[l] = (float)(halves && l >= CHOICES / 2 ? -1 : sign) * (ext + (ext < 0 ? -reach : reach)) / top;
        }
        try_scales(f, &c, x, w, n, &b);
    }
    return best_of(&b, rtn);
}

/* Has it so few levels that a search need not look at all choices (fit.h, fit_super)? */
static bool few_levels(const pcs_format *f) { return f->book || f->code_hi - f->code_lo < 16; }

/* ---- scale and minimum ------------------------------------------------------------------------- */

/* A group's search: its moments, and the least error so far with its d and m, w = d q - m. */
typedef struct { moments o; double error; float d, m; } affine;

/* Moments and range of the group. bounded: m >= 0, as K types store it. */
static void affine_range(const pcs_format *f, const weights *of, pcs_fit_effort effort, bool bounded, affine *a)
{
    *a = (affine){ .error = 1e299 };
    if (effort == PCS_FIT_SEARCH) a->o = moments_of(of->x, of->w, of->n);
    else extremes(of->x, of->n, &a->o.lo, &a->o.hi);
    const float lo = bounded && a->o.lo > 0 ? 0.0f : a->o.lo, range = a->o.hi - lo;
    a->m = -lo;
    a->d = range > 0 ? range / (float)f->code_hi : 0.0f;
}

/* Choices of scales around the range: all zero, which find nothing, where there is none. */
static void affine_first(const pcs_format *f, const affine *a, choices *c)
{
    const float range = a->o.hi + a->m, top = f->code_hi, spread = f->code_hi <= 3 ? 0.05f : 0.1f;
    LANES(l) {
        c->inv[l] = range > 0 ? (top + spread * (float)(l - 6)) / range : 0.0f;
        c->m[l] = a->m;
    }
}

/* Choices around the solution, or eight each around those of a group and the next one: their codes may be better
 * still. */
static void affine_around(const pcs_format *f, const affine *a, bool two, choices *c)
{
    /* quarters of a step of the code, and of d */
    static const float scales[2][CHOICES] = {
        { -1, 0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2 },
        { 0, 0, -1, 1, 1, -1, 1, 2, 0, 0, -1, 1, 1, -1, 1, 2 },
    };
    static const float mins[2][CHOICES] = {
        { -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2 },
        { 1, -1, 0, 0, 1, -1, -1, 1, 1, -1, 0, 0, 1, -1, -1, 1 },
    };
    for (int h = 0; h < CHOICES; h += 8) {
        const float d = a[two && h].d, m = a[two && h].m, inv = safe_inverse(d), top = f->code_hi;
        PCS_LANES(k, 8)
        {
            c->inv[h + k] = inv * (1.0f + scales[two][h + k] * 0.25f / top);
            c->m[h + k] = m + mins[two][h + k] * 0.25f * d;
        }
    }
}

/* Least squares for d and m under the codes of each choice; m is kept at or above 0 when `bounded`. The best lane,
 * if it is better; of two groups, as affine_around. */
PCS_INLINE void affine_solve_of(const sums *s, bool bounded, bool two, affine *a)
{
    const int lanes = two ? CHOICES / 2 : CHOICES;
    double e[CHOICES], ds[CHOICES], ms[CHOICES];
    for (int h = 0; h < CHOICES; h += lanes) {
        const moments o = a[two && h].o;
        PCS_LANES(k, lanes)
        {
            const int l = h + k;
            const double q = (double)s->q[l], qq = (double)s->qq[l], qx = (double)s->qx[l], det = o.w * qq - q * q;
            /* The quotients are of f32: what they give is rounded anyway. */
            const double over = (double)(1.0f / (det > 0 ? (float)det : 1.0f));
            const double free_m = (q * qx - qq * o.x) * over, held = qx * (double)(1.0f / (qq > 0 ? s->qq[l] : 1.0f));
            const bool hold = bounded && free_m < 0;
            ms[l] = hold ? 0.0 : free_m;
            ds[l] = hold ? held : (o.w * qx - o.x * q) * over;
            const double err = error_of(&o, q, qq, qx, ds[l], ms[l]);
            e[l] = det > 0 && ds[l] > 0 && err < 1e300 ? err : 1e300;
        }
    }
    for (int g = 0; g <= (int)two; g++) {
        const int l = two ? 8 * g + least_of_8(e + 8 * g) : least_of(e);
        if (e[l] < a[g].error) a[g].error = e[l], a[g].d = (float)ds[l], a[g].m = (float)ms[l];
    }
}
static void affine_solve(const sums *s, bool bounded, affine *a) { affine_solve_of(s, bounded, false, a); }
static void affine_solve_two(const sums *s, bool bounded, affine *a) { affine_solve_of(s, bounded, true, a); }

/* n weights of group g, of groups that follow one another; `other`: as a choice has it. */
static weights group_of(const weights *first, uint32_t g, size_t other)
{
    return (weights){ first->x + g * first->n, first->w ? first->w + g * first->n : NULL, first->n, other };
}

/* Best d and m for w = d q - m over each of `groups` groups, the first of which is given. All take a step before one
 * takes the next: the processor goes on with another group while a solution is not there yet. */
static void fit_affine(const pcs_format *f, const weights *first, uint32_t groups, pcs_fit_effort effort, bool bounded,
                       affine *a)
{
    choices c;
    sums s[PCS_SUB];
    for (uint32_t g = 0; g < groups; g++) {
        const weights of = group_of(first, g, 0);
        affine_range(f, &of, effort, bounded, &a[g]);
        if (effort != PCS_FIT_SEARCH) continue;
        affine_first(f, &a[g], &c);
        sums_of(f, &c, &of, true, &s[g]);
    }
    if (effort != PCS_FIT_SEARCH) return;
    const bool two = few_levels(f) && groups % 2 == 0;
    for (uint32_t g = 0; g < groups; g++) affine_solve(&s[g], bounded, &a[g]);
    for (uint32_t g = 0; g < groups; g += 1 + (uint32_t)two) {
        affine_around(f, &a[g], two, &c);
        const weights of = group_of(first, g, two ? first->n : 0);
        sums_of(f, &c, &of, true, &s[g]);
    }
    for (uint32_t g = 0; g < groups; g += 1 + (uint32_t)two)
        (two ? affine_solve_two : affine_solve)(&s[g], bounded, &a[g]);
}

#endif
