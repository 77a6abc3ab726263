/* identify.c - what a table can say about a law, and what it cannot. */
#include "law/solve.h"

#include "base/stop.h"

#include <math.h>
#include <stdio.h>

/* The variable that alone stands with a parameter in some part of the law ("g_w" with
 * bits_w in f_w); -1: none, or several. */
static int tied_to(const precis_law *l, int param)
{
    uint32_t vars[PCS_LAW_NODES], params[PCS_LAW_NODES];
    int found = -1;
    for (int i = 0; i < l->n_e; i++) {
        const pcs_e *e = &l->e[i];
        vars[i] = e->op == PCS_E_VAR ? 1u << e->index : 0;
        params[i] = e->op == PCS_E_PARAM ? 1u << e->index : 0;
        for (int k = 0; k < pcs_e_args(e); k++) vars[i] |= vars[e->arg[k]], params[i] |= params[e->arg[k]];
        if (!(params[i] >> param & 1) || !vars[i] || vars[i] & (vars[i] - 1)) continue;
        int v = 0;
        while (!(vars[i] >> v & 1)) v++;
        if (found >= 0 && found != v) return -1;
        found = v;
    }
    return found;
}

static size_t distinct(const pcs_table *t, int v, double *values, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const double x = t->values[i * PCS_VARS + v];
        size_t k = 0;
        while (k < n && values[k] != x) k++;
        if (k == n && n < most) values[n++] = x;
    }
    return n;
}

static bool is_bits(int v) { return v != PCS_VAR_N && v != PCS_VAR_D; }

void pcs_no_row(pcs_worker *w, const pcs_starts *s, bool *none)
{
    const pcs_problem *p = w->p;
    double x[PCS_LAW_PARAMS], h[PCS_LAW_PARAMS * PCS_LAW_PARAMS];
    for (int k = 0; k < p->n_free; k++) none[p->free_[k]] = true;
    for (size_t i = 0; i < 16; i++) {
        pcs_starts_get(s, w, s->n * i / 16, x);
        if (!isfinite(pcs_worker_value(w, x, NULL))) continue;
        pcs_worker_normal(w, x, h);
        for (int k = 0; k < p->n_free; k++) none[p->free_[k]] = none[p->free_[k]] && !(h[k * p->n_free + k] > 0);
    }
}

static precis_status unused(pcs_fitting *f, const pcs_table *t, const bool *held, bool *none)
{
    pcs_problem p;
    pcs_worker w = { 0 };
    precis_status st = pcs_problem_open(f, &p, t, held);
    if (!st) st = pcs_worker_open(&w, &p);
    if (!st) {
        pcs_starts s;
        pcs_starts_init(&s, &p, false, false, PCS_STARTS_MOST, 1);
        pcs_no_row(&w, &s, none);
        if (pcs_stopped(f->ctx, 0)) st = pcs_progress(f->ctx, "identify", 0, 1); /* values that are none say nothing */
    }
    pcs_worker_close(&w);
    pcs_problem_close(&p);
    return st;
}

static precis_status hold(pcs_fitting *f, int i, bool *held, bool quiet, const char *why)
{
    const pcs_param *p = &f->form->params[i];
    held[i] = true;
    if (quiet) return PRECIS_OK;
    if (isnan(p->value))
        return pcs_fail(f->ctx, PRECIS_EINVAL,
                        "%s of the law %s is not identifiable: %s; it has no published value to keep (--fix %s=VALUE "
                        "gives one)",
                        p->name, f->form->name, why, p->name);
    pcs_fit_warn(f, "%s is not identifiable: %s; it keeps its value %.6g", p->name, why, p->value);
    return PRECIS_OK;
}

