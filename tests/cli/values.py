"""Nets of which one number that comes in decides what they are. usage: values.py FOLDER"""
import os, random, struct, sys, zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import onnx_files as o

folder = sys.argv[1]
rng = random.Random(5)


def write(name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def some(n):
    return [rng.uniform(-1, 1) for _ in range(n)]


# At rate 16000 two layers, else one with other weights; the rate is beside it an operand of ordinary ops.
branch = lambda nodes, out: ("graph", o.graph(nodes, [], [o.port(out, o.F32, ["N", 4])]))
two = branch([o.node("MatMul", ["x", "w1"], ["a"], name="one"), o.node("Relu", ["a"], ["b"]),
              o.node("MatMul", ["b", "w2"], ["yes"], name="two")], "yes")
one = branch([o.node("MatMul", ["x", "w3"], ["no"], name="three")], "no")


def net(kind, shape, extra=b"", inputs=True):
    nodes = [o.node("Equal", ["rate", "wide"], ["is"], name="equal")]
    nodes += [o.node("Reshape", ["is", "none"], ["is0"])] if shape else [o.node("Identity", ["is"], ["is0"])]
    nodes += [o.node("If", ["is0"], ["z"], name="which", then_branch=two, else_branch=one),
              o.node("Cast", ["rate"], ["r"], to=1), o.node("Div", ["r", "many"], ["s"]), o.node("Add", ["z", "s"], ["y"])]
    packed = {o.I64: "<q", o.I32: "<i"}[kind]
    constants = [o.tensor("wide", kind, [], struct.pack(packed, 16000)), o.longs("none", [], [0]), o.floats("many", [], [8e4]),
                 o.floats("w1", [8, 16], some(128)), o.floats("w2", [16, 4], some(64)), o.floats("w3", [8, 4], some(32))]
    return o.model(o.graph(nodes, [o.port("x", o.F32, ["N", 8]), o.port("rate", kind, shape)],
                           [o.port("y", o.F32, ["N", 4])], constants), extra=extra)


write("net.onnx", net(o.I64, []))
write("short.onnx", net(o.I32, [1]))
write("x.npy", o.npy(some(48), (6, 8)))
write("rate.npy", o.npy([16000], (), "<i8"))
write("low.npy", o.npy([8000], (), "<i8"))
for name, rates in (("same", [16000] * 4), ("mixed", [16000, 16000, 8000, 16000])):
    os.makedirs(os.path.join(folder, name))
    for i, rate in enumerate(rates):
        with zipfile.ZipFile(os.path.join(folder, name, f"{i}.npz"), "w") as z:
            z.writestr("x.npy", o.npy(some(8), (1, 8)))
            z.writestr("rate.npy", o.npy([rate], (), "<i8"))

# Files that say what an input was, and are damaged.
entry = lambda key, value: o.field(14, o.field(1, key) + o.field(2, value))
plain = o.graph([o.node("Relu", ["x"], ["y"])], [o.port("x", o.F32, [4])], [o.port("y", o.F32, [4])])
for i, extra in enumerate([entry("precis.input.r", "I64"), entry("precis.input.r", "F32 1"), entry("precis.input.r", "I8 300"),
                           entry("precis.input.r", "I64[2] 1"), entry("precis.input.r", "I64[1 1"), entry("precis.input.x", "I64 1"),
                           entry("precis.input.r", "I64 1") * 2, entry("precis.input.r", "BOOL 2"), entry("precis.input.r", "U8 -1"),
                           b"".join(entry(f"precis.input.r{k}", "I64 1") for k in range(65)), entry("precis.input.r", "I64 01")]):
    write(f"bad{i}.onnx", o.model(plain, extra=extra))
write("good.onnx", o.model(plain, extra=entry("precis.input.r", "U8[1,1] 255") + entry("author", "I64") + entry("precis.input.", "x")))
write("four.npy", o.npy(some(4), (4,)))
