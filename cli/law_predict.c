/* precis law predict, critical, isoloss, isocost, compare - a law at points. */
#include "law.h"
#include "table.h"
#include "term.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a method's own decay per bit -------------------------------------------------------------------------------- */

typedef struct { double factor, g_post, rmse; size_t n; } method_table;

/* Rows of `precis eval --ladder --json` ({"rows": [{type, bits_per_weight, kld_mean}]}), or
 * lines "TYPE BITS LOSS"; -1, or an exit code. */
static int method_open(cli *c, method_table *t)
{
    const char *path = cli_get(c, "--method-table");
    double bits[256], added[256];
    size_t n = 0, len;
    *t = (method_table){ 0 };
    if (!path) return -1;
    char *text;
    int rc = cli_read_text(c, path, PRECIS_INPUT_TABLE, &text, &len);
    if (rc >= 0) return rc;
    json_error_t why;
    json_t *o = strchr(text, '{') ? cli_json(text, strlen(text), &why) : NULL;
    if (cli_lacks_memory(c)) rc = cli_no_memory(c);
    else if (strchr(text, '{') && !o) rc = cli_error(c, "%s: %s, line %d", path, why.text, why.line);
    const json_t *rows = o ? json_object_get(o, "ladder") : NULL;
    if (o && !rows) rows = json_object_get(o, "rows");
    if (o && !json_is_array(rows))
        rc = cli_error(c, "%s: no list \"ladder\" (precis eval --ladder TYPES --json writes one)", path);
    for (size_t i = 0; rc < 0 && rows && i < json_array_size(rows) && n < 256; i++) {
        const json_t *r = json_array_get(rows, i), *b = json_object_get(r, "bits_per_weight"),
                     *k = json_object_get(r, "kld_mean");
        if (!k) k = json_object_get(r, "kld");
        if (!k) k = json_object_get(r, "loss_added");
        if (!json_is_number(b) || !json_is_number(k))
            rc = cli_error(c, "%s: row %zu has no numbers bits_per_weight and kld_mean (or loss_added)", path, i + 1);
        else if (json_number_value(k) > 0) bits[n] = json_number_value(b), added[n++] = json_number_value(k);
    }
    int line = 0;
    for (char *p = text, *end; rc < 0 && !o && p && *p; p = end) {
        char name[64];
        end = strchr(p, '\n');
        if (end) *end++ = 0;
        line++;
        double row[2];
        const int got = *p == '#' ? 0 : law_fields(p, name, sizeof name, row, 2);
        if (!got) continue;
        if (got < 3) rc = cli_error(c, "%s, line %d: a row is TYPE BITS LOSS", path, line);
        else {
            bits[n] = row[0], added[n] = row[1];
            if (++n == 256) break;
        }
    }
    json_decref(o);
    precis_text_free(c->ctx, text);
    if (rc >= 0) return rc;
    t->n = n;
    const precis_status st = precis_law_post_fit(c->ctx, bits, added, n, &t->factor, &t->g_post, &t->rmse);
    return st ? cli_fail(c, st) : -1;
}

/* The law's C_T and g_post are replaced: the factor is that of the model measured, of N and D. */
static int method_apply(cli *c, precis_law *law, const method_table *t, const precis_law_point *p)
{
    if (!t->n) return -1;
    precis_law_point q = *p;
    q.v[PRECIS_LAW_BITS_POST] = 4;
    double ptq;
    precis_status st = precis_law_set_param(law, "g_post", t->g_post);
    if (!st) st = precis_law_set_param(law, "C_T", 1);
    if (!st) st = precis_law_output(law, "ptq", &q, &ptq);
    if (!st) st = precis_law_set_param(law, "C_T", t->factor * exp(-4 / t->g_post) / ptq);
    return st ? cli_fail(c, st) : -1;
}

static json_t *method_json(const method_table *t)
{
    return t->n ? json_pack("{s:I, s:f, s:f, s:f}", "types", (json_int_t)t->n, "g_post", t->g_post, "factor", t->factor,
                            "rmse_log", t->rmse)
                : json_null();
}

/* ---- predict ----------------------------------------------------------------------------------------------------- */

