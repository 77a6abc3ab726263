/* rounding.c - see rounding.h. Products are summed in doubles, in ascending order. */
#include "train/rounding.h"

#include "base/builtins.h"
#include "base/fmath.h"
#include "graph/op/round.h"

/* error[samples][rows] = x (wq - w)^T; its square, summed. */
static double products(const pcs_rounding *r, const float *wq, float *error)
{
    double squares = 0;
    for (size_t s = 0; s < r->samples; s++)
        for (size_t o = 0; o < r->rows; o++) {
            double sum = 0;
            for (size_t i = 0; i < r->k; i++)
                sum += (double)r->x[s * r->k + i] * ((double)wq[o * r->k + i] - r->w[o * r->k + i]);
            error[s * r->rows + o] = (float)sum;
            squares += sum * sum;
        }
    return squares;
}

/* d of the sum of squares by one weight. */
static double by_weight(const pcs_rounding *r, const float *error, size_t o, size_t i)
{
    double sum = 0;
    for (size_t s = 0; s < r->samples; s++) sum += (double)error[s * r->rows + o] * r->x[s * r->k + i];
    return 2 * sum;
}

/* ---- AdaRound ----------------------------------------------------------------------------------- */

#define ZETA 1.1
#define GAMMA (-0.1)

void pcs_adaround_begin(const pcs_rounding *r, const pcs_adaround *a, float *v)
{
    for (size_t i = 0; i < r->rows * r->k; i++) {
        const float q = r->w[i] / a->scale;
        const double rest = (double)(q - pcs_floorf(q));
        v[i] = (float)-pcs_log((ZETA - GAMMA) / (rest - GAMMA) - 1);
    }
}

float pcs_adaround_h(float v)
{
    const double h = (ZETA - GAMMA) / (1 + pcs_exp(-(double)v)) + GAMMA;
    return (float)(h < 0 ? 0 : h > 1 ? 1 : h);
}

/* |x|^beta with 0^beta = 0. */
static double magnitude_power(double x, double beta)
{
    const double a = x < 0 ? -x : x;
    return a > 0 ? pcs_pow(a, beta) : 0;
}

static void by_v(const pcs_rounding *r, const pcs_adaround *a, const float *v, const float *wq, const float *error,
                 float *dv)
{
    for (size_t e = 0; e < r->rows * r->k; e++) {
        const double s = 1 / (1 + pcs_exp(-(double)v[e])), h = (ZETA - GAMMA) * s + GAMMA;
        const double slope = h > 0 && h < 1 ? (ZETA - GAMMA) * s * (1 - s) : 0;
        const float q = wq[e] / a->scale;
        const bool inside = q > (float)a->low && q < (float)a->high;
        const double t = 2 * h - 1, power = t ? magnitude_power(t, a->beta) / t : 0;
        const double reg = -a->lambda * a->beta * 2 * power;
        const double recon = inside ? by_weight(r, error, e / r->k, e % r->k) / (double)r->samples * a->scale : 0;
        dv[e] = (float)((recon + reg) * slope);
    }
}

precis_status pcs_adaround_loss(precis_ctx *ctx, const pcs_rounding *r, const pcs_adaround *a, const float *v,
                                pcs_adaround_losses *out, float *dv)
{
    const size_t n = r->rows * r->k;
    float *wq = pcs_alloc(ctx, n + r->samples * r->rows + 1, sizeof *wq);
    if (!wq) return PRECIS_ENOMEM;
    out->regularizer = 0;
    for (size_t i = 0; i < n; i++) {
        const float h = pcs_adaround_h(v[i]);
        wq[i] = a->scale * pcs_clamp(pcs_floorf(r->w[i] / a->scale) + h, (float)a->low, (float)a->high);
        out->regularizer += a->lambda * (1 - magnitude_power(2 * (double)h - 1, a->beta));
    }
    out->error = products(r, wq, wq + n) / (double)r->samples;
    if (dv) by_v(r, a, v, wq, wq + n, dv);
    pcs_free(ctx, wq);
    return PRECIS_OK;
}

