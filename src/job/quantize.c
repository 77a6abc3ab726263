/* quantize.c - the main job: calibrate, plan, quantize, evaluate. */
#include "base/options.h"
#include "base/lack.h"
#include "graph/arch.h"
#include "graph/net.h"
#include "job/budget.h"
#include "job/coding_text.h"
#include "job/gain.h"
#include "job/kept.h"
#include "job/memory.h"
#include "job/times.h"
#include "measure/amounts.h"
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
static precis_status knows_net(const precis_model *m, bool *runs, bool *encoder)
{
    precis_graph *g;
    pcs_lm lm = { 0 };
    const precis_status st = pcs_arch_build(m, &g, &lm);
    if (pcs_no_answer(st)) return st;
    precis_graph_close(&g);
    *runs = st == PRECIS_OK;
    *encoder = *runs && lm.encoder;
    return PRECIS_OK;
}

static precis_status can_run(precis_ctx *ctx, const precis_model *m, bool *runs, bool *encoder)
{
    const precis_status st = knows_net(m, runs, encoder);
    if (!st && !*runs) pcs_warn(ctx, "%s. So there is no calibration and no evaluation", precis_ctx_message(ctx));
    return st;
}

/* A divergence is promised of what was measured alone: why it is not going to be, told before work starts. */
static precis_status check_promise(precis_ctx *ctx, const precis_job_options *o, bool calibrates)
{
    if (o->max_kld == 0 || o->quant.profile) return PRECIS_OK;
    const char *why = o->effort == PRECIS_EFFORT_FAST ? "effort fast measures none"
                      : ctx->memory.limit ? "under a limit on memory it is not measured"
                      : !calibrates ? "the model cannot be run, or is not calibrated" : NULL;
    if (!why) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EINVAL,
                    "a KL divergence is promised from what each tensor costs, and %s; a profile (precis profile MODEL "
                    "-o FILE) brings it",
                    why);
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
    p.method = pcs_method_profiled(q->method);
    p.folder = keeps ? o->folder : NULL;
    p.effort = PRECIS_EFFORT_NORMAL;
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

/* Does a profile tell what a method makes of a plan? One that is still to be made will. */
static bool is_known(const precis_profile *p, const char *method)
{
    double interval[2];
    size_t plans = 0;
    if (!p || (p->coder && !strcmp(p->coder, method))) return true;
    precis_profile_predict_method(p, method, 1, 1, interval, &plans);
    return plans > 0;
}

/* Of a plan under a budget: the divergence that it will have, by the method that codes it. */
static void predict(precis_ctx *ctx, const pcs_method_set *set, const precis_quant_options *q, precis_job *job)
{
    char own_name[96];
    size_t plans;
    pcs_methods_name(set, own_name, sizeof own_name);
    const char *name = is_known(q->profile, own_name) ? own_name : pcs_method_profiled(own_name);
    if (name != own_name) job->predicted_coder = name;
    job->predicted = precis_profile_predict_method(q->profile, name, pcs_gain_share(ctx, job->plan, name),
                                                   job->solution.loss, job->interval, &plans);
    const bool own = q->profile->coder && !strcmp(q->profile->coder, name); /* costs are the method's */
    if (!own && (set->transforms || set->residual || set->coder->apply) && !plans)
        pcs_warn(ctx,
                 "the divergence is predicted for search: what %s gains was not measured (precis profile --method %s)",
                 name, name);
}

/* A scheme's name says what activations and cache take. */
static void take_scheme(const char *type, precis_quant_options *q)
{
    pcs_scheme s;
    if (!type || pcs_mix_by_name(type) || pcs_format_by_name(type) || strchr(type, '=') || !pcs_scheme_of(type, &s))
        return;
    if (!q->activations) q->activations = s.activations;
    if (!q->kv) q->kv = s.kv;
    q->static_activations |= s.fixed;
}

/* The copy with transforms, global scales and static activations applied. */
static precis_status prepare(precis_ctx *ctx, pcs_work *w, const precis_model *m, const precis_job_options *o,
                             const precis_quant_options *q)
{
    const bool later = pcs_coding_text_profiled(o, q); /* text that the profile will have sampled */
    precis_status st = pcs_work_open(ctx, w, m, q, later ? NULL : &o->calibrate, o->type);
    if (!st) st = pcs_work_transform(w);
    if (!st) st = pcs_global_scales(w);
    if (!st && q->static_activations) st = pcs_static_activations(w);
    return st;
}