static const cli_option predict_options[] = {
    LAW_OPTIONS,
    LAW_POINT,
    { "--show", 0, "OUTPUT", "one output of the law by name (n_eff, qat_fraction, ...)" },
    { "--base", 0, "LAW", "the 16-bit loss that a law without its own (chen, frantar) is put on" },
    { "--method-table", 0, "FILE",
      "measured losses per type (precis eval --ladder --json, or lines TYPE BITS LOSS): refits g_post and C_T at this "
      "N and D" },
    { 0 },
};

static int predict_show(cli *c, precis_law *law, const precis_law_point *p)
{
    double v;
    const precis_status st = precis_law_output(law, cli_get(c, "--show"), p, &v);
    if (st) return cli_fail(c, st);
    if (c->json) return cli_print_json(c, json_pack("{s:s, s:f}", "output", cli_get(c, "--show"), "value", v));
    printf("%.10g\n", v);
    return cli_done(c);
}

/* An additive law on another's loss. */
static int predict_on_base(cli *c, precis_law *law, const precis_law_point *p)
{
    precis_law *base = NULL;
    double added, eff;
    precis_law_value v = { .size = sizeof v };
    precis_law_point usual;
    precis_law_point_init(&usual);
    usual.v[PRECIS_LAW_N] = p->v[PRECIS_LAW_N];
    usual.v[PRECIS_LAW_D] = p->v[PRECIS_LAW_D];
    precis_status st = precis_law_open(c->ctx, &base, cli_get(c, "--base"));
    const double N = p->v[PRECIS_LAW_N], D = p->v[PRECIS_LAW_D];
    double n_eff = NAN;
    if (!st) st = precis_law_predict(base, &usual, &v);
    if (!st && precis_law_lacks(law, "delta_loss")) st = precis_law_output(law, "delta_loss", p, &added);
    else if (!st && precis_law_lacks(law, "n_eff")) { /* a part of the parameters: back to a loss */
        st = precis_law_output(law, "n_eff", p, &n_eff);
        if (!st) st = precis_law_added(base, N, D, eff = n_eff / N, &added);
    } else if (!st) st = precis_law_output(law, "ptq", p, &added);
    if (!st && isnan(n_eff)) st = precis_law_multiplier(base, N, D, added, &eff);
    precis_law_close(&base);
    if (st) return cli_fail(c, st);
    if (c->json)
        return cli_print_json(c, json_pack("{s:f, s:f, s:f, s:f, s:f, s:s, s:n, s:s, s:s}", "loss", v.loss + added,
                                           "base", v.loss, "added", added, "n_eff", eff * p->v[PRECIS_LAW_N], "eff",
                                           eff, "base_law", cli_get(c, "--base"), "interval", "interval_kind", "none",
                                           "interval_reason", "two laws are added"));
    cli_row(4, "loss %.6f = %.6f of %s + %.6f; effective parameters %.4f of N", v.loss + added, v.loss,
           cli_get(c, "--base"), added, eff);
    return cli_done(c);
}

