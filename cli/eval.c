/* precis eval - perplexity, and the distance to a reference. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>

static const cli_option options[] = {
    { "--against", 0, "REF", "the reference, usually the original" },
    { "--text", 0, "FILE", "the text (default: about 43 kB that precis carries)" },
    { "--ids", 0, "LIST", "token ids (3,4,5) instead of a text; no tokenizer is needed" },
    { "--batch", 0, "N", "with --ids: tokens of one call at most (default 64; 1: as in decoding)" },
    { "--nll", 0, NULL, "with --ids: print the negative log-likelihood of each id after the first" },
    { "--ctx", 0, "N", "tokens of a window (default 512); the second half of each is scored" },
    { "--chunks", 0, "N", "windows at most" },
    { "--gate", 0, NULL, "a verdict by the margins given: ACCEPT (exit 0), REJECT (1), UNDECIDED (5)" },
    { "--max-kld", 0, "NATS", "margin of the gate: KL divergence per token" },
    { "--max-ppl", 0, "PERCENT", "margin of the gate: increase of the perplexity" },
    { "--ladder", 0, "LIST", "make and evaluate the model in each of these schemes: W8A8,FP8,W4A16,NVFP4,..." },
    { "--sts", 0, "FILE", "encoders: agreement of sentence pairs with scores (CSV: sentence,sentence,score)" },
    { "--method", 0, "NAME", "of the ladder's steps, as in quant" },
    { "--calib", 0, "FILE", "calibration text of the ladder (default: sampled)" },
    { "--lora", 0, "PATH[=SCALE]", "a low-rank adapter beside the weights" },
    { "--weights-only", 0, NULL, "dequantized weights and f32 activations instead of the kernels of run" },
    { "--emulate", 0, NULL, "the same, with activations rounded as the model says (W4A8 and the like)" },
    { "--cache-k", 0, "TYPE", "keys of the KV cache: f32 f16 int8 int4 (default f16; with --ids f32)" },
    { "--cache-v", 0, "TYPE", "values of the KV cache" },
    { 0 },
};

static const char *const quantile_names[PRECIS_QUANTILES] = { "0.01", "0.05", "0.1", "0.25", "0.5", "0.9", "0.95", "0.99", "0.999" };

static int print_json(cli *c, const precis_eval_result *e, const char *arithmetic)
{
    json_t *o = json_pack("{s:f, s:f, s:I, s:I, s:s}", "ppl", e->ppl, "ppl_se", e->ppl_se, "tokens", (json_int_t)e->tokens, "windows", (json_int_t)e->windows,
                          "arithmetic", arithmetic);
    if (e->has_reference) {
        json_t *more = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "ref_ppl", e->ref_ppl, "ref_ppl_se", e->ref_ppl_se, "log_ppl_ratio", e->log_ratio,
                                 "log_ppl_ratio_se", e->log_ratio_se, "kld_mean", e->kld_mean, "kld_se", e->kld_se, "kld_min", e->kld_min, "kld_max", e->kld_max);
        json_object_update(o, more);
        json_decref(more);
        more = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "dp_mean", e->dp_mean, "dp_mean_se", e->dp_mean_se, "dp_rms", e->dp_rms, "dp_rms_se", e->dp_rms_se,
                         "top1", e->top1, "top1_se", e->top1_se);
        json_object_update(o, more);
        json_decref(more);
        json_t *q = json_object(), *se = json_object();
        for (int i = 0; i < PRECIS_QUANTILES; i++) {
            json_object_set_new(q, quantile_names[i], json_real(e->kld_quantile[i]));
            json_object_set_new(se, quantile_names[i], json_real(e->kld_quantile_se[i]));
        }
        json_object_set_new(o, "kld_quantiles", q);
        json_object_set_new(o, "kld_quantiles_se", se);
    } else { /* scripts find the same names in every result */
        static const char *const none[] = { "kld_mean", "kld_se", "top1", "top1_se" };
        for (size_t i = 0; i < sizeof none / sizeof *none; i++) json_object_set_new(o, none[i], json_null());
    }
    return cli_print_json(c, o);
}

