/* precis profile - what the inputs of every matmul look like; writes the importance matrix. */
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { "--output", 'o', "OUT.json|gguf|dat",
      "the profile (JSON; also where it goes on); or the importance matrix (.gguf; .dat, .imatrix: the legacy kind)" },
    { "--calib", 0, "FILE", "calibration text (more than once); default: sampled from the model" },
    { "--tokens", 0, "N", "at most this many tokens" },
    { "--types", 0, "LIST", "types to probe each tensor with (default Q4_K,Q2_K)" },
    { "--imatrix", 0, "FILE", "importance matrix that weights errors (default: made here)" },
    { "--method", 0, "NAME",
      "measure also what gptq, awq, ... gains over search, on three whole plans, within the time limit once more; plan "
      "--method counts on it" },
    { "--tensors", 0, NULL, "list every tensor, not only those that cost most" },
    { "--nodes", 0, NULL, "every node's output instead: range, outliers, and with --against its SQNR and cosine" },
    { "--against", 0, "REF", "with --nodes: the model before quantization" },
    { "--time-limit", 0, "SECONDS", "of the whole profile (default 600): fewer tokens are taken so that it is kept" },
    CLI_NO_CACHE,
    { "--effort", 0, "LEVEL",
      "fast and normal: by gradients, seconds to a minute; best (default): by swapping one tensor after another, "
      "within the time limit" },
    { 0 },
};

static int print_profile(cli *c, const precis_imatrix *im, const char *out)
{
    json_t *list = json_array();
    const bool all = cli_has(c, "--tensors");
    cli_table table;
    cli_table_open(&table, "tensor\tinputs\ttokens\tmean square\tlargest/mean");
    for (size_t i = 0; i < precis_imatrix_size(im); i++) {
        const char *name;
        char clean[CLI_SHOWN];
        const float *v;
        size_t n;
        uint64_t tokens;
        if (precis_imatrix_get(im, i, &name, &v, &n, &tokens)) continue;
        double sum = 0, top = 0;
        for (size_t k = 0; k < n; k++) {
            sum += v[k];
            if (v[k] > top) top = v[k];
        }
        const double mean = n ? sum / (double)n : 0;
        if (c->json)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:f, s:f}", "name", name, "inputs", (json_int_t)n,
                                                  "tokens", (json_int_t)tokens, "mean_square", mean, "peak",
                                                  mean > 0 ? top / mean : 0.0));
        else if (all)
            cli_table_row(&table, "%s\t%zu\t%llu\t%.5g\t%.1f", cli_shown(name, clean), n,
                          (unsigned long long)tokens, mean, mean > 0 ? top / mean : 0.0);
    }
    cli_table_close(&table, !c->json && all);
    if (c->json) return cli_print_json(c, json_pack("{s:s?, s:o}", "out", out, "tensors", list));
    json_decref(list);
    cli_say(2, "importance of the inputs of %zu tensors%s", precis_imatrix_size(im),
            all ? "" : " (--tensors lists them)");
    if (out) cli_say(2, "wrote %s", out);
    return cli_done(c);
}

/* The probes that cost most, largest first. */
static void print_most(const precis_profile *p)
{
    enum { MOST = 8 };
    char clean[CLI_SHOWN];
    struct { precis_probe t; } most[MOST];
    size_t n = 0, probes = 0;
    double sum = 0, top = 0;
    precis_probe t = { .size = sizeof t };
    for (; !precis_profile_get(p, probes, &t); probes++) {
        size_t at = n;
        sum += t.kld > 0 ? t.kld : 0;
        while (at && most[at - 1].t.kld < t.kld) at--;
        if (at == MOST) continue;
        if (n < MOST) n++;
        for (size_t k = n - 1; k > at; k--) most[k] = most[k - 1];
        most[at].t = t;
    }
    for (size_t k = 0; k < n; k++) top += most[k].t.kld;
    cli_say(2, "%zu probes; those that cost most make %.0f %% of the sum (--tensors lists all):", probes,
            sum > 0 ? 100 * top / sum : 0);
    for (size_t k = 0; k < n; k++)
        cli_row(6, "  %-36s %-7s %11.6f", cli_shown(most[k].t.tensor, clean), most[k].t.type, most[k].t.kld);
}

