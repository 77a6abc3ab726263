"""Does the interval that one command says hold? Random budgets and seeds, each a run of `precis quant --max-size`, and where its file
is measured: on the calibration's text, which the interval is of, and on the evaluation's.

usage: coverage.py PRECIS MODEL CALIB TEXT CTX CHUNKS N [FIRST]     (N runs of 140, from FIRST on, so that a run goes on where it ended)
CALIB: - for none, which is text that the model samples.

Budgets are even in bits per weight from 2.6 to 6; seeds differ. Each seed is one profile, which the cache keeps, and has seven budgets.
At the end the share that holds, with its binomial standard error.
"""
import json, math, os, random, subprocess, sys, tempfile

precis, model, calib, text, ctx, chunks, n = sys.argv[1:8]
first = int(sys.argv[8]) if len(sys.argv) > 8 else 1
rng = random.Random(7)
held = {"calibration": [], "evaluation": []}
with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, "q.gguf")
    for i in range(1, int(n) + 1):
        bits, seed = rng.uniform(2.6, 6), (i - 1) // 7
        if i < first:
            continue
        r = subprocess.run([precis, "quant", model, "--bpw", f"{bits:.3f}", "--seed", str(seed), *(() if calib == "-" else ("--calib", calib)), "--text", text, "--ctx", ctx,
                            "--chunks", chunks, "-o", out, "--json", "-q"], capture_output=True, text=True)
        if r.returncode:
            sys.exit(r.stderr)
        q = json.loads(r.stdout)
        p, kld = q["predicted"], q["eval"]["kld_mean"]
        low, high = p["interval"]
        held["calibration"].append(low <= p["measured"] <= high)
        held["evaluation"].append(low <= kld <= high)
        print(f"{i}: {bits:.3f} bits, seed {seed}: predicted {p['kld']:.5f} [{low:.5f}, {high:.5f}], measured {p['measured']:.5f} on the "
              f"calibration's text, {kld:.5f} on the other", flush=True)
for name, all_ in held.items():
    share = sum(all_) / len(all_)
    print(f"{name}: {100 * share:.1f} % of {len(all_)} hold, standard error {100 * math.sqrt(share * (1 - share) / len(all_)):.1f} %")
