/* pack, AVX2: codes by squares of four dwords; what is of one or two bytes, as the reference. */
#include "kernel/kernel.h"

#include <immintrin.h>

/* Four dwords of four rows, `stride` bytes apart. */
PCS_INLINE void square(const uint8_t *w, size_t stride, uint8_t *dst)
{
    __m128i r[4];
    for (size_t i = 0; i < 4; i++) r[i] = _mm_loadu_si128((const __m128i *)(w + i * stride));
    const __m128i a = _mm_unpacklo_epi32(r[0], r[1]), b = _mm_unpacklo_epi32(r[2], r[3]), c = _mm_unpackhi_epi32(r[0], r[1]), d = _mm_unpackhi_epi32(r[2], r[3]);
    _mm_store_si128((__m128i *)dst, _mm_unpacklo_epi64(a, b));
    _mm_store_si128((__m128i *)(dst + 64), _mm_unpackhi_epi64(a, b));
    _mm_store_si128((__m128i *)(dst + 128), _mm_unpacklo_epi64(c, d));
    _mm_store_si128((__m128i *)(dst + 192), _mm_unpackhi_epi64(c, d));
}

/* One field of n weights from w on: bytes and unit are known where this is inlined. */
PCS_INLINE void plane(const pcs_pack_args *a, const uint8_t *w, size_t n, uint8_t *dst, size_t bytes, size_t unit)
{
    const size_t stride = a->row_bytes;
    for (size_t b = 0; b < n / a->f->block; b++, w += a->f->bytes, dst += PCS_PANEL * bytes) {
        if (unit == 4 && bytes % 16 == 0) {
            for (size_t u = 0; u < bytes; u += 16)
                for (size_t r = 0; r < PCS_PANEL; r += 4) square(w + r * stride + u, stride, dst + 16 * u + 4 * r);
        } else
            for (size_t u = 0; u < bytes; u += unit)
                for (size_t r = 0; r < PCS_PANEL; r++) memcpy(dst + 16 * u + unit * r, w + r * stride + u, unit);
    }
}

static void pack_piece(const pcs_pack_args *a, const uint8_t *w, size_t n, uint8_t *piece)
{
    for (size_t i = 0; a->f->fields[i].bytes; i++) {
        const pcs_field *f = &a->f->fields[i];
        uint8_t *dst = piece + pcs_plane_at(a->f, n, i);
        const size_t bytes = n / a->f->block * f->bytes * PCS_PANEL;
        switch (f->bytes << 3 | f->unit) {
        case 2 << 3 | 2: plane(a, w + f->at, n, dst, 2, 2); break;
        case 16 << 3 | 4: plane(a, w + f->at, n, dst, 16, 4); break;
        case 32 << 3 | 4: plane(a, w + f->at, n, dst, 32, 4); break;
        case 64 << 3 | 4: plane(a, w + f->at, n, dst, 64, 4); break;
        case 128 << 3 | 4: plane(a, w + f->at, n, dst, 128, 4); break;
        case 12 << 3 | 1: plane(a, w + f->at, n, dst, 12, 1); break;
        case 16 << 3 | 1: plane(a, w + f->at, n, dst, 16, 1); break;
        case 4 << 3 | 4: plane(a, w + f->at, n, dst, 4, 4); break;
        default: plane(a, w + f->at, n, dst, f->bytes, f->unit);
        }
        memset(dst + bytes, 0, (size_t)(-bytes & 63));
    }
}

void pcs_pack_avx2(const void *args)
{
    const pcs_pack_args *a = args;
    if (a->rows < PCS_PANEL) { /* there is nothing behind the last row */
        pcs_pack_scalar(args);
        return;
    }
    for (size_t at = 0; at < PCS_PANEL * a->row_bytes; at += 64) _mm_prefetch((const char *)a->w + PCS_PANEL * a->row_bytes + at, _MM_HINT_T1); /* the next rows, in turn: 16 streams are too many */
    pcs_pack_pieces(a, pack_piece);
}
