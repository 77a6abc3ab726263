/* precis quant - the main job. */
#include "quant_net.h"
#include "table.h"
#include "term.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { "--output", 'o', "OUT", "the quantized model" },
    { "--format", 0, "NAME", "gguf (default), or packed: matrices in the order of the kernels, which run in place" },
    { "--max-size", 0, "SIZE", "budget: bytes (600M, 1.5G, 73771824) or part of the input file (75%)" },
    { "--bpw", 0, "BITS", "budget: bits per weight" },
    { "--max-kld", 0, "NATS",
      "budget: the smallest file whose KL divergence per token is predicted below it (the 90 % interval ends there)" },
    { "--type", 0, "TYPE",
      "a type (Q4_0), a mix (Q4_K_M), a scheme (W4A8KV8, FP8, NVFP4A16) or a table (\"*attn_v*=Q6_K,*=Q4_K\")" },
    { "--prune", 0, "NAME",
      "leave 2 of each 4 weights out: magnitude or wanda before they are coded, sparsegpt in the same sweep (by gptq, "
      "or --method round)" },
    { "--pattern", 0, "N:M", "of --prune: 2:4" },
    { "--plan", 0, "FILE", "a plan that precis plan made: its types, and its method unless one is given" },
    { "--types", 0, "LIST",
      "types that a budget may choose from (default: all that fit; those with books of vectors only where search "
      "codes and costs were measured, below 3.5 bits per weight; \"all\": those too)" },
    { "--pin", 0, "PATTERN=TYPE", "keep these tensors at a type under a budget (more than once)" },
    { "--method", 0, "NAME",
      "search (default; under a budget gptq, up to 1e9 weights), rtn, hqq, gptq, round (gptq, then sign descent by "
      "layers: slower, better at 2 to 4 bits); with transforms and residuals: rotate+awq+clip, gptq+svd (precis list "
      "pairs); a net of arrays has its own, equalize, round or both (precis list net-methods)" },
    { "--fallback", 0, NULL, "a tensor that the method cannot be applied to takes search, and is listed" },
    { "--scale-rounding", 0, "MODE", "rtn: power-of-two scales by floor (default), rceil, ceil or even" },
    { "--no-act-order", 0, NULL, "gptq: columns in their own order" },
    { "--damp", 0, "PART", "gptq: dampening as a part of the mean diagonal (default 0.01)" },
    { "--alpha", 0, "A", "smoothquant: how much moves into the weights (default 0.5)" },
    { "--rank", 0, "R", "svd: rank of the residual (default 16)" },
    { "--profile", 0, "FILE", "what each tensor costs (precis profile -o FILE.json), for a budget" },
    { "--effort", 0, "LEVEL",
      "under a budget: fast (nothing is measured, and search codes), normal (what each tensor costs is measured by "
      "gradients, and gptq codes; default), best (codes go on from there by descent: minutes)" },
    { "--imatrix", 0, "FILE", "importance matrix (legacy .dat or GGUF); default: made here" },
    { "--calib", 0, "FILE", "calibration text (more than once); default: sampled from the model" },
    { "--calib-tokens", 0, "N",
      "calibration tokens at most (default: all of a text; 2048 sampled, 8192 for methods that look at the whole "
      "model)" },
    { "--no-calib", 0, NULL, "no calibration: all inputs count alike" },
    CLI_NO_CACHE,
    { "--allow-nan", 0, NULL,
      "tensors that keep their type may hold NaN and infinity (default: an error that names the first); in one "
      "that gets another type they are an error all the same" },
    { "--strict", 0, NULL, "a width that forbids a type is an error, not a substitute" },
    { "--replay", 0, "MANIFEST",
      "make the file of OUT.manifest.json again, and compare; MODEL, --calib and the like name inputs that do not lie "
      "beside it" },
    { "--dry-run", 0, NULL, "plan and print, write nothing" },
    { "--text", 0, "FILE", "evaluation text (default: about 43 kB that precis carries)" },
    { "--chunks", 0, "N", "evaluation windows at most" },
    { "--ctx", 0, "N", "tokens of a window (default 512)" },
    { "--mem-limit", 0, "SIZE",
      "private memory that the whole process may take (600M, 1.5GiB): planned before work starts, large tables go to "
      "$TMPDIR" },
    { "--resume", 0, NULL,
      "keep finished pieces beside OUT (OUT.resume), and go on from those of a run that was stopped: the same bytes" },
    { "--bench", 0, NULL, "measure tokens per second of both models too" },
    { "--verbose", 0, NULL, "list substitutes and fallbacks by tensor, and the kernels" },
    { "--no-eval", 0, NULL, "do not evaluate against the original" },
    { "--arithmetic", 0, "NAME",
      "of that evaluation: exact (default), bf16, mixed, int8, or auto (int8 for W8A8, mixed on AMX)" },
    CLI_NET_QUANT_OPTIONS,
    CLI_NET_SEARCH_OPTIONS,
    CLI_SAMPLES_OPTIONS,
    { "--observer", 0, "NAME", "nets: how ranges are found (precis list observers; default minmax)" },
    { 0 },
};