static int print_text(cli *c, const precis_eval_result *e, const char *arithmetic)
{
    printf("%llu tokens in %llu windows, arithmetic: %s\n\n", (unsigned long long)e->tokens, (unsigned long long)e->windows, arithmetic);
    printf("perplexity               %10.4f +- %.4f\n", e->ppl, e->ppl_se);
    if (e->has_reference) {
        printf("  of the reference       %10.4f +- %.4f\n", e->ref_ppl, e->ref_ppl_se);
        printf("  ln(ratio)              %10.5f +- %.5f\n", e->log_ratio, e->log_ratio_se);
        printf("KL divergence, mean      %10.6f +- %.6f nats per token\n", e->kld_mean, e->kld_se);
        for (int i = 0; i < PRECIS_QUANTILES; i++) printf("  quantile %-5s         %10.6f +- %.6f\n", quantile_names[i], e->kld_quantile[i], e->kld_quantile_se[i]);
        printf("  largest                %10.6f\n", e->kld_max);
        printf("probability of the right token, difference\n  mean                   %9.4f%% +- %.4f%%\n  root mean square       %9.4f%% +- %.4f%%\n", 100 * e->dp_mean,
               100 * e->dp_mean_se, 100 * e->dp_rms, 100 * e->dp_rms_se);
        printf("top-1 agreement          %9.3f%% +- %.3f%%\n", 100 * e->top1, 100 * e->top1_se);
    }
    return cli_done(c);
}

enum { MAX_IDS = 65536 };

static int score_ids(cli *c, const precis_model *m, const precis_eval_options *o)
{
    const char *s = cli_get(c, "--ids");
    int32_t *ids = malloc(MAX_IDS * sizeof *ids);
    double *nll = malloc(MAX_IDS * sizeof *nll), sum = 0;
    size_t n = 0;
    for (char *end; ids && nll && *s && n < MAX_IDS; s = *end == ',' ? end + 1 : end) {
        ids[n++] = (int32_t)strtol(s, &end, 10);
        if (end == s || (*end && *end != ',')) {
            free(ids);
            free(nll);
            return cli_usage(c, "--ids %s is no list of whole numbers", cli_get(c, "--ids"));
        }
    }
    if (*s && n == MAX_IDS) {
        free(ids);
        free(nll);
        return cli_usage(c, "--ids takes at most %d ids", MAX_IDS);
    }
    const precis_status st = ids && nll ? precis_eval_ids(c->ctx, m, ids, n, o, nll) : PRECIS_ENOMEM;
    json_t *list = json_array();
    for (size_t i = 0; i + 1 < n && !st; i++) {
        sum += nll[i];
        json_array_append_new(list, json_real(nll[i]));
        if (!c->json && cli_has(c, "--nll")) printf("%d %.6f\n", ids[i + 1], nll[i]);
    }
    free(ids);
    free(nll);
    if (st || !c->json) json_decref(list);
    if (st) return cli_fail(c, st);
    if (c->json) return cli_print_json(c, json_pack("{s:o, s:f, s:s}", "nll", list, "mean", sum / (double)(n - 1), "arithmetic", precis_arithmetic_name(o->arithmetic)));
    printf("mean negative log-likelihood %.6f nats\n", sum / (double)(n - 1));
    return cli_done(c);
}

static int run_similarity(cli *c, precis_arithmetic arithmetic)
{
    size_t len;
    char *csv = cli_read_text(c, cli_get(c, "--sts"), &len);
    if (!csv) return EXIT_INPUT;
    precis_model *m = NULL;
    precis_similarity s = { .size = sizeof s };
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (!st) st = precis_eval_similarity(c->ctx, m, csv, len, arithmetic, &s);
    precis_model_close(&m);
    free(csv);
    if (st) return cli_fail(c, st);
    if (c->json) return cli_print_json(c, json_pack("{s:I, s:f, s:f, s:s}", "pairs", (json_int_t)s.pairs, "spearman", s.spearman, "pearson", s.pearson, "arithmetic", precis_arithmetic_name(arithmetic)));
    printf("%llu pairs: Spearman %.4f, Pearson %.4f\n", (unsigned long long)s.pairs, s.spearman, s.pearson);
    return cli_done(c);
}

