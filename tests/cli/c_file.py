"""A program around a written C file, and what it must print. Needs no package.
usage: c_file.py main FILE.c X.npy [SAMPLES]   a main() that runs the samples of X and prints every output's bytes in hex
       c_file.py same PRINTED Y.npy [TOLERANCE] are these the array's bytes? Or its numbers, within a part of the largest
       c_file.py first X.npy N OUT.npy           the first N samples of an array
       c_file.py nets FOLDER                     nets with what c_file.sh looks at"""
import os, random, re, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import F32, I64, floats, graph, longs, model, node, npy, port


def read(path):
    """dtype, shape and bytes of a little-endian .npy in C order."""
    data = open(path, "rb").read()
    head = struct.unpack("<H", data[8:10])[0]
    text = data[10 : 10 + head].decode()
    assert "'fortran_order': False" in text, text
    shape = [int(v) for v in re.search(r"'shape': \(([^)]*)\)", text).group(1).replace(" ", "").split(",") if v]
    return re.search(r"'descr': '([^']*)'", text).group(1), shape, data[10 + head :]


def macros(path):
    text = open(path).read()
    prefix = re.search(r"#ifndef (\w+)_INCLUDED", text).group(1)
    name = re.search(r"^int (\w+)_run\(([^)]*)\)", text, re.M)
    size = lambda word: int(re.search(rf"#define {prefix}_{word}_SIZE (\d+)", text).group(1))
    types = [t.replace("const ", "").split("*")[0].strip() for t in name.group(2).split(",")]
    return prefix, name.group(1), size("INPUT"), size("OUTPUT"), types


def main_of(path, x, samples):
    prefix, name, n, m, types = macros(path)
    dtype, shape, raw = read(x)
    width = int(dtype[2:])
    count = min(len(raw) // width // n, samples)
    words = [f"0x{int.from_bytes(raw[i : i + width], 'little'):x}" for i in range(0, count * n * width, width)]
    unit = {1: "uint8_t", 4: "uint32_t", 8: "uint64_t"}[width]
    print(f'''#define {prefix}_HEADER_ONLY
#include "{os.path.basename(path)}"
#include <stdio.h>
#include <string.h>
static const {unit} inputs[] = {{ {", ".join(words)} }};
int main(void)
{{
    static {types[0]} input[{n}];
    static {types[1]} output[{m}];
    unsigned char bytes[sizeof output];
    for (int s = 0; s < {count}; s++) {{
        memcpy(input, inputs + s * {n}, sizeof input);
        if ({name}_run(input, output)) return 1;
        memcpy(bytes, output, sizeof bytes);
        for (unsigned i = 0; i < sizeof bytes; i++) printf("%02x", bytes[i]);
        printf("\\n");
    }}
    return 0;
}}''')


def same(printed, y, tolerance):
    dtype, shape, want = read(y)
    got = bytes.fromhex("".join(open(printed).read().split()))
    if not got or len(got) > len(want):
        sys.exit(f"{len(got)} bytes, not {len(want)}")
    want = want[: len(got)]
    if tolerance is None:
        at = next((i for i in range(len(got)) if got[i] != want[i]), None)
        return None if at is None else sys.exit(f"byte {at} of {len(got)} is {got[at]:02x}, not {want[at]:02x}")
    a, b = (struct.unpack(f"<{len(got) // 4}f", v) for v in (got, want))
    most = max(abs(v) for v in b) or 1
    worst = max(abs(p - q) for p, q in zip(a, b)) / most
    if not worst <= tolerance:
        sys.exit(f"off by {worst:g} of the largest")


def first(x, n, out):
    dtype, shape, raw = read(x)
    each = len(raw) // shape[0]
    assert dtype == "<f4", dtype
    open(out, "wb").write(npy(struct.unpack(f"<{each * n // 4}f", raw[: each * n]), [n] + shape[1:]))


rng = random.Random(5)


def noise(n, scale=1.0):
    return [scale * rng.gauss(0, 1) for _ in range(n)]


def mobile():
    """What MobileNetV3 has: grouped and dilated convolutions, hard-swish, a gate of channels, an odd size."""
    ints = [floats("w1", [8, 3, 3, 3], noise(216, .3)), floats("b1", [8], noise(8, .1)), floats("w2", [8, 1, 3, 3], noise(72, .4)),
            floats("w3", [8, 2, 3, 3], noise(144, .3)), floats("b3", [8], noise(8, .1)), floats("w4", [8, 8, 1, 1], noise(64, .5)),
            floats("w5", [6, 8, 1, 1], noise(48, .4)), floats("w6", [4, 36], noise(144, .3)), floats("b6", [4], noise(4, .1)),
            longs("flat", [0, -1]), longs("pads", [0, 0, 1, 0, 0, 0, 0, 1])]
    nodes = [node("Pad", ["x", "pads"], ["x1"], name="pad"), node("Conv", ["x1", "w1", "b1"], ["c1"], name="first", strides=[2, 2], pads=[1, 1, 1, 1]),
             node("HardSwish", ["c1"], ["h1"], name="hard"), node("Conv", ["h1", "w2"], ["c2"], name="depth", group=8, pads=[2, 2, 2, 2], dilations=[2, 2]),
             node("Relu", ["c2"], ["r2"], name="relu"), node("Conv", ["r2", "w3", "b3"], ["c3"], name="groups", group=4, pads=[1, 1, 1, 1]),
             node("Sigmoid", ["c3"], ["s3"], name="sigmoid"), node("GlobalAveragePool", ["s3"], ["g"], name="squeeze"),
             node("Conv", ["g", "w4"], ["c4"], name="gate"), node("HardSigmoid", ["c4"], ["s4"], name="hard sigmoid"),
             node("Mul", ["s3", "s4"], ["m"], name="scaled"), node("Add", ["m", "h1"], ["a"], name="sum"),
             node("AveragePool", ["a"], ["p"], name="mean", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 0]),
             node("Conv", ["p", "w5"], ["c5"], name="last"), node("Reshape", ["c5", "flat"], ["f"], name="flat"),
             node("Gemm", ["f", "w6", "b6"], ["l"], name="*/ system(\"x\"); /*\\\n#error", transB=1), node("Softmax", ["l"], ["y"], name="softmax", axis=-1)]
    return model(graph(nodes, [port("x", F32, ["N", 3, 8, 8])], [port("y", F32, ["N", 4])], ints))


