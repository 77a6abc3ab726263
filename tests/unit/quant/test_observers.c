/* Observers and their scales against torch's and onnxruntime's numbers (observers.inc): smallest and largest exact,
 * bins exact, scales to one unit in the last place, zero points exact; and what is refused.
 *
 * Inputs are made as those programs had them: sums of four numbers of a linear congruential generator (1664525,
 * 1013904223, modulo 2^32), of which the upper 24 bits count. */
#include "quant/observe/bins.h"
#include "test.h"

#include <math.h>

enum { BATCHES = 3, B_N = 2 * 4 * 36, BIG_N = 4096, W_N = 8 * 27, CHANNELS = 8 };
static float of_b[BATCHES][B_N], of_big[BATCHES][BIG_N], of_relu[BATCHES][BIG_N], of_w[1][W_N];

static void lcg(float *out, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t sum = 0;
        for (int k = 0; k < 4; k++) sum += (seed = seed * 1664525u + 1013904223u) >> 8;
        out[i] = (float)((double)sum / 16777216.0 - 2.0);
    }
}

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < BATCHES; i++) {
        lcg(of_b[i], B_N, 11 + (uint32_t)i);
        for (int k = 0; k < B_N; k++) of_b[i][k] = of_b[i][k] * (float)(1 + 0.5 * i) + 0.25f * (float)(k / 36 % 4);
        lcg(of_big[i], BIG_N, 101 + (uint32_t)i);
        for (int k = 0; k < BIG_N; k++) of_big[i][k] *= i < 2 ? 1.0f : 2.5f;
    }
    of_big[1][5] = 9.75f;
    of_big[2][7] = -12.5f;
    for (int i = 0; i < BATCHES; i++)
        for (int k = 0; k < BIG_N; k++) of_relu[i][k] = of_big[i][k] > 0 ? of_big[i][k] : 0;
    lcg(of_w[0], W_N, 77);
    const double step = (2.0 - 0.1) / 7;
    for (int k = 0; k < W_N; k++) {
        const int row = k / 27;
        /* linspace in f64, rounded to f32; its last number is 2 */
        of_w[0][k] = row == 3 ? 0 : of_w[0][k] * 0.3f * (row == 7 ? 2.0f : (float)(row * step + (double)0.1));
        if (row == 5) of_w[0][k] = fabsf(of_w[0][k]);
    }
    return 0;
}

/* What an input is, batches of it, and which axis is the channels'. */
typedef struct { const char *name; const float *x; size_t batches, n, outer, channels, inner; } input;
static const input inputs[] = {
    { "B", of_b[0], BATCHES, B_N, 2, 4, 36 },
    { "B axis 1", of_b[0], BATCHES, B_N, 2, 4, 36 },
    { "big", of_big[0], BATCHES, BIG_N, 1, 1, BIG_N },
    { "relu", of_relu[0], BATCHES, BIG_N, 1, 1, BIG_N },
    { "W", of_w[0], 1, W_N, 1, 8, 27 },
};

static const input *input_of(const char *name)
{
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (!strcmp(inputs[i].name, name)) return &inputs[i];
    fail_msg("no input %s", name);
    return NULL;
}

static pcs_observation *watch(precis_ctx *ctx, const char *kind, const input *in, const pcs_observer_options *o,
                              bool relu)
{
    pcs_observation *obs;
    float *room = malloc(in->n * sizeof *room);
    OK(ctx, pcs_observation_open(ctx, &obs, pcs_observer_by_name(kind), "x", o));
    for (uint32_t pass = 0; pass < pcs_observation_passes(obs); pass++) {
        if (pass) OK(ctx, pcs_observation_again(obs));
        for (size_t b = 0; b < in->batches; b++) {
            const float *x = in->x + b * in->n;
            for (size_t i = 0; i < in->n; i++) room[i] = relu && x[i] < 0 ? 0 : x[i];
            if (o->channels > 1) OK(ctx, pcs_observation_see(obs, room, in->outer, in->inner));
            else OK(ctx, pcs_observation_see(obs, room, 1, in->n));
        }
    }
    free(room);
    return obs;
}

