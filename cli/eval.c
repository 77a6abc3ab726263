/* precis eval - perplexity, and the distance to a reference. */
#include "chart.h"
#include "eval.h"
#include "term.h"
#include "samples.h"

#include <math.h>
#include <stdlib.h>

static const cli_option options[] = {
    { "--against", 0, "REF", "the reference, usually the original" },
    { "--logits", 0, "OUT.gguf",
      "keep the reference's logits: read from FILE if it is there (then --against may be left out), else written" },
    { "--text", 0, "FILE", "the text (default: about 43 kB that precis carries); more than once: results by text" },
    { "--domains", 0, NULL,
      "texts of precis beside it, by domain: prose, code, languages, numbers, typing noise; udhr.zip of --data" },
    { "--tasks", 0, "LIST",
      "questions with right answers: arc_easy,hellaswag,...,reasoning or FILE.jsonl (precis list tasks)" },
    { "--data", 0, "[NAME=]PATH",
      "where the sets of the tasks lie (default: $PRECIS_DATA); nets: samples for input NAME, a .npy, .npz, or folder "
      "of .npz files or of images (more than once)" },
    { "--input", 0, "NAME=N", "nets: an input that takes one whole number has this value" },
    { "--labels", 0, "FILE",
      "nets: .npy or .txt of classes or scores (of samples or pairs), .npy of classes of places, .json of boxes or "
      "sequences (docs/nets.md)" },
    { "--output", 0, "NAME", "nets: the output that is scored (default: the first)" },
    { "--detections", 0, "NAME", "nets: how boxes lie in outputs: xyxy (default), parts, yolov8, yolov5" },
    { "--least", 0, "SCORE", "nets: without labels, boxes of --against with this score are right (default 0.25)" },
    { "--sequence", 0, "NAME", "nets: the output is a sequence of classes: ctc or plain" },
    { "--blank", 0, "N", "nets: ctc's class that is nothing (default 0; -1: the last)" },
    { "--mask", 0, "NAME", "nets: the input that is 0 at tokens that do not count (default attention_mask)" },
    { "--nodes", 0, NULL,
      "nets: what each node lost against --against (16 samples unless --limit says), and why the worst ten did" },
    { "--ignore", 0, "N", "nets: the label of places that do not count (default 255)" },
    CLI_SAMPLES_OPTIONS,
    { "--mem-limit", 0, "SIZE", "nets: memory at most" },
    { "--limit", 0, "N", "items of a task at most (of each group, where it has groups); samples of a net" },
    { "--shots", 0, "N", "solved examples before each question (mmlu, gsm8k)" },
    { "--samples", 0, "OUT.jsonl|json", "every item of the tasks with its log-likelihoods, as JSON lines" },
    { "--ids", 0, "LIST", "token ids (3,4,5) instead of a text; no tokenizer is needed" },
    { "--batch", 0, "N",
      "with --ids: tokens of one call at most (default 64; 1: as in decoding); nets: samples of a run (default 16)" },
    { "--nll", 0, NULL, "with --ids: print the negative log-likelihood of each id after the first" },
    { "--ctx", 0, "N", "tokens of a window (default 512); the second half of each is scored" },
    { "--chunks", 0, "N", "windows at most" },
    { "--html", 0, "OUT.html", "a page too: quantiles of the divergence, and where in the text it lies (one text)" },
    { "--gate", 0, NULL, "a verdict by the margins given: ACCEPT (exit 0), REJECT (1), UNDECIDED (5)" },
    { "--max-kld", 0, "NATS", "margin of the gate: KL divergence per token" },
    { "--max-ppl", 0, "PERCENT", "margin of the gate: increase of the perplexity" },
    { "--max-drop", 0, "DROP", "margin of the gate: loss of accuracy of each task (0.02 or 2%)" },
    { "--results", 0, "OUT.sqlite",
      "keep the results in this SQLite file (default with --gate: the user's own; \"none\")" },
    { "--name", 0, "NAME", "what the results are kept under (default: the file's name)" },
    { "--history", 0, NULL,
      "results kept so far, and where a version is worse than the one before (exit 1: the last is)" },
    { "--ladder", 0, "LIST", "make and evaluate the model in each of these schemes: W8A8,FP8,W4A16,NVFP4,..." },
    { "--sts", 0, "FILE", "encoders: agreement of sentence pairs with scores (CSV: sentence,sentence,score)" },
    { "--method", 0, "NAME", "of the ladder's steps, as in quant" },
    { "--calib", 0, "FILE", "calibration text of the ladder (default: sampled)" },
    { "--lora", 0, "PATH[=SCALE]", "a low-rank adapter beside the weights" },
    { "--arithmetic", 0, "NAME",
      "exact (default), bf16 (weights and activations as bfloat16), mixed (that for 32 and more rows), int8 "
      "(activations with one scale a token, by weights with one scale a row: W8A8), or auto: int8 for a W8A8 "
      "model, mixed on AMX" },
    { "--weights-only", 0, NULL, "dequantized weights and f32 activations instead of the kernels of run" },
    { "--emulate", 0, NULL, "the same, with activations rounded as the model says (W4A8 and the like)" },
    { "--cache-k", 0, "TYPE", "keys of the KV cache: f32 f16 int8 int4 (default f16; with --ids f32)" },
    { "--cache-v", 0, "TYPE", "values of the KV cache" },
    { 0 },
};

