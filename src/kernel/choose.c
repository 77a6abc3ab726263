/* choose.c - a race between two levels for one format. */
#include "kernel/choose.h"

#include <stdatomic.h>

enum { WIDTH = 2048, ROWS = 64, TOKENS = 4 * PCS_TILE, TURNS = 16, PATTERN = 0x11 }; /* as f16 it is 0.0006 */

static const pcs_kernel *next_row(const pcs_kernel *k, pcs_operation op, unsigned cpu)
{
    while (k->name && (k->op != op || k->format || (k->needs & cpu) != k->needs)) k++;
    return k->name ? k : NULL;
}

unsigned pcs_levels_by_race(const pcs_races *r, const pcs_format *f, unsigned cpu)
{
    const pcs_kernel *best = next_row(r->table, r->op, cpu);
    while (best && (best->needs & r->doubted)) {
        const pcs_kernel *below = next_row(best + 1, r->op, cpu & ~best->needs);
        double seconds[2] = { 0, 0 };
        if (below) r->race(r->user, (const pcs_kernel *const[]){ best, below }, f, seconds);
        if (!(seconds[1] > 0 && seconds[0] > 1.05 * seconds[1])) break;
        cpu &= ~(best->needs & r->doubted);
        best = below;
    }
    return cpu;
}

/* Weights, activations and results of the race. */
typedef struct {
    uint8_t *w;
    void *acts, *scratch;
    float *x, *y;
} track;

static void race_mp(void *user, const pcs_kernel *const rows[2], const pcs_format *f, double seconds[2])
{
    precis_ctx *ctx = user;
    const pcs_kernels k = pcs_kernels_for(ctx->cpu);
    const size_t chunks = pcs_chunks(WIDTH);
    const bool packed = pcs_has_panels(f, WIDTH);
    const uint64_t bytes = packed ? pcs_panels_bytes(f, WIDTH, ROWS) : ROWS * pcs_row_bytes(f, WIDTH) + 64;
    track t = { pcs_alloc_large(ctx, bytes), pcs_alloc(ctx, pcs_act_bytes(TOKENS, chunks), 1),
                pcs_alloc(ctx, pcs_mp_scratch(WIDTH) + 128, 1), pcs_alloc(ctx, TOKENS * WIDTH, sizeof(float)),
                pcs_alloc(ctx, TOKENS * ROWS, sizeof(float)) };
    if (t.w && t.acts && t.scratch && t.x && t.y) {
        memset(t.w, PATTERN, bytes);
        for (size_t i = 0; i < TOKENS * WIDTH; i++) t.x[i] = (float)(i % 17) - 8;
        const pcs_act a = pcs_act_in(t.acts, TOKENS, chunks);
        k.quantize_act(&(pcs_quantize_act_args){ t.x, WIDTH, 0, TOKENS, a });
        pcs_act_interleave(&a, chunks, TOKENS, 0, TOKENS);
        const pcs_mp_args args = {
            f, t.w, pcs_row_bytes(f, WIDTH), WIDTH, 0, ROWS, TOKENS, a, t.y, ROWS, NULL, t.scratch, packed
        };
        for (int i = 0; i < 2 * TURNS; i++) {
            const double begun = pcs_now();
            rows[i % 2]->run.mp(&args);
            const double took = pcs_now() - begun;
            if (i < 2 || took < seconds[i % 2]) seconds[i % 2] = took;
        }
    }
    pcs_free(ctx, t.w);
    pcs_free(ctx, t.acts);
    pcs_free(ctx, t.scratch);
    pcs_free(ctx, t.x);
    pcs_free(ctx, t.y);
}

/* Bits of levels that are slower, and KNOWN: two threads that measure at a time do no harm. */
static _Atomic(unsigned) slower[PCS_KERNEL_IDS];
static const unsigned KNOWN = 1u << 31;

static bool doubted(const precis_ctx *ctx, const pcs_format *f)
{
    return (ctx->cpu & PCS_CPU_DOUBTED) && f->id < PCS_KERNEL_IDS && pcs_format_fits(f, WIDTH);
}

unsigned pcs_mp_levels(precis_ctx *ctx, const pcs_format *f)
{
    if (!doubted(ctx, f) || ctx->memory.counting) return ctx->cpu;
    unsigned s = atomic_load_explicit(&slower[f->id], memory_order_relaxed);
    if (!(s & KNOWN)) {
        const pcs_races races = { pcs_kernel_table, PCS_DO_mp, PCS_CPU_DOUBTED, race_mp, ctx };
        s = KNOWN | (ctx->cpu & ~pcs_levels_by_race(&races, f, ctx->cpu));
        atomic_store_explicit(&slower[f->id], s, memory_order_relaxed);
    }
    return ctx->cpu & ~s;
}

const char *pcs_mp_level(precis_ctx *ctx, const pcs_format *f)
{
    return doubted(ctx, f) ? pcs_kernel_find(PCS_DO_mp, NULL, pcs_mp_levels(ctx, f))->isa : NULL;
}

void pcs_mp_decide(precis_ctx *ctx, const pcs_format *f, const char *level)
{
    const unsigned masks[] = { 0, ctx->cpu & PCS_CPU_DOUBTED };
    if (!doubted(ctx, f)) return;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        if (!strcmp(pcs_kernel_find(PCS_DO_mp, NULL, ctx->cpu & ~masks[i])->isa, level)) {
            atomic_store_explicit(&slower[f->id], KNOWN | masks[i], memory_order_relaxed);
            return;
        }
}
