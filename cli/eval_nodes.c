/* eval_nodes.c - `eval --nodes`: the error of each node of a net in codes, and why the worst of them have it. */
#include "samples.h"
#include "table.h"

#include <math.h>

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *error_json(const precis_node_error *n)
{
    json_t *o = json_pack("{s:s, s:s, s:b, s:f}", "name", n->name, "op", n->op, "rounded", n->rounded, "clipped",
                          n->clipped);
    json_object_set_new(o, "sqnr_db", real(n->sqnr_db));
    json_object_set_new(o, "added_db", real(n->added_db));
    json_object_set_new(o, "carried_db", real(n->carried_db));
    if (!n->worst) return o;
    json_object_set_new(o, "worst", json_integer(n->worst));
    json_object_set_new(o, "cause", json_string(n->why.cause));
    json_object_set_new(o, "option", json_string(n->why.option));
    json_object_set_new(o, "gain_db", real(n->why.gain_db));
    json_object_set_new(o, "detail", json_string(n->why.detail));
    return o;
}

static const precis_node_error *worst_of(const precis_node_errors *e, int place)
{
    for (size_t i = 0; i < precis_node_errors_count(e); i++)
        if (precis_node_errors_get(e, i)->worst == place) return precis_node_errors_get(e, i);
    return NULL;
}

static const char *decibels(double v, char cell[32])
{
    if (isfinite(v)) snprintf(cell, 32, "%.2f", v);
    else snprintf(cell, 32, "%s", v > 0 ? "-" : "none");
    return cell;
}

int cli_print_nodes(cli *c, const precis_node_errors *e, bool stopped)
{
    char name[CLI_SHOWN], sqnr[32], added[32], carried[32];
    json_t *nodes = json_array(), *worst = json_array();
    cli_table t;
    cli_table_open(&t, "output\t<op\tSQNR, dB\tadded\tcarried");
    for (size_t i = 0; i < precis_node_errors_count(e); i++) {
        const precis_node_error *n = precis_node_errors_get(e, i);
        json_array_append_new(nodes, error_json(n));
        if (c->json) continue;
        cli_table_row(&t, "%s\t%s\t%s\t%s\t%s", cli_shown(n->name, name), n->op, decibels(n->sqnr_db, sqnr),
                      decibels(n->added_db, added), decibels(n->carried_db, carried));
    }
    cli_table_close(&t, !c->json);
    if (!c->json) printf("\nthe worst by what they add:\n");
    for (int place = 1; worst_of(e, place); place++) {
        const precis_node_error *n = worst_of(e, place);
        json_array_append_new(worst, error_json(n));
        if (c->json) continue;
        cli_row(4, "%2d  %s: %s. %s", place, cli_shown(n->name, name), n->why.cause, n->why.detail);
        if (isinf(n->why.gain_db)) cli_row(6, "    %s: it loses nothing", n->why.option);
        else cli_row(6, "    %s: %.1f dB more, to %.1f", n->why.option, n->why.gain_db, n->added_db + n->why.gain_db);
    }
    if (c->json)
        return cli_print_json(c, json_pack("{s:o, s:o, s:b}", "nodes", nodes, "worst", worst, "stopped", stopped));
    json_decref(nodes);
    json_decref(worst);
    return cli_done(c);
}