static json_t *eval_json(const precis_eval_result *e)
{
    json_t *j = json_pack("{s:f, s:f, s:I}", "ppl", e->ppl, "ppl_se", e->ppl_se, "tokens", (json_int_t)e->tokens);
    if (e->has_reference) {
        json_t *more = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "ref_ppl", e->ref_ppl, "ref_ppl_se", e->ref_ppl_se,
                                 "kld_mean", e->kld_mean, "kld_se", e->kld_se, "top1", e->top1, "top1_se", e->top1_se);
        json_object_update(j, more);
        json_decref(more);
    }
    json_object_set_new(j, "arithmetic", json_string(precis_arithmetic_name(e->arithmetic)));
    return j;
}

typedef struct { bool done; precis_bench_result before, after; } speeds;

static int compare_speeds(cli *c, const char *before, const char *after, speeds *s)
{
    s->before.size = s->after.size = sizeof s->before;
    precis_status st = precis_bench(c->ctx, before, NULL, &s->before);
    if (!st) st = precis_bench(c->ctx, after, NULL, &s->after);
    s->done = !st;
    return st ? cli_fail(c, st) : -1;
}

/* Of a budget, where something was measured. */
static bool is_predicted(const precis_job *job)
{
    return job->solution.size && job->predicted == job->predicted;
}

/* What was planned under a budget, and what is expected of it. */
static void put_plan(json_t *o, const precis_job *job)
{
    if (job->solution.size)
        json_object_set_new(o, "plan",
                            json_pack("{s:f, s:f, s:b}", "loss", job->solution.loss, "bound", job->solution.bound,
                                      "exact", job->solution.exact));
    if (is_predicted(job))
        json_object_set_new(o, "predicted",
                            json_pack("{s:f, s:[f, f], s:s?, s:o, s:o}", "kld", job->predicted, "interval",
                                      job->interval[0], job->interval[1], "coder", job->predicted_coder, "measured",
                                      isfinite(job->again) ? json_real(job->again) : json_null(), "measured_se",
                                      isfinite(job->again) ? json_real(job->again_se) : json_null()));
    const precis_times *const both[] = { &job->expected, &job->taken };
    json_t *times = json_object();
    for (int i = 0; i < 2; i++)
        json_object_set_new(times, i ? "taken" : "expected",
                            json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "calibrate", both[i]->calibrate, "costs",
                                      both[i]->costs, "plan", both[i]->plan, "quantize", both[i]->quantize, "evaluate",
                                      both[i]->evaluate, "all", both[i]->all));
    json_object_set_new(o, "seconds", times);
}

static json_t *tensors_json(const precis_job *job)
{
    json_t *tensors = json_array();
    for (size_t i = 0; i < precis_plan_size(job->plan); i++) {
        precis_plan_row p = { .size = sizeof p };
        precis_quant_row r = { .size = sizeof r };
        precis_plan_get(job->plan, i, &p);
        json_t *t = json_pack("{s:s, s:s, s:s}", "name", p.tensor, "from", p.from, "to", p.to);
        if (job->report && !precis_quant_report_get(job->report, i, &r)) {
            json_object_set_new(t, "method", json_string(r.method));
            json_object_set_new(t, "error", json_real(r.error));
        } else {
            json_object_set_new(t, "method", json_string(strcmp(p.from, p.to) ? "planned" : "copy"));
            json_object_set_new(t, "error", isfinite(p.loss) ? json_real(p.loss) : json_null());
        }
        if (p.wanted) json_object_set_new(t, "substitute_for", json_string(p.wanted));
        precis_plan_kernel k = { .size = sizeof k };
        precis_plan_get_kernel(job->plan, i, &k);
        json_object_set_new(t, "kernel", json_string(k.kernel));
        json_object_set_new(t, "level", json_string(k.level));
        json_array_append_new(tensors, t);
    }
    return tensors;
}

