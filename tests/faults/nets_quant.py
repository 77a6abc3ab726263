"""Nets and arrays for nets_quant.sh, by hand, and what it wants of results.
usage: nets_quant.py make FOLDER | ops FILE.onnx | sqnr A.npy B.npy | same A.npy B.npy"""
import math, os, random, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import F32, I8, I64, U8, floats, graph, longs, model, node, npy, port, read_npy, tensor

rng = random.Random(7)


def noise(n, scale=1.0):
    return [scale * rng.gauss(0, 1) for _ in range(n)]


def small_net():
    """x -> Conv -> BN -> Relu -> MaxPool -> depthwise Conv -> Clip(0, 6) -> Conv + p -> Concat -> pooled -> Gemm."""
    ints = [floats("w1", [8, 3, 3, 3], noise(216, .3)), floats("b1", [8], noise(8, .1)),
            floats("g", [8], [1 + .1 * v for v in noise(8)]), floats("h", [8], noise(8, .1)),
            floats("m", [8], noise(8, .1)), floats("v", [8], [1 + .5 * abs(v) for v in noise(8)]),
            floats("w2", [8, 1, 3, 3], [v * 10 ** (i // 9 % 3 - 1) for i, v in enumerate(noise(72, .4))]), floats("b2", [8], noise(8, .1)),
            floats("w3", [8, 8, 1, 1], noise(64, .3)), floats("w4", [5, 16], noise(80, .4)), floats("b4", [5], noise(5, .1)),
            floats("zero", [], [0.0]), floats("six", [], [6.0])]
    nodes = [node("Conv", ["x", "w1", "b1"], ["c1"], name="c1", pads=[1, 1, 1, 1]),
             node("BatchNormalization", ["c1", "g", "h", "m", "v"], ["n1"], name="bn"), node("Relu", ["n1"], ["r1"], name="r1"),
             node("MaxPool", ["r1"], ["p"], name="p", kernel_shape=[2, 2], strides=[2, 2]),
             node("Conv", ["p", "w2", "b2"], ["c2"], name="dw", pads=[1, 1, 1, 1], group=8),
             node("Clip", ["c2", "zero", "six"], ["r2"], name="clip"), node("Conv", ["r2", "w3"], ["c3"], name="c3"),
             node("Add", ["c3", "p"], ["a"], name="add"), node("Concat", ["a", "p"], ["k"], name="cat", axis=1),
             node("GlobalAveragePool", ["k"], ["gap"], name="gap"), node("Flatten", ["gap"], ["f"], name="flat"),
             node("Gemm", ["f", "w4", "b4"], ["y"], name="fc", transB=1)]
    return model(graph(nodes, [port("x", F32, ["N", 3, 8, 8])], [port("y", F32, ["N", 5])], ints))


def floating():
    """What stays in float between two products, and a product of three dimensions."""
    ints = [floats("w", [6, 6], noise(36)), floats("v", [6, 4], noise(24)), floats("b", [4], noise(4))]
    nodes = [node("MatMul", ["x", "w"], ["a"], name="first"), node("Softmax", ["a"], ["s"], name="soft", axis=-1),
             node("Cos", ["s"], ["t"], name="cos"), node("MatMul", ["t", "v"], ["m"], name="second"), node("Add", ["m", "b"], ["y"], name="bias")]
    return model(graph(nodes, [port("x", F32, ["N", 3, 6])], [port("y", F32, ["N", 3, 4])], ints))


def thin():
    """Matrices of one column and of one row: all inputs of an output are one block, and all blocks one number."""
    ints = [floats("w", [6, 1], noise(6)), floats("v", [1, 5], noise(5)), floats("b", [5], noise(5))]
    nodes = [node("MatMul", ["x", "w"], ["a"], name="column"), node("MatMul", ["a", "v"], ["m"], name="row"), node("Add", ["m", "b"], ["y"], name="bias")]
    return model(graph(nodes, [port("x", F32, ["N", 3, 6])], [port("y", F32, ["N", 3, 5])], ints))


def small_codes():
    """8-bit floats along an axis that is not the usual one, and blocks that are as long as the axis, or all of x."""
    f8 = lambda name, shape: tensor(name, 17, shape, b"\0" * math.prod(shape))
    s = lambda name, shape: floats(name, shape, [.01 + .001 * i for i in range(math.prod(shape))])
    pair = lambda x, y, name, **a: [node("QuantizeLinear", [x, f"s{name}", f"z{name}"], [f"q{name}"], name=f"to_{name}", **a),
                                    node("DequantizeLinear", [f"q{name}", f"s{name}", f"z{name}"], [y], name=f"from_{name}", **a)]
    nodes = [*pair("x", "a", "1", axis=2), *pair("a", "b", "2", axis=1, block_size=3), node("Reshape", ["b", "flat"], ["c"]), *pair("c", "d", "3", axis=0, block_size=144),
             *pair("d", "e", "4", axis=0, block_size=48), node("Reshape", ["e", "back"], ["y"])]
    ints = [s("s1", [6]), f8("z1", [6]), s("s2", [8, 1, 6]), f8("z2", [8, 1, 6]), s("s3", [1, 1]), f8("z3", [1, 1]), s("s4", [3, 1]), f8("z4", [3, 1]),
            longs("flat", [144, 1]), longs("back", [8, 3, 6])]
    return model(graph(nodes, [port("x", F32, [8, 3, 6])], [port("y", F32, [8, 3, 6])], ints), opset=21, ir=10)


def big_bias():
    """A bias that 32 bits do not hold at the scale that tiny weights would have."""
    ints = [floats("w", [2, 2, 1, 1], [1e-9, 2e-9, .5, .25]), floats("b", [2], [40.0, 1.0])]
    return model(graph([node("Conv", ["x", "w", "b"], ["c"], name="c"), node("Relu", ["c"], ["r"], name="r"),
                        node("Conv", ["r", "w"], ["y"], name="d")],
                       [port("x", F32, ["N", 2, 4, 4])], [port("y", F32, ["N", 2, 4, 4])], ints))


def long_sum():
    """70,000 products of 127: with codes of 255 more than 32 bits hold."""
    k = 70000
    ints = [floats("s", [], [.1]), tensor("z", U8, [], b"\0"), tensor("w", I8, [k, 1], b"\x7f" * k), floats("sw", [], [.01]), tensor("zw", I8, [], b"\0")]
    return model(graph([node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"]),
                        node("DequantizeLinear", ["w", "sw", "zw"], ["v"]), node("MatMul", ["d", "v"], ["y"], name="long")],
                       [port("x", F32, ["N", k])], [port("y", F32, ["N", 1])], ints))


def many():
    """70,000 products for each result, and a small one behind them."""
    k = 70000
    ints = [floats("w", [2, k], [.01 * ((i * 37) % 19 - 9) for i in range(2 * k)]), floats("b", [2], [.5, -.5]), floats("v", [2, 3], noise(6))]
    return model(graph([node("Gemm", ["x", "w", "b"], ["a"], name="many", transB=1), node("MatMul", ["a", "v"], ["y"], name="few")],
                       [port("x", F32, ["N", k])], [port("y", F32, ["N", 3])], ints))


def batches():
    """A matrix of its own for each of three batches."""
    return model(graph([node("MatMul", ["x", "w"], ["y"], name="three")], [port("x", F32, ["N", 3, 5, 8])], [port("y", F32, ["N", 3, 5, 6])],
                       [floats("w", [3, 8, 6], noise(144))]))


def nan_weights():
    ints = [floats("w", [2, 2, 1, 1], [1, float("nan"), 2, 3])]
    return model(graph([node("Conv", ["x", "w"], ["y"], name="broken")], [port("x", F32, ["N", 2, 4, 4])], [port("y", F32, ["N", 2, 4, 4])], ints))


def inf_bias():
    ints = [floats("w", [8, 4], noise(32)), floats("b", [4], [1, float("inf"), 2, 3])]
    return model(graph([node("Gemm", ["x", "w", "b"], ["y"], name="endless")], [port("x", F32, ["N", 8])], [port("y", F32, ["N", 4])], ints))


def shapes():
    """Dimensions without a size, in Reshape, Slice, Expand and Concat."""
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"], axis=0), node("Concat", ["n", "rest"], ["to"], axis=0),
             node("Reshape", ["x", "to"], ["f"]), node("Slice", ["f", "from", "end", "one"], ["p"], name="part"),
             node("Expand", ["row", "to2"], ["e"]), node("Concat", ["n", "two"], ["to2"], axis=0), node("Add", ["p", "e"], ["y"], name="sum")]
    nodes[5], nodes[6] = nodes[6], nodes[5]
    ints = [longs("zero", [0]), longs("rest", [-1]), longs("from", [1]), longs("end", [-1]), longs("one", [1]), longs("two", [1]), floats("row", [1, 1], noise(1))]
    return model(graph(nodes, [port("x", F32, ["N", 2, "W"])], [port("y", F32, ["N", "K"])], ints))


def recurrent():
    """A GRU and what reads its last state."""
    ints = [floats("w", [1, 12, 6], noise(72, .5)), floats("r", [1, 12, 4], noise(48, .5)), floats("v", [4, 3], noise(12))]
    nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node("GRU", ["t", "w", "r"], ["all", "last"], name="gru", hidden_size=4),
             node("MatMul", ["last", "v"], ["y"], name="head")]
    return model(graph(nodes, [port("x", F32, ["N", 3, 6])], [port("y", F32, [1, "N", 3])], ints))


def lstm():
    """An LSTM both ways, more units than a block of sixteen, and what reads all of its states."""
    ints = [floats("w", [2, 80, 6], noise(960, .4)), floats("r", [2, 80, 20], noise(3200, .2)), floats("b", [2, 160], noise(320, .1)), floats("v", [20, 3], noise(60))]
    nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node("LSTM", ["t", "w", "r", "b"], ["all"], name="lstm", hidden_size=20, direction="bidirectional"),
             node("MatMul", ["all", "v"], ["y"], name="head")]
    return model(graph(nodes, [port("x", F32, ["N", 3, 6])], [port("y", F32, [3, 2, "N", 3])], ints))


