/* precis list - the tables: formats, mixes, methods, kernels, ops, architectures, ... */
#include "hub.h"

#include <stdbool.h>
#include <string.h>

static const cli_option options[] = { { 0 } };

/* The name of row i: of a table whose rows are put together, the row. */
static const char *name_of(const char *table, size_t i, char *text, size_t cap)
{
    return precis_list(table, 0) ? precis_list(table, i) : precis_list_row(table, i, text, cap);
}

static json_t *names_of(const char *table)
{
    char text[192];
    json_t *names = json_array();
    for (size_t i = 0; name_of(table, i, text, sizeof text); i++)
        json_array_append_new(names, json_string(name_of(table, i, text, sizeof text)));
    return names;
}

static int list_all(cli *c)
{
    json_t *o = json_object();
    for (size_t t = 0; precis_list(NULL, t); t++) {
        const char *table = precis_list(NULL, t);
        json_t *names = names_of(table);
        if (!c->json) printf("%-14s", table);
        for (size_t i = 0; !c->json && i < json_array_size(names); i++)
            printf(" %s", json_string_value(json_array_get(names, i)));
        if (!c->json) printf("\n");
        json_object_set_new(o, table, names);
    }
    if (c->json) return cli_print_json(c, o);
    json_decref(o);
    return cli_done(c);
}

static int run(cli *c)
{
    char text[192];
    if (!c->n_args) return list_all(c);
    const char *table = c->args[0];
    if (!strcmp(table, "models")) return cli_list_models(c);
    if (!precis_list_row(table, 0, text, sizeof text))
        return cli_usage(c, "no table \"%s\"; precis list names them", table);
    json_t *rows = json_array();
    bool more = false;
    for (size_t i = 0; precis_list_row(table, i, text, sizeof text); i++) {
        const char *row = precis_list_row(table, i, text, sizeof text);
        char name[192];
        more |= strcmp(row, name_of(table, i, name, sizeof name)) != 0;
        json_array_append_new(rows, json_string(row));
        if (!c->json) printf("%s\n", row);
    }
    json_t *o = json_pack("{s:o}", table, names_of(table));
    if (more) json_object_set(o, "rows", rows);
    json_decref(rows);
    if (c->json) return cli_print_json(c, o);
    json_decref(o);
    return cli_done(c);
}

const cli_command cli_list = { "list", "[TABLE]", "formats, mixes, methods, kernels, ops, architectures, ... that this build has", NULL, 0, 1, options, run,
    "  precis list formats\n  precis list ops          # and whether training can go through each\n  precis list models       # what pull has fetched\n", NULL };
