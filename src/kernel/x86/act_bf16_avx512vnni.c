/* act_bf16, avx512vnni: the suffix gives the flags. Rows that lie turned become lines of pairs, and those tiles. */
#include "kernel/act_bf16.h"
#include "kernel/x86/bf16_512.h"
#include "kernel/x86/turn_512.h"

static void turned_rows(const pcs_act_bf16_args *a)
{
    const size_t steps = pcs_bf16_steps(a->k);
    for (size_t r = a->m0; r < a->m1;) {
        const size_t in = r % PCS_BF16_TILE, left = PCS_BF16_TILE - in, n = a->m1 - r < left ? a->m1 - r : left;
        const mb_turned x = { a->x + r, a->turned, a->k, mb_first(n) };
        uint16_t *to = a->act + r / PCS_BF16_TILE * steps * MB_TILE + in * PCS_BF16_STEP;
        for (size_t s = 0; s < steps; s++, to += MB_TILE) {
            __m512i lines[16];
            for (size_t i = 0; i < 16; i++) lines[i] = mb_turned_line(&x, s, i);
            turn_512(lines);
            for (size_t i = 0; i < n; i++) _mm512_store_si512(to + i * PCS_BF16_STEP, lines[i]);
        }
        r += n;
    }
    act_bf16_end(a);
}

void pcs_act_bf16_avx512vnni(const pcs_act_bf16_args *a)
{
    if (a->turned) turned_rows(a);
    else act_bf16_rows(a);
}
