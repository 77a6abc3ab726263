/* evaluate.h - an output of a law at some points at once. */
#ifndef PCS_EVALUATE_H
#define PCS_EVALUATE_H

#include "law/law.h"

typedef struct pcs_evaluator {
    precis_ctx *ctx;
    const precis_law *law;
    pcs_tape *tape;
    size_t n;
    double *values[PCS_VARS], *logs[PCS_VARS], *one, params[PCS_LAW_PARAMS];
    pcs_arena arena;
} pcs_evaluator;

/* PRECIS_EINVAL when a constant is lacking. n points. */
precis_status pcs_evaluator_open(precis_ctx *ctx, pcs_evaluator *e, const precis_law *law, int node, size_t n);
void pcs_evaluator_close(pcs_evaluator *e);
/* Point i, or one of its variables. */
void pcs_evaluator_set(pcs_evaluator *e, size_t i, const precis_law_point *p);
void pcs_evaluator_put(pcs_evaluator *e, size_t i, int variable, double value);
const double *pcs_evaluator_run(pcs_evaluator *e);
/* After run: d output / d variable at point i (0: it is not in it). */
void pcs_evaluator_back(pcs_evaluator *e);
double pcs_evaluator_slope(const pcs_evaluator *e, int variable, size_t i);
/* Its one point p has a value; else PRECIS_EINVAL and which variable is lacking, or where the law ends. */
precis_status pcs_evaluator_one(pcs_evaluator *e, const precis_law_point *p, double *value);

/* The logarithm of the first value of a variable from `from` to `to` at which the output is at most the target, at
 * least it, or its slope by the variable is not negative. -INFINITY: so it is at `from`; NAN: nowhere. The point's
 * other variables are as they were set; n is PCS_WIDE. 64 points a step: 8 steps are 14 digits. */
enum { PCS_WIDE = 64 };
typedef enum { PCS_AT_MOST, PCS_AT_LEAST, PCS_RISING } pcs_condition;
double pcs_evaluator_first(pcs_evaluator *e, int variable, double from, double to, pcs_condition condition,
                           double target);

/* The node of a law's loss at 16 bits, and the point for it: for laws of exponent and
 * mantissa the loss without what these add. -1: none. */
int pcs_law_usual(const precis_law *law, const precis_law_point *p, precis_law_point *usual);
bool pcs_law_has_variable(const precis_law *law, int node, int variable);

#endif
