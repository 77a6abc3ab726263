/* precis/quant_net.h - nets of any kind in fewer bits, and as ONNX files.
 *
 * Threads: as the context. */
#ifndef PRECIS_QUANT_NET_H
#define PRECIS_QUANT_NET_H

#include "precis/samples.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a written file is. */
typedef struct precis_net_file {
    uint32_t size; /* sizeof of this struct, set by the caller */
    uint64_t bytes;
    int64_t opset;  /* of ONNX: the lowest that has its ops, from 13 on */
    uint64_t nodes; /* of the file */
} precis_net_file;

/* Write the net as an ONNX file, whole or not at all: read back and compared before it has its name. Names of inputs,
 * outputs and nodes are kept, dimensions without a size stay symbols. file may be NULL. PRECIS_EUNSUPPORTED names the
 * node that ONNX has no op for, or that depends on the contents of an input. */
PRECIS_API precis_status precis_net_write(precis_net *net, const char *path, precis_net_file *file);

/* A net as one C99 file for microcontrollers: what it takes. Cycles are a prediction, from least to most
 * (docs/c-files.md); code is that of a Cortex-M4. */
#define PRECIS_NET_C_CORES 3
typedef struct precis_net_c_file {
    uint32_t size; /* sizeof of this struct, set by the caller */
    char name[64];                    /* its function is NAME_run */
    uint64_t bytes;                   /* of the file */
    uint64_t weights, code;           /* flash */
    uint64_t arena, stack;            /* RAM */
    uint64_t macs, calls;
    const char *core[PRECIS_NET_C_CORES];
    double cycles[PRECIS_NET_C_CORES][2];
} precis_net_c_file;
/* Write it, whole or not at all, with the first dimension of inputs that has no size as one. In whole numbers it gives
 * the bits that precis_net_run gives. file may be NULL. PRECIS_EUNSUPPORTED names the node that has no function in C,
 * or the dimension that has no size. */
PRECIS_API precis_status precis_net_write_c(precis_net *net, const char *path, precis_net_c_file *file);

/* ---- quantizing a net ------------------------------------------------------------------------------ */

typedef struct precis_net_quant_options {
    uint32_t size;           /* sizeof of this struct, set by _INIT                                              */
    const char *mode;        /* "static": ranges from calibration; "dynamic": from each run; "weights": weights alone */
    const char *observer;    /* a name of `precis list observers`; NULL: minmax                                  */
    const char *activations; /* "u8", "s8", "u16", "s16"; NULL: u8                                               */
    const char *weights;     /* "int8", "int4", "int2", "fp8"; NULL: int8                                        */
    const char *like;        /* "precis", "torch", "onnxruntime": whose placements and numbers; NULL: precis     */
    const char *backend;     /* of `precis list backends`: what it cannot run is refused; NULL: any              */
    uint32_t group;          /* int4: weights that share a scale; 0: 32                                          */
    int per_channel;         /* a scale for each channel of a weight: the usual, and asked for                    */
    int per_tensor;          /* one scale for all channels of a weight                                           */
    int symmetric;           /* activations with their zero point in the middle                                  */
    int reduce_range;        /* weights with one bit less, for multipliers that saturate at 16 bits              */
    int whole;               /* files with QLinear ops (QOperator) in place of Q and DQ                           */
    int strict;              /* a node that stays in float is an error                                           */
    int all;                 /* what can run in integers does, even where only ops in float read its result       */
    /* Patterns (* and ?) of nodes, or of their results, that stay in float. A node of the file that became several, or
     * a part of others, is those. */
    const char *const *floats;
    size_t n_floats;
    const char *method; /* names of `precis list net-methods` joined by +: "equalize+round"; NULL: the nearest codes  */
    int by_hand;               /* fusions are named, none is looked for (precis/module.h)                          */
    const char *const *fused;  /* by_hand: nodes that may be part of the one before                                */
    size_t n_fused;
    int rough; /* for measuring speed: weights' scales are those of their ranges, and none is searched             */
    const char *const *reasons; /* why the first n_reasons of floats do, in the coverage; NULL: it is asked for     */
    size_t n_reasons;
    const precis_array *values; /* of inputs that have one: the net gets them by precis_net_fix                    */
    size_t n_values;
    size_t n_exact; /* the last of floats: names of nodes as precis_net_quant_node has them, and no patterns         */
} precis_net_quant_options;
#define PRECIS_NET_QUANT_OPTIONS_INIT                                                                                 \
    { sizeof(precis_net_quant_options), "static", NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, \
      0, NULL, 0, 0, NULL, 0, NULL, 0, 0 }

