/* precis law plot - a law's curves, and a fit beside its runs, as one HTML page, SVG files, or text. */
#include "chart.h"
#include "law.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const cli_option options[] = {
    LAW_OPTIONS,
    LAW_POINT,
    { "--output", 'o', "OUT.html", "a page that needs nothing else; default: text in the terminal" },
    { "--svg", 0, "OUT-FOLDER", "each figure as a file" },
    { "--column", 0, "VAR=NAME", "of the table: the column of a variable (more than once)" },
    { "--where", 0, "COLUMN=VALUES", "of the table: rows to take (more than once)" },
    { "--drop-highest", 0, "K", "leave out the K rows of the highest losses" },
    { 0 },
};

enum { POINTS = 97, FIGURES = 24 };
typedef struct {
    precis_law *law;
    precis_law_info info;
    precis_law_point p;
    chart *figures;
    int n;
    const char *data;
    double N0, N1, D0, D1;
} page;

static chart *figure(page *g, chart_labels labels)
{
    if (g->n == FIGURES) return NULL;
    chart *c = &g->figures[g->n++];
    chart_open(c, &labels);
    return c;
}

static double between(double a, double b, int i, int n) { return a * pow(b / a, (double)i / (n - 1)); }

/* A loss, or NAN; what the law says of the failure is of no use here. */
static double loss_at(page *g, precis_law_point p)
{
    precis_law_value v = { .size = sizeof v };
    return precis_law_predict(g->law, &p, &v) ? NAN : v.loss;
}

static void iso_loss(page *g)
{
    chart *c = figure(g, (chart_labels){ "isoloss", "Equal loss", "parameters N", "tokens D",
                                         .log_x = true, .log_y = true });
    double N[POINTS], D[POINTS];
    precis_law_point p = g->p;
    if (!c) return;
    for (int i = 0; i < POINTS; i++) N[i] = between(g->N0, g->N1, i, POINTS);
    for (int k = 0; k < 5; k++) {
        char label[64];
        p.v[PRECIS_LAW_N] = between(g->N0, g->N1, k + 1, 7);
        p.v[PRECIS_LAW_D] = between(g->D0, g->D1, k + 1, 7);
        const double loss = round(loss_at(g, p) * 100) / 100;
        snprintf(label, sizeof label, "loss %.2f", loss);
        if (!isfinite(loss) || precis_law_isoloss(g->law, &p, loss, N, POINTS, D)) continue;
        chart_series *s = chart_add(c, label, false);
        for (int i = 0; i < POINTS; i++) chart_put(s, N[i], D[i] <= g->D1 * 30 && D[i] >= g->D0 / 30 ? D[i] : NAN);
    }
    snprintf(c->note, sizeof c->note,
             "Each line: the parameters and tokens that reach one loss (nats per token), at the precisions named "
             "above.");
}

static void iso_cost(page *g)
{
    chart *c = figure(g, (chart_labels){ "isocost", "Equal cost of training", "parameters N", "loss (nats per token)",
                                         .log_x = true });
    if (!c) return;
    const double bits = fmax(g->p.v[PRECIS_LAW_BITS_W], fmax(g->p.v[PRECIS_LAW_BITS_A], g->p.v[PRECIS_LAW_BITS_KV])),
                 low = 6 * g->N0 * g->D0, high = 6 * g->N1 * g->D1;
    double top = 0, bottom = INFINITY;
    for (int k = 0; k < 5; k++) {
        char label[64];
        const double compute = pow(10, round(log10(between(low, high, k + 1, 7))));
        snprintf(label, sizeof label, "1e%d FLOP", (int)round(log10(compute)));
        chart_series *s = chart_add(c, label, false);
        for (int i = 0; i < POINTS; i++) {
            precis_law_point p = g->p;
            p.v[PRECIS_LAW_N] = between(g->N0 / 3, g->N1 * 3, i, POINTS);
            p.v[PRECIS_LAW_D] = compute / (6 * p.v[PRECIS_LAW_N] * bits / 16);
            const double v = p.v[PRECIS_LAW_D] >= p.v[PRECIS_LAW_N] * 0.1 ? loss_at(g, p) : NAN;
            chart_put(s, p.v[PRECIS_LAW_N], v);
            if (isfinite(v)) bottom = fmin(bottom, v);
            if (isfinite(v) && i == POINTS / 2) top = fmax(top, v);
        }
    }
    if (top > bottom) c->high_y = bottom + 2.5 * (top - bottom), c->low_y = bottom;
    snprintf(c->note, sizeof c->note,
             "Each line: one budget of training compute (FLOP at 16 bits, cost linear in bits), spent on more "
             "parameters or more tokens. The lowest point is the best.");
}

