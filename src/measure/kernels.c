/* kernels.c - every kernel row that multiplies weights, beside the limit of this machine. */
#include "base/pool.h"
#include "format/format.h"
#include "measure/costing.h"
#include "measure/machine.h"
#include "kernel/choose.h"
#include "precis/bench.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 4096, ROWS = 4096, PROMPT = 240 };
#define CACHED ((uint64_t)512 << 10) /* bytes of each thread */

/* A prompt by a weight whose rows are shared out to threads. */
typedef struct prompt {
    uint64_t rows;
    char *scratch;
    size_t scratch_size; /* of a thread */
    void (*multiply)(const struct prompt *p, uint64_t begin, uint64_t end, void *scratch);
    pcs_mp_fn *mp;
    pcs_mp_args exact;
    pcs_mp_bf16_fn *mp_bf16;
    pcs_mp_bf16_args tiles;
    pcs_mp_int8_fn *mp_int8;
    pcs_mp_int8_args whole;
} prompt;

static void multiply_exact(const prompt *p, uint64_t begin, uint64_t end, void *scratch)
{
    pcs_mp_args a = p->exact;
    a.n0 = begin, a.n1 = end, a.scratch = scratch;
    p->mp(&a);
}

static void multiply_bf16(const prompt *p, uint64_t begin, uint64_t end, void *scratch)
{
    pcs_mp_bf16_args a = p->tiles;
    a.n0 = begin, a.n1 = end, a.scratch = scratch;
    p->mp_bf16(&a);
}

static void multiply_int8(const prompt *p, uint64_t begin, uint64_t end, void *scratch)
{
    pcs_mp_int8_args a = p->whole;
    a.n0 = begin, a.n1 = end, a.scratch = scratch;
    p->mp_int8(&a);
}

static void run_prompt(void *arg, uint32_t ith, uint32_t nth)
{
    const prompt *p = arg;
    uint64_t begin, end;
    pcs_share(p->rows, 16, ith, nth, &begin, &end);
    if (begin < end) p->multiply(p, begin, end, p->scratch + ith * p->scratch_size);
}

/* Multiplications per second of mp with a prompt. */
static precis_status prompt_speed(pcs_costing *c, const pcs_format *f, pcs_mp_fn *mp, double *speed)
{
    precis_ctx *ctx = c->ctx;
    const size_t chunks = pcs_chunks(WIDTH), rows = 512;
    prompt p = { .rows = rows, .multiply = multiply_exact, .mp = mp };
    p.scratch_size = (pcs_mp_scratch(WIDTH) + 127) / 64 * 64;
    void *acts = pcs_alloc(ctx, pcs_act_bytes(PROMPT, chunks), 1);
    float *x = pcs_alloc(ctx, (size_t)PROMPT * WIDTH, sizeof *x), *y = pcs_alloc(ctx, (size_t)PROMPT * rows, sizeof *y);
    p.scratch = pcs_alloc(ctx, precis_ctx_threads(ctx), p.scratch_size);
    const precis_status st = acts && x && y && p.scratch ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        for (size_t i = 0; i < (size_t)PROMPT * WIDTH; i++) x[i] = (float)(i % 17) - 8;
        const pcs_act a = pcs_act_in(acts, PROMPT, chunks);
        c->kernels.quantize_act(&(pcs_quantize_act_args){ x, WIDTH, 0, PROMPT, a });
        pcs_act_interleave(&a, chunks, PROMPT, 0, PROMPT);
        p.exact = (pcs_mp_args){ .f = f, .w = c->ring, .row_bytes = pcs_row_bytes(f, WIDTH), .k = WIDTH, .m = PROMPT,
                                 .act = a, .y = y, .ldy = rows, .packed = pcs_panels_fit(f, WIDTH) };
        double best = 1e30;
        for (int i = 0; i < 4; i++) {
            const double begun = pcs_now();
            pcs_run(ctx, run_prompt, &p);
            best = pcs_now() - begun < best ? pcs_now() - begun : best;
        }
        *speed = (double)PROMPT * WIDTH * (double)rows / best;
    }
    pcs_free(ctx, acts);
    pcs_free(ctx, x);
    pcs_free(ctx, y);
    pcs_free(ctx, p.scratch);
    return st;
}

