/* panel_bytes, reference: each code's value out of the element's table. */
#include "format/element.h"
#include "kernel/kernel.h"

void pcs_panel_bytes_scalar(const pcs_panel_bytes_args *a)
{
    for (size_t i = 0; i < a->n; i++)
        for (size_t r = 0; r < 16; r++)
            a->b[i * 16 + r] = r < a->rows ? a->scale[r] * a->e->values[a->src[r * a->step + i]] : 0.0f;
}
