/* c.h - a net as one C99 file without dependencies, for microcontrollers: weights as constants, one arena whose places
 * are planned here, one function that runs it. Codes are computed as the engine here computes them, to the last bit.
 *
 * What is written is the graph as it runs (pcs_graph_lower), with all of its dimensions known: ops.def has one row per
 * op of it, parts.def one per function of the file. Threads: as the context. */
#ifndef PCS_WRITE_C_H
#define PCS_WRITE_C_H

#include "graph/graph.h"
#include "read/netfile.h"
#include "write/write.h"

/* Bytes of constants, and calls, that a file may have: more is nothing for a microcontroller. */
#define PCS_LIMIT_C_CONSTANTS (64 << 20)
#define PCS_LIMIT_C_CALLS 16384

#define PCS_C_CORES 3 /* cores.def */

typedef struct pcs_c_saved {
    const char *net;    /* path of the net's file: it is read with `sizes` for what it leaves open, and lowered */
    const char *source; /* path of what the head says that it was made from, with its SHA-256 */
    const pcs_netfile_given *sizes; /* of each input, in their order; NULL, or no shape: a first dimension is 1 */
    size_t n_sizes;
    const pcs_netfile *from; /* whose inputs with a value the net's are, too; or NULL */
    const pcs_beside *beside; /* or NULL */
} pcs_c_saved;

/* What a file takes; cycles are predicted (docs/c-files.md says from what). */
typedef struct pcs_c_written {
    uint64_t bytes, weights, code, arena, stack, macs;
    size_t functions, calls;
    double cycles[PCS_C_CORES][2]; /* least and most, by core */
    char name[64];
} pcs_c_written;

const char *pcs_c_core(size_t i); /* its name; NULL after the last */

/* Written whole or not at all, and read back before it has its name. PRECIS_EUNSUPPORTED names the node that no row is
 * for, a dimension that has no size, or constants beyond PCS_LIMIT_C_CONSTANTS bytes. written may be NULL. */
precis_status pcs_c_save(precis_ctx *ctx, const pcs_c_saved *what, const char *path, pcs_c_written *written);

#endif
