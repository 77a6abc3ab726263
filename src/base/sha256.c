/* sha256.c - digests, by OpenSSL's libcrypto. Its EVP functions allocate, for each digest and
 * at the first one a table of all that libcrypto has; these do not, run the same instructions,
 * and have no way to fail. OpenSSL 3 calls them deprecated. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/sha256.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void pcs_sha256_begin(pcs_sha256 *s) { SHA256_Init(&s->state); }
void pcs_sha256_add(pcs_sha256 *s, const void *data, size_t len) { SHA256_Update(&s->state, data, len); }

void pcs_sha256_end(pcs_sha256 *s, char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char md[SHA256_DIGEST_LENGTH];
    SHA256_Final(md, &s->state);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) hex[2 * i] = digits[md[i] >> 4], hex[2 * i + 1] = digits[md[i] & 15];
    hex[64] = 0;
}

void precis_sha256(const void *data, size_t len, char hex[65])
{
    pcs_sha256 s;
    pcs_sha256_begin(&s);
    pcs_sha256_add(&s, data, len);
    pcs_sha256_end(&s, hex);
}

enum { STEP = 1 << 18 }; /* bytes of one read; whether to stop is asked after each */

precis_status precis_sha256_file(precis_ctx *ctx, const char *path, char hex[65])
{
    char *buf = pcs_alloc(ctx, 1, STEP);
    struct stat sb;
    pcs_sha256 s;
    int fd = -1;
    precis_status st = buf ? pcs_open_regular(ctx, path, O_RDONLY, &fd, &sb) : PRECIS_ENOMEM;
    pcs_sha256_begin(&s);
    for (uint64_t done = 0; st == PRECIS_OK;) {
        const ssize_t n = read(fd, buf, STEP);
        if (n < 0 && errno != EINTR) st = pcs_fail(ctx, pcs_errno_status(errno), "%s: %s", path, strerror(errno));
        if (n == 0) break;
        if (n > 0) {
            pcs_sha256_add(&s, buf, (size_t)n);
            done += (uint64_t)n;
        }
        if (!st) st = pcs_progress(ctx, "hash", done, (uint64_t)sb.st_size);
    }
    if (!st) pcs_sha256_end(&s, hex);
    if (fd >= 0) close(fd);
    pcs_free(ctx, buf);
    return st;
}
