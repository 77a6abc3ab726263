/* Chats that are longer than the context: which turns are forgotten, that an answer goes on over the end of the
 * context, and that what fails changes nothing. */
#include "test.h"

enum { CONTEXT = 96 };

typedef struct {
    precis_ctx *ctx;
    precis_model *m;
    precis_tokenizer *t;
    precis_runner *r;
    precis_session *s;
    precis_chat *c;
} fixture;

static const char plain[] = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
                            "{% if add_generation_prompt %}<assistant>{% endif %}";

static fixture open_all(uint64_t predict)
{
    fixture f = { .ctx = test_ctx(2) };
    OK(f.ctx, precis_model_open(f.ctx, &f.m, MODEL));
    OK(f.ctx, precis_tokenizer_open(f.ctx, &f.t, f.m));
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = CONTEXT;
    OK(f.ctx, precis_runner_open(f.ctx, &f.r, f.m, &o));
    precis_session_options so = PRECIS_SESSION_OPTIONS_INIT;
    so.predict = predict;
    so.ignore_end = 1;
    OK(f.ctx, precis_session_open(f.ctx, &f.s, f.r, f.t, &so));
    OK(f.ctx, precis_chat_open(f.ctx, &f.c, f.t, plain));
    return f;
}

static void close_all(fixture *f)
{
    precis_chat_close(&f->c);
    precis_session_close(&f->s);
    precis_runner_close(&f->r);
    precis_tokenizer_close(&f->t);
    precis_model_close(&f->m);
    precis_ctx_close(&f->ctx);
}

typedef struct { char text[4096]; size_t len, tokens; precis_finish finish; } heard;

static int hear(void *user, size_t i, const precis_token *token)
{
    heard *h = user;
    assert_int_equal(i, 0);
    assert_true(h->len + token->len < sizeof h->text);
    memcpy(h->text + h->len, token->text, token->len);
    h->len += token->len;
    h->tokens++;
    h->finish = token->finish;
    return 0;
}

static void expect_message(const fixture *f, size_t i, const char *role, const char *content)
{
    const char *said_role, *said;
    OK(f->ctx, precis_chat_message(f->c, i, &said_role, &said));
    assert_string_equal(said_role, role);
    assert_string_equal(said, content);
}

/* Messages: what is forgotten, what stays, and the system's, which is another's place. */
static void test_history(void **state)
{
    (void)state;
    fixture f = open_all(4);
    const char *role, *content;
    assert_int_equal(precis_chat_forget_oldest(f.c), 0);
    assert_int_equal(precis_chat_message(f.c, 0, &role, &content), PRECIS_EINVAL);
    OK(f.ctx, precis_chat_say(f.c, "user", "a"));
    OK(f.ctx, precis_chat_say(f.c, "assistant", "b"));
    OK(f.ctx, precis_chat_say(f.c, "tool", "c"));
    OK(f.ctx, precis_chat_say(f.c, "user", "d"));
    OK(f.ctx, precis_chat_set_system(f.c, "one"));
    OK(f.ctx, precis_chat_set_system(f.c, "two <s> three"));
    assert_int_equal(precis_chat_length(f.c), 5);
    expect_message(&f, 0, "system", "two <s> three"); /* as it was said: what guards it is not seen */
    assert_int_equal(precis_chat_forget_oldest(f.c), 3);
    assert_int_equal(precis_chat_forget_oldest(f.c), 0);
    expect_message(&f, 1, "user", "d");
    OK(f.ctx, precis_chat_set_system(f.c, NULL));
    assert_int_equal(precis_chat_length(f.c), 1);
    OK(f.ctx, precis_chat_set_system(f.c, "s"));
    precis_chat_clear(f.c);
    assert_int_equal(precis_chat_length(f.c), 1);
    close_all(&f);
}

