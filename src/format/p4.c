/* p4.c - 4-bit codes times a whole multiplier of every 32 weights times one f32 of the row: w = r s q. |s q| is 120 at
 * most, so a row is also, exactly, a row of int8 with one scale. P4: s is 1 to 15 in 4 bits (4.125 bits a weight); P4S:
 * -15 to 15 in a byte (4.25), so that the long end of the codes may point either way.
 *
 * No better than IQ4_XS at the same bytes (docs/formats.md); it is here because its products need one scale for a
 * row. */
#include "format/choices.h"
#include "format/number.h"
#include "format/scheme.h"

enum { GROUP = 32, TOP = 15, ROUNDS = 4 };

/* ---- layout -------------------------------------------------------------------------------------- */

static void unpack_p4(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    for (int g = 0; g < 2; g++) {
        pcs_nibbles_get(src + 1 + 16 * g, q + GROUP * g, 8);
        d[2 * g] = d[2 * g + 1] = (float)(g ? src[0] >> 4 : src[0] & 15);
    }
}

static void unpack_p4s(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    pcs_nibbles_get(src + 1, q, 8);
    d[0] = d[1] = (float)(int8_t)src[0];
}

extern const pcs_format pcs_format_p4, pcs_format_p4s;

static void unpack_row(const pcs_format *f, const uint8_t *src, size_t n, int8_t *q, float *d, float *m)
{
    const float r = pcs_bits_f32(pcs_load32(src));
    *d = r;
    *m = 0;
    src += 4;
    for (size_t at = 0; at < n; at += f->block, src += f->bytes) {
        f->unpack(src, q + at, d + at / 16, m);
        for (size_t s = 0; s < f->block / 16; s++) d[at / 16 + s] *= r;
    }
}

static void row_p4(const uint8_t *src, size_t n, int8_t *q, float *d, float *m)
{
    unpack_row(&pcs_format_p4, src, n, q, d, m);
}
static void row_p4s(const uint8_t *src, size_t n, int8_t *q, float *d, float *m)
{
    unpack_row(&pcs_format_p4s, src, n, q, d, m);
}

/* Codes times multipliers. P4S: one that no encoder writes may be too large. */
static void multiplied(const pcs_format *f, const uint8_t *block, int8_t *c)
{
    int8_t q[64];
    float d[4];
    f->unpack(block, q, d, NULL);
    for (uint32_t i = 0; i < f->block; i++) c[i] = (int8_t)(q[i] * (int)d[i / 16]);
}
static bool codes_p4(const uint8_t *src, size_t n, int8_t *c, float *s)
{
    *s = pcs_bits_f32(pcs_load32(src));
    for (size_t i = 0; i < n && c; i += 64) multiplied(&pcs_format_p4, src + 4 + i / 64 * 33, c + i);
    return true;
}
static bool codes_p4s(const uint8_t *src, size_t n, int8_t *c, float *s)
{
    *s = pcs_bits_f32(pcs_load32(src));
    for (size_t i = 0; i < n; i += 32) {
        const uint8_t *block = src + 4 + i / 32 * 17;
        const int m = (int8_t)block[0];
        if (m > 15 || m < -15) return false;
        if (c) multiplied(&pcs_format_p4s, block, c + i);
    }
    return true;
}

/* ---- multipliers --------------------------------------------------------------------------------- */

/* Multipliers of both signs? */
static bool both_ways(const pcs_format *f) { return f->block == GROUP; }

/* A multiplier, its error, and the sums of its codes. */
typedef struct { int m; double error, qq, qx; } fitted;

/* The multiplier of a group under the row's scale r by least error; of a group without one: 1. */
static fitted best_multiplier(const pcs_format *f, const float *x, const float *w, float r)
{
    fitted best = { .m = 1 };
    double least = 1e300, xx = 0;
    for (size_t i = 0; i < GROUP; i++) xx += (w ? (double)w[i] : 1.0) * (double)x[i] * (double)x[i];
    for (int sign = 1; sign >= (both_ways(f) ? -1 : 1); sign -= 2) {
        choices c;
        sums s;
        for (int l = 0; l < CHOICES; l++) c.inv[l] = 1.0f / (r * (float)(sign * (l < TOP ? l + 1 : TOP)));
        sums_of(f, &c, &(weights){ x, w, GROUP, 0 }, false, &s);
        for (int l = 0; l < TOP; l++) {
            const double d = (double)r * sign * (l + 1), e = xx + d * d * (double)s.qq[l] - 2 * d * (double)s.qx[l];
            if (!(e < least)) continue;
            least = e;
            best = (fitted){ sign * (l + 1), 0, (double)s.qq[l], (double)s.qx[l] };
        }
    }
    best.error = least;
    return best;
}

/* The scale that lets nothing of a group be cut; *turn: its codes are of the other sign, as their long end is the
 * negative one. */
