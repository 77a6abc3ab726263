/* muon - momentum whose update is made orthogonal by Newton-Schulz (Jordan et al. 2024; coefficients 3.4445,
 * -4.7750, 2.0315), for matrices of layers; AdamW steps the rest. */
#include "base/pool.h"
#include "base/builtins.h"
#include "graph/turn.h"
#include "train/optimizer.h"

extern const pcs_optimizer pcs_optimizer_adamw;

double pcs_muon_scale(size_t rows, size_t columns)
{
    return rows > columns ? pcs_sqrt((double)rows / (double)columns) : 1.0;
}

/* out[n][m] = a[n][k] b[k][m], of whose columns panels of 16 are made once; rows lie `ld` apart, a multiple of 16, and
 * end in zeros. Sums are gemm's, so that neither threads nor registers change a bit. */
typedef struct {
    const pcs_kernels *kernels;
    const float *a, *b;
    float *panels, *out;
    size_t n, k, m, lda, ldb, ldo;
    bool turned; /* b is [m][k] */
} matrix_product;

/* On all threads of a context, or, where that is NULL, on this one. */
static void share(precis_ctx *ctx, uint64_t n, uint64_t grain, pcs_range_fn *fn, void *arg)
{
    if (ctx) pcs_for(ctx, n, grain, fn, arg);
    else fn(arg, 0, n, 0);
}

#define WIDE 4  /* panels of a tile */
#define TALL 48 /* its rows */

static void panel_of(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const matrix_product *j = arg;
    for (uint64_t p = begin; p < end; p++) {
        float *to = j->panels + p * 16 * j->k;
        const size_t count = j->m - 16 * p < 16 ? j->m - 16 * p : 16;
        if (j->turned) {
            j->kernels->panel(&(pcs_panel_args){ j->b + 16 * p * j->ldb, j->ldb, count, j->k, to });
            continue;
        }
        for (size_t r = 0; r < j->k; r++) memcpy(to + 16 * r, j->b + r * j->ldb + 16 * p, 16 * sizeof *to);
    }
}

static void tile_of(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const matrix_product *j = arg;
    const size_t panels = (j->m + 15) / 16, across = (panels + WIDE - 1) / WIDE;
    for (uint64_t t = begin; t < end; t++) {
        const size_t r = t / across * TALL, p = t % across * WIDE;
        const size_t rows = j->n - r < TALL ? j->n - r : TALL, wide = panels - p < WIDE ? panels - p : WIDE;
        j->kernels->gemm_wide(&(pcs_gemm_wide_args){
            { j->a + r * j->lda, j->lda, j->panels + p * 16 * j->k, 16, j->k, rows, j->out + r * j->ldo + 16 * p,
              j->ldo, false },
            wide,
            16 * j->k });
    }
}

static void product_of(precis_ctx *ctx, matrix_product *j)
{
    const size_t panels = (j->m + 15) / 16;
    share(ctx, panels, 1, panel_of, j);
    share(ctx, (panels + WIDE - 1) / WIDE * ((j->n + TALL - 1) / TALL), 1, tile_of, j);
}

/* x[n][m] with n <= m, and room: square[n][n], mix[n][n], next[n][m], panels; rows of lines of 16. */
typedef struct { float *x, *square, *mix, *next, *panels; size_t n, m, ldn, ldm; } newton_schulz;

static const float by_x = 3.4445f, by_square = -4.7750f, by_fourth = 2.0315f;
enum { NUMBERS = 16384 };

static void mix_of(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const newton_schulz *of = arg;
    float *mix = of->mix;
    const float *square = of->square;
    for (uint64_t i = begin; i < end; i++) mix[i] = by_square * square[i] + by_fourth * mix[i];
}

static void next_of(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const newton_schulz *of = arg;
    float *x = of->x;
    const float *next = of->next;
    for (uint64_t i = begin; i < end; i++) x[i] = by_x * x[i] + next[i];
}

static void steps(precis_ctx *ctx, const pcs_kernels *kernels, newton_schulz *of)
{
    float *x = of->x, *square = of->square, *mix = of->mix;
    const size_t n = of->n, m = of->m, ldn = of->ldn, ldm = of->ldm;
    matrix_product squares = { kernels, x, x, of->panels, square, n, m, n, ldm, ldm, ldn, true },
                   fourths = { kernels, square, square, of->panels, mix, n, n, n, ldn, ldn, ldn, false },
                   moved = { kernels, mix, x, of->panels, of->next, n, n, m, ldn, ldm, ldm, false };
    for (int s = 0; s < 5; s++) {
        product_of(ctx, &squares);
        product_of(ctx, &fourths);
        share(ctx, n * ldn, NUMBERS, mix_of, of);
        product_of(ctx, &moved);
        share(ctx, n * ldm, NUMBERS, next_of, of);
    }
}

