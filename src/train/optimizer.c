/* optimizer.c - the table of optimizers, and the norm of all gradients. */
#include "train/optimizer.h"

#include "base/builtins.h"
#include "base/pool.h"

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

/* Squares are summed in doubles, 64 numbers at a time, and those sums tensor by tensor in ascending order: one order
 * for any number of threads, since one thread does it; reading a gradient once is little beside making it. */
static double squares(const float *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i += 64) {
        double part = 0;
        for (size_t k = i; k < n && k < i + 64; k++) part += (double)g[k] * g[k];
        sum += part;
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

double pcs_clip_norm(precis_ctx *ctx, const pcs_gradient *all, size_t n, double most)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += squares(all[i].g, all[i].n);
    const double norm = pcs_sqrt(sum), by = most / (norm + 1e-6);
    if (!(most > 0) || !(norm - norm == 0) || by >= 1) return norm;
    for (size_t i = 0; i < n; i++) {
        scaling s = { all[i].g, (float)by };
        pcs_for(ctx, all[i].n, 65536, scale, &s);
    }
    return norm;
}
