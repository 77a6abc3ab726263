/* language.c - see language.h; the hash and the shares are those of shared/reference/train/lang.py. */
#include "train/language.h"

#include "base/fmath.h"

enum { ORDERS = 3, SUCCESSORS = 4 };

static const double share_zipf = 0.05, share[ORDERS] = { 0.25, 0.30, 0.30 }, share_copy = 0.10;
/* Weights 1, 1/2, 1/3, 1/4 over their sum 25/12. */
static const double weight[SUCCESSORS] = { 12.0 / 25, 6.0 / 25, 4.0 / 25, 3.0 / 25 };

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The first symbol whose summed probability lies above u. */
static int32_t by_zipf(const pcs_language *l, double u)
{
    size_t low = 0, high = l->symbols - 1;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (l->zipf_sum[mid] > u) high = mid;
        else low = mid + 1;
    }
    return (int32_t)low;
}

void pcs_language_open(pcs_language *l, uint64_t seed, size_t symbols)
{
    *l = (pcs_language){ .seed = seed, .symbols = symbols };
    double all = 0, sum = 0;
    for (size_t i = 0; i < symbols; i++) all += 1.0 / ((double)i + 1);
    for (size_t i = 0; i < symbols; i++) {
        l->zipf[i] = 1.0 / ((double)i + 1) / all;
        l->zipf_sum[i] = sum += l->zipf[i];
    }
}

static int32_t successor(const pcs_language *l, int order, uint64_t context, uint64_t j)
{
    const uint64_t h =
        mix(context * 0x9e3779b97f4a7c15u + ((l->seed * 1000003 + (uint64_t)order * 8191 + 1) & 0xffffffffu));
    return by_zipf(l, (double)(mix(h + j * 0xd1b54a32d192ed03u + 1) >> 11) * 0x1p-53);
}

/* The last k symbols before place t as one number; 0 stands before the first. */
static uint64_t context_of(const pcs_language *l, const int32_t *x, size_t t, int k)
{
    uint64_t c = 0;
    for (int q = k; q > 0; q--) c = c * l->symbols + (t >= (size_t)q ? (uint64_t)x[t - (size_t)q] : 0);
    return c;
}

static double probability(const pcs_language *l, const int32_t *x, size_t t, int32_t copied)
{
    double p = share_zipf * l->zipf[x[t]];
    for (int k = 0; k < ORDERS; k++) {
        const uint64_t context = context_of(l, x, t, k + 1);
        for (uint64_t j = 0; j < SUCCESSORS; j++)
            p += successor(l, k + 1, context, j) == x[t] ? share[k] * weight[j] : 0;
    }
    return p + share_copy * (copied >= 0 ? copied == x[t] : l->zipf[x[t]]);
}

static int32_t draw(const pcs_language *l, const int32_t *x, size_t t, int32_t copied, uint64_t *state)
{
    const double u = pcs_rand_unit(state), which = pcs_rand_unit(state);
    const int32_t plain = by_zipf(l, pcs_rand_unit(state));
    double edge = share_zipf, sum = 0;
    uint64_t j = 0;
    while (j + 1 < SUCCESSORS && which >= (sum += weight[j])) j++;
    for (int k = 0; k < ORDERS; edge += share[k++])
        if (u >= edge && u < edge + share[k]) return successor(l, k + 1, context_of(l, x, t, k + 1), j);
    return u >= edge && copied >= 0 ? copied : plain;
}

void pcs_language_draw(const pcs_language *l, const pcs_sequence *s, int32_t *x, float *log_p)
{
    int16_t *last = s->last;
    uint64_t state = mix(s->seed * 0x9e3779b97f4a7c15u + 3) ^ mix(s->number * 0xd1b54a32d192ed03u + 5);
    memset(last, 0xff, l->symbols * l->symbols * sizeof *last); /* -1: nothing yet */
    for (size_t t = 0; t < s->n; t++) {
        const size_t pair = t >= 2 ? (size_t)x[t - 2] * l->symbols + (size_t)x[t - 1] : 0;
        const int32_t copied = t >= 2 ? last[pair] : -1;
        x[t] = draw(l, x, t, copied, &state);
        if (log_p) log_p[t] = (float)pcs_log(probability(l, x, t, copied));
        if (t >= 2) last[pair] = (int16_t)x[t];
    }
}
