/* Samples of every kind through the one loop: what is bound, in which order, how sizes of a net follow, and what is
 * refused. The net doubles its input, so that what it was shown can be read from its output. */
#include "test.h"

#include "graph/graph.h"
#include "quant/samples.h"

static precis_ctx *ctx;

/* One input of [n, 2, 3], n a symbol, or of [1, c, h, w] with symbols for the sides. */
typedef struct { precis_graph *g; precis_program *p; precis_value in, out; pcs_sample_input port; } doubled;

static doubled open_net(const int64_t *shape, uint32_t dims)
{
    doubled d;
    int64_t sizes[4];
    OK(ctx, precis_graph_open(ctx, &d.g));
    for (uint32_t i = 0; i < dims; i++) sizes[i] = shape[i] < 0 ? precis_graph_symbol(d.g, i == 2 ? "h" : "n", 64) : shape[i];
    d.in = precis_graph_input(d.g, "x", dims, sizes);
    d.out = precis_graph_node(d.g, "twice", "add", NULL, 2, (precis_value[]){ d.in, d.in });
    assert_true(d.out >= 0);
    precis_graph_output(d.g, d.out);
    OK(ctx, precis_graph_verify(d.g));
    OK(ctx, pcs_program_open(ctx, &d.p, d.g, &(pcs_program_options){ .arithmetic = PRECIS_REFERENCE, .context = 16,
                                                                      .sequences = 1, .k_type = "f32", .v_type = "f32" }));
    d.port = (pcs_sample_input){ "x", d.in };
    return d;
}

static void close_net(doubled *d)
{
    precis_program_close(&d->p);
    precis_graph_close(&d->g);
}

typedef struct { const doubled *net; float first[16]; uint64_t rows, n; } seen;

static precis_status look(void *user, const pcs_sample *at)
{
    seen *s = user;
    assert_int_equal(at->i, s->n);
    assert_int_equal(at->first, s->rows);
    s->first[s->n++] = pcs_program_value(s->net->p, s->net->out)[0] / 2;
    s->rows += at->rows;
    return PRECIS_OK;
}

static pcs_samples_pass pass_of(const doubled *d, seen *s)
{
    *s = (seen){ .net = d };
    return (pcs_samples_pass){ .on = { .program = d->p, .ports = &d->port, .n_ports = 1 }, .after = look, .user = s };
}

static const char *array_file(const char *name, int64_t items, float first)
{
    static char paths[8][512];
    static size_t n;
    char *path = paths[n++ % 8];
    float x[64];
    for (int64_t i = 0; i < items * 6; i++) x[i] = first + (float)i;
    snprintf(path, 512, "%s/%s.npy", test_folder(), name);
    const precis_array a = { sizeof a, "x", "F32", 3, { items, 2, 3 }, x, (uint64_t)items * 6 * sizeof *x };
    OK(ctx, precis_array_write(ctx, &a, path));
    return path;
}

static void test_arrays(void **state)
{
    (void)state;
    const int64_t shape[] = { -1, 2, 3 };
    doubled net = open_net(shape, 3);
    const pcs_sample_file files[] = { { "x", array_file("a", 5, 0) }, { "x", array_file("b", 2, 100) } };
    seen s;
    pcs_samples_pass pass = pass_of(&net, &s);
    pcs_samples samples;
    OK(ctx, pcs_samples_of_arrays(ctx, &samples, files, 2, 2)); /* of 2 items each; one of the five is left out */
    assert_int_equal(samples.n, 3);
    assert_int_equal(samples.n_rows, 6);
    for (int again = 0; again < 2; again++) {
        pass = pass_of(&net, &s);
        OK(ctx, pcs_samples_run(&samples, &pass));
        assert_int_equal(s.n, 3);
        assert_true(s.first[0] == 0 && s.first[1] == 12 && s.first[2] == 100);
    }
    pcs_samples_close(&samples);
    OK(ctx, pcs_samples_of_arrays(ctx, &samples, files, 2, 0)); /* a file a sample, of other sizes */
    pass = pass_of(&net, &s);
    OK(ctx, pcs_samples_run(&samples, &pass));
    assert_int_equal(s.n, 2);
    assert_true(s.first[0] == 0 && s.first[1] == 100);
    pcs_samples_close(&samples);
    close_net(&net);
}

