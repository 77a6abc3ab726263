/* precis/net.h - nets of any kind from a file: read, described, run with arrays by name.
 *
 * A net is an ONNX file (opset 7 to 27) or an archive of torch.export (.pt2, torch 2.9 to 2.15); docs/nets.md has the
 * ops. It stays mapped while the net is open.
 * Threads: as the context. */
#ifndef PRECIS_NET_H
#define PRECIS_NET_H

#include "precis/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_net precis_net;

/* An array, row-major. type: "F32", "I64", ... as `precis inspect` prints them; those of fewer than 8 bits have an
 * element in each byte. Calls take several one after the other, so that it stays as it is while the soname does. */
typedef struct precis_array {
    uint32_t size; /* sizeof of this struct */
    const char *name, *type;
    uint32_t dims;
    int64_t shape[PRECIS_MAX_DIMS];
    const void *data;
    uint64_t bytes;
} precis_array;

/* PRECIS_EFORMAT names file, byte and part; PRECIS_EUNSUPPORTED what a net has that is not read. An op that is not
 * supported is found here (precis_net_op), and refused when the net is to be run. */
PRECIS_API precis_status precis_net_open(precis_ctx *ctx, precis_net **out, const char *path);
PRECIS_API void precis_net_close(precis_net **net);
/* Is this file one that precis_net_open reads? By its first bytes, and by its name where they say nothing. */
PRECIS_API int precis_net_probe(precis_ctx *ctx, const char *path);
/* The kind of its file: "onnx", "pt2". */
PRECIS_API const char *precis_net_format(const precis_net *net);

PRECIS_API size_t precis_net_inputs(const precis_net *net);
PRECIS_API size_t precis_net_outputs(const precis_net *net);
/* An input or output as the file describes it: data NULL, type "" when it does not say one; dimensions without a size
 * are -1. What the pointers lead to lives as long as the net. PRECIS_EINVAL when there is none. */
PRECIS_API precis_status precis_net_input(const precis_net *net, size_t i, precis_array *out);
PRECIS_API precis_status precis_net_output(const precis_net *net, size_t i, precis_array *out);
/* The name of dimension d of an input, "" when it has none. */
PRECIS_API const char *precis_net_symbol(const precis_net *net, size_t input, uint32_t d);
/* The ops of the file, each once: "Conv", "com.microsoft:FusedConv"; how often; whether precis has it. False after the
 * last. */
PRECIS_API int precis_net_op(const precis_net *net, size_t i, char *name, size_t room, uint64_t *count, int *supported);

/* From here on the net has no input value->name: it holds this whole number or truth value, a constant of all that is
 * made of the net. What was made before (its graph, jobs, samples) is gone. Files that are written of it have no
 * such input and say the value; arrays for it in runs and samples are taken where they hold this value, and refused
 * with both otherwise. PRECIS_EINVAL: there is no such input, it is no such number, or it has another value already. */
PRECIS_API precis_status precis_net_fix(precis_net *net, const precis_array *value);
/* Digits as the array of an input that takes one whole number or truth value: its element is in *room. PRECIS_EINVAL:
 * there is no such input, it takes something else, or its type has no such number. */
PRECIS_API precis_status precis_net_number(const precis_net *net, const char *name, const char *digits, uint64_t *room,
                                           precis_array *out);
/* Such inputs, also those of the net that a file was written from; data: the element. */
PRECIS_API size_t precis_net_fixed(const precis_net *net);
PRECIS_API precis_status precis_net_fixed_input(const precis_net *net, size_t i, precis_array *out);
/* Inputs that have a value in another net have it here, where there are such. */
PRECIS_API precis_status precis_net_fix_as(precis_net *net, const precis_net *other);

/* The graph, with dimensions that have no size as symbols; it belongs to the net. Where the net's form depends on a
 * first dimension that is open (Squeeze without axes), that is 1, which is said. NULL *graph and PRECIS_EUNSUPPORTED
 * where it depends on the contents of an input: precis_net_run makes it for those it is given. */