static bool says_bits(page *g, precis_law_variable v)
{
    precis_law_point p = g->p;
    p.v[PRECIS_LAW_N] = g->N0, p.v[PRECIS_LAW_D] = g->D0;
    const double at16 = loss_at(g, p);
    p.v[v] = 8;
    const double at8 = loss_at(g, p);
    return at16 != at8 && !(isnan(at16) && isnan(at8));
}

static void bits_for_bytes(page *g)
{
    const bool trained = says_bits(g, PRECIS_LAW_BITS_W), post = says_bits(g, PRECIS_LAW_BITS_POST);
    if (!trained && !post) return;
    for (int kind = 0; kind < 2; kind++) {
        if (kind ? !post : !trained) continue;
        chart *c = figure(g, (chart_labels){ kind ? "bits-post" : "bits",
                          kind ? "Bits after training, at equal bytes" : "Bits of training, at equal bytes",
                          "bits per parameter", "loss (nats per token)", .log_y = false });
        if (!c) return;
        double bottom = INFINITY, at16 = 0;
        for (int k = 0; k < 5; k++) {
            const double bytes = between(g->N0, g->N1, k + 1, 7) * 2, compute = 6 * (bytes / 2) * g->D1;
            char label[64], size[32];
            snprintf(label, sizeof label, "%s", cli_bytes(bytes, size));
            chart_series *s = chart_add(c, label, false);
            for (int i = 0; i <= 120; i++) {
                const double bits = 1 + 15 * i / 120.0;
                precis_law_point p = g->p;
                p.v[PRECIS_LAW_N] = bytes * 8 / bits;
                p.v[PRECIS_LAW_D] = compute / (6 * p.v[PRECIS_LAW_N] * (kind ? 1 : bits / 16));
                if (kind) p.v[PRECIS_LAW_BITS_POST] = bits;
                else p.v[PRECIS_LAW_BITS_W] = p.v[PRECIS_LAW_BITS_A] = p.v[PRECIS_LAW_BITS_KV] = bits;
                const double v = loss_at(g, p);
                chart_put(s, bits, v);
                if (isfinite(v)) bottom = fmin(bottom, v);
                if (i == 120 && isfinite(v)) at16 = fmax(at16, v);
            }
        }
        if (isfinite(bottom)) c->low_y = bottom, c->high_y = bottom + 1.6 * (at16 - bottom) + 0.02;
        snprintf(c->note, sizeof c->note,
                 "Each line: weights of one size when served, as few parameters of many bits or many of few, with the "
                 "same training compute%s.",
                 kind ? " (in 16 bits)" : " (cost linear in bits)");
    }
}

