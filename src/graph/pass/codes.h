/* codes.h - how nodes between DequantizeLinear and QuantizeLinear become nodes of codes (pass fuse_codes).
 *
 * A rule looks at the node that a QuantizeLinear reads from, after what only clamps it (which a range of codes does as
 * well), says which values of codes it would read, and makes the nodes. Rules change no list: the pass decides what is
 * made. */
#ifndef PCS_PASS_CODES_H
#define PCS_PASS_CODES_H

#include "graph/element.h"
#include "graph/pass.h"

/* Codes of 8 bits and what they mean, for all of the value; zero is that of the U8 form (codes_layout). */
typedef struct pcs_coded {
    precis_value value;
    float scale;
    int32_t zero;
} pcs_coded;

#define PCS_CODED_MOST 16 /* values that a node of codes reads */

typedef struct pcs_fused pcs_fused;

typedef struct pcs_code_rule {
    const pcs_op *op;
    /* Is `f->core` one of those? Fills f->in and f->n_in. */
    bool (*match)(const precis_graph *g, const pcs_node *nodes, pcs_fused *f);
    /* The value of codes that it makes; operands are in their U8 form (twins), or with `plain` as they are. */
    precis_value (*make)(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in);
    bool plain; /* elements only move, and scales stay: codes as they are, in the order that they have */
    bool numbers; /* the result is F32: no QuantizeLinear stands behind `f->core` */
} pcs_code_rule;

struct pcs_fused {
    const pcs_code_rule *rule;
    const pcs_node *core;
    pcs_coded in[PCS_CODED_MOST];
    uint32_t n_in;
    bool plain;  /* operands and the result are codes as they are; preset as the rule has it */
    pcs_dtype type; /* of the result */
    float scale;    /* of the result */
    pcs_codes_to to;
};

extern const pcs_code_rule pcs_code_rules[]; /* op NULL ends it */
extern const pcs_code_rule pcs_number_rules[]; /* of products whose numbers are wanted */

/* Rules of code_pairs.c. */
bool pcs_match_mul_of_codes(const precis_graph *g, const pcs_node *nodes, pcs_fused *f);
precis_value pcs_make_mul_of_codes(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in);
bool pcs_match_matmul_of_codes(const precis_graph *g, const pcs_node *nodes, pcs_fused *f);
precis_value pcs_make_matmul_of_codes(precis_graph *g, const pcs_node *nodes, const pcs_fused *f,
                                      const precis_value *in);

/* Rules of code_pools.c. */
bool pcs_match_pool_of_codes(const precis_graph *g, const pcs_node *nodes, pcs_fused *f);
precis_value pcs_make_pool_of_codes(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in);
bool pcs_match_mean_of_codes(const precis_graph *g, const pcs_node *nodes, pcs_fused *f);
precis_value pcs_make_mean_of_codes(precis_graph *g, const pcs_node *nodes, const pcs_fused *f, const precis_value *in);

/* An op that only holds a number within a constant limit. */
typedef enum { PCS_CLAMP_NONE, PCS_CLAMP_BELOW, PCS_CLAMP_ABOVE } pcs_clamp;
pcs_clamp pcs_clamps_of(const pcs_op *op);

/* The node that makes v; NULL: none does. */
static inline const pcs_node *pcs_node_making(const precis_graph *g, const pcs_node *nodes, precis_value v)
{
    return g->values[v].node < 0 ? NULL : &nodes[g->values[v].node];
}
/* The attribute of that name; NULL: the op has none. */
static inline const precis_attr *pcs_node_attr(const pcs_node *n, const char *name)
{
    for (uint32_t i = 0; i < pcs_op_attrs(n->op); i++)
        if (!strcmp(n->op->attrs[i].name, name)) return &n->attr[i];
    return NULL;
}
/* A constant scale and zero point of all of a value of codes. */
bool pcs_one_scale(const precis_graph *g, precis_value scale, precis_value zero, float *s, int32_t *z);
/* v is what a decoding node makes of codes of 8 bits with one scale. */
bool pcs_coded_of(const precis_graph *g, const pcs_node *nodes, precis_value v, pcs_coded *out);
/* As many elements in both, whatever the sizes that are not known will be. */
bool pcs_same_count(const pcs_value *a, const pcs_value *b);

/* Weights of a product as rows of whole numbers of 8 bits: codes less their zero points; scale of each row. Freed by
 * the caller (both in one piece). NULL: they are none. `columns`: a row of weights is a column of the value. */
typedef struct pcs_code_weights {
    int8_t *w;    /* [rows][k] */
    float *scale; /* [rows] */
    size_t rows, k;
} pcs_code_weights;
bool pcs_code_weights_are(const precis_graph *g, const pcs_node *nodes, precis_value v, bool columns);
bool pcs_code_weights_of(precis_graph *g, const pcs_node *nodes, precis_value v, bool columns, pcs_code_weights *out);
/* A constant of the graph's own arena. */
precis_value pcs_code_constant(precis_graph *g, const char *name, pcs_dtype d, int64_t n, const void *data);

#endif
