/* xnor, reference: word by word. */
#include "kernel/kernel.h"

void pcs_xnor_scalar(const pcs_xnor_args *a)
{
    const size_t words = pcs_xnor_words(a->k);
    for (size_t r = a->begin; r < a->end; r++)
        for (size_t t = 0; t < a->m; t++)
            pcs_xnor_store(a, r, t, pcs_xnor_rest(a->w + r * a->row_bytes + 4, a->x + t * words, 0, a->k));
}
