/* Sequences in pages: what is taken, shared, copied when it is written to, given back, and refused; and that tokens
 * have the same bits wherever their keys lie. */
#include "run/backend.h"
#include "run/runner.h"
#include "test.h"

#include <math.h>
#include <stdatomic.h>

enum { CONTEXT = 320, BATCH = 64, LONG = 150 };

typedef struct { precis_ctx *ctx; precis_model *m; precis_runner *r; size_t vocabulary; } fixture;

static atomic_size_t in_use; /* bytes from the counting allocator */

static void *counting(void *user, void *old, size_t size)
{
    (void)user;
    size_t *front = old ? (size_t *)old - 8 : NULL;
    if (front) in_use -= *front;
    if (!size) {
        free(front);
        return NULL;
    }
    front = realloc(front, size + 64);
    if (!front) return NULL;
    *front = size;
    in_use += size;
    return front + 8;
}

static fixture open_with(const precis_runner_options *o)
{
    fixture f;
    precis_ctx_options co = PRECIS_CTX_OPTIONS_INIT;
    co.threads = 2;
    co.realloc = counting;
    assert_int_equal(precis_ctx_open(&f.ctx, &co), PRECIS_OK);
    OK(f.ctx, precis_model_open(f.ctx, &f.m, MODEL));
    OK(f.ctx, precis_runner_open(f.ctx, &f.r, f.m, o));
    f.vocabulary = f.r->lm.vocabulary;
    return f;
}

static fixture open_runner(uint32_t sequences, uint32_t pages, const char *kv)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = CONTEXT;
    o.batch = BATCH;
    o.outputs = 2;
    o.sequences = sequences;
    o.pages = pages;
    o.k_type = o.v_type = kv;
    return open_with(&o);
}

static void close_runner(fixture *f)
{
    precis_runner_close(&f->r);
    precis_model_close(&f->m);
    precis_ctx_close(&f->ctx);
    assert_int_equal(in_use, 0);
}

static precis_runner_info info_of(const fixture *f)
{
    precis_runner_info i = { .size = sizeof i };
    precis_runner_get_info(f->r, &i);
    return i;
}

static int32_t token_at(uint32_t kind, uint32_t position) { return (int32_t)((position * 37 + kind * 101 + 5) % 700); }

/* Tokens [from, to) of a text into a sequence; the logits after the last. */
static const float *feed(fixture *f, uint32_t sequence, uint32_t kind, uint32_t from, uint32_t to)
{
    const float *logits = NULL;
    for (uint32_t at = from, n; at < to; at += n) {
        precis_row rows[BATCH];
        n = to - at < BATCH ? to - at : BATCH;
        for (uint32_t i = 0; i < n; i++)
            rows[i] = (precis_row){ token_at(kind, at + i), at + i, sequence, at + i + 1 == to };
        OK(f->ctx, precis_runner_decode(f->r, rows, n, &logits));
    }
    return logits;
}

static float *kept(const fixture *f, const float *logits)
{
    float *copy = malloc(f->vocabulary * sizeof *copy);
    assert_non_null(copy);
    return memcpy(copy, logits, f->vocabulary * sizeof *copy);
}

static void same(const fixture *f, const float *logits, const float *want)
{
    assert_memory_equal(logits, want, f->vocabulary * sizeof *want);
}

/* 64 sequences of 4,096 tokens, which take 1,074 MB when all are full. */
static void test_open(void **state)
{
    (void)state;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = 4096;
    o.sequences = o.batch = 64;
    fixture f = open_with(&o);
    assert_true(in_use < 40u << 20);
    const precis_runner_info i = info_of(&f);
    assert_true(i.kv_bytes > 1000u << 20);
    assert_int_equal((uint64_t)i.pages * i.page, 64 * 4096);
    assert_int_equal(i.kv_held_bytes, 0);
    feed(&f, 63, 0, 0, 65);
    assert_int_equal(info_of(&f).pages_held, 2);
    assert_true(in_use < 40u << 20);
    close_runner(&f);
}

