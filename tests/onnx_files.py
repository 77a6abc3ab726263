"""Small ONNX files and .npy files, by hand: protobuf is written field by field. Needs no package.
usage: onnx_files.py FOLDER: the nets that tests and fuzzing begin with, good ones and hostile ones."""
import os, struct, sys

F32, U8, I8, I32, I64, STRING, BOOL, I4 = 1, 2, 3, 6, 7, 8, 9, 22


def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, kind, shape, raw=None, extra=b""):
    out = b"".join(field(1, d) for d in shape) + field(2, kind) + field(8, name)
    return out + (field(9, raw) if raw is not None else b"") + extra


def floats(name, shape, values):
    return tensor(name, F32, shape, struct.pack(f"<{len(values)}f", *values))


def longs(name, values, shape=None):
    return tensor(name, I64, [len(values)] if shape is None else shape, struct.pack(f"<{len(values)}q", *values))


def attr(name, value):
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, 1)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    if isinstance(value, list) and value and not isinstance(value[0], int):  # of floats or of texts
        return field(1, name) + b"".join(field(7 if isinstance(value[0], float) else 9, v) for v in value) + field(20, 6 if isinstance(value[0], float) else 8)
    if isinstance(value, list):
        return field(1, name) + b"".join(field(8, v) for v in value) + field(20, 7)
    if isinstance(value, tuple):  # ("graph" or "tensor", bytes)
        return field(1, name) + field(6 if value[0] == "graph" else 5, value[1]) + field(20, 5 if value[0] == "graph" else 4)
    raise TypeError(value)


def node(op, inputs, outputs, domain="", name="", **attrs):
    out = b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(4, op)
    out += field(3, name) if name else b""
    return out + b"".join(field(5, attr(k, v)) for k, v in attrs.items()) + (field(7, domain) if domain else b"")


def port(name, kind, shape):
    dims = b"".join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def graph(nodes, inputs, outputs, initializers=(), extra=b""):
    out = b"".join(field(1, n) for n in nodes) + field(2, "g") + b"".join(field(5, i) for i in initializers)
    return out + b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs) + extra


def model(g, opset=17, domains=(), functions=(), ir=8, extra=b""):
    out = field(1, ir) + field(7, g) + field(8, field(1, "") + field(2, opset))
    return out + b"".join(field(8, field(1, d) + field(2, 1)) for d in domains) + b"".join(field(25, f) for f in functions) + extra


def npy(values, shape, descr="<f4", fortran=False, version=1):
    head = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({''.join(f'{d}, ' for d in shape)}), }}".encode()
    size = "<H" if version == 1 else "<I"
    head += b" " * (-(len(head) + 7 + struct.calcsize(size) + 2) % 64) + b"\n"
    codes = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "b1": "?"}
    order = ">" if descr[0] == ">" else "<"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(size, len(head)) + head + struct.pack(f"{order}{len(values)}{codes[descr[1:]]}", *values)


def read_npy(path):
    """(descr, shape, values)"""
    data = open(path, "rb").read()
    n = struct.unpack("<H", data[8:10])[0]
    head = eval(data[10:10 + n].decode())
    codes = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "b1": "?"}
    body = data[10 + n:]
    code = codes[head["descr"][1:]]
    return head["descr"], head["shape"], list(struct.unpack(f"<{len(body) // struct.calcsize(code)}{code}", body))


X = port("x", F32, ["N", 2, 4, 4])
Y = port("y", F32, [])


def ramp(n, step=0.1):
    return [step * ((i * 37) % 19 - 9) for i in range(n)]


