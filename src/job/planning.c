/* planning.c - a plan under budgets, predicted, as a file; and a plan file read back. */
#include "base/options.h"
#include "base/json_file.h"
#include "graph/arch.h"
#include "base/lack.h"
#include "measure/caches.h"
#include "job/gain.h"
#include "job/running.h"
#include "job/smallest.h"
#include "model/model.h"
#include "precis/job.h"
#include "graph/net.h"
#include "plan/costs.h"
#include "quant/methods.h"
#include "plan/profile.h"
#include "write/write.h"

#include <math.h>
#include <stdio.h>

/* ---- budgets --------------------------------------------------------------------------------------------------- */

/* What running takes beside the weights, in *running and as a sum. */
static precis_status beside(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o,
                            pcs_running *running, uint64_t *bytes)
{
    const precis_status st = pcs_running_of(ctx, m, o->context, o->quant.kv, o->target_ram, running);
    *bytes = st ? 0 : running->kv + running->work;
    return st;
}

/* The same for a model that need not run, which has a size all the same: 0. */
static precis_status beside_if_it_runs(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o,
                                       pcs_running *running, uint64_t *bytes)
{
    const precis_status st = beside(ctx, m, o, running, bytes);
    if (!st || pcs_no_answer(st)) return st;
    *running = (pcs_running){ 0 };
    ctx->message[0] = 0;
    return PRECIS_OK;
}

static precis_status budget(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o, uint64_t more,
                            uint64_t *bytes)
{
    precis_model_info info = { .size = sizeof info };
    precis_plan *same = NULL;
    uint64_t file = 0;
    precis_model_get_info(m, &info);
    precis_status st = pcs_plan_new(ctx, &same, m, "same");
    if (!st) st = precis_quant_file_bytes(ctx, m, same, &o->quant, &file);
    precis_plan_close(&same);
    if (st) return st;
    const uint64_t keys = file > info.bytes ? file - info.bytes : 0;
    *bytes = file;
    if (o->max_bytes && o->max_bytes < *bytes) *bytes = o->max_bytes;
    if (o->max_part > 0 && (uint64_t)((double)info.file_bytes * o->max_part) < *bytes)
        *bytes = (uint64_t)((double)info.file_bytes * o->max_part);
    if (o->bpw > 0 && (uint64_t)((double)info.parameters * o->bpw / 8) + keys < *bytes)
        *bytes = (uint64_t)((double)info.parameters * o->bpw / 8) + keys;
    if (!o->target_ram) return PRECIS_OK;
    if (o->target_ram <= more)
        return pcs_fail(ctx, PRECIS_EBUDGET,
                        "the cache and the buffers take %llu bytes alone; a smaller --ctx, or more RAM than that",
                        (unsigned long long)more);
    if (o->target_ram - more < *bytes) *bytes = o->target_ram - more;
    return PRECIS_OK;
}

/* What weights may take, what is beside them, and what the cache's types lose. */
typedef struct { uint64_t bytes, more; double cache_loss; } shares;

/* Under a target of memory the cache and the weights share it: of nine shares for the cache, the one whose sum loses
 * least. most: what weights may take at most. */
static precis_status share_memory(precis_ctx *ctx, pcs_loss_table *t, const pcs_caches *c, uint64_t target,
                                  precis_planning *out, shares *s)
{
    const uint64_t most = s->bytes;
    enum { SHARES = 8 };
    double best = INFINITY;
    precis_status last = PRECIS_EBUDGET;
    for (int i = 0; i <= SHARES; i++) {
        char *types = NULL;
        uint64_t kv = 0;
        double loss = 0, weights = 0;
        precis_plan *p = NULL;
        precis_solution solution = { .size = sizeof solution };
        const uint64_t share = c->least + (c->most - c->least) * (uint64_t)i / SHARES;
        precis_status st = pcs_caches_solve(c, share, &types, &kv, &loss);
        if (st) return st;
        const uint64_t taken = c->work + kv, room = target > taken ? target - taken : 0;
        const uint64_t may = room < most ? room : most;
        st = room ? pcs_loss_table_plan(t, may, &p, &solution, &weights) : PRECIS_EBUDGET;
        precis_plan_close(&p);
        if (st && st != PRECIS_EBUDGET) {
            pcs_free(ctx, types);
            return st;
        }
        if (!st && weights + loss < best) {
            best = weights + loss;
            pcs_free(ctx, out->kv);
            out->kv = types;
            *s = (shares){ may, taken, loss };
            last = PRECIS_OK;
        } else pcs_free(ctx, types);
    }
    if (!last) ctx->message[0] = 0;
    return last;
}

