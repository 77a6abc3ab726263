/* gradients.c - what is wanted is coded, then costed all at once. */
#include "measure/gradients.h"

#include "measure/along_types.h"
#include "measure/curvature.h"

#include <stdio.h>

/* The error that plans go by (quant/budget.c): of the coder of rows, whoever codes in the end. */
static precis_status error_of(precis_ctx *ctx, const pcs_gradient_job *j, const pcs_wanted_probe *w, double weights,
                              double *error)
{
    const pcs_tensor *t = &j->m->tensors[w->tensor];
    pcs_draw d;
    const pcs_draw_job job = { t, j->coder, j->imatrix, false, pcs_draw_steps(t, weights) };
    precis_status st = pcs_draw_open(ctx, &d, &job);
    if (!st) st = pcs_draw_error(&d, w->f, d.steps, error);
    pcs_draw_close(&d);
    return st;
}

static precis_status code(precis_ctx *ctx, const pcs_gradient_job *j, size_t i, double *error)
{
    const pcs_tensor *t = &j->m->tensors[j->wanted[i].tensor];
    const pcs_format *f = j->wanted[i].f;
    pcs_tensor_job job = { .t = t, .f = f, .method = j->coder };
    precis_status st = pcs_imatrix_for(j->imatrix, t, &job.weights);
    if (!st) st = pcs_spill_open(ctx, &j->codes[i], pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]) + 64);
    return st ? st : pcs_quantize_tensor(ctx, &job, j->codes[i].data, error);
}

/* Probes [from, end) are of one type: each tensor once. */
static size_t end_of_type(const pcs_gradient_job *j, size_t from)
{
    size_t end = from + 1;
    while (end < j->n && j->wanted[end].tensor > j->wanted[end - 1].tensor) end++;
    return end;
}

/* A plan for each type of probe, and room for what it makes; the caller closes them. */
static precis_status open_types(precis_ctx *ctx, const pcs_gradient_job *j, const pcs_work *w, pcs_encoded **coded,
                                precis_plan **plans, size_t *n)
{
    precis_status st = PRECIS_OK;
    for (size_t from = 0, end; from < j->n && !st; from = end) {
        end = end_of_type(j, from);
        st = pcs_plan_new(ctx, &plans[*n], w->m, "probes");
        for (size_t i = from; i < end && !st; i++)
            pcs_plan_set(&plans[*n]->rows[j->wanted[i].tensor], j->wanted[i].f);
        if (!st && !(coded[*n] = pcs_alloc(ctx, w->m->n_tensors + 1, sizeof **coded))) st = PRECIS_ENOMEM;
        ++*n;
    }
    return st;
}

/* What was coded becomes rows of the probes. */
static precis_status take_types(precis_ctx *ctx, const pcs_gradient_job *j, pcs_encoded *const *coded)
{
    precis_status st = PRECIS_OK;
    for (size_t from = 0, end, k = 0; from < j->n && !st; from = end, k++) {
        end = end_of_type(j, from);
        for (size_t i = from; i < end && !st; i++) {
            pcs_encoded *e = &coded[k][j->wanted[i].tensor];
            if (!e->bytes) continue; /* the method leaves it out */
            st = pcs_spill_open(ctx, &j->codes[i], e->store.bytes + 64);
            if (!st) memcpy(j->codes[i].data, e->bytes, e->store.bytes);
            pcs_encoded_close(ctx, e);
        }
    }
    return st;
}

/* All types by the method, from one look at the net. */
static precis_status code_by_method(precis_ctx *ctx, const pcs_gradient_job *j)
{
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    pcs_work *w = pcs_alloc(ctx, 1, sizeof *w);
    precis_plan **plans = pcs_alloc(ctx, j->n + 1, sizeof *plans);
    pcs_encoded **coded = pcs_alloc(ctx, j->n + 1, sizeof *coded);
    pcs_variants all = { (const precis_plan *const *)plans, coded, 0 };
    precis_status st = w && plans && coded ? PRECIS_OK : PRECIS_ENOMEM;
    o.method = j->whole->name;
    o.fallback = 1;
    if (w) w->ctx = ctx;
    if (!st) st = pcs_work_open(ctx, w, j->m, &o, NULL, NULL);
    const int32_t *ids = j->text->ids;
    if (!st) w->windows.ctx = ctx;
    for (size_t i = 0; i < j->text->n && !st; ids += j->text->lengths[i++])
        st = pcs_windows_add(&w->windows, ids, j->text->lengths[i]);
    if (!st) st = open_types(ctx, j, w, coded, plans, &all.n);
    if (!st) {
        w->variants = &all;
        st = pcs_work_code(w);
    }
    if (!st) st = take_types(ctx, j, coded);
    for (size_t k = 0; k < all.n; k++) {
        for (size_t i = 0; coded[k] && i < j->m->n_tensors; i++) pcs_encoded_close(ctx, &coded[k][i]);
        pcs_free(ctx, coded[k]);
        precis_plan_close(&plans[k]);
    }
    if (w) pcs_work_close(w);
    pcs_free(ctx, coded);
    pcs_free(ctx, plans);
    pcs_free(ctx, w);
    return st;
}

static precis_status code_all(precis_ctx *ctx, const pcs_gradient_job *j, pcs_alternative *list, double *errors)
{
    const double weights = pcs_quantizable_weights(j->m);
    precis_status st = j->whole ? code_by_method(ctx, j) : PRECIS_OK;
    for (size_t i = 0; i < j->n && !st; i++) {
        if (j->codes[i].data) st = error_of(ctx, j, &j->wanted[i], weights, &errors[i]);
        else st = code(ctx, j, i, &errors[i]);
        list[i] = (pcs_alternative){ &j->m->tensors[j->wanted[i].tensor], j->wanted[i].f, j->codes[i].data, 0, 0 };
        if (!st) st = j->step(j->user);
    }
    return st;
}

/* What they say of one another. */
static precis_status settle(precis_ctx *ctx, pcs_alternative *list, const double *errors, size_t n)
{
    pcs_cost_of_type *costs = pcs_alloc(ctx, n + 1, sizeof *costs);
    if (!costs) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++)
        costs[i] = (pcs_cost_of_type){ list[i].tensor, list[i].f, errors[i], &list[i].kld };
    const precis_status st = pcs_along_types(ctx, costs, n);
    pcs_free(ctx, costs);
    return st;
}

precis_status pcs_probe_by_gradients(precis_ctx *ctx, const pcs_gradient_job *j, precis_profile *p)
{
    pcs_alternative *list = pcs_alloc(ctx, j->n + 1, sizeof *list);
    double *errors = pcs_alloc(ctx, j->n + 1, sizeof *errors);
    pcs_curvature *c = NULL;
    precis_status st = list && errors ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) st = pcs_curvature_open(ctx, &c, j->m, j->windows->longest); /* before minutes are spent on coding */
    if (!st) st = code_all(ctx, j, list, errors);
    const pcs_curvature_work work = { ctx->opt.seed ^ 0x6ad1e7u, j->step, j->user };
    if (!st) st = pcs_curvature_run(c, j->windows, list, j->n, &work);
    if (!st) st = settle(ctx, list, errors, j->n);
    for (size_t i = 0; i < j->n && !st; i++)
        st = pcs_profile_add(p, list[i].tensor->name, list[i].f->name, errors[i], list[i].kld, list[i].se);
    pcs_curvature_close(&c);
    pcs_free(ctx, list);
    pcs_free(ctx, errors);
    return st;
}
