/* Sessions: what is read and chosen, when it ends, what is shown of it; alone, together, and after one another. And
 * chats, whose turns are read as far as they are new. */
#include "run/runner.h"
#include "test.h"

#include <math.h>

enum { CONTEXT = 256, MOST = 128 };

typedef struct { precis_ctx *ctx; precis_model *m; precis_tokenizer *t; precis_runner *r; } sessions_of;

static sessions_of open_sessions(uint32_t sequences, uint32_t context, uint32_t batch)
{
    sessions_of f = { .ctx = test_ctx(2) };
    OK(f.ctx, precis_model_open(f.ctx, &f.m, MODEL));
    OK(f.ctx, precis_tokenizer_open(f.ctx, &f.t, f.m));
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = context;
    o.sequences = sequences;
    o.batch = batch;
    o.outputs = 8;
    OK(f.ctx, precis_runner_open(f.ctx, &f.r, f.m, &o));
    return f;
}

static void close_sessions(sessions_of *f)
{
    precis_runner_close(&f->r);
    precis_tokenizer_close(&f->t);
    precis_model_close(&f->m);
    precis_ctx_close(&f->ctx);
}

/* Tokens that a script gives, so that tests know what is said. */
typedef struct { const int32_t *ids; size_t n, at; } script;

static int32_t follow(void *user, const float *logits, uint32_t vocabulary)
{
    script *s = user;
    (void)logits;
    (void)vocabulary;
    assert_true(s->at < s->n);
    return s->ids[s->at++];
}

/* What callbacks got of one session. */
typedef struct {
    char text[4096];
    size_t len, calls, parts[MOST];
    int32_t ids[MOST];
    double logprob[MOST];
    precis_finish finish;
} heard_parts;

static int hear(void *user, size_t i, const precis_token *token)
{
    heard_parts *h = (heard_parts *)user + i;
    assert_true(h->len + token->len < sizeof h->text);
    assert_true(h->calls < MOST);
    memcpy(h->text + h->len, token->text, token->len);
    h->len += token->len;
    h->parts[h->calls] = token->len;
    h->ids[h->calls] = token->id;
    h->logprob[h->calls++] = token->logprob;
    h->finish = token->finish;
    return 0;
}

static int32_t *encode(sessions_of *f, const char *text, size_t *n)
{
    int32_t *ids;
    OK(f->ctx, precis_tokenizer_encode(f->t, text, strlen(text), 0, &ids, n));
    return ids;
}

static precis_session *open_session(sessions_of *f, precis_session_options *o)
{
    precis_session *s;
    OK(f->ctx, precis_session_open(f->ctx, &s, f->r, f->t, o));
    return s;
}

static void begin(sessions_of *f, precis_session *s, const char *text)
{
    size_t n;
    int32_t *ids = encode(f, text, &n);
    OK(f->ctx, precis_session_begin(s, ids, n));
    precis_ids_free(f->t, ids);
}

/* The text that a model of a script says, with stops; what was shown never has to be taken back. */
static heard_parts say(sessions_of *f, const char *text, const char *const *stops, size_t n_stops)
{
    heard_parts h = { .len = 0 };
    script s = { .at = 0 };
    int32_t *ids = encode(f, text, &s.n);
    s.ids = ids;
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    o.choose = follow;
    o.user = &s;
    o.predict = s.n;
    o.stops = stops;
    o.n_stops = n_stops;
    precis_session *one = open_session(f, &o);
    begin(f, one, "So");
    OK(f->ctx, precis_session_run(&one, 1, hear, &h));
    size_t len;
    const char *all = precis_session_text(one, &len);
    assert_int_equal(len, h.len);
    assert_memory_equal(all, h.text, len);
    precis_session_close(&one);
    precis_ids_free(f->t, ids);
    return h;
}

static void said(const heard_parts *h, const char *text, precis_finish finish)
{
    assert_int_equal(h->len, strlen(text));
    assert_memory_equal(h->text, text, h->len);
    assert_int_equal(h->finish, finish);
}