static void critical_lines(page *g)
{
    static const double bits[] = { 2, 3, 4, 5, 6, 8 };
    if (!says_bits(g, PRECIS_LAW_BITS_POST)) return;
    chart *c = figure(g, (chart_labels){ "critical", "Tokens beyond which more of them hurt (D_crit)", "parameters N",
                                         "tokens D", .log_x = true, .log_y = true });
    if (!c) return;
    for (int k = 0; k < 6; k++) {
        char label[64];
        snprintf(label, sizeof label, "%g bits", bits[k]);
        chart_series *s = NULL;
        for (int i = 0; i < 33; i++) {
            precis_law_point p = g->p;
            double D;
            p.v[PRECIS_LAW_N] = between(g->N0, g->N1, i, 33);
            p.v[PRECIS_LAW_BITS_POST] = bits[k];
            if (precis_law_critical(g->law, &p, 0, &D)) D = NAN;
            if (!s && isfinite(D)) s = chart_add(c, label, false);
            chart_put(s, p.v[PRECIS_LAW_N], D);
        }
    }
    chart_series *s = chart_add(c, "20 tokens per parameter", false);
    for (int i = 0; i < 33; i++) chart_put(s, between(g->N0, g->N1, i, 33), 20 * between(g->N0, g->N1, i, 33));
    snprintf(c->note, sizeof c->note,
             "Above a line more tokens make the model worse once it is quantized to these bits. Contested: arXiv "
             "2510.06213 finds the error driven by the decay of the learning rate, largely independent of the amount "
             "of data.");
}

static void fit_figures(page *g, const precis_law_fit *f)
{
    chart *c = figure(g, (chart_labels){ "fit", "Fit against data", "loss of the law (nats per token)",
                      "loss of the run (nats per token)", .log_y = false });
    double low = INFINITY, high = 0;
    if (!c) return;
    chart_series *s = chart_add(c, "runs", true), *line = chart_add(c, "equal", false);
    const size_t step = f->n / CHART_POINTS + 1;
    for (size_t i = 0; i < f->n; i += step)
        chart_put(s, f->fitted[i], f->observed[i]), low = fmin(low, f->fitted[i]), high = fmax(high, f->fitted[i]);
    chart_put(line, low, low);
    chart_put(line, high, high);
    snprintf(c->note, sizeof c->note,
             "%zu runs; rmse of log losses %.4g, at most %.4g; %zu of %zu starts reached the optimum.", f->n,
             f->rmse_log, f->max_log, f->starts_at_optimum, f->starts);
    c = figure(g,
               (chart_labels){ "residuals", "Residuals", "tokens D", "log(loss of run / loss of law)", .log_x = true });
    s = c ? chart_add(c, "", true) : NULL;
    for (size_t i = 0; i < f->n; i += step)
        chart_put(s, f->points[i * PRECIS_LAW_VARIABLES + PRECIS_LAW_D], log(f->observed[i] / f->fitted[i]));
    if (c) snprintf(c->note, sizeof c->note, "A trend here is what the law does not know.");
    for (size_t i = 0; i < f->params && f->profile; i++) {
        const double *at = f->profile + i * f->profile_points * 2;
        precis_law_param p = { .size = sizeof p };
        char name[32], title[120];
        precis_law_get_param(f->law, i, &p);
        if (isnan(at[0])) continue;
        snprintf(name, sizeof name, "profile-%.20s", p.name);
        snprintf(title, sizeof title, "Profile of %s", p.name);
        c = figure(g, (chart_labels){ name, title, p.name, "objective / least objective",
                                      .log_x = at[0] > 0 && at[2 * (f->profile_points - 1)] / at[0] > 20 });
        s = c ? chart_add(c, "", false) : NULL;
        for (size_t k = 0; k < f->profile_points; k++) chart_put(s, at[2 * k], at[2 * k + 1] / f->objective);
        chart_series *limit = c ? chart_add(c, "limit of 95 %", false) : NULL;
        const double height = 1 + 3.84 / fmax(1, (double)f->n - (double)f->params);
        chart_put(limit, at[0], height);
        chart_put(limit, at[2 * (f->profile_points - 1)], height);
        if (c)
            snprintf(c->note, sizeof c->note,
                     "The least objective with %s held, over that of the optimum; 95 %% interval %.5g to %.5g.", p.name,
                     f->profile_interval[2 * i], f->profile_interval[2 * i + 1]);
    }
}

