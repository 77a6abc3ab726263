/* precis/graph.h - build a net by hand. Stage 2: read -> GRAPH -> plan -> quant -> eval -> run.
 *
 * A graph holds values (tensors with a shape) and nodes (an op that makes one value). It is built in
 * order: a node's inputs exist before it. Every function that returns a precis_value returns a
 * negative one on failure and accepts negative inputs, so that a whole net is built without checks and
 * the first error is kept; precis_graph_verify() returns it.
 *
 * Threads: as the context. */
#ifndef PRECIS_GRAPH_H
#define PRECIS_GRAPH_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_graph precis_graph;
typedef int32_t precis_value;

#define PRECIS_MAX_DIMS 8
/* *out is owned by the caller. PRECIS_ENOMEM. */
PRECIS_API precis_status precis_graph_open(precis_ctx *ctx, precis_graph **out);
PRECIS_API void precis_graph_close(precis_graph **graph);

/* A dimension whose size is given when the graph runs (precis_program_set_size), for use in shapes: a negative number.
 * The same name gives the same dimension. most: the largest size that it may have, for which memory is planned at once;
 * 0: any, and memory is planned for each size that comes and kept. Ops compute with it: a convolution of it has a size,
 * too. */
PRECIS_API int64_t precis_graph_symbol(precis_graph *g, const char *name, int64_t most);
/* A value that the caller gives at each run, f32. shape: outermost dimension first. */
PRECIS_API precis_value precis_graph_input(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape);
/* A constant, f32, row-major; data are copied. */
PRECIS_API precis_value precis_graph_constant(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape,
                                              const float *data);
/* An attribute of a node: a name that the op knows, and a value of the kind that it takes. Made by the
 * functions below; what a pointer leads to is copied when the node is made. */
typedef enum precis_attr_kind {
    PRECIS_ATTR_NONE, /* ends a list of attributes */
    PRECIS_ATTR_INT,  /* also yes and no: 1 and 0 */
    PRECIS_ATTR_REAL, /* takes a whole number, too */
    PRECIS_ATTR_LIST, /* of whole numbers */
    PRECIS_ATTR_TEXT,
    PRECIS_ATTR_TENSOR /* a constant of the graph */
} precis_attr_kind;
typedef struct precis_attr {
    const char *name;
    precis_attr_kind kind;
    int64_t integer;
    double real;
    const int64_t *list;
    uint32_t n; /* of the list */
    const char *text;
    precis_value tensor;
} precis_attr;
PRECIS_API precis_attr precis_attr_int(const char *name, int64_t value);
PRECIS_API precis_attr precis_attr_real(const char *name, double value);
PRECIS_API precis_attr precis_attr_list(const char *name, uint32_t n, const int64_t *values);
PRECIS_API precis_attr precis_attr_text(const char *name, const char *value);
PRECIS_API precis_attr precis_attr_tensor(const char *name, precis_value value);
/* PRECIS_ATTRS(precis_attr_int("stride", 2), precis_attr_int("pad", 1)): a list with its end (C only). */
#define PRECIS_ATTRS(...) ((const precis_attr[]){ __VA_ARGS__, { 0 } })

/* A node. op: a name of `precis list ops`; attributes: a list that PRECIS_ATTR_NONE ends, or NULL for
 * the defaults. The result's name is the node's; of several results it is the first. An attribute that
 * the op does not know, or of another kind, is an error. */
PRECIS_API precis_value precis_graph_node(precis_graph *g, const char *name, const char *op,
                                          const precis_attr *attributes, uint32_t n, const precis_value *inputs);
/* Result i of the node that makes v; an error when it has fewer. */
PRECIS_API precis_value precis_graph_result(precis_graph *g, precis_value v, uint32_t i);
/* Keep this value after a run. */
PRECIS_API void precis_graph_output(precis_graph *g, precis_value v);

/* The first error of building, or PRECIS_OK when every node's inputs and shapes agree. */
PRECIS_API precis_status precis_graph_verify(precis_graph *g);
PRECIS_API size_t precis_graph_values(const precis_graph *g);
PRECIS_API const char *precis_graph_value_name(const precis_graph *g, precis_value v);
/* The op that makes v; "" for inputs and constants. */
PRECIS_API const char *precis_graph_value_op(const precis_graph *g, precis_value v);
/* Shape of v, outermost first; returns the number of dimensions. Negative ones have no size before the graph runs. */
PRECIS_API uint32_t precis_graph_value_shape(const precis_graph *g, precis_value v, int64_t shape[PRECIS_MAX_DIMS]);
/* One line per node, through a callback. */
PRECIS_API void precis_graph_print(const precis_graph *g, void (*line)(void *user, const char *text), void *user);

/* Run a pass of `precis list passes`, in place: "fold_batch_norm", "drop_unused". */
PRECIS_API precis_status precis_graph_pass(precis_graph *g, const char *pass);

/* Range of a value, from an observer. */
typedef struct precis_range { precis_value value; float lo, hi; } precis_range;
/* Static int8: a quantize and a dequantize node (affine, per tensor, 8 bits) behind every value with a
 * range, and weights of matmul and conv2d stored as int8 with a scale per output channel (symmetric).
 * Values that already exist keep their ids. PRECIS_EINVAL when a range is not finite. */
PRECIS_API precis_status precis_graph_quantize_static(precis_graph *g, const precis_range *ranges, size_t n);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_GRAPH_H */