static const char *const quantile_names[PRECIS_QUANTILES] = { "0.01", "0.05", "0.1",  "0.25", "0.5",
                                                              "0.9",  "0.95", "0.99", "0.999" };

static int print_eval_json(cli *c, const precis_eval_result *e, bool stopped)
{
    json_t *o = json_pack("{s:f, s:f, s:I, s:I, s:s}", "ppl", e->ppl, "ppl_se", e->ppl_se, "tokens",
                          (json_int_t)e->tokens, "windows", (json_int_t)e->windows, "arithmetic",
                          precis_arithmetic_name(e->arithmetic));
    if (e->has_reference) {
        json_t *more = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "ref_ppl", e->ref_ppl, "ref_ppl_se",
                                 e->ref_ppl_se, "log_ppl_ratio", e->log_ratio, "log_ppl_ratio_se", e->log_ratio_se,
                                 "kld_mean", e->kld_mean, "kld_se", e->kld_se, "kld_min", e->kld_min, "kld_max",
                                 e->kld_max);
        json_object_update(o, more);
        json_decref(more);
        more = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "dp_mean", e->dp_mean, "dp_mean_se", e->dp_mean_se, "dp_rms",
                         e->dp_rms, "dp_rms_se", e->dp_rms_se, "top1", e->top1, "top1_se", e->top1_se);
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
    json_object_set_new(o, "stopped", json_boolean(stopped));
    return cli_print_json(c, o);
}

static int print_eval_text(cli *c, const precis_eval_result *e)
{
    const bool narrow = cli_columns() < 64;
    cli_row(2, "%llu tokens in %llu windows, arithmetic: %s", (unsigned long long)e->tokens,
            (unsigned long long)e->windows, precis_arithmetic_name(e->arithmetic));
    putchar('\n');
    cli_row(4, "perplexity               %10.4f +- %.4f", e->ppl, e->ppl_se);
    if (e->has_reference) {
        cli_row(4, "  of the reference       %10.4f +- %.4f", e->ref_ppl, e->ref_ppl_se);
        cli_row(4, "  ln(ratio)              %10.5f +- %.5f", e->log_ratio, e->log_ratio_se);
        cli_row(4, "%-24s %10.6f +- %.6f%s", narrow ? "KL, mean (nats/token)" : "KL divergence, mean", e->kld_mean,
               e->kld_se, narrow ? "" : " nats per token");
        for (int i = 0; i < PRECIS_QUANTILES; i++)
            cli_row(4, "  quantile %-5s         %10.6f +- %.6f", quantile_names[i], e->kld_quantile[i],
                   e->kld_quantile_se[i]);
        cli_row(4, "  largest                %10.6f", e->kld_max);
        cli_row(2, "probability of the right token, difference");
        cli_row(4, "  mean                   %9.4f%% +- %.4f%%", 100 * e->dp_mean, 100 * e->dp_mean_se);
        cli_row(4, "  root mean square       %9.4f%% +- %.4f%%", 100 * e->dp_rms, 100 * e->dp_rms_se);
        cli_row(4, "top-1 agreement          %9.3f%% +- %.3f%%", 100 * e->top1, 100 * e->top1_se);
    }
    return cli_done(c);
}

