/* mutate.h - changes of a GGUF that leave it one: numbers and strings of keys, names, shapes, types and bytes of
 * tensors. Byte flips alone seldom come past the reader; these come as far as what the commands do with a model. */
#ifndef PRECIS_FUZZ_MUTATE_H
#define PRECIS_FUZZ_MUTATE_H

#ifdef PRECIS_FUZZ
#include <stdint.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

enum { MUTATE_RECORDS = 256, MUTATE_STRING = 8, MUTATE_ARRAY = 9 };
/* at: a key's value, a tensor's dimensions. */
typedef struct { size_t name, name_len, at, end; uint32_t type; } mutate_record;
typedef struct {
    uint8_t *b;
    size_t size, most, keys, tensors, end, data;
    mutate_record key[MUTATE_RECORDS], tensor[MUTATE_RECORDS];
    uint64_t rng;
} mutate;

static inline uint64_t mutate_rand(mutate *m, uint64_t n)
{
    m->rng = m->rng * 6364136223846793005u + 1442695040888963407u;
    return n ? (m->rng >> 33) % n : 0;
}

static inline uint64_t mutate_get(const mutate *m, size_t at, size_t n)
{
    uint64_t v = 0;
    if (at + n <= m->size) memcpy(&v, m->b + at, n);
    return v;
}

