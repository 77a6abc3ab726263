/* tensor.c - TensorProto: every form in which it holds its data, checked against its shape. */
#include "base/f16.h"
#include "base/overflow.h"
#include "base/inside.h"
#include "read/onnx/onnx.h"

#include <stdlib.h>

/* A message in work. */
typedef struct {
    pcs_onnx *net;
    pcs_onnx_tensor *t;
    char name[80];
    pcs_proto body, raw;
    bool has_raw, external;
    uint32_t typed; /* the field that has numbers; 0: none */
    size_t numbers;
    pcs_str location;
    uint64_t offset, length;
    bool has_length;
    uint32_t said; /* keys of external data, a bit each */
} reading;

static precis_status wrong(const reading *r, const char *why)
{
    return pcs_onnx_damage(r->net, r->body.p, r->name, "%s", why);
}

static precis_status add_dim(reading *r, uint64_t d)
{
    if (r->t->dims == PCS_GRAPH_DIMS)
        return pcs_onnx_damage(r->net, r->body.p, r->name, "has more than %d dimensions", PCS_GRAPH_DIMS);
    if (d > (uint64_t)PCS_LIMIT_DIM)
        return pcs_onnx_damage(r->net, r->body.p, r->name, "dimension %u is %lld", r->t->dims, (long long)d);
    r->t->shape[r->t->dims++] = (int64_t)d;
    return PRECIS_OK;
}

/* Numbers in a field, packed or one by one. */
static precis_status count_numbers(reading *r, const pcs_proto_field *f)
{
    if (r->typed && r->typed != f->number) return wrong(r, "holds its data in two forms");
    r->typed = f->number;
    if (f->wire != PCS_PROTO_BYTES) r->numbers++;
    else if (f->number == 4) r->numbers += pcs_proto_size(f->inner) / 4;
    else if (f->number == 10) r->numbers += pcs_proto_size(f->inner) / 8;
    else {
        pcs_proto m = f->inner;
        uint64_t v;
        while (m.p < m.end)
            if (!pcs_proto_varint(&m, &v)) return wrong(r, "its packed numbers are damaged");
            else r->numbers++;
    }
    return PRECIS_OK;
}

static bool number_of(pcs_str s, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.s[i] < '0' || s.s[i] > '9' || !pcs_mul_ok(*out, 10, out) ||
            !pcs_add_ok(*out, (uint64_t)(s.s[i] - '0'), out))
            return false;
    return s.n > 0;
}

/* Keys of external data stand there once: of two, each reader would take another. */
static precis_status note_key(reading *r, pcs_str key)
{
    static const char *const keys[] = { "location", "offset", "length", "checksum" };
    uint32_t i = 0;
    while (i < 4 && !pcs_str_is(key, keys[i])) i++;
    if (i == 4)
        return pcs_onnx_damage(r->net, r->body.p, r->name, "external_data has an unknown key \"%.*s\"",
                               (int)(key.n < 40 ? key.n : 40), key.s);
    if (r->said & 1u << i)
        return pcs_onnx_damage(r->net, r->body.p, r->name, "external_data has the key %s twice", keys[i]);
    r->said |= 1u << i;
    return PRECIS_OK;
}

static precis_status read_external(reading *r, pcs_proto m)
{
    pcs_str key = { "", 0 }, value = { "", 0 };
    pcs_proto_field f;
    bool bad;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.wire != PCS_PROTO_BYTES) continue;
        const pcs_str s = { (const char *)f.inner.p, pcs_proto_size(f.inner) };
        if (f.number == 1) key = s;
        if (f.number == 2) value = s;
    }
    if (bad) return wrong(r, "its external_data are damaged");
    const precis_status st = note_key(r, key);
    if (st) return st;
    if (pcs_str_is(key, "location")) r->location = value;
    if (pcs_str_is(key, "offset"))
        return number_of(value, &r->offset) ? PRECIS_OK : wrong(r, "its external offset is no number");
    if (pcs_str_is(key, "length"))
        return (r->has_length = number_of(value, &r->length)) ? PRECIS_OK
                                                              : wrong(r, "its external length is no number");
    return PRECIS_OK;
}

