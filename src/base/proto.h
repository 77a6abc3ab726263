/* proto.h - protobuf's wire format, walked and not parsed: fields point into the message, nothing is copied, and every
 * length is checked against the message that it lies in. The one walker of all readers. */
#ifndef PCS_PROTO_H
#define PCS_PROTO_H

#include "base/base.h"

/* Nested groups that are skipped; messages nest as deep as the caller follows them. */
#define PCS_PROTO_DEPTH 32

typedef struct pcs_proto {
    const uint8_t *p, *end;
} pcs_proto;

enum { PCS_PROTO_VARINT = 0, PCS_PROTO_64 = 1, PCS_PROTO_BYTES = 2, PCS_PROTO_GROUP = 3, PCS_PROTO_32 = 5 };

typedef struct pcs_proto_field {
    uint32_t number, wire;
    uint64_t value;  /* of a number: its bits */
    pcs_proto inner; /* of bytes, and of a group what lies in it */
} pcs_proto_field;

/* The next field; false at the end or on damage (*bad), where m->p stays before the damage. */
bool pcs_proto_next(pcs_proto *m, pcs_proto_field *f, bool *bad);
/* The next number of a packed field. */
bool pcs_proto_varint(pcs_proto *m, uint64_t *v);
static inline size_t pcs_proto_size(pcs_proto m) { return (size_t)(m.end - m.p); }

#endif
