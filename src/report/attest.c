/* attest.c - attestations: in-toto statements (in-toto/attestation, spec v1) in DSSE
 * envelopes (secure-systems-lab/dsse v1.0.2), signed with Ed25519 (RFC 8032) by libcrypto.
 * The manifest itself has no date; the statement has. */
#include "precis/report.h"

#include "base/file.h"
#include "base/json.h"
#include "base/lack.h"
#include "base/options.h"
#include "precis/convert.h"
#include "write/write.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 1 << 20 };
static const char payload_type[] = "application/vnd.in-toto+json";
static const char predicate_type[] = "urn:precis:quantization:v1";
static const char statement_type[] = "https://in-toto.io/Statement/v1";

/* ---- libcrypto ---------------------------------------------------------------------------------------------- */

/* libcrypto loads what it has when it is first asked, and says of an algorithm that it could not load for want of
 * memory that there is none. So what fails is tried a second time. */
enum { ATTEMPTS = 2 };

/* Does libcrypto verify at all, now? It may have failed to load what it needs once and for all, and then every
 * signature is "not valid"; this one is (RFC 8032, section 7.1, test 1: of no bytes). */
static bool verifies(void)
{
    static const unsigned char public[32] = {
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
        0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    };
    static const unsigned char sig[64] = {
        0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80, 0x6e, 0x82, 0x8a,
        0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73, 0xe0, 0x65, 0x22, 0x49, 0x01, 0x55,
        0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b, 0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b,
        0xd2, 0x5b, 0xf5, 0xf0, 0x59, 0x5b, 0xbe, 0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b,
    };
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, sizeof public);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    const bool ok = key && md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
                    EVP_DigestVerify(md, sig, sizeof sig, public, 0) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    return ok;
}

static bool lacked(precis_ctx *ctx)
{
    bool yes = !verifies();
    for (unsigned long e; (e = ERR_get_error());) yes = yes || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    void *probe = pcs_alloc(ctx, 1, 4096);
    yes = yes || !probe;
    pcs_free(ctx, probe);
    return yes;
}

/* What libcrypto begins with. Without memory for it most of its functions fail, and some of 3.0 crash. */
static precis_status crypto_begin(precis_ctx *ctx)
{
    ERR_clear_error();
    return OSSL_LIB_CTX_get0_global_default() ? PRECIS_OK : pcs_lack(ctx, "libcrypto");
}

/* Why libcrypto failed: memory, if its errors say so or there is none now; else what the caller says. */
static precis_status crypto_fail(precis_ctx *ctx, precis_status status, const char *fmt, ...) PCS_PRINTF(3, 4);
static precis_status crypto_fail(precis_ctx *ctx, precis_status status, const char *fmt, ...)
{
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return lacked(ctx) ? pcs_lack(ctx, "libcrypto") : pcs_fail(ctx, status, "%s", why);
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static precis_status read_key(precis_ctx *ctx, const char *path, bool private, EVP_PKEY **key)
{
    char *text;
    size_t len;
    *key = NULL;
    precis_status st = crypto_begin(ctx);
    if (!st) st = pcs_file_slurp(ctx, path, SMALL, &text, &len);
    if (st) return st;
    for (int i = 0; i < ATTEMPTS && !*key; i++) {
        BIO *b = BIO_new_mem_buf(text, (int)len);
        if (b) *key = private ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : PEM_read_bio_PUBKEY(b, NULL, NULL, NULL);
        BIO_free(b);
    }
    if (*key && EVP_PKEY_id(*key) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(*key);
        *key = NULL;
    }
    OPENSSL_cleanse(text, len);
    pcs_free(ctx, text);
    return *key ? PRECIS_OK
                : crypto_fail(ctx, PRECIS_EFORMAT,
                              "%s: no %s Ed25519 key in PEM (precis report --new-key FILE makes a pair)", path,
                              private ? "private" : "public");
}

/* SHA-256 of the public key's DER (RFC 8410: what comes before the key is the same for all), which libcrypto would
 * ask for much memory to encode. */
static precis_status key_id(precis_ctx *ctx, EVP_PKEY *key, char hex[65])
{
    static const unsigned char head[12] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
    unsigned char der[sizeof head + 32];
    size_t n = 0;
    bool ok = false;
    memcpy(der, head, sizeof head);
    for (int i = 0; i < ATTEMPTS && !ok; i++)
        ok = (n = 32) && EVP_PKEY_get_raw_public_key(key, der + sizeof head, &n) == 1 && n == 32;
    if (!ok)
        return crypto_fail(ctx, PRECIS_EUNSUPPORTED, "libcrypto does not give the public key");
    precis_sha256(der, sizeof der, hex);
    return PRECIS_OK;
}

/* A key's text on the disk, without its name. */
static precis_status put_key(precis_ctx *ctx, pcs_out *o, const char *path, EVP_PKEY *key, bool private)
{
    char *text = NULL;
    BIO *b = BIO_new(private ? BIO_s_secmem() : BIO_s_mem());
    const bool made = b && (private ? PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL)
                                    : PEM_write_bio_PUBKEY(b, key)) == 1;
    const long len = made ? BIO_get_mem_data(b, &text) : 0;
    precis_status st = PRECIS_OK;
    if (len <= 0) st = crypto_fail(ctx, PRECIS_ENOMEM, "%s: the key's text could not be made", path);
    if (!st) st = pcs_out_begin(ctx, o, &(pcs_out_how){ .path = path, .bytes = (uint64_t)len, .secret = private });
    if (!st) st = pcs_out_add(o, text, (size_t)len);
    if (!st) st = pcs_out_finish(o);
    BIO_free(b);
    return st;
}

