/* kernel_of.c - which kernel each tensor of a plan will get here, and what a generated token will read of it. */
#include "base/options.h"
#include "kernel/kernel.h"
#include "plan/plan.h"
#include "precis/costs.h"
#include "plan/costs.h"

precis_status precis_plan_get_kernel(const precis_plan *plan, size_t i, precis_plan_kernel *out)
{
    if (i >= plan->n) return pcs_fail(plan->ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    const pcs_plan_row *row = &plan->rows[i];
    const pcs_tensor *t = row->tensor;
    const double share = pcs_costs_share(plan->model, t);
    const pcs_kernels kernels = pcs_kernels_for(plan->ctx->cpu);
    precis_plan_kernel all = { .size = out->size, .kernel = "", .level = "" };
    if (share > 0) {
        const bool coded = row->to->kind == PCS_QUANT && !row->to->element;
        const bool few = pcs_has_few(&kernels, row->to, (size_t)t->ne[0]);
        const pcs_operation op = few ? (coded ? PCS_DO_mv : PCS_DO_mvf) : coded ? PCS_DO_mp : PCS_DO_gemm;
        const pcs_kernel *k = pcs_kernel_find(op, few ? row->to : NULL, plan->ctx->cpu);
        all.kernel = k->name;
        all.level = k->isa;
        all.panels = few;
        all.read = share * (double)row->bytes;
        if (few && row->to->form) /* panels have more bytes */
            all.read *= (double)pcs_panel_bytes(row->to, (size_t)t->ne[0]) /
                        (double)(PCS_PANEL * pcs_row_bytes(row->to, (uint64_t)t->ne[0]));
        all.read_now = share * (double)(pcs_tensor_rows(t) * pcs_row_bytes(pcs_plan_from(plan, i), (uint64_t)t->ne[0]));
    }
    pcs_options_give(out, &all, sizeof all);
    return PRECIS_OK;
}
