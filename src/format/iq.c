/* iq.c - the search of the IQ types; see iq.h. */
#include "format/iq.h"
#include "base/f16.h"

enum { BLOCK = 256, TRIES = 14, BEST = 3 };

typedef struct {
    const pcs_iq *t;
    const float *x, *w; /* of the block */
    float mag[BLOCK];   /* x with the sign of its bit taken out; may be negative where parity costs one */
    pcs_iq_block b;
} work;

/* Signs out of the weights: where their number must be even, the cheapest weight gives its sign up. */
static void take_signs(work *k)
{
    for (int v = 0; v < 32; v++) {
        int odd = 0, least = 0;
        k->b.sign[v] = 0;
        for (int i = 0; i < 8; i++) {
            const float x = k->x[8 * v + i];
            const bool minus = x < 0 && !k->t->shift_every;
            k->mag[8 * v + i] = minus ? -x : x;
            k->b.sign[v] |= (uint8_t)(minus << i);
            odd ^= minus;
        }
        if (!k->t->even || !odd) continue;
        for (int i = 1; i < 8; i++) {
            const int a = 8 * v + i, c = 8 * v + least;
            if (k->w[a] * k->mag[a] * k->mag[a] < k->w[c] * k->mag[c] * k->mag[c]) least = i;
        }
        k->b.sign[v] ^= (uint8_t)(1 << least);
        k->mag[8 * v + least] = -k->mag[8 * v + least];
    }
}

/* Costs of every combination of levels of `n` weights, by their bits. */
static void combine(const pcs_iq *t, int n, const float *x, const float *w, const float *level, float *out)
{
    const int levels = 1 << t->bits;
    float cost[4][8];
    for (int i = 0; i < n; i++)
        for (int l = 0; l < levels; l++) {
            const float d = x[i] - level[l];
            cost[i][l] = w[i] * d * d;
        }
    for (int c = 0; c < 1 << (n * t->bits); c++) {
        float s = 0;
        for (int i = 0; i < n; i++) s += cost[i][c >> (t->bits * i) & (levels - 1)];
        out[c] = s;
    }
}

/* The best entry for one vector under scale d, the first one where squares pass the range of F32; returns its cost. */
static float search(const pcs_iq *t, const float *x, const float *w, float d, int shift, uint16_t *index)
{
    float level[8], lo[256], hi[256];
    const int half = t->vec / 2, bits = half * t->bits;
    for (int l = 0; l < 1 << t->bits; l++) level[l] = d * (float)(t->value[l] + shift);
    combine(t, half, x, w, level, lo);
    combine(t, half, x + half, w + half, level, hi);
    float best = 3e38f;
    *index = 0;
    for (uint32_t e = 0; e < t->entries; e++) {
        const float c = lo[t->grid[e] & ((1 << bits) - 1)] + hi[t->grid[e] >> bits];
        if (c < best) best = c, *index = (uint16_t)e;
    }
    return best;
}

static int code(const pcs_iq *t, const work *k, int i)
{
    const int v = i / t->vec;
    const int entry = t->grid[k->b.index[v]] >> (t->bits * (i % t->vec)) & ((1 << t->bits) - 1);
    return t->value[entry] + (t->shift_every ? k->b.shift[i / 8] : 0);
}

/* Codes of one group under scale d; its cost. */
static double code_group(work *k, int g, float d)
{
    const pcs_iq *t = k->t;
    double total = 0;
    const int every = t->shift_every ? t->shift_every : t->group, first = g * t->group;
    for (int at = first; at < first + t->group; at += every) { /* each part that may have its own shift */
        const int end = at + (every < t->group ? every : t->group);
        double best = -1;
        pcs_iq_block keep = k->b;
        for (int shift = t->shift_every ? -1 : 0; shift <= (t->shift_every ? 1 : 0); shift += 2) {
            double sum = 0;
            uint16_t index[8];
            for (int v = at / t->vec; v < end / t->vec; v++)
                sum += search(t, k->mag + v * t->vec, k->w + v * t->vec, d, shift, &index[v - at / t->vec]);
            if (best >= 0 && !(sum < best)) continue;
            best = sum;
            for (int v = at / t->vec; v < end / t->vec; v++) keep.index[v] = index[v - at / t->vec];
            for (int e = at / 8; e < end / 8; e++) keep.shift[e] = (int8_t)shift;
        }
        k->b = keep;
        total += best;
    }
    return total;
}

/* Least squares for the scale of codes: sums of a group. */
static void moments(const work *k, int first, int n, double scale, double *xq, double *qq)
{
    for (int i = first; i < first + n; i++) {
        const double q = scale * code(k->t, k, i);
        *xq += (double)k->w[i] * k->mag[i] * q;
        *qq += (double)k->w[i] * q * q;
    }
}

