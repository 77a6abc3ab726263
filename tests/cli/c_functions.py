"""Nets of functions of elements, comparisons, casts, norms and sizes that change, for C files. Needs no package.
usage: c_functions.py FOLDER: the nets, list.txt with their names, and NAME.txt: NAME=FILE of each input, a line each"""
import math, os, random, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import BOOL, F32, I8, I32, I64, U8, floats, graph, longs, model, node, npy, port

I16, U16, U32, U64 = 5, 4, 12, 13
ODD = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e-8, 0.3, -0.7, 20.0, -20.0, 88.8, -88.8, 1e6, 3.2e23, -1e20, 3.4e38, 1e-40,
       100.0, -100.0, 0.999, 5.0, -6.0, 2147483648.0, -3e9, 255.5, -129.0, math.inf, -math.inf, math.nan, 1048577.0, 5.2623e26]
UNARY = ["Abs", "Neg", "Sign", "Relu", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan",
         "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Tanh", "Sigmoid", "Erf", "Softplus", "Softsign", "Elu", "Selu", "Celu", "LeakyRelu",
         "ThresholdedRelu", "HardSigmoid", "HardSwish", "Mish", "Shrink", "IsNaN", "IsInf", "Gelu"]
BINARY = ["Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "PRelu", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Mod"]
TESTS = {"IsNaN", "IsInf", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}
WHOLE = [0, 1, -1, 2, -2, 7, -7, 2**31, -(2**31), 2**40, 3, -3, 255, 256, -129, 100]
rng = random.Random(7)


def noise(n):
    return [rng.gauss(0, 1) for _ in range(n)]


def each(ops, inputs, kind, n, fmod):
    """A node and an output for each of the ops."""
    nodes = [node(op, inputs, [f"y_{op}"], name=op, **({"fmod": 1} if op == "Mod" and fmod else {})) for op in ops]
    return nodes, [port(f"y_{op}", BOOL if op in TESTS else kind, [n]) for op in ops]


