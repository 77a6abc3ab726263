/* sgd - with momentum, Nesterov's where it is asked for, as torch computes it: decay is a part of the gradient. */
#include "base/pool.h"
#include "train/optimizer.h"

static size_t bytes(const pcs_optimizer_settings *set, size_t rows, size_t columns)
{
    return set->momentum != 0 ? rows * columns * sizeof(float) : 0;
}

static void numbers(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const pcs_update *u = arg;
    const float lr = (float)u->set->lr, momentum = (float)u->set->momentum, decay = (float)u->set->decay;
    float *const moment = u->state;
    for (uint64_t i = begin; i < end; i++) {
        const float g = u->g[i] + decay * u->p[i];
        float by = g;
        if (momentum != 0) {
            moment[i] = u->step == 1 ? g : momentum * moment[i] + g;
            by = u->set->nesterov ? g + momentum * moment[i] : moment[i];
        }
        u->p[i] -= lr * by;
    }
}

static precis_status step(precis_ctx *ctx, const pcs_update *u)
{
    pcs_for(ctx, u->rows * u->columns, 16384, numbers, (void *)(uintptr_t)u);
    return PRECIS_OK;
}

const pcs_optimizer pcs_optimizer_sgd = { .name = "sgd", .bytes = bytes, .step = step };