precis_status precis_attest_new_key(precis_ctx *ctx, const char *path)
{
    char public[4096];
    if (snprintf(public, sizeof public, "%s.pub", path) >= (int)sizeof public)
        return pcs_fail(ctx, PRECIS_EINVAL, "the path is too long");
    EVP_PKEY *key = NULL;
    precis_status st = crypto_begin(ctx);
    if (st) return st;
    for (int i = 0; i < ATTEMPTS && !key; i++) key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    /* It verifies such signatures, or crypto_fail says so; a key needs memory and random numbers beside. */
    if (!key) return crypto_fail(ctx, PRECIS_ENOMEM, "libcrypto had no memory or no random numbers for a key");
    pcs_out one = { .ctx = ctx, .fd = -1 }, other = one, *const outs[2] = { &one, &other };
    st = put_key(ctx, &one, path, key, true);
    if (!st) st = put_key(ctx, &other, public, key, false);
    if (!st) st = pcs_out_name_new(ctx, outs, 2);
    pcs_out_close(&one);
    pcs_out_close(&other);
    EVP_PKEY_free(key);
    return st;
}

/* ---- DSSE -------------------------------------------------------------------------------------------------------- */

/* What is signed: "DSSEv1 LEN TYPE LEN BODY". */
static precis_status encoding(pcs_buf *b, const char *body, size_t len)
{
    precis_status st = pcs_buf_printf(b, "DSSEv1 %zu %s %zu ", strlen(payload_type), payload_type, len);
    return st ? st : pcs_buf_add(b, body, len);
}

static precis_status add_base64(pcs_buf *b, const void *data, size_t len)
{
    unsigned char *text = pcs_alloc(b->ctx, (len + 2) / 3 * 4 + 1, 1);
    if (!text) return PRECIS_ENOMEM;
    const int n = EVP_EncodeBlock(text, data, (int)len);
    const precis_status st = pcs_buf_add(b, text, (size_t)n);
    pcs_free(b->ctx, text);
    return st;
}

/* Of a JSON string without escapes; *out freed with pcs_free. */
static precis_status from_base64(precis_ctx *ctx, pcs_json_slice s, unsigned char **out, size_t *len)
{
    *out = NULL;
    const bool is_text = s.len >= 2 && s.text[0] == '"' && !memchr(s.text, '\\', s.len);
    if (!is_text || (s.len - 2) % 4 || s.len > SMALL)
        return pcs_fail(ctx, PRECIS_EFORMAT, "a field of the envelope is no base64");
    *out = pcs_alloc(ctx, s.len, 1);
    if (!*out) return PRECIS_ENOMEM;
    const int n = EVP_DecodeBlock(*out, (const unsigned char *)s.text + 1, (int)s.len - 2);
    size_t pad = 0;
    while (pad < 2 && s.len > 2 + pad && s.text[s.len - 2 - pad] == '=') pad++;
    if (n < (int)pad) return pcs_fail(ctx, PRECIS_EFORMAT, "a field of the envelope is no base64");
    *len = (size_t)n - pad;
    return PRECIS_OK;
}

