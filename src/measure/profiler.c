/* profiler.c - tensors of the copy that is measured, swapped for their quantized selves and back. */
#include "measure/profiler.h"

#include "quant/methods.h"

bool pcs_by_swaps(const pcs_profiler *r)
{
    return r->opt->effort == PRECIS_EFFORT_DEFAULT || r->opt->effort == PRECIS_EFFORT_BEST;
}

/* Progress is in predicted seconds, so that the time left is that of what is left. */
precis_status pcs_profiler_advance(pcs_profiler *r, double seconds)
{
    r->done += seconds;
    const double done = r->done < r->total ? r->done : r->total * 0.999;
    return pcs_progress(r->ctx, "profile", (uint64_t)(1000 * done), (uint64_t)(1000 * r->total) + 1);
}

precis_status pcs_probe_swap(pcs_profiler *r, size_t i, const pcs_format *f, uint8_t **bytes, double *error)
{
    const pcs_tensor *t = &r->origin->tensors[i];
    const uint64_t size = pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]);
    pcs_row_weights weights;
    precis_status st = pcs_imatrix_for(r->opt->imatrix, t, &weights);
    *bytes = st ? NULL : pcs_alloc(r->ctx, size + 64, 1);
    if (!st && !*bytes) st = PRECIS_ENOMEM;
    if (!st) st = pcs_quantize_tensor(r->ctx, &(pcs_tensor_job){ t, f, r->coder, weights }, *bytes, error);
    if (st) return st;
    pcs_tensor *own = &r->m->tensors[i];
    own->format = f;
    own->data = *bytes;
    own->bytes = size;
    return PRECIS_OK;
}

void pcs_probe_put_back(pcs_profiler *r, size_t i, uint8_t *bytes)
{
    pcs_tensor *own = &r->m->tensors[i];
    const pcs_tensor *t = &r->origin->tensors[i];
    own->format = t->format;
    own->data = t->data;
    own->bytes = t->bytes;
    pcs_free(r->ctx, bytes);
}

const pcs_format *pcs_probe_type(const pcs_profiler *r, const pcs_tensor *t, const pcs_format *f)
{
    const pcs_format *fit = pcs_quantizable(t) ? pcs_fitting(f, t->ne[0]) : NULL;
    return fit && fit != t->format && pcs_format_bpw(fit) < pcs_format_bpw(t->format) &&
                   pcs_format_holds(fit, r->tops[t - r->origin->tensors])
               ? fit
               : NULL;
}
