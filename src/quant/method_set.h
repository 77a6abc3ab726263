/* method_set.h - the methods of one job, by their names. */
#ifndef PCS_METHOD_SET_H
#define PCS_METHOD_SET_H

#include "quant/quant.h"

enum { PCS_METHODS_MOST = 8 };
typedef struct pcs_method_set {
    const pcs_method *all[PCS_METHODS_MOST], *coder;
    size_t n;
    bool transforms, residual;
    bool implied; /* nobody named the coder: it is what a transform asks for */
} pcs_method_set;

precis_status pcs_methods_parse(precis_ctx *ctx, const char *spec, pcs_method_set *set);
const char *pcs_methods_conflict(const pcs_method *a, const pcs_method *b); /* NULL: they go together */
void pcs_methods_name(const pcs_method_set *set, char *out, size_t cap);
/* Row i of the table of pairs, "a + b: works"; false at the end. */
bool pcs_methods_pair(size_t i, char *text, size_t cap);

#endif
