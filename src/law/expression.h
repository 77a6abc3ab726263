/* expression.h - infix text into nodes of a law's tree: a shunting yard with bounded stacks. */
#ifndef PCS_EXPRESSION_H
#define PCS_EXPRESSION_H

#include "law/law.h"

/* Text of a law's file, and where in it we are. */
typedef struct pcs_law_text_at { precis_ctx *ctx; const char *file, *line_start, *p, *end; int line; } pcs_law_text_at;

precis_status pcs_law_fail(const pcs_law_text_at *t, const char *at, const char *fmt, ...) PCS_PRINTF(3, 4);
/* The expression from t->p to the end of its line; *node is its root. */
precis_status pcs_expression(precis_law *law, pcs_law_text_at *t, uint16_t *node);

#endif
