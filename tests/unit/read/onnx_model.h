/* onnx_model.h - ONNX files for tests, made of ONNX's own text (docs/Syntax.md of onnx): a list of nodes with
 * attributes and bodies, and tensors such as `float[2,3] x {1, 2, 3, 4, 5, 6}`. Written from onnx.proto, so nothing
 * here shares code with the reader. */
#ifndef TEST_ONNX_MODEL_H
#define TEST_ONNX_MODEL_H

#include "base/f16.h"
#include "test.h"

#include <ctype.h>

#define ONNX_NAME 64
#define ONNX_DIMS 8
#define ONNX_VALUES 4096
#define ONNX_COUNT(a) (sizeof(a) / sizeof *(a))

typedef struct {
    unsigned char *data;
    size_t n, room;
} onnx_bytes;

static inline void onnx_put(onnx_bytes *b, const void *p, size_t n)
{
    if (!b->data || b->n + n > b->room) b->data = realloc(b->data, b->room = 2 * (b->n + n) + 64);
    assert_non_null(b->data);
    if (n) memcpy(b->data + b->n, p, n);
    b->n += n;
}

static inline void onnx_varint(onnx_bytes *b, uint64_t v)
{
    do {
        const unsigned char c = (unsigned char)(v & 127) | (v > 127 ? 128 : 0);
        onnx_put(b, &c, 1);
    } while (v >>= 7);
}

static inline void onnx_int(onnx_bytes *b, int field, int64_t v)
{
    onnx_varint(b, (uint64_t)field << 3);
    onnx_varint(b, (uint64_t)v);
}

static inline void onnx_float(onnx_bytes *b, int field, float v)
{
    onnx_varint(b, (uint64_t)field << 3 | 5);
    onnx_put(b, &v, sizeof v);
}

static inline void onnx_field(onnx_bytes *b, int field, const void *p, size_t n)
{
    onnx_varint(b, (uint64_t)field << 3 | 2);
    onnx_varint(b, n);
    onnx_put(b, p, n);
}

static inline void onnx_string(onnx_bytes *b, int field, const char *s) { onnx_field(b, field, s, strlen(s)); }

/* A message within one; it is freed. */
static inline void onnx_within(onnx_bytes *b, int field, onnx_bytes *message)
{
    onnx_field(b, field, message->data, message->n);
    free(message->data);
    *message = (onnx_bytes){ 0 };
}

/* ---- text ------------------------------------------------------------------------------------------ */

static inline char onnx_peek(const char **s)
{
    while (isspace((unsigned char)**s)) (*s)++;
    return **s;
}

static inline bool onnx_take(const char **s, char c)
{
    if (onnx_peek(s) != c) return false;
    (*s)++;
    return true;
}

static inline void onnx_need(const char **s, char c)
{
    if (!onnx_take(s, c)) fail_msg("'%c' is missing before: %.60s", c, *s);
}

/* An identifier, with dots; "" where there is none. */
static inline void onnx_word(const char **s, char *out)
{
    size_t n = 0;
    for (onnx_peek(s); isalnum((unsigned char)**s) || **s == '_' || **s == '.'; (*s)++)
        if (n + 1 < ONNX_NAME) out[n++] = **s;
    out[n] = 0;
}

/* ---- tensors --------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int type, bits; /* data_type of onnx.proto; bits of an element of raw_data */
    char kind;      /* f: a float; i: whole */
} onnx_types[] = {
    { "float", 1, 32, 'f' },   { "uint8", 2, 8, 'i' },    { "int8", 3, 8, 'i' },      { "uint16", 4, 16, 'i' },
    { "int16", 5, 16, 'i' },   { "int32", 6, 32, 'i' },   { "int64", 7, 64, 'i' },    { "bool", 9, 8, 'i' },
    { "float16", 10, 16, 'f' }, { "double", 11, 64, 'f' }, { "uint32", 12, 32, 'i' }, { "uint64", 13, 64, 'i' },
    { "bfloat16", 16, 16, 'f' }, { "uint4", 21, 4, 'i' },  { "int4", 22, 4, 'i' },
};

typedef struct {
    char name[ONNX_NAME];
    size_t type; /* of onnx_types */
    uint32_t dims;
    int64_t shape[ONNX_DIMS];
    uint32_t open; /* bit i: a port says no size of dimension i, only a name */
    size_t n;
    struct {
        double real;
        int64_t whole;
    } *values;
} onnx_tensor;

/* TYPE[2,3] name: what a port says. */
static inline void onnx_port(const char **s, onnx_tensor *t)
{
    char type[ONNX_NAME];
    *t = (onnx_tensor){ 0 };
    onnx_word(s, type);
    while (t->type < ONNX_COUNT(onnx_types) && strcmp(onnx_types[t->type].name, type)) t->type++;
    if (t->type == ONNX_COUNT(onnx_types)) fail_msg("no type %s", type);
    if (onnx_take(s, '[')) {
        while (!onnx_take(s, ']')) {
            assert_true(t->dims < ONNX_DIMS);
            t->shape[t->dims++] = strtoll(*s, (char **)(uintptr_t)s, 10);
            onnx_take(s, ',');
        }
    }
    onnx_word(s, t->name);
}

/* The same and {values}. */
static inline void onnx_read(const char **s, onnx_tensor *t)
{
    onnx_port(s, t);
    t->values = calloc(ONNX_VALUES, sizeof *t->values);
    assert_non_null(t->values);
    onnx_need(s, '{');
    while (!onnx_take(s, '}')) {
        assert_true(t->n < ONNX_VALUES);
        char *end;
        if (onnx_types[t->type].kind == 'f') t->values[t->n].real = strtod(*s, &end);
        else t->values[t->n].whole = strtoll(*s, &end, 10);
        if (end == *s) fail_msg("no number: %.40s", *s);
        t->n++;
        *s = end;
        onnx_take(s, ',');
    }
    size_t count = 1;
    for (uint32_t i = 0; i < t->dims; i++) count *= (size_t)t->shape[i];
    if (count != t->n) fail_msg("%s has %zu values, not %zu", t->name, t->n, count);
}

static inline void onnx_element(const onnx_tensor *t, size_t i, onnx_bytes *raw)
{
    const double real = t->values[i].real;
    const float f = (float)real;
    const uint16_t half = onnx_types[t->type].type == 16 ? pcs_f32_to_bf16(f) : pcs_f32_to_f16(f);
    const int bits = onnx_types[t->type].bits;
    if (bits == 4 && i % 2) raw->data[raw->n - 1] |= (unsigned char)((t->values[i].whole & 15) << 4);
    else if (bits == 4) onnx_put(raw, &(unsigned char){ (unsigned char)(t->values[i].whole & 15) }, 1);
    else if (onnx_types[t->type].kind == 'i') onnx_put(raw, &t->values[i].whole, (size_t)bits / 8); /* little-endian */
    else if (bits == 16) onnx_put(raw, &half, 2);
    else if (bits == 32) onnx_put(raw, &f, 4);
    else onnx_put(raw, &real, 8);
}

static inline void onnx_put_tensor(onnx_bytes *out, int field, const onnx_tensor *t)
{
    onnx_bytes m = { 0 }, raw = { 0 };
    for (uint32_t i = 0; i < t->dims; i++) onnx_int(&m, 1, t->shape[i]);
    onnx_int(&m, 2, onnx_types[t->type].type);
    onnx_string(&m, 8, t->name);
    for (size_t i = 0; i < t->n; i++) onnx_element(t, i, &raw);
    onnx_within(&m, 9, &raw);
    onnx_within(out, field, &m);
}

#endif