/* Does the net hold codes already (QDQ, QLinear ops, torch's PT2E)? precis_net_write writes it unchanged in meaning. */
PRECIS_API int precis_net_coded(precis_net *net);

typedef struct precis_net_quant precis_net_quant;

/* Row i of the table of methods: its name (NULL after the last), and what it does in *what, which may be NULL. */
PRECIS_API const char *precis_net_method_name(size_t i, const char **what);
/* Row i of the table of backends: its name (NULL after the last), and all of it as text (0 after the last). */
PRECIS_API const char *precis_net_backend_name(size_t i);
PRECIS_API int precis_net_backend(size_t i, char *text, size_t room);

/* Begin: fusions, and which nodes run in integers. The net must live as long, its graph (precis_net_graph) is changed,
 * its runs are not. PRECIS_EINVAL: an option that is none, or does not go with another; PRECIS_EUNSUPPORTED: what the
 * backend cannot run, and the nearest that it can. */
PRECIS_API precis_status precis_net_quant_open(precis_net *net, const precis_net_quant_options *options,
                                               precis_net_quant **out);
PRECIS_API void precis_net_quant_close(precis_net_quant **job);
/* How often all batches must be seen; 0: none is needed. */
PRECIS_API uint32_t precis_net_quant_passes(const precis_net_quant *job);
/* A batch: an array for each input, by name. PRECIS_EFORMAT: a NaN, by value. */
PRECIS_API precis_status precis_net_quant_see(precis_net_quant *job, const precis_array *inputs, size_t n);
/* All passes over samples that were opened for this net: see, pass, as often as needed. samples may be NULL where no
 * pass is; else PRECIS_EINVAL. */
PRECIS_API precis_status precis_net_quant_samples(precis_net_quant *job, precis_samples *samples);
/* All batches were seen once; after the last pass ranges become scales and the graph gets its codes. */
PRECIS_API precis_status precis_net_quant_pass(precis_net_quant *job);
/* What the files that are written from now on have beside them, PATH.manifest.json: a text that is asked for when a
 * file is whole and has no name yet, from its SHA-256 (hexadecimal) and its bytes. It stays the caller's and lives
 * until the call that writes returns; both get their names, or neither does. What is not PRECIS_OK ends that call. fn
 * may be NULL. */
typedef precis_status precis_net_manifest_fn(void *user, const char *sha256, uint64_t bytes, const char **text,
                                             size_t *len);
PRECIS_API void precis_net_quant_manifest(precis_net_quant *job, precis_net_manifest_fn *fn, void *user);

/* The quantized net as an ONNX file: as precis_net_write. */
PRECIS_API precis_status precis_net_quant_write(precis_net_quant *job, const char *path, precis_net_file *file);

/* The quantized net as a C file: as precis_net_write_c of that ONNX file. */
PRECIS_API precis_status precis_net_quant_write_c(precis_net_quant *job, const char *path, precis_net_c_file *file);

/* What became of a node of the float net. */
typedef struct precis_net_coverage {
    uint32_t size; /* sizeof of this struct, set by the caller */
    const char *name, *op;
    const char *state;    /* "integers", "float", "fused" (into `into`), "shape" (it computes no numbers) */
    const char *method;   /* of weights and result, "" where it has none */
    const char *reason;   /* why it stays in float, or why its weights alone are codes; "" otherwise */
    const char *into;     /* the node that it is part of, "" otherwise */
    const char *observer; /* of its result, "" when that has no codes of its own */
    uint64_t batches;     /* that the observer saw */
    double clipped;       /* share of its values outside of the range, in the first batches */
    double scale;         /* of its result's codes; 0: it has none */
    int64_t zero;
    int weight_raised;    /* its weights' scale was raised, so that its bias fits into 32 bits */
    int shared;           /* a concatenation or a sum in integers: */
    double sharing_db;    /* of its operands, what one scale for all would lose, or does ("torch") */
} precis_net_coverage;
/* False after the last. */
PRECIS_API int precis_net_quant_node(const precis_net_quant *job, size_t i, precis_net_coverage *out);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_QUANT_NET_H */
