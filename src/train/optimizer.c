/* optimizer.c - the table of optimizers, and the norm of all gradients. */
#include "train/optimizer.h"

#include "base/builtins.h"
#include "base/pool.h"

#include <stdlib.h>

#define OPTIMIZER(name) extern const pcs_optimizer pcs_optimizer_##name;
#include "train/optimizers.def"
#undef OPTIMIZER

const pcs_optimizer *const pcs_optimizers[] = {
#define OPTIMIZER(name) &pcs_optimizer_##name,
#include "train/optimizers.def"
#undef OPTIMIZER
    NULL,
};

const pcs_optimizer *pcs_optimizer_by_name(const char *name)
{
    for (size_t i = 0; pcs_optimizers[i]; i++)
        if (!strcmp(pcs_optimizers[i]->name, name)) return pcs_optimizers[i];
    return NULL;
}

/* Squares are summed in doubles: 64 numbers at a time by any thread, and those sums in ascending order by one, so
 * that the norm has the same bits for any number of threads. */
enum { SQUARES = 64 };
typedef struct { const float *g; size_t n; double *parts; } squares;

static void squares_of(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const squares *j = arg;
    for (uint64_t p = begin; p < end; p++) {
        const size_t from = (size_t)p * SQUARES, to = j->n - from < SQUARES ? j->n : from + SQUARES;
        double part = 0;
        for (size_t k = from; k < to; k++) part += (double)j->g[k] * j->g[k];
        j->parts[p] = part;
    }
}

/* The sum of all squares; parts: room for those of the largest. */
static double sum_of(precis_ctx *ctx, const pcs_gradient *all, size_t n, double *parts)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t count = (all[i].n + SQUARES - 1) / SQUARES;
        double of = 0;
        pcs_for(ctx, count, 512, squares_of, &(squares){ all[i].g, all[i].n, parts });
        for (size_t p = 0; p < count; p++) of += parts[p];
        sum += of;
    }
    return sum;
}

typedef struct { float *g; float by; } scaling;

static void scale(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const scaling *s = arg;
    for (uint64_t i = begin; i < end; i++) s->g[i] *= s->by;
}

void pcs_scale_gradient(precis_ctx *ctx, const pcs_gradient *g, float by)
{
    pcs_for(ctx, g->n, 65536, scale, &(scaling){ g->g, by });
}

precis_status pcs_clip_norm(precis_ctx *ctx, const pcs_gradient *all, size_t n, double most, double *found)
{
    size_t largest = 0;
    for (size_t i = 0; i < n; i++) largest = all[i].n > largest ? all[i].n : largest;
    double *parts = pcs_alloc(ctx, largest / SQUARES + 1, sizeof *parts);
    if (!parts) return PRECIS_ENOMEM;
    const double norm = pcs_sqrt(sum_of(ctx, all, n, parts)), by = most / (norm + 1e-6);
    pcs_free(ctx, parts);
    *found = norm;
    if (!(most > 0) || !(norm - norm == 0) || by >= 1) return PRECIS_OK;
    for (size_t i = 0; i < n; i++) pcs_scale_gradient(ctx, &all[i], (float)by);
    return PRECIS_OK;
}

/* Large tensors first, so that no thread begins one when the others are done. */
typedef struct { const pcs_stepping **small; const pcs_kernels *kernels; uint8_t *memory; size_t room; } small_steps;

static int larger_first(const void *a, const void *b)
{
    const pcs_update *x = &(*(const pcs_stepping *const *)a)->update, *y = &(*(const pcs_stepping *const *)b)->update;
    const size_t n = x->rows * x->columns, m = y->rows * y->columns;
    return n != m ? (n > m ? -1 : 1) : 0;
}

static void step_alone(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const small_steps *j = arg;
    for (uint64_t i = begin; i < end; i++)
        j->small[i]->by->alone(j->kernels, &j->small[i]->update, j->memory + ith * j->room);
}

precis_status pcs_steps(precis_ctx *ctx, pcs_stepping *all, size_t n)
{
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    const pcs_stepping **small = pcs_alloc(ctx, n + 1, sizeof *small);
    precis_status st = small ? PRECIS_OK : PRECIS_ENOMEM;
    size_t count = 0, room = 0;
    for (size_t i = 0; i < n && !st; i++) {
        const pcs_update *u = &all[i].update;
        all[i].update.set = &all[i].set;
        const size_t bytes = all[i].by->alone_bytes ? all[i].by->alone_bytes(u->rows, u->columns) : 0;
        if (!bytes) st = all[i].by->step(ctx, u);
        else small[count++] = &all[i];
        room = bytes > room ? bytes : room;
    }
    room = (room + 63) / 64 * 64;
    uint8_t *memory = st || !count ? NULL : pcs_alloc(ctx, pcs_run_threads(ctx), room);
    if (count && !st && !memory) st = PRECIS_ENOMEM;
    if (memory) {
        qsort(small, count, sizeof *small, larger_first);
        pcs_for(ctx, count, 1, step_alone, &(small_steps){ small, &kernels, memory, room });
    }
    pcs_free(ctx, memory);
    pcs_free(ctx, small);
    return st;
}