enum { TURNS = 5, DEPTH = 2048, WIDE = 2048, MANY = 512 };

/* An arithmetic whose activations are made before: bytes of them and of scratch; it makes them of x [MANY][DEPTH]. */
typedef struct {
    uint64_t act_bytes;
    size_t scratch;
    void (*make)(const pcs_costing *c, const pcs_format *f, const float *x, void *act, float *y, prompt *p);
    pcs_peak_fn *peak;
} way;

static void make_bf16(const pcs_costing *c, const pcs_format *f, const float *x, void *act, float *y, prompt *p)
{
    c->kernels.act_bf16(&(pcs_act_bf16_args){ x, DEPTH, MANY, 0, MANY, act, 0 });
    p->multiply = multiply_bf16;
    p->mp_bf16 = c->kernels.mp_bf16;
    p->tiles = (pcs_mp_bf16_args){ .f = f, .w = c->ring, .row_bytes = pcs_row_bytes(f, DEPTH), .k = DEPTH, .m = MANY,
                                   .act = act, .y = y, .ldy = WIDE, .packed = pcs_panels_fit(f, DEPTH) };
}

static void make_int8(const pcs_costing *c, const pcs_format *f, const float *x, void *act, float *y, prompt *p)
{
    const pcs_act_int8 codes = pcs_act_int8_in(act, MANY, DEPTH);
    c->kernels.act_int8(&(pcs_act_int8_args){ x, DEPTH, MANY, 0, MANY, codes });
    p->multiply = multiply_int8;
    p->mp_int8 = c->kernels.mp_int8;
    p->whole = (pcs_mp_int8_args){ .f = f, .w = c->ring, .row_bytes = pcs_row_bytes(f, DEPTH), .k = DEPTH, .m = MANY,
                                   .act = codes, .y = y, .ldy = WIDE, .packed = pcs_panels_fit(f, DEPTH) };
}

/* Multiplications per second of an arithmetic with a prompt, and of its products in registers in the same moments:
 * others' load changes both, so that each is the median of turns. */
static precis_status way_speed(pcs_costing *c, const pcs_format *f, const way *of, double *speed, double *limit)
{
    precis_ctx *ctx = c->ctx;
    prompt p = { .rows = WIDE, .scratch_size = (of->scratch + 127) / 64 * 64 };
    void *act = pcs_alloc(ctx, of->act_bytes, 1);
    float *x = pcs_alloc(ctx, (size_t)MANY * DEPTH, sizeof *x), *y = pcs_alloc(ctx, (size_t)MANY * WIDE, sizeof *y);
    p.scratch = pcs_alloc(ctx, precis_ctx_threads(ctx), p.scratch_size);
    const precis_status st = act && x && y && p.scratch ? PRECIS_OK : PRECIS_ENOMEM;
    double speeds[TURNS], limits[TURNS];
    for (size_t k = 0; k < (size_t)MANY * DEPTH && !st; k++) x[k] = (float)(k % 17) - 8;
    if (!st) of->make(c, f, x, act, y, &p);
    for (int i = -1; i < TURNS && !st; i++) { /* the first one warms up */
        const double begun = pcs_now();
        pcs_run(ctx, run_prompt, &p);
        const double took = pcs_now() - begun;
        if (i < 0) continue;
        speeds[i] = (double)MANY * DEPTH * WIDE / took;
        limits[i] = pcs_multiply_speed(ctx, of->peak);
    }
    if (!st) {
        qsort(speeds, TURNS, sizeof *speeds, pcs_ascending);
        qsort(limits, TURNS, sizeof *limits, pcs_ascending);
        *speed = speeds[TURNS / 2];
        *limit = limits[TURNS / 2];
    }
    pcs_free(ctx, act);
    pcs_free(ctx, x);
    pcs_free(ctx, y);
    pcs_free(ctx, p.scratch);
    return st;
}

