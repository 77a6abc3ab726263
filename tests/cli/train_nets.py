"""Nets of arrays whose ops are those of encoders and of decoders of pictures (where, gather, softmax along an axis, expand, einsum; transposed
convolutions, resizing): they are trained, in few bits too, and what is written has the loss of training. usage: train_nets.py PRECIS FOLDER"""
import json, os, random, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import F32, I64, floats, graph, longs, model, node, npy, port, tensor

precis, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
draw = random.Random(5)
BOOL = 9


def matrix(name, *shape):
    n = 1
    for d in shape:
        n *= d
    return floats(name, list(shape), [draw.gauss(0, 0.3) for _ in range(n)])


def attention():
    nodes = [node("MatMul", ["x", "wq"], ["q"]), node("MatMul", ["x", "wk"], ["k"]), node("MatMul", ["x", "wv"], ["v"]),
             node("Einsum", ["q", "k"], ["s"], equation="bik,bjk->bij"), node("Where", ["mask", "s", "low"], ["sm"]),
             node("Softmax", ["sm"], ["p"], axis=-1), node("MatMul", ["p", "v"], ["o"]), node("Expand", ["shift", "shape"], ["e"]),
             node("Add", ["o", "e"], ["y"]), node("Gather", ["y", "last"], ["g"], axis=1), node("Gemm", ["g", "wc", "bc"], ["out"])]
    mask = bytes(int(j <= i) for i in range(6) for j in range(6))
    weights = [matrix("wq", 8, 8), matrix("wk", 8, 8), matrix("wv", 8, 8), tensor("mask", BOOL, [6, 6], mask), floats("low", [1], [-1e4]),
               matrix("shift", 1, 8), longs("shape", [6, 8]), longs("last", [5], []), matrix("wc", 8, 3), matrix("bc", 3)]
    return graph(nodes, [port("x", F32, ["N", 6, 8])], [port("out", F32, ["N", 3])], weights), [6, 8]


def pictures(mode):
    nodes = [node("ConvTranspose", ["x", "w1", "b1"], ["a"], strides=[2, 2], kernel_shape=[2, 2]), node("Relu", ["a"], ["r"]),
             node("Resize", ["r", "", "scales"], ["u"], mode=mode), node("Conv", ["u", "w2"], ["c"], kernel_shape=[3, 3]),
             node("GlobalAveragePool", ["c"], ["m"]), node("Flatten", ["m"], ["f"]), node("Gemm", ["f", "wc", "bc"], ["out"])]
    weights = [matrix("w1", 2, 4, 2, 2), matrix("b1", 4), floats("scales", [4], [1, 1, 1.5, 1.5]), matrix("w2", 6, 4, 3, 3), matrix("wc", 6, 3), matrix("bc", 3)]
    return graph(nodes, [port("x", F32, ["N", 2, 4, 4])], [port("out", F32, ["N", 3])], weights), [2, 4, 4]


def samples(name, count, shape):
    each = 1
    for d in shape:
        each *= d
    x = [[draw.gauss(0, 1) for _ in range(each)] for _ in range(count)]
    y = [(sum(r[: each // 2]) > 0) + (sum(r[each // 2:]) > 0) for r in x]
    open(name + "x.npy", "wb").write(npy([v for r in x for v in r], [count] + shape))
    open(name + "y.npy", "wb").write(npy(y, [count], "<i8"))


def train(*more):
    r = subprocess.run([precis, "train", "c.json", "--json", "-q", "--no-history", *more], capture_output=True, text=True)
    assert r.returncode == 0, (more, r.stdout[-400:], r.stderr[-400:])
    return json.loads(r.stdout.splitlines()[-1])


for name, (g, shape) in {"attention": attention(), "linear": pictures("linear"), "nearest": pictures("nearest")}.items():
    open(name + ".onnx", "wb").write(model(g))
    samples("t", 128, shape)
    samples("h", 64, shape)
    c = {"data": {"arrays": "tx.npy", "labels": "ty.npy", "heldout": "hx.npy", "heldout_labels": "hy.npy", "batch": 16},
         "steps": 60, "optimizer": {"lr": 1e-2}, "seed": 1}
    json.dump({**c, "steps": 1, "optimizer": {"lr": 1e-9}}, open("c.json", "w"))
    before = train("--from", name + ".onnx", "-o", "one.onnx")["heldout"]
    json.dump(c, open("c.json", "w"))
    float_ = train("--from", name + ".onnx", "-o", "float.onnx", "--threads", "1")
    assert float_["heldout"] < 0.97 * before, (name, before, float_)
    assert train("--from", name + ".onnx", "-o", "again.onnx", "--threads", "3")["sha256"] == float_["sha256"], name
    json.dump({**c, "quant": {"weights": "INT4_C", "activations": "int8", "estimator": "lsq"}}, open("c.json", "w"))
    few = train("--from", name + ".onnx", "-o", "few.onnx", "--quantized", "q.onnx")
    assert abs(few["served"] - few["heldout"]) < 1e-4 and few["heldout"] < before, (name, before, few)
print("3 nets")