/* -1, or the exit code of a wrong option. */
static int get_eval_options(cli *c, precis_eval_options *o)
{
    int64_t ctx, chunks, batch;
    if (!cli_int(c, "--ctx", 512, 8, 1 << 20, &ctx) || !cli_int(c, "--chunks", 0, 1, 1 << 24, &chunks) ||
        !cli_int(c, "--batch", 0, 1, 64, &batch))
        return EXIT_USAGE;
    o->window = (uint32_t)ctx;
    o->windows = (uint32_t)chunks;
    o->batch = (uint32_t)batch;
    if (!cli_arithmetic(c, cli_has(c, "--emulate") ? PRECIS_EMULATED : PRECIS_FAST, &o->arithmetic)) return EXIT_USAGE;
    o->k_type = cli_get(c, "--cache-k");
    o->v_type = cli_get(c, "--cache-v");
    o->logits = cli_get(c, "--logits");
    if (cli_has(c, "--html") && (cli_eval_is_suite(c) || cli_has(c, "--ladder") || cli_has(c, "--sts") ||
                                 cli_has(c, "--ids")))
        return cli_usage(c, "--html is for one text and one model (no --domains, --tasks, --gate, --ladder, --sts, "
                            "--ids)");
    if (o->logits && (cli_eval_is_suite(c) || cli_has(c, "--ladder") || cli_has(c, "--sts") || cli_has(c, "--ids")))
        return cli_usage(c, "--logits is for one text and one model (no --domains, --tasks, --gate, --ladder, --sts, "
                            "--ids)");
    return -1;
}

static int eval_ids(cli *c, const precis_eval_options *o)
{
    precis_model *m;
    const precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    int rc = st ? cli_fail(c, st) : cli_add_adapters(c, m, false);
    precis_eval_options own = *o;
    if (!st) own.arithmetic = precis_arithmetic_for(c->ctx, m, o->arithmetic);
    if (rc < 0) rc = cli_eval_ids(c, m, &own);
    precis_model_close(&m);
    return rc;
}

/* Figures so far, and those of parts of the text. */
enum { BINS = 2048, BIN = 64 }; /* parts, and scored tokens of each */
typedef struct {
    cli_running sums;
    double bins[BINS][2]; /* sums of parts: nll, kld */
} running;

static void count_token(void *user, const precis_eval_token *t)
{
    running *r = user;
    const size_t bin = r->sums.n / BIN;
    cli_running_token(&r->sums, t);
    if (bin < BINS) r->bins[bin][0] += t->nll, r->bins[bin][1] += t->kld;
}

/* ---- the page --------------------------------------------------------------------------------------------------- */

typedef struct { const cli *c; const precis_eval_result *e; const running *run; } eval_page;

static void put_quantiles(chart *figure, const precis_eval_result *e)
{
    static const double at[PRECIS_QUANTILES] = { 0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999 };
    chart_open(figure, &(chart_labels){ "quantiles", "Divergence of tokens, by quantile", "part of the tokens, %",
               "KL divergence (nats)", .log_y = true });
    chart_series *line = chart_add(figure, "at most this, of so many tokens", false),
                 *mean = chart_add(figure, "mean of all", false);
    for (int i = 0; i < PRECIS_QUANTILES; i++)
        if (e->kld_quantile[i] > 1e-9) chart_put(line, 100 * at[i], e->kld_quantile[i]);
    chart_put(mean, 0, e->kld_mean);
    chart_put(mean, 100, e->kld_mean);
    snprintf(figure->note, sizeof figure->note, "Half of the tokens lose less than %.3g nats, one in a hundred more "
             "than %.3g.", e->kld_quantile[4], e->kld_quantile[7]);
}

