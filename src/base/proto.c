/* proto.c - fields of a protobuf message (protobuf.dev, "Encoding"). */
#include "base/proto.h"
#include "base/f16.h"

bool pcs_proto_varint(pcs_proto *m, uint64_t *v)
{
    const uint8_t *p = m->p;
    *v = 0;
    for (int shift = 0; shift < 70 && p < m->end; shift += 7) {
        const uint8_t b = *p++;
        if (shift == 63 && b > 1) return false; /* more than 64 bits */
        *v |= (uint64_t)(b & 127) << shift;
        if (b & 128) continue;
        m->p = p;
        return true;
    }
    return false;
}

static bool take(pcs_proto *m, uint64_t n, const uint8_t **at)
{
    if (n > pcs_proto_size(*m)) return false;
    *at = m->p;
    m->p += n;
    return true;
}

/* Numbers and bytes; a group only begins here. */
static bool simple(pcs_proto *m, pcs_proto_field *f)
{
    const uint8_t *at;
    uint64_t tag, len;
    if (!pcs_proto_varint(m, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return false;
    f->number = (uint32_t)(tag >> 3);
    f->wire = (uint32_t)(tag & 7);
    f->value = 0;
    f->inner = (pcs_proto){ NULL, NULL };
    switch (f->wire) {
    case PCS_PROTO_VARINT: return pcs_proto_varint(m, &f->value);
    case PCS_PROTO_64:
        if (!take(m, 8, &at)) return false;
        f->value = pcs_load64(at);
        return true;
    case PCS_PROTO_32:
        if (!take(m, 4, &at)) return false;
        f->value = pcs_load32(at);
        return true;
    case PCS_PROTO_BYTES:
        if (!pcs_proto_varint(m, &len) || !take(m, len, &at)) return false;
        f->inner = (pcs_proto){ at, at + len };
        return true;
    default: return f->wire == 3 || f->wire == 4;
    }
}

/* The rest of group `number`, whose beginning is read; groups in it end in their order. */
static bool group(pcs_proto *m, uint32_t number, pcs_proto *inner)
{
    uint32_t open[PCS_PROTO_DEPTH], depth = 0;
    pcs_proto_field f;
    inner->p = m->p;
    open[depth++] = number;
    while (depth) {
        inner->end = m->p;
        if (!simple(m, &f)) return false;
        if (f.wire == 3) {
            if (depth == PCS_PROTO_DEPTH) return false;
            open[depth++] = f.number;
        } else if (f.wire == 4 && open[--depth] != f.number) return false;
    }
    return true;
}

bool pcs_proto_next(pcs_proto *m, pcs_proto_field *f, bool *bad)
{
    const uint8_t *start = m->p;
    *bad = false;
    if (m->p == m->end) return false;
    if (simple(m, f) && f->wire != 4 && (f->wire != PCS_PROTO_GROUP || group(m, f->number, &f->inner))) return true;
    m->p = start;
    *bad = true;
    return false;
}
