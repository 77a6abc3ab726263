/* test_c_file.c - nets as C files: single ops of ONNX against onnx's own figures (read/onnx_*.inc) and against the bits
 * of precis_net_run; quantized nets; and what is refused, by node or dimension, with nothing written. */
#include "write/c_files.h"

#include "write/c/file.h"

#include <unistd.h>

typedef struct {
    const char *nodes;
    int opset;
    const char *in, *out;
    bool writes;
} row;

static const row rows[] = {
#include "read/onnx_elements.inc"
#include "read/onnx_shapes.inc"
#include "read/onnx_windows.inc"
#include "read/onnx_sequences.inc"
#include "read/onnx_codes.inc"
};

/* Parts of C files that some file of this test has. */
static bool part_used[PCS_C_PARTS_MOST];

static void count_parts(const char *path, const char *name)
{
    size_t n;
    char *text = test_read(path, &n);
    assert_non_null(text);
    for (size_t i = 0; pcs_c_parts[i].name; i++) {
        char call[80], type[80], constant[80];
        snprintf(call, sizeof call, "%s_%s(", name, pcs_c_parts[i].name);
        snprintf(type, sizeof type, "%s_%s_t *", name, pcs_c_parts[i].name); /* of functions made of formulas */
        snprintf(constant, sizeof constant, "#define %s_%s ", name, pcs_c_parts[i].name);
        part_used[i] = part_used[i] || strstr(text, call) || strstr(text, type) || strstr(text, constant);
    }
    free(text);
}

static void model_at(const char *path, const onnx_case *c)
{
    const onnx_bytes model = onnx_model(c);
    test_write(path, model.data, model.n);
    free(model.data);
}

/* A net's C file under the next name; *refused: it has a node that C files have no function for, which it must say. */
static c_case *write_case(precis_ctx *ctx, const char *path, const char *what, const onnx_tensor *in, bool *refused)
{
    precis_net *net;
    char name[32], c_file[160];
    precis_net_c_file file = { .size = sizeof file };
    snprintf(name, sizeof name, "n%zu", n_c_cases);
    c_path(c_file, sizeof c_file, name, ".c");
    *refused = precis_net_open(ctx, &net, path) != PRECIS_OK;
    if (*refused) return NULL;
    const precis_status st = precis_net_write_c(net, c_file, &file);
    c_case *c = NULL;
    *refused = st == PRECIS_EUNSUPPORTED;
    if (*refused) {
        const char *m = precis_ctx_message(ctx);
        assert_int_not_equal(access(c_file, F_OK), 0);
        if (!strstr(m, "C file") && !strstr(m, "written as C") && !strstr(m, "which C does not have") &&
            !strstr(m, "depends on the contents") && !strstr(m, "node"))
            DIFFERS("%s: refused by \"%s\"", what, m);
    } else if (st) {
        DIFFERS("%s: status %d, %s", what, (int)st, precis_ctx_message(ctx));
    } else {
        precis_array x;
        onnx_inputs(ctx, net, in, 1, &x);
        c = c_case_of(ctx, net, &x, what);
        free_inputs(&x, 1);
        snprintf(c->name, sizeof c->name, "%s", name);
        assert_string_equal(file.name, name);
        count_parts(c_file, name);
    }
    precis_net_close(&net);
    return c;
}

/* Onnx's figures are what the library gives, and that is what the C file gives. */
static void onnx_agrees(const c_case *c, const row *r, const onnx_tensor *out, size_t n_out)
{
    size_t at = 0;
    for (size_t i = 0; i < n_out; i++) {
        precis_array got = { .type = "", .dims = out[i].dims, .data = c->want.data + at, .bytes = c->bytes[i] };
        memcpy(got.shape, out[i].shape, sizeof got.shape);
        compare(r->nodes, "C file", &got, &out[i]);
        at += c->bytes[i];
    }
}

