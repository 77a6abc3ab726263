/* threads.h - what more threads than this machine has would lose. */
#ifndef PCS_THREADS_H
#define PCS_THREADS_H

#include "precis/bench.h"
#include "run/program.h"

enum { PCS_SCALING_MOST = 16 };
/* A token of so many bytes of weights, which the context's threads read at read_bytes_s: out->barriers, barrier_s,
 * scaling. PRECIS_ENOMEM: no threads to measure a barrier with. */
precis_status pcs_scaling_estimate(const precis_program *p, double bytes, double read_bytes_s,
                                   precis_bench_result *out);

#endif
