/* texts.c - windows of the texts that a caller gives, or of text that the model makes itself (sampled.c). */
#include "model/finite.h"
#include "precis/text.h"
#include "quant/windows.h"
#include "run/runner.h"
#include "text/tokenizer.h"

#define TOKENS_SAMPLED 8192 /* tokens */
#define TOKENS_WINDOW 512
#define TOKENS_LEAST 64     /* tokens */

static precis_status sample(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o, pcs_windows *w)
{
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    const uint64_t wanted = o->tokens ? o->tokens : TOKENS_SAMPLED;
    precis_runner *r = NULL;
    precis_tokenizer *t = NULL;
    uint64_t made;
    precis_status st = pcs_sample_open(ctx, &r, m, wanted, &ro);
    if (!st && pcs_tokenizes(m)) st = precis_tokenizer_open(ctx, &t, m);
    if (!st) st = pcs_sample_text(r, t, wanted, "sample", w, &made);
    if (!st) st = pcs_sample_check(ctx, t, w);
    precis_tokenizer_close(&t);
    precis_runner_close(&r);
    return st;
}

precis_status pcs_windows_of_texts(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o,
                                   const pcs_window_rule *rule, pcs_windows *w)
{
    const int64_t context = pcs_arch_int(m, "context_length", 2048, NULL);
    *w = (pcs_windows){ .ctx = ctx };
    if (context < 1) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: a context of %lld tokens", m->path, (long long)context);
    precis_tokenizer *t;
    precis_status st = precis_tokenizer_open(ctx, &t, m);
    if (st) return st;
    const uint32_t longest = rule->length ? rule->length : TOKENS_WINDOW;
    const uint32_t window = context < longest ? (uint32_t)context : longest;
    const uint64_t most = o->tokens ? o->tokens : UINT64_MAX;
    for (size_t i = 0; i < o->n_texts && !st && w->n_ids < most; i++) {
        int32_t *ids;
        size_t n;
        st = precis_tokenizer_encode(t, o->texts[i], o->lengths[i], PRECIS_TEXT_ADD, &ids, &n);
        const int32_t bos = st ? -1 : pcs_window_bos(t, ids, n);
        for (size_t at = 0; at < n && !st && w->n_ids < most; at += window) {
            uint64_t k = n - at < window ? n - at : window;
            if (k > most - w->n_ids) k = most - w->n_ids;
            if (bos >= 0) ids[at] = bos; /* a model that begins with it knows no text without */
            if (k >= rule->shortest) st = pcs_windows_add(w, ids + at, (uint32_t)k);
        }
        precis_ids_free(t, ids);
    }
    precis_tokenizer_close(&t);
    if (!st && w->n_ids < rule->least) {
        const char *limited = o->tokens && o->tokens < rule->least ? rule->limit : "";
        st = pcs_fail(ctx, PRECIS_EINVAL, "the calibration text gives %zu token%s%s; %s at least %u, and a few "
                      "thousand to be good", w->n_ids, w->n_ids == 1 ? "" : "s", limited, rule->who, rule->least);
    }
    if (st) pcs_windows_free(w);
    return st;
}

precis_status pcs_windows_make(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o,
                               uint32_t length, pcs_windows *w)
{
    static const char who[] = "methods that look at the whole model need";
    const pcs_window_rule rule = { .length = length, .shortest = 2, .least = TOKENS_LEAST, .who = who,
                                   .limit = " (--calib-tokens)" };
    if (o->n_texts) return pcs_windows_of_texts(ctx, m, o, &rule, w);
    *w = (pcs_windows){ .ctx = ctx };
    const precis_status st = sample(ctx, m, o, w);
    if (st) pcs_windows_free(w);
    return st;
}