static void test_onnx(void **state)
{
    (void)state;
    if (!there_is_cc()) return;
    precis_ctx *ctx = test_ctx(1);
    size_t written = 0;
    char path[160];
    c_path(path, sizeof path, "one", ".onnx");
    for (size_t i = 0; i < ONNX_COUNT(rows); i++) {
        onnx_tensor in[PORTS], out[PORTS];
        bool refused;
        onnx_case c = { rows[i].nodes, rows[i].opset, in, out, read_tensors(rows[i].in, in),
                        read_tensors(rows[i].out, out), 1 };
        if (c.n_in) {
            model_at(path, &c);
            c_case *k = write_case(ctx, path, rows[i].nodes, in, &refused);
            if (k) onnx_agrees(k, &rows[i], out, c.n_out);
            written += k != NULL;
        }
        free_tensors(in, c.n_in), free_tensors(out, c.n_out);
    }
    assert_true(written > ONNX_COUNT(rows) / 4); /* the others have types or nodes that C files lack */
    c_check();
    precis_ctx_close(&ctx);
}

/* ---- quantized nets ------------------------------------------------------------------------------------- */

/* TYPE[shape] name, filled with noise. */
static void noise(onnx_tensor *t, const char *port, uint64_t seed, float scale)
{
    onnx_port(&port, t);
    t->n = 1;
    for (uint32_t i = 0; i < t->dims; i++) t->n *= (size_t)t->shape[i];
    t->values = calloc(t->n, sizeof *t->values);
    float *x = malloc(t->n * sizeof *x);
    assert_true(t->values && x);
    test_fill(x, t->n, seed, scale);
    for (size_t i = 0; i < t->n; i++) t->values[i].real = (double)x[i];
    free(x);
}

typedef struct {
    const char *nodes;
    int opset;
    struct {
        const char *port;
        float scale;
    } in[12]; /* the first is the input */
    const char *fixed; /* tensors with values */
} net;

