/* fit.c - precis_law_fit_run: starts, the least, its support, and what is known of it. */
#include "base/options.h"
#include "base/lack.h"
#include "base/parts.h"
#include "law/solve.h"

#include "base/stop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* How many of the starts go on after one round, at least, or a tenth; how many of them are polished. */
enum { FURTHER = 256, SHARPENED = 64 };

/* ---- from starts to the least ------------------------------------------------------------------------------------ */

typedef struct { double f, x[PCS_LAW_PARAMS], start; } landing;

/* Objectives with kinks are searched by a smooth relative; pcs_finish goes on. */
static void smooth(pcs_worker *w)
{
    if (w->p->objective->scale || (w->p->objective->delta > 0 && w->p->objective->delta < 1e-6)) w->delta = 1e-3;
}

static void descend(void *arg, pcs_worker *w, size_t i, void *item)
{
    landing *l = item;
    pcs_starts_get(arg, w, i, l->x);
    smooth(w);
    l->f = pcs_worker_minimize(w, l->x, 1);
    l->start = (double)i;
}

/* The best of them go on until nothing is gained. */
static void go_on(void *arg, pcs_worker *w, size_t i, void *item)
{
    landing *l = item;
    (void)i;
    (void)arg;
    smooth(w);
    if (isfinite(l->f)) l->f = pcs_worker_minimize(w, l->x, 10);
}

/* The best of them to their last digits: where a parameter runs away slowly (E to 0) L-BFGS ends short. */
static void sharpen(void *arg, pcs_worker *w, size_t i, void *item)
{
    landing *l = item;
    (void)i;
    (void)arg;
    smooth(w);
    if (isfinite(l->f)) l->f = pcs_worker_polish(w, l->x);
}

static int by_value(const void *a, const void *b)
{
    const landing *x = a, *y = b;
    return x->f != y->f ? (x->f > y->f) - (x->f < y->f) : (x->start > y->start) - (x->start < y->start);
}

/* Good starting points for resamples: of different valleys where there are such. */
static void keep(pcs_fitting *f, const landing *l, size_t n)
{
    for (size_t i = 0; i < n && f->n_kept < PCS_STARTS_KEPT; i++) {
        if (!isfinite(l[i].f)) break;
        bool same = false;
        for (int k = 0; k < f->n_kept; k++) {
            double d = 0;
            for (int p = 0; p < f->problem.n_free; p++)
                d = fmax(d, fabs(l[i].x[p] - f->kept[k * PCS_LAW_PARAMS + p]) / (1 + fabs(l[i].x[p])));
            same = same || d < 0.01;
        }
        if (!same) memcpy(f->kept + PCS_LAW_PARAMS * f->n_kept++, l[i].x, sizeof l[i].x);
    }
}

static precis_status least(pcs_fitting *f, precis_law_fit *fit)
{
    pcs_starts s;
    const char *how = f->opts->starts;
    if (how && strcmp(how, "grid") && strcmp(how, "projection"))
        return pcs_fail(f->ctx, PRECIS_EINVAL, "starts are from a grid or by projection, not \"%s\"", how);
    pcs_starts_init(&s, &f->problem, how && !strcmp(how, "projection"), how && !strcmp(how, "grid"), PCS_STARTS_MOST,
                    f->ctx->opt.seed);
    landing *l = pcs_alloc(f->ctx, s.n, sizeof *l);
    f->kept = pcs_arena_alloc(&f->arena, PCS_STARTS_KEPT * PCS_LAW_PARAMS, sizeof *f->kept);
    const pcs_items all = { l, sizeof *l, s.n };
    precis_status st = l && f->kept ? pcs_spread_work(f, "fit", all, descend, &s) : PRECIS_ENOMEM;
    if (!st) qsort(l, s.n, sizeof *l, by_value);
    const size_t further = s.n / 10 > FURTHER ? s.n / 10 : s.n < FURTHER ? s.n : FURTHER;
    if (!st) st = pcs_spread_work(f, "go on", (pcs_items){ l, sizeof *l, further }, go_on, NULL);
    if (!st) qsort(l, further, sizeof *l, by_value);
    const size_t sharpened = s.n < SHARPENED ? s.n : SHARPENED;
    if (!st) st = pcs_spread_work(f, "polish", (pcs_items){ l, sizeof *l, sharpened }, sharpen, NULL);
    if (!st) qsort(l, s.n, sizeof *l, by_value);
    pcs_worker w = { 0 };
    if (!st) st = pcs_worker_open(&w, &f->problem);
    if (!st) {
        memcpy(f->x, l->x, sizeof f->x);
        if (!isfinite(l->f))
            st = pcs_fail(f->ctx, PRECIS_EINVAL, "the law %s has no value at any of %zu starts", f->form->name, s.n);
        double smooth = l->f;
        if (!st) {
            f->f = pcs_finish(&w, f->x, &fit->scale);
            /* The others are counted on the smooth relative. */
            if (fit->scale <= 0 && f->objective->delta == 0) smooth = f->f;
        }
        fit->starts = s.n;
        /* Or residuals of 1e-9: rows without noise. */
        for (size_t i = 0; i < s.n; i++)
            fit->starts_at_optimum += l[i].f <= smooth + 1e-6 * fabs(smooth) + 0.5e-18 * (double)f->table.n;
        fit->objective = f->f;
        if (!st && fit->starts_at_optimum < 2)
            st = pcs_fail(f->ctx, PRECIS_EBUDGET,
                          "only %zu of %zu starts reached the best objective found, %.12g: that is no supported "
                          "optimum (another form, --starts, or more rows)",
                          fit->starts_at_optimum, s.n, f->f);
        keep(f, l, s.n);
    }
    pcs_worker_close(&w);
    pcs_free(f->ctx, l);
    return st;
}

