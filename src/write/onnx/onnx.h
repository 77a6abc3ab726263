/* onnx.h - a graph as an ONNX file: what onnxruntime and OpenVINO load, and fuse as they fuse files of their own tools.
 *
 * The graph's nodes are written as the ops of ONNX that they were read from (lower.def: one row per op of ours); what
 * became several nodes when it was read (Clip, Gemm, GlobalAveragePool) is raised again. Names of inputs, outputs and
 * nodes are kept; dimensions without a size stay symbols. */
#ifndef PCS_WRITE_ONNX_H
#define PCS_WRITE_ONNX_H

#include "graph/graph.h"
#include "read/netfile.h"
#include "write/write.h"

typedef struct pcs_onnx_named {
    precis_value value;
    const char *name;
} pcs_onnx_named;

/* [n] elements that no node reads, under their own name. */
typedef struct pcs_onnx_extra {
    const char *name;
    pcs_dtype dtype;
    int64_t n;
    const void *data;
} pcs_onnx_extra;

/* What is written. The graph is not changed. */
typedef struct pcs_onnx_saved {
    const precis_graph *graph;
    const pcs_onnx_named *inputs, *outputs;
    size_t n_inputs, n_outputs;
    int64_t opset;      /* at least this one; 0: the lowest that has the ops, from 13 on */
    bool whole;         /* codes between DequantizeLinear and QuantizeLinear as QLinear ops, where there is one */
    const pcs_onnx_extra *extras;
    size_t n_extras;
    const char *source; /* a file that it must not replace; or NULL */
    const pcs_netfile *net; /* whose inputs with a value the file says, beside its graph, which has none; or NULL */
    const pcs_beside *beside; /* or NULL */
    /* Asked with the path of the file when it is whole, which then gets no name; NULL: it gets its own. */
    precis_status (*instead)(void *user, const char *file);
    void *user;
} pcs_onnx_saved;

typedef struct pcs_onnx_written {
    uint64_t bytes;
    int64_t opset;
    size_t nodes;
} pcs_onnx_written;

/* Written whole or not at all, and read back before it has its name. PRECIS_EUNSUPPORTED names the node that ONNX has
 * no op for; PRECIS_EINVAL, _EIO, _ENOSPC as every output. written may be NULL. */
precis_status pcs_onnx_save(precis_ctx *ctx, const pcs_onnx_saved *what, const char *path, pcs_onnx_written *written);

#endif