/* The same with a cache of `type` where nobody asked for one, by shapes alone: no memory is taken. */
static precis_status counted_beside(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o,
                                    const char *type, uint64_t *bytes)
{
    const bool counting = ctx->memory.counting;
    ctx->memory.counting = true;
    pcs_running running;
    precis_planning_options with = *o;
    if (!with.quant.kv) with.quant.kv = type;
    const precis_status st = beside(ctx, m, &with, &running, bytes);
    ctx->memory.counting = counting;
    return st;
}

static precis_status refuse_ram(precis_ctx *ctx, const precis_planning_options *o, const pcs_least *l, uint64_t more)
{
    char a[32], b[32], c[32], d[32];
    const uint64_t all = l->bytes + more;
    return pcs_fail(ctx, PRECIS_EBUDGET,
                    "no plan runs in %s (%llu bytes): the least weights take %s%s, and cache (%s) and buffers %s; "
                    "--target-ram %llu (%s) is the nearest that would do%s",
                    pcs_human((double)o->target_ram, a), (unsigned long long)o->target_ram,
                    pcs_human((double)l->bytes, b), l->why, o->quant.kv ? o->quant.kv : "int4",
                    pcs_human((double)more, c), (unsigned long long)all, pcs_human((double)all, d),
                    more > l->bytes / 4 ? "; a smaller --ctx takes less" : "");
}

/* Does the model run in the memory as it is, with the cache that nobody asked to be smaller? The context says so. */
static precis_status runs_already(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o, bool *does)
{
    char a[32], b[32];
    uint64_t more;
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    const precis_status st = counted_beside(ctx, m, o, "f16", &more);
    *does = !st && o->target_ram > info.file_bytes + more;
    if (*does)
        pcs_fail(ctx, PRECIS_EINVAL,
                 "nothing needs to be done: %s of memory are allowed, and the input runs in %s, cache (%s) and buffers "
                 "included", pcs_human((double)o->target_ram, a), pcs_human((double)(info.file_bytes + more), b),
                 o->quant.kv ? o->quant.kv : "f16");
    return st;
}

/* Budgets that no plan meets, or that the model meets as it is: known without measuring. */
static precis_status check_budgets(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o)
{
    uint64_t most, more = 0;
    precis_planning_options sizes = *o;
    precis_model_info info = { .size = sizeof info };
    pcs_least l;
    sizes.target_ram = 0; /* the rest of a sum, which is looked at below */
    precis_model_get_info(m, &info);
    precis_status st = o->target_ram ? counted_beside(ctx, m, o, "int4", &more) : PRECIS_OK; /* the least */
    if (!st) st = budget(ctx, m, &sizes, 0, &most);
    if (st) return st;
    const bool sized = o->max_bytes || o->max_part > 0 || o->bpw > 0;
    const bool free_of_others = !(o->max_kld > 0) && !(o->min_speed > 0) && !o->quant.pins;
    bool nothing = false;
    const uint64_t part = o->max_part > 0 ? (uint64_t)((double)info.file_bytes * o->max_part) : UINT64_MAX;
    const uint64_t asked = o->max_bytes && o->max_bytes < part ? o->max_bytes : part;
    if (free_of_others && sized && !o->target_ram) nothing = pcs_needs_nothing(ctx, m, asked, o->bpw);
    else if (free_of_others && !sized) st = runs_already(ctx, m, o, &nothing);
    if (st || nothing) return st ? st : PRECIS_EINVAL;
    st = pcs_least_open(ctx, &l, m, &o->quant);
    if (st) return st;
    if (most < l.bytes) st = pcs_least_refuse(ctx, &l, most);
    else if (o->target_ram && o->target_ram < l.bytes + more) st = refuse_ram(ctx, o, &l, more);
    pcs_least_close(&l);
    return st;
}

