/* graph.h - the one representation of every model: values with a shape, nodes with an op.
 *
 * Precision is explicit: a stored weight is a constant in its own format, and a dequantize node makes
 * numbers of it; ops that can read the stored form say so (folds), and lowering then drops the node.
 * State (the KV cache) is a value that kv_append makes anew; all else is single assignment. */
#ifndef PCS_GRAPH_H
#define PCS_GRAPH_H

#include "base/claims.h"
#include "base/pool.h"
#include "format/format.h"
#include "graph/dims.h"
#include "graph/store.h"
#include "kernel/kernel.h"
#include "model/model.h"
#include "precis/graph.h"

#include <stdatomic.h>

#define PCS_GRAPH_DIMS PRECIS_MAX_DIMS

/* What a value is for. */
typedef enum {
    PCS_RESULT,    /* a node makes it */
    PCS_INPUT,     /* the caller gives it at each run */
    PCS_CONSTANT,  /* its data never change */
    PCS_PARAMETER, /* a constant that training may change */
    PCS_LASTING,   /* a state: it outlives a run */
} pcs_role;

/* What a code means: (code - zero) * scale; for the whole value, or one of each along an axis. */
typedef struct pcs_affine {
    float scale;          /* 0: the codes are whole numbers and nothing else */
    int32_t zero;
    const float *scales;  /* along `axis`, or NULL */
    const int32_t *zeros; /* along `axis`, or NULL: `zero` */
    uint32_t axis;
} pcs_affine;

struct pcs_value {
    const char *name;
    pcs_dtype dtype;
    pcs_role role;
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS]; /* outermost first; dims.h */
    int32_t node;                  /* that makes it; -1: none does */
    pcs_store store;               /* of a constant: where its contents lie; store.h alone looks into it */
    const pcs_format *format;      /* PCS_STORED */
    pcs_affine affine;             /* of whole numbers */
    const int64_t *known;          /* elements of an i64 value that are known, as dimensions, before it runs; or NULL */
    bool output;
    bool cut;                      /* a segment of the net may end here */
};

typedef struct pcs_op pcs_op;

typedef struct pcs_node {
    const char *name;
    const pcs_op *op;
    uint32_t n_in, n_out;
    precis_value *in, *out;  /* in the graph's arena */
    const precis_attr *attr; /* one for each of the op's, in its order */
} pcs_node;

struct precis_graph {
    precis_ctx *ctx;
    pcs_arena arena;
    pcs_value *values;
    size_t n_values, cap_values;
    pcs_node *nodes;
    size_t n_nodes, cap_nodes;
    pcs_dim *dims; /* symbols and expressions, by id */
    size_t n_dims, cap_dims;
    precis_status error; /* the first; its sentence is in message */
    char message[512];
};

/* One operand of a call. */
struct pcs_arg {
    pcs_dtype dtype;
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS];
    void *data; /* elements, stored bytes, pcs_kv or pcs_act */
    const void *panels; /* of stored bytes: the same as panels (kernel/panels.h), or NULL */
    const pcs_format *format;
    pcs_affine affine;
};

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
    const precis_attr *attr; /* of the node, in the op's order */
    uint32_t n_in, n_out;
    pcs_arg *in, *out;
    char *scratch; /* per thread: scratch + ith * scratch_size */
    size_t scratch_size;
    pcs_claims *claims; /* of the threads; NULL: each has its own share (base/claims.h) */
    uint32_t step;      /* that they claim units of */
    bool by_columns; /* of a result of one row: threads share its columns */
    bool tiles;     /* activations are needed in tiles, however few */
    bool bf16;      /* its rows are multiplied in that arithmetic (kernel/bf16.h) */
    atomic_int *outside; /* set by an op that meets an index or a scale that is none; who runs it refuses the result */
} pcs_call;

static inline void pcs_outside(const pcs_call *c)
{
    if (c->outside) atomic_store_explicit(c->outside, 1, memory_order_relaxed);
}

