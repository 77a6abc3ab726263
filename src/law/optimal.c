/* optimal.c - the best N, D and number format under a budget.
 *
 * Whatever the law: the cost ties D to N, one search is left (its slope changes sign where the loss is least, which
 * is exact where comparing losses is not), and one over bits when they are continuous. */
#include "base/lack.h"
#include "law/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDE = PCS_WIDE };
static const double TRAIN = 6, INFER = 2; /* FLOP per parameter and token (Kaplan et al. 2020, section 2.1) */

static const precis_law_format usual_formats[] = { { "bf16", 16, 8, 7, 1 },
                                                   { "fp8", 8, 4, 3, 0.5 },
                                                   { "int8", 8, NAN, NAN, 0.5 },
                                                   { "fp4", 4, 2, 1, 0.25 },
                                                   { "int4", 4, NAN, NAN, 0.25 } };

size_t precis_law_formats(const precis_law_format **out)
{
    *out = usual_formats;
    return sizeof usual_formats / sizeof *usual_formats;
}

typedef struct {
    precis_law *law;
    const precis_law_budget *b;
    pcs_evaluator e;
    bool uses[PCS_VARS];
    double train, infer, bits; /* cost of an operation in training and when served; bits when served */
} search;

/* The variables of bits at a format. */
static void put_format(search *s, precis_law_point *p, double bits, double exponent, double mantissa)
{
    if (s->b->post) p->v[PCS_VAR_bits_post] = bits;
    else
        for (int v = PCS_VAR_bits_w; v <= PCS_VAR_bits_bwd; v++) p->v[v] = bits;
    if (!isnan(exponent) || s->uses[PCS_VAR_exponent])
        p->v[PCS_VAR_exponent] = exponent, p->v[PCS_VAR_mantissa] = mantissa;
}

static double tokens_left(const search *s, double N)
{
    return s->b->D > 0 ? s->b->D
                       : (s->b->compute - INFER * N * s->b->inference_tokens * s->infer) / (TRAIN * N * s->train);
}

static double largest(const search *s) { return s->b->memory > 0 ? s->b->memory * 8 / s->bits : INFINITY; }

static double cost(const search *s, double N, double D, double *train)
{
    *train = TRAIN * N * D * s->train;
    return *train + INFER * N * s->b->inference_tokens * s->infer;
}

/* Loss and slope by ln N of 64 points between two ends, D as the budget leaves it. */
static void scan(search *s, double lo, double hi, double *f, double *slope)
{
    double D[WIDE];
    for (size_t i = 0; i < WIDE; i++) {
        const double N = exp(lo + (hi - lo) * (double)i / (WIDE - 1));
        D[i] = tokens_left(s, N);
        pcs_evaluator_put(&s->e, i, PCS_VAR_N, N);
        pcs_evaluator_put(&s->e, i, PCS_VAR_D, D[i] > 0 ? D[i] : NAN);
    }
    const double *v = pcs_evaluator_run(&s->e);
    pcs_evaluator_back(&s->e);
    for (size_t i = 0; i < WIDE; i++) {
        const double N = s->e.values[PCS_VAR_N][i], by_d = s->b->D > 0 ? 0 : -s->b->compute / (TRAIN * N * s->train);
        f[i] = isfinite(v[i]) && D[i] > 0 ? v[i] : INFINITY;
        slope[i] = pcs_evaluator_slope(&s->e, PCS_VAR_N, i) * N + pcs_evaluator_slope(&s->e, PCS_VAR_D, i) * by_d;
    }
}

/* Least loss under a compute budget: ln N. */
static double least_loss(search *s)
{
    double lo = 0, hi = fmin(log(largest(s)), log(1e18)), f[WIDE], slope[WIDE];
    if (s->b->N > 0) return log(s->b->N);
    /* More parameters never hurt. */
    if (s->b->D > 0)
        return fmin(hi, log(s->b->compute / (TRAIN * s->b->D * s->train + INFER * s->b->inference_tokens * s->infer)));
    if (s->b->inference_tokens > 0) hi = fmin(hi, log(s->b->compute / (INFER * s->b->inference_tokens * s->infer)));
    for (int step = 0; step < 14 && hi - lo > 1e-14; step++) {
        scan(s, lo, hi, f, slope);
        size_t best = 0;
        for (size_t i = 1; i < WIDE; i++)
            if (f[i] < f[best]) best = i;
        if (!isfinite(f[best])) return NAN;
        size_t a = best > 0 ? best - 1 : 0, b = best + 1 < WIDE ? best + 1 : WIDE - 1;
        if (step > 1) /* near the least the sign of the slope says more than losses that differ in the last digits */
            for (size_t i = 0; i + 1 < WIDE; i++)
                if (slope[i] < 0 && slope[i + 1] >= 0) a = i, b = i + 1;
        const double width = (hi - lo) / (WIDE - 1), from = lo;
        lo = from + width * (double)a;
        hi = from + width * (double)b;
    }
    return 0.5 * (lo + hi);
}