precis_status pcs_identify(pcs_fitting *f, const pcs_table *t, bool *held, bool quiet)
{
    const precis_law *l = f->form;
    double values[64];
    char why[200];
    precis_status st = PRECIS_OK;
    for (int i = 0; i < l->n_params && !st; i++) {
        const int v = tied_to(l, i);
        if (held[i] || v < 0 || !is_bits(v)) continue;
        const size_t n = distinct(t, v, values, 64);
        if (n == 1 && t->given[v]) snprintf(why, sizeof why, "all rows have %s %g", pcs_variables[v].name, values[0]);
        else snprintf(why, sizeof why, "the table has no column of %s", pcs_variables[v].name);
        if (n == 1) st = hold(f, i, held, quiet, why);
    }
    bool none[PCS_LAW_PARAMS] = { false };
    if (!st) st = unused(f, t, held, none);
    for (int i = 0; i < l->n_params && !st; i++)
        if (!held[i] && none[i]) st = hold(f, i, held, quiet, "no row depends on it");
    if (st || quiet) return st;
    for (int v = 0; v < PCS_VARS; v++) { /* laws.md, section 4: gamma and offset */
        int tied = 0;
        for (int i = 0; i < l->n_params; i++) tied += !held[i] && tied_to(l, i) == v;
        if (!is_bits(v) || tied < 2 || strncmp(pcs_variables[v].name, "bits_", 5) || strstr(l->form, "select"))
            continue;
        const size_t n = distinct(t, v, values, 64);
        int low = 0, high = 0;
        for (size_t i = 0; i < n; i++) low += values[i] >= 3 && values[i] <= 5, high += values[i] >= 8;
        if (low < 2 || !high)
            pcs_fit_warn(f,
                         "%s has %d value%s from 3 to 5 bits and %d of 8 or more: gamma and offset need two and one, "
                         "and are poorly determined",
                         pcs_variables[v].name, low, low == 1 ? "" : "s", high);
    }
    return PRECIS_OK;
}

void pcs_identify_after(pcs_fitting *f, precis_law_fit *fit)
{
    const precis_law *l = f->form;
    double least = INFINITY;
    int at = 0;
    for (size_t i = 0; i < f->table.n; i++)
        if (f->table.loss[i] < least) least = f->table.loss[i], at = f->table.line[i];
    const int e = pcs_law_param(l, "E");
    if (e >= 0 && fit->values[e] < 0.02 * least && !f->held[e])
        pcs_fit_warn(f, "E went to %.3g: the rows do not determine it, and losses far from them mean little",
                     fit->values[e]);
    if (e >= 0 && f->held[e] && fit->values[e] >= least)
        pcs_fit_warn(f, "row %d (and maybe others) has a loss of %.6g, not above E = %.6g", at, least, fit->values[e]);
    double h[PCS_LAW_PARAMS * PCS_LAW_PARAMS], low[PCS_VARS], high[PCS_VARS];
    pcs_worker w = { 0 };
    if (!pcs_worker_open(&w, &f->problem)) {
        const int k = f->problem.n_free;
        bool gone = false; /* a parameter that ran away to where nothing depends on it, and is named above */
        pcs_worker_normal(&w, f->x, h);
        for (int a = 0; a < k; a++) h[a * k + a] *= 1 + 1e-12, gone = gone || !(h[a * k + a] > 1e-12);
        if (k && !gone && !pcs_small_cholesky(h, k))
            pcs_fit_warn(f, "the parameters are not all determined: the normal equations are singular at the optimum");
    }
    pcs_worker_close(&w);
    for (int v = 0; v < PCS_VARS; v++) {
        low[v] = INFINITY, high[v] = -INFINITY;
        for (size_t i = 0; i < f->table.n; i++)
            low[v] = fmin(low[v], f->table.values[i * PCS_VARS + v]),
            high[v] = fmax(high[v], f->table.values[i * PCS_VARS + v]);
    }
    if (high[PCS_VAR_N] / low[PCS_VAR_N] < 4)
        pcs_fit_warn(f, "N spans a factor of %.2g only", high[PCS_VAR_N] / low[PCS_VAR_N]);
    if (high[PCS_VAR_D] / low[PCS_VAR_D] < 4)
        pcs_fit_warn(f, "D spans a factor of %.2g only", high[PCS_VAR_D] / low[PCS_VAR_D]);
}
