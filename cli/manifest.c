/* manifest.c - which options of a command make the bytes of its output: what the library's manifest (precis/record.h)
 * is told, and what `--replay` gives again. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

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

precis_status cli_manifest_open(const cli *c, const precis_model *m, cli_manifest *x)
{
    precis_manifest_options o = PRECIS_MANIFEST_OPTIONS_INIT;
    const size_t most = (size_t)c->n_given + 1;
    *x = (cli_manifest){ NULL, cli_alloc(2 * most, sizeof *x->arguments), cli_alloc(most, sizeof *x->inputs),
                         cli_alloc(2 * most, sizeof *x->evaluation) };
    if (!x->arguments || !x->inputs || !x->evaluation) return PRECIS_ENOMEM;
    take_evaluation(c, x, &o);
    for (int i = 0; i < c->n_given; i++) {
        const char *name = c->given[i].option->name, *value = c->given[i].value;
        if (cli_manifest_leaves_out(name)) continue;
        x->arguments[o.n_arguments++] = name;
        if (value) x->arguments[o.n_arguments++] = value;
        if (cli_manifest_hashes(name)) x->inputs[o.n_inputs++] = (precis_manifest_input){ name, value };
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
    free(x->arguments);
    free(x->inputs);
    free(x->evaluation);
}
