/* Attestations: an envelope of anyone's, against a key. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* RFC 8410, section 10.1 */
    static const char key[] = "-----BEGIN PUBLIC "
                              "KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC "
                              "KEY-----\n";
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    char path[64], public[64];
    const int fd = fuzz_file(data, size, path), kd = fuzz_file((const uint8_t *)key, sizeof key - 1, public);
    precis_attestation r = { .size = sizeof r };
    if (!precis_attest_verify(ctx, path, public, &r) && r.valid) abort(); /* nobody has signed anything */
    close(fd);
    close(kd);
    precis_ctx_close(&ctx);
    return 0;
}
