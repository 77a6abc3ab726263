/* cpu.h - instruction-set levels. A level is a set of extensions that real machines have together;
 * its bit is set only when the processor and the operating system both support it. */
#ifndef PCS_CPU_H
#define PCS_CPU_H

#include <stddef.h>

enum {
    PCS_CPU_SCALAR = 0,
    PCS_CPU_AVX2 = 1 << 0,       /* + fma, f16c                              */
    PCS_CPU_AVXVNNI = 1 << 1,    /* avx2 level + AVX-VNNI                    */
    PCS_CPU_AVX512VNNI = 1 << 2, /* avx2 level + avx512 f, bw, vl, dq, vnni  */
    PCS_CPU_AMX = 1 << 3,        /* avx512vnni level + amx tile, int8, bf16  */
    PCS_CPU_NEON = 1 << 4,
    PCS_CPU_DOTPROD = 1 << 5,
    PCS_CPU_I8MM = 1 << 6,
    PCS_CPU_VBMI = 1 << 7 /* no level: what most machines of the avx512vnni level have besides */
};

/* What this machine has, less what the environment's PRECIS_CPU masks: a level name masks all
 * levels above it. An unknown name masks nothing and is reported by the command line. */
unsigned pcs_cpu_flags(void);
/* Name of the best level in the mask; static storage. */
const char *pcs_cpu_name(unsigned flags);
/* How many bytes ahead a kernel should prefetch into L1 and into L2 when it reads `streams` arrays of weights at once.
 * 0: it should not, since the machine's own prefetcher does better. l2 is set only with l1, and is the greater. */
typedef struct { size_t l1, l2; } pcs_ahead;
pcs_ahead pcs_cpu_ahead(int streams);
/* The same into L1, of an array that lies in parts of some KB, each anywhere. */
size_t pcs_cpu_ahead_parts(void);
/* The mask of a level and all below it; -1 for an unknown name. */
int pcs_cpu_level(const char *name);

#endif
