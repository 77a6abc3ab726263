/* Archives of torch.export, twice: as they come, and with the sums of members mended, so that what is changed in a
 * graph or a list of weights comes as far as their readers. */
#include "net.h"

static uint32_t number(const uint8_t *p, int bytes)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint32_t)p[i] << 8 * i;
    return v;
}

static void put_sum(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t sum_of(const uint8_t *p, size_t n)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    }
    return ~c;
}

/* A member's sum in its three places: the directory's entry at `entry`, the local header, the descriptor. */
static void mend(uint8_t *data, size_t size, size_t entry)
{
    const size_t at = number(data + entry + 42, 4), n = number(data + entry + 24, 4);
    if (at > size || size - at < 30) return;
    const size_t from = at + 30 + number(data + at + 26, 2) + number(data + at + 28, 2);
    if (from > size || size - from < n) return;
    const uint32_t sum = sum_of(data + from, n);
    put_sum(data + entry + 16, sum);
    if (!(number(data + at + 6, 2) & 8)) put_sum(data + at + 14, sum);
    else if (size - from - n >= 8) put_sum(data + from + n + 4, sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (!copy) return 0;
    fuzz_net(data, size);
    memcpy(copy, data, size);
    if (size >= 22) {
        size_t at = number(copy + size - 22 + 16, 4), count = number(copy + size - 22 + 10, 2);
        for (; count && at < size && size - at >= 46; count--) {
            mend(copy, size, at);
            at += 46 + number(copy + at + 28, 2) + number(copy + at + 30, 2) + number(copy + at + 32, 2);
        }
        if (memcmp(copy, data, size)) fuzz_net(copy, size);
    }
    free(copy);
    return 0;
}
