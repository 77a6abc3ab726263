/* bench.c - load, prefill, decode and memory, beside what the machine could do at best. */
#include "base/pool.h"
#include "graph/arch.h"
#include "job/limits.h"
#include "job/scaling.h"
#include "precis/bench.h"
#include "run/runner.h"

#include <math.h>

/* Bytes that a token reads, and seconds that its multiplications take at the peak of their kind: in every token, and for
 * the logits of one. */
static void weigh(const precis_graph *g, const pcs_lm *lm, precis_arithmetic arithmetic, precis_bench_result *r, double *every, double *output)
{
    r->weight_bytes = 0;
    *every = *output = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_node *n = &g->nodes[i];
        if (strcmp(n->op->name, "matmul") || g->values[n->in[1]].node < 0) continue;
        const pcs_value *w = &g->values[g->nodes[g->values[n->in[1]].node].in[0]];
        r->weight_bytes += (uint64_t)w->shape[0] * pcs_row_bytes(w->format, (uint64_t)w->shape[1]);
        const bool integers = arithmetic == PRECIS_FAST && w->format->kind == PCS_QUANT;
        *(n->out == lm->logits ? output : every) += (double)w->shape[0] * (double)w->shape[1] / (integers ? r->multiply_s : r->fma_s);
    }
}

/* ---- the measurement ---------------------------------------------------------------------------- */

static precis_status measure(precis_ctx *ctx, precis_runner *r, const precis_bench_options *o, precis_bench_result *out)
{
    precis_row *rows = pcs_alloc(ctx, (size_t)o->prompt + o->sequences + 1, sizeof *rows);
    if (!rows) return PRECIS_ENOMEM;
    uint64_t seed = ctx->opt.seed;
    for (uint32_t i = 0; i < o->prompt; i++) rows[i] = (precis_row){ (int32_t)(pcs_rand(&seed) % r->lm.vocabulary), i, 0, 0 };
    const float *logits;
    double best = 1e30;
    precis_status st = PRECIS_OK;
    pcs_energy before, after;
    const bool counted = pcs_energy_read(&before);
    for (int round = 0; round < 2 && !st; round++) { /* the first one also brings the weights in */
        const double t = pcs_now();
        for (uint32_t at = 0; at < o->prompt && !st; at += r->batch) {
            const uint32_t n = o->prompt - at < r->batch ? o->prompt - at : r->batch;
            rows[at + n - 1].want = at + n == o->prompt;
            st = precis_runner_decode(r, rows + at, n, &logits);
            if (!st) st = pcs_progress(ctx, "prefill", (uint64_t)round * o->prompt + at + n, 2ull * o->prompt);
        }
        if (pcs_now() - t < best) best = pcs_now() - t;
    }
    out->prefill_tok_s = o->prompt / best;
    out->prefill_j = counted && pcs_energy_read(&after) ? pcs_energy_since(&before, &after) / (2.0 * o->prompt) : NAN;
    if (counted) before = after;
    const double t = pcs_now();
    for (uint32_t i = 0; i < o->generate && !st; i++) {
        for (uint32_t s = 0; s < o->sequences; s++) rows[s] = (precis_row){ (int32_t)(pcs_rand(&seed) % r->lm.vocabulary), s ? i : o->prompt + i, s, 1 };
        st = precis_runner_decode(r, rows, o->sequences, &logits);
        if (!st) st = pcs_progress(ctx, "decode", i + 1, o->generate);
    }
    out->decode_tok_s = (double)o->generate * o->sequences / (pcs_now() - t);
    out->decode_j = counted && pcs_energy_read(&after) ? pcs_energy_since(&before, &after) / ((double)o->generate * o->sequences) : NAN;
    pcs_free(ctx, rows);
    return st;
}

precis_status precis_bench(precis_ctx *ctx, const char *path, const precis_bench_options *opts, precis_bench_result *result)
{
    static const precis_bench_options defaults = PRECIS_BENCH_OPTIONS_INIT;
    precis_bench_options o = opts ? *opts : defaults;
    *result = (precis_bench_result){ .size = result->size };
    if (!o.prompt) o.prompt = 512;
    if (!o.generate) o.generate = 64;
    if (!o.sequences) o.sequences = 1;
    precis_model *m = NULL;
    precis_runner *r = NULL;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = o.arithmetic;
    ro.context = o.prompt + o.generate;
    ro.batch = o.prompt < 256 ? o.prompt : 256;
    ro.k_type = o.k_type;
    ro.v_type = o.v_type;
    ro.pack = o.pack;
    ro.sequences = ro.outputs = o.sequences;
    if (ro.batch < o.sequences) ro.batch = o.sequences;
    const double t = pcs_now();
    precis_status st = precis_model_open_to_run(ctx, &m, path);
    if (!st) st = precis_runner_open(ctx, &r, m, &ro);
    result->load_ms = 1000 * (pcs_now() - t);
    if (!st) st = measure(ctx, r, &o, result);
    if (!st) {
        result->rss_bytes = pcs_peak_memory(); /* before the file is read as a whole, for its limit */
        double every, output;
        const pcs_tensor *big = &m->tensors[0];
        for (size_t i = 0; i < m->n_tensors; i++)
            if (m->tensors[i].bytes > big->bytes) big = &m->tensors[i];
        const pcs_file *f = &m->files[big->file];
        const pcs_tiers tiers = pcs_tier_speeds(ctx);
        result->l2_bytes_s = tiers.l2;
        result->l3_bytes_s = tiers.l3;
        result->memory_bytes_s = tiers.memory;
        result->multiply_s = pcs_multiply_speed(ctx, "peak");
        result->fma_s = pcs_multiply_speed(ctx, "peakf");
        weigh(r->graph, &r->lm, o.arithmetic, result, &every, &output);
        result->read_bytes_s = fmax(pcs_read_speed(ctx, f->map, f->size), tiers.memory); /* a large file's pages are small, unlike those of panels */
        if (result->weight_bytes < (uint64_t)512 << 20) result->read_bytes_s = fmax(result->read_bytes_s, pcs_panels_speed(ctx, result->weight_bytes)); /* some lie in the cache */
        result->limit_decode_tok_s = 1.0 / fmax((double)result->weight_bytes / result->read_bytes_s / o.sequences, every + output); /* weights are read once for all sequences */
        result->limit_prefill_tok_s = 1.0 / (every + output / o.prompt);
        pcs_scaling_estimate(r->program, (double)result->weight_bytes, result->read_bytes_s, result);
    }
    precis_runner_close(&r);
    precis_model_close(&m);
    return st;
}
