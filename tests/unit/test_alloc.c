/* test_alloc - the library in a context whose allocator fails: request K, or all from K on. Each job ends with
 * PRECIS_ENOMEM and a sentence, or as if nothing had been; and what it took it gives back. PRECIS_ALLOC_ALL=1 tries
 * every K, not some. (tests/alloc does the same from outside, with the memory of libraries too.) */
#include "test.h"

#include <unistd.h>

enum { TRIED = 24 };

typedef struct { long asked, live, fail_at; bool on; } heap;

static void *take(void *user, void *old, size_t size)
{
    heap *h = user;
    if (!size) {
        h->live -= old != NULL;
        free(old);
        return NULL;
    }
    assert_null(old);
    const long k = ++h->asked;
    void *p = h->fail_at && (h->on ? k >= h->fail_at : k == h->fail_at) ? NULL : malloc(size);
    h->live += p != NULL;
    return p;
}

static const char *in(const char *name)
{
    static char path[8][256];
    static int turn;
    char *p = path[turn++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", test_folder(), name);
    return p;
}

/* What a job gives, in 64 digits; "" when it failed. */
typedef precis_status job_fn(precis_ctx *ctx, char hex[65]);

static precis_status quantized(precis_ctx *ctx, const char *type, const char *method, char hex[65])
{
    static const char text[] = "The other one and the man in there, another thing on the stone; then a winter and an "
                               "inn. The other one and the man in there, another thing on the stone.";
    const char *const texts[1] = { text };
    const size_t lengths[1] = { sizeof text - 1 };
    precis_model *m;
    precis_job job = { 0 };
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    o.type = type;
    o.quant.method = method;
    o.quant.rank = 4;
    o.calibrate.texts = texts;
    o.calibrate.lengths = lengths;
    o.calibrate.n_texts = 1;
    o.eval.window = 16;
    o.eval.windows = 1;
    precis_status st = precis_model_open(ctx, &m, in("m.gguf"));
    if (!st) st = precis_job_quantize(ctx, m, in("o.gguf"), &o, &job);
    precis_job_close(&job);
    precis_model_close(&m);
    return st ? st : precis_sha256_file(ctx, in("o.gguf"), hex);
}

static precis_status quantize(precis_ctx *ctx, char hex[65]) { return quantized(ctx, "Q4_0", NULL, hex); }
static precis_status gptq(precis_ctx *ctx, char hex[65]) { return quantized(ctx, "INT4_G32", "gptq", hex); }
static precis_status rotated(precis_ctx *ctx, char hex[65])
{
    return quantized(ctx, "UINT4_G32", "rotate+hqq+svd", hex);
}

static precis_status scaled(precis_ctx *ctx, char hex[65]) { return quantized(ctx, "INT4_G32", "awq+clip+rtn", hex); }
static precis_status emulated(precis_ctx *ctx, char hex[65]) { return quantized(ctx, "W4A8KV8", NULL, hex); }

static precis_status converted(precis_ctx *ctx, const char *from, const char *format, const char *adapter,
                               const char *out, char hex[65])
{
    precis_model *m, *again = NULL;
    precis_convert_report *r = NULL;
    precis_convert_options o = PRECIS_CONVERT_OPTIONS_INIT;
    o.format = format;
    precis_status st = precis_model_open(ctx, &m, in(from));
    if (!st && adapter) st = precis_model_add_adapter(ctx, m, in(adapter), 0.5, 1);
    if (!st) st = precis_convert(ctx, m, in(out), &o, &r);
    if (!st) st = precis_model_open(ctx, &again, in(out));
    if (!st)
        st = strcmp(format, "safetensors") ? precis_sha256_file(ctx, in(out), hex) : precis_model_sha256(again, hex);
    precis_convert_report_close(&r);
    precis_model_close(&again);
    precis_model_close(&m);
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", in(out));
    assert_int_equal(system(command), 0);
    return st;
}

static precis_status to_gguf(precis_ctx *ctx, char hex[65])
{
    return converted(ctx, "m.gguf", "gguf", "lora.gguf", "c.gguf", hex);
}

static precis_status to_packed(precis_ctx *ctx, char hex[65])
{
    return converted(ctx, "m.gguf", "packed", NULL, "c.packed.gguf", hex);
}

static precis_status to_folder(precis_ctx *ctx, char hex[65])
{
    return converted(ctx, "m.gguf", "safetensors", NULL, "hf", hex);
}

static precis_status profile(precis_ctx *ctx, char hex[65])
{
    precis_model *m;
    precis_profile *p = NULL, *again = NULL;
    precis_planning plan = { 0 };
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    precis_planning_options po = PRECIS_PLANNING_OPTIONS_INIT;
    o.types = "Q8_0,Q4_0";
    o.calibrate.tokens = 16;
    precis_status st = precis_model_open(ctx, &m, in("m.gguf"));
    if (!st) st = precis_profile_make(ctx, &p, m, &o);
    if (!st) st = precis_profile_save(ctx, p, in("p.json"));
    if (!st) st = precis_profile_open(ctx, &again, in("p.json"));
    po.max_part = 0.4;
    po.quant.profile = again;
    if (!st) st = precis_job_plan(ctx, m, &po, &plan);
    if (!st) st = precis_planning_save(ctx, &plan, &po, in("plan.json"));
    if (!st) st = precis_sha256_file(ctx, in("plan.json"), hex);
    precis_planning_close(&plan);
    precis_profile_close(&again);
    precis_profile_close(&p);
    precis_model_close(&m);
    return st;
}

static precis_status fit(precis_ctx *ctx, char hex[65])
{
    precis_law *form;
    precis_law_fit f = { .size = sizeof f };
    precis_law_fit_options o = PRECIS_LAW_FIT_OPTIONS_INIT;
    o.bootstrap = 3;
    o.profile = o.holdout = 1;
    precis_status st = precis_law_open(ctx, &form, in("own.law"));
    if (!st) st = precis_law_fit_run(ctx, &f, form, in("runs.csv"), &o);
    if (!st) st = precis_law_fit_save(ctx, &f, in("fit.json"));
    if (!st) st = precis_sha256_file(ctx, in("fit.json"), hex);
    precis_law_fit_close(&f);
    precis_law_close(&form);
    return st;
}

static precis_status predict(precis_ctx *ctx, char hex[65])
{
    precis_law *law;
    precis_law_point p;
    struct { precis_law_value v; precis_law_choice c[8]; double D; } r;
    size_t n = 8;
    precis_law_budget b = PRECIS_LAW_BUDGET_INIT;
    memset(&r, 0, sizeof r);
    precis_law_point_init(&p);
    p.v[PRECIS_LAW_N] = 1e9;
    p.v[PRECIS_LAW_D] = 1e11;
    p.v[PRECIS_LAW_BITS_POST] = 4;
    b.compute = 1e21;
    precis_law_point_init(&b.point);
    r.v.size = sizeof r.v;
    precis_status st = precis_law_open(ctx, &law, "kumar");
    if (!st) st = precis_law_predict(law, &p, &r.v);
    if (!st) st = precis_law_critical(law, &p, 0, &r.D);
    if (!st) st = precis_law_optimal(law, &b, r.c, &n);
    precis_law_close(&law);
    const double figures[] = { r.v.loss, r.v.base,  r.v.ptq,  r.v.n_eff,   r.v.loss16,
                               r.D,      (double)n, r.c[0].N, r.c[0].loss, r.c[0].n_eff };
    if (!st) precis_sha256(figures, sizeof figures, hex);
    return st;
}

/* Tokens, a chat, an answer. */
static precis_status talk(precis_ctx *ctx, char hex[65])
{
    precis_model *m;
    precis_tokenizer *t = NULL;
    precis_runner *r = NULL;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    precis_runner_info info = { .size = sizeof info };
    const precis_message message = { "user", "the other" };
    char *text = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    const float *logits = NULL;
    ro.pack = PRECIS_PACK_LOAD;
    precis_status st = precis_model_open_to_run(ctx, &m, in("m.gguf"));
    if (!st) st = precis_tokenizer_open(ctx, &t, m);
    if (!st) st = precis_chat_render(ctx, precis_model_chat_template(m), &message, 1, 1, "", "", &text);
    if (!st) st = precis_tokenizer_encode(t, text, strlen(text), PRECIS_TEXT_PARSE, &ids, &n);
    if (!st) st = precis_runner_open(ctx, &r, m, &ro);
    if (!st) precis_runner_get_info(r, &info);
    for (size_t i = 0; i < n && !st; i++)
        st = precis_runner_decode(r, &(precis_row){ ids[i], (uint32_t)i, 0, i + 1 == n }, 1, &logits);
    if (!st) precis_sha256(logits, info.vocabulary * sizeof *logits, hex);
    precis_runner_close(&r);
    if (t) precis_ids_free(t, ids);
    precis_text_free(ctx, text);
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    return st;
}

/* Two turns of a chat, a copy of its text, and both go on together. */
static precis_status converse(precis_ctx *ctx, char hex[65])
{
    precis_model *m;
    precis_tokenizer *t = NULL;
    precis_runner *r = NULL;
    precis_chat *chat = NULL;
    precis_session *s[2] = { NULL };
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    precis_session_options so = PRECIS_SESSION_OPTIONS_INIT;
    ro.sequences = 2;
    ro.outputs = 4;
    so.predict = 3;
    so.stops = (const char *const[]){ "no such text" };
    so.n_stops = so.lookup = 1;
    precis_status st = precis_model_open_to_run(ctx, &m, in("m.gguf"));
    if (!st) st = precis_tokenizer_open(ctx, &t, m);
    if (!st) st = precis_runner_open(ctx, &r, m, &ro);
    if (!st) st = precis_chat_open(ctx, &chat, t, precis_model_chat_template(m));
    for (; so.sequence < 2 && !st; so.sequence++) st = precis_session_open(ctx, &s[so.sequence], r, t, &so);
    for (int turn = 0; turn < 2 && !st; turn++) {
        st = precis_chat_say(chat, "user", turn ? "an inn" : "the other");
        if (!st) st = precis_session_answer(s[0], chat, NULL, NULL);
    }
    if (!st) st = precis_session_copy(s[1], s[0]);
    for (int i = 0; i < 2 && !st; i++) st = precis_session_append(s[i], (const int32_t[]){ 5, 6 + i }, 2);
    if (!st) st = precis_session_run(s, 2, NULL, NULL);
    precis_session_info info = { .size = sizeof info };
    if (!st) precis_session_get_info(s[1], &info);
    if (!st) precis_sha256(precis_session_all(s[1]), info.tokens * sizeof(int32_t), hex);
    for (int i = 0; i < 2; i++) precis_session_close(&s[i]);
    precis_chat_close(&chat);
    precis_runner_close(&r);
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    return st;
}

static int wrong;

static void complain(const char *name, const heap *h, const char *what)
{
    wrong++;
    print_error("%s, request %ld%s: %s\n", name, h->fail_at, h->on ? " and on" : "", what);
}

/* One run; the number of requests. */
static long run(job_fn *job, const char *name, long fail_at, bool on, const char *want, char hex[65])
{
    heap h = { .fail_at = fail_at, .on = on };
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    precis_ctx *ctx;
    o.threads = 1;
    o.realloc = take;
    o.user = &h;
    memset(hex, 0, 65);
    const precis_status opened = precis_ctx_open(&ctx, &o);
    if (!opened) {
        const precis_status st = job(ctx, hex);
        if (st && !fail_at) fail_msg("%s: %s", name, precis_ctx_message(ctx));
        if (st && (st != PRECIS_ENOMEM || !*precis_ctx_message(ctx))) {
            complain(name, &h, precis_status_name(st));
            complain(name, &h, precis_ctx_message(ctx));
        }
        if (!st && want && strcmp(hex, want)) complain(name, &h, "another result");
        precis_ctx_close(&ctx);
    } else assert_int_equal(opened, PRECIS_ENOMEM);
    if (h.live) complain(name, &h, "blocks stay");
    return h.asked;
}

static void test_jobs(void **state)
{
    (void)state;
    static const struct { const char *name; job_fn *fn; } jobs[] = {
        { "quantize", quantize },
        { "gptq", gptq },
        { "rotate, hqq, svd", rotated },
        { "awq, clip", scaled },
        { "W4A8KV8", emulated },
        { "convert to GGUF", to_gguf },
        { "convert to packed", to_packed },
        { "convert to a folder", to_folder },
        { "profile and plan", profile },
        { "fit", fit },
        { "predict", predict },
        { "talk", talk },
        { "converse", converse },
    };
    char command[600];
    snprintf(command, sizeof command, "python3 '%s/tests/alloc/inputs.py' '%s'", PRECIS_SOURCE_DIR, test_folder());
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        char want[65], hex[65];
        const long n = run(jobs[i].fn, jobs[i].name, 0, false, NULL, want),
                   step = getenv("PRECIS_ALLOC_ALL") ? 1 : n / TRIED + 1;
        for (long k = 1; k <= n; k += step) {
            run(jobs[i].fn, jobs[i].name, k, false, want, hex);
            run(jobs[i].fn, jobs[i].name, k, true, want, hex);
        }
        print_message("%s: %ld requests\n", jobs[i].name, n);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_jobs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
