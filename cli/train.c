/* precis train - a llama from text, or from a language whose entropy is known; a net of arrays from samples. */
#include "cli.h"
#include "spread.h"
#include "term.h"
#include "train_log.h"

#include <math.h>
#include <stdlib.h>

static const cli_option options[] = {
    { "--output", 'o', "OUT.gguf|onnx",
      "the checkpoint: a GGUF file (of nets of arrays ONNX), whole at any moment" },
    { "--resume", 0, NULL,
      "go on from OUT where it is there; the bytes at the end are those of a run that was never interrupted" },
    { "--from", 0, "MODEL", "begin with a model's numbers, and read texts by its tokenizer; or with an ONNX net" },
    { "--qat", 0, "TYPE", "train for a type (matrices of layers), or for a list of PATTERN=TYPE (all that match)" },
    { "--plan", 0, "FILE", "train for a plan that precis plan wrote: a type for each tensor, and a cache" },
    { "--estimator", 0, "NAME", "how weights learn that are rounded: ste, lsq, pact, pareto, trust, ternary, binary" },
    { "--only", 0, "PATTERN", "train these tensors alone (more than once)" },
    { "--distill", 0, "MODEL", "learn a model's distribution, mixed with the text as the configuration says" },
    { "--adapter", 0, "r=N", "train low-rank adapters beside the weights of --from (r=8,alpha=16); any type" },
    { "--lora", 0, "OUT.gguf", "with --adapter: the adapters, for run --lora and llama.cpp" },
    { "--merged", 0, "OUT.gguf",
      "with --lora: the model with them in its weights, in its types; what that loses is said" },
    { "--compute", 0, "NAME",
      "products of layers in f32 (default), bf16, int8, fp8, mxfp4 or nvfp4; which are real is said" },
    { "--quantized", 0, "OUT.gguf|onnx",
      "at the end, the model in the types that it was trained for; its held-out loss, run from there, is printed" },
    { "--plot", 0, "OUT.html|svg", "loss and rate by step: a page, or a figure alone" },
    { "--results", 0, "FILE", "the history that the run is a row of (default: that of eval --gate)" },
    { "--name", 0, "NAME", "of the run in the history (default train)" },
    { "--no-history", 0, NULL, "keep no row of it" },
    { "--card", 0, "OUT.json", "what the data are: files, tokens, copies, and what of the held-out text they have" },
    { 0 },
};

/* A number as JSON has it: none where it is not known. */
static json_t *known_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

/* A line of its own, as each step is one. */
static void print_line(json_t *o)
{
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(o);
    putchar('\n');
}

/* Of the process that has started, or of one rank. */
typedef struct { cli *c; train_log *log; bool follows; } watcher;

static int print_step(void *user, const precis_train_step *s)
{
    const watcher *w = user;
    const cli *c = w->c;
    if (w->follows) return 0;
    train_log_step(w->log, s);
    if (c->json) {
        json_t *o = json_pack("{s:I, s:o, s:o}", "step", (json_int_t)s->step, "loss", known_number(s->loss), "error",
                              known_number(s->error));
        json_object_set_new(o, "lr", known_number(s->lr));
        json_object_set_new(o, "tokens_s", known_number(s->tokens_s));
        json_object_set_new(o, "share", known_number(s->share));
        print_line(o);
    } else if (!c->quiet && (s->step == s->steps || s->step <= 10 || s->step % 10 == 0))
        cli_row(2, "step %llu of %llu: loss %.4f +- %.4f, lr %.3g, norm %.3g, %.0f tokens/s, %.0f%% of this machine's "
                "peak, %.0f s to go", (unsigned long long)s->step, (unsigned long long)s->steps, s->loss, s->error,
                s->lr, s->norm, s->tokens_s, 100 * s->share, s->eta_s);
    fflush(stdout);
    return 0;
}

static int trained_json(cli *c, const precis_train_options *o, const precis_train_result *r)
{
    json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "out", o->out, "sha256", r->sha256, "steps",
                          (json_int_t)r->steps, "from", (json_int_t)r->from, "parameters", (json_int_t)r->parameters,
                          "tokens", (json_int_t)r->tokens, "heldout", known_number(r->heldout), "heldout_error",
                          known_number(r->heldout_error), "entropy", known_number(r->entropy));
    if (isfinite(r->contamination)) json_object_set_new(j, "contamination", json_real(r->contamination));
    json_object_set_new(j, "products", json_string(r->products));
    if (o->quantized) json_object_set_new(j, "quantized", json_string(o->quantized));
    if (o->lora) json_object_set_new(j, "lora", json_string(o->lora));
    if (o->quantized || o->lora) json_object_set_new(j, "served", known_number(r->served));
    if (isfinite(r->accuracy)) json_object_set_new(j, "accuracy", json_real(r->accuracy));
    if (isfinite(r->served_accuracy)) json_object_set_new(j, "served_accuracy", json_real(r->served_accuracy));
    if (o->merged) json_object_set_new(j, "merged_kld", known_number(r->merged_kld));
    print_line(j);
    return cli_done(c);
}

