/* One model in several types side by side, and what a net's nodes take in both worlds: figures that have to go
 * together, whatever the machine. */
#include "read/onnx_arrays.h"
#include "read/onnx_net.h"

#include "precis/job.h"
#include "precis/net_predict.h"

#include <dirent.h>

/* ---- ladder ------------------------------------------------------------------------------------------------------ */

typedef struct {
    size_t n;
    char types[4][24];
    uint64_t bytes[4];
    double bits[4], kld[4], speed[4];
    int kernel[4];
} ladder;

static void note(void *user, const precis_ladder_row *row)
{
    ladder *l = user;
    assert_true(l->n < 4);
    snprintf(l->types[l->n], sizeof l->types[0], "%s", row->type);
    l->bytes[l->n] = row->bytes;
    l->bits[l->n] = row->bits_per_weight;
    l->kld[l->n] = row->eval.kld_mean;
    l->speed[l->n] = row->decode_tok_s;
    l->kernel[l->n++] = row->kernel;
    assert_string_equal(row->arithmetic, "emulated");
}

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += *e->d_name != '.';
    closedir(d);
    return n;
}

static precis_job_options shortly(void)
{
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    o.quant.method = "rtn";
    o.calibrate.tokens = 64;
    o.eval.window = 64;
    o.eval.windows = 1;
    return o;
}

static void test_rungs(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    ladder l = { .n = 0 };
    const precis_job_options o = shortly();
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, precis_ladder(ctx, m, "FP8,", test_folder(), &o, note, &l));
    assert_int_equal(l.n, 1);
    assert_string_equal(l.types[0], "FP8");
    assert_true(l.bits[0] > 8 && l.bits[0] < 16 && l.bytes[0] > 0); /* embedding and head have 16 */
    assert_true(l.kld[0] > 0 && l.kld[0] < 0.1 && l.speed[0] > 0);
    assert_false(l.kernel[0]); /* no elements of 8-bit floats are multiplied */
    assert_int_equal(files_in(test_folder()), 0); /* what was made is gone */
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* A name that is none is found before any work is done. */
static void test_names(void **state)
{
    static char folder[5000];
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    ladder l = { .n = 0 };
    const precis_job_options o = shortly();
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    assert_int_equal(precis_ladder(ctx, m, "Q8_0,Q9_9", test_folder(), &o, note, &l), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "Q9_9"));
    assert_int_equal(precis_ladder(ctx, m, "Q8_0,,FP8", test_folder(), &o, note, &l), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "\"\" is no type"));
    memset(folder, 'f', sizeof folder - 1);
    assert_int_equal(precis_ladder(ctx, m, "Q8_0", folder, &o, note, &l), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "name is too long"));
    assert_int_not_equal(precis_ladder(ctx, m, "Q8_0", "/nonexistent/folder", &o, note, &l), PRECIS_OK);
    assert_int_equal(l.n, 0);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* ---- nodes of a net ---------------------------------------------------------------------------------------------- */

static char *net_path(void)
{
    static char path[128];
    onnx_tensor in[4], out[1];
#define NINE(a, b, c) #a "," #b "," #c "," #a "," #b "," #c "," #a "," #b "," #c
#define HALF NINE(1, 2, 3) "," NINE(4, 5, 6) "," NINE(7, 8, 9) "," NINE(1, 0, 1)
    const size_t n = read_tensors("float[1,2,6,6] x {" HALF "," HALF "} float[3,2,3,3] w {" NINE(1, -2, 3) "," NINE(
                                      4, 5, 6) "," HALF "} float[3] b {1,2,3}", in);
    read_tensors("float[1] y {0}", out);
    const char *nodes = "c = Conv (x, w, b) r = Relu (c) y = MaxPool <kernel_shape = [2, 2]> (r)";
    onnx_bytes model = onnx_model(&(onnx_case){ nodes, 17, in, out, n, 1, 1 });
    snprintf(path, sizeof path, "%s/p.onnx", test_folder());
    test_write(path, model.data, model.n);
    free(model.data), free_tensors(out, 1), free_tensors(in, n);
    return path;
}

static void test_prediction(void **state)
{
    (void)state;
    static float x[72];
    static const char *const keep[] = { "y" };
    precis_ctx *ctx = test_ctx(1);
    precis_net_predicted *p;
    precis_net_predict_options o = PRECIS_NET_PREDICT_OPTIONS_INIT;
    precis_net_quant_options q = PRECIS_NET_QUANT_OPTIONS_INIT;
    const precis_array in = { .size = sizeof in, .name = "x", .type = "F32", .dims = 4, .shape = { 1, 2, 6, 6 },
                              .bytes = sizeof x, .data = x };
    test_fill(x, 72, 3, 1);
    q.floats = keep, q.n_floats = 1;
    o.quant = &q, o.inputs = &in, o.n = 1, o.seconds = 0.02;
    OK(ctx, precis_net_predict_open(ctx, &p, net_path(), &o));
    precis_net_prediction e = { .size = sizeof e };
    double nodes_float = 0, in_float, in_integers;
    size_t n = 0, conv = 0, pool = 0, n_floats, slower = 0;
    for (; precis_net_predict_node(p, n, &e); n++) {
        assert_true(e.in_float >= 0 && e.in_integers >= 0 && *e.name && *e.op);
        nodes_float += e.in_float;
        slower += e.slower != 0;
        conv += !strcmp(e.op, "conv") && e.integers && *e.kernel;
        pool += !strcmp(e.op, "max_pool") || !strcmp(e.op, "pool");
    }
    assert_true(n >= 2 && conv == 1 && pool == 1);
    const char *const *floats = precis_net_predict_floats(p, &n_floats);
    assert_int_equal(n_floats, 1 + slower); /* the caller's, and the slower ones */
    assert_string_equal(floats[0], "y");
    const char *const *reasons = precis_net_predict_reasons(p);
    assert_null(reasons[0]); /* the caller's says none */
    for (size_t i = 1; i < n_floats; i++) assert_non_null(strstr(reasons[i], "ms"));
    double mixed;
    precis_net_predict_sum(p, 0, &in_float, &in_integers);
    precis_net_predict_sum(p, 1, &in_float, &mixed);
    assert_true(in_float > 0 && in_integers > 0 && nodes_float > 0 && mixed > 0 && mixed <= in_integers);
    precis_net_predict_close(&p);
    assert_null(p);
    precis_net_predict_close(&p);
    assert_int_equal(precis_net_predict_open(ctx, &p, "/nonexistent.onnx", &o), PRECIS_EIO);
    assert_null(p);
    o.n = 0; /* what it would be measured on is not there */
    assert_int_not_equal(precis_net_predict_open(ctx, &p, net_path(), &o), PRECIS_OK);
    assert_null(p);
    remove(net_path());
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rungs), cmocka_unit_test(test_names),
                                        cmocka_unit_test(test_prediction) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
