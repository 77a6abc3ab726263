/* coding_text.c - what a job that chose its own method codes the file from. */
#include "job/coding_text.h"

#include "measure/amounts.h"
#include "plan/profile.h"

/* Does the job's own choice of a method code from the text of the profile? It is sampled once. */
bool pcs_coding_text_profiled(const precis_job_options *o, const precis_quant_options *q)
{
    return !o->type && !o->quant.method && q->method && !o->calibrate.n_texts;
}

/* What is measured is left out, where the rest is text enough: the file would look better on it than it is. */
static precis_status take_profiled(pcs_work *w, const precis_profile *p, const precis_calibrate_options *o)
{
    enum { REST_LEAST = 1024 };
    precis_status st = PRECIS_OK;
    const int32_t *ids = p ? p->ids : NULL;
    uint64_t rest = 0;
    if (!ids || !p->n_windows) return pcs_windows_make(w->ctx, w->origin, o, 0, &w->windows);
    for (size_t i = p->n_windows; i < p->n_windows + p->n_rest; i++) rest += p->lengths[i];
    w->windows.ctx = w->ctx;
    for (size_t i = 0; i < p->n_windows + p->n_rest && !st; ids += p->lengths[i++])
        if (i >= p->n_windows || rest < REST_LEAST) st = pcs_windows_add(&w->windows, ids, p->lengths[i]);
    return st;
}

/* Windows that a profile measured whole plans on are left out of what the file is coded from, where at least three
 * quarters of that stay: it would look better on them than it is. */
static precis_status leave_measured(pcs_work *w, const precis_profile *p, uint64_t most)
{
    pcs_windows measured = { .ctx = w->ctx }, apart;
    const uint64_t wanted = w->windows.n_ids < most ? w->windows.n_ids : most;
    const int32_t *ids = p->ids;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < p->n_windows && !st; ids += p->lengths[i++])
        st = pcs_windows_add(&measured, ids, p->lengths[i]);
    if (!st) st = pcs_windows_apart(&w->windows, &measured, &apart);
    pcs_windows_free(&measured);
    if (st) return st;
    const bool enough = 4 * (uint64_t)apart.n_ids >= 3 * wanted;
    pcs_windows_free(enough ? &w->windows : &apart);
    if (enough) w->windows = apart;
    return PRECIS_OK;
}

/* Where the method is the job's choice, what it codes from is, too: windows from all over the text, as many as a model
 * of this size is worth, and none that its profile measured. */
static precis_status choose_text(pcs_work *w, const precis_job_options *o, const precis_quant_options *q)
{
    const uint32_t most = pcs_amounts_of(w->origin, &o->calibrate).coded;
    pcs_windows some;
    if (q->method == o->quant.method || o->calibrate.tokens) return PRECIS_OK;
    precis_status st = q->profile && q->profile->ids ? leave_measured(w, q->profile, most) : PRECIS_OK;
    if (st || w->windows.n_ids <= most) return st;
    st = pcs_windows_spread(&w->windows, most, &some);
    pcs_windows_free(&w->windows);
    w->windows = some;
    return st;
}

precis_status pcs_coding_text(pcs_work *w, const precis_job_options *o, const precis_quant_options *q)
{
    return pcs_coding_text_profiled(o, q) ? take_profiled(w, q->profile, &o->calibrate) : choose_text(w, o, q);
}