def nets():
    n = len(ODD)
    x = [("x", npy(ODD, [n]), F32, [n])]
    finite = [v if math.isfinite(v) and abs(v) < 1e30 else 1.5 for v in reversed(ODD)]
    nodes, outs = each(UNARY, ["x"], F32, n, False)
    yield "unary", model(graph(nodes, [port("x", F32, [n])], outs), opset=20), x
    nodes, outs = each(BINARY, ["x", "w"], F32, n, True)
    yield "binary", model(graph(nodes, [port("x", F32, [n])], outs, [floats("w", [n], finite)]), opset=20), x
    types = {"i8": I8, "i16": I16, "i32": I32, "i64": I64, "u8": U8, "u16": U16, "u32": U32, "u64": U64, "bool": BOOL}
    outs = [port(f"y_{k}", v, [n]) for k, v in types.items()]
    yield "casts", model(graph([node("Cast", ["x"], [f"y_{k}"], name=k, to=v) for k, v in types.items()], [port("x", F32, [n])], outs), opset=20), x
    m, codes = len(WHOLE), "<i8"
    w = [("x", npy(WHOLE, [m], codes), I64, [m])]
    nodes, outs = each(["Add", "Sub", "Mul", "Div", "Min", "Max", "Equal", "Less", "Greater", "Mod"], ["x", "w"], I64, m, False)
    for k, v in (("f32", F32), ("i32", I32), ("i8", I8), ("u8", U8), ("bool", BOOL), ("u64", U64)):
        nodes.append(node("Cast", ["x"], [f"c_{k}"], name=f"to {k}", to=v))
        outs.append(port(f"c_{k}", v, [m]))
    nodes += [node("Cast", ["c_i8"], ["f_i8"], name="back", to=F32), node("Cast", ["c_u64"], ["f_u64"], name="back again", to=F32),
              node("Abs", ["x"], ["a"], name="abs"), node("Neg", ["c_i32"], ["n"], name="neg")]
    outs += [port("f_i8", F32, [m]), port("f_u64", F32, [m]), port("a", I64, [m]), port("n", I32, [m])]
    yield "whole", model(graph(nodes, [port("x", I64, [m])], outs, [longs("w", [1, 2, -3, 4, 0, -1, 2, 7, 3, -2, 5, 6, -7, 8, 9, -1])]), opset=20), w
    nodes = [node("Greater", ["x", "z"], ["c"], name="c"), node("Where", ["c", "x", "w"], ["y"], name="w"), node("Not", ["c"], ["n"], name="n"),
             node("And", ["n", "b"], ["a"], name="a"), node("Or", ["c", "a"], ["o"], name="o"), node("Xor", ["c", "o"], ["p"], name="p"),
             node("Where", ["o", "i", "k"], ["j"], name="j"), node("Where", ["b", "w", "far"], ["g"], name="mask"), node("Add", ["y", "far"], ["f"], name="far")]
    outs = [port("g", F32, [9]), port("f", F32, [4, 9]), port("y", F32, [4, 9]), port("o", BOOL, [4, 9]), port("p", BOOL, [4, 9]), port("j", I64, [4, 9])]
    yield "choices", model(graph(nodes, [port("x", F32, [4, 9]), port("b", BOOL, [9])], outs, [floats("z", [], [0.2]), floats("w", [9], noise(9)),
                           longs("i", list(range(4)), [4, 1]), longs("k", [-5], [1]), floats("far", [9], [0, -math.inf, 0, math.inf, 1, -1, 0, 0, -math.inf])]), opset=20), [("x", npy(ODD, [4, 9]), F32, [4, 9]), ("b", npy([1, 0, 0, 1, 1, 0, 1, 0, 1], [9], "|b1"), BOOL, [9])]
    shape = [1, 8, 5, 6]
    p = [("x", npy(noise(240), shape), F32, shape)]
    nodes = [node("GroupNormalization", ["x", "s", "b"], ["g"], name="group", num_groups=4), node("InstanceNormalization", ["x", "s", "b"], ["i"], name="instance"),
             node("LpNormalization", ["x"], ["l"], name="length", p=2, axis=1), node("LogSoftmax", ["x"], ["o"], name="log", axis=1),
             node("LogSoftmax", ["x"], ["q"], name="log of rows", axis=-1), node("ReduceL2", ["x", "a"], ["r"], name="root", keepdims=0)]
    yield "norms", model(graph(nodes, [port("x", F32, shape)], [port(k, F32, shape) for k in "giloq"] + [port("r", F32, [1, 8])],
                         [floats("s", [8], noise(8)), floats("b", [8], noise(8)), longs("a", [2, 3])]), opset=21), p
    nodes, outs, ints = [], [], [floats("region", [8], [0, 0, -0.1, 0.2, 1, 1, 0.8, 1.3])]
    kinds = [("linear", "half_pixel", [10, 12], 0), ("linear", "align_corners", [7, 3], 0), ("cubic", "asymmetric", [9, 5], 0), ("linear", "pytorch_half_pixel", [3, 4], 1),
             ("cubic", "half_pixel", [2, 9], 1), ("linear", "tf_crop_and_resize", [6, 6], 0), ("nearest", "tf_crop_and_resize", [6, 6], 0), ("linear", "half_pixel", [5, 12], 0)]
    for k, (mode, how, size, smooth) in enumerate(kinds):
        ints.append(longs(f"to{k}", [1, 8] + size))
        nodes.append(node("Resize", ["x", "region" if how[0] == "t" else "", "", f"to{k}"], [f"y{k}"], name=f"r{k}", mode=mode, coordinate_transformation_mode=how,
                          antialias=smooth, extrapolation_value=1.5))
        outs.append(port(f"y{k}", F32, [1, 8] + size))
    yield "sizes", model(graph(nodes, [port("x", F32, shape)], outs, ints), opset=19), p


if __name__ == "__main__":
    folder, names = sys.argv[1], []
    os.makedirs(folder, exist_ok=True)
    for name, net, inputs in nets():
        names.append(name)
        open(os.path.join(folder, name + ".onnx"), "wb").write(net)
        with open(os.path.join(folder, name + ".txt"), "w") as list_:
            for port_, data, kind, shape_ in inputs:
                path = os.path.join(folder, f"{name}_{port_}.npy")
                open(path, "wb").write(data)
                list_.write(f"{port_}={path}\n")
    open(os.path.join(folder, "list.txt"), "w").write("\n".join(names) + "\n")
