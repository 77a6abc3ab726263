/* manifest.c - which options of a command make the bytes of its output: what the library's manifest (precis/record.h)
 * is told, and what `--replay` gives again. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Options that leave the bytes as they are. */
bool cli_manifest_leaves_out(const char *name)
{
    static const char *const aside[] = { "--output", "--json",      "--quiet", "--threads", "--help",
                                         "--text",   "--chunks",    "--ctx",   "--bench",   "--no-eval",
                                         "--replay", "--mem-limit", "--resume",  "--verbose" };
    for (size_t i = 0; i < sizeof aside / sizeof *aside; i++)
        if (!strcmp(aside[i], name)) return true;
    return false;
}

/* Options whose files are a part of what makes the bytes. */
bool cli_manifest_hashes(const char *name)
{
    static const char *const files[] = { "--calib", "--imatrix", "--profile", "--plan" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(files[i], name)) return true;
    return false;
}

bool cli_manifest_evaluates(const char *name)
{
    static const char *const how[] = { "--text", "--chunks", "--ctx", "--no-eval", "--bench" };
    for (size_t i = 0; i < sizeof how / sizeof *how; i++)
        if (!strcmp(how[i], name)) return true;
    return false;
}

/* What a replay evaluates by, too; the text that came from standard input cannot come again. */
static void take_evaluation(const cli *c, cli_manifest *x, precis_manifest_options *o)
{
    for (int i = 0; i < c->n_given; i++) {
        const char *name = c->given[i].option->name, *value = c->given[i].value;
        if (!cli_manifest_evaluates(name) || (value && !strcmp(value, "-"))) continue;
        x->evaluation[o->n_evaluation++] = name;
        if (value) x->evaluation[o->n_evaluation++] = value;
        if (!strcmp(name, "--text")) o->evaluation_text = value;
    }
    o->evaluation = x->evaluation;
}

/* Options of nets that measure. What was found is `floats`, nodes in float; a replay takes these and measures nothing,
 * so it makes the same bytes on any machine. (--size is kept: a file has those sizes where they cannot stay open.) */
static bool measures(const char *name)
{
    static const char *const with[] = { "--speed",  "--no-speed", "--no-cache",   "--max-drop", "--data",
                                        "--labels", "--sequence", "--detections", "--blank",    "--mask" };
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (!strcmp(with[i], name)) return true;
    return false;
}

const char *cli_input_path(const char *value)
{
    struct stat at;
    const char *equals = strchr(value, '=');
    return equals && stat(value, &at) ? equals + 1 : value;
}

/* `in`: of FILE, or of a net's NAME=FILE, whose name is kept in x. */
static precis_status take_input(const cli *c, int i, bool net, cli_manifest *x, precis_manifest_input *in)
{
    const char *value = c->given[i].value, *path = net ? cli_input_path(value) : value;
    *in = (precis_manifest_input){ c->given[i].option->name, path, NULL };
    if (path == value) return PRECIS_OK;
    const size_t n = (size_t)(path - value - 1);
    char *name = cli_alloc(n + 1, 1);
    if (!name) return PRECIS_ENOMEM;
    memcpy(name, value, n);
    in->name = x->names[x->n_names++] = name;
    return PRECIS_OK;
}

/* Nodes in float beyond those that the user names, who has them among the arguments. */
static void take_floats(const cli *c, const precis_net_quant_options *net, cli_manifest *x, precis_manifest_options *o)
{
    for (size_t i = 0; i < net->n_floats; i++) {
        const char *name;
        int k = 0;
        while ((name = cli_get_nth(c, "--float", k)) && strcmp(name, net->floats[i])) k++;
        if (!name) x->floats[o->n_floats++] = net->floats[i];
    }
    o->floats = x->floats;
}

precis_status cli_manifest_open(const cli *c, const precis_model *m, const precis_net_quant_options *net,
                                cli_manifest *x)
{
    precis_manifest_options o = PRECIS_MANIFEST_OPTIONS_INIT;
    const size_t most = (size_t)c->n_given + 1;
    *x = (cli_manifest){ .arguments = cli_alloc(2 * most, sizeof *x->arguments),
                         .evaluation = cli_alloc(2 * most, sizeof *x->evaluation),
                         .inputs = cli_alloc(most, sizeof *x->inputs),
                         .names = cli_alloc(most, sizeof *x->names),
                         .floats = cli_alloc(net ? net->n_floats + 1 : 1, sizeof *x->floats) };
    if (!x->arguments || !x->inputs || !x->evaluation || !x->names || !x->floats) return PRECIS_ENOMEM;
    if (net) {
        x->arguments[o.n_arguments++] = "--no-speed";
        take_floats(c, net, x, &o);
    } else take_evaluation(c, x, &o);
    for (int i = 0; i < c->n_given; i++) {
        const char *name = c->given[i].option->name, *value = c->given[i].value;
        if (cli_manifest_leaves_out(name) || (net && measures(name))) continue;
        x->arguments[o.n_arguments++] = name;
        if (value) x->arguments[o.n_arguments++] = value;
        if (!cli_manifest_hashes(name)) continue;
        const precis_status st = take_input(c, i, net, x, &x->inputs[o.n_inputs++]);
        if (st) return st;
    }
    o.arguments = x->arguments;
    o.inputs = x->inputs;
    o.model_path = c->args[0];
    o.seed = c->seed;
    return precis_manifest_open(c->ctx, &x->of, m, &o);
}

void cli_manifest_close(cli_manifest *x)
{
    precis_manifest_close(&x->of);
    for (size_t i = 0; i < x->n_names; i++) free(x->names[i]);
    free(x->names);
    free(x->arguments);
    free(x->inputs);
    free(x->evaluation);
    free(x->floats);
}
