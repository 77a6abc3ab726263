/* iq2.h - what IQ2_XS and IQ2_S are in panels: d, scales, signs, and magnitudes as digits (five.h), since a book of 512
 * entries or more is slower to look up than a quarter more bytes are to read. Bit l of byte j of a group's signs is
 * that of weight 4 l + j. */
#ifndef PCS_IQ2_H
#define PCS_IQ2_H

#include "format/five.h"
#include "format/format.h"

enum {
    PCS_IQ2_SCALES = 2, PCS_IQ2_SIGNS = 10, PCS_IQ2_DIGITS = 42, PCS_IQ2_BYTES = PCS_IQ2_DIGITS + PCS_FIVE_BYTES
};
extern const pcs_field pcs_iq2_fields[];

/* Entries of the book and signs (bit set: minus) of each eight weights, to a form and back. */
void pcs_iq2_put(const uint16_t entry[32], const uint8_t sign[32], uint8_t *form);
void pcs_iq2_get(const uint8_t *form, uint16_t entry[32], uint8_t sign[32]);

#endif
