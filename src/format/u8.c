/* u8.c - bytes, as safetensors has them for packed codes; no weights. */
#include "format/format.h"

static void to_f32(size_t n, const void *src, float *dst)
{
    for (size_t i = 0; i < n; i++) dst[i] = ((const uint8_t *)src)[i];
}

const pcs_format pcs_format_u8 = {
    .name = "U8", .id = 1399, .block = 1, .bytes = 1, .kind = PCS_INT, .to_f32 = to_f32
};