static void near_ulp(const char *key, float got, double expected)
{
    const float e = (float)expected;
    if (got != e && got != nextafterf(e, INFINITY) && got != nextafterf(e, -INFINITY))
        fail_msg("%s: %.9g instead of %.9g", key, (double)got, expected);
}

static void same(const char *key, const char *what, double got, double expected)
{
    if (got != expected) fail_msg("%s: %s is %.9g instead of %.9g", key, what, got, expected);
}

/* ---- torch --------------------------------------------------------------------------------------- */

typedef struct {
    const char *observer, *of, *scheme;
    int n;
    double scale[CHANNELS], zero[CHANNELS], low[CHANNELS], high[CHANNELS];
    double search[2], sum, ends[2], most;
    int some, at;
} torch_row;

static const torch_row torch_rows[] = {
#define OF_TORCH
#define TORCH(o, i, s, ...) { .observer = o, .of = i, .scheme = s, __VA_ARGS__ },
#include "quant/observers.inc"
#undef TORCH
#undef OF_TORCH
};

static const struct { const char *torch, *own; } kinds[] = {
    { "MinMaxObserver", "minmax" }, { "PerChannelMinMaxObserver", "minmax" },
    { "MovingAverageMinMaxObserver", "moving_average" }, { "MovingAveragePerChannelMinMaxObserver", "moving_average" },
    { "HistogramObserver", "histogram" },
};

/* type, symmetric, reduced, codes where they are not the type's, eps */
static const struct { const char *name, *type; bool symmetric, reduced, narrow, coarse, float_zero; } schemes[] = {
    { "quint8_affine", "uint8", 0, 0, 0, 0, 0 },
    { "quint8_affine_reduced", "uint8", 0, 1, 0, 0, 0 },
    { "qint8_symmetric", "int8", 1, 0, 0, 0, 0 },
    { "qint8_symmetric_reduced", "int8", 1, 1, 0, 0, 0 },
    { "quint8_symmetric", "uint8", 1, 0, 0, 0, 0 },
    { "int8_sym_-127_127_eps2^-12", "int8", 1, 0, 1, 1, 0 },
    { "int8_affine_-128_127", "int8", 0, 0, 0, 1, 0 },
    { "qint8_per_channel_symmetric", "int8", 1, 0, 0, 0, 0 },
    { "quint8_per_channel_affine", "uint8", 0, 0, 0, 0, 0 },
    { "qint8_pc_sym_-127_127", "int8", 1, 0, 1, 1, 0 },
    { "quint8_per_channel_affine_float", "uint8", 0, 0, 0, 0, 1 },
};

static pcs_qscheme scheme_of(const char *name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strcmp(schemes[i].name, name)) continue;
        pcs_qscheme s = pcs_qscheme_of(pcs_qtype_by_name(schemes[i].type), schemes[i].symmetric, schemes[i].reduced,
                                       PCS_LIKE_TORCH);
        if (schemes[i].narrow) s.low = -127;
        if (schemes[i].coarse) s.eps = 0x1p-12f;
        s.float_zero = schemes[i].float_zero;
        return s;
    }
    fail_msg("no scheme %s", name);
    return (pcs_qscheme){ 0 };
}

static void check_counts(const char *key, const torch_row *r, const pcs_observation *obs)
{
    size_t n;
    const float *count = obs->kind->kept(obs, &n);
    double sum = 0;
    int some = 0, at = 0;
    for (size_t i = 0; i < n; i++) sum += count[i], some += count[i] > 0, at = count[i] > count[at] ? (int)i : at;
    same(key, "sum of the histogram", sum, r->sum);
    same(key, "bins with values", some, r->some);
    same(key, "first bin", count[0], r->ends[0]);
    same(key, "last bin", count[n - 1], r->ends[1]);
    same(key, "largest bin", at, r->at);
    same(key, "its count", count[at], r->most);
}