static void refuse(const doubled *net, const pcs_sample_file *files, size_t n, uint64_t batch, const char *why)
{
    seen s;
    pcs_samples samples;
    const pcs_samples_pass pass = pass_of(net, &s);
    precis_status st = pcs_samples_of_arrays(ctx, &samples, files, n, batch);
    if (!st) st = pcs_samples_run(&samples, &pass);
    assert_int_equal(st, PRECIS_EINVAL);
    if (!strstr(precis_ctx_message(ctx), why)) fail_msg("%s, not: %s", precis_ctx_message(ctx), why);
    pcs_samples_close(&samples);
}

static void test_refused(void **state)
{
    (void)state;
    const int64_t shape[] = { -1, 2, 3 }, other[] = { -1, 3, 3 };
    doubled net = open_net(shape, 3), wrong = open_net(other, 3);
    const char *a = array_file("a", 5, 0), *b = array_file("b", 2, 0);
    refuse(&net, &(pcs_sample_file){ "y", a }, 1, 0, "no input y");
    refuse(&net, &(pcs_sample_file){ "x", a }, 1, 6, "fewer than the 6 items");
    refuse(&net, NULL, 0, 0, "no samples");
    refuse(&net, (const pcs_sample_file[]){ { "x", a }, { "y", b } }, 2, 1, "input x has 5 samples, and y has 2");
    refuse(&wrong, &(pcs_sample_file){ "x", a }, 1, 0, "is F32[5, 2, 3]; the net takes F32[?, 3, 3]");
    close_net(&net);
    close_net(&wrong);
}

static void test_images(void **state)
{
    (void)state;
    static const char ppm[] = "P6\n# a comment\n2 1\n255\n\xff\x00\x33\x00\xff\x33", pgm[] = "P5 2 1 255 \x33\x66";
    static const struct { const char *name, *bytes; size_t n; } broken[] = {
        { "text", "P3 1 1 255 1 1 1", 16 }, { "short", ppm, sizeof ppm - 2 }, { "deep", "P5 1 1 65535 \0\0", 15 },
        { "none", "P5", 2 }, { "huge", "P5 99999999999 1 255 x", 22 }, { "empty", "", 0 },
    };
    const int64_t colour[] = { 1, 3, -1, 2 };
    const pcs_image_scale scale = { { 0.5f, 0, 0 }, { 2, 1, 1 } };
    char path[512];
    doubled net = open_net(colour, 4);
    seen s;
    pcs_samples samples;
    pcs_samples_pass pass = pass_of(&net, &s);
    snprintf(path, sizeof path, "%s/a.ppm", test_folder());
    const pcs_sample_file file = { "x", path };
    test_write(path, ppm, sizeof ppm - 1);
    OK(ctx, pcs_samples_of_images(ctx, &samples, &file, 1, &scale));
    OK(ctx, pcs_samples_run(&samples, &pass));
    const float *y = pcs_program_value(net.p, net.out); /* planes: red, green, blue */
    const float expected[] = { 0.25f, -0.25f, 0, 1, 0.2f, 0.2f };
    for (int i = 0; i < 6; i++) assert_true(y[i] / 2 - expected[i] < 1e-6f && expected[i] - y[i] / 2 < 1e-6f);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        test_write(path, broken[i].bytes, broken[i].n);
        assert_int_equal(pcs_samples_run(&samples, &pass), PRECIS_EFORMAT);
        assert_non_null(strstr(precis_ctx_message(ctx), "a.ppm"));
    }
    test_write(path, pgm, sizeof pgm - 1); /* one channel, where the net takes three */
    assert_int_equal(pcs_samples_run(&samples, &pass), PRECIS_EINVAL);
    pcs_samples_close(&samples);
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
    if (w->compare) assert_memory_equal(logits, w->logits + at->first_wanted * v, (size_t)at->wanted * v * sizeof *logits);
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
                                        cmocka_unit_test(test_images), cmocka_unit_test(test_tokens) };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    precis_ctx_close(&ctx);
    return failed;
}
