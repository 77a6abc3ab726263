/* bench.c - load, prefill, decode and memory, beside what the machine could do at best. */
#include "base/options.h"
#include "base/pool.h"
#include "graph/arch.h"
#include "graph/kv.h"
#include "measure/machine.h"
#include "measure/parts.h"
#include "measure/threads.h"
#include "precis/bench.h"
#include "precis/session.h"
#include "run/runner.h"

#include <math.h>

/* What the machine has to do at least for a token; seconds are of multiplications at the peak of their kind. */
typedef struct {
    double every, output;    /* with weights: of every token; of one whose logits are wanted */
    double prompt, generate; /* of attention: of a prompt's token (on tiles where weights are), and of a generated one;
                                means */
} work;

typedef struct { const precis_runner *r; const precis_bench_options *o; precis_bench_result *out; work *w; } weighing;

static void weigh_weight(const weighing *of, const pcs_node *n)
{
    const precis_graph *g = of->r->graph;
    const uint32_t route = n->op->route;
    const pcs_value *v = pcs_node_weight(g, n);
    if (!v) return;
    const uint64_t experts = route ? (uint64_t)g->values[n->in[route]].shape[1] / 2 : 1; /* that a token goes to */
    const uint64_t rows = (uint64_t)v->shape[v->dims - 2] * experts, width = (uint64_t)v->shape[v->dims - 1];
    const precis_arithmetic arithmetic = of->o->arithmetic;
    const bool own = v->format->kind == PCS_QUANT || (pcs_for_tiles(arithmetic) && v->format->bytes == 2);
    const bool integers = own && pcs_by_kernels(arithmetic);
    const double speed = integers ? of->out->multiply_s : of->out->fma_s;
    of->out->weight_bytes += rows * pcs_row_bytes(v->format, width);
    *(n->out[0] == of->r->lm.logits ? &of->w->output : &of->w->every) += (double)rows * (double)width / speed;
}

/* Keys that tokens at positions [first, first + n) attend to, in all. */
static double keys_of(uint64_t first, uint64_t n, double window)
{
    double keys = 0;
    for (uint64_t p = first; p < first + n; p++) {
        const double before = (double)(p + 1);
        keys += window > 0 && before > window ? window : before;
    }
    return keys;
}

static void weigh_attention(const weighing *of, const pcs_node *n)
{
    const precis_runner *r = of->r;
    const precis_bench_options *o = of->o;
    const precis_graph *g = r->graph;
    if (!n->op->attends) return;
    const pcs_slot *slots = r->program->slots;
    const pcs_kv *kv = slots[slots[n->in[1]].root].kv;
    uint64_t bytes;
    if (!pcs_kv_bytes(kv, &bytes)) return;
    const double heads = (double)g->values[n->in[0]].shape[1] / kv->kd, each = heads * (kv->kd + kv->vd);
    int64_t back;
    bool causal;
    n->op->attends(n, &back, &causal);
    const double window = (double)back;
    const double behind_prompt = keys_of(o->prompt, o->generate, window), alone = keys_of(0, o->generate, window);
    const double generated = (behind_prompt + (o->sequences - 1) * alone) / ((double)o->generate * o->sequences);
    /* Where it is not causal, each sees all of the call. */
    const double seen = causal ? keys_of(0, o->prompt, window) / o->prompt : o->prompt;
    of->w->prompt += seen * each / (pcs_for_tiles(o->arithmetic) ? of->out->multiply_s : of->out->fma_s);
    of->w->generate += generated * each / of->out->fma_s;
    const double tokens = (double)((uint64_t)kv->pages->most << kv->pages->shift);
    of->out->kv_bytes += (uint64_t)(generated * (double)bytes / tokens);
}

static void weigh(const precis_runner *r, const precis_bench_options *o, precis_bench_result *out, work *w)
{
    out->weight_bytes = out->kv_bytes = 0;
    *w = (work){ 0 };
    const weighing of = { r, o, out, w };
    for (size_t i = 0; i < r->graph->n_nodes; i++) {
        weigh_weight(&of, &r->graph->nodes[i]);
        weigh_attention(&of, &r->graph->nodes[i]);
    }
}

/* ---- the measurement ---------------------------------------------------------------------------- */

enum { ROUNDS = 2 }; /* of the prompt: the first one also brings the weights in */

