/* samples.h - options of commands that feed nets with samples, and those of `eval` that are for nets. */
#ifndef PRECIS_CLI_SAMPLES_H
#define PRECIS_CLI_SAMPLES_H

#include "cli.h"

#define CLI_SAMPLES_OPTIONS \
    { "--resize", 0, "N|HxW", "nets: images are resized, the shorter side to N, or to H x W" }, \
    { "--crop", 0, "N|HxW", "nets: the middle of images" }, \
    { "--mean", 0, "LIST", "nets: taken off each channel (0.485,0.456,0.406)" }, \
    { "--std", 0, "LIST", "nets: channels are divided by it (0.229,0.224,0.225)" }, \
    { "--pixels", 0, "N", "nets: what white is before --mean and --std: 1 (default) or 255" }, \
    { "--layout", 0, "NAME", "nets: nchw or nhwc (default: by the input's shape)" }

/* The options' values; limit is the caller's. -1, or an exit code. */
int cli_samples_options(cli *c, precis_samples_options *o);
/* Options of images with samples (b may be NULL, and a) that are none are an error. -1, or an exit code. */
int cli_samples_used(cli *c, const precis_samples *a, const precis_samples *b);
/* All values of an option as sources. */
precis_status cli_samples_open(cli *c, const char *option, const precis_net *net, const precis_samples_options *o,
                               precis_samples **out);

/* eval_net.c: `eval` of a net of arrays. */
int cli_net_eval(cli *c);
/* eval_nodes.c: what each node lost, and why. */
int cli_print_nodes(cli *c, const precis_node_errors *e, bool stopped);

#endif