/* ---- options, result --------------------------------------------------------------------------------------------- */

static precis_status fixed(pcs_fitting *f, precis_law *law)
{
    for (const char *p = f->opts->fix; p && *p;) {
        char item[128], *end;
        const size_t n = strcspn(p, ",");
        if (n >= sizeof item) return pcs_fail(f->ctx, PRECIS_EINVAL, "a fixed parameter's name is too long");
        memcpy(item, p, n);
        item[n] = 0;
        p += n + (p[n] == ',');
        char *eq = strchr(item, '=');
        if (eq) *eq = 0;
        const double v = eq ? strtod(eq + 1, &end) : 0;
        if (eq && (end == eq + 1 || *end))
            return pcs_fail(f->ctx, PRECIS_EINVAL, "\"%s\" is no number for %s", eq + 1, item);
        precis_status st = PRECIS_OK;
        const int i = pcs_law_param(law, item);
        if (i < 0) return pcs_fail(f->ctx, PRECIS_EINVAL, "the law %s has no parameter \"%s\"", law->name, item);
        if (eq) st = precis_law_set_param(law, item, v);
        if (st) return st;
        if (isnan(law->params[i].value))
            return pcs_fail(f->ctx, PRECIS_EINVAL, "%s has no published value to be fixed at: %s=VALUE", item, item);
        f->held[i] = true;
    }
    return PRECIS_OK;
}