/* Turn after turn: the oldest go when a quarter of the context would not be free, the others are told as they were. */
static void test_turns(void **state)
{
    (void)state;
    fixture f = open_all(12);
    size_t gone, all = 0;
    OK(f.ctx, precis_chat_set_system(f.c, "Short."));
    for (int i = 0; i < 12; i++) {
        heard h = { .len = 0 };
        char text[64];
        snprintf(text, sizeof text, "This is question %d.", i);
        OK(f.ctx, precis_chat_say(f.c, "user", text));
        OK(f.ctx, precis_session_converse(f.s, f.c, &gone, hear, &h));
        assert_int_equal(h.finish, PRECIS_FINISH_LENGTH);
        assert_int_equal(h.tokens, 12);
        assert_int_equal(gone % 2, 0);
        all += gone;
        expect_message(&f, 0, "system", "Short.");
        const size_t n = precis_chat_length(f.c);
        assert_int_equal(n + all, 1 + 2 * ((size_t)i + 1));
        expect_message(&f, n - 2, "user", text);
        expect_message(&f, n - 1, "assistant", h.text);
        precis_session_info info = { .size = sizeof info };
        precis_session_get_info(f.s, &info);
        assert_true(info.tokens <= CONTEXT - CONTEXT / 4 + 12);
    }
    assert_true(all >= 8);
    close_all(&f);
}

/* An answer that meets the end of the context goes on where there is something to forget, as one text; alone in the
 * context it ends there. */
static void test_long_answer(void **state)
{
    (void)state;
    fixture f = open_all(20);
    size_t gone;
    heard h = { .len = 0 };
    OK(f.ctx, precis_chat_say(f.c, "user", "This is the first question."));
    OK(f.ctx, precis_session_converse(f.s, f.c, &gone, NULL, NULL));
    assert_int_equal(gone, 0);
    precis_session_set_predict(f.s, 58); /* with both turns more than the context, with the last one less */
    OK(f.ctx, precis_chat_say(f.c, "user", "And another."));
    OK(f.ctx, precis_session_converse(f.s, f.c, &gone, hear, &h));
    assert_int_equal(gone, 2);
    assert_int_equal(h.finish, PRECIS_FINISH_LENGTH);
    assert_int_equal(h.tokens, 58);
    assert_int_equal(precis_chat_length(f.c), 2);
    expect_message(&f, 1, "assistant", h.text);
    precis_session_set_predict(f.s, 500);
    memset(&h, 0, sizeof h);
    OK(f.ctx, precis_chat_say(f.c, "user", "Go on."));
    OK(f.ctx, precis_session_converse(f.s, f.c, &gone, hear, &h));
    assert_int_equal(gone, 2);
    assert_int_equal(h.finish, PRECIS_FINISH_CONTEXT);
    expect_message(&f, 1, "assistant", h.text);
    close_all(&f);
}

static void test_refused(void **state)
{
    (void)state;
    fixture f = open_all(4);
    char text[4000];
    size_t gone;
    OK(f.ctx, precis_chat_say(f.c, "user", "One."));
    OK(f.ctx, precis_session_converse(f.s, f.c, &gone, NULL, NULL));
    memset(text, 'q', sizeof text);
    text[sizeof text - 1] = 0;
    OK(f.ctx, precis_chat_say(f.c, "user", text));
    assert_int_equal(precis_session_converse(f.s, f.c, &gone, NULL, NULL), PRECIS_EINVAL);
    OK(f.ctx, precis_chat_unsay(f.c));
    OK(f.ctx, precis_chat_say(f.c, "user", "Two."));
    OK(f.ctx, precis_session_converse(f.s, f.c, &gone, NULL, NULL));
    precis_sampler_options so = PRECIS_SAMPLER_OPTIONS_INIT;
    so.top_p = 2;
    assert_int_equal(precis_session_set_sampler(f.s, &so), PRECIS_EINVAL);
    so.top_p = 1;
    so.temperature = 0;
    OK(f.ctx, precis_session_set_sampler(f.s, &so));
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_long_answer),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
