/* watched.h - a net whose values can all be looked at: its own graph and program, in reference arithmetic, in which no
 * node is part of another and every value has its own memory. */
#ifndef PCS_WATCHED_H
#define PCS_WATCHED_H

#include "precis/net.h"
#include "read/netfile.h"
#include "run/program.h"

/* The file of a net, as long as the net is open. */
pcs_netfile *pcs_net_file(const precis_net *net);

typedef struct pcs_watched {
    precis_ctx *ctx;
    pcs_netfile *file;
    pcs_netfile_graph graph;
    pcs_netfile_given *given; /* it was made for */
    precis_program *program;
} pcs_watched;

precis_status pcs_watched_open(precis_ctx *ctx, pcs_watched *w, const precis_net *net);
void pcs_watched_close(pcs_watched *w);
/* Inputs by name, all of them, of types and shapes that precis_net_run has taken; they must live until the next. The
 * graph is made anew when shapes change (*made), and where it depends on contents. */
precis_status pcs_watched_bind(pcs_watched *w, const precis_array *inputs, size_t n, bool *made);
/* All of it; or step i alone, when those before it have run. */
precis_status pcs_watched_run(pcs_watched *w);
precis_status pcs_watched_step(pcs_watched *w, size_t i);

#endif
