/* panel, reference. */
#include "kernel/kernel.h"

void pcs_panel_scalar(const pcs_panel_args *a)
{
    for (size_t r = 0; r < 16; r++)
        for (size_t i = 0; i < a->k; i++) a->b[i * 16 + r] = r < a->rows ? a->w[r * a->ldw + i] : 0.0f;
}
