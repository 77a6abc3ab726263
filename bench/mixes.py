"""KL divergence of planned models beside llama.cpp's mixes of the same bytes, with the same importance matrix.

usage: mixes.py PRECIS MODEL.gguf CALIB TEXT CTX CHUNKS FOLDER [MIX ...]     (needs llama-cpp-python: tests/peers/environment)

MODEL is F16 or F32. CALIB makes the importance matrix, the profile and what the methods see; TEXT is neither. The mixes come from the quantizer of
llama-cpp-python. FOLDER keeps the profile and the importance matrix, so that a second run goes on. The interval of the ratio is that of two independent means
(the delta method); the two are of the same tokens, so it is wide.
"""
import ctypes, json, math, os, subprocess, sys
import gguf, llama_cpp, numpy as np
from llama_cpp import llama_cpp as low

precis, model, calib, text, ctx, chunks, folder = sys.argv[1:8]
mixes = sys.argv[8:] or ["IQ2_S", "Q2_K", "IQ3_S", "Q3_K_M", "IQ4_XS", "Q4_K_M", "Q5_K_M"]
threads = os.environ.get("THREADS", "2")
methods = os.environ.get("METHODS", "search gptq").split()
more = os.environ.get("EVAL", "").split()  # options of eval: --weights-only leaves out what int8 activations lose
os.makedirs(folder, exist_ok=True)
imatrix, profile = os.path.join(folder, "imatrix.gguf"), os.path.join(folder, "profile.json")
logits = os.path.join(folder, f"logits-{os.path.basename(text)}-{ctx}-{chunks}{''.join(more)}.gguf")  # of the model: it runs once


def run(*a):
    r = subprocess.run([precis, *a, "-q", "-t", threads, "--json"], capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"{' '.join(a)}: {r.stderr}")
    return json.loads(r.stdout) if r.stdout.strip() else {}


def importance():
    sums, counts = {}, {}
    for t in gguf.GGUFReader(imatrix).tensors:
        name, _, part = t.name.rpartition(".")
        (sums if part == "in_sum2" else counts)[name] = np.asarray(t.data, np.float32).reshape(-1)
    return {n: np.ascontiguousarray(s / counts[n].repeat(len(s) // len(counts[n])), np.float32) for n, s in sums.items()}


def mix(name, out):
    table = importance()
    rows = (low.llama_model_imatrix_data * (len(table) + 1))()
    for row, (n, v) in zip(rows, table.items()):
        row.name, row.data, row.size = n.encode(), v.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), v.size
    p = low.llama_model_quantize_default_params()
    p.ftype, p.nthread, p.imatrix = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name}"), int(threads), rows
    if low.llama_model_quantize(model.encode(), out.encode(), ctypes.byref(p)):
        raise SystemExit(f"llama.cpp does not quantize to {name}")


def score(path):
    e = run("eval", path, "--against", model, "--logits", logits, "--text", text, "--ctx", ctx, "--chunks", chunks, *more)
    return e["kld_mean"], e["kld_se"]


quiet = low.llama_log_callback(lambda *a: None)  # kept: the library calls it later
low.llama_log_set(quiet, None)
if not os.path.exists(imatrix):
    run("profile", model, "--calib", calib, "-o", imatrix)
for m in methods:
    run("profile", model, "--calib", calib, "--imatrix", imatrix, "-o", profile, *(["--method", m] if m != "search" else []))
print("| mix | bytes | llama.cpp | " + " | ".join(f"{m}, ratio (90 %) | predicted (90 %)" for m in methods) + " |\n|---|---|---|" + "---|" * (2 * len(methods)), flush=True)
peer, ours, plan = (os.path.join(folder, n) for n in ("peer.gguf", "ours.gguf", "plan.json"))
for name in mixes:
    mix(name, peer)
    budget = os.path.getsize(peer)
    a, sa = score(peer)
    row = []
    for m in methods:
        p = run("plan", model, "--max-size", str(budget), "--profile", profile, "--imatrix", imatrix, "-o", plan, "--types", os.environ.get("TYPES", "all"), "--method", m)
        run("quant", model, "--plan", plan, "--method", m, "--fallback", "--calib", calib, "--imatrix", imatrix, "--no-eval", "-o", ours)
        if os.path.getsize(ours) > budget:
            raise SystemExit(f"{name}: {os.path.getsize(ours)} bytes are more than {budget}")
        b, sb = score(ours)
        w = 1.645 * math.hypot(sa / a, sb / b)
        row += [f"{b:.5f} ± {sb:.5f}, {b / a:.2f} ({b / a * math.exp(-w):.2f} to {b / a * math.exp(w):.2f})", f"{p['kld']:.5f} ({p['kld_interval'][0]:.5f} to {p['kld_interval'][1]:.5f})"]
    print(f"| {name} | {budget} | {a:.5f} ± {sa:.5f} | {' | '.join(row)} |", flush=True)
