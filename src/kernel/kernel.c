/* kernel.c - the table, and the first row that this machine can run. */
#include "kernel/kernel.h"

const pcs_kernel pcs_kernel_table[] = {
#define KERNEL(op, isa, needs) { #op, #isa, needs, pcs_##op##_##isa },
#include "kernel/kernels.def"
#undef KERNEL
    { 0 },
};

const pcs_kernel *pcs_kernel_find(const char *op, unsigned cpu)
{
    for (const pcs_kernel *k = pcs_kernel_table; k->op; k++)
        if ((k->needs & cpu) == k->needs && !strcmp(k->op, op)) return k;
    return NULL;
}

/* The level that is in use, not the best that the machine has: a level without kernels of its own changes nothing. */
const char *precis_ctx_cpu(const precis_ctx *ctx)
{
    unsigned used = 0;
    for (const pcs_kernel *k = pcs_kernel_table; k->op; k++)
        if ((k->needs & ctx->cpu) == k->needs) used |= k->needs;
    return pcs_cpu_name(used);
}

pcs_kernels pcs_kernels_for(unsigned cpu)
{
    pcs_kernels k = { .quantize_act = pcs_kernel_find("quantize_act", cpu)->run, .pack = pcs_kernel_find("pack", cpu)->run, .mp = pcs_kernel_find("mp", cpu)->run,
                      .panel = pcs_kernel_find("panel", cpu)->run, .gemm = pcs_kernel_find("gemm", cpu)->run, .gemm_wide = pcs_kernel_find("gemm_wide", cpu)->run, .gemm_f64 = pcs_kernel_find("gemm_f64", cpu)->run,
                      .f16_f32 = pcs_kernel_find("f16_f32", cpu)->run, .unpack_kv = pcs_kernel_find("unpack_kv", cpu)->run,
                      .kv_scores = pcs_kernel_find("kv_scores", cpu)->run, .kv_values = pcs_kernel_find("kv_values", cpu)->run, .swiglu = pcs_kernel_find("swiglu", cpu)->run,
                      .geglu = pcs_kernel_find("geglu", cpu)->run, .softmax = pcs_kernel_find("softmax", cpu)->run, .encode = pcs_kernel_find("encode", cpu)->run,
                      .fit = pcs_kernel_find("fit", cpu)->run, .error = pcs_kernel_find("error", cpu)->run,
                      .log_sum = pcs_kernel_find("log_sum", cpu)->run, .divergence = pcs_kernel_find("divergence", cpu)->run, .dot = pcs_kernel_find("dot", cpu)->run };
    for (const pcs_kernel *row = pcs_kernel_table; row->op; row++) {
        const pcs_format *f = !strncmp(row->op, "mv_", 3) ? pcs_format_by_name(row->op + 3) : NULL;
        if (f && !k.mv[f->id] && (row->needs & cpu) == row->needs) k.mv[f->id] = row->run;
    }
    return k;
}

void pcs_decode_by(const pcs_kernels *k, const pcs_format *f, size_t n, const void *src, float *dst)
{
    extern const pcs_format pcs_format_f16;
    if (f == &pcs_format_f16) k->f16_f32(&(pcs_f16_f32_args){ src, dst, n });
    else pcs_decode(f, n, src, dst);
}

/* Two times 16 rows: codes and scales as rows (or a panel), then decoded. */
size_t pcs_mp_scratch(size_t k) { return 2 * 16 * pcs_chunks(k) * (2 * PCS_CHUNK + 4 * 16 * sizeof(float)); }