/* Under a budget, where nobody chose a method and there is time: the one that makes up for what is lost (gptq), if
 * the model can be run and has text enough for the Hessians of its inputs; with the best effort what goes on from its
 * codes. What it leaves out takes search. By sizes alone, so that a file has the same bytes on every machine. */
static void choose_method(precis_ctx *ctx, const precis_model *m, const precis_job_options *o, precis_quant_options *q)
{
    enum { TEXT_LEAST = 8192, TOKENS_LEAST = 2048 }; /* bytes; tokens */
    static const double weights_most = 1e9;
    uint64_t bytes = 0;
    if (q->method || o->type || o->effort == PRECIS_EFFORT_FAST || o->no_calibration || ctx->memory.limit) return;
    for (size_t i = 0; i < o->calibrate.n_texts; i++) bytes += o->calibrate.lengths[i];
    if (o->calibrate.n_texts ? bytes < TEXT_LEAST : false) return;
    if (o->calibrate.tokens && o->calibrate.tokens < TOKENS_LEAST) return;
    if (pcs_quantizable_weights(m) > weights_most) return;
    precis_graph *g;
    pcs_lm lm = { 0 };
    const precis_status st = pcs_arch_build(m, &g, &lm);
    precis_graph_close(&g);
    ctx->message[0] = 0;
    if (st || lm.encoder) return;
    for (size_t i = 0; pcs_methods[i] && !q->method; i++)
        if (pcs_methods[i]->kind == PCS_CODER && pcs_methods[i]->apply && !pcs_methods[i]->refines &&
            is_known(q->profile, pcs_methods[i]->name))
            q->method = pcs_methods[i]->name;
    const pcs_method *further = q->method && o->effort == PRECIS_EFFORT_BEST ? pcs_method_refining(q->method) : NULL;
    if (further) q->method = further->name;
    q->fallback |= q->method != NULL;
}

const char *precis_job_method(precis_ctx *ctx, const precis_model *model, const precis_job_options *given)
{
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, given);
    precis_quant_options q = o.quant;
    choose_method(ctx, model, &o, &q);
    return q.method;
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

/* What a job knows while it goes on. */
typedef struct {
    precis_ctx *ctx;
    const precis_model *model, *m; /* as it was given, and what is quantized: itself, or the copy in `w` */
    const char *path;
    const precis_job_options *opts;
    precis_quant_options q; /* the caller's, and what the job adds */
    pcs_method_set set;
    pcs_work *w;
    precis_plan *early; /* of types that were asked for: made before work starts; NULL under a budget */
    precis_imatrix *im;
    pcs_resume *resume;
    precis_profile *profile; /* made here */
    bool copy, changes; /* is it worked on a copy; are weights changed before they are coded */
    bool runs, encoder; /* can the model be run; has it no next tokens */
    bool calibrates, evaluates;
    clock at;
    precis_job *job;
} course;

/* Entries of what is coded for the plan's rows: those of tensors that a transform added are empty, and all are where
 * transforms alone changed weights. */
static precis_status fit_coded(pcs_work *w, size_t rows)
{
    if (w->coded && w->n_coded >= rows) return PRECIS_OK;
    const size_t had = w->coded ? w->n_coded : 0;
    pcs_encoded *all = pcs_grow(w->ctx, w->coded, had * sizeof *all, rows + 1, sizeof *all);
    if (!all) return PRECIS_ENOMEM;
    memset(all + had, 0, (rows + 1 - had) * sizeof *all);
    w->coded = all;
    w->n_coded = rows;
    return PRECIS_OK;
}

