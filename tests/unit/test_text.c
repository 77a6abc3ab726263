/* Chat templates with their expected text; the tokenizer of the carried model; vectors where shared/data is. */
#include "test.h"

#include <unistd.h>

static const precis_message messages[] = { { "system", "Be brief." },
                                           { "user", " Hi " },
                                           { "assistant", "Yes? \"q\"" },
                                           { "user", "N\xc3\xa9"
                                                     "e" } };

static const struct { const char *source, *want;
} renders[] = {
    { "{% for m in messages %}{{ m.role }}={{ m['content'] | trim }};{% endfor %}",
      "system=Be brief.;user=Hi;assistant=Yes? \"q\";user=N\xc3\xa9"
      "e;" },
    { "{%- for m in messages[1:] if m.role != 'assistant' -%}\n  {{ loop.index }}{{ loop.last }}\n{%- endfor -%}",
      "1False2True" },
    { "a\n  {% if add_generation_prompt %}\nb\n  {% endif %}\nc", "a\nb\nc" },
    { "{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = ns.n + loop.index0 %}{% endfor %}{{ ns.n }}",
      "7" },
    { "{{ messages[-1].content[1:] }}{{ messages[::-1][0].role }}{{ -7 // 2 }}{{ -7 % 3 }}", "\xc3\xa9"
                                                                                             "euser-42" },
    { "{{ ['a', 1, none, true] }}{{ {'k': 'v'} | tojson }}{{ 'x' ~ 1.5 }}", "['a', 1, None, True]{\"k\": \"v\"}x1.5" },
    { "{{ 'a-b-c'.split('-')[-1] | upper }}{{ 'abc'.startswith('ab') and 'b' in 'abc' }}{{ x is defined }}{{ x | "
      "default('d') }}",
      "CTrueFalsed" },
    { "{# note #}{{ bos_token }}{{ 'yes' if 2 > 1 else 'no' }}{{ not false == true }}", "<s>yesTrue" },
    { "{% for k, v in {'one': 1, 'two': 2}.items() %}{{ k }}{{ v }}{% else %}none{% endfor %}", "one1two2" },
    { "{% set x %}in{{ 1 }}{% endset %}[{{ x }}]\n", "[in1]" },
};

static const struct { const char *source; precis_status status; const char *why; } refused[] = {
    { "{% include 'x' %}", PRECIS_EUNSUPPORTED, "include" },
    { "{{ raise_exception('no system') }}", PRECIS_EFORMAT, "no system" },
    { "\n\n{{ 1 +", PRECIS_EFORMAT, "line 3" },
    { "{% if x %}", PRECIS_EFORMAT, "endif" },
    { "{{ 'a' | nosuch }}", PRECIS_EUNSUPPORTED, "nosuch" },
    { "{% for i in range(1000000) %}{% for k in range(1000000) %}x{% endfor %}{% endfor %}", PRECIS_EFORMAT, "than" },
    { "{{ 'aaaaaaaaaaaaaaaa' * 100000000 }}", PRECIS_EFORMAT, "more than" },
};

static void test_render(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof renders / sizeof *renders; i++) {
        char *out;
        OK(ctx, precis_chat_render(ctx, renders[i].source, messages, 4, 1, "<s>", "</s>", &out));
        assert_string_equal(out, renders[i].want);
        precis_text_free(ctx, out);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char *out;
        assert_int_equal(precis_chat_render(ctx, refused[i].source, messages, 4, 1, "", "", &out), refused[i].status);
        if (!strstr(precis_ctx_message(ctx), refused[i].why))
            fail_msg("%s: %s", refused[i].source, precis_ctx_message(ctx));
        assert_null(out);
    }
    char deep[4001];
    memset(deep, '(', 4000);
    memcpy(deep, "{{", 2);
    deep[4000] = 0;
    char *out;
    assert_int_equal(precis_chat_render(ctx, deep, messages, 4, 1, "", "", &out), PRECIS_EFORMAT);
    precis_ctx_close(&ctx);
}

static precis_tokenizer *open_tokenizer(precis_ctx *ctx, const char *path, precis_model **m)
{
    precis_tokenizer *t;
    OK(ctx, precis_model_open(ctx, m, path));
    OK(ctx, precis_tokenizer_open(ctx, &t, *m));
    return t;
}

