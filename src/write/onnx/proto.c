/* proto.c - protobuf's wire format, written: fields into a buffer that has its limit from birth. */
#include "base/f16.h"
#include "write/onnx/lower.h"

static size_t varint(uint64_t v, uint8_t out[10])
{
    size_t n = 0;
    for (; v > 127; v >>= 7) out[n++] = (uint8_t)(v | 128);
    out[n++] = (uint8_t)v;
    return n;
}

static precis_status key(pcs_buf *b, uint32_t number, uint32_t wire)
{
    uint8_t room[10];
    return pcs_buf_add(b, room, varint((uint64_t)number << 3 | wire, room));
}

precis_status pcs_put_varint(pcs_buf *b, uint32_t number, uint64_t value)
{
    uint8_t room[10];
    const precis_status st = key(b, number, 0);
    return st ? st : pcs_buf_add(b, room, varint(value, room));
}

precis_status pcs_put_float(pcs_buf *b, uint32_t number, float value)
{
    const uint32_t bits = pcs_f32_bits(value);
    const uint8_t room[4] = { (uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24) };
    const precis_status st = key(b, number, 5);
    return st ? st : pcs_buf_add(b, room, sizeof room);
}

precis_status pcs_put_head(pcs_buf *b, uint32_t number, uint64_t n)
{
    uint8_t room[10];
    const precis_status st = key(b, number, 2);
    return st ? st : pcs_buf_add(b, room, varint(n, room));
}

precis_status pcs_put_bytes(pcs_buf *b, uint32_t number, const void *data, size_t n)
{
    precis_status st = pcs_put_head(b, number, n);
    if (!st && n) st = pcs_buf_add(b, data, n);
    return st;
}

precis_status pcs_put_text(pcs_buf *b, uint32_t number, const char *text)
{
    return pcs_put_bytes(b, number, text, strlen(text));
}
