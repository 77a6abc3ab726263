/* test_pt2_numbers.c - what an archive's graph computes of numbers: as Python does, whose results stand here (python3
 * gave them), or an error of a type and with its reason. */
#include "onnx_arrays.h"
#include "precis/quant_net.h"
#include "pt2_model.h"
#include "pt2_zip.h"

#define PATH_LEN 128
static const char x_text[] = "float[2,3] x {1,2,3,4,5,6}";

static precis_status open_y(precis_ctx *ctx, const char *calls, uint32_t open, const onnx_tensor *want,
                            precis_net **net)
{
    onnx_tensor in[1];
    char path[PATH_LEN];
    snprintf(path, sizeof path, "%s/n.pt2", test_folder());
    read_tensors(x_text, in);
    in->open = open;
    const onnx_bytes json = pt2_json(&(pt2_case){ calls, in, want, 1, 1 }), archive = pt2_archive(&json);
    test_write(path, archive.data, archive.n);
    free(json.data), free(archive.data), free_tensors(in, 1);
    return precis_net_open(ctx, net, path);
}

static precis_status run_y(precis_ctx *ctx, precis_net *net, const char *calls, const onnx_tensor *want)
{
    onnx_tensor in[1];
    precis_array x[1];
    const precis_array *got;
    read_tensors(x_text, in);
    onnx_inputs(ctx, net, in, 1, x);
    const precis_status st = precis_net_run(net, x, 1, &got);
    if (!st) compare(calls, "given", got, want);
    free_inputs(x, 1), free_tensors(in, 1);
    return st;
}

/* Open, and run where it opens, the net of `calls` of x, whose result is y. The message stays the context's. */
static precis_status give_y(precis_ctx *ctx, const char *calls, uint32_t open, const onnx_tensor *want)
{
    precis_net *net;
    precis_status st = open_y(ctx, calls, open, want, &net);
    if (st) return st;
    st = run_y(ctx, net, calls, want);
    precis_net_close(&net);
    return st;
}

/* The ONNX file of the net, which keeps the open dimension, gives the same. */
static void writes(precis_ctx *ctx, const char *calls, const char *want)
{
    precis_net *net, *written;
    onnx_tensor out[1];
    char path[PATH_LEN];
    snprintf(path, sizeof path, "%s/w.onnx", test_folder());
    remove(path);
    read_tensors(want, out);
    OK(ctx, open_y(ctx, calls, 1, out, &net));
    const precis_status st = precis_net_write(net, path, NULL);
    precis_net_close(&net);
    if (st) DIFFERS("%s (written): %s", calls, precis_ctx_message(ctx));
    if (!st) {
        OK(ctx, precis_net_open(ctx, &written, path));
        if (run_y(ctx, written, calls, out)) DIFFERS("%s (of the file): %s", calls, precis_ctx_message(ctx));
        precis_net_close(&written);
    }
    free_tensors(out, 1);
}

static void gives(precis_ctx *ctx, const char *calls, uint32_t open, const char *want)
{
    onnx_tensor out[1];
    read_tensors(want, out);
    if (give_y(ctx, calls, open, out)) DIFFERS("%s: %s", calls, precis_ctx_message(ctx));
    free_tensors(out, 1);
}

static void refuses(precis_ctx *ctx, const char *calls, uint32_t open, precis_status want, const char *text)
{
    onnx_tensor out[1];
    read_tensors("float y {0}", out);
    const precis_status st = give_y(ctx, calls, open, out);
    if (st != want || !strstr(precis_ctx_message(ctx), text))
        DIFFERS("%s: %d, not %d \"%s\": %s", calls, (int)st, (int)want, text, precis_ctx_message(ctx));
    free_tensors(out, 1);
}

#define I64_OF(n) "y = aten.scalar_tensor.default(s=#" n ", dtype=%5)"
#define F64_OF(n) "y = aten.scalar_tensor.default(s=#" n ", dtype=%8)"