static int trained_text(cli *c, const precis_train_options *o, const precis_train_result *r)
{
    char *text;
    size_t len;
    FILE *f = cli_text_stream(&text, &len);
    if (!f) return cli_done(c);
    fprintf(f, "%s: %llu parameters, %llu tokens", o->out, (unsigned long long)r->parameters,
            (unsigned long long)r->tokens);
    if (isfinite(r->heldout)) fprintf(f, "; held out %.4f +- %.4f nats a token", r->heldout, r->heldout_error);
    if (isfinite(r->accuracy)) fprintf(f, ", %.2f %% right", 100 * r->accuracy);
    if (isfinite(r->entropy)) fprintf(f, ", of which %.4f are the language's own entropy", r->entropy);
    if (r->contamination > 0) fprintf(f, "; the texts have %.3g %% of what is held out", 100 * r->contamination);
    const char *file = o->quantized ? o->quantized : o->lora;
    if (file) fprintf(f, "\n%s", file);
    if (o->merged) fprintf(f, ", and merged: %.5f nats a token of KL divergence", r->merged_kld);
    if (file && isfinite(r->served)) fprintf(f, ": held out %.4f when it is run", r->served);
    if (isfinite(r->served_accuracy)) fprintf(f, ", %.2f %% right", 100 * r->served_accuracy);
    if (cli_text_close(f, &text)) cli_fold_row(text, 2);
    free(text);
    cli_row(2, "products: %s", r->products);
    printf("sha256 %s\n", r->sha256);
    return cli_done(c);
}

/* What the options say. */
static int read_options(cli *c, precis_train_options *o, const char *only[32])
{
    o->out = cli_get(c, "--output");
    o->resume = cli_has(c, "--resume");
    if (!o->out) return cli_usage(c, "where to? -o OUT");
    for (; o->n_only < 32 && (only[o->n_only] = cli_get_nth(c, "--only", (int)o->n_only)); o->n_only++) {}
    o->only = only;
    o->from = cli_get(c, "--from");
    o->qat = cli_get(c, "--qat");
    o->plan = cli_get(c, "--plan");
    o->estimator = cli_get(c, "--estimator");
    o->distill = cli_get(c, "--distill");
    o->adapter = cli_get(c, "--adapter");
    o->lora = cli_get(c, "--lora");
    o->merged = cli_get(c, "--merged");
    o->compute = cli_get(c, "--compute");
    o->quantized = cli_get(c, "--quantized");
    o->card = cli_get(c, "--card");
    return o->qat && o->plan ? cli_usage(c, "--qat or --plan: one or the other") : -1;
}

static int train_here(cli *c, const precis_train_options *o, watcher *w)
{
    precis_train_result r = { .size = sizeof r };
    const precis_status st = precis_train(c->ctx, c->args[0], o, &r);
    if (st)
        return w->follows                      ? EXIT_RESOURCES
               : st == PRECIS_EIO && o->spread ? (cli_fail(c, st), EXIT_RESOURCES)
                                               : cli_fail(c, st);
    if (w->follows) return EXIT_DONE;
    const char *plot = cli_get(c, "--plot");
    int rc = plot ? train_log_plot(c, w->log, &r, plot) : -1;
    if (rc < 0) rc = train_log_keep(c, w->log, &r);
    return rc >= 0 ? rc : c->json ? trained_json(c, o, &r) : trained_text(c, o, &r);
}

static int run(cli *c)
{
    precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
    const char *only[32];
    precis_spread spread = { .size = 1 };
    int rc = read_options(c, &o, only);
    if (rc < 0 && cli_has(c, "--results") && precis_part_need(c->ctx, "SQLite", "--results"))
        rc = cli_fail(c, PRECIS_EUNSUPPORTED);
    if (rc < 0) rc = spread_open(c, &spread);
    train_log *log = rc < 0 ? cli_alloc(1, sizeof *log) : NULL;
    if (rc < 0 && !log) rc = cli_no_memory(c);
    if (rc < 0) {
        watcher w = { c, log, spread.rank > 0 };
        o.spread = spread.size > 1 ? &spread : NULL;
        o.each = print_step;
        o.user = &w;
        rc = train_here(c, &o, &w);
    }
    free(log);
    spread_close(&spread);
    return rc;
}

const cli_command cli_train = {
    "train",
    "CONFIG",
    "train a llama from text, or a net of arrays from samples with labels",
    "CONFIG is JSON: {\"model\": {\"width\", \"layers\", \"heads\", \"kv_heads\", \"hidden\", \"vocabulary\", "
    "\"qk_norm\"}, \"data\": {\"text\": [FILES],\n"
    "\"heldout\": FILE, \"context\", \"batch\"} or {\"language\": {\"seed\"}, ...}, \"steps\", \"checkpoint\": steps "
    "between two, \"seed\",\n"
    "\"optimizer\": {\"name\", \"lr\", \"betas\", \"eps\", \"decay\", \"clip\"}, \"schedule\": {\"name\", \"warmup\", "
    "\"final\"},\n\"quant\": {\"weights\": TYPE, \"activations\": \"int8\", \"kv\": \"int8\", \"estimator\", \"from\": "
    "share, \"freeze\"}, \"only\": [PATTERNS]}.\n"
    "Nets of arrays: {\"model\": {\"arch\": \"cnn\", \"input\": [1, 28, 28], \"classes\", \"net\": [{\"conv\": 8, "
    "\"norm\": true,\n\"activation\": \"relu\", \"pool\": 2}, ...]}, \"data\": {\"arrays\": FILE, \"labels\": FILE, "
    "\"heldout\": FILE,\n\"heldout_labels\": FILE, \"batch\"}, ...}, or an ONNX file by --from.\n"
    "docs/training.md has all keys; one that is not known is an error. Tokens are bytes, or those of the model that\n"
    "it begins with (--from). The checkpoint's bytes depend neither on threads nor on interruptions.\n",
    1,
    1,
    options,
    run,
    "  precis train config.json -o model.gguf\n  precis train config.json -o model.gguf --resume\n"
    "  precis train config.json -o tuned.gguf --from model.gguf --qat Q2_K --estimator lsq --quantized small.gguf\n",
    NULL
};