static void like_torch(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    size_t rows = 0;
    for (size_t i = 0; i < sizeof torch_rows / sizeof *torch_rows; i++, rows++) {
        const torch_row *r = &torch_rows[i];
        char key[160];
        const char *kind = NULL;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (!strcmp(kinds[k].torch, r->observer)) kind = kinds[k].own;
        snprintf(key, sizeof key, "%s|%s|%s", r->observer, r->of, r->scheme);
        pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
        o.like = PCS_LIKE_TORCH;
        o.channels = (uint32_t)r->n;
        o.scheme = scheme_of(r->scheme);
        pcs_observation *obs = watch(ctx, kind, input_of(r->of), &o, false);
        float low[CHANNELS], high[CHANNELS];
        pcs_qparams q[CHANNELS];
        OK(ctx, pcs_observation_range(obs, low, high));
        OK(ctx, pcs_observation_qparams(obs, q));
        for (int c = 0; c < r->n; c++) {
            const bool searched = r->some > 0;
            same(key, "smallest", low[c], searched ? (float)r->search[0] : (float)r->low[c]);
            same(key, "largest", high[c], searched ? (float)r->search[1] : (float)r->high[c]);
            near_ulp(key, q[c].scale, r->scale[c]);
            if (o.scheme.float_zero) near_ulp(key, q[c].zero_real, r->zero[c]);
            else same(key, "zero point", q[c].zero, r->zero[c]);
        }
        if (r->some) check_counts(key, r, obs);
        pcs_observation_close(&obs);
    }
    assert_int_equal(rows, 79);
    precis_ctx_close(&ctx);
}

/* All 2,048 bins, where torch's are at hand. */
static void histograms(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const char *const names[] = { "B", "big", "relu" };
    int seen = 0;
    for (size_t i = 0; i < 3; i++) {
        char path[512];
        precis_array a;
        snprintf(path, sizeof path, "%s/../shared/reference/nets/hist_%s.npy", PRECIS_SOURCE_DIR, names[i]);
        FILE *f = fopen(path, "rb");
        if (!f) {
            print_message("SKIP %s: not here\n", path);
            continue;
        }
        fclose(f);
        OK(ctx, precis_array_read(ctx, &a, path));
        pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
        o.like = PCS_LIKE_TORCH;
        pcs_observation *obs = watch(ctx, "histogram", input_of(names[i]), &o, false);
        size_t n;
        const float *count = obs->kind->kept(obs, &n), *expected = a.data;
        assert_int_equal(a.bytes, n * sizeof *count);
        for (size_t k = 0; k < n; k++) same(names[i], "bin", count[k], expected[k]);
        pcs_observation_close(&obs);
        precis_array_free(ctx, &a);
        seen++;
    }
    precis_ctx_close(&ctx);
    if (!seen) skip();
}

/* ---- onnxruntime --------------------------------------------------------------------------------- */

typedef struct {
    const char *kind, *of;
    int relu, symmetric, at_once, bins, levels, p3, n, n_bins;
    double percentile, low[CHANNELS], high[CHANNELS], edges[2], real[2], mean, deviation;
} ort_row;

static const ort_row ort_rows[] = {
#define OF_ORT
#define ORT(m, i, ...) { .kind = m, .of = i, __VA_ARGS__ },
#include "quant/observers.inc"
#undef ORT
#undef OF_ORT
};

static void check_bins(const char *key, const ort_row *r, pcs_observation *obs)
{
    const pcs_bins *b = pcs_observation_state(obs, 0);
    same(key, "bins", (double)b->n, r->n_bins);
    same(key, "first edge", b->edge[0], (float)r->edges[0]);
    same(key, "last edge", b->edge[b->n], (float)r->edges[1]);
    same(key, "smallest value", b->low, (float)r->real[0]);
    same(key, "largest value", b->high, (float)r->real[1]);
    if (!r->deviation) return;
    float mean, deviation;
    assert_int_equal(obs->kind->moments(obs, 0, &mean, &deviation), PRECIS_OK);
    near_ulp(key, mean, r->mean);
    near_ulp(key, deviation, r->deviation);
}

