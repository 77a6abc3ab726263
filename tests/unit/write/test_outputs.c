/* test_outputs.c - what the writers refuse to name: files that the reader does not open, or not as they were meant;
 * texts beside them that cannot be made; and outputs that are inputs. */
#include "precis/precis.h"
#include "test.h"
#include "write/write.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int files_in(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

static precis_status fill(void *user, pcs_out *o, size_t i)
{
    static const float zeros[64];
    (void)user, (void)i;
    return pcs_out_add(o, zeros, sizeof zeros);
}

/* One GGUF of these keys and tensors: the status, and that a failure leaves nothing. */
static precis_status write_one(precis_ctx *ctx, const pcs_key *keys, size_t n_keys, const pcs_gguf_tensor *tensors,
                               size_t n, const pcs_beside *beside)
{
    char path[512], other[540];
    snprintf(path, sizeof path, "%s/one.gguf", test_folder());
    snprintf(other, sizeof other, "%s.note", path);
    const int before = files_in(test_folder());
    const precis_status st = pcs_write_gguf(ctx, path, &(pcs_gguf_file){ keys, n_keys, tensors, n, fill, NULL, NULL, 0,
                                                                         NULL, beside }, NULL);
    assert_int_equal(files_in(test_folder()), before + (st ? 0 : beside ? 2 : 1));
    unlink(path);
    unlink(other);
    return st;
}

static void test_read_back(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    const pcs_format *f32 = pcs_format_by_name("F32");
    static char name[PCS_LIMIT_NAME + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    const pcs_key good = { .name = "a", .type = PCS_KEY_F32, .v.f = 0.1 }, odd = { .name = "b", .type = PCS_KEY_BOOL,
            .v.u = 2 }, twice[2] = { good, good };
    const pcs_gguf_tensor t = { "t", f32, 2, { 32, 2, 1, 1 }, 256, false }, scalar =
        { "t", f32, 0, { 1, 1, 1, 1 }, 256, false }, deep = { "t", f32, 5, { 32, 2, 1, 1, 1 }, 256, false },
                          same[2] = { t, t }, nameless = { "", f32, 1, { 64, 1, 1, 1 }, 256, false }, long_name =
                              { name, f32, 1, { 64, 1, 1, 1 }, 256, false },
                          wrong = { "t", f32, 2, { 33, 2, 1, 1 }, 256, false };
    OK(ctx, write_one(ctx, &good, 1, &t, 1, NULL));
    assert_int_equal(write_one(ctx, &good, 1, &deep, 1, NULL), PRECIS_EUNSUPPORTED);
    assert_non_null(strstr(precis_ctx_message(ctx), "at most 4"));
    assert_int_equal(write_one(ctx, &odd, 1, &t, 1, NULL), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "cannot be read back"));
    assert_int_equal(write_one(ctx, twice, 2, &t, 1, NULL), PRECIS_EFORMAT);
    assert_int_equal(write_one(ctx, &good, 1, same, 2, NULL), PRECIS_EFORMAT);
    assert_int_equal(write_one(ctx, &good, 1, &nameless, 1, NULL), PRECIS_EFORMAT);
    assert_int_equal(write_one(ctx, &good, 1, &long_name, 1, NULL), PRECIS_EFORMAT);
    assert_int_equal(write_one(ctx, &good, 1, &wrong, 1, NULL), PRECIS_EFORMAT);
    assert_int_equal(write_one(ctx, &good, 1, &scalar, 1, NULL), PRECIS_EFORMAT); /* one number, and bytes of 64 */
    precis_ctx_close(&ctx);
}

static precis_status no_text(void *user, const pcs_out *of, const char **text, size_t *len)
{
    (void)user, (void)of, (void)text, (void)len;
    return PRECIS_ENOMEM;
}

static precis_status a_text(void *user, const pcs_out *of, const char **text, size_t *len)
{
    assert_int_equal(strlen(of->sha256), 64); /* of the file that it describes */
    *text = user;
    *len = strlen(user);
    return PRECIS_OK;
}

static void test_beside(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    const pcs_gguf_tensor t = { "t", pcs_format_by_name("F32"), 2, { 32, 2, 1, 1 }, 256, false };
    const pcs_key key = { .name = "a", .type = PCS_KEY_U8, .v.u = 1 };
    char note[] = "a note";
    OK(ctx, write_one(ctx, &key, 1, &t, 1, &(pcs_beside){ ".note", a_text, note }));
    assert_int_equal(write_one(ctx, &key, 1, &t, 1, &(pcs_beside){ ".note", no_text, NULL }), PRECIS_ENOMEM);
    assert_int_equal(write_one(ctx, &key, 1, &t, 1, &(pcs_beside){ "/no/folder", a_text, note }), PRECIS_EIO);
    precis_ctx_close(&ctx);
}

static void put(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("text", f);
    fclose(f);
}

static void test_apart(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char a[300], b[300], folder[300], inside[320], beside[320], key[300], manifest[320];
    snprintf(a, sizeof a, "%s/a", test_folder());
    snprintf(b, sizeof b, "%s/b", test_folder());
    snprintf(folder, sizeof folder, "%s/folder", test_folder());
    snprintf(inside, sizeof inside, "%s/config.json", folder);
    snprintf(beside, sizeof beside, "%s/q.gguf", folder);
    put(a);
    mkdir(folder, 0777);
    put(inside);
    put(beside);
    OK(ctx, precis_out_apart(ctx, b, a));
    assert_int_equal(precis_out_apart(ctx, b, b), PRECIS_EINVAL); /* not there yet, and named twice */
    assert_int_equal(precis_out_apart(ctx, a, a), PRECIS_EINVAL);
    assert_int_equal(link(a, b), 0);
    assert_int_equal(precis_out_apart(ctx, b, a), PRECIS_EINVAL);
    unlink(b);
    assert_int_equal(symlink(inside, b), 0);
    assert_int_equal(precis_out_apart(ctx, b, folder), PRECIS_EINVAL);
    assert_int_equal(precis_out_apart(ctx, inside, folder), PRECIS_EINVAL);
    OK(ctx, precis_out_apart(ctx, beside, folder));
    /* an attestation over its key, and a pair of keys of which one is there */
    snprintf(key, sizeof key, "%s/key", test_folder());
    snprintf(manifest, sizeof manifest, "%s.manifest.json", a);
    put(manifest);
    OK(ctx, precis_attest_new_key(ctx, key));
    struct stat st;
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    const char *const taken[] = { key, manifest, a };
    for (size_t i = 0; i < 3; i++) assert_int_equal(precis_attest(ctx, manifest, key, taken[i], 0), PRECIS_EINVAL);
    unlink(key);
    assert_int_equal(precis_attest_new_key(ctx, key), PRECIS_EIO); /* key.pub is there */
    assert_int_not_equal(access(key, F_OK), 0);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_read_back), cmocka_unit_test(test_beside),
                                        cmocka_unit_test(test_apart) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
