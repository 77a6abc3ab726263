/* number.c - see number.h. The loops have no branch and no compare, so that they become a few instructions for a
 * register: adding what lacks from `from` to the top bit sets that bit, and all sums are put together. */
#include "format/number.h"
#include "base/f16.h"

enum { RUN = 4096 }; /* numbers between two looks at what was found */

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

/* n numbers, one behind the other, whose mask is all but the sign. */
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

static bool touching(const pcs_number *k, size_t n, const uint8_t *p)
{
    switch (k->bytes) {
    case 1: return touching8(k, n, p);
    case 2: return touching16(k, n, p);
    case 4: return touching32(k, n, p);
    default: return touching64(k, n, p);
    }
}

bool pcs_sixteen_doubtful(const pcs_number *k, const uint8_t *src)
{
    if (k->bytes == 2) { /* nearly all scales */
        const uint16_t mask = (uint16_t)k->mask, top = (uint16_t)(mask + 1u), up = (uint16_t)(top - k->from);
        uint16_t all = 0;
        for (int i = 0; i < 16; i++)
            all = (uint16_t)(all | (uint16_t)((uint16_t)(pcs_load16(src + 2 * i) & mask) + up));
        return all & top;
    }
    bool any = false;
    for (int i = 0; i < 16; i++) any |= (bits_of(k, src + i * k->bytes) & k->mask) >= k->from;
    return any;
}

/* One number of each of n blocks; 16 bits are nearly all of them. */
static bool apart(const pcs_number *k, size_t n, size_t step, const uint8_t *p)
{
    const uint32_t mask = (uint32_t)k->mask, up = mask + 1u - (uint32_t)k->from;
    uint32_t all = 0;
    if (k->bytes == 2) {
        for (size_t i = 0; i < n; i++, p += step) all |= (pcs_load16(p) & mask) + up;
        return all & (mask + 1u);
    }
    bool any = false;
    for (size_t i = 0; i < n; i++, p += step) any |= (bits_of(k, p) & k->mask) >= k->from;
    return any;
}

bool pcs_blocks_doubtful(const pcs_format *f, size_t blocks, const uint8_t *src)
{
    if (f->kind == PCS_INT) return false;
    if (!f->numbers) return true;
    for (const pcs_number *k = f->numbers; k->bytes; k++) {
        if (k->head) continue;
        if ((uint32_t)k->bytes * k->count == f->bytes) {
            if (touching(k, blocks * k->count, src)) return true;
        } else if (k->count == 1) {
            if (apart(k, blocks, f->bytes, src + k->at)) return true;
        } else {
            for (size_t b = 0; b < blocks; b++)
                if (touching(k, k->count, src + b * f->bytes + k->at)) return true;
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
