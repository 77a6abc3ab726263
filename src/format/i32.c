/* i32.c - 32-bit integers: data that is not weights; read only. */
#include "format/format.h"
#include "base/f16.h"

static void to_f32(size_t n, const void *src, float *dst)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        int32_t v;
        memcpy(&v, p + 4 * i, 4);
        dst[i] = (float)v;
    }
}

const pcs_format pcs_format_i32 = {
    .name = "I32", .id = 26, .block = 1, .bytes = 4, .kind = PCS_INT, .to_f32 = to_f32
};