static void test_stops(void **state)
{
    (void)state;
    sessions_of f = open_sessions(1, CONTEXT, 16);
    const char *const stop[] = { "zebra quux" }, *const two[] = { "never", "bra", "zebra quux" };
    const char *const near[] = { "quuy", "uxx" };
    heard_parts h = say(&f, "one zebra quux two", stop, 1); /* over several tokens */
    said(&h, "one ", PRECIS_FINISH_STOP);
    h = say(&f, "one zebra quux two", two, 3); /* the one that is there first */
    said(&h, "one ze", PRECIS_FINISH_STOP);
    h = say(&f, "one zebra quux", near, 2); /* what was held back comes, when it was no stop */
    said(&h, "one zebra quux", PRECIS_FINISH_LENGTH);
    h = say(&f, "one zebra quu", stop, 1);
    said(&h, "one zebra quu", PRECIS_FINISH_LENGTH);
    h = say(&f, "zebra quux", stop, 1); /* all of it */
    said(&h, "", PRECIS_FINISH_STOP);
    h = say(&f, "aaaab", (const char *const[]){ "aab" }, 1); /* what begins like a stop, and then like it again */
    said(&h, "aa", PRECIS_FINISH_STOP);
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    precis_session *s;
    o.stops = (const char *const[]){ "" };
    o.n_stops = 1;
    assert_int_equal(precis_session_open(f.ctx, &s, f.r, f.t, &o), PRECIS_EINVAL);
    assert_null(s);
    close_sessions(&f);
}

/* A character of four tokens of one byte each is shown when it is whole; one that never becomes whole, at the end. */
static void test_characters(void **state)
{
    (void)state;
    sessions_of f = open_sessions(1, CONTEXT, 16);
    const char *const text = "x\xf0\x90\x8d\x88y\xe2\x82";
    heard_parts h = say(&f, text, NULL, 0);
    said(&h, text, PRECIS_FINISH_LENGTH);
    size_t at = 0;
    for (size_t i = 0; i + 1 < h.calls; i++) {
        at += h.parts[i];
        assert_int_equal(precis_text_whole(h.text, at), at);
    }
    assert_int_equal(precis_text_whole("ab\xc3", 3), 2);
    assert_int_equal(precis_text_whole("ab\xc3\xa4", 4), 4);
    assert_int_equal(precis_text_whole("\xf0\x90\x8d", 3), 0);
    assert_int_equal(precis_text_whole("", 0), 0);
    close_sessions(&f);
}

/* Ends: an end token, a stop token, the number of tokens, the context, the callback. */
static int stop_at_once(void *user, size_t i, const precis_token *token)
{
    hear(user, i, token);
    return 1;
}

static void test_ends(void **state)
{
    (void)state;
    sessions_of f = open_sessions(1, 32, 16);
    const int32_t end = precis_tokenizer_eos(f.t), tokens[] = { 50, 51, end, 52, 53 };
    script s = { tokens, 5, 0 };
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    o.choose = follow;
    o.user = &s;
    precis_session *one = open_session(&f, &o);
    precis_session_info info = { .size = sizeof info };
    heard_parts h = { .len = 0 };
    begin(&f, one, "Once");
    OK(f.ctx, precis_session_run(&one, 1, hear, &h));
    precis_session_get_info(one, &info);
    assert_int_equal(info.finish, PRECIS_FINISH_END);
    assert_int_equal(info.answered, 2);
    assert_string_equal(precis_finish_name(info.finish), "end");
    assert_int_equal(precis_session_step(&one, 1, NULL, NULL), PRECIS_OK); /* it has ended: nothing to do */
    precis_session_close(&one);
    o.ignore_end = 1;
    o.stop_tokens = (int32_t[]){ 52 };
    o.n_stop_tokens = 1;
    s.at = 0;
    one = open_session(&f, &o);
    assert_int_equal(precis_session_run(&one, 1, NULL, NULL), PRECIS_EINVAL); /* nothing to read */
    begin(&f, one, "Once");
    OK(f.ctx, precis_session_run(&one, 1, NULL, NULL));
    precis_session_get_info(one, &info);
    assert_int_equal(info.finish, PRECIS_FINISH_STOP);
    assert_int_equal(info.answered, 3);
    s.at = 0;
    OK(f.ctx, precis_session_append(one, tokens, 1));
    memset(&h, 0, sizeof h);
    OK(f.ctx, precis_session_run(&one, 1, stop_at_once, &h));
    precis_session_get_info(one, &info);
    assert_int_equal(info.finish, PRECIS_FINISH_CALLER);
    assert_int_equal(info.answered, 1);
    precis_session_close(&one);
    int32_t many[40];
    for (int i = 0; i < 40; i++) many[i] = 60 + i;
    s = (script){ many, 40, 0 };
    one = open_session(&f, &o);
    assert_int_equal(precis_session_begin(one, many, 33), PRECIS_EINVAL);
    OK(f.ctx, precis_session_begin(one, many, 30));
    OK(f.ctx, precis_session_run(&one, 1, NULL, NULL));
    precis_session_get_info(one, &info);
    assert_int_equal(info.finish, PRECIS_FINISH_CONTEXT);
    assert_int_equal(info.answered, 3); /* behind 30, 31 and 32 tokens */
    assert_int_equal(precis_runner_length(f.r, 0), 32);
    assert_int_equal(precis_session_append(one, many, 1), PRECIS_EINVAL);
    precis_session_close(&one);
    assert_int_equal(precis_runner_length(f.r, 0), 0);
    close_sessions(&f);
}

