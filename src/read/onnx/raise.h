/* raise.h - what raising functions work with: a node of the file, its inputs, attributes and results. */
#ifndef PCS_ONNX_RAISE_H
#define PCS_ONNX_RAISE_H

#include "read/onnx/onnx.h"

#define PCS_ONNX_NEWEST 27 /* the opset of which the rows of onnx.def know */

typedef struct pcs_onnx_row pcs_onnx_row;
typedef struct pcs_import pcs_import;
typedef struct pcs_scope pcs_scope;

typedef struct pcs_onnx_attr {
    pcs_str name, ref;
    const precis_attr *own; /* its value, where no file has it */
    pcs_proto body;
    int64_t type;
    bool used;
} pcs_onnx_attr;

typedef struct pcs_onnx_node {
    pcs_import *im;
    const pcs_onnx_row *row;
    pcs_str op, domain, overload;
    char name[96];   /* for messages, and of the nodes that it becomes */
    int64_t version; /* of its domain's opset */
    pcs_proto body;
    pcs_scope *scope;
    uint32_t n_in, n_out, n_attr;
    pcs_str *in_names, *out_names;
    precis_value *in, *out; /* -1: left out */
    pcs_onnx_attr *attr;
    uint32_t made; /* nodes of the graph so far */
} pcs_onnx_node;

typedef void pcs_raise_fn(pcs_onnx_node *n);

struct pcs_onnx_row {
    const char *domain, *op;
    int64_t since, until;
    uint32_t contents; /* inputs whose contents are needed */
    pcs_raise_fn *raise;
    const char *with; /* for the function */
};

/* ---- of the node */
static inline bool pcs_has(const pcs_onnx_node *n, uint32_t i) { return i < n->n_in && n->in[i] >= 0; }
static inline bool pcs_wants(const pcs_onnx_node *n, uint32_t i) { return i < n->n_out && n->out_names[i].n; }
/* An input, or an error when it is left out. */
precis_value pcs_in(pcs_onnx_node *n, uint32_t i);
const pcs_value *pcs_of(const pcs_onnx_node *n, precis_value v);
/* Why it cannot be raised: PRECIS_EUNSUPPORTED, or damage. Returns -1. */
precis_value pcs_refuse(pcs_onnx_node *n, const char *fmt, ...) PCS_PRINTF(2, 3);
precis_value pcs_wrong(pcs_onnx_node *n, const char *fmt, ...) PCS_PRINTF(2, 3);
bool pcs_failed(const pcs_onnx_node *n);

/* Attributes; what is not asked for is refused after the raising function. */
bool pcs_has_attr(pcs_onnx_node *n, const char *name);
int64_t pcs_attr_int(pcs_onnx_node *n, const char *name, int64_t dflt);
double pcs_attr_real(pcs_onnx_node *n, const char *name, double dflt);
const char *pcs_attr_text(pcs_onnx_node *n, const char *name, const char *dflt);
/* Lists in the import's arena; *count 0 when there is none. */
const int64_t *pcs_attr_ints(pcs_onnx_node *n, const char *name, uint32_t *count);
const float *pcs_attr_reals(pcs_onnx_node *n, const char *name, uint32_t *count);
const char *const *pcs_attr_texts(pcs_onnx_node *n, const char *name, uint32_t *count);
precis_value pcs_attr_value(pcs_onnx_node *n, const char *name); /* a tensor; -1: none */
bool pcs_attr_graph(pcs_onnx_node *n, const char *name, pcs_proto *out);

/* What stands for numbers of a file that would be taken for a dimension's id: one as far below every size. */
#define PCS_FAR_BELOW (-((int64_t)1 << 60))

/* Contents of whole numbers, known before the net runs (they may be dimensions without a size); NULL with an error, and
 * the inputs that are needed noted. */
const int64_t *pcs_contents(pcs_onnx_node *n, precis_value v, int64_t *count);
/* Numbers of any constant. */
const pcs_value *pcs_constant(pcs_onnx_node *n, precis_value v);
double pcs_constant_real(pcs_onnx_node *n, precis_value v, double dflt);
/* Memory of the node in work, or of the graph; both count as constants that are computed, and NULL is an error. */
void *pcs_room(pcs_onnx_node *n, size_t count, size_t size);
void *pcs_graph_room(pcs_onnx_node *n, size_t count, size_t size);

/* `saturate` of a cast to a type: it is a truth, and says something of numbers of 8 bits alone. */
static inline int64_t pcs_saturates(pcs_dtype to, int64_t given)
{
    return pcs_dtype_bytes(to) != 1 || pcs_dtype_whole(to) || given != 0;
}


/* ---- making nodes */
precis_value pcs_make(pcs_onnx_node *n, const char *op, const precis_attr *attrs, uint32_t count,
                      const precis_value *in);
