/* precis plan - which type for which tensor under a budget, and what that is likely to cost. */
#include "chart.h"
#include "quant_net.h"
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { "--output", 'o', "OUT.json", "the plan (JSON), for precis quant --plan" },
    { "--html", 0, "OUT.html", "a page too: size against loss, the usual mixes beside it, and the loss by layer" },
    { "--max-size", 0, "SIZE", "budget: bytes (600M, 1.5G, 73771824) or part of the input file (75%)" },
    { "--bpw", 0, "BITS", "budget: bits per weight" },
    { "--max-kld", 0, "NATS", "budget: the KL divergence per token that the 90 % interval must stay below" },
    { "--target-ram", 0, "SIZE", "budget: memory to run it, cache and buffers included" },
    { "--min-speed", 0, "TOKENS", "budget: generated tokens per second on this machine, by --cost-table" },
    { "--cost-table", 0, "FILE",
      "what weights cost here (precis bench MODEL --cost-table FILE); the plan's speed is predicted" },
    { "--ctx", 0, "N", "tokens of the cache that --target-ram counts (default 4096, or what the model knows)" },
    { "--profile", 0, "FILE", "what each tensor costs (precis profile -o FILE.json); default: measured now" },
    { "--no-profile", 0, NULL, "do not measure: factors of a tensor's class, and no prediction" },
    { "--time-limit", 0, "SECONDS", "of the profile (default 600)" },
    { "--effort", 0, "LEVEL",
      "fast and normal (default, as in quant): by gradients, seconds to a minute; best (default with --time-limit and "
      "--target-ram): by swapping one tensor after another, within the time limit" },
    { "--types", 0, "LIST",
      "types to choose from (default: all that fit; those with books of vectors only where search codes and "
      "costs were measured, below 3.5 bits per weight; \"all\": those too)" },
    { "--pin", 0, "PATTERN=TYPE", "keep these tensors at a type (more than once)" },
    { "--method", 0, "NAME",
      "how weights will be coded (default: as quant does under a budget, gptq or search); what it gains over search is "
      "in the prediction where the profile measured it" },
    { "--kv", 0, "TYPE",
      "type of the KV cache: f32 f16 int8 int4 (default f16; under --target-ram by layer, as the profile says)" },
    { "--imatrix", 0, "FILE", "importance matrix; default: made here" },
    { "--calib", 0, "FILE", "calibration text (more than once); default: sampled from the model" },
    CLI_NO_CACHE,
    CLI_NET_QUANT_OPTIONS,
    { 0 },
};

static json_t *rows_json(const precis_plan *plan, const char *method)
{
    json_t *list = json_array();
    for (size_t i = 0; i < precis_plan_size(plan); i++) {
        precis_plan_row r = { .size = sizeof r };
        precis_plan_get(plan, i, &r);
        precis_plan_kernel k = { .size = sizeof k };
        precis_plan_get_kernel(plan, i, &k);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", r.tensor, "from", r.from,
                                              "type", r.to, "method", strcmp(r.from, r.to) ? method : "copy", "kernel",
                                              k.kernel, "level", k.level));
    }
    return list;
}

static int plan_json(cli *c, const precis_planning *p, const char *method, const char *out)
{
    json_t *o = json_object(), *list = rows_json(p->plan, method);
    const bool known = isfinite(p->kld);
    json_object_set_new(o, "out", out ? json_string(out) : json_null());
    json_object_set_new(o, "bytes", json_integer((json_int_t)p->bytes));
    json_object_set_new(o, "ram", json_integer((json_int_t)p->ram));
    json_object_set_new(o, "threads", json_integer(p->threads));
    json_object_set_new(o, "thread_bytes", json_integer((json_int_t)p->thread_bytes));
    json_object_set_new(o, "bits_per_weight", json_real(p->bits_per_weight));
    json_object_set_new(o, "kld", known ? json_real(p->kld) : json_null());
    json_object_set_new(o, "kld_interval", known ? json_pack("[f, f]", p->interval[0], p->interval[1]) : json_null());
    json_object_set_new(o, "coder", json_string(method));
    json_object_set_new(o, "gains", json_integer((json_int_t)p->gains));
    json_object_set_new(o, "decode_tok_s", isfinite(p->tok_s) ? json_real(p->tok_s) : json_null());
    json_object_set_new(o, "read_bytes_s", p->read_bytes_s > 0 ? json_real(p->read_bytes_s) : json_null());
    const precis_planning_rest *rest = &p->without_speed;
    json_object_set_new(o, "without_min_speed",
                        !rest->bytes ? json_null()
                                     : json_pack("{s:I, s:f, s:o, s:f}", "bytes", (json_int_t)rest->bytes, "loss",
                                                 rest->loss, "kld", isfinite(rest->kld) ? json_real(rest->kld)
                                                                                        : json_null(),
                                                 "decode_tok_s", rest->tok_s));
    json_object_set_new(o, "solver",
                        json_pack("{s:f, s:f, s:b}", "loss", p->solution.loss, "bound", p->solution.bound, "exact",
                                  p->solution.exact));
    json_object_set_new(o, "kv", json_string(p->kv ? p->kv : "f16"));
    json_object_set_new(o, "tensors", list);
    return cli_print_json(c, o);
}