/* A member that must be there; a path like "a.b" goes down. */
static precis_status member(precis_ctx *ctx, const char *file, pcs_json_slice o, const char *path, pcs_json_slice *out)
{
    char part[64];
    *out = o;
    for (const char *p = path; *p;) {
        const size_t n = strcspn(p, ".");
        snprintf(part, sizeof part, "%.*s", (int)n, p);
        const precis_status st = pcs_json_find(ctx, *out, part, out);
        if (st) return st;
        if (!out->text) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: %s is missing", file, path);
        p += n + (p[n] == '.');
    }
    return PRECIS_OK;
}

/* A plain string (no escapes) of at most cap - 1 bytes. */
static precis_status text_of(precis_ctx *ctx, const char *file, pcs_json_slice o, const char *path, char *out,
                             size_t cap)
{
    pcs_json_slice s;
    const precis_status st = member(ctx, file, o, path, &s);
    if (st) return st;
    if (s.len < 2 || s.text[0] != '"' || s.len - 2 >= cap || memchr(s.text, '\\', s.len))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: %s is no plain string", file, path);
    memcpy(out, s.text + 1, s.len - 2);
    out[s.len - 2] = 0;
    return PRECIS_OK;
}

/* ---- signing ----------------------------------------------------------------------------------------------------- */

static const char tail[] = ".manifest.json";

/* The file that a manifest describes. */
static precis_status described(precis_ctx *ctx, const char *manifest_path, char out[4096])
{
    const int n = (int)strlen(manifest_path) - (int)strlen(tail);
    if (pcs_ends(manifest_path, tail) && snprintf(out, 4096, "%.*s", n, manifest_path) < 4096) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EINVAL, "%.200s is no OUT%s of precis quant", manifest_path, tail);
}

/* An attestation takes the place of nothing that it is about, nor of the key. */
static precis_status check_out(precis_ctx *ctx, const char *manifest_path, const char *key_path, const char *out_path)
{
    char out[4096];
    precis_status st = described(ctx, manifest_path, out);
    const char *const read[] = { key_path, manifest_path, out };
    for (size_t i = 0; !st && i < sizeof read / sizeof *read; i++) st = precis_out_apart(ctx, out_path, read[i]);
    return st ? st : pcs_out_check(ctx, out_path, 0, NULL);
}

static precis_status statement(precis_ctx *ctx, const char *manifest_path, int64_t when, pcs_buf *b)
{
    char *text = NULL, out[4096], want[65], got[65], manifest[65], model[65], version[32], at[32];
    size_t len = 0;
    precis_status st = described(ctx, manifest_path, out);
    if (!st) st = pcs_file_slurp(ctx, manifest_path, PCS_LIMIT_MANIFEST, &text, &len);
    const pcs_json_slice m = { text, len };
    if (!st) st = text_of(ctx, manifest_path, m, "output.sha256", want, sizeof want);
    if (!st) st = text_of(ctx, manifest_path, m, "model.tensors_sha256", model, sizeof model);
    if (!st) st = text_of(ctx, manifest_path, m, "program", version, sizeof version);
    if (!st) st = precis_sha256_file(ctx, out, got);
    if (!st && strcmp(want, got))
        st = pcs_fail(ctx, PRECIS_EFORMAT,
                      "%s is not the file that its manifest describes (%.12s..., not %.12s...): nothing was signed",
                      out, got, want);
    if (!st) {
        precis_sha256(text, len, manifest);
        const time_t t = (time_t)when;
        struct tm tm;
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
        const char *slash = strrchr(out, '/'), *name = slash ? slash + 1 : out;
        st = pcs_buf_printf(b, "{\"_type\":\"%s\",\"subject\":[{\"name\":", statement_type);
        if (!st) st = pcs_json_text(b, name, strlen(name));
        if (!st) st = pcs_buf_printf(b, ",\"digest\":{\"sha256\":\"%s\"}},{\"name\":", want);
        char beside[4096];
        snprintf(beside, sizeof beside, "%.4000s%s", name, tail);
        if (!st) st = pcs_json_text(b, beside, strlen(beside));
        if (!st) st = pcs_buf_printf(b, ",\"digest\":{\"sha256\":\"%s\"}}],\"predicateType\":\"%s\",\"predicate\":{",
                                     manifest, predicate_type);
        if (!st) st = pcs_buf_printf(b, "\"created\":\"%s\",\"program\":\"precis %s\",\"model\":{", at, version);
        if (!st) st = pcs_buf_printf(b, "\"tensors_sha256\":\"%s\"},\"manifest_sha256\":\"%s\"}}", model, manifest);
    }
    pcs_free(ctx, text);
    return st;
}

