/* bf16.c - bfloat16: the upper half of a single. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void to_f32(size_t n, const void *src, float *dst)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        dst[i] = pcs_bf16_to_f32(pcs_load16(p + 2 * i));
    }
}

static void from_f32(size_t n, const float *src, void *dst)
{
    uint8_t *p = dst;
    for (size_t i = 0; i < n; i++) {
        pcs_store16(p + 2 * i, pcs_f32_to_bf16(src[i]));
    }
}

static const pcs_field fields[] = { { 0, 2, 2, false }, { 0 } };

const pcs_format pcs_format_bf16 = {
    .name = "BF16", .id = 30, .block = 1, .bytes = 2, .kind = PCS_FLOAT, .substitute = "F32", .dtype = "BF16",
    .fields = fields, .to_f32 = to_f32, .from_f32 = from_f32,
    .numbers = PCS_NUMBERS(PCS_BF16_AT(0)), .largest = 0x1.fep127f
};
