/* eval_more.c - what `precis eval` does beside texts: ids, pairs of sentences, ladders of schemes. */
#include "eval.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_IDS = 65536 };

int cli_eval_ids(cli *c, const precis_model *m, const precis_eval_options *o)
{
    const char *s = cli_get(c, "--ids");
    int32_t *ids = cli_grow(NULL, MAX_IDS * sizeof *ids);
    double *nll = cli_grow(NULL, MAX_IDS * sizeof *nll), sum = 0;
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
    precis_status st = ids && nll ? precis_eval_ids(c->ctx, m, ids, n, o, nll) : PRECIS_ENOMEM;
    size_t done = 0;
    while (ids && nll && done + 1 < n && (!st || st == PRECIS_ECANCELED) && isfinite(nll[done])) done++;
    const bool part = st == PRECIS_ECANCELED && done;
    if (part) st = PRECIS_OK, n = done + 1;
    if (part) cli_error(c, "stopped: what follows is of the first %zu ids", n);
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
    int rc;
    if (c->json)
        rc = cli_print_json(c, json_pack("{s:o, s:f, s:s, s:b}", "nll", list, "mean", sum / (double)(n - 1),
                                         "arithmetic", precis_arithmetic_name(o->arithmetic), "stopped", part));
    else {
        printf("mean negative log-likelihood %.6f nats\n", sum / (double)(n - 1));
        rc = cli_done(c);
    }
    return part ? EXIT_INTERRUPTED : rc;
}

int cli_eval_pairs_of_sentences(cli *c, precis_arithmetic arithmetic)
{
    size_t len;
    char *csv;
    const int unread = cli_read_text(c, cli_get(c, "--sts"), PRECIS_INPUT_TABLE, &csv, &len);
    if (unread >= 0) return unread;
    precis_model *m = NULL;
    precis_similarity s = { .size = sizeof s };
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (!st) arithmetic = precis_arithmetic_for(c->ctx, m, arithmetic);
    if (!st) st = precis_eval_similarity(c->ctx, m, csv, len, arithmetic, &s);
    precis_model_close(&m);
    precis_text_free(c->ctx, csv);
    const bool part = st == PRECIS_ECANCELED && s.pairs;
    if (st && !part) return cli_fail(c, st);
    if (part) cli_error(c, "stopped: what follows is of the first %llu pairs", (unsigned long long)s.pairs);
    int rc;
    if (c->json)
        rc = cli_print_json(c, json_pack("{s:I, s:f, s:f, s:s, s:b}", "pairs", (json_int_t)s.pairs, "spearman",
                                         s.spearman, "pearson", s.pearson, "arithmetic",
                                         precis_arithmetic_name(arithmetic), "stopped", part));
    else {
        printf("%llu pairs: Spearman %.4f, Pearson %.4f\n", (unsigned long long)s.pairs, s.spearman, s.pearson);
        rc = cli_done(c);
    }
    return part ? EXIT_INTERRUPTED : rc;
}

typedef struct { cli *c; json_t *rows; size_t n; } ladder;

static void print_row(void *user, const precis_ladder_row *r)
{
    ladder *l = user;
    const bool first = !l->n++;
    if (l->c->json) {
        json_array_append_new(l->rows,
                              json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:b}", "type", r->type,
                                        "bytes", (json_int_t)r->bytes, "bits_per_weight", r->bits_per_weight, "ppl",
                                        r->eval.ppl, "ref_ppl", r->eval.ref_ppl, "kld_mean", r->eval.kld_mean, "kld_se",
                                        r->eval.kld_se, "top1", r->eval.top1, "flips", 1 - r->eval.top1, "decode_tok_s",
                                        r->decode_tok_s, "arithmetic", r->arithmetic, "kernel", r->kernel));
        return;
    }
    char size[32];
    cli_progress_clear();
    if (first)
        cli_row(4, "%-12s %10s %7s %10s %22s %14s %10s", "scheme", "size", "bpw", "perplexity", "KL (nats/token)",
                "flips", "tokens/s");
    cli_row(4, "%-12s %10s %7.3f %10.3f %11.5f +- %7.5f %6.2f%% +- %4.2f%% %9.1f%s", r->type,
            cli_bytes((double)r->bytes, size), r->bits_per_weight, r->eval.ppl, r->eval.kld_mean, r->eval.kld_se,
            100 * (1 - r->eval.top1), 100 * r->eval.top1_se, r->decode_tok_s, r->kernel ? "" : " *");
    fflush(stdout);
}

static int end_ladder(cli *c)
{
    putchar('\n');
    cli_say(2, "loss: weights and activations as the scheme says, in reference arithmetic; speed: the kernels of "
            "`precis run`");
    cli_say(2, "* those have other elements than the scheme (docs/formats.md)");
    return cli_done(c);
}

int cli_eval_ladder(cli *c, const precis_eval_options *eval, const char *text, size_t len)
{
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    o.eval = *eval;
    if (!o.eval.windows) o.eval.windows = 8;
    o.text = text;
    o.text_len = len;
    o.quant.method = cli_get(c, "--method");
    char *calib = NULL;
    size_t calib_len = 0;
    const int unread =
        cli_has(c, "--calib") ? cli_read_text(c, cli_get(c, "--calib"), PRECIS_INPUT_TEXT, &calib, &calib_len) : -1;
    if (unread >= 0) return unread;
    const char *texts[1] = { calib };
    o.calibrate.texts = texts;
    o.calibrate.lengths = &calib_len;
    o.calibrate.n_texts = calib ? 1 : 0;
    ladder l = { c, json_array(), 0 };
    precis_model *m = NULL;
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (!st) st = precis_ladder(c->ctx, m, cli_get(c, "--ladder"), NULL, &o, print_row, &l);
    precis_model_close(&m);
    precis_text_free(c->ctx, calib);
    const bool part = st == PRECIS_ECANCELED && l.n;
    if ((st && !part) || !c->json) json_decref(l.rows);
    if (st && !part) return cli_fail(c, st);
    if (part) cli_error(c, "stopped: the first %zu schemes are whole", l.n);
    int rc = EXIT_DONE;
    if (c->json) rc = cli_print_json(c, json_pack("{s:o, s:b}", "rows", l.rows, "stopped", part));
    else rc = end_ladder(c);
    return part ? EXIT_INTERRUPTED : rc;
}