def drops():
    """Squeeze without axes of a batch without a size: what it drops depends on the batch."""
    return model(graph([node("MatMul", ["x", "w"], ["m"], name="first"), node("Squeeze", ["m"], ["y"], name="drops")],
                       [port("x", F32, ["N", 1, 6])], [port("y", F32, [])], [floats("w", [6, 4], noise(24))]))


def switched():
    """A branch by the contents of an input, beside one whose sizes are open."""
    branch = lambda op: ("graph", graph([node(op, ["x"], ["z"])], [], [port("z", F32, [])]))
    return model(graph([node("If", ["rate"], ["m"], name="either", then_branch=branch("Exp"), else_branch=branch("Neg")), node("MatMul", ["m", "w"], ["y"], name="product")],
                       [port("x", F32, ["N", "T", 6]), port("rate", 9, [])], [port("y", F32, [])], [floats("w", [6, 4], noise(24))]))


def gru(way, linear):
    """Two GRUs, one behind the other."""
    ways = 2 if way == "bidirectional" else 1
    ints = [floats("w", [ways, 60, 6], noise(360 * ways, .4)), floats("r", [ways, 60, 20], noise(1200 * ways, .2)), floats("b", [ways, 120], noise(120 * ways, .1)),
            floats("w2", [ways, 15, 20 * ways], noise(300 * ways * ways, .2)), floats("r2", [ways, 15, 5], noise(75 * ways, .4)), longs("to", [3, -1, 20 * ways])]
    more = dict(direction=way, linear_before_reset=linear)
    nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node("GRU", ["t", "w", "r", "b"], ["one"], name="one", hidden_size=20, **more),
             node("Transpose", ["one"], ["turned"], perm=[0, 2, 1, 3]), node("Reshape", ["turned", "to"], ["flat"]),
             node("GRU", ["flat", "w2", "r2"], ["", "y"], name="two", hidden_size=5, **more)]
    return model(graph(nodes, [port("x", F32, ["N", 3, 6])], [port("y", F32, [ways, "N", 5])], ints))


