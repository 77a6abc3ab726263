/* What more threads would lose, against the program's own weights: how even strips are, how many barriers there are,
 * and shares that follow from them. */
#include "test.h"

#include "kernel/kernel.h"
#include "measure/threads.h"
#include "run/runner.h"

#include <math.h>

/* Rows of the strip that a thread has of n: whole panels, shared out evenly. */
static uint64_t strip(uint64_t n, uint32_t ith, uint32_t threads)
{
    const uint64_t panels = (n + PCS_PANEL - 1) / PCS_PANEL;
    uint64_t begin = panels * ith / threads * PCS_PANEL, end = panels * (ith + 1) / threads * PCS_PANEL;
    begin = begin < n ? begin : n;
    end = end < n ? end : n;
    return end - begin;
}

/* Steps of threads that wait for nobody, then all of them: the slowest thread's bytes, and everyone's. */
static double evenness(const precis_program *p, uint32_t threads, uint32_t *barriers)
{
    uint64_t load[16] = { 0 }, slowest = 0, all = 0;
    *barriers = 1;
    for (size_t i = 0; i <= p->n_steps; i++) {
        if (i == p->n_steps || p->steps[i].barrier_one) {
            uint64_t most = 0;
            for (uint32_t t = 0; t < threads; t++) most = load[t] > most ? load[t] : most, load[t] = 0;
            slowest += most;
            *barriers += i < p->n_steps;
        }
        const pcs_step *s = &p->steps[i];
        if (i == p->n_steps || !s->op || !s->op->reads_stored) continue;
        const pcs_value *w = &p->slots[s->in[s->op->reads_stored]].v;
        if (w->dtype != PCS_STORED || w->dims != 2) continue;
        for (uint32_t t = 0; t < threads; t++) {
            const uint64_t bytes = strip((uint64_t)w->shape[0], t, threads) *
                                   pcs_row_bytes(w->format, (uint64_t)w->shape[1]);
            load[t] += bytes;
            all += bytes;
        }
    }
    return (double)all / ((double)slowest * threads);
}

static void test_estimate(void **state)
{
    (void)state;
    static const uint32_t threads[PRECIS_SCALINGS] = { 2, 4, 8, 16 };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_runner *r;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = 64;
    o.pack = PRECIS_PACK_OFF;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, precis_runner_open(ctx, &r, m, &o));
    precis_bench_result slow = { .size = sizeof slow }, fast = slow;
    assert_int_equal(pcs_scaling_estimate(r->program, 1e9, 1, &slow), PRECIS_OK);
    /* the first token takes 30 years, so nobody waits at a barrier; the other a microsecond: everybody does */
    assert_int_equal(pcs_scaling_estimate(r->program, 1e9, 1e15, &fast), PRECIS_OK);
    for (int i = 0; i < PRECIS_SCALINGS; i++) {
        uint32_t barriers;
        const double even = evenness(r->program, threads[i], &barriers);
        assert_int_equal(slow.scaling[i].threads, threads[i]);
        assert_int_equal(slow.barriers, barriers);
        assert_true(fabs(slow.scaling[i].strips - even) < 1e-12 && even > 0 && even <= 1);
        assert_true(slow.scaling[i].strips == fast.scaling[i].strips);
        if (slow.barrier_s == 0) assert_true(slow.scaling[i].share == 0); /* one processor: it is not known */
        else assert_true(fabs(slow.scaling[i].share - even) < 1e-6);
        if (fast.barrier_s > 0) assert_true(fast.scaling[i].share > 0 && fast.scaling[i].share < 0.1);
    }
    assert_true(slow.barrier_threads >= 1 && slow.barrier_s >= 0 && slow.barrier_s < 1);
    precis_runner_close(&r);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_estimate) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
