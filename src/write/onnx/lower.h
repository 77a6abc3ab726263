/* lower.h - what the rows of lower.def work with: nodes of an ONNX file in the making. */
#ifndef PCS_WRITE_ONNX_LOWER_H
#define PCS_WRITE_ONNX_LOWER_H

#include "graph/element.h"
#include "write/onnx/onnx.h"

typedef struct pcs_lowering pcs_lowering;
typedef struct pcs_lower_row pcs_lower_row;

typedef precis_status pcs_lower_fn(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row);
/* Marks nodes before this one that its row writes with it. */
typedef void pcs_take_fn(pcs_lowering *w, const pcs_node *n);

struct pcs_lower_row {
    const pcs_op *op;
    const char *onnx; /* for the function: the op of ONNX, where it is one */
    int64_t since;    /* the opset whose form is written */
    uint32_t reads;   /* inputs (a bit each) that the written form reads as they are */
    pcs_lower_fn *lower;
    pcs_take_fn *take;
};
extern const pcs_lower_row pcs_lower_rows[];
const pcs_lower_row *pcs_lower_row_of(const pcs_op *op);

typedef struct pcs_made_initializer {
    const char *name;
    pcs_dtype dtype;
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS];
    const void *data; /* elements of ours: 4-bit ones one a byte */
} pcs_made_initializer;

struct pcs_lowering {
    precis_ctx *ctx;
    const precis_graph *g;
    const pcs_onnx_saved *what;
    pcs_arena arena;
    pcs_buf nodes, scratch;
    const char **names; /* of values, once they have one */
    pcs_map taken, taken_nodes; /* names of values; of nodes */
    bool *alive, *taken_node; /* by node: its result is read; another writes it */
    uint32_t *uses;           /* by value: readers that are alive, and outputs */
    pcs_made_initializer *initializers;
    size_t n_initializers, cap_initializers, n_nodes;
    const char **dims; /* by id of a dimension: the value that holds it, I64[1] */
    int64_t opset;
    bool microsoft;
    precis_status error; /* of a name that could not be made; its sentence is in ctx */
};

/* ---- of values */
static inline const pcs_value *pcs_v(const pcs_lowering *w, precis_value v) { return &w->g->values[v]; }
/* The node that makes it; NULL: none does. */
const pcs_node *pcs_maker(const pcs_lowering *w, precis_value v);
/* The node that makes v when its op is `op`, v is read once and is no output: it can be written with its reader. */
const pcs_node *pcs_alone(const pcs_lowering *w, precis_value v, const pcs_op *op);
void pcs_take(pcs_lowering *w, const pcs_node *n);
/* Is it a constant of one element? */
bool pcs_is_scalar(const pcs_lowering *w, precis_value v);
/* The name of a value: constants become initializers. NULL: no memory. */
const char *pcs_name(pcs_lowering *w, precis_value v);
const char *pcs_result_name(pcs_lowering *w, precis_value v);
/* A name that nothing has yet, like this one. */
const char *pcs_fresh_name(pcs_lowering *w, const char *like);
const char *pcs_initializer(pcs_lowering *w, const char *like, pcs_dtype d, uint32_t dims, const int64_t *shape,
                            const void *data);
const char *pcs_longs(pcs_lowering *w, const char *like, uint32_t n, const int64_t *v); /* I64[n] */
const char *pcs_number(pcs_lowering *w, const char *like, pcs_dtype d, double v);      /* a scalar */
/* I64[n] of dimensions, computed in the file where some have no size. */
const char *pcs_sizes(pcs_lowering *w, const char *like, uint32_t n, const int64_t *dims);

/* ---- of nodes */
typedef struct pcs_made_list {
    const char *name;
    const float *reals;       /* or */
    const char *const *texts; /* one of both */
    uint32_t n;
} pcs_made_list;
typedef struct pcs_made_node {
    const char *op, *domain, *name;
    const char *in[8], *out[8]; /* "": left out */
    uint32_t n_in, n_out;
    const char *const *many; /* inputs, in place of `in` */
    const precis_attr *attrs; /* empty lists are left out */
    pcs_made_list lists[3];   /* of numbers and of texts; those without elements are left out */
} pcs_made_node;
precis_status pcs_emit(pcs_lowering *w, const pcs_made_node *n);
/* A node of the graph as one of ONNX, with all of its inputs and results. */
precis_status pcs_emit_like(pcs_lowering *w, const pcs_node *n, const char *op, const precis_attr *attrs);
/* One of n inputs, with a result of a fresh name, which it returns; NULL: no memory. */
const char *pcs_emit_one(pcs_lowering *w, const char *op, const char *like, uint32_t n, const char *const *in,
                         const precis_attr *attrs);
/* ONNX has no op for this node: by its name and why. */
precis_status pcs_cannot(pcs_lowering *w, const pcs_node *n, const char *fmt, ...) PCS_PRINTF(3, 4);
void pcs_needs_opset(pcs_lowering *w, int64_t opset);
/* The number of ONNX's TensorProto for a type; 0: none. */
int64_t pcs_onnx_type(pcs_dtype d);
/* The word of theirs that stands beside ours in pairs that NULL ends; NULL: none. */
const char *pcs_word_of(const char *const (*pairs)[2], const char *ours);

/* ---- protobuf (proto.c) */
precis_status pcs_put_varint(pcs_buf *b, uint32_t number, uint64_t value);
precis_status pcs_put_float(pcs_buf *b, uint32_t number, float value);
precis_status pcs_put_bytes(pcs_buf *b, uint32_t number, const void *data, size_t n);
precis_status pcs_put_text(pcs_buf *b, uint32_t number, const char *text);
precis_status pcs_put_head(pcs_buf *b, uint32_t number, uint64_t n); /* of n bytes that follow */

#endif
