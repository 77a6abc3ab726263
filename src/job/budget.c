/* budget.c - what the main job may spend: one budget, the bytes that it is, and the plan of least loss under it. */
#include "job/budget.h"

#include "job/smallest.h"
#include "quant/quant.h"

precis_status pcs_job_one_budget(precis_ctx *ctx, const precis_job_options *o)
{
    const int budgets = (o->type != NULL) + (o->max_bytes != 0) + (o->max_part != 0) + (o->bpw != 0) +
                        (o->max_kld != 0);
    if (budgets != 1)
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "give one of a type, a size, bits per weight or a KL divergence, not %d of them", budgets);
    if (o->max_part && !(o->max_part > 0 && o->max_part <= 100))
        return pcs_fail(ctx, PRECIS_EINVAL, "a part of %g of the input is no budget", o->max_part);
    if (o->bpw && !(o->bpw > 0 && o->bpw <= 64))
        return pcs_fail(ctx, PRECIS_EINVAL, "%g bits per weight are no budget", o->bpw);
    return o->max_kld != 0 ? pcs_kld_check(ctx, o->max_kld) : PRECIS_OK;
}

precis_status pcs_job_budget_bytes(precis_ctx *ctx, const precis_model *m, const precis_job_options *o,
                                   const precis_quant_options *q, uint64_t *bytes)
{
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    *bytes = o->max_bytes;
    if (o->max_part) *bytes = (uint64_t)((double)info.file_bytes * o->max_part);
    if (!o->bpw) return PRECIS_OK;
    precis_plan *same; /* of the tensors; the file has more */
    uint64_t file = 0;
    precis_status st = pcs_plan_new(ctx, &same, m, "same");
    if (!st) st = precis_quant_file_bytes(ctx, m, same, q, &file);
    precis_plan_close(&same);
    *bytes = (uint64_t)((double)info.parameters * o->bpw / 8) + (file > info.bytes ? file - info.bytes : 0);
    return st;
}

precis_status pcs_job_budget_check(precis_ctx *ctx, const precis_model *m, const precis_job_options *o,
                                   const precis_quant_options *q)
{
    uint64_t bytes;
    const precis_status st = pcs_job_budget_bytes(ctx, m, o, q, &bytes);
    if (st) return st;
    if (!q->pins && pcs_needs_nothing(ctx, m, o->bpw ? UINT64_MAX : bytes, o->bpw)) return PRECIS_EINVAL;
    return pcs_least_check(ctx, m, q, bytes, NULL);
}

/* The smallest file whose predicted divergence stays below the bound. */
static precis_status smallest_plan(precis_ctx *ctx, const precis_model *m, double max_kld,
                                   const precis_quant_options *q, precis_job *job)
{
    precis_plan *same;
    uint64_t most = 0;
    precis_status st = pcs_plan_new(ctx, &same, m, "same");
    if (!st) st = precis_quant_file_bytes(ctx, m, same, q, &most);
    precis_plan_close(&same);
    if (st) return st;
    st = PRECIS_EBUDGET;
    /* types with books where they lose less, or when nothing else fits */
    for (int books = 0; books < 2 && st == PRECIS_EBUDGET; books++) {
        pcs_loss_table *t = NULL;
        uint64_t bytes = most;
        double loss;
        st = pcs_loss_table_open(ctx, &t, m, q, books);
        if (!st) st = pcs_smallest(ctx, t, q, max_kld, most, &bytes);
        if (!st && bytes >= most)
            st = pcs_fail(ctx, PRECIS_EBUDGET,
                          "no file that is smaller than the model stays below a KL divergence of %g; a larger "
                          "--max-kld, or --max-size, which says what is lost",
                          max_kld);
        /* with them it is smaller */
        if (!st && !books && q->profile && pcs_wants_books(ctx, m, q->method, bytes)) st = PRECIS_EBUDGET;
        if (!st) st = pcs_loss_table_plan(t, bytes, &job->plan, &job->solution, &loss);
        pcs_loss_table_close(&t);
    }
    return st;
}

precis_status pcs_job_budget_plan(precis_ctx *ctx, const precis_model *origin, const precis_model *m,
                                  const precis_job_options *o, const precis_quant_options *q, precis_job *job)
{
    uint64_t bytes;
    job->solution.size = sizeof job->solution;
    if (o->max_kld > 0) return smallest_plan(ctx, m, o->max_kld, q, job);
    const precis_status st = pcs_job_budget_bytes(ctx, origin, o, q, &bytes);
    return st ? st : precis_quant_plan(ctx, &job->plan, m, bytes, q, &job->solution);
}
