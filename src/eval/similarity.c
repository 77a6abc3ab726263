/* similarity.c - embeddings of sentences, and how well their cosine agrees with people (STS: Cer et al. 2017). */
#include "precis/eval.h"
#include "base/options.h"

#include "eval/rank.h"
#include "precis/text.h"
#include "run/runner.h"

#include <math.h>
#include <stdlib.h>

precis_status precis_embed_text(precis_runner *r, precis_tokenizer *t, const char *text, size_t len, float *out)
{
    precis_runner_info info = { .size = sizeof info };
    precis_runner_get_info(r, &info);
    int32_t *ids;
    size_t n;
    precis_status st = precis_tokenizer_encode(t, text, len, PRECIS_TEXT_ADD, &ids, &n);
    if (st) return st;
    const size_t width = r->lm.width;
    const uint32_t most = info.context < info.batch ? info.context : info.batch;
    if (!r->lm.encoder)
        st = pcs_fail(r->ctx, PRECIS_EUNSUPPORTED, "the model is no encoder; embeddings come from BERT and its like");
    if (!st && !n) st = pcs_fail(r->ctx, PRECIS_EINVAL, "the text has no tokens");
    if (!st && n > most) { /* as sentence encoders do: what is beyond the positions is cut, the last token stays */
        ids[most - 1] = ids[n - 1];
        n = most;
    }
    precis_row *rows = pcs_alloc(r->ctx, n, sizeof *rows);
    if (!rows) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) rows[i] = (precis_row){ ids[i], (uint32_t)i, 0, 1 };
    const float *x = NULL;
    if (!st) st = precis_runner_decode(r, rows, (uint32_t)n, &x);
    if (!st) {
        double norm = 0;
        for (size_t c = 0; c < width; c++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++) sum += (double)x[i * width + c];
            out[c] = (float)(sum / (double)n);
            norm += (double)out[c] * out[c];
        }
        const float inv = norm > 0 ? (float)(1.0 / sqrt(norm)) : 0.0f;
        for (size_t c = 0; c < width; c++) out[c] *= inv;
    }
    pcs_free(r->ctx, rows);
    precis_ids_free(t, ids);
    return st;
}

/* ---- pairs in a CSV file ---------------------------------------------------------------------------------- */

/* Reads one field, its quotes undone in place, and moves *p after it. Returns false at the end of the line, where *p is
 * at the start of the next. */
static char *field(char **p, bool *last)
{
    char *s = *p, *w = s, *start = s;
    const bool quoted = *s == '"';
    if (quoted) s++;
    while (*s && (quoted || (*s != ',' && *s != '\n'))) {
        if (quoted && *s == '"') {
            if (s[1] != '"') break;
            s++;
        }
        *w++ = *s++;
    }
    if (quoted && *s == '"') s++;
    while (*s && *s != ',' && *s != '\n') s++;
    *last = *s != ',';
    if (*s) s++;
    *w = 0;
    *p = s;
    return start;
}

/* A record of the file. False: it holds no pair, as a heading at the beginning or an empty line. */
typedef struct { char *one, *two; double score; } pair;

static bool read_pair(char **p, pair *out)
{
    bool last;
    char *end;
    *out = (pair){ .one = field(p, &last) };
    out->two = last ? NULL : field(p, &last);
    char *score = out->two && !last ? field(p, &last) : NULL;
    while (!last) field(p, &last);
    if (!score) return false;
    out->score = strtod(score, &end);
    while (*end == ' ' || *end == '\r') end++;
    return end != score && !*end && isfinite(out->score);
}

/* What stands at `at` of the file, where no pair does. */
static precis_status no_pair(precis_ctx *ctx, const char *csv, size_t at, size_t end)
{
    size_t line = 1;
    for (size_t i = 0; i < at; i++) line += csv[i] == '\n';
    if (line == 1) return PRECIS_OK;
    while (at < end && (csv[at] == '\n' || csv[at] == '\r' || csv[at] == ' ')) at++;
    return at == end ? PRECIS_OK
                     : pcs_fail(ctx, PRECIS_EFORMAT, "line %zu: no sentence,sentence,score of a finite number", line);
}

precis_status precis_eval_similarity(precis_ctx *ctx, const precis_model *model, const char *csv, size_t len,
                                     precis_arithmetic arithmetic, precis_similarity *result)
{
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = arithmetic;
    const int64_t longest = pcs_arch_int(model, "context_length", 512, NULL);
    ro.context = (uint32_t)(longest < 512 ? longest : 512);
    ro.batch = ro.outputs = ro.context;
    precis_runner *r = NULL;
    precis_tokenizer *t = NULL;
    precis_similarity all = { .size = sizeof all };
    char *copy = pcs_alloc(ctx, len + 1, 1);
    size_t lines = 1, n = 0;
    for (size_t i = 0; i < len; i++) lines += csv[i] == '\n';
    double *got = pcs_alloc(ctx, 4 * lines, sizeof *got), *want = got + lines, *rg = want + lines, *rw = rg + lines;
    precis_status st = copy && got ? precis_runner_open(ctx, &r, model, &ro) : PRECIS_ENOMEM;
    if (!st) st = precis_tokenizer_open(ctx, &t, model);
    float *a = st ? NULL : pcs_alloc(ctx, 2 * (size_t)r->lm.width, sizeof *a), *b = st ? NULL : a + r->lm.width;
    if (!st && !a) st = PRECIS_ENOMEM;
    if (!st && memchr(csv, 0, len)) st = pcs_fail(ctx, PRECIS_EFORMAT, "the pairs are no text: a byte is 0");
    if (!st) memcpy(copy, csv, len);
    for (char *p = copy; !st && *p;) {
        const size_t at = (size_t)(p - copy);
        pair of;
        if (!read_pair(&p, &of)) {
            st = no_pair(ctx, csv, at, (size_t)(p - copy));
            continue;
        }
        st = precis_embed_text(r, t, of.one, strlen(of.one), a);
        if (!st) st = precis_embed_text(r, t, of.two, strlen(of.two), b);
        double dot = 0;
        for (uint32_t c = 0; c < r->lm.width && !st; c++) dot += (double)a[c] * b[c];
        got[n] = dot;
        want[n++] = of.score;
        if (!st) st = pcs_progress(ctx, "embed", (uint64_t)(p - copy), len);
    }
    const bool part = st == PRECIS_ECANCELED && n >= 3;
    if (part) st = PRECIS_OK;
    if (!st && n < 3) st = pcs_fail(ctx, PRECIS_EINVAL, "%zu pairs; lines are sentence,sentence,score", n);
    if (!st) st = pcs_ranks(ctx, got, n, rg);
    if (!st) st = pcs_ranks(ctx, want, n, rw);
    if (!st) all = (precis_similarity){ sizeof all, n, pcs_correlation(rg, rw, n), pcs_correlation(got, want, n) };
    pcs_options_give(result, &all, sizeof all);
    if (part && !st) st = PRECIS_ECANCELED;
    pcs_free(ctx, a);
    pcs_free(ctx, got);
    pcs_free(ctx, copy);
    precis_tokenizer_close(&t);
    precis_runner_close(&r);
    return st;
}
