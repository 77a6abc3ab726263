/* quant_net.h - options of `quant` and `plan` that are for nets of arrays. */
#ifndef PRECIS_CLI_QUANT_NET_H
#define PRECIS_CLI_QUANT_NET_H

#include "samples.h"

#define CLI_NET_QUANT_OPTIONS \
    { "--static", 0, NULL, "nets: ranges of activations from --calib (x.npy, a folder, NAME=x.npy, more than once)" }, \
    { "--dynamic", 0, NULL, "nets: ranges of activations from each run" }, \
    { "--weight-only", 0, NULL, "nets: weights in codes, arithmetic in float" }, \
    { "--qdq", 0, NULL, "nets: QuantizeLinear and DequantizeLinear around ops (default)" }, \
    { "--qop", 0, NULL, "nets: QLinearConv and its kind (QOperator)" }, \
    { "--per-channel", 0, NULL, "nets: a scale for each output channel of weights (default)" }, \
    { "--per-tensor", 0, NULL, "nets: one scale for all of a weight" }, \
    { "--activations", 0, "TYPE", "nets: u8 (default), s8, u16 or s16" }, \
    { "--weights", 0, "TYPE", "nets: int8 (default); with --weight-only also int4, fp8" }, \
    { "--group", 0, "N", "nets: weights int4: how many share a scale (default 32)" }, \
    { "--symmetric", 0, NULL, "nets: activations with their zero point in the middle" }, \
    { "--reduce-range", 0, NULL, "nets: weights with one bit less" }, \
    { "--all-int8", 0, NULL, "nets: ops run in integers even where only ops in float read their results" }, \
    { "--like", 0, "NAME", "nets: placements and numbers of torch or onnxruntime" }, \
    { "--backend", 0, "NAME", "nets: what this engine cannot run is refused (precis list backends)" }

/* Is the net written as C (1) or as ONNX (0)? By --format, or the name of the output. The exit code of what neither is;
 * -1: it is one. */
int cli_net_form(cli *c, const char *out, int *as_c);
/* What a C file takes. */
json_t *cli_net_c_json(const char *out, const precis_net_c_file *f);
void cli_net_c_print(const char *out, const precis_net_c_file *f);

#endif