static int print_prediction(cli *c, const precis_law_info *info, const precis_law_point *p, const precis_law_value *v,
                            const method_table *t)
{
    double low = v->low, high = v->high;
    char names[400] = "";
    const char *kind = "bootstrap", *reason = "95 % of the bootstrap of the runs that the law was fitted to";
    if (isnan(low)) {
        const size_t n = precis_law_spread(c->ctx, p, &low, &high, names, sizeof names);
        kind = n > 1 ? "spread_of_laws" : "none";
        reason = n > 1 ? "least and largest of the laws that speak of this point; they are of other data and "
                         "tokenizers, so this is no confidence interval"
                       : "the runs are not here (precis law fit --bootstrap -o), and no other law speaks of this point";
        if (n < 2) low = high = NAN;
    }
    if (c->json) {
        json_t *o = json_pack("{s:s, s:s, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:b, s:s}", "law",
                              info->name, "set", info->set, "point", law_point_json(p), "loss", v->loss, "base",
                              law_real(v->base), "ptq", law_real(v->ptq), "added", law_real(v->added), "loss16",
                              law_real(v->loss16), "n_eff", law_real(v->n_eff), "d_eff", law_real(v->d_eff), "interval",
                              isnan(low) ? json_null() : json_pack("[f, f]", low, high), "interval_kind", kind,
                              "interval_reason", reason, "outside", v->outside, "outside_where", v->where);
        json_object_set_new(o, "interval_laws", *names ? json_string(names) : json_null());
        json_object_set_new(o, "method", method_json(t));
        return cli_print_json(c, o);
    }
    const int indent = cli_columns() >= 72 ? 25 : 4;
    cli_row(4, "%-24s %.6f nats per token", "loss", v->loss);
    if (!isnan(low))
        cli_row(indent, "%-24s %.6f to %.6f: %s%s%s%s", "interval", low, high, reason, *names ? " (" : "", names,
               *names ? ")" : "");
    else cli_row(indent, "%-24s none: %s", "interval", reason);
    if (!isnan(v->loss16) && v->loss16 != v->loss) cli_row(4, "%-24s %.6f", "at 16 bits", v->loss16);
    if (v->added != 0 && !isnan(v->added)) cli_row(4, "%-24s %.6f", "added in training", v->added);
    if (!isnan(v->ptq)) cli_row(4, "%-24s %.6f", "added afterwards", v->ptq);
    if (!isnan(v->n_eff))
        cli_row(4, "%-24s %.4g (%.4f of N)", "effective parameters", v->n_eff, v->n_eff / p->v[PRECIS_LAW_N]);
    if (!isnan(v->d_eff))
        cli_row(4, "%-24s %.4g (%.4f of D)", "effective tokens", v->d_eff, v->d_eff / p->v[PRECIS_LAW_D]);
    if (t->n)
        cli_row(indent, "%-24s g_post %.4f bits, factor %.4g, rmse of logs %.3f over %zu types", "measured types",
                t->g_post, t->factor, t->rmse, t->n);
    cli_row(indent, "%-24s %s", "the law assumes", info->assumes);
    return cli_done(c);
}

static int predict(cli *c)
{
    precis_law *law = NULL;
    precis_law_point p;
    method_table t;
    c->digits = 15;
    int rc = law_point(c, &p);
    if (rc < 0) rc = method_open(c, &t);
    if (rc < 0) rc = law_open(c, NULL, &law);
    if (rc < 0) rc = method_apply(c, law, &t, &p);
    if (rc < 0 && cli_has(c, "--show")) rc = predict_show(c, law, &p);
    if (rc < 0 && cli_has(c, "--base")) rc = predict_on_base(c, law, &p);
    if (rc < 0) {
        precis_law_value v = { .size = sizeof v };
        precis_law_info info = { .size = sizeof info };
        precis_law_get_info(law, &info);
        const precis_status st = precis_law_predict(law, &p, &v);
        if (!st && v.outside && !c->quiet)
            fprintf(stderr, "precis: outside of where the law %s was fitted: %s\n", info.name, v.where);
        rc = st ? cli_fail(c, st) : print_prediction(c, &info, &p, &v, &t);
    }
    precis_law_close(&law);
    return rc;
}

const cli_command law_predict = {
    "law predict", "",
    "the loss at N, D and precisions, effective parameters, what quantization adds, with an interval", NULL, 0, 0,
    predict_options, predict,
    "  precis law predict --law kumar --N 1e9 --D 1e11 --bits-w 4 --bits-a 8 --bits-kv 8\n"
    "  precis law predict --law kumar --N 8B --D 15T --bits-post 4\n"
    "  precis law predict --law sun --N 1e9 --D 1e11 --type E4M3 --block 128\n"
    "  precis law predict --law mine.json --N 8B --D 15T\n",
    NULL
};

/* ---- critical ---------------------------------------------------------------------------------------------------- */

static const char caveat[] = "that quantization error grows with the tokens is contested: arXiv 2510.06213 finds it "
                             "driven by the decay of the learning rate, largely independent of the amount of data";

static const cli_option critical_options[] = {
    LAW_OPTIONS,
    { "--N", 0, "PARAMS", "parameters: 1e9, 8B" },
    { "--bits", 0, "BITS", "weights after quantization without training; laws of floating point: --type" },
    { "--type", 0, "NAME", "the format of training, for laws of it: E4M3, fp4" },
    { "--exponent", 0, "BITS", "exponent bits" },
    { "--mantissa", 0, "BITS", "mantissa bits" },
    { "--block", 0, "NUMBERS", "numbers that share a scale" },
    { "--degradation", 0, "NATS", "instead: the tokens at which the loss added reaches this" },
    { "--method-table", 0, "FILE", "measured losses per type at this N and --D: refits g_post and C_T" },
    { "--D", 0, "TOKENS", "tokens of the model that --method-table was measured on" },
    { 0 },
};

