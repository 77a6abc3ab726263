/* i8.c - 8-bit integers: data that is not weights; read only. */
#include "format/format.h"
#include "base/f16.h"

static void to_f32(size_t n, const void *src, float *dst)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        int8_t v;
        memcpy(&v, p + 1 * i, 1);
        dst[i] = (float)v;
    }
}

const pcs_format pcs_format_i8 = {
    .name = "I8", .id = 24, .block = 1, .bytes = 1, .kind = PCS_INT, .to_f32 = to_f32
};