static const struct {
    const char *op, *args, *want;
} arithmetic[] = {
    { "_operator.add", "a=5, b=-7", "int64 y {-2}" },
    { "_operator.add", "a=true, b=true", "int64 y {2}" },
    { "_operator.add", "a=2, b=0.5", "float y {2.5}" },
    { "_operator.sub", "a=5, b=-7", "int64 y {12}" },
    { "_operator.sub", "a=0.25, b=1", "float y {-.75}" },
    { "_operator.mul", "a=-3, b=1000000007", "int64 y {-3000000021}" },
    { "_operator.mul", "a=2, b=-0.5", "float y {-1}" },
    { "_operator.floordiv", "a=7, b=2", "int64 y {3}" },
    { "_operator.floordiv", "a=-7, b=2", "int64 y {-4}" },
    { "_operator.floordiv", "a=7, b=-2", "int64 y {-4}" },
    { "_operator.floordiv", "a=-7, b=-1", "int64 y {7}" },
    { "_operator.floordiv", "a=1.0, b=0.1", "float y {9}" },
    { "_operator.floordiv", "a=-7.5, b=2", "float y {-4}" },
    { "_operator.floordiv", "a=-5.0, b=inf", "float y {-1}" },
    { "_operator.floordiv", "a=5, b=inf", "float y {0}" },
    { "_operator.mod", "a=7, b=3", "int64 y {1}" },
    { "_operator.mod", "a=-7, b=3", "int64 y {2}" },
    { "_operator.mod", "a=7, b=-3", "int64 y {-2}" },
    { "_operator.mod", "a=-2305843009213693952, b=3", "int64 y {1}" },
    { "_operator.mod", "a=-7.5, b=2", "float y {0.5}" },
    { "_operator.mod", "a=7.5, b=-2", "float y {-0.5}" },
    { "_operator.mod", "a=100000000000000000000.0, b=3", "float y {1}" },
    { "_operator.truediv", "a=7, b=2", "float y {3.5}" },
    { "_operator.truediv", "a=6, b=2", "float y {3}" },
    { "_operator.pow", "a=3, b=4", "int64 y {81}" },
    { "_operator.pow", "a=-3, b=37", "int64 y {-450283905890997363}" },
    { "_operator.pow", "a=3, b=39", "int64 y {4052555153018976267}" },
    { "_operator.pow", "a=-1, b=1000000001", "int64 y {-1}" },
    { "_operator.pow", "a=7, b=0", "int64 y {1}" },
    { "_operator.pow", "a=2, b=-1", "float y {.5}" },
    { "_operator.pow", "a=2.25, b=0.5", "float y {1.5}" },
    { "torch.sym_max", "a=-2, b=3", "int64 y {3}" },
    { "torch.sym_max", "a=3, b=-2", "int64 y {3}" },
    { "torch.sym_max", "a=2, b=2.5", "float y {2.5}" },
    { "torch.sym_max", "a=2.5, b=-2", "float y {2.5}" },
    { "torch.sym_min", "a=-2, b=3", "int64 y {-2}" },
    { "torch.sym_min", "a=3, b=-2", "int64 y {-2}" },
    { "torch.sym_min", "a=2.5, b=-2", "float y {-2}" },
    { "torch.sym_min", "a=-2.5, b=2", "float y {-2.5}" },
    { "_operator.lshift", "a=-3, b=4", "int64 y {-48}" },
    { "_operator.rshift", "a=-7, b=1", "int64 y {-4}" },
    { "_operator.rshift", "a=7, b=62", "int64 y {0}" },
    { "torch.sym_ite", "b=true, t=2, f=3.5", "int64 y {2}" },
    { "torch.sym_ite", "b=false, t=2, f=3.5", "float y {3.5}" },
    { "_operator.pos", "a=-5", "int64 y {-5}" },
    { "_operator.pos", "a=true", "int64 y {1}" },
    { "_operator.pos", "a=2.5", "float y {2.5}" },
    { "torch._sym_sqrt", "a=16", "float y {4}" },
    { "torch._sym_sqrt", "a=6.25", "float y {2.5}" },
    { "_operator.neg", "a=5", "int64 y {-5}" },
    { "_operator.neg", "a=2.5", "float y {-2.5}" },
    { "math.trunc", "x=2.7", "int64 y {2}" },
    { "math.trunc", "x=-2.7", "int64 y {-2}" },
    { "math.trunc", "x=-3", "int64 y {-3}" },
    { "math.ceil", "x=2.1", "int64 y {3}" },
    { "math.ceil", "x=-2.1", "int64 y {-2}" },
    { "math.ceil", "x=4", "int64 y {4}" },
    { "math.floor", "x=2.9", "int64 y {2}" },
    { "math.floor", "x=-2.1", "int64 y {-3}" },
    { "torch.sym_int", "a=-7.9", "int64 y {-7}" },
    { "torch.sym_float", "a=3", "float y {3}" },
    { "torch.sym_not", "a=false", "bool y {1}" },
    { "_operator.not_", "a=2.5", "bool y {0}" },
    { "_operator.eq", "a=2, b=2.0", "bool y {1}" },
    { "_operator.eq", "a=9007199254740993, b=9007199254740992", "bool y {0}" },
    { "_operator.ne", "a=9007199254740993, b=9007199254740992", "bool y {1}" },
    { "_operator.lt", "a=2, b=2.5", "bool y {1}" },
    { "_operator.lt", "a=9007199254740992, b=9007199254740993", "bool y {1}" },
    { "_operator.le", "a=3, b=3", "bool y {1}" },
    { "_operator.le", "a=3.5, b=3", "bool y {0}" },
    { "_operator.gt", "a=9007199254740993, b=9007199254740992", "bool y {1}" },
    { "_operator.gt", "a=3, b=3", "bool y {0}" },
    { "_operator.ge", "a=3, b=3.5", "bool y {0}" },
    { "_operator.ge", "a=3, b=-3", "bool y {1}" },
    { "_operator.and_", "a=true, b=false", "bool y {0}" },
    { "_operator.and_", "a=true, b=true", "bool y {1}" },
    { "_operator.or_", "a=true, b=false", "bool y {1}" },
    { "_operator.or_", "a=false, b=false", "bool y {0}" },
};

