/* f32.c - IEEE 754 single precision. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void to_f32(size_t n, const void *src, float *dst)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        memcpy(dst + i, p + 4 * i, 4);
    }
}

static void from_f32(size_t n, const float *src, void *dst)
{
    uint8_t *p = dst;
    for (size_t i = 0; i < n; i++) {
        memcpy(p + 4 * i, src + i, 4);
    }
}

static const pcs_field fields[] = { { 0, 4, 4, false }, { 0 } };

const pcs_format pcs_format_f32 = {
    .name = "F32", .id = 0, .block = 1, .bytes = 4, .kind = PCS_FLOAT, .fields = fields, .dtype = "F32",
    .to_f32 = to_f32,
    .from_f32 = from_f32,
    .numbers = PCS_NUMBERS(PCS_F32_AT(0))
};