def up():
    """Sizes that change to the nearest, in a net of one image."""
    ints = [floats("w1", [6, 2, 3, 3], noise(108, .3)), floats("w2", [2, 6, 1, 1], noise(12, .3)), floats("by", [4], [1.0, 1.0, 1.5, 2.0])]
    nodes = [node("Conv", ["x", "w1"], ["c"], name="c", pads=[1, 1, 1, 1]), node("Resize", ["c", "", "by"], ["r"], name="r", mode="nearest"),
             node("Conv", ["r", "w2"], ["y"], name="d")]
    return model(graph(nodes, [port("x", F32, [1, 2, 6, 5])], [port("y", F32, [1, 2, 9, 10])], ints))


def line():
    """One dimension: a keyword spotter, whose answer is a class."""
    ints = [floats("w1", [8, 4, 5], noise(160, .3)), floats("b1", [8], noise(8, .2)), floats("w2", [8, 8, 3], noise(192, .3)),
            floats("w3", [8, 5], noise(40, .4)), floats("b3", [5], noise(5, .1))]
    nodes = [node("Conv", ["x", "w1", "b1"], ["c"], name="c", pads=[2, 2]), node("Relu", ["c"], ["r"], name="r"),
             node("MaxPool", ["r"], ["p"], name="p", kernel_shape=[2], strides=[2]), node("Conv", ["p", "w2"], ["d"], name="d", pads=[1, 1]),
             node("Tanh", ["d"], ["t"], name="t"), node("ReduceMean", ["t"], ["m"], name="m", axes=[2], keepdims=0),
             node("MatMul", ["m", "w3"], ["k"], name="k"), node("Add", ["k", "b3"], ["l"], name="l"), node("ArgMax", ["l"], ["y"], name="y", axis=1, keepdims=0)]
    return model(graph(nodes, [port("x", F32, ["N", 4, 16])], [port("y", I64, ["N"])], ints))


def perceptron():
    ints = [floats("w1", [16, 12], noise(192, .3)), floats("b1", [16], noise(16, .1)), floats("w2", [16, 16], noise(256, .3)),
            floats("b2", [16], noise(16, .1)), floats("w3", [3, 16], noise(48, .3))]
    nodes = [node("Gemm", ["x", "w1", "b1"], ["a"], name="a", transB=1), node("Relu", ["a"], ["r"], name="r"), node("Gemm", ["r", "w2", "b2"], ["b"], name="b", transB=1),
             node("Tanh", ["b"], ["t"], name="t"), node("Gemm", ["t", "w3"], ["y"], name="c", transB=1)]
    return model(graph(nodes, [port("x", F32, ["N", 12])], [port("y", F32, ["N", 3])], ints))


def bell():
    """GELU in both forms."""
    ints = [floats("w1", [16, 12], noise(192, .5)), floats("w2", [16, 16], noise(256, .5)), floats("w3", [3, 16], noise(48, .3))]
    nodes = [node("Gemm", ["x", "w1"], ["a"], name="a", transB=1), node("Gelu", ["a"], ["g"], name="g"), node("Gemm", ["g", "w2"], ["b"], name="b", transB=1),
             node("Gelu", ["b"], ["h"], name="h", approximate="tanh"), node("Gemm", ["h", "w3"], ["y"], name="c", transB=1)]
    return model(graph(nodes, [port("x", F32, ["N", 12])], [port("y", F32, ["N", 3])], ints), opset=20)


def nets(folder):
    os.makedirs(folder, exist_ok=True)
    for name, net, shape in (("mobile", mobile(), [3, 8, 8]), ("line", line(), [4, 16]), ("perceptron", perceptron(), [12]), ("bell", bell(), [12]), ("up", up(), [2, 6, 5])):
        open(os.path.join(folder, name + ".onnx"), "wb").write(net)
        each = 1
        for d in shape:
            each *= d
        open(os.path.join(folder, name + ".npy"), "wb").write(npy(noise((1 if name == "up" else 12) * each), [1 if name == "up" else 12] + shape))
    order = model(graph([node("TopK", ["x", "k"], ["y", ""], name="the largest")], [port("x", F32, ["N", 4])], [port("y", F32, ["N", 2])], [longs("k", [2])]))
    open(os.path.join(folder, "order.onnx"), "wb").write(order)
    wide = model(graph([node("Relu", ["x"], ["y"], name="r")], [port("x", F32, ["N", "width"])], [port("y", F32, ["N", "width"])], []))
    open(os.path.join(folder, "wide.onnx"), "wb").write(wide)


if __name__ == "__main__":
    what, args = sys.argv[1], sys.argv[2:]
    if what == "main":
        main_of(args[0], args[1], int(args[2]) if len(args) > 2 else 1 << 30)
    elif what == "same":
        same(args[0], args[1], float(args[2]) if len(args) > 2 else None)
    elif what == "first":
        first(args[0], int(args[1]), args[2])
    else:
        nets(args[0])
