/* starts.c - where a fit begins: a grid over the parameters, those that the loss is linear in by projection. */
#include "law/solve.h"

#include <math.h>

static bool is_linear(const pcs_problem *p, int k)
{
    for (int i = 0; i < p->n_linear; i++)
        if (p->linear[i] == k) return true;
    return false;
}

void pcs_starts_init(pcs_starts *s, const pcs_problem *p, bool project, bool grid, size_t most, uint64_t seed)
{
    for (int attempt = 0;; attempt++) {
        *s = (pcs_starts){ .p = p, .product = 1, .seed = seed };
        for (int k = 0; k < p->n_free; k++) {
            const pcs_param *q = &p->law->params[p->free_[k]];
            s->project_some[k] = is_linear(p, k) && (project || !q->n_starts);
            s->project = s->project || s->project_some[k];
            s->count[k] = s->project_some[k] || !q->n_starts ? 1 : q->n_starts;
            for (int i = 0; i < s->count[k]; i++)
                s->values[k][i] = s->project_some[k] ? 0 : q->n_starts ? q->starts[i] : p->start[p->free_[k]];
            if (s->product < UINT64_MAX / PCS_LAW_STARTS) s->product *= (uint64_t)s->count[k];
        }
        if (s->product <= most || project || grid || attempt) break;
        project = true; /* too many: linear ones need no grid */
    }
    s->n = s->product < PCS_STARTS_LEAST ? PCS_STARTS_LEAST : s->product > most ? most : (size_t)s->product;
}

void pcs_starts_get(const pcs_starts *s, pcs_worker *w, size_t i, double *x)
{
    uint64_t state = s->seed ^ (0x5851f42d4c957f2du * (uint64_t)(i + 1)), at = i;
    const bool sampled = s->product > s->n, shaken = i >= s->product;
    for (int k = 0; k < s->p->n_free; k++) {
        const uint64_t c = (uint64_t)s->count[k];
        const uint64_t pick = sampled ? pcs_rand(&state) % c : at % c;
        at /= c;
        x[k] = s->values[k][pick];
        if (shaken) x[k] += (pcs_rand_unit(&state) - 0.5) * (0.4 + 0.4 * fabs(x[k])); /* a grid of few points, moved */
    }
    if (!s->project) return;
    double y[PCS_LAW_PARAMS];
    memcpy(y, x, sizeof(double) * (size_t)s->p->n_free);
    pcs_worker_project(w, y);
    for (int k = 0; k < s->p->n_free; k++)
        if (s->project_some[k]) x[k] = y[k];
}

double pcs_solve_alone(pcs_worker *w, const pcs_starts *s, double *x)
{
    double least = INFINITY, y[PCS_LAW_PARAMS];
    for (size_t i = 0; i < s->n; i++) {
        pcs_starts_get(s, w, i, y);
        const double f = pcs_worker_minimize(w, y, 6);
        if (!(f < least)) continue;
        least = f;
        memcpy(x, y, sizeof(double) * (size_t)s->p->n_free);
    }
    return least;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* Least over s of sum huber_delta(r / s) + n log s, and its value with the normalizer: log
 * density of Huber's function (Besiroglu et al. 2024). */
static double free_scale(pcs_worker *w, const double *x, double delta, double *scale)
{
    pcs_worker_value(w, x, NULL);
    double lo = log(1e-12), hi = log(10.0), n = 0;
    const double *r = w->r;
    for (size_t i = 0; i < w->p->n; i++) n += w->w[i];
    const double golden = 0.61803398874989484820;
    double a = hi - golden * (hi - lo), b = lo + golden * (hi - lo), fa = 0, fb = 0;
    for (int step = 0; step < 120; step++) {
        for (int side = 0; side < 2; side++) {
            const double ls = side ? b : a, inverse = exp(-ls);
            double sum = n * ls;
            for (size_t i = 0; i < w->p->n; i++) {
                const double u = fabs(r[i]) * inverse, c = fmin(u, delta);
                sum += w->w[i] * c * (u - 0.5 * c);
            }
            if (side) fb = sum;
            else fa = sum;
        }
        if (fa < fb) hi = b, b = a, a = hi - golden * (hi - lo);
        else lo = a, a = b, b = lo + golden * (hi - lo);
    }
    *scale = exp(0.5 * (lo + hi));
    const double z = 2.50662827463100050242 * erf(delta / 1.41421356237309504880) +
                     2 / delta * exp(-0.5 * delta * delta);
    return fmin(fa, fb) + n * log(z);
}

/* Huber's delta downwards by tens, so that Newton's active set changes little each time. */
static double shrink(pcs_worker *w, double *x, double from, double to)
{
    double f = INFINITY;
    for (double d = from; d > to; d *= 0.25) {
        w->delta = d;
        pcs_worker_minimize(w, x, 2);
        pcs_worker_polish(w, x);
    }
    w->delta = to;
    pcs_worker_minimize(w, x, 2);
    f = pcs_worker_polish(w, x);
    return f;
}

double pcs_finish(pcs_worker *w, double *x, double *scale)
{
    const pcs_objective *o = w->p->objective;
    *scale = 0;
    if (o->scale) {
        const double delta = w->p->delta;
        double f = INFINITY, before;
        w->delta = delta;
        for (int i = 0; i < 30; i++) {
            before = f;
            f = free_scale(w, x, delta, scale);
            if (fabs(before - f) <= 1e-13 * fabs(f)) break;
            shrink(w, x, fmin(1e-3, i ? 4 * delta * *scale : 1e-3), delta * *scale);
        }
        return f;
    }
    if (o->delta > 0 && o->delta < 1e-6) return shrink(w, x, 1e-3, o->delta) / o->delta;
    return pcs_worker_polish(w, x);
}
