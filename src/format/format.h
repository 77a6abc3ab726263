/* format.h - number formats: how a block of weights is stored, and how its parameters are found.
 *
 * A quantized format is data: unpack() and pack() give its layout, the fields below its grid. One
 * weight is w = d * q - m, with q an integer code, and d and m shared by 16 or more weights. So
 * every method works on (d, m, q) and on the fields, never on a format's name.
 *
 * A format is one file and one row in formats.def. */
#ifndef PCS_FORMAT_H
#define PCS_FORMAT_H

#include "base/base.h"

#define PCS_BLOCK_MAX 256             /* weights in a block, at most */
#define PCS_FORMAT_IDS 64   /* GGUF's ids are below; types that it has no id for are at or above */
#define PCS_KERNEL_IDS 128  /* types with kernels of their own are below; schemes are at 1000 and above */
#define PCS_ROW_PAD 256     /* room that unpacking a row may need after its last weight */
#define PCS_SUB (PCS_BLOCK_MAX / 16)  /* parameter slots: one per 16 weights */

typedef enum { PCS_FLOAT, PCS_INT, PCS_QUANT } pcs_kind;

/* How a group's scale is stored. */
typedef enum {
    PCS_SCALE_F16,   /* one f16 per group                                            */
    PCS_SCALE_ZERO,  /* one f16 and a whole zero point (mn[0]) per group             */
    PCS_SCALE_E8M0,  /* a power of two per group                                     */
    PCS_SCALE_SUPER, /* an integer per group times one f16 per block (K and IQ types) */
    PCS_SCALE_ROW    /* an integer per group times one f32 per row, which is its head  */
} pcs_scale;

/* Parameters of one block as they are stored: rounded to what the format can hold. */
typedef struct pcs_params {
    uint16_t d, m;         /* f16 bits (d: the E8M0 byte for PCS_SCALE_E8M0)                  */
    int8_t sc[PCS_SUB];    /* integer scale of each group (PCS_SCALE_SUPER)                   */
    uint8_t mn[PCS_SUB];   /* integer min of each group                                       */
} pcs_params;

/* Effort of the search for parameters. The four roundings are of power-of-two scales (E8M0), as torchao's mx_formats
 * names them; PCS_FIT_RTN rounds those down (OCP MX 1.0, 6.3). */
typedef enum {
    PCS_FIT_RTN,    /* from the largest weights alone: round to nearest                          */
    PCS_FIT_SEARCH, /* least weighted squared error over scales around that, mins and sub-scales */
    PCS_FIT_FLOOR, PCS_FIT_RCEIL, PCS_FIT_CEIL, PCS_FIT_EVEN
} pcs_fit_effort;

/* What a format whose parameters are the tensor's must know of all of it. */
typedef struct pcs_shared { float lo, hi, mean; } pcs_shared; /* least, largest; mean of |w| */

/* A part of a block, for panels (kernel/panels.h): `bytes` bytes from `at` on, which 16 rows share out by turns of
 * `unit` bytes. paired: it and the next one, as long, take turns, too: a kernel reads both for the same weights. */
typedef struct pcs_field { uint8_t at, bytes, unit; bool paired; } pcs_field;
enum { PCS_FIELDS = 8 }; /* of a block, at most */

struct pcs_encode_args; /* below */
/* What a block is in panels where other bytes can be decoded faster: `fields` are those of the form, and of its bytes
 * only those in a field are written and read. Zero bytes are weights of zero. */
enum { PCS_FORM_MOST = 112 };
typedef struct pcs_form {
    uint32_t bytes; /* at most PCS_FORM_MOST */
    void (*to)(const uint8_t *block, uint8_t *form);
    void (*back)(const uint8_t *form, uint8_t *block);
} pcs_form;

