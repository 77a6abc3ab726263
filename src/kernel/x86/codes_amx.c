/* codes_gemm, AMX: 32 rows times two panels are four tiles of sums; a line of a panel is a row of a tile of the second
 * operand. What becomes of the sums is AVX-512's. */
#include "kernel/x86/codes_512.h"
#include "kernel/x86/tiles.h"

typedef struct {
    _Alignas(64) int32_t at[32][32];
} sums;

/* Tiles 0 to 3: sums; 4, 5: rows; 6, 7: lines. */
static void configure(size_t rows, size_t lines)
{
    tiles_config c = { .palette = 1 };
    const size_t second = rows > 16 ? rows - 16 : 0;
    for (int t = 0; t < 6; t++) {
        c.rows[t] = (uint8_t)(t % 2 == 0 ? (rows < 16 ? rows : 16) : second);
        c.bytes[t] = (uint16_t)(t < 4 ? 64 : 4 * lines);
    }
    for (int t = 6; t < 8; t++) c.rows[t] = (uint8_t)lines, c.bytes[t] = 64;
    for (int t = 1; t < 6 && !second; t += 2) c.bytes[t] = 0;
    tiles_configure(&c);
}

/* Up to 32 rows from m on and one or two panels from n on, by `each` lines at a time. */
typedef struct { size_t m, n, each; bool two_rows, two; } codes_part;

/* Their sums. Tile t of the sums: rows t % 2, panel t / 2. */
PCS_INLINE void multiply(const pcs_codes_gemm_args *a, codes_part part, sums *s)
{
    const size_t m = part.m, n = part.n, each = part.each;
    const bool two_rows = part.two_rows, two = part.two;
    const uint8_t *x = a->a + m * a->lda;
    const int8_t *w = a->w + n / PCS_CODES_PANEL * a->lines * 64;
    TILE_ZERO(0);
    if (two_rows) TILE_ZERO(1);
    if (two) TILE_ZERO(2);
    if (two && two_rows) TILE_ZERO(3);
    for (size_t l = 0; l < a->lines; l += each) {
        TILE_LOAD(4, x + 4 * l, a->lda);
        TILE_LOAD(6, w + 64 * l, 64);
        TILE_DOT_UNSIGNED(0, 4, 6);
        if (two_rows) {
            TILE_LOAD(5, x + 16 * a->lda + 4 * l, a->lda);
            TILE_DOT_UNSIGNED(1, 5, 6);
        }
        if (!two) continue;
        TILE_LOAD(7, w + 64 * (a->lines + l), 64);
        TILE_DOT_UNSIGNED(2, 4, 7);
        if (two_rows) TILE_DOT_UNSIGNED(3, 5, 7);
    }
    TILE_STORE(0, s->at[0], 128);
    if (two_rows) TILE_STORE(1, s->at[16], 128);
    if (two) TILE_STORE(2, s->at[0] + 16, 128);
    if (two && two_rows) TILE_STORE(3, s->at[16] + 16, 128);
}

PCS_INLINE __m512i sum_at(const pcs_codes_gemm_args *a, const sums *s, size_t r, size_t n, size_t p)
{
    return _mm512_add_epi32(_mm512_load_si512(s->at[r] + 16 * p), _mm512_loadu_si512(a->first + n + 16 * p));
}

PCS_INLINE void finish(const pcs_codes_gemm_args *a, size_t m, size_t n, size_t rows, const sums *s, bool numbers)
{
    const size_t left = a->n - n < 32 ? a->n - n : 32, panels = pcs_codes_panels(left);
    const codes_limits_512 l = codes_limits_of(a->to);
    for (size_t r = 0; r < rows; r++) {
        __m512i q[4] = { _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                         _mm512_setzero_si512() };
        for (size_t p = 0; p < panels; p++) {
            const __m512i sum = sum_at(a, s, r, n, p);
            const __m512 factor = _mm512_loadu_ps(a->factor + n + 16 * p);
            if (!numbers) {
                q[p] = codes_scaled(sum, factor, &l);
                continue;
            }
            const __mmask16 mask = (__mmask16)codes_mask(left - 16 * p < 16 ? left - 16 * p : 16);
            __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), factor);
            if (a->bias) y = _mm512_add_ps(y, _mm512_loadu_ps(a->bias + n + 16 * p));
            _mm512_mask_storeu_ps(a->yf + (m + r) * a->ldy + n + 16 * p, mask, y);
        }
        if (!numbers) _mm512_mask_storeu_epi8(a->y + (m + r) * a->ldy + n, codes_mask(left), codes_pack(q, &l));
    }
}

/* Two panels after another, by all rows: they stay in the cache meanwhile. */
PCS_INLINE void gemm(const pcs_codes_gemm_args *a, bool numbers)
{
    const size_t tiles = (a->lines + 15) / 16, each = tiles ? a->lines / tiles : 0;
    sums s[2];
    size_t now = 0;
    int turn = 0;
    for (size_t n = 0; n < a->n; n += 32)
        for (size_t m = 0; m < a->m; m += 32, turn ^= 1) {
            const size_t rows = a->m - m < 32 ? a->m - m : 32;
            const bool two = a->n - n > 16, two_rows = rows > 16;
            if (rows != now) configure(rows, each);
            now = rows;
            if (two && two_rows) multiply(a, (codes_part){ m, n, each, true, true }, &s[turn]);
            else multiply(a, (codes_part){ m, n, each, two_rows, two }, &s[turn]);
            finish(a, m, n, rows, &s[turn], numbers);
        }
    tiles_release(); /* else each change of threads saves 8 KB */
}

/* Few rows leave most of a tile empty, and few lines most of its time to what comes after. */
static bool small(const pcs_codes_gemm_args *a) { return a->m < 8 || a->lines <= 6; }

void pcs_codes_gemm_amx(const pcs_codes_gemm_args *a)
{
    if (small(a)) pcs_codes_gemm_avx512vnni(a);
    else gemm(a, false);
}
void pcs_codes_gemm_f32_amx(const pcs_codes_gemm_args *a)
{
    if (small(a)) pcs_codes_gemm_f32_avx512vnni(a);
    else gemm(a, true);
}