def good():
    yield "large", model(graph([node("ConstantOfShape", ["s"], ["c"]), node("ReduceSum", ["c"], ["r"], keepdims=0), node("Add", ["x", "r"], ["y"])],
                               [X], [Y], [longs("s", [1 << 28])]))
    w, b = floats("w", [3, 2, 3, 3], ramp(54)), floats("b", [3], [0.1, 0.2, 0.3])
    conv = node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1])
    yield "conv", model(graph([conv, node("Relu", ["c"], ["r"]), node("MaxPool", ["r"], ["y"], kernel_shape=[2, 2], strides=[2, 2])], [X], [Y], [w, b]))
    shape = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"]), node("Unsqueeze", ["n", "axis"], ["n1"]),
             node("Concat", ["n1", "rest"], ["to"], axis=0), node("Reshape", ["x", "to"], ["f"]),
             node("Gemm", ["f", "m", "v"], ["y"], transB=1)]
    ints = [longs("zero", [0], []), longs("axis", [0]), longs("rest", [-1]), floats("m", [5, 32], ramp(160)), floats("v", [5], ramp(5))]
    yield "shapes", model(graph(shape, [X], [Y], ints))
    # reshaped by an input's contents, and as many results as x has elements that are not zero
    yield "contents", model(graph([node("Reshape", ["x", "to"], ["r"]), node("NonZero", ["r"], ["y"])],
                                  [X, port("to", I64, ["K"])], [port("y", I64, [])]))
    branch = lambda op: ("graph", graph([node(op, ["x"], ["z"])], [], [port("z", F32, [])]))
    yield "branches", model(graph([node("If", ["c"], ["y"], then_branch=branch("Exp"), else_branch=branch("Neg"))],
                                  [X, port("c", BOOL, [])], [Y]))
    body = graph([node("Add", ["acc", "x"], ["sum"]), node("Identity", ["go"], ["on"]), node("Identity", ["sum"], ["each"])],
                 [port("i", I64, []), port("go", BOOL, []), port("acc", F32, [])], [port("on", BOOL, []), port("sum", F32, []), port("each", F32, [])])
    yield "loop", model(graph([node("Sub", ["x", "x"], ["none"]), node("Loop", ["m", "", "none"], ["y", "all"], body=("graph", body))],
                              [X], [Y, port("all", F32, [])], [longs("m", [3], [])]))
    twice = field(1, "Twice") + field(4, "a") + field(5, "b") + field(6, "alpha") + field(7, node("LeakyRelu", ["a"], ["t"]) + field(5, field(1, "alpha") + field(21, "alpha") + field(20, 1))) + \
        field(7, node("Add", ["t", "t"], ["b"])) + field(9, field(1, "") + field(2, 17)) + field(10, "mine")
    yield "function", model(graph([node("Twice", ["x"], ["y"], domain="mine", alpha=0.5)], [X], [Y]), domains=["mine"], functions=[twice])
    codes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    yield "softmax", model(graph([node("Softmax", ["x"], ["y"], axis=-1)], [X], [Y]), opset=11)
    yield "codes", model(graph(codes, [X], [Y], [floats("s", [], [0.05]), tensor("z", U8, [], b"\x80")]))
    yield "int4", model(graph([node("DequantizeLinear", ["w", "s"], ["y"])], [], [Y], [floats("s", [], [0.5]), tensor("w", I4, [3], b"\x1f\x08")]), opset=21)
    yield "indices", model(graph([node("Gather", ["x", "i"], ["y"])], [X, port("i", I64, [])], [Y]))
    yield "scales", model(graph([node("QuantizeLinear", ["x", "s"], ["q"]), node("DequantizeLinear", ["q", "s"], ["y"])], [X, port("s", F32, [])], [Y]))
    yield "names", model(graph([node("Identity", ["a=b"], ["out/one"])], [port("a=b", I32, [2])], [port("out/one", I32, [2])]))
    yield "external", model(graph([node("Add", ["x", "w"], ["y"])], [X], [Y], [tensor("w", F32, [4], None, external("data.bin", 4, 16))]))


def external(location, offset, length):
    pair = lambda k, v: field(13, field(1, k) + field(2, str(v)))
    return pair("location", location) + pair("offset", offset) + pair("length", length) + field(14, 1)