static int print_probes(cli *c, const precis_profile *p, const char *out)
{
    precis_profile_info info = { .size = sizeof info };
    precis_probe t = { .size = sizeof t };
    json_t *list = json_array();
    precis_profile_get_info(p, &info);
    const bool all = cli_has(c, "--tensors");
    char clean[CLI_SHOWN];
    cli_table table;
    cli_table_open(&table, "tensor, alone\t<as\terror\tKL (nats/token)");
    for (size_t i = 0; !precis_profile_get(p, i, &t); i++) {
        if (c->json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:f, s:f}", "name", t.tensor, "type", t.type,
                                                  "error", t.error, "kld", t.kld, "kld_se", t.kld_se));
        else if (all)
            cli_table_row(&table, "%s\t%s\t%.4g\t%.6f +- %.6f", cli_shown(t.tensor, clean), t.type, t.error, t.kld,
                          t.kld_se);
    }
    cli_table_close(&table, !c->json && all);
    json_t *gains = json_array();
    precis_gain g = { .size = sizeof g };
    for (size_t i = 0; !precis_profile_get_gain(p, i, &g); i++)
        json_array_append_new(gains, json_pack("{s:s, s:f, s:f, s:f, s:f}", "method", g.method, "bits", g.bits, "share",
                                               g.share, "search", g.search, "kld", g.kld));
    if (c->json)
        return cli_print_json(c,
                              json_pack("{s:s?, s:I, s:f, s:{s:f, s:f, s:f, s:I}, s:{s:f, s:f}, s:o, s:o}", "out", out,
                                        "tokens", (json_int_t)info.tokens, "seconds", info.seconds, "additivity",
                                        "ratio", info.ratio, "slope", info.slope, "spread", info.spread, "plans",
                                        (json_int_t)info.plans, "estimate", "rank_correlation", info.estimate_rank,
                                        "ratio", info.estimate_ratio, "gains", gains, "probes", list));
    json_decref(list);
    json_decref(gains);
    if (!all) print_most(p);
    putchar('\n');
    cli_say(2, "%zu weights alone, %zu random plans whole, on %u tokens in %.0f s", info.tensors, info.plans,
            info.tokens, info.seconds);
    cli_say(2, "additivity: whole plans cost %.2f of the sum of their tensors (slope %.2f, spread %.0f %%)", info.ratio,
            info.slope, 100 * info.spread);
    cli_say(2, "the second-order estimate that needs no swap: rank correlation %.2f with the swaps, %.2f of their size "
            "(geometric mean)", info.estimate_rank, info.estimate_ratio);
    for (size_t i = 0; !precis_profile_get_gain(p, i, &g); i++)
        printf("%s at %.1f bits: %.5f, search %.5f (%.2f of it)\n", g.method, g.bits, g.kld, g.search,
               g.kld / g.search);
    if (out) printf("wrote %s\n", out);
    return cli_done(c);
}

/* The profile proper. */
static precis_status measure_tensors(cli *c, const precis_model *m, const precis_calibrate_options *calibrate,
                                     double limit, const char *out, precis_profile **p)
{
    precis_imatrix *im = NULL;
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    o.calibrate = *calibrate;
    o.types = cli_get(c, "--types");
    o.time_limit = limit;
    o.cache = out; /* also where it ends up */
    o.method = cli_get(c, "--method");
    o.folder = cli_kept(c);
    cli_effort(c, &o.effort); /* it was looked at before the work began */
    precis_status st = precis_profile_check(c->ctx, &o);
    if (!st) st = cli_importance(c, m, calibrate, o.effort, &im);
    o.imatrix = im;
    if (!st) st = precis_profile_make(c->ctx, p, m, &o);
    precis_imatrix_close(&im);
    return st;
}

static json_t *real_or_null(double v) { return isfinite(v) ? json_real(v) : json_null(); }

typedef struct { cli *c; json_t *list; cli_table table; } node_rows;

static void print_node(void *user, const precis_node_stats *s)
{
    node_rows *r = user;
    if (r->c->json) {
        json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I}", "name", s->name, "op", s->op,
                              "width", (json_int_t)s->width, "rows", (json_int_t)s->rows, "rms", s->rms, "max", s->top,
                              "crest_db", s->crest_db, "range_db", s->range_db, "kurtosis", s->kurtosis,
                              "outlier_channels", (json_int_t)s->outlier_channels);
        json_object_set_new(o, "sqnr_db", real_or_null(s->sqnr_db));
        json_object_set_new(o, "cosine", real_or_null(s->cosine));
        json_array_append_new(r->list, o);
        return;
    }
    char clean[CLI_SHOWN], compared[64] = "";
    if (isfinite(s->cosine)) snprintf(compared, sizeof compared, "\t%.2f\t%.6f", s->sqnr_db, s->cosine);
    cli_table_row(&r->table, "%s\t%s\t%zu\t%.4g\t%.4g\t%.1f\t%.1f\t%.3g\t%zu%s", cli_shown(s->name, clean), s->op,
                  s->width, s->rms, s->top, s->crest_db, s->range_db, s->kurtosis, s->outlier_channels, compared);
}