typedef struct { cli *c; json_t *rows; bool headed; } ladder;

static void print_row(void *user, const precis_ladder_row *r)
{
    ladder *l = user;
    if (l->c->json) {
        json_array_append_new(l->rows, json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:b}", "type", r->type, "bytes", (json_int_t)r->bytes, "bits_per_weight", r->bits_per_weight, "ppl", r->eval.ppl,
                                                 "ref_ppl", r->eval.ref_ppl, "kld_mean", r->eval.kld_mean, "kld_se", r->eval.kld_se, "top1", r->eval.top1, "flips", 1 - r->eval.top1, "decode_tok_s", r->decode_tok_s, "arithmetic",
                                                 r->arithmetic, "kernel", r->kernel));
        return;
    }
    char size[32];
    cli_progress_clear();
    if (!l->headed) printf("%-12s %10s %7s %10s %22s %14s %10s\n", "scheme", "size", "bpw", "perplexity", "KL (nats/token)", "flips", "tokens/s");
    l->headed = true;
    printf("%-12s %10s %7.3f %10.3f %11.5f +- %7.5f %6.2f%% +- %4.2f%% %9.1f%s\n", r->type, cli_bytes((double)r->bytes, size), r->bits_per_weight, r->eval.ppl, r->eval.kld_mean, r->eval.kld_se, 100 * (1 - r->eval.top1),
           100 * r->eval.top1_se, r->decode_tok_s, r->kernel ? "" : " *");
    fflush(stdout);
}

static int run_ladder(cli *c, const precis_eval_options *eval, const char *text, size_t len)
{
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    o.eval = *eval;
    if (!o.eval.windows) o.eval.windows = 8;
    o.text = text;
    o.text_len = len;
    o.quant.method = cli_get(c, "--method");
    char *calib = NULL;
    size_t calib_len = 0;
    if (cli_has(c, "--calib") && !(calib = cli_read_text(c, cli_get(c, "--calib"), &calib_len))) return EXIT_INPUT;
    const char *texts[1] = { calib };
    o.calibrate.texts = texts;
    o.calibrate.lengths = &calib_len;
    o.calibrate.n_texts = calib ? 1 : 0;
    ladder l = { c, json_array(), false };
    precis_model *m = NULL;
    const char *folder = getenv("TMPDIR");
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (!st) st = precis_ladder(c->ctx, m, cli_get(c, "--ladder"), folder && *folder ? folder : "/tmp", &o, print_row, &l);
    precis_model_close(&m);
    free(calib);
    if (st || !c->json) json_decref(l.rows);
    if (st) return cli_fail(c, st);
    if (c->json) return cli_print_json(c, json_pack("{s:o}", "rows", l.rows));
    printf("\nloss: weights and activations as the scheme says, in reference arithmetic; speed: the kernels of `precis run`\n* those have other elements than the scheme (docs/formats.md)\n");
    return cli_done(c);
}

/* ---- gate ------------------------------------------------------------------------------------------------------- */

enum { BLOCK = 64 }; /* tokens that are taken to depend on each other */
typedef struct { double *kld, *ratio; size_t n, cap; bool failed; } tokens;

static void keep(void *user, const precis_eval_token *t)
{
    tokens *k = user;
    if (k->n == k->cap) {
        const size_t cap = k->cap * 2 + 4096;
        double *a = realloc(k->kld, cap * sizeof *a), *b = a ? realloc(k->ratio, cap * sizeof *b) : NULL;
        if (a) k->kld = a;
        if (b) k->ratio = b, k->cap = cap;
        if (!b) {
            k->failed = true;
            return;
        }
    }
    k->kld[k->n] = t->kld;
    k->ratio[k->n++] = t->nll - t->ref_nll;
}

