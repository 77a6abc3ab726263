/* sha256.c - digests, by OpenSSL's libcrypto. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

static void to_hex(const unsigned char md[32], char hex[65])
{
    for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", md[i]);
}

void precis_sha256(const void *data, size_t len, char hex[65])
{
    unsigned char md[32] = { 0 };
    EVP_Digest(data, len, md, NULL, EVP_sha256(), NULL);
    to_hex(md, hex);
}

enum { STEP = 1 << 18 }; /* bytes of one read; whether to stop is asked after each */

precis_status precis_sha256_file(precis_ctx *ctx, const char *path, char hex[65])
{
    precis_status st = PRECIS_OK;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char *buf = pcs_alloc(ctx, 1, STEP);
    struct stat sb;
    int fd = -1;
    if (!md || !buf) st = pcs_fail(ctx, PRECIS_ENOMEM, "no memory for a digest");
    else st = pcs_open_regular(ctx, path, O_RDONLY, &fd, &sb);
    if (!st && EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        st = pcs_fail(ctx, PRECIS_EUNSUPPORTED, "no SHA-256 in libcrypto");
    for (uint64_t done = 0; st == PRECIS_OK;) {
        const ssize_t n = read(fd, buf, STEP);
        if (n < 0 && errno != EINTR) st = pcs_fail(ctx, pcs_errno_status(errno), "%s: %s", path, strerror(errno));
        if (n == 0) break;
        if (n > 0) {
            EVP_DigestUpdate(md, buf, (size_t)n);
            done += (uint64_t)n;
        }
        if (!st) st = pcs_progress(ctx, "hash", done, (uint64_t)sb.st_size);
    }
    if (st == PRECIS_OK) {
        unsigned char out[32];
        EVP_DigestFinal_ex(md, out, NULL);
        to_hex(out, hex);
    }
    if (fd >= 0) close(fd);
    pcs_free(ctx, buf);
    EVP_MD_CTX_free(md);
    return st;
}
