/* gradients.c - what is wanted is coded, then costed all at once. */
#include "measure/gradients.h"

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

/* All that is wanted in like formats (each `pick` of a tensor), coded as one model by the method; what it leaves out is
 * not there. */
static precis_status code_whole(precis_ctx *ctx, const pcs_gradient_job *j, size_t from, size_t end)
{
    precis_plan *plan = NULL;
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    pcs_work *w = pcs_alloc(ctx, 1, sizeof *w);
    if (!w) return PRECIS_ENOMEM;
    w->ctx = ctx;
    o.method = j->whole->name;
    o.fallback = 1;
    precis_status st = pcs_work_open(ctx, w, j->m, &o, NULL, NULL);
    const int32_t *ids = j->text->ids;
    w->windows.ctx = ctx;
    for (size_t i = 0; i < j->text->n && !st; ids += j->text->lengths[i++])
        st = pcs_windows_add(&w->windows, ids, j->text->lengths[i]);
    if (!st) st = pcs_plan_new(ctx, &plan, w->m, "probes");
    for (size_t i = from; i < end && !st; i++) pcs_plan_set(&plan->rows[j->wanted[i].tensor], j->wanted[i].f);
    if (!st) {
        w->plan = plan;
        st = pcs_work_code(w);
    }
    for (size_t i = from; i < end && !st; i++) {
        pcs_encoded *e = &w->coded[j->wanted[i].tensor];
        if (!e->bytes) continue;
        st = pcs_spill_open(ctx, &j->codes[i], e->store.bytes + 64);
        if (!st) memcpy(j->codes[i].data, e->bytes, e->store.bytes);
    }
    precis_plan_close(&plan);
    pcs_work_close(w);
    pcs_free(ctx, w);
    return st;
}

/* Probes of one type follow one another. */
static precis_status code_by_method(precis_ctx *ctx, const pcs_gradient_job *j)
{
    precis_status st = PRECIS_OK;
    for (size_t from = 0, end; from < j->n && !st; from = end) {
        for (end = from + 1; end < j->n && j->wanted[end].tensor > j->wanted[end - 1].tensor; end++) continue;
        st = code_whole(ctx, j, from, end);
    }
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
    for (size_t i = 0; i < j->n && !st; i++)
        st = pcs_profile_add(p, list[i].tensor->name, list[i].f->name, errors[i], list[i].kld, list[i].se);
    pcs_curvature_close(&c);
    pcs_free(ctx, list);
    pcs_free(ctx, errors);
    return st;
}
