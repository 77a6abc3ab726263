/* Readers: what a damaged file gives. Each file of the corpus is cut at every length and damaged at every byte; the
 * result is a model or a typed error with a sentence, within a small multiple of the file's memory. */
#include "base/pool.h"
#include "test.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct { size_t now, peak, count, fail_at; } counted_heap;

/* Counts memory, and fails the fail_at-th allocation. */
static void *counted(void *user, void *old, size_t size)
{
    counted_heap *h = user;
    size_t *p = old ? (size_t *)old - 2 : NULL;
    if (!size) {
        if (p) h->now -= *p;
        free(p);
        return NULL;
    }
    if (h->fail_at && ++h->count == h->fail_at) return NULL;
    const size_t had = p ? *p : 0;
    size_t *q = realloc(p, size + 2 * sizeof *q);
    if (!q) return NULL;
    *q = size;
    h->now += size - had;
    if (h->now > h->peak) h->peak = h->now;
    return q + 2;
}

static precis_ctx *counting(counted_heap *h)
{
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    o.threads = 1;
    o.realloc = counted;
    o.user = h;
    precis_ctx *ctx = NULL;
    precis_ctx_open(&ctx, &o);
    return ctx;
}

static void nothing(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)arg, (void)begin, (void)end, (void)ith;
}

/* Open as a model or as an importance matrix; 0 or a status. Checks the message and the memory. */
static precis_status try_file(const char *path, size_t size, bool imatrix)
{
    counted_heap h = { 0 };
    precis_ctx *ctx = counting(&h);
    assert_non_null(ctx);
    pcs_for(ctx, 1, 1, nothing, NULL); /* the threads, which a packed file needs, stay until the context closes */
    const size_t base = h.now;
    precis_model *m = NULL;
    precis_imatrix *im = NULL;
    const precis_status st = imatrix ? precis_imatrix_open(ctx, &im, path) : precis_model_open(ctx, &m, path);
    if (st && (!*precis_ctx_message(ctx) || strlen(precis_ctx_message(ctx)) < 10))
        fail_msg("%s: no message for %d", path, st);
    if (st && m) fail_msg("a failed open gave a model");
    if (h.peak - base > ((size_t)1 << 20) + 64 * size)
        fail_msg("%s: %zu bytes of memory for a file of %zu", path, h.peak - base, size);
    precis_imatrix_close(&im);
    precis_model_close(&m);
    assert_int_equal(h.now, base);
    precis_ctx_close(&ctx);
    assert_int_equal(h.now, 0);
    return st;
}

static void damage(const char *corpus, bool imatrix)
{
    char folder[4096], path[4096];
    snprintf(folder, sizeof folder, "%s/%s", CORPUS, corpus);
    snprintf(path, sizeof path, "%s/damaged-%s", test_folder(), corpus);
    DIR *d = opendir(folder);
    assert_non_null(d);
    size_t good = 0, cases = 0, accepted = 0;
    for (struct dirent *e; (e = readdir(d));) {
        char name[5000];
        size_t n;
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        unsigned char *data = e->d_name[0] == '.' ? NULL : test_read(name, &n);
        if (!data) continue;
        test_write(path, data, n);
        good += !try_file(path, n, imatrix);
        const size_t step = n > 400 ? n / 150 : 1;
        for (size_t cut = 0; cut < n; cut += cut < 120 ? 1 : step) {
            test_write(path, data, cut);
            accepted += !try_file(path, cut, imatrix);
            cases++;
        }
        uint64_t seed = n;
        for (size_t at = 0; at < n; at += at < 200 ? 1 : step) {
            const unsigned char keep = data[at];
            data[at] = (unsigned char)(at & 1 ? 0xff : pcs_rand(&seed));
            test_write(path, data, n);
            accepted += !try_file(path, n, imatrix);
            cases++;
            data[at] = keep;
        }
        free(data);
    }
    closedir(d);
    unlink(path);
    print_message("%s: %zu whole, %zu damaged, of which %zu still make sense\n", corpus, good, cases, accepted);
    assert_true(good > 0 && accepted < cases);
}

static void test_gguf(void **state) { (void)state, damage("gguf", false); }
static void test_llama2c(void **state) { (void)state, damage("llama2c", false); }
static void test_safetensors(void **state) { (void)state, damage("safetensors", false); }
static void test_imatrix(void **state) { (void)state, damage("imatrix", true); }

/* Every allocation fails once. */
static void test_memory(void **state)
{
    (void)state;
    static const char *const paths[] = { CORPUS "/gguf/llama_bpe", CORPUS "/gguf/qwen2_spm", CORPUS "/llama2c/v1",
                                         CORPUS "/safetensors/file" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t n = 1;
        for (bool done = false; !done; n++) {
            counted_heap h = { .fail_at = n };
            precis_ctx *ctx = counting(&h);
            precis_model *m = NULL;
            precis_tokenizer *t = NULL;
            precis_runner *r = NULL;
            precis_status st = ctx ? precis_model_open(ctx, &m, paths[i]) : PRECIS_ENOMEM;
            precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
            ro.context = ro.batch = 8;
            if (!st && i < 2) st = precis_tokenizer_open(ctx, &t, m);
            if (!st && i < 3) st = precis_runner_open(ctx, &r, m, &ro);
            done = h.count < n;
            if (!done && st != PRECIS_ENOMEM && ctx && st)
                fail_msg("%s, allocation %zu: %s", paths[i], n, precis_ctx_message(ctx));
            precis_runner_close(&r);
            precis_tokenizer_close(&t);
            precis_model_close(&m);
            precis_ctx_close(&ctx);
            if (h.now) fail_msg("%s, allocation %zu: %zu bytes leak", paths[i], n, h.now);
        }
        print_message("%s: %zu allocations\n", paths[i] + strlen(CORPUS), n);
        assert_true(n > 10);
    }
}

static void test_messages(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    char path[256];
    snprintf(path, sizeof path, "%s/message", test_folder());
    test_write(path, "GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0\0", 24);
    assert_int_equal(precis_model_open(ctx, &m, path), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), path)); /* file, offset, field */
    assert_non_null(strstr(precis_ctx_message(ctx), "tensor"));
    assert_true(precis_ctx_offset(ctx) != UINT64_MAX);
    test_write(path, "\x80\x02}q", 4);
    assert_true(precis_model_open(ctx, &m, path) != PRECIS_OK); /* a pickle: the message says what to do */
    assert_int_equal(precis_model_open(ctx, &m, "/nonexistent/model.gguf"), PRECIS_EIO);
    unlink(path);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_gguf),        cmocka_unit_test(test_llama2c),
                                        cmocka_unit_test(test_safetensors), cmocka_unit_test(test_imatrix),
                                        cmocka_unit_test(test_memory),      cmocka_unit_test(test_messages) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
