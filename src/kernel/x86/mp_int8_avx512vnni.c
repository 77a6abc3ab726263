/* mp_int8, AVX-512: tiles of two panels by eight tokens at a time. Up to eight tokens in all multiply rows as they lie
 * (or panels line by line), so that a generated token waits for memory alone. */
#include "kernel/x86/mp_int8_512.h"

/* ---- few tokens ---- */

/* Sums of a panel's rows, token by token. */
typedef struct { _Alignas(64) int32_t of[MI_FEW][PCS_PANEL]; } mi_sums;

/* A row's codes by the tokens' at x, which lie in rows of whole steps. */
PCS_INLINE void mi_row_by(const uint8_t *c, const int8_t *x, size_t steps, int tokens, int ways, __m512i *sum)
{
    __m512i part[4 * MI_FEW];
    for (int i = 0; i < tokens * ways; i++) part[i] = _mm512_setzero_si512();
    const size_t row = steps * PCS_INT8_STEP;
    size_t s = 0;
    for (; s + (size_t)ways <= steps; s += (size_t)ways)
        for (int w = 0; w < ways; w++) {
            const __m512i codes = _mm512_loadu_si512(c + (s + (size_t)w) * PCS_INT8_STEP);
            for (int t = 0; t < tokens; t++)
                part[t * ways + w] = _mm512_dpbusd_epi32(
                    part[t * ways + w], codes,
                    _mm512_loadu_si512(x + (size_t)t * row + (s + (size_t)w) * PCS_INT8_STEP));
        }
    for (; s < steps; s++) {
        const __m512i codes = _mm512_loadu_si512(c + s * PCS_INT8_STEP);
        for (int t = 0; t < tokens; t++)
            part[t * ways] = _mm512_dpbusd_epi32(part[t * ways], codes,
                                                 _mm512_loadu_si512(x + (size_t)t * row + s * PCS_INT8_STEP));
    }
    for (int t = 0; t < tokens; t++) {
        sum[t] = part[t * ways];
        for (int w = 1; w < ways; w++) sum[t] = _mm512_add_epi32(sum[t], part[t * ways + w]);
    }
}

PCS_INLINE void mi_rows_by(const mi_work *w, size_t n, const int8_t *x, int tokens, mi_sums *to)
{
    const pcs_mp_int8_args *a = w->a;
    const pcs_ahead ahead = pcs_cpu_ahead(1);
    for (size_t r = 0; r < PCS_PANEL && n + r < a->n1; r++) {
        __m512i sum[MI_FEW];
        const uint8_t *c = mi_codes(w, n + r, 0, w->steps * PCS_INT8_STEP, w->rows);
        if (ahead.l1 && w->by.in_place)
            for (size_t i = 0; i < a->row_bytes; i += 64) {
                PCS_AHEAD(c + i + ahead.l1);
                PCS_AHEAD_L2(c + i + ahead.l2);
            }
        mi_row_by(c, x, w->steps, tokens, tokens > 2 ? 1 : 4 / tokens, sum);
        for (int t = 0; t < tokens; t++) to->of[t][r] = _mm512_reduce_add_epi32(sum[t]);
    }
}

/* Lines of a panel, which become tiles a part at a time, by four neighbours of each token. */
PCS_INLINE void mi_panel_by(const mi_work *w, size_t n, const int8_t *x, int tokens, mi_rows *rows, mi_sums *to)
{
    const size_t part = w->a->packed && w->steps > MI_PART ? MI_PART : w->steps, row = w->steps * PCS_INT8_STEP;
    __m512i sum[2][MI_FEW];
    for (int t = 0; t < tokens; t++) sum[0][t] = sum[1][t] = _mm512_setzero_si512();
    for (size_t s = 0; s < w->steps; s += part) {
        const size_t steps = w->steps - s < part ? w->steps - s : part;
        mi_fill(w, n, s, steps, rows);
        for (size_t l = 0; l < 16 * steps; l += 2)
            for (size_t h = 0; h < 2; h++) {
                const __m512i line = _mm512_load_si512(rows->tiles + 64 * (l + h));
                for (int t = 0; t < tokens; t++) {
                    int32_t four;
                    memcpy(&four, x + (size_t)t * row + s * PCS_INT8_STEP + 4 * (l + h), sizeof four);
                    sum[h][t] = _mm512_dpbusd_epi32(sum[h][t], line, _mm512_set1_epi32(four));
                }
            }
    }
    for (int t = 0; t < tokens; t++) _mm512_store_si512(to->of[t], _mm512_add_epi32(sum[0][t], sum[1][t]));
}

