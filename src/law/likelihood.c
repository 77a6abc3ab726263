/* likelihood.c - profiles: the least objective with one parameter held, along its values
 * (Venzon and Moolgavkar 1988). */
#include "law/solve.h"

#include <math.h>

enum { POINTS = 21, HALF = POINTS / 2 };

typedef struct {
    pcs_fitting *f;
    precis_law_fit *fit;
    double *profile, *interval, *width, least, limit;
    precis_status st;
} profiling;

/* Outward from the optimum on one side, each from the one before. */
static void side(profiling *s, pcs_worker *w, pcs_problem *p, int k, int sign)
{
    pcs_fitting *f = s->f;
    const int param = f->problem.free_[k];
    double y[PCS_LAW_PARAMS];
    for (int a = 0, b = 0; a < f->problem.n_free; a++)
        if (a != k) y[b++] = f->x[a];
    double reach = 3 * s->width[k], z[PCS_LAW_PARAMS];
    for (int i = 0; i < 6; i++) { /* far enough to pass the limit, where it can be passed */
        memcpy(z, y, sizeof z);
        w->params[param] = p->start[param] = f->x[k] + sign * reach;
        const double v = pcs_worker_minimize(w, z, 8);
        if (v > s->limit + 0.5 * (s->limit - s->least)) break;
        reach *= 1.6;
    }
    for (int i = 1; i <= HALF; i++) {
        const double held = f->x[k] + sign * reach * i / HALF;
        double *at = s->profile + ((size_t)param * POINTS + (size_t)(HALF + sign * i)) * 2;
        w->params[param] = p->start[param] = held;
        double v = pcs_worker_minimize(w, y, 8);
        v = pcs_worker_polish(w, y);
        at[0] = pcs_param_out(&f->form->params[param], held);
        at[1] = v;
    }
}

static void one(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    profiling *s = arg;
    pcs_fitting *f = s->f;
    (void)ith;
    for (uint64_t k = begin; k < end; k++) {
        const int param = f->problem.free_[k];
        bool held[PCS_LAW_PARAMS];
        memcpy(held, f->held, sizeof held);
        held[param] = true;
        pcs_problem p;
        pcs_worker w = { 0 };
        precis_status st = pcs_problem_open(f, &p, &f->table, held);
        if (!st) st = pcs_worker_open(&w, &p);
        if (!st) {
            if (f->objective->scale) w.delta = p.delta * s->fit->scale;
            for (int side_ = -1; side_ <= 1; side_ += 2) side(s, &w, &p, (int)k, side_);
            double *mid = s->profile + ((size_t)param * POINTS + HALF) * 2;
            mid[0] = pcs_param_out(&f->form->params[param], f->x[k]);
        } else s->st = st;
        pcs_worker_close(&w);
        pcs_problem_close(&p);
    }
}

/* Where the objective passes its limit, between points. */
static void interval(profiling *s, int param, double limit)
{
    const double *at = s->profile + (size_t)param * POINTS * 2;
    double *out = s->interval + (size_t)param * 2;
    out[0] = -INFINITY, out[1] = INFINITY;
    for (int sign = -1; sign <= 1; sign += 2)
        for (int i = 1; i <= HALF; i++) {
            const double *a = at + (HALF + sign * (i - 1)) * 2, *b = at + (HALF + sign * i) * 2;
            if (!(a[1] <= limit && b[1] > limit)) continue;
            /* The root of what the objective rises is nearly linear in the value. */
            const double u = sqrt(fmax(0, limit - at[HALF * 2 + 1])), ua = sqrt(fmax(0, a[1] - at[HALF * 2 + 1])),
                         ub = sqrt(fmax(0, b[1] - at[HALF * 2 + 1]));
            out[sign > 0] = a[0] + (b[0] - a[0]) * (u - ua) / (ub - ua);
            break;
        }
}

precis_status pcs_likelihood(pcs_fitting *f, precis_law_fit *fit)
{
    const int k = f->problem.n_free;
    const size_t all = (size_t)f->form->n_params;
    double width[PCS_LAW_PARAMS], h[PCS_LAW_PARAMS * PCS_LAW_PARAMS];
    profiling s = { .f = f, .fit = fit, .width = width };
    s.profile = pcs_arena_alloc(&f->arena, all * POINTS * 2, sizeof(double));
    s.interval = pcs_arena_alloc(&f->arena, all * 2, sizeof(double));
    pcs_worker w = { 0 };
    precis_status st = s.profile && s.interval ? pcs_worker_open(&w, &f->problem) : PRECIS_ENOMEM;
    if (st) return st;
    if (f->objective->scale) w.delta = f->problem.delta * fit->scale;
    const double least = pcs_worker_value(&w, f->x, NULL);
    pcs_worker_normal(&w, f->x, h);
    for (int a = 0; a < k; a++) h[a * k + a] *= 1 + 1e-10;
    const bool ok = pcs_small_cholesky(h, k);
    const double freedom = fmax(1, (double)f->table.n - k);
    for (int a = 0; a < k; a++) { /* one deviation of the quadratic approximation */
        double e[PCS_LAW_PARAMS] = { 0 };
        e[a] = 1;
        if (ok) pcs_small_solve(h, k, e);
        width[a] = ok && e[a] > 0 ? sqrt(2 * least / freedom * e[a]) : 0.1 * (1 + fabs(f->x[a]));
    }
    pcs_worker_close(&w);
    for (size_t i = 0; i < all * POINTS * 2; i++) s.profile[i] = NAN;
    for (size_t i = 0; i < all * 2; i++) s.interval[i] = NAN;
    for (int a = 0; a < k; a++) s.profile[((size_t)f->problem.free_[a] * POINTS + HALF) * 2 + 1] = least;
    s.least = least;
    s.limit = least * (1 + 3.84 / freedom);
    pcs_for(f->ctx, (uint64_t)k, 1, one, &s);
    if (s.st) return s.st;
    for (int a = 0; a < k; a++) interval(&s, f->problem.free_[a], s.limit);
    for (int a = 0; a < k; a++)
        for (int i = 0; i < POINTS; i++)
            if (s.profile[((size_t)f->problem.free_[a] * POINTS + (size_t)i) * 2 + 1] < least * (1 - 1e-9)) {
                pcs_fit_warn(f, "the profile of %s goes below the optimum: more starts are needed",
                             f->form->params[f->problem.free_[a]].name);
                break;
            }
    fit->profile = s.profile;
    fit->profile_interval = s.interval;
    fit->profile_points = POINTS;
    return pcs_progress(f->ctx, "profile", (uint64_t)k, (uint64_t)k);
}
