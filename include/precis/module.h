/* precis/module.h - nets by hand: layers with their weights, stubs where codes begin and end, fusions by name.
 *
 * A module is built in order, as a graph is (precis/graph.h): every function that returns a precis_value returns a
 * negative one on failure, and takes negative ones, so that a net is built without checks; the first error is kept, and
 * precis_module_net and precis_module_prepare return it. Weights are copied. Names of layers are those of nodes in
 * files and records; each stands once, and holds no '*', '?' or '/'.
 *
 * A net gets its codes in one of two ways, and both give the bytes that `precis quant` makes of the same net from a
 * file (docs/modules.md):
 *   eager   what lies between precis_module_quant and precis_module_dequant runs in integers; what precis_module_fuse
 *           names is one node, nothing else is
 *   graph   stubs say nothing: what can run in integers does, and fusions are found
 *
 * Threads: as the context. */
#ifndef PRECIS_MODULE_H
#define PRECIS_MODULE_H

#include "precis/quant_net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_module precis_module;

/* *out is owned by the caller. PRECIS_ENOMEM. */
PRECIS_API precis_status precis_module_open(precis_ctx *ctx, precis_module **out);
/* Nets and jobs that were made of it are closed before. NULL is fine. */
PRECIS_API void precis_module_close(precis_module **module);

/* An input, f32, outermost dimension first; -1: any size, which all inputs share as their first dimension. */
PRECIS_API precis_value precis_module_input(precis_module *m, const char *name, uint32_t dims, const int64_t *shape);
/* A result of the net under its name. */
PRECIS_API void precis_module_output(precis_module *m, const char *name, precis_value x);

/* A convolution over 1 to 3 dimensions of x[batch, channels, ...], cross-correlation. */
typedef struct precis_module_conv_options {
    uint32_t size;       /* sizeof of this struct, set by _INIT                                */
    int64_t out;         /* channels of the result                                             */
    int64_t groups;      /* channels and out are divided by; all of them: depthwise            */
    int64_t kernel[3];   /* as many as x has after its channels; 0: as the one before         */
    int64_t stride[3];   /* 0: as the one before, the first 1                                  */
    int64_t pad[3];      /* zeros at both ends of each                                         */
    int64_t dilation[3]; /* 0: as the one before, the first 1                                  */
} precis_module_conv_options;
#define PRECIS_MODULE_CONV_INIT { sizeof(precis_module_conv_options), 0, 1, { 1 }, { 1 }, { 0 }, { 1 } }
/* weight[out][channels / groups][kernel ...], bias[out] or NULL. */
PRECIS_API precis_value precis_module_conv(precis_module *m, const char *name, precis_value x,
                                           const precis_module_conv_options *options, const float *weight,
                                           const float *bias);
/* x[rows, k] times weight[out][k], plus bias[out] or NULL. */
PRECIS_API precis_value precis_module_linear(precis_module *m, const char *name, precis_value x, int64_t out,
                                             const float *weight, const float *bias);
/* (x - mean) / sqrt(variance + eps) * gamma + beta, by channel, dimension 1: Ioffe and Szegedy 2015. */
typedef struct precis_module_norm {
    const float *gamma, *beta, *mean, *variance; /* [channels] each */
    double eps;
} precis_module_norm;
PRECIS_API precis_value precis_module_batch_norm(precis_module *m, const char *name, precis_value x,
                                                 const precis_module_norm *of);
/* Any op of `precis list ops` whose operands are values: "relu", "add", "pool", ... as precis_graph_node. */
PRECIS_API precis_value precis_module_layer(precis_module *m, const char *name, const char *op,
                                            const precis_attr *attributes, uint32_t n, const precis_value *inputs);
/* min(max(x, 0), 6). */
PRECIS_API precis_value precis_module_relu6(precis_module *m, const char *name, precis_value x);
/* x[rows, all else]. */
PRECIS_API precis_value precis_module_flatten(precis_module *m, const char *name, precis_value x);

/* Where codes begin, and where numbers begin again. */
PRECIS_API precis_value precis_module_quant(precis_module *m, precis_value x);
PRECIS_API precis_value precis_module_dequant(precis_module *m, precis_value x);

/* One node of n layers that follow one another, by their names: a convolution or linear and its batch norm, whose
 * numbers become its weights at once; then what clamps, relu or relu6; or a sum and a clamp. Each is read by the next
 * alone. PRECIS_EINVAL names the layer that is none, is read by others, or cannot be part of it. */
PRECIS_API precis_status precis_module_fuse(precis_module *m, uint32_t n, const char *const *names);

/* The float net, for precis_net_run, precis_net_write and precis_samples_*; the caller closes it before the module. */
PRECIS_API precis_status precis_module_net(precis_module *m, precis_net **out);

typedef enum precis_module_way { PRECIS_MODULE_EAGER, PRECIS_MODULE_GRAPH } precis_module_way;
/* A net of the module with a job that gives it codes: precis_net_quant_see and _pass, or _samples, then _write. The
 * caller closes both, the job first. PRECIS_EINVAL: eager without a stub, or a layer that reads a value with codes
 * and one without; else as precis_net_quant_open. */
PRECIS_API precis_status precis_module_prepare(precis_module *m, precis_module_way way,
                                               const precis_net_quant_options *options, precis_net **net,
                                               precis_net_quant **job);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_MODULE_H */