/* The result's type is its kind, too: an int fills as I64, a truth as BOOL, a float as F32 (torch.full). */
static void test_arithmetic(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char calls[256];
    differences = 0;
    for (size_t i = 0; i < ONNX_COUNT(arithmetic); i++) {
        snprintf(calls, sizeof calls, "#n = %s(%s) y = aten.full.default(size=[], fill_value=#n)", arithmetic[i].op,
                 arithmetic[i].args);
        gives(ctx, calls, 0, arithmetic[i].want);
    }
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
}

/* What Python raises an error for, and what would be taken for a dimension's id (graph/dims.h). */
static void test_no_such_result(void **state)
{
    (void)state;
    static const struct {
        const char *op, *args;
        precis_status st;
        const char *text;
    } rows[] = {
        { "_operator.floordiv", "a=7, b=0", PRECIS_EFORMAT, "7 and 0 have no such result" },
        { "_operator.mod", "a=7, b=0", PRECIS_EFORMAT, "7 and 0 have no such result" },
        { "_operator.mod", "a=7.5, b=0", PRECIS_EFORMAT, "7.5 and 0 have no such result" },
        { "_operator.truediv", "a=7, b=0", PRECIS_EFORMAT, "7 and 0 have no such result" },
        { "_operator.truediv", "a=0, b=0", PRECIS_EFORMAT, "0 and 0 have no such result" },
        { "_operator.pow", "a=0, b=-1", PRECIS_EFORMAT, "0 and -1 have no such result" },
        { "_operator.pow", "a=-2.5, b=0.5", PRECIS_EFORMAT, "-2.5 and 0.5 have no such result" },
        { "_operator.pow", "a=10.5, b=1000", PRECIS_EFORMAT, "10.5 and 1000 have no such result" },
        { "_operator.pow", "a=10, b=19", PRECIS_EFORMAT, "10 and 19 have no such result" },
        { "_operator.mul", "a=4611686018427387904, b=2", PRECIS_EFORMAT, "have no such result" },
        { "_operator.add", "a=9223372036854775807, b=1", PRECIS_EFORMAT, "have no such result" },
        { "_operator.mul", "a=-2305843009213693951, b=2", PRECIS_EUNSUPPORTED, "below what is read" },
        { "_operator.sub", "a=-2305843009213693951, b=2305843009213693951", PRECIS_EUNSUPPORTED, "below what is read" },
        { "_operator.neg", "a=4611686018427387904", PRECIS_EUNSUPPORTED, "-4611686018427387904, which is below" },
        { "_operator.pow", "a=-8, b=21", PRECIS_EUNSUPPORTED, "below what is read" },
        { "_operator.lshift", "a=1, b=-1", PRECIS_EFORMAT, "shifts no whole number by 0 to 62 bits" },
        { "_operator.lshift", "a=3, b=62", PRECIS_EFORMAT, "have no such result" },
        { "_operator.rshift", "a=1.5, b=1", PRECIS_EFORMAT, "shifts no whole number by 0 to 62 bits" },
        { "torch.sym_ite", "b=1, t=2, f=3", PRECIS_EFORMAT, "chooses by a number that is no truth" },
        { "torch._sym_sqrt", "a=-4", PRECIS_EFORMAT, "-4 has no square root" },
        { "math.floor", "x=-4.6e18", PRECIS_EFORMAT, "no whole number that is read" },
        { "math.ceil", "x=inf", PRECIS_EFORMAT, "no whole number that is read" },
        { "_operator.and_", "a=6, b=3", PRECIS_EUNSUPPORTED, "joins numbers that are no truths" },
        { "_operator.or_", "a=true, b=3", PRECIS_EUNSUPPORTED, "joins numbers that are no truths" },
    };
    precis_ctx *ctx = test_ctx(1);
    char calls[256];
    differences = 0;
    for (size_t i = 0; i < ONNX_COUNT(rows); i++) {
        snprintf(calls, sizeof calls, "#n = %s(%s) y = aten.arange.default(end=#n)", rows[i].op, rows[i].args);
        refuses(ctx, calls, 0, rows[i].st, rows[i].text);
    }
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
}

