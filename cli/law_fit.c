/* precis law fit - constants of a law from a table of runs. */
#include "law.h"
#include "table.h"
#include "term.h"
#include "spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { "--form", 0, "LAW",
      "the law whose constants are fitted (precis law list), or a file of your own; default chinchilla" },
    { "--output", 'o', "OUT.json", "the fit (JSON), for --law FILE" },
    { "--column", 0, "VAR=NAME",
      "the column of N, D, loss, flop, bits_w ... (more than once); default: the names that are known" },
    { "--where", 0, "COLUMN=VALUES", "rows to take: values with | between (more than once: all must hold)" },
    { "--drop-highest", 0, "K", "leave out the K rows of the highest losses" },
    { "--fix", 0, "NAME[=VALUE]", "a parameter that is not fitted (more than once)" },
    { "--cluster", 0, "COLUMN",
      "names the run of a row: checkpoints of one run are resampled together; default: every row is a run" },
    { "--objective", 0, "NAME",
      "huber (default: of log losses), huber-scale, squares, absolute, huber-raw, squares-raw" },
    { "--delta", 0, "X", "of huber (default 0.001)" },
    { "--starts", 0, "HOW",
      "grid, or projection (linear parameters solved); default: the grid when it has at most 5,000 points" },
    { "--bootstrap", 0, "K", "resamples of the runs: standard errors, 95 % intervals, correlations" },
    { "--profile", 0, NULL, "profiles of the objective, and their intervals" },
    { "--holdout", 0, NULL,
      "errors on rows held out: largest N, largest D/N, each width of bits, 8 times beyond, five parts by run" },
    { "--residuals", 0, NULL, "every row with its fitted loss (with --json)" },
    { 0 },
};

static json_t *by_param(const precis_law_fit *f, const double *v, int width)
{
    json_t *o = json_object();
    for (size_t i = 0; i < f->params; i++) {
        precis_law_param p = { .size = sizeof p };
        precis_law_get_param(f->law, i, &p);
        if (width == 1 && isfinite(v[i])) json_object_set_new(o, p.name, json_real(v[i]));
        if (width == 2 && !isnan(v[2 * i]))
            json_object_set_new(o, p.name, json_pack("[o, o]", law_real(v[2 * i]), law_real(v[2 * i + 1])));
    }
    return o;
}

static const char *param_name(const precis_law_fit *f, size_t i)
{
    precis_law_param p = { .size = sizeof p };
    precis_law_get_param(f->law, i, &p);
    return p.name;
}

static json_t *correlations(const precis_law_fit *f)
{
    json_t *o = json_object();
    for (size_t i = 0; i < f->params; i++) {
        json_t *row = json_object();
        for (size_t k = 0; k < f->params; k++)
            if (isfinite(f->correlation[i * f->params + k]))
                json_object_set_new(row, param_name(f, k), json_real(f->correlation[i * f->params + k]));
        if (json_object_size(row)) json_object_set_new(o, param_name(f, i), row);
        else json_decref(row);
    }
    return o;
}

static json_t *holdouts(const precis_law_fit *f)
{
    json_t *a = json_array();
    for (size_t i = 0; i < f->n_holdouts; i++) {
        const precis_law_holdout *h = &f->holdouts[i];
        json_array_append_new(a,
                              json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "name", h->name, "trained",
                                        (json_int_t)h->trained, "held", (json_int_t)h->held, "rmse_log",
                                        law_real(h->rmse_log), "max_log", law_real(h->max_log), "r2", law_real(h->r2),
                                        "factor", law_real(h->factor), "coverage", law_real(h->coverage)));
    }
    return a;
}

static json_t *profiles(const precis_law_fit *f)
{
    json_t *o = json_object();
    for (size_t i = 0; i < f->params; i++) {
        const double *at = f->profile + i * f->profile_points * 2;
        if (isnan(at[0])) continue;
        json_t *a = json_array();
        for (size_t k = 0; k < f->profile_points; k++)
            json_array_append_new(a, json_pack("[o, o]", law_real(at[2 * k]), law_real(at[2 * k + 1])));
        json_object_set_new(o, param_name(f, i), a);
    }
    return o;
}