static int critical(cli *c)
{
    precis_law *law = NULL;
    precis_law_point p;
    method_table t;
    double added, bits, D;
    if (!cli_number(c, "--degradation", 0, 1e-12, 1e3, &added) || !cli_number(c, "--bits", 16, 0.1, 64, &bits))
        return EXIT_USAGE;
    int rc = law_point(c, &p);
    if (rc >= 0) return rc;
    if (!cli_has(c, "--N")) return cli_usage(c, "--N is needed");
    if (cli_has(c, "--bits")) {
        for (int v = PRECIS_LAW_BITS_W; v <= PRECIS_LAW_BITS_BWD; v++) p.v[v] = 16;
        p.v[PRECIS_LAW_BITS_POST] = bits;
    }
    rc = method_open(c, &t);
    if (rc < 0) rc = law_open(c, NULL, &law);
    if (rc < 0 && t.n && !cli_has(c, "--D"))
        rc = cli_usage(c, "--method-table needs --D, the tokens of the model that was measured");
    if (rc < 0) rc = method_apply(c, law, &t, &p);
    precis_status st = rc < 0 ? precis_law_critical(law, &p, added, &D) : PRECIS_OK;
    if (rc < 0 && st) rc = cli_fail(c, st);
    if (rc < 0) {
        precis_law_info info = { .size = sizeof info };
        precis_law_value v = { .size = sizeof v };
        precis_law_get_info(law, &info);
        p.v[PRECIS_LAW_D] = D;
        if (precis_law_predict(law, &p, &v)) v.loss = v.ptq = NAN; /* a law need not have a loss there */
        c->digits = 15;
        if (c->json)
            rc = cli_print_json(c, json_pack("{s:s, s:f, s:f, s:o, s:o, s:o, s:b, s:s, s:s, s:o}", "law", info.name,
                                             "N", p.v[PRECIS_LAW_N], "D", D, "bits", law_real(bits), "degradation",
                                             added > 0 ? json_real(added) : law_real(v.ptq), "loss", law_real(v.loss),
                                             "outside", v.outside, "outside_where", v.where, "caveat", caveat, "method",
                                             method_json(&t)));
        else {
            char a[32], b[32];
            cli_row(4, "%s tokens (%.3g per parameter) for %s parameters%s", law_human(D, a), D / p.v[PRECIS_LAW_N],
                   law_human(p.v[PRECIS_LAW_N], b),
                   added > 0 ? " until that much is added"
                             : ": beyond them more tokens make the quantized model worse");
            if (v.outside) cli_row(4, "outside of where the law %s was fitted: %s", info.name, v.where);
            cli_row(4, "%s", caveat);
            rc = cli_done(c);
        }
    }
    precis_law_close(&law);
    return rc;
}

const cli_command law_critical = {
    "law critical", "", "the tokens at which quantization costs more than more data gains", NULL, 0, 0,
    critical_options, critical,
    "  precis law critical --law kumar --N 8e9 --bits 4\n"
    "  precis law critical --law sun --N 1e9 --type E4M3 --block 128\n"
    "  precis law critical --N 8B --bits 4 --degradation 0.05\n",
    NULL
};

/* ---- curves ------------------------------------------------------------------------------------------------------ */

enum { CURVE = 25 };

static const cli_option isoloss_options[] = { LAW_OPTIONS,
                                              LAW_PRECISION,
                                              { "--loss", 0, "NATS", "the loss" },
                                              { "--N-from", 0, "PARAMS", "from (default 1e8)" },
                                              { "--N-to", 0, "PARAMS", "to (default 1e12)" },
                                              { 0 } };