static newton_schulz sizes_of(size_t rows, size_t columns)
{
    const size_t n = rows > columns ? columns : rows, m = rows > columns ? rows : columns;
    return (newton_schulz){ .n = n, .m = m, .ldn = (n + 15) / 16 * 16, .ldm = (m + 15) / 16 * 16 };
}

/* Numbers that the steps of a matrix need. */
static size_t room_of(size_t rows, size_t columns)
{
    const newton_schulz z = sizes_of(rows, columns);
    return 2 * z.n * z.ldn + 2 * z.n * z.ldm + z.ldn * z.ldm;
}

/* mem: room_of numbers. */
static void orthogonal(precis_ctx *ctx, const pcs_kernels *k, float *x, size_t rows, size_t columns, float *mem)
{
    const bool tall = rows > columns;
    newton_schulz of = sizes_of(rows, columns);
    const size_t n = of.n, m = of.m, ldm = of.ldm, square = n * of.ldn, wide = n * ldm;
    of.square = mem, of.mix = mem + square, of.x = of.mix + square, of.next = of.x + wide, of.panels = of.next + wide;
    memset(mem, 0, (2 * square + 2 * wide) * sizeof *mem);
    double sum = 0;
    for (size_t i = 0; i < n * m; i++) sum += (double)x[i] * x[i];
    const float norm = (float)pcs_sqrt(sum) + 1e-7f;
    if (tall) pcs_turn(k, &(pcs_turned){ x, columns, rows, columns, of.x, ldm });
    for (size_t r = 0; !tall && r < n; r++) memcpy(of.x + r * ldm, x + r * m, m * sizeof *x);
    for (size_t i = 0; i < n * ldm; i++) of.x[i] /= norm;
    steps(ctx, k, &of);
    if (tall) pcs_turn(k, &(pcs_turned){ of.x, ldm, columns, rows, x, columns });
    for (size_t r = 0; !tall && r < n; r++) memcpy(x + r * m, of.x + r * ldm, m * sizeof *x);
}

precis_status pcs_muon_orthogonal(precis_ctx *ctx, float *x, size_t rows, size_t columns)
{
    float *mem = pcs_alloc(ctx, room_of(rows, columns) + 1, sizeof *mem);
    const pcs_kernels k = pcs_kernels_for(ctx->cpu);
    if (!mem) return PRECIS_ENOMEM;
    orthogonal(ctx, &k, x, rows, columns, mem);
    pcs_free(ctx, mem);
    return PRECIS_OK;
}

static size_t bytes(const pcs_optimizer_settings *set, size_t rows, size_t columns)
{
    (void)set;
    return rows * columns * sizeof(float);
}

/* Numbers of a step's memory: the update, in whole lines, and what its orthogonal form needs. */
static size_t step_room(size_t rows, size_t columns)
{
    return (rows * columns + 15) / 16 * 16 + room_of(rows, columns);
}

static void step_in(precis_ctx *ctx, const pcs_kernels *k, const pcs_update *u, float *mem)
{
    const size_t n = u->rows * u->columns;
    const float momentum = (float)u->set->momentum, keep = (float)(1 - u->set->lr * u->set->decay);
    const float lr = (float)(u->set->lr * pcs_muon_scale(u->rows, u->columns));
    float *moment = u->state, *by = mem;
    for (size_t i = 0; i < n; i++) {
        moment[i] += (u->g[i] - moment[i]) * (1 - momentum);
        by[i] = u->set->nesterov ? u->g[i] + (moment[i] - u->g[i]) * momentum : moment[i];
    }
    orthogonal(ctx, k, by, u->rows, u->columns, mem + (n + 15) / 16 * 16);
    for (size_t i = 0; i < n; i++) u->p[i] = u->p[i] * keep - lr * by[i];
}

static precis_status step(precis_ctx *ctx, const pcs_update *u)
{
    float *mem = pcs_alloc(ctx, step_room(u->rows, u->columns) + 1, sizeof *mem);
    const pcs_kernels k = pcs_kernels_for(ctx->cpu);
    if (!mem) return PRECIS_ENOMEM;
    step_in(ctx, &k, u, mem);
    pcs_free(ctx, mem);
    return PRECIS_OK;
}

/* Products of a matrix of more are worth being shared, and each thread's memory would be felt. */
enum { ALONE = 6 << 20 };

static size_t alone_bytes(size_t rows, size_t columns)
{
    const size_t room = step_room(rows, columns) * sizeof(float);
    return room <= ALONE ? room : 0;
}

static void alone(const pcs_kernels *kernels, const pcs_update *u, void *memory) { step_in(NULL, kernels, u, memory); }

const pcs_optimizer pcs_optimizer_muon = { .name = "muon", .bytes = bytes, .step = step, .alone_bytes = alone_bytes,
                                          .alone = alone, .others = &pcs_optimizer_adamw, .momentum = 0.95,
                                          .nesterov = true };