static const char *const prompts[] = { "It was the best of times, it was the worst of times", "Call me",
                                       "a b c a b c a b c a" };

static precis_session *sampled(sessions_of *f, uint32_t sequence, uint32_t kind, int lookup)
{
    precis_sampler_options so = PRECIS_SAMPLER_OPTIONS_INIT;
    so.seed = 40 + kind;
    so.repetition = kind == 1 ? 1.3f : 1;
    so.frequency = kind == 2 ? 0.2f : 0;
    so.temperature = kind == 2 ? 0.3f : 1;
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    o.sequence = sequence;
    o.sampler = &so;
    o.predict = 20 + 11 * kind;
    o.ignore_end = 1;
    o.logprobs = 1;
    o.lookup = lookup;
    precis_session *s = open_session(f, &o);
    begin(f, s, prompts[kind]);
    return s;
}

/* Each has the tokens, the text and the log-probabilities that it has alone: together, by turns, with guesses, in small
 * batches. */
static void test_together(void **state)
{
    (void)state;
    static heard_parts alone[3], together[3];
    memset(alone, 0, sizeof alone);
    sessions_of f = open_sessions(3, CONTEXT, 16);
    for (uint32_t i = 0; i < 3; i++) {
        precis_session *s = sampled(&f, 0, i, 0);
        OK(f.ctx, precis_session_run(&s, 1, hear, &alone[i]));
        assert_int_equal(alone[i].finish, PRECIS_FINISH_LENGTH);
        precis_session_close(&s);
    }
    close_sessions(&f);
    static const uint32_t batches[] = { 8, 16, 64 };
    for (int way = 0; way < 6; way++) {
        f = open_sessions(3, CONTEXT, batches[way % 3]);
        memset(together, 0, sizeof together);
        precis_session *s[3];
        for (uint32_t i = 0; i < 3; i++) s[i] = sampled(&f, i, i, way >= 3);
        if (way % 2) OK(f.ctx, precis_session_run(s, 3, hear, together));
        else
            for (int k = 0; k < 90; k++) OK(f.ctx, precis_session_step(&s[k % 3], 1, hear, &together[k % 3]));
        for (uint32_t i = 0; i < 3; i++) OK(f.ctx, precis_session_run(&s[i], 1, hear, &together[i]));
        assert_memory_equal(together, alone, sizeof alone);
        for (uint32_t i = 0; i < 3; i++) precis_session_close(&s[i]);
        close_sessions(&f);
    }
}

/* Of the chosen token and the likeliest: log-softmax of the logits, whatever the sampler makes of them. */
static const float *seen_logits;
static float *kept_logits;