static void put_parts(chart *figure, const running *r, int what)
{
    chart_series *s = chart_add(figure, "64 tokens", true);
    for (size_t i = 0; i < r->sums.n / BIN && i < BINS && i < CHART_POINTS; i++) {
        const double v = r->bins[i][what] / BIN;
        chart_put(s, (double)(i * BIN + BIN / 2), what ? v : exp(v));
    }
}

static void fill_page(FILE *f, void *user)
{
    const eval_page *x = user;
    const precis_eval_result *e = x->e;
    chart figures[3];
    char values[4][64];
    int n = 0;
    page_begin(f, e->has_reference ? "What was lost" : "Perplexity");
    page_paragraph(f, "%s%s%s: %llu tokens in %llu windows, arithmetic: %s.", x->c->args[0],
                   e->has_reference ? " against " : "", cli_get(x->c, "--against") ? cli_get(x->c, "--against") : "",
                   (unsigned long long)e->tokens, (unsigned long long)e->windows,
                   precis_arithmetic_name(e->arithmetic));
    if (e->has_reference) {
        put_quantiles(&figures[n++], e);
        chart_open(&figures[n], &(chart_labels){ "divergence", "Divergence along the text", "scored token",
                   "KL divergence (nats per token)", .whole_x = true });
        figures[n].low_y = 0;
        put_parts(&figures[n++], x->run, 1);
    }
    chart_open(&figures[n], &(chart_labels){ "perplexity", "Perplexity along the text", "scored token", "perplexity",
               .log_y = true, .whole_x = true });
    put_parts(&figures[n++], x->run, 0);
    page_figures(f, figures, n);
    snprintf(values[0], 64, "%.4f +- %.4f", e->ppl, e->ppl_se);
    snprintf(values[1], 64, "%.4f +- %.4f", e->ref_ppl, e->ref_ppl_se);
    snprintf(values[2], 64, "%.6f +- %.6f", e->kld_mean, e->kld_se);
    snprintf(values[3], 64, "%.3f %% +- %.3f %%", 100 * e->top1, 100 * e->top1_se);
    const char *const rows[][2] = { { "perplexity", values[0] }, { "of the reference", values[1] },
                                    { "KL divergence, nats per token", values[2] },
                                    { "the same next token", values[3] } };
    page_table(f, rows, e->has_reference ? 4 : 1);
    page_end(f);
    for (int i = 0; i < n; i++) chart_close(&figures[i]);
}

/* One text, or the suite of texts and tasks, of a model and perhaps its reference. */
static int eval_models(cli *c, const precis_eval_options *o, const char *text, size_t len)
{
    precis_model *m = NULL, *ref = NULL;
    precis_eval_result e = { .size = sizeof e };
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    int rc = st ? -1 : cli_add_adapters(c, m, false);
    static running run; /* of one call: it is large */
    run = (running){ .sums.reference = cli_has(c, "--against") || o->logits };
    const char *html = cli_get(c, "--html");
    precis_eval_options own = *o;
    if (!st) own.arithmetic = precis_arithmetic_for(c->ctx, m, o->arithmetic);
    const precis_eval_options plain = own;
    own.each = count_token;
    own.user = &run;
    if (rc < 0) {
        if (!st && cli_has(c, "--against")) st = precis_model_open(c->ctx, &ref, cli_get(c, "--against"));
        if (!st && cli_eval_is_suite(c)) rc = cli_eval_suite(c, m, ref, &plain);
        else {
            if (!st) st = precis_eval_text(c->ctx, m, ref, text, len, &own, &e);
            cli_progress_note("");
            const bool part = st == PRECIS_ECANCELED && e.windows;
            if (part)
                cli_error(c, "stopped: what follows is of the first %llu windows%s", (unsigned long long)e.windows,
                          o->logits ? "; logits that were not there are not kept" : "");
            if (html && (!st || part))
                rc = page_write(c, html, fill_page, &(eval_page){ c, &e, &run });
            if (rc >= 0) {}
            else if (st && !part) rc = cli_fail(c, st);
            else rc = c->json ? print_eval_json(c, &e, part) : print_eval_text(c, &e);
            if (part) rc = EXIT_INTERRUPTED;
        }
    }
    precis_model_close(&ref);
    precis_model_close(&m);
    return rc;
}

