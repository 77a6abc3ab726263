"""How fast a file of F16 becomes one of quantized weights, beside llama.cpp's quantizer, and at what error: one after the other in one run, medians of ROUNDS.

usage: quantize.py PRECIS MODEL.gguf [ROUNDS [THREADS [TYPE ...]]]     (needs llama-cpp-python: tests/peers/environment)

MB/s of F16, of the whole command: reading, searching, writing, and for precis also hashing what was read and written, its manifest, and waiting until all is on the disk. llama.cpp's time is that of its call
alone, which waits for no disk; what a run before left to be written is waited for first. Neither has an importance
matrix. error: squared error of some tensors over their squares, of both files; types whose block does not divide a row become others, for each in its own way.
"""
import csv, datetime, os, platform, statistics, sys, tempfile, time
import gguf, numpy as np
import goals, sides

precis, model = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
threads = [int(t) for t in sys.argv[4].split(",")] if len(sys.argv) > 4 else [1, 2]
types = sys.argv[5:] or ["Q4_0", "Q4_K", "IQ4_NL"]


def ours(kind, threads, out, method):
    t = time.perf_counter()
    sides.precis(precis, "quant", model, "--type", kind, "--method", method, "--no-calib", "--no-eval", "-t", threads, "-o", out)
    return time.perf_counter() - t


source = {t.name: t for t in gguf.GGUFReader(model).tensors}
some = [n for n in source if n.endswith(("ffn_down.weight", "attn_q.weight", "ffn_up.weight"))][:: max(1, len(source) // 24)][:6]


def error(path):
    e = s = 0.0
    for t in gguf.GGUFReader(path).tensors:
        if t.name in some:
            x = source[t.name].data.astype(np.float64).reshape(-1)
            e, s = e + float(((gguf.quants.dequantize(t.data, t.tensor_type).reshape(-1) - x) ** 2).sum()), s + float((x**2).sum())
    return e / s


rows = []
size = os.path.getsize(model) / 1e6
with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, "q.precis.gguf")
    print("| type | threads | llama.cpp MB/s | error | precis rtn | error | search | error | search over llama.cpp |\n|---|---|---|---|---|---|---|---|---|")
    for kind in types:
        errors = []
        for run in (lambda: sides.llama_quantize(model, out, kind, 2, "pure"), lambda: ours(kind, 2, out, "rtn"), lambda: ours(kind, 2, out, "search")):
            run()
            errors.append(error(out))
        for n in threads:
            times = [[], [], []]
            for _ in range(rounds):
                for t, run in zip(times, (lambda: sides.llama_quantize(model, out, kind, n, "pure"), lambda: ours(kind, n, out, "rtn"), lambda: ours(kind, n, out, "search"))):
                    os.sync()
                    t.append(run())
            peer, rtn, search = (size / statistics.median(t) for t in times)
            print(f"| {kind} | {n} | {peer:.0f} | {errors[0]:.3e} | {rtn:.0f} | {errors[1]:.3e} | {search:.0f} | {errors[2]:.3e} | {search / peer:.2f} |", flush=True)
            if n == 2 and f"quantize {kind}" in goals.GOALS:
                goals.record(f"quantize {kind}", search / peer)
            rows.append([datetime.date.today(), platform.processor() or platform.machine(), os.path.basename(model), kind, n, rounds, f"{peer:.1f}", f"{errors[0]:.4e}", f"{rtn:.1f}", f"{errors[1]:.4e}", f"{search:.1f}", f"{errors[2]:.4e}"])
path = os.path.join(os.path.dirname(__file__), "results", "quantize.csv")
new = not os.path.exists(path)
with open(path, "a") as f:
    if new:
        f.write("# bench/quantize.py; peer: llama-cpp-python; MB/s of F16, medians\n")
        csv.writer(f).writerow("date machine model type threads rounds peer peer_error rtn rtn_error search search_error".split())
    csv.writer(f).writerows(rows)