static precis_status sign(precis_ctx *ctx, EVP_PKEY *key, const pcs_buf *body, unsigned char sig[64])
{
    pcs_buf pae;
    pcs_buf_init(&pae, ctx, 2 * SMALL);
    precis_status st = encoding(&pae, body->data, body->len);
    bool ok = false;
    for (int i = 0; i < ATTEMPTS && !st && !ok; i++) {
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        size_t n = 64;
        ok = md && EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestSign(md, sig, &n, (const unsigned char *)pae.data, pae.len) == 1 && n == 64;
        EVP_MD_CTX_free(md);
    }
    if (!st && !ok) st = crypto_fail(ctx, PRECIS_EUNSUPPORTED, "libcrypto did not sign");
    pcs_buf_free(&pae);
    return st;
}

precis_status precis_attest(precis_ctx *ctx, const char *manifest_path, const char *key_path, const char *out_path,
                            int64_t when)
{
    EVP_PKEY *key = NULL;
    unsigned char sig[64];
    char id[65];
    pcs_buf body, all;
    pcs_buf_init(&body, ctx, SMALL);
    pcs_buf_init(&all, ctx, 2 * SMALL);
    precis_status st = check_out(ctx, manifest_path, key_path, out_path);
    if (!st) st = read_key(ctx, key_path, true, &key);
    if (!st) st = key_id(ctx, key, id);
    if (!st) st = statement(ctx, manifest_path, when, &body);
    if (!st) st = sign(ctx, key, &body, sig);
    if (!st) st = pcs_buf_printf(&all, "{\"payloadType\":\"%s\",\"payload\":\"", payload_type);
    if (!st) st = add_base64(&all, body.data, body.len);
    if (!st) st = pcs_buf_printf(&all, "\",\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"", id);
    if (!st) st = add_base64(&all, sig, sizeof sig);
    if (!st) st = pcs_buf_printf(&all, "\"}]}\n");
    if (!st) st = pcs_write_file(ctx, out_path, all.data, all.len);
    EVP_PKEY_free(key);
    pcs_buf_free(&body);
    pcs_buf_free(&all);
    return st;
}

typedef struct { const unsigned char *data; size_t len; } octets;

/* ---- verifying --------------------------------------------------------------------------------------------------- */

/* *found is set when it is; an answer that was not to be had is no "no". */
static precis_status signed_by(precis_ctx *ctx, EVP_PKEY *key, octets body, octets sig, bool *found)
{
    pcs_buf pae;
    pcs_buf_init(&pae, ctx, 2 * SMALL);
    precis_status st = encoding(&pae, (const char *)body.data, body.len);
    ERR_clear_error();
    for (int i = 0; i < ATTEMPTS && !st && !*found && sig.len == 64; i++) {
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        *found = md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(md, sig.data, sig.len, (const unsigned char *)pae.data, pae.len) == 1;
        EVP_MD_CTX_free(md);
    }
    if (!st && !*found && lacked(ctx)) st = pcs_lack(ctx, "libcrypto");
    pcs_buf_free(&pae);
    return st;
}

/* Element i of an array; .text NULL past its end. */
static precis_status element(precis_ctx *ctx, pcs_json_slice array, size_t i, pcs_json_slice *out)
{
    pcs_json j;
    pcs_json_token t;
    *out = (pcs_json_slice){ NULL, 0 };
    pcs_json_init(&j, ctx, array.text, array.len);
    precis_status st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, "array");
    for (size_t k = 0; !st; k++) {
        const char *from = j.p;
        st = pcs_json_next(&j, &t);
        if (st || t.type == PCS_JSON_ARRAY_END) break;
        st = pcs_json_skip(&j, &t);
        while (from < j.p && strchr(" \t\r\n,", *from)) from++;
        if (!st && k == i) {
            *out = (pcs_json_slice){ from, (size_t)(j.p - from) };
            return PRECIS_OK;
        }
    }
    return st;
}