#define N "#n = aten.sym_size.int(self=x, dim=0) "
#define TO(m) "y = aten.arange.default(end=#" m ")"
/* Numbers of a dimension that gets its size when the net runs: 2 here. */
static const char *const of_dims[][2] = {
    { N TO("n"), "int64[2] y {0,1}" },
    { N "#m = _operator.add(a=#n, b=2) " TO("m"), "int64[4] y {0,1,2,3}" },
    { N "#m = _operator.add(a=3, b=#n) " TO("m"), "int64[5] y {0,1,2,3,4}" },
    { N "#m = _operator.add(a=#n, b=-1) " TO("m"), "int64[1] y {0}" },
    { N "#m = _operator.add(a=#n, b=#n) " TO("m"), "int64[4] y {0,1,2,3}" },
    { N "#m = _operator.sub(a=#n, b=1) " TO("m"), "int64[1] y {0}" },
    { N "#m = _operator.mul(a=#n, b=2) " TO("m"), "int64[4] y {0,1,2,3}" },
    { N "#m = _operator.mul(a=2, b=#n) " TO("m"), "int64[4] y {0,1,2,3}" },
    { N "#m = _operator.mul(a=#n, b=#n) " TO("m"), "int64[4] y {0,1,2,3}" },
    { N "#m = _operator.floordiv(a=#n, b=2) " TO("m"), "int64[1] y {0}" },
    { N "#m = _operator.lshift(a=#n, b=1) " TO("m"), "int64[4] y {0,1,2,3}" },
    { N "#m = _operator.rshift(a=#n, b=1) " TO("m"), "int64[1] y {0}" },
    { N "#m = torch.sym_ite(b=false, t=7, f=#n) " TO("m"), "int64[2] y {0,1}" },
    { N "#m = _operator.pos(a=#n) " TO("m"), "int64[2] y {0,1}" },
    { N "#m = math.floor(x=#n) " TO("m"), "int64[2] y {0,1}" },
    { N "#m = torch.sym_int(a=#n) y = aten.arange.default(end=#m, dtype=%7)", "float[2] y {0,1}" },
    { "#m = aten.sym_numel.default(self=x) " TO("m"), "int64[6] y {0,1,2,3,4,5}" },
    { N "y = aten.full.default(size=[#n, 2], fill_value=true)", "bool[2,2] y {1,1,1,1}" },
};