static int32_t third(void *user, const float *logits, uint32_t vocabulary)
{
    (void)user;
    seen_logits = memcpy(kept_logits, logits, vocabulary * sizeof *logits);
    return 3;
}

static int check_logprobs(void *user, size_t i, const precis_token *token)
{
    const uint32_t n = *(const uint32_t *)user;
    double top = -INFINITY, sum = 0;
    (void)i;
    for (uint32_t k = 0; k < n; k++) top = (double)seen_logits[k] > top ? (double)seen_logits[k] : top;
    for (uint32_t k = 0; k < n; k++) sum += exp((double)seen_logits[k] - top);
    const double all = top + log(sum);
    assert_true(fabs(token->logprob - ((double)seen_logits[3] - all)) < 1e-5);
    assert_int_equal(token->n_top, 5);
    assert_true(fabs(token->top[0].logprob - (top - all)) < 1e-5);
    uint32_t above = 0;
    for (uint32_t k = 0; k < n; k++) above += (double)seen_logits[k] - all > token->top[4].logprob + 1e-5;
    assert_true(above <= 4);
    for (uint32_t k = 0; k < 5; k++) {
        assert_true(fabs(token->top[k].logprob - ((double)seen_logits[token->top[k].id] - all)) < 1e-5);
        assert_true(!k || token->top[k].logprob <= token->top[k - 1].logprob);
    }
    return 0;
}

static void test_logprobs(void **state)
{
    (void)state;
    sessions_of f = open_sessions(1, CONTEXT, 16);
    uint32_t vocabulary = f.r->lm.vocabulary;
    kept_logits = malloc(vocabulary * sizeof *kept_logits);
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    o.choose = third;
    o.logprobs = 1;
    o.top = 5;
    o.predict = 4;
    precis_session *s = open_session(&f, &o);
    begin(&f, s, "The");
    OK(f.ctx, precis_session_run(&s, 1, check_logprobs, &vocabulary));
    precis_session_close(&s);
    free(kept_logits);
    close_sessions(&f);
}

/* A text that begins like the one before is computed from where it differs on, and a copy goes on where the first
 * was. */
static void test_reuse(void **state)
{
    (void)state;
    sessions_of f = open_sessions(2, CONTEXT, 64);
    heard_parts h[3] = { { .len = 0 } };
    precis_session_info info = { .size = sizeof info };
    precis_session *a = sampled(&f, 0, 0, 1), *b = sampled(&f, 1, 0, 0);
    OK(f.ctx, precis_session_run(&a, 1, hear, &h[0]));
    precis_session_close(&a);
    a = sampled(&f, 0, 0, 1);
    begin(&f, a, "It was the best of men");
    precis_session_get_info(a, &info);
    assert_int_equal(info.reused, 0); /* nothing has been read yet */
    OK(f.ctx, precis_session_step(&a, 1, NULL, NULL));
    begin(&f, a, prompts[0]);
    precis_session_get_info(a, &info);
    assert_true(info.reused >= 4);
    OK(f.ctx, precis_session_step(&a, 1, NULL, NULL));
    OK(f.ctx, precis_session_copy(b, a)); /* one token is not read yet; the copy has a sampler of its own */
    assert_int_equal(precis_session_all(b)[5], precis_session_all(a)[5]);
    OK(f.ctx, precis_session_run(&b, 1, hear, &h[1]));
    OK(f.ctx, precis_session_run(&a, 1, hear, &h[2]));
    assert_int_equal(h[1].finish, PRECIS_FINISH_LENGTH);
    precis_session_close(&a);
    precis_session_close(&b);
    close_sessions(&f);
}

