/* i64.c - 64-bit integers: data that is not weights; read only. */
#include "format/format.h"
#include "base/f16.h"

static void to_f32(size_t n, const void *src, float *dst)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        memcpy(&v, p + 8 * i, 8);
        dst[i] = (float)v;
    }
}

const pcs_format pcs_format_i64 = {
    .name = "I64", .id = 27, .block = 1, .bytes = 8, .kind = PCS_INT, .to_f32 = to_f32
};
