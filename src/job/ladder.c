/* ladder.c - one model in many schemes, side by side. */
#include "base/options.h"
#include "model/model.h"
#include "plan/plan.h"
#include "precis/bench.h"
#include "precis/job.h"
#include "quant/quant.h"

#include "model/activations.h"

#include <stdio.h>
#include <unistd.h>

/* Elements that `run` has kernels for: integers, and the block types of GGUF with int8 activations. */
static int has_kernel(const char *type)
{
    pcs_scheme s;
    if (!pcs_scheme_of(type, &s)) return 1;
    const pcs_format *f = pcs_format_by_name(s.weights);
    pcs_activations a;
    const bool bytes = pcs_activations_of(s.activations, &a) && a.whole && a.bits == 8 && !a.affine && !a.group;
    return f && f->kind == PCS_QUANT && (!s.activations || bytes);
}

static precis_status step(precis_ctx *ctx, const precis_model *m, const char *type, const char *path,
                          const precis_job_options *opts, precis_ladder_row *row)
{
    precis_job_options o = *opts;
    precis_job job = { 0 };
    char scheme[72];
    const pcs_format *f = pcs_format_by_name(type);
    pcs_scheme s;
    snprintf(scheme, sizeof scheme, "%.60sA16", type);
    o.type = f && pcs_scheme_of(scheme, &s) ? scheme : type; /* embedding and head keep 16 bits on every step */
    o.eval.arithmetic = PRECIS_EMULATED;
    precis_status st = precis_job_quantize(ctx, m, path, &o, &job);
    row->bytes = job.bytes;
    row->bits_per_weight = job.bits_per_weight;
    row->eval = job.eval;
    row->arithmetic = precis_arithmetic_name(PRECIS_EMULATED);
    row->kernel = has_kernel(o.type);
    precis_bench_options bo = PRECIS_BENCH_OPTIONS_INIT;
    precis_bench_result b = { .size = sizeof b };
    bo.prompt = 32;
    bo.generate = 32;
    precis_warn_fn *const warn = ctx->opt.warn; /* that a kernel is lacking is a field of the row */
    ctx->opt.warn = NULL;
    if (!st) st = precis_bench(ctx, path, &bo, &b);
    ctx->opt.warn = warn;
    row->decode_tok_s = b.decode_tok_s;
    precis_job_close(&job);
    unlink(path);
    return st;
}

precis_status precis_ladder(precis_ctx *ctx, const precis_model *model, const char *list, const char *folder,
                            const precis_job_options *opts, precis_ladder_fn *fn, void *user)
{
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    char path[4096], matrix[4096];
    if (!folder) folder = pcs_temporary_folder();
    if (snprintf(path, sizeof path, "%s/precis-ladder-%d.gguf", folder, (int)getpid()) >= (int)sizeof path ||
        snprintf(matrix, sizeof matrix, "%s/precis-ladder-%d.dat", folder, (int)getpid()) >= (int)sizeof matrix)
        return pcs_fail(ctx, PRECIS_EINVAL, "the folder's name is too long");
    precis_status st = PRECIS_OK;
    for (const char *p = list; *p && !st;) { /* names first: a misspelt one must not cost the work of those before it */
        char type[64] = { 0 };
        const size_t n = strcspn(p, ",");
        memcpy(type, p, n < 63 ? n : 63);
        precis_plan *plan;
        st = pcs_plan_of_types(ctx, &plan, model, type, 0);
        precis_plan_close(&plan);
        p += n + (p[n] == ',');
    }
    precis_imatrix *im = NULL;
    if (!st && !o.imatrix && !o.no_calibration) { /* once for all steps */
        st = precis_calibrate(ctx, &im, model, &o.calibrate);
        if (!st) st = precis_imatrix_save(im, matrix);
        o.imatrix = matrix;
    }
    for (const char *p = list; *p && !st;) {
        char type[64] = { 0 };
        const size_t n = strcspn(p, ",");
        memcpy(type, p, n < 63 ? n : 63);
        precis_ladder_row row = { .size = sizeof row, .type = type };
        st = step(ctx, model, type, path, &o, &row);
        if (!st) fn(user, &row);
        p += n + (p[n] == ',');
    }
    if (im) unlink(matrix);
    precis_imatrix_close(&im);
    return st;
}