static const net nets[] = {
    /* what MobileNetV3 has: grouped, depthwise and dilated convolutions, a gate of channels, an odd size */
    { "x1 = Pad (x, pads) c1 = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x1, w1, b1) h1 = HardSwish (c1) "
      "c2 = Conv <group = 8, pads = [2, 2, 2, 2], dilations = [2, 2]> (h1, w2) r2 = Relu (c2) "
      "c3 = Conv <group = 4, pads = [1, 1, 1, 1]> (r2, w3, b3) s3 = Sigmoid (c3) g = GlobalAveragePool (s3) "
      "c4 = Conv (g, w4) s4 = HardSigmoid (c4) m = Mul (s3, s4) a = Add (m, h1) "
      "p = AveragePool <kernel_shape = [2, 2], strides = [2, 2], pads = [0, 0, 1, 0]> (a) c5 = Conv (p, w5) "
      "f = Reshape (c5, flat) l = Gemm <transB = 1> (f, w6, b6) y = Softmax <axis = -1> (l)",
      17,
      { { "float[1,3,8,8] x", 1 }, { "float[8,3,3,3] w1", 0.3f }, { "float[8] b1", 0.1f },
        { "float[8,1,3,3] w2", 0.4f },
        { "float[8,2,3,3] w3", 0.3f }, { "float[8] b3", 0.1f }, { "float[8,8,1,1] w4", 0.5f },
        { "float[6,8,1,1] w5", 0.4f }, { "float[4,36] w6", 0.3f }, { "float[4] b6", 0.1f } },
      "int64[2] flat {0, -1} int64[8] pads {0, 0, 1, 0, 0, 0, 0, 1}" },
    /* one dimension, whose answer is a class */
    { "c = Conv <pads = [2, 2]> (x, w1, b1) r = Relu (c) p = MaxPool <kernel_shape = [2], strides = [2]> (r) "
      "d = Conv <pads = [1, 1]> (p, w2) t = Tanh (d) m = ReduceMean <axes = [2], keepdims = 0> (t) "
      "k = MatMul (m, w3) l = Add (k, b3) y = ArgMax <axis = 1, keepdims = 0> (l)",
      17,
      { { "float[1,4,16] x", 1 }, { "float[8,4,5] w1", 0.3f }, { "float[8] b1", 0.2f }, { "float[8,8,3] w2", 0.3f },
        { "float[8,5] w3", 0.4f }, { "float[5] b3", 0.1f } },
      "" },
    /* what is put together along the last, the first and both dimensions */
    { "r = Conv <pads = [1, 1]> (x, w) a = ReduceMax <axes = [2], keepdims = 0> (r) "
      "b = ReduceMin <axes = [2], keepdims = 0> (r) c = ReduceProd <axes = [2], keepdims = 0> (r) "
      "d = ReduceL1 <axes = [2], keepdims = 0> (r) "
      "e = ReduceSumSquare <axes = [2], keepdims = 0> (r) f = ReduceMax <axes = [1], keepdims = 0> (r) "
      "g = ReduceMin <axes = [1, 2], keepdims = 0> (r) h = ReduceMax <axes = [0, 1, 2], keepdims = 0> (r) "
      "i = Unsqueeze (g, last) j = Unsqueeze (h, both) k = Concat <axis = 1> (a, b, c, d, e, f, i, j) "
      "n = Neg (k) y = Mod (n, half)",
      17,
      { { "float[1,4,9] x", 1 }, { "float[4,4,3] w", 0.4f } },
      "int64[1] last {1} int64[2] both {0, 1} float half {-0.75}" },
    /* branches of other scales that are joined; sizes that change to the nearest */
    { "a = Conv <pads = [1, 1, 1, 1]> (x, w1) b = Conv (x, w2) t = LeakyRelu <alpha = 0.1> (a) "
      "k = Concat <axis = 1> (t, b) r = Resize <mode = \"nearest\"> (k, , by) "
      "q = Slice (r, from, to, axes) o = Transpose <perm = [0, 2, 3, 1]> (q) u = Transpose <perm = [0, 3, 1, 2]> (o) "
      "m = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (u) s = Sub (m, half) y = Conv (s, w3)",
      17,
      { { "float[1,2,6,5] x", 1 }, { "float[4,2,3,3] w1", 0.3f }, { "float[3,2,1,1] w2", 2.5f },
        { "float[5,7,1,1] w3", 0.4f } },
      "float[4] by {1, 1, 1.5, 2} int64[2] from {1, 0} int64[2] to {8, 9} int64[2] axes {2, 3} float half {0.5}" },
    /* multiplications by rows alone, and Gelu in both forms */
    { "a = Gemm <transB = 1> (x, w1, b1) g = Gelu (a) b = Gemm <transB = 1> (g, w2) "
      "h = Gelu <approximate = \"tanh\"> (b) k = MatMul (h, w3) y = Clip (k, low, high)",
      20,
      { { "float[2,12] x", 1 }, { "float[16,12] w1", 0.5f }, { "float[16] b1", 0.2f }, { "float[16,16] w2", 0.5f },
        { "float[16,3] w3", 0.3f } },
      "float low {-1} float high {1.5}" },
    /* products of two values, none of them constant */
    { "a = Gemm <transB = 1> (x, w1, b1) b = Gemm <transB = 1> (x, w2) t = Transpose <perm = [1, 0]> (b) "
      "s = MatMul (a, t) g = Mul (s, s) k = MatMul (g, w3) y = Softmax <axis = -1> (k)",
      17,
      { { "float[4,12] x", 1 }, { "float[16,12] w1", 0.5f }, { "float[16] b1", 0.2f }, { "float[16,12] w2", 0.5f },
        { "float[4,5] w3", 0.3f } },
      "" },
};

static size_t tensors_of(const net *t, onnx_tensor *in)
{
    size_t n = 0;
    for (; n < ONNX_COUNT(t->in) && t->in[n].port; n++) noise(&in[n], t->in[n].port, 40 + n, t->in[n].scale);
    return n + read_tensors(t->fixed, in + n);
}

/* All passes over eight batches of noise. */
static void calibrate(precis_ctx *ctx, precis_net *of, precis_net_quant *job, const char *port)
{
    for (uint32_t pass = 0; pass < precis_net_quant_passes(job); pass++) {
        for (uint64_t seed = 0; seed < 8; seed++) {
            onnx_tensor t;
            precis_array x;
            noise(&t, port, 900 + seed, 1);
            onnx_inputs(ctx, of, &t, 1, &x);
            OK(ctx, precis_net_quant_see(job, &x, 1));
            free_inputs(&x, 1), free_tensors(&t, 1);
        }
        OK(ctx, precis_net_quant_pass(job));
    }
}

