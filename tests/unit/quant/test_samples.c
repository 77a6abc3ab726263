/* Samples of every kind through the one loop: what is bound, in which order, and what is refused. */
#include "test.h"

#include "graph/graph.h"
#include "quant/samples.h"

static precis_ctx *ctx;

/* A net with one input, x of F32[N, 2, 4, 4], and a program of its graph. */
typedef struct { precis_net *net; precis_graph *g; precis_program *p; precis_value out; pcs_sample_input in; } opened;

enum { ITEM = 2 * 4 * 4 };

static opened open_net(void)
{
    opened n;
    OK(ctx, precis_net_open(ctx, &n.net, CORPUS "/onnx/conv"));
    OK(ctx, precis_net_graph(n.net, &n.g));
    n.in = (pcs_sample_input){ "x", precis_net_graph_input(n.net, 0) };
    n.out = precis_net_graph_output(n.net, 0);
    const pcs_program_options o = { .arithmetic = PRECIS_REFERENCE, .context = 16, .sequences = 1, .k_type = "f32",
                                    .v_type = "f32" };
    OK(ctx, pcs_program_open(ctx, &n.p, n.g, &o));
    return n;
}

static void close_net(opened *n)
{
    precis_program_close(&n->p);
    precis_net_close(&n->net);
}

static const char *array_file(const char *name, int64_t items, float *x)
{
    static char path[512];
    test_fill(x, (size_t)items * ITEM, 7, 1);
    snprintf(path, sizeof path, "%s/%s.npy", test_folder(), name);
    const precis_array a = { sizeof a, "x", "F32", 4, { items, 2, 4, 4 }, x, (uint64_t)items * ITEM * sizeof *x };
    OK(ctx, precis_array_write(ctx, &a, path));
    return path;
}

typedef struct { const opened *net; const float *expected; size_t each; uint64_t rows, n; } seen;

/* What the net makes of a batch is what it makes of all samples at once. */
static precis_status look(void *user, const pcs_sample *at)
{
    seen *s = user;
    assert_int_equal(at->i, s->n);
    assert_int_equal(at->first, s->rows);
    const float *y = pcs_program_value(s->net->p, s->net->out);
    assert_memory_equal(y, s->expected + at->first * s->each, (size_t)at->rows * s->each * sizeof *y);
    s->rows += at->rows;
    s->n++;
    return PRECIS_OK;
}

static void test_arrays(void **state)
{
    (void)state;
    enum { ITEMS = 5 };
    float x[ITEMS * ITEM];
    opened net = open_net();
    const char *path = array_file("five", ITEMS, x);
    const precis_array whole = { sizeof whole, "x", "F32", 4, { ITEMS, 2, 4, 4 }, x, sizeof x };
    const precis_array *y;
    OK(ctx, precis_net_run(net.net, &whole, 1, &y));
    precis_samples *arrays;
    OK(ctx, precis_samples_open(ctx, &arrays, net.net, &path, 1, NULL));
    pcs_samples samples;
    OK(ctx, pcs_samples_of_arrays(ctx, &samples, arrays, 2));
    assert_int_equal(samples.n, 3); /* 2, 2 and 1 */
    assert_int_equal(samples.n_rows, ITEMS);
    for (int again = 0; again < 2; again++) {
        seen s = { &net, y[0].data, (size_t)y[0].bytes / sizeof(float) / ITEMS, 0, 0 };
        const pcs_samples_pass pass = { .on = { .program = net.p, .inputs = &net.in, .n_inputs = 1 }, .after = look,
                                        .user = &s };
        OK(ctx, pcs_samples_run(&samples, &pass));
        assert_int_equal(s.n, 3);
        assert_int_equal(s.rows, ITEMS);
    }
    pcs_samples_close(&samples);
    precis_samples_close(&arrays);
    close_net(&net);
}

