"""Nets whose graph cannot be made for inputs of any size, and one that counts to a size: usage: open_sizes.py FOLDER"""
import os, random, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import onnx_files as o

folder = sys.argv[1]
rng = random.Random(3)


def write(name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def some(n):
    return [rng.uniform(-1, 1) for _ in range(n)]


# 8 channels of 4 rows are 32 numbers a column, where there are 4 rows; columns are halved twice on the way, and the
# file computes their number its own way: (w + 1) / 2, twice.
nodes = [o.node("Conv", ["x", "k1"], ["a"], pads=[1, 1, 1, 1], strides=[1, 2]), o.node("Relu", ["a"], ["b"]),
         o.node("Conv", ["b", "k2"], ["c"], pads=[1, 1, 1, 1], strides=[1, 2]),
         o.node("Shape", ["x"], ["s"]), o.node("Gather", ["s", "three"], ["w"]), o.node("Add", ["w", "one"], ["w1"]),
         o.node("Div", ["w1", "two"], ["w2"]), o.node("Add", ["w2", "one"], ["w3"]), o.node("Div", ["w3", "two"], ["w4"]),
         o.node("Concat", ["zero", "rows", "w4"], ["to"], axis=0), o.node("Reshape", ["c", "to"], ["d"]),
         o.node("Transpose", ["d"], ["e"], perm=[0, 2, 1]), o.node("MatMul", ["e", "m"], ["y"])]
constants = [o.floats("k1", [8, 1, 3, 3], some(72)), o.floats("k2", [8, 8, 3, 3], some(576)),
             o.floats("m", [32, 5], some(160)), o.longs("three", [3]), o.longs("one", [1]), o.longs("two", [2]),
             o.longs("zero", [0]), o.longs("rows", [32])]
write("rows.onnx", o.model(o.graph(nodes, [o.port("x", o.F32, ["N", 1, "H", "W"])],
                                   [o.port("y", o.F32, ["N", "V", 5])], constants)))
for name, n, w in (("calib", 4, 12), ("other", 3, 21)):
    write(name + ".npy", o.npy(some(n * 4 * w), (n, 1, 4, w)))

# positions 0, 1, 2, ... of a length that is open
nodes = [o.node("Shape", ["x"], ["s"]), o.node("Gather", ["s", "one"], ["t"]),
         o.node("Range", ["begin", "t", "by"], ["r"]), o.node("Cast", ["r"], ["f"], to=1),
         o.node("Unsqueeze", ["f", "last"], ["u"]), o.node("Add", ["x", "u"], ["v"]), o.node("MatMul", ["v", "w"], ["y"])]
constants = [o.longs("one", [1], []), o.longs("begin", [0], []), o.longs("by", [1], []), o.longs("last", [1]),
             o.floats("w", [8, 4], some(32))]
write("counts.onnx", o.model(o.graph(nodes, [o.port("x", o.F32, ["N", "T", 8])], [o.port("y", o.F32, ["N", "T", 4])],
                                     constants)))
write("five.npy", o.npy(some(6 * 5 * 8), (6, 5, 8)))
write("nine.npy", o.npy(some(2 * 9 * 8), (2, 9, 8)))

# Products of several open sizes: softmax of an old opset over what stands behind an axis, rows of all places.
for axis in (1, 2, 3):
    nodes = [o.node("Softmax", ["x"], ["s"], axis=axis), o.node("Flatten", ["s"], ["f"], axis=3), o.node("Relu", ["f"], ["y"])]
    write(f"old{axis}.onnx", o.model(o.graph(nodes, [o.port("x", o.F32, ["N", "H", "W", 2])], [o.port("y", o.F32, ["M", 2])]), opset=12))
write("places.npy", o.npy(some(2 * 3 * 5 * 2), (2, 3, 5, 2)))

# A state whose second dimension is how many samples there are.
nodes = [o.node("Gather", ["h", "one"], ["g"], axis=0), o.node("Unsqueeze", ["g", "at"], ["u"]), o.node("Add", ["x", "u"], ["v"]), o.node("MatMul", ["v", "w"], ["y"])]
constants = [o.longs("one", [1], []), o.longs("at", [1]), o.floats("w", [8, 4], some(32))]
write("state.onnx", o.model(o.graph(nodes, [o.port("x", o.F32, ["batch", "time", 8]), o.port("h", o.F32, [3, "batch", 8])], [o.port("y", o.F32, ["batch", "time", 4])], constants)))

# Attributes that say nothing where they stand: a cast to numbers of 16 bits saturates in any way, a region is for crops.
nodes = [o.node("Resize", ["p", "roi", "by"], ["r"], mode="cubic", extrapolation_value=1.5, exclude_outside=2), o.node("Cast", ["r"], ["h"], to=10, saturate=3), o.node("Cast", ["h"], ["y"], to=1)]
constants = [o.floats("roi", [4], [0, .1, 1, .9]), o.floats("by", [2], [1, 2])]
write("nothing.onnx", o.model(o.graph(nodes, [o.port("p", o.F32, [3, 5])], [o.port("y", o.F32, [3, 10])], constants), opset=19))
write("picture.npy", o.npy(some(15), (3, 5)))
