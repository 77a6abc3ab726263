/* element_op.h - an op of each row of a table of functions of elements (unary.def, binary.def): of every type that the
 * row has a block for, its operands spread over one another, with a gradient where it has slopes. */
#ifndef PCS_ELEMENT_OP_H
#define PCS_ELEMENT_OP_H

#include "graph/element.h"

typedef struct pcs_element_row {
    pcs_block_fn *f32, *f64, *i64, *u64; /* NULL: the op does not take such numbers */
    pcs_function kernel;                 /* with the bits of f32, for f32 alone */
    bool test;                           /* the result is true or false */
    pcs_slope_fn *slope[2];              /* by each operand; NULL: no gradient */
} pcs_element_row;

static inline pcs_block_fn *pcs_row_block(const pcs_element_row *r, pcs_dtype d)
{
    const pcs_domain m = pcs_domain_of(d);
    return m == PCS_IN_F32 ? r->f32 : m == PCS_IN_F64 ? r->f64 : m == PCS_IN_I64 ? r->i64 : r->u64;
}

static inline precis_status pcs_infer_row(precis_graph *g, const pcs_node *n, pcs_value *out, const pcs_element_row *r)
{
    const pcs_dtype d = g->values[n->in[0]].dtype;
    for (uint32_t i = 1; i < n->n_in; i++)
        if (g->values[n->in[i]].dtype != d)
            return pcs_op_fail(g, n, "takes operands of one type, not %s and %s", pcs_dtype_name(d),
                               pcs_dtype_name(g->values[n->in[i]].dtype));
    if (!pcs_dtype_bytes(d) || !pcs_row_block(r, d)) return pcs_op_fail(g, n, "does not take %s", pcs_dtype_name(d));
    out->dtype = r->test ? PCS_BOOL : d;
    return pcs_infer_spread(g, n, 0, n->n_in, out);
}

/* A file says before it what its ops have in common: OP_INPUTS, how many operands, and OP_ATTRS, their attributes. */
#define ELEMENT_OP(name_, row_, ...) \
    static const pcs_element_row of_##name_ = row_; \
    static precis_status infer_##name_(precis_graph *g, const pcs_node *n, pcs_value *out) \
    { \
        return pcs_infer_row(g, n, out, &of_##name_); \
    } \
    static void eval_##name_(const pcs_call *c, uint32_t ith, uint32_t nth) \
    { \
        if (of_##name_.kernel && c->in[0].dtype == PCS_F32) pcs_elements_of(c, ith, nth, of_##name_.kernel); \
        else pcs_elementwise(c, ith, nth, pcs_row_block(&of_##name_, c->in[0].dtype)); \
    } \
    const pcs_op pcs_op_##name_ = { \
        .name = #name_, .min_in = OP_INPUTS, .max_in = OP_INPUTS, .attrs = OP_ATTRS, .by_rows = true, \
        .matrices_by_rows = true, .infer = infer_##name_, .eval = eval_##name_, __VA_ARGS__ \
    };
#define ROW(...) { __VA_ARGS__ }
#define REALS(name) .f32 = name##_f32, .f64 = name##_f64
#define WHOLES(name) .i64 = name##_i64, .u64 = name##_u64
/* With a gradient, and what else its row says; without one, and why. */
#define SMOOTH_OP(name_, row_, ...) \
    static const pcs_element_row of_##name_; \
    static void back_##name_(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth) \
    { \
        pcs_elementwise_back(c, g, ith, nth, of_##name_.slope); \
    } \
    ELEMENT_OP(name_, ROW row_, .backward = back_##name_, __VA_ARGS__)
#define TEST_OP(name_, row_) ELEMENT_OP(name_, ROW row_, .not_differentiable = "its result is true or false")
#define WHOLE_OP(name_, row_) ELEMENT_OP(name_, ROW row_, .not_differentiable = "it takes whole numbers alone")

/* n results of expr, of type OUT, from operands of type IN: x, and y where there are two. */
#define BLOCK(name, IN, AS, OUT, expr) \
    static void name(const precis_attr *attr, size_t n, const void *const *in, void *out) \
    { \
        const IN *const u = in[0], *const v = in[OP_INPUTS - 1]; \
        OUT *restrict const to = out; \
        OP_NUMBERS(attr) \
        for (size_t k = 0; k < n; k++) { \
            const AS x = (AS)u[k], y = (AS)v[k]; \
            (void)x, (void)y; \
            to[k] = (OUT)(expr); \
        } \
    }
/* The derivative expr, in f64, where z is what eval made of x and y. */
#define SLOPE(name, expr) \
    static void name(const precis_attr *attr, size_t n, const float *const *in, const float *made, float *slope) \
    { \
        const float *const u = in[0], *const v = in[OP_INPUTS - 1]; \
        OP_NUMBERS(attr) \
        for (size_t k = 0; k < n; k++) { \
            const double x = (double)u[k], y = (double)v[k], z = (double)made[k]; \
            (void)x, (void)y, (void)z; \
            slope[k] = (float)(expr); \
        } \
    }

#endif
