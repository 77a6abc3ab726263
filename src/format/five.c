/* five.c - see five.h. */
#include "format/five.h"

enum { WEIGHTS = 256, ROOM = PCS_FIVE_BYTES * 5 };

#define CODE(v) PCS_FIVE_CODE(v)
#define VALUE(c) PCS_FIVE_VALUE(c)
static const uint8_t code_of[256] = PCS_ALL_BYTES(CODE), value_of[256] = PCS_ALL_BYTES(VALUE);

void pcs_five_put(const uint16_t entry[32], uint8_t *bytes)
{
    uint8_t q[ROOM] = { 0 };
    for (int i = 0; i < WEIGHTS; i++) q[i] = entry[i / 8] >> (2 * (i % 8)) & 3;
    for (int u = 0; u < PCS_FIVE_BYTES / 4; u++)
        for (int k = 0; k < 4; k++) {
            const uint8_t *at = q + 20 * u + k;
            bytes[4 * u + k] = code_of[(((at[0] * 3 + at[4]) * 3 + at[8]) * 3 + at[12]) * 3 + at[16]];
        }
}

void pcs_five_get(const uint8_t *bytes, uint16_t entry[32])
{
    uint8_t q[ROOM];
    for (int u = 0; u < PCS_FIVE_BYTES / 4; u++)
        for (int k = 0; k < 4; k++)
            for (int n = 4, v = value_of[bytes[4 * u + k]]; n >= 0; n--, v /= 3)
                q[20 * u + 4 * n + k] = (uint8_t)(v % 3);
    for (int v = 0; v < 32; v++) {
        entry[v] = 0;
        for (int i = 0; i < 8; i++) entry[v] = (uint16_t)(entry[v] | q[8 * v + i] << (2 * i));
    }
}
