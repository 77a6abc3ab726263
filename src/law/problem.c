/* problem.c - a table and a law as columns: which parameters can be fitted, and in which the loss is linear. */
#include "law/solve.h"

#include <stdarg.h>
#include <math.h>
#include <stdio.h>

const pcs_objective pcs_objectives[] = {
#define OBJECTIVE(name, raw, delta, scale, what) { name, what, raw, delta, scale },
#include "law/objectives.def"
#undef OBJECTIVE
    { 0 },
};

const char *precis_law_objective(size_t i, const char **what)
{
    const size_t n = sizeof pcs_objectives / sizeof *pcs_objectives - 1;
    if (i < n && what) *what = pcs_objectives[i].what;
    return i < n ? pcs_objectives[i].name : NULL;
}

/* The loss is linear in a positive parameter that is a factor of one term of it and nowhere else. */
static void find_linear(pcs_problem *p)
{
    const precis_law *l = p->law;
    int uses[PCS_LAW_PARAMS] = { 0 }, list[PCS_LAW_STACK], n = 1;
    bool below[PCS_LAW_NODES] = { false };
    below[p->node] = true;
    for (int i = p->node; i >= 0; i--)
        if (below[i]) {
            for (int k = 0; k < pcs_e_args(&l->e[i]); k++) below[l->e[i].arg[k]] = true;
            if (l->e[i].op == PCS_E_PARAM) uses[l->e[i].index]++;
        }
    list[0] = p->node;
    while (n) {
        const pcs_e *e = &l->e[list[--n]];
        if (e->op == PCS_E_ADD && n + 2 <= PCS_LAW_STACK) {
            list[n++] = e->arg[0];
            list[n++] = e->arg[1];
            continue;
        }
        int found = -1, factors[PCS_LAW_STACK], m = 1;
        factors[0] = (int)(e - l->e);
        while (m) {
            const pcs_e *f = &l->e[factors[--m]];
            if (f->op == PCS_E_PARAM && f->positive && uses[f->index] == 1) found = f->index;
            if ((f->op == PCS_E_MUL || f->op == PCS_E_DIV) && m + 2 <= PCS_LAW_STACK) {
                factors[m++] = f->arg[0];
                if (f->op == PCS_E_MUL) factors[m++] = f->arg[1];
            }
        }
        for (int k = 0; k < p->n_free; k++)
            if (p->free_[k] == found) p->linear[p->n_linear++] = k;
    }
}

static precis_status fill(pcs_problem *p, const pcs_table *t)
{
    p->padded = pcs_tape_padded(p->n);
    p->y = pcs_arena_alloc(&p->arena, p->padded, sizeof(double));
    if (!p->y) return PRECIS_ENOMEM;
    for (size_t i = 0; i < p->padded; i++) {
        const double y = t->loss[i < p->n ? i : p->n - 1];
        p->y[i] = p->objective->raw ? y : log(y);
    }
    for (int v = 0; v < PCS_VARS; v++) {
        if (!(p->values[v] = pcs_arena_alloc(&p->arena, p->padded, sizeof(double))) ||
            !(p->logs[v] = pcs_arena_alloc(&p->arena, p->padded, sizeof(double))))
            return PRECIS_ENOMEM;
        for (size_t i = 0; i < p->padded; i++) {
            p->values[v][i] = t->values[(i < p->n ? i : p->n - 1) * PCS_VARS + v];
            p->logs[v][i] = log(p->values[v][i]);
        }
    }
    return PRECIS_OK;
}

precis_status pcs_problem_open(const pcs_fitting *f, pcs_problem *p, const pcs_table *t, const bool *held)
{
    const precis_law *law = f->form;
    const double given = f->objective->delta;
    *p = (pcs_problem){ .ctx = f->ctx, .law = law, .objective = f->objective, .n = t->n };
    p->node = pcs_law_let(law, "loss");
    p->delta = given > 0 ? given : f->delta;
    pcs_arena_init(&p->arena, f->ctx);
    if (p->node < 0)
        return pcs_fail(f->ctx, PRECIS_EINVAL, "the law %s says nothing of a loss, so it cannot be fitted", law->name);
    for (int i = 0; i < law->n_params; i++) {
        const double v = law->params[i].value;
        p->start[i] = isnan(v) ? (law->params[i].n_starts ? law->params[i].starts[0] : 0)
                               : pcs_param_in(&law->params[i], v);
        if (!held[i]) p->free_[p->n_free++] = i;
    }
    const precis_status st = fill(p, t);
    if (!st) find_linear(p);
    return st;
}

void pcs_problem_close(pcs_problem *p)
{
    if (p->ctx) pcs_arena_free(&p->arena);
    *p = (pcs_problem){ 0 };
}

void pcs_fit_warn(pcs_fitting *f, const char *fmt, ...)
{
    char line[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (f->n_warnings == PCS_WARNINGS) return;
    char *copy = pcs_arena_copy(&f->arena, line, strlen(line));
    if (copy) f->warnings[f->n_warnings++] = copy;
    pcs_warn(f->ctx, "%s", line);
}
