/* reason.h - why a node cannot be what is wanted of it, in the words that all say it with. */
#ifndef PCS_REASON_H
#define PCS_REASON_H

#include "graph/graph.h"

#include <stdarg.h>

enum { PCS_REASON = 400 }; /* characters of a text */

/* text[PCS_REASON] becomes "node NAME (OP)WHAT: " and the reason; what: " cannot be ...", or "". */
void pcs_node_reason(char *text, const pcs_node *n, const char *what, const char *fmt, va_list ap);

#endif
