/* holdout.c - errors on rows that the fit has not seen: the largest N, the largest D / N, one
 * width of bits, what lies 8 times beyond, and five parts by run. */
#include "law/solve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 40, RESAMPLES = 200, STARTS = 125 };

/* of a row */
typedef enum { TRAINED, HELD, LEFT_OUT } place;
typedef struct { precis_law_holdout out; unsigned char *at; bool failed; } job;
typedef struct { pcs_fitting *f; job jobs[MOST]; size_t n; bool band; pcs_arena *arena; } holding;

static double quantity(const pcs_table *t, size_t i, int what)
{
    const double *v = t->values + i * PCS_VARS;
    return what == 0 ? v[PCS_VAR_N] : what == 1 ? v[PCS_VAR_D] / v[PCS_VAR_N] : v[what - 2];
}

static job *add(holding *s, const char *name)
{
    if (s->n == MOST) return NULL;
    job *j = &s->jobs[s->n];
    j->at = pcs_arena_alloc(s->arena, s->f->table.n, sizeof *j->at);
    if (!j->at) return NULL;
    snprintf(j->out.name, sizeof j->out.name, "%s", name);
    j->out.factor = j->out.coverage = NAN;
    s->n++;
    return j;
}

/* Held out: above a quantile, or 8 times beyond the rest. */
static precis_status beyond(holding *s, int what, const char *name, bool eight)
{
    const pcs_table *t = &s->f->table;
    double *q = pcs_alloc(s->f->ctx, t->n, sizeof *q);
    if (!q) return PRECIS_ENOMEM;
    for (size_t i = 0; i < t->n; i++) q[i] = quantity(t, i, what);
    qsort(q, t->n, sizeof *q, pcs_ascending);
    double below = 0, held = 0, low = INFINITY;
    if (!eight) { /* about the highest fifth, whole values */
        held = q[t->n - 1 - (t->n - 1) / 5];
        for (size_t i = 0; i < t->n; i++)
            if (q[i] < held) below = q[i];
    } else { /* the split that leaves enough on both sides */
        size_t best = 0, far = 0;
        for (size_t i = 0; i < t->n; i++) { /* q is ascending: rows 0 .. i are trained on */
            if (i + 1 < t->n && q[i + 1] == q[i]) continue;
            while (far < t->n && q[far] < 8 * q[i]) far++;
            const size_t score = i + 1 < 4 * (t->n - far) ? i + 1 : 4 * (t->n - far);
            if (score > best) best = score, below = q[i], held = 8 * q[i];
        }
    }
    pcs_free(s->f->ctx, q);
    job *j = below > 0 ? add(s, name) : NULL;
    for (size_t i = 0; i < t->n && j; i++) {
        const double x = quantity(t, i, what);
        j->at[i] = x >= held ? HELD : x > below ? LEFT_OUT : TRAINED;
        if (x >= held && x < low) low = x;
    }
    if (j) j->out.factor = low / below;
    return PRECIS_OK;
}

static void widths(holding *s)
{
    const pcs_table *t = &s->f->table;
    for (int v = PCS_VAR_bits_w; v <= PCS_VAR_bits_post; v++) {
        double values[16];
        size_t n = 0;
        for (size_t i = 0; i < t->n && n < 16; i++) {
            const double x = quantity(t, i, v + 2);
            size_t k = 0;
            while (k < n && values[k] != x) k++;
            if (k == n) values[n++] = x;
        }
        /* Where both are in the table the weights' stand for them. */
        if (n < 3 || (v == PCS_VAR_bits_a && t->given[PCS_VAR_bits_w])) continue;
        for (size_t k = 0; k < n; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s %g", pcs_variables[v].name, values[k]);
            job *j = add(s, name);
            for (size_t i = 0; i < t->n && j; i++) j->at[i] = quantity(t, i, v + 2) == values[k] ? HELD : TRAINED;
        }
    }
}

/* The band of a bootstrap of the training rows, with their own residuals added: the part of held-out losses in it. */
static double coverage(pcs_fitting *f, pcs_worker *w, const job *j, const double *x0)
{
    const size_t n = f->table.n;
    double *pred = pcs_alloc(f->ctx, n * RESAMPLES, sizeof *pred), *res = pcs_alloc(f->ctx, n, sizeof *res),
           y[PCS_LAW_PARAMS], sorted[RESAMPLES];
    size_t trained = 0, inside = 0, held = 0;
    uint64_t state = f->ctx->opt.seed + 77;
    if (pred && res) {
        for (size_t i = 0; i < n; i++) w->w[i] = j->at[i] == TRAINED;
        pcs_worker_value(w, x0, NULL);
        for (size_t i = 0; i < n; i++)
            if (j->at[i] == TRAINED) res[trained++] = w->r[i];
        for (int b = 0; b < RESAMPLES; b++) {
            for (size_t i = 0; i < n; i++) w->w[i] = 0;
            for (size_t k = 0; k < trained; k++) {
                size_t i = (size_t)(pcs_rand_unit(&state) * (double)n);
                while (j->at[i] != TRAINED) i = (i + 1) % n;
                w->w[i] += 1;
            }
            memcpy(y, x0, sizeof y);
            pcs_worker_minimize(w, y, 4);
            pcs_worker_value(w, y, NULL);
            for (size_t i = 0; i < n; i++)
                pred[i * RESAMPLES + b] = w->r[i] - res[(size_t)(pcs_rand_unit(&state) * (double)trained)];
        }
        for (size_t i = 0; i < n; i++) {
            if (j->at[i] != HELD) continue;
            memcpy(sorted, pred + i * RESAMPLES, sizeof sorted);
            qsort(sorted, RESAMPLES, sizeof *sorted, pcs_ascending);
            held++;
            inside += sorted[4] <= 0 && sorted[RESAMPLES - 5] >= 0; /* residuals: 0 is the observed loss */
        }
    }
    pcs_free(f->ctx, pred);
    pcs_free(f->ctx, res);
    return held ? (double)inside / (double)held : NAN;
}

