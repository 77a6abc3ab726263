/* kernels.c - every kernel row that multiplies weights, beside the limit of this machine. */
#include "base/pool.h"
#include "format/format.h"
#include "measure/costing.h"
#include "measure/machine.h"
#include "kernel/choose.h"
#include "precis/bench.h"

#include <math.h>

enum { WIDTH = 4096, ROWS = 4096, PROMPT = 240 };
#define CACHED ((uint64_t)512 << 10) /* bytes of each thread */

typedef struct { pcs_mp_fn *mp; pcs_mp_args args; size_t scratch_size; } prompt;

static void run_prompt(void *arg, uint32_t ith, uint32_t nth)
{
    const prompt *p = arg;
    pcs_mp_args a = p->args;
    uint64_t begin, end;
    pcs_share(a.n1, 16, ith, nth, &begin, &end);
    a.n0 = begin;
    a.n1 = end;
    a.scratch = (char *)a.scratch + ith * p->scratch_size;
    p->mp(&a);
}

/* Multiplications per second of mp with a prompt. */
static precis_status prompt_speed(pcs_costing *c, const pcs_format *f, pcs_mp_fn *mp, double *speed)
{
    precis_ctx *ctx = c->ctx;
    const size_t chunks = pcs_chunks(WIDTH), rows = 512;
    prompt p = { mp, { 0 }, (pcs_mp_scratch(WIDTH) + 127) / 64 * 64 };
    void *acts = pcs_alloc(ctx, pcs_act_bytes(PROMPT, chunks), 1);
    float *x = pcs_alloc(ctx, (size_t)PROMPT * WIDTH, sizeof *x), *y = pcs_alloc(ctx, (size_t)PROMPT * rows, sizeof *y);
    void *scratch = pcs_alloc(ctx, precis_ctx_threads(ctx), p.scratch_size);
    const precis_status st = acts && x && y && scratch ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        for (size_t i = 0; i < (size_t)PROMPT * WIDTH; i++) x[i] = (float)(i % 17) - 8;
        const pcs_act a = pcs_act_in(acts, PROMPT, chunks);
        c->kernels.quantize_act(&(pcs_quantize_act_args){ x, WIDTH, 0, PROMPT, a });
        pcs_act_interleave(&a, chunks, PROMPT, 0, PROMPT);
        p.args = (pcs_mp_args){ .f = f, .w = c->ring, .row_bytes = pcs_row_bytes(f, WIDTH), .k = WIDTH, .n1 = rows,
                                .m = PROMPT, .act = a, .y = y, .ldy = rows, .scratch = scratch,
                                .packed = pcs_panels_fit(f, WIDTH) };
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
    pcs_free(ctx, scratch);
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
        if ((f->kind != PCS_QUANT && !(f->kind == PCS_FLOAT && mv)) || !pcs_format_portable(f) || f->element) continue;
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
        if (!st && fn(user, &s)) st = pcs_fail(ctx, PRECIS_ECANCELED, "stopped");
    }
    pcs_costing_close(&c);
    return st;
}