static bool tokenizes(cli *c, const precis_model *m)
{
    precis_tokenizer *t;
    const bool does = !precis_tokenizer_open(c->ctx, &t, m);
    precis_tokenizer_close(&t);
    return does;
}

static int job_json(cli *c, const precis_model *m, const precis_job *job, const char *out, const speeds *speed)
{
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    json_t *o = json_object();
    json_object_set_new(o, "out", out ? json_string(out) : json_null());
    json_object_set_new(o, "bytes", json_integer((json_int_t)job->bytes));
    json_object_set_new(o, "bits_per_weight", json_real(job->bits_per_weight));
    const precis_memory *mem = &job->memory;
    json_object_set_new(o, "memory",
                        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "predicted", (json_int_t)mem->peak, "held",
                                  (json_int_t)mem->held, "calibrate", (json_int_t)mem->calibrate, "method",
                                  (json_int_t)mem->method, "write", (json_int_t)mem->write, "evaluate",
                                  (json_int_t)mem->evaluate, "limit", (json_int_t)mem->limit));
    put_plan(o, job);
    const char *format = cli_get(c, "--format");
    json_object_set_new(o, "verdict",
                        cli_verdict_json(&(cli_verdict){ job, out, cli_get(c, "--method"), info.file_bytes,
                                                         format && !strcmp(format, "packed"),
                                                         info.architecture, c->args[0], job->reads,
                                                         job->reads }));
    if (job->evaluated) json_object_set_new(o, "eval", eval_json(&job->eval));
    if (speed->done)
        json_object_set_new(o, "bench",
                            json_pack("{s:{s:s, s:f, s:f}, s:{s:s?, s:f, s:f}}", "original", "model", c->args[0],
                                      "prefill_tok_s", speed->before.prefill_tok_s, "decode_tok_s",
                                      speed->before.decode_tok_s, "quantized", "model", out, "prefill_tok_s",
                                      speed->after.prefill_tok_s, "decode_tok_s", speed->after.decode_tok_s));
    json_object_set_new(o, "tensors", tensors_json(job));
    return cli_print_json(c, o);
}

/* One line a kind, or with --verbose each tensor. The method's fallbacks: `what` is the method that was taken. */
static void print_fallbacks(const precis_job *job, bool all)
{
    char clean[CLI_SHOWN];
    size_t n = 0;
    for (size_t i = 0; job->report && i < precis_quant_report_size(job->report); i++) {
        precis_quant_row r = { .size = sizeof r };
        if (precis_quant_report_get(job->report, i, &r) || !strchr(r.method, '(')) continue;
        if (!n++ && all) cli_row(2, "the method could not be applied to:");
        if (all) cli_row(4, "  %-40s %s", cli_shown(r.tensor, clean), r.method);
    }
    if (n && !all) cli_say(2, "fallbacks: the method could not be applied to %zu tensors (--verbose lists them)", n);
}

typedef struct { const char *to, *wanted; size_t n; } replacement;

static void print_substitutes(const precis_plan *plan, bool all)
{
    replacement kinds[32];
    char clean[CLI_SHOWN];
    size_t n = 0;
    for (size_t i = 0; i < precis_plan_size(plan); i++) {
        precis_plan_row r = { .size = sizeof r };
        precis_plan_get(plan, i, &r);
        if (!r.wanted) continue;
        if (all) cli_row(4, "  %-40s %s instead of %s", cli_shown(r.tensor, clean), r.to, r.wanted);
        size_t k = 0;
        while (k < n && (strcmp(kinds[k].to, r.to) || strcmp(kinds[k].wanted, r.wanted))) k++;
        if (k == n && n < 32) kinds[n++] = (replacement){ r.to, r.wanted, 0 };
        if (k < n) kinds[k].n++;
    }
    char line[1024];
    size_t used = 0;
    for (size_t k = 0; k < n && used < sizeof line; k++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%zu take %s instead of %s", k ? ", " : "",
                                 kinds[k].n, kinds[k].to, kinds[k].wanted);
    if (n)
        cli_say(2, "substitutes: %s (rows are not whole blocks of the type asked for, or a number is too large for "
                "it%s)", line, all ? "" : "; --verbose lists them");
}

