/* The sampler alone, on logits that are made up: what it may choose, how often, and what its history does. */
#include "test.h"

#include <math.h>
#include <time.h>

enum { N = 8, DRAWS = 40000 };

static const float logits[N] = { 1.0f, 0.0f, 3.0f, -1.0f, 2.0f, -2.0f, 0.5f, -4.0f };

static precis_sampler_options whole(float temperature)
{
    precis_sampler_options o = PRECIS_SAMPLER_OPTIONS_INIT;
    o.temperature = temperature;
    o.top_k = 0;
    o.top_p = 1;
    o.min_p = 0;
    o.seed = 17;
    return o;
}

static void draw(precis_ctx *ctx, const precis_sampler_options *o, double share[N])
{
    precis_sampler *s;
    OK(ctx, precis_sampler_open(ctx, &s, N, o));
    for (int i = 0; i < N; i++) share[i] = 0;
    for (int i = 0; i < DRAWS; i++) {
        const int32_t id = precis_sampler_next(s, logits);
        assert_in_range(id, 0, N - 1);
        share[id] += 1.0 / DRAWS;
    }
    precis_sampler_close(&s);
}

/* Shares are softmax(logits / temperature) over what is left, within five standard errors. */
static void agree(const double share[N], const bool left[N], double temperature)
{
    double sum = 0;
    for (int i = 0; i < N; i++) sum += left[i] ? exp((double)logits[i] / temperature) : 0;
    for (int i = 0; i < N; i++) {
        const double p = left[i] ? exp((double)logits[i] / temperature) / sum : 0;
        if (fabs(share[i] - p) > 5 * sqrt(p * (1 - p) / DRAWS))
            fail_msg("token %d: %g of draws, not %g", i, share[i], p);
    }
}

static void test_distribution(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    double share[N];
    const bool all[N] = { true, true, true, true, true, true, true, true };
    precis_sampler_options o = whole(1);
    draw(ctx, &o, share);
    agree(share, all, 1);
    o = whole(2.5f);
    draw(ctx, &o, share);
    agree(share, all, 2.5);
    o.top_k = N; /* no cut, by the other road */
    o.top_p = 0.99999f;
    draw(ctx, &o, share);
    agree(share, all, 2.5);
    precis_ctx_close(&ctx);
}

static void test_cuts(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    double share[N];
    precis_sampler_options o = whole(1);
    o.top_k = 3;
    draw(ctx, &o, share);
    agree(share, (const bool[N]){ [0] = true, [2] = true, [4] = true }, 1);
    o = whole(1);
    o.top_p = 0.8f; /* 3.0 has 0.60 of it and 2.0 has 0.22: both are needed */
    draw(ctx, &o, share);
    agree(share, (const bool[N]){ [2] = true, [4] = true }, 1);
    o = whole(1);
    o.min_p = 0.1f; /* exp(-2) = 0.135 stays, exp(-2.5) = 0.082 goes */
    draw(ctx, &o, share);
    agree(share, (const bool[N]){ [0] = true, [2] = true, [4] = true }, 1);
    o = whole(0);
    draw(ctx, &o, share);
    assert_true(share[2] > 0.999);
    precis_ctx_close(&ctx);
}

static int32_t greedy(precis_ctx *ctx, precis_sampler_options o, const int32_t *history, size_t n)
{
    precis_sampler *s;
    o.temperature = 0;
    OK(ctx, precis_sampler_open(ctx, &s, N, &o));
    for (size_t i = 0; i < n; i++) precis_sampler_accept(s, history[i]);
    const int32_t id = precis_sampler_next(s, logits);
    precis_sampler_forget(s);
    assert_int_equal(precis_sampler_next(s, logits), 2); /* nothing was said */
    precis_sampler_close(&s);
    return id;
}

/* What the last `window` tokens are is what counts, and each token once, or as often as it stands there. */
static void test_penalties(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_sampler_options o = whole(0);
    o.repetition = 2; /* 3 becomes 1.5, below 2 */
    o.window = 4;
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2 }, 1), 4);
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2, 2, 4 }, 3), 2);       /* 1.5, 1 */
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2, 1, 1, 1, 1 }, 5), 2); /* too long ago */
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2, 1, 2, 1, 1, 1 }, 6), 4);
    assert_int_equal(greedy(ctx, o, (int32_t[]){ -5, N, 1 << 30 }, 3), 2); /* no tokens of ours */
    o.window = 0;
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2 }, 1), 2);
    o = whole(0);
    o.presence = 0.9f;
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2, 2, 2 }, 3), 2); /* 2.1 */
    o.presence = 1.1f;
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2 }, 1), 4);
    o.presence = 0;
    o.frequency = 0.4f;
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2, 2 }, 2), 2); /* 2.2 */
    assert_int_equal(greedy(ctx, o, (int32_t[]){ 2, 2, 2 }, 3), 4);
    o.frequency = NAN;
    precis_sampler *s;
    assert_int_equal(precis_sampler_open(ctx, &s, N, &o), PRECIS_EINVAL);
    assert_null(s);
    precis_ctx_close(&ctx);
}

/* A token costs as much after a long history as after a short one: 2^20 of them took hours to look through. */
static void test_window(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_sampler_options o = whole(1);
    o.repetition = 1.1f;
    o.window = 1u << 20;
    precis_sampler *s;
    OK(ctx, precis_sampler_open(ctx, &s, N, &o));
    for (uint32_t i = 0; i < (1u << 20) + 5; i++) precis_sampler_accept(s, (int32_t)(i % N));
    const clock_t begun = clock();
    for (int i = 0; i < 1000; i++) precis_sampler_next(s, logits);
    assert_true((double)(clock() - begun) / CLOCKS_PER_SEC < 1);
    precis_sampler_close(&s);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