/* What can be refused before anything is measured; and the method by its whole name, and whether it gains over
 * search. */
static precis_status check(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o, bool *gains,
                           char method[96])
{
    uint64_t bytes;
    pcs_running running;
    const bool sized = o->max_bytes || o->max_part > 0 || o->bpw > 0;
    if (!sized && o->max_kld == 0 && !o->target_ram && !(o->min_speed > 0))
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "give a budget: a size, bits per weight, a KL divergence, memory or a speed");
    if (o->min_speed > 0 && !o->costs)
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "a speed needs the costs of this machine: precis bench MODEL --cost-table FILE makes them");
    precis_status st = o->max_kld != 0 ? pcs_kld_check(ctx, o->max_kld) : PRECIS_OK;
    if (!st) st = pcs_net_check(m);
    if (!st) st = pcs_gain_needed(ctx, o->quant.method, gains, method);
    if (!st) st = pcs_choices_check(ctx, m, &o->quant);
    if (!st && o->quant.kv) st = beside(ctx, m, o, &running, &bytes);
    if (!st) st = check_budgets(ctx, m, o);
    return st;
}

precis_status precis_planning_check(precis_ctx *ctx, const precis_model *m, const precis_planning_options *given)
{
    precis_planning_options own = PRECIS_PLANNING_OPTIONS_INIT, *o = &own;
    pcs_options_take(&own, sizeof own, given);
    bool gains;
    char method[96];
    const precis_status st = check(ctx, m, o, &gains, method);
    return st ? st : pcs_profile_check(ctx, o->quant.profile, m, true);
}

/* What a profile says of a plan's divergence; NaN without one. */
typedef struct { double kld, interval[2]; size_t gains; } forecast;

static forecast predicted(precis_ctx *ctx, const precis_planning_options *o, const precis_plan *plan, double loss,
                          double cache_loss)
{
    forecast f = { NAN, { NAN, NAN }, 0 };
    const double all = loss + cache_loss;
    if (!o->quant.profile) return f;
    const double share = loss > 0 ? pcs_gain_share(ctx, plan, o->quant.method) * loss / all : 0;
    f.kld = precis_profile_predict_method(o->quant.profile, o->quant.method, share, all, f.interval, &f.gains);
    return f;
}

/* The plan of the same bytes that need not keep to a speed: what that costs. */
static precis_status without_speed(precis_ctx *ctx, pcs_loss_table *t, const precis_planning_options *o,
                                   const shares *s, precis_planning *out)
{
    precis_plan *plan = NULL;
    double loss = 0;
    precis_planning_rest *rest = &out->without_speed;
    precis_status st = pcs_loss_table_limit(t, NULL, 0);
    if (!st) st = pcs_loss_table_plan(t, s->bytes, &plan, NULL, &loss);
    if (!st) st = precis_quant_file_bytes(ctx, plan->model, plan, &o->quant, &rest->bytes);
    if (!st) st = precis_costs_predict(o->costs, plan, &rest->tok_s);
    if (!st) rest->loss = loss, rest->kld = predicted(ctx, o, plan, loss, s->cache_loss).kld;
    precis_plan_close(&plan);
    return st;
}

/* The weights' types under the budget; those with books of vectors where they lose less, or when nothing else fits.
 * most: what they may take; its `more` is then of the caches' types and buffers. caches: their parts, where they are
 * chosen, too. */