def hostile():
    """name, bytes, exit code, what the message says"""
    relu = node("Relu", ["x"], ["y"])
    one = lambda nodes, ini=(), ins=(X,), **k: model(graph(nodes, list(ins), [Y], list(ini)), **k)
    yield "empty", b"", 3, "empty"
    yield "cut", one([relu])[:-20], 3, "byte"
    yield "no_graph", field(1, 8), 3, "holds no graph"
    yield "two_graphs", one([relu]) + field(7, graph([relu], [X], [Y])), 3, "twice"
    yield "cycle", one([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]), 3, "nothing that stands before"
    yield "twice", one([relu, relu]), 3, "made twice"
    yield "no_output", one([node("Relu", ["x"], ["z"])]), 3, "nothing makes"
    yield "unknown", one([node("Wobble", ["x"], ["y"])]), 3, "Wobble of opset 17 is not supported"
    yield "attribute", one([node("Relu", ["x"], ["y"], wobble=1)]), 3, "attribute wobble"
    yield "raw_short", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], bytes(12))]), 3, "12 bytes"
    yield "raw_long", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], bytes(20))]), 3, "20 bytes"
    yield "huge", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [1 << 31, 1 << 31], b"")]), 3, "more than 2.31"
    yield "negative", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [-1], b"")]), 3, "dimension 0"
    yield "strings", one([node("Add", ["x", "w"], ["y"])], [tensor("w", STRING, [1], None, field(6, "a"))]), 3, "strings"
    yield "two_forms", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [1], bytes(4), field(4, struct.pack("<f", 1)))]), 3, "two forms"
    yield "same_name", one([node("Add", ["x", "w"], ["y"])], [floats("w", [1], [1]), floats("w", [1], [1])]), 3, "made twice"
    yield "sparse", model(graph([relu], [X], [Y], [], field(15, b""))), 3, "sparse"
    yield "outside", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], None, external("../data.bin", 0, 16))]), 3, "no plain path"
    yield "absolute", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], None, external("/etc/passwd", 0, 16))]), 3, "no plain path"
    yield "link", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], None, external("link.bin", 0, 16))]), 3, "link"
    yield "hard_link", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], None, external("hard.bin", 0, 16))]), 3, "hard link"
    yield "beyond", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], None, external("data.bin", 16, 16))]), 3, "ends behind"
    yield "overlap", one([node("Add", ["x", "w"], ["a"]), node("Add", ["a", "v"], ["y"])],
                         [tensor("w", F32, [4], None, external("data.bin", 0, 16)), tensor("v", F32, [4], None, external("data.bin", 4, 16))]), 3, "shares bytes"
    yield "key", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], None, field(13, field(1, "__class__") + field(2, "x")) + field(14, 1))]), 3, "unknown key"
    deep = graph([relu], [], [Y])
    for _ in range(60):
        deep = graph([node("If", ["c"], ["y"], then_branch=("graph", deep), else_branch=("graph", b""))], [], [Y])
    yield "nesting", model(deep), 3, "nest deeper"
    me = field(1, "Me") + field(4, "a") + field(5, "b") + field(7, node("Me", ["a"], ["b"], domain="mine")) + field(10, "mine")
    yield "key_twice", one([node("Add", ["x", "w"], ["y"])], [tensor("w", F32, [4], None, external("data.bin", 0, 16) + field(13, field(1, "offset") + field(2, "8")))]), 3, "key offset twice"
    yield "default", model(graph([node("Add", ["x", "w"], ["y"])], [X, port("w", F32, [3])], [Y], [floats("w", [4], [1] * 4)])), 3, "another shape as an initializer"
    calls = lambda name, other: field(1, name) + field(4, "a") + field(5, "b") + field(10, "mine") + field(7, node(other, ["a"], ["c"], domain="mine")) + field(7, node(other, ["c"], ["b"], domain="mine"))
    leaf = field(1, "F0") + field(4, "a") + field(5, "b") + field(10, "mine") + field(7, node("Relu", ["a"], ["b"])) + field(9, field(2, 17))
    yield "function_twice", one([node("F0", ["x"], ["y"], domain="mine")], domains=["mine"], functions=[leaf, leaf]), 3, "F0 is there twice"
    yield "function_bomb", one([node("F25", ["x"], ["y"], domain="mine")], domains=["mine"], functions=[leaf] + [calls(f"F{i}", f"F{i - 1}") for i in range(1, 26)]), 3, "more than 1000000 nodes"
    again = graph([node("Identity", ["go"], ["on"]), node("Exp", ["a"], ["b"])], [port("i", I64, []), port("go", BOOL, []), port("a", F32, [])], [port("on", BOOL, []), port("b", F32, [])])
    around = graph([node("Identity", ["go"], ["on"]), node("Loop", ["m", "go", "a"], ["b"], body=("graph", again))], [port("j", I64, []), port("go", BOOL, []), port("a", F32, [])], [port("on", BOOL, []), port("b", F32, [])])
    yield "loop_bomb", one([node("Loop", ["m", "", "x"], ["y"], body=("graph", around))], [longs("m", [1000], [])]), 3, "more than 1000000 nodes"
    yield "more_inputs", one([node("Relu", ["x", "x"], ["y"], name="more")]), 3, "node more .*has 2 inputs; of opset 17 it takes at most 1"
    yield "later_inputs", model(graph([node("Clip", ["x", "l", "h"], ["y"])], [X], [Y], [floats("l", [], [0]), floats("h", [], [6])]), opset=10), 3, "of opset 10 it takes at most 1"
    two = one([node("Slice", ["x", "s", "e"], ["y"], name="part")], [longs("s", [0], [1, 1]), longs("e", [1], [1, 1])])
    yield "starts_table", two, 3, "node part .*input 1 has 2 dimensions, and takes a list"
    yield "starts_real", one([node("Slice", ["x", "s", "e"], ["y"], name="part")], [floats("s", [1], [0]), longs("e", [1])]), 3, "node part .*input 1 is F32, and takes whole"
    yield "shape_table", one([node("Reshape", ["x", "s"], ["y"], name="form")], [longs("s", [2, 2], [1, 2])]), 3, "node form .*input 1 has 2 dimensions"
    yield "sizes_real", one([node("Resize", ["x", "", "", "s"], ["y"])], [floats("s", [4], [1, 2, 4, 4])]), 3, "input 3 is F32"
    yield "scales_whole", one([node("Resize", ["x", "", "s"], ["y"])], [longs("s", [1, 1, 1, 1])]), 3, "its scales are I64"
    yield "depths", one([node("OneHot", ["x", "d", "v"], ["y"])], [longs("d", [2, 3]), floats("v", [2], [0, 1])]), 3, "has 2 depths"
    yield "range_types", one([node("Range", ["a", "b", "a"], ["r"]), node("Add", ["x", "r"], ["y"])], [floats("a", [], [1]), longs("b", [4], [])]), 3, "counts in one type"
    yield "no_axis", one([node("Concat", ["x", "x"], ["y"], name="cat")]), 3, "node cat .*has no attribute axis"
    yield "clip_by_many", one([node("Clip", ["x", "x"], ["y"])]), 3, "bound min is not one number"
    yield "flat_axis", model(graph([node("Softmax", ["x"], ["y"], axis=-7)], [X], [Y]), opset=11), 3, "no axis -7"
    yield "opsets", one([relu], domains=[f"d{i}" for i in range(300)]), 3, "more than 256 opsets"
    yield "recursion", one([node("Me", ["x"], ["y"], domain="mine")], domains=["mine"], functions=[me]), 3, "calls itself"
    for name, scale in (("nan", float("nan")), ("zero", 0.0), ("minus", -1.0), ("infinite", float("inf"))):
        yield f"scale_{name}", one([node("QuantizeLinear", ["x", "s"], ["q"], name="quant"), node("DequantizeLinear", ["q", "s"], ["y"])], [floats("s", [], [scale])]), 3, "quant"
    nan = float("nan")
    yield "nan_conv", one([node("Conv", ["x", "w"], ["y"], name="edge")], [floats("w", [1, 2, 1, 1], [1, nan])]), 3, "node edge .*element 1 of its weights w is NaN"
    yield "nan_product", one([node("MatMul", ["x", "m"], ["y"], name="last")], [floats("m", [4, 1], [1, 2, nan, 4])]), 3, "node last .*element 2 of its weights m is NaN"
    yield "nan_half", one([node("Cast", ["x"], ["h"], to=10), node("MatMul", ["h", "m"], ["y"], name="last")], [tensor("m", 10, [4, 1], struct.pack("<4H", 0, 0, 0, 0x7E00))]), 3, "element 3 of its weights m"
    forever = graph([node("Identity", ["go"], ["on"]), node("Exp", ["a"], ["b"])], [port("i", I64, []), port("go", BOOL, []), port("a", F32, [])], [port("on", BOOL, []), port("b", F32, [])])
    yield "forever", one([node("Loop", ["m", "", "x"], ["y"], body=("graph", forever))], [longs("m", [1 << 62], [])]), 3, "1024"
    yield "work", one([node("Expand", ["x", "to"], ["y"])], [longs("to", [1 << 20, 2, 1 << 10, 4])]), 3, "2.31|not"
    add = lambda made: [*made, node("ReduceSum", ["c"], ["r"], keepdims=0), node("Add", ["x", "r"], ["y"])]
    yield "mel", one(add([node("MelWeightMatrix", ["b", "l", "p", "lo", "hi"], ["c"], name="mel")]),
                     [longs("b", [65536], []), longs("l", [1 << 24], []), longs("p", [16000], []), floats("lo", [], [0]), floats("hi", [], [8000])]), 3, "node mel .*constants would take more than 2684"
    yield "range", one(add([node("Range", ["lo", "hi", "by"], ["c"], name="count")]), [floats("lo", [], [0]), floats("hi", [], [1 << 30]), floats("by", [], [1])]), 3, "node count .*constants would take more than 2684"
    yield "wide_shape", one([node("ConstantOfShape", ["s"], ["c"]), node("Cast", ["c"], ["i"], name="many", to=7), node("Reshape", ["x", "i"], ["y"])],
                            [longs("s", [1 << 28])]), 3, "many is a constant that is not computed when the net is read"
    for name, equation in (("new", "abcd->abcz"), ("again", "abcd->aabc")):
        yield f"einsum_{name}", one([node("Einsum", ["x"], ["y"], name="sum", equation=equation)]), 3, "node sum .*is no equation for its operands"
    yield "window", one([node("MaxPool", ["x"], ["y"], kernel_shape=[9, 9])]), 3, "does not fit"
    yield "groups", one([node("Conv", ["x", "w"], ["y"], group=0)], [floats("w", [1, 2, 1, 1], [1, 1])]), 3, "groups"
    yield "varint", b"\x08" + b"\xff" * 11, 3, "byte"


if __name__ == "__main__":
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/data.bin", "wb") as f:
        f.write(struct.pack("<6f", 0, 1, 2, 3, 4, 5))
    os.symlink("data.bin", f"{out}/link.bin")
    with open(f"{out}/twin.bin", "wb") as f:
        f.write(bytes(16))
    os.link(f"{out}/twin.bin", f"{out}/hard.bin")
    for name, data in good():
        with open(f"{out}/{name}.onnx", "wb") as f:
            f.write(data)
    with open(f"{out}/hostile.txt", "w") as table:
        for name, data, code, text in hostile():
            with open(f"{out}/bad_{name}.onnx", "wb") as f:
                f.write(data)
            table.write(f"{name}\t{code}\t{text}\n")
