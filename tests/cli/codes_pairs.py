"""Products of two activations in codes, and what they are to the last bit by whole numbers and one rounding. Needs no package.
usage: codes_pairs.py nets FOLDER   NAME.onnx, NAME.a.npy, NAME.b.npy, NAME.y.npy (what must come)"""
import os, random, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import F32, I8, U8, floats, graph, model, node, npy, port, tensor

rng = random.Random(7)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def nearest(x):  # ties to even, as IEEE 754
    return round(x)


def decoded(codes, zero, scale):
    return [f32((c - zero) * scale) for c in codes]


def net(op, kind, shapes, zeros, scales, numbers):
    """Inputs are Q'ed and DQ'ed, so that their codes are those of the arrays, which lie on them."""
    signed = kind == I8
    z = lambda name, v: tensor(name, kind, [], struct.pack("b" if signed else "B", v))
    ints, nodes = [], []
    for i, x in enumerate("ab"):
        ints += [floats("s" + x, [], [scales[i]]), z("z" + x, zeros[i])]
        nodes += [node("QuantizeLinear", [x, "s" + x, "z" + x], ["q" + x]), node("DequantizeLinear", ["q" + x, "s" + x, "z" + x], ["d" + x])]
    nodes.append(node(op, ["da", "db"], ["p" if not numbers else "y"], name="both"))
    if not numbers:
        ints += [floats("sy", [], [scales[2]]), z("zy", zeros[2])]
        nodes += [node("QuantizeLinear", ["p", "sy", "zy"], ["qy"]), node("DequantizeLinear", ["qy", "sy", "zy"], ["y"])]
    return model(graph(nodes, [port("a", F32, shapes[0]), port("b", F32, shapes[1])], [port("y", F32, shapes[2])], ints))


def count(shape):
    return shape[0] * count(shape[1:]) if shape else 1


def at(shape, index):
    """Where an index that is spread stands in an array of this shape."""
    n = 0
    for size, i in zip(shape, index[len(index) - len(shape):]):
        n = n * size + (0 if size == 1 else i)
    return n


def indices(shape):
    return [[]] if not shape else [[i] + rest for i in range(shape[0]) for rest in indices(shape[1:])]


def case(folder, name, op, kind, a, b, zeros, scales, numbers=False):
    lo, hi = (-128, 127) if kind == I8 else (0, 255)
    y = [max(p, q) for p, q in zip(a, b)] if op == "Mul" else a[:-1] + b[-1:]
    ca, cb = ([rng.randint(lo, hi) for _ in range(count(s))] for s in (a, b))
    scales = [f32(s) for s in scales]
    factor = f32(scales[0] * scales[1]) if numbers else f32(f32(scales[0] * scales[1]) / scales[2])
    out = []
    for i in indices(y):
        if op == "Mul":
            s = (ca[at(a, i)] - zeros[0]) * (cb[at(b, i)] - zeros[1])
        else:
            s = sum((ca[at(a, i[:-1] + [k])] - zeros[0]) * (cb[at(b, i[:-2] + [k, i[-1]])] - zeros[1]) for k in range(a[-1]))
        v = f32(f32(s) * factor)
        if op == "Mul":  # onnxruntime adds the zero point before it rounds
            code = nearest(f32(v + zeros[2]))
        else:
            code = nearest(v) + zeros[2]
        out.append(v if numbers else f32((min(max(code, lo), hi) - zeros[2]) * scales[2]))
    path = os.path.join(folder, name)
    open(path + ".onnx", "wb").write(net(op, kind, (a, b, y), zeros, scales, numbers))
    for key, values, shape in (("a", decoded(ca, zeros[0], scales[0]), a), ("b", decoded(cb, zeros[1], scales[1]), b), ("y", out, y)):
        open(f"{path}.{key}.npy", "wb").write(npy(values, shape))


folder = sys.argv[2]  # scales whose products lie in the middle between codes, too (.02 .03 / .04)
os.makedirs(folder, exist_ok=True)
case(folder, "scores", "MatMul", U8, [1, 2, 37, 19], [1, 2, 19, 45], [131, 120, 128], [.02, .03, .05])
case(folder, "signed", "MatMul", I8, [3, 40, 64], [3, 64, 17], [3, 0, -5], [.02, .03, .11])
case(folder, "middle", "MatMul", U8, [70, 33], [33, 80], [0, 128, 128], [1 / 256, .03, .02])
case(folder, "numbers", "MatMul", U8, [2, 5, 100], [2, 100, 3], [12, 250, 0], [.013, .07, 1], True)
case(folder, "numbers_signed", "MatMul", I8, [1, 4, 2, 7, 5], [1, 4, 2, 5, 33], [-7, 9, 0], [.013, .07, 1], True)
case(folder, "gate", "Mul", U8, [2, 5, 7, 9], [2, 5, 1, 1], [110, 0, 128], [.03, 1 / 255, .02])
case(folder, "gate_first", "Mul", I8, [1, 6, 1, 1], [3, 6, 4, 5], [0, -4, 7], [.03, .02, .03])
case(folder, "alike", "Mul", U8, [3, 111], [3, 111], [100, 128, 3], [.05, .01, .04])
case(folder, "rows", "Mul", I8, [4, 1, 70], [1, 5, 70], [1, 2, 3], [.02, .03, .04])
