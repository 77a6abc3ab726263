/* hadamard.c - fast Hadamard transforms. */
#include "base/hadamard.h"

static const size_t orders[] = { 36, 28, 20, 12 };

size_t pcs_hadamard_order(size_t n)
{
    if (!n) return 0;
    if (!(n & (n - 1))) return 1;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        const size_t q = n / orders[i];
        if (n % orders[i] == 0 && !(q & (q - 1))) return orders[i];
    }
    return 0;
}

/* Quadratic character of a modulo a prime p. */
static int chi(long a, long p)
{
    a = (a % p + p) % p;
    if (!a) return 0;
    for (long k = 1; k < p; k++)
        if (k * k % p == a) return 1;
    return -1;
}

/* Paley I for p = 3 mod 4, order p + 1: H = I + S; S is skew with a border of ones. */
static int paley1(size_t i, size_t j, long p)
{
    if (i == j) return 1;
    if (!i) return 1;
    if (!j) return -1;
    return chi((long)i - (long)j, p);
}

/* Paley II for p = 1 mod 4, order 2 (p + 1): the symmetric conference matrix C, with 0 ->
 * [1 -1; -1 -1], +-1 -> +-[1 1; 1 -1]. */
static int paley2(size_t i, size_t j, long p)
{
    const size_t a = i / 2, b = j / 2;
    const int c = a == b ? 0 : !a || !b ? 1 : chi((long)a - (long)b, p);
    if (!c) return i % 2 == 0 && j % 2 == 0 ? 1 : -1;
    return c * (i % 2 && j % 2 ? -1 : 1);
}

static int entry(size_t order, size_t i, size_t j)
{
    switch (order) {
    case 12: return paley1(i, j, 11);
    case 20: return paley1(i, j, 19);
    case 28: return paley2(i, j, 13);
    case 36: return paley2(i, j, 17);
    default: return 1;
    }
}

static void transform(float *x, size_t n, bool transposed)
{
    const size_t order = pcs_hadamard_order(n), block = order ? n / order : n;
    for (size_t h = 1; h < block; h *= 2) /* butterflies within each block of 2^k */
        for (size_t at = 0; at < n; at += 2 * h)
            for (size_t i = at; i < at + h; i++) {
                const float a = x[i], b = x[i + h];
                x[i] = a + b;
                x[i + h] = a - b;
            }
    if (order > 1) {
        int8_t m[36][36];
        for (size_t i = 0; i < order; i++)
            for (size_t j = 0; j < order; j++) m[i][j] = (int8_t)(transposed ? entry(order, j, i) : entry(order, i, j));
        for (size_t k = 0; k < block; k++) {
            float in[36], out[36];
            for (size_t i = 0; i < order; i++) in[i] = x[i * block + k];
            for (size_t i = 0; i < order; i++) {
                out[i] = 0;
                for (size_t j = 0; j < order; j++) out[i] += m[i][j] > 0 ? in[j] : -in[j];
            }
            for (size_t i = 0; i < order; i++) x[i * block + k] = out[i];
        }
    }
    const float s = 1.0f / __builtin_sqrtf((float)n);
    for (size_t i = 0; i < n; i++) x[i] *= s;
}

void pcs_hadamard(float *x, size_t n) { transform(x, n, false); }
void pcs_hadamard_transposed(float *x, size_t n) { transform(x, n, true); }
