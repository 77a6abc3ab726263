/* quantize.c - the main job: calibrate, plan, quantize, evaluate. */
#include "base/options.h"
#include "base/lack.h"
#include "graph/arch.h"
#include "graph/net.h"
#include "job/gain.h"
#include "job/kept.h"
#include "job/memory.h"
#include "job/smallest.h"
#include "job/times.h"
#include "measure/sensitivity.h"
#include "model/model.h"
#include "plan/plan.h"
#include "precis/convert.h"
#include "precis/job.h"
#include "quant/methods.h"
#include "plan/profile.h"
#include "quant/resume.h"
#include "text/tokenizer.h"
#include "write/write.h"

#include <math.h>
#include <stdio.h>

/* *runs: no graph here is the model's otherwise; that it is whole is known. It is quantized all the same. */
static precis_status can_run(precis_ctx *ctx, const precis_model *m, bool *runs, bool *encoder)
{
    precis_graph *g;
    pcs_lm lm = { 0 };
    const precis_status st = pcs_arch_build(m, &g, &lm);
    if (pcs_no_answer(st)) return st;
    if (st) pcs_warn(ctx, "%s. So there is no calibration and no evaluation", precis_ctx_message(ctx));
    precis_graph_close(&g);
    *runs = st == PRECIS_OK;
    *encoder = *runs && lm.encoder;
    return PRECIS_OK;
}

static precis_status check_options(precis_ctx *ctx, const precis_job_options *o)
{
    const int budgets = (o->type != NULL) + (o->max_bytes != 0) + (o->max_part != 0) + (o->bpw != 0) + (o->max_kld != 0);
    if (budgets != 1) return pcs_fail(ctx, PRECIS_EINVAL, "give one of a type, a size, bits per weight or a KL divergence, not %d of them", budgets);
    if (o->max_part && !(o->max_part > 0 && o->max_part <= 100)) return pcs_fail(ctx, PRECIS_EINVAL, "a part of %g of the input is no budget", o->max_part);
    if (o->bpw && !(o->bpw > 0 && o->bpw <= 64)) return pcs_fail(ctx, PRECIS_EINVAL, "%g bits per weight are no budget", o->bpw);
    return o->max_kld != 0 ? pcs_kld_check(ctx, o->max_kld) : PRECIS_OK;
}

/* A divergence is promised of what was measured alone: why it is not going to be, told before work starts. */
static precis_status check_promise(precis_ctx *ctx, const precis_job_options *o, bool calibrates)
{
    if (o->max_kld == 0 || o->quant.profile) return PRECIS_OK;
    const char *why = o->effort == PRECIS_EFFORT_FAST ? "effort fast measures none"
                      : ctx->memory.limit ? "under a limit on memory it is not measured"
                      : !calibrates ? "the model cannot be run, or is not calibrated" : NULL;
    if (!why) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EINVAL, "a KL divergence is promised from what each tensor costs, and %s; a profile (precis profile MODEL -o FILE) brings it", why);
}

