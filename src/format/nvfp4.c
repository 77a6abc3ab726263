/* nvfp4.c - 64 weights in 4 groups of 16: unsigned E4M3 scales, E2M1 codes (doubled, so scales are
 * halved). The tensor's global scale is a tensor of its own (NAME.scale), which a matmul applies. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"
#include "format/element.h"

static const int8_t stored[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

static float half_e4m3(uint8_t b)
{
    const int e = b >> 3 & 15, mant = b & 7;
    if (b == 0x7f || b == 0) return 0.0f;
    const float v = e ? (1.0f + (float)mant / 8) * pcs_bits_f32((uint32_t)(e - 7 + 127) << 23) : (float)mant * 0x1p-9f;
    return v * 0.5f;
}

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    for (int s = 0; s < 4; s++) {
        d[s] = half_e4m3(src[s]);
        for (int i = 0; i < 8; i++) {
            q[16 * s + i] = stored[src[4 + 8 * s + i] & 15];
            q[16 * s + 8 + i] = stored[src[4 + 8 * s + i] >> 4];
        }
    }
}

/* Ties of halves go to the even code, as the hardware's conversion does. */
static int e2m1(float a)
{
    static const float edge[7] = { 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f };
    int c = 0;
    for (int i = 0; i < 7; i++) c += i % 2 ? a >= edge[i] : a > edge[i];
    return c;
}

static double group_error(const float *x, const float *w, float s)
{
    static const float value[8] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6 };
    double err = 0;
    for (int i = 0; i < 16; i++) {
        const float a = x[i] < 0 ? -x[i] : x[i], d = a - s * value[e2m1(s > 0 ? a / s : 0.0f)];
        err += (w ? (double)w[i] : 1.0) * d * d;
    }
    return err;
}

static void encode(const pcs_encode_args *a)
{
    const float *x = a->x, *w = a->effort == PCS_FIT_SEARCH ? a->w : NULL;
    uint8_t *dst = a->dst;
    for (size_t at = 0; at < a->n; at += 64, dst += a->f->bytes) {
        memset(dst, 0, a->f->bytes);
        for (int g = 0; g < 4; g++) {
            const float *gx = x + at + 16 * g, *gw = w ? w + at + 16 * g : NULL;
            float top = 0;
            for (int i = 0; i < 16; i++) top = gx[i] > top ? gx[i] : -gx[i] > top ? -gx[i] : top;
            unsigned code = pcs_element_code(&pcs_e4m3, top / 6.0f);
            if (a->effort == PCS_FIT_SEARCH && code) {
                const unsigned first = code;
                double least = group_error(gx, gw, pcs_element_value(&pcs_e4m3, code));
                for (unsigned c = first > 6 ? first - 6 : 1; c <= first + 1 && c < 0x7f; c++) {
                    const double e = group_error(gx, gw, pcs_element_value(&pcs_e4m3, c));
                    if (e < least) least = e, code = c;
                }
            }
            const float s = pcs_element_value(&pcs_e4m3, code);
            dst[g] = (uint8_t)code;
            for (int i = 0; i < 16; i++) {
                const float size = gx[i] < 0 ? -gx[i] : gx[i];
                const int c = e2m1(s > 0 ? size / s : 0.0f) | (gx[i] < 0 ? 8 : 0);
                dst[4 + 8 * g + i % 8] |= (uint8_t)((c == 8 ? 0 : c) << (i / 8 * 4));
            }
        }
    }
}

const pcs_format pcs_format_nvfp4 = {
    .name = "NVFP4", .id = 40, .block = 64, .bytes = 36, .kind = PCS_QUANT, .group = 16, .code_lo = -12, .code_hi = 12,
    .book = pcs_book_e2m1, .bound = 0.3, .substitute = "MXFP4", .unpack = unpack, .encode = encode,
    .numbers = PCS_NO_NUMBERS, .largest = 448.0f * 6, .scaled_whole = true
};