/* All pages are in use: the step fails, no session has changed, and it can be made again when there is one. */
static void test_no_page(void **state)
{
    (void)state;
    static heard_parts alone[3], again[3];
    memset(alone, 0, sizeof alone);
    memset(again, 0, sizeof again);
    sessions_of f = open_sessions(3, CONTEXT, 16);
    for (uint32_t i = 0; i < 2; i++) {
        precis_session *s = sampled(&f, i, i, 0);
        OK(f.ctx, precis_session_run(&s, 1, hear, &alone[i]));
        precis_session_close(&s);
    }
    precis_runner_close(&f.r);
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = CONTEXT;
    o.sequences = 3;
    o.outputs = 8;
    o.pages = 2;
    OK(f.ctx, precis_runner_open(f.ctx, &f.r, f.m, &o));
    OK(f.ctx, precis_runner_decode(f.r, &(precis_row){ 5, 0, 2, 0 }, 1, NULL)); /* somebody has one of them */
    precis_session *s[2] = { sampled(&f, 0, 0, 0), sampled(&f, 1, 1, 0) };
    assert_int_equal(precis_session_run(s, 2, hear, again), PRECIS_ENOMEM);
    assert_int_equal(again[0].calls, 0);
    assert_int_equal(again[1].calls, 0);
    OK(f.ctx, precis_runner_drop(f.r, 2, 0));
    OK(f.ctx, precis_session_run(s, 2, hear, again));
    assert_memory_equal(again, alone, sizeof alone);
    for (int i = 0; i < 2; i++) precis_session_close(&s[i]);
    close_sessions(&f);
}

/* A guess whose logits another call has written over, or whose tokens were dropped, is not used. */
static void test_guess(void **state)
{
    (void)state;
    enum { READ = 12 };
    sessions_of f = open_sessions(3, CONTEXT, 16);
    const size_t bytes = f.r->lm.vocabulary * sizeof(float);
    float *want = malloc(bytes);
    const float *logits;
    for (uint32_t i = 0; i <= READ + 1; i++)
        OK(f.ctx, precis_runner_decode(f.r, &(precis_row){ 100 + (int32_t)i % 3, i, 2, 1 }, 1, &logits));
    memcpy(want, logits, bytes);
    for (int way = 0; way < 3; way++) {
        precis_lookup *l;
        precis_lookup_info info = { .size = sizeof info };
        OK(f.ctx, precis_lookup_open(f.ctx, &l, f.r, 0));
        for (uint32_t i = 0; i < READ; i++) {
            OK(f.ctx, precis_runner_decode(f.r, &(precis_row){ 100 + (int32_t)i % 3, i, 0, 0 }, 1, NULL));
            precis_lookup_read(l, 100 + (int32_t)i % 3, i);
        }
        OK(f.ctx, precis_lookup_decode(l, 100 + READ % 3, READ, &logits));
        assert_true(precis_runner_length(f.r, 0) > READ + 2); /* what follows is guessed */
        const precis_row other[] = { { 7, 0, 1, 1 }, { 8, 1, 1, 1 }, { 9, 2, 1, 1 } };
        if (way == 1) OK(f.ctx, precis_runner_decode(f.r, other, 3, &logits));
        if (way == 2) OK(f.ctx, precis_runner_drop(f.r, 0, READ + 1));
        OK(f.ctx, precis_lookup_decode(l, 100 + (READ + 1) % 3, READ + 1, &logits));
        assert_memory_equal(logits, want, bytes);
        assert_true(precis_runner_length(f.r, 0) > READ + 1);
        precis_lookup_get_info(l, &info);
        assert_int_equal(info.calls, way ? 2 : 1);
        precis_lookup_close(&l);
    }
    free(want);
    close_sessions(&f);
}

/* ---- chats -------------------------------------------------------------------------------------- */

static const char template[] = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if "
                               "add_generation_prompt %}<assistant>{% endif %}";