typedef void pcs_eval_fn(const pcs_call *c, uint32_t ith, uint32_t nth);

/* Gradients of a loss: by each result of a node (NULL: none flows through it), and by each input, which backward adds
 * to (NULL: not wanted). */
typedef struct pcs_grads {
    const float *const *out;
    float *const *in;
} pcs_grads;

typedef void pcs_backward_fn(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth);

struct pcs_op {
    const char *name;
    uint32_t min_in, max_in;
    const precis_attr *attrs; /* names, kinds and defaults, PRECIS_ATTR_NONE ends them; NULL: none */
    uint32_t (*results)(const pcs_node *n); /* how many the node has; NULL: one */
    /* What its inputs are for; 0: it has none of the kind (input 0 is what flows). */
    uint32_t weight;              /* what input 0 is multiplied by */
    uint32_t bias;                /* what is added by channel, when it is given */
    uint32_t route;               /* which matrices a row takes */
    uint32_t channel_axis;        /* of the weights: one index of it makes one channel of the result */
    uint32_t result_axis;         /* of the result, counted from its last: the channels */
    uint32_t reads_stored;        /* the input that it reads as it is stored */
    bool spreads_odd;             /* f32 by floats: a weight that is NaN or infinite makes all results of its row so */
    uint32_t reads_shape;         /* the input whose contents only say a shape, and are known before it runs */
    bool decodes;                 /* makes numbers of a stored input 0 */
    /* Of an op that reads a state of keys and values (input 1): how many positions back it sees, 0 for all, and whether
     * it sees none that come later. NULL: it reads none. */
    void (*attends)(const pcs_node *n, int64_t *window, bool *causal);
    /* The result is a[channel] * x + b[channel], channels along dimension 1: both of them, when inputs after
     * the first are constants. False: they have fewer elements than there are channels. NULL: it is something else. */
    bool (*by_channel)(const precis_graph *g, const pcs_node *n, float *a, float *b);
    bool view;  /* the result is input 0's bytes under another shape */
    /* A thread makes rows of the result from the same rows of inputs, pcs_share(rows, 1, ...): steps that are so, one
     * after another, need no barrier in between. */
    bool by_rows;
    bool by_numbers; /* of those: a number is made from those in its place, so threads may share a row's columns */
    bool matrices_by_rows; /* only of results with two dimensions; others are shared out by elements */
    bool emulates; /* rounds as hardware would; PRECIS_REFERENCE leaves it out */
    bool (*has_kernel)(const precis_attr *attr); /* of those: some kernel multiplies such elements */
    /* Element i of a result of whole numbers, from what is known of the inputs before the graph runs, dimensions among
     * it; PCS_DIM_ERROR where it does not follow. NULL: never, but that a view has what its input has. */
    int64_t (*known)(precis_graph *g, const pcs_node *n, int64_t i);
    /* Check the inputs' shapes and give the results' (dtype F32 and no dims come preset). */
    precis_status (*infer)(precis_graph *g, const pcs_node *n, pcs_value *out);
    /* Reference: defines the result to the last bit, on any number of threads. */
    pcs_eval_fn *eval;
    /* The fast lowering's, when it differs: may take activations for kernels (PCS_ACT, PCS_ACT_BF16, PCS_ACT_INT8) as
     * input 0. */
    pcs_eval_fn *fast;
    /* Bytes that each thread needs; NULL: none. */
    size_t (*scratch)(const pcs_call *c);
    /* How many threads use them: those from this number on have nothing to do. NULL: all. */
    uint32_t (*workers)(const pcs_call *c);
    /* Multiplications of a call, for who measures; NULL: few enough not to count. Of whole numbers where input 1 is. */
    uint64_t (*products)(const pcs_call *c);
    /* Add to the gradients of f32 inputs, on any number of threads; operands hold what the run left in them. Each
     * number of a gradient is one thread's and its sum has one order, so that its bits do not depend on how many
     * threads there are. */
    pcs_backward_fn *backward;
    /* Bytes that each thread needs for it; NULL: none. */
    size_t (*scratch_back)(const pcs_call *c);
    /* Why there is no backward; every row has the one or the other. */
    const char *not_differentiable;
    /* backward is no derivative of eval: it takes what a rounding or a choice did as a constant (Bengio et al. 2013).
     */
    bool straight_through;
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
/* Rows or panels of a number format. */
precis_value pcs_graph_stored(precis_graph *g, const char *name, const pcs_format *f, uint32_t dims,
                              const int64_t *shape, pcs_store store);
/* Whole numbers with a meaning; the caller keeps data, as many as the shape says, and the affine's arrays alive. */
typedef struct pcs_code_value {
    pcs_dtype dtype;
    uint32_t dims;
    const int64_t *shape;
    const void *data;
    const pcs_affine *affine;
} pcs_code_value;
precis_value pcs_graph_codes(precis_graph *g, const char *name, const pcs_code_value *codes);
/* A tensor of a model, from row `first` on: its rows, or its panels. */
precis_value pcs_graph_weight(precis_graph *g, const char *name, const struct pcs_tensor *t, uint32_t dims,
                              const int64_t *shape, uint64_t first);
/* The stored weights that a node multiplies by, where a decoding node stands between; NULL: it has none. */
const pcs_value *pcs_node_weight(const precis_graph *g, const pcs_node *n);
/* Record the first error. */
precis_value pcs_graph_fail(precis_graph *g, precis_status status, const char *fmt, ...) PCS_PRINTF(3, 4);
precis_value pcs_graph_add_value(precis_graph *g, const pcs_value *v);
/* A node at the end of the list; its arrays are in the arena, its results exist. For passes. */
precis_status pcs_graph_push(precis_graph *g, const pcs_node *n);
/* Of an op's table of attributes. */
#define PCS_INT(name, value) { name, PRECIS_ATTR_INT, value, 0, NULL, 0, NULL, -1 }
#define PCS_REAL(name, value) { name, PRECIS_ATTR_REAL, 0, value, NULL, 0, NULL, -1 }
#define PCS_LIST(name) { name, PRECIS_ATTR_LIST, 0, 0, NULL, 0, NULL, -1 }
#define PCS_TEXT(name, value) { name, PRECIS_ATTR_TEXT, 0, 0, NULL, 0, value, -1 }
#define PCS_TENSOR(name) { name, PRECIS_ATTR_TENSOR, 0, 0, NULL, 0, NULL, -1 }
#define PCS_ATTR_TABLE(...) (const precis_attr[]){ __VA_ARGS__, { 0 } }
/* Attributes of an op. */
uint32_t pcs_op_attrs(const pcs_op *op);

/* Helpers of the ops. */
precis_status pcs_op_fail(precis_graph *g, const pcs_node *n, const char *fmt, ...) PCS_PRINTF(3, 4);
/* Same shape as input i. */
precis_status pcs_infer_like(precis_graph *g, const pcs_node *n, uint32_t i, pcs_value *out);
/* Bytes up to the next line of a cache: where a piece of scratch may begin. */
static inline size_t pcs_line_up(size_t n) { return (n + 63) / 64 * 64; }
/* Elements; -1 where a size is not known. */
static inline int64_t pcs_value_count(const pcs_value *v)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < v->dims; i++)
        if (pcs_dim_is_id(v->shape[i])) return -1;
        else n *= v->shape[i];
    return n;
}
static inline bool pcs_value_sized(const pcs_value *v) { return pcs_value_count(v) >= 0; }
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
/* The same of a call's result; or columns of its only row, in chunks, as codes of activations have them. */
static inline void pcs_share_result(const pcs_call *c, uint32_t ith, uint32_t nth, uint64_t *begin, uint64_t *end)
{
    if (c->by_columns) pcs_share((uint64_t)pcs_arg_width(&c->out[0]), PCS_CHUNK, ith, nth, begin, end);
    else pcs_share_numbers(&c->out[0], ith, nth, begin, end);
}

#endif
