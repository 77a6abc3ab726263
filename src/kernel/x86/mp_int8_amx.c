/* mp_int8, AMX: 32 tokens by 32 rows are four tiles of sums. A few panels of weights are decoded once, to tiles that
 * stay in the L2 cache, and multiply all tokens; what 32 tokens have comes from beyond that cache once for those
 * panels, and is asked for while the 32 tokens before them are multiplied, as are the rows that come next. */
#include "kernel/x86/mp_int8_512.h"
#define TILE_PRODUCT TILE_DOT_BY_UNSIGNED
#include "kernel/x86/blocks_amx.h"

/* Sums of tokens from t and of two panels from row n on. */
static void mi_to_y(const mi_work *w, size_t t, size_t n, const block_sums *s, const mi_rows *rows)
{
    const mi_end ends[2] = { mi_end_of(w, n, rows[0].s), mi_end_of(w, n + PCS_PANEL, rows[1].s) };
    for (size_t i = 0; i < 4; i++) {
        const mi_end *e = &ends[i % 2];
        for (size_t r = 0; r < 16 && e->mask && t + i / 2 * 16 + r < w->a->m; r++)
            mi_store(w, e, _mm512_load_si512(s->of[i][r]), t + i / 2 * 16 + r, n + i % 2 * PCS_PANEL);
    }
}

/* 32 tokens at most: weights are decoded a part at a time, which the L1 cache holds. */
static void mi_some(const mi_work *w)
{
    const pcs_mp_int8_args *a = w->a;
    const bool in_parts = a->packed || w->part < w->steps;
    const size_t part = in_parts && w->steps > MI_PART ? MI_PART : w->steps;
    mi_rows rows[2] = { { .tiles = w->tiles }, { .tiles = w->tiles + part * PCS_INT8_TILE } };
    for (size_t n = a->n0; n < a->n1; n += 2 * PCS_PANEL) {
        const bool two = n + PCS_PANEL < a->n1;
        const char *b = (const char *)rows[0].tiles, *b1 = two ? (const char *)rows[1].tiles : b;
        block_zero();
        for (size_t s = 0; s < w->steps; s += part) {
            const size_t steps = w->steps - s < part ? w->steps - s : part;
            for (size_t p = 0; p < (two ? 2 : 1); p++) mi_fill(w, n + p * PCS_PANEL, s, steps, &rows[p]);
            const char *x = (const char *)a->act.q + s * BLOCK_TILE, *x1 = x + w->steps * BLOCK_TILE;
            for (size_t i = 0; i < steps * BLOCK_TILE; i += BLOCK_TILE) {
                if (a->m > 16) block_multiply(x + i, x1 + i, b + i, b1 + i);
                else block_multiply_few(x + i, b + i, b1 + i, two);
            }
        }
        block_sums sums;
        block_keep(&sums);
        mi_to_y(w, 0, n, &sums, rows);
    }
}

/* Lines of the panels that are decoded next, some with each step: into the L2 cache. */
typedef struct { const char *at, *end; size_t each; } coming;

static coming mi_coming(const mi_work *w, size_t n, size_t most)
{
    const pcs_mp_int8_args *a = w->a;
    if (n >= a->n1) return (coming){ NULL, NULL, 0 };
    const size_t rows = a->n1 - n < most * PCS_PANEL ? a->n1 - n : most * PCS_PANEL;
    const size_t panels = (rows + PCS_PANEL - 1) / PCS_PANEL;
    const size_t panel = a->packed ? pcs_panel_bytes(a->f, a->k) : PCS_PANEL * a->row_bytes;
    const char *at = (const char *)a->w + n / PCS_PANEL * panel;
    const size_t bytes = a->packed ? panels * panel : rows * a->row_bytes;
    const size_t steps = (a->m + 31) / 32 * ((panels + 1) / 2) * w->steps;
    return (coming){ at, at + bytes, bytes / 64 / steps + 1 };
}

/* Many tokens: a few panels become tiles that stay in the L2 cache and multiply all of them. */
static void mi_many(const mi_work *w, bool decoded)
{
    const pcs_mp_int8_args *a = w->a;
    const size_t most = pcs_int8_panels(a->k), bytes = w->steps * BLOCK_TILE;
    const block_all all = { a->act.q, w->steps, a->m, a->after, a->y, a->ldy };
    mi_rows *const rows = w->kept;
    for (size_t p = 0; p <= most && !decoded; p++) rows[p].tiles = w->tiles + p * bytes;
    for (size_t n = a->n0; n < a->n1; n += most * PCS_PANEL) {
        const size_t left = a->n1 - n < most * PCS_PANEL ? a->n1 - n : most * PCS_PANEL;
        const size_t panels = (left + PCS_PANEL - 1) / PCS_PANEL;
        for (size_t p = 0; p < panels && !decoded; p++) mi_fill(w, n + p * PCS_PANEL, 0, w->steps, &rows[p]);
        coming next = mi_coming(w, n + most * PCS_PANEL, most);
        for (size_t t = 0; t < a->m; t += 32)
            for (size_t p = 0; p < panels; p += 2) {
                const char *x = (const char *)a->act.q + t / 16 * bytes, *x1 = t + 16 < a->m ? x + bytes : x;
                const char *b = (const char *)rows[p].tiles, *b1 = p + 1 < panels ? b + bytes : b;
                const block_wanted k = block_wants(&all, t, n + p * PCS_PANEL, p, (panels + 1) / 2);
                block_sums sums;
                block_zero();
                for (size_t s = 0, i = 0; s < w->steps; s++, i += BLOCK_TILE) {
                    block_multiply(x + i, x1 + i, b + i, b1 + i);
                    block_ask(&k, s);
                    for (size_t l = 0; l < next.each && next.at < next.end; l++, next.at += 64) PCS_AHEAD_L2(next.at);
                }
                block_keep(&sums);
                mi_to_y(w, t, n + p * PCS_PANEL, &sums, &rows[p]);
            }
    }
}

void pcs_mp_int8_amx(const pcs_mp_int8_args *a)
{
    if (a->m <= MI_FEW) {
        pcs_mp_int8_avx512vnni(a);
        return;
    }
    if (a->n0 >= a->n1) return;
    const mi_work w = mi_open(a);
    block_configure(a->m);
    if (a->m <= 32) mi_some(&w);
    else mi_many(&w, false);
    tiles_release(); /* else each change of threads saves 8 KB */
}

void pcs_mp_int8_again_amx(const pcs_mp_int8_args *a)
{
    const mi_work w = mi_open(a);
    block_configure(a->m);
    mi_many(&w, true);
    tiles_release();
}
