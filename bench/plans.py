"""Predictions against measurements: random plans that the profile has not seen; the share that the 90 % interval covers, and its score.

usage: plans.py PRECIS MODEL PROFILE IMATRIX TEXT CTX CHUNKS N [SEED [FIRST]]

Plans are evaluated on eight parts of TEXT in turn, CHUNKS windows each, since the interval allows for the text: on one part alone all plans would share its luck. Plans before FIRST are drawn and left out, so that a run that was stopped can go on. Each plan draws a level of bits, then a type for every weight around it. The interval score (Gneiting and Raftery 2007, section 6.2) is its
width plus 20 times what lies outside, in logs; smaller is better.
"""
import json, math, os, random, subprocess, sys, tempfile

precis, model, profile, imatrix, text, ctx, chunks, n = sys.argv[1:9]
rng = random.Random(int(sys.argv[9]) if len(sys.argv) > 9 else 1)
first = int(sys.argv[10]) if len(sys.argv) > 10 else 1
PARTS = 8
ladder = ["Q2_K", "Q3_K", "IQ4_XS", "Q4_K", "Q5_K", "Q6_K", "Q8_0"]


def run(*a):
    r = subprocess.run([precis, *a, "--json", "-q"], capture_output=True, text=True)
    if r.returncode:
        sys.exit(r.stderr)
    return json.loads(r.stdout)


weights = sorted({p["name"] for p in json.load(open(profile))["tensors"] if ".cache_" not in p["name"]})
covered = score = 0.0
errors = []
with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, "q.gguf")
    with open(text, "rb") as f:
        whole = f.read()
    for k in range(PARTS):
        at = len(whole) * (1 + 3 * k) // (3 * PARTS + 3)
        with open(os.path.join(folder, f"text{k}"), "wb") as f:
            f.write(whole[whole.index(b"\n", at) + 1 :][: int(chunks) * int(ctx) * 8])
    for i in range(int(n)):
        level = rng.uniform(0, len(ladder) - 1)
        table = ",".join(f"{w}={ladder[min(max(round(level + rng.uniform(-1.5, 1.5)), 0), len(ladder) - 1)]}" for w in weights)
        if i + 1 < first:
            continue
        p = run("plan", model, "--profile", profile, "--imatrix", imatrix, "--max-size", "100%", "--pin", table)
        run("quant", model, "--type", table, "--imatrix", imatrix, "--no-eval", "-o", out)
        kld = run("eval", out, "--against", model, "--logits", os.path.join(folder, f"logits{i % PARTS}.gguf"), "--text", os.path.join(folder, f"text{i % PARTS}"), "--ctx", ctx, "--chunks", chunks)["kld_mean"]
        lo, hi = (math.log(x) for x in p["kld_interval"])
        x = math.log(kld)
        covered += lo <= x <= hi
        score += hi - lo + 20 * max(0, lo - x, x - hi)
        errors.append(x - math.log(p["kld"]))
        print(f"{i + 1}: {p['bytes']} bytes, predicted {p['kld']:.5f} [{p['kld_interval'][0]:.5f}, {p['kld_interval'][1]:.5f}], measured {kld:.5f}", flush=True)
k = len(errors)
mean = sum(errors) / k
print(f"{k} plans: {100 * covered / k:.1f} % covered, interval score {score / k:.4f}; log of measured over predicted: mean {mean:+.4f}, deviation {(sum((e - mean) ** 2 for e in errors) / max(k - 1, 1)) ** 0.5:.4f}")