static void like_onnxruntime(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    int at_once = 0;
    for (size_t i = 0; i < sizeof ort_rows / sizeof *ort_rows; i++) {
        const ort_row *r = &ort_rows[i];
        char key[160];
        snprintf(key, sizeof key, "%s|%s|%s%d bins %d levels %g%s", r->kind, r->of, r->relu ? "relu " : "", r->bins,
                 r->levels, r->percentile, r->at_once ? " at once" : "");
        pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
        o.like = PCS_LIKE_ORT;
        o.channels = (uint32_t)r->n;
        o.symmetric = r->symmetric;
        o.at_once = r->at_once;
        o.bins = (uint32_t)r->bins;
        if (r->levels) o.levels = (uint32_t)r->levels;
        if (r->percentile) o.percentile = r->percentile;
        o.power = r->p3 ? 1.0 / 3 : 1;
        pcs_observation *obs = watch(ctx, r->kind, input_of(r->of), &o, r->relu);
        float low[CHANNELS], high[CHANNELS];
        OK(ctx, pcs_observation_range(obs, low, high));
        for (int c = 0; c < r->n; c++) {
            same(key, "lowest", low[c], (float)r->low[c]);
            same(key, "highest", high[c], (float)r->high[c]);
        }
        if (r->n_bins) check_bins(key, r, obs);
        at_once += r->at_once;
        pcs_observation_close(&obs);
    }
    assert_int_equal(at_once, 33);
    precis_ctx_close(&ctx);
}

static const struct {
    const char *type;
    int reduced, symmetric;
    float low, high;
    int qmin, qmax;
    double scale;
    int zero;
} scales[] = {
#define OF_ORT_COMPUTE_SCALE_ZP
#define SCALE(...) { __VA_ARGS__ },
#include "quant/observers.inc"
#undef SCALE
#undef OF_ORT_COMPUTE_SCALE_ZP
};

static void scales_of_onnxruntime(void **state)
{
    (void)state;
    size_t rows = 0;
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++, rows++) {
        char key[160];
        const pcs_qscheme s = pcs_qscheme_of(pcs_qtype_by_name(scales[i].type), scales[i].symmetric, scales[i].reduced,
                                             PCS_LIKE_ORT);
        const pcs_qparams q = pcs_qparams_choose(&s, scales[i].low, scales[i].high);
        snprintf(key, sizeof key, "%s reduce=%d sym=%d range=(%g,%g)", scales[i].type, scales[i].reduced,
                 scales[i].symmetric, (double)scales[i].low, (double)scales[i].high);
        same(key, "least code", s.low, scales[i].qmin);
        same(key, "largest code", s.high, scales[i].qmax);
        near_ulp(key, q.scale, scales[i].scale);
        same(key, "zero point", q.zero, scales[i].zero);
    }
    assert_int_equal(rows, 120);
}

static const struct {
    const char *type;
    int symmetric, reduced, zero;
    double scale;
    long sum;
    int first[16];
} weights[] = {
#define OF_ORT_QUANTIZE_DATA_W
#define DATA(type, symmetric, reduced, zero, scale, sum, ...) \
    { type, symmetric, reduced, zero, scale, sum, { __VA_ARGS__ } },
#include "quant/observers.inc"
#undef DATA
#undef OF_ORT_QUANTIZE_DATA_W
};