/* What no expression of dimensions says: the graph is made anew with the size that comes. */
static const char *const with_sizes[][2] = {
    { N "#m = _operator.sub(a=5, b=#n) " TO("m"), "int64[3] y {0,1,2}" },
    { N "#m = _operator.mod(a=3, b=#n) " TO("m"), "int64[1] y {0}" },
    { N "#m = _operator.mod(a=#n, b=2) " TO("m"), "int64[0] y {}" },
    { N "#m = _operator.pow(a=#n, b=2) " TO("m"), "int64[4] y {0,1,2,3}" },
    { N "#m = _operator.floordiv(a=7, b=#n) " TO("m"), "int64[3] y {0,1,2}" },
    { N "#m = _operator.truediv(a=#n, b=2) " TO("m"), "float[1] y {0}" },
    { N "#m = _operator.mul(a=#n, b=-2) y = aten.scalar_tensor.default(s=#m)", "float y {-4}" },
    { N "#m = _operator.mul(a=#n, b=1.25) " TO("m"), "float[3] y {0,1,2}" },
    { N "#m = torch.sym_max(a=#n, b=3) " TO("m"), "int64[3] y {0,1,2}" },
    { N "#m = _operator.neg(a=#n) y = aten.scalar_tensor.default(s=#m)", "float y {-2}" },
    { N "#m = torch.sym_float(a=#n) " TO("m"), "float[2] y {0,1}" },
    { N "#m = _operator.lt(a=#n, b=3) y = aten.scalar_tensor.default(s=#m)", "float y {1}" },
    { N "y = aten.scalar_tensor.default(s=#n)", "float y {2}" },
    { N "y = aten.arange.start(start=#n, end=5)", "int64[3] y {2,3,4}" },
    { N "y = aten.arange.start_step(start=0, end=#n, step=2)", "int64[1] y {0}" },
    { N "y = aten.linspace.default(start=0, end=1, steps=#n)", "float[2] y {0,1}" },
    { N "#m = torch.sym_min(a=#n, b=1) " TO("m"), "int64[1] y {0}" },
    { N "#m = torch.sym_min(a=7, b=#n) " TO("m"), "int64[2] y {0,1}" },
    { N "y = aten.eye.m(n=#n, m=3)", "float[2,3] y {1,0,0,0,1,0}" },
    { N "y = aten.eye.default(n=#n)", "float[2,2] y {1,0,0,1}" },
};

static void test_sizes(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    differences = 0;
    for (size_t i = 0; i < ONNX_COUNT(of_dims); i++) {
        gives(ctx, of_dims[i][0], 1, of_dims[i][1]);
        writes(ctx, of_dims[i][0], of_dims[i][1]);
    }
    for (size_t i = 0; i < ONNX_COUNT(with_sizes); i++) gives(ctx, with_sizes[i][0], 1, with_sizes[i][1]);
    refuses(ctx, N "#m = _operator.sub(a=1, b=#n) " TO("m"), 1, PRECIS_EFORMAT, "from 0 to -1 by 1 is no range");
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
}