/* The law with its new constants. The text is read again: a law is not copied. */
static precis_status result_law(pcs_fitting *f, precis_law_fit *fit, precis_law *law)
{
    fit->law = law;
    double *v = pcs_arena_alloc(&f->arena, PCS_LAW_PARAMS, sizeof *v);
    int *held = pcs_arena_alloc(&f->arena, PCS_LAW_PARAMS, sizeof *held);
    if (!v || !held) return PRECIS_ENOMEM;
    for (int i = 0; i < law->n_params; i++) v[i] = law->params[i].value, held[i] = f->held[i];
    for (int k = 0; k < f->problem.n_free; k++) {
        const int i = f->problem.free_[k];
        v[i] = pcs_param_out(&law->params[i], f->x[k]);
    }
    for (int i = 0; i < law->n_params; i++) {
        law->params[i].value = v[i];
        if (!f->held[i])
            law->params[i].standing = PCS_DERIVED, law->params[i].source = pcs_arena_copy(&law->arena, "this fit", 8);
        if (!law->params[i].source) return PRECIS_ENOMEM;
    }
    law->set = pcs_arena_copy(&law->arena, "fit", 3);
    law->n_sets = 0;
    for (int q = 0; q < PCS_VARS; q++) {
        law->low[q] = INFINITY, law->high[q] = -INFINITY;
        for (size_t i = 0; i < f->table.n; i++)
            law->low[q] = fmin(law->low[q], f->table.values[i * PCS_VARS + q]),
            law->high[q] = fmax(law->high[q], f->table.values[i * PCS_VARS + q]);
        if (!f->table.given[q]) law->low[q] = law->high[q] = NAN;
    }
    law->low_ratio = INFINITY, law->high_ratio = -INFINITY;
    for (size_t i = 0; i < f->table.n; i++) {
        const double ratio = f->table.values[i * PCS_VARS + PCS_VAR_D] / f->table.values[i * PCS_VARS + PCS_VAR_N];
        law->low_ratio = fmin(law->low_ratio, ratio), law->high_ratio = fmax(law->high_ratio, ratio);
    }
    fit->params = (size_t)law->n_params;
    fit->values = v;
    fit->held = held;
    return law->set ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status residuals(pcs_fitting *f, precis_law_fit *fit)
{
    pcs_worker w = { 0 };
    double *fitted = pcs_arena_alloc(&f->arena, f->problem.padded, sizeof *fitted);
    precis_status st = fitted ? pcs_worker_open(&w, &f->problem) : PRECIS_ENOMEM;
    double sum = 0;
    if (!st) pcs_worker_value(&w, f->x, NULL);
    for (size_t i = 0; i < f->table.n && !st; i++) {
        const double y = w.r[i] + f->problem.y[i];
        fitted[i] = f->objective->raw ? y : exp(y);
        const double r = log(fitted[i]) - log(f->table.loss[i]);
        sum += r * r;
        fit->max_log = fmax(fit->max_log, fabs(r));
    }
    fit->rmse_log = sqrt(sum / (double)f->table.n);
    fit->observed = f->table.loss;
    fit->fitted = fitted;
    fit->points = f->table.values;
    pcs_worker_close(&w);
    return st;
}

static const pcs_objective *objective_of(precis_ctx *ctx, const char *name)
{
    for (const pcs_objective *o = pcs_objectives; o->name; o++)
        if (!strcmp(o->name, name)) return o;
    pcs_fail(ctx, PRECIS_EINVAL, "there is no objective \"%s\"; there are huber huber-scale squares absolute huber-raw "
             "squares-raw", name);
    return NULL;
}

/* The parameters that are fitted: those that the loss has, that nobody fixed, and that the rows can determine. */
static precis_status choose_free(pcs_fitting *f, precis_law *law, const char *path)
{
    bool used[PCS_LAW_PARAMS] = { false };
    const int node = pcs_law_let(law, "loss");
    precis_status st = fixed(f, law);
    if (st) return st;
    if (node < 0)
        return pcs_fail(f->ctx, PRECIS_EINVAL, "the law %s says nothing of a loss, so it cannot be fitted", law->name);
    pcs_law_uses(law, node, used);
    for (int i = 0; i < law->n_params; i++) f->held[i] = f->held[i] || law->params[i].fixed || !used[i];
    st = pcs_identify(f, &f->table, f->held, false);
    if (st) return st;
    int n_free = 0;
    for (int i = 0; i < law->n_params; i++) n_free += !f->held[i];
    if (f->table.n < (size_t)n_free + 1)
        return pcs_fail(f->ctx, PRECIS_EINVAL, "%s: %zu row%s cannot determine %d parameters", path, f->table.n,
                        f->table.n == 1 ? "" : "s", n_free);
    return n_free ? PRECIS_OK : pcs_fail(f->ctx, PRECIS_EINVAL, "nothing is left to fit: every parameter is fixed");
}

precis_status precis_law_fit_run(precis_ctx *ctx, precis_law_fit *fit, const precis_law *form, const char *path,
                                 const precis_law_fit_options *given)
{
    precis_law_fit_options own = PRECIS_LAW_FIT_OPTIONS_INIT, *opts = &own;
    pcs_options_take(&own, sizeof own, given);
    const uint32_t size = fit->size;
    const uint64_t refused = precis_ctx_refused(ctx);
    *fit = (precis_law_fit){ .size = size };
    if (pcs_part_need(ctx, PCS_PART_LBFGS, "a fit")) return PRECIS_EUNSUPPORTED;
    const pcs_objective *o = objective_of(ctx, opts->objective ? opts->objective : "huber");
    if (!o) return PRECIS_EINVAL;
    if (!(opts->delta >= 0) || opts->delta > 1e3)
        return pcs_fail(ctx, PRECIS_EINVAL, "delta is a number from 0 to 1000");
    pcs_fitting *f = pcs_alloc(ctx, 1, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    *f = (pcs_fitting){ .ctx = ctx, .opts = opts, .objective = o, .delta = opts->delta > 0 ? opts->delta : 1e-3 };
    fit->inner = f;
    pcs_arena_init(&f->arena, ctx);
    f->warnings = pcs_arena_alloc(&f->arena, PCS_WARNINGS, sizeof *f->warnings);
    precis_law *law = NULL;
    precis_status st = f->warnings ? pcs_law_copy(ctx, &law, form) : PRECIS_ENOMEM;
    f->form = law;
    fit->law = law;
    if (!st) st = pcs_table_open(ctx, &f->table, path, opts);
    if (!st) st = choose_free(f, law, path);
    if (!st) st = pcs_problem_open(f, &f->problem, &f->table, f->held);
    if (!st) st = least(f, fit);
    fit->n = f->table.n;
    fit->rows = f->table.rows;

    fit->clusters = f->table.runs;
    if (!st) st = residuals(f, fit);
    if (!st && opts->bootstrap) st = pcs_resample(f, fit);
    if (!st && opts->profile) st = pcs_likelihood(f, fit);
    if (!st && opts->holdout) st = pcs_holdout(f, fit);
    if (!st) st = result_law(f, fit, law);
    if (!st) pcs_identify_after(f, fit);
    /* Starts, resamples and held out parts are made on all threads, and give numbers alone. */
    st = pcs_with_memory(ctx, refused, st);
    fit->warnings = (const char *const *)f->warnings;
    fit->n_warnings = f->n_warnings;
    if (st) precis_law_fit_close(fit);
    return st;
}

void precis_law_fit_close(precis_law_fit *fit)
{
    pcs_fitting *f = fit->inner;
    if (!f) return;
    precis_ctx *ctx = f->ctx;
    precis_law_close(&fit->law);
    pcs_problem_close(&f->problem);
    pcs_table_close(ctx, &f->table);
    pcs_arena_free(&f->arena);
    pcs_free(ctx, f);
    const uint32_t size = fit->size;
    *fit = (precis_law_fit){ .size = size };
}
