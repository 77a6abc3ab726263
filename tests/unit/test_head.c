/* The statistics that methods take see the input of every multiplication at every position, the head's as well. */
#include "quant/methods.h"
#include "test.h"

static void test_inputs(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    static const char text[] = "It was a bright cold day in the spring, and all the clocks of the town struck the "
                               "hour, one after another, as if no two of "
                               "them had ever agreed about the time; he counted them from his window, and it came to "
                               "seventy-one strokes for eleven. Nobody "
                               "else in the street seemed to have heard. He closed the window again and sat down to "
                               "write his letter to the watchmaker.";
    const char *texts[] = { text };
    const size_t lengths[] = { sizeof text - 1 };
    precis_calibrate_options c = PRECIS_CALIBRATE_OPTIONS_INIT;
    c.texts = texts;
    c.lengths = lengths;
    c.n_texts = 1;
    precis_quant_options q = PRECIS_QUANT_OPTIONS_INIT;
    q.method = "awq";
    pcs_work w;
    OK(ctx, pcs_work_open(ctx, &w, m, &q, &c, "Q4_0"));
    precis_runner *r;
    pcs_inputs *in;
    size_t n;
    OK(ctx, pcs_inputs_collect(&w, &r, &in, &n));
    assert_true(n > 8 && w.windows.n_ids > 64);
    for (size_t i = 0; i < n; i++) assert_int_equal(in[i].seen, w.windows.n_ids);
    const pcs_node *head = pcs_weight_node(r->graph, "token_embd.weight");
    assert_non_null(head);
    assert_non_null(pcs_inputs_of(in, n, head->in[0]));
    pcs_inputs_free(ctx, in, n);
    precis_runner_close(&r);
    pcs_work_close(&w);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* No logits are made for statistics, so that no memory is planned for them: 512 rows of a
 * vocabulary would be more than all else. */
static void test_memory(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_runner *all, *inputs;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.arithmetic = PRECIS_REFERENCE;
    o.context = o.batch = 128;
    OK(ctx, precis_runner_open(ctx, &all, m, &o));
    OK(ctx, pcs_runner_open(ctx, &inputs, m, &o, &(pcs_runner_how){ .inputs = true }));
    assert_int_equal(inputs->outputs, 128);
    assert_true(inputs->program->n_steps < all->program->n_steps);
    assert_true(pcs_program_bytes(inputs->program) <= pcs_program_bytes(all->program));
    precis_runner_close(&all);
    precis_runner_close(&inputs);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_inputs), cmocka_unit_test(test_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
