/* precis/costs.h - a plan on this machine: the kernels that its tensors get, and what a generated token costs.
 * Threads: as the context. */
#ifndef PRECIS_COSTS_H
#define PRECIS_COSTS_H

#include "precis/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The kernel that tensor i of a plan will get at the level of the plan's context. */
typedef struct precis_plan_kernel {
    uint32_t    size;          /* sizeof of this struct, set by the caller                                  */
    const char *kernel, *level; /* a row of `precis list kernels`; "": no token multiplies by it             */
    /* weights lie in the kernel's order; 0: they are unpacked row by row, which is many times slower, or decoded to
     * floats */
    int         panels;
    double      read, read_now; /* bytes that a generated token reads of it: planned, and as the model is now */
} precis_plan_kernel;
PRECIS_API precis_status precis_plan_get_kernel(const precis_plan *plan, size_t i, precis_plan_kernel *out);

/* What generated tokens cost on this machine: seconds of each type and shape of a model's weights with one token, and
 * of what is beside them; for the level and the threads of ctx. precis_costs_make streams patterns of bytes through the
 * kernels (a few seconds). */
typedef struct precis_costs precis_costs;
typedef struct precis_costs_info {
    uint32_t    size; /* sizeof of this struct, set by the caller */
    const char *cpu;
    uint32_t    threads;
    size_t      rows;
    double      overhead;     /* seconds of a token beside its weights */
    /* what the threads read from memory while it was measured, on average; 0: a table of an older version */
    double      read_bytes_s;
    char        below[512];   /* types whose prompts are faster at a level below cpu, "Q6_K, Q5_K"; "": none */
} precis_costs_info;
PRECIS_API precis_status precis_costs_make(precis_ctx *ctx, precis_costs **out, const precis_model *model);
PRECIS_API precis_status precis_costs_open(precis_ctx *ctx, precis_costs **out, const char *path);
PRECIS_API precis_status precis_costs_save(precis_ctx *ctx, const precis_costs *costs, const char *path);
PRECIS_API void precis_costs_close(precis_costs **costs);
PRECIS_API void precis_costs_get_info(const precis_costs *costs, precis_costs_info *info);
/* Generated tokens per second of a plan's model. PRECIS_EINVAL: the table is of another model. */
PRECIS_API precis_status precis_costs_predict(const precis_costs *costs, const precis_plan *plan, double *tok_s);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_COSTS_H */
