/* number.c - see number.h. The loops have no branch and no compare, so that they become a few instructions for a
 * register: adding what lacks from `from` to the top bit sets that bit, and all sums are put together. */
#include "format/number.h"
#include "base/f16.h"

enum { RUN = 4096, FEW = 256 }; /* numbers, and blocks, between two looks at what was found */

static uint64_t bits_of(const pcs_number *k, const uint8_t *p)
{
    switch (k->bytes) {
    case 1: return p[0];
    case 2: return pcs_load16(p);
    case 4: return pcs_load32(p);
    default: return pcs_load64(p);
    }
}

bool pcs_number_doubtful(const pcs_number *k, const uint8_t *src)
{
    for (uint32_t i = 0; i < k->count; i++)
        if ((bits_of(k, src + i * k->bytes) & k->mask) >= k->from) return true;
    return false;
}

/* n numbers, one after the other, whose mask is all but the sign. */
#define TOUCHING(name, type, load)                                                                  \
    static bool name(const pcs_number *k, size_t n, const uint8_t *p)                               \
    {                                                                                               \
        const type mask = (type)k->mask, top = (type)(mask + 1u), up = (type)(top - (type)k->from); \
        for (size_t at = 0; at < n; at += RUN) {                                                    \
            const size_t end = n - at < RUN ? n : at + RUN;                                         \
            type all = 0;                                                                           \
            for (size_t i = at; i < end; i++) all = (type)(all | (type)((type)(load & mask) + up)); \
            if (all & top) return true;                                                             \
        }                                                                                           \
        return false;                                                                               \
    }
TOUCHING(touching8, uint8_t, p[i])
TOUCHING(touching16, uint16_t, pcs_load16(p + 2 * i))
TOUCHING(touching32, uint32_t, pcs_load32(p + 4 * i))
TOUCHING(touching64, uint64_t, pcs_load64(p + 8 * i))

/* One number of each of n blocks. */
static bool apart(const pcs_number *k, size_t n, size_t step, const uint8_t *p)
{
    bool any = false;
    for (size_t i = 0; i < n; i++, p += step) any |= (bits_of(k, p) & k->mask) >= k->from;
    return any;
}

bool pcs_numbers_doubtful(const pcs_number *k, size_t n, const uint8_t *p)
{
    if (k->mask >> (8 * k->bytes - 1)) return apart(k, n, k->bytes, p); /* no sign */
    switch (k->bytes) {
    case 1: return touching8(k, n, p);
    case 2: return touching16(k, n, p);
    case 4: return touching32(k, n, p);
    default: return touching64(k, n, p);
    }
}

/* All that one or two neighbours of 16 bits have of each of n blocks, put together. Inlined, so that a step that is
 * known leaves one instruction a block. */
PCS_INLINE uint32_t together(bool two, size_t n, size_t step, const uint8_t *p)
{
    uint32_t all[4] = { 0 };
    size_t i = 0;
    for (; i + 8 <= n; i += 8, p += 8 * step)
        for (int l = 0; l < 8; l++)
            all[l & 3] |= two ? pcs_load32(p + (size_t)l * step) : pcs_load16(p + (size_t)l * step);
    for (; i < n; i++, p += step) all[0] |= two ? pcs_load32(p) : pcs_load16(p);
    return all[0] | all[1] | all[2] | all[3];
}

static uint32_t gathered(bool two, size_t n, size_t step, const uint8_t *p)
{
    switch (two ? step + 1 : step) { /* small blocks, of which there are many */
    case 18: return together(false, n, 18, p);
    case 22: return together(false, n, 22, p);
    case 34: return together(false, n, 34, p);
    case 21: return together(true, n, 20, p);
    case 25: return together(true, n, 24, p);
    default: return two ? together(true, n, step, p) : together(false, n, step, p);
    }
}

/* Such numbers, of nearly all formats: what reaches `from` has its top bit, which hardly a scale has (of an F16 it
 * means 2 and more), so that most runs need no more than all of their bits together. */
static bool halves(const pcs_number *k, bool two, size_t n, size_t step, const uint8_t *p)
{
    const uint32_t half = (uint32_t)k->mask, both = two ? 0x10001u : 1u, mask = half * both, top = (half + 1u) * both;
    const uint32_t add = top - (uint32_t)k->from * both;
    uint32_t bit = 1;
    while (bit <= k->from / 2) bit *= 2;
    for (size_t at = 0; at < n; at += FEW, p += FEW * step) {
        const size_t run = n - at < FEW ? n - at : FEW;
        uint32_t all = 0;
        if (!(gathered(two, run, step, p) & bit * both)) continue;
        for (size_t i = 0; i < run; i++)
            all |= ((two ? pcs_load32(p + i * step) : pcs_load16(p + i * step)) & mask) + add;
        if (all & top) return true;
    }
    return false;
}

/* The number that stands right behind k is of its kind. */
static bool has_neighbour(const pcs_number *k)
{
    return k[1].bytes == 2 && k[1].at == k->at + 2 && k[1].count == 1 && !k[1].head && k[1].mask == k->mask &&
           k[1].from == k->from;
}

bool pcs_blocks_doubtful(const pcs_format *f, size_t blocks, const uint8_t *src)
{
    if (f->kind == PCS_INT) return false;
    if (!f->numbers) return true;
    for (const pcs_number *k = f->numbers; k->bytes; k++) {
        if (k->head) continue;
        if ((uint32_t)k->bytes * k->count == f->bytes) {
            if (pcs_numbers_doubtful(k, blocks * k->count, src)) return true;
        } else if (k->count == 1 && k->bytes == 2) {
            const bool two = has_neighbour(k);
            if (halves(k, two, blocks, f->bytes, src + k->at)) return true;
            k += two;
        } else if (k->count == 1) {
            if (apart(k, blocks, f->bytes, src + k->at)) return true;
        } else {
            for (size_t b = 0; b < blocks; b++)
                if (pcs_numbers_doubtful(k, k->count, src + b * f->bytes + k->at)) return true;
        }
    }
    return false;
}

bool pcs_head_doubtful(const pcs_format *f, const uint8_t *row)
{
    for (const pcs_number *k = f->numbers; k && k->bytes; k++)
        if (k->head && pcs_number_doubtful(k, row + k->at)) return true;
    return false;
}

bool pcs_all_finite(const float *x, size_t n)
{
    static const pcs_number single = PCS_F32_AT(0);
    return !touching32(&single, n, (const uint8_t *)x);
}
