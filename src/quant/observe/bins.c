/* bins.c - growing histograms; what NumPy's `histogram`, `linspace` and `arange` compute in f32 is said where it is
 * done again, since counts at the edges of bins depend on it. */
#include "quant/observe/bins.h"

#include <math.h>

uint32_t pcs_bins_passes(const pcs_observer_options *o) { return o->like == PCS_LIKE_ORT && o->at_once ? 2 : 1; }

void pcs_bins_free(precis_ctx *ctx, pcs_bins *b)
{
    pcs_free(ctx, b->count);
    pcs_free(ctx, b->edge);
    b->count = NULL;
    b->edge = NULL;
    b->n = 0;
}

void pcs_bins_clamp(const pcs_bins *b, float *low, float *high)
{
    if (*low < b->low) *low = b->low;
    if (*high > b->high) *high = b->high;
}

/* n bins, zero; `edge` as linspace(first, last) in f32: first + i * ((last - first) / n). */
static precis_status bins_new(pcs_observation *o, pcs_bins *b, size_t n, float first, float last)
{
    if (n > PCS_BINS_MOST)
        return pcs_fail(o->ctx, PRECIS_EUNSUPPORTED,
                        "%s: the histogram of observer %s grew to %zu bins, more than %u; values of all batches at "
                        "once need no growth",
                        o->value, o->kind->name, n, PCS_BINS_MOST);
    pcs_bins_free(o->ctx, b);
    b->count = pcs_alloc(o->ctx, n, sizeof *b->count);
    b->edge = pcs_alloc(o->ctx, n + 1, sizeof *b->edge);
    if (!b->count || !b->edge) return PRECIS_ENOMEM;
    b->n = n;
    const float step = (last - first) / (float)n;
    for (size_t i = 0; i < n; i++) b->edge[i] = (float)i * step + first;
    b->edge[n] = last;
    return PRECIS_OK;
}

/* Equal bins: by a quotient, then by the edges, which the quotient may miss by one. */
static void count_uniform(pcs_bins *b, const float *x, size_t n, bool magnitude)
{
    const float first = b->edge[0], last = b->edge[b->n], wide = last - first;
    for (size_t i = 0; i < n; i++) {
        const float v = magnitude ? fabsf(x[i]) : x[i];
        if (!(v >= first && v <= last)) continue;
        size_t at = (size_t)((v - first) / wide * (float)b->n);
        if (at >= b->n) at = b->n - 1;
        if (v < b->edge[at] && at) at--;
        if (v >= b->edge[at + 1] && at + 1 < b->n) at++;
        b->count[at]++;
    }
}

/* Bins of any width. */
static void count_searched(pcs_bins *b, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float v = fabsf(x[i]);
        if (!(v >= b->edge[0] && v <= b->edge[b->n])) continue;
        size_t at = 0, end = b->n; /* edge[at] <= v */
        while (at + 1 < end) {
            const size_t mid = (at + end) / 2;
            if (b->edge[mid] <= v) at = mid;
            else end = mid;
        }
        b->count[at]++;
    }
}

/* collect_value, merge_histogram. */
static precis_status see_ort(pcs_observation *o, pcs_bins *b, size_t bins, const float *x, size_t n, float top)
{
    precis_status st = PRECIS_OK;
    if (!b->n || (top > b->top && b->top == 0)) {
        uint64_t *old = b->count;
        const size_t n_old = b->n;
        b->count = NULL;
        st = bins_new(o, b, n_old ? n_old : bins, -top, top);
        for (size_t i = 0; i < n_old && !st; i++) b->count[i] = old[i];
        pcs_free(o->ctx, old);
        b->top = top;
    } else if (top > b->top) {
        const float stride = 2 * b->top / (float)b->n;
        const double more = floor((double)(top - b->top) / (double)stride) + 1;
        uint64_t *old = b->count;
        const size_t n_old = b->n, half = more < PCS_BINS_MOST ? (size_t)more : PCS_BINS_MOST;
        b->count = NULL;
        b->top = (float)half * stride + b->top;
        st = bins_new(o, b, n_old + 2 * half, -b->top, b->top);
        for (size_t i = 0; i < n_old && !st; i++) b->count[half + i] = old[i];
        pcs_free(o->ctx, old);
    }
    if (!st) count_uniform(b, x, n, false);
    return st;
}

