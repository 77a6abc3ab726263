/* precis law optimal - the best N, D and number format for a budget. */
#include "law.h"
#include "table.h"
#include "term.h"

#include <math.h>
#include <string.h>

static const cli_option options[] = {
    LAW_OPTIONS,
    LAW_POINT,
    { "--compute", 0, "FLOP", "of training at 16 bits, with inference when there is any" },
    { "--tokens-inference", 0, "TOKENS", "in the life of the model: costs 2 N FLOP each" },
    { "--memory", 0, "BYTES", "for the weights when served" },
    { "--loss", 0, "NATS", "aim: the least cost for at most this loss" },
    { "--continuous", 0, NULL, "any number of bits, cost linear in them" },
    { "--post", 0, NULL, "train in 16 bits, then quantize to the formats" },
    { "--formats", 0, "FILE",
      "formats that the hardware has: lines NAME BITS COST [EXPONENT MANTISSA]; default bf16 fp8 int8 fp4 int4, cost "
      "bits/16" },
    { 0 },
};

static json_t *row_json(const precis_law_choice *r)
{
    return json_pack("{s:o, s:f, s:f, s:f, s:f, s:f, s:o, s:f, s:f, s:f, s:b}", "format",
                     r->format ? json_string(r->format) : json_null(), "N", r->N, "D", r->D, "bits", r->bits, "loss",
                     r->loss, "ratio", r->D / r->N, "n_eff", law_real(r->n_eff), "cost", r->cost, "train_cost",
                     r->train_cost, "bytes", r->bytes, "outside", r->outside);
}

static int run(cli *c)
{
    precis_law_budget b = PRECIS_LAW_BUDGET_INIT;
    precis_law *law = NULL;
    precis_law_choice rows[64];
    law_formats formats;
    uint64_t memory = 0;
    double part = 0;
    size_t n = 64;
    c->digits = 15;
    int rc = law_point(c, &b.point);
    if (rc >= 0) return rc;
    if (!law_number(c, "--compute", 0, &b.compute) || !law_number(c, "--tokens-inference", 0, &b.inference_tokens) ||
        !cli_number(c, "--loss", 0, 1e-6, 1e3, &b.loss) || !cli_size(c, "--memory", &memory, &part))
        return EXIT_USAGE;
    if (part > 0) return cli_usage(c, "--memory takes bytes");
    b.memory = (double)memory;
    b.N = isnan(b.point.v[PRECIS_LAW_N]) ? 0 : b.point.v[PRECIS_LAW_N];
    b.D = isnan(b.point.v[PRECIS_LAW_D]) ? 0 : b.point.v[PRECIS_LAW_D];
    b.continuous = cli_has(c, "--continuous");
    b.post = cli_has(c, "--post");
    rc = law_formats_open(c, &formats);
    if (formats.given) b.formats = formats.list, b.n_formats = formats.n;
    if (rc < 0) rc = law_open(c, NULL, &law);
    const precis_status st = rc < 0 ? precis_law_optimal(law, &b, rows, &n) : PRECIS_OK;
    if (rc < 0 && st) rc = cli_fail(c, st);
    if (rc < 0 && c->json) {
        json_t *o = row_json(&rows[0]), *list = json_array();
        precis_law_info info = { .size = sizeof info };
        precis_law_get_info(law, &info);
        for (size_t i = 0; i < n; i++) json_array_append_new(list, row_json(&rows[i]));
        json_object_set_new(o, "law", json_string(info.name));
        json_object_set_new(o, "formats", list);
        rc = cli_print_json(c, o);
    } else if (rc < 0) {
        char a[32], d[32];
        bool outside = false;
        cli_table t;
        cli_table_open(&t, "format\tbits\tN\tD\tD/N\tloss\tcost (FLOP)\tweights");
        for (size_t i = 0; i < n; i++) {
            const precis_law_choice *r = &rows[i];
            char bytes[32];
            outside |= r->outside;
            cli_table_row(&t, "%s%s\t%.4f\t%s\t%s\t%.4g\t%.6f\t%.4g\t%s", r->format ? r->format : "any",
                          r->outside ? "*" : "", r->bits, law_human(r->N, a), law_human(r->D, d), r->D / r->N, r->loss,
                          r->cost, cli_bytes(r->bytes, bytes));
        }
        cli_table_close(&t, true);
        if (outside) cli_row(2, "* outside of where the law was fitted");
        rc = cli_done(c);
    }
    precis_law_close(&law);
    return rc;
}

const cli_command law_optimal = {
    "law optimal", "", "the best N, D and number format for a budget",
    "Budgets: training compute, training with lifetime inference, bytes when "
    "served; or a loss to be reached at the least cost.",
    0, 0, options, run,
    "  precis law optimal --law kumar --compute 1e21 --continuous\n"
    "  precis law optimal --law quest --compute 1e22\n"
    "  precis law optimal --law sardana --loss 1.9366 --tokens-inference 10T\n"
    "  precis law optimal --law kumar --post --memory 4G --compute 1e22\n",
    NULL
};
