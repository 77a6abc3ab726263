/* precis list - the tables: formats, mixes, methods, kernels, ops, architectures, ... */
#include "hub.h"
#include "term.h"

#include <stdbool.h>
#include <string.h>

static const cli_option options[] = {
    { "--names", 0, NULL, "names alone, one a line, for scripts" },
    { 0 },
};

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

/* A table of formats for who has to choose one: the scarce first, since a row is looked for by its bits. */
static int list_formats(cli *c)
{
    precis_format_info f = { .size = sizeof f };
    const bool wide = cli_columns() >= 96;
    json_t *list = json_array();
    if (!c->json && wide) printf("%-13s %6s %6s  %-10s %s\n", "format", "bits", "block", "read by", "what for");
    if (!c->json && !wide) cli_row(4, "%-13s %5s %5s  %s", "format", "bits", "block", "read by, what for");
    for (size_t i = 0; !precis_format_get(i, &f); i++) {
        char block[16] = "any";
        const char *reader = f.portable ? "llama.cpp" : "precis";
        if (f.block) snprintf(block, sizeof block, "%u", f.block);
        if (c->json)
            json_array_append_new(list, json_pack("{s:s, s:f, s:i, s:s, s:b, s:s}", "name", f.name, "bits", f.bits,
                                                  "block", (int)f.block, "read_by", reader, "written", f.written,
                                                  "what", f.what));
        else if (wide)
            printf("%-13s %6.2f %6s  %-10s %s%s\n", f.name, f.bits, block, reader, f.what,
                   f.written ? "" : " (read only)");
        else if (cli_columns() < 44)
            cli_row(4, "%-13s %5.2f %5s  %s; %s%s", f.name, f.bits, block, reader, f.what,
                    f.written ? "" : " (read only)");
        else {
            const int at = printf("%-13s %5.2f %5s  ", f.name, f.bits, block);
            char text[128];
            snprintf(text, sizeof text, "%s; %s%s", reader, f.what, f.written ? "" : " (read only)");
            cli_fold(text, at, at);
            putchar('\n');
        }
    }
    if (c->json) return cli_print_json(c, json_pack("{s:o, s:o}", "formats", names_of("formats"), "details", list));
    json_decref(list);
    cli_say(0, "\nbits: of a weight, scales included; block: rows must be whole blocks of so many weights, or a "
            "substitute is taken; precis: only precis reads it (precis convert). docs/formats.md says more.");
    return cli_done(c);
}

static int no_table(const cli *c, const char *table)
{
    char ask[96];
    cli_meant m = { .word = table };
    for (size_t t = 0; precis_list(NULL, t); t++) cli_meant_look(&m, precis_list(NULL, t));
    cli_meant_look(&m, "models");
    return cli_usage(c, "no table \"%s\"%s (precis list names them)", table, cli_meant_ask(&m, ask));
}

/* The names of a table, of a long one the first lines; rows that are sentences are counted. */
static void print_names(const char *table, const json_t *names)
{
    enum { LINES = 4 };
    const int indent = cli_columns() < 44 ? 4 : 14;
    const size_t n = json_array_size(names);
    int at = printf("%-14s", table), lines = 1;
    bool whole = n && !strchr(json_string_value(json_array_get(names, 0)), ' ');
    for (size_t i = 0; whole && i < n; i++) {
        const char *one = json_string_value(json_array_get(names, i));
        if (at + 1 + (int)strlen(one) > cli_columns()) {
            if (!(whole = ++lines <= LINES)) break;
            at = printf("\n%*s", indent, "") - 1;
        }
        at += printf(" %s", one);
    }
    char more[96];
    snprintf(more, sizeof more, "%s%zu: precis list %s", lines > 1 ? "... of " : "", n, table);
    if (!whole && lines > 1) at = printf("\n%*s", indent, "") - 1;
    else if (!whole) at += printf(" ");
    if (!whole) cli_fold(more, at, indent);
    putchar('\n');
}

static int list_all(cli *c)
{
    if (cli_has(c, "--names")) {
        for (size_t t = 0; precis_list(NULL, t); t++) printf("%s\n", precis_list(NULL, t));
        printf("models\n");
        return cli_done(c);
    }
    json_t *o = json_object();
    for (size_t t = 0; precis_list(NULL, t); t++) {
        const char *table = precis_list(NULL, t);
        json_t *names = names_of(table);
        if (!c->json) print_names(table, names);
        json_object_set_new(o, table, names);
    }
    if (c->json) return cli_print_json(c, o);
    json_decref(o);
    return cli_done(c);
}

/* Where the second column of a row begins, or a little to the right. */
static int row_indent(const char *row)
{
    const char *gap = strstr(row, "  ");
    const size_t at = gap ? (size_t)(gap - row) + strspn(gap, " ") : 0;
    return at && at < 24 ? (int)at : 4;
}

static int run(cli *c)
{
    char text[192];
    if (!c->n_args) return list_all(c);
    const char *table = c->args[0];
    if (!strcmp(table, "models")) return cli_list_models(c);
    if (!precis_list_row(table, 0, text, sizeof text)) return no_table(c, table);
    const bool names = cli_has(c, "--names");
    if (!names && !strcmp(table, "formats")) return list_formats(c);
    json_t *rows = json_array();
    bool more = false;
    for (size_t i = 0; precis_list_row(table, i, text, sizeof text); i++) {
        const char *row = precis_list_row(table, i, text, sizeof text);
        char name[192];
        more |= strcmp(row, name_of(table, i, name, sizeof name)) != 0;
        json_array_append_new(rows, json_string(row));
        if (!c->json && names) printf("%s\n", name_of(table, i, name, sizeof name));
        if (!c->json && !names) cli_fold_row(row, row_indent(row));
    }
    json_t *o = json_pack("{s:o}", table, names_of(table));
    if (more) json_object_set(o, "rows", rows);
    json_decref(rows);
    if (c->json) return cli_print_json(c, o);
    json_decref(o);
    return cli_done(c);
}

const cli_command cli_list = {
    "list", "[TABLE]", "formats, mixes, methods, kernels, ops, architectures, ... that this build has",
    NULL, 0, 1, options, run,
    "  precis list formats\n"
    "  precis list ops          # and whether training can go through each\n"
    "  precis list models       # what pull has fetched\n",
    NULL,
};