/* A row of the table: a name for wide terminals and one for narrow ones. */
static void put_row(const char *wide, const char *narrow, const char *before, const char *after)
{
    if (cli_columns() >= 72) cli_row(4, "%-28s %18s %24s", wide, before, after);
    else cli_row(4, "%-13s %15s %18s", narrow, before, after);
}

static void put_pair(const char *wide, const char *narrow, const char *fmt, double before, double after)
{
    char a[32], b[32];
    snprintf(a, sizeof a, fmt, before);
    snprintf(b, sizeof b, fmt, after);
    put_row(wide, narrow, a, b);
}

/* What was predicted of a divergence, below what was measured. */
static void print_predicted(const precis_job *job)
{
    char b[48];
    if (!is_predicted(job)) return;
    if (isfinite(job->again)) {
        snprintf(b, sizeof b, "%.5f +- %.5f", job->again, job->again_se);
        put_row("  on the calibration's text", "  calib. text", "", b);
    }
    snprintf(b, sizeof b, "%.5f", job->predicted);
    put_row(isfinite(job->again) ? "  predicted for it" : "  predicted", "  predicted", "", b);
    if (job->predicted_coder) put_row("  of codes by", "  of codes by", "", job->predicted_coder);
    snprintf(b, sizeof b, "%.5f to %.5f", job->interval[0], job->interval[1]);
    put_row("  90 % of such plans", "  90 % of such", "", b);
}

