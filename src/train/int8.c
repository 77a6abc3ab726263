/* int8.c - see int8.h. */
#include "train/int8.h"

#include "base/pool.h"
#include "graph/op/round.h"

void pcs_int8_blocks(const pcs_blocks *of, int8_t *codes, float *scales)
{
    const float *x = of->x;
    const size_t n = of->n, k = of->k, rows = of->rows, columns = of->columns;
    size_t at = 0;
    for (size_t r = 0; r < n; r += rows)
        for (size_t c = 0; c < k; c += columns, at++) {
            const size_t height = n - r < rows ? n - r : rows, width = k - c < columns ? k - c : columns;
            float top = 0;
            for (size_t i = r; i < r + height; i++) {
                const float m = pcs_largest(x + i * k + c, width);
                top = m > top ? m : top;
            }
            const float s = scales[at] = top / 127.0f;
            for (size_t i = r; i < r + height; i++)
                for (size_t j = c; j < c + width; j++)
                    codes[i * k + j] = s > 0 ? (int8_t)pcs_clamp(pcs_nearest(x[i * k + j] / s), -127, 127) : 0;
        }
}

/* Codes of both, and their scales: rows x columns of a block; the product by blocks of `columns` of k. */
typedef struct {
    int8_t *x, *w;
    float *xs, *ws, *y;
    size_t m, n, k, x_rows, w_rows, columns;
} product;

static void rows_of(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const product *p = arg;
    const size_t blocks = (p->k + p->columns - 1) / p->columns;
    for (uint64_t t = begin; t < end; t++)
        for (size_t r = 0; r < p->n; r++) {
            float total = 0;
            for (size_t b = 0; b < blocks; b++) {
                const size_t from = b * p->columns, to = p->k - from < p->columns ? p->k : from + p->columns;
                int32_t sum = 0;
                for (size_t i = from; i < to; i++) sum += (int32_t)p->x[t * p->k + i] * p->w[r * p->k + i];
                total += (float)sum * p->xs[t / p->x_rows * blocks + b] * p->ws[r / p->w_rows * blocks + b];
            }
            p->y[t * p->n + r] = total;
        }
}

static precis_status multiply(precis_ctx *ctx, const float *x, const float *w, product *p)
{
    const size_t scales = p->m * p->k + p->n * p->k + 2;
    p->xs = pcs_alloc(ctx, scales, sizeof *p->xs + 1);
    if (!p->xs) return PRECIS_ENOMEM;
    p->ws = p->xs + p->m * p->k + 1;
    p->x = (int8_t *)(p->xs + scales);
    p->w = p->x + p->m * p->k;
    pcs_int8_blocks(&(pcs_blocks){ x, p->m, p->k, p->x_rows, p->columns }, p->x, p->xs);
    pcs_int8_blocks(&(pcs_blocks){ w, p->n, p->k, p->w_rows, p->columns }, p->w, p->ws);
    pcs_for(ctx, p->m, 4, rows_of, p);
    pcs_free(ctx, p->xs);
    return PRECIS_OK;
}

precis_status pcs_switchback(precis_ctx *ctx, const pcs_product *p)
{
    product all = { .y = p->y, .m = p->m, .n = p->n, .k = p->k, .x_rows = 1 };
    all.w_rows = p->n ? p->n : 1;
    all.columns = p->k ? p->k : 1;
    return multiply(ctx, p->x, p->w, &all);
}

precis_status pcs_jetfire(precis_ctx *ctx, const pcs_product *p)
{
    product blocks = { .y = p->y, .m = p->m, .n = p->n, .k = p->k, .x_rows = 32, .w_rows = 32, .columns = 32 };
    return multiply(ctx, p->x, p->w, &blocks);
}