static precis_status plan_weights(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o,
                                  const pcs_caches *caches, shares *most, precis_planning *out)
{
    precis_status st = PRECIS_EBUDGET;
    const bool shared = caches->parts != NULL;
    const uint64_t expected = shared && o->target_ram < most->bytes ? o->target_ram : most->bytes;
    const bool known = o->quant.profile != NULL;
    int books = known && pcs_wants_books(ctx, m, o->quant.method, expected);
    for (; books < 2 && st == PRECIS_EBUDGET; books++) {
        pcs_loss_table *t;
        double loss = 0;
        shares s = *most;
        st = pcs_loss_table_open(ctx, &t, m, &o->quant, books);
        if (!st && o->min_speed > 0) st = pcs_loss_table_limit(t, o->costs, 1 / o->min_speed);
        if (!st && shared) st = share_memory(ctx, t, caches, o->target_ram, out, &s);
        most->more = s.more;
        if (!st && o->max_kld > 0) st = pcs_smallest(ctx, t, &o->quant, o->max_kld, s.bytes, &s.bytes);
        const bool small = o->max_kld > 0 && !shared && !books; /* with them it is smaller */
        if (!st && small && known && pcs_wants_books(ctx, m, o->quant.method, s.bytes)) st = PRECIS_EBUDGET;
        out->solution.size = sizeof out->solution;
        if (!st) st = pcs_loss_table_plan(t, s.bytes, &out->plan, &out->solution, &loss);
        if (!st) {
            const forecast f = predicted(ctx, o, out->plan, loss, s.cache_loss);
            out->kld = f.kld, out->gains = f.gains;
            memcpy(out->interval, f.interval, sizeof f.interval);
        }
        if (!st && o->min_speed > 0) st = without_speed(ctx, t, o, &s, out);
        pcs_loss_table_close(&t);
    }
    return st;
}

/* What is known of a plan that was made: speed, types of the cache, bytes, memory. */
static precis_status describe(precis_ctx *ctx, const precis_model *m, const precis_planning_options *o, uint64_t more,
                              pcs_running *running, precis_planning *out)
{
    precis_status st = PRECIS_OK;
    if (o->costs) {
        precis_costs_info costs = { .size = sizeof costs };
        precis_costs_get_info(o->costs, &costs);
        out->read_bytes_s = costs.read_bytes_s;
        st = precis_costs_predict(o->costs, out->plan, &out->tok_s);
    }
    if (!st && !out->kv && o->quant.kv) {
        const size_t size = strlen(o->quant.kv) + 1;
        if ((out->kv = pcs_alloc(ctx, size, 1))) memcpy(out->kv, o->quant.kv, size);
        else st = PRECIS_ENOMEM;
    }
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    if (!st) st = precis_quant_file_bytes(ctx, m, out->plan, &o->quant, &out->bytes);
    if (!st && info.parameters)
        out->bits_per_weight = 8.0 * (double)precis_plan_bytes(out->plan) / (double)info.parameters;
    if (!st && !more) st = beside_if_it_runs(ctx, m, o, running, &more);
    out->ram = more ? out->bytes + more : 0;
    out->threads = more ? running->threads : 0;
    out->thread_bytes = running->thread;
    return st;
}

precis_status precis_job_plan(precis_ctx *ctx, const precis_model *m, const precis_planning_options *given,
                              precis_planning *out)
{
    precis_planning_options own = PRECIS_PLANNING_OPTIONS_INIT, rest;
    const precis_planning_options *o = &own;
    pcs_options_take(&own, sizeof own, given);
    *out = (precis_planning){ .kld = NAN, .interval = { NAN, NAN }, .tok_s = NAN,
                              .without_speed = { 0, NAN, NAN, NAN } };
    const uint64_t refused = precis_ctx_refused(ctx);
    shares most = { 0 };
    pcs_running running = { 0 };
    bool gains;
    char method[96];
    precis_status st = check(ctx, m, o, &gains, method);
    if (st) return st;
    if (o->max_kld > 0 && !o->quant.profile)
        return pcs_fail(ctx, PRECIS_EINVAL, "a KL divergence can be promised with a profile alone (precis profile)");
    const int64_t known = pcs_arch_int(m, "context_length", 0, NULL);
    if (known > 0 && (int64_t)o->context > known)
        pcs_warn(ctx, "a context of %u tokens, but the model was made for %lld: beyond those it has learnt nothing",
                 o->context, (long long)known);
    pcs_caches caches = { .ctx = NULL };
    own.quant.method = method;
    rest = *o;
    st = o->target_ram || o->context ? beside(ctx, m, o, &running, &most.more) : PRECIS_OK;
    if (!st && o->target_ram && !o->quant.kv)
        st = pcs_caches_open(ctx, &caches, m, o->context, running.work, o->quant.profile);
    if (caches.parts) rest.target_ram = 0; /* it is shared out with them */
    if (!st) st = budget(ctx, m, &rest, most.more, &most.bytes);
    if (!st) st = plan_weights(ctx, m, o, &caches, &most, out);
    pcs_caches_close(&caches);
    if (!st && gains && o->quant.profile && !out->gains)
        pcs_warn(ctx,
                 "the divergence is predicted for search: what %s gains was not measured (precis profile --method %s)",
                 method, method);
    if (!st) st = describe(ctx, m, o, most.more, &running, out);
    st = pcs_with_memory(ctx, refused, st);
    if (st) {
        pcs_free(ctx, out->kv);
        out->kv = NULL;
        precis_planning_close(out);
    }
    return st;
}

