/* train_log.c - see train_log.h. */
#include "train_log.h"

#include "chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void train_log_step(train_log *l, const precis_train_step *s)
{
    if (!l->every) l->every = s->steps / (TRAIN_LOG_POINTS - 1) + 1, l->steps = s->steps;
    if (l->n == TRAIN_LOG_POINTS || (s->step % l->every && s->step != s->steps)) return;
    l->step[l->n] = (double)s->step;
    l->loss[l->n] = s->loss;
    l->error[l->n] = s->error;
    l->lr[l->n++] = s->lr;
}

/* ---- chart --------------------------------------------------------------------------------------- */

static void draw_losses(chart *c, const train_log *l, const precis_train_result *r)
{
    chart_open(c, &(chart_labels){ "loss", "Loss by step", "step", "nats a token", .whole_x = true });
    chart_series *loss = chart_add(c, "batch", false), *held = chart_add(c, "held out", true);
    chart_series *entropy = isfinite(r->entropy) ? chart_add(c, "entropy of the language", false) : NULL;
    for (size_t i = 0; i < l->n; i++) {
        if (loss) chart_put(loss, l->step[i], l->loss[i]);
        if (entropy) chart_put(entropy, l->step[i], r->entropy);
    }
    if (held && isfinite(r->heldout)) chart_put(held, (double)r->steps, r->heldout);
    snprintf(c->note, sizeof c->note, "Mean of each batch from step %.0f on; held out at the end: %.4f +- %.4f.",
             l->n ? l->step[0] : 0.0, r->heldout, r->heldout_error);
}

static void draw_rates(chart *c, const train_log *l)
{
    chart_open(c, &(chart_labels){ "lr", "Learning rate by step", "step", "rate", .whole_x = true });
    chart_series *s = chart_add(c, "rate", false);
    for (size_t i = 0; s && i < l->n; i++) chart_put(s, l->step[i], l->lr[i]);
}

static void page(FILE *f, const chart *charts, int n)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width, initial-scale=1\"><title>precis train</title>\n<style>body{font:16px/1.5 "
          "sans-serif;color:#222;margin:0 auto;max-width:60rem;padding:1rem}figure{margin:0 0 1.5rem}"
          "svg{width:100%;max-width:36rem;height:auto;box-sizing:border-box;border:1px solid #ddd}"
          "figcaption{font-size:.9rem;color:#444}</style></head>"
          "<body>\n<h1>precis train</h1>\n",
          f);
    for (int i = 0; i < n; i++) {
        fputs("<figure>", f);
        chart_svg(&charts[i], f, true);
        fputs("<figcaption>", f);
        chart_escape(f, charts[i].note);
        fputs("</figcaption></figure>\n", f);
    }
    fprintf(f, "<p>Made by precis %s.</p>\n</body></html>\n", precis_version());
}

int train_log_plot(cli *c, const train_log *l, const precis_train_result *r, const char *path)
{
    const size_t n = strlen(path);
    chart *charts = cli_alloc(2, sizeof *charts);
    if (!charts) return cli_no_memory(c);
    draw_losses(&charts[0], l, r);
    draw_rates(&charts[1], l);
    char *text = NULL;
    size_t len = 0;
    FILE *f = cli_text_stream(&text, &len);
    if (f && n > 4 && !strcmp(path + n - 4, ".svg")) chart_svg(&charts[0], f, false);
    else if (f) page(f, charts, 2);
    bool bad = !f || ferror(f);
    bad = !cli_text_close(f, &text) || bad;
    int rc = bad || cli_lacks_memory(c) ? cli_no_memory(c) : -1;
    const precis_status st = rc < 0 ? precis_write_file(c->ctx, path, text, len) : PRECIS_OK;
    if (st) rc = cli_fail(c, st);
    for (int i = 0; i < 2; i++) chart_close(&charts[i]);
    free(charts);
    free(text);
    return rc;
}

/* ---- history -------------------------------------------------------------------------------------- */

int train_log_keep(cli *c, const train_log *l, const precis_train_result *r)
{
    char own[PRECIS_HISTORY_PATH];
    const char *path = cli_get(c, "--results"), *name = cli_get(c, "--name");
    if (cli_has(c, "--no-history")) return -1;
    if (precis_part_need(c->ctx, "SQLite", "a history of results")) {
        cli_warn(c, precis_ctx_message(c->ctx)); /* nobody asked for it: --results was refused before the training */
        return -1;
    }
    if (!path && !precis_history_path(own)) {
        cli_warn(c, "the run is not kept: neither XDG_STATE_HOME nor HOME says where; --results FILE does");
        return -1;
    }
    float *losses = cli_alloc(l->n + 1, sizeof *losses), held = (float)r->heldout;
    if (!losses) return cli_no_memory(c);
    for (size_t i = 0; i < l->n; i++) losses[i] = (float)l->loss[i];
    const double last = l->n ? l->loss[l->n - 1] : NAN, spread = l->n ? l->error[l->n - 1] : NAN;
    const precis_measure measures[2] = {
        { sizeof measures[0], "train_loss", "training", r->data_sha256, losses, l->n, last, spread, NULL },
        { sizeof measures[0], "heldout_loss", "heldout", r->data_sha256, &held, 1, r->heldout, r->heldout_error, NULL },
    };
    const size_t first = l->n ? 0 : 1, end = isfinite(r->heldout) ? 2 : 1;
    const precis_history_run run = { sizeof run,        name ? name : "train", r->sha256,
                                     NULL,              r->settings_sha256,    NULL,
                                     (int64_t)time(NULL), measures + first,    end - first };
    const precis_status st = end > first ? precis_history_add(c->ctx, path ? path : own, &run) : PRECIS_OK;
    free(losses);
    return st ? cli_fail(c, st) : -1;
}
