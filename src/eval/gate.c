/* gate.c - is a loss below a margin? Non-inferiority with confidence bounds from a studentized bootstrap over
 * blocks: tokens of a text depend on their neighbours, and divergences are skewed, which the studentized form
 * follows (Efron and Tibshirani 1993, section 12.5; Lahiri 2003, section 2.5). */
#include "eval/eval.h"
#include "precis/eval.h"

#include "base/base.h"
#include "base/options.h"

#include <math.h>
#include <stdlib.h>

#define ALPHA 0.05
enum { RESAMPLES = 4000, BLOCKS_LEAST = 8 };

static void moments(const double *b, size_t k, double *mean, double *sd)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < k; i++) sum += b[i];
    *mean = sum / (double)k;
    for (size_t i = 0; i < k; i++) squares += (b[i] - *mean) * (b[i] - *mean);
    *sd = k > 1 ? sqrt(squares / (double)(k - 1)) : 0;
}

/* How much wider the mean's error is when neighbouring blocks still agree: 1 + 2 r, where r is the upper bound, by one
 * deviation, of their correlation. */
static double widening(const double *b, size_t k, double mean, double sd)
{
    double sum = 0;
    for (size_t i = 0; i + 1 < k; i++) sum += (b[i] - mean) * (b[i + 1] - mean);
    const double r = sd > 0 ? sum / ((double)(k - 1) * sd * sd) + 1 / sqrt((double)k) : 0;
    return r > 0 ? sqrt(1 + 2 * (r < 0.5 ? r : 0.5)) : 1;
}

/* The share q of studentized resampled means, sorted in t. */
static double quantile(const double *t, double q)
{
    const double x = q * (RESAMPLES - 1);
    const size_t lo = (size_t)x;
    return lo + 1 < RESAMPLES ? t[lo] + (x - (double)lo) * (t[lo + 1] - t[lo]) : t[RESAMPLES - 1];
}

/* Quantile of the normal distribution, upper tail p <= 1/2: Hastings' approximation, within
 * 4.5e-4 (Abramowitz and Stegun, 26.2.23). */
static double upper_normal(double p)
{
    const double t = sqrt(-2 * log(p));
    return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

/* The verdict of one test at 5 %. */
static precis_verdict alone(const precis_gate_result *r)
{
    return r->p_accept <= ALPHA ? PRECIS_ACCEPT : r->p_reject <= ALPHA ? PRECIS_REJECT : PRECIS_UNDECIDED;
}

/* Too few blocks for a test: the mean, and how many items one needs. */
static void without_test(precis_gate_result *r, const double *values, size_t n, size_t block)
{
    for (size_t i = 0; i < n; i++) r->mean += values[i] / (double)n;
    r->lower = -INFINITY;
    r->upper = INFINITY;
    r->items_needed = BLOCKS_LEAST * block;
}

/* Items with which a loss of this mean and spread is decided in 4 of 5 texts. */
static uint64_t items_needed(const precis_gate_result *r, size_t block, double wide, double sd)
{
    const double off = fabs(r->margin - r->mean), z = 1.645 + 0.842;
    /* The 3 stands for Student's tails, of few blocks. */
    const double blocks = off > 0 ? z * z * wide * wide * sd * sd / (off * off) + 3 : INFINITY;
    uint64_t items = blocks * (double)block < 9e15 ? (uint64_t)ceil(blocks * (double)block) : UINT64_MAX;
    if (items < BLOCKS_LEAST * block) items = BLOCKS_LEAST * block;
    return r->verdict == PRECIS_UNDECIDED && items <= r->items ? r->items + block : items;
}

/* b: k means of blocks, then room for as many and for RESAMPLES numbers. The resampled tails of few skewed blocks are
 * short: 1.5 / k brings ten tests of 24 blocks each to 5 % together, from 6.5 (test_gate). */
static void test_blocks(precis_gate_result *r, double *b, size_t k, size_t block, uint64_t seed)
{
    double *again = b + k, *t = again + k, sd;
    moments(b, k, &r->mean, &sd);
    const double wide = widening(b, k, r->mean, sd) * (1 + 1.5 / (double)k), se = wide * sd / sqrt((double)k);
    for (size_t s = 0; s < RESAMPLES; s++) {
        double mean, spread;
        for (size_t i = 0; i < k; i++) again[i] = b[pcs_rand(&seed) % k];
        moments(again, k, &mean, &spread);
        t[s] = spread > 0 ? (mean - r->mean) / (spread / sqrt((double)k)) : 0;
    }
    qsort(t, RESAMPLES, sizeof *t, pcs_ascending);
    r->upper = r->mean - quantile(t, ALPHA) * se;
    r->lower = r->mean - quantile(t, 1 - ALPHA) * se;
    const double at = se > 0 ? (r->mean - r->margin) / se : r->mean > r->margin ? INFINITY : -INFINITY;
    size_t below = 0;
    while (below < RESAMPLES && t[below] < at) below++;
    r->p_accept = (double)(below + 1) / (RESAMPLES + 1);
    r->p_reject = (double)(RESAMPLES - below + 1) / (RESAMPLES + 1);
    r->verdict = alone(r);
    r->items_needed = items_needed(r, block, wide, sd);
}

precis_status precis_gate(precis_ctx *ctx, const double *values, size_t n, size_t block, double margin,
                          precis_gate_result *out)
{
    if (!block || !isfinite(margin))
        return pcs_fail(ctx, PRECIS_EINVAL, "a gate needs blocks of at least one item and a finite margin");
    for (size_t i = 0; i < n; i++) /* no further text would decide */
        if (!isfinite(values[i]))
            return pcs_fail(ctx, PRECIS_EFORMAT,
                            "item %zu of a gate is not finite: one of the models does not compute numbers", i);
    const size_t k = n / block;
    precis_gate_result r = { .size = out->size, .verdict = PRECIS_UNDECIDED, .margin = margin, .items = n, .blocks = k,
                             .p_accept = 1, .p_reject = 1 };
    if (k < BLOCKS_LEAST) without_test(&r, values, n, block);
    else {
        double *b = pcs_alloc(ctx, 2 * k + RESAMPLES, sizeof *b);
        if (!b) return PRECIS_ENOMEM;
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < block; j++) b[i] += values[i * block + j] / (double)block;
        test_blocks(&r, b, k, block, ctx->opt.seed ^ 0x9a7eu);
        pcs_free(ctx, b);
    }
    pcs_options_give(out, &r, sizeof r);
    return PRECIS_OK;
}

