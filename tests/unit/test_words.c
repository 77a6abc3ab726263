/* Tokenizers that are learned, texts without their copies, held-out text that was seen. */
#include "test.h"
#include "text/bpe.h"
#include "train/duplicates.h"

/* What `tokenizers` 0.23.3 learned from this text (BpeTrainer, ByteLevel, initial_alphabet), merge by merge. */
static void test_merges(void **state)
{
    (void)state;
    static const char text[] = "low lower lowest low\naaaa aaaaa bababa\n\n\taaa \xc3\xa9\xc3\xa9\xc3\xa9 newer\n";
    static const char *const want[] = { "aa", "lo", "low", "ba", "\xc3\xa9", " low", "er", "aaa", "baba",
                                        "\xc3\xa9\xc3\xa9", "es", "ew", "new", " aa", " baba", " \xc3\xa9\xc3\xa9",
                                        " new", "aaaa", " lower" };
    precis_ctx *ctx = test_ctx(1);
    const char *texts[1] = { text };
    const size_t lens[1] = { sizeof text - 1 };
    pcs_bpe b;
    OK(ctx, pcs_bpe_train(ctx, &b, texts, lens, 1, 275));
    assert_int_equal(b.n, 275);
    assert_int_equal(b.n_merges, 19);
    for (size_t i = 0; i < 19; i++) {
        const pcs_text *t = &b.tokens[256 + i];
        if (t->len != strlen(want[i]) || memcmp(t->s, want[i], t->len))
            fail_msg("merge %zu made \"%.*s\", not \"%s\"", i, (int)t->len, t->s, want[i]);
    }
    assert_int_equal(b.tokens[0].s[0], '!'); /* the alphabet in GPT-2's order */
    assert_int_equal(b.tokens[220].s[0], ' ');
    pcs_bpe_close(&b);
    assert_int_equal(pcs_bpe_train(ctx, &b, texts, lens, 1, 255), PRECIS_EINVAL);
    pcs_bpe_close(&b);
    OK(ctx, pcs_bpe_train(ctx, &b, texts, lens, 1, 5000)); /* nothing is left to merge */
    assert_true(b.n < 300);
    pcs_bpe_close(&b);
    precis_ctx_close(&ctx);
}

static void test_duplicates(void **state)
{
    (void)state;
    char text[] =
        "A first paragraph, of more than enough letters.\n\nThe end\n\n"
        "A first  paragraph,\nof more than enough letters.\n\n\nThe end\n\nAnother paragraph that nobody saw before.";
    static const char left[] = "A first paragraph, of more than enough letters.\n\nThe end\n\nThe end\n\n"
                               "Another paragraph that nobody saw before.";
    precis_ctx *ctx = test_ctx(1);
    pcs_map seen;
    pcs_arena keys;
    pcs_duplicates d = { 0 };
    size_t n = sizeof text - 1;
    pcs_map_init(&seen, ctx);
    pcs_arena_init(&keys, ctx);
    OK(ctx, pcs_drop_duplicates(&seen, &keys, text, &n, &d));
    assert_int_equal(n, sizeof left - 1);
    assert_memory_equal(text, left, n);
    assert_int_equal(d.paragraphs, 5);
    assert_int_equal(d.again, 1);
    assert_int_equal(d.bytes, 51);
    OK(ctx, pcs_drop_duplicates(&seen, &keys, text, &n, &d)); /* of another file: only what is short stays */
    assert_int_equal(n, 2 * strlen("The end\n\n"));
    pcs_map_free(&seen);
    pcs_arena_free(&keys);
    precis_ctx_close(&ctx);
}

/* 20 held-out tokens are 8 rows of 13; the text has the first 15 of them once, so 3 rows. */
static void test_overlap(void **state)
{
    (void)state;
    int32_t held[20], text[60];
    pcs_rows_shared o = { .length = 13 };
    precis_ctx *ctx = test_ctx(1);
    for (int i = 0; i < 20; i++) held[i] = i * 7 % 11;
    for (int i = 0; i < 60; i++) text[i] = 1000 + i;
    OK(ctx, pcs_rows_seen(ctx, held, 20, text, 60, &o));
    assert_int_equal(o.rows, 8);
    assert_int_equal(o.found, 0);
    memcpy(text + 31, held, 15 * sizeof *held);
    OK(ctx, pcs_rows_seen(ctx, held, 20, text, 60, &o));
    assert_int_equal(o.found, 3);
    OK(ctx, pcs_rows_seen(ctx, held, 12, text, 60, &o));
    assert_int_equal(o.rows, 0);
    OK(ctx, pcs_rows_seen(ctx, held, 20, text, 5, &o));
    assert_int_equal(o.found, 0);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_merges), cmocka_unit_test(test_duplicates),
                                        cmocka_unit_test(test_overlap) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
