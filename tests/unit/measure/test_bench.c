/* What bench says of a model and of kernels, but for how fast they are: bytes that are read, limits that follow from
 * speeds, requests that are refused, and a callback that stops. */
#include "test.h"

#include "model/model.h"

#include <math.h>

/* Bytes of all weights that a token reads: all but the embedding's other rows. */
static uint64_t weights_of(const precis_model *m)
{
    uint64_t all = 0;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].is.role != PCS_ROLE_token_embd) all += m->tensors[i].bytes;
    return all;
}

static void test_model(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    for (uint32_t sequences = 1; sequences <= 3; sequences += 2) {
        precis_bench_options o = PRECIS_BENCH_OPTIONS_INIT;
        precis_bench_result r = { .size = sizeof r };
        o.prompt = 24;
        o.generate = 3;
        o.sequences = sequences;
        o.k_type = o.v_type = "f16";
        OK(ctx, precis_bench(ctx, MODEL, &o, &r));
        assert_true(r.load_ms > 0 && r.prefill_tok_s > 0 && r.decode_tok_s > 0);
        assert_true(isfinite(r.prefill_tok_s) && isfinite(r.decode_tok_s));
        assert_true(r.rss_bytes > m->tensors[0].bytes);
        assert_true(r.weight_bytes >= weights_of(m) * 9 / 10 && r.weight_bytes < weights_of(m) * 2);
        assert_true(r.kv_bytes > 0);
        /* the limit is what is read at the speed that was measured, or what is computed */
        const double bytes = (double)r.weight_bytes / sequences + (double)r.kv_bytes;
        assert_true(r.limit_decode_tok_s <= r.read_bytes_s / bytes * (1 + 1e-9));
        assert_true(r.limit_decode_tok_s > 0 && r.limit_prefill_tok_s > 0);
        assert_true(r.memory_bytes_s > 0 && r.fma_s > 0 && r.multiply_s > 0);
        assert_true(isnan(r.decode_j) || r.decode_j >= 0);
        for (int i = 0; i < PRECIS_SCALINGS; i++) assert_int_equal(r.scaling[i].threads, 2 << i);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

enum { PROMPT = 24 };
typedef struct { uint64_t weights, products; double prompt, token; int parts, layers, most; } heard;

static int part(void *user, const precis_bench_part *p)
{
    heard *t = user;
    assert_int_equal(p->size, sizeof *p);
    assert_true(p->steps > 0 && p->prompt_s >= 0 && p->token_s > 0);
    assert_true(p->prompt_busy >= 0 && p->prompt_busy <= 1 && p->token_busy > 0 && p->token_busy <= 1);
    assert_true(!p->bytes || p->type);
    if (p->name && strstr(p->name, "*")) t->layers = (int)p->steps;
    t->weights += p->bytes;
    t->products += p->type ? p->products : 0;
    t->prompt += p->prompt_s;
    t->token += p->token_s;
    return ++t->parts == t->most;
}

/* Steps of all layers are one row; their weights are those that bench says a token reads, and each meets each token of
 * the prompt once, but for the head's, which meets the last. */
static void test_parts(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    for (uint32_t sequences = 1; sequences <= 3; sequences += 2) {
        heard t = { 0 };
        precis_bench_options o = PRECIS_BENCH_OPTIONS_INIT;
        precis_bench_result r = { .size = sizeof r };
        o.prompt = PROMPT;
        o.generate = 3;
        o.sequences = sequences;
        o.part = part;
        o.user = &t;
        OK(ctx, precis_bench(ctx, MODEL, &o, &r));
        assert_true(t.parts > 10 && t.layers > 1 && t.prompt > 0 && t.token > 0);
        assert_int_equal(t.weights, r.weight_bytes);
        /* Rows of F16 or Q8_0 are two numbers or one a byte. */
        assert_true(t.products > t.weights * PROMPT / 4 && t.products < t.weights * PROMPT);
        t = (heard){ .most = 3 };
        assert_int_equal(precis_bench(ctx, MODEL, &o, &r), PRECIS_ECANCELED);
        assert_int_equal(t.parts, 3);
    }
    precis_ctx_close(&ctx);
}

static void test_refused(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_bench_options o = PRECIS_BENCH_OPTIONS_INIT;
    precis_bench_result r = { .size = sizeof r };
    assert_int_equal(precis_bench(ctx, "/nonexistent/model.gguf", &o, &r), PRECIS_EIO);
    assert_non_null(strstr(precis_ctx_message(ctx), "/nonexistent/model.gguf"));
    o.k_type = "f17";
    assert_int_equal(precis_bench(ctx, MODEL, &o, &r), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "f17"));
    precis_ctx_close(&ctx);
}

typedef struct { precis_kernel_speed seen[2]; int n; } seen;

static int two(void *user, const precis_kernel_speed *s)
{
    seen *k = user;
    k->seen[k->n++] = *s;
    return k->n == 2;
}

static void test_kernels(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    seen k = { .n = 0 };
    assert_int_equal(precis_bench_kernels(ctx, two, &k), PRECIS_ECANCELED);
    assert_int_equal(k.n, 2);
    for (int i = 0; i < 2; i++) {
        const precis_kernel_speed *s = &k.seen[i];
        assert_true(s->size == sizeof *s && s->type && s->isa);
        assert_true(!strcmp(s->kernel, "mv") || !strcmp(s->kernel, "mp"));
        assert_true(s->memory > 0 && s->limit_memory > 0 && s->limit_cache > 0 && s->limit_multiply > 0);
        assert_true((s->multiply > 0) == (s->multiply_isa != NULL)); /* of quantized weights alone */
        assert_true((s->tiles > 0) == (s->limit_tiles > 0));
    }
    assert_string_not_equal(k.seen[0].type, k.seen[1].type);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_model), cmocka_unit_test(test_parts),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_kernels) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