typedef struct pcs_format {
    const char *name;  /* "Q4_K", as the GGUF world spells it                                */
    uint32_t id;       /* GGUF type id, or one of precis's own, which stands in no file      */
    uint32_t block;    /* weights in a block: a row's length must be a multiple              */
    uint32_t bytes;    /* of a block                                                         */
    pcs_kind kind;
    /* -- the grid of a quantized format ---------------------------------------------------- */
    uint32_t group;          /* weights that share d and m                                   */
    bool has_min;            /* m is not zero                                                */
    int8_t code_lo, code_hi; /* codes q are whole numbers in between ...                     */
    const int8_t *book;      /* ... or these 16, ascending, when not NULL                    */
    pcs_scale scale;
    int8_t sc_lo, sc_hi;     /* integer scales (PCS_SCALE_SUPER)                             */
    uint8_t mn_hi;           /* integer mins, 0 to this                                      */
    double bound;            /* RTN: |w - decoded| <= bound * max|w| of the block (plus half the
                                smallest f16 step); tests hold every row to it               */
    const char *substitute;  /* type to use when a row's length does not fit the block, or a number is too large */
    const char *twin;        /* type with the same codes that GGUF has an id for, and scales of f16; NULL: none */
    const char *dtype;       /* as which a transformers folder has such numbers; NULL: it has them as others */
    bool scaled_whole;       /* stands on a scale of the whole tensor, NAME.scale; `largest` is under it */
    bool internal;           /* of sums and of activations: no weight is put into it */
    /* -- schemes: any row length, parameters per row or tensor --------------------------------- */
    uint32_t head;           /* bytes of parameters at the start of each row                 */
    bool padded;             /* rows of any length; the last block is filled up with zeros   */
    bool tensor;             /* parameters are those of the whole tensor (pcs_shared)        */
    /* -- the layout -------------------------------------------------------------------------- */
    /* Codes, and d and m of every 16 weights, of one block. m is not written without has_min. */
    void (*unpack)(const uint8_t *src, int8_t *q, float *d, float *m);
    /* The block's bytes from codes and stored parameters; NULL: cannot be encoded (yet). */
    void (*pack)(const int8_t *q, const pcs_params *p, uint8_t *dst);
    const pcs_field *fields; /* all of a block, in the order of a panel; the last has 0 bytes. NULL: no panels */
    /* Bytes of fields in units of four as panels have them, [0][byte], and back, [1][byte]; 0 is 0. NULL: as they
     * are. */
    const uint8_t (*recode)[256];
    /* Instead, with a head: a row of n weights; and its bytes from codes, scale and zero point. */
    void (*unpack_row)(const uint8_t *src, size_t n, int8_t *q, float *d, float *m);
    void (*pack_row)(size_t n, const int8_t *q, float d, int zero, uint8_t *dst);
    /* Encodes rows itself (code books of vectors, floating-point elements); y is not its business. */
    void (*encode)(const struct pcs_encode_args *a);
    const struct pcs_element *element; /* of formats whose weights are floating-point codes times a scale */
    /* Plain numbers instead: n values of a row; from_f32 NULL: cannot be encoded. */
    void (*to_f32)(size_t n, const void *src, float *dst);
    void (*from_f32)(size_t n, const float *src, void *dst);
    /* -- what is not finite ------------------------------------------------------------------ */
    const struct pcs_number *numbers; /* that its bytes hold, by which alone a weight can be NaN or infinite
                                         (number.h); the last has 0 bytes. NULL: weights must be decoded to see */
    float largest;           /* |w| that it can hold wherever it stands in a tensor; 0: all that F32 has */
    const pcs_form *form;    /* of a block in panels; NULL: the block itself */
    /* -- rows of whole numbers with one scale (kernel/int8.h) ----------------------------------- */
    /* A row of n weights as w = s c, |c| <= 128; c has room for PCS_ROW_PAD more, or is NULL: the answer is wanted,
     * which scales alone give (n 0: and of those the first). false: this row is none. NULL: none is. */
    bool (*codes_row)(const uint8_t *src, size_t n, int8_t *c, float *s);
    /* Its codes are fields of so many bits after the head, in little-endian bit order: c + 2^(bits - 1), or with
     * code_lo -1 c + 1, of one bit (c + 1) / 2. 0: they lie otherwise. */
    uint8_t row_bits;
    /* A block ends in its codes less code_lo, as fields of so many bits in little-endian bit order, and is a scheme's
     * otherwise (scheme.h). 0: it is not. */
    uint8_t field_bits;
} pcs_format;

/* The table, in the order of formats.def; ends with NULL. */
extern const pcs_format *const pcs_formats[];
/* Plain numbers, of memory and of other tools' files; every other format is found by what its row says. */
extern const pcs_format pcs_format_f32, pcs_format_f16, pcs_format_bf16, pcs_format_f64;
extern const pcs_format pcs_format_i8, pcs_format_i16, pcs_format_i32, pcs_format_u8;
/* By GGUF id or by name in any case; NULL when there is none. */
const pcs_format *pcs_format_by_id(uint32_t id);
const pcs_format *pcs_format_by_name(const char *name);
static inline bool pcs_format_can_encode(const pcs_format *f)
{
    return f->pack || f->pack_row || f->encode || f->from_f32;
}
/* Does GGUF have an id for it, so that others read it? */
static inline bool pcs_format_portable(const pcs_format *f) { return f->id < PCS_FORMAT_IDS; }
/* Can it hold numbers of that magnitude? */
static inline bool pcs_format_holds(const pcs_format *f, float top) { return !f->largest || top <= f->largest; }
/* Can rows of n weights be stored? */
static inline bool pcs_format_fits(const pcs_format *f, uint64_t n) { return f->padded || n % f->block == 0; }
/* Bytes of a row of n weights that fit. */
static inline uint64_t pcs_row_bytes(const pcs_format *f, uint64_t n)
{
    return f->head + (n + f->block - 1) / f->block * f->bytes;
}
/* Bytes of `rows` rows of n weights. False when that overflows or does not fit. */
bool pcs_format_size(const pcs_format *f, uint64_t n, uint64_t rows, uint64_t *bytes);
static inline double pcs_format_bpw(const pcs_format *f) { return 8.0 * f->bytes / f->block; }

