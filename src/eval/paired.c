/* paired.c - is a drop of accuracy below a margin? The exact unconditional test of two paired proportions. Of n
 * items, b were right with the reference only and c with the model only; under the hypothesis they have
 * probabilities q + margin and q, and q, the nuisance, takes the value that is worst for the claim (Barnard 1947;
 * Hsueh, Liu and Chen 2001). Outcomes are ordered by the score statistic of Tango (1998). */
#include "precis/eval.h"

#include "base/base.h"
#include "base/options.h"

#include <math.h>

#define ALPHA 0.05
enum { GRID = 160 };

/* (b - c - n d) over its deviation at the most likely q with that difference d; d from -1 to 1. */
static double score(double n, double b, double c, double d)
{
    if (d < 0) return -score(n, c, b, -d);
    const double p = (b + c) * (1 - d) - 2 * d * (n - b), q = (p + sqrt(p * p + 8 * n * c * d * (1 - d))) / (4 * n),
                 v = n * (2 * q + d - d * d);
    return v > 0 ? (b - c - n * d) / sqrt(v) : b - c - n * d > 0 ? INFINITY : b - c - n * d < 0 ? -INFINITY : 0;
}

/* The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method. */
static double fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1), f;
    d = 1 / (fabs(d) < tiny ? tiny : d);
    f = d;
    for (int m = 1; m < 20000; m++) {
        const double k = m, even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)),
                     odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        if (fabs(c) < tiny) c = tiny;
        f *= c * d;
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        if (fabs(c) < tiny) c = tiny;
        f *= c * d;
        if (fabs(c * d - 1) < 1e-14) break;
    }
    return f;
}

/* P(X <= k) of X binomial (m, p). */
static double binomial_cdf(double k, double m, double p)
{
    if (k < 0) return 0;
    if (k >= m || p <= 0) return 1;
    if (p >= 1) return 0;
    const double a = m - k, b = k + 1, x = 1 - p; /* I_{1-p}(m - k, k + 1) */
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * fraction(a, b, x) / a : 1 - front * fraction(b, a, 1 - x) / b;
}

/* edge[m]: of outcomes with m changed answers, the largest b whose score is at most z (or
 * below z); -1: none. The score rises with b. */
static void edges(double n, double d, double z, bool below, int64_t *edge)
{
    for (int64_t m = 0; m <= (int64_t)n; m++) {
        int64_t lo = -1, hi = m;
        while (lo < hi) {
            const int64_t b = lo + (hi - lo + 1) / 2;
            const double s = score(n, (double)b, (double)(m - b), d), slack = 1e-9 * (1 + fabs(z));
            if (below ? s < z - slack : s <= z + slack) lo = b;
            else hi = b - 1;
        }
        edge[m] = lo;
    }
}

/* P(b <= edge[b + c]) at one q. */
static double chance(double n, double d, double q, const int64_t *edge)
{
    const double p = 2 * q + d, mean = n * p, wide = 9 * sqrt(n * p * (1 - p < 0 ? 0 : 1 - p)) + 12;
    double sum = 0;
    const double of_n = lgamma(n + 1), share = p > 0 ? (q + d) / p : 0;
    for (double m = floor(fmax(0, mean - wide)); m <= fmin(n, mean + wide); m++) {
        double all = p >= 1 ? m == n : m == 0;
        if (p > 0 && p < 1) all = exp(of_n - lgamma(m + 1) - lgamma(n - m + 1) + m * log(p) + (n - m) * log1p(-p));
        sum += all * binomial_cdf((double)edge[(int64_t)m], m, share);
    }
    return sum;
}

/* The worst q: a grid, denser at small values, refined around its best. */
static double worst(double n, double d, const int64_t *edge, bool upper)
{
    const double most = (1 - d) / 2;
    double best = -1, at = 0, step = 0;
    for (int i = 0; i <= GRID; i++) {
        const double u = (double)i / GRID, q = most * u * u, p = chance(n, d, q, edge), v = upper ? 1 - p : p;
        if (v > best) best = v, at = q, step = most * (2 * u + 1.0 / GRID) / GRID;
    }
    for (int round = 0; round < 3; round++, step /= 8)
        for (int i = -8; i <= 8; i++) {
            const double q = at + step * i / 8;
            if (q < 0 || q > most) continue;
            const double p = chance(n, d, q, edge), v = upper ? 1 - p : p;
            if (v > best) best = v, at = q;
        }
    return best < 0 ? 0 : best > 1 ? 1 : best;
}

/* The difference whose score is z. */
static double bound(double n, double b, double c, double z)
{
    double lo = -1 + 1e-12, hi = 1 - 1e-12;
    for (int i = 0; i < 80; i++) { /* the score falls with the difference */
        const double d = (lo + hi) / 2;
        if (score(n, b, c, d) > z) lo = d;
        else hi = d;
    }
    return (lo + hi) / 2;
}

precis_status precis_gate_accuracy(precis_ctx *ctx, uint64_t items, uint64_t to_wrong, uint64_t to_right, double margin,
                                   precis_gate_result *out)
{
    if (!items || items > 1u << 24 || to_wrong > items || to_right > items - to_wrong || !(margin >= 0 && margin < 1))
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "a gate of accuracy needs items, no more changes than items, and a margin from 0 to less than "
                        "1");
    const double n = (double)items, b = (double)to_wrong, c = (double)to_right, z = score(n, b, c, margin);
    precis_gate_result r = { .size = out->size, .mean = (b - c) / n, .margin = margin, .items = items };
    int64_t *edge = pcs_alloc(ctx, items + 1, sizeof *edge);
    if (!edge) return PRECIS_ENOMEM;
    edges(n, margin, z, false, edge);
    r.p_accept = worst(n, margin, edge, false);
    edges(n, margin, z, true, edge);
    r.p_reject = worst(n, margin, edge, true);
    pcs_free(ctx, edge);
    r.lower = bound(n, b, c, 1.6448536);
    r.upper = bound(n, b, c, -1.6448536);
    r.verdict = r.p_accept <= ALPHA ? PRECIS_ACCEPT : r.p_reject <= ALPHA ? PRECIS_REJECT : PRECIS_UNDECIDED;
    const double off = fabs(margin - r.mean), part = (b + c + 1) / n, spread = part - r.mean * r.mean,
                 rough = off > 0 ? 2.487 * 2.487 * spread / (off * off) : INFINITY;
    /* Since counts are whole, an exact test needs some more items (Fleiss, Tytun and Ury 1980). */
    const double steps = 1 + sqrt(1 + 4 / (rough * off)), need = rough * steps * steps / 4;
    r.items_needed = need < 9e15 ? (uint64_t)ceil(need) : UINT64_MAX;
    if (r.verdict == PRECIS_UNDECIDED && r.items_needed <= items) r.items_needed = items + items / 10 + 1;
    pcs_options_give(out, &r, sizeof r);
    return PRECIS_OK;
}
