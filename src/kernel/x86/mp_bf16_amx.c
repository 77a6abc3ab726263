/* mp_bf16, AMX: 32 tokens by 32 rows are four tiles of sums, which stay in registers over all of a row. A few panels of
 * weights are decoded once, to tiles that stay in the L2 cache, and multiply all tokens; what 32 tokens have comes from
 * beyond that cache once for those panels, and is asked for while the 32 tokens before them are multiplied. */
#include "kernel/x86/mp_bf16_512.h"
#define TILE_PRODUCT TILE_DOT_BF16
#include "kernel/x86/blocks_amx.h"

PCS_INLINE __mmask16 rows_from(const pcs_mp_bf16_args *a, size_t n)
{
    return a->n1 <= n ? 0 : a->n1 - n < PCS_PANEL ? (__mmask16)((1u << (a->n1 - n)) - 1) : 0xffff;
}

/* Sums of tokens from t and rows from n on, with a bias or NULL. */
static void to_y(const pcs_mp_bf16_args *a, size_t t, size_t n, const block_sums *s, const float *bias)
{
    for (size_t i = 0; i < 4; i++) {
        const size_t row = n + i % 2 * 16;
        const __mmask16 mask = rows_from(a, row);
        const __m512 more = bias && mask ? _mm512_maskz_loadu_ps(mask, bias + row) : _mm512_setzero_ps();
        for (size_t r = 0; r < 16 && mask; r++) {
            const size_t token = t + i / 2 * 16 + r;
            const __m512 sum = _mm512_add_ps(_mm512_load_ps(s->of[i][r]), more);
            if (token < a->m) _mm512_mask_storeu_ps(a->y + token * a->ldy + row, mask, sum);
        }
    }
}

/* 32 tokens at most: weights are decoded a part at a time, which the L1 cache holds. */
static void mb_few(const mb_work *w)
{
    const pcs_mp_bf16_args *a = w->a;
    const size_t part = mb_in_parts(w) ? 16 : w->steps, panel = part * MB_TILE;
    for (size_t n = a->n0; n < a->n1; n += 2 * PCS_PANEL) {
        const bool two = n + PCS_PANEL < a->n1;
        const char *b = (const char *)w->tiles, *b1 = two ? b + part * BLOCK_TILE : b;
        block_zero();
        for (size_t s = 0; s < w->steps; s += part) {
            const size_t steps = w->steps - s < part ? w->steps - s : part;
            for (size_t p = 0; p < (two ? 2 : 1); p++) mb_fill(w, n + p * PCS_PANEL, s, steps, w->tiles + p * panel);
            const char *x = (const char *)(a->act + s * MB_TILE), *x1 = x + w->steps * BLOCK_TILE;
            for (size_t i = 0; i < steps * BLOCK_TILE; i += BLOCK_TILE) {
                if (a->m > 16) block_multiply(x + i, x1 + i, b + i, b1 + i);
                else block_multiply_few(x + i, b + i, b1 + i, two);
            }
        }
        block_sums sums;
        block_keep(&sums);
        to_y(a, 0, n, &sums, a->bias);
    }
}

/* Many tokens: a few panels become tiles that stay in the L2 cache and multiply all of them. */
static void many(const mb_work *w, bool decoded)
{
    const pcs_mp_bf16_args *a = w->a;
    const size_t most = MB_PANELS(a->k), panel = w->steps * MB_TILE, bytes = w->steps * BLOCK_TILE;
    const block_all all = { a->act, w->steps, a->m, a->after, a->y, a->ldy };
    for (size_t n = a->n0; n < a->n1; n += most * PCS_PANEL) {
        const size_t rows = a->n1 - n < most * PCS_PANEL ? a->n1 - n : most * PCS_PANEL;
        const size_t panels = (rows + PCS_PANEL - 1) / PCS_PANEL;
        for (size_t p = 0; p < panels && !decoded; p++)
            mb_fill(w, n + p * PCS_PANEL, 0, w->steps, w->tiles + p * panel);
        for (size_t t = 0; t < a->m; t += 32)
            for (size_t p = 0; p < panels; p += 2) {
                const char *x = (const char *)pcs_act_bf16_row(a->act, a->k, t), *x1 = t + 16 < a->m ? x + bytes : x;
                const char *b = (const char *)(w->tiles + p * panel), *b1 = p + 1 < panels ? b + bytes : b;
                const block_wanted k = block_wants(&all, t, n + p * PCS_PANEL, p, (panels + 1) / 2);
                block_sums sums;
                block_zero();
                for (size_t s = 0, i = 0; s < w->steps; s++, i += BLOCK_TILE) {
                    block_multiply(x + i, x1 + i, b + i, b1 + i);
                    block_ask(&k, s);
                }
                block_keep(&sums);
                to_y(a, t, n + p * PCS_PANEL, &sums, a->bias);
            }
    }
}

void pcs_mp_bf16_amx(const pcs_mp_bf16_args *a)
{
    const mb_work w = mb_open(a);
    if (!a->m || a->n0 >= a->n1) return;
    block_configure(a->m);
    if (a->m <= 32) mb_few(&w);
    else many(&w, false);
    tiles_release(); /* else each change of threads saves 8 KB */
}

void pcs_mp_bf16_again_amx(const pcs_mp_bf16_args *a)
{
    const mb_work w = mb_open(a);
    block_configure(a->m);
    many(&w, true);
    tiles_release();
}
