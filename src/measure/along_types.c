/* along_types.c - what a tensor costs in one type is told by its other types, too. */
#include "measure/along_types.h"

#include "base/fmath.h"

#define SLOPE_SD 0.1  /* of tensors about the slope of all */
#define NOISE_SD 0.2  /* of the logarithm of a cost about its line */
#define KEPT 0.3      /* of how far it lies off: what a second text and other codes show again */

enum { TYPES_LEAST = 3, ROUNDS = 20, TYPE_LEAST = 4 };

/* A cost that lies on its tensor's line: logarithms of error and cost, how far its type's costs lie off the lines, and
 * its own line. */
typedef struct { double x, y, type, at, slope; size_t n; } point;

typedef struct { const pcs_cost_of_type *c; point *p; size_t n; double slope; } fit;

static bool is_told(const pcs_cost_of_type *c) { return c->error > 0 && *c->kld > 0; }

/* The line of a tensor's points, with a slope that is drawn to that of all; what its sums of squares are. */
static void fit_line(fit *f, size_t own, double *xx, double *xy)
{
    double mx = 0, my = 0, n = 0, sxx = 0, sxy = 0;
    for (size_t k = 0; k < f->n; k++) {
        if (!f->p[k].n || f->c[k].tensor != f->c[own].tensor) continue;
        mx += f->p[k].x, my += f->p[k].y - f->p[k].type, n++;
    }
    mx /= n, my /= n;
    for (size_t k = 0; k < f->n; k++) {
        if (!f->p[k].n || f->c[k].tensor != f->c[own].tensor) continue;
        sxx += (f->p[k].x - mx) * (f->p[k].x - mx);
        sxy += (f->p[k].x - mx) * (f->p[k].y - f->p[k].type - my);
    }
    const double prior = 1 / (SLOPE_SD * SLOPE_SD), own_weight = 1 / (NOISE_SD * NOISE_SD);
    f->p[own].slope = (f->slope * prior + sxy * own_weight) / (prior + sxx * own_weight);
    f->p[own].at = my - f->p[own].slope * mx;
    *xx += sxx, *xy += sxy;
}

static double off(const point *p) { return p->y - p->at - p->slope * p->x; }

/* How far a type's costs lie off the lines: as far as there are tensors to say so. */
static double type_of(const fit *f, size_t own)
{
    double sum = 0, n = 0;
    for (size_t k = 0; k < f->n; k++)
        if (f->p[k].n && f->c[k].f == f->c[own].f) sum += off(&f->p[k]), n++;
    return sum / (n + TYPE_LEAST);
}

static void one_round(fit *f)
{
    double xx = 0, xy = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->p[i].n) fit_line(f, i, &xx, &xy);
    if (xx > 0) f->slope = xy / xx;
    for (size_t i = 0; i < f->n; i++) /* of the same lines for all */
        if (f->p[i].n) f->p[i].type = type_of(f, i);
}

precis_status pcs_along_types(precis_ctx *ctx, const pcs_cost_of_type *costs, size_t n)
{
    fit f = { costs, pcs_alloc(ctx, n + 1, sizeof *f.p), n, 1 };
    if (!f.p) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t types = 0;
        for (size_t k = 0; k < n; k++) types += costs[k].tensor == costs[i].tensor && is_told(&costs[k]);
        f.p[i].n = is_told(&costs[i]) && types >= TYPES_LEAST ? types : 0;
        if (f.p[i].n) f.p[i].x = pcs_log(costs[i].error), f.p[i].y = pcs_log(*costs[i].kld);
    }
    for (int round = 0; round < ROUNDS; round++) one_round(&f);
    for (size_t i = 0; i < n; i++) {
        const point *p = &f.p[i];
        if (!p->n) continue;
        const double line = p->at + p->slope * p->x + p->type;
        *costs[i].kld = pcs_exp(line + KEPT * (p->y - line));
    }
    pcs_free(ctx, f.p);
    return PRECIS_OK;
}