PRECIS_API precis_status precis_net_graph(precis_net *net, precis_graph **graph);
/* Behind a precis_net_graph that was PRECIS_EUNSUPPORTED: is it the contents of input i that a node asks for? */
PRECIS_API int precis_net_asks(const precis_net *net, size_t i);
/* Inputs (their data may be NULL) whose sizes the graph is made for where it cannot be made for any, as with a Reshape
 * that only fits some height: those that may stay open do, and the others are said. Before precis_net_graph. A C file
 * (precis/quant_net.h) has all of them. Dimensions of -1 stay as they are. */
PRECIS_API precis_status precis_net_assume(precis_net *net, const precis_array *inputs, size_t n);
/* Outputs as precis_net_output, as many as the net has, with the shapes that they have where inputs have the sizes of
 * precis_net_assume; -1 where these leave one open. PRECIS_EFORMAT, _EINVAL or _EUNSUPPORTED name the node that cannot
 * have them. */
PRECIS_API precis_status precis_net_shapes(precis_net *net, precis_array *outputs);
/* Values of that graph. */
PRECIS_API precis_value precis_net_graph_input(const precis_net *net, size_t i);
PRECIS_API precis_value precis_net_graph_output(const precis_net *net, size_t i);

/* What a pass of `precis list passes` makes of the net: how many nodes it made, or gave other operands. */
typedef struct precis_net_pass {
    const char *name; /* a constant */
    size_t made;
} precis_net_pass;
#define PRECIS_NET_PASSES 7
/* The passes that fold and raise, in the order in which they are run: folds, raise_activations, raise_gelu and
 * raise_layer_norm before a net gets codes, raise_attention, which needs known sizes, where it runs. The net is not
 * changed. PRECIS_EUNSUPPORTED as precis_net_graph; PRECIS_ENOMEM. */
PRECIS_API precis_status precis_net_passes(precis_net *net, precis_net_pass passes[PRECIS_NET_PASSES]);

/* A product of the net with weights that are stored as codes: what its sums of whole numbers may hold (32 bits at every
 * level), from the real weights and biases, whatever comes in. products: of one sum. */
typedef struct precis_net_accumulator {
    uint32_t size;
    int overflows; /* lowest or highest is beyond limit */
    const char *name, *op;
    uint64_t products;
    int64_t lowest, highest, limit;
} precis_net_accumulator;
/* Called for each, in their order; not 0 stops with PRECIS_ECANCELED. Texts live as long as the net. */
typedef int precis_net_accumulator_fn(void *user, const precis_net_accumulator *a);
/* PRECIS_EUNSUPPORTED as precis_net_graph; PRECIS_ENOMEM. */
PRECIS_API precis_status precis_net_accumulators(precis_net *net, precis_net_accumulator_fn *fn, void *user);

/* Run it. Inputs by name, in any order, all of them; *outputs: as many as the net has, in its order, until the next
 * run. PRECIS_EINVAL: a name, type or shape that is not the net's, said with both; PRECIS_EUNSUPPORTED names node and
 * op; PRECIS_ENOMEM. */
PRECIS_API precis_status precis_net_run(precis_net *net, const precis_array *inputs, size_t n,
                                        const precis_array **outputs);

/* A .npy file (versions 1 to 3, either byte order, C or Fortran order) as a row-major array of this machine, freed with
 * precis_array_free. Codes of types that NumPy lacks are U8. PRECIS_EFORMAT names file, byte and part. */
PRECIS_API precis_status precis_array_read(precis_ctx *ctx, precis_array *out, const char *path);
PRECIS_API void precis_array_free(precis_ctx *ctx, precis_array *array);
/* Write one, whole or not at all; types that NumPy lacks as raw unsigned codes. */
PRECIS_API precis_status precis_array_write(precis_ctx *ctx, const precis_array *array, const char *path);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_NET_H */