static int isoloss(cli *c)
{
    precis_law *law = NULL;
    precis_law_point p;
    double loss, from, to, N[CURVE], D[CURVE];
    if (!cli_number(c, "--loss", 0, 1e-6, 1e3, &loss) || !law_number(c, "--N-from", 1e8, &from) ||
        !law_number(c, "--N-to", 1e12, &to))
        return EXIT_USAGE;
    if (loss <= 0) return cli_usage(c, "--loss is needed");
    if (!(from < to)) return cli_usage(c, "--N-from is below --N-to");
    int rc = law_point(c, &p);
    if (rc < 0) rc = law_open(c, NULL, &law);
    if (rc >= 0) return rc;
    for (int i = 0; i < CURVE; i++) N[i] = from * pow(to / from, (double)i / (CURVE - 1));
    const precis_status st = precis_law_isoloss(law, &p, loss, N, CURVE, D);
    precis_law_close(&law);
    if (st) return cli_fail(c, st);
    char a[32], b[32];
    int reached = 0;
    for (int i = 0; i < CURVE; i++) reached += !isnan(D[i]);
    if (!reached) {
        cli_error(c, "a loss of %g is below what the law reaches with any D, at any N from %s to %s", loss,
                  law_human(from, a), law_human(to, b));
        return EXIT_NEGATIVE;
    }
    json_t *rows = json_array();
    cli_table t;
    cli_table_open(&t, "N\tD\tD/N\t6 N D");
    for (int i = 0; i < CURVE; i++) {
        json_array_append_new(rows, json_pack("{s:f, s:o}", "N", N[i], "D", law_real(D[i])));
        if (c->json) continue;
        if (isnan(D[i])) cli_table_row(&t, "%s\tnone", law_human(N[i], a));
        else
            cli_table_row(&t, "%s\t%s\t%.4g\t%.4g", law_human(N[i], a), law_human(D[i], b), D[i] / N[i],
                          6 * N[i] * D[i]);
    }
    cli_table_close(&t, !c->json);
    if (c->json) return cli_print_json(c, json_pack("{s:f, s:o}", "loss", loss, "points", rows));
    json_decref(rows);
    return cli_done(c);
}

const cli_command law_isoloss = {
    "law isoloss", "", "N and D of equal loss", NULL, 0, 0, isoloss_options, isoloss,
    "  precis law isoloss --law chinchilla --loss 2.1\n",
    NULL
};

static const cli_option isocost_options[] = { LAW_OPTIONS,
                                              LAW_PRECISION,
                                              { "--compute", 0, "FLOP", "of training, at 16 bits" },
                                              { "--N-from", 0, "PARAMS", "from (default 1e8)" },
                                              { "--N-to", 0, "PARAMS", "to (default 1e12)" },
                                              { 0 } };

static int isocost(cli *c)
{
    precis_law *law = NULL;
    precis_law_point p;
    double compute, from, to;
    if (!law_number(c, "--compute", 0, &compute) || !law_number(c, "--N-from", 1e8, &from) ||
        !law_number(c, "--N-to", 1e12, &to))
        return EXIT_USAGE;
    if (compute <= 0) return cli_usage(c, "--compute is needed");
    if (!(from < to)) return cli_usage(c, "--N-from is below --N-to");
    int rc = law_point(c, &p);
    if (rc < 0) rc = law_open(c, NULL, &law);
    if (rc >= 0) return rc;
    const double bits = fmax(p.v[PRECIS_LAW_BITS_W], fmax(p.v[PRECIS_LAW_BITS_A], p.v[PRECIS_LAW_BITS_KV]));
    json_t *rows = json_array();
    char a[32], b[32];
    precis_status st = PRECIS_OK;
    cli_table t;
    cli_table_open(&t, "N\tD\tD/N\tloss");
    for (int i = 0; i < CURVE && !st; i++) {
        precis_law_value v = { .size = sizeof v };
        p.v[PRECIS_LAW_N] = from * pow(to / from, (double)i / (CURVE - 1));
        p.v[PRECIS_LAW_D] = compute / (6 * p.v[PRECIS_LAW_N] * bits / 16);
        st = precis_law_predict(law, &p, &v);
        json_array_append_new(rows, json_pack("{s:f, s:f, s:o}", "N", p.v[PRECIS_LAW_N], "D", p.v[PRECIS_LAW_D], "loss",
                                              law_real(v.loss)));
        if (!c->json && !st)
            cli_table_row(&t, "%s\t%s\t%.4g\t%.5f", law_human(p.v[PRECIS_LAW_N], a),
                          law_human(p.v[PRECIS_LAW_D], b), p.v[PRECIS_LAW_D] / p.v[PRECIS_LAW_N], v.loss);
    }
    cli_table_close(&t, !c->json && !st);
    precis_law_close(&law);
    if (st) {
        json_decref(rows);
        return cli_fail(c, st);
    }
    if (c->json) return cli_print_json(c, json_pack("{s:f, s:o}", "compute", compute, "points", rows));
    json_decref(rows);
    return cli_done(c);
}