/* Cost of rounding each weight to the nearest level alone. */
static double free_cost(const work *k, int first, int n, float d)
{
    const pcs_iq *t = k->t;
    double total = 0;
    for (int i = first; i < first + n; i++) {
        float best = 3e38f;
        for (int l = 0; l < 1 << t->bits; l++) {
            if (t->bits == 2 && l == 3) break; /* no entry has it */
            const float e = k->mag[i] - d * (float)t->value[l];
            best = e * e < best ? e * e : best;
        }
        total += (double)k->w[i] * best;
    }
    return total;
}

static float fit_group(work *k, int g, pcs_fit_effort effort)
{
    const pcs_iq *t = k->t;
    const int first = g * t->group;
    float top = 0, largest = 0;
    for (int i = first; i < first + t->group; i++)
        top = k->mag[i] > top ? k->mag[i] : -k->mag[i] > top && t->shift_every ? -k->mag[i] : top;
    for (int l = 0; l < 8; l++) largest = t->value[l] > largest ? t->value[l] : largest;
    if (!(top > 0)) return 0;
    float tries[TRIES];
    double costs[TRIES];
    const float from = t->shift_every ? 0.35f : 0.6f;
    for (int c = 0; c < TRIES; c++) {
        tries[c] = top / largest * (from + (1.15f - from) * (float)c / (TRIES - 1));
        costs[c] = free_cost(k, first, t->group, tries[c]);
    }
    float d = top / largest;
    double gain = -1;
    pcs_iq_block keep = k->b;
    for (int pass = 0; pass < (effort == PCS_FIT_SEARCH ? BEST : 1); pass++) {
        int at = 0;
        for (int c = 1; c < TRIES; c++)
            if (costs[c] < costs[at]) at = c;
        if (pass && costs[at] >= 1e300) break;
        costs[at] = 1e300;
        code_group(k, g, tries[at]);
        double xq = 0, qq = 0;
        moments(k, first, t->group, 1, &xq, &qq);
        if (!(qq > 0) || !(xq > 0) || !(xq * xq / qq > gain)) continue;
        gain = xq * xq / qq;
        d = (float)(xq / qq);
        keep = k->b;
    }
    k->b = keep;
    return d;
}

static double code_block(work *k)
{
    const pcs_iq *t = k->t;
    double cost = 0;
    const float d0 = pcs_f16_to_f32(k->b.d);
    for (int g = 0; g < BLOCK / t->group; g++) cost += code_group(k, g, d0 * t->mul * (0.5f + (float)k->b.sc[g]));
    return cost;
}

static uint16_t half(double v) { return pcs_f32_to_f16(v > 65504.0 ? 65504.0f : (float)v); }

static void encode_block(work *k, pcs_fit_effort effort)
{
    const pcs_iq *t = k->t;
    const int groups = BLOCK / t->group;
    float d[16], top = 0;
    take_signs(k);
    for (int g = 0; g < groups; g++) {
        d[g] = fit_group(k, g, effort);
        top = d[g] > top ? d[g] : top;
    }
    k->b.d = half((double)top / ((double)t->mul * (0.5 + t->sc_hi)));
    const float d0 = pcs_f16_to_f32(k->b.d);
    for (int g = 0; g < groups; g++) {
        float s = d0 > 0 ? d[g] / (d0 * t->mul) - 0.5f : 0.0f;
        s = s < 0 ? 0 : s > (float)t->sc_hi ? (float)t->sc_hi : s;
        k->b.sc[g] = (uint8_t)pcs_round(s);
    }
    double cost = code_block(k);
    for (int round = 0; effort == PCS_FIT_SEARCH && round < 2; round++) {
        const pcs_iq_block keep = k->b;
        double xq = 0, qq = 0;
        for (int g = 0; g < groups; g++)
            moments(k, g * t->group, t->group, (double)t->mul * (0.5 + k->b.sc[g]), &xq, &qq);
        if (!(qq > 0) || !(xq > 0)) break;
        k->b.d = half(xq / qq);
        const double now = code_block(k);
        if (!(now < cost)) {
            k->b = keep;
            break;
        }
        cost = now;
    }
}

void pcs_iq_encode(const pcs_iq *t, const pcs_encode_args *a)
{
    float importance[BLOCK];
    uint8_t *dst = a->dst;
    for (size_t at = 0; at < a->n; at += BLOCK) {
        work k = { .t = t, .x = a->x + at, .w = importance };
        const float *w = a->w ? a->w + at : NULL;
        float top = 0;
        for (int i = 0; i < BLOCK && w; i++) top = w[i] > top ? w[i] : top;
        const bool weighed = w && top > 0 && top < 3e38f && a->effort == PCS_FIT_SEARCH;
        for (int i = 0; i < BLOCK; i++) importance[i] = weighed ? w[i] / top + 1e-6f : 1.0f;
        encode_block(&k, a->effort);
        t->pack(&k.b, dst);
        dst += t->bytes;
    }
}