static precis_status read_field(reading *r, const pcs_proto_field *f, int64_t *type)
{
    uint64_t v;
    switch (f->number) {
    case 1:
        if (f->wire != PCS_PROTO_BYTES) return add_dim(r, f->value);
        for (pcs_proto m = f->inner; m.p < m.end;) {
            if (!pcs_proto_varint(&m, &v)) return wrong(r, "its dimensions are damaged");
            const precis_status st = add_dim(r, v);
            if (st) return st;
        }
        return PRECIS_OK;
    case 2: *type = (int64_t)f->value; return PRECIS_OK;
    case 3:
        return pcs_fail(r->net->ctx, PRECIS_EUNSUPPORTED, "%s: tensor %s: is a segment of another", r->net->file.path,
                        r->name);
    case 4:
    case 5:
    case 7:
    case 10:
    case 11: return count_numbers(r, f);
    case 9:
        if (r->has_raw) return wrong(r, "has raw_data twice");
        if (f->wire != PCS_PROTO_BYTES) return wrong(r, "its raw_data are no bytes");
        r->has_raw = true;
        r->raw = f->inner;
        return PRECIS_OK;
    case 13: return read_external(r, f->inner);
    case 14: r->external = f->value != 0; return PRECIS_OK;
    default: return PRECIS_OK;
    }
}

/* Bytes of a file's elements, one a byte where they are shorter; in place where they can lie. */
static precis_status place_bytes(reading *r, pcs_arena *arena, const uint8_t *data, uint64_t bytes)
{
    pcs_onnx_tensor *t = r->t;
    const uint32_t bits = pcs_dtype_bits(t->dtype), per = bits < 8 ? 8 / bits : 1;
    const size_t each = pcs_dtype_bytes(t->dtype);
    const uint64_t wanted = ((uint64_t)t->count * bits + 7) / 8;
    if (bytes != wanted)
        return pcs_onnx_damage(r->net, r->body.p, r->name, "has %llu bytes of data, its shape and type ask for %llu",
                               (unsigned long long)bytes, (unsigned long long)wanted);
    if (per == 1 && ((uintptr_t)data & (each - 1)) == 0 && t->dtype != PCS_BOOL) {
        t->data = data;
        return PRECIS_OK;
    }
    uint8_t *copy = pcs_arena_alloc(arena, (size_t)t->count * each + 8, 1);
    if (!copy) return PRECIS_ENOMEM;
    t->data = copy;
    if (t->dtype == PCS_BOOL)
        for (uint64_t i = 0; i < bytes; i++) copy[i] = data[i] != 0;
    else if (per == 1) memcpy(copy, data, (size_t)bytes);
    for (int64_t i = 0; per > 1 && i < t->count; i++) {
        const int code = data[i / per] >> (i % per * bits) & ((1 << bits) - 1), half = 1 << (bits - 1);
        copy[i] = (uint8_t)(t->dtype == PCS_I4 || t->dtype == PCS_I2 ? (code ^ half) - half : code);
    }
    return PRECIS_OK;
}

/* Which typed field holds a type, and the width of a number in it. */
static uint32_t field_of(pcs_dtype d)
{
    return d == PCS_F32 ? 4 : d == PCS_F64 ? 10 : d == PCS_I64 ? 7 : d == PCS_U32 || d == PCS_U64 ? 11 : 5;
}

static void put(uint8_t *to, size_t each, uint64_t v) { memcpy(to, &v, each); }

static precis_status place_numbers(reading *r, pcs_arena *arena)
{
    pcs_onnx_tensor *t = r->t;
    const uint32_t bits = pcs_dtype_bits(t->dtype);
    const size_t each = bits < 8 ? 1 : bits / 8,
                 wanted = bits < 8 ? ((size_t)t->count * bits + 7) / 8 : (size_t)t->count;
    pcs_proto m = r->body;
    pcs_proto_field f;
    bool bad;
    if (r->typed != field_of(t->dtype)) return wrong(r, "holds numbers of another type than its own");
    if (r->numbers != wanted)
        return pcs_onnx_damage(r->net, r->body.p, r->name, "has %zu numbers, its shape asks for %zu", r->numbers,
                               wanted);
    uint8_t *bytes = pcs_arena_alloc(arena, wanted * each + 8, 1), *to = bytes;
    if (!bytes) return PRECIS_ENOMEM;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.number != r->typed) continue;
        if (f.wire != PCS_PROTO_BYTES) {
            put(to, each, f.value);
            to += each;
        } else if (r->typed == 4 || r->typed == 10) {
            const size_t n = pcs_proto_size(f.inner) / each * each;
            memcpy(to, f.inner.p, n);
            to += n;
        } else
            for (uint64_t v; pcs_proto_varint(&f.inner, &v); to += each) put(to, each, v);
    }
    return place_bytes(r, arena, bytes, wanted * each);
}

/* The file that data lie in, opened once. */
static precis_status external_file(pcs_onnx *net, const char *location, const pcs_file **out)
{
    const size_t n = strlen(net->folder);
    for (size_t i = 0; i < net->n_external; i++)
        if (!strcmp(net->external[i].path + n, location)) {
            *out = &net->external[i];
            return PRECIS_OK;
        }
    if (net->n_external == PCS_LIMIT_SPLITS)
        return pcs_fail(net->ctx, PRECIS_EFORMAT, "%s: external data in more than %d files", net->file.path,
                        PCS_LIMIT_SPLITS);
    pcs_file *grown =
        pcs_grow(net->ctx, net->external, net->n_external * sizeof *grown, net->n_external + 1, sizeof *grown);
    if (!grown) return PRECIS_ENOMEM;
    net->external = grown;
    const precis_status st = pcs_file_open_inside(net->ctx, &grown[net->n_external], net->folder, location);
    if (!st) *out = &grown[net->n_external++];
    return st;
}

