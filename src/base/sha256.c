/* sha256.c - digests, by OpenSSL's libcrypto. */
#include "base/base.h"

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

precis_status precis_sha256_file(precis_ctx *ctx, const char *path, char hex[65])
{
    precis_status st = PRECIS_OK;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char *buf = pcs_alloc(ctx, 1, 65536);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!md || !buf) st = pcs_fail(ctx, PRECIS_ENOMEM, "no memory for a digest");
    else if (fd < 0) st = pcs_fail(ctx, PRECIS_EIO, "%s: %s", path, strerror(errno));
    else if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) st = pcs_fail(ctx, PRECIS_EUNSUPPORTED, "no SHA-256 in libcrypto");
    while (st == PRECIS_OK) {
        const ssize_t n = read(fd, buf, 65536);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) st = pcs_fail(ctx, PRECIS_EIO, "%s: %s", path, strerror(errno));
        if (n <= 0) break;
        EVP_DigestUpdate(md, buf, (size_t)n);
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
