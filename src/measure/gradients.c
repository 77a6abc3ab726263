/* gradients.c - what is wanted is coded, then costed all at once. */
#include "measure/gradients.h"

#include "measure/curvature.h"

static precis_status code(precis_ctx *ctx, const pcs_gradient_job *j, size_t i, pcs_spill *store, pcs_alternative *a,
                          double *error)
{
    const pcs_tensor *t = &j->m->tensors[j->wanted[i].tensor];
    const pcs_format *f = j->wanted[i].f;
    pcs_row_weights weights;
    precis_status st = pcs_imatrix_for(j->imatrix, t, &weights);
    if (!st) st = pcs_spill_open(ctx, store, pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]) + 64);
    if (!st) st = pcs_quantize_tensor(ctx, t, f, j->coder, &weights, store->data, error);
    *a = (pcs_alternative){ t, f, store->data, 0, 0 };
    return st;
}

precis_status pcs_probe_by_gradients(precis_ctx *ctx, const pcs_gradient_job *j, precis_profile *p)
{
    pcs_alternative *list = pcs_alloc(ctx, j->n + 1, sizeof *list);
    pcs_spill *stores = pcs_alloc(ctx, j->n + 1, sizeof *stores);
    double *errors = pcs_alloc(ctx, j->n + 1, sizeof *errors);
    pcs_curvature *c = NULL;
    precis_status st = list && stores && errors ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) st = pcs_curvature_open(ctx, &c, j->m, j->windows->longest); /* before minutes are spent on coding */
    for (size_t i = 0; i < j->n && !st; i++) {
        st = code(ctx, j, i, &stores[i], &list[i], &errors[i]);
        if (!st) st = j->step(j->user);
    }
    const pcs_curvature_work work = { ctx->opt.seed ^ 0x6ad1e7u, j->step, j->user };
    if (!st) st = pcs_curvature_run(c, j->windows, list, j->n, &work);
    for (size_t i = 0; i < j->n && !st; i++)
        st = pcs_profile_add(p, list[i].tensor->name, list[i].f->name, errors[i], list[i].kld, list[i].se);
    pcs_curvature_close(&c);
    for (size_t i = 0; stores && i < j->n; i++) pcs_spill_close(ctx, &stores[i]);
    pcs_free(ctx, list);
    pcs_free(ctx, stores);
    pcs_free(ctx, errors);
    return st;
}
