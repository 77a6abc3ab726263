/* panels.h - r16k4 (kernels.md, 3.1): 16 rows of weights in the order in which kernels read them, the same bytes for
 * every instruction set.
 *
 * A panel is a row of pieces of two blocks (four where a block's scale is a byte), the last of what is left. Fields
 * of which 16 rows' blocks have less than 64 bytes, an f16 for each, come first: a line of 64 bytes for each field.
 * Then come the other fields, block by block, each [unit][16 rows][unit's bytes]: codes of four weights are a unit
 * of four bytes, so that a line holds 16 rows, one register multiplies them by four activations that are broadcast,
 * and nothing is summed across lanes. Two fields of which a kernel needs a unit each at a time take turns, line by
 * line. So bytes lie in the order in which they are needed, and reading is one stream for the machine's prefetcher.
 *
 * A piece of Q4_0, which has two blocks of 32 weights of each row (18 bytes: an f16 and 16 bytes of codes), in lines
 * of 64 bytes; d is a block's scale, c0..3 are its first four bytes of codes, and so on:
 *
 *      0  | d of block 0: row 0, row 1, ... row 15 | d of block 1: row 0, row 1, ... row 15 |   the short field
 *     64  | c0..3 of row 0 | c0..3 of row 1 | c0..3 of row 2 |  ...       | c0..3 of row 15 |   block 0
 *    128  | c4..7 of row 0 | c4..7 of row 1 |  ...                        | c4..7 of row 15 |
 *    192  | c8..11 of row 0 |  ...                                        | c8..11 of row 15 |
 *    256  | c12..15 of row 0 |  ...                                       | c12..15 of row 15 |
 *    320  | the same four lines of block 1                                                  |
 *    576  | the next piece
 *
 * A panel is its rows' bytes in another order, but for rows and blocks that are not there, which are zero, and for a
 * format that has other bytes for the same codes there (recode, form). */
#ifndef PCS_PANELS_H
#define PCS_PANELS_H

#include "base/base.h"
#include "format/format.h"

#define PCS_PANEL 16 /* rows */
/* Counts changes of the bytes, for files. 1: planes of whole rows; 2: planes of 256 or 512 weights; 3: blocks; 4:
 * TQ1_0's codes; 5: IQ2_XS as digits. */
#define PCS_PANEL_LAYOUT 5

/* Panels that are decoded before tokens are multiplied by them: as many, each of `bytes` then, as half of an L2 cache
 * holds, an even number of 2 to `most`. */
static inline size_t pcs_decoded_panels(size_t bytes, size_t most)
{
    const size_t fit = ((size_t)768 << 10) / (bytes ? bytes : 1) / 2 * 2;
    return fit < 2 ? 2 : fit > most ? most : fit;
}

/* Tokens that rows which stay decoded are multiplied by in one call at least, where others have the rest. */
enum { PCS_AGAIN_TOKENS = 64 };

/* Can rows of k weights be stored so? */
static inline bool pcs_panels_fit(const pcs_format *f, size_t k) { return f->fields && k && k % f->block == 0; }

/* Bytes of a block as panels have it, in which fields are. */
static inline size_t pcs_form_bytes(const pcs_format *f) { return f->form ? f->form->bytes : f->bytes; }
/* The map of field i's bytes, to panels (0) or back (1); NULL: none. */
static inline const uint8_t *pcs_field_recode(const pcs_format *f, size_t i, int back)
{
    return f->recode && f->fields[i].unit == 4 ? f->recode[back] : NULL;
}
/* Is field i of those that fill a line only with other blocks'? */
static inline bool pcs_field_short(const pcs_format *f, size_t i) { return f->fields[i].bytes * PCS_PANEL < 64; }
/* Blocks of a piece. */
static inline size_t pcs_panel_piece(const pcs_format *f)
{
    size_t most = 1;
    for (size_t i = 0; i < PCS_FIELDS && f->fields[i].bytes; i++)
        if (pcs_field_short(f, i) && most < 64 / PCS_PANEL / f->fields[i].bytes)
            most = 64 / PCS_PANEL / f->fields[i].bytes;
    return most;
}
/* Where blocks are: blocks of a piece (1 << shift); bytes of a piece, of its lines of short fields, and of a block
 * after them; bytes to each field, from the piece on, from block to block, and from unit to unit. */
typedef struct {
    size_t piece, shift, bytes, lines, block, at[PCS_FIELDS], step[PCS_FIELDS], unit[PCS_FIELDS];
} pcs_panel_layout;
static inline pcs_panel_layout pcs_panel_layout_of(const pcs_format *f)
{
    pcs_panel_layout o = { .piece = pcs_panel_piece(f) };
    for (size_t i = 0; i < PCS_FIELDS && f->fields[i].bytes; i++) {
        const size_t bytes = f->fields[i].bytes * PCS_PANEL, unit = f->fields[i].unit * PCS_PANEL;
        const bool second = i && f->fields[i - 1].paired;
        o.unit[i] = second || f->fields[i].paired ? 2 * unit : unit;
        if (pcs_field_short(f, i)) o.at[i] = o.lines, o.step[i] = bytes, o.lines += o.piece * bytes;
        else o.at[i] = second ? o.at[i - 1] + unit : o.block, o.block += bytes;
    }
    for (size_t i = 0; i < PCS_FIELDS && f->fields[i].bytes; i++)
        if (!pcs_field_short(f, i)) o.at[i] += o.lines, o.step[i] = o.block;
    while ((size_t)1 << o.shift < o.piece) o.shift++;
    o.bytes = o.lines + o.piece * o.block;
    return o;
}
/* Bytes from a panel to field i of block b. */
static inline size_t pcs_panel_at(const pcs_panel_layout *o, size_t b, size_t i)
{
    return (b >> o->shift) * o->bytes + o->at[i] + (b & (o->piece - 1)) * o->step[i];
}
/* Does a kernel read two long fields of a block side by side that do not take turns? Then a panel is two streams. */
static inline bool pcs_panel_apart(const pcs_format *f)
{
    int alone = 0;
    for (size_t i = 0; i < PCS_FIELDS && f->fields[i].bytes; i++)
        alone += f->fields[i].bytes >= 32 && !f->fields[i].paired && !(i && f->fields[i - 1].paired);
    return alone > 1;
}
static inline size_t pcs_panel_bytes(const pcs_format *f, size_t k)
{
    const pcs_panel_layout o = pcs_panel_layout_of(f);
    const size_t blocks = k / f->block, rest = blocks % o.piece;
    return blocks / o.piece * o.bytes + (rest ? o.lines + rest * o.block : 0);
}
/* Bytes of all panels of `rows` rows. */
static inline uint64_t pcs_panels_bytes(const pcs_format *f, size_t k, uint64_t rows)
{
    return (rows + PCS_PANEL - 1) / PCS_PANEL * pcs_panel_bytes(f, k);
}

/* Rows of k weights as panels. */
typedef struct pcs_paneled {
    const pcs_format *f;
    size_t k;
    const uint8_t *panels;
} pcs_paneled;
/* Blocks [b0, b1) of row r, as they are stored in rows; and all of the row. */
void pcs_panels_blocks(const pcs_paneled *p, uint64_t r, size_t b0, size_t b1, uint8_t *dst);
void pcs_panels_row(const pcs_format *f, size_t k, const uint8_t *panels, uint64_t r, uint8_t *row);

#endif
