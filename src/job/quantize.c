/* quantize.c - the main job: calibrate, plan, quantize, evaluate. */
#include "graph/arch.h"
#include "model/model.h"
#include "plan/plan.h"
#include "precis/job.h"
#include "write/write.h"

static bool can_run(precis_ctx *ctx, const precis_model *m)
{
    precis_graph *g;
    pcs_lm lm;
    const precis_status st = pcs_arch_build(m, &g, &lm);
    if (st) pcs_warn(ctx, "%s. So there is no calibration and no evaluation", precis_ctx_message(ctx));
    precis_graph_close(&g);
    return st == PRECIS_OK;
}

static precis_status check_options(precis_ctx *ctx, const precis_job_options *o)
{
    const int budgets = (o->type != NULL) + (o->max_bytes != 0) + (o->max_part != 0) + (o->bpw != 0);
    if (budgets != 1) return pcs_fail(ctx, PRECIS_EINVAL, "give one of a type, a size or bits per weight, not %d of them", budgets);
    if (o->max_part && !(o->max_part > 0 && o->max_part <= 100)) return pcs_fail(ctx, PRECIS_EINVAL, "a part of %g of the input is no budget", o->max_part);
    if (o->bpw && !(o->bpw > 0 && o->bpw <= 64)) return pcs_fail(ctx, PRECIS_EINVAL, "%g bits per weight are no budget", o->bpw);
    return PRECIS_OK;
}

static precis_status make_plan(precis_ctx *ctx, const precis_model *m, const precis_job_options *o, const precis_quant_options *q, precis_job *job)
{
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    uint64_t bytes = o->max_bytes;
    if (o->max_part) bytes = (uint64_t)((double)info.file_bytes * o->max_part);
    if (o->bpw) { /* of the tensors; the file has more */
        precis_plan *same;
        uint64_t file = 0;
        precis_status st = pcs_plan_new(ctx, &same, m, "same");
        if (!st) st = precis_quant_file_bytes(ctx, m, same, q, &file);
        precis_plan_close(&same);
        if (st) return st;
        bytes = (uint64_t)((double)info.parameters * o->bpw / 8) + (file - info.bytes);
    }
    job->solution.size = sizeof job->solution;
    return precis_quant_plan(ctx, &job->plan, m, bytes, q, &job->solution);
}

static precis_status evaluate(precis_ctx *ctx, const precis_model *m, const char *path, const precis_job_options *o, precis_job *job)
{
    size_t len = o->text_len;
    const char *text = o->text ? o->text : precis_eval_default_text(&len);
    precis_model *made;
    precis_status st = precis_model_open(ctx, &made, path);
    if (st) return st;
    job->eval.size = sizeof job->eval;
    st = precis_eval_text(ctx, made, m, text, len, &o->eval, &job->eval);
    precis_model_close(&made);
    job->evaluated = st == PRECIS_OK;
    return st;
}

precis_status precis_job_quantize(precis_ctx *ctx, const precis_model *model, const char *path, const precis_job_options *opts, precis_job *job)
{
    *job = (precis_job){ 0 };
    precis_status st = check_options(ctx, opts);
    if (st) return st;
    /* what can be refused is refused before work starts */
    if (opts->type) st = precis_plan_types(ctx, &job->plan, model, opts->type, opts->quant.strict);
    if (!st && !opts->dry_run) st = pcs_out_check(ctx, path, job->plan ? precis_plan_bytes(job->plan) : 0, model);
    if (st) return st;
    const bool runs = (opts->no_calibration || opts->imatrix) && (opts->no_eval || opts->dry_run) ? false : can_run(ctx, model);
    precis_imatrix *im = NULL;
    precis_quant_options q = opts->quant;
    if (opts->imatrix) st = precis_imatrix_open(ctx, &im, opts->imatrix);
    else if (runs && !opts->no_calibration && (!q.method || strcmp(q.method, "rtn"))) st = precis_calibrate(ctx, &im, model, &opts->calibrate);
    q.imatrix = im;
    if (!st && !job->plan) st = make_plan(ctx, model, opts, &q, job);
    if (!st && opts->dry_run) st = precis_quant_file_bytes(ctx, model, job->plan, &q, &job->bytes);
    if (!st && !opts->dry_run) {
        st = precis_quantize(ctx, model, job->plan, path, &q, &job->report);
        if (!st) job->bytes = precis_quant_report_bytes(job->report);
    }
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(model, &info);
    if (!st && info.parameters) job->bits_per_weight = 8.0 * (double)precis_plan_bytes(job->plan) / (double)info.parameters;
    if (!st && runs && !opts->dry_run && !opts->no_eval && pcs_model_string(model, "tokenizer.ggml.model")) st = evaluate(ctx, model, path, opts, job);
    precis_imatrix_close(&im);
    return st;
}

void precis_job_close(precis_job *job)
{
    precis_quant_report_close(&job->report);
    precis_plan_close(&job->plan);
}