/* The fewest tokens at which the loss of N parameters is the aim; NAN: none. */
static double tokens_for(search *s, double N, double aim)
{
    pcs_evaluator_put(&s->e, 0, PCS_VAR_N, N);
    const double fewest = 1e3, ln = pcs_evaluator_first(&s->e, PCS_VAR_D, fewest, 1e24, PCS_AT_MOST, aim);
    return ln == -INFINITY ? fewest : exp(ln);
}

/* Least cost with the loss at the aim: ln N. */
static double least_cost(search *s)
{
    double lo = log(1e3), hi = fmin(log(largest(s)), log(1e16)), c[WIDE], train;
    if (s->b->N > 0) return log(s->b->N);
    for (int step = 0; step < 9; step++) {
        size_t best = 0;
        for (size_t i = 0; i < WIDE; i++) {
            const double N = exp(lo + (hi - lo) * (double)i / (WIDE - 1)), D = tokens_for(s, N, s->b->loss);
            c[i] = isnan(D) ? INFINITY : cost(s, N, D, &train);
            if (c[i] < c[best]) best = i;
        }
        if (!isfinite(c[best])) return NAN;
        const double width = (hi - lo) / (WIDE - 1), from = lo;
        lo = from + width * (best > 0 ? (double)best - 1 : 0);
        hi = from + width * (best + 1 < WIDE ? (double)best + 1 : WIDE - 1);
        if (width < 1e-10) break;
    }
    return 0.5 * (lo + hi);
}

/* The best with these bits; loss INFINITY: none. */
static precis_law_choice solve(search *s, const precis_law_format *f)
{
    const precis_law_budget *b = s->b;
    precis_law_choice out = { .size = sizeof out, .format = f->name, .loss = INFINITY, .bits = f->bits };
    precis_law_point p = b->point;
    put_format(s, &p, f->bits, f->exponent, f->mantissa);
    s->train = b->post ? 1 : f->cost;
    s->infer = f->cost;
    s->bits = f->bits;
    p.v[PCS_VAR_N] = 1e9;
    p.v[PCS_VAR_D] = 1e10;
    pcs_evaluator_set(&s->e, 0, &p);
    double ln;
    if (b->loss > 0) ln = least_cost(s);
    else if (b->compute > 0) ln = least_loss(s);
    else ln = b->N > 0 ? log(b->N) : log(largest(s));
    if (!isfinite(ln) || exp(ln) > largest(s) * (1 + 1e-9)) return out;
    out.N = exp(ln);
    out.D = b->loss > 0 ? tokens_for(s, out.N, b->loss) : b->D > 0 ? b->D : tokens_left(s, out.N);
    if (!(out.D > 0)) return out;
    p.v[PCS_VAR_N] = out.N;
    p.v[PCS_VAR_D] = out.D;
    out.cost = cost(s, out.N, out.D, &out.train_cost);
    if (b->compute > 0 && out.cost > b->compute * (1 + 1e-9)) return out;
    out.bytes = out.N * f->bits / 8;
    precis_law_value v = { .size = sizeof v };
    char kept[sizeof s->law->ctx->message];
    memcpy(kept, s->law->ctx->message, sizeof kept);
    if (!precis_law_predict(s->law, &p, &v)) out.loss = v.loss, out.n_eff = v.n_eff, out.outside = v.outside;
    memcpy(s->law->ctx->message, kept, sizeof kept);
    return out;
}

/* Cost of an operation at any number of bits: between those of the formats, linear; without formats bits / 16. */
static double cost_of(const precis_law_budget *b, double bits)
{
    if (!b->formats) return bits / 16;
    double lo_bits = 0, lo = 0, hi_bits = INFINITY, hi = 0;
    for (size_t i = 0; i < b->n_formats; i++) {
        const precis_law_format *f = &b->formats[i];
        if (f->bits <= bits && f->bits > lo_bits) lo_bits = f->bits, lo = f->cost;
        if (f->bits >= bits && f->bits < hi_bits) hi_bits = f->bits, hi = f->cost;
    }
    return !isfinite(hi_bits)   ? lo * bits / lo_bits
           : hi_bits == lo_bits ? hi
                                : lo + (hi - lo) * (bits - lo_bits) / (hi_bits - lo_bits);
}

static double worth(search *s, double bits, precis_law_choice *c)
{
    const precis_law_format f = { NULL, bits, NAN, NAN, cost_of(s->b, bits) };
    *c = solve(s, &f);
    return !isfinite(c->loss) ? INFINITY : s->b->loss > 0 ? log(c->cost) : c->loss;
}

