/* quarter.c - what is left of a large angle after whole quarters of a turn: Payne and Hanek's reduction (Radian
 * reduction for trigonometric functions, SIGNUM 1983), in whole numbers, so that it has the same bits everywhere. */
#include "base/fmath.h"

/* 2 / pi, 32 bits a word, as far as the largest double reaches. */
static const uint32_t two_by_pi[] = {
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
    0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484,
    0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f,
    0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b,
    0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046,
};

enum { WORDS = 7, PRODUCT = WORDS + 2 };

/* m of 53 bits times seven words of 2 / pi, the lowest word first. Words in front of them only add whole turns, those
 * behind them less than 2^-138 of a quarter, where no double is nearer to a whole quarter than 2^-62. */
static void multiply(uint64_t m, const uint32_t *words, uint32_t p[PRODUCT])
{
    const uint64_t half[2] = { m & 0xffffffffu, m >> 32 };
    for (int i = 0; i < PRODUCT; i++) p[i] = 0;
    for (int h = 0; h < 2; h++) {
        uint64_t carry = 0;
        for (int i = 0; i < WORDS; i++) {
            carry += half[h] * words[WORDS - 1 - i] + p[i + h];
            p[i + h] = (uint32_t)carry;
            carry >>= 32;
        }
        p[WORDS + h] = (uint32_t)carry;
    }
}

/* 32 bits of p from bit `at` on; what is before and behind p is zero. */
static uint32_t bits_at(const uint32_t p[PRODUCT], int at)
{
    const int i = at >> 5;
    const uint64_t low = i < PRODUCT ? p[i] : 0, high = i + 1 < PRODUCT ? p[i + 1] : 0;
    return (uint32_t)((low | high << 32) >> (at & 31));
}

unsigned pcs_quarter(double x, double *rest)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    const int e = (int)(u >> 52) - 1075, first = e > 2 ? (e - 2) / 32 : 0, one = 32 * (first + WORDS) - e;
    uint32_t p[PRODUCT];
    multiply((u & 0xfffffffffffffu) | 0x10000000000000u, two_by_pi + first, p);
    unsigned quarter = bits_at(p, one) & 3;
    const bool up = bits_at(p, one - 32) >> 31;
    double r = 0;
    for (int i = 4; i > 0; i--) { /* of the nearer side: what is missing to the next quarter is one's complement */
        const uint32_t word = bits_at(p, one - 32 * i);
        r = (r + (double)(up ? ~word : word)) * 0x1p-32;
    }
    r *= 1.57079632679489661923;
    *rest = up ? -r : r;
    return quarter + up;
}