/* A plan of memory, and a limit on it, see all of them. */
static void test_reserved(void **state)
{
    (void)state;
    fixture f = open_runner(8, 0, NULL);
    f.ctx->memory.counting = true;
    precis_runner *counted;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = 2048;
    o.sequences = 8;
    const uint64_t before = f.ctx->memory.used;
    OK(f.ctx, precis_runner_open(f.ctx, &counted, f.m, &o));
    precis_runner_info i = { .size = sizeof i };
    precis_runner_get_info(counted, &i);
    assert_true(f.ctx->memory.used - before >= i.kv_bytes);
    precis_runner_close(&counted);
    f.ctx->memory.counting = false;
    OK(f.ctx, precis_ctx_set_memory_limit(f.ctx, (uint64_t)1 << 30, NULL));
    OK(f.ctx, precis_runner_open(f.ctx, &counted, f.m, &o));
    precis_runner_get_info(counted, &i);
    assert_true(i.kv_held_bytes >= i.kv_bytes);
    precis_runner_close(&counted);
    o.sequences = 4096;
    assert_int_equal(precis_runner_open(f.ctx, &counted, f.m, &o), PRECIS_ENOMEM);
    assert_null(counted);
    close_runner(&f);
}

/* Whatever pages a text lies in, and whatever lay there before, its logits have the same bits. */
static void test_bits(void **state)
{
    (void)state;
    static const char *const types[] = { "f32", "f16", "int8", "int4" };
    for (size_t t = 0; t < 4; t++) {
        fixture f = open_runner(3, 0, types[t]);
        float *want = kept(&f, feed(&f, 0, 1, 0, LONG));
        for (uint32_t at = 0; at < 250; at += 50) { /* pages of the others lie between each other */
            feed(&f, 1, 2, at, at + 50);
            const float *logits = at < LONG ? feed(&f, 2, 1, at, at + 50) : NULL;
            if (at + 50 == LONG) same(&f, logits, want);
        }
        OK(f.ctx, precis_runner_drop(f.r, 1, 0)); /* its pages are taken again, with its keys still in them */
        OK(f.ctx, precis_runner_drop(f.r, 0, 0));
        same(&f, feed(&f, 0, 1, 0, LONG), want);
        free(want);
        close_runner(&f);
    }
}

/* A prefix that is shared gives what one's own gives, to both, at any place within a page. */
static void test_share(void **state)
{
    (void)state;
    static const uint32_t cuts[] = { 1, 63, 64, 65, 100, 128, 130 };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        const uint32_t n = cuts[i];
        fixture f = open_runner(3, 0, i % 2 ? "int8" : "f16");
        float *first = kept(&f, feed(&f, 0, 1, 0, LONG)), *own, *long_after;
        feed(&f, 1, 1, 0, n);
        own = kept(&f, feed(&f, 1, 2, n, LONG + 7)); /* the same beginning, computed */
        const uint32_t held = info_of(&f).pages_held, page = info_of(&f).page;
        OK(f.ctx, precis_runner_copy(f.r, 0, 2, n));
        assert_int_equal(precis_runner_length(f.r, 2), n);
        assert_int_equal(info_of(&f).pages_held, held); /* nothing was taken */
        same(&f, feed(&f, 2, 2, n, LONG + 7), own);
        assert_int_equal(info_of(&f).pages_held - held, (LONG + 7 + page - 1) / page - n / page);
        long_after = kept(&f, feed(&f, 0, 1, LONG, LONG + 20));
        OK(f.ctx, precis_runner_drop(f.r, 0, LONG - 1));
        same(&f, feed(&f, 0, 1, LONG - 1, LONG), first); /* the first one's keys are its own still */
        same(&f, feed(&f, 0, 1, LONG, LONG + 20), long_after);
        OK(f.ctx, precis_runner_drop(f.r, 0, 0)); /* the copy lives on without it */
        OK(f.ctx, precis_runner_drop(f.r, 2, LONG + 6));
        same(&f, feed(&f, 2, 2, LONG + 6, LONG + 7), own);
        free(first);
        free(own);
        free(long_after);
        close_runner(&f);
    }
}