def middles():
    """conv -> an op of another kind -> conv or a product: between nodes that take codes and give codes."""
    c = lambda op, ins, out="m", **a: node(op, ins, [out], name=a.pop("called", out), **a)
    pool = dict(kernel_shape=[2, 2], strides=[2, 2])
    padded = dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    yield "max", [c("MaxPool", ["c"], **pool)], 8
    yield "max_padded", [c("Relu", ["c"], "r"), c("MaxPool", ["r"], strides=[2, 2], **padded)], 8
    yield "mean", [c("AveragePool", ["c"], **pool)], 8
    yield "mean_padded", [c("AveragePool", ["c"], count_include_pad=1, **padded)], 8
    yield "two_pools", [c("MaxPool", ["c"], "p", **pool), c("AveragePool", ["p"], **pool)], 8
    yield "global_mean", [c("GlobalAveragePool", ["c"])], 8
    yield "global_max", [c("GlobalMaxPool", ["c"])], 8
    yield "mean_of_axes", [c("ReduceMean", ["c"], axes=[3, 2], keepdims=1)], 8
    yield "mean_of_ends", [c("ReduceMean", ["c"], axes=[-1, -2], keepdims=1)], 8
    yield "mean_of_others", [c("ReduceMean", ["c"], "a", axes=[1, 2], keepdims=1), c("Add", ["a", "c"])], 8
    yield "joined_pool", [c("MaxPool", ["c"], "p", **padded), c("Concat", ["c", "p"], axis=1)], 16
    yield "joined_mean", [c("AveragePool", ["c"], "p", **padded), c("Concat", ["c", "p"], axis=1)], 16
    yield "joined_input", [c("Concat", ["c", "x"], axis=1)], 11
    yield "added_pool", [c("MaxPool", ["c"], "p", **padded), c("Add", ["p", "c"])], 8
    yield "moved", [c("Reshape", ["c", "to"], "a"), c("Transpose", ["a"], "b", perm=[0, 2, 1, 3, 4]), c("Reshape", ["b", "back"])], 8
    yield "cut", [c("Slice", ["c", "from", "end", "axis"])], 4
    yield "padded", [c("Pad", ["c", "around"])], 8
    yield "wider", [c("Resize", ["c", "", "twice"], mode="nearest")], 8
    yield "gated", [c("Sigmoid", ["c"], "s"), c("Mul", ["c", "s"])], 8
    yield "squeezed", [c("GlobalAveragePool", ["c"], "g"), c("Sigmoid", ["g"], "s"), c("Mul", ["c", "s"])], 8
    yield "narrow", [c("Conv", ["c", "narrow", "narrow_bias"])], 1
    yield "flat", [c("GlobalAveragePool", ["c"], "g"), c("Flatten", ["g"])], 0
    yield "last", [c("MaxPool", ["c"], "p", **pool), c("Transpose", ["p"], perm=[0, 2, 3, 1])], 0