typedef struct {
    precis_ctx *ctx;
    const precis_bench_options *o;
    precis_runner *r;
    precis_session **sessions;
    uint64_t seed, made;
    precis_status st;
} bench;

static int32_t random_token(void *user, const float *logits, uint32_t vocabulary)
{
    (void)logits;
    return (int32_t)(pcs_rand(&((bench *)user)->seed) % vocabulary);
}

static int on_token(void *user, size_t i, const precis_token *token)
{
    bench *b = user;
    (void)i;
    (void)token;
    if (++b->made % b->o->sequences == 0 && !b->st)
        b->st = pcs_progress(b->ctx, "decode", b->made / b->o->sequences, b->o->generate);
    return b->st != PRECIS_OK;
}

/* Sessions whose tokens are random; the first one reads the prompt. */
static precis_status open_sessions(bench *b)
{
    precis_status st = PRECIS_OK;
    for (uint32_t s = 0; s < b->o->sequences && !st; s++) {
        precis_session_options so = PRECIS_SESSION_OPTIONS_INIT;
        so.sequence = s;
        so.choose = random_token;
        so.user = b;
        so.predict = 0;
        st = precis_session_open(b->ctx, &b->sessions[s], b->r, NULL, &so);
    }
    return st;
}

static void close_sessions(bench *b)
{
    for (uint32_t s = 0; s < b->o->sequences && b->sessions; s++) precis_session_close(&b->sessions[s]);
}

static precis_status read_prompt(bench *b, const int32_t *ids, double *best)
{
    precis_status st = PRECIS_OK;
    for (uint32_t round = 0; round < ROUNDS && !st; round++) {
        st = precis_runner_drop(b->r, 0, 0);
        if (!st) st = precis_session_begin(b->sessions[0], ids, b->o->prompt);
        const double t = pcs_now();
        if (!st) st = precis_session_run(b->sessions, 1, NULL, NULL);
        if (!round || pcs_now() - t < *best) *best = pcs_now() - t;
    }
    return st;
}

static precis_status generate(bench *b)
{
    precis_status st = PRECIS_OK;
    for (uint32_t s = 0; s < b->o->sequences && !st; s++) {
        const int32_t id = random_token(b, NULL, b->r->lm.vocabulary);
        precis_session_set_predict(b->sessions[s], b->o->generate);
        st = precis_session_append(b->sessions[s], &id, 1);
    }
    if (!st) st = precis_session_run(b->sessions, b->o->sequences, on_token, b);
    return st ? st : b->st;
}

/* The prompt and the generation once more, step by step. */
static precis_status by_parts(bench *b, const int32_t *ids)
{
    pcs_parts parts;
    double best;
    precis_status st = pcs_parts_open(&parts, b->r->program);
    close_sessions(b); /* their contexts are full */
    if (!st) st = open_sessions(b);
    for (uint32_t s = 0; s < b->o->sequences && !st; s++) st = precis_runner_drop(b->r, s, 0);
    if (!st) st = read_prompt(b, ids, &best);
    if (!st) pcs_parts_end(&parts, &parts.prompt, ROUNDS);
    if (!st) st = generate(b);
    if (!st) pcs_parts_end(&parts, &parts.token, b->o->generate);
    if (!st) st = pcs_parts_tell(&parts, b->o->part, b->o->user);
    pcs_parts_close(&parts);
    return st;
}

static precis_status measure(precis_ctx *ctx, precis_runner *r, const precis_bench_options *o, precis_bench_result *out)
{
    bench b = { .ctx = ctx, .o = o, .r = r, .seed = ctx->opt.seed };
    int32_t *ids = pcs_alloc(ctx, o->prompt, sizeof *ids);
    b.sessions = pcs_alloc(ctx, o->sequences, sizeof *b.sessions);
    precis_status st = ids && b.sessions ? open_sessions(&b) : PRECIS_ENOMEM;
    for (uint32_t i = 0; i < o->prompt && !st; i++) ids[i] = random_token(&b, NULL, r->lm.vocabulary);
    double best = 0;
    pcs_energy before, after;
    const bool counted = pcs_energy_read(&before);
    if (!st) st = read_prompt(&b, ids, &best);
    out->prefill_tok_s = o->prompt / best;
    out->prefill_j = NAN;
    if (counted && pcs_energy_read(&after))
        out->prefill_j = pcs_energy_since(&before, &after) / ((double)ROUNDS * o->prompt);
    if (counted) before = after;
    const double t = pcs_now();
    if (!st) st = generate(&b);
    const double tokens = (double)o->generate * o->sequences;
    out->decode_tok_s = tokens / (pcs_now() - t);
    out->decode_j = counted && pcs_energy_read(&after) ? pcs_energy_since(&before, &after) / tokens : NAN;
    if (!st && o->part) st = by_parts(&b, ids);
    close_sessions(&b);
    pcs_free(ctx, b.sessions);
    pcs_free(ctx, ids);
    return st;
}