static void weights_of_onnxruntime(void **state)
{
    (void)state;
    size_t rows = 0;
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++, rows++) {
        char key[160];
        float low, high;
        const pcs_qtype *t = pcs_qtype_by_name(weights[i].type);
        pcs_qscheme s = pcs_qscheme_of(t, weights[i].symmetric, weights[i].reduced, PCS_LIKE_ORT);
        pcs_extremes(of_w[0], W_N, &low, &high);
        const pcs_qparams q = pcs_qparams_choose(&s, low, high);
        snprintf(key, sizeof key, "W %s symmetric=%d reduce=%d", weights[i].type, weights[i].symmetric,
                 weights[i].reduced);
        near_ulp(key, q.scale, weights[i].scale);
        same(key, "zero point", q.zero, weights[i].zero);
        s.low = t->low, s.high = t->high; /* codes are clamped to the type */
        long sum = 0;
        for (int k = 0; k < W_N; k++) {
            const int code = pcs_qparams_code(&s, &q, of_w[0][k]);
            sum += code;
            if (k < 16) same(key, "a code", code, weights[i].first[k]);
        }
        same(key, "sum of codes", (double)sum, (double)weights[i].sum);
    }
    assert_int_equal(rows, 16);
}

/* torch's fake quantization: ties to even, and the least code for a NaN. */
static void fake_quantization(void **state)
{
    (void)state;
    static const float x[] = { -1.5f, -1.0f, -.5f, -.25f, .25f, .5f, 1.f, 1.5f, 2.5f, 3.5f, 130.f, -130.f, NAN },
                       a[] = { -2, -1, 0, 0, 0, 0, 1, 2, 2, 4, 127, -128, -128 },
                       b[] = { -1.5f, -1, -.5f, 0, 0, .5f, 1, 1.5f, 2.5f, 3.5f, 126, -1.5f, -1.5f };
    const pcs_qscheme s8 = { .low = -128, .high = 127, .like = PCS_LIKE_TORCH },
                      u8 = { .low = 0, .high = 255, .like = PCS_LIKE_TORCH };
    const pcs_qparams one = { 1, 0, 0 }, half = { .5f, 3, 3 };
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        same("-128..127", "value", pcs_qparams_real(&one, pcs_qparams_code(&s8, &one, x[i])), a[i]);
        same("scale .5 zp 3, 0..255", "value", pcs_qparams_real(&half, pcs_qparams_code(&u8, &half, x[i])), b[i]);
    }
}

/* ---- ours ---------------------------------------------------------------------------------------- */

static float range_of(precis_ctx *ctx, const char *kind, const input *in, pcs_observer_options o, float *high)
{
    float low;
    pcs_observation *obs = watch(ctx, kind, in, &o, false);
    OK(ctx, pcs_observation_range(obs, &low, high));
    pcs_observation_close(&obs);
    return low;
}

/* Counts do not depend on the order in which batches come, and no value is lost when the range grows. */
static void order(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
    static const char *const all[] = { "percentile", "entropy", "mse", "distribution" };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        pcs_observation *a, *b;
        OK(ctx, pcs_observation_open(ctx, &a, pcs_observer_by_name(all[k]), "x", &o));
        OK(ctx, pcs_observation_open(ctx, &b, pcs_observer_by_name(all[k]), "x", &o));
        for (int i = 0; i < BATCHES; i++) {
            OK(ctx, pcs_observation_see(a, of_big[i], 1, BIG_N));
            OK(ctx, pcs_observation_see(b, of_big[BATCHES - 1 - i], 1, BIG_N));
        }
        const pcs_bins *x = pcs_observation_state(a, 0), *y = pcs_observation_state(b, 0);
        uint64_t sum = 0;
        assert_int_equal(x->n, y->n);
        for (size_t i = 0; i < x->n; i++) {
            assert_int_equal(x->count[i], y->count[i]);
            sum += x->count[i];
        }
        assert_int_equal(sum, BATCHES * BIG_N);
        float low[2], high[2];
        OK(ctx, pcs_observation_range(a, &low[0], &high[0]));
        OK(ctx, pcs_observation_range(b, &low[1], &high[1]));
        same(all[k], "smallest", low[0], low[1]);
        same(all[k], "largest", high[0], high[1]);
        pcs_observation_close(&a);
        pcs_observation_close(&b);
    }
    precis_ctx_close(&ctx);
}

