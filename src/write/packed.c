/* packed.c - tensors as panels (kernel/panels.h) in a file. */
#include "kernel/kernel.h"
#include "model/finite.h"
#include "write/write.h"

bool pcs_packs(const pcs_format *f, uint32_t dims, const int64_t *ne)
{
    const bool matrix = dims >= 2 && ne[0] > 0 && ne[1] > 1 && (f->kind == PCS_QUANT || f->kind == PCS_FLOAT);
    if (!matrix || !pcs_has_panels(f, (size_t)ne[0])) return false;
    return dims == 2 || ne[1] % PCS_PANEL == 0;
}

uint64_t pcs_packed_bytes(const pcs_format *f, uint32_t dims, const int64_t *ne)
{
    uint64_t bytes = pcs_panels_bytes(f, (size_t)ne[0], (uint64_t)ne[1]);
    for (uint32_t d = 2; d < dims; d++) bytes *= (uint64_t)ne[d];
    return bytes;
}

precis_status pcs_out_panels(pcs_out *o, const pcs_paneling *w, const uint8_t *rows, uint64_t n)
{
    const pcs_format *f = w->f;
    const size_t k = w->k;
    const size_t row = (size_t)pcs_row_bytes(f, k), bytes = pcs_panel_bytes(f, k);
    pcs_pack_fn *const pack = pcs_kernel_find(PCS_DO_pack, NULL, o->ctx->cpu)->run.pack;
    uint8_t *panel = pcs_alloc(o->ctx, bytes, 1);
    precis_status st = panel ? PRECIS_OK : PRECIS_ENOMEM;
    for (uint64_t r = 0; r < n && !st; r += PCS_PANEL) {
        const pcs_pack_args a = { f, rows + r * row, row, k, n - r < PCS_PANEL ? (size_t)(n - r) : PCS_PANEL, panel };
        pack(&a);
        /* Of 16 rows the scales of a block lie together here, so that a look takes a few instructions for them all. */
        if (w->doubtful && !*w->doubtful) *w->doubtful = pcs_weights_doubtful(f, k, NULL, panel, 0, PCS_PANEL);
        st = pcs_out_add(o, panel, bytes);
    }
    pcs_free(o->ctx, panel);
    return st;
}