/* What the speed costs: the plan beside the one that need not keep to it. */
static void speed_rows(cli *c, const precis_planning *p)
{
    const precis_planning_rest *rest = &p->without_speed, own = { p->bytes, p->solution.loss, p->kld, p->tok_s };
    char name[64], size[32];
    cli_table t;
    snprintf(name, sizeof name, "at no less than %s tokens/s", cli_get(c, "--min-speed"));
    putchar('\n');
    cli_table_open(&t, isfinite(own.kld) ? "\tKL\tsize\ttokens/s" : "\tloss\tsize\ttokens/s");
    for (int i = 0; i < 2; i++) {
        const precis_planning_rest *r = i ? &own : rest;
        cli_table_row(&t, "%s\t%.5f\t%s\t%.1f", i ? name : "least loss", isfinite(r->kld) ? r->kld : r->loss,
                      cli_bytes((double)r->bytes, size), r->tok_s);
    }
    cli_table_close(&t, true);
    putchar('\n');
}

static int plan_text(cli *c, const precis_planning *p, const char *method, const char *out)
{
    char a[32], b[32];
    cli_print_types(p->plan);
    cli_print_kernels(p->plan);
    cli_row(4, "%-28s %s", "size of the file", cli_bytes((double)p->bytes, a));
    cli_row(4, "%-28s %.3f", "bits per weight", p->bits_per_weight);
    if (p->ram)
        cli_say(29, "%-28s %s with %u thread%s (-t), up to %s each", "memory to run it", cli_bytes((double)p->ram, b),
               (unsigned)p->threads, p->threads == 1 ? "" : "s", cli_bytes((double)p->thread_bytes, a));
    if (p->kv) cli_row(4, "%-28s %s", "KV cache (keys;values)", p->kv);
    if (isfinite(p->kld))
        cli_row(4, "%-28s %.5f, 90 %% between %.5f and %.5f", "KL divergence, predicted", p->kld, p->interval[0],
                p->interval[1]);
    if (isfinite(p->kld)) cli_row(4, "%-28s %s", "  of codes by", method);
    if (isfinite(p->tok_s)) {
        const bool read = p->read_bytes_s > 0;
        cli_row(4, "%-28s %.1f%s%s%s", "tokens per second, predicted", p->tok_s,
                read ? ", while memory is read at " : "", read ? cli_bytes(p->read_bytes_s, b) : "", read ? "/s" : "");
    }
    if (p->without_speed.bytes) speed_rows(c, p);
    if (p->solution.exact) cli_row(4, "%-28s proved least", "plan");
    else if (p->solution.bound > 0)
        cli_row(4, "%-28s loss %.5g, bound %.5g, gap %.2g %%", "plan", p->solution.loss, p->solution.bound,
                100 * (p->solution.loss / p->solution.bound - 1));
    if (out) printf("wrote %s\n", out);
    return cli_done(c);
}

/* ---- the page --------------------------------------------------------------------------------------------------- */

typedef struct {
    const cli *c;
    const precis_planning *p;
    const precis_tradeoff *points;
    size_t n;
    bool known; /* is the divergence predicted? */
} plan_page;

static void put_frontier(chart *figure, const plan_page *x)
{
    chart_open(figure, &(chart_labels){ "frontier", "Size against loss", "size of the file, MB",
               x->known ? "KL divergence, predicted (nats per token)" : "loss, estimated", .log_y = true });
    chart_series *best = chart_add(figure, "best plans", false), *mixes = chart_add(figure, "the usual mixes (below)",
                 true), *own = chart_add(figure, "this plan", true);
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < x->n; i++) {
        const precis_tradeoff *t = &x->points[i];
        if (!(t->kld > 1e-7)) continue; /* the model as it is loses nothing, and has no logarithm */
        chart_put(*t->name ? mixes : best, 1e-6 * (double)t->bytes, t->kld);
        low = fmin(low, t->kld), high = fmax(high, t->kld);
    }
    const double kld = x->known ? x->p->kld : x->p->solution.loss;
    if (kld > 1e-7) chart_put(own, 1e-6 * (double)x->p->bytes, kld), low = fmin(low, kld), high = fmax(high, kld);
    snprintf(figure->note, sizeof figure->note, "Below the line no plan is known: each of its points is a budget, "
             "planned from the same measurements. A mix above it loses more at its size than it must.");
}