/* ---- sign descent ------------------------------------------------------------------------------- */

typedef struct {
    const pcs_rounding *r;
    float low, high;
    float *v, *factor, *base; /* base: a row's scale at a factor of 1 */
    float *wq, *error;
} descent;

static float code(const descent *d, size_t e, float s, bool *inside)
{
    const float q = s ? pcs_nearest(d->r->w[e] / s + d->v[e]) : 0;
    *inside = q > d->low && q < d->high; /* at an end a step outwards would be lost, so it does not pull */
    return pcs_clamp(q, d->low, d->high);
}

static double forward(const descent *d)
{
    for (size_t e = 0; e < d->r->rows * d->r->k; e++) {
        bool inside;
        const float s = d->base[e / d->r->k] * d->factor[e / d->r->k];
        d->wq[e] = code(d, e, s, &inside) * s;
    }
    return products(d->r, d->wq, d->error) / (double)(d->r->samples * d->r->rows);
}

static float sign(double x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f; }

/* One row: all gradients are taken before anything moves. */
static void descend(const descent *d, size_t o, float rate)
{
    const float s = d->base[o] * d->factor[o];
    double by_factor = 0;
    for (size_t i = 0; i < d->r->k; i++) {
        const size_t e = o * d->r->k + i;
        bool inside;
        const float q = code(d, e, s, &inside);
        const double by = by_weight(d->r, d->error, o, i);
        if (s) by_factor += by * ((double)q - (inside ? (double)d->r->w[e] / s : 0)) * d->base[o];
        if (inside) d->v[e] -= rate * sign(by * s);
    }
    d->factor[o] = pcs_clamp(d->factor[o] - rate * sign(by_factor), 0, 1);
}

static float scale_of(const float *w, size_t k, int bits)
{
    size_t top = 0;
    for (size_t i = 1; i < k; i++)
        if ((w[i] < 0 ? -w[i] : w[i]) > (w[top] < 0 ? -w[top] : w[top])) top = i;
    return k ? -w[top] / (float)(1 << (bits - 1)) : 0.0f;
}

/* What the caller wants of the iteration that is the best so far. */
static void keep_best(const descent *d, const pcs_sign_rounded *out)
{
    const size_t n = d->r->rows * d->r->k;
    if (out->v) memcpy(out->v, d->v, n * sizeof *out->v);
    if (out->factor) memcpy(out->factor, d->factor, d->r->rows * sizeof *out->factor);
    if (out->wq) memcpy(out->wq, d->wq, n * sizeof *out->wq);
}

precis_status pcs_sign_round(precis_ctx *ctx, const pcs_rounding *r, int bits, int iterations,
                             const pcs_sign_rounded *out)
{
    const size_t n = r->rows * r->k;
    descent d = { .r = r, .low = -(float)(1 << (bits - 1)), .high = (float)((1 << (bits - 1)) - 1) };
    d.v = pcs_alloc(ctx, 2 * n + 2 * r->rows + r->samples * r->rows + 1, sizeof *d.v);
    if (!d.v) return PRECIS_ENOMEM;
    d.wq = d.v + n;
    d.factor = d.wq + n;
    d.base = d.factor + r->rows;
    d.error = d.base + r->rows;
    memset(d.v, 0, n * sizeof *d.v);
    for (size_t o = 0; o < r->rows; o++) d.factor[o] = 1, d.base[o] = scale_of(r->w + o * r->k, r->k, bits);
    double best = 0;
    for (int t = 0; t < iterations; t++) {
        const double loss = forward(&d);
        if (out->losses) out->losses[t] = (float)loss;
        if (!t || loss < best) {
            best = loss;
            keep_best(&d, out);
        }
        const float rate = (float)((1.0 - (double)t / iterations) / iterations);
        for (size_t o = 0; o < r->rows; o++) descend(&d, o, rate);
    }
    pcs_free(ctx, d.v);
    return PRECIS_OK;
}
