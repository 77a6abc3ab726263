/* choose.h - levels that are not used for some weights, because the one below is faster on this machine.
 *
 * All levels give the same bits, so that a choice by time changes nothing but time. Only levels of matrix units are
 * doubted: their tiles wait for scales of groups, and how long differs between processors; of others more lanes are
 * faster. */
#ifndef PCS_CHOOSE_H
#define PCS_CHOOSE_H

#include "kernel/kernel.h"

#define PCS_CPU_DOUBTED PCS_CPU_AMX

/* Two rows of a table do the same work, in turns: seconds of each, the least; 0: it could not be measured. */
typedef void pcs_row_race_fn(void *user, const pcs_kernel *const rows[2], const pcs_format *f, double seconds[2]);
/* Rows of an operation for all formats that race against those of the level below, where their level is doubted. */
typedef struct pcs_races {
    const pcs_kernel *table;
    pcs_operation op;
    unsigned doubted;
    pcs_row_race_fn *race;
    void *user;
} pcs_races;
/* `cpu`, less those of the doubted levels at which the row is slower for f than that of the level below, by more than
 * 5 % (less than that is noise). */
unsigned pcs_levels_by_race(const pcs_races *r, const pcs_format *f, unsigned cpu);
/* The same of mp on this machine. A format is measured once in a process, for about 3 ms, and not at all without
 * such levels. */
unsigned pcs_mp_levels(precis_ctx *ctx, const pcs_format *f);
/* The level of the row of mp that they leave; NULL: this machine has none that is doubted for f. */
const char *pcs_mp_level(precis_ctx *ctx, const pcs_format *f);
/* What was measured on this machine before, and kept: a level that one of them leaves. Others change nothing. */
void pcs_mp_decide(precis_ctx *ctx, const pcs_format *f, const char *level);

#endif