static int layer_of(const char *tensor)
{
    return strncmp(tensor, "blk.", 4) ? -1 : (int)strtol(tensor + 4, NULL, 10);
}

static void put_layers(chart *figure, const precis_plan *plan)
{
    enum { LAYERS = 512 };
    static double loss[LAYERS], bytes[LAYERS];
    int last = -1;
    memset(loss, 0, sizeof loss);
    memset(bytes, 0, sizeof bytes);
    for (size_t i = 0; i < precis_plan_size(plan); i++) {
        precis_plan_row r = { .size = sizeof r };
        precis_plan_get(plan, i, &r);
        const int layer = layer_of(r.tensor);
        if (layer < 0 || layer >= LAYERS) continue;
        if (isfinite(r.loss)) loss[layer] += r.loss;
        bytes[layer] += (double)r.bytes;
        last = layer > last ? layer : last;
    }
    chart_open(figure, &(chart_labels){ "layers", "Loss by layer", "layer", "predicted loss (nats per token)",
               .whole_x = true });
    chart_series *s = chart_add(figure, "tensors of the layer together", false), *dots = chart_add(figure, "", true);
    for (int i = 0; i <= last; i++) chart_put(s, i, loss[i]), chart_put(dots, i, loss[i]);
    figure->low_y = 0;
    snprintf(figure->note, sizeof figure->note, "What the types of this plan are predicted to cost in each layer; the "
             "embedding and the output are not among them.");
}

static void fill_page(FILE *f, void *user)
{
    const plan_page *x = user;
    const precis_planning *p = x->p;
    chart figures[2];
    char size[32], kld[64], mixes[24][2][64];
    const char *rows[32][2] = { { "size of the file", size }, { "KL divergence, predicted", kld } };
    size_t n = x->known ? 2 : 1;
    page_begin(f, "Size against loss");
    page_paragraph(f, "%s: a plan of %.3f bits per weight.", x->c->args[0], p->bits_per_weight);
    put_frontier(&figures[0], x);
    put_layers(&figures[1], p->plan);
    page_figures(f, figures, 2);
    cli_bytes((double)p->bytes, size);
    snprintf(kld, sizeof kld, "%.5f (90 %%: %.5f to %.5f)", p->kld, p->interval[0], p->interval[1]);
    for (size_t i = 0, k = 0; i < x->n && k < 24; i++) {
        char bytes[32];
        if (!*x->points[i].name) continue;
        snprintf(mixes[k][0], 64, "mix %s", x->points[i].name);
        snprintf(mixes[k][1], 64, "%s, %.5f", cli_bytes((double)x->points[i].bytes, bytes), x->points[i].kld);
        rows[n][0] = mixes[k][0];
        rows[n++][1] = mixes[k++][1];
    }
    page_table(f, (const char *const (*)[2])rows, n);
    page_end(f);
    chart_close(&figures[0]);
    chart_close(&figures[1]);
}

/* -1, or an exit code. */
static int write_page(cli *c, const precis_model *m, const precis_planning_options *o, const precis_planning *p)
{
    precis_tradeoff points[48];
    size_t n = sizeof points / sizeof *points;
    const char *html = cli_get(c, "--html");
    if (!html) return -1;
    const precis_status st = precis_plan_frontier(c->ctx, m, &o->quant, points, &n);
    return st ? cli_fail(c, st) : page_write(c, html, fill_page, &(plan_page){ c, p, points, n, isfinite(p->kld) });
}

/* What a plan rests on, read or made. */
typedef struct { precis_imatrix *imatrix; precis_profile *profile; } measured;

/* One figure for one model and one budget: where nobody says otherwise, costs are measured as `quant` measures them, of
 * the codes that it makes. Types of the cache, which it does not choose, are told by swaps alone. */
static void as_quant(cli *c, const precis_model *m, precis_planning_options *opts,
                     const precis_calibrate_options *calibrate, precis_effort *effort)
{
    const bool swaps = *effort == PRECIS_EFFORT_BEST || cli_has(c, "--target-ram") || cli_has(c, "--time-limit");
    if (swaps || cli_has(c, "--no-profile") || *effort == PRECIS_EFFORT_FAST) return;
    precis_job_options job = PRECIS_JOB_OPTIONS_INIT;
    job.quant = opts->quant;
    job.calibrate = *calibrate;
    opts->quant.method = precis_job_method(c->ctx, m, &job);
    *effort = PRECIS_EFFORT_NORMAL;
}