/* Options of nets say nothing of a language model. */
static int only_models(const cli *c)
{
    static const char *const nets[] = { "--labels", "--output", "--detections", "--ignore", "--resize", "--crop",
                                        "--mean", "--std", "--pixels", "--layout", "--mem-limit", "--nodes" };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        if (cli_has(c, nets[i]))
            return cli_usage(c, "%s is for nets of arrays (ONNX, .pt2), which %s is not", nets[i], c->args[0]);
    return -1;
}

static int run(cli *c)
{
    if (cli_has(c, "--history")) return cli_history_show(c);
    if (!c->n_args) return cli_usage(c, "eval needs a MODEL (precis eval --help)");
    if (precis_net_probe(c->ctx, c->args[0])) return cli_net_eval(c);
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    int rc = only_models(c);
    if (rc < 0) rc = get_eval_options(c, &o);
    if (rc >= 0) return rc;
    if (cli_has(c, "--ids")) return eval_ids(c, &o);
    size_t len = 0;
    char *read = NULL;
    const char *file = cli_eval_is_suite(c) ? NULL : cli_get(c, "--text");
    rc = file ? cli_read_text(c, file, PRECIS_INPUT_TEXT, &read, &len) : -1;
    if (rc >= 0) return rc;
    const char *text = file ? read : precis_eval_default_text(&len);
    if (cli_has(c, "--sts")) rc = cli_eval_pairs_of_sentences(c, o.arithmetic);
    else if (cli_has(c, "--ladder")) rc = cli_eval_ladder(c, &o, text, len);
    else rc = eval_models(c, &o, text, len);
    precis_text_free(c->ctx, read);
    return rc;
}

const cli_command cli_eval = {
    "eval", "MODEL", "perplexity of a model, and what it lost against a reference",
    "Windows are llama.cpp's: the text is cut into windows of --ctx "
    "tokens and the second half of each is scored.\n"
    "Every figure has its standard error over tokens. Tasks follow "
    "lm-evaluation-harness: acc and acc_norm by log-likelihood.\n"
    "The gate asks whether the loss stays below a margin, with 95 % over "
    "all texts and tasks together (docs/gate.md).\n"
    "Figures so far stand beside the bar. Ctrl-C ends it with those of what was done (exit 130, no verdict); a second "
    "one at once.",
    0, 1, options, run,
    "  precis eval small.gguf --against model.gguf --text wiki.test.raw\n"
    "  precis eval small.gguf --against model.gguf --logits model.logits.gguf\n"
    "  precis eval smaller.gguf --logits model.logits.gguf\n"
    "  precis eval small.gguf --against model.gguf --chunks 24 --cache-k int8 --cache-v int4 --json\n"
    "  precis eval small.gguf --against model.gguf --text wiki.test.raw --gate --max-kld 0.05\n"
    "  precis eval small.gguf --against model.gguf --domains --tasks "
    "arc_easy,reasoning --data ~/sets --gate --max-kld 0.05 --max-drop 2%\n"
    "  precis eval net8.onnx --against net.onnx --data x.npy --labels y.npy --gate --max-drop 0.5%\n"
    "  precis eval net.onnx --data images --resize 256 --crop 224 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225\n"
    "  precis eval --history\n"
    "  precis eval model.gguf --ids 1,306,4658 --nll\n"
    "  precis eval model.gguf --ladder W8A8,FP8,W4A16,NVFP4,MXFP4,NF4,W3A16,W2A16\n",
    NULL
};
