/* histogram.c - the range with the least squared error in a histogram, found as torch's HistogramObserver does, and
 * with its numbers: 2,048 bins between the extremes, re-binned when those move (each bin as 16, by their middles), then
 * cut from the side where the quantile moves past more bins, until the error grows (norm_minimization.cc of caffe2).
 *
 * Counts are f32, as torch has them, so a bin stays exact up to 2^24 values. */
#include "quant/observe/observe.h"

#include <math.h>

#define FINER 16 /* torch's upsample_rate */

typedef struct {
    float *count;  /* [bins] */
    float *next;   /* [bins] of a batch */
    float *edge;   /* [bins + 1], */
    float *moved;  /* [bins]: while old counts are re-binned */
    size_t bins;
    float low, high;
    bool any;
} histogram;

static precis_status begin(pcs_observation *o)
{
    histogram *h = pcs_observation_state(o, 0);
    h->bins = o->o.bins ? o->o.bins : 2048;
    if (h->bins < 2 || h->bins > 1u << 20)
        return pcs_fail(o->ctx, PRECIS_EINVAL, "%s: observer histogram with %u bins; it has 2 to 1,048,576", o->value,
                        o->o.bins);
    h->count = pcs_alloc(o->ctx, 4 * h->bins + 1, sizeof *h->count);
    if (!h->count) return PRECIS_ENOMEM;
    h->next = h->count + h->bins;
    h->moved = h->next + h->bins;
    h->edge = h->moved + h->bins;
    return PRECIS_OK;
}

/* The bin of x. In f32, as torch has it, where that does not overflow on the way. */
static size_t bin_of(const histogram *h, float x, float low, float high)
{
    const float per = (float)h->bins, wide = high - low;
    const double at = wide < 1e34f ? (double)((x - low) * per / wide)
                                   : ((double)x - (double)low) * (double)per / ((double)high - (double)low);
    return at < (double)h->bins ? (size_t)at : h->bins - 1;
}

/* torch.histc. Where all values are one, the range is one wider on each side. */
static void count(const histogram *h, float *out, const float *x, size_t n, float low, float high)
{
    if (low == high) low -= 1, high += 1;
    memset(out, 0, h->bins * sizeof *out);
    for (size_t i = 0; i < n; i++)
        if (x[i] >= low && x[i] <= high) out[bin_of(h, x[i], low, high)] += 1;
}

/* Number i of torch.linspace(first, last, n + 1): from both ends. */
static float line(float first, float last, size_t n, size_t i)
{
    const float step = (last - first) / (float)n;
    return i < (n + 1) / 2 ? first + step * (float)i : last - step * (float)(n - i);
}

/* Add the counts so far to out, whose bins lie between low and high. */
static void add_old(const histogram *h, float *out, float low, float high)
{
    const size_t n = h->bins;
    if (h->low == h->high) { /* one value so far */
        float sum = 0;
        for (size_t i = 0; i < n; i++) sum += h->count[i];
        out[bin_of(h, h->low, low, high)] += sum;
        return;
    }
    memset(h->moved, 0, n * sizeof *h->moved);
    for (size_t i = 0; i <= n; i++) h->edge[i] = line(low, high, n, i);
    const float half = 0.5f * ((h->high - h->low) / (float)(n * FINER));
    size_t at = 0;
    for (size_t i = 0; i < n * FINER; i++) {
        const float middle = line(h->low, h->high, n * FINER, i) + half;
        while (at + 1 < n && h->edge[at + 1] <= middle) at++;
        h->moved[at] += h->count[i / FINER] / FINER;
    }
    for (size_t i = 0; i < n; i++) out[i] += h->moved[i];
}

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    histogram *h = pcs_observation_state(o, channel);
    float low, high;
    pcs_extremes(x, n, &low, &high);
    if (h->any) low = low < h->low ? low : h->low, high = high > h->high ? high : h->high;
    count(h, h->next, x, n, low, high);
    if (h->any && low == h->low && high == h->high)
        for (size_t i = 0; i < h->bins; i++) h->next[i] += h->count[i];
    else if (h->any) add_old(h, h->next, low, high);
    memcpy(h->count, h->next, h->bins * sizeof *h->count);
    h->low = low;
    h->high = high;
    h->any = true;
    return PRECIS_OK;
}

