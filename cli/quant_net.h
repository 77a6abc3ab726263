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
    { "--all-int8", 0, NULL, "nets: ops run in integers even where that is slower, or only ops in float read" }, \
    { "--like", 0, "NAME", "nets: placements and numbers of torch or onnxruntime" }, \
    { "--backend", 0, "NAME", "nets: what this engine cannot run is refused (precis list backends)" }, \
    { "--speed", 0, NULL, "nets: measure what each node takes for longer, and say it for all" }, \
    { "--no-speed", 0, NULL, "nets: measure nothing; no product stays in float because it is slower in codes here" }, \
    { "--size", 0, "SIZES", "nets: sizes where the net says none (224, 48x320, or height=48,width=320): of what is " \
                            "measured (default: a sample's, 128), of what cannot stay open, and of a C file" }, \
    { "--input", 0, "NAME=N", "nets: an input that takes one whole number has this value for good, and is none any " \
                              "more (without: the one that all samples of --calib hold, where it decides the net)" }, \
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

/* Nodes that stay in float (net_search.c): those of --float; and with --max-drop those that lose too much, which live
 * as long as *search; close it. -1, or an exit code. */
int cli_net_floats(cli *c, precis_net_quant_options *o);
int cli_net_search(cli *c, precis_samples *calib, const precis_samples_options *so, precis_net_quant_options *o,
                   precis_net_search **search);
/* What was tried: as lines, or as an object. */
void cli_print_search(const cli *c, const precis_net_search *search);
json_t *cli_search_json(const precis_net_search *search, double max_drop);

/* --input NAME=N (net_value.c). A number: *is; its array, whose element is in *room. -1, or an exit code. */
int cli_net_number(cli *c, const precis_net *net, const char *given, precis_array *out, uint64_t *room, bool *is);
/* Such inputs get these values; what one net has of them the other gets. other may be NULL. */
int cli_net_fix(cli *c, precis_net *net, precis_net *other);
/* The net of the command, with them. *net is to be closed whatever comes. */
int cli_net_open(cli *c, precis_net **net);
/* The values that the net has now as options of what is made of it; free *list, and close the net last. */
int cli_net_values(cli *c, const precis_net *net, precis_net_quant_options *o, precis_array **list);
json_t *cli_net_values_json(const precis_net *net); /* {"NAME": N} */

/* Inputs of the shapes that the net says, with `size` for what it leaves open (0: 1 for the first dimension, 128 for
 * others): those of --input, and made up. Free them whatever it returns: -1, or an exit code. */
typedef struct cli_net_inputs_made {
    precis_array *list;
    bool *made; /* in memory of our own */
    size_t n;
} cli_net_inputs_made;
/* --size (net_size.c): its first number, dflt where it names dimensions; the inputs as the net has them, with the sizes
 * that are given for what they leave open; and these as those that the net is made for. -1, or an exit code. */
int cli_net_size(cli *c, int64_t dflt, int64_t *out);
int cli_net_sizes(cli *c, const precis_net *net, precis_array *list);
int cli_net_assume_size(cli *c, precis_net *net);
/* Is dimension d of an input how many samples there are: the first, or one with the name of a first one? */
bool cli_net_of_samples(const precis_net *net, size_t input, uint32_t d);
/* How many other dimensions an input leaves open at most; *first: one has its first open. */
int cli_net_open_behind(const precis_net *net, bool *first);
int cli_net_check_size(cli *c, const precis_net *net); /* it has such dimensions */
int cli_net_inputs(cli *c, const precis_net *net, int64_t size, cli_net_inputs_made *out);
void cli_net_inputs_free(cli *c, cli_net_inputs_made *in);

/* What nodes take, measured here (net_predict.c): on a sample, or on made-up numbers; with --speed a little longer. o
 * gets the slower nodes as nodes in float where they are to stay there; they live as long as *p. elsewhere: what is
 * written runs on another machine, so nothing is measured without --speed. p->p is NULL where nothing was; why, where
 * that is for the net, p->note says. -1, or an exit code. */
typedef struct cli_predicted {
    precis_net_predicted *p;
    precis_net *net; /* whose names the inputs have */
    precis_samples *samples; /* the caller's; NULL: `in` */
    cli_net_inputs_made in;
    bool asked;
    char note[300];
    double in_float, predicted, measured; /* seconds; measured 0: not yet */
} cli_predicted;
int cli_net_predict(cli *c, precis_net_quant_options *o, precis_samples *samples, bool elsewhere, cli_predicted *p);
int cli_net_measure(cli *c, const char *path, cli_predicted *p); /* the file that was written */
/* What a replay's manifest leaves in float (net_replay.c), until it is freed. -1, or an exit code. */
int cli_net_replayed(cli *c, precis_net_quant_options *o, json_t **keeps);
void cli_net_replayed_free(precis_net_quant_options *o, json_t **keeps);
void cli_predicted_note(const cli *c, const cli_predicted *p);
void cli_net_predict_close(cli *c, cli_predicted *p);
void cli_predicted_json(const cli_predicted *p, json_t *all, json_t *nodes);
void cli_print_predicted(const cli *c, const cli_predicted *p, bool nodes);

/* Is the net written as C (1) or as ONNX (0)? By --format, or the name of the output. The exit code of what neither is;
 * -1: it is one. */
int cli_net_form(cli *c, const char *out, int *as_c);
/* What a C file takes. */
json_t *cli_net_c_json(const char *out, const precis_net_c_file *f);
void cli_net_c_print(const char *out, const precis_net_c_file *f);

#endif
