/* iq2.c - signs and digits of IQ2_XS and IQ2_S in panels. */
#include "format/iq2.h"

#include <string.h>

const pcs_field pcs_iq2_fields[] = {
    { 0, 2, 2, false }, { PCS_IQ2_SCALES, 8, 1, false }, { PCS_IQ2_SIGNS, 32, 4, false },
    { PCS_IQ2_DIGITS, PCS_FIVE_BYTES, 4, false }, { 0 }
};

void pcs_iq2_put(const uint16_t entry[32], const uint8_t sign[32], uint8_t *form)
{
    memset(form + PCS_IQ2_SIGNS, 0, 32);
    for (int k = 0; k < 32; k++)
        for (int i = 0; i < 8; i++)
            form[PCS_IQ2_SIGNS + k / 4 * 4 + i % 4] |= (uint8_t)((sign[k] >> i & 1) << (k % 4 * 2 + i / 4));
    pcs_five_put(entry, form + PCS_IQ2_DIGITS);
}

void pcs_iq2_get(const uint8_t *form, uint16_t entry[32], uint8_t sign[32])
{
    pcs_five_get(form + PCS_IQ2_DIGITS, entry);
    memset(sign, 0, 32);
    for (int k = 0; k < 32; k++)
        for (int i = 0; i < 8; i++) {
            const int bit = form[PCS_IQ2_SIGNS + k / 4 * 4 + i % 4] >> (k % 4 * 2 + i / 4) & 1;
            sign[k] |= (uint8_t)(bit << i);
        }
}
