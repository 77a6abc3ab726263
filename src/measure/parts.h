/* parts.h - where the time of a language model's prompt and of its generated tokens goes, by the names of steps. */
#ifndef PCS_MEASURE_PARTS_H
#define PCS_MEASURE_PARTS_H

#include "precis/bench.h"
#include "run/program.h"

/* Of each step in one phase: seconds between barriers; the seconds of these at work, a mean over the threads; products.
 */
typedef struct pcs_phase { double *seconds, *busy; uint64_t *products; } pcs_phase;

typedef struct pcs_parts {
    precis_program *program;
    pcs_phase now; /* that the program adds to; busy: by thread and step */
    pcs_phase prompt, token;
} pcs_parts;

/* From here on the program's steps run one by one and are timed, until it is closed (which is always right). */
precis_status pcs_parts_open(pcs_parts *p, precis_program *program);
/* A phase ends here, of which there were `times`: `of` gets what one took, and the next begins. */
void pcs_parts_end(pcs_parts *p, pcs_phase *of, uint32_t times);
/* Both phases, steps of one name and type together. */
precis_status pcs_parts_tell(const pcs_parts *p, precis_bench_part_fn *fn, void *user);
void pcs_parts_close(pcs_parts *p);

#endif
