/* resample.c - bootstrap by run: the rows of a run go together (checkpoints of one run are
 * correlated; laws.md, section 4). */
#include "law/solve.h"

#include <math.h>
#include <stdlib.h>

typedef struct { pcs_fitting *f; double delta; } resampling;

static void fit_one(void *arg, pcs_worker *w, size_t i, void *item)
{
    const resampling *s = arg;
    pcs_fitting *f = s->f;
    const size_t runs = f->table.runs;
    double *x = item, y[PCS_LAW_PARAMS], least = INFINITY;
    uint32_t *times = pcs_alloc(f->ctx, runs, sizeof *times);
    const int k = f->problem.n_free;
    for (int p = 0; p < k; p++) x[p] = NAN;
    if (!times) return;
    uint64_t state = f->ctx->opt.seed * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u * (uint64_t)(i + 1);
    for (size_t r = 0; r < runs; r++) times[(size_t)(pcs_rand_unit(&state) * (double)runs)]++;
    for (size_t r = 0; r < f->table.n; r++) w->w[r] = times[f->table.run[r]];
    pcs_free(f->ctx, times);
    for (int start = 0; start <= f->n_kept; start++) { /* from the optimum, and from other valleys */
        memcpy(y, start ? f->kept + (start - 1) * PCS_LAW_PARAMS : f->x, sizeof y);
        w->delta = s->delta;
        double v = pcs_worker_minimize(w, y, 6);
        if (s->delta < 1e-5) v = pcs_worker_polish(w, y);
        if (v < least) least = v, memcpy(x, y, sizeof(double) * (size_t)k);
    }
    for (size_t r = 0; r < f->table.n; r++) w->w[r] = 1;
}

static double quantile(const double *sorted, size_t n, double q)
{
    const double at = q * (double)(n - 1);
    const size_t lo = (size_t)at;
    return lo + 1 < n ? sorted[lo] + (at - (double)lo) * (sorted[lo + 1] - sorted[lo]) : sorted[n - 1];
}

/* What the samples say of each parameter, in one piece of memory. */
typedef struct { double *se, *low, *high, *corr, *sorted; } statistics;

/* Deviations, percentiles and correlations (in the space of the fit) of n samples. */
static void summarize(const pcs_fitting *f, const double *x, size_t n, const statistics *out)
{
    const precis_law *l = f->form;
    const int k = f->problem.n_free, all = l->n_params;
    double mean[PCS_LAW_PARAMS] = { 0 }, sd[PCS_LAW_PARAMS] = { 0 }, *sorted = out->sorted;
    for (int i = 0; i < all; i++) out->se[i] = 0, out->low[i] = out->high[i] = NAN;
    for (int i = 0; i < all * all; i++) out->corr[i] = NAN;
    for (int a = 0; a < k; a++) {
        const int p = f->problem.free_[a];
        double sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) {
            sorted[i] = pcs_param_out(&l->params[p], x[i * (size_t)k + a]);
            sum += sorted[i];
            mean[a] += x[i * (size_t)k + a];
        }
        mean[a] /= (double)n;
        for (size_t i = 0; i < n; i++) {
            const double off = x[i * (size_t)k + a] - mean[a];
            squares += (sorted[i] - sum / (double)n) * (sorted[i] - sum / (double)n);
            sd[a] += off * off;
        }
        out->se[p] = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
        qsort(sorted, n, sizeof *sorted, pcs_ascending);
        out->low[p] = quantile(sorted, n, 0.025);
        out->high[p] = quantile(sorted, n, 0.975);
    }
    for (int a = 0; a < k; a++)
        for (int b = 0; b < k; b++) {
            double s = 0;
            for (size_t i = 0; i < n; i++) s += (x[i * (size_t)k + a] - mean[a]) * (x[i * (size_t)k + b] - mean[b]);
            out->corr[f->problem.free_[a] * all + f->problem.free_[b]] = a == b ? 1 : s / sqrt(sd[a] * sd[b]);
        }
}

precis_status pcs_resample(pcs_fitting *f, precis_law_fit *fit)
{
    const precis_law_fit_options *o = f->opts;
    const int k = f->problem.n_free;
    const size_t all = (size_t)f->form->n_params;
    if (o->bootstrap < 2 || o->bootstrap > 1000000)
        return pcs_fail(f->ctx, PRECIS_EINVAL, "a bootstrap has 2 to 1,000,000 resamples");
    resampling s = { .f = f, .delta = f->objective->scale ? f->problem.delta * fit->scale : f->problem.delta };
    double *x = pcs_alloc(f->ctx, (size_t)o->bootstrap * (size_t)k, sizeof *x);
    const pcs_items items = { x, (size_t)k * sizeof *x, o->bootstrap };
    precis_status st = x ? pcs_spread_work(f, "bootstrap", items, fit_one, &s) : PRECIS_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < o->bootstrap && !st; i++) {
        bool ok = true;
        for (int p = 0; p < k; p++) ok = ok && isfinite(x[i * (size_t)k + p]);
        if (ok) memmove(x + n++ * (size_t)k, x + i * (size_t)k, (size_t)k * sizeof *x);
    }
    double *room = st ? NULL : pcs_arena_alloc(&f->arena, 3 * all + all * all + n + 1, sizeof *room);
    precis_law *law = fit->law;
    if (!st && n < 2) st = pcs_fail(f->ctx, PRECIS_EINVAL, "fewer than two resamples determine the parameters");
    if (!st && room) {
        const statistics found = { .se = room, .low = room + all, .high = room + 2 * all, .corr = room + 3 * all,
                                   .sorted = room + 3 * all + all * all };
        summarize(f, x, n, &found);
        fit->se = found.se, fit->low = found.low, fit->high = found.high, fit->correlation = found.corr;
        law->samples = pcs_alloc(f->ctx, n * all, sizeof *law->samples);
        for (size_t i = 0; i < n && law->samples; i++) {
            for (size_t p = 0; p < all; p++) law->samples[i * all + p] = law->params[p].value;
            for (int a = 0; a < k; a++) {
                const int p = f->problem.free_[a];
                law->samples[i * all + p] = pcs_param_out(&law->params[p], x[i * (size_t)k + a]);
            }
        }
        law->n_samples = law->samples ? n : 0;
        fit->resamples = n;
        if (n < o->bootstrap)
            pcs_fit_warn(f, "%zu of %u resamples do not determine the parameters and are left out", o->bootstrap - n,
                         o->bootstrap);
    }
    if (!st && (!room || !law->samples)) st = PRECIS_ENOMEM;
    pcs_free(f->ctx, x);
    return st;
}
