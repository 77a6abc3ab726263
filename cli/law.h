/* law.h - what the words of precis law share. */
#ifndef PRECIS_CLI_LAW_H
#define PRECIS_CLI_LAW_H

#include "cli.h"

/* Options of a law, and of a point of it. */
#define LAW_OPTIONS                                                                                                    \
    { "--law", 0, "NAME",                                                                                              \
      "a law (precis law list), one of its sets (kumar:printed), a fit or a law's text (a path); default kumar" },     \
    { "--param", 0, "NAME=VALUE", "another constant of the law (more than once)" }
#define LAW_POINT                                                                                                      \
    { "--N", 0, "PARAMS", "parameters: 1e9, 8B" }, { "--D", 0, "TOKENS", "tokens of training: 1e11, 15T" },            \
        LAW_PRECISION
#define LAW_PRECISION                                                                                                  \
    { "--type", 0, "NAME", "weights, activations and cache in training: bf16 fp8 int8 fp4 int4, INT6, E4M3" },         \
    { "--bits", 0, "BITS", "weights, activations and KV cache in training, all the same" },                            \
    { "--bits-w", 0, "BITS", "weights in training (16: not quantized)" },                                              \
    { "--bits-a", 0, "BITS", "activations in training" },                                                              \
    { "--bits-kv", 0, "BITS", "KV cache in training" }, { "--bits-bwd", 0, "BITS", "backward pass" },                  \
    { "--bits-post", 0, "BITS", "weights after quantization without training" },                                       \
    { "--exponent", 0, "BITS", "exponent bits of a floating-point format" },                                           \
    { "--mantissa", 0, "BITS", "its mantissa bits" },                                                                  \
    { "--block", 0, "NUMBERS", "numbers that share a scale" },                                                         \
    { "--sparsity", 0, "PART", "part of the weights that is zero" },                                                   \
    { "--qat", 0, "PART", "part of the tokens trained with quantization" }

/* "8B", "1.5e9"; a message and false when it is none, or not positive. Absent: dflt. */
bool law_number(const cli *c, const char *option, double dflt, double *out);
/* The law of --law (or `name`), with --param; -1, or an exit code. */
int law_open(cli *c, const char *name, precis_law **law);
/* The point of the options; -1, or an exit code. */
int law_point(const cli *c, precis_law_point *p);
/* The fields of a line: a name of at most size - 1 bytes, then numbers, up to the first that is none. Returns how many
 * there are; 0: the line is empty. */
int law_fields(const char *line, char *name, size_t size, double *numbers, int most);
/* The conditions of --where, with semicolons between; the caller frees; NULL: none. */
char *law_where(const cli *c);
/* A number, or null. */
json_t *law_real(double v);
json_t *law_point_json(const precis_law_point *p);
/* "7.0B", "1.33T": a number as people say it. */
const char *law_human(double v, char buf[32]);
/* The table of formats with costs: --formats FILE (NAME BITS COST [EXPONENT MANTISSA]
 * lines) or NULL for the usual ones; -1 or an exit code. */
typedef struct law_formats { precis_law_format list[64]; char names[64][32]; size_t n; bool given; } law_formats;
int law_formats_open(const cli *c, law_formats *f);

extern const cli_command law_advise, law_predict, law_optimal, law_critical, law_isoloss, law_isocost, law_compare,
    law_fit, law_list, law_plot;

#endif