/* *bytes: what the file may take under the job's budget. */
static precis_status budget_bytes(precis_ctx *ctx, const precis_model *m, const precis_job_options *o,
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

/* A budget that no plan meets, or that the model meets as it is, is refused before anything is measured. */
static precis_status check_budget(precis_ctx *ctx, const precis_model *m, const precis_job_options *o,
                                  const precis_quant_options *q)
{
    uint64_t bytes;
    const precis_status st = budget_bytes(ctx, m, o, q, &bytes);
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
    for (int books = 0; books < 2 && st == PRECIS_EBUDGET; books++) { /* types with books when nothing else fits */
        pcs_loss_table *t = NULL;
        uint64_t bytes = most;
        double loss;
        st = pcs_loss_table_open(ctx, &t, m, q, books);
        if (!st) st = pcs_smallest(ctx, t, q, max_kld, most, &bytes);
        if (!st && bytes >= most)
            st = pcs_fail(ctx, PRECIS_EBUDGET, "no file that is smaller than the model stays below a KL divergence of %g; a larger --max-kld, or --max-size, which says what is lost", max_kld);
        if (!st) st = pcs_loss_table_plan(t, bytes, &job->plan, &job->solution, &loss);
        pcs_loss_table_close(&t);
    }
    return st;
}

/* origin: whose file a part is of; m may be a copy of it. */
static precis_status make_plan(precis_ctx *ctx, const precis_model *origin, const precis_model *m,
                               const precis_job_options *o, const precis_quant_options *q, precis_job *job)
{
    uint64_t bytes;
    job->solution.size = sizeof job->solution;
    if (o->max_kld > 0) return smallest_plan(ctx, m, o->max_kld, q, job);
    const precis_status st = budget_bytes(ctx, origin, o, q, &bytes);
    return st ? st : precis_quant_plan(ctx, &job->plan, m, bytes, q, &job->solution);
}

/* Where a job is: when it began, and when its last piece ended. */
typedef struct { double begun, last; } clock;

static double lap(clock *c)
{
    const double now = pcs_now(), took = now - c->last;
    c->last = now;
    return took;
}

static precis_status evaluate(precis_ctx *ctx, const precis_model *m, const char *path, const precis_job_options *o,
                              const precis_profile *profile, precis_job *job)
{
    size_t len = o->text_len;
    const char *text = o->text ? o->text : precis_eval_default_text(&len);
    precis_model *made;
    precis_status st = precis_model_open(ctx, &made, path);
    if (st) return st;
    job->eval.size = sizeof job->eval;
    st = precis_eval_text(ctx, made, m, text, len, &o->eval, &job->eval);
    if (st == PRECIS_EFORMAT) {
        char why[sizeof ctx->message];
        memcpy(why, ctx->message, sizeof why);
        pcs_fail(ctx, st, "%s is written, but cannot be compared with the original (--no-eval leaves that out): %s",
                 path, why);
    }
    if (!st && profile && isfinite(job->predicted))
        st = pcs_sensitivity_again(ctx, profile, m, made, &job->again, &job->again_se);
    precis_model_close(&made);
    job->evaluated = st == PRECIS_OK;
    return st;
}

/* Will some tensor stand on a scale of its own? */
static bool needs_scales(const precis_plan *early)
{
    bool scaled = false;
    for (size_t i = 0; early && i < early->n; i++)
        scaled |= early->rows[i].to->scaled_whole && early->rows[i].to != early->rows[i].tensor->format;
    return scaled;
}

/* Does the job change weights, or code them together, so that it works on a copy? */
static bool needs_copy(const pcs_method_set *set, const precis_quant_options *q, const precis_plan *early)
{
    return set->transforms || set->residual || set->coder->apply || q->static_activations || needs_scales(early);
}

static precis_profile_options profile_options(const precis_job_options *o, const precis_quant_options *q, bool keeps)
{
    precis_profile_options p = PRECIS_PROFILE_OPTIONS_INIT;
    p.calibrate = o->calibrate;
    p.imatrix = q->imatrix;
    p.method = q->method;
    p.folder = keeps ? o->folder : NULL;
    p.effort = o->effort == PRECIS_EFFORT_BEST ? PRECIS_EFFORT_BEST : PRECIS_EFFORT_NORMAL;
    p.time_limit = 600;
    return p;
}

/* Under a budget, what each tensor costs, unless the caller knows. *own: the caller's to close; NULL: none is needed,
 * or none can be made, which is said: then a tensor costs what its class costs. */
static precis_status make_profile(precis_ctx *ctx, const precis_model *m, const precis_job_options *o,
                                  const precis_quant_options *q, bool keeps, precis_profile **own)
{
    *own = NULL;
    if (o->type || q->profile || o->effort == PRECIS_EFFORT_FAST) return PRECIS_OK;
    if (ctx->memory.limit) {
        pcs_warn(ctx, "under a limit on memory tensors' costs are estimated, not measured; --profile FILE brings them");
        return PRECIS_OK;
    }
    const precis_profile_options p = profile_options(o, q, keeps);
    const precis_status st = precis_profile_make(ctx, own, m, &p);
    if (st != PRECIS_EUNSUPPORTED || o->max_kld > 0) return st;
    pcs_warn(ctx, "%s: tensors' costs are estimated, not measured", precis_ctx_message(ctx));
    return PRECIS_OK;
}

/* Of a plan under a budget: the divergence that it will have, by the method that codes it. */
static void predict(precis_ctx *ctx, const pcs_method_set *set, const precis_quant_options *q, precis_job *job)
{
    char name[96];
    size_t plans;
    pcs_methods_name(set, name, sizeof name);
    job->predicted = precis_profile_predict_method(q->profile, name, pcs_gain_share(ctx, job->plan, name), job->solution.loss, job->interval, &plans);
    const bool own = q->profile->coder && !strcmp(q->profile->coder, name); /* costs are the method's */
    if (!own && (set->transforms || set->residual || set->coder->apply) && !plans)
        pcs_warn(ctx, "the divergence is predicted for search: what %s gains was not measured (precis profile --method %s)", name, name);
}

/* A scheme's name says what activations and cache take. */
static void take_scheme(const char *type, precis_quant_options *q)
{
    pcs_scheme s;
    if (!type || pcs_mix_by_name(type) || pcs_format_by_name(type) || strchr(type, '=') || !pcs_scheme_of(type, &s)) return;
    if (!q->activations) q->activations = s.activations;
    if (!q->kv) q->kv = s.kv;
    q->static_activations |= s.fixed;
}

/* Does the job's own choice of a method code from the text of the profile? It is sampled once. */
static bool takes_profiled(const precis_job_options *o, const precis_quant_options *q)
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

/* The copy with transforms, global scales and static activations applied. */
static precis_status prepare(precis_ctx *ctx, pcs_work *w, const precis_model *m, const precis_job_options *o,
                             const precis_quant_options *q)
{
    const bool later = takes_profiled(o, q); /* text that the profile will have sampled */
    precis_status st = pcs_work_open(ctx, w, m, q, later ? NULL : &o->calibrate, o->type);
    if (!st) st = pcs_work_transform(w);
    if (!st) st = pcs_global_scales(w);
    if (!st && q->static_activations) st = pcs_static_activations(w);
    return st;
}

/* Does a profile tell what a method makes of a plan? One that is still to be made will. */
static bool is_known(const precis_profile *p, const char *method)
{
    double interval[2];
    size_t plans = 0;
    if (!p || (p->coder && !strcmp(p->coder, method))) return true;
    precis_profile_predict_method(p, method, 1, 1, interval, &plans);
    return plans > 0;
}

/* Under a budget, where nobody chose a method and there is time: the one that makes up for what is lost (gptq), if the model can be run and has text enough for
 * the Hessians of its inputs. What it leaves out takes search. By sizes alone, so that a file has the same bytes on
 * every machine. */
static void choose_method(precis_ctx *ctx, const precis_model *m, const precis_job_options *o, precis_quant_options *q)
{
    enum { TEXT_LEAST = 8192, TOKENS_LEAST = 2048 }; /* bytes; tokens */
    static const double weights_most = 1e9;
    uint64_t bytes = 0;
    double weights = 0;
    if (q->method || o->type || o->effort == PRECIS_EFFORT_FAST || o->no_calibration || ctx->memory.limit) return;
    for (size_t i = 0; i < o->calibrate.n_texts; i++) bytes += o->calibrate.lengths[i];
    if (o->calibrate.n_texts ? bytes < TEXT_LEAST : false) return;
    if (o->calibrate.tokens && o->calibrate.tokens < TOKENS_LEAST) return;
    for (size_t i = 0; i < m->n_tensors; i++) weights += pcs_quantizable(&m->tensors[i]) ? (double)m->tensors[i].n : 0;
    if (weights > weights_most) return;
    precis_graph *g;
    pcs_lm lm = { 0 };
    const precis_status st = pcs_arch_build(m, &g, &lm);
    precis_graph_close(&g);
    ctx->message[0] = 0;
    if (st || lm.encoder) return;
    for (size_t i = 0; pcs_methods[i] && !q->method; i++)
        if (pcs_methods[i]->kind == PCS_CODER && pcs_methods[i]->apply && is_known(q->profile, pcs_methods[i]->name))
            q->method = pcs_methods[i]->name;
    q->fallback |= q->method != NULL;
}

static const char manifest_suffix[] = ".manifest.json";

/* The caller's manifest, of a file that is whole and has no name yet. */
typedef struct { const precis_job_options *opt; precis_job *job; } manifest;
static precis_status manifest_text(void *user, precis_quant_report *report, const char **text, size_t *len)
{
    const manifest *x = user;
    x->job->report = report;
    x->job->bytes = precis_quant_report_bytes(report);
    const precis_status st = x->opt->manifest(x->opt->user, x->job, text, len);
    x->job->report = NULL; /* its owner hands it over when the file has its name */
    return st;
}

static precis_status write_model(precis_ctx *ctx, pcs_work *w, const precis_model *m, const char *path,
                                 const precis_job_options *opts, const precis_quant_options *q,
                                 pcs_resume *resume, precis_job *job)
{
    const bool coded = w->m && (w->set.coder->apply || w->set.residual);
    precis_status st = PRECIS_OK;
    if (coded) {
        w->plan = job->plan;
        w->opt = q;
        w->resume = resume;
        st = pcs_work_code(w);
    }
    if (!st && w->m) st = pcs_plan_extend(job->plan);
    if (!st && w->n_coded < job->plan->n && w->coded) { /* rows of new tensors */
        pcs_encoded *grown = pcs_grow(ctx, w->coded, w->n_coded * sizeof *grown, job->plan->n, sizeof *grown);
        if (!grown) st = PRECIS_ENOMEM;
        else {
            memset(grown + w->n_coded, 0, (job->plan->n - w->n_coded) * sizeof *grown);
            w->coded = grown;
            w->n_coded = job->plan->n;
        }
    }
    if (!st && w->m && !w->coded) { /* transforms alone: nothing is coded yet */
        w->coded = pcs_alloc(ctx, job->plan->n + 1, sizeof *w->coded);
        w->n_coded = job->plan->n;
        if (!w->coded) st = PRECIS_ENOMEM;
    }
    manifest x = { opts, job };
    const pcs_report_beside beside = { manifest_suffix, manifest_text, &x };
    if (!st) st = pcs_quantize_coded(ctx, m, job->plan, path, q, w->coded, resume, opts->manifest ? &beside : NULL,
                                     &job->report);
    if (!st) job->bytes = precis_quant_report_bytes(job->report);
    return st;
}

/* A tensor that is in codes already, and would have no fewer bytes in the type of a mix or of all tensors, stays as it
 * is: it would be rounded once more for nothing. A table by patterns says what it wants. */
static void keep_exact(const char *type, precis_plan *plan)
{
    pcs_scheme s;
    if (strchr(type, '=') || (!pcs_mix_by_name(type) && !pcs_format_by_name(type) && pcs_scheme_of(type, &s))) return;
    for (size_t i = 0; i < plan->n; i++) {
        pcs_plan_row *row = &plan->rows[i];
        const pcs_format *own = row->tensor->format;
        if (own->kind != PCS_QUANT || row->to->kind != PCS_QUANT || row->to == own || row->tensor->panels) continue;
        if (pcs_row_bytes(row->to, (uint64_t)row->tensor->ne[0]) >= pcs_tensor_row_bytes(row->tensor)) {
            pcs_plan_set(row, own);
            row->wanted = NULL;
        }
    }
}

/* Says in one line how many weights that are in codes stay as they are. */
static void say_exact(precis_ctx *ctx, const precis_plan *plan)
{
    size_t kept = 0, coded = 0;
    for (size_t i = 0; i < plan->n; i++) {
        const pcs_plan_row *row = &plan->rows[i];
        if (row->tensor->format->kind != PCS_QUANT) continue;
        coded++;
        kept += row->to == row->tensor->format;
    }
    if (kept) pcs_warn(ctx, "the model is quantized already: %zu of its %zu coded tensors stay as they are, exact", kept, coded);
}

/* Before work starts: a GGUF can hold the model, and the files that are written are none of those that are read. */
static precis_status check_outputs(precis_ctx *ctx, const precis_model *model, const char *path,
                                   const precis_plan *early, const precis_job_options *opts)
{
    precis_status st = pcs_gguf_holds(ctx, model);
    if (st || opts->dry_run) return st;
    st = pcs_out_check(ctx, path, early ? precis_plan_bytes(early) : 0, model);
    if (!st && opts->imatrix) st = precis_out_apart(ctx, path, opts->imatrix);
    if (st || !opts->manifest) return st;
    char *beside = pcs_alloc(ctx, strlen(path) + sizeof manifest_suffix, 1);
    st = beside ? pcs_out_check(ctx, strcat(strcpy(beside, path), manifest_suffix), 0, model) : PRECIS_ENOMEM;
    pcs_free(ctx, beside);
    return st;
}

precis_status precis_job_quantize(precis_ctx *ctx, const precis_model *model, const char *path,
                                  const precis_job_options *given, precis_job *job)
{
    precis_job_options own = PRECIS_JOB_OPTIONS_INIT, *opts = &own;
    pcs_options_take(&own, sizeof own, given);
    *job = (precis_job){ 0 };
    const uint64_t refused = precis_ctx_refused(ctx);
    precis_quant_options q = opts->quant;
    pcs_method_set set;
    take_scheme(opts->type, &q);
    precis_status st = check_options(ctx, opts);
    if (!st) st = pcs_net_check(model);
    if (!st) choose_method(ctx, model, opts, &q);
    if (!st) st = pcs_methods_parse(ctx, q.method, &set);
    if (st) return st;
    q.fallback |= set.implied;
    pcs_work *w = pcs_alloc(ctx, 1, sizeof *w);
    if (!w) return PRECIS_ENOMEM;
    w->ctx = ctx;
    /* what can be refused is refused before work starts */
    precis_plan *early = NULL;
    if (opts->type) st = precis_plan_types(ctx, &early, model, opts->type, opts->quant.strict);
    if (!st && opts->type) keep_exact(opts->type, early);
    else if (!st) st = pcs_choices_check(ctx, model, &q);
    if (!st && !opts->type && opts->max_kld == 0) st = check_budget(ctx, model, opts, &q);
    if (!st) st = pcs_profile_check(ctx, q.profile, model, true);
    if (!st) st = check_outputs(ctx, model, path, early, opts);
    for (size_t i = 0; early && !st && set.coder->refuses && i < early->n && !q.fallback; i++) {
        const pcs_format *to = early->rows[i].to;
        const pcs_tensor *t = early->rows[i].tensor;
        const bool codes = to != t->format && (to->kind == PCS_QUANT || to->element) && t->is.layer >= 0;
        const char *why = codes ? set.coder->refuses(to) : NULL;
        if (why) st = pcs_fail(ctx, PRECIS_EUNSUPPORTED, "tensor %s: %s (%s); --fallback takes search there", early->rows[i].tensor->name, why, to->name);
    }
    const precis_model *m = model;
    const bool copy = needs_copy(&set, &q, early);
    bool encoder = false, runs = false;
    const bool asked = copy || !(opts->no_calibration || opts->imatrix) || !(opts->no_eval || opts->dry_run);
    if (!st && asked) st = can_run(ctx, model, &runs, &encoder);
    if (encoder && !opts->no_eval) pcs_warn(ctx, "an encoder has no next tokens to evaluate; precis eval --sts compares it");
    if (runs && !encoder && !opts->dry_run && !opts->no_eval && !pcs_tokenizes(model))
        pcs_warn(ctx, "the model has no tokenizer, so the result is not evaluated (precis eval --ids needs none)");
    const bool samples = !encoder || opts->calibrate.n_texts; /* an encoder makes no text of its own */
    if (!st && copy && !samples) st = pcs_fail(ctx, PRECIS_EINVAL, "an encoder makes no calibration text of its own; give --calib FILE");
    if (!st && copy && !runs) st = pcs_fail(ctx, PRECIS_EUNSUPPORTED, "method %s needs a model that can be run", q.method ? q.method : opts->type);
    const bool calibrates = runs && !opts->no_calibration && samples && set.coder->uses_importance;
    const bool evaluates = runs && !opts->dry_run && !opts->no_eval && !encoder &&
                           pcs_tokenizes(model);
    if (!st) st = check_promise(ctx, opts, calibrates);
    const bool profiles = calibrates && !opts->type && !q.profile && opts->effort != PRECIS_EFFORT_FAST && !ctx->memory.limit;
    bool importance = false, costs = false; /* that are kept */
    const precis_profile_options as = profile_options(opts, &q, !set.transforms);
    if (!st && calibrates && !opts->imatrix) st = pcs_kept_before(ctx, model, &as, &importance, &costs);
    const pcs_times_job expected = { model, opts, &q, &set, calibrates && !opts->imatrix && !importance,
                                     profiles && !costs, !opts->type, evaluates };
    if (!st) st = pcs_memory_plan(ctx, &(pcs_memory_job){ model, opts, &q, &set, early, calibrates || opts->imatrix, copy, evaluates }, &job->memory);
    if (!st) st = pcs_times_expect(ctx, &expected, &job->expected);
    if (!st) pcs_times_say(ctx, "this takes about", &job->expected);
    clock at = { pcs_now(), pcs_now() };
    if (!st && copy) st = prepare(ctx, w, model, opts, &q);
    if (!st && copy) m = w->m;
    precis_imatrix *im = NULL;
    pcs_resume *resume = NULL;
    int kept = 0;
    const bool changes = copy && (set.transforms || q.static_activations || needs_scales(early));
    if (!st && !opts->dry_run) st = pcs_resume_open(ctx, &resume, opts->resume ? path : NULL, opts->resume ? opts->resume : "");
    if (!st && opts->imatrix) {
        st = precis_imatrix_open(ctx, &im, opts->imatrix);
        if (!st) st = precis_imatrix_check(im, model);
    } else if (!st && calibrates) {
        st = pcs_resume_load_imatrix(resume, &im);
        const bool made = !st && !im;
        /* a copy whose weights were changed is no model that is met again */
        if (made) st = precis_calibrate_kept(ctx, &im, m, &opts->calibrate, changes ? NULL : opts->folder, &kept);
        if (!st && kept && opts->type) pcs_warn(ctx, "importance was measured before and is taken from %s (--no-cache measures it again)", opts->folder);
        if (made && !st) st = pcs_resume_keep_imatrix(resume, im);
    }
    q.imatrix = im;
    job->taken.calibrate = lap(&at);
    if (im && im->source) snprintf(job->calibration, sizeof job->calibration, "%s", im->source);
    if (!st && copy && opts->type) { /* of the copy, which may have other tensors */
        precis_plan_close(&early);
        st = precis_plan_types(ctx, &job->plan, m, opts->type, opts->quant.strict);
        if (!st) keep_exact(opts->type, job->plan);
    } else {
        job->plan = early;
        early = NULL;
    }
    precis_profile *profile = NULL;
    job->predicted = job->interval[0] = job->interval[1] = job->again = job->again_se = NAN;
    if (!st && !job->plan && calibrates) st = make_profile(ctx, m, opts, &q, !changes, &profile);
    if (profile) q.profile = profile;
    job->taken.costs = lap(&at);
    if (!st && copy && !opts->dry_run && takes_profiled(opts, &q)) st = take_profiled(w, q.profile, &opts->calibrate);
    if (!st && !job->plan) st = make_plan(ctx, model, m, opts, &q, job);
    if (!st && q.profile && job->solution.size)
        predict(ctx, &set, &q, job);
    job->taken.plan = lap(&at);
    if (!st) say_exact(ctx, job->plan);
    if (!st && opts->dry_run) st = precis_quant_file_bytes(ctx, m, job->plan, &q, &job->bytes);
    if (!st && !opts->dry_run) st = write_model(ctx, w, m, path, opts, &q, resume, job);
    pcs_resume_close(&resume, st == PRECIS_OK && !opts->dry_run);
    job->taken.quantize = lap(&at);
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(model, &info);
    if (!st && info.parameters) job->bits_per_weight = 8.0 * (double)precis_plan_bytes(job->plan) / (double)info.parameters;
    if (!st && evaluates) st = evaluate(ctx, model, path, opts, q.profile, job);
    precis_profile_close(&profile);
    job->taken.evaluate = lap(&at);
    job->taken.all = pcs_now() - at.begun;
    if (!st && job->expected.all > 0) pcs_times_say(ctx, "it took", &job->taken);
    precis_imatrix_close(&im);
    precis_plan_close(&early);
    if (copy) job->work = w; /* the plan's rows point into the copy */
    else pcs_free(ctx, w);
    return pcs_with_memory(ctx, refused, st);
}

void precis_job_close(precis_job *job)
{
    precis_quant_report_close(&job->report);
    precis_plan_close(&job->plan);
    if (job->work) {
        pcs_work *w = job->work;
        precis_ctx *ctx = w->ctx;
        pcs_work_close(w);
        pcs_free(ctx, w);
        job->work = NULL;
    }
}