/* The first n weights of a row (whole blocks, or all of a padded row) to f32. The reference for every kernel. */
void pcs_decode(const pcs_format *f, size_t n, const void *src, float *dst);
/* Weights [at, at + n) of a row, whole blocks, from src, where the block of `at` begins; head: where the row begins. */
void pcs_decode_part(const pcs_format *f, size_t n, const uint8_t *head, const uint8_t *src, float *dst);
/* Weights of whole blocks that are decoded at a time, where not all of a row has room: 128, or a block or two of
 * more. */
static inline size_t pcs_format_piece(const pcs_format *f)
{
    const size_t least = 128;
    return f->block >= least ? PCS_BLOCK_MAX / f->block * f->block : least / f->block * f->block;
}
/* Codes, and d and m of every 16 weights; with room for PCS_ROW_PAD more of each. */
void pcs_unpack(const pcs_format *f, size_t n, const uint8_t *src, int8_t *q, float *d, float *m);

/* d and m of every 16 weights, from stored parameters. */
void pcs_expand(const pcs_format *f, const pcs_params *p, float *d, float *m);
/* The code of t = (w + m) / d. */
int8_t pcs_code_of(const pcs_format *f, float t);
void pcs_codes_of(const pcs_format *f, size_t n, const float *t, int32_t *codes); /* of several */
/* Nearest codes under given parameters. */
void pcs_codes(const pcs_format *f, const float *x, const float *d, const float *m, int8_t *q);
/* A row of n weights, which must be finite, and where its bytes go. */
typedef struct pcs_encode_args {
    const pcs_format *f;
    size_t n;
    const float *x, *w; /* w: importances (>= 0); NULL: all alike */
    pcs_fit_effort effort;
    const pcs_shared *shared; /* of the row's tensor; NULL: of the row */
    void *dst;
    float *y; /* what the bytes decode to; NULL: not wanted; may be x */
} pcs_encode_args;
/* Parameters, codes and bytes of a row. Pure arithmetic in a fixed order: the same bits everywhere. */
void pcs_encode(const pcs_encode_args *a);
/* The same, rounded to nearest, all weights alike and parameters of the row's own. */
static inline void pcs_encode_nearest(const pcs_format *f, size_t n, const float *x, void *dst)
{
    pcs_encode(&(pcs_encode_args){ .f = f, .n = n, .x = x, .effort = PCS_FIT_RTN, .dst = dst });
}
/* E8M0 byte of a block whose largest |w| is `top`, for elements whose largest is `largest` = m * 2^exponent with
 * `mantissa` bits after the point. */
int pcs_e8m0_scale(float top, int exponent, float largest, int mantissa, pcs_fit_effort effort);
/* Widen by n weights of a tensor of which `before` were seen. */
void pcs_shared_add(pcs_shared *s, size_t n, const float *x, size_t before);

/* ---- shared by the files of the formats ----------------------------------------------------- */
extern const int8_t pcs_book_iq4[16], pcs_book_e2m1[16];
/* Index in a book of 16, ascending, of n of its values; of equal ones the first. */
void pcs_book_index(const int8_t *book, const int8_t *q, int n, int8_t *index);
/* codes_row of a type whose blocks have one f16 scale each, its first number: where all of a row are the same, as in
 * ternary models that were trained with one. */
bool pcs_codes_of_one_scale(const pcs_format *f, const uint8_t *src, size_t n, int8_t *c, float *s);
/* Codes of 32 weights, low nibbles first (the layout of the legacy types). */
void pcs_nibbles_get(const uint8_t *src, int8_t *q, int offset);
void pcs_nibbles_put(const int8_t *q, int offset, uint8_t *dst);
/* 8 scales and 8 mins of 6 bits in 12 bytes (Q4_K, Q5_K). */
void pcs_k4_scales_get(const uint8_t *src, uint8_t sc[8], uint8_t mn[8]);
void pcs_k4_scales_put(const uint8_t sc[8], const uint8_t mn[8], uint8_t *dst);
static inline void pcs_fill(float *p, size_t n, float v)
{
    for (size_t i = 0; i < n; i++) p[i] = v;
}

#endif
