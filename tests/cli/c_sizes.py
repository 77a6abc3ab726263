"""Nets that leave one, two and three sizes open and compute with them, as C files of given sizes. Needs no package.
usage: c_sizes.py nets FOLDER                  the nets, and NAME.txt: SIZES, then NAME=FILE of each input, a line each
       c_sizes.py main FILE.c X.npy...         a main() that runs it on these inputs and prints each output's bytes in hex
       c_sizes.py same PRINTED Y.npy...        are these the arrays' bytes?"""
import os, random, re, struct, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from c_file import F32, I64, floats, graph, longs, model, node, npy, port, read

rng = random.Random(11)


def noise(n, scale=1.0):
    return [scale * rng.gauss(0, 1) for _ in range(n)]


def size_of(x, axis, to):
    """Nodes: dimension `axis` of x as a list of one number."""
    return [node("Shape", [x], [to + "s"]), node("Gather", [to + "s", f"i{axis}"], [to])]


AXES = [longs(f"i{k}", [k]) for k in range(4)]


def length():
    """Tokens of an encoder: a table, a norm, heads by Reshape to sizes that are computed, attention, a mask."""
    nodes = [node("Gather", ["table", "ids"], ["e"], name="table"), node("LayerNormalization", ["e", "lw", "lb"], ["n"], name="norm")]
    nodes += size_of("ids", 0, "b") + size_of("ids", 1, "t") + [node("Concat", ["b", "t", "two", "four"], ["heads"], axis=0),
              node("Concat", ["b", "t", "eight"], ["flat"], axis=0)]
    for k in "qkv":
        nodes += [node("MatMul", ["n", "w" + k], [k + "0"], name="to " + k), node("Reshape", [k + "0", "heads"], [k + "1"]),
                  node("Transpose", [k + "1"], [k + "2"], perm=[0, 2, 3, 1] if k == "k" else [0, 2, 1, 3])]
    nodes += [node("MatMul", ["q2", "k2"], ["s"], name="scores"), node("Cast", ["mask"], ["m"], to=F32), node("Sub", ["one", "m"], ["m1"]),
              node("Mul", ["m1", "low"], ["m2"]), node("Unsqueeze", ["m2", "places"], ["m3"]), node("Add", ["s", "m3"], ["s1"]),
              node("Softmax", ["s1"], ["p"], axis=-1), node("MatMul", ["p", "v2"], ["o"], name="mixed"), node("Transpose", ["o"], ["o1"], perm=[0, 2, 1, 3]),
              node("Reshape", ["o1", "flat"], ["o2"]), node("Erf", ["o2"], ["g"]), node("MatMul", ["g", "w"], ["l"], name="last"), node("Add", ["l", "e"], ["y"])]
    ints = AXES + [floats("table", [20, 8], noise(160)), floats("lw", [8], noise(8)), floats("lb", [8], noise(8)), longs("two", [2]), longs("four", [4]),
                   longs("eight", [8]), floats("one", [], [1.0]), floats("low", [], [-10000.0]), longs("places", [1, 2])]
    ints += [floats("w" + k, [8, 8], noise(64, .4)) for k in ("q", "k", "v", "")]
    return model(graph(nodes, [port("ids", I64, ["batch", "length"]), port("mask", I64, ["batch", "length"])], [port("y", F32, ["batch", "length", 8])], ints))