/* What the model has read is not given again, unless the template writes it otherwise. */
static void test_chat(void **state)
{
    (void)state;
    sessions_of f = open_sessions(1, CONTEXT, 64);
    precis_chat *c;
    precis_chat_text next;
    OK(f.ctx, precis_chat_open(f.ctx, &c, f.t, template));
    assert_int_equal(precis_chat_answered(c, "early"), PRECIS_EINVAL);
    assert_int_equal(precis_chat_unsay(c), PRECIS_EINVAL);
    OK(f.ctx, precis_chat_say(c, "system", "Be brief."));
    OK(f.ctx, precis_chat_say(c, "user", "Hello"));
    OK(f.ctx, precis_chat_next(c, &next));
    assert_false(next.follows);
    assert_string_equal(next.text, "<system>Be brief.\n<user>Hello\n<assistant>");
    assert_true(next.flags & PRECIS_TEXT_ADD);
    assert_true(next.flags & PRECIS_TEXT_GUARD);
    OK(f.ctx, precis_chat_answered(c, "Hi"));
    OK(f.ctx, precis_chat_say(c, "user", "lost"));
    OK(f.ctx, precis_chat_unsay(c));
    OK(f.ctx, precis_chat_say(c, "user", "More"));
    OK(f.ctx, precis_chat_next(c, &next));
    assert_true(next.follows);
    assert_string_equal(next.text, "\n<user>More\n<assistant>");
    assert_false(next.flags & PRECIS_TEXT_ADD);
    assert_int_equal(precis_chat_length(c), 4);
    precis_chat_close(&c);
    /* a template that keeps the last message alone */
    OK(f.ctx, precis_chat_open(f.ctx, &c, f.t, "{{ messages[-1].content }}:"));
    for (int i = 0; i < 3; i++) {
        OK(f.ctx, precis_chat_say(c, "user", i ? "again" : "first"));
        OK(f.ctx, precis_chat_next(c, &next));
        assert_false(next.follows);
        OK(f.ctx, precis_chat_answered(c, "yes"));
    }
    precis_chat_close(&c);
    OK(f.ctx, precis_chat_open(f.ctx, &c, f.t, "{{ raise_exception('no') }}"));
    assert_int_equal(precis_chat_next(c, &next), PRECIS_EFORMAT);
    precis_chat_close(&c);
    close_sessions(&f);
}

/* Turns in a cache give what the whole text gives in one piece; a turn cut short loses no token, a turn that fails
 * counts for nothing. */
static void test_turns(void **state)
{
    (void)state;
    static heard_parts h[4];
    memset(h, 0, sizeof h);
    sessions_of f = open_sessions(2, CONTEXT, 64);
    precis_chat *c;
    OK(f.ctx, precis_chat_open(f.ctx, &c, f.t, template));
    precis_sampler_options so = PRECIS_SAMPLER_OPTIONS_INIT;
    so.temperature = 0;
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    o.sampler = &so;
    o.predict = 8;
    precis_session *s = open_session(&f, &o), *other;
    for (int i = 0; i < 3; i++) {
        OK(f.ctx, precis_chat_say(c, "user", i ? "And then?" : "Who are you?"));
        OK(f.ctx, precis_session_answer(s, c, hear, &h[i]));
    }
    precis_session_info info = { .size = sizeof info };
    precis_session_get_info(s, &info);
    assert_int_equal(precis_runner_length(f.r, 0) + (info.finish != PRECIS_FINISH_NONE), info.tokens);
    o.sequence = 1;
    other = open_session(&f, &o);
    size_t n = (size_t)(info.tokens - info.answered - (info.finish == PRECIS_FINISH_END));
    OK(f.ctx, precis_session_begin(other, precis_session_all(s), n));
    OK(f.ctx, precis_session_run(&other, 1, hear, &h[3]));
    assert_memory_equal(&h[3], &h[2], sizeof h[2]);
    /* no room for this one */
    char long_text[2000];
    memset(long_text, 'q', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    OK(f.ctx, precis_chat_say(c, "user", long_text));
    assert_int_equal(precis_session_answer(s, c, hear, &h[0]), PRECIS_EINVAL);
    OK(f.ctx, precis_chat_unsay(c));
    precis_session_get_info(s, &info);
    const uint64_t before = info.tokens;
    OK(f.ctx, precis_chat_say(c, "user", "Why?"));
    OK(f.ctx, precis_session_answer(s, c, NULL, NULL));
    precis_session_get_info(s, &info);
    assert_true(info.tokens > before && info.tokens < before + 40); /* it followed on */
    precis_session_close(&other);
    precis_session_close(&s);
    precis_chat_close(&c);
    close_sessions(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_no_page),
        cmocka_unit_test(test_chat),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
