/* A call of the runner that is refused, stopped or fails leaves every sequence as it was. And older, shorter structs of
 * options. */
#include "base/options.h"
#include "run/runner.h"
#include "test.h"

typedef struct { precis_ctx *ctx; precis_model *m; precis_runner *r; } runner_only;

static volatile int cancel;

static runner_only open_runner(uint32_t outputs)
{
    runner_only f;
    precis_ctx_options co = PRECIS_CTX_OPTIONS_INIT;
    co.threads = 2;
    co.cancel = &cancel;
    cancel = 0;
    assert_int_equal(precis_ctx_open(&f.ctx, &co), PRECIS_OK);
    OK(f.ctx, precis_model_open(f.ctx, &f.m, MODEL));
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = 32;
    o.batch = 16;
    o.outputs = outputs;
    o.sequences = 3;
    OK(f.ctx, precis_runner_open(f.ctx, &f.r, f.m, &o));
    return f;
}

static void close_runner(runner_only *f)
{
    precis_runner_close(&f->r);
    precis_model_close(&f->m);
    precis_ctx_close(&f->ctx);
}

/* Refused, and the lengths are a, b, c. */
static void refused(runner_only *f, const precis_row *rows, uint32_t n, uint32_t a, uint32_t b, uint32_t c)
{
    const float *logits = (const float *)f;
    assert_int_equal(precis_runner_decode(f->r, rows, n, &logits), PRECIS_EINVAL);
    assert_null(logits);
    assert_int_equal(f->r->lengths[0], a);
    assert_int_equal(f->r->lengths[1], b);
    assert_int_equal(f->r->lengths[2], c);
}

static void test_refused(void **state)
{
    (void)state;
    runner_only f = open_runner(1);
    const uint32_t vocabulary = f.r->lm.vocabulary;
    /* two rows want logits, and there is room for one */
    refused(&f, (precis_row[]){ { 5, 0, 0, 0 }, { 6, 1, 0, 1 }, { 7, 2, 0, 1 }, { 8, 3, 0, 0 } }, 4, 0, 0, 0);
    /* nothing has been computed, so nothing can go on after it */
    refused(&f, (precis_row[]){ { 7, 2, 0, 1 } }, 1, 0, 0, 0);
    refused(&f, (precis_row[]){ { 5, 0, 0, 0 }, { 5, 0, 1, 0 }, { (int32_t)vocabulary, 1, 1, 0 } }, 3, 0, 0, 0);
    refused(&f, (precis_row[]){ { 5, 0, 2, 0 }, { 5, 0, 3, 0 } }, 2, 0, 0, 0);
    refused(&f, (precis_row[]){ { 5, 0, 2, 0 }, { 5, 2, 2, 0 } }, 2, 0, 0, 0);
    const precis_row first[] = { { 5, 0, 0, 0 }, { 6, 1, 0, 0 }, { 7, 2, 0, 0 }, { 5, 0, 1, 1 } };
    OK(f.ctx, precis_runner_decode(f.r, first, 4, NULL));
    /* a sequence that would begin anew, and one that would go on */
    refused(&f, (precis_row[]){ { 9, 1, 0, 0 }, { 9, 2, 0, 0 }, { 9, 1, 1, 0 }, { -1, 0, 2, 0 } }, 4, 3, 1, 0);
    refused(&f, (precis_row[]){ { 9, 1, 0, 0 }, { 9, 32, 0, 0 } }, 2, 3, 1, 0);
    close_runner(&f);
}

/* Tokens after a failed call have the bits that they have without it. */
static void test_stopped(void **state)
{
    (void)state;
    const precis_row prompt[] = { { 5, 0, 0, 0 }, { 6, 1, 0, 0 }, { 7, 2, 0, 0 } };
    const precis_row more[] = { { 8, 3, 0, 0 }, { 9, 4, 0, 1 } };
    runner_only f = open_runner(1);
    const float *logits;
    OK(f.ctx, precis_runner_decode(f.r, prompt, 3, NULL));
    OK(f.ctx, precis_runner_decode(f.r, more, 2, &logits));
    const size_t bytes = f.r->lm.vocabulary * sizeof *logits;
    float *want = malloc(bytes);
    memcpy(want, logits, bytes);
    close_runner(&f);
    f = open_runner(1);
    OK(f.ctx, precis_runner_decode(f.r, prompt, 3, NULL));
    cancel = 1;
    const precis_status st = precis_runner_decode(f.r, more, 2, &logits);
    if (st) {
        assert_int_equal(st, PRECIS_ECANCELED);
        assert_null(logits);
        assert_int_equal(f.r->lengths[0], 3);
    }
    cancel = 0;
    OK(f.ctx, precis_runner_decode(f.r, more, 2, &logits));
    assert_memory_equal(logits, want, bytes);
    free(want);
    close_runner(&f);
}

