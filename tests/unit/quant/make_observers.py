"""make_observers.py observers.json > observers.inc: golden numbers of torch's and onnxruntime's observers as rows of C.

The JSON is what torch 2.15 and onnxruntime 1.32 gave for inputs that test_observers.c makes anew (see there).
"""
import json
import sys
import textwrap

R = json.load(open(sys.argv[1]))


def row(text):
    print("\n".join(textwrap.wrap(text, 118, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)))


def numbers(v):
    return "{ " + ", ".join(repr(float(x)) for x in v) + " }"


def torch(key, v):
    observer, of, scheme = key.split("|")[:3]
    search = ""
    if "search_min" in v:
        search = (f', .search = {numbers(v["search_min"] + v["search_max"])}, .sum = {v["hist_sum"]!r}, '
                  f'.some = {v["hist_nonzero"]}, .ends = {numbers(v["hist_first_last"])}, .at = {v["hist_argmax"]}, '
                  f'.most = {v["hist_max"]!r}')
    row(f'TORCH("{observer}", "{of}", "{scheme}", .n = {len(v["scale"])}, .scale = {numbers(v["scale"])}, '
        f'.zero = {numbers(v["zero_point"])}, .low = {numbers(v["min"])}, .high = {numbers(v["max"])}{search})')


def ort(key, v):
    parts = key.split("|")
    o = json.loads(parts[2])
    once = int(len(parts) > 3 and parts[3] == "one call")
    if parts[0] == "minmax":
        for name, r in v.items():
            n = len(r["lowest"])
            average = int(bool(o.get("moving_average")))
            row(f'ORT("{"moving_average" if average else "minmax"}", "{parts[1]}", .relu = {int(name == "y")}, '
                f'.symmetric = {int(bool(o.get("symmetric")))}, .n = {n}, '
                f'.low = {numbers(r["lowest"])}, .high = {numbers(r["highest"])})')
        return
    low, high = (v["result"][:2]) if "result" in v else (v["lowest"], v["highest"])
    moments = f', .mean = {v["avg"][0]!r}, .deviation = {v["std"][0]!r}' if "avg" in v else ""
    row(f'ORT("{parts[0]}", "{parts[1]}", .at_once = {once}, .bins = {o["num_bins"]}, .levels = {o.get("nq", 128)}, '
        f'.percentile = {o.get("percentile", 99.999)!r}, .symmetric = {int(bool(o.get("symmetric")))}, '
        f'.p3 = {int(o.get("scenario") == "p3")}, .n = 1, .low = {numbers(low)}, .high = {numbers(high)}, '
        f'.n_bins = {v["hist_bins"]}, .edges = {numbers(v["hist_edges"])}, .real = {numbers(v["real"])}{moments})')


def scale(key, v):
    kind, reduced, symmetric = [key.split()[0]] + [int(key.split()[i].split("=")[1] == "True") for i in (1, 2)]
    low, high = key[key.index("(") + 1:-1].split(",")
    row(f'SCALE("{kind.lower()}", {reduced}, {symmetric}, {low}f, {high}f, {v["qmin"]}, {v["qmax"]}, {v["scale"]!r}, '
        f'{v["zero_point"]})')


def data(key, v):
    kind, symmetric, reduced = [key.split()[0]] + [int(key.split()[i].split("=")[1] == "True") for i in (1, 2)]
    row(f'DATA("{kind.lower()}", {symmetric}, {reduced}, {v["zero_point"]}, {v["scale"]!r}, {v["sum"]}, '
        f'{", ".join(map(str, v["first16"]))})')


print("/* Made by make_observers.py: golden numbers of torch 2.15 and onnxruntime 1.32. */")
for rows, of in ((torch, "torch"), (ort, "ort"), (scale, "ort_compute_scale_zp"), (data, "ort_quantize_data_W")):
    print(f"#ifdef OF_{of.upper()}")
    for k, value in R[of].items():
        rows(k, value)
    print("#endif")