/* What is read or can be refused comes first, before minutes are spent. */
static precis_status measure(cli *c, const precis_model *m, precis_planning_options *opts,
                             const precis_calibrate_options *calibrate, double limit, measured *out)
{
    const bool given = cli_has(c, "--profile");
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    precis_status st = given ? precis_profile_open(c->ctx, &out->profile, cli_get(c, "--profile")) : PRECIS_OK;
    opts->quant.profile = out->profile;
    cli_effort(c, &o.effort); /* it was looked at before the work began */
    if (!st) as_quant(c, m, opts, calibrate, &o.effort);
    if (!st) st = precis_planning_check(c->ctx, m, opts);
    if (!st) st = cli_importance(c, m, calibrate, o.effort, &out->imatrix);
    if (st || given || cli_has(c, "--no-profile")) return st;
    o.calibrate = *calibrate;
    o.imatrix = out->imatrix;
    o.time_limit = limit;
    o.method = opts->quant.method;
    o.folder = cli_kept(c);
    return precis_profile_make(c->ctx, &out->profile, m, &o);
}

static int run(cli *c)
{
    if (precis_net_probe(c->ctx, c->args[0])) return cli_net_plan(c);
    const int net = cli_only_nets(c);
    if (net >= 0) return net;
    precis_planning_options o = PRECIS_PLANNING_OPTIONS_INIT;
    int64_t ctx;
    double limit, none = 0;
    const char *out = cli_get(c, "--output");
    if (!cli_number(c, "--bpw", 0, 0.01, 64, &o.bpw) || !cli_number(c, "--max-kld", 0, 1e-9, 1e3, &o.max_kld) ||
        !cli_number(c, "--time-limit", 600, 1, 1e7, &limit) || !cli_int(c, "--ctx", 0, 1, 1 << 26, &ctx) ||
        !cli_number(c, "--min-speed", 0, 1e-6, 1e9, &o.min_speed))
        return EXIT_USAGE;
    if (!cli_size(c, "--max-size", &o.max_bytes, &o.max_part) || !cli_size(c, "--target-ram", &o.target_ram, &none))
        return EXIT_USAGE;
    precis_effort effort;
    if (!cli_effort(c, &effort)) return EXIT_USAGE;
    if (none > 0) return cli_usage(c, "--target-ram takes bytes (2G), not a part");
    if (cli_has(c, "--profile") && cli_has(c, "--no-profile"))
        return cli_usage(c, "give one of --profile and --no-profile");
    if (o.max_kld > 0 && cli_has(c, "--no-profile"))
        return cli_usage(c, "--max-kld can be promised with a profile alone");
    o.context = (uint32_t)ctx;
    o.quant.method = cli_get(c, "--method");
    o.quant.types = cli_get(c, "--types");
    o.quant.kv = cli_get(c, "--kv");
    char *pins = cli_joined(c, "--pin");
    cli_texts calib = { .n = 0 };
    precis_calibrate_options calibrate = PRECIS_CALIBRATE_OPTIONS_INIT;
    int rc = cli_lacks_memory(c) ? cli_no_memory(c) : cli_texts_open(c, "--calib", &calib, &calibrate);
    if (cli_has(c, "--pin")) o.quant.pins = pins;
    precis_model *m = NULL;
    measured found = { NULL, NULL };
    precis_planning p = { 0 };
    precis_costs *costs = NULL;
    if (rc < 0) {
        const char *table = cli_get(c, "--cost-table");
        precis_status st = table ? precis_costs_open(c->ctx, &costs, table) : PRECIS_OK;
        o.costs = costs;
        if (!st) st = precis_model_open(c->ctx, &m, c->args[0]);
        if (!st && out) st = precis_out_check(c->ctx, out, m);
        if (!st) st = measure(c, m, &o, &calibrate, limit, &found);
        o.quant.imatrix = found.imatrix;
        o.quant.profile = found.profile;
        if (!st) st = precis_job_plan(c->ctx, m, &o, &p);
        if (!st && out) st = precis_planning_save(c->ctx, &p, &o, out);
        const char *method = o.quant.method ? o.quant.method : "search";
        rc = st ? cli_fail(c, st) : write_page(c, m, &o, &p);
        if (rc < 0) rc = c->json ? plan_json(c, &p, method, out) : plan_text(c, &p, method, out);
    }
    precis_planning_close(&p);
    precis_costs_close(&costs);
    precis_profile_close(&found.profile);
    precis_imatrix_close(&found.imatrix);
    precis_model_close(&m);
    cli_texts_close(c, &calib);
    free(pins);
    return rc;
}

const cli_command cli_plan = {
    "plan", "MODEL", "which type for which tensor under a budget, and what that is likely to cost",
    "Measures what each tensor costs (or reads a profile), then solves the budget: proved least, or with its bound.\n"
    "Budgets may be given together. Nothing is quantized; precis quant --plan FILE does that.",
    1, 1, options, run,
    "  precis plan model.gguf --max-size 75% -o plan.json\n"
    "  precis plan model.gguf --profile model.profile.json --max-kld 0.01 -o plan.json\n"
    "  precis quant model.gguf --plan plan.json -o small.gguf\n",
    NULL,
};