static json_t *rows(const precis_law_fit *f)
{
    json_t *a = json_array();
    for (size_t i = 0; i < f->n; i++) {
        const double *v = f->points + i * PRECIS_LAW_VARIABLES;
        json_array_append_new(a, json_pack("{s:f, s:f, s:f, s:f, s:f}", "N", v[PRECIS_LAW_N], "D", v[PRECIS_LAW_D],
                                           "bits_w", v[PRECIS_LAW_BITS_W], "loss", f->observed[i], "fitted",
                                           f->fitted[i]));
    }
    return a;
}

static int fit_json(cli *c, const precis_law_fit *f, const char *out)
{
    precis_law_info info = { .size = sizeof info };
    precis_law_get_info(f->law, &info);
    json_t *o = json_pack("{s:s, s:o, s:o, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "law", info.name, "params",
                          by_param(f, f->values, 1), "objective", law_real(f->objective), "rmse_log", f->rmse_log,
                          "max_log", f->max_log, "n", (json_int_t)f->n, "rows", (json_int_t)f->rows, "clusters",
                          (json_int_t)f->clusters, "starts", (json_int_t)f->starts, "starts_at_optimum",
                          (json_int_t)f->starts_at_optimum);
    json_t *held = json_array(), *warnings = json_array();
    for (size_t i = 0; i < f->params; i++)
        if (f->held[i] && isfinite(f->values[i])) json_array_append_new(held, json_string(param_name(f, i)));
    for (size_t i = 0; i < f->n_warnings; i++) json_array_append_new(warnings, json_string(f->warnings[i]));
    json_object_set_new(o, "held", held);
    if (f->scale > 0) json_object_set_new(o, "scale", json_real(f->scale));
    if (f->se) {
        double *ci = cli_alloc(2 * f->params, sizeof *ci);
        for (size_t i = 0; i < f->params && ci; i++) ci[2 * i] = f->low[i], ci[2 * i + 1] = f->high[i];
        json_t *se = by_param(f, f->se, 1);
        for (size_t i = 0; i < f->params; i++)
            if (f->held[i]) json_object_del(se, param_name(f, i));
        json_object_set_new(o, "se", se);
        if (ci) json_object_set_new(o, "ci95", by_param(f, ci, 2));
        json_object_set_new(o, "correlation", correlations(f));
        json_object_set_new(o, "resamples", json_integer((json_int_t)f->resamples));
        free(ci);
    }
    if (f->profile) {
        json_object_set_new(o, "profile", profiles(f));
        json_object_set_new(o, "profile_interval", by_param(f, f->profile_interval, 2));
    }
    if (f->holdouts) json_object_set_new(o, "holdouts", holdouts(f));
    if (cli_has(c, "--residuals")) json_object_set_new(o, "residuals", rows(f));
    json_object_set_new(o, "warnings", warnings);
    json_object_set_new(o, "out", out ? json_string(out) : json_null());
    return cli_print_json(c, o);
}

static int fit_text(cli *c, const precis_law_fit *f, const char *out)
{
    precis_law_info info = { .size = sizeof info };
    bool lacks = false;
    precis_law_get_info(f->law, &info);
    cli_row(4, "%s: %s", info.name, info.title);
    printf("%zu of %zu rows, %zu runs\n\n", f->n, f->rows, f->clusters);
    for (size_t i = 0; i < f->params; i++) {
        if (isnan(f->values[i])) continue;
        char error[96] = "", profile[96] = "";
        if (f->held[i]) snprintf(error, sizeof error, "held");
        else if (f->se)
            snprintf(error, sizeof error, "se %-12.5g 95 %% %.5g to %.5g", f->se[i], f->low[i], f->high[i]);
        if (f->profile && !isnan(f->profile_interval[2 * i]))
            snprintf(profile, sizeof profile, "  profile %.5g to %.5g", f->profile_interval[2 * i],
                     f->profile_interval[2 * i + 1]);
        cli_row(6, "  %-8s %-18.10g %s%s", param_name(f, i), f->values[i], error, profile);
    }
    putchar('\n');
    cli_row(4, "%-28s %.13g", "objective", f->objective);
    cli_row(4, "%-28s %.5g, at most %.5g", "rmse of log losses", f->rmse_log, f->max_log);
    cli_row(4, "%-28s %zu of %zu", "starts at the optimum", f->starts_at_optimum, f->starts);
    if (f->scale > 0) cli_row(4, "%-28s %.6g", "scale", f->scale);
    for (size_t i = 0; f->correlation && i < f->params; i++)
        for (size_t k = 0; k < i; k++)
            if (fabs(f->correlation[i * f->params + k]) > 0.95)
                cli_row(4, "%-28s %.4f between %s and %s", "correlation", f->correlation[i * f->params + k],
                        param_name(f, k), param_name(f, i));
    cli_table t;
    cli_table_open(&t, "held out\ttrained\theld\trmse log\tmax log\tR2\tbeyond\tcoverage");
    if (f->holdouts) putchar('\n');
    for (size_t i = 0; i < f->n_holdouts; i++) {
        const precis_law_holdout *h = &f->holdouts[i];
        if (isnan(h->rmse_log))
            cli_table_row(&t, "%s\t%zu\t%zu\tnone", h->name, h->trained, h->held), lacks = true;
        else
            cli_table_row(&t, "%s\t%zu\t%zu\t%.5f\t%.5f\t%.4f\t%.3g\t%.3g", h->name, h->trained, h->held,
                          h->rmse_log, h->max_log, h->r2, h->factor, h->coverage);
    }
    cli_table_close(&t, f->holdouts != NULL);
    if (lacks) cli_row(6, "none: the rest does not determine the law");
    if (out) cli_row(6, "wrote %s", out);
    return cli_done(c);
}

