/* Steps of many tensors at once: every number the same as by steps one after another, for any number of threads; and the
 * norm of gradients, too. */
#include "test.h"

#include "train/optimizer.h"

/* Two that threads share (vectors, and a matrix whose memory is much), and more that one thread steps than there are
 * threads, tall and wide ones of odd sizes among them. */
static const struct { const char *by; size_t rows, columns; } tensors[] = {
    { "adamw", 1, 300 }, { "muon", 40, 24 },  { "muon", 24, 40 }, { "muon", 560, 600 }, { "muon", 17, 33 },
    { "muon", 64, 64 },  { "muon", 96, 31 },  { "muon", 1, 7 },   { "adamw", 70, 512 }, { "muon", 48, 48 },
};
enum { N = sizeof tensors / sizeof *tensors, STEPS = 2 };

typedef struct { float *p[N], *g[N]; void *state[N]; } model;

static void model_open(model *m)
{
    for (size_t i = 0; i < N; i++) {
        const size_t n = tensors[i].rows * tensors[i].columns;
        const pcs_optimizer *by = pcs_optimizer_by_name(tensors[i].by);
        const pcs_optimizer_settings set = { 0 };
        m->p[i] = calloc(n, sizeof(float)), m->g[i] = calloc(n, sizeof(float));
        m->state[i] = calloc(1, by->bytes(&set, tensors[i].rows, tensors[i].columns));
        assert_true(m->p[i] && m->g[i] && m->state[i]);
        test_fill(m->p[i], n, (unsigned)i + 1, 1);
        test_fill(m->g[i], n, (unsigned)i + 50, 0.1f);
    }
}

static void model_close(model *m)
{
    for (size_t i = 0; i < N; i++) free(m->p[i]), free(m->g[i]), free(m->state[i]);
}

static void steps_of(precis_ctx *ctx, model *m, bool at_once)
{
    for (uint64_t step = 1; step <= STEPS; step++) {
        pcs_stepping all[N];
        for (size_t i = 0; i < N; i++) {
            all[i] = (pcs_stepping){ .by = pcs_optimizer_by_name(tensors[i].by),
                                     .set = { .lr = 0.01, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .decay = 0.1,
                                              .momentum = 0.95, .nesterov = 1 },
                                     .update = { .p = m->p[i], .g = m->g[i], .rows = tensors[i].rows,
                                                 .columns = tensors[i].columns, .state = m->state[i],
                                                 .step = step } };
            all[i].update.set = &all[i].set;
            if (!at_once) OK(ctx, all[i].by->step(ctx, &all[i].update));
        }
        if (at_once) OK(ctx, pcs_steps(ctx, all, N));
    }
}

static void test_steps(void **state)
{
    (void)state;
    const pcs_optimizer *muon = pcs_optimizer_by_name("muon");
    assert_true(muon->alone_bytes(560, 600) == 0 && muon->alone_bytes(40, 24) > 0);
    precis_ctx *one = test_ctx(1);
    model want;
    model_open(&want);
    steps_of(one, &want, false);
    for (uint32_t threads = 1; threads <= 7; threads += 2) {
        precis_ctx *ctx = test_ctx(threads);
        model got;
        model_open(&got);
        steps_of(ctx, &got, true);
        for (size_t i = 0; i < N; i++) {
            const size_t bytes = tensors[i].rows * tensors[i].columns * sizeof(float);
            if (memcmp(got.p[i], want.p[i], bytes)) fail_msg("tensor %zu on %u threads", i, threads);
        }
        model_close(&got);
        precis_ctx_close(&ctx);
    }
    model_close(&want);
    precis_ctx_close(&one);
}

static void test_norm(void **state)
{
    (void)state;
    double want = 0;
    model m;
    model_open(&m);
    for (uint32_t threads = 1; threads <= 4; threads++) {
        precis_ctx *ctx = test_ctx(threads);
        pcs_gradient all[N + 1] = { { 0 } }; /* the last is of nothing */
        double norm, plain = 0;
        for (size_t i = 0; i < N; i++) {
            all[i] = (pcs_gradient){ m.g[i], tensors[i].rows * tensors[i].columns };
            for (size_t k = 0; k < all[i].n; k++) plain += (double)m.g[i][k] * m.g[i][k];
        }
        OK(ctx, pcs_clip_norm(ctx, all, N + 1, 0, &norm));
        if (threads == 1) want = norm;
        assert_true(norm == want && norm * norm > plain * (1 - 1e-12) && norm * norm < plain * (1 + 1e-12));
        precis_ctx_close(&ctx);
    }
    model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_steps), cmocka_unit_test(test_norm) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
