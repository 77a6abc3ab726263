/* net_size.c - --size: sizes of what a net leaves open, as a list in the order of its dimensions or by their names. A
 * list leaves out the first dimension, which is how many samples there are, unless nothing else is open. Sizes of which
 * the net has no use are an error. */
#include "quant_net.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MOST (1 << 20) /* of a dimension */

/* A number from 1 to MOST that ends at *end; 0: it is none. */
static int64_t size_at(const char *text, const char **end)
{
    char *at;
    const long long n = strtoll(text, &at, 10);
    *end = at;
    return at == text || *text < '0' || *text > '9' || n < 1 || n > MOST ? 0 : n;
}

static bool has_names(const char *text) { return strchr(text, '=') != NULL; }

/* The next of NAME=N,NAME=N: *n bytes of its name at *name. A name may hold a '=', and no ','. 0: it is none. */
static int64_t next_named(const char **at, const char **name, size_t *n)
{
    const char *end = strchr(*at, ','), *equals = end ? end : *at + strlen(*at), *after;
    while (equals > *at && *equals != '=') equals--;
    *name = *at;
    *n = (size_t)(equals - *at);
    const int64_t size = *n ? size_at(equals + 1, &after) : 0;
    if (!size || (*after && (*after != ',' || !after[1]))) return 0;
    *at = *after ? after + 1 : after;
    return size;
}

/* Of NxN...: number k, the last one being that of all that follow. 0: it is no such list. */
static int64_t listed(const char *text, int k)
{
    int64_t last = 0;
    for (int i = 0; *text; i++) {
        const int64_t n = size_at(text, &text);
        if (!n || (*text && (*text != 'x' || !text[1]))) return 0;
        if (i <= k) last = n;
        text += *text != 0;
    }
    return last;
}

int cli_net_size(cli *c, int64_t dflt, int64_t *out)
{
    const char *text = cli_get(c, "--size"), *at = text, *name;
    size_t n;
    *out = dflt;
    if (!text) return -1;
    if (!has_names(text)) *out = listed(text, 0);
    else
        while (*at && *out)
            if (!next_named(&at, &name, &n)) *out = 0;
    if (*out) return -1;
    return cli_usage(c, "--size %s: sizes from 1 to %d, such as 224, 48x320, or height=48,width=320", text, MOST);
}

/* The size that is named; 0: none is. */
static int64_t size_of_name(const char *text, const char *symbol)
{
    const char *name;
    size_t n;
    int64_t size;
    while (*text && (size = next_named(&text, &name, &n)))
        if (n == strlen(symbol) && !strncmp(name, symbol, n)) return size;
    return 0;
}

enum { DIM_NAME = 192 };

/* What an open dimension is called: as in the file, or INPUT.1 where that has no name for it. */
static const char *dim_name(const precis_net *net, size_t input, const precis_array *p, uint32_t d, char name[DIM_NAME])
{
    const char *symbol = precis_net_symbol(net, input, d);
    if (*symbol) snprintf(name, DIM_NAME, "%s", symbol);
    else snprintf(name, DIM_NAME, "%s.%u", p->name, d);
    return name;
}

/* Is there an open dimension of this name? The names of all that there are, otherwise. */
static int known(cli *c, const precis_net *net, const char *name, size_t n)
{
    char all[400] = "";
    size_t at = 0;
    for (size_t i = 0; i < precis_net_inputs(net); i++) {
        precis_array p = { .size = sizeof p };
        const precis_status st = precis_net_input(net, i, &p);
        if (st) return cli_fail(c, st);
        for (uint32_t d = 0; d < p.dims; d++) {
            char symbol[DIM_NAME];
            if (p.shape[d] >= 0) continue;
            dim_name(net, i, &p, d, symbol);
            if (strlen(symbol) == n && !strncmp(symbol, name, n)) return -1;
            if (strstr(all, symbol) || at + strlen(symbol) + 3 > sizeof all) continue;
            at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", at ? ", " : "", cli_printable(symbol));
        }
    }
    return cli_usage(c, "--size %.*s=...: no input leaves a dimension of that name open; those that are: %s", (int)n,
                     name, at ? all : "none");
}

