/* spearman.c - how well a net's order is the one of given scores: of the cosine of two samples that follow one another
 * (embeddings of sentences, STS: Cer et al. 2017), or of the one number that it gives for a sample. An embedding is an
 * output [n][width], or the mean over the tokens of [n][tokens][width] where an input [n][tokens] is not 0. */
#include "eval/net/score.h"

#include "eval/rank.h"

#include <math.h>

typedef struct {
    double *got;     /* [labels] */
    double *first;   /* of a pair: the embedding of its first sample */
    double *x;       /* ranks and values, resampled: [4][labels] */
    size_t width;
    pcs_numbers mask;
} embeddings;

static bool fits(const pcs_labels *l, const precis_eval_net_options *o)
{
    (void)o;
    return l->scores.at != NULL;
}

static precis_status begin(pcs_score *s)
{
    embeddings *e = s->state = pcs_alloc(s->ctx, 1, sizeof *e);
    if (!e) return PRECIS_ENOMEM;
    e->got = pcs_alloc(s->ctx, (size_t)s->n + 1, sizeof *e->got);
    e->x = pcs_alloc(s->ctx, (size_t)s->n + 1, 4 * sizeof *e->x);
    if (!e->got || !e->x) return PRECIS_ENOMEM;
    return s->n < 3 ? pcs_fail(s->ctx, PRECIS_EINVAL, "%s: %llu scores; an order needs three", s->labels->where,
                               (unsigned long long)s->n)
                    : PRECIS_OK;
}

/* The mask of a run, [batch][tokens]; none: all tokens count. */
static precis_status mask_of(pcs_score *s, uint64_t batch, size_t tokens, const double **mask)
{
    const char *name = s->o->mask ? s->o->mask : "attention_mask";
    embeddings *e = s->state;
    *mask = NULL;
    for (size_t k = 0; k < s->n_inputs; k++) {
        if (!s->inputs[k].name || strcmp(s->inputs[k].name, name)) continue;
        const precis_status st = pcs_numbers_of(s->ctx, &s->inputs[k], &e->mask);
        if (st) return st;
        if (e->mask.n == (size_t)batch * tokens) *mask = e->mask.at;
        else if (s->o->mask) break;
        return PRECIS_OK;
    }
    return s->o->mask ? pcs_fail(s->ctx, PRECIS_EINVAL, "--mask %s is no input [n][%zu]", name, tokens) : PRECIS_OK;
}

static precis_status embed(pcs_score *s, uint64_t row, uint64_t batch, const pcs_numbers *x, double *out)
{
    const size_t width = (size_t)x->shape[x->dims - 1], tokens = x->dims == 3 ? (size_t)x->shape[1] : 1;
    const double *p = x->at + row * tokens * width, *mask = NULL;
    double count = 0;
    const precis_status st = tokens > 1 ? mask_of(s, batch, tokens, &mask) : PRECIS_OK;
    memset(out, 0, width * sizeof *out);
    for (size_t t = 0; t < tokens && !st; t++) {
        if (mask && mask[row * tokens + t] == 0) continue;
        count++;
        for (size_t k = 0; k < width; k++) out[k] += p[t * width + k];
    }
    for (size_t k = 0; k < width && count > 0; k++) out[k] /= count;
    return st;
}

static double cosine(const double *a, const double *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

static precis_status add(pcs_score *s, uint64_t i, uint64_t row, uint64_t n, const pcs_numbers *outputs)
{
    const pcs_numbers *x = &outputs[s->output];
    const size_t of_sample = x->n / (size_t)n;
    embeddings *e = s->state;
    if (s->labels->each == 1) {
        if (of_sample != 1 || x->n % n)
            return pcs_fail(s->ctx, PRECIS_EINVAL,
                            "%s has a score for each sample, and output %s %zu numbers (of pairs: half as many scores)",
                            s->labels->where, x->name, of_sample);
        e->got[i] = x->at[row];
        return PRECIS_OK;
    }
    const bool rows = x->dims >= 2 && x->dims <= 3 && (uint64_t)x->shape[0] == n && of_sample;
    const size_t width = rows ? (size_t)x->shape[x->dims - 1] : 0;
    if (!rows || (e->width && e->width != width))
        return pcs_fail(s->ctx, PRECIS_EINVAL,
                        "%s has a score for each pair of samples, and output %s no row [n][width], [n][tokens][width]",
                        s->labels->where, x->name);
    if (!e->first && !(e->first = pcs_alloc(s->ctx, width, 2 * sizeof *e->first))) return PRECIS_ENOMEM;
    e->width = width;
    const precis_status st = embed(s, row, n, x, e->first + (i % 2 ? width : 0));
    if (!st && i % 2) e->got[i / 2] = cosine(e->first, e->first + width, width);
    return st;
}

/* Ranks of a resample are of its own members. Without memory it is NaN: the context has counted it. */
static double value(const pcs_score *s, const uint32_t *weight, double *second)
{
    const embeddings *e = s->state;
    double *got = e->x, *want = got + s->n, *rg = want + s->n, *rw = rg + s->n;
    size_t n = 0;
    for (uint64_t i = 0; i < s->n; i++)
        for (uint32_t w = weight ? weight[i] : 1; w && n < s->n; w--) {
            got[n] = e->got[i];
            want[n++] = s->labels->scores.at[i];
        }
    if (second) *second = pcs_correlation(got, want, n);
    if (pcs_ranks(s->ctx, got, n, rg) || pcs_ranks(s->ctx, want, n, rw)) return NAN;
    return pcs_correlation(rg, rw, n);
}

static void end(pcs_score *s)
{
    embeddings *e = s->state;
    if (!e) return;
    pcs_numbers_free(s->ctx, &e->mask);
    pcs_free(s->ctx, e->got);
    pcs_free(s->ctx, e->x);
    pcs_free(s->ctx, e->first);
    pcs_free(s->ctx, e);
}

const pcs_score_kind pcs_score_spearman = {
    .name = "spearman", .second = "pearson", .fits = fits, .begin = begin, .add = add, .value = value, .end = end,
};
