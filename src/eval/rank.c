/* rank.c - ranks of values, and how well two lists of numbers go together. */
#include "eval/rank.h"

#include <math.h>
#include <stdlib.h>

typedef struct { double value; size_t at; } ranked;

static int by_value(const void *a_, const void *b_)
{
    const ranked *a = a_, *b = b_;
    return a->value != b->value ? (a->value < b->value ? -1 : 1) : a->at < b->at ? -1 : 1;
}

precis_status pcs_ranks(precis_ctx *ctx, const double *v, size_t n, double *out)
{
    ranked *r = pcs_alloc(ctx, n, sizeof *r);
    if (!r) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) r[i] = (ranked){ v[i], i };
    qsort(r, n, sizeof *r, by_value);
    for (size_t i = 0, e; i < n; i = e) {
        for (e = i + 1; e < n && r[e].value == r[i].value; e++) {} /* a NaN is not even what it is itself */
        for (size_t k = i; k < e; k++) out[r[k].at] = (double)(i + e - 1) / 2;
    }
    pcs_free(ctx, r);
    return PRECIS_OK;
}

double pcs_correlation(const double *x, const double *y, size_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) mx += x[i] / (double)n, my += y[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}
