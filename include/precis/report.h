/* precis/report.h - what a third party can check; what a build has: part.h. Stage: REPORT. */
#ifndef PRECIS_REPORT_H
#define PRECIS_REPORT_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Write a new Ed25519 key pair as PEM: the private one to path (mode 0600; it must not exist), the public one to
 * PATH.pub. PRECIS_EIO. */
PRECIS_API precis_status precis_attest_new_key(precis_ctx *ctx, const char *path);
/* Sign a manifest (OUT.manifest.json of precis quant): a dated in-toto statement (v1) about OUT and its manifest in a
 * DSSE envelope (v1), signed with the Ed25519 key of key_path (PEM), written to out_path. OUT must lie beside the
 * manifest and be what the manifest says. when: seconds since 1970. PRECIS_EFORMAT (manifest, key, or OUT differs),
 * PRECIS_EIO, PRECIS_ENOSPC. */
PRECIS_API precis_status precis_attest(precis_ctx *ctx, const char *manifest_path, const char *key_path,
                                       const char *out_path, int64_t when);

typedef struct precis_attestation {
    uint32_t size;        /* sizeof of this struct, set by the caller                               */
    int      valid;       /* the signature is the key's, and every file that is here is the one that was signed */
    char     created[32]; /* "2026-11-24T12:00:00Z"                                                 */
    char     key[65];     /* SHA-256 of the public key (DER), hex                                   */
    unsigned checked, absent, changed; /* files                                                     */
    char     why[256];    /* when it is not valid                                                   */
} precis_attestation;
/* Check an envelope against a public key (PEM), and the files that it names, beside it, against their digests.
 * PRECIS_OK also when it is not valid; PRECIS_EFORMAT when the file is no such envelope, or the key no Ed25519 key. */
PRECIS_API precis_status precis_attest_verify(precis_ctx *ctx, const char *path, const char *public_key_path,
                                              precis_attestation *result);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_REPORT_H */
