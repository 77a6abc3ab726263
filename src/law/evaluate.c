/* evaluate.c - outputs at points, and what stops them. */
#include "law/evaluate.h"

#include <math.h>
#include <stdio.h>

precis_status pcs_evaluator_open(precis_ctx *ctx, pcs_evaluator *e, const precis_law *law, int node, size_t n)
{
    *e = (pcs_evaluator){ .ctx = ctx, .law = law, .n = pcs_tape_padded(n) };
    pcs_arena_init(&e->arena, ctx);
    char lacking[400];
    pcs_law_lacking(law, node, lacking, sizeof lacking);
    if (*lacking)
        return pcs_fail(ctx, PRECIS_EINVAL, "the law %s lacks %s: not published (--param NAME=VALUE gives one)",
                        law->name, lacking);
    for (int v = 0; v < PCS_VARS; v++) {
        e->values[v] = pcs_arena_alloc(&e->arena, e->n, sizeof(double));
        e->logs[v] = e->values[v] ? pcs_arena_alloc(&e->arena, e->n, sizeof(double)) : NULL;
        if (!e->logs[v]) return PRECIS_ENOMEM;
    }
    if (!(e->one = pcs_arena_alloc(&e->arena, e->n, sizeof(double)))) return PRECIS_ENOMEM;
    for (size_t i = 0; i < e->n; i++) e->one[i] = 1;
    for (int p = 0; p < law->n_params; p++) e->params[p] = pcs_param_in(&law->params[p], law->params[p].value);
    const pcs_tape_rows rows = { n, (const double *const *)e->values, (const double *const *)e->logs };
    return pcs_tape_open(ctx, &e->tape, law, node, PCS_TAPE_VARIABLES, &rows);
}

void pcs_evaluator_close(pcs_evaluator *e)
{
    if (!e->ctx) return;
    pcs_tape_close(&e->tape);
    pcs_arena_free(&e->arena);
    *e = (pcs_evaluator){ 0 };
}

void pcs_evaluator_put(pcs_evaluator *e, size_t i, int v, double x)
{
    e->values[v][i] = x;
    e->logs[v][i] = log(x);
    /* The other points are as the first until they are set. */
    for (size_t k = e->n - 1; i == 0 && k > 0; k--) e->values[v][k] = x, e->logs[v][k] = e->logs[v][0];
}

void pcs_evaluator_set(pcs_evaluator *e, size_t i, const precis_law_point *p)
{
    for (int v = 0; v < PCS_VARS; v++) pcs_evaluator_put(e, i, v, p->v[v]);
}

const double *pcs_evaluator_run(pcs_evaluator *e) { return pcs_tape_run(e->tape, e->params); }
void pcs_evaluator_back(pcs_evaluator *e) { pcs_tape_back(e->tape, e->one, NULL); }

double pcs_evaluator_slope(const pcs_evaluator *e, int v, size_t i)
{
    double d;
    return pcs_tape_variable(e->tape, v, i, &d) ? d : 0;
}

static bool is_met(pcs_condition condition, double value, double target, double slope)
{
    if (condition == PCS_AT_MOST) return value <= target;
    return condition == PCS_AT_LEAST ? value >= target : slope >= 0;
}

double pcs_evaluator_first(pcs_evaluator *e, int v, double from, double to, pcs_condition condition, double target)
{
    double lo = log(from), hi = log(to);
    for (int step = 0; step < 12 && hi - lo >= 1e-15; step++) {
        const double width = (hi - lo) / (PCS_WIDE - 1), start = lo;
        for (size_t i = 0; i < PCS_WIDE; i++) pcs_evaluator_put(e, i, v, exp(start + width * (double)i));
        const double *f = pcs_evaluator_run(e);
        if (condition == PCS_RISING) pcs_evaluator_back(e);
        size_t i = 0;
        for (; i < PCS_WIDE; i++) {
            const double slope = condition == PCS_RISING ? pcs_evaluator_slope(e, v, i) : 0;
            if (is_met(condition, f[i], target, slope)) break;
        }
        if (i == PCS_WIDE) return step ? hi : NAN;
        if (i == 0) return step ? lo : -INFINITY;
        lo = start + width * (double)(i - 1);
        hi = start + width * (double)i;
    }
    return 0.5 * (lo + hi);
}

precis_status pcs_evaluator_one(pcs_evaluator *e, const precis_law_point *p, double *value)
{
    const precis_law *l = e->law;
    for (int v = 0; v < PCS_VARS; v++)
        if (pcs_tape_uses_variable(e->tape, v) && !isfinite(p->v[v]))
            return pcs_fail(e->ctx, PRECIS_EINVAL, "the law %s needs %s (%s)", l->name, pcs_variables[v].option,
                            pcs_variables[v].what);
    pcs_evaluator_set(e, 0, p);
    *value = pcs_evaluator_run(e)[0];
    if (isfinite(*value)) return PRECIS_OK;
    char keys[200] = "";
    for (int i = 0; i < l->n_e; i++) { /* a choice without an answer? */
        const pcs_e *x = &l->e[i];
        const pcs_e *asked = &l->e[x->arg[0]];
        if (x->op != PCS_E_SELECT || asked->op != PCS_E_VAR || !pcs_tape_uses_variable(e->tape, asked->index)) continue;
        const size_t n = strlen(keys);
        const bool unknown = l->e[x->arg[1]].op == PCS_E_PARAM && isnan(l->params[l->e[x->arg[1]].index].value);
        if (!unknown)
            snprintf(keys + n, sizeof keys - n, "%s%s %g", n ? ", " : "", pcs_variables[l->e[x->arg[0]].index].name,
                     x->value);
    }
    if (*keys)
        return pcs_fail(e->ctx, PRECIS_EINVAL, "the law %s%s%s has no value there; it knows %s", l->name,
                        *l->set ? ":" : "", l->set, keys);
    char at[200] = "";
    for (int v = 0; v < PCS_VARS; v++) {
        const size_t n = strlen(at);
        if (pcs_tape_uses_variable(e->tape, v))
            snprintf(at + n, sizeof at - n, "%s%s %g", n ? ", " : "", pcs_variables[v].name, p->v[v]);
    }
    return pcs_fail(e->ctx, PRECIS_EINVAL, "the law %s has no value at %s: so few bits leave no effective parameters",
                    l->name, at);
}

bool pcs_law_has_variable(const precis_law *l, int node, int variable)
{
    bool below[PCS_LAW_NODES] = { false };
    below[node] = true;
    for (int i = node; i >= 0; i--) {
        if (!below[i]) continue;
        for (int k = 0; k < pcs_e_args(&l->e[i]); k++) below[l->e[i].arg[k]] = true;
        if (l->e[i].op == PCS_E_VAR && l->e[i].index == variable) return true;
    }
    return false;
}

int pcs_law_usual(const precis_law *law, const precis_law_point *p, precis_law_point *usual)
{
    int node = pcs_law_let(law, "loss");
    *usual = *p;
    for (int v = PCS_VAR_bits_w; v <= PCS_VAR_bits_post; v++) usual->v[v] = 16;
    usual->v[PCS_VAR_sparsity] = 0;
    static const int others[] = { PCS_VAR_exponent, PCS_VAR_block, PCS_VAR_qat };
    bool more = false;
    for (size_t i = 0; i < sizeof others / sizeof *others && node >= 0; i++)
        more = more || pcs_law_has_variable(law, node, others[i]);
    if (more) node = pcs_law_let(law, "base");
    return node;
}
