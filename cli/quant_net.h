/* quant_net.h - options of `quant` and `plan` that are for nets of arrays. */
#ifndef PRECIS_CLI_QUANT_NET_H
#define PRECIS_CLI_QUANT_NET_H

#include "samples.h"

#include <stdbool.h>

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
    { "--backend", 0, "NAME", "nets: what this engine cannot run is refused (precis list backends)" }, \
    { "--speed", 0, NULL, "nets: products slower in codes, as measured here, stay in float" }, \
    { "--size", 0, "N", "nets: with --speed, the size of dimensions that have none (default 1)" }, \
    { "--float", 0, "NAME", "nets: nodes that stay in float, by name (* and ?; more than once)" }

/* Of `quant` alone. */
#define CLI_NET_SEARCH_OPTIONS \
    { "--max-drop", 0, "DROP", "nets: as few nodes in float as lose no more of what is right (0.005 or 0.5%)" }, \
    { "--data", 0, "DATA", "nets: with --max-drop, what is measured (default: the samples of --calib)" }, \
    { "--labels", 0, "FILE", "nets: with --max-drop, what is right (default: what the float net answers)" }, \
    { "--detections", 0, "FORM", "nets: with --max-drop, the form of boxes" }, \
    { "--sequence", 0, "NAME", "nets: with --max-drop, the output is a sequence of classes: ctc or plain" }, \
    { "--blank", 0, "N", "nets: ctc's class that is nothing (default 0; -1: the last)" }, \
    { "--mask", 0, "NAME", "nets: with --max-drop, the input that is 0 at tokens that do not count" }

/* Nodes that stay in float (net_search.c): those of --float, and with --max-drop those that lose too much. They live as
 * long as *search; close it. -1, or an exit code. */
int cli_net_floats(cli *c, precis_samples *calib, const precis_samples_options *so, precis_net_quant_options *o,
                   precis_net_search **search);
/* What was tried: as lines, or as an object. */
void cli_print_search(const cli *c, const precis_net_search *search);
json_t *cli_search_json(const precis_net_search *search, double max_drop);

/* Inputs of the shapes that the net says, with `size` for what it leaves open: those of --input, and made up. Free them
 * whatever it returns: -1, or an exit code. */
typedef struct cli_net_inputs_made {
    precis_array *list;
    bool *made; /* in memory of our own */
    size_t n;
} cli_net_inputs_made;
int cli_net_inputs(cli *c, const precis_net *net, int64_t size, cli_net_inputs_made *out);
void cli_net_inputs_free(cli *c, cli_net_inputs_made *in);

/* --speed (net_predict.c): p->p is NULL without it, but where it is always told (a little shorter, and of what cannot
 * run nothing is told). With it o gets the slower nodes as nodes in float, but with --all-int8; they live as long as
 * *p. -1, or an exit code. */
typedef struct cli_predicted {
    precis_net_predicted *p;
    precis_net *net; /* whose names the inputs have */
    cli_net_inputs_made in;
    double in_float, predicted, measured; /* seconds; measured 0: not yet */
} cli_predicted;
int cli_net_predict(cli *c, precis_net_quant_options *o, bool always, cli_predicted *p);
int cli_net_measure(cli *c, const char *path, cli_predicted *p); /* the file that was written */
void cli_net_predict_close(cli *c, cli_predicted *p);
void cli_predicted_json(const cli_predicted *p, json_t *all, json_t *nodes);
void cli_print_predicted(const cli *c, const cli_predicted *p);

/* Is the net written as C (1) or as ONNX (0)? By --format, or the name of the output. The exit code of what neither is;
 * -1: it is one. */
int cli_net_form(cli *c, const char *out, int *as_c);
/* What a C file takes. */
json_t *cli_net_c_json(const char *out, const precis_net_c_file *f);
void cli_net_c_print(const char *out, const precis_net_c_file *f);

#endif
