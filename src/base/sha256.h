/* sha256.h - a digest that cannot fail: its state lies in its owner, so that nothing is allocated, and no digest of
 * nothing can pass for one of the data. */
#ifndef PCS_SHA256_H
#define PCS_SHA256_H

#include <openssl/sha.h>
#include <stddef.h>

typedef struct pcs_sha256 { SHA256_CTX state; } pcs_sha256;

void pcs_sha256_begin(pcs_sha256 *s);
void pcs_sha256_add(pcs_sha256 *s, const void *data, size_t len);
/* Ends it; in hex. */
void pcs_sha256_end(pcs_sha256 *s, char hex[65]);

#endif