/* Each name of a list is one of the net's, and there once. */
static int all_known(cli *c, const precis_net *net, const char *text)
{
    const char *name, *again;
    size_t n, k;
    int rc = -1;
    for (const char *at = text; *at && rc < 0;) {
        rc = next_named(&at, &name, &n) ? known(c, net, name, n) : EXIT_USAGE;
        for (const char *rest = at; *rest && rc < 0 && next_named(&rest, &again, &k);)
            if (k == n && !strncmp(again, name, n))
                rc = cli_usage(c, "--size %s: %.*s is there twice", text, (int)n, name);
    }
    return rc;
}

bool cli_net_of_samples(const precis_net *net, size_t input, uint32_t d)
{
    const char *symbol = precis_net_symbol(net, input, d);
    char own[DIM_NAME]; /* it is worth nothing after the next call */
    snprintf(own, sizeof own, "%s", symbol);
    for (size_t i = 0; d && *own && i < precis_net_inputs(net); i++)
        if (!strcmp(precis_net_symbol(net, i, 0), own)) return true;
    return !d;
}

int cli_net_open_behind(const precis_net *net, bool *first)
{
    int most = 0;
    precis_array port;
    *first = false;
    for (size_t i = 0; i < precis_net_inputs(net) && !precis_net_input(net, i, &port); i++) {
        int open = 0;
        for (uint32_t d = 1; d < port.dims; d++) open += port.shape[d] < 0 && !cli_net_of_samples(net, i, d);
        most = open > most ? open : most;
        *first |= port.dims && port.shape[0] < 0;
    }
    return most;
}

/* No more sizes than there are dimensions to have them. */
static int list_fits(cli *c, const char *text, int behind, bool first)
{
    int given = 1;
    for (const char *at = text; *at; at++) given += *at == 'x';
    if (!behind && !first) return cli_usage(c, "--size %s: the inputs leave no dimension open", text);
    if (given <= (behind ? behind : 1)) return -1;
    return cli_usage(c, "--size %s: no input leaves more than %d dimension%s open%s", text, behind ? behind : 1,
                     behind > 1 ? "s" : "", behind ? " behind its first" : "");
}

int cli_net_sizes(cli *c, const precis_net *net, precis_array *list)
{
    const char *text = cli_get(c, "--size");
    const size_t inputs = precis_net_inputs(net);
    int64_t one;
    bool first;
    int rc = cli_net_size(c, 1, &one);
    for (size_t i = 0; i < inputs && rc < 0; i++) {
        list[i] = (precis_array){ .size = sizeof *list };
        const precis_status st = precis_net_input(net, i, &list[i]);
        if (st) return cli_fail(c, st);
    }
    if (rc >= 0 || !text) return rc;
    const int behind = cli_net_open_behind(net, &first);
    rc = has_names(text) ? all_known(c, net, text) : list_fits(c, text, behind, first);
    for (size_t i = 0; i < inputs && rc < 0; i++) {
        int open = 0;
        for (uint32_t d = 0; d < list[i].dims; d++) {
            if (list[i].shape[d] >= 0) continue;
            char symbol[DIM_NAME];
            const bool samples = cli_net_of_samples(net, i, d);
            const int64_t size = has_names(text)      ? size_of_name(text, dim_name(net, i, &list[i], d, symbol))
                                 : !behind            ? listed(text, 0)
                                 : samples            ? 0
                                                      : listed(text, open++);
            if (size) list[i].shape[d] = size;
        }
    }
    return rc;
}

int cli_net_assume_size(cli *c, precis_net *net)
{
    const size_t n = precis_net_inputs(net);
    if (!cli_get(c, "--size")) return -1;
    precis_array *list = cli_alloc(n + 1, sizeof *list);
    if (!list) return cli_no_memory(c);
    const int rc = cli_net_sizes(c, net, list);
    for (size_t i = 0; i < n && rc < 0; i++)
        for (uint32_t d = 0; d < list[i].dims; d++)
            if (list[i].shape[d] < 0 && cli_net_of_samples(net, i, d)) list[i].shape[d] = 1;
    const precis_status st = rc < 0 ? precis_net_assume(net, list, n) : PRECIS_OK;
    free(list);
    return rc >= 0 ? rc : st ? cli_fail(c, st) : -1;
}

int cli_net_check_size(cli *c, const precis_net *net)
{
    if (!cli_get(c, "--size")) return -1;
    precis_array *list = cli_alloc(precis_net_inputs(net) + 1, sizeof *list);
    const int rc = list ? cli_net_sizes(c, net, list) : cli_no_memory(c);
    free(list);
    return rc;
}
