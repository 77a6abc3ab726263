/* adamw - Loshchilov and Hutter 2017 (1711.05101), as torch computes it: weights decay before the step, moments are
 * f32, and the corrections of their bias are doubles. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "base/pool.h"
#include "train/optimizer.h"

static size_t bytes(const pcs_optimizer_settings *set, size_t rows, size_t columns)
{
    (void)set;
    return 2 * rows * columns * sizeof(float);
}

typedef struct {
    const pcs_update *u;
    float *m, *v;
    float keep, step, root;
} job;

static void numbers(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const job *j = arg;
    const float b1 = (float)(1 - j->u->set->beta1), b2 = (float)j->u->set->beta2, c2 = (float)(1 - j->u->set->beta2);
    const float eps = (float)j->u->set->eps;
    const float *g = j->u->g;
    float *p = j->u->p;
    for (uint64_t i = begin; i < end; i++) {
        j->m[i] += (g[i] - j->m[i]) * b1;
        j->v[i] = j->v[i] * b2 + c2 * g[i] * g[i];
        p[i] = p[i] * j->keep - j->step * (j->m[i] / (pcs_sqrtf(j->v[i]) / j->root + eps));
    }
}

static precis_status step(precis_ctx *ctx, const pcs_update *u)
{
    const pcs_optimizer_settings *s = u->set;
    const size_t n = u->rows * u->columns;
    job j = { .u = u, .m = u->state, .v = (float *)u->state + n };
    j.keep = (float)(1 - s->lr * s->decay);
    j.step = (float)(s->lr / (1 - pcs_whole_power(s->beta1, u->step)));
    j.root = (float)pcs_sqrt(1 - pcs_whole_power(s->beta2, u->step));
    pcs_for(ctx, n, 16384, numbers, &j);
    return PRECIS_OK;
}

const pcs_optimizer pcs_optimizer_adamw = { .name = "adamw", .bytes = bytes, .step = step };
