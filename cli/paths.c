/* paths.c - what a command writes is nothing that it reads, and is written once. An option whose argument is called OUT
 * names what is written; every other value and argument that happens to be a path is taken for something that is read,
 * so that a new option is safe before anyone has thought of it. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_output(const cli_option *o) { return o->arg && !strncmp(o->arg, "OUT", 3); }

/* OUT.html, OUT.html|svg, OUT-FOLDER: what is written has a kind, and no other's name. */
static int named(const cli *c, const char *option, const char *kinds, const char *path)
{
    char endings[64];
    snprintf(endings, sizeof endings, "%s", kinds);
    for (char *p = endings; (p = strchr(p, '|'));) *p = ' ';
    if (!precis_out_named(c->ctx, path, endings)) return -1;
    return cli_usage(c, "%s %s", option, precis_ctx_message(c->ctx));
}

/* The value itself; PATH of PATH=SCALE; and each of A,B,C. */
static precis_status apart_from(const cli *c, const char *path, const char *value)
{
    precis_status st = precis_out_apart(c->ctx, path, value);
    char *copy = strdup(value), *scale = copy ? strrchr(copy, '=') : NULL, *rest = copy;
    if (!copy) return PRECIS_ENOMEM;
    if (scale) *scale = 0;
    if (scale && !st) st = precis_out_apart(c->ctx, path, copy);
    for (char *comma; rest && !st && (scale || strchr(value, ',')); rest = comma) {
        if ((comma = strchr(rest, ','))) *comma++ = 0;
        if (*rest) st = precis_out_apart(c->ctx, path, rest);
    }
    free(copy);
    return st;
}

int cli_apart(const cli *c, const char *path)
{
    precis_status st = PRECIS_OK;
    for (int i = 0; i < c->n_args && !st; i++) st = apart_from(c, path, c->args[i]);
    for (int i = 0; i < c->n_given && !st; i++)
        if (c->given[i].value && !is_output(c->given[i].option)) st = apart_from(c, path, c->given[i].value);
    return st ? cli_fail(c, st) : -1;
}

int cli_paths(const cli *c)
{
    int rc = -1;
    for (int i = 0; i < c->n_given && rc < 0; i++) {
        const cli_option *one = c->given[i].option;
        if (!is_output(one) || c->given[i].value != cli_get(c, one->name)) continue; /* the last value counts */
        const char *kinds = strchr(one->arg, '.');
        if (kinds) rc = named(c, one->name, kinds + 1, c->given[i].value);
        else if (!strcmp(one->arg, "OUT-FOLDER")) rc = named(c, one->name, "", c->given[i].value);
        if (rc < 0) rc = cli_apart(c, c->given[i].value);
        for (int k = 0; k < i && rc < 0; k++) {
            const cli_option *other = c->given[k].option;
            if (other == one || !is_output(other)) continue;
            if (!precis_out_apart(c->ctx, c->given[i].value, c->given[k].value)) continue;
            rc = cli_usage(c, "%s and %s both name %s; choose another output for one", other->name, one->name,
                           c->given[i].value);
        }
    }
    return rc;
}