static json_t *evidence_of(const char *what, const precis_gate_result *g, bool percent)
{
    const double up = percent ? 100 * expm1(g->upper) : g->upper, lo = percent ? 100 * expm1(g->lower) : g->lower, mean = percent ? 100 * expm1(g->mean) : g->mean, margin = percent ? 100 * expm1(g->margin) : g->margin;
    json_t *o = json_pack("{s:s, s:s, s:f, s:f, s:I, s:I}", "measure", what, "verdict", precis_verdict_name(g->verdict), "mean", mean, "margin", margin, "items", (json_int_t)g->items, "blocks", (json_int_t)g->blocks);
    json_object_set_new(o, "lower", isfinite(lo) ? json_real(lo) : json_null());
    json_object_set_new(o, "upper", isfinite(up) ? json_real(up) : json_null());
    return o;
}

static int run_gate(cli *c, const precis_model *m, const precis_model *ref, const char *text, size_t len, precis_eval_options o)
{
    double margins[2];
    if (!ref) return cli_usage(c, "--gate compares: give --against REF");
    if (!cli_number(c, "--max-kld", 0, 1e-12, 1e3, &margins[0]) || !cli_number(c, "--max-ppl", 0, 1e-9, 1e6, &margins[1])) return EXIT_USAGE;
    const uint32_t tests = (margins[0] > 0) + (margins[1] > 0);
    if (!tests) return cli_usage(c, "--gate needs a margin: --max-kld NATS, --max-ppl PERCENT");
    tokens k = { 0 };
    precis_eval_result e = { .size = sizeof e };
    o.each = keep;
    o.user = &k;
    precis_status st = precis_eval_text(c->ctx, m, ref, text, len, &o, &e);
    precis_verdict verdict = PRECIS_ACCEPT;
    uint64_t needed = 0;
    json_t *list = json_array();
    int rc = k.failed ? cli_error(c, "out of memory") : -1;
    for (int i = 0; i < 2 && !st && rc < 0; i++) {
        precis_gate_result g = { .size = sizeof g };
        if (!(margins[i] > 0)) continue;
        st = precis_gate(c->ctx, i ? k.ratio : k.kld, k.n, BLOCK, i ? log1p(margins[i] / 100) : margins[i], tests, &g);
        if (st) break;
        json_array_append_new(list, evidence_of(i ? "perplexity increase, percent" : "KL divergence, nats per token", &g, i));
        if (g.verdict == PRECIS_REJECT) verdict = PRECIS_REJECT;
        else if (g.verdict == PRECIS_UNDECIDED && verdict == PRECIS_ACCEPT) verdict = PRECIS_UNDECIDED;
        if (g.items_needed > needed) needed = g.items_needed;
        if (!c->json) printf("%s: %s: mean %.6g, 95 %% bounds %.6g and %.6g, margin %.6g\n", i ? "log of the perplexity ratio" : "KL divergence, nats per token", precis_verdict_name(g.verdict), g.mean, g.lower, g.upper, g.margin);
    }
    free(k.kld);
    free(k.ratio);
    if (st || rc >= 0) {
        json_decref(list);
        return st ? cli_fail(c, st) : rc;
    }
    if (c->json) {
        json_t *all = json_pack("{s:s, s:o, s:f, s:f, s:I}", "verdict", precis_verdict_name(verdict), "evidence", list, "kld_mean", e.kld_mean, "ppl", e.ppl, "tokens", (json_int_t)e.tokens);
        json_object_set_new(all, "items_needed", needed == UINT64_MAX ? json_null() : json_integer((json_int_t)needed));
        rc = cli_print_json(c, all);
    } else {
        json_decref(list);
        if (verdict == PRECIS_UNDECIDED && needed != UINT64_MAX) printf("UNDECIDED: %llu scored tokens say too little; about %llu would decide (a longer --text)\n", (unsigned long long)e.tokens, (unsigned long long)needed);
        else if (verdict == PRECIS_UNDECIDED) printf("UNDECIDED: it lies on the margin\n");
        else printf("%s on %llu scored tokens\n", precis_verdict_name(verdict), (unsigned long long)e.tokens);
        rc = cli_done(c);
    }
    return rc ? rc : verdict == PRECIS_ACCEPT ? EXIT_DONE : verdict == PRECIS_REJECT ? EXIT_NEGATIVE : EXIT_UNDECIDED;
}

