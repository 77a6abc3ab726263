"""Speeds that a cost table predicts against those that are measured, on random plans.

usage: costs.py PRECIS MODEL N [THREADS]

Each plan draws a level of bits, then a type for every weight around it; the model is made by RTN and run three times, of which the median counts. Also the prediction in proportion to the speed of memory, of the table's
moment and of the run's, which tells an error of the table from a machine that changed in between.
"""
import os, random, statistics, sys, tempfile
import goals, sides

precis, model, n = sys.argv[1:4]
threads = sys.argv[4] if len(sys.argv) > 4 else "1"
ladder = ["Q2_K", "Q3_K", "IQ4_XS", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0"]
rng = random.Random(1)


def run(*a):
    return sides.precis(precis, *a, "--threads", threads)


errors, scaled = [], []
with tempfile.TemporaryDirectory() as folder:
    out, table, imatrix = (os.path.join(folder, f) for f in ("q.gguf", "costs.json", "imatrix.gguf"))
    print(run("bench", model, "--cost-table", table))
    text = os.path.join(folder, "text")
    with open(os.path.join(os.path.dirname(__file__), "..", "data", "eval.txt")) as f, open(text, "w") as g:
        g.write(f.read(1500))
    run("profile", model, "-o", imatrix, "--calib", text)
    weights = sorted(t["name"] for t in run("quant", model, "--type", "Q8_0", "--dry-run", "--no-calib")["tensors"] if t["from"] != t["to"])
    for i in range(int(n)):
        level = rng.uniform(0, len(ladder) - 1)
        types = ",".join(f"{w}={ladder[min(max(round(level + rng.uniform(-2, 2)), 0), len(ladder) - 1)]}" for w in weights)
        p = run("plan", model, "--no-profile", "--imatrix", imatrix, "--max-size", "100%", "--pin", types, "--cost-table", table)
        run("quant", model, "--type", types, "--method", "rtn", "--no-calib", "--no-eval", "-o", out)
        runs = [run("bench", out, "--prompt", "8", "--gen", "96") for _ in range(3)]
        measured, memory = (statistics.median(f(r) for r in runs) for f in (lambda r: r["decode_tok_s"], lambda r: r["limit"]["memory_bytes_s"]))
        errors.append(p["decode_tok_s"] / measured - 1)
        scaled.append(p["decode_tok_s"] * memory / p["read_bytes_s"] / measured - 1)
        print(f"{i + 1}: {p['bytes']} bytes, predicted {p['decode_tok_s']:.1f}, measured {measured:.1f}, {100 * errors[-1]:+.1f} %; memory {memory / 1e9:.1f} GB/s, in proportion {100 * scaled[-1]:+.1f} %", flush=True)
for name, e in (("", errors), (", in proportion to memory", scaled)):
    print(f"{len(e)} plans{name}: within 10 %: {sum(abs(x) <= 0.1 for x in e)}; mean {100 * statistics.mean(e):+.1f} %, largest {100 * max(e, key=abs):+.1f} %")
if len(errors) == 20:
    goals.record("costs", sum(abs(e) <= 0.1 for e in errors))
