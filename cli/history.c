/* history.c - `eval --history`: results that were kept (precis/record.h), and where a version is worse. */
#include "eval.h"
#include "table.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

static void figure_json(void *list, const precis_history_row *r)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:I}", "at", r->at, "name", r->name, "model",
                          r->model_sha256, "measure", r->what, "of", r->of, "mean", r->mean, "se", r->se, "items",
                          (json_int_t)r->items);
    json_object_set_new(o, "change", isfinite(r->change) ? json_real(r->change) : json_null());
    json_object_set_new(o, "verdict", r->verdict ? json_string(r->verdict) : json_null());
    json_object_set_new(o, "worse", json_boolean(r->worse));
    json_object_set_new(o, "better", json_boolean(r->better));
    json_array_append_new(list, o);
}

static void figure_text(void *user, const precis_history_row *r)
{
    cli_table *table = user;
    char name[CLI_SHOWN], of[CLI_SHOWN], change[64] = "";
    if (isfinite(r->change))
        snprintf(change, sizeof change, "%+.6g%s", r->change, r->worse ? " WORSE" : r->better ? " better" : "");
    cli_table_row(table, "%s\t%s\t%s\t%s\t%.6g +- %.3g\t%s", r->at, cli_shown(r->name, name),
                  r->what, cli_shown(r->of, of), r->mean, r->se, change);
}

int cli_history_show(cli *c)
{
    char own[PRECIS_HISTORY_PATH];
    const char *path = cli_get(c, "--results");
    struct stat sb;
    if (c->n_args) return cli_usage(c, "--history takes no model; --name NAME picks those of one name");
    if (!path && !precis_history_path(own))
        return cli_usage(c, "--history: neither HOME nor XDG_STATE_HOME is set; name the file with --results");
    if (!path) path = own;
    if (stat(path, &sb)) return cli_error(c, "%s: %s; precis eval --gate writes it", path, strerror(errno));
    json_t *list = c->json ? json_array() : NULL;
    cli_table shown;
    cli_table_open(&shown, "at\t<name\t<measure\t<of\tmean\tchange");
    precis_history h = { .size = sizeof h };
    precis_history_fn *fn = c->json ? figure_json : figure_text;
    void *to = c->json ? (void *)list : &shown;
    const precis_status st = precis_history_read(c->ctx, path, cli_get(c, "--name"), fn, to, &h);
    cli_table_close(&shown, !st && !c->json);
    if (st) {
        json_decref(list);
        return cli_fail(c, st);
    }
    int rc;
    if (c->json) rc = cli_print_json(c, json_pack("{s:s, s:o, s:b}", "file", path, "rows", list, "worse", h.worse));
    else {
        const char *verdict = "the last version is no worse than the one before it, as far as these items tell";
        if (h.worse) verdict = "the last version is WORSE than the one before it";
        cli_row(2, "%s", h.rows ? verdict : "no results yet");
        rc = cli_done(c);
    }
    return rc ? rc : h.worse ? EXIT_NEGATIVE : EXIT_DONE;
}