void precis_planning_close(precis_planning *p)
{
    if (p->plan) pcs_free(p->plan->model->ctx, p->kv);
    p->kv = NULL;
    precis_plan_close(&p->plan);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static precis_status number(pcs_buf *b, const char *key, double v)
{
    return isfinite(v) ? pcs_buf_printf(b, " \"%s\": %.9g,\n", key, v) : pcs_buf_printf(b, " \"%s\": null,\n", key);
}

static precis_status put_tensors(pcs_buf *b, const precis_plan *plan, const char *method)
{
    precis_status st = pcs_buf_printf(b, " \"tensors\": [");
    for (size_t i = 0; i < plan->n && !st; i++) {
        const pcs_plan_row *row = &plan->rows[i];
        const bool coded = row->to != row->tensor->format && (row->to->kind == PCS_QUANT || row->to->element);
        st = pcs_buf_printf(b, "%s\n  {\"name\": ", i ? "," : "");
        const char *how = coded ? method : row->to == row->tensor->format ? "copy" : "convert";
        if (!st) st = pcs_json_text(b, row->tensor->name, strlen(row->tensor->name));
        if (!st)
            st = pcs_buf_printf(b, ", \"type\": \"%s\", \"method\": \"%s\", \"bytes\": %llu, \"kld\": %.9g}",
                                row->to->name, how, (unsigned long long)row->bytes,
                                isfinite(row->loss) ? row->loss : 0.0);
    }
    return st ? st : pcs_buf_printf(b, "\n ]\n}\n");
}

precis_status precis_planning_save(precis_ctx *ctx, const precis_planning *p,
                                   const precis_planning_options *given, const char *path)
{
    precis_planning_options own = PRECIS_PLANNING_OPTIONS_INIT, *o = &own;
    pcs_options_take(&own, sizeof own, given);
    char hex[65], method[96];
    const char *kv = p->kv ? p->kv : "f16", *split = strchr(kv, ';');
    pcs_method_set set;
    pcs_buf b;
    precis_status st = pcs_methods_parse(ctx, o->quant.method, &set);
    if (!st) st = precis_model_sha256(p->plan->model, hex);
    if (st) return st;
    pcs_methods_name(&set, method, sizeof method);
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    st = pcs_buf_printf(&b,
                        "{\"precis\": \"plan\", \"version\": 1,\n \"model\": \"%s\",\n \"method\": \"%s\",\n \"kv\": "
                        "{\"k\": \"",
                        hex, method);
    if (!st) st = pcs_buf_add(&b, kv, split ? (size_t)(split - kv) : strlen(kv));
    if (!st) st = pcs_buf_printf(&b, "\", \"v\": \"");
    if (!st) st = pcs_buf_add(&b, split ? split + 1 : kv, strlen(split ? split + 1 : kv));
    if (!st)
        st = pcs_buf_printf(&b, "\"},\n \"bytes\": %llu,\n \"ram\": %llu,\n", (unsigned long long)p->bytes,
                            (unsigned long long)p->ram);
    if (!st) st = number(&b, "bits_per_weight", p->bits_per_weight);
    if (!st) st = number(&b, "kld", p->kld);
    if (!st)
        st = isfinite(p->kld) ? pcs_buf_printf(&b, " \"kld_interval\": [%.9g, %.9g],\n", p->interval[0], p->interval[1])
                              : pcs_buf_printf(&b, " \"kld_interval\": null,\n");
    if (!st)
        st = pcs_buf_printf(&b, " \"solver\": {\"loss\": %.9g, \"bound\": %.9g, \"exact\": %s},\n", p->solution.loss,
                            p->solution.bound, p->solution.exact ? "true" : "false");
    if (!st) st = put_tensors(&b, p->plan, method);
    if (!st) st = pcs_write_file(ctx, path, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

typedef struct {
    pcs_json_file in;
    precis_ctx *ctx;
    const precis_model *m;
    char *kind, *model, *method, *k, *v;
    double version;
    pcs_buf types;
    uint8_t *seen;
    size_t n;
} reader;

static precis_status wrong(const reader *r, const char *field, const char *why, const char *value)
{
    char member[64];
    snprintf(member, sizeof member, "tensors[%zu].%s", r->n, field);
    return pcs_fail_at(r->ctx, PRECIS_EFORMAT, (uint64_t)(r->in.t.text - r->in.j.start), member, "%s%s%.60s%s", why,
                       value ? " \"" : "", value ? value : "", value ? "\"" : "");
}

static precis_status read_tensor(void *arg)
{
    reader *r = arg;
    char *name = NULL, *type = NULL;
    precis_status st = PRECIS_OK;
    uint32_t at;
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "name")) st = pcs_json_file_string(&r->in, "tensors[].name", &name);
        else if (pcs_json_is(&r->in.t, "type")) st = pcs_json_file_string(&r->in, "tensors[].type", &type);
        else st = pcs_json_file_skip(&r->in);
    }
    if (st) return st;
    if (!name || !type) return wrong(r, name ? "type" : "name", "is missing", NULL);
    if (!pcs_map_get(&r->m->tensor_map, name, strlen(name), &at))
        return wrong(r, "name", "the model has no tensor", name);
    if (r->seen[at]++) return wrong(r, "name", "comes twice:", name);
    const pcs_format *f = pcs_format_by_name(type);
    if (!f) return wrong(r, "type", "there is no type", type);
    if (f != pcs_resting(&r->m->tensors[at]) &&
        (!pcs_encodable(f) || !pcs_format_fits(f, (uint64_t)r->m->tensors[at].ne[0])))
        return wrong(r, "type", "cannot be written, or does not fit the tensor's rows:", type);
    if (strpbrk(name, "*?=,")) return wrong(r, "name", "holds a sign of patterns:", name);
    r->n++;
    return pcs_buf_printf(&r->types, "%s%s=%s", r->types.len ? "," : "", name, f->name);
}