static precis_status check_files(precis_ctx *ctx, const char *path, pcs_json_slice body, precis_attestation *r)
{
    pcs_json_slice subjects, one;
    char name[1024], want[65], got[65], whole[4096];
    const char *slash = strrchr(path, '/');
    precis_status st = member(ctx, path, body, "subject", &subjects);
    for (size_t i = 0; !st && !(st = element(ctx, subjects, i, &one)) && one.text; i++) {
        st = text_of(ctx, path, one, "name", name, sizeof name);
        if (!st) st = text_of(ctx, path, one, "digest.sha256", want, sizeof want);
        if (!st && (strchr(name, '/') || !*name))
            st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: subject[%zu].name is no file's name", path, i);
        if (st) break;
        snprintf(whole, sizeof whole, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, name);
        if (pcs_absent(whole)) r->absent++;
        else if (!(st = precis_sha256_file(ctx, whole, got))) {
            r->checked++;
            if (!strcmp(want, got)) continue;
            r->changed++;
            snprintf(r->why, sizeof r->why, "%.200s is not the file that was signed", name);
        }
    }
    return st;
}

precis_status precis_attest_verify(precis_ctx *ctx, const char *path, const char *public_key_path,
                                   precis_attestation *result)
{
    precis_attestation r = { .size = result->size };
    EVP_PKEY *key = NULL;
    char *text = NULL, type[64];
    unsigned char *body = NULL, *sig = NULL;
    size_t len = 0, body_len = 0, sig_len = 0;
    pcs_json_slice s, list, one;
    bool found = false;
    precis_status st = pcs_file_slurp(ctx, path, 2 * SMALL, &text, &len);
    const pcs_json_slice all = { text, len };
    if (!st) st = read_key(ctx, public_key_path, false, &key);
    if (!st) st = key_id(ctx, key, r.key);
    if (!st) st = text_of(ctx, path, all, "payloadType", type, sizeof type);
    if (!st && strcmp(type, payload_type))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: payloadType is %s, not %s", path, type, payload_type);
    if (!st) st = member(ctx, path, all, "payload", &s);
    if (!st) st = from_base64(ctx, s, &body, &body_len);
    if (!st) st = member(ctx, path, all, "signatures", &list);
    for (size_t i = 0; !st && !found && !(st = element(ctx, list, i, &one)) && one.text; i++) {
        st = member(ctx, path, one, "sig", &s);
        if (!st) st = from_base64(ctx, s, &sig, &sig_len);
        if (!st) st = signed_by(ctx, key, (octets){ body, body_len }, (octets){ sig, sig_len }, &found);
        pcs_free(ctx, sig);
        sig = NULL; /* the next one may have none */
    }
    if (!st && !found)
        snprintf(r.why, sizeof r.why,
                 "no signature is of this key: the statement was changed, or another key signed it");
    if (!st && found) { /* nothing of the statement counts before */
        const pcs_json_slice b = { (const char *)body, body_len };
        st = text_of(ctx, path, b, "_type", type, sizeof type);
        if (!st && strcmp(type, statement_type))
            st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: _type is %s, not %s", path, type, statement_type);

        if (!st) st = text_of(ctx, path, b, "predicate.created", r.created, sizeof r.created);
        if (!st) st = check_files(ctx, path, b, &r);
        if (!st && !r.checked) snprintf(r.why, sizeof r.why, "none of the files that were signed is here");
        r.valid = !st && r.checked && !r.changed;
    }
    EVP_PKEY_free(key);
    pcs_free(ctx, text);
    pcs_free(ctx, body);
    pcs_options_give(result, &r, sizeof r);
    return st;
}