/* Holm (1979): the smallest p of k against 5 % / k, the next against 5 % / (k - 1), ...,
 * until one fails. `reject` picks the p. */
static void step_down(precis_gate_result *r, size_t n, bool reject)
{
    for (size_t left = n; left; left--) {
        size_t best = n;
        double least = 1;
        for (size_t i = 0; i < n; i++) {
            const double p = reject ? r[i].p_reject : r[i].p_accept;
            if (r[i].verdict == PRECIS_UNDECIDED && (best == n || p < least)) best = i, least = p;
        }
        if (best == n || least > ALPHA / (double)left) return;

        r[best].verdict = reject ? PRECIS_REJECT : PRECIS_ACCEPT;
    }
}

precis_verdict precis_gate_holm(precis_gate_result *r, size_t n)
{
    for (size_t i = 0; i < n; i++) r[i].verdict = PRECIS_UNDECIDED;
    step_down(r, n, false);
    size_t accepted = 0, rejected = 0;
    for (size_t i = 0; i < n; i++) accepted += r[i].verdict == PRECIS_ACCEPT;
    step_down(r, n, true);
    /* a stricter test needs more */
    const double z = (upper_normal(ALPHA / (double)(n ? n : 1)) + 0.842) / (upper_normal(ALPHA) + 0.842);
    for (size_t i = 0; i < n; i++) {
        rejected += r[i].verdict == PRECIS_REJECT;
        if (r[i].verdict != PRECIS_UNDECIDED || r[i].items_needed == UINT64_MAX) continue;
        r[i].items_needed = (uint64_t)ceil((double)r[i].items_needed * z * z);
        if (r[i].items_needed <= r[i].items) r[i].items_needed = r[i].items + r[i].items / 4 + 1;
    }
    return rejected ? PRECIS_REJECT : accepted == n ? PRECIS_ACCEPT : PRECIS_UNDECIDED;
}

const char *precis_verdict_name(precis_verdict v)
{
    return v == PRECIS_ACCEPT ? "ACCEPT" : v == PRECIS_REJECT ? "REJECT" : "UNDECIDED";
}
