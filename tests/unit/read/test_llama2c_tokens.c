/* tokenizer.bin beside a llama2.c checkpoint: which file is taken, what its tokens become, and broken files. */
#include "test.h"

#include "model/model.h"
#include "read/llama2c.h"

#include <sys/stat.h>
#include <unistd.h>

enum { TOKENS = 7 };
static const char *const texts[TOKENS] = { "<unk>", "\n<s>\n", "\n</s>\n", "<0x0A>", " the", "x\ny", "" };

typedef struct { precis_ctx *ctx; precis_model *m; char folder[64], path[96]; } fixture;

static fixture make(void)
{
    fixture f = { .ctx = test_ctx(1), .folder = "/tmp/precis-llama2c-XXXXXX" };
    assert_non_null(mkdtemp(f.folder));
    snprintf(f.path, sizeof f.path, "%s/model.bin", f.folder);
    OK(f.ctx, pcs_model_new(f.ctx, &f.m, f.path, "llama2.c"));
    return f;
}

static void name_in(const fixture *f, const char *file, char out[128]) { snprintf(out, 128, "%s/%s", f->folder, file); }

static void close_all(fixture *f, const char *file)
{
    char name[128];
    if (file) {
        name_in(f, file, name);
        assert_int_equal(unlink(name), 0);
    }
    assert_int_equal(rmdir(f->folder), 0);
    precis_model_close(&f->m);
    precis_ctx_close(&f->ctx);
}

/* The bytes of a file of these tokens; scores are -0.5 times the place. */
static size_t file_of(uint8_t *out)
{
    size_t at = 4;
    memcpy(out, (const int32_t[]){ 6 }, 4);
    for (int i = 0; i < TOKENS; i++) {
        const float score = -0.5f * (float)i;
        const int32_t len = (int32_t)strlen(texts[i]);
        memcpy(out + at, &score, 4);
        memcpy(out + at + 4, &len, 4);
        memcpy(out + at + 8, texts[i], (size_t)len);
        at += 8 + (size_t)len;
    }
    return at;
}

static void put(const fixture *f, const char *file, const void *bytes, size_t n)
{
    char name[128];
    name_in(f, file, name);
    FILE *out = fopen(name, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

static void check_tokens(precis_ctx *ctx, precis_model *m)
{
    static const char *const wanted[TOKENS] = { "<unk>",  "<s>",  "</s>", "<0x0A>", "\xe2\x96\x81the", "x\ny", "" };
    static const int32_t types[TOKENS] = { 2, 3, 3, 6, 1, 1, 1 };
    OK(ctx, pcs_model_index_keys(m));
    const pcs_key *t = pcs_model_key(m, "tokenizer.ggml.tokens"), *s = pcs_model_key(m, "tokenizer.ggml.scores"),
                  *k = pcs_model_key(m, "tokenizer.ggml.token_type");
    assert_true(t && s && k);
    assert_int_equal(t->n, TOKENS);
    for (int i = 0; i < TOKENS; i++) {
        assert_int_equal(t->v.texts[i].len, strlen(wanted[i]));
        assert_memory_equal(t->v.texts[i].s, wanted[i], strlen(wanted[i]));
        assert_true(((const float *)s->v.items)[i] == -0.5f * (float)i);
        assert_int_equal(((const int32_t *)k->v.items)[i], types[i]);
    }
    assert_string_equal(pcs_model_string(m, "tokenizer.ggml.model"), "llama");
    assert_int_equal(pcs_model_int(m, "tokenizer.ggml.bos_token_id", 0, NULL), 1);
    assert_int_equal(pcs_model_int(m, "tokenizer.ggml.eos_token_id", 0, NULL), 2);
}

static void test_tokens(void **state)
{
    (void)state;
    uint8_t bytes[512];
    const size_t n = file_of(bytes);
    fixture f = make();
    put(&f, "tokenizer.bin", bytes, n);
    OK(f.ctx, pcs_llama2c_tokens(f.m, f.path, TOKENS));
    check_tokens(f.ctx, f.m);
    close_all(&f, "tokenizer.bin");
}

/* The file that has the vocabulary's size in its name comes first: the other one, which is broken, is not read. */
static void test_which(void **state)
{
    (void)state;
    uint8_t bytes[512];
    const size_t n = file_of(bytes);
    char other[128];
    fixture f = make();
    put(&f, "tok7.bin", bytes, n);
    put(&f, "tokenizer.bin", "broken", 6);
    OK(f.ctx, pcs_llama2c_tokens(f.m, f.path, TOKENS));
    check_tokens(f.ctx, f.m);
    name_in(&f, "tokenizer.bin", other);
    assert_int_equal(unlink(other), 0);
    close_all(&f, "tok7.bin");
}

static void test_none(void **state)
{
    (void)state;
    fixture f = make();
    OK(f.ctx, pcs_llama2c_tokens(f.m, f.path, TOKENS));
    assert_null(pcs_model_key(f.m, "tokenizer.ggml.tokens"));
    OK(f.ctx, pcs_llama2c_tokens(f.m, "model.bin", 32000)); /* in a folder that is not said */
    close_all(&f, NULL);
}

/* Every file that ends too early is an error that names it; so is a length that no token has. */
static void test_broken(void **state)
{
    (void)state;
    uint8_t bytes[512];
    const size_t n = file_of(bytes);
    fixture f = make();
    for (size_t cut = 0; cut < n; cut++) {
        put(&f, "tokenizer.bin", bytes, cut);
        assert_int_equal(pcs_llama2c_tokens(f.m, f.path, TOKENS), PRECIS_EFORMAT);
        assert_non_null(strstr(precis_ctx_message(f.ctx), "tokenizer.bin"));
    }
    static const uint32_t lengths[] = { 1025, 300, 0x80000000u, UINT32_MAX };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t wrong[512];
        memcpy(wrong, bytes, n);
        memcpy(wrong + 8, &lengths[i], 4);
        put(&f, "tokenizer.bin", wrong, n);
        assert_int_equal(pcs_llama2c_tokens(f.m, f.path, TOKENS), PRECIS_EFORMAT);
        assert_non_null(strstr(precis_ctx_message(f.ctx), "length"));
    }
    close_all(&f, "tokenizer.bin");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_tokens), cmocka_unit_test(test_which),
                                        cmocka_unit_test(test_none), cmocka_unit_test(test_broken) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