/* Quantized, written as ONNX and as C: the C file of either way is the same but for its head. */
static void quantized(precis_ctx *ctx, const net *t, const precis_net_quant_options *o, const char *what)
{
    char path[160], q_path[160], c_file[160];
    onnx_tensor in[PORTS], out[1];
    precis_net *open;
    precis_net_quant *job;
    precis_net_c_file file = { .size = sizeof file };
    bool refused;
    const size_t n = tensors_of(t, in);
    read_tensors("float[1] y {0}", out);
    c_path(path, sizeof path, "float", ".onnx");
    c_path(q_path, sizeof q_path, "q", ".onnx");
    model_at(path, &(onnx_case){ t->nodes, t->opset, in, out, n, 1, 1 });
    OK(ctx, precis_net_open(ctx, &open, path));
    OK(ctx, precis_net_quant_open(open, o, &job));
    calibrate(ctx, open, job, t->in[0].port);
    OK(ctx, precis_net_quant_write(job, q_path, NULL));
    c_path(c_file, sizeof c_file, "at_once", ".c");
    OK(ctx, precis_net_quant_write_c(job, c_file, &file));
    c_case *c = write_case(ctx, q_path, what, in, &refused);
    if (!c) fail_msg("%s, %s: %s", what, t->nodes, precis_ctx_message(ctx));
    assert_true(file.calls > 3 && file.macs > 100 && file.weights > 100 && file.code > 500);
    for (int i = 0; i < PRECIS_NET_C_CORES; i++) {
        assert_non_null(file.core[i]);
        assert_true(file.cycles[i][0] > 0 && file.cycles[i][0] <= file.cycles[i][1]);
    }
    c->loose = false; /* whole numbers, and what is made of them alone: the same bits */
    precis_net_quant_close(&job);
    precis_net_close(&open);
    free_tensors(in, n), free_tensors(out, 1);
}

static void test_quantized(void **state)
{
    (void)state;
    if (!there_is_cc()) return;
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < ONNX_COUNT(nets); i++) {
        precis_net_quant_options o = PRECIS_NET_QUANT_OPTIONS_INIT;
        quantized(ctx, &nets[i], &o, "as usual");
        o.activations = "s8", o.symmetric = 1;
        quantized(ctx, &nets[i], &o, "symmetric");
        o.symmetric = 0, o.per_tensor = 1, o.like = "onnxruntime", o.activations = "u8";
        quantized(ctx, &nets[i], &o, "as onnxruntime");
    }
    c_check();
    for (size_t i = 0; pcs_c_parts[i].name; i++)
        if (!part_used[i]) DIFFERS("no net of this test has %s", pcs_c_parts[i].name);
    assert_int_equal(differences, 0);
    precis_ctx_close(&ctx);
}

/* ---- refused -------------------------------------------------------------------------------------------- */

/* An ONNX file of nodes and tensors, the first n_given of which are inputs. */
static const char *model_of(const char *nodes, const char *tensors, size_t n_given, const char *outputs)
{
    static char path[160];
    onnx_tensor in[PORTS], out[4];
    onnx_case c = { nodes, 20, in, out, read_tensors(tensors, in), read_tensors(outputs, out), n_given };
    c_path(path, sizeof path, "r", ".onnx");
    model_at(path, &c);
    free_tensors(in, c.n_in), free_tensors(out, c.n_out);
    return path;
}

static void refused_by(const char *nodes, const char *tensors, const char *says)
{
    precis_ctx *ctx = test_ctx(1);
    precis_net *net;
    char path[160];
    c_path(path, sizeof path, "no", ".c");
    OK(ctx, precis_net_open(ctx, &net, model_of(nodes, tensors, 1, "float[1] y {0}")));
    const precis_status st = precis_net_write_c(net, path, NULL);
    const char *m = precis_ctx_message(ctx);
    if (st != PRECIS_EUNSUPPORTED) DIFFERS("%s: status %d (%s)", nodes, (int)st, st ? m : "");
    else if (!strstr(m, says) || !strstr(m, "r.onnx")) DIFFERS("%s: \"%s\" says nothing of \"%s\"", nodes, m, says);
    assert_int_not_equal(access(path, F_OK), 0);
    precis_net_close(&net);
    precis_ctx_close(&ctx);
}