static int run(cli *c)
{
    precis_law_fit_options o = PRECIS_LAW_FIT_OPTIONS_INIT;
    precis_law_fit f = { .size = sizeof f };
    precis_law *form = NULL;
    int64_t drop, boot;
    c->digits = 15;
    if (!cli_int(c, "--drop-highest", 0, 0, 1 << 30, &drop) || !cli_int(c, "--bootstrap", 0, 0, 1000000, &boot) ||
        !cli_number(c, "--delta", 0, 0, 1e3, &o.delta))
        return EXIT_USAGE;
    char *columns = cli_joined(c, "--column"), *where = law_where(c), *fix = cli_joined(c, "--fix");
    o.columns = cli_has(c, "--column") ? columns : NULL;
    o.where = where;
    o.fix = cli_has(c, "--fix") ? fix : NULL;
    o.cluster = cli_get(c, "--cluster");
    o.objective = cli_get(c, "--objective");
    o.starts = cli_get(c, "--starts");
    o.drop_highest = (uint32_t)drop;
    o.bootstrap = (uint32_t)boot;
    o.profile = cli_has(c, "--profile");
    o.holdout = cli_has(c, "--holdout");
    const char *out = cli_get(c, "--output");
    precis_spread spread = { 0 };
    int rc = cli_lacks_memory(c) ? cli_no_memory(c) : spread_open(c, &spread);
    if (rc < 0) {
        o.spread = spread.size > 1 ? &spread : NULL;
        precis_status st = precis_law_open(c->ctx, &form, cli_has(c, "--form") ? cli_get(c, "--form") : "chinchilla");
        if (!st && out) st = precis_out_check(c->ctx, out, NULL);
        if (!st) st = precis_law_fit_run(c->ctx, &f, form, c->args[0], &o);
        if (!st && out && spread.rank == 0) st = precis_law_fit_save(c->ctx, &f, out);
        if (st) rc = spread.rank == 0 ? cli_fail(c, st) : EXIT_INPUT;
        else rc = spread.rank ? EXIT_DONE : c->json ? fit_json(c, &f, out) : fit_text(c, &f, out);
    }
    spread_close(&spread);
    precis_law_fit_close(&f);
    precis_law_close(&form);
    free(columns);
    free(where);
    free(fix);
    return rc;
}

const cli_command law_fit = {
    "law fit", "DATA.csv", "constants of a law from a table of runs, with what supports them",
    "Columns are found by name: N, Model Size, N_nonemb, params; D, D_tokens, tokens, "
    "or Training FLOP (D = FLOP / 6 N); loss; w_bits, a_bits ...\n"
    "Fits by L-BFGS from many starts, ends with Newton's steps, and "
    "refuses an optimum that fewer than two starts reach.\n"
    "Under mpirun the starts and resamples are spread over the processes; the result has the same bytes.",
    1, 1, options, run,
    "  precis law fit svg_extracted_data.csv --form chinchilla --drop-highest 5\n"
    "  precis law fit runs.csv --form quest --where a_quant=NoQuantizer --bootstrap 1000 --holdout -o mine.json\n"
    "  mpirun -n 4 precis law fit runs.csv --bootstrap 4000\n",
    NULL
};