static void print_eval_rows(const precis_job *job)
{
    const precis_eval_result *e = &job->eval;
    char a[48], b[48];
    const int digits = cli_columns() >= 72 ? 3 : 2;
    snprintf(a, sizeof a, "%.*f +- %.*f", digits, e->ref_ppl, digits, e->ref_ppl_se);
    snprintf(b, sizeof b, "%.*f +- %.*f", digits, e->ppl, digits, e->ppl_se);
    put_row("perplexity", "perplexity", a, b);
    snprintf(b, sizeof b, "%.5f +- %.5f", e->kld_mean, e->kld_se);
    put_row("KL divergence (nats/token)", "KL, nats/tok", "0", b);
    print_predicted(job);
    snprintf(b, sizeof b, "%.2f%% +- %.2f%%", 100 * e->top1, 100 * e->top1_se);
    put_row("top-1 agreement", "top-1 agree", "100%", b);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void print_table(const cli *c, const precis_model_info *info, const precis_job *job, const char *out,
                        const speeds *speed)
{
    char a[32], b[32];
    printf("\n");
    put_row("", "", "original", out ? "quantized" : "planned");
    put_row("size of the file", "size (file)", cli_bytes((double)info->file_bytes, a),
              cli_bytes((double)job->bytes, b));
    put_pair("of the original", "of original", "%.1f%%", 100,
               100.0 * (double)job->bytes / (double)info->file_bytes);
    put_pair("bits per weight", "bits/weight", "%.3f", info->bits_per_weight, job->bits_per_weight);
    if (job->evaluated) print_eval_rows(job);
    if (speed->done) {
        put_pair("prefill, tokens per second", "prefill tok/s", "%.1f", speed->before.prefill_tok_s,
                   speed->after.prefill_tok_s);
        put_pair("decode, tokens per second", "decode tok/s", "%.1f", speed->before.decode_tok_s,
                   speed->after.decode_tok_s);
        cli_say(2, "speeds: original is %s, quantized is %s", last_part(c->args[0]), last_part(out));
    }
}

static int job_text(cli *c, const precis_model *m, const precis_job *job, const char *out, const speeds *speed)
{
    char a[32], b[32];
    const bool all = cli_has(c, "--verbose");
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    print_substitutes(job->plan, all);
    print_fallbacks(job, all);
    cli_print_types(job->plan);
    if (!out || all) cli_print_kernels(job->plan);
    const char *proof = job->solution.exact ? "proved least" : "within the bound that was reached";
    if (is_predicted(job))
        cli_say(2, "plan: predicted KL divergence %.5f (90 %%: %.5f to %.5f), %s", job->predicted, job->interval[0],
                job->interval[1], proof);
    else if (job->solution.size) cli_say(2, "plan: predicted loss %.5g, %s", job->solution.loss, proof);
    print_table(c, &info, job, out, speed);
    if (job->evaluated) {
        const precis_eval_result *e = &job->eval;
        cli_say(2, "%llu tokens in %llu windows; kernels as `precis run` uses them", (unsigned long long)e->tokens,
                (unsigned long long)e->windows);
    }
    if (job->memory.limit || !out)
        cli_say(2, "memory: %s predicted%s%s", cli_bytes((double)job->memory.peak, a),
                job->memory.limit ? ", limit " : "", job->memory.limit ? cli_bytes((double)job->memory.limit, b) : "");
    const char *format = cli_get(c, "--format");
    cli_verdict_print(&(cli_verdict){ job, out, cli_get(c, "--method"), info.file_bytes,
                                      format && !strcmp(format, "packed"), info.architecture, c->args[0],
                                      job->reads, job->reads || tokenizes(c, m) });
    return cli_done(c);
}

/* What the size is to be: exactly one of a budget, a type and a plan. -1 or an exit code. */
static int get_target(cli *c, precis_job_options *o)
{
    if (!cli_number(c, "--bpw", 0, 0.01, 64, &o->bpw) || !cli_number(c, "--max-kld", 0, 1e-9, 1e3, &o->max_kld))
        return EXIT_USAGE;
    if (!cli_size(c, "--max-size", &o->max_bytes, &o->max_part)) return EXIT_USAGE;
    o->type = cli_get(c, "--type");
    const int budgets = cli_has(c, "--max-size") + (o->bpw != 0) + (o->max_kld != 0);
    if (budgets + (o->type != NULL) + cli_has(c, "--plan") != 1)
        return cli_usage(c, "give one of --max-size, --bpw, --max-kld, --type and --plan");
    static const char *const budget[] = { "--types", "--pin", "--profile", "--effort" };
    for (size_t i = 0; i < 4 && (o->type || cli_has(c, "--plan")); i++)
        if (cli_has(c, budget[i]))
            return cli_usage(c, "%s is for a budget (--max-size, --bpw, --max-kld); --type takes a table of patterns "
                             "and types", budget[i]);
    if (!cli_effort(c, &o->effort)) return EXIT_USAGE;
    o->dry_run = cli_has(c, "--dry-run");
    return cli_get(c, "--output") || o->dry_run ? -1 : cli_usage(c, "give -o FILE, or --dry-run");
}

static int get_method(cli *c, precis_quant_options *q)
{
    int64_t rank;
    q->method = cli_get(c, "--method");
    q->types = cli_get(c, "--types");
    q->strict = cli_has(c, "--strict");
    q->fallback = cli_has(c, "--fallback");
    q->scale_rounding = cli_get(c, "--scale-rounding");
    const char *format = cli_get(c, "--format");
    q->packed = format && !strcmp(format, "packed");
    if (format && !q->packed && strcmp(format, "gguf"))
        return cli_usage(c, "--format %s is none of gguf and packed (precis convert writes the other containers)",
                         format);
    q->no_act_order = cli_has(c, "--no-act-order");
    if (!cli_number(c, "--damp", 0, 1e-6, 1, &q->damp) || !cli_number(c, "--alpha", 0, 0.01, 1, &q->alpha) ||
        !cli_int(c, "--rank", 0, 1, 4096, &rank))
        return EXIT_USAGE;
    q->rank = (uint32_t)rank;
    return -1;
}

static int get_job_options(cli *c, precis_job_options *o)
{
    int64_t chunks, ctx, tokens;
    if (!cli_int(c, "--chunks", 0, 1, 1000000, &chunks) || !cli_int(c, "--ctx", 512, 8, 1 << 20, &ctx))
        return EXIT_USAGE;
    int rc = get_target(c, o);
    if (rc >= 0) return rc;
    o->imatrix = cli_get(c, "--imatrix");
    o->no_calibration = cli_has(c, "--no-calib");
    o->folder = cli_kept(c);
    o->no_eval = cli_has(c, "--no-eval");
    if (!cli_arithmetic(c, PRECIS_FAST, &o->eval.arithmetic)) return EXIT_USAGE;
    o->eval.windows = (uint32_t)chunks;
    o->eval.window = (uint32_t)ctx;
    rc = get_method(c, &o->quant);
    if (rc >= 0) return rc;
    if (!cli_int(c, "--calib-tokens", 0, 16, 1 << 30, &tokens)) return EXIT_USAGE;
    o->calibrate.tokens = (uint32_t)tokens;
    return cli_memory_limit(c);
}

/* What a job borrows from the command, which closes it afterwards. */
typedef struct {
    char *text, *pins, *types, *method, *kv;
    char joined[96]; /* --prune and --method */
    cli_texts calib;
    precis_model *m;
    precis_profile *profile;
    cli_manifest manifest;
} inputs;

/* --prune NAME is a method before the others. */
static int join_prune(cli *c, precis_job_options *o, inputs *in)
{
    const char *prune = cli_get(c, "--prune"), *pattern = cli_get(c, "--pattern");
    if (pattern && (!prune || strcmp(pattern, "2:4")))
        return cli_usage(c, prune ? "--pattern %s: 2:4 is all that is pruned to here" : "--pattern %s: of --prune",
                         pattern);
    if (!prune) return -1;
    const char *method = o->quant.method;
    const int n = snprintf(in->joined, sizeof in->joined, "%s%s%s", prune, method ? "+" : "", method ? method : "");
    if (n >= (int)sizeof in->joined) return cli_usage(c, "--prune: its name and the method's are too long");
    o->quant.method = in->joined;
    return -1;
}

static int open_texts(cli *c, precis_job_options *o, inputs *in)
{
    in->pins = cli_joined(c, "--pin");
    int rc = cli_lacks_memory(c) ? cli_no_memory(c) : cli_texts_open(c, "--calib", &in->calib, &o->calibrate);
    if (cli_has(c, "--pin")) o->quant.pins = in->pins;
    if (rc < 0 && cli_has(c, "--text"))
        rc = cli_read_text(c, cli_get(c, "--text"), PRECIS_INPUT_TEXT, &in->text, &o->text_len);
    o->text = in->text;
    return rc;
}

static int open_model(cli *c, precis_job_options *o, inputs *in)
{
    precis_status st = precis_model_open(c->ctx, &in->m, c->args[0]);
    if (!st) st = cli_manifest_open(c, in->m, NULL, &in->manifest);
    o->manifest = precis_manifest_text;
    o->user = in->manifest.of;
    if (!st) precis_model_allow_nan(in->m, cli_has(c, "--allow-nan"));
    if (!st && cli_has(c, "--plan")) {
        st = precis_plan_read(c->ctx, in->m, cli_get(c, "--plan"), &in->types, &in->method, &in->kv);
        if (!st) {
            o->quant.kv = in->kv;
            o->type = in->types;
            o->quant.fallback |= !o->quant.method; /* the plan counted on it */
            if (!o->quant.method) o->quant.method = in->method;
        }
    }
    if (!st && cli_has(c, "--profile")) st = precis_profile_open(c->ctx, &in->profile, cli_get(c, "--profile"));
    o->quant.profile = in->profile;
    if (st) return cli_fail(c, st);
    if (cli_has(c, "--resume") && (st = precis_manifest_key(in->manifest.of, &o->resume))) return cli_fail(c, st);
    return -1;
}

static void close_inputs(cli *c, inputs *in)
{
    precis_profile_close(&in->profile);
    precis_text_free(c->ctx, in->types);
    precis_text_free(c->ctx, in->method);
    precis_text_free(c->ctx, in->kv);
    precis_model_close(&in->m);
    cli_texts_close(c, &in->calib);
    cli_manifest_close(&in->manifest);
    precis_text_free(c->ctx, in->text);
    free(in->pins);
}

/* Does the name of the output say what will be in it? Types are known before the work when they are asked for. */
static int check_name(cli *c, const precis_model *m, const precis_job_options *o, const char *out)
{
    precis_plan *plan = NULL;
    const bool quiet = c->quiet;
    c->quiet = true; /* the job warns of the same substitutes */
    const precis_status st = o->type ? precis_plan_types(c->ctx, &plan, m, o->type, o->quant.strict) : PRECIS_OK;
    c->quiet = quiet;
    const int rc = st ? cli_fail(c, st) : cli_verdict_name(c, out, plan, o->quant.packed);
    precis_plan_close(&plan);
    return rc;
}

static int run(cli *c)
{
    const char *out = cli_get(c, "--output");
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    int rc = get_job_options(c, &o);
    if (rc >= 0) return rc;
    inputs in = { .m = NULL };
    precis_job job = { 0 };
    speeds speed = { 0 };
    rc = open_texts(c, &o, &in);
    if (rc < 0) rc = open_model(c, &o, &in);
    if (rc < 0 && out && !o.dry_run) rc = check_name(c, in.m, &o, out);
    if (rc < 0) rc = join_prune(c, &o, &in);
    if (rc < 0) {
        const precis_status st = precis_job_quantize(c->ctx, in.m, out, &o, &job);
        if (st) rc = cli_fail(c, st);
    }
    if (rc < 0 && cli_has(c, "--bench") && !o.dry_run) rc = compare_speeds(c, c->args[0], out, &speed);
    if (rc < 0) {
        const char *written = o.dry_run ? NULL : out;
        rc = c->json ? job_json(c, in.m, &job, written, &speed) : job_text(c, in.m, &job, written, &speed);
    }
    precis_job_close(&job);
    close_inputs(c, &in);
    return rc;
}

/* What comes from standard input cannot be hashed, nor come again. */
static int refuse_streams(const cli *c)
{
    for (int i = 0; i < c->n_given; i++)
        if (cli_manifest_hashes(c->given[i].option->name) && !strcmp(c->given[i].value, "-"))
            return cli_usage(c, "%s: the manifest names its file; write standard input to one first",
                             c->given[i].option->name);
    return -1;
}

/* What is written beside OUT is nothing that is read either. */
static int check_beside(const cli *c)
{
    static const char *const endings[] = { ".manifest.json", ".resume", ".resume.states" };
    const char *out = cli_get(c, "--output");
    int rc = -1;
    for (size_t i = 0; out && rc < 0 && i < (cli_has(c, "--resume") ? 3 : 1); i++) {
        char path[4096];
        const int len = snprintf(path, sizeof path, "%s%s", out, endings[i]);
        rc = len < (int)sizeof path ? cli_apart(c, path) : cli_usage(c, "-o: the path is too long");
    }
    return rc;
}

static int run_any(cli *c)
{
    return c->n_args && precis_net_probe(c->ctx, c->args[0]) ? cli_net_quant(c) : run(c);
}

static int run_or_replay(cli *c)
{
    const bool net = c->n_args && !cli_has(c, "--replay") && precis_net_probe(c->ctx, c->args[0]);
    const int strange = net || cli_has(c, "--replay") ? -1 : cli_only_nets(c); /* a manifest says them itself */
    if (strange >= 0) return strange;
    const int text = cli_need_text(c); /* its manifest names them */
    const int apart = text < 0 ? check_beside(c) : text;
    if (apart >= 0) return apart;
    if (net) return cli_net_quant(c);
    if (cli_has(c, "--replay")) return cli_manifest_replay(c, run_any);
    const int streams = refuse_streams(c);
    if (streams >= 0) return streams;
    return c->n_args ? run(c) : cli_usage(c, "usage: precis quant MODEL [options]; --help says more");
}

const cli_command cli_quant = {
    "quant", "MODEL", "quantize a model to a budget, a type or a mix, and show what was lost",
    "The main job: calibrates, chooses a type for every tensor, quantizes, evaluates against the original.\n"
    "  precis quant model.gguf --max-size 75% -o small.gguf\n"
    "Without --calib the calibration text is sampled from the model itself (seeded, recorded in the file).\n"
    "The same input gives the same bytes on any machine. Models that cannot be run yet are quantized all the same.",
    0, 1, options, run_or_replay,
    "  precis quant model.gguf --max-size 75% -o small.gguf\n"
    "  precis quant --replay small.gguf.manifest.json -o again.gguf\n"
    "  precis quant ~/models/model.gguf --replay small.gguf.manifest.json -o again.gguf\n"
    "  precis quant model.gguf --bpw 4.5 --types Q3_K,Q4_K,Q6_K --pin 'output.weight=Q6_K' -o small.gguf\n"
    "  precis quant model.gguf --type Q4_K_M --imatrix model.imatrix.gguf -o q4.gguf\n"
    "  precis quant model.gguf --type '*attn_v*=Q6_K,*ffn_down*=Q5_K,*=Q4_K' --dry-run\n",
    NULL,
};