def plane():
    """A detector's neck: sizes of a skip decide a Resize, a transposed convolution goes back to them."""
    nodes = [node("Conv", ["x", "w1", "b1"], ["a"], name="down", strides=[2, 2], pads=[1, 1, 1, 1]), node("HardSwish", ["a"], ["h"]),
             node("Conv", ["h", "w2"], ["b"], name="again", strides=[2, 2], pads=[1, 1, 1, 1])]
    nodes += size_of("h", 0, "n") + size_of("h", 2, "r") + size_of("h", 3, "c") + [node("Concat", ["n", "eight", "r", "c"], ["to"], axis=0),
              node("Resize", ["b", "", "", "to"], ["u"], name="up", mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
              node("Concat", ["u", "h"], ["j"], axis=1), node("ConvTranspose", ["j", "w3", "b3"], ["d"], name="back", strides=[2, 2]), node("Sigmoid", ["d"], ["y"])]
    ints = AXES + [floats("w1", [8, 3, 3, 3], noise(216, .3)), floats("b1", [8], noise(8)), floats("w2", [8, 8, 3, 3], noise(576, .2)), longs("eight", [8]),
                   floats("w3", [16, 2, 2, 2], noise(128, .3)), floats("b3", [2], noise(2))]
    return model(graph(nodes, [port("x", F32, ["N", 3, "H", "W"])], [port("y", F32, ["N", 2, "H2", "W2"])], ints))


def norm():
    """A norm of pieces (Pow, Sqrt) over rows whose number is a product of sizes, and one output that is a size."""
    nodes = size_of("x", 1, "t") + [node("Mul", ["t", "two"], ["t2"]), node("Concat", ["minus", "t2", "three"], ["to"], axis=0), node("Reshape", ["x", "to"], ["r"]),
             node("ReduceMean", ["r"], ["m"], axes=[2]), node("Sub", ["r", "m"], ["d"]), node("Pow", ["d", "square"], ["p"]), node("ReduceMean", ["p"], ["v"], axes=[2]),
             node("Add", ["v", "eps"], ["e"]), node("Sqrt", ["e"], ["s"]), node("Div", ["d", "s"], ["q"]), node("MatMul", ["q", "w"], ["z"]),
             node("Abs", ["z"], ["a"]), node("Pow", ["a", "odd"], ["y"]), node("Log", ["e"], ["l"]), node("Floor", ["z"], ["f"])]
    ints = AXES + [longs("two", [2]), longs("three", [3]), longs("minus", [-1]), floats("square", [], [2.0]), floats("odd", [], [1.7]), floats("eps", [], [1e-5]),
                   floats("w", [3, 5], noise(15))]
    return model(graph(nodes, [port("x", F32, ["N", "T", 6])], [port("y", F32, ["N", "U", 5]), port("l", F32, ["N", "U", 1]), port("f", F32, ["N", "U", 5])], ints), opset=17)


def nets(folder):
    os.makedirs(folder, exist_ok=True)
    put = lambda name, data: open(os.path.join(folder, name), "wb").write(data)
    count = lambda shape: shape[0] * count(shape[1:]) if shape else 1
    for name, net, sizes, inputs in (
            ("length", length(), "7", {"ids": [1, 7], "mask": [1, 7]}), ("length2", length(), "length=5,batch=3", {"ids": [3, 5], "mask": [3, 5]}),
            ("plane", plane(), "12x20", {"x": [1, 3, 12, 20]}), ("plane2", plane(), "N=2,H=8,W=8", {"x": [2, 3, 8, 8]}),
            ("norm", norm(), "T=9", {"x": [1, 9, 6]}), ("norm4", norm(), "T=4,N=4", {"x": [4, 4, 6]})):
        put(name + ".onnx", net)
        lines = [sizes]
        for key, shape in inputs.items():
            whole = name.startswith("length")
            values = [rng.randrange(20 if key == "ids" else 2) for _ in range(count(shape))] if whole else noise(count(shape))
            put(f"{name}.{key}.npy", npy(values, shape, "<i8" if whole else "<f4"))
            lines.append(f"{key}={os.path.join(folder, f'{name}.{key}.npy')}")
        put(name + ".txt", "\n".join(lines).encode() + b"\n")


def main_of(path, arrays):
    text = open(path).read()
    prefix = re.search(r"#ifndef (\w+)_INCLUDED", text).group(1)
    run = re.search(r"^int (\w+)_run\(([^)]*)\)", text, re.M)
    kinds = [t.strip() for t in run.group(2).split(",")]
    sizes = [int(v) for v in re.findall(rf"#define {prefix}_(?:INPUT|OUTPUT)(?:_\d+)?_SIZE (\d+)", text)]
    lines, calls, prints = [], [], []
    for i, (kind, size) in enumerate(zip(kinds, sizes)):
        of = kind.replace("const ", "").split("*")[0].strip()
        if kind.startswith("const"):
            dtype, shape, raw = read(arrays[i])
            width = int(dtype[2:])
            words = ", ".join(f"0x{int.from_bytes(raw[k : k + width], 'little'):x}" for k in range(0, len(raw), width))
            assert len(raw) == size * width, (arrays[i], size)
            unit = {1: "uint8_t", 4: "uint32_t", 8: "uint64_t"}[width]
            lines.append(f"static const {unit} given_{i}[] = {{ {words} }};\nstatic {of} array_{i}[{size}];")
            prints.insert(0, f"    memcpy(array_{i}, given_{i}, sizeof array_{i});")
        else:
            lines.append(f"static {of} array_{i}[{size}];")
            calls.append(f"    show((const unsigned char *)array_{i}, sizeof array_{i});")
    names = ", ".join(f"array_{i}" for i in range(len(kinds)))
    show = "static void show(const unsigned char *bytes, unsigned n)\n{\n    unsigned i;\n    for (i = 0; i < n; i++) printf(\"%02x\", bytes[i]);\n    printf(\"\\n\");\n}"
    print(f"#define {prefix}_HEADER_ONLY\n#include \"{os.path.basename(path)}\"\n#include <stdio.h>\n#include <string.h>\n" + "\n".join(lines) + f"\n{show}\nint main(void)\n{{\n"
          + "\n".join(prints) + f"\n    if ({run.group(1)}_run({names})) return 1;\n" + "\n".join(calls) + "\n    return 0;\n}")


def same(printed, arrays):
    rows = open(printed).read().split()
    if len(rows) != len(arrays):
        sys.exit(f"{len(rows)} outputs, not {len(arrays)}")
    for row, path in zip(rows, arrays):
        got, (kind, _, want) = bytes.fromhex(row), read(path)
        if got != want:
            nan = lambda v: kind == "<f4" and struct.unpack("<f", v)[0] != struct.unpack("<f", v)[0]  # of any sign
            differ = [i for i in range(0, min(len(got), len(want)), 4) if got[i : i + 4] != want[i : i + 4] and not (nan(got[i : i + 4]) and nan(want[i : i + 4]))]
            if not differ and len(got) == len(want):
                continue
            sys.exit(f"{path}: {len(got)} and {len(want)} bytes, {len(differ)} numbers differ, the first is {differ[:1]}")


if __name__ == "__main__":
    what, args = sys.argv[1], sys.argv[2:]
    if what == "nets":
        nets(args[0])
    elif what == "main":
        main_of(args[0], args[1:])
    else:
        same(args[0], args[1:])