static inline size_t mutate_width(uint64_t type)
{
    static const uint8_t width[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return type < sizeof width ? width[type] : 0;
}

/* Behind a value; 0: it does not fit. */
static inline size_t mutate_behind(const mutate *m, size_t at, uint64_t type)
{
    uint64_t n = 1;
    if (type == MUTATE_ARRAY) {
        type = mutate_get(m, at, 4);
        n = mutate_get(m, at + 4, 8);
        at += 12;
    }
    if (n > m->size || type == MUTATE_ARRAY) return 0;
    for (uint64_t i = 0; i < n && at <= m->size; i++) {
        const uint64_t len = type == MUTATE_STRING ? 8 + mutate_get(m, at, 8) : mutate_width(type);
        if (!len || len > m->size) return 0;
        at += (size_t)len;
    }
    return at <= m->size ? at : 0;
}

static inline int mutate_open(mutate *m)
{
    if (m->size < 24 || memcmp(m->b, "GGUF", 4)) return 0;
    m->tensors = (size_t)mutate_get(m, 8, 8);
    m->keys = (size_t)mutate_get(m, 16, 8);
    if (m->keys > MUTATE_RECORDS || m->tensors > MUTATE_RECORDS) return 0;
    size_t at = 24;
    for (size_t i = 0; i < m->keys + m->tensors; i++) {
        mutate_record *r = i < m->keys ? &m->key[i] : &m->tensor[i - m->keys];
        r->name_len = (size_t)mutate_get(m, at, 8);
        r->name = at + 8;
        if (r->name_len > m->size || (at = r->name + r->name_len) + 12 > m->size) return 0;
        r->type = (uint32_t)mutate_get(m, at, 4);
        r->at = at + 4;
        if (i < m->keys) r->end = mutate_behind(m, r->at, r->type);
        else r->end = r->type <= 8 ? r->at + 8 * r->type + 12 : 0;
        if (!r->end || r->end > m->size) return 0;
        at = r->end;
    }
    m->end = at;
    m->data = (at + 31) / 32 * 32;
    return m->data <= m->size;
}

/* `len` bytes of the head become others; the tensors' bytes stay aligned. */
static inline void mutate_splice(mutate *m, size_t at, size_t len, const void *with, size_t n)
{
    const size_t end = m->end - len + n, data = (end + 31) / 32 * 32, bytes = m->size - m->data;
    if (data + bytes > m->most || n > 4096) return;
    uint8_t copy[4096];
    memcpy(copy, with, n); /* it may be of the file */
    if (data > m->data) memmove(m->b + data, m->b + m->data, bytes);
    memmove(m->b + at + n, m->b + at + len, m->end - at - len);
    if (data < m->data) memmove(m->b + data, m->b + m->data, bytes);
    memcpy(m->b + at, copy, n);
    memset(m->b + end, 0, data - end);
    m->size = data + bytes;
}

static inline void mutate_number(mutate *m, size_t at, size_t width, int real)
{
    static const uint64_t whole[] = { 0, 1, 2, 3, 5, 7, 15, 16, 31, 33, 64, 255, 256, 257, 1000, 4095, 65535, 65536,
                                      0x7fffffff, 0x80000000, 0xffffffff, 1ull << 33, 1ull << 62, ~0ull };
    static const uint32_t reals[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 1,
                                      0x7f7fffff, 0x00800000, 0x33d6bf95, 0x501502f9, 0x38d1b717, 0x49742400 };
    uint64_t v = mutate_get(m, at, width);
    switch (mutate_rand(m, 6)) {
    case 0: v += 1; break;
    case 1: v -= 1; break;
    case 2: v *= 2; break;
    case 3: v /= 2; break;
    default:
        if (real) v = reals[mutate_rand(m, sizeof reals / sizeof *reals)];
        else v = whole[mutate_rand(m, sizeof whole / sizeof *whole)];
    }
    memcpy(m->b + at, &v, width);
}

static inline void mutate_key(mutate *m)
{
    const mutate_record *r = &m->key[mutate_rand(m, m->keys)];
    const uint64_t how = mutate_rand(m, 12);
    size_t at = r->at;
    uint64_t type = r->type, count = m->keys;
    if (how == 0) { /* it goes */
        mutate_splice(m, r->name - 8, r->end - r->name + 8, "", 0);
        count--;
        memcpy(m->b + 16, &count, 8);
        return;
    }
    if (type == MUTATE_ARRAY) {
        type = mutate_get(m, at, 4);
        count = mutate_get(m, at + 4, 8);
        if (!count) return;
        at += 12;
        for (uint64_t i = mutate_rand(m, count); i; i--)
            at += type == MUTATE_STRING ? 8 + (size_t)mutate_get(m, at, 8) : mutate_width(type);
        if (how == 1) { /* an element goes */
            const size_t len = type == MUTATE_STRING ? 8 + (size_t)mutate_get(m, at, 8) : mutate_width(type);
            mutate_splice(m, at, len, "", 0);
            count--;
            memcpy(m->b + r->at + 4, &count, 8);
            return;
        }
    }
    if (type != MUTATE_STRING) {
        mutate_number(m, at, mutate_width(type), type == 6);
        return;
    }
    uint8_t text[4096 + 8];
    uint64_t len = mutate_get(m, at, 8);
    const mutate_record *other = &m->key[mutate_rand(m, m->keys)];
    if (len > 2048) return;
    if (how < 4 && other->type == MUTATE_STRING) { /* another's */
        mutate_splice(m, at, 8 + (size_t)len, m->b + other->at, other->end - other->at);
        return;
    }
    memcpy(text + 8, m->b + at + 8, (size_t)len);
    uint64_t now = LLVMFuzzerMutate(text + 8, (size_t)len, 2048);
    memcpy(text, &now, 8);
    mutate_splice(m, at, 8 + (size_t)len, text, 8 + (size_t)now);
}

static inline void mutate_tensor(mutate *m)
{
    static const uint8_t types[] = { 0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
                                     25, 26, 27, 28, 29, 30, 34, 35, 39 };
    const mutate_record *r = &m->tensor[mutate_rand(m, m->tensors)], *other = &m->tensor[mutate_rand(m, m->tensors)];
    uint64_t count = m->tensors;
    switch (mutate_rand(m, 8)) {
    case 0: /* it goes */
        mutate_splice(m, r->name - 8, r->end - r->name + 8, "", 0);
        count--;
        memcpy(m->b + 8, &count, 8);
        break;
    case 1: mutate_splice(m, r->name - 8, r->name_len + 8, m->b + other->name - 8, other->name_len + 8); break;
    case 2: /* its layer */
        for (size_t i = r->name; i < r->name + r->name_len; i++)
            if (m->b[i] >= '0' && m->b[i] <= '9') m->b[i] = (uint8_t)('0' + mutate_rand(m, 10));
        break;
    case 3: /* its shape */
    case 4: if (r->type) mutate_number(m, r->at + 8 * mutate_rand(m, r->type), 8, 0); break;
    case 5: { /* its type */
        const uint32_t type = types[mutate_rand(m, sizeof types)];
        memcpy(m->b + r->end - 12, &type, 4);
        break;
    }
    case 6: /* another's copy */
        mutate_splice(m, r->name - 8, 0, m->b + other->name - 8, other->end - other->name + 8);
        count++;
        memcpy(m->b + 8, &count, 8);
        break;
    default: mutate_number(m, r->end - 8, 8, 0);
    }
}

static inline void mutate_bytes(mutate *m)
{
    if (m->data + 4 > m->size) return;
    const size_t at = m->data + mutate_rand(m, (m->size - m->data) / 4) * 4;
    if (mutate_rand(m, 2)) mutate_number(m, at, 4, 1);
    else
        for (size_t i = at; i < m->size && i < at + 1 + mutate_rand(m, 64); i++) m->b[i] = (uint8_t)mutate_rand(m, 256);
}

/* Where the model begins: after the byte of options, and after a manifest and its zero byte. */
static inline size_t mutate_front(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size && data[0] == '{' ? memchr(data, 0, size) : NULL;
    return zero ? (size_t)(zero - data) + 1 : size ? 1 : 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static mutate m;
    const size_t front = mutate_front(data, size);
    m = (mutate){ .b = data + front, .size = size - front, .most = most - front, .rng = seed * 2654435761u + 1 };
    if (mutate_rand(&m, 4) == 0) { /* the options, or the manifest */
        if (front < 2) return data[0] = (uint8_t)mutate_rand(&m, 64), size;
        static uint8_t text[65536];
        const size_t n = LLVMFuzzerMutate(memcpy(text, data, front - 1), front - 1, front - 1);
        memcpy(data, text, n);
        memmove(data + n, data + front - 1, size - front + 1);
        return n + size - front + 1;
    }
    for (uint64_t turns = 1 + mutate_rand(&m, 3); turns; turns--) {
        if (!mutate_open(&m) || mutate_rand(&m, 16) == 0) return front + LLVMFuzzerMutate(m.b, m.size, m.most);
        const uint64_t what = mutate_rand(&m, 16);
        if (what == 0) m.size = m.data + mutate_rand(&m, m.size - m.data + 1);
        else if (what < 4) mutate_bytes(&m);
        else if (what < 10 && m.keys) mutate_key(&m);
        else if (m.tensors) mutate_tensor(&m);
    }
    return front + m.size;
}
#endif

#endif