def middle(nodes, channels):
    """channels: of what the second convolution takes; 0: a product takes the eight in the last dimension."""
    ints = [floats("w", [8, 3, 3, 3], noise(216, .3)), floats("bias", [8], noise(8, .1)), longs("to", [0, 2, 4, 8, 8]), longs("back", [0, 8, 8, 8]),
            longs("from", [2]), longs("end", [6]), longs("axis", [1]), longs("around", [0, 0, 1, 1, 0, 0, 1, 1]), floats("twice", [4], [1, 1, 2, 2])]
    ints += [floats("narrow", [1, 8, 1, 1], [.2, -.3, .4, .1, -.2, .3, .2, -.1]), floats("narrow_bias", [1], [.3])]
    ints.append(floats("v", [6, channels, 1, 1], noise(6 * channels, .3)) if channels else floats("v", [8, 5], noise(40, .3)))
    last = node("Conv" if channels else "MatMul", ["m", "v"], ["y"], name="end")
    return model(graph([node("Conv", ["x", "w", "bias"], ["c"], name="begin", pads=[1, 1, 1, 1]), *nodes, last],
                       [port("x", F32, ["N", 3, 8, 8])], [port("y", F32, [])], ints))


def make(w):
    for way in "forward", "reverse", "bidirectional":
        for linear in 0, 1:
            open(f"{w}/gru_{way}{'_linear' if linear else ''}.onnx", "wb").write(gru(way, linear))
    with open(f"{w}/middles.txt", "w") as table:
        for name, nodes, channels in middles():
            open(f"{w}/middle_{name}.onnx", "wb").write(middle(nodes, channels))
            table.write(name + "\n")
    for name, net in (("small", small_net()), ("floating", floating()), ("thin", thin()), ("codes", small_codes()), ("big_bias", big_bias()), ("nan", nan_weights()), ("long", long_sum()), ("many", many()), ("batches", batches()), ("inf_bias", inf_bias()), ("shapes", shapes()), ("recurrent", recurrent()), ("lstm", lstm()), ("drops", drops()), ("switched", switched())):
        open(f"{w}/{name}.onnx", "wb").write(net)
    put = lambda name, shape, scale=1.0: open(f"{w}/{name}.npy", "wb").write(npy(noise(math.prod(shape), scale), shape))
    put("calib", (40, 3, 8, 8))
    put("eval", (16, 3, 8, 8))
    put("many", (3, 70000))
    put("batches", (20, 3, 5, 8))
    put("eights", (4, 8))
    put("one", (1, 1, 6))
    put("two", (2, 1, 6))
    put("rows", (8, 3, 6))
    put("planes", (8, 2, 4, 4))
    put("wide", (2, 2, 4))
    put("wrong", (4, 3, 9, 8))
    bad = noise(192)
    bad[77] = float("nan")
    open(f"{w}/nan.npy", "wb").write(npy(bad, (1, 3, 8, 8)))