const cli_command law_isocost = {
    "law isocost", "", "N, D and loss of equal training compute", NULL, 0, 0, isocost_options, isocost,
    "  precis law isocost --law kumar --compute 1e21 --bits 8\n",
    NULL
};

/* ---- compare ----------------------------------------------------------------------------------------------------- */

static const cli_option compare_options[] = {
    { "--laws", 0, "LIST",
      "laws, or with a table forms, with commas between (default: those that speak of the point; "
      "quest,quest-tied,eff-offset,eff-cubed,eff-exp)" },
    LAW_POINT,
    { "--column", 0, "VAR=NAME", "of the table: the column of a variable (more than once)" },
    { "--where", 0, "COLUMN=VALUES", "of the table: rows to take (more than once)" },
    { "--drop-highest", 0, "K", "leave out the K rows of the highest losses" },
    { "--cluster", 0, "COLUMN", "names the run of a row" },
    { 0 },
};

typedef struct { char name[64]; double held, in, far; size_t n, starts, at; int failed; char why[300]; } form_row;

static int by_held(const void *a_, const void *b_)
{
    const form_row *a = a_, *b = b_;
    if (a->failed != b->failed) return a->failed - b->failed;
    return (a->held > b->held) - (a->held < b->held);
}

/* One form fitted to the table; -1, or an exit code where the table itself is at fault. */
static int fit_form(cli *c, const precis_law_fit_options *o, form_row *r)
{
    precis_law_fit f = { .size = sizeof f };
    precis_law *form = NULL;
    int rc = -1;
    precis_status st = precis_law_open(c->ctx, &form, r->name);
    if (st) rc = cli_fail(c, st);
    else st = precis_law_fit_run(c->ctx, &f, form, c->args[0], o);
    const bool of_table = st == PRECIS_EFORMAT || st == PRECIS_EIO || st == PRECIS_ECANCELED || st == PRECIS_ENOMEM;
    if (rc < 0 && of_table) rc = cli_fail(c, st);
    if (rc < 0 && st) r->failed = 1, snprintf(r->why, sizeof r->why, "%s", precis_ctx_message(c->ctx));
    if (!st) {
        r->in = f.rmse_log, r->n = f.n, r->starts = f.starts, r->at = f.starts_at_optimum;
        for (size_t i = 0; i < f.n_holdouts; i++) {
            if (!strcmp(f.holdouts[i].name, "5-fold by run")) r->held = f.holdouts[i].rmse_log;
            if (!strcmp(f.holdouts[i].name, "N 8x larger")) r->far = f.holdouts[i].rmse_log;
        }
    }
    precis_law_fit_close(&f);
    precis_law_close(&form);
    return rc;
}

static json_t *form_json(const form_row *r)
{
    if (r->failed) return json_pack("{s:s, s:s}", "form", r->name, "failed", r->why);
    return json_pack("{s:s, s:o, s:o, s:f, s:I, s:I}", "form", r->name, "rmse_log_held_out", law_real(r->held),
                     "rmse_log_8x", law_real(r->far), "rmse_log", r->in, "starts", (json_int_t)r->starts,
                     "starts_at_optimum", (json_int_t)r->at);
}