/* collect_absolute_value. New edges are arange(last + width, top + width, width). */
static precis_status see_magnitudes(pcs_observation *o, pcs_bins *b, size_t bins, const float *x, size_t n)
{
    float least = fabsf(x[0]), top = least;
    precis_status st;
    for (size_t i = 1; i < n; i++) least = fminf(least, fabsf(x[i])), top = fmaxf(top, fabsf(x[i]));
    if (!b->n) {
        if (o->pass) least = b->first, top = b->last;
        if (least == top) least -= 0.5f, top += 0.5f;
        st = bins_new(o, b, bins, least, top);
        if (!st) count_uniform(b, x, n, true);
        return st;
    }
    if (o->pass) {
        count_uniform(b, x, n, true);
        return PRECIS_OK;
    }
    if (top > b->edge[b->n]) {
        pcs_bins old = *b;
        const float width = b->edge[1] - b->edge[0], begin = b->edge[b->n] + width, end = top + width;
        const double more = ceil((double)((end - begin) / width));
        const size_t half = more < 0 ? 0 : more < PCS_BINS_MOST ? (size_t)more : PCS_BINS_MOST;
        b->count = NULL;
        b->edge = NULL;
        st = bins_new(o, b, old.n + half, 0, 1);
        for (size_t i = 0; i <= old.n && !st; i++) b->edge[i] = old.edge[i];
        for (size_t i = 0; i < old.n && !st; i++) b->count[i] = old.count[i];
        const float second = begin + width, delta = second - begin;
        for (size_t i = 0; i < half && !st; i++)
            b->edge[old.n + 1 + i] = i == 0 ? begin : i == 1 ? second : begin + (float)i * delta;
        pcs_free(o->ctx, old.count);
        pcs_free(o->ctx, old.edge);
        if (st) return st;
    }
    count_searched(b, x, n);
    return PRECIS_OK;
}

/* The bins of twice the range: pairs become one, and new ones lie on both sides. */
static void fold(pcs_bins *b)
{
    const size_t quarter = b->n / 4;
    for (size_t i = 0; i < 2 * quarter; i++) b->count[i] = b->count[2 * i] + b->count[2 * i + 1];
    memmove(b->count + quarter, b->count, 2 * quarter * sizeof *b->count);
    memset(b->count, 0, quarter * sizeof *b->count);
    memset(b->count + 3 * quarter, 0, quarter * sizeof *b->count);
    for (size_t i = 0; i <= b->n; i++) b->edge[i] *= 2;
    b->top *= 2;
}

static precis_status see_dyadic(pcs_observation *o, pcs_bins *b, size_t bins, const float *x, size_t n, float top)
{
    if (!b->n) {
        float t = 0x1p-120f;
        while (t < top && t < 0x1p127f) t *= 2;
        const precis_status st = bins_new(o, b, (bins + 3) / 4 * 4, -t, t);
        if (st) return st;
        b->top = t;
    }
    /* a power of two beyond the largest finite number is infinite: what is above 2^127 lies in the last bins */
    while (b->top < top && b->top < 0x1p127f) fold(b);
    const double per = (double)b->n / 2 / (double)b->top;
    for (size_t i = 0; i < n; i++) {
        const double at = ((double)x[i] + (double)b->top) * per;
        b->count[at < 0 ? 0 : at >= (double)b->n ? b->n - 1 : (size_t)at]++;
    }
    return PRECIS_OK;
}

precis_status pcs_bins_see(pcs_observation *o, pcs_bins *b, size_t bins, const float *x, size_t n)
{
    float low, high, least = INFINITY;
    pcs_extremes(x, n, &low, &high);
    const bool later = o->pass == 0 && pcs_bins_passes(&o->o) == 2;
    if (!o->pass) {
        b->low = b->total && b->low < low ? b->low : low;
        b->high = b->total && b->high > high ? b->high : high;
        for (size_t i = 0; i < n; i++) least = fminf(least, fabsf(x[i])), b->zeros += x[i] == 0;
        b->first = b->total ? fminf(b->first, least) : least;
        b->last = fmaxf(b->last, fmaxf(fabsf(low), fabsf(high)));
        b->total += n;
    }
    if (later) return PRECIS_OK;
    const float top = o->pass ? b->last : fmaxf(fabsf(low), fabsf(high));
    if (b->rule == PCS_BINS_DYADIC) return see_dyadic(o, b, bins, x, n, top);
    return b->rule == PCS_BINS_ORT ? see_ort(o, b, bins, x, n, top) : see_magnitudes(o, b, bins, x, n);
}
