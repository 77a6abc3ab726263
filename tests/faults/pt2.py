"""Arrays for pt2.sh, and what torch's outputs are to results. usage: pt2.py make FOLDER | pt2.py unpack ARRAYS.npz FOLDER |
pt2.py compare FOLDER_OF_IT OUT_FOLDER"""
import math, os, struct, sys, zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import npy, ramp, read_npy


def make(w):
    put = lambda name, data: open(f"{w}/{name}.npy", "wb").write(data)
    x = ramp(200)
    put("x", npy(x[:24], (2, 3, 4)))
    put("six", npy(x[:6], (6,)))
    put("flat", npy(x[:8], (2, 4)))
    put("seven", npy(x[:28], (7, 4)))
    put("pair", npy(x[:8], (2, 4)))
    put("square", npy(x[:9], (3, 3)))
    put("picture", npy(x[:50], (1, 2, 5, 5)))
    put("k", npy([2, -1], (2,), "<i8"))


def unpack(path, folder):
    """Inputs to FOLDER/in, outputs to FOLDER/out."""
    with zipfile.ZipFile(path) as z:
        for name in z.namelist():
            kind, _, rest = name.partition(":")
            os.makedirs(f"{folder}/{kind}", exist_ok=True)
            open(f"{folder}/{kind}/{rest}", "wb").write(z.read(name))


def compare(folder, out):
    bad = 0
    for name in sorted(os.listdir(f"{folder}/out")):
        (d, s, a), (_, t, b) = read_npy(f"{out}/{name}"), read_npy(f"{folder}/out/{name}")
        if d == "<u2":  # bf16, as raw codes
            a = [struct.unpack("<f", struct.pack("<I", v << 16))[0] for v in a]
        most = max([abs(v) for v in b if math.isfinite(v)], default=1)
        wrong = [i for i, (p, q) in enumerate(zip(a, b)) if not (p == q or (p != p and q != q) or abs(p - q) <= 1e-5 * most)]
        if s != t or len(a) != len(b) or wrong:
            print(f"{folder}: {name}: {s} is not torch's {t}, {len(wrong)} of {len(b)} elements differ")
            bad = 1
    return bad


sys.exit({"make": make, "unpack": unpack, "compare": compare}[sys.argv[1]](*sys.argv[2:]))
