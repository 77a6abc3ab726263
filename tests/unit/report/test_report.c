/* Attestations: what is signed, by whom, of which files; what has changed since; envelopes that are none. And the
 * tables' names. */
#include "precis/report.h"

#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

static precis_ctx *ctx;

static char *in_folder(const char *name)
{
    static char paths[8][600];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder(), name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(in_folder(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

static char *get(const char *name)
{
    size_t len;
    char *text = test_read(in_folder(name), &len);
    assert_non_null(text);
    return text;
}

/* A manifest as precis quant writes it, as far as a signature is concerned. */
static void put_manifest(const char *name, const char *about)
{
    char sha[65], text[512];
    precis_sha256(about, strlen(about), sha);
    snprintf(text, sizeof text, "{\"program\": \"0.1.0\", \"model\": {\"tensors_sha256\": \"%064d\"},\n"
             " \"output\": {\"sha256\": \"%s\"}}\n", 7, sha);
    put(name, text);
}

/* Bytes of base64 (RFC 4648), until what is none of it; for what OpenSSL and the envelope wrote. */
static size_t decoded(const char *text, unsigned char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n = 0;
    for (int have = 0; *text; text++) {
        const char *at = strchr(digits, *text);
        if (*text == '\n') continue;
        if (!at) break;
        bits = bits << 6 | (uint32_t)(at - digits);
        if ((have += 6) >= 8) out[n++] = (unsigned char)(bits >> (have -= 8));
    }
    out[n] = 0;
    return n;
}

static precis_attestation verified(const char *envelope, const char *key)
{
    precis_attestation a = { .size = sizeof a };
    OK(ctx, precis_attest_verify(ctx, in_folder(envelope), in_folder(key), &a));
    return a;
}

static void test_keys(void **state)
{
    struct stat s;
    (void)state;
    OK(ctx, precis_attest_new_key(ctx, in_folder("key")));
    OK(ctx, precis_attest_new_key(ctx, in_folder("other")));
    assert_int_equal(stat(in_folder("key"), &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    char *before = get("key");
    assert_int_equal(precis_attest_new_key(ctx, in_folder("key")), PRECIS_EIO); /* it takes no one's place */
    char *after = get("key");
    assert_string_equal(before, after);
    free(before);
    free(after);
    char path[5000];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = 0;
    assert_int_equal(precis_attest_new_key(ctx, path), PRECIS_EINVAL);
}

static void test_signed(void **state)
{
    unsigned char der[256], body[2048];
    char sha[65];
    (void)state;
    put("m.gguf", "the model");
    put_manifest("m.gguf.manifest.json", "the model");
    OK(ctx, precis_attest(ctx, in_folder("m.gguf.manifest.json"), in_folder("key"), in_folder("m.att"), 951782399));
    precis_attestation a = verified("m.att", "key.pub");
    assert_true(a.valid && a.checked == 2 && !a.absent && !a.changed);
    assert_string_equal(a.created, "2000-02-28T23:59:59Z");
    char *pem = get("key.pub"), *envelope = get("m.att");
    precis_sha256(der, decoded(strchr(pem, '\n') + 1, der), sha); /* the PEM's body is the DER of the key */
    assert_string_equal(a.key, sha);
    decoded(strstr(envelope, "\"payload\":\"") + 11, body);
    char *manifest = get("m.gguf.manifest.json"), want[128];
    precis_sha256(manifest, strlen(manifest), sha);
    snprintf(want, sizeof want, "\"manifest_sha256\":\"%s\"", sha);
    assert_non_null(strstr((char *)body, want));
    static const char begins[] = "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"m.gguf\"";
    assert_memory_equal(body, begins, sizeof begins - 1);
    free(pem);
    free(envelope);
    free(manifest);

    a = verified("m.att", "other.pub");
    assert_false(a.valid);
    assert_non_null(strstr(a.why, "no signature is of this key"));
    put("m.gguf", "another model");
    a = verified("m.att", "key.pub");
    assert_true(!a.valid && a.checked == 2 && a.changed == 1);
    assert_string_equal(a.why, "m.gguf is not the file that was signed");
    unlink(in_folder("m.gguf"));
    a = verified("m.att", "key.pub");
    assert_true(a.valid && a.checked == 1 && a.absent == 1);
    unlink(in_folder("m.gguf.manifest.json"));
    a = verified("m.att", "key.pub");
    assert_true(!a.valid && a.absent == 2);
    assert_non_null(strstr(a.why, "none of the files"));
}

/* A statement of which one character was changed has no signature. */
static void test_changed(void **state)
{
    (void)state;
    put("m.gguf", "the model");
    put_manifest("m.gguf.manifest.json", "the model");
    OK(ctx, precis_attest(ctx, in_folder("m.gguf.manifest.json"), in_folder("key"), in_folder("c.att"), 0));
    char *envelope = get("c.att"), *at = strstr(envelope, "\"payload\":\"") + 100;
    *at = *at == 'A' ? 'B' : 'A';
    put("c.att", envelope);
    free(envelope);
    const precis_attestation a = verified("c.att", "key.pub");
    assert_true(!a.valid && !a.checked && !*a.created);
}

#define TYPE "\"payloadType\":\"application/vnd.in-toto+json\""
#define SIX "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

static void test_envelopes(void **state)
{
    static const struct { const char *text, *says; } rows[] = {
        { "", "" },
        { "[]", "" },
        { "{}", "payloadType is missing" },
        { "{\"payloadType\":7}", "payloadType is no plain string" },
        { "{\"payloadType\":\"text/plain\"}", "payloadType is text/plain, not" },
        { "{" TYPE "}", "payload is missing" },
        { "{" TYPE ",\"payload\":\"A\"}", "is no base64" },
        { "{" TYPE ",\"payload\":\"A-_A\"}", "is no base64" },
        { "{" TYPE ",\"payload\":7}", "is no base64" },
        { "{" TYPE ",\"payload\":\"AAAA\"}", "signatures is missing" },
        { "{" TYPE ",\"payload\":\"AAAA\",\"signatures\":{}}", "" },
        { "{" TYPE ",\"payload\":\"AAAA\",\"signatures\":[{}]}", "sig is missing" },
        /* a signature of another key, and then one that is none: what was freed is not freed again */
        { "{" TYPE ",\"payload\":\"AAAA\",\"signatures\":[{\"sig\":\"" SIX "\"},{}]}", "sig is missing" },
        { "{" TYPE ",\"payload\":\"AAAA\",\"signatures\":[{\"sig\":\"" SIX "\"},{\"sig\":\"A\"}]}", "is no base64" },
    };
    precis_attestation a = { .size = sizeof a };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put("bad.att", rows[i].text);
        const precis_status st = precis_attest_verify(ctx, in_folder("bad.att"), in_folder("key.pub"), &a);
        if (st != PRECIS_EFORMAT || a.valid || !strstr(precis_ctx_message(ctx), rows[i].says))
            fail_msg("%s: status %d, \"%s\"", rows[i].text, (int)st, precis_ctx_message(ctx));
    }
    put("bad.att", "{" TYPE ",\"payload\":\"AAAA\",\"signatures\":[{\"sig\":\"" SIX "\"},{\"sig\":\"AAAA\"}]}");
    a = verified("bad.att", "key.pub");
    assert_non_null(strstr(a.why, "no signature is of this key"));
    assert_int_equal(precis_attest_verify(ctx, in_folder("bad.att"), in_folder("key"), &a), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "no public Ed25519 key"));
    assert_int_equal(precis_attest_verify(ctx, in_folder("nothing"), in_folder("key.pub"), &a), PRECIS_EIO);
}

/* What is not signed: manifests that lack something, or describe another file; and nothing takes a key's place. */
static void test_refused(void **state)
{
    static const struct { const char *manifest, *key, *out, *text; precis_status status; const char *says; } rows[] = {
        { "r.gguf.manifest.json", "key", "r.att", "{}", PRECIS_EFORMAT, "output.sha256 is missing" },
        { "r.gguf.manifest.json", "key", "r.att", "{\"output\":{\"sha256\":1}}", PRECIS_EFORMAT, "no plain string" },
        { "r.gguf.manifest.json", "key", "r.att", "{\"output\":{\"sha256\":\"ab\"}}", PRECIS_EFORMAT,
          "model.tensors_sha256 is missing" },
        { "r.gguf.manifest.json", "key", "r.att",
          "{\"output\":{\"sha256\":\"ab\"},\"model\":{\"tensors_sha256\":\"cd\"},\"program\":\"0\"}", PRECIS_EFORMAT,
          "nothing was signed" },
        { "r.gguf.manifest.json", "key.pub", "r.att", "{}", PRECIS_EFORMAT, "no private Ed25519 key" },
        { "r.gguf.manifest.json", "key", "key", "{}", PRECIS_EINVAL, "" },
        { "r.gguf.manifest.json", "key", "r.gguf", "{}", PRECIS_EINVAL, "" },
        { "r.json", "key", "r.att", "{}", PRECIS_EINVAL, "is no OUT.manifest.json" },
    };
    (void)state;
    put("r.gguf", "a model");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put(rows[i].manifest, rows[i].text);
        const precis_status st =
            precis_attest(ctx, in_folder(rows[i].manifest), in_folder(rows[i].key), in_folder(rows[i].out), 0);
        if (st != rows[i].status || !strstr(precis_ctx_message(ctx), rows[i].says))
            fail_msg("row %zu: status %d, \"%s\"", i, (int)st, precis_ctx_message(ctx));
        assert_int_not_equal(access(in_folder("r.att"), F_OK), 0);
    }
}

/* Each table has rows, each name once; a row that says more begins with its name. */
static void test_tables(void **state)
{
    static const char *const has[][2] = { { "formats", "Q4_K" }, { "methods", "gptq" }, { "architectures", "llama" },
                                          { "ops", "matmul" }, { "writers", "gguf" }, { "kernels", "mp/scalar" } };
    char text[256];
    (void)state;
    for (size_t t = 0; precis_list(NULL, t); t++) {
        const char *table = precis_list(NULL, t);
        size_t n = 0;
        while (precis_list_row(table, n, text, sizeof text)) n++;
        assert_true(n > 0);
        assert_null(precis_list(table, n));
        for (size_t i = 0; i < n && strcmp(table, "pairs") && strcmp(table, "backends"); i++) {
            const char *name = precis_list(table, i), *row = precis_list_row(table, i, text, sizeof text);
            if (strncmp(row, name, strlen(name))) fail_msg("%s: \"%s\" of %s", table, row, name);
            for (size_t k = 0; k < i; k++) assert_string_not_equal(precis_list(table, k), name);
        }
    }
    for (size_t i = 0; i < sizeof has / sizeof *has; i++) {
        size_t k = 0;
        while (precis_list(has[i][0], k) && strcasecmp(precis_list(has[i][0], k), has[i][1])) k++;
        if (!precis_list(has[i][0], k)) fail_msg("%s: no %s", has[i][0], has[i][1]);
    }
    assert_null(precis_list("nothing", 0));
    assert_null(precis_list_row("nothing", 0, text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),      cmocka_unit_test(test_signed),  cmocka_unit_test(test_changed),
        cmocka_unit_test(test_envelopes), cmocka_unit_test(test_refused), cmocka_unit_test(test_tables),
    };
    ctx = test_ctx(1);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    precis_ctx_close(&ctx);
    return failed;
}
