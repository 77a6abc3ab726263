/* test_onnx_refused.c - nodes of ONNX that say what cannot be: errors of a type that name the node's fault; and
 * headers of files that are newer or none. */
#include "onnx_arrays.h"
#include "onnx_net.h"
#include "precis/quant_net.h"

typedef struct {
    const char *nodes, *in; /* the first tensor is an input, the others are in the file */
    precis_status st;
    const char *says;
} refused_row;

#define X "float[2,3] x {1,2,3,4,5,6} "
#define WRONG PRECIS_EFORMAT
#define UNSUPPORTED PRECIS_EUNSUPPORTED
static const refused_row rows[] = {
    { "y = Reshape (x, s)", X "int64[9] s {1,1,1,1,1,1,1,2,3}", UNSUPPORTED, "gives 9 dimensions, at most 8" },
    { "y = Reshape (x, s)", X "int64[4] s {2,3,1,0}", WRONG, "keeps dimension 3, which is not there" },
    { "y = Softmax <axis = 0.5> (x)", X, WRONG, "attribute axis is of another type" },
    { "y = Concat <axis = 0> ()", X, WRONG, "has no inputs" },
    { "y = Concat <axis = 2> (x, x)", X, WRONG, "has no axis 2" },
    { "y = Slice (x, a, b, c, d)", X "int64[1] a {0} int64[1] b {2} int64[1] c {0} int64[1] d {0}", WRONG,
      "axis 0 is not there, or its step is zero" },
    { "y = Tile (x, r)", X "int64[2] r {-1,1}", UNSUPPORTED, "or by a negative number" },
    { "y = Tile (x, r)", X "int64[2] r {1,9223372036854775807}", WRONG, "repeats dimension 1 9223372036854775807" },
    { "y = Pad (x, p, v, a)", X "int64[2] p {1,1} float v {0} int64[1] a {2}", WRONG,
      "pads axis 0, which is not there" },
    { "y = Pad (x, p)", X "int64[3] p {1,1,1}", WRONG, "has 3 pads for 2 dimensions" },
    { "y = Constant <value_string = \"a\"> ()", X, UNSUPPORTED, "is text" },
    { "y = Constant <sparse_value = 1> ()", X, UNSUPPORTED, "is sparse" },
    { "y = Constant ()", X, WRONG, "has no value" },
    { "y = ConstantOfShape (s)", X "int64[9] s {1,1,1,1,1,1,1,1,1}", UNSUPPORTED, "gives 9 dimensions" },
    { "y = ConstantOfShape (s)", X "int64[2] s {2,-1}", WRONG, "dimension 1 is -1" },
    { "y = HannWindow (n)", X "int64 n {-1}", WRONG, "has -1 elements of data type 1" },
    { "y = HannWindow <output_datatype = 99> (n)", X "int64 n {4}", WRONG, "has 4 elements of data type 99" },
    { "y = MelWeightMatrix (b, n, r, f, t)", X "int64 b {0} int64 n {16} int64 r {8} float f {0} float t {4}", WRONG,
      "has 0 bins of 16" },
    { "y = STFT (x, s, w, n)", X "int64 s {0} float[3] w {1,1,1} int64 n {3}", WRONG,
      "takes x[batch, length, parts], and frames that fit into it" },
    { "y = STFT (x, s, w, n)", X "int64 s {1} float[2] w {1,1} int64 n {3}", UNSUPPORTED,
      "has a window of 2 for frames of 3" },
    { "y = AffineGrid (t, s)", X "float[1,2,3] t {1,0,0,0,1,0} int64[4] s {1,1,0,4}", WRONG, "dimension 2 is 0" },
    { "y = AffineGrid (t, s)", X "float[1,2,3] t {1,0,0,0,1,0} int64[3] s {1,1,2}", WRONG,
      "takes a size of 4 or 5 dimensions" },
    { "y = MaxUnpool <kernel_shape = [2,2], pads = [3,3,3,3]> (p, i)", X
      "float[1,1,1,1] p {5} int64[1,1,1,1] i {0}", WRONG, "dimension 2 of the result is -4" },
    { "y = MaxUnpool <kernel_shape = [2,2]> (p, i, s)", X
      "float[1,1,1,1] p {5} int64[1,1,1,1] i {0} int64[4] s {1,1,-2,2}", WRONG, "output_shape has -2" },
    { "y = MaxUnpool <kernel_shape = [2,2]> (p, i, s)", X
      "float[1,1,1,1] p {5} int64[1,1,1,1] i {0} int64[3] s {1,1,2}", WRONG, "output_shape has 3 numbers" },
};