static void run(holding *s, job *j)
{
    pcs_fitting *f = s->f;
    const pcs_table *t = &f->table;
    bool held[PCS_LAW_PARAMS];
    memcpy(held, f->held, sizeof held);
    pcs_problem p = { 0 };
    pcs_worker w = { 0 };
    double x[PCS_LAW_PARAMS], sum = 0, mean = 0, total = 0;
    for (size_t i = 0; i < t->n; i++) j->out.held += j->at[i] == HELD, j->out.trained += j->at[i] == TRAINED;
    j->out.size = sizeof j->out;
    j->out.rmse_log = j->out.max_log = j->out.r2 = NAN;
    precis_status st = pcs_problem_open(f, &p, t, held);
    if (!st) st = pcs_worker_open(&w, &p);
    j->failed = st || j->out.trained < (size_t)p.n_free + 1 || !j->out.held;
    if (!j->failed) {
        for (size_t i = 0; i < t->n; i++) w.w[i] = j->at[i] == TRAINED;
        pcs_starts starts;
        pcs_starts_init(&starts, &p, true, false, STARTS, f->ctx->opt.seed);
        if (f->objective->scale) w.delta = 1e-3;
        const double least = pcs_solve_alone(&w, &starts, x);
        bool none[PCS_LAW_PARAMS] = { false };
        if (isfinite(least)) pcs_worker_polish(&w, x);
        pcs_no_row(&w, &starts, none);
        for (int k = 0; k < p.n_free; k++) j->failed = j->failed || !isfinite(least) || none[p.free_[k]];
        pcs_worker_value(&w, x, NULL);
        double max = 0;
        for (size_t i = 0; i < t->n; i++)
            if (j->at[i] == HELD) mean += log(t->loss[i]) / (double)j->out.held;
        for (size_t i = 0; i < t->n && !j->failed; i++) {
            if (j->at[i] != HELD) continue;
            const double y = log(t->loss[i]), r = f->objective->raw ? log(w.r[i] + t->loss[i]) - y : w.r[i];
            sum += r * r;
            total += (y - mean) * (y - mean);
            max = fmax(max, fabs(r));
        }
        if (!j->failed) {
            j->out.rmse_log = sqrt(sum / (double)j->out.held);
            j->out.max_log = max;
            j->out.r2 = total > 0 ? 1 - sum / total : NAN;
            if (s->band) j->out.coverage = coverage(f, &w, j, x);
        }
    }
    pcs_worker_close(&w);
    pcs_problem_close(&p);
}

static void some(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    holding *s = arg;
    (void)ith;
    for (uint64_t i = begin; i < end; i++) run(s, &s->jobs[i]);
}

precis_status pcs_holdout(pcs_fitting *f, precis_law_fit *fit)
{
    holding *s = pcs_arena_alloc(&f->arena, 1, sizeof *s);
    if (!s) return PRECIS_ENOMEM;
    s->f = f;
    s->arena = &f->arena;
    s->band = f->opts->bootstrap > 0;
    precis_status st = beyond(s, 0, "largest N", false);
    if (!st) st = beyond(s, 1, "largest D/N", false);
    if (!st) st = beyond(s, 0, "N 8x larger", true);
    if (!st) st = beyond(s, 3, "D 8x larger", true);
    if (st) return st;
    widths(s);
    for (uint32_t part = 0; part < 5; part++) { /* fifths of the runs */
        char name[64];
        snprintf(name, sizeof name, "part %u of 5", part + 1);
        job *j = add(s, name);
        for (size_t i = 0; i < f->table.n && j; i++) {
            uint64_t state = f->ctx->opt.seed ^ ((uint64_t)f->table.run[i] * 0x9e3779b97f4a7c15u);
            j->at[i] = pcs_rand(&state) % 5 == part ? HELD : TRAINED;
        }
    }
    pcs_for(f->ctx, s->n, 1, some, s);
    precis_law_holdout *list = pcs_arena_alloc(&f->arena, s->n + 1, sizeof *list);
    if (!list) return PRECIS_ENOMEM;
    size_t n = 0, held = 0;
    double squares = 0, max = 0;
    bool whole = true;
    for (size_t i = 0; i < s->n; i++) {
        const precis_law_holdout *o = &s->jobs[i].out;
        if (strncmp(o->name, "part ", 5)) {
            list[n++] = *o;
            continue;
        }
        if (s->jobs[i].failed) whole = false;
        squares += o->rmse_log * o->rmse_log * (double)o->held;
        held += o->held;
        max = fmax(max, o->max_log);
    }
    double mean = 0, total = 0;
    for (size_t i = 0; i < f->table.n; i++) mean += log(f->table.loss[i]) / (double)f->table.n;
    for (size_t i = 0; i < f->table.n; i++) total += (log(f->table.loss[i]) - mean) * (log(f->table.loss[i]) - mean);
    if (held && whole)
        list[n++] = (precis_law_holdout){ .size = sizeof *list,
                                          .name = "5-fold by run",
                                          .trained = f->table.n - held / 5,
                                          .held = held,
                                          .rmse_log = sqrt(squares / (double)held),
                                          .max_log = max,
                                          .r2 = 1 - squares / total,
                                          .factor = NAN,
                                          .coverage = NAN };
    fit->holdouts = list;
    fit->n_holdouts = n;
    return pcs_progress(f->ctx, "hold out", s->n, s->n);
}
