/* f64.c - IEEE 754 double precision; read only. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void to_f32(size_t n, const void *src, float *dst)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        double v;
        memcpy(&v, p + 8 * i, 8);
        dst[i] = (float)v;
    }
}

const pcs_format pcs_format_f64 = {
    .name = "F64", .id = 28, .block = 1, .bytes = 8, .kind = PCS_FLOAT, .to_f32 = to_f32,
    .numbers = PCS_NUMBERS(PCS_F64_AT(0))
};