/* Forms on one table, by the error on rows that were held out. */
static int compare_forms(cli *c, const char *laws)
{
    precis_law_fit_options o = PRECIS_LAW_FIT_OPTIONS_INIT;
    int64_t drop;
    if (!cli_int(c, "--drop-highest", 0, 0, 1 << 30, &drop)) return EXIT_USAGE;
    char *columns = cli_joined(c, "--column"), *where = law_where(c);
    o.columns = cli_has(c, "--column") ? columns : NULL;
    o.where = where;
    o.cluster = cli_get(c, "--cluster");
    o.drop_highest = (uint32_t)drop;
    o.holdout = 1;
    form_row rows[16];
    size_t n = 0;
    int rc = cli_lacks_memory(c) ? cli_no_memory(c) : -1;
    for (const char *p = laws; *p && n < 16 && rc < 0;) {
        const size_t k = strcspn(p, ",");
        rows[n] = (form_row){ .held = NAN, .far = NAN };
        snprintf(rows[n].name, sizeof rows[n].name, "%.*s", (int)k, p);
        p += k + (p[k] == ',');
        rc = fit_form(c, &o, &rows[n++]);
    }
    free(columns);
    free(where);
    if (rc >= 0) return rc;
    qsort(rows, n, sizeof *rows, by_held);
    json_t *list = json_array();
    cli_table t;
    cli_table_open(&t, "form\theld out\tN 8x larger\tin sample\tstarts");
    for (size_t i = 0; i < n; i++) {
        const form_row *r = &rows[i];
        json_array_append_new(list, form_json(r));
        if (!r->failed)
            cli_table_row(&t, "%s\t%.5f\t%.5f\t%.5f\t%zu/%zu", r->name, r->held, r->far, r->in, r->at, r->starts);
    }
    cli_table_close(&t, !c->json);
    for (size_t i = 0; i < n && !c->json; i++)
        if (rows[i].failed) cli_row(4, "%s: %s", rows[i].name, rows[i].why);
    if (c->json) return cli_print_json(c, json_pack("{s:o}", "forms", list));
    json_decref(list);
    cli_row(4, "rmse of log losses; five parts by run, each held out once");
    return cli_done(c);
}

static int compare_laws(cli *c, const char *laws)
{
    precis_law_point p;
    int rc = law_point(c, &p);
    if (rc >= 0) return rc;
    json_t *list = json_array();
    bool outside = false;
    cli_table t;
    cli_table_open(&t, "law\tloss\t16 bits\ttraining\tafter\tN_eff/N");
    char all[1024] = "";
    for (size_t i = 0; !laws && precis_law_name(i); i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? "," : "", precis_law_name(i));
    for (const char *q = laws ? laws : all; *q && rc < 0;) {
        char name[300];
        const size_t k = strcspn(q, ",");
        snprintf(name, sizeof name, "%.*s", (int)k, q);
        q += k + (q[k] == ',');
        precis_law *law;
        precis_law_value v = { .size = sizeof v };
        precis_status st = precis_law_open(c->ctx, &law, name);
        if (!st && !laws && !precis_law_applies(law, &p)) {
            precis_law_close(&law);
            continue;
        }
        if (!st) st = precis_law_predict(law, &p, &v);
        precis_law_close(&law);
        if (st && laws) rc = cli_fail(c, st);
        if (st) continue;
        json_array_append_new(list, json_pack("{s:s, s:f, s:o, s:o, s:o, s:o, s:b}", "law", name, "loss", v.loss,
                                              "loss16", law_real(v.loss16), "added", law_real(v.added), "ptq",
                                              law_real(v.ptq), "n_eff", law_real(v.n_eff), "outside", v.outside));
        outside |= v.outside;
        cli_table_row(&t, "%s%s\t%.5f\t%.5f\t%.5f\t%.5f\t%.4f", name, v.outside ? "*" : "", v.loss, v.loss16, v.added,
                      isnan(v.ptq) ? 0 : v.ptq, v.n_eff / p.v[PRECIS_LAW_N]);
    }
    cli_table_close(&t, !c->json);
    if (outside && !c->json) cli_row(2, "* outside of where it was fitted");
    if (rc < 0 && !json_array_size(list) && !cli_lacks_memory(c))
        rc = cli_error(c, "no law speaks of this point: --N and --D are needed, and bits that a law knows");
    if (rc < 0 && c->json) return cli_print_json(c, json_pack("{s:o}", "laws", list));
    json_decref(list);
    return rc < 0 ? cli_done(c) : rc;
}

static int compare_any(cli *c)
{
    c->digits = 12;
    if (c->n_args)
        return compare_forms(c, cli_has(c, "--laws") ? cli_get(c, "--laws")
                                                     : "quest,quest-tied,eff-offset,eff-cubed,eff-exp");
    return compare_laws(c, cli_get(c, "--laws"));
}

const cli_command law_compare = {
    "law compare", "[DATA.csv]",
    "laws side by side at a point; or forms on a table of runs, by their error on rows held out", NULL, 0, 1,
    compare_options, compare_any,
    "  precis law compare --N 1e9 --D 1e11 --bits 4\n"
    "  precis law compare runs.csv --laws quest,eff-offset,eff-exp --where 'a_quant=@w_quant'\n",
    NULL
};
