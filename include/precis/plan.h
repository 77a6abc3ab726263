/* precis/plan.h - which type for which tensor under a budget. Stage 3: read -> graph -> PLAN -> quant -> eval -> run.
 *
 * The solver is pure: sizes, losses and a budget in, choices out; it needs no model. */
#ifndef PRECIS_PLAN_H
#define PRECIS_PLAN_H

#include "precis/read.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One way to store a tensor. */
typedef struct precis_choice { uint64_t bytes; double loss; } precis_choice;
/* A tensor: n choices of which exactly one is taken. */
typedef struct precis_item { const precis_choice *choices; size_t n; } precis_item;

typedef struct precis_solution {
    uint32_t size;      /* sizeof of this struct, set by the caller                           */
    uint64_t bytes, min_bytes; /* taken; least that any choice needs                          */
    double   loss;      /* sum of the taken                                                   */
    double   bound;     /* no solution has less (Lagrangian)                                  */
    int      exact;     /* loss is proved least; otherwise the gap is loss - bound            */
} precis_solution;

/* Least total loss with at most max_bytes in all: the multiple-choice knapsack, by Pareto lists pruned with a
 * Lagrangian bound. picks[i] is the index of item i's choice. PRECIS_EBUDGET with the least feasible size in the
 * message and in min_bytes. Ties go to fewer bytes, then to lower indices: the result is the same everywhere. */
PRECIS_API precis_status precis_plan_solve(precis_ctx *ctx, const precis_item *items, size_t n, uint64_t max_bytes,
                                           size_t *picks, precis_solution *solution);

/* A type for every tensor of a model. */
typedef struct precis_plan precis_plan;

typedef struct precis_plan_row {
    uint32_t    size;       /* sizeof of this struct, set by the caller                        */
    const char *tensor, *from, *to;
    const char *wanted;     /* the type that was asked for, when its block does not divide the rows; else NULL */
    uint64_t    bytes;      /* as `to`                                                         */
    double      loss;       /* predicted: weighted squared error over weighted squares; NaN when not measured */
} precis_plan_row;

/* spec: a type ("Q4_0"), a mix ("Q4_K_M"), or a list of PATTERN=TYPE ("*attn_v*=Q6_K,*=Q4_K", first match counts).
 * Tensors that are not weights of a layer (norms, biases, routers) keep their type. A type whose block does not divide
 * a tensor's rows is replaced by its substitute and warned about, or with `strict` an error.
 * PRECIS_EINVAL: an unknown name, or a type that cannot be written. */
PRECIS_API precis_status precis_plan_types(precis_ctx *ctx, precis_plan **out, const precis_model *model,
                                           const char *spec, int strict);
PRECIS_API void precis_plan_close(precis_plan **plan);
PRECIS_API size_t precis_plan_size(const precis_plan *plan);
PRECIS_API precis_status precis_plan_get(const precis_plan *plan, size_t i, precis_plan_row *row);
/* Of all tensors. */
PRECIS_API uint64_t precis_plan_bytes(const precis_plan *plan);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_PLAN_H */
