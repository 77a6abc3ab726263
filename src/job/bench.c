/* bench.c - load, prefill, decode and memory, beside what the machine could do at best. */
#include "base/pool.h"
#include "graph/arch.h"
#include "kernel/kernel.h"
#include "precis/job.h"
#include "run/runner.h"

#include <sys/resource.h>

/* ---- limits ------------------------------------------------------------------------------------- */

typedef struct { const uint8_t *data; uint64_t len; uint64_t sums[256]; } reading;

static void read_region(void *arg, uint32_t ith, uint32_t nth)
{
    reading *r = arg;
    const uint64_t begin = r->len / 64 * ith / nth * 64, end = r->len / 64 * (ith + 1) / nth * 64;
    uint64_t s[8] = { 0 };
    for (uint64_t i = begin; i < end; i += 64)
        for (int k = 0; k < 8; k++) {
            uint64_t v;
            memcpy(&v, r->data + i + 8 * (uint64_t)k, 8);
            s[k] += v;
        }
    for (int k = 0; k < 8; k++) r->sums[ith] += s[k];
}

/* Bytes per second that all threads together read: the best of three. */
static double read_speed(precis_ctx *ctx, const uint8_t *data, uint64_t len)
{
    double best = 0;
    for (int i = 0; i < 3; i++) {
        reading r = { .data = data, .len = len };
        const double t = pcs_now();
        pcs_run(ctx, read_region, &r);
        const double s = (double)len / (pcs_now() - t);
        if (s > best) best = s;
    }
    return best;
}

enum { K = 1024, N = 32, M = 64, TIMES = 20 };

typedef struct { pcs_kernel_fn *mm; const pcs_mm_args *args; char *scratch; size_t scratch_size; float *y; } multiplying;

static void multiply_region(void *arg, uint32_t ith, uint32_t nth)
{
    (void)nth;
    const multiplying *m = arg;
    pcs_mm_args a = *m->args;
    a.scratch = m->scratch + ith * m->scratch_size;
    a.y = m->y + (size_t)ith * N * M;
    for (int i = 0; i < TIMES; i++) m->mm(&a);
}

/* Multiplications per second of the int8 kernel on data that stay in the cache. */
static precis_status multiply_speed(precis_ctx *ctx, double *best)
{
    const pcs_format *f = pcs_format_by_name("Q8_0");
    const size_t threads = precis_ctx_threads(ctx), row = K / f->block * f->bytes, scratch = (pcs_mm_scratch(K) + 127) / 64 * 64;
    uint8_t *w = pcs_alloc(ctx, N, row);
    float *y = pcs_alloc(ctx, threads * N * M, sizeof *y), *x = pcs_alloc(ctx, (size_t)K * M, sizeof *x);
    char *mem = pcs_alloc(ctx, threads, scratch), *act = pcs_alloc(ctx, (size_t)M * pcs_chunks(K) * (PCS_CHUNK + 96) + 64, 1);
    const bool ok = w && y && x && mem && act;
    *best = 0;
    if (ok) {
        const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
        const pcs_act a = { (int8_t *)act, (float *)(void *)(act + (size_t)M * pcs_chunks(K) * PCS_CHUNK),
                            (float *)(void *)(act + (size_t)M * pcs_chunks(K) * (PCS_CHUNK + 32)) };
        kernels.quantize_act(&(pcs_quantize_act_args){ x, K, 0, M, a });
        const pcs_mm_args args = { f, w, row, K, 0, N, M, a, y, N, NULL, NULL };
        const multiplying m = { kernels.mm, &args, mem, scratch, y };
        for (int i = 0; i < 3; i++) {
            const double t = pcs_now();
            pcs_run(ctx, multiply_region, (void *)&m);
            const double s = (double)K * N * M * TIMES * (double)pcs_run_threads(ctx) / (pcs_now() - t);
            if (s > *best) *best = s;
        }
    }
    pcs_free(ctx, w);
    pcs_free(ctx, y);
    pcs_free(ctx, x);
    pcs_free(ctx, mem);
    pcs_free(ctx, act);
    return ok ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Bytes and multiplications of the matmuls of one token. */
static void weigh(const precis_graph *g, const pcs_lm *lm, uint64_t *bytes, double *every, double *output)
{
    *bytes = 0;
    *every = *output = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_node *n = &g->nodes[i];
        if (strcmp(n->op->name, "matmul") || g->values[n->in[1]].node < 0) continue;
        const pcs_value *w = &g->values[g->nodes[g->values[n->in[1]].node].in[0]];
        *bytes += (uint64_t)w->shape[0] * (uint64_t)w->shape[1] / w->format->block * w->format->bytes;
        *(n->out == lm->logits ? output : every) += (double)w->shape[0] * (double)w->shape[1];
    }
}

/* ---- the measurement ---------------------------------------------------------------------------- */

static precis_status measure(precis_ctx *ctx, precis_runner *r, const precis_bench_options *o, precis_bench_result *out)
{
    precis_row *rows = pcs_alloc(ctx, o->prompt + 1, sizeof *rows);
    if (!rows) return PRECIS_ENOMEM;
    uint64_t seed = ctx->opt.seed;
    for (uint32_t i = 0; i < o->prompt; i++) rows[i] = (precis_row){ (int32_t)(pcs_rand(&seed) % r->lm.vocabulary), i, 0, 0 };
    const float *logits;
    double best = 1e30;
    precis_status st = PRECIS_OK;
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
    const double t = pcs_now();
    for (uint32_t i = 0; i < o->generate && !st; i++) {
        const precis_row row = { (int32_t)(pcs_rand(&seed) % r->lm.vocabulary), o->prompt + i, 0, 1 };
        st = precis_runner_decode(r, &row, 1, &logits);
        if (!st) st = pcs_progress(ctx, "decode", i + 1, o->generate);
    }
    out->decode_tok_s = o->generate / (pcs_now() - t);
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
    precis_model *m = NULL;
    precis_runner *r = NULL;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = o.arithmetic;
    ro.context = o.prompt + o.generate;
    ro.batch = o.prompt < 512 ? o.prompt : 512;
    ro.k_type = o.k_type;
    ro.v_type = o.v_type;
    const double t = pcs_now();
    precis_status st = precis_model_open(ctx, &m, path);
    if (!st) st = precis_runner_open(ctx, &r, m, &ro);
    result->load_ms = 1000 * (pcs_now() - t);
    if (!st) st = measure(ctx, r, &o, result);
    double every, output;
    if (!st) {
        weigh(r->graph, &r->lm, &result->weight_bytes, &every, &output);
        const pcs_tensor *big = &m->tensors[0];
        for (size_t i = 0; i < m->n_tensors; i++)
            if (m->tensors[i].bytes > big->bytes) big = &m->tensors[i];
        const pcs_file *f = &m->files[big->file];
        result->read_bytes_s = read_speed(ctx, f->map, f->size);
        st = multiply_speed(ctx, &result->multiply_s);
    }
    if (!st) {
        result->limit_decode_tok_s = result->read_bytes_s / (double)result->weight_bytes;
        result->limit_prefill_tok_s = result->multiply_s / (every + output / o.prompt);
        struct rusage u;
        if (!getrusage(RUSAGE_SELF, &u)) result->rss_bytes = (uint64_t)u.ru_maxrss * 1024;
    }
    precis_runner_close(&r);
    precis_model_close(&m);
    return st;
}