static int print_nodes(cli *c, const precis_model *m, const precis_calibrate_options *o)
{
    precis_model *ref = NULL;
    precis_status st = cli_has(c, "--against") ? precis_model_open(c->ctx, &ref, cli_get(c, "--against")) : PRECIS_OK;
    node_rows r = { .c = c, .list = json_array() };
    cli_table_open(&r.table, ref ? "node\t<op\twidth\trms\tlargest\tcrest\trange\tkurtosis\toutliers\tSQNR\tcosine"
                                 : "node\t<op\twidth\trms\tlargest\tcrest\trange\tkurtosis\toutliers");
    if (!st) st = precis_profile_nodes(c->ctx, m, ref, o, print_node, &r);
    cli_table_close(&r.table, !st && !c->json);
    precis_model_close(&ref);
    if (st || !c->json) json_decref(r.list);
    if (st) return cli_fail(c, st);
    if (c->json) return cli_print_json(c, json_pack("{s:o}", "nodes", r.list));
    putchar('\n');
    cli_row(2, "crest: largest over rms, dB; range: largest over the median channel's largest, dB; outliers: channels "
            "above 6 medians%s", cli_has(c, "--against") ? "; SQNR in dB" : "");
    return cli_done(c);
}

/* An importance matrix is asked for by the name of its file. */
static bool wants_imatrix(const char *out)
{
    const size_t n = out ? strlen(out) : 0;
    return (n > 5 && !strcmp(out + n - 5, ".gguf")) || (n > 4 && !strcmp(out + n - 4, ".dat")) ||
           (n > 8 && !strcmp(out + n - 8, ".imatrix"));
}

static int run(cli *c)
{
    int64_t tokens;
    double limit;
    precis_effort effort;
    precis_profile *profile = NULL;
    if (!cli_effort(c, &effort)) return EXIT_USAGE;
    if (!cli_int(c, "--tokens", 0, 1, 1 << 30, &tokens) || !cli_number(c, "--time-limit", 600, 1, 1e7, &limit))
        return EXIT_USAGE;
    const char *out = cli_get(c, "--output");
    precis_calibrate_options o = PRECIS_CALIBRATE_OPTIONS_INIT;
    cli_texts calib;
    int rc = cli_texts_open(c, "--calib", &calib, &o);
    o.tokens = (uint32_t)tokens;
    precis_model *m = NULL;
    precis_imatrix *im = NULL;
    if (rc < 0) {
        precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
        if (!st && cli_has(c, "--nodes")) {
            rc = print_nodes(c, m, &o);
            precis_model_close(&m);
            cli_texts_close(c, &calib);
            return rc;
        }
        if (!st && out) st = precis_out_check(c->ctx, out, m);
        if (!st && !wants_imatrix(out)) st = measure_tensors(c, m, &o, limit, out, &profile);
        else if (!st && !(st = precis_calibrate(c->ctx, &im, m, &o))) st = precis_imatrix_save(im, out);
        rc = st ? cli_fail(c, st) : profile ? print_probes(c, profile, out) : print_profile(c, im, out);
    }
    precis_profile_close(&profile);
    precis_imatrix_close(&im);
    precis_model_close(&m);
    cli_texts_close(c, &calib);
    return rc;
}

const cli_command cli_profile = {
    "profile", "MODEL", "what quantizing each tensor costs; what nodes put out; importance matrices",
    "Swaps one tensor at a time for its quantized self and measures the divergence; "
    "precis plan reads the result. With -o F.gguf it makes an\n"
    "importance matrix instead, in reference arithmetic: the same on every machine.",
    1, 1, options, run,
    "  precis profile model.gguf --calib text.txt -o model.profile.json\n"
    "  precis profile small.gguf --nodes --against model.gguf\n"
    "  precis profile model.gguf --calib text.txt -o model.imatrix.gguf\n",
    NULL
};
