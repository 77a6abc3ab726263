/* onnx.h - ONNX files: what they say (wire.c), and how they become a graph (import.c and the raising functions of
 * onnx.def).
 *
 * A file stays mapped as long as its graphs live: initializers are used where they lie. Nodes are walked one after
 * another, never kept. A node is raised to ops of ours; what depends on constants alone is computed at once, so shapes
 * that a net computes are numbers when a node asks for them. Where a node asks for the contents of something that
 * depends on the net's inputs, the import says which inputs (`need`), and is made again with their contents as
 * constants. */
#ifndef PCS_ONNX_H
#define PCS_ONNX_H

#include "base/proto.h"
#include "read/netfile.h"

typedef struct pcs_opset {
    pcs_str domain;
    int64_t version;
} pcs_opset;
typedef struct pcs_opsets {
    const pcs_opset *list;
    size_t n;
} pcs_opsets;

typedef struct pcs_onnx_function {
    pcs_str name, domain, overload;
    pcs_proto body;
    pcs_opsets opsets;
    bool open;      /* being inlined */
    uint64_t nodes; /* with all that it calls inlined; 0: not counted yet */
} pcs_onnx_function;

typedef struct pcs_onnx {
    pcs_netfile base;
    precis_ctx *ctx;
    pcs_file file;
    char *folder; /* that external data lies in */
    const uint8_t *start;
    pcs_arena arena;
    int64_t ir;
    pcs_opsets opsets;
    pcs_proto graph;
    pcs_onnx_function *functions; /* by pcs_onnx_function_order */
    size_t n_functions;
    pcs_file *external; /* files that initializers lie in, opened once */
    size_t n_external;
    struct pcs_span {
        size_t file;
        uint64_t from, to;
    } *spans; /* of them, what initializers have: whole ones may be shared, parts not */
    size_t n_spans, cap_spans;
} pcs_onnx;

/* The file mapped and described: inputs, outputs, ops. PRECIS_EFORMAT with an offset for damage. */
precis_status pcs_onnx_open(precis_ctx *ctx, pcs_onnx **out, const char *path);
void pcs_onnx_close(pcs_onnx **net);

/* pcs_netfile_reader's. */
precis_status pcs_onnx_import(pcs_netfile *file, const pcs_netfile_given *given, pcs_netfile_graph *out);

#define PCS_ONNX_FIXED "precis.input." /* of keys of the metadata: NAME = "I64 16000", an input that has this value */
#define PCS_ONNX_DOMAIN "precis" /* of ops that are functions of the file for others (write/onnx/gru.c) */

/* A tensor: elements one after another, 4- and 2-bit ones one a byte. */
typedef struct pcs_onnx_tensor {
    pcs_str name;
    pcs_dtype dtype;
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS];
    int64_t count;
    const void *data;
} pcs_onnx_tensor;
/* Data lie in the file or in the arena. */
precis_status pcs_onnx_read_tensor(pcs_onnx *net, pcs_arena *arena, pcs_proto body, pcs_onnx_tensor *out);
/* An initializer of the outermost graph by its name; PRECIS_EINVAL, without a message: there is none. */
precis_status pcs_onnx_initializer(pcs_onnx *net, pcs_arena *arena, const char *name, pcs_onnx_tensor *out);
bool pcs_onnx_dtype(int64_t data_type, pcs_dtype *out);
/* The version of a domain that the file counts on; 0: none. A function of the file; NULL: there is none. */
int64_t pcs_onnx_version(const pcs_opsets *opsets, pcs_str domain);
pcs_onnx_function *pcs_onnx_function_of(const pcs_onnx *net, pcs_str domain, pcs_str op);
int pcs_onnx_function_order(const void *a, const void *b); /* by name and domain */
/* Nodes of a graph (number 1) or a function (7), with those of graphs in their attributes once and those of functions
 * that they call inlined: before anything is made of them, so that few bytes do not become many nodes. Held at 2^62. */
uint64_t pcs_onnx_nodes(pcs_onnx *net, pcs_proto g, uint32_t number);
/* Is there a row or a function for it? */
bool pcs_onnx_supports(const pcs_onnx *net, pcs_str domain, pcs_str op, const pcs_opsets *opsets);

/* Damage at a place of the file. */
precis_status pcs_onnx_damage(const pcs_onnx *net, const void *at, const char *what, const char *fmt, ...)
    PCS_PRINTF(4, 5);

#endif