static precis_status write_model(course *c)
{
    pcs_work *w = c->w;
    precis_job *job = c->job;
    precis_status st = PRECIS_OK;
    if (w->m && (w->set.coder->apply || w->set.residual)) {
        w->plan = job->plan;
        w->opt = &c->q;
        w->resume = c->resume;
        st = pcs_work_code(w);
    }
    if (!st && w->m) st = pcs_plan_extend(job->plan);
    if (!st && w->m) st = fit_coded(w, job->plan->n);
    manifest x = { c->opts, job };
    const pcs_report_beside beside = { manifest_suffix, manifest_text, &x };
    const pcs_write_job what = { c->m, job->plan, c->path, &c->q, w->coded, c->resume,
                                 c->opts->manifest ? &beside : NULL };
    if (!st) st = pcs_quantize_coded(c->ctx, &what, &job->report);
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
        if (own->kind != PCS_QUANT || row->to->kind != PCS_QUANT || row->tensor->panels) continue;
        if (pcs_row_bytes(row->to, (uint64_t)row->tensor->ne[0]) < pcs_tensor_row_bytes(row->tensor)) continue;
        pcs_plan_set(row, own);
        row->wanted = NULL; /* what it had is no substitute */
    }
}

static precis_status plan_types(const course *c, const precis_model *m, precis_plan **plan)
{
    const precis_status st = pcs_plan_of_types(c->ctx, plan, m, c->opts->type, c->opts->quant.strict);
    if (!st) keep_exact(c->opts->type, *plan);
    if (!st && m == c->model) pcs_plan_tell(c->ctx, *plan); /* and not of its copy again */
    return st;
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
    if (kept)
        pcs_warn(ctx, "the model is quantized already: %zu of its %zu coded tensors stay as they are, exact", kept,
                 coded);
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
    const size_t len = strlen(path);
    char *beside = pcs_alloc(ctx, len + sizeof manifest_suffix, 1);
    if (!beside) return PRECIS_ENOMEM;
    memcpy(beside, path, len);
    memcpy(beside + len, manifest_suffix, sizeof manifest_suffix);
    st = pcs_out_check(ctx, beside, 0, model);
    pcs_free(ctx, beside);
    return st;
}

/* A type that the method cannot code is an error, unless search may take such tensors. */
static precis_status check_types(const course *c)
{
    if (!c->early || !c->set.coder->refuses || c->q.fallback) return PRECIS_OK;
    for (size_t i = 0; i < c->early->n; i++) {
        const pcs_format *to = c->early->rows[i].to;
        const pcs_tensor *t = c->early->rows[i].tensor;
        const bool codes = to != t->format && (to->kind == PCS_QUANT || to->element) && t->is.layer >= 0;
        const char *why = codes ? c->set.coder->refuses(to) : NULL;
        if (why)
            return pcs_fail(c->ctx, PRECIS_EUNSUPPORTED, "tensor %s: %s (%s); --fallback takes search there", t->name,
                            why, to->name);
    }
    return PRECIS_OK;
}

/* What can be refused is refused before work starts. */
static precis_status check_job(course *c)
{
    precis_ctx *ctx = c->ctx;
    const precis_job_options *opts = c->opts;
    precis_status st = PRECIS_OK;
    if (opts->type) st = plan_types(c, c->model, &c->early);
    else if (!st) st = pcs_choices_check(ctx, c->model, &c->q);
    if (!st && !opts->type && opts->max_kld == 0) st = pcs_job_budget_check(ctx, c->model, opts, &c->q);
    if (!st) st = pcs_profile_check(ctx, c->q.profile, c->model, true);
    if (!st) st = check_outputs(ctx, c->model, c->path, c->early, opts);
    return st ? st : check_types(c);
}