static inline precis_value pcs_make1(pcs_onnx_node *n, const char *op, const precis_attr *attrs, precis_value a)
{
    return pcs_make(n, op, attrs, 1, &a);
}
static inline precis_value pcs_make2(pcs_onnx_node *n, const char *op, const precis_attr *attrs, precis_value a,
                                     precis_value b)
{
    return pcs_make(n, op, attrs, 2, (const precis_value[]){ a, b });
}
static inline precis_value pcs_make3(pcs_onnx_node *n, const char *op, const precis_attr *attrs, precis_value a,
                                     precis_value b, precis_value c)
{
    return pcs_make(n, op, attrs, 3, (const precis_value[]){ a, b, c });
}
precis_value pcs_second(pcs_onnx_node *n, precis_value v, uint32_t i); /* result i of the node that made v */
/* Constants: data are copied. */
precis_value pcs_data(pcs_onnx_node *n, pcs_dtype d, uint32_t dims, const int64_t *shape, const void *data);
precis_value pcs_gelu(pcs_onnx_node *n, precis_value x, bool tanh);
precis_value pcs_numbers(pcs_onnx_node *n, pcs_dtype d, double v);          /* a scalar of any type */
precis_value pcs_whole(pcs_onnx_node *n, uint32_t count, const int64_t *v); /* I64[count] */
precis_value pcs_counted_up(pcs_onnx_node *n, int64_t count); /* 0, 1, ... below a dimension, I64[count] */
precis_value pcs_as(pcs_onnx_node *n, precis_value v, pcs_dtype d);
precis_value pcs_f32(pcs_onnx_node *n, precis_value v); /* numbers as F32; whole ones are refused */
precis_value pcs_shaped(pcs_onnx_node *n, precis_value v, uint32_t dims, const int64_t *shape); /* reshape */
/* transpose; a value of other than `dims` dimensions is refused */
precis_value pcs_permuted(pcs_onnx_node *n, precis_value v, uint32_t dims, const int64_t *perm);
precis_value pcs_reduced(pcs_onnx_node *n, precis_value v, const char *kind, uint32_t count, const int64_t *axes,
                         bool keep);
precis_value pcs_part(pcs_onnx_node *n, precis_value v, uint32_t axis, int64_t start, int64_t size);
precis_value pcs_joined(pcs_onnx_node *n, uint32_t count, const precis_value *v, int64_t axis);
precis_value pcs_swapped(pcs_onnx_node *n, precis_value v); /* the last two dimensions */
/* Dimensions of v with the given axes (any order, negative too) inserted or taken away. */
precis_value pcs_unsqueezed(pcs_onnx_node *n, precis_value v, uint32_t count, const int64_t *axes);

/* Has it no more inputs than its op takes, and the attributes that it needs (takes.def)? false: refused. */
bool pcs_takes(pcs_onnx_node *n);
/* Would a graph or a function within (bombs.c), so many times, be more nodes than a net may have? false: refused. */
bool pcs_fits(pcs_onnx_node *n, pcs_proto g, uint32_t number, uint64_t times);
/* ---- graphs within (control.c) */
/* Input i of the file as a value: a constant where its contents are given. */
precis_status pcs_import_input(pcs_import *im, size_t i, const pcs_netfile_given *given, precis_value *out);
/* The constant that fixed input i (of all n_fixed) is. */
precis_status pcs_import_fixed(pcs_import *im, size_t i, precis_value *out);
precis_status pcs_import_nodes(pcs_import *im, pcs_scope *scope, pcs_proto g, uint32_t number);
precis_status pcs_import_initializers(pcs_import *im, pcs_scope *scope, pcs_proto g);
struct pcs_scope {
    pcs_scope *up;
    pcs_map names;
    pcs_opsets opsets;
    const pcs_onnx_node *caller; /* of a function: whose attributes its nodes refer to */
    int depth;
};
void pcs_scope_open(pcs_scope *s, pcs_import *im, pcs_scope *up);
void pcs_scope_close(pcs_scope *s);
precis_value pcs_scope_find(const pcs_scope *s, pcs_str name);
precis_status pcs_scope_bind(pcs_import *im, pcs_scope *s, pcs_str name, precis_value v);

struct pcs_import {
    pcs_onnx *net;         /* NULL: another kind of file, whose nodes are made of ops of ONNX */
    pcs_netfile *file;
    const uint8_t *start;  /* of the text that bodies of nodes lie in */
    precis_ctx *ctx;
    precis_graph *g;
    pcs_netfile_graph *result; /* that names are kept in; NULL: they are not */
    pcs_arena arena; /* of the node in work, and those that it lies in */
    uint64_t *deps;  /* of each value: inputs that it depends on */
    size_t n_deps;
    uint64_t need;
    bool eager;          /* contents of inputs are given */
    precis_status error; /* with its message in ctx */
    size_t nodes, steps; /* of the file, and of ours: a bound on work */
    uint64_t copies;     /* how often the loops around a node make it; 0: once */
    uint64_t file_bytes, held; /* of the file; of constants that were computed: a bound on memory */
};

extern const pcs_onnx_row pcs_onnx_rows[];
const pcs_onnx_row *pcs_onnx_row_of(pcs_str domain, pcs_str op, int64_t version);
precis_status pcs_onnx_read_port(pcs_onnx *net, pcs_proto m, pcs_port *port);

#endif
