"""Resize to the nearest element, of 1 to 12 elements to 1 to 24, by every rule: which element each place has, in fractions,
that is without a rounding that could move a place over a half or a whole number.
usage: resize.py make FOLDER   NAME.onnx for each rule, and x1.npy ... x12.npy
       resize.py same FOLDER   FOLDER/NAME.out holds what precis run gave"""
import math, os, sys
from fractions import Fraction as Q

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import onnx_files as o
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from c_file import read

NS, OUTS = range(1, 13), range(1, 25)
half = Q(1, 2)
PLACES = {"asymmetric": lambda x, n, m: Q(x * n, m), "half_pixel": lambda x, n, m: (x + half) * n / m - half,
          "pytorch_half_pixel": lambda x, n, m: (x + half) * n / m - half if m > 1 else Q(0),
          "align_corners": lambda x, n, m: Q(x * (n - 1), m - 1) if m > 1 else Q(0)}
NEAREST = {"floor": math.floor, "ceil": math.ceil, "round_prefer_floor": lambda v: math.ceil(v - half),
           "round_prefer_ceil": lambda v: math.floor(v + half)}


def make(folder):
    for n in NS:
        with open(f"{folder}/x{n}.npy", "wb") as f:
            f.write(o.npy([float(k) for k in range(n)], (1, 1, n)))
    for place in PLACES:
        for rule in NEAREST:
            nodes = [o.node("Resize", [f"x{n}", "", "", f"s{m}"], [f"y{n}_{m}"], mode="nearest", nearest_mode=rule, coordinate_transformation_mode=place)
                     for n in NS for m in OUTS]
            nodes.append(o.node("Concat", [f"y{n}_{m}" for n in NS for m in OUTS], ["y"], axis=2))
            g = o.graph(nodes, [o.port(f"x{n}", o.F32, [1, 1, n]) for n in NS], [o.port("y", o.F32, [1, 1, "all"])],
                        [o.longs(f"s{m}", [1, 1, m]) for m in OUTS])
            with open(f"{folder}/{place}-{rule}.onnx", "wb") as f:
                f.write(o.model(g, opset=19))


def same(folder):
    import struct
    wrong = 0
    for place, at in PLACES.items():
        for rule, nearest in NEAREST.items():
            data, first = read(f"{folder}/{place}-{rule}.out/y.npy")[2], 0
            assert len(data) == 4 * len(NS) * sum(OUTS)
            for n in NS:
                for m in OUTS:
                    got = struct.unpack_from(f"<{m}f", data, first)
                    first += 4 * m
                    want = [min(max(nearest(at(x, n, m)), 0), n - 1) for x in range(m)]
                    if list(got) != want:
                        wrong += 1
                        if wrong < 4:
                            print(f"{place}, {rule}: {n} to {m}: {[int(v) for v in got]}, not {want}")
    sys.exit(wrong and f"{wrong} sizes are wrong")


make(sys.argv[2]) if sys.argv[1] == "make" else same(sys.argv[2])
