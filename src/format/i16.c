/* i16.c - 16-bit integers: data that is not weights; read only. */
#include "format/format.h"
#include "base/f16.h"

static void to_f32(size_t n, const void *src, float *dst)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        int16_t v;
        memcpy(&v, p + 2 * i, 2);
        dst[i] = (float)v;
    }
}

const pcs_format pcs_format_i16 = {
    .name = "I16", .id = 25, .block = 1, .bytes = 2, .kind = PCS_INT, .to_f32 = to_f32
};