static double squared_error(const input *in, const pcs_qscheme *s, float low, float high)
{
    const pcs_qparams q = pcs_qparams_choose(s, low, high);
    double sum = 0;
    for (size_t i = 0; i < in->batches * in->n; i++) {
        const double e = pcs_qparams_real(&q, pcs_qparams_code(s, &q, in->x[i])) - in->x[i];
        sum += e * e;
    }
    return sum;
}

/* mse loses less than minmax and than histogram where there are outliers, and nearly nothing where there are none. */
static void least_error(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const char *const names[] = { "B", "big", "relu" };
    for (size_t i = 0; i < 3; i++) {
        for (int bits = 4; bits <= 8; bits += 4) {
            pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
            const input *in = input_of(names[i]);
            o.scheme = pcs_qscheme_of(pcs_qtype_by_name(bits == 8 ? "int8" : "int4"), false, false, PCS_LIKE_PRECIS);
            float high[3], low[3];
            static const char *const who[] = { "mse", "minmax", "histogram" };
            double e[3];
            for (int k = 0; k < 3; k++) {
                low[k] = range_of(ctx, who[k], in, o, &high[k]);
                e[k] = squared_error(in, &o.scheme, low[k], high[k]);
            }
            if (e[0] > e[1] * 1.02 || e[0] > e[2] * 1.02)
                fail_msg("%s, %d bits: mse %g, minmax %g, histogram %g", names[i], bits, e[0], e[1], e[2]);
        }
    }
    float high;
    pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
    o.scheme = pcs_qscheme_of(pcs_qtype_by_name("int4"), true, false, PCS_LIKE_PRECIS);
    const float low = range_of(ctx, "mse", input_of("big"), o, &high);
    assert_true(low == -high && high < 6);
    precis_ctx_close(&ctx);
}

/* Values times a power of two have that range times it, however small or large they are. */
static void any_size(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const char *const who[] = { "minmax", "moving_average", "histogram", "percentile", "entropy", "mse" };
    const input *in = input_of("big");
    float *x = malloc(in->batches * in->n * sizeof *x);
    for (size_t k = 0; k < sizeof who / sizeof *who; k++) {
        pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
        o.scheme = pcs_qscheme_of(pcs_qtype_by_name("uint8"), false, false, PCS_LIKE_PRECIS);
        float high, other_high;
        const float low = range_of(ctx, who[k], in, o, &high);
        for (int e = -110; e <= 120; e += 23) {
            input other = *in;
            other.x = x;
            for (size_t i = 0; i < in->batches * in->n; i++) x[i] = ldexpf(in->x[i], e);
            const float other_low = range_of(ctx, who[k], &other, o, &other_high);
            if (other_low != ldexpf(low, e) || other_high != ldexpf(high, e))
                fail_msg("%s: times 2^%d %g to %g, not %g to %g", who[k], e, (double)other_low, (double)other_high,
                         (double)ldexpf(low, e), (double)ldexpf(high, e));
        }
    }
    free(x);
    precis_ctx_close(&ctx);
}

/* So much of the values lies within the range, and it is near the exact quantile. */
static void quantiles(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const double shares[] = { 90, 99, 99.9, 100 };
    for (size_t i = 0; i < 4; i++)
        for (int symmetric = 0; symmetric < 2; symmetric++) {
            pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
            const input *in = input_of("big");
            float high;
            size_t inside = 0, within = 0;
            const size_t all = in->n * in->batches;
            o.percentile = shares[i];
            o.symmetric = symmetric;
            const float low = range_of(ctx, "percentile", in, o, &high), slack = 0.01f;
            for (size_t k = 0; k < all; k++) {
                inside += in->x[k] >= low && in->x[k] <= high;
                within += in->x[k] >= low + slack && in->x[k] <= high - slack;
            }
            if (inside * 100.0 < shares[i] * all || (shares[i] < 100 && within * 100.0 > shares[i] * all))
                fail_msg("%g %%: %zu of %zu in %g to %g, %zu well inside", shares[i], inside, all, (double)low,
                         (double)high, within);
        }
    precis_ctx_close(&ctx);
}