/* Which stages the job has, by what the model is and what was asked for. */
static precis_status choose_stages(course *c)
{
    precis_ctx *ctx = c->ctx;
    const precis_job_options *opts = c->opts;
    const bool writes = !opts->dry_run, compares = writes && !opts->no_eval;
    c->copy = needs_copy(&c->set, &c->q, c->early);
    c->changes = c->copy && (c->set.transforms || c->q.static_activations || needs_scales(c->early));
    const bool asked = c->copy || !(opts->no_calibration || opts->imatrix) || compares;
    const precis_status st = asked ? can_run(ctx, c->model, &c->runs, &c->encoder) : PRECIS_OK;
    if (c->encoder && !opts->no_eval)
        pcs_warn(ctx, "an encoder has no next tokens to evaluate; precis eval --sts compares it");
    if (c->runs && !c->encoder && compares && !pcs_tokenizes(c->model))
        pcs_warn(ctx, "the model has no tokenizer, so the result is not evaluated (precis eval --ids needs none)");
    const bool samples = !c->encoder || opts->calibrate.n_texts; /* an encoder makes no text of its own */
    if (st) return st;
    if (c->copy && !samples)
        return pcs_fail(ctx, PRECIS_EINVAL, "an encoder makes no calibration text of its own; give --calib FILE");
    if (c->copy && !c->runs)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "method %s needs a model that can be run",
                        c->q.method ? c->q.method : opts->type);
    c->calibrates = c->runs && !opts->no_calibration && samples && c->set.coder->uses_importance;
    c->evaluates = c->runs && compares && !c->encoder && pcs_tokenizes(c->model);
    bool runs = c->runs, encoder = c->encoder;
    precis_status told = asked ? PRECIS_OK : knows_net(c->model, &runs, &encoder);
    c->job->reads = runs && !encoder && pcs_tokenizes(c->model);
    return told ? told : check_promise(ctx, opts, c->calibrates);
}

/* Tokens that importance is taken from. Where the method is the job's choice it codes by Hessians of its own, and
 * importance tells it only which types are worth a look. */
static uint32_t importance_tokens(const course *c)
{
    const bool own = c->q.method != c->opts->quant.method && !c->opts->calibrate.tokens;
    return own ? pcs_amounts_of(c->model, &c->opts->calibrate).seen : UINT32_MAX;
}

/* What it will take: memory, which a limit may refuse, and time. */
static precis_status foresee(const course *c)
{
    precis_ctx *ctx = c->ctx;
    const precis_job_options *opts = c->opts;
    bool importance = false, costs = false; /* that are kept */
    const bool measures = c->calibrates && !opts->imatrix;
    const bool profiles = c->calibrates && !opts->type && !c->q.profile && opts->effort != PRECIS_EFFORT_FAST &&
                          !ctx->memory.limit;
    const precis_profile_options as = profile_options(opts, &c->q, !c->set.transforms);
    precis_status st = PRECIS_OK;
    if (measures) st = pcs_kept_before(ctx, c->model, &as, importance_tokens(c), &importance, &costs);
    const pcs_memory_job needs = { c->model, opts, &c->q, &c->set, c->early, c->calibrates || opts->imatrix, c->copy,
                                   c->evaluates };
    const pcs_times_job takes = { c->model, opts, &c->q, &c->set, c->q.method != opts->quant.method,
                                  measures && !importance, profiles && !costs, !opts->type, c->evaluates };
    if (!st) st = pcs_memory_plan(ctx, &needs, &c->job->memory);
    if (!st) st = pcs_times_expect(ctx, &takes, &c->job->expected);
    if (!st) pcs_times_say(ctx, "this takes about", &c->job->expected);
    return st;
}

/* The importance of inputs: from a file, from a job that was cut off or was here before, or measured. */
static precis_status calibrate(course *c)
{
    precis_ctx *ctx = c->ctx;
    const precis_job_options *opts = c->opts;
    precis_status st = PRECIS_OK;
    int kept = 0;
    if (!opts->dry_run)
        st = pcs_resume_open(ctx, &c->resume, opts->resume ? c->path : NULL, opts->resume ? opts->resume : "");
    if (!st && opts->imatrix) {
        st = precis_imatrix_open(ctx, &c->im, opts->imatrix);
        if (!st) st = precis_imatrix_check(c->im, c->model);
    } else if (!st && c->calibrates) {
        st = pcs_resume_load_imatrix(c->resume, &c->im);
        const bool made = !st && !c->im;
        const char *folder = c->changes ? NULL : opts->folder; /* changed weights are no model that is met again */
        const pcs_keeping how = { folder, importance_tokens(c) };
        if (made) st = pcs_calibrate_kept(ctx, &c->im, c->m, &opts->calibrate, &how, &kept);
        if (!st && kept && opts->type)
            pcs_warn(ctx, "importance was measured before and is taken from %s (--no-cache measures it again)",
                     opts->folder);
        if (made && !st) st = pcs_resume_keep_imatrix(c->resume, c->im);
    }
    c->q.imatrix = c->im;
    if (c->im && c->im->source)
        snprintf(c->job->calibration, sizeof c->job->calibration, "%s", c->im->source);
    return st;
}