static int run(cli *c)
{
    int64_t ctx, chunks, batch;
    if (!cli_int(c, "--ctx", 512, 8, 1 << 20, &ctx) || !cli_int(c, "--chunks", 0, 1, 1 << 24, &chunks) || !cli_int(c, "--batch", 0, 1, 64, &batch)) return EXIT_USAGE;
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    o.window = (uint32_t)ctx;
    o.windows = (uint32_t)chunks;
    o.batch = (uint32_t)batch;
    o.arithmetic = cli_has(c, "--weights-only") ? PRECIS_REFERENCE : cli_has(c, "--emulate") ? PRECIS_EMULATED : PRECIS_FAST;
    o.k_type = cli_get(c, "--cache-k");
    o.v_type = cli_get(c, "--cache-v");
    if (cli_has(c, "--ids")) {
        precis_model *m;
        const precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
        const int lora = st ? -1 : cli_add_adapters(c, m, false), rc = st ? cli_fail(c, st) : lora >= 0 ? lora : score_ids(c, m, &o);
        precis_model_close(&m);
        return rc;
    }
    size_t len = 0;
    char *read = NULL;
    const char *file = cli_get(c, "--text"), *text = file ? (read = cli_read_text(c, file, &len)) : precis_eval_default_text(&len);
    if (!text) return EXIT_INPUT;
    if (cli_has(c, "--sts")) {
        const int rc = run_similarity(c, o.arithmetic);
        free(read);
        return rc;
    }
    if (cli_has(c, "--ladder")) {
        const int rc = run_ladder(c, &o, text, len);
        free(read);
        return rc;
    }
    precis_model *m = NULL, *ref = NULL;
    precis_eval_result e = { .size = sizeof e };
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    const int lora = st ? -1 : cli_add_adapters(c, m, false);
    if (lora >= 0) {
        precis_model_close(&m);
        free(read);
        return lora;
    }
    if (!st && cli_has(c, "--against")) st = precis_model_open(c->ctx, &ref, cli_get(c, "--against"));
    if (!st && cli_has(c, "--gate")) {
        const int rc = run_gate(c, m, ref, text, len, o);
        precis_model_close(&ref);
        precis_model_close(&m);
        free(read);
        return rc;
    }
    if (!st) st = precis_eval_text(c->ctx, m, ref, text, len, &o, &e);
    const char *arithmetic = precis_arithmetic_name(o.arithmetic);
    const int rc = st ? cli_fail(c, st) : c->json ? print_json(c, &e, arithmetic) : print_text(c, &e, arithmetic);
    precis_model_close(&ref);
    precis_model_close(&m);
    free(read);
    return rc;
}

const cli_command cli_eval = {
    "eval", "MODEL", "perplexity of a model, and what it lost against a reference",
    "Windows are llama.cpp's: the text is cut into windows of --ctx tokens and the second half of each is scored.\n"
    "Every figure has its standard error over tokens.", 1, 1, options, run,
    "  precis eval small.gguf --against model.gguf --text wiki.test.raw\n"
    "  precis eval small.gguf --against model.gguf --chunks 24 --cache-k int8 --cache-v int4 --json\n"
    "  precis eval small.gguf --against model.gguf --text wiki.test.raw --gate --max-kld 0.05\n"
    "  precis eval model.gguf --ids 1,306,4658 --nll\n"
    "  precis eval model.gguf --ladder W8A8,FP8,W4A16,NVFP4,MXFP4,NF4,W3A16,W2A16\n",
};