/* What this machine could do at best with the model that was measured, by what it reads and multiplies. */
static precis_status set_limits(const precis_model *m, const precis_runner *r, const precis_bench_options *o,
                                precis_bench_result *result)
{
    precis_ctx *ctx = r->ctx;
    work w;
    const pcs_tensor *big = &m->tensors[0];
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].bytes > big->bytes) big = &m->tensors[i];
    const pcs_file *f = &m->files[big->file];
    const pcs_tiers tiers = pcs_tier_speeds(ctx);
    result->l2_bytes_s = tiers.l2;
    result->l3_bytes_s = tiers.l3;
    result->memory_bytes_s = tiers.memory;
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    const bool tiles = pcs_for_tiles(o->arithmetic);
    result->fma_s = pcs_multiply_speed(ctx, kernels.peakf);
    result->multiply_s = pcs_multiply_speed(ctx, tiles ? kernels.peak_bf16 : kernels.peak);
    if (tiles) result->multiply_s = fmax(result->multiply_s, result->fma_s);
    weigh(r, o, result, &w);
    /* A large file's pages are small, unlike those of panels. */
    result->read_bytes_s = fmax(pcs_read_speed(ctx, f->map, f->size), tiers.memory);
    if (result->weight_bytes < (uint64_t)512 << 20) { /* some lie in the cache */
        const double panels = pcs_panels_speed(ctx, result->weight_bytes);
        result->read_bytes_s = fmax(result->read_bytes_s, panels);
    }
    /* Weights are read once for all sequences. */
    const double bytes = (double)result->weight_bytes / o->sequences + (double)result->kv_bytes;
    const double read = bytes / result->read_bytes_s;
    result->limit_decode_tok_s = 1.0 / fmax(read, w.every + w.output + w.generate);
    result->limit_prefill_tok_s = 1.0 / (w.every + w.output / o->prompt + w.prompt);
    return pcs_scaling_estimate(r->program, (double)result->weight_bytes, result->read_bytes_s, result);
}

precis_status precis_bench(precis_ctx *ctx, const char *path, const precis_bench_options *opts,
                           precis_bench_result *result)
{
    precis_bench_options o = PRECIS_BENCH_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    precis_bench_result all = { .size = sizeof all };
    if (!o.prompt) o.prompt = 512;
    if (!o.generate) o.generate = 64;
    if (!o.sequences) o.sequences = 1;
    precis_model *m = NULL;
    precis_runner *r = NULL;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.context = o.prompt + o.generate;
    ro.k_type = o.k_type;
    ro.v_type = o.v_type;
    ro.pack = o.pack;
    ro.sequences = ro.outputs = o.sequences;
    const double t = pcs_now();
    precis_status st = precis_model_open_to_run(ctx, &m, path);
    if (!st) {
        all.arithmetic = ro.arithmetic = o.arithmetic = precis_arithmetic_for(ctx, m, o.arithmetic);
        const uint32_t most = pcs_usual_batch(o.arithmetic), batch = o.prompt < most ? o.prompt : most;
        ro.batch = batch < o.sequences ? o.sequences : batch;
        st = precis_runner_open(ctx, &r, m, &ro);
    }
    all.load_ms = 1000 * (pcs_now() - t);
    if (!st) st = measure(ctx, r, &o, &all);
    if (!st) st = precis_runner_check(r);
    if (!st) {
        all.rss_bytes = pcs_peak_memory(); /* before the file is read as a whole, for its limit */
        st = set_limits(m, r, &o, &all);
    }
    precis_runner_close(&r);
    precis_model_close(&m);
    pcs_options_give(result, &all, sizeof all);
    return st;
}