/* Tied weights have the same bytes, all of them; those of which a part is another's are damaged. */
static precis_status note_span(reading *r, const pcs_file *f, uint64_t from, uint64_t to)
{
    pcs_onnx *net = r->net;
    const size_t file = (size_t)(f - net->external);
    for (size_t i = 0; i < net->n_spans; i++) {
        const struct pcs_span *s = &net->spans[i];
        if (s->file != file || s->to <= from || to <= s->from) continue;
        return s->from == from && s->to == to ? PRECIS_OK : wrong(r, "shares bytes with another initializer");
    }
    if (net->n_spans == net->cap_spans) {
        const size_t cap = net->cap_spans * 2 + 64;
        struct pcs_span *grown = pcs_grow(net->ctx, net->spans, net->n_spans * sizeof *grown, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        net->spans = grown;
        net->cap_spans = cap;
    }
    net->spans[net->n_spans++] = (struct pcs_span){ file, from, to };
    return PRECIS_OK;
}

static precis_status place_external(reading *r, pcs_arena *arena)
{
    const pcs_file *f = NULL;
    if (!r->net->folder)
        return pcs_fail(r->net->ctx, PRECIS_EUNSUPPORTED, "%s: tensor %s: external data of a net in memory",
                        r->net->file.path, r->name);
    if (!r->location.n || memchr(r->location.s, 0, r->location.n)) return wrong(r, "is external and names no file");
    const char *location = pcs_arena_copy(arena, r->location.s, r->location.n);
    precis_status st = location ? external_file(r->net, location, &f) : PRECIS_ENOMEM;
    if (st) return st;
    if (r->offset > f->size)
        return pcs_onnx_damage(r->net, r->body.p, r->name, "begins at byte %llu of %s, which has %llu",
                               (unsigned long long)r->offset, location, (unsigned long long)f->size);
    const uint64_t length = r->has_length ? r->length : ((uint64_t)r->t->count * pcs_dtype_bits(r->t->dtype) + 7) / 8;
    if (length > f->size - r->offset)
        return pcs_onnx_damage(r->net, r->body.p, r->name, "ends behind %s, which has %llu bytes", location,
                               (unsigned long long)f->size);
    if (length && (st = note_span(r, f, r->offset, r->offset + length))) return st;
    return place_bytes(r, arena, length ? f->map + r->offset : (const uint8_t *)"", length);
}

precis_status pcs_onnx_read_tensor(pcs_onnx *net, pcs_arena *arena, pcs_proto body, pcs_onnx_tensor *t)
{
    reading r = { .net = net, .t = t, .body = body, .name = "tensor" };
    pcs_proto m = body;
    pcs_proto_field f;
    int64_t type = 0;
    bool bad;
    *t = (pcs_onnx_tensor){ .name = { "", 0 }, .count = 1 };
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.number == 8 && f.wire == PCS_PROTO_BYTES) {
            t->name = (pcs_str){ (const char *)f.inner.p, pcs_proto_size(f.inner) };
            const size_t n = t->name.n < sizeof r.name - 1 ? t->name.n : sizeof r.name - 1;
            memcpy(r.name, t->name.s, n);
            r.name[n] = 0;
        }
        const precis_status st = read_field(&r, &f, &type);
        if (st) return st;
    }
    if (bad) return wrong(&r, "is damaged: a field is longer than what holds it, or of no known kind");
    if (!pcs_onnx_dtype(type, &t->dtype))
        return pcs_fail(net->ctx, PRECIS_EUNSUPPORTED, "%s: tensor %s: data type %lld%s is not supported",
                        net->file.path, r.name, (long long)type, type == 8 ? " (strings)" : "");
    for (uint32_t i = 0; i < t->dims; i++)
        if (!pcs_i64_mul(t->count, t->shape[i], &t->count) || t->count > PCS_LIMIT_NET_ELEMENTS)
            return wrong(&r, "has more than 2^31 elements");
    if (r.has_raw + (r.typed != 0) + r.external > 1) return wrong(&r, "holds its data in two forms");
    if (r.external) return place_external(&r, arena);
    if (r.typed) return place_numbers(&r, arena);
    return place_bytes(&r, arena, r.has_raw ? r.raw.p : body.p, r.has_raw ? pcs_proto_size(r.raw) : 0);
}
