/* adamw8 - AdamW with moments of 8 bits (Dettmers et al. 2021, 2110.02861; as torchao.optim): blocks share their
 * largest magnitude, codes are of the dynamic map. A step uses the fresh f32 moments and rounds them after it; weights
 * decay before it. A block with a gradient that is not finite is left as it was. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "base/pool.h"
#include "graph/op/round.h"
#include "train/optimizer.h"

#define MOST 4096 /* numbers of a block */

/* Seven decades; each has twice as many values as the one below, in the middles of an even division of [0.1, 1]. */
void pcs_dynamic_map(bool with_sign, float map[256])
{
    size_t n = 0;
    double decade = 1e-6;
    for (int i = 0; i < 7; i++, decade *= 10) {
        const size_t parts = (size_t)1 << (with_sign ? i : i + 1);
        for (size_t k = 0; k < parts; k++) {
            const double middle = 0.1 + 0.9 * ((double)k + 0.5) / (double)parts;
            map[n++] = (float)(decade * middle);
            if (with_sign) map[n++] = (float)(-decade * middle);
        }
    }
    map[n++] = 0;
    map[n++] = 1;
    while (n < 256) map[n++] = 0;
    for (size_t i = 1; i < n; i++) /* by insertion: it is made once */
        for (size_t k = i; k > 0 && map[k] < map[k - 1]; k--) {
            const float t = map[k];
            map[k] = map[k - 1];
            map[k - 1] = t;
        }
}

static uint8_t nearest(const float map[256], float x)
{
    size_t low = 0, high = 255;
    while (low < high) { /* the first whose middle to the next is not below x */
        const size_t mid = (low + high) / 2;
        if ((map[mid] + map[mid + 1]) / 2 < x) low = mid + 1;
        else high = mid;
    }
    return (uint8_t)low;
}

void pcs_dynamic_encode(const float map[256], const float *x, size_t n, uint8_t *codes, float *absmax)
{
    const float most = pcs_largest(x, n), top = most > 1e-12f ? most : 1e-12f;
    *absmax = top;
    for (size_t i = 0; i < n; i++) codes[i] = nearest(map, x[i] / top);
}

void pcs_dynamic_decode(const float map[256], const uint8_t *codes, size_t n, float absmax, float *x)
{
    for (size_t i = 0; i < n; i++) x[i] = map[codes[i]] * absmax;
}

pcs_moments8 pcs_moments8_in(void *state, size_t n, uint32_t block)
{
    const size_t blocks = (n + block - 1) / block, whole = blocks * block;
    pcs_moments8 s = { .m_scale = state, .blocks = blocks };
    s.v_scale = s.m_scale + blocks;
    s.m = (uint8_t *)(s.v_scale + blocks);
    s.v = s.m + whole;
    return s;
}

static size_t bytes(const pcs_optimizer_settings *set, size_t rows, size_t columns)
{
    const size_t blocks = (rows * columns + set->block - 1) / set->block;
    return blocks * (2 * sizeof(float) + 2 * (size_t)set->block);
}

typedef struct {
    const pcs_update *u;
    pcs_moments8 s;
    float with_sign[256], without[256];
    float keep, step, root;
} blocks_job;

static void one_block(const blocks_job *j, size_t b)
{
    const pcs_optimizer_settings *set = j->u->set;
    const size_t n = j->u->rows * j->u->columns, at = b * set->block, k = n - at < set->block ? n - at : set->block;
    const float *g = j->u->g + at;
    float m[MOST], v[MOST], *p = j->u->p + at;
    for (size_t i = 0; i < k; i++)
        if (!(g[i] - g[i] == 0)) return;
    pcs_dynamic_decode(j->with_sign, j->s.m + at, k, j->s.m_scale[b], m);
    pcs_dynamic_decode(j->without, j->s.v + at, k, j->s.v_scale[b], v);
    const float b1 = (float)(1 - set->beta1), b2 = (float)(1 - set->beta2), eps = (float)set->eps;
    for (size_t i = 0; i < k; i++) {
        m[i] += (g[i] - m[i]) * b1;
        v[i] += (g[i] * g[i] - v[i]) * b2;
        p[i] = p[i] * j->keep - j->step * (m[i] / (pcs_sqrtf(v[i]) / j->root + eps));
    }
    pcs_dynamic_encode(j->with_sign, m, k, j->s.m + at, &j->s.m_scale[b]);
    pcs_dynamic_encode(j->without, v, k, j->s.v + at, &j->s.v_scale[b]);
}

static void blocks(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    for (uint64_t b = begin; b < end; b++) one_block(arg, b);
}

static precis_status step(precis_ctx *ctx, const pcs_update *u)
{
    const pcs_optimizer_settings *s = u->set;
    if (s->block < 1 || s->block > MOST)
        return pcs_fail(ctx, PRECIS_EINVAL, "adamw8: blocks of %u, not 1 to %d", s->block, MOST);
    blocks_job *j = pcs_alloc(ctx, 1, sizeof *j);
    if (!j) return PRECIS_ENOMEM;
    *j = (blocks_job){ .u = u, .s = pcs_moments8_in(u->state, u->rows * u->columns, s->block) };
    pcs_dynamic_map(true, j->with_sign);
    pcs_dynamic_map(false, j->without);
    j->keep = (float)(1 - s->lr * s->decay);
    j->step = (float)(s->lr / (1 - pcs_whole_power(s->beta1, u->step)));
    j->root = (float)pcs_sqrt(1 - pcs_whole_power(s->beta2, u->step));
    pcs_for(ctx, j->s.blocks, 16, blocks, j);
    pcs_free(ctx, j);
    return PRECIS_OK;
}

/* A moment of 0 is the code of 0, which is not code 0 of the map with signs. */
static void begin(const pcs_update *u)
{
    float map[256];
    pcs_moments8 s = pcs_moments8_in(u->state, u->rows * u->columns, u->set->block);
    pcs_dynamic_map(true, map);
    memset(s.m, nearest(map, 0), s.blocks * u->set->block);
}

const pcs_optimizer pcs_optimizer_adamw8 = { .name = "adamw8", .bytes = bytes, .begin = begin, .step = step };
