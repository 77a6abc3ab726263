/* kernel.c - the table, and the first row that this machine can run. */
#include "kernel/kernel.h"

#define DECODER(name, ...) extern const pcs_format pcs_format_##name;
#define FLOAT(name, ...) extern const pcs_format pcs_format_##name;
#include "kernel/simd/decoders.def"
#include "kernel/simd/floats.def"
#undef DECODER
#undef FLOAT

const pcs_kernel pcs_kernel_table[] = {
#define KERNEL(op, isa, needs) { PCS_DO_##op, #op, #isa, needs, NULL, { .op = pcs_##op##_##isa } },
#define KERNEL_OF(op, format, isa, needs) \
    { PCS_DO_##op, #op "_" #format, #isa, needs, &pcs_format_##format, { .op = pcs_##op##_##format##_##isa } },
#include "kernel/kernels.def"
#undef KERNEL
#undef KERNEL_OF
    { .name = NULL },
};

static bool runs(const pcs_kernel *k, unsigned cpu) { return (k->needs & cpu) == k->needs; }

const pcs_kernel *pcs_kernel_find(pcs_operation op, const pcs_format *f, unsigned cpu)
{
    for (const pcs_kernel *k = pcs_kernel_table; k->name; k++)
        if (k->op == op && k->format == f && runs(k, cpu)) return k;
    return NULL;
}

/* The level that is in use, not the best that the machine has: a level without kernels of its own changes nothing. */
const char *precis_ctx_cpu(const precis_ctx *ctx)
{
    unsigned used = 0;
    for (const pcs_kernel *k = pcs_kernel_table; k->name; k++)
        if (runs(k, ctx->cpu)) used |= k->needs;
    return pcs_cpu_name(used);
}

pcs_kernels pcs_kernels_for(unsigned cpu)
{
    pcs_kernels k = { 0 };
    for (const pcs_kernel *row = pcs_kernel_table; row->name; row++) {
        if (!runs(row, cpu)) continue;
        switch (row->op) {
#define OP(name, args) case PCS_DO_##name: if (!k.name) k.name = row->run.name; break;
#define OP_OF(name, args) \
        case PCS_DO_##name: if (!k.name[row->format->id]) k.name[row->format->id] = row->run.name; break;
#include "kernel/operations.def"
#undef OP
#undef OP_OF
        case PCS_OPERATIONS: break;
        }
    }
    return k;
}

void pcs_decode_by(const pcs_kernels *k, const pcs_format *f, size_t n, const void *src, float *dst)
{
    if (f == &pcs_format_f16) k->f16_f32(&(pcs_f16_f32_args){ src, dst, n });
    else pcs_decode(f, n, src, dst);
}

/* Tiles of some panels, and a panel of any format or a row as it is stored and as floats. */
size_t pcs_mp_bf16_scratch(size_t k)
{
    const size_t row = pcs_bf16_steps(k) * PCS_BF16_STEP;
    return pcs_bf16_panels(k) * row * PCS_PANEL * sizeof(uint16_t) + (row + PCS_CHUNK) * 64;
}

size_t pcs_int8_rows_room(size_t k) { return (pcs_int8_steps(k) * PCS_INT8_STEP + PCS_CHUNK) * 2 * PCS_PANEL; }

/* Tiles of some panels, rows of which they are made, and of each panel (and one more) its tiles' place and scales. */
size_t pcs_mp_int8_scratch(size_t k)
{
    const size_t row = pcs_int8_steps(k) * PCS_INT8_STEP, panels = pcs_int8_panels(k);
    return panels * row * PCS_PANEL + pcs_int8_rows_room(k) + (panels + 1) * (sizeof(uint8_t *) + 4 * PCS_PANEL);
}

/* Two times 16 rows: codes and scales as rows (or a panel), then decoded. */
size_t pcs_mp_scratch(size_t k) { return 2 * 16 * pcs_chunks(k) * (2 * PCS_CHUNK + 4 * 16 * sizeof(float)); }