static precis_status open_bytes(precis_ctx *ctx, const onnx_bytes *model, precis_net **net)
{
    char path[128];
    snprintf(path, sizeof path, "%s/r.onnx", test_folder());
    test_write(path, model->data, model->n);
    return precis_net_open(ctx, net, path);
}

static void test_nodes(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    differences = 0;
    for (size_t i = 0; i < ONNX_COUNT(rows); i++) {
        onnx_tensor in[PORTS], out[1];
        precis_net *net;
        onnx_case c = { rows[i].nodes, 21, in, out, read_tensors(rows[i].in, in), 1, 1 };
        read_tensors("float y {0}", out);
        onnx_bytes model = onnx_model(&c);
        precis_status st = open_bytes(ctx, &model, &net);
        if (!st) {
            precis_array x[1];
            const precis_array *got;
            onnx_inputs(ctx, net, in, 1, x);
            st = precis_net_run(net, x, 1, &got);
            free_inputs(x, 1);
            precis_net_close(&net);
        }
        if (st != rows[i].st || !strstr(precis_ctx_message(ctx), rows[i].says))
            DIFFERS("%s: %d, not %d \"%s\": %s", rows[i].nodes, (int)st, (int)rows[i].st, rows[i].says,
                    st ? precis_ctx_message(ctx) : "");
        free(model.data), free_tensors(in, c.n_in), free_tensors(out, 1);
    }
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
}

static void heard(void *user, const char *line) { snprintf(user, 256, "%s", line); }

/* field and number of an additional member of the model; the last one counts. */
static void test_headers(void **state)
{
    (void)state;
    static const struct {
        int field;
        int64_t v;
        precis_status st;
        const char *says;
    } of[] = { { 1, 2, WRONG, "ir_version 2 is none" },
               { 1, 65, WRONG, "ir_version 65 is none" },
               { 1, 14, PRECIS_OK, "IR version 14 is newer than 13; it is read as if it were 13" },
               { 20, 0, UNSUPPORTED, "holds training_info; nets are only run here" } };
    for (size_t i = 0; i < ONNX_COUNT(of) + 1; i++) {
        char said[256] = "";
        precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
        o.threads = 1, o.warn = heard, o.user = said;
        precis_ctx *ctx;
        onnx_tensor in[1], out[1];
        precis_net *net;
        assert_int_equal(precis_ctx_open(&ctx, &o), PRECIS_OK);
        read_tensors(X, in), read_tensors("float y {0}", out);
        const bool set = i == ONNX_COUNT(of); /* of a file of a newer opset */
        onnx_bytes model = onnx_model(&(onnx_case){ "y = Relu (x)", set ? 99 : 21, in, out, 1, 1, 1 });
        if (!set && of[i].v) onnx_int(&model, of[i].field, of[i].v);
        if (!set && !of[i].v) onnx_string(&model, of[i].field, "");
        const precis_status st = open_bytes(ctx, &model, &net);
        const char *want = set ? "opset 99 is newer than" : of[i].says;
        if (st != (set ? PRECIS_OK : of[i].st) || !strstr(st ? precis_ctx_message(ctx) : said, want))
            fail_msg("header %zu: %d, not \"%s\": %s", i, (int)st, want, st ? precis_ctx_message(ctx) : said);
        if (!st) precis_net_close(&net);
        free(model.data), free_tensors(in, 1), free_tensors(out, 1);
        precis_ctx_close(&ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_nodes), cmocka_unit_test(test_headers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