static void test_refused(void **state)
{
    (void)state;
    differences = 0;
    refused_by("y = Hardmax (x)", "float[4] x {1, 2, 3, 4}", "softmax and its logarithm");
    refused_by("y = Relu (x)", "float16[4] x {1, 2, 3, 4}", "F16, which C does not have");
    refused_by("y = Add (x, c)", "float[2] x {1, 2} float[2] c {1, nan}", "holds a NaN");
    refused_by("y = Pad (c, p, x)", "float x {1} float[2] c {1, 2} int64[2] p {0, 1}",
               "what it pads with is no constant");
    refused_by("y = Add (x, c)", "float[1,1,1,1,1,1,2] x {1, 2} float[1] c {1}", "more than 6 dimensions");
    refused_by("y = Transpose <perm = [6, 5, 4, 3, 2, 1, 0]> (x)", "float[1,2,1,1,1,1,2] x {1, 2, 3, 4}",
               "more than 6 dimensions");
    refused_by("y = Pow (x, c)", "int32[2] x {1, 2} int32[2] c {1, 3}", "of I32 it is not computed");
    refused_by("y = Add (x, c)", "double[2] x {1, 2} double[2] c {1, 3}", "of F64 it is not computed");
    refused_by("y = MatMul (x, x)", "int32[2,2] x {1, 2, 3, 4}", "only f32 is multiplied");
    refused_by("y = ReduceLogSum <axes = [0]> (x)", "float[2] x {1, 2}", "no logarithms of sums");
    refused_by("y = ReduceSum (x, a)", "float[2,2,2] x {1, 2, 3, 4, 5, 6, 7, 8} int64[2] a {0, 2}",
               "do not follow one another");
    refused_by("y = Resize <mode = \"linear\"> (x, , s)", "uint8[1,1,2,2] x {1, 2, 3, 4} float[4] s {1, 1, 2, 2}",
               "only finite f32");
    refused_by("y = LpPool <kernel_shape = [2]> (x)", "float[1,1,4] x {1, 2, 3, 4}", "only means and the largest");
    refused_by("a, y = TopK (x, k)", "float[4] x {1, 2, 3, 4} int64[1] k {2}", "C");
    refused_by("c = ConstantOfShape (s) y = Add (x, c)", "float[1,1] x {1} int64[2] s {4100, 4100}",
               "more than 67108864 bytes");
    assert_int_equal(differences, 0);
}

/* Dimensions without a size: the first is one, others are asked for. */
static void test_sizes(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_net *net;
    char path[160];
    onnx_bytes model = { 0 }, graph = { 0 }, set = { 0 };
    onnx_tensor in;
    const char *port = "float[2,3] x", *node = "y = Relu (x)";
    onnx_port(&port, &in);
    for (int named = 0; named < 2; named++) { /* N, 3; then N, N */
        onnx_bytes info = { 0 }, type = { 0 }, tensor = { 0 }, shape = { 0 }, dim = { 0 };
        model = graph = set = (onnx_bytes){ 0 };
        onnx_string(&info, 1, "x");
        onnx_int(&tensor, 1, 1);
        for (int d = 0; d < 2; d++) {
            if (d && !named) onnx_int(&dim, 1, 3);
            else onnx_string(&dim, 2, d ? "width" : "N");
            onnx_within(&shape, 1, &dim);
        }
        onnx_within(&tensor, 2, &shape);
        onnx_within(&type, 1, &tensor);
        onnx_within(&info, 2, &type);
        onnx_string(&graph, 2, "g");
        onnx_within(&graph, 11, &info);
        onnx_tensor out = in;
        snprintf(out.name, sizeof out.name, "y");
        onnx_put_port(&graph, 12, &out, false);
        const char *text = node;
        onnx_node(&text, &graph);
        onnx_int(&model, 1, 10);
        onnx_within(&model, 7, &graph);
        onnx_string(&set, 1, "");
        onnx_int(&set, 2, 17);
        onnx_within(&model, 8, &set);
        c_path(path, sizeof path, "s", ".onnx");
        test_write(path, model.data, model.n);
        free(model.data);
        OK(ctx, precis_net_open(ctx, &net, path));
        c_path(path, sizeof path, "s", ".c");
        precis_net_c_file file = { .size = sizeof file };
        const precis_status st = precis_net_write_c(net, path, &file);
        if (named) {
            assert_int_equal(st, PRECIS_EUNSUPPORTED);
            assert_non_null(strstr(precis_ctx_message(ctx), "dimension width of input x has no size"));
        } else {
            OK(ctx, st);
            size_t n;
            char *c = test_read(path, &n);
            assert_non_null(strstr(c, "#define S_INPUT_SIZE 3 /*"));
            assert_non_null(strstr(c, "#define S_OUTPUT_SIZE 3 /*"));
            assert_int_equal(file.bytes, n);
            free(c);
        }
        precis_net_close(&net);
    }
    precis_ctx_close(&ctx);
}

