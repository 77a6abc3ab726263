/* sampler.c - from logits to a token: repetition penalty (Keskar et al. 2019), temperature, top-k, top-p
 * (Holtzman et al. 2019), min-p (Nguyen et al. 2024), in this order. */
#include "base/options.h"
#include "base/fmath.h"
#include "precis/run.h"

#include <stdlib.h>

typedef struct { float logit; int32_t id; } candidate;

struct precis_sampler {
    precis_ctx *ctx;
    precis_sampler_options opt;
    uint32_t vocabulary;
    uint64_t state;
    candidate *c;
    int32_t *history; /* ring of the last `window` tokens */
    uint64_t n_history;
    uint32_t *counts; /* [vocabulary]: how often each stands in it */
};

precis_status precis_sampler_open(precis_ctx *ctx, precis_sampler **out, uint32_t vocabulary,
                                  const precis_sampler_options *opts)
{
    precis_sampler_options o = PRECIS_SAMPLER_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    *out = NULL;
    if (!(o.temperature >= 0 && o.temperature <= 100))
        return pcs_fail(ctx, PRECIS_EINVAL, "temperature %g is not 0 to 100", (double)o.temperature);
    if (o.top_k < 0) return pcs_fail(ctx, PRECIS_EINVAL, "top-k %d is negative", o.top_k);
    if (!(o.top_p > 0 && o.top_p <= 1))
        return pcs_fail(ctx, PRECIS_EINVAL, "top-p %g is not above 0 and at most 1", (double)o.top_p);
    if (!(o.min_p >= 0 && o.min_p <= 1)) return pcs_fail(ctx, PRECIS_EINVAL, "min-p %g is not 0 to 1", (double)o.min_p);
    if (!(o.repetition > 0 && o.repetition <= 100))
        return pcs_fail(ctx, PRECIS_EINVAL, "repetition penalty %g is not above 0", (double)o.repetition);
    if (!(o.frequency >= -100 && o.frequency <= 100) || !(o.presence >= -100 && o.presence <= 100))
        return pcs_fail(ctx, PRECIS_EINVAL, "frequency penalty %g or presence penalty %g is not -100 to 100",
                        (double)o.frequency, (double)o.presence);
    if (!vocabulary || o.window > 1u << 20)
        return pcs_fail(ctx, PRECIS_EINVAL, "vocabulary %u or window %u out of range", vocabulary, o.window);
    precis_sampler *s = pcs_alloc(ctx, 1, sizeof *s);
    if (!s) return PRECIS_ENOMEM;
    *s = (precis_sampler){ .ctx = ctx, .opt = o, .vocabulary = vocabulary, .state = o.seed };
    s->c = pcs_alloc(ctx, vocabulary, sizeof *s->c);
    s->history = pcs_alloc(ctx, o.window + 1, sizeof *s->history);
    s->counts = pcs_alloc(ctx, vocabulary, sizeof *s->counts);
    if (!s->c || !s->history || !s->counts) {
        precis_sampler_close(&s);
        return PRECIS_ENOMEM;
    }
    *out = s;
    return PRECIS_OK;
}

void precis_sampler_close(precis_sampler **sampler)
{
    if (!sampler || !*sampler) return;
    precis_sampler *s = *sampler;
    precis_ctx *ctx = s->ctx;
    pcs_free(ctx, s->c);
    pcs_free(ctx, s->history);
    pcs_free(ctx, s->counts);
    pcs_free(ctx, s);
    *sampler = NULL;
}

static void count(precis_sampler *s, int32_t token, uint32_t by)
{
    if (token >= 0 && (uint32_t)token < s->vocabulary) s->counts[token] += by;
}

void precis_sampler_accept(precis_sampler *s, int32_t token)
{
    if (!s->opt.window) return;
    int32_t *at = &s->history[s->n_history % s->opt.window];
    if (s->n_history++ >= s->opt.window) count(s, *at, UINT32_MAX); /* one less */
    *at = token;
    count(s, token, 1);
}

void precis_sampler_forget(precis_sampler *s)
{
    const uint64_t n = s->n_history < s->opt.window ? s->n_history : s->opt.window;
    for (uint64_t i = 0; i < n; i++) count(s, s->history[i], UINT32_MAX);
    s->n_history = 0;
}

/* Larger logit first, then smaller id: a total order, so that results do not depend on the sort. */
static int better(const void *a_, const void *b_)
{
    const candidate *a = a_, *b = b_;
    return a->logit != b->logit ? (a->logit > b->logit ? -1 : 1) : a->id - b->id;
}

