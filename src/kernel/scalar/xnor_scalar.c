/* xnor: word by word; and the levels. */
#include "kernel/xnor.h"

#include "base/cpu.h"

static void scalar(const pcs_xnor_args *a)
{
    const size_t words = pcs_xnor_words(a->k);
    for (size_t r = a->begin; r < a->end; r++)
        for (size_t t = 0; t < a->m; t++)
            pcs_xnor_store(a, r, t, pcs_xnor_rest(a->w + r * a->row_bytes + 4, a->x + t * words, 0, a->k));
}

#if defined __x86_64__
pcs_xnor_fn pcs_xnor_avx2, pcs_xnor_avx512vnni;
#endif

const pcs_xnor_row pcs_xnor_rows[] = {
#if defined __x86_64__
    { "avx512vnni", PCS_CPU_AVX512VNNI, pcs_xnor_avx512vnni },
    { "avx2", PCS_CPU_AVX2, pcs_xnor_avx2 },
#endif
    { "scalar", PCS_CPU_SCALAR, scalar },
};

pcs_xnor_fn *pcs_xnor_for(unsigned cpu)
{
    const pcs_xnor_row *row = pcs_xnor_rows;
    while ((row->needs & cpu) != row->needs) row++;
    return row->run;
}