def nodes_of(path):
    """(op, name) of the graph's nodes, by a walk over protobuf."""
    def fields(data):
        at = 0
        while at < len(data):
            key, at = number(data, at)
            if key & 7 == 2:
                n, at = number(data, at)
                yield key >> 3, data[at:at + n]
                at += n
            else:
                v, at = number(data, at) if key & 7 == 0 else (None, at + (4 if key & 7 == 5 else 8))
                yield key >> 3, v

    def number(data, at):
        v = shift = 0
        while True:
            v |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return v, at

    for n, g in fields(open(path, "rb").read()):
        for k, v in fields(g) if n == 7 else ():
            if k == 1:
                yield tuple(next((x for i, x in fields(v) if i == number), b"").decode() for number in (4, 3))


def ops(path):
    """Ops of a file and how often. Two nodes of one name are a fault: onnxruntime loads no such file."""
    count, names = {}, set()
    for op, name in nodes_of(path):
        count[op] = count.get(op, 0) + 1
        if name and name in names:
            count[f"TWICE:{name}"] = 1
        names.add(name)
    print(" ".join(f"{k}={v}" for k, v in sorted(count.items())))


def sqnr(a, b):
    (_, s, x), (_, t, y) = read_npy(a), read_npy(b)
    assert s == t, (s, t)
    lost = sum((p - q) ** 2 for p, q in zip(x, y))
    return 200.0 if not lost else 10 * math.log10(sum(p * p for p in x) / lost)


what = sys.argv[1]
if what == "make":
    make(sys.argv[2])
elif what == "ops":
    ops(sys.argv[2])
elif what == "sqnr":
    print(f"{sqnr(sys.argv[2], sys.argv[3]):.2f}")
