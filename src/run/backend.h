/* backend.h - where the steps of a program run, and where its values lie.
 *
 * A backend is one file and one row of backends.def. It takes the step list as it is: steps [from, to) with their
 * operands bound to its own addresses. The host reads and writes a backend's memory through `read` and `write`
 * alone, unless the backend says that its memory is the host's. What a backend cannot run is refused when a program
 * is opened, by name. */
#ifndef PCS_BACKEND_H
#define PCS_BACKEND_H

#include "base/heap.h"
#include "run/program.h"

struct pcs_backend {
    const char *name;
    /* Its addresses are the host's: constants and inputs are used where they lie, and taps look at values in place. */
    bool host;
    pcs_heap heap;
    void (*write)(void *memory, const void *host, uint64_t bytes);
    void (*read)(const void *memory, void *host, uint64_t bytes);
    /* Can it run this step? NULL: it runs all. */
    bool (*can)(const pcs_step *s);
    /* Steps [p->from, p->to); all is done when it returns. */
    precis_status (*run)(precis_program *p);
};

extern const pcs_backend *const pcs_backends[]; /* NULL ends it; the first is the usual one */
/* The steps on the host's threads, for backends whose memory the processor can be given. */
precis_status pcs_cpu_run(precis_program *p);

#endif