/* ---- names and ports ------------------------------------------------------------------------------------ */

/* What of a path becomes the file's prefix, so that it is an identifier. */
static void test_names(void **state)
{
    (void)state;
    static const char *const names[][2] = { { "net", "net" },          { "1a", "net_1a" }, { "_x", "net__x" },
                                            { "two words-1", "two_words_1" }, { "a.b", "a" } };
    precis_ctx *ctx = test_ctx(1);
    precis_net *net;
    OK(ctx, precis_net_open(ctx, &net, model_of("y = Relu (x)", "float[2] x {1, -1}", 1, "float[2] y {1, 0}")));
    for (size_t i = 0; i < ONNX_COUNT(names); i++) {
        char path[160], head[96];
        size_t n;
        precis_net_c_file file = { .size = sizeof file };
        c_path(path, sizeof path, names[i][0], ".c");
        OK(ctx, precis_net_write_c(net, path, &file));
        assert_string_equal(file.name, names[i][1]);
        char *text = test_read(path, &n);
        snprintf(head, sizeof head, "int %s_run(const float *input, float *output);", names[i][1]);
        assert_non_null(strstr(text, head));
        free(text);
    }
    precis_net_close(&net);
    precis_ctx_close(&ctx);
}

/* Outputs that are inputs, constants or one another are copied; inputs that nothing reads are there. */
static void test_ports(void **state)
{
    (void)state;
    if (!there_is_cc()) return;
    precis_ctx *ctx = test_ctx(1);
    bool refused;
    onnx_tensor x[1];
    read_tensors("float[3] x {1, -2, 3}", x);
    const char *const all[] = { "y = Identity (x) z = Relu (x) w = Identity (z) v = Identity (c)",
                                "y = Identity (c) z = Add (c, c) w = Mul (z, z) v = Neg (y)" };
    for (size_t i = 0; i < ONNX_COUNT(all); i++) {
        const char *path = model_of(all[i], "float[3] x {1, -2, 3} float[2] c {7, 8}", 1,
                                    "float[3] y {0, 0, 0} float[3] z {0, 0, 0} float[3] w {0, 0, 0} float[2] v {0, 0}");
        const c_case *c = write_case(ctx, path, all[i], x, &refused);
        if (!c) fail_msg("%s: %s", all[i], precis_ctx_message(ctx));
        static const float want[2][11] = { { 1, -2, 3, 1, 0, 3, 1, 0, 3, 7, 8 }, { 7, 8, 14, 16, 196, 256, -7, -8 } };
        assert_memory_equal(c->want.data, want[i], c->want.n);
    }
    c_check();
    free_tensors(x, 1);
    precis_ctx_close(&ctx);
}

/* A disk that is full, and a folder that is none: nothing stays. */
static void test_nowhere(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_net *net;
    OK(ctx, precis_net_open(ctx, &net, model_of("y = Relu (x)", "float[2] x {1, -1}", 1, "float[2] y {1, 0}")));
    assert_int_equal(precis_net_write_c(net, "/nonexistent/folder/a.c", NULL), PRECIS_EIO);
    assert_non_null(strstr(precis_ctx_message(ctx), "/nonexistent/folder"));
    precis_net_close(&net);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_onnx), cmocka_unit_test(test_quantized),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_sizes),
                                        cmocka_unit_test(test_names), cmocka_unit_test(test_ports),
                                        cmocka_unit_test(test_nowhere) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
