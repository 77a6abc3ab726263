/* The context's memory: blocks, arenas, buffers with a limit, tables of names. */
#include "test.h"

static int set(void **state) { return *state = test_ctx(1), 0; }
static int end(void **state)
{
    precis_ctx *ctx = *state;
    assert_int_equal(ctx->memory.used, 0); /* whatever the test took, it gave back */
    precis_ctx_close(&ctx);
    return 0;
}

static bool zero(const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++)
        if (b[i]) return false;
    return true;
}

static void test_blocks(void **state)
{
    precis_ctx *ctx = *state;
    char *p = pcs_alloc(ctx, 3, 100);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_true(zero(p, 300));
    memset(p, 7, 300);
    char *q = pcs_grow(ctx, p, 300, 1000, 1);
    assert_non_null(q);
    for (int i = 0; i < 300; i++) assert_int_equal(q[i], 7);
    assert_true(zero(q + 300, 700));
    pcs_free(ctx, q);
    void *empty = pcs_alloc(ctx, 0, 8);
    assert_non_null(empty);
    pcs_free(ctx, empty);
    pcs_free(ctx, NULL);
}

/* A product that no size_t holds is refused, not wrapped; the old block stays. */
static void test_overflow(void **state)
{
    precis_ctx *ctx = *state;
    assert_null(pcs_alloc(ctx, SIZE_MAX / 2, 3));
    assert_true(strlen(precis_ctx_message(ctx)) > 0);
    char *p = pcs_alloc(ctx, 10, 1);
    assert_non_null(p);
    p[9] = 5;
    assert_null(pcs_grow(ctx, p, 10, SIZE_MAX / 4, 8));
    assert_int_equal(p[9], 5);
    pcs_free(ctx, p);
    uint64_t r;
    assert_true(pcs_mul_ok(1ull << 32, 1ull << 31, &r) && r == 1ull << 63);
    assert_false(pcs_mul_ok(1ull << 32, 1ull << 32, &r));
    assert_false(pcs_add_ok(UINT64_MAX, 1, &r));
    assert_true(pcs_align_ok(65, 64, &r) && r == 128);
    assert_true(pcs_align_ok(0, 64, &r) && r == 0);
    assert_false(pcs_align_ok(UINT64_MAX - 3, 64, &r));
}

static void test_arena(void **state)
{
    pcs_arena a;
    pcs_arena_init(&a, *state);
    unsigned char *blocks[500];
    for (size_t i = 0; i < 500; i++) { /* small and large ones, of which none may lie in another */
        const size_t n = i % 50 == 49 ? 100000 : 1 + i % 97;
        blocks[i] = pcs_arena_alloc(&a, n, 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % (n >= 64 ? 64 : 16), 0);
        assert_true(zero(blocks[i], n));
        memset(blocks[i], (int)(i % 251) + 1, n);
    }
    for (size_t i = 0; i < 500; i++) {
        const size_t n = i % 50 == 49 ? 100000 : 1 + i % 97;
        for (size_t k = 0; k < n; k++) assert_int_equal(blocks[i][k], i % 251 + 1);
    }
    assert_string_equal(pcs_arena_copy(&a, "layer", 3), "lay");
    assert_string_equal(pcs_arena_printf(&a, "blk.%d.%s", 12, "ffn_up"), "blk.12.ffn_up");
    char *longer = pcs_arena_printf(&a, "%05000d", 7);
    assert_int_equal(strlen(longer), 5000);
    assert_int_equal(longer[4999], '7');
    pcs_arena_free(&a);
}

static void test_buffer(void **state)
{
    pcs_buf b;
    pcs_buf_init(&b, *state, 1000);
    for (int i = 0; i < 100; i++) assert_int_equal(pcs_buf_add(&b, "0123456789", 10), PRECIS_OK);
    assert_int_equal(b.len, 1000);
    assert_int_not_equal(pcs_buf_add(&b, "x", 1), PRECIS_OK); /* its limit is from birth */
    assert_int_equal(b.len, 1000);
    assert_memory_equal(b.data + 990, "0123456789", 10);
    pcs_buf_free(&b);
}

static void test_map(void **state)
{
    precis_ctx *ctx = *state;
    enum { N = 5000 };
    static char names[N][16];
    pcs_map m;
    pcs_map_init(&m, ctx);
    uint32_t v;
    bool existed;
    assert_false(pcs_map_get(&m, "a", 1, &v));
    for (uint32_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "blk.%u", i);
        OK(ctx, pcs_map_put(&m, names[i], strlen(names[i]), i, &existed));
        assert_false(existed);
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_true(pcs_map_get(&m, names[i], strlen(names[i]), &v));
        assert_int_equal(v, i);
    }
    OK(ctx, pcs_map_put(&m, "blk.17", 6, 9999, &existed)); /* what is there stays as it is */
    assert_true(existed && pcs_map_get(&m, "blk.17", 6, &v) && v == 17);
    assert_false(pcs_map_get(&m, "blk.5000", 8, &v));
    assert_false(pcs_map_get(&m, "blk.17x", 7, &v)); /* a name is its whole length */
    assert_true(pcs_map_get(&m, "blk.17x", 6, &v) && v == 17);
    OK(ctx, pcs_map_put(&m, "", 0, 3, &existed));
    assert_true(pcs_map_get(&m, "", 0, &v) && v == 3);
    pcs_map_free(&m);
}

/* Under a limit the next block is refused with a sentence, and counted. */
static void test_limit(void **state)
{
    precis_ctx *ctx = *state;
    char *first = pcs_alloc(ctx, 1 << 20, 1);
    assert_non_null(first);
    OK(ctx, precis_ctx_set_memory_limit(ctx, pcs_private_memory() + (8 << 20), NULL));
    const uint64_t before = precis_ctx_refused(ctx);
    assert_null(pcs_alloc(ctx, 64 << 20, 1));
    assert_true(precis_ctx_refused(ctx) > before);
    pcs_free(ctx, first);
}

static void test_human(void **state)
{
    (void)state;
    char b[32];
    assert_string_equal(pcs_human(0, b), "0 B");
    assert_string_equal(pcs_human(999, b), "999 B");
    assert_string_equal(pcs_human(29.4e6, b), "29.4 MB");
    assert_string_equal(pcs_human(1.5e9, b), "1.5 GB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_blocks, set, end),
        cmocka_unit_test_setup_teardown(test_overflow, set, end),
        cmocka_unit_test_setup_teardown(test_arena, set, end),
        cmocka_unit_test_setup_teardown(test_buffer, set, end),
        cmocka_unit_test_setup_teardown(test_map, set, end),
        cmocka_unit_test_setup_teardown(test_limit, set, end),
        cmocka_unit_test_setup_teardown(test_human, set, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
