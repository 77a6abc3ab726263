/* quant_net.c - `convert` and `quant` of a net that is no language model. */
#include "cli.h"

#include <string.h>

static int ends(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

/* Options of the command that say nothing of a net are not passed over. */
static int only(const cli *c, const char *const *own)
{
    for (int i = 0; i < c->n_given; i++) {
        const cli_option *o = c->given[i].option, *all = cli_common;
        const char *const *k = own;
        while (*k && strcmp(*k, o->name)) k++;
        while (all->name && strcmp(all->name, o->name)) all++;
        if (!*k && !all->name)
            return cli_usage(c, "%s is for language models; %s is a net of arrays", o->name, c->args[0]);
    }
    return -1;
}

int cli_net_convert(cli *c)
{
    static const char *const own[] = { "--output", "--format", "--mem-limit", NULL };
    const char *out = cli_get(c, "--output"), *format = cli_get(c, "--format");
    precis_net_file file = { .size = sizeof file };
    precis_net *net = NULL;
    const int rc = only(c, own);
    if (rc >= 0) return rc;
    if (!out) return cli_usage(c, "where to? -o PATH.onnx");
    if (format ? strcmp(format, "onnx") != 0 : !ends(out, ".onnx"))
        return cli_usage(c, "%s is a net of arrays: it is written as ONNX (-o NAME.onnx)", c->args[0]);
    precis_status st = precis_net_open(c->ctx, &net, c->args[0]);
    if (!st) st = precis_net_write(net, out, &file);
    precis_net_close(&net);
    if (st) return cli_fail(c, st);
    if (c->json)
        return cli_print_json(c, json_pack("{s:s, s:s, s:I, s:I, s:I}", "out", out, "format", "onnx", "bytes",
                                           (json_int_t)file.bytes, "opset", (json_int_t)file.opset, "nodes",
                                           (json_int_t)file.nodes));
    char size[32];
    printf("%s: ONNX, opset %lld, %llu nodes, %s\n", out, (long long)file.opset, (unsigned long long)file.nodes,
           cli_bytes((double)file.bytes, size));
    return cli_done(c);
}
