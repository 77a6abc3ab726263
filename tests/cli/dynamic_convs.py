"""Convolutions of codes of a run: ConvInteger, Cast, Mul, Add, in all forms; the sums are an output too, so that what
one node makes of the four can be held to them. usage: dynamic_convs.py make FOLDER | check FOLDER NAME"""
import os, random, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import onnx_files as o

# x, w, attributes of ConvInteger; a scale of each channel; a bias
FORMS = {
    "plain": ([2, 3, 7, 6], [20, 3, 3, 3], dict(pads=[1, 1, 1, 1]), True, True),
    "stride": ([1, 16, 9, 8], [150, 16, 3, 3], dict(pads=[1, 0, 1, 2], strides=[2, 1], dilations=[1, 2]), False, True),
    "group": ([1, 12, 5, 5], [40, 3, 3, 3], dict(group=4), True, False),
    "depthwise": ([3, 70, 5, 7], [70, 1, 3, 3], dict(group=70, pads=[1, 1, 1, 1], strides=[2, 2]), True, True),
    "twice": ([1, 8, 5, 5], [16, 1, 3, 3], dict(group=8, pads=[1, 1, 1, 1]), False, False),
    "line": ([2, 5, 20], [7, 5, 4], dict(pads=[2, 1], strides=[3]), True, True),
    "deep_line": ([2, 16, 20], [16, 1, 4], dict(pads=[2, 1], group=16), True, True),
    "one": ([4, 33, 3, 3], [130, 33, 1, 1], {}, True, True),
    "cube": ([1, 2, 4, 4, 4], [4, 2, 3, 3, 3], {}, True, True),
}


def size(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def values(name):
    rng = random.Random(name)
    xs, ws, _, each, bias = FORMS[name]
    f = lambda v: struct.unpack("<f", struct.pack("<f", v))[0]
    return ([rng.randrange(256) for _ in range(size(xs))], [rng.randrange(-128, 128) for _ in range(size(ws))],
            [f(rng.uniform(.001, .01)) for _ in range(ws[0] if each else 1)],
            [f(rng.uniform(-3, 3)) for _ in range(ws[0])] if bias else None)


def make(folder):
    for name, (xs, ws, attrs, each, bias) in FORMS.items():
        x, w, s, b = values(name)
        along = [1, ws[0]] + [1] * (len(xs) - 2)
        nodes = [o.node("ConvInteger", ["x", "w", "zero"], ["i"], **attrs), o.node("Cast", ["i"], ["f"], to=1),
                 o.node("Mul", ["f", "s"], ["m" if bias else "y"])]
        constants = [o.tensor("w", o.I8, ws, struct.pack(f"{len(w)}b", *w)), o.floats("s", along if each else [1], s)]
        if bias:
            nodes.append(o.node("Add", ["m", "b"], ["y"]))
            constants.append(o.floats("b", along, b))
        ins = [o.port("x", o.U8, xs), o.port("zero", o.U8, [])]
        outs = ["N", ws[0]] + [f"d{k}" for k in range(len(xs) - 2)]
        for end, extra in (("", []), (".sums", [o.port("i", o.I32, outs)])):
            with open(os.path.join(folder, name + end + ".onnx"), "wb") as f:
                f.write(o.model(o.graph(nodes, ins, [o.port("y", o.F32, outs)] + extra, constants)))
        with open(os.path.join(folder, name + ".npy"), "wb") as f:
            f.write(o.npy(x, xs, "|u1"))
    with open(os.path.join(folder, "zero.npy"), "wb") as f:
        f.write(o.npy([119], (), "|u1"))


def check(folder, name):
    _, _, s, b = values(name)
    shape, sums = o.read_npy(os.path.join(folder, "sums", "i.npy"))[1:]
    y = o.read_npy(os.path.join(folder, "out", "y.npy"))[2]
    f = lambda v: struct.unpack("<f", struct.pack("<f", v))[0]
    area = size(shape[2:])
    for k, v in enumerate(sums):
        c = k // area % shape[1]
        want = f(f(float(v)) * s[c if len(s) > 1 else 0])  # a product of two f32 is exact in f64
        want = f(want + b[c]) if b else want
        assert y[k] == want, (name, k, y[k], want)


if sys.argv[1] == "make":
    make(sys.argv[2])
    print(" ".join(FORMS))
else:
    check(*sys.argv[2:])
