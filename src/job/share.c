/* share.c - which methods see more than one row, and what of a plan's loss is of tensors that they can be applied
 * to. */
#include "job/gain.h"
#include "quant/method_set.h"

precis_status pcs_gain_needed(precis_ctx *ctx, const char *method, bool *needed, char name[96])
{
    pcs_method_set set;
    const precis_status st = pcs_methods_parse(ctx, method, &set);
    *needed = false;
    if (st) return st;
    pcs_methods_name(&set, name, 96);
    *needed = set.transforms || set.residual || set.coder->apply;
    return PRECIS_OK;
}

double pcs_gain_share(precis_ctx *ctx, const precis_plan *plan, const char *method)
{
    pcs_method_set set;
    double all = 0, own = 0;
    if (pcs_methods_parse(ctx, method, &set)) return 0;
    for (size_t i = 0; i < plan->n; i++) {
        const pcs_plan_row *row = &plan->rows[i];
        if (!(row->loss > 0) || row->to == row->tensor->format) continue;
        all += row->loss;
        if (set.transforms || set.residual ||
            ((row->tensor->is.layer >= 0 || pcs_makes_logits(plan->model, row->tensor)) &&
             !(set.coder->refuses && set.coder->refuses(row->to))))
            own += row->loss;
    }
    return all > 0 ? own / all : 0;
}
