/* precis convert - one container to another. */
#include "term.h"

#include <string.h>

static const cli_option options[] = {
    { "--output", 'o', "OUT", "a file for gguf, a new folder for the others" },
    { "--format", 0, "NAME",
      "gguf, packed (gguf in the order of the kernels: runs in place), safetensors (compressed-tensors), gptq or awq; "
      "onnx or c of a net (default: by the output's name)" },
    { "--size", 0, "SIZES",
      "nets: sizes of dimensions that the file leaves open, for those that cannot stay so, and for all of a C file; in "
      "their order, without the first (48x320), or by name (batch=2,width=320)" },
    { "--input", 0, "NAME=N",
      "nets: an input that takes one whole number has this value for good, and is none any more" },
    { "--exact", 0, NULL, "what would lose anything takes a larger type that does not" },
    { "--own", 0, NULL, "gguf: keep schemes that only precis reads" },
    { "--tensors", 0, NULL, "list every tensor that is not exact" },
    { "--allow-nan", 0, NULL,
      "weights that are NaN or infinite go over as they are, with a note (default: an error that names the first)" },
    { "--lora", 0, "PATH[=SCALE]", "merge a low-rank adapter first (more than once)" },
    { 0 },
};

/* Tensors that went from one type to another, and the largest error among them. */
typedef struct { char from[32], to[32]; size_t n; double worst; } kind;

static void count(kind *kinds, size_t *n, const precis_convert_row *row)
{
    enum { KINDS = 32 };
    size_t k = 0;
    while (k < *n && (strcmp(kinds[k].from, row->from) || strcmp(kinds[k].to, row->to))) k++;
    if (k == KINDS) return;
    if (k == *n) {
        kinds[(*n)++] = (kind){ .n = 0 };
        snprintf(kinds[k].from, sizeof kinds[k].from, "%s", row->from);
        snprintf(kinds[k].to, sizeof kinds[k].to, "%s", row->to);
    }
    kinds[k].n++;
    if (row->max_error > kinds[k].worst) kinds[k].worst = row->max_error;
}

static int print(cli *c, const precis_convert_report *r, const char *out)
{
    json_t *list = json_array();
    kind kinds[32];
    size_t exact = 0, n = 0;
    double worst = 0;
    const bool all = cli_has(c, "--tensors");
    for (size_t i = 0; i < precis_convert_report_size(r); i++) {
        precis_convert_row row = { .size = sizeof row };
        if (precis_convert_report_get(r, i, &row)) continue;
        exact += row.exact != 0;
        if (row.max_error > worst) worst = row.max_error;
        if (c->json)
            json_array_append_new(list, json_pack("{s:s, s:b, s:f, s:s, s:s}", "name", row.name, "exact", row.exact,
                                                  "max_error", row.max_error, "from", row.from, "to", row.to));
        else if (!row.exact && all)
            cli_row(4, "%-40s %-12s -> %-16s largest error %.3g", row.name, row.from, row.to, row.max_error);
        if (!row.exact) count(kinds, &n, &row);
    }
    if (c->json)
        return cli_print_json(c, json_pack("{s:s, s:I, s:o}", "out", out, "bytes",
                                           (json_int_t)precis_convert_report_bytes(r), "tensors", list));
    json_decref(list);
    for (size_t k = 0; k < n; k++)
        cli_say(2, "%zu tensor%s %s -> %s: not exact, largest error %.3g", kinds[k].n, kinds[k].n == 1 ? "" : "s",
                kinds[k].from, kinds[k].to, kinds[k].worst);
    char size[32], error[48] = "";
    if (worst > 0) snprintf(error, sizeof error, ", largest error %.3g", worst);
    cli_say(2, "%s: %s of tensors, %zu of %zu exact%s%s", out,
            cli_bytes((double)precis_convert_report_bytes(r), size), exact, precis_convert_report_size(r), error,
            n && !all ? " (--tensors lists the others)" : "");
    return cli_done(c);
}

static int run(cli *c)
{
    const char *out = cli_get(c, "--output");
    if (precis_net_probe(c->ctx, c->args[0])) return cli_net_convert(c);
    if (!out) return cli_usage(c, "where to? -o PATH");
    static const char *const of_nets[] = { "--size", "--input" };
    for (int i = 0; i < 2; i++)
        if (cli_get(c, of_nets[i]))
            return cli_usage(c, "%s is for nets of arrays (ONNX); %s is none", of_nets[i], c->args[0]);
    precis_convert_options o = PRECIS_CONVERT_OPTIONS_INIT;
    o.format = cli_get(c, "--format");
    o.exact = cli_has(c, "--exact");
    o.own = cli_has(c, "--own");
    precis_model *m = NULL;
    precis_convert_report *r = NULL;
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (!st) precis_model_allow_nan(m, cli_has(c, "--allow-nan"));
    const int lora = st ? -1 : cli_add_adapters(c, m, true);
    if (!st && lora < 0) st = precis_convert(c->ctx, m, out, &o, &r);
    const int rc = lora >= 0 ? lora : st ? cli_fail(c, st) : print(c, r, out);
    precis_convert_report_close(&r);
    precis_model_close(&m);
    return rc;
}

const cli_command cli_convert = {
    "convert", "MODEL", "write a model in another container, and say what each tensor lost",
    "Codes and scales go over as they are where both sides have them; what the other side cannot hold becomes floats, "
    "and the\n"
    "report says by how much it is off. A weight that is NaN or infinite is an error, unless --allow-nan is given. "
    "Tensors\n"
    "that are no part of the model's net (a value head, what sees pictures) are named and left out of GGUF, whose "
    "readers\n"
    "refuse them; a folder keeps them. A broken model is refused.",
    1, 1, options, run,
    "  precis convert model-folder -o model.gguf\n"
    "  precis convert model.gguf -o model.packed.gguf --format packed\n"
    "  precis convert model.gguf -o folder --format safetensors\n"
    "  precis convert w4.precis.gguf -o folder --format gptq --json\n",
    NULL,
};
