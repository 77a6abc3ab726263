"""Nets that methods of quantizing are judged on. Needs no package.
usage: net_methods.py FOLDER   depthwise.onnx (channels of very different ranges), relu6.onnx, small.onnx, calib.npy, x.npy"""
import os, random, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import F32, floats, graph, model, node, npy, port

C = 16


def noise(n, scale=1.0):
    return [sum(random.random() - 0.5 for _ in range(4)) * scale for _ in range(n)]


def separable(clip):
    """Blocks of 1x1, depthwise 3x3 and 1x1. Channels behind a layer are multiplied by 2^-5 to 2^5 and the next one's
    divided, as batch norms leave them: the float net is what it was, and one scale for a tensor loses the narrow ones."""
    ints, nodes, at, width = [], [], "x", 3
    factor = [1.0] * width
    if clip:
        ints += [floats("zero", [], [0.0]), floats("six", [], [6.0])]
    for i, (kind, out) in enumerate((("point", C), ("deep", C), ("point", C), ("deep", C), ("point", 8))):
        deep, taps = kind == "deep", 9 if kind == "deep" else 1
        each = 1 if deep else width
        own = [2.0 ** random.randint(-5, 5) if i < 4 and not clip else 1.0 for _ in range(out)]
        w, b = noise(out * each * taps, 2 / (each * taps) ** .5), noise(out, .3)
        for o in range(out):
            b[o] *= own[o]
            for c in range(each):
                for t in range(taps):
                    w[(o * each + c) * taps + t] *= own[o] / factor[o if deep else c]
        ints += [floats(f"w{i}", [out, each, 3, 3] if deep else [out, each, 1, 1], w), floats(f"b{i}", [out], b)]
        nodes.append(node("Conv", [at, f"w{i}", f"b{i}"], [f"c{i}"], name=f"conv_{i}", **(dict(group=out, pads=[1, 1, 1, 1]) if deep else {})))
        at, width, factor = f"c{i}", out, own
        if i < 4:
            nodes.append(node("Clip", [at, "zero", "six"], [f"r{i}"], name=f"clip_{i}") if clip else node("Relu", [at], [f"r{i}"], name=f"relu_{i}"))
            at = f"r{i}"
    nodes.append(node("Identity", [at], ["y"], name="last"))
    return model(graph(nodes, [port("x", F32, ["N", 3, 8, 8])], [port("y", F32, ["N", 8, 8, 8])], ints))


def small():
    """A CNN with a strided and a grouped convolution, and two layers of matrices."""
    ints = [floats("w1", [8, 3, 3, 3], noise(216, .5)), floats("b1", [8], noise(8, .2)), floats("w2", [16, 4, 3, 3], noise(576, .4)),
            floats("w3", [64, 32], noise(2048, .3)), floats("b3", [32], noise(32, .1)), floats("w4", [10, 32], noise(320, .4))]
    nodes = [node("Conv", ["x", "w1", "b1"], ["c1"], name="first", pads=[1, 1, 1, 1]), node("Relu", ["c1"], ["r1"], name="r1"),
             node("Conv", ["r1", "w2"], ["c2"], name="second", group=2, strides=[2, 2], pads=[1, 1, 0, 0]), node("Relu", ["c2"], ["r2"], name="r2"),
             node("MaxPool", ["r2"], ["p"], name="p", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", ["p"], ["f"], name="f"),
             node("MatMul", ["f", "w3"], ["m"], name="third"), node("Add", ["m", "b3"], ["a"], name="a"), node("Relu", ["a"], ["r3"], name="r3"),
             node("Gemm", ["r3", "w4"], ["y"], name="fourth", transB=1)]
    return model(graph(nodes, [port("x", F32, ["N", 3, 8, 8])], [port("y", F32, ["N", 10])], ints))


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    random.seed(11)
    for name, net in (("depthwise", separable(False)), ("relu6", separable(True)), ("small", small())):
        open(os.path.join(sys.argv[1], name + ".onnx"), "wb").write(net)
    # neighbours are alike, as in pictures, so that inputs of a layer go together
    for name, n in (("calib", 64), ("x", 96)):
        data = []
        for _ in range(n * 3):
            level = random.random() * 2 - 1
            data += [level + v for v in noise(64, .5)]
        open(os.path.join(sys.argv[1], name + ".npy"), "wb").write(npy(data, [n, 3, 8, 8]))
