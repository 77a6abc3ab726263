/* work.c - the model's copy that methods work on. */
#include "quant/work.h"

#include "model/finite.h"

precis_status pcs_work_open(precis_ctx *ctx, pcs_work *w, const precis_model *origin, const precis_quant_options *opt,
                            const precis_calibrate_options *calibrate, const char *type)
{
    *w = (pcs_work){ .ctx = ctx, .origin = origin, .opt = opt, .calibrate = calibrate };
    precis_status st = pcs_methods_parse(ctx, opt->method, &w->set);
    if (!st) st = pcs_model_finite(ctx, origin);
    if (!st) st = pcs_model_copy(ctx, &w->m, origin);
    const bool calibrated = w->set.coder->apply || w->set.transforms || w->set.residual || opt->static_activations;
    w->formats = pcs_alloc(ctx, origin->n_tensors + 1, sizeof *w->formats);
    if (!w->formats) st = PRECIS_ENOMEM;
    precis_plan *plan = NULL;
    if (!st && (type || w->set.transforms))
        st = precis_plan_types(ctx, &plan, origin, type ? type : "Q4_0",
                               0); /* a budget has no types yet: 4 bits stand for them */
    for (size_t i = 0; plan && i < origin->n_tensors; i++)
        if (plan->rows[i].to != pcs_resting(&origin->tensors[i])) w->formats[i] = plan->rows[i].to;
    precis_plan_close(&plan);
    if (!st && calibrated && calibrate) st = pcs_windows_make(ctx, origin, calibrate, 0, &w->windows);
    if (st) pcs_work_close(w);
    return st;
}

void pcs_work_close(pcs_work *w)
{
    for (size_t i = 0; w->coded && i < w->n_coded; i++) pcs_encoded_close(w->ctx, &w->coded[i]);
    pcs_free(w->ctx, w->coded);
    pcs_free(w->ctx, w->formats);
    if (w->windows.ctx) pcs_windows_free(&w->windows);
    precis_model_close(&w->before);
    precis_model_close(&w->m);
    *w = (pcs_work){ .ctx = w->ctx };
}

precis_status pcs_encoded_open(precis_ctx *ctx, pcs_encoded *e, const pcs_tensor *t, const pcs_format *f)
{
    *e = (pcs_encoded){ .bytes = NULL };
    const precis_status st = pcs_spill_open(ctx, &e->store, pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]));
    e->bytes = e->store.data;
    return st;
}

void pcs_encoded_close(precis_ctx *ctx, pcs_encoded *e)
{
    pcs_spill_close(ctx, &e->store);
    *e = (pcs_encoded){ .bytes = NULL };
}

const pcs_format *pcs_work_format(const pcs_work *w, const char *name)
{
    uint32_t i;
    return pcs_map_get(&w->m->tensor_map, name, strlen(name), &i) && i < w->origin->n_tensors ? w->formats[i] : NULL;
}

float *pcs_work_own(pcs_work *w, const char *name, pcs_tensor **t)
{
    uint32_t i;
    *t = NULL;
    if (!pcs_map_get(&w->m->tensor_map, name, strlen(name), &i)) return NULL;
    *t = &w->m->tensors[i];
    const pcs_tensor *o = w->origin == w->m ? NULL : i < w->origin->n_tensors ? &w->origin->tensors[i] : NULL;
    if ((*t)->format == &pcs_format_f32 && (!o || (*t)->data != o->data)) return (float *)(uintptr_t)(*t)->data;
    float *x = pcs_arena_alloc(&w->m->arena, (size_t)(*t)->n + 16, sizeof *x);
    if (!x) return NULL;
    const size_t n = (size_t)(*t)->ne[0];
    for (uint64_t r = 0; r < pcs_tensor_rows(*t); r++)
        pcs_decode((*t)->format, n, (*t)->data + r * pcs_tensor_row_bytes(*t), x + r * n);
    (*t)->data = (const uint8_t *)x;
    (*t)->format = &pcs_format_f32;
    (*t)->bytes = 4 * (*t)->n;
    return x;
}

precis_status pcs_work_add(pcs_work *w, const char *name, int64_t rows, int64_t cols, float **data)
{
    pcs_tensor *t = pcs_model_add_tensor(w->m);
    *data = pcs_arena_alloc(&w->m->arena, (size_t)((rows ? rows : 1) * cols) + 16, sizeof **data);
    if (!t || !*data) return PRECIS_ENOMEM;
    *t = (pcs_tensor){ .format = &pcs_format_f32,
                       .dims = rows ? 2 : 1,
                       .n = (uint64_t)((rows ? rows : 1) * cols),
                       .data = (const uint8_t *)*data };
    for (int i = 0; i < PCS_MAX_DIMS; i++) t->ne[i] = 1;
    t->ne[0] = t->shape[0] = cols;
    if (rows) t->ne[1] = t->shape[1] = rows;
    t->bytes = 4 * t->n;
    t->name = t->source = pcs_arena_copy(&w->m->arena, name, strlen(name));
    return t->name ? pcs_model_index(w->m) : PRECIS_ENOMEM;
}

precis_status pcs_work_transform(pcs_work *w)
{
    precis_status st = PRECIS_OK;
    for (size_t k = 0; pcs_methods[k] && !st; k++)
        for (size_t i = 0; i < w->set.n && !st; i++)
            if (w->set.all[i] == pcs_methods[k] && pcs_methods[k]->kind == PCS_TRANSFORM) st = pcs_methods[k]->apply(w);
    return st;
}

precis_status pcs_work_code(pcs_work *w)
{
    precis_status st = PRECIS_OK;
    w->n_coded = w->m->n_tensors;
    w->coded = pcs_alloc(w->ctx, w->n_coded + 1, sizeof *w->coded);
    if (!w->coded) return PRECIS_ENOMEM;
    if (w->set.coder->apply && w->set.residual) { /* the coder writes over what the residual is measured against */
        st = pcs_model_copy(w->ctx, &w->before, w->m);
        for (size_t i = 0; i < w->m->n_tensors && !st; i++) { /* owned weights part from the copy's data */
            pcs_tensor *t = &w->m->tensors[i];
            if (i < w->origin->n_tensors && t->data == w->origin->tensors[i].data) continue;
            uint8_t *data = pcs_arena_alloc(&w->before->arena, (size_t)t->bytes, 1);
            if (!data) st = PRECIS_ENOMEM;
            else memcpy(data, t->data, (size_t)t->bytes), w->before->tensors[i].data = data;
        }
    }
    if (!st && w->set.coder->apply) st = w->set.coder->apply(w);
    for (size_t i = 0; i < w->set.n && !st; i++)
        if (w->set.all[i]->kind == PCS_RESIDUAL) st = w->set.all[i]->apply(w);
    return st;
}
