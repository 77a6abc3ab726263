/* net_value.c - `--input NAME=N`: inputs of a net that take one whole number. `run` and `bench` give the number; to the
 * commands that make something of a net (a plan, a file, figures of two nets) it is a value for good, and the input is
 * none any more. */
#include "quant_net.h"

#include <stdlib.h>
#include <string.h>

static bool is_number(const char *text)
{
    text += *text == '-';
    return *text && strspn(text, "0123456789") == strlen(text);
}

int cli_net_number(cli *c, const precis_net *net, const char *given, precis_array *out, uint64_t *room, bool *is)
{
    const char *equals = strchr(given, '=');
    *is = equals && is_number(equals + 1);
    if (!*is) return -1;
    char *name = cli_alloc((size_t)(equals - given) + 1, 1);
    if (!name) return cli_no_memory(c);
    memcpy(name, given, (size_t)(equals - given));
    const precis_status st = precis_net_number(net, name, equals + 1, room, out);
    free(name);
    return st ? cli_fail(c, st) : -1;
}

/* Has the net such an input, still or before it got a value? */
static bool has_input(const precis_net *net, const char *name, size_t n)
{
    precis_array a;
    const size_t inputs = precis_net_inputs(net);
    for (size_t i = 0; i < inputs + precis_net_fixed(net); i++) {
        const precis_status st =
            i < inputs ? precis_net_input(net, i, &a) : precis_net_fixed_input(net, i - inputs, &a);
        if (!st && strlen(a.name) == n && !strncmp(a.name, name, n)) return true;
    }
    return false;
}

static int fix(cli *c, precis_net *net, const char *given)
{
    precis_array value;
    uint64_t room;
    bool number;
    const int rc = cli_net_number(c, net, given, &value, &room, &number);
    if (rc >= 0) return rc;
    if (!number) return cli_usage(c, "--input %s: it is NAME=N here, a whole number that the input has then", given);
    const precis_status st = precis_net_fix(net, &value);
    return st ? cli_fail(c, st) : -1;
}

int cli_net_fix(cli *c, precis_net *net, precis_net *other)
{
    const char *given;
    int rc = -1;
    for (int i = 0; rc < 0 && (given = cli_get_nth(c, "--input", i)); i++) {
        const size_t n = strcspn(given, "=");
        const bool in_other = other && has_input(other, given, n), in_net = !in_other || has_input(net, given, n);
        if (in_net) rc = fix(c, net, given);
        if (rc < 0 && in_other) rc = fix(c, other, given);
    }
    precis_status st = rc < 0 && other ? precis_net_fix_as(other, net) : PRECIS_OK;
    if (!st && rc < 0 && other) st = precis_net_fix_as(net, other);
    return st ? cli_fail(c, st) : rc;
}

int cli_net_open(cli *c, precis_net **net)
{
    const precis_status st = precis_net_open(c->ctx, net, c->args[0]);
    return st ? cli_fail(c, st) : cli_net_fix(c, *net, NULL);
}

int cli_net_values(cli *c, const precis_net *net, precis_net_quant_options *o, precis_array **list)
{
    const size_t n = precis_net_fixed(net);
    precis_status st = PRECIS_OK;
    if (!(*list = cli_alloc(n + 1, sizeof **list))) return cli_no_memory(c);
    for (size_t i = 0; i < n && !st; i++) st = precis_net_fixed_input(net, i, &(*list)[i]);
    o->values = *list;
    o->n_values = n;
    return st ? cli_fail(c, st) : -1;
}

json_t *cli_net_values_json(const precis_net *net)
{
    json_t *all = json_object();
    precis_array a;
    for (size_t i = 0; i < precis_net_fixed(net) && !precis_net_fixed_input(net, i, &a); i++) {
        uint64_t bits = 0;
        memcpy(&bits, a.data, a.bytes); /* the low bytes come first */
        const unsigned unused = 64 - 8 * (unsigned)a.bytes;
        const bool negative = *a.type == 'I' && bits >> (8 * a.bytes - 1) & 1;
        if (negative && unused) bits |= ~(uint64_t)0 << (64 - unused);
        json_object_set_new(all, a.name, json_integer((json_int_t)bits));
    }
    return all;
}