/* The plan: of the types that were asked for, or of the least loss under the budget. */
static precis_status plan_job(course *c)
{
    precis_ctx *ctx = c->ctx;
    const precis_job_options *opts = c->opts;
    precis_job *job = c->job;
    precis_status st = PRECIS_OK;
    if (c->copy && opts->type) { /* of the copy, which may have other tensors */
        precis_plan_close(&c->early);
        st = plan_types(c, c->m, &job->plan);
    } else {
        job->plan = c->early;
        c->early = NULL;
    }
    if (!st && !job->plan && c->calibrates) st = make_profile(ctx, c->m, opts, &c->q, !c->changes, &c->profile);
    if (c->profile) c->q.profile = c->profile;
    job->taken.costs = lap(&c->at);
    if (!st && c->copy && !opts->dry_run) st = pcs_coding_text(c->w, opts, &c->q);
    if (!st && !job->plan) st = pcs_job_budget_plan(ctx, c->model, c->m, opts, &c->q, job);
    if (!st && c->q.profile && job->solution.size) predict(ctx, &c->set, &c->q, job);
    if (!st) say_exact(ctx, job->plan);
    return st;
}

/* The stages, one after another, each with its time. */
static precis_status carry_out(course *c)
{
    const precis_job_options *opts = c->opts;
    precis_job *job = c->job;
    c->at = (clock){ pcs_now(), pcs_now() };
    job->predicted = job->interval[0] = job->interval[1] = job->again = job->again_se = NAN;
    precis_status st = c->copy ? prepare(c->ctx, c->w, c->model, opts, &c->q) : PRECIS_OK;
    if (!st && c->copy) c->m = c->w->m;
    if (!st) st = calibrate(c);
    job->taken.calibrate = lap(&c->at);
    if (!st) st = plan_job(c);
    job->taken.plan = lap(&c->at);
    if (!st && opts->dry_run) st = precis_quant_file_bytes(c->ctx, c->m, job->plan, &c->q, &job->bytes);
    if (!st && !opts->dry_run) st = write_model(c);
    pcs_resume_close(&c->resume, st == PRECIS_OK && !opts->dry_run);
    job->taken.quantize = lap(&c->at);
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(c->model, &info);
    if (!st && info.parameters)
        job->bits_per_weight = 8.0 * (double)precis_plan_bytes(job->plan) / (double)info.parameters;
    if (!st && c->evaluates) st = evaluate(c->ctx, c->model, c->path, opts, c->q.profile, job);
    job->taken.evaluate = lap(&c->at);
    job->taken.all = pcs_now() - c->at.begun;
    if (!st && job->expected.all > 0) pcs_times_say(c->ctx, "it took", &job->taken);
    return st;
}

precis_status precis_job_quantize(precis_ctx *ctx, const precis_model *model, const char *path,
                                  const precis_job_options *given, precis_job *job)
{
    precis_job_options own = PRECIS_JOB_OPTIONS_INIT, *opts = &own;
    pcs_options_take(&own, sizeof own, given);
    *job = (precis_job){ 0 };
    const uint64_t refused = precis_ctx_refused(ctx);
    course c = { .ctx = ctx, .model = model, .m = model, .path = path, .opts = opts, .q = opts->quant, .job = job };
    take_scheme(opts->type, &c.q);
    precis_status st = pcs_job_one_budget(ctx, opts);
    if (!st) st = pcs_net_check(model);
    if (!st) choose_method(ctx, model, opts, &c.q);
    if (!st) st = pcs_methods_parse(ctx, c.q.method, &c.set);
    if (st) return st;
    c.q.fallback |= c.set.implied;
    c.w = pcs_alloc(ctx, 1, sizeof *c.w);
    if (!c.w) return PRECIS_ENOMEM;
    c.w->ctx = ctx;
    st = check_job(&c);
    if (!st) st = choose_stages(&c);
    if (!st) st = foresee(&c);
    if (!st) st = carry_out(&c);
    precis_profile_close(&c.profile);
    precis_imatrix_close(&c.im);
    precis_plan_close(&c.early);
    if (c.copy) job->work = c.w; /* the plan's rows point into the copy */
    else pcs_free(ctx, c.w);
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