static const struct {
    const char *calls;
    precis_status st;
    const char *text;
} refused[] = {
    { "y = aten.zeros.default(size=[1,1,1,1,1,1,1,1,1])", PRECIS_EUNSUPPORTED, "gives 9 dimensions" },
    { "y = aten.full.default(size=[2,-3], fill_value=1)", PRECIS_EFORMAT, "dimension 1 is -3" },
    { "y = aten.arange.start(start=0, end=-3)", PRECIS_EFORMAT, "from 0 to -3 by 1 is no range" },
    { "y = aten.arange.start_step(start=0, end=3, step=0)", PRECIS_EFORMAT, "by 0 is no range" },
    { "y = aten.arange.start(start=0, end=inf)", PRECIS_EFORMAT, "is no range" },
    { "y = aten.arange.default(end=4611686018427387904)", PRECIS_EFORMAT, "is no range" },
    { "y = aten.linspace.default(start=0, end=1, steps=-1)", PRECIS_EUNSUPPORTED, "has -1 steps" },
    { "y = aten.linspace.default(start=0, end=1, steps=1000000000)", PRECIS_EUNSUPPORTED, "has 1000000000 steps" },
    { "y = quantized_decomposed.quantize_per_tensor.default(input=x, scale=0.1, zero_point=-2, quant_min=0, "
      "quant_max=255, dtype=%1)", PRECIS_EFORMAT, "zero point 0 is -2, no code of U8" },
    { "y = quantized_decomposed.quantize_per_tensor.default(input=x, scale=0.1, zero_point=0, quant_min=-256, "
      "quant_max=127, dtype=%2)", PRECIS_EFORMAT, "codes from -256 to 127 are none of I8" },
    { "y = quantized_decomposed.quantize_per_tensor.default(input=x, scale=0.1, zero_point=0, quant_min=0, "
      "quant_max=1, dtype=%7)", PRECIS_EFORMAT, "codes from 0 to 1 are none of F32" },
    { "y = quantized_decomposed.quantize_per_tensor.default(input=x, scale=0.1, zero_point=0, "
      "quant_min=-2147483648, quant_max=2147483647, dtype=%4)", PRECIS_EUNSUPPORTED, "gives codes of I32" },
    { "y = quantized_decomposed.quantize_per_channel.default(input=x, scales=x, zero_points=none, axis=1, "
      "quant_min=0, quant_max=255, dtype=%1)", PRECIS_EFORMAT, "scales is no vector" },
    { "s = aten.linspace.default(start=1, end=-1, steps=3) y = "
      "quantized_decomposed.quantize_per_channel.default(input=x, scales=s, zero_points=none, axis=1, "
      "quant_min=0, quant_max=255, dtype=%1)", PRECIS_EFORMAT, "scale 1 is 0; scales are above zero" },
    { "s = aten.ones.default(size=[3]) z = aten.arange.start(start=254, end=257) y = "
      "quantized_decomposed.quantize_per_channel.default(input=x, scales=s, zero_points=z, axis=1, "
      "quant_min=0, quant_max=255, dtype=%1)", PRECIS_EFORMAT, "zero point 2 is 256, no code of U8" },
    { "y = quantized_decomposed.dequantize_per_tensor.default(input=x, scale=0.1, zero_point=0, quant_min=0, "
      "quant_max=255, dtype=%1)", PRECIS_EFORMAT, "takes U8, is given F32" },
    { "y = aten.eye.default(n=-2)", PRECIS_EFORMAT, "counts to -2" },
    { "#n = aten.item.default(self=x) " I64_OF("n"), PRECIS_EFORMAT, "is not one element" },
    { "e = aten.arange.default(end=2) #n = aten.item.default(self=e) " I64_OF("n"), PRECIS_EFORMAT,
      "is not one element" },
    { "e = aten.sum.default(self=x) #n = aten.sym_size.int(self=e, dim=0) " I64_OF("n"), PRECIS_EFORMAT,
      "asks for a size of a scalar" },
    { "#n = aten.sym_size.int(self=x, dim=2) " I64_OF("n"), PRECIS_EFORMAT, "has no dimension 2" },
    { "e = aten.full.default(size=[], fill_value=-2305843009213693951) f = aten.mul.Scalar(self=e, other=2) "
      "#n = aten.item.default(self=f) y = aten.zeros.default(size=[#n])", PRECIS_EUNSUPPORTED,
      "below what is read" },
};

/* Tensors made of numbers that are none: sizes, ranges, codes and elements of tensors; and what they are beside. */
static void test_refused(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    differences = 0;
    for (size_t i = 0; i < ONNX_COUNT(refused); i++) refuses(ctx, refused[i].calls, 0, refused[i].st, refused[i].text);
    gives(ctx, "y = aten.slice.Tensor(self=x, dim=1, start=0, end=3, step=9223372036854775807)", 0,
          "float[2,1] y {1,4}");
    gives(ctx, "e = aten.full.default(size=[1], fill_value=2.5) #n = aten.item.default(self=e) " F64_OF("n"), 0,
          "double y {2.5}");
    gives(ctx, "e = aten.full.default(size=[], fill_value=true) #n = aten.item.default(self=e) "
               "y = aten.full.default(size=[], fill_value=#n)", 0, "bool y {1}");
    gives(ctx, "e = aten.full.default(size=[], fill_value=-7) #n = aten._local_scalar_dense.default(self=e) "
               I64_OF("n"), 0, "int64 y {-7}");
    precis_ctx_close(&ctx);
    assert_int_equal(differences, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_no_such_result),
                                        cmocka_unit_test(test_sizes), cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
