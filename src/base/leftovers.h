/* leftovers.h - what a process that ends at once would leave behind, and inputs that changed while they were mapped. */
#ifndef PCS_LEFTOVERS_H
#define PCS_LEFTOVERS_H

#include "base/base.h"
#include "precis/files.h"

/* Paths of a context: a handler of signals reads them while any thread writes one, so each is set and taken whole. */
enum { PCS_LEFTOVERS = 160 };
typedef struct pcs_leftovers {
    _Atomic(char *) path[PCS_LEFTOVERS];
    _Atomic(char *) changed;
} pcs_leftovers;
pcs_leftovers *pcs_leftovers_of(precis_ctx *ctx); /* ctx.c */
void pcs_leftovers_close(precis_ctx *ctx);

/* A file or folder that has a hidden name, from when it has it until it is gone or has its own. */
void pcs_leftover_add(precis_ctx *ctx, const char *path);
void pcs_leftover_gone(precis_ctx *ctx, const char *path);
/* A mapped file's size is no longer what it was. */
void pcs_changed(precis_ctx *ctx, const char *path);

#endif