static float needed(const float *x, bool both, bool *turn)
{
    float lo, hi;
    extremes(x, GROUP, &lo, &hi);
    *turn = both && hi > -lo;
    const float longer = *turn ? hi : -lo, shorter = *turn ? -lo : hi;
    return longer / 8 > shorter / 7 ? longer / 8 : shorter / 7;
}

/* Round to nearest. */
static int plain_multiplier(const float *x, float r, bool both)
{
    bool turn;
    const float need = needed(x, both, &turn);
    int s = (int)(need / r);
    s += (float)s * r < need * 0.999999f;
    s = s < 1 ? 1 : s > TOP ? TOP : s;
    return turn ? -s : s;
}

/* All multipliers of a row, and its scale: multipliers and codes for a scale, then the scale for those, again and
 * again; from three starts. */
static float fit(const pcs_format *f, size_t n, const float *x, const float *w, bool search, int8_t *s)
{
    const bool both = both_ways(f);
    float top = 0;
    for (size_t g = 0; g < n; g += GROUP) {
        bool turn;
        const float need = needed(x + g, both, &turn);
        top = need > top ? need : top;
    }
    const float plain = top / TOP;
    if (!(plain > 1e-37f)) {
        memset(s, 1, n / GROUP);
        return 0;
    }
    float best_r = plain;
    double least = 1e300;
    for (int start = 0; search && start < 3; start++) {
        float r = plain * (1.0f - 0.15f * (float)start);
        for (int round = 0; round < ROUNDS && r > 0; round++) {
            double e = 0, up = 0, down = 0;
            for (size_t g = 0; g < n; g += GROUP) {
                const fitted k = best_multiplier(f, x + g, w ? w + g : NULL, r);
                e += k.error;
                up += k.m * k.qx;
                down += (double)k.m * k.m * k.qq;
            }
            if (e < least) least = e, best_r = r;
            else if (round) break;
            r = down > 0 ? (float)(up / down) : 0;
        }
    }
    for (size_t g = 0; g < n; g += GROUP) {
        if (search) s[g / GROUP] = (int8_t)best_multiplier(f, x + g, w ? w + g : NULL, best_r).m;
        else s[g / GROUP] = (int8_t)plain_multiplier(x + g, best_r, both);
    }
    return best_r;
}

static void encode(const pcs_encode_args *a)
{
    /* Weights of a row whose multipliers lie on the stack; parts of longer rows are rows of their own in all but r. */
    enum { PART = 1 << 15 };
    const pcs_format *f = a->f;
    const float *x = a->x, *w = a->w;
    const size_t n = a->n;
    uint8_t *dst = a->dst;
    const bool both = both_ways(f);
    pcs_format one = *f; /* of a group, for its codes */
    one.block = GROUP;
    int8_t s[PART / GROUP];
    const size_t first = n < PART ? n : PART;
    const float r = fit(f, first, x, w, a->effort == PCS_FIT_SEARCH, s);
    pcs_head_put(r, 0, false, dst);
    dst += 4;
    for (size_t at = 0; at < n; at += GROUP) {
        int m = 1;
        if (at < first) m = s[at / GROUP];
        else if (r > 0) m = best_multiplier(f, x + at, w ? w + at : NULL, r).m;
        const float d = r * (float)m, ds[2] = { d, d };
        int8_t q[GROUP];
        pcs_codes(&one, x + at, ds, ds, q);
        if (both) {
            dst[at / GROUP * 17] = (uint8_t)(int8_t)m;
            pcs_nibbles_put(q, 8, dst + at / GROUP * 17 + 1);
        } else {
            uint8_t *to = dst + at / 64 * 33;
            if (at % 64) to[0] = (uint8_t)(to[0] | m << 4);
            else to[0] = (uint8_t)m;
            pcs_nibbles_put(q, 8, to + 1 + (at % 64 ? 16 : 0));
        }
    }
}

const pcs_format pcs_format_p4 = {
    .name = "P4", .id = 1420, .block = 64, .bytes = 33, .kind = PCS_QUANT, .group = GROUP, .code_lo = -8,
    .code_hi = 7, .scale = PCS_SCALE_ROW, .head = 4, .bound = 0.09, .substitute = "Q4_0",
    .unpack = unpack_p4, .unpack_row = row_p4, .encode = encode, .numbers = PCS_NUMBERS(PCS_F32_SCALE(0, true)),
    .codes_row = codes_p4
};
const pcs_format pcs_format_p4s = {
    .name = "P4S", .id = 1421, .block = 32, .bytes = 17, .kind = PCS_QUANT, .group = GROUP, .code_lo = -8,
    .code_hi = 7, .scale = PCS_SCALE_ROW, .head = 4, .bound = 0.09, .substitute = "Q4_0",
    .unpack = unpack_p4s, .unpack_row = row_p4s, .encode = encode, .numbers = PCS_NUMBERS(PCS_F32_SCALE(0, true)),
    .codes_row = codes_p4s
};
