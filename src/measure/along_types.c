/* along_types.c - what a tensor costs in one type is told by its other types, too. */
#include "measure/along_types.h"

#include "base/fmath.h"

#include <stdlib.h>
#include <string.h>

#define SLOPE_SD 0.1  /* of tensors about the slope of all */
#define NOISE_SD 0.2  /* of the logarithm of a cost about its line */
#define KEPT 0.3      /* of how far it lies off: what a second text and other codes show again */

enum { TYPES_LEAST = 3, ROUNDS = 20, TYPE_LEAST = 4 };

/* A cost that lies on its tensor's line: logarithms of error and cost, how far its type's costs lie off the lines, and
 * its own line. first, next: of the costs of its tensor, in the order of the list, next behind the last one its length;
 * of_type: which of the types. */
typedef struct { double x, y, type, at, slope; size_t first, next, of_type; bool on_line; } point;

typedef struct { const pcs_cost_of_type *c; point *p; size_t n; double slope; } fit;

static bool is_told(const pcs_cost_of_type *c) { return c->error > 0 && *c->kld > 0; }

/* A cost's tensor and place in the list. */
typedef struct { uintptr_t tensor; size_t at; } place;

static int by_tensor(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->tensor != y->tensor) return x->tensor < y->tensor ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Costs of one tensor find one another. */
static void link_up(fit *f, place *places)
{
    for (size_t i = 0; i < f->n; i++) places[i] = (place){ (uintptr_t)f->c[i].tensor, i };
    qsort(places, f->n, sizeof *places, by_tensor);
    for (size_t i = 0, from = 0; i < f->n; i++) {
        if (places[i].tensor != places[from].tensor) from = i;
        const bool last = i + 1 == f->n || places[i + 1].tensor != places[i].tensor;
        f->p[places[i].at].first = places[from].at;
        f->p[places[i].at].next = last ? f->n : places[i + 1].at;
    }
}

/* The line of a tensor's points, with a slope that is drawn to that of all; what its sums of squares are. */
static void fit_line(fit *f, size_t first, double *xx, double *xy)
{
    double mx = 0, my = 0, n = 0, sxx = 0, sxy = 0;
    for (size_t k = first; k < f->n; k = f->p[k].next)
        if (f->p[k].on_line) mx += f->p[k].x, my += f->p[k].y - f->p[k].type, n++;
    if (n < 1) return;
    mx /= n, my /= n;
    for (size_t k = first; k < f->n; k = f->p[k].next) {
        if (!f->p[k].on_line) continue;
        sxx += (f->p[k].x - mx) * (f->p[k].x - mx);
        sxy += (f->p[k].x - mx) * (f->p[k].y - f->p[k].type - my);
    }
    const double prior = 1 / (SLOPE_SD * SLOPE_SD), own_weight = 1 / (NOISE_SD * NOISE_SD);
    const double slope = (f->slope * prior + sxy * own_weight) / (prior + sxx * own_weight);
    for (size_t k = first; k < f->n; k = f->p[k].next) f->p[k].slope = slope, f->p[k].at = my - slope * mx;
    *xx += n * sxx, *xy += n * sxy;
}

static double off(const point *p) { return p->y - p->at - p->slope * p->x; }

/* How far types' costs lie off the lines: as far as there are tensors to say so. */
static void fit_types(fit *f, size_t types, double *sum, double *count)
{
    memset(sum, 0, types * sizeof *sum);
    memset(count, 0, types * sizeof *count);
    for (size_t k = 0; k < f->n; k++)
        if (f->p[k].on_line) sum[f->p[k].of_type] += off(&f->p[k]), count[f->p[k].of_type]++;
    for (size_t k = 0; k < f->n; k++) f->p[k].type = sum[f->p[k].of_type] / (count[f->p[k].of_type] + TYPE_LEAST);
}

static void one_round(fit *f, size_t types, double *sums)
{
    double xx = 0, xy = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->p[i].first == i) fit_line(f, i, &xx, &xy);
    if (xx > 0) f->slope = xy / xx;
    fit_types(f, types, sums, sums + types);
}

/* Points of all costs; how many types there are, each of which is found by the first cost that has it. */
static size_t make_points(fit *f, size_t *firsts)
{
    size_t types = 0;
    for (size_t i = 0; i < f->n; i++) {
        point *p = &f->p[i];
        size_t told = 0;
        for (size_t k = p->first; k < f->n; k = f->p[k].next) told += is_told(&f->c[k]);
        while (p->of_type < types && f->c[firsts[p->of_type]].f != f->c[i].f) p->of_type++;
        if (p->of_type == types) firsts[types++] = i;
        p->on_line = is_told(&f->c[i]) && told >= TYPES_LEAST;
        if (p->on_line) p->x = pcs_log(f->c[i].error), p->y = pcs_log(*f->c[i].kld);
    }
    return types;
}

precis_status pcs_along_types(precis_ctx *ctx, const pcs_cost_of_type *costs, size_t n)
{
    fit f = { costs, pcs_alloc(ctx, n + 1, sizeof *f.p), n, 1 };
    place *places = pcs_alloc(ctx, n + 1, sizeof *places);
    size_t *firsts = pcs_alloc(ctx, n + 1, sizeof *firsts);
    double *sums = pcs_alloc(ctx, n + 1, 2 * sizeof *sums);
    const precis_status st = f.p && places && firsts && sums ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        link_up(&f, places);
        const size_t types = make_points(&f, firsts);
        for (int round = 0; round < ROUNDS; round++) one_round(&f, types, sums);
    }
    for (size_t i = 0; i < n && !st; i++) {
        const point *p = &f.p[i];
        if (!p->on_line) continue;
        const double line = p->at + p->slope * p->x + p->type;
        *costs[i].kld = pcs_exp(line + KEPT * (p->y - line));
    }
    pcs_free(ctx, sums);
    pcs_free(ctx, firsts);
    pcs_free(ctx, places);
    pcs_free(ctx, f.p);
    return st;
}