/* All pages are in use: the call says so, and everything is as it was. */
static void test_full(void **state)
{
    (void)state;
    fixture f = open_runner(3, 4, NULL);
    const uint32_t page = info_of(&f).page;
    assert_int_equal(info_of(&f).pages, 4);
    feed(&f, 0, 1, 0, 2 * page);
    float *want = kept(&f, feed(&f, 0, 1, 2 * page, 2 * page + 1));
    feed(&f, 1, 2, 0, page);
    assert_int_equal(info_of(&f).pages_held, 4);
    OK(f.ctx, precis_runner_copy(f.r, 1, 2, page - 1));
    precis_row rows[] = { { 5, 2 * page + 1, 0, 1 }, { 6, page - 1, 2, 1 } }; /* the second wants a copy of its page */
    const float *logits;
    assert_int_equal(precis_runner_decode(f.r, rows, 2, &logits), PRECIS_ENOMEM);
    assert_non_null(strstr(precis_ctx_message(f.ctx), "all 4 pages"));
    assert_null(logits);
    assert_int_equal(precis_runner_length(f.r, 0), 2 * page + 1);
    assert_int_equal(precis_runner_length(f.r, 1), page);
    assert_int_equal(precis_runner_length(f.r, 2), page - 1);
    assert_int_equal(info_of(&f).pages_held, 4);
    OK(f.ctx, precis_runner_drop(f.r, 0, 2 * page)); /* one page is free */
    OK(f.ctx, precis_runner_decode(f.r, &rows[1], 1, &logits));
    const precis_row again = { token_at(1, 2 * page), 2 * page, 0, 1 };
    assert_int_equal(precis_runner_decode(f.r, &again, 1, &logits), PRECIS_ENOMEM);
    OK(f.ctx, precis_runner_drop(f.r, 2, 0));
    same(&f, feed(&f, 0, 1, 2 * page, 2 * page + 1), want);
    free(want);
    close_runner(&f);
}

/* Sequences that share a page write into it in one call: as many pages as all of them need are enough. */
static void test_all_write(void **state)
{
    (void)state;
    fixture f = open_runner(4, 4, NULL);
    float *want = kept(&f, feed(&f, 0, 1, 0, 21));
    OK(f.ctx, precis_runner_drop(f.r, 0, 20));
    for (uint32_t s = 1; s < 4; s++) OK(f.ctx, precis_runner_copy(f.r, 0, s, 20));
    assert_int_equal(info_of(&f).pages_held, 1);
    precis_row rows[4];
    for (uint32_t s = 0; s < 4; s++) rows[s] = (precis_row){ token_at(1, 20), 20, s, s > 1 };
    const float *logits;
    precis_row bad[4];
    memcpy(bad, rows, sizeof bad);
    bad[3].token = -1;
    assert_int_equal(precis_runner_decode(f.r, bad, 4, &logits), PRECIS_EINVAL); /* when pages were taken */
    assert_int_equal(info_of(&f).pages_held, 1);
    OK(f.ctx, precis_runner_decode(f.r, rows, 4, &logits));
    assert_int_equal(info_of(&f).pages_held, 4);
    same(&f, logits, want);
    same(&f, logits + f.vocabulary, want);
    for (uint32_t s = 0; s < 4; s++) OK(f.ctx, precis_runner_drop(f.r, s, 0));
    assert_int_equal(info_of(&f).pages_held, 0);
    free(want);
    close_runner(&f);
}

/* A sequence that begins anew gives back what lies after its new end, and a call that is refused does not. */
static void test_anew(void **state)
{
    (void)state;
    fixture f = open_runner(2, 0, NULL);
    feed(&f, 0, 1, 0, CONTEXT);
    assert_int_equal(info_of(&f).pages_held, CONTEXT / info_of(&f).page);
    const float *logits;
    precis_row rows[] = { { 5, 10, 0, 1 }, { -1, 11, 0, 0 } };
    assert_int_equal(precis_runner_decode(f.r, rows, 2, &logits), PRECIS_EINVAL);
    assert_int_equal(info_of(&f).pages_held, CONTEXT / info_of(&f).page);
    OK(f.ctx, precis_runner_decode(f.r, rows, 1, &logits));
    assert_int_equal(info_of(&f).pages_held, 1);
    assert_int_equal(precis_runner_length(f.r, 0), 11);
    assert_int_equal(precis_runner_drop(f.r, 0, 12), PRECIS_EINVAL);
    assert_int_equal(precis_runner_drop(f.r, 2, 0), PRECIS_EINVAL);
    assert_int_equal(precis_runner_copy(f.r, 0, 1, 12), PRECIS_EINVAL);
    assert_int_equal(precis_runner_copy(f.r, 0, 0, 1), PRECIS_EINVAL);
    assert_int_equal(precis_runner_copy(f.r, 2, 0, 0), PRECIS_EINVAL);
    assert_int_equal(precis_runner_length(f.r, 2), 0);
    close_runner(&f);
}

