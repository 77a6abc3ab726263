/* json.h - a bounded, iterative JSON reader for untrusted text (RFC 8259, strict).
 *
 * It is a pull parser over text in memory: no tree, no recursion, no allocation but for the strings
 * that the caller copies. Depth is limited; UTF-8 and escapes are checked. */
#ifndef PCS_JSON_H
#define PCS_JSON_H

#include "base/base.h"

typedef enum {
    PCS_JSON_END, /* of the text */
    PCS_JSON_OBJECT, PCS_JSON_OBJECT_END, PCS_JSON_ARRAY, PCS_JSON_ARRAY_END,
    PCS_JSON_KEY, PCS_JSON_STRING, PCS_JSON_NUMBER, PCS_JSON_TRUE, PCS_JSON_FALSE, PCS_JSON_NULL
} pcs_json_type;

typedef struct {
    pcs_json_type type;
    const char *text; /* strings, keys: between the quotes, as they stand; numbers: the digits; else: where it is */
    size_t len;
} pcs_json_token;

typedef struct {
    precis_ctx *ctx;
    const char *start, *p, *end;
    int depth;
    bool value_done;          /* a value ended: a comma or an end must follow */
    bool after_key;
    const char *key;          /* the last one, for messages about its value; NULL: none yet */
    size_t key_len;
    unsigned char stack[PCS_LIMIT_JSON_DEPTH]; /* '{' or '[' */
    bool first[PCS_LIMIT_JSON_DEPTH];
} pcs_json;

void pcs_json_init(pcs_json *j, precis_ctx *ctx, const char *text, size_t len);
/* PRECIS_EFORMAT with the byte offset. */
precis_status pcs_json_next(pcs_json *j, pcs_json_token *t);
/* The next token must have this type; `field` names it in the message. */
precis_status pcs_json_expect(pcs_json *j, pcs_json_type type, pcs_json_token *t, const char *field);
/* Skip the rest of the value that `t` began. */
precis_status pcs_json_skip(pcs_json *j, const pcs_json_token *t);
/* Text of a string or key token with escapes resolved, NUL-terminated, in the arena. */
precis_status pcs_json_string(pcs_json *j, const pcs_json_token *t, pcs_arena *a, char **out, size_t *len);
/* A key compared with a literal (keys with escapes never match). */
bool pcs_json_is(const pcs_json_token *t, const char *literal);
precis_status pcs_json_int(pcs_json *j, const pcs_json_token *t, int64_t *out, const char *field);
/* A number beyond a double's range is an error. */
precis_status pcs_json_double(pcs_json *j, const pcs_json_token *t, double *out, const char *field);
precis_status pcs_json_fail(pcs_json *j, const char *at, const char *field, const char *why);

/* A value's text within a larger one. */
typedef struct { const char *text; size_t len; } pcs_json_slice;
/* The value of a key of the object in `object`; .text NULL when the key is absent. A key that appears
 * twice is an error, and so is anything but an object. */
precis_status pcs_json_find(precis_ctx *ctx, pcs_json_slice object, const char *key, pcs_json_slice *out);

/* Written by hand: formatted text of at most 1,023 bytes, and a string with its quotes and escapes. */
precis_status pcs_buf_printf(pcs_buf *b, const char *fmt, ...) PCS_PRINTF(2, 3);
precis_status pcs_json_text(pcs_buf *b, const char *s, size_t len);

/* Length of the UTF-8 sequence at p (n bytes left) and its code point, or 0 when it is not valid. */
size_t pcs_utf8(const char *p, size_t n, uint32_t *cp);
/* Encode; returns the length, 1 to 4. */
size_t pcs_utf8_put(uint32_t cp, char out[4]);

#endif