/* Logits of one token behind two, by so many threads; how many steps threads share the columns of. */
static size_t one_token(const char *path, uint32_t threads, float *logits, size_t most)
{
    precis_ctx *ctx = test_ctx(threads);
    precis_model *m;
    precis_runner *r;
    const float *got;
    size_t columns = 0;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = 32;
    OK(ctx, precis_model_open(ctx, &m, path));
    OK(ctx, precis_runner_open(ctx, &r, m, &o));
    OK(ctx, precis_runner_decode(r, (precis_row[]){ { 5, 0, 0, 0 }, { 6, 1, 0, 0 } }, 2, NULL));
    OK(ctx, precis_runner_decode(r, (precis_row[]){ { 7, 2, 0, 1 } }, 1, &got));
    assert_true(r->lm.vocabulary <= most);
    memcpy(logits, got, r->lm.vocabulary * sizeof *got);
    for (size_t i = 0; i < r->program->n_steps; i++) columns += r->program->steps[i].columns;
    precis_runner_close(&r);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
    return columns;
}

/* SwiGLU of one token, 768 numbers, and the codes that are made of it are shared by columns in each of 8 layers. */
static void test_columns(void **state)
{
    (void)state;
    enum { VOCABULARY = 4096, LAYERS = 8 };
    static float want[VOCABULARY], got[VOCABULARY];
    assert_int_equal(one_token(MODEL, 1, want, VOCABULARY), LAYERS);
    assert_int_equal(one_token(MODEL, 3, got, VOCABULARY), LAYERS);
    assert_memory_equal(got, want, sizeof want);
    const char *const codes = PRECIS_SOURCE_DIR "/models/books-7m/books-7m-Q4_0.gguf";
    assert_int_equal(one_token(codes, 1, want, VOCABULARY), 2 * LAYERS);
    assert_int_equal(one_token(codes, 2, got, VOCABULARY), 2 * LAYERS);
    assert_memory_equal(got, want, sizeof want);
}

/* What lies after a shorter struct is not read: there the defaults hold. */
#define SHORT(type, init, member) \
    do { \
        const type whole = init; \
        type given, own; \
        memcpy(&given, &whole, sizeof given); /* with the bytes between members, which an assignment leaves open */ \
        memcpy(&own, &whole, sizeof own); \
        memset((char *)&given + offsetof(type, member), 0xa5, sizeof given - offsetof(type, member)); \
        given.size = (uint32_t)offsetof(type, member); \
        pcs_options_take(&own, sizeof own, &given); \
        assert_memory_equal(&own, &whole, sizeof own); \
    } while (0)

static void test_options(void **state)
{
    (void)state;
    SHORT(precis_runner_options, PRECIS_RUNNER_OPTIONS_INIT, pack);
    SHORT(precis_sampler_options, PRECIS_SAMPLER_OPTIONS_INIT, top_k);
    SHORT(precis_convert_options, PRECIS_CONVERT_OPTIONS_INIT, own);
    SHORT(precis_calibrate_options, PRECIS_CALIBRATE_OPTIONS_INIT, tokens);
    runner_only f = open_runner(1);
    precis_sampler_options so = PRECIS_SAMPLER_OPTIONS_INIT;
    so.size = (uint32_t)offsetof(precis_sampler_options, top_p);
    so.top_p = -3;
    precis_sampler *s;
    OK(f.ctx, precis_sampler_open(f.ctx, &s, f.r->lm.vocabulary, &so));
    precis_sampler_close(&s);
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.context = 32;
    ro.size = (uint32_t)offsetof(precis_runner_options, k_type);
    ro.k_type = ro.v_type = "behind the end of an old struct";
    precis_runner *r;
    OK(f.ctx, precis_runner_open(f.ctx, &r, f.m, &ro));
    precis_runner_close(&r);
    close_runner(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