/* What is no number in a page that was given back does not reach whoever has the page next. */
static void test_poison(void **state)
{
    (void)state;
    fixture f = open_runner(2, 0, "f32");
    float *want = kept(&f, feed(&f, 0, 1, 0, 21));
    OK(f.ctx, precis_runner_drop(f.r, 0, 0));
    pcs_pages *p = &f.r->program->pages;
    for (uint32_t i = 0; i < p->made; i++)
        for (uint64_t k = 0; k < p->bytes / 4; k++) ((float *)(void *)p->at[i])[k] = NAN;
    same(&f, feed(&f, 1, 1, 0, 21), want);
    free(want);
    close_runner(&f);
}

/* Parts of a span that lie in different pages give what its keys give one by one: attention with a window begins
 * anywhere. */
static void test_parts(void **state)
{
    (void)state;
    enum { KEYS = 208, DIMS = 32, FIRST = 48, N = 112 };
    precis_ctx *ctx = test_ctx(1);
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    const pcs_heap heap = { .alloc = pcs_backends[0]->heap.alloc, .release = pcs_backends[0]->heap.release };
    for (const pcs_kv_type *t = pcs_kv_types; t->name; t++) {
        pcs_pages pages;
        pcs_kv kv = { .kt = t, .vt = t, .heads = 2, .kd = DIMS, .vd = DIMS, .vp = DIMS, .capacity = KEYS };
        OK(ctx, pcs_pages_open(ctx, &pages, &heap, &(pcs_pages_size){ 2, KEYS, 0, 1 }));
        OK(ctx, pcs_kv_open(ctx, &kv, &pages));
        float x[2 * DIMS], q[DIMS], w[N], scores[N], one[N], mix[DIMS], sum[DIMS];
        static float values[N * DIMS], value[DIMS];
        test_fill(q, DIMS, 1, 1);
        test_fill(w, N, 2, 1);
        for (uint32_t j = 0; j < 2 * KEYS; j++) { /* by turns, so that no sequence has pages one after another */
            test_fill(x, 2 * DIMS, j + 3, 1);
            OK(ctx, pcs_pages_take(&pages, j % 2, j / 2));
            pcs_pages_commit(&pages);
            for (uint32_t h = 0; h < 2; h++) pcs_kv_put(&kv, j % 2, h, j / 2, x, x + DIMS);
        }
        const pcs_kv_span span = { FIRST, FIRST + N, 2 };
        const pcs_kv_part whole = { 1, 1, FIRST, N };
        pcs_kv_scores(&kv, &kernels, &whole, &(pcs_kv_rows){ q, scores, 1, N }, &span);
        pcs_kv_mix(&kv, &kernels, &whole, &(pcs_kv_rows){ w, mix, 1, N }, false, &span);
        const float *all = pcs_kv_values(&kv, &kernels, &whole, values);
        for (uint32_t j = 0; j < N; j++) {
            const pcs_kv_part key = { 1, 1, FIRST + j, 1 }, tile = { 1, 1, FIRST + j, 16 };
            const float *v = pcs_kv_values(&kv, &kernels, &key, value);
            assert_memory_equal(all + (size_t)j * DIMS, v, DIMS * sizeof *v);
            pcs_kv_mix(&kv, &kernels, &key, &(pcs_kv_rows){ w + j, sum, 1, N }, j > 0, &span);
            if (j % 16 == 0) pcs_kv_scores(&kv, &kernels, &tile, &(pcs_kv_rows){ q, one + j, 1, N }, &span);
        }
        assert_memory_equal(scores, one, sizeof one);
        assert_memory_equal(mix, sum, sizeof sum);
        pcs_pages_close(&pages);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_all_write),
        cmocka_unit_test(test_anew),
        cmocka_unit_test(test_poison),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