static precis_law_choice continuous(search *s)
{
    double best = INFINITY, at = NAN;
    precis_law_choice c = { .loss = INFINITY };
    for (int i = 0; i <= 190; i++) {
        const double bits = 1 + 0.1 * i, f = worth(s, bits, &c);
        if (f < best) best = f, at = bits;
    }
    if (isnan(at)) return c;
    double lo = fmax(1, at - 0.1), hi = fmin(20, at + 0.1);
    const double golden = 0.61803398874989484820;
    double a = hi - golden * (hi - lo), b = lo + golden * (hi - lo), fa = worth(s, a, &c), fb = worth(s, b, &c);
    while (hi - lo > 3e-8) {
        if (fa <= fb) hi = b, b = a, fb = fa, a = hi - golden * (hi - lo), fa = worth(s, a, &c);
        else lo = a, a = b, fa = fb, b = lo + golden * (hi - lo), fb = worth(s, b, &c);
    }
    /* losses this near differ by rounding: the vertex of a parabola through wider points is exact to 1e-7 */
    const double mid = 0.5 * (lo + hi), w = 2e-3, l = worth(s, mid - w, &c), r = worth(s, mid + w, &c),
                 m = worth(s, mid, &c);
    const double bend = l - 2 * m + r, vertex = bend > 0 && isfinite(bend) ? mid + 0.5 * w * (l - r) / bend : mid;
    worth(s, fabs(vertex - mid) < w ? vertex : mid, &c);
    return c;
}

static int better(const void *a_, const void *b_)
{
    const precis_law_choice *a = a_, *b = b_;
    if (!isfinite(a->loss) || !isfinite(b->loss)) return isfinite(b->loss) - isfinite(a->loss);
    if (fabs(a->loss - b->loss) > 1e-9) return a->loss < b->loss ? -1 : 1;
    return a->cost < b->cost ? -1 : a->cost > b->cost;
}

static precis_status check(precis_law *law, const precis_law_budget *b)
{
    const double all[] = { b->compute, b->inference_tokens, b->memory, b->loss, b->N, b->D };
    for (int i = 0; i < 6; i++)
        if (!isfinite(all[i]) || all[i] < 0)
            return pcs_fail(law->ctx, PRECIS_EINVAL, "a budget is positive and finite");
    for (size_t i = 0; b->formats && i < b->n_formats; i++)
        if (!(b->formats[i].bits > 0) || !(b->formats[i].cost > 0) || !isfinite(b->formats[i].cost))
            return pcs_fail(law->ctx, PRECIS_EINVAL, "a format has positive bits and a positive cost");
    if (b->loss > 0 || b->compute > 0 || (b->D > 0 && (b->memory > 0 || b->N > 0))) return PRECIS_OK;
    return pcs_fail(law->ctx, PRECIS_EINVAL,
                    "a budget is needed: --compute FLOP, --loss L (the least cost for it), or --memory BYTES with --D "
                    "TOKENS");
}

precis_status precis_law_optimal(precis_law *law, const precis_law_budget *b, precis_law_choice *out, size_t *n)
{
    const size_t room = *n;
    const uint64_t refused = precis_ctx_refused(law->ctx);
    *n = 0;
    precis_status st = check(law, b);
    const int node = pcs_law_let(law, "loss");
    if (!st && node < 0) st = pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s says nothing of a loss", law->name);
    if (st) return st;
    search s = { .law = law, .b = b };
    for (int v = 0; v < PCS_VARS; v++) s.uses[v] = pcs_law_has_variable(law, node, v);
    bool bits = s.uses[PCS_VAR_exponent] || s.uses[PCS_VAR_bits_post];
    for (int v = PCS_VAR_bits_w; v <= PCS_VAR_bits_bwd; v++) bits = bits || s.uses[v];
    const precis_law_format *formats = b->formats;
    size_t n_formats = b->n_formats;
    if (!formats) n_formats = precis_law_formats(&formats);
    if (b->post && !s.uses[PCS_VAR_bits_post])
        return pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s says nothing of quantization after training", law->name);
    st = pcs_evaluator_open(law->ctx, &s.e, law, node, WIDE);
    if (!st && b->continuous && bits) {
        const precis_law_choice c = continuous(&s);
        if (room && isfinite(c.loss)) out[(*n)++] = c;
    } else
        for (size_t i = 0; i < n_formats && *n < room && !st; i++) {
            if (!bits && formats[i].bits != 16) continue; /* the law knows no bits: fewer would only look cheaper */
            const precis_law_choice c = solve(&s, &formats[i]);
            if (isfinite(c.loss)) out[(*n)++] = c;
        }
    pcs_evaluator_close(&s.e);
    st = pcs_with_memory(law->ctx, refused, st); /* a format without a loss may have had no memory for one */
    if (st) *n = 0;
    qsort(out, *n, sizeof *out, better);
    if (b->loss > 0 && *n > 1) /* the aim is the same for all: the cheapest is the best */
        for (size_t i = 0; i + 1 < *n; i++)
            for (size_t k = i + 1; k < *n; k++)
                if (out[k].cost < out[i].cost) {
                    const precis_law_choice t = out[i];
                    out[i] = out[k], out[k] = t;
                }
    if (!st && !*n)
        st = pcs_fail(law->ctx, PRECIS_EBUDGET, "no N and D meet the budget by the law %s%s", law->name,
                      b->loss > 0 ? ": the loss is below what it can reach, or the memory too small" : "");
    return st;
}
