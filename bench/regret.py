"""Regret of the plan against full search: K tensors take one of three types each, the rest stay at Q8_0; all 3^K plans are made and measured, and
at each budget the planner's choice is set beside the best that was measured.

usage: regret.py PRECIS MODEL PROFILE IMATRIX TEXT CTX CHUNKS [K]
"""
import itertools, json, os, subprocess, sys, tempfile

precis, model, profile, imatrix, text, ctx, chunks = sys.argv[1:8]
k = int(sys.argv[8]) if len(sys.argv) > 8 else 5
types = ["Q2_K", "Q4_K", "Q6_K"]


def run(*a):
    r = subprocess.run([precis, *a, "--json", "-q"], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"{a}: {r.stderr}")
    return json.loads(r.stdout)


probes = [p for p in json.load(open(profile))["tensors"] if ".cache_" not in p["name"]]
weights = [p["name"] for p in probes]
cost = {p["name"]: max(x["kld"] for x in p["probes"]) if "probes" in p else p.get("kld", 0) for p in probes}
free = sorted(weights, key=lambda w: -cost[w])[:k]
pins = ",".join(f"{w}=Q8_0" for w in weights if w not in free)
measured = {}
with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, "q.gguf")
    for choice in itertools.product(types, repeat=k):
        q = run("quant", model, "--type", ",".join(f"{w}={t}" for w, t in zip(free, choice)) + "," + pins, "--imatrix", imatrix, "--no-eval", "-o", out)
        measured[choice] = (q["bytes"], run("eval", out, "--against", model, "--text", text, "--ctx", ctx, "--chunks", chunks)["kld_mean"])
    lo, hi = min(b for b, _ in measured.values()), max(b for b, _ in measured.values())
    print(f"{len(measured)} plans measured, {lo} to {hi} bytes; free: {', '.join(free)}\n| budget | best measured | plan, measured | regret | rank of the plan |\n|---|---|---|---|---|", flush=True)
    for part in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9):
        budget = int(lo + part * (hi - lo))
        p = run("plan", model, "--profile", profile, "--imatrix", imatrix, "--max-size", str(budget), "--pin", pins, "--types", ",".join(types))
        choice = tuple({t["name"]: t["type"] for t in p["tensors"]}[w] for w in free)
        fits = sorted(v for b, v in measured.values() if b <= budget)
        got = measured[choice][1]
        print(f"| {budget} | {fits[0]:.6f} | {got:.6f} | {100 * (got / fits[0] - 1):.2f} % | {fits.index(got) + 1} of {len(fits)} |", flush=True)
