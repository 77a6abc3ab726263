/* machine.h - what this machine can do at best, measured. */
#ifndef PCS_MACHINE_H
#define PCS_MACHINE_H

#include "kernel/kernel.h"

/* Bytes per second that all threads together read: the best of ten times, two by each way to read. */
double pcs_read_speed(precis_ctx *ctx, const uint8_t *data, uint64_t len);
/* Writes memory by the threads that will read it, each its share, so that it is near them. */
void pcs_fill_near(precis_ctx *ctx, uint8_t *data, uint64_t bytes, int value);
/* The same of memory of its own in large pages, as panels lie, for a tenth of a second at least; 0: there is no memory
 * to try. */
double pcs_panels_speed(precis_ctx *ctx, uint64_t bytes);
/* The same from each tier; 0: it is unknown, or there is no memory to try. l2, l3: half of it, again and again; memory:
 * several times the largest cache. */
typedef struct pcs_tiers { double l2, l3, memory; } pcs_tiers;
pcs_tiers pcs_tier_speeds(precis_ctx *ctx);
/* Multiplications per second of all threads in registers, by the kernel peak or peakf: the best of five or more runs of
 * a few milliseconds, for a tenth of a second. */
double pcs_multiply_speed(precis_ctx *ctx, pcs_peak_fn *peak);

/* Counters of the processors' energy; false: none can be read. */
typedef struct pcs_energy { size_t n; double at[16], range[16]; } pcs_energy;
bool pcs_energy_read(pcs_energy *e);
/* Joules between two readings. */
double pcs_energy_since(const pcs_energy *before, const pcs_energy *after);

#endif
