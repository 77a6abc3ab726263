/* Chat templates feature by feature, with what jinja2 makes of them as transformers sets it up (templates.inc, which
 * the peers' test checks again); and that rendering can be stopped. */
#include "test.h"

#include <time.h>

#define TEMPLATE(source, want) { source, want },
static const struct { const char *source, *want; } rows[] = {
#include "templates.inc"
};

static const precis_message messages[] = { { "system", "Be brief." },
                                           { "user", " Hi " },
                                           { "assistant", "Yes? \"q\"" },
                                           { "user", "N\xc3\xa9"
                                                     "e" } };

static void test_features(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *out;
        const precis_status st = precis_chat_render(ctx, rows[i].source, messages, 4, 1, "<s>", "</s>", &out);
        if (!rows[i].want != !out) fail_msg("%s: %s", rows[i].source, st ? precis_ctx_message(ctx) : out);
        if (!out) assert_true(st == PRECIS_EFORMAT || st == PRECIS_EUNSUPPORTED);
        else assert_string_equal(out, rows[i].want);
        precis_text_free(ctx, out);
    }
    precis_ctx_close(&ctx);
}

/* Line ends of any kind; a sign before an end; a newline at the end of the source. */
static void test_line_ends(void **state)
{
    static const struct { const char *source, *want;
    } lines[] = { { "a\r\n{% if 1 %}\r\nb\rc{% endif %}\r\n", "a\nb\nc" },
                  { "{{ 'a\r\nb' }}\n\n", "a\nb\n" },
                  { " {%- set x = 1 +%} \n{{ x -}} \n y", " \n1y" },
                  { "{#- a -#}\n b", "b" } };
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *out;
        OK(ctx, precis_chat_render(ctx, lines[i].source, messages, 4, 1, "", "", &out));
        assert_string_equal(out, lines[i].want);
        precis_text_free(ctx, out);
    }
    precis_ctx_close(&ctx);
}

/* A caller who wants to stop is heard long before the template has used up its steps. */
static void test_cancel(void **state)
{
    (void)state;
    volatile int cancel = 1;
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    o.cancel = &cancel;
    precis_ctx *ctx;
    char *out;
    assert_int_equal(precis_ctx_open(&ctx, &o), PRECIS_OK);
    assert_int_equal(
        precis_chat_render(
            ctx, "{% for i in range(100000) %}{% for k in range(100) %}{% set x = i * k %}{% endfor %}{% endfor %}",
            messages, 4, 1, "", "", &out),
        PRECIS_ECANCELED);
    assert_null(out);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_features), cmocka_unit_test(test_line_ends),
                                        cmocka_unit_test(test_cancel) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