static void refusals(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    pcs_observation *obs;
    float low[4], high[4];
    const float infinite[] = { INFINITY, -INFINITY, 1, 2 }, bad[] = { 1, NAN };
    for (size_t i = 0; pcs_observers[i]; i++) {
        const pcs_observer_kind *k = pcs_observers[i];
        pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
        OK(ctx, pcs_observation_open(ctx, &obs, k, "layer.3", &o));
        OK(ctx, pcs_observation_see(obs, NULL, 0, 0));
        const bool gives = k->range && k->needs_nothing;
        assert_int_equal(pcs_observation_range(obs, low, high), gives ? PRECIS_OK : PRECIS_EINVAL);
        if (!gives) {
            assert_non_null(strstr(precis_ctx_message(ctx), "layer.3"));
            assert_non_null(strstr(precis_ctx_message(ctx), k->name));
        }
        assert_int_equal(pcs_observation_see(obs, bad, 1, 2), PRECIS_EFORMAT);
        assert_non_null(strstr(precis_ctx_message(ctx), "layer.3 is NaN at element 1 of batch 0"));
        OK(ctx, pcs_observation_see(obs, infinite, 1, 2)); /* only infinities are nothing, too */
        if (!gives) assert_int_equal(pcs_observation_range(obs, low, high), PRECIS_EINVAL);
        OK(ctx, pcs_observation_see(obs, infinite, 1, 4));
        if (k->range && !gives) {
            OK(ctx, pcs_observation_range(obs, low, high));
            assert_true(low[0] >= -4 && high[0] <= 4 && obs->infinite == 4);
        }
        pcs_observation_close(&obs);
        o.channels = 2;
        assert_int_equal(pcs_observation_open(ctx, &obs, k, "x", &o), k->per_channel ? PRECIS_OK : PRECIS_EINVAL);
        pcs_observation_close(&obs);
    }
    precis_ctx_close(&ctx);
}

/* Ranges at the ends of what f32 holds give scales that are finite and zero points that are codes. */
static void extremes(void **state)
{
    (void)state;
    static const float ends[] = { -3.4e38f, -1e30f, -1, -1e-30f, -1e-45f, 0, 1e-45f, 1e-30f, 1, 1e30f, 3.4e38f };
    const size_t n = sizeof ends / sizeof *ends;
    for (const pcs_qtype *t = pcs_qtypes; t->name; t++)
        for (int k = 0; k < 4; k++)
            for (int like = PCS_LIKE_PRECIS; like <= PCS_LIKE_ORT; like += 2) {
                const pcs_qscheme s = pcs_qscheme_of(t, k & 1, k & 2, like);
                for (size_t i = 0; i < n; i++)
                    for (size_t j = i; j < n; j++) {
                        const pcs_qparams q = pcs_qparams_choose(&s, ends[i], ends[j]);
                        assert_true(q.scale > 0 && q.scale < INFINITY && q.zero >= s.low && q.zero <= s.high);
                        assert_true(pcs_qparams_code(&s, &q, 0) == q.zero);
                    }
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_torch), cmocka_unit_test(histograms), cmocka_unit_test(any_size),
        cmocka_unit_test(like_onnxruntime),
        cmocka_unit_test(scales_of_onnxruntime), cmocka_unit_test(weights_of_onnxruntime),
        cmocka_unit_test(fake_quantization), cmocka_unit_test(order), cmocka_unit_test(least_error),
        cmocka_unit_test(quantiles), cmocka_unit_test(refusals), cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
