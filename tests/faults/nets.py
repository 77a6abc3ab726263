"""Arrays for nets.sh, and what it wants of results. usage: nets.py make FOLDER | nets.py want FILE.npy EXPRESSION"""
import math, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import npy, ramp, read_npy

x = ramp(64)


def make(w):
    put = lambda name, data: open(f"{w}/{name}.npy", "wb").write(data)
    put("x", npy(x, (2, 2, 4, 4)))
    put("big", npy(x, (2, 2, 4, 4), ">f4", False, 2))
    order = [x[((a * 2 + b) * 4 + c) * 4 + d] for d in range(4) for c in range(4) for b in range(2) for a in range(2)]
    put("fortran", npy(order, (2, 2, 4, 4), "<f4", True, 3))
    put("double", npy(x, (2, 2, 4, 4), "<f8"))
    put("flat", npy(x, (8, 8)))
    put("to", npy([4, 16], (2,), "<i8"))
    put("yes", npy([True], (), "|b1"))
    put("no", npy([False], (), "|b1"))
    put("last", npy([-1], (), "<i8"))
    put("outside", npy([2], (), "<i8"))
    put("scale", npy([.05], (), "<f4"))
    put("nan", npy([float("nan")], (), "<f4"))
    put("pair", npy([7, -9], (2,), "<i4"))
    put("cut", npy(x, (2, 2, 4, 4))[:-4])
    put("long", npy(x, (2, 2, 4, 4)) + b"\0")
    put("header", b"\x93NUMPY\x01\x00\xff\xff{'descr")
    put("object", npy([1], (1,), "|u1").replace(b"'|u1'", b"'|O8'"))


def want(path, expression):
    d, s, v = read_npy(path)
    near = lambda a, b: len(a) == len(b) and all(abs(p - q) <= 1e-5 * (1 + abs(q)) for p, q in zip(a, b))
    if not eval(expression, {"d": d, "s": s, "v": v, "x": x, "near": near, "math": math}):
        print(path, expression, d, s, v[:8])
        return 1
    return 0


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    sys.exit(want(sys.argv[2], sys.argv[3]))