/* density * integral of x^2 from begin to end */
static float norm(float begin, float end, float density)
{
    return density * ((end * end * end - begin * begin * begin) / 3);
}

static float whole_bins(float x, float width, float last)
{
    const double q = floor((double)x / (double)width); /* a quotient of two floats is not rounded past a whole number */
    return q < 0 ? 0 : q > (double)last ? last : (float)q;
}

/* Bins as they are measured: cubes of 1e-13 are nothing in f32, and those of 1e13 are infinite. A power of two changes
 * no other bit. */
static double unit_of(const pcs_observation *o, const histogram *h)
{
    const double wide = (double)h->high - (double)h->low;
    uint64_t bits;
    double unit;
    memcpy(&bits, &wide, sizeof bits);
    const uint64_t exponent = bits >> 52 & 2047; /* a difference of two floats is none of the smallest doubles */
    bits = (2045 - exponent) << 52;
    memcpy(&unit, &bits, sizeof unit);
    return o->o.like == PCS_LIKE_TORCH || !(wide > 0) ? 1 : unit;
}

/* The squared error when the bins from `first` to `end` are spread over all codes; beyond them values are clamped. */
static float error_of(const histogram *h, double unit, size_t first, size_t end, uint32_t codes)
{
    const double bin = ((double)h->high - (double)h->low) / (double)h->bins * unit;
    const double to = bin * (double)(end - first + 1) / codes;
    if (to == 0) return 0;
    const float width = (float)bin, code = (float)to, half = (float)(to / 2), last = (float)(codes - 1);
    double sum = 0;
    for (size_t i = 0; i < h->bins; i++) {
        const float begin_at = (float)((int64_t)i - (int64_t)first) * width, end_at = begin_at + width;
        const float code_begin = whole_bins(begin_at, code, last), code_end = whole_bins(end_at, code, last);
        const float density = h->count[i] / width;
        float e = norm(begin_at - (code_begin + 0.5f) * code, half, density);
        e += (code_end - code_begin - 1) * norm(-half, half, density);
        e += norm(-half, end_at - (code_end * code + half), density);
        sum += (double)e;
    }
    return (float)sum;
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    const histogram *h = pcs_observation_state(o, channel);
    const pcs_qscheme *s = &o->o.scheme;
    const uint32_t codes = o->o.like == PCS_LIKE_TORCH && s->bits ? 1u << s->bits : (uint32_t)(s->high - s->low) + 1;
    const double step = 1e-5, unit = unit_of(o, h);
    double alpha = 0, beta = 1, total = 0;
    size_t first = 0, end = h->bins - 1;
    float least = INFINITY, *sums = h->next;
    for (size_t i = 0; i < h->bins; i++) sums[i] = (float)(total += (double)h->count[i]);
    total = (double)(float)total;
    while (alpha < beta) {
        const double next_alpha = alpha + step, next_beta = beta - step;
        size_t l = first, r = end, to_first = first, to_end = end;
        while (l < end && sums[l] < (float)(next_alpha * total)) l++;
        while (r > first && sums[r] > (float)(next_beta * total)) r--;
        if (l - first > end - r) to_first = l, alpha = next_alpha;
        else to_end = r, beta = next_beta;
        if (to_first == first && to_end == end) continue;
        const float e = error_of(h, unit, to_first, to_end, codes);
        if (e > least) break;
        least = e;
        first = to_first;
        end = to_end;
    }
    const float width = (h->high - h->low) / (float)h->bins;
    *low = h->low + width * (float)first;
    *high = h->low + width * (float)(end + 1);
    return PRECIS_OK;
}

static const float *kept(const pcs_observation *o, size_t *n)
{
    const histogram *h = pcs_observation_state(o, 0);
    *n = h->bins;
    return h->count;
}

static void close_counts(pcs_observation *o)
{
    histogram *h = pcs_observation_state(o, 0);
    pcs_free(o->ctx, h->count);
}

const pcs_observer_kind pcs_observer_histogram = {
    .name = "histogram", .what = "the range of least squared error in 2,048 bins (torch's search)",
    .state = sizeof(histogram), .begin = begin, .see = see, .range = range, .kept = kept,
    .close = close_counts,
};