/* A format whose weights the arithmetic bf16 multiplies on tiles, where a machine has them. */
static bool on_tiles(const pcs_costing *c, const pcs_format *f)
{
    return (c->ctx->cpu & PCS_CPU_AMX) && (f->kind == PCS_QUANT || f->bytes == 2);
}

/* A prompt in the arithmetics bf16, where this machine has its tiles, and int8, of formats that they are for. */
static precis_status arithmetics_speed(pcs_costing *c, const pcs_format *f, precis_kernel_speed *s)
{
    const way bf16 = { pcs_act_bf16_bytes(MANY, DEPTH), pcs_mp_bf16_scratch(DEPTH), make_bf16,
                       c->kernels.peak_bf16 };
    const way int8 = { pcs_act_int8_bytes(MANY, DEPTH), pcs_mp_int8_scratch(DEPTH), make_int8, c->kernels.peak };
    precis_status st = PRECIS_OK;
    if (on_tiles(c, f)) st = way_speed(c, f, &bf16, &s->tiles, &s->limit_tiles);
    if (!st && f->codes_row) st = way_speed(c, f, &int8, &s->int8, &s->limit_int8);
    return st;
}

precis_status precis_bench_kernels(precis_ctx *ctx, precis_kernel_fn *fn, void *user)
{
    pcs_costing c;
    precis_status st = pcs_costing_open(ctx, &c, PCS_RING);
    const uint64_t cached = CACHED * precis_ctx_threads(ctx);
    const double peak = st ? 0 : pcs_multiply_speed(ctx, c.kernels.peak);
    double memory = st ? 0 : pcs_read_speed(ctx, c.ring, PCS_RING), cache = 0;
    for (int i = 0; i < 50 && !st; i++) { /* short: the best of many */
        const double s = pcs_read_speed(ctx, c.ring, cached);
        cache = s > cache ? s : cache;
    }
    for (size_t i = 0; pcs_formats[i] && !st; i++) {
        const pcs_format *f = pcs_formats[i];
        const bool mv = pcs_has_few(&c.kernels, f, WIDTH);
        const pcs_operation op = !mv ? PCS_DO_mp : f->kind == PCS_FLOAT ? PCS_DO_mvf : PCS_DO_mv;
        precis_kernel_speed s = { .size = sizeof s, .type = f->name, .kernel = mv ? "mv" : "mp" };
        s.limit_memory = memory;
        s.limit_cache = cache;
        s.limit_multiply = peak;
        double seconds = 0;
        if ((f->kind != PCS_QUANT && !(f->kind == PCS_FLOAT && mv)) || f->element) continue;
        if (!pcs_format_portable(f) && !f->codes_row && !mv) continue;
        const double bytes = (double)pcs_row_bytes(f, WIDTH); /* as files have them, where panels have more */
        const uint64_t few = (uint64_t)((double)cached / bytes) / 32 * 16;
        s.isa = pcs_kernel_find(op, mv ? f : NULL, ctx->cpu)->isa;
        const pcs_matrix large = { f, mv ? ROWS : 256, WIDTH, PCS_RING, PCS_PASSES };
        const pcs_matrix small = { f, few ? few : 16, WIDTH, cached, PCS_PASSES };
        st = pcs_costing_measure(&c, &large, &seconds);
        if (!st) s.memory = bytes * (double)large.rows / seconds;
        if (!st) memory = fmax(memory, pcs_read_speed(ctx, c.ring, PCS_RING)); /* other guests leave more or less */
        s.limit_memory = memory;
        if (!st && mv) st = pcs_costing_measure(&c, &small, &seconds);
        if (!st && mv) s.cache = bytes * (double)small.rows / seconds;
        if (!st && f->kind == PCS_QUANT) {
            const pcs_kernel *chosen = pcs_kernel_find(PCS_DO_mp, NULL, pcs_mp_levels(ctx, f));
            s.multiply_isa = chosen->isa;
            st = prompt_speed(&c, f, chosen->run.mp, &s.multiply);
        }
        if (!st) st = arithmetics_speed(&c, f, &s);
        if (!st && fn(user, &s)) st = pcs_fail(ctx, PRECIS_ECANCELED, "stopped");
    }
    pcs_costing_close(&c);
    return st;
}
