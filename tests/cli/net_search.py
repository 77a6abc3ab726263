"""A chain of six products of which two lose nearly all to one scale for all of their weights: those of an input that is
always 0 are a thousand times the others. usage: net_search.py FOLDER: chain.onnx, x.npy, y.npy (what the float net answers)."""
import os, random, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import onnx_files as o

N, WIDTH, LAYERS, BAD = 200, 8, 6, (1, 4)
rng = random.Random(11)
X = [[rng.uniform(-1, 1) for _ in range(WIDTH - 1)] + [0.0] for _ in range(N)]


def matrix(layer):
    w = [[rng.uniform(-.6, .6) + (i == k) for k in range(WIDTH - 1)] + [0.0] for i in range(WIDTH)]
    if layer in BAD:
        w[WIDTH - 1] = [1e3] * (WIDTH - 1) + [0.0]
    return w


def main(folder):
    os.makedirs(folder, exist_ok=True)
    weights = [matrix(i) for i in range(LAYERS)]
    names = ["x"] + [f"h{i}" for i in range(LAYERS - 1)] + ["y"]
    nodes, constants, values = [], [], X
    for i, w in enumerate(weights):
        nodes.append(o.node("MatMul", [names[i], f"w{i}"], [names[i + 1]], name=f"layer{i}"))
        constants.append(o.floats(f"w{i}", [WIDTH, WIDTH], [v for row in w for v in row]))
        values = [[sum(x[j] * w[j][k] for j in range(WIDTH)) for k in range(WIDTH)] for x in values]
    net = o.model(o.graph(nodes, [o.port("x", o.F32, ["N", WIDTH])], [o.port("y", o.F32, ["N", WIDTH])], constants))
    answers = [max(range(WIDTH - 1), key=lambda k: row[k]) for row in values]
    for name, data in (("chain.onnx", net), ("x.npy", o.npy([v for row in X for v in row], (N, WIDTH))),
                       ("y.npy", o.npy(answers, (N,), "<i8"))):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


def pieces(folder):
    """Nodes that become several, become part of another, or hand on what another made."""
    some = lambda n: [rng.uniform(-1, 1) for _ in range(n)]
    nodes = [o.node("MatMul", ["x", "w1"], ["a"], name="first"), o.node("Split", ["a"], ["p", "q"], name="many", axis=1),
             o.node("Identity", ["p"], ["i"], name="same"), o.node("Div", ["i", "root"], ["d"], name="by root"), o.node("Erf", ["d"], ["e"], name="erf"),
             o.node("Add", ["e", "one"], ["f"], name="plus one"), o.node("Mul", ["i", "f"], ["g"], name="times"), o.node("Mul", ["g", "half"], ["h"], name="gelu"),
             o.node("Add", ["h", "q"], ["s"], name="sum"), o.node("MatMul", ["s", "w2"], ["y"], name="second")]
    constants = [o.floats("half", [], [.5]), o.floats("root", [], [2 ** .5]), o.floats("one", [], [1.0]), o.floats("w1", [16, 16], some(256)), o.floats("w2", [8, 4], some(32))]
    with open(os.path.join(folder, "pieces.onnx"), "wb") as f:
        f.write(o.model(o.graph(nodes, [o.port("x", o.F32, ["N", 16])], [o.port("y", o.F32, ["N", 4])], constants)))


main(sys.argv[1])
pieces(sys.argv[1])