static void html(const page *g, FILE *f)
{
    char title[512];
    if (*g->data) snprintf(title, sizeof title, "%s fitted to %s", g->info.name, g->data);
    else snprintf(title, sizeof title, "%s", g->info.title);
    page_begin(f, title);
    if (*g->data) page_paragraph(f, "%s", g->info.title);
    fputs("<p>", f);
    chart_escape(f, g->info.text);
    fputs("</p>\n<p>Assumes: ", f);
    chart_escape(f, g->info.assumes);
    fputs(". Source: ", f);
    chart_escape(f, g->info.source);
    fputs(". Losses are nats per token.</p>\n<p>Precisions of these figures, where a figure does not say its own: ", f);
    fprintf(f, "weights %g, activations %g and KV cache %g bits in training, weights %g bits after it (16: not "
               "quantized).</p>\n", g->p.v[PRECIS_LAW_BITS_W], g->p.v[PRECIS_LAW_BITS_A], g->p.v[PRECIS_LAW_BITS_KV],
            g->p.v[PRECIS_LAW_BITS_POST]);
    page_figures(f, g->figures, g->n);
    fputs("<h2>Form and constants</h2>\n<pre>", f);
    chart_escape(f, g->info.form);
    fputs("</pre>\n<div "
          "class=\"t\"><table><tr><th>constant</th><th>value</th><th>unit</th><th>standing</th><th>source</th></tr>\n",
          f);
    for (size_t i = 0; i < g->info.params; i++) {
        precis_law_param p = { .size = sizeof p };
        precis_law_get_param(g->law, i, &p);
        fprintf(f, "<tr><td>%s</td><td class=\"n\">%.8g</td><td>%s</td><td>%s</td><td>", p.name, p.value, p.unit,
                p.standing);
        chart_escape(f, p.source);
        fputs("</td></tr>\n", f);
    }
    fputs("</table></div>\n", f);
    page_end(f);
}

/* One file, or a message; -1 or an exit code. */
static int write_file(cli *c, const char *path, const page *g, const chart *one)
{
    char *text = NULL;
    size_t len = 0;
    const int apart = cli_apart(c, path);
    if (apart >= 0) return apart;
    FILE *f = cli_text_stream(&text, &len);
    if (f && one) chart_svg(one, f, false);
    else if (f) html(g, f);
    const int rc = !cli_text_close(f, &text) || cli_lacks_memory(c) ? cli_no_memory(c) : -1;
    const precis_status st = rc < 0 ? precis_write_file(c->ctx, path, text, len) : PRECIS_OK;
    free(text);
    return st ? cli_fail(c, st) : rc;
}

static int output(cli *c, const page *g)
{
    const char *out = cli_get(c, "--output"), *folder = cli_get(c, "--svg");
    int rc = out ? write_file(c, out, g, NULL) : -1;
    json_t *files = json_array();
    if (rc < 0 && folder && mkdir(folder, 0777) && errno != EEXIST) {
        cli_error(c, "%s: %s", folder, strerror(errno));
        rc = EXIT_INPUT;
    }
    if (out) json_array_append_new(files, json_string(out));
    for (int i = 0; i < g->n && folder && rc < 0; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.svg", folder, g->figures[i].name);
        rc = write_file(c, path, g, &g->figures[i]);
        json_array_append_new(files, json_string(path));
    }
    for (int i = 0; i < g->n && !out && !folder && !c->json; i++) chart_text(&g->figures[i]);
    if (rc < 0 && c->json) return cli_print_json(c, json_pack("{s:o, s:i}", "files", files, "figures", g->n));
    for (size_t i = 0; i < json_array_size(files) && rc < 0; i++)
        printf("wrote %s\n", json_string_value(json_array_get(files, i)));
    json_decref(files);
    return rc < 0 ? cli_done(c) : rc;
}