/* What stands among the last tokens is less likely: once by CTRL's factor, and by what is taken off for each time
 * that it stands there, and for that it does at all. */
static void penalize(precis_sampler *s)
{
    const precis_sampler_options *o = &s->opt;
    for (uint32_t i = 0; i < s->vocabulary; i++) {
        if (!s->counts[i]) continue;
        float *x = &s->c[i].logit;
        if (o->repetition != 1.0f) *x = *x > 0 ? *x / o->repetition : *x * o->repetition;
        *x -= (float)s->counts[i] * o->frequency + o->presence;
    }
}

/* The k best to the front, unsorted beyond: a heap of the k best, worst on top. */
static void select_best(candidate *c, uint32_t n, uint32_t k)
{
    for (uint32_t i = k / 2; i-- > 0;)
        for (uint32_t p = i, q; (q = 2 * p + 1) < k; p = q) {
            if (q + 1 < k && better(&c[q], &c[q + 1]) < 0) q++;
            if (better(&c[p], &c[q]) > 0) break;
            const candidate t = c[p];
            c[p] = c[q], c[q] = t;
        }
    for (uint32_t i = k; i < n; i++) {
        if (better(&c[i], &c[0]) > 0) continue;
        const candidate t = c[i];
        c[i] = c[0], c[0] = t;
        for (uint32_t p = 0, q; (q = 2 * p + 1) < k; p = q) {
            if (q + 1 < k && better(&c[q], &c[q + 1]) < 0) q++;
            if (better(&c[p], &c[q]) > 0) break;
            const candidate u = c[p];
            c[p] = c[q], c[q] = u;
        }
    }
}

/* From the whole distribution: no order is needed. */
static int32_t draw(precis_sampler *s, uint32_t n)
{
    float top = s->c[0].logit;
    double sum = 0;
    for (uint32_t i = 1; i < n; i++) top = s->c[i].logit > top ? s->c[i].logit : top;
    for (uint32_t i = 0; i < n; i++) {
        s->c[i].logit = pcs_expf((s->c[i].logit - top) / s->opt.temperature);
        sum += (double)s->c[i].logit;
    }
    double u = pcs_rand_unit(&s->state) * sum;
    uint32_t pick = 0;
    for (; pick + 1 < n; pick++) {
        u -= (double)s->c[pick].logit;
        if (u < 0) break;
    }
    precis_sampler_accept(s, (int32_t)pick);
    return (int32_t)pick;
}

int32_t precis_sampler_next(precis_sampler *s, const float *logits)
{
    const precis_sampler_options *o = &s->opt;
    uint32_t n = s->vocabulary;
    for (uint32_t i = 0; i < n; i++) s->c[i] = (candidate){ logits[i] == logits[i] ? logits[i] : -3e38f, (int32_t)i };
    if (o->repetition != 1.0f || o->frequency != 0 || o->presence != 0) penalize(s);
    if (o->temperature == 0) {
        candidate best = s->c[0];
        for (uint32_t i = 1; i < n; i++)
            if (better(&s->c[i], &best) < 0) best = s->c[i];
        precis_sampler_accept(s, best.id);
        return best.id;
    }
    if ((!o->top_k || (uint32_t)o->top_k >= n) && o->top_p >= 1.0f && o->min_p <= 0.0f) return draw(s, n);
    if (o->top_k > 0 && (uint32_t)o->top_k < n) {
        select_best(s->c, n, (uint32_t)o->top_k);
        n = (uint32_t)o->top_k;
    }
    qsort(s->c, n, sizeof *s->c, better);
    double sum = 0, kept = 0;
    const double top = s->c[0].logit, t = o->temperature;
    for (uint32_t i = 0; i < n; i++) sum += pcs_exp((s->c[i].logit - top) / t);
    uint32_t k = 0;
    for (; k < n; k++) {
        const double p = pcs_exp((s->c[k].logit - top) / t);
        if (k && (kept >= o->top_p * sum || p < o->min_p)) break;
        kept += p;
    }
    double u = pcs_rand_unit(&s->state) * kept;
    uint32_t pick = 0;
    for (; pick + 1 < k; pick++) {
        u -= pcs_exp((s->c[pick].logit - top) / t);
        if (u < 0) break;
    }
    const int32_t id = s->c[pick].id;
    precis_sampler_accept(s, id);
    return id;
}