static precis_status read_kv(reader *r)
{
    precis_status st = pcs_json_expect(&r->in.j, PCS_JSON_OBJECT, &r->in.t, "kv");
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "k")) st = pcs_json_file_string(&r->in, "kv.k", &r->k);
        else if (pcs_json_is(&r->in.t, "v")) st = pcs_json_file_string(&r->in, "kv.v", &r->v);
        else st = pcs_json_file_skip(&r->in);
    }
    /* names only: how many layers there are is for the runner to say */
    for (int i = 0; i < 2 && !st; i++) {
        const char *text = i ? r->v : r->k;
        const pcs_kv_type *one[1];
        size_t n = 1;
        for (const char *p = text; p && *p; p++) n += *p == ',';
        const pcs_kv_type **all = text && n > 1 && n <= PCS_LIMIT_LAYERS ? pcs_arena_alloc(&r->in.own, n, sizeof *all)
                                                                         : one;
        if (text && (n > PCS_LIMIT_LAYERS || strchr(text, ';') || !all || pcs_kv_list(r->ctx, text, 0, n, all)))
            st = pcs_fail_at(r->ctx, PRECIS_EFORMAT, (uint64_t)(r->in.t.text - r->in.j.start), i ? "kv.v" : "kv.k",
                             "\"%.40s\" is no KV type, nor a list of them", text);
    }
    return st;
}