/* Where the curves are drawn: the law's own range, or what is given. */
static void range(page *g)
{
    double lo, hi;
    g->N0 = 1e8, g->N1 = 1e11, g->D0 = 1e9, g->D1 = 1e13;
    if (precis_law_domain(g->law, "N", &lo, &hi) && hi > lo) g->N0 = fmin(g->N0, lo), g->N1 = fmax(1e10, hi);
    if (precis_law_domain(g->law, "D", &lo, &hi) && hi > lo) g->D0 = fmin(g->D0, lo), g->D1 = fmax(1e12, hi);
    if (isnan(g->p.v[PRECIS_LAW_BLOCK])) g->p.v[PRECIS_LAW_BLOCK] = 128;
    if (isnan(g->p.v[PRECIS_LAW_EXPONENT])) g->p.v[PRECIS_LAW_EXPONENT] = 4, g->p.v[PRECIS_LAW_MANTISSA] = 3;
}

static int run(cli *c)
{
    page g = { .data = "" };
    precis_law_fit fit = { .size = sizeof fit };
    precis_law_fit_options o = PRECIS_LAW_FIT_OPTIONS_INIT;
    int64_t drop;
    if (!cli_int(c, "--drop-highest", 0, 0, 1 << 30, &drop)) return EXIT_USAGE;
    int rc = law_point(c, &g.p);
    if (rc >= 0) return rc;
    precis_law *law = NULL;
    rc = law_open(c, cli_has(c, "--law") ? NULL : c->n_args ? "chinchilla" : "kumar", &law);
    if (rc >= 0) return rc;
    char *columns = cli_joined(c, "--column"), *where = law_where(c);
    o.columns = cli_has(c, "--column") ? columns : NULL;
    o.where = where;
    o.drop_highest = (uint32_t)drop;
    o.profile = 1;
    g.figures = cli_alloc(FIGURES, sizeof *g.figures);
    const bool lacks = cli_lacks_memory(c);
    const precis_status st = lacks       ? PRECIS_ENOMEM
                             : c->n_args ? precis_law_fit_run(c->ctx, &fit, law, c->args[0], &o)
                                         : PRECIS_OK;
    g.law = c->n_args ? fit.law : law;
    if (lacks) rc = cli_no_memory(c);
    else if (st) rc = cli_fail(c, st);
    else {
        const char *constants = precis_law_lacks(g.law, "loss");
        char lacking[300];
        snprintf(lacking, sizeof lacking, "%s", constants ? constants : "loss");
        if (*lacking) rc = cli_error(c, "this law cannot be drawn: it lacks %s", lacking), rc = EXIT_USAGE;
    }
    if (rc < 0) {
        precis_law_get_info(g.law, &g.info);
        range(&g);
        if (c->n_args) g.data = strrchr(c->args[0], '/') ? strrchr(c->args[0], '/') + 1 : c->args[0];
        if (c->n_args) fit_figures(&g, &fit);
        iso_loss(&g);
        iso_cost(&g);
        bits_for_bytes(&g);
        critical_lines(&g);
        rc = output(c, &g);
    }
    for (int i = 0; i < g.n; i++) chart_close(&g.figures[i]);
    free(g.figures);
    free(columns);
    free(where);
    precis_law_fit_close(&fit);
    precis_law_close(&law);
    return rc;
}

const cli_command law_plot = {
    "law plot", "[DATA.csv]", "a law's curves, and with a table of runs its fit, as a page, SVG files or text",
    "With a table the law's form is fitted to it first (default chinchilla); "
    "without one its constants are drawn (default kumar).",
    0, 1, options, run,
    "  precis law plot --law kumar -o kumar.html\n"
    "  precis law plot runs.csv --law chinchilla --drop-highest 5 -o fit.html\n"
    "  precis law plot --law kumar        (text in the terminal)\n",
    NULL
};
