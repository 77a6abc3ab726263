/* The JSON reader: what RFC 8259 allows and nothing else, bounded, with the place of each fault. */
#include "base/json.h"
#include "test.h"

static precis_ctx *ctx;

/* Types of all tokens, one letter each; "!" where the text is wrong. */
static const char *types(const char *text, size_t len)
{
    static char seen[4096];
    static const char letters[] = "$oOaAksntf0";
    pcs_json j;
    pcs_json_token t;
    size_t n = 0;
    pcs_json_init(&j, ctx, text, len);
    do {
        if (pcs_json_next(&j, &t)) return seen[n] = '!', seen[n + 1] = 0, seen;
        assert_true(t.text >= text && t.text <= text + len); /* messages tell the byte of any token */
        assert_true(t.type != PCS_JSON_OBJECT_END || *t.text == '}');
        assert_true(t.type != PCS_JSON_NULL || *t.text == 'n');
        seen[n++] = letters[t.type];
        assert_true(n + 2 < sizeof seen);
    } while (t.type != PCS_JSON_END);
    seen[n] = 0;
    return seen;
}

static void test_grammar(void **state)
{
    (void)state;
    static const char *const right[][2] = {
        { "{}", "oO$" },
        { "[]", "aA$" },
        { " [ 1 , \"a\" ] ", "ansA$" },
        { "{\"a\":{\"b\":[true,false,null]}}", "okokatf0AOO$" },
        { "-0", "n$" },
        { "1.5e-7", "n$" },
        { "\"\\u00e9\\n\"", "s$" },
        { "\"\xc3\xa9\"", "s$" },
        { "[[[[]]]]", "aaaaAAAA$" },
    };
    static const char *const wrong[] = {
        "", " ", "{", "[1,]", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{1:2}", "[1 2]", "01", "1.", ".5", "+1", "1e",
        "--1", "nul", "True", "NaN", "Infinity", "'a'", "\"a", "\"\\x\"", "\"\\u12\"", "\"\n\"", "\"\x01\"",
        "\"\xff\"", "\"\xc3\"", "[]]", "{}{}", "1 1", "[1]x", "{\"a\"}", "// c\n1", "\"\xed\xa0\x80\"",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        const char *got = types(right[i][0], strlen(right[i][0]));
        if (strcmp(got, right[i][1])) fail_msg("%s gave %s, not %s", right[i][0], got, right[i][1]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *got = types(wrong[i], strlen(wrong[i]));
        if (!strchr(got, '!')) fail_msg("%s passed as %s", wrong[i], got);
    }
    assert_non_null(strchr(types("\"a\0b\"", 5), '!')); /* a NUL inside a string */
}

/* Nesting is bounded by a limit, not by the stack of the process. */
static void test_depth(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    char *text = malloc(DEEP);
    memset(text, '[', DEEP);
    pcs_json j;
    pcs_json_token t;
    pcs_json_init(&j, ctx, text, DEEP);
    int n = 0;
    while (!pcs_json_next(&j, &t)) n++;
    assert_int_equal(n, PCS_LIMIT_JSON_DEPTH);
    free(text);
}

static void test_strings(void **state)
{
    (void)state;
    static const struct { const char *json, *text; } cases[] = {
        { "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\b\f\n\r\t" },
        { "\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac" },
        { "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
    };
    static const char *const lone[] = { "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"" };
    pcs_arena a;
    pcs_arena_init(&a, ctx);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pcs_json j;
        pcs_json_token t;
        char *s;
        size_t n;
        pcs_json_init(&j, ctx, cases[i].json, strlen(cases[i].json));
        OK(ctx, pcs_json_next(&j, &t));
        OK(ctx, pcs_json_string(&j, &t, &a, &s, &n));
        assert_int_equal(n, strlen(cases[i].text));
        assert_string_equal(s, cases[i].text);
    }
    /* Half a pair is no character: refused or replaced, never passed on. */
    for (size_t i = 0; i < sizeof lone / sizeof *lone; i++) {
        pcs_json j;
        pcs_json_token t;
        char *s;
        size_t n;
        uint32_t cp;
        pcs_json_init(&j, ctx, lone[i], strlen(lone[i]));
        if (pcs_json_next(&j, &t) || pcs_json_string(&j, &t, &a, &s, &n)) continue;
        for (size_t k = 0, step; k < n; k += step) assert_true((step = pcs_utf8(s + k, n - k, &cp)) > 0);
    }
    pcs_arena_free(&a);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct { const char *json; bool ok; int64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "-1", true, -1 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "1.5", false, 0 },
        { "1e3", false, 0 },
        { "99999999999999999999999", false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pcs_json j;
        pcs_json_token t;
        int64_t v = 0;
        pcs_json_init(&j, ctx, cases[i].json, strlen(cases[i].json));
        OK(ctx, pcs_json_next(&j, &t));
        const bool ok = !pcs_json_int(&j, &t, &v, "n");
        if (ok != cases[i].ok || (ok && v != cases[i].value)) fail_msg("%s: %d, %lld", cases[i].json, ok, (long long)v);
    }
    pcs_json j;
    pcs_json_token t;
    double d;
    pcs_json_init(&j, ctx, "[2.5e-3, 1e999]", 15);
    OK(ctx, pcs_json_next(&j, &t));
    OK(ctx, pcs_json_next(&j, &t));
    OK(ctx, pcs_json_double(&j, &t, &d, "n"));
    assert_true(d == 2.5e-3);
    OK(ctx, pcs_json_next(&j, &t));
    assert_int_equal(pcs_json_double(&j, &t, &d, "n"), PRECIS_EFORMAT);
}

static void test_find(void **state)
{
    (void)state;
    const char *text = "{\"a\": 1, \"b\": {\"a\": [1, {\"c\": 2}]}, \"c\": \"x\"}", *twice = "{\"a\": 1, \"a\": 2}";
    pcs_json_slice s;
    OK(ctx, pcs_json_find(ctx, (pcs_json_slice){ text, strlen(text) }, "b", &s));
    assert_int_equal(s.len, strlen("{\"a\": [1, {\"c\": 2}]}"));
    assert_memory_equal(s.text, "{\"a\": [1, {\"c\": 2}]}", s.len);
    OK(ctx, pcs_json_find(ctx, (pcs_json_slice){ text, strlen(text) }, "d", &s));
    assert_null(s.text);
    assert_int_equal(pcs_json_find(ctx, (pcs_json_slice){ twice, strlen(twice) }, "a", &s), PRECIS_EFORMAT);
    assert_int_equal(pcs_json_find(ctx, (pcs_json_slice){ "[1]", 3 }, "a", &s), PRECIS_EFORMAT);
}

/* What is written is read back as it was: every byte that UTF-8 has below 128, and longer ones. */
static void test_round_trip(void **state)
{
    (void)state;
    char text[160];
    size_t n = 0;
    for (int c = 1; c < 128; c++) text[n++] = (char)c;
    memcpy(text + n, "\xc3\xa9\xf0\x9f\x98\x80", 6);
    n += 6;
    pcs_buf b;
    pcs_arena a;
    pcs_buf_init(&b, ctx, 4096);
    pcs_arena_init(&a, ctx);
    OK(ctx, pcs_json_text(&b, text, n));
    pcs_json j;
    pcs_json_token t;
    char *s;
    size_t len;
    pcs_json_init(&j, ctx, b.data, b.len);
    OK(ctx, pcs_json_next(&j, &t));
    OK(ctx, pcs_json_string(&j, &t, &a, &s, &len));
    assert_int_equal(len, n);
    assert_memory_equal(s, text, n);
    pcs_arena_free(&a);
    pcs_buf_free(&b);
}

static void test_utf8(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x110000; cp += cp < 0x3000 ? 1 : 97) {
        if (cp >= 0xd800 && cp < 0xe000) continue;
        char out[4];
        uint32_t back = 0;
        const size_t n = pcs_utf8_put(cp, out);
        assert_int_equal(pcs_utf8(out, n, &back), n);
        assert_int_equal(back, cp);
        if (n > 1) assert_int_equal(pcs_utf8(out, n - 1, &back), 0); /* cut short */
    }
    uint32_t cp;
    assert_int_equal(pcs_utf8("\xc0\x80", 2, &cp), 0);         /* longer than it need be */
    assert_int_equal(pcs_utf8("\xf4\x90\x80\x80", 4, &cp), 0); /* beyond the last character */
    assert_int_equal(pcs_utf8("\x80", 1, &cp), 0);
}

static int open_ctx(void **state) { return (void)state, ctx = test_ctx(1), 0; }
static int close_ctx(void **state) { return (void)state, precis_ctx_close(&ctx), 0; }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar), cmocka_unit_test(test_depth), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_find),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