static precis_status check_kind(const reader *r)
{
    if (r->kind && !strcmp(r->kind, "plan")) return PRECIS_OK;
    return pcs_fail_at(r->ctx, PRECIS_EFORMAT, 0, "precis", "this is no plan");
}

/* Whose plan it is, before any of its tensors: those of another model would be told one by one. */
static precis_status check_model(reader *r)
{
    char hex[65];
    const precis_status st = precis_model_sha256(r->m, hex);
    if (st || !strcmp(hex, r->model)) return st;
    return pcs_fail_at(r->ctx, PRECIS_EINVAL, (uint64_t)(r->in.t.text - r->in.j.start), "model",
                       "the plan was made for another model (its tensors have the hash %.16s..., these %.16s...)",
                       r->model, hex);
}

static precis_status read_plan(reader *r)
{
    precis_status st = pcs_json_expect(&r->in.j, PCS_JSON_OBJECT, &r->in.t, "plan");
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "precis")) {
            st = pcs_json_file_string(&r->in, "precis", &r->kind);
            if (!st) st = check_kind(r);
        } else if (pcs_json_is(&r->in.t, "model")) {
            st = pcs_json_file_string(&r->in, "model", &r->model);
            if (!st) st = check_model(r);
        } else if (pcs_json_is(&r->in.t, "method")) st = pcs_json_file_string(&r->in, "method", &r->method);
        else if (pcs_json_is(&r->in.t, "kv")) st = read_kv(r);
        else if (pcs_json_is(&r->in.t, "version")) st = pcs_json_file_number(&r->in, "version", 0, 1e6, &r->version);
        else if (pcs_json_is(&r->in.t, "tensors")) st = pcs_json_file_list(&r->in, "tensors", read_tensor, r);
        else st = pcs_json_file_skip(&r->in);
    }
    if (st) return st;
    if (!r->kind) return check_kind(r);
    if (r->version != 1) return pcs_fail_at(r->ctx, PRECIS_EFORMAT, 0, "version", "%g is not 1", r->version);
    for (size_t i = 0; i < r->m->n_tensors; i++)
        if (!r->seen[i])
            return pcs_fail_at(r->ctx, PRECIS_EFORMAT, 0, "tensors", "the model's tensor %.80s is not among them",
                               r->m->tensors[i].name);
    return PRECIS_OK;
}

static precis_status give(precis_ctx *ctx, const char *s, size_t len, char **out)
{
    if (!(*out = pcs_alloc(ctx, len + 1, 1))) return PRECIS_ENOMEM;
    memcpy(*out, s, len);
    return PRECIS_OK;
}

precis_status precis_plan_read(precis_ctx *ctx, const precis_model *m, const char *path, char **types, char **method,
                               char **kv)
{
    reader r = { .ctx = ctx, .m = m };
    *types = *method = *kv = NULL;
    precis_status st = pcs_json_file_open(&r.in, ctx, path);
    if (st) return st;
    pcs_buf_init(&r.types, ctx, PCS_LIMIT_JSON);
    if (!(r.seen = pcs_alloc(ctx, m->n_tensors + 1, 1))) st = PRECIS_ENOMEM;
    if (!st) st = read_plan(&r);
    if (!st) st = give(ctx, r.types.data ? r.types.data : "", r.types.len, types);
    if (!st && r.method) st = give(ctx, r.method, strlen(r.method), method);
    if (!st && r.k && r.v && (strcmp(r.k, "f16") || strcmp(r.v, "f16"))) {
        const char *both = pcs_arena_printf(&r.in.own, "%s;%s", r.k, r.v);
        st = both ? give(ctx, both, strlen(both), kv) : PRECIS_ENOMEM;
    }
    if (st) {
        pcs_free(ctx, *types);
        pcs_free(ctx, *method);
        *types = *method = NULL;
    }
    pcs_buf_free(&r.types);
    pcs_json_file_close(&r.in);
    pcs_free(ctx, r.seen);
    return st;
}