PCS_INLINE void mi_few(const mi_work *w, const int8_t *x, int tokens)
{
    const pcs_mp_int8_args *a = w->a;
    mi_rows rows = { .tiles = w->tiles + MI_FEW * w->steps * PCS_INT8_STEP };
    for (size_t n = a->n0; n < a->n1; n += PCS_PANEL) {
        mi_sums sums;
        if (w->by.lines) mi_panel_by(w, n, x, tokens, &rows, &sums);
        else {
            mi_scales(a, n, rows.s);
            mi_rows_by(w, n, x, tokens, &sums);
        }
        const mi_end e = mi_end_of(w, n, rows.s);
        for (int t = 0; t < tokens; t++) mi_store(w, &e, _mm512_load_si512(sums.of[t]), (size_t)t, n);
    }
}

static void mi_few_tokens(const mi_work *w)
{
    const pcs_mp_int8_args *a = w->a;
    int8_t *const x = (int8_t *)w->tiles;
    for (size_t t = 0; t < a->m; t++) {
        const int8_t *q = pcs_act_int8_row(&a->act, a->k, t).q;
        for (size_t s = 0; s < w->steps; s++)
            memcpy(x + (t * w->steps + s) * PCS_INT8_STEP, q + s * PCS_INT8_TILE, PCS_INT8_STEP);
    }
    switch (a->m) {
    case 1: mi_few(w, x, 1); break;
    case 2: mi_few(w, x, 2); break;
    case 3: mi_few(w, x, 3); break;
    case 4: mi_few(w, x, 4); break;
    case 5: mi_few(w, x, 5); break;
    case 6: mi_few(w, x, 6); break;
    case 7: mi_few(w, x, 7); break;
    default: mi_few(w, x, 8); break;
    }
}

/* ---- many ---- */

/* Tokens from t on by one panel or two. */
PCS_INLINE void mi_tokens_by(const mi_work *w, const mi_rows *rows, size_t n, size_t t0, int tokens, int panels)
{
    const pcs_mp_int8_args *a = w->a;
    const int8_t *x = pcs_act_int8_row(&a->act, a->k, t0).q;
    __m512i sum[2 * MI_FEW];
    for (int i = 0; i < panels * tokens; i++) sum[i] = _mm512_setzero_si512();
    for (size_t s = 0; s < w->steps; s++, x += PCS_INT8_TILE)
        for (size_t l = 0; l < 16; l++) {
            const size_t at = s * PCS_INT8_TILE + 64 * l;
            const __m512i line = _mm512_load_si512(rows[0].tiles + at),
                          other = panels > 1 ? _mm512_load_si512(rows[1].tiles + at) : line;
            for (int t = 0; t < tokens; t++) {
                int32_t four;
                memcpy(&four, x + PCS_INT8_STEP * t + 4 * l, sizeof four);
                const __m512i v = _mm512_set1_epi32(four);
                sum[t] = _mm512_dpbusd_epi32(sum[t], line, v);
                if (panels > 1) sum[tokens + t] = _mm512_dpbusd_epi32(sum[tokens + t], other, v);
            }
        }
    for (int p = 0; p < panels; p++) {
        const mi_end e = mi_end_of(w, n + (size_t)p * PCS_PANEL, rows[p].s);
        for (int t = 0; t < tokens; t++)
            mi_store(w, &e, sum[p * tokens + t], t0 + (size_t)t, n + (size_t)p * PCS_PANEL);
    }
}

void pcs_mp_int8_avx512vnni(const pcs_mp_int8_args *a)
{
    const mi_work w = mi_open(a);
    if (a->m <= MI_FEW) {
        if (a->m && a->n0 < a->n1) mi_few_tokens(&w);
        return;
    }
    mi_rows rows[2] = { { .tiles = w.tiles }, { .tiles = w.tiles + w.steps * PCS_INT8_TILE } };
    for (size_t n = a->n0; n < a->n1; n += 2 * PCS_PANEL) {
        const bool two = n + PCS_PANEL < a->n1;
        for (size_t p = 0; p < (two ? 2 : 1); p++) mi_fill(&w, n + p * PCS_PANEL, 0, w.steps, &rows[p]);
        size_t t = 0;
        for (; two && t + 8 <= a->m; t += 8) mi_tokens_by(&w, rows, n, t, 8, 2);
        for (; two && t < a->m; t++) mi_tokens_by(&w, rows, n, t, 1, 2);
        for (; t + 8 <= a->m; t += 8) mi_tokens_by(&w, rows, n, t, 8, 1);
        for (; t < a->m; t++) mi_tokens_by(&w, rows, n, t, 1, 1);
    }
}