static void test_refused(void **state)
{
    (void)state;
    opened net = open_net();
    const pcs_subject to = { .program = net.p, .inputs = &net.in, .n_inputs = 1 };
    static const float x[ITEM];
    const struct { precis_array a; const char *why; } cases[] = {
        { { sizeof(precis_array), "y", "F32", 4, { 1, 2, 4, 4 }, x, sizeof x }, "no input y" },
        { { sizeof(precis_array), "x", "I8", 4, { 1, 2, 4, 4 }, x, sizeof x },
          "is I8[1, 2, 4, 4]; the net takes F32[?, 2, 4, 4]" },
        { { sizeof(precis_array), "x", "F32", 4, { 1, 2, 4, 3 }, x, sizeof x }, "is F32[1, 2, 4, 3]" },
        { { sizeof(precis_array), "x", "F32", 3, { 2, 4, 4 }, x, sizeof x }, "is F32[2, 4, 4]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(pcs_bind_array(ctx, &to, &cases[i].a), PRECIS_EINVAL);
        if (!strstr(precis_ctx_message(ctx), cases[i].why)) fail_msg("%s", precis_ctx_message(ctx));
    }
    close_net(&net);
}

/* Windows of a language model: which rows are wanted, what a cut leaves, and that a part of the net run from a kept
 * state gives what the whole gives. */
typedef struct { precis_runner *r; precis_value cut; float *states, *logits; uint64_t wanted; bool compare; } whole;

static precis_status keep(void *user, const pcs_sample *at)
{
    whole *w = user;
    const size_t v = w->r->lm.vocabulary;
    const float *logits = pcs_program_value(w->r->program, w->r->lm.logits);
    if (w->compare)
        assert_memory_equal(logits, w->logits + at->first_wanted * v, (size_t)at->wanted * v * sizeof *logits);
    else memcpy(w->logits + at->first_wanted * v, logits, (size_t)at->wanted * v * sizeof *logits);
    w->wanted = at->first_wanted + at->wanted;
    return PRECIS_OK;
}

typedef struct { float *to; size_t at; } states;

static void on_state(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    states *s = user;
    (void)v;
    memcpy(s->to + s->at, x, (size_t)(rows * width) * sizeof *x);
    s->at += (size_t)(rows * width);
}

static void test_tokens(void **state)
{
    (void)state;
    precis_model *m;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    pcs_windows w = { .ctx = ctx };
    whole u = { .cut = -1 };
    int32_t ids[8];
    for (int i = 0; i < 8; i++) ids[i] = 20 + 7 * i;
    ro.context = ro.batch = ro.outputs = 8;
    ro.arithmetic = PRECIS_REFERENCE;
    ro.k_type = ro.v_type = "f32";
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, precis_runner_open(ctx, &u.r, m, &ro));
    OK(ctx, pcs_windows_add(&w, ids, 8));
    OK(ctx, pcs_windows_add(&w, ids + 1, 5));
    pcs_samples samples;
    OK(ctx, pcs_samples_of_windows(ctx, &samples, &w, PCS_WANT_SECOND_HALF, 2));
    assert_int_equal(samples.n_rows, 13);
    precis_program *p = u.r->program;
    for (size_t i = 0; i < u.r->graph->n_values && u.cut < 0; i++)
        if (u.r->graph->values[i].cut) u.cut = (precis_value)i;
    u.states = calloc(13 * u.r->lm.width, sizeof *u.states);
    u.logits = calloc(13 * u.r->lm.vocabulary, sizeof *u.logits);
    states kept = { u.states, 0 };
    pcs_program_tap(p, u.cut, on_state, &kept);
    pcs_samples_pass pass = { .on = { .program = p, .runner = u.r }, .after = keep, .user = &u };
    OK(ctx, pcs_samples_run(&samples, &pass));
    pcs_program_tap(p, u.cut, NULL, NULL);
    assert_int_equal(u.wanted, 2 + 2); /* positions 4 and 6 of 8; 2 and 4 of 5 */
    pass.part = u.compare = true;
    pass.cut = u.cut;
    pass.states = u.states;
    pass.width = u.r->lm.width;
    pass.from = pcs_program_step_of(p, u.cut) + 1;
    pass.to = p->n_steps;
    OK(ctx, pcs_samples_run(&samples, &pass));
    pcs_samples_cut(&samples, 4);
    assert_int_equal(samples.n_rows, 8);
    pcs_samples_close(&samples);
    pcs_windows_free(&w);
    free(u.states);
    free(u.logits);
    precis_runner_close(&u.r);
    precis_model_close(&m);
}

int main(void)
{
    ctx = test_ctx(2);
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_arrays), cmocka_unit_test(test_refused),
                                        cmocka_unit_test(test_tokens) };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    precis_ctx_close(&ctx);
    return failed;
}