static void test_round_trip(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_tokenizer *t = open_tokenizer(ctx, MODEL, &m);
    uint64_t seed = 3;
    for (int round = 0; round < 300; round++) {
        char text[400], back[4096];
        const size_t n = pcs_rand(&seed) % sizeof text;
        for (size_t i = 0; i < n; i++)
            text[i] = round & 1 ? (char)pcs_rand(&seed) : "the quick, brown\n 42 's  "[pcs_rand(&seed) % 25];
        int32_t *ids;
        size_t count, at = 0, len;
        OK(ctx, precis_tokenizer_encode(t, text, n, 0, &ids, &count));
        for (size_t i = 0; i < count; i++) {
            const char *p = precis_tokenizer_piece(t, ids[i], 1, &len);
            assert_true(at + len <= sizeof back);
            memcpy(back + at, p, len);
            at += len;
        }
        if (at != n || memcmp(back, text, n)) fail_msg("round %d: the bytes came back changed", round);
        precis_ids_free(t, ids);
    }
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* What a user spells out is no special token; the template's own is. */
static void test_guard(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_tokenizer *t = open_tokenizer(ctx, MODEL, &m);
    size_t len, n, k;
    int32_t *ids, *plain;
    char mark[64], text[256], *guarded;
    const int32_t eos = precis_tokenizer_eos(t);
    assert_true(eos >= 0);
    const char *piece = precis_tokenizer_piece(t, eos, 1, &len);
    snprintf(mark, sizeof mark, "%.*s", (int)len, piece);
    snprintf(text, sizeof text, "say %s now", mark);
    OK(ctx, precis_tokenizer_guard(t, text, &guarded));
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", guarded, mark);
    OK(ctx, precis_tokenizer_encode(t, whole, strlen(whole), PRECIS_TEXT_PARSE | PRECIS_TEXT_GUARD, &ids, &n));
    OK(ctx, precis_tokenizer_encode(t, text, strlen(text), 0, &plain, &k)); /* as text */
    assert_true(n == k + 1 && !memcmp(ids, plain, k * sizeof *ids) && ids[n - 1] == eos);
    precis_ids_free(t, ids);
    precis_ids_free(t, plain);
    precis_text_free(ctx, guarded);
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* User-defined tokens are found in any text: a guard leaves them whole. */
static void test_guard_user(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_tokenizer *t = open_tokenizer(ctx, CORPUS "/gguf/user_token", &m); /* "ab" is one */
    char *guarded;
    OK(ctx, precis_tokenizer_guard(t, "cab<|im_end|>ab", &guarded));
    assert_string_equal(guarded, "cab<\xff|im_end|>ab");
    precis_text_free(ctx, guarded);
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* llama.cpp's own cases: .inp holds texts, .out their ids. */
static void vectors(const char *name)
{
    char path[4096];
    size_t n_in, n_out;
    snprintf(path, sizeof path, "%s/../shared/data/tokenizer-vectors/ggml-vocab-%s.gguf", PRECIS_SOURCE_DIR, name);
    if (access(path, R_OK)) {
        print_message("skipped: %s is not here\n", path);
        skip();
    }
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_tokenizer *t = open_tokenizer(ctx, path, &m);
    snprintf(path + strlen(path), sizeof path - strlen(path), ".inp");
    char *in = test_read(path, &n_in);
    memcpy(path + strlen(path) - 4, ".out", 4);
    char *out = test_read(path, &n_out), *line = out;
    assert_true(in && out);
    static const char gap[] = "\n__ggml_vocab_test__\n";
    int cases = 0;
    for (char *text = in; text; cases++) {
        char *end = strstr(text, gap);
        const size_t len = end ? (size_t)(end - text) : strlen(text);
        int32_t *ids;
        size_t n;
        OK(ctx, precis_tokenizer_encode(t, text, len, 0, &ids, &n));
        char *stop = line + strcspn(line, "\n");
        for (size_t i = 0; i < n; i++) {
            char *next;
            const long want = strtol(line, &next, 10);
            if (next == line || next > stop || want != ids[i])
                fail_msg("%s, case %d, token %zu: %d, not %ld", name, cases, i, ids[i], want);
            line = next;
        }
        while (line < stop && *line == ' ') line++;
        if (line != stop) fail_msg("%s, case %d: tokens are missing", name, cases);
        line = *stop ? stop + 1 : stop;
        precis_ids_free(t, ids);
        text = end ? end + strlen(gap) : NULL;
    }
    assert_true(cases > 40);
    free(in);
    free(out);
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* A caller who wants to stop is heard within a long text, also where all of it is one piece. */
static void test_cancel(void **state)
{
    (void)state;
    enum { LONG = 5 << 20 };
    volatile int cancel = 0;
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    precis_ctx *ctx;
    precis_model *m;
    int32_t *ids;
    size_t n;
    o.cancel = &cancel;
    assert_int_equal(precis_ctx_open(&ctx, &o), PRECIS_OK);
    precis_tokenizer *t = open_tokenizer(ctx, MODEL, &m);
    char *text = malloc(LONG);
    assert_non_null(text);
    for (int one = 0; one < 2; one++) {
        for (size_t i = 0; i < LONG; i++) text[i] = one || i % 5 ? (char)('a' + i % 7) : ' ';
        cancel = 1;
        assert_int_equal(precis_tokenizer_encode(t, text, LONG, 0, &ids, &n), PRECIS_ECANCELED);
        assert_null(ids);
        cancel = 0;
    }
    OK(ctx, precis_tokenizer_encode(t, text, 1000, 0, &ids, &n));
    precis_ids_free(t, ids);
    free(text);
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static void test_gpt2(void **state) { (void)state, vectors("gpt-2"); }
static void test_starcoder(void **state) { (void)state, vectors("starcoder"); }
static void test_llama_spm(void **state) { (void)state, vectors("llama-spm"); }
static void test_phi3(void **state) { (void)state, vectors("phi-3"); }
static void test_bert(void **state) { (void)state, vectors("bert-bge"); }

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_render),    cmocka_unit_test(test_round_trip),
                                        cmocka_unit_test(test_guard),     cmocka_unit_test(test_guard_user),
                                        cmocka_unit_test(test_cancel),    cmocka_unit_test(test_gpt2),
                                        cmocka_unit_test(test_starcoder), cmocka_unit_test(test_llama_spm),
                                        cmocka_unit_test(test_phi3),      cmocka_unit_test(test_bert) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
