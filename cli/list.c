/* precis list - the tables: formats, mixes, methods, kernels, ops, architectures, ... */
#include "cli.h"

#include <string.h>

static const cli_option options[] = { { 0 } };

static int run(cli *c)
{
    char text[192];
    if (!c->n_args) {
        json_t *o = json_object();
        for (size_t t = 0; precis_list(NULL, t); t++) {
            const char *table = precis_list(NULL, t);
            json_t *names = json_array();
            if (!c->json) printf("%-14s", table);
            for (size_t i = 0; precis_list_row(table, i, text, sizeof text); i++) {
                json_array_append_new(names, json_string(precis_list_row(table, i, text, sizeof text)));
                if (!c->json) printf(" %s", precis_list_row(table, i, text, sizeof text));
            }
            if (!c->json) printf("\n");
            json_object_set_new(o, table, names);
        }
        if (c->json) return cli_print_json(c, o);
        json_decref(o);
        return cli_done(c);
    }
    if (!precis_list_row(c->args[0], 0, text, sizeof text)) return cli_usage(c, "no table \"%s\"; precis list names them", c->args[0]);
    json_t *names = json_array();
    for (size_t i = 0; precis_list_row(c->args[0], i, text, sizeof text); i++) {
        json_array_append_new(names, json_string(precis_list_row(c->args[0], i, text, sizeof text)));
        if (!c->json) printf("%s\n", precis_list_row(c->args[0], i, text, sizeof text));
    }
    if (c->json) return cli_print_json(c, json_pack("{s:o}", c->args[0], names));
    json_decref(names);
    return cli_done(c);
}

const cli_command cli_list = { "list", "[TABLE]", "formats, mixes, methods, kernels, ops, architectures, ... that this build has", NULL, 0, 1, options, run,
    "  precis list formats\n", NULL };
