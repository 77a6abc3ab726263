/* graph.h - the one representation of every model: values with a shape, nodes with an op.
 *
 * Precision is explicit: a stored weight is a constant in its own format, and a dequantize node makes
 * numbers of it; ops that can read the stored form say so (folds), and lowering then drops the node.
 * State (the KV cache) is a value that kv_append makes anew; all else is single assignment. */
#ifndef PCS_GRAPH_H
#define PCS_GRAPH_H

#include "base/pool.h"
#include "format/format.h"
#include "kernel/kernel.h"
#include "model/model.h"
#include "precis/graph.h"

#define PCS_GRAPH_DIMS PRECIS_MAX_DIMS
#define PCS_NODE_INPUTS 6
#define PCS_ATTRS 6

typedef enum { PCS_F32, PCS_I32, PCS_STORED, PCS_STATE, PCS_ACT } pcs_dtype;

typedef struct pcs_value {
    const char *name;
    pcs_dtype dtype;
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS]; /* outermost first; negative: symbolic */
    int32_t node;                  /* that makes it; -1: input, constant, state */
    const void *data;              /* of a constant; NULL otherwise */
    const void *panels;            /* of a stored one that lies packed; data is NULL then */
    const pcs_format *format;      /* PCS_STORED */
    bool input, output;
    bool cut;                      /* a segment of the net may end here */
} pcs_value;

typedef struct pcs_op pcs_op;

typedef struct pcs_node {
    const char *name;
    const pcs_op *op;
    uint32_t n_in;
    precis_value in[PCS_NODE_INPUTS], out;
    double attr[PCS_ATTRS];
} pcs_node;

struct precis_graph {
    precis_ctx *ctx;
    pcs_arena arena;
    pcs_value *values;
    size_t n_values, cap_values;
    pcs_node *nodes;
    size_t n_nodes, cap_nodes;
    precis_status error; /* the first; its sentence is in message */
    char message[512];
};

/* One operand of a call. */
typedef struct pcs_arg {
    pcs_dtype dtype;
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS];
    void *data; /* float, int32_t, stored bytes, pcs_kv or pcs_act */
    const void *panels; /* of stored bytes: the same as panels (kernel/panels.h), or NULL */
    const pcs_format *format;
} pcs_arg;

/* Row r of stored weights of k; scratch has room for one. */
static inline const uint8_t *pcs_arg_row(const pcs_arg *w, uint64_t r, size_t k, uint8_t *scratch)
{
    if (w->data) return (const uint8_t *)w->data + r * pcs_row_bytes(w->format, k);
    pcs_panels_row(w->format, k, w->panels, r, scratch);
    return scratch;
}

typedef struct pcs_call {
    precis_ctx *ctx;
    const pcs_kernels *kernels;
    const double *attr;
    uint32_t n_in;
    pcs_arg in[PCS_NODE_INPUTS], out;
    char *scratch; /* per thread: scratch + ith * scratch_size */
    size_t scratch_size;
    bool tiles;     /* activations are needed in tiles, however few */
} pcs_call;

typedef void pcs_eval_fn(const pcs_call *c, uint32_t ith, uint32_t nth);

struct pcs_op {
    const char *name;
    uint32_t min_in, max_in;
    const char *attrs[PCS_ATTRS]; /* names of the slots */
    double defaults[PCS_ATTRS];
    bool folds; /* reads a stored input 1 itself */
    bool view;  /* the result is input 0's bytes under another shape */
    bool by_rows; /* a thread makes rows of the result from the same rows of inputs, pcs_share(rows, 1, ...): steps that are, one after another, need no barrier in between */
    bool emulates; /* rounds as hardware would; PRECIS_REFERENCE leaves it out */
    bool (*has_kernel)(const double *attr); /* of those: some kernel multiplies such elements */
    /* Check the inputs' shapes and give the result's (dtype F32 and no dims come preset). */
    precis_status (*infer)(precis_graph *g, const pcs_node *n, pcs_value *out);
    /* Reference: defines the result to the last bit, on any number of threads. */
    pcs_eval_fn *eval;
    /* The fast lowering's, when it differs: may take int8 activations (PCS_ACT) as input 0. */
    pcs_eval_fn *fast;
    /* Bytes that each thread needs; NULL: none. */
    size_t (*scratch)(const pcs_call *c);
    /* Add the gradient of a loss by each f32 input to din[i] (NULL: not wanted), given the result's
     * gradient. One thread. NULL: not differentiable (yet). */
    void (*backward)(const pcs_call *c, const float *dout, float *const *din);
};

extern const pcs_op *const pcs_ops[];
const pcs_op *pcs_op_by_name(const char *name);

typedef struct pcs_pass {
    const char *name;
    precis_status (*run)(precis_graph *g);
} pcs_pass;
extern const pcs_pass *const pcs_passes[];

/* Building, for builders inside the library. Each returns a value or -1 with the error kept. */
precis_value pcs_graph_input_i32(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape);
precis_value pcs_graph_state(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape);
/* Constant whose data the caller keeps alive. */
precis_value pcs_graph_stored(precis_graph *g, const char *name, const pcs_format *f, uint32_t dims, const int64_t *shape, const void *data);
/* A tensor of a model, from row `first` on: its rows, or its panels. */
precis_value pcs_graph_weight(precis_graph *g, const char *name, const struct pcs_tensor *t, uint32_t dims, const int64_t *shape, uint64_t first);
/* Record the first error. */
precis_value pcs_graph_fail(precis_graph *g, precis_status status, const char *fmt, ...) PCS_PRINTF(3, 4);
precis_value pcs_graph_add_value(precis_graph *g, const pcs_value *v);
/* Attribute of a node by slot name, for passes. */
double *pcs_node_attr(pcs_node *n, const char *name);

/* Helpers of the ops. */
precis_status pcs_op_fail(precis_graph *g, const pcs_node *n, const char *fmt, ...) PCS_PRINTF(3, 4);
/* Same shape as input i. */
precis_status pcs_infer_like(precis_graph *g, const pcs_node *n, uint32_t i, pcs_value *out);
static inline int64_t pcs_arg_count(const pcs_arg *a)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < a->dims; i++) n *= a->shape[i];
    return n;
}
/* Rows over the last dimension. */
static inline int64_t pcs_arg_rows(const pcs_arg *a)
{
    int64_t n = 1;
    for (uint32_t i = 0; i + 1 < a->dims; i++) n *= a->shape[i];
    return n;
}
static inline int64_t pcs_arg_width(const pcs_arg *a) { return a->dims ? a->shape[a->dims - 1] : 1; }
/* A thread's rows of an operand, pcs_share(rows, 1, ...), in numbers. */
static inline void pcs_share_numbers(const pcs_arg *a, uint32_t ith, uint32_t nth, uint64_t *begin, uint64_t *end)
{
    const uint64_t width = (uint64_t)pcs_arg_width(a);
    pcs_share((uint64_t)pcs_arg_rows(a), 1, ith, nth, begin, end);
    *begin *= width;
    *end *= width;
}

#endif
