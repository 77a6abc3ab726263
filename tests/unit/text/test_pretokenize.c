/* test_pretokenize.c - the pieces of texts by the patterns of tekken and GPT-4o, as the tokenizers package has them. */
#include "test.h"
#include "text/tokenizer.h"

typedef struct { const char *name, *text; size_t bytes[32]; } cut;
static const cut cuts[] = {
#include "pretokenize.inc"
};

static void test_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        const cut *c = &cuts[i];
        const pcs_pretokenizer *p = pcs_pretokenizer_by_name(c->name);
        assert_non_null(p);
        const size_t n = strlen(c->text);
        size_t at = 0;
        for (size_t k = 0; at < n; k++) {
            const size_t got = p->next(c->text + at, n - at);
            if (got != c->bytes[k])
                fail_msg("%s: text %zu, piece %zu: %zu bytes, not %zu", c->name, i, k, got, c->bytes[k]);
            at += got;
        }
    }
}

/* Bytes that are no UTF-8 end too: a piece has at least one, and none goes beyond the text. */
static void test_bytes(void **state)
{
    (void)state;
    static const char *const names[] = { "tekken", "gpt-4o" };
    unsigned x = 1;
    for (size_t k = 0; k < 2; k++)
        for (int turn = 0; turn < 2000; turn++) {
            char text[24];
            const size_t n = 1 + (x >> 8) % sizeof text;
            for (size_t i = 0; i < n; i++) x = x * 1664525 + 1013904223, text[i] = (char)(x >> 24);
            for (size_t at = 0; at < n;) {
                const size_t got = pcs_pretokenizer_by_name(names[k])->next(text + at, n - at);
                if (!got || got > n - at) fail_msg("%s: %zu of %zu", names[k], got, n - at);
                at += got;
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_pieces), cmocka_unit_test(test_bytes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
