"""Speeds that a cost table predicts against those that are measured, on random plans.

usage: costs.py PRECIS MODEL N [THREADS]

Each plan draws a level of bits, then a type for every weight around it. The model is made by RTN and run twice, and a table is measured in between, as all speeds of a bench are measured in turn: other guests
of a machine change its speed within minutes. Also what a table says that was made once, before all of them, and that in proportion to the speed of memory, of the table's moment and of the runs'.
"""
import os, random, statistics, sys, tempfile
import goals, sides

precis, model, n = sys.argv[1:4]
threads = sys.argv[4] if len(sys.argv) > 4 else "1"
ladder = ["Q2_K", "Q3_K", "IQ4_XS", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0"]
rng = random.Random(1)


def run(*a):
    return sides.precis(precis, *a, "--threads", threads)


def row(errors):
    return f"within 10 %: {sum(abs(x) <= 0.1 for x in errors)}; mean {100 * statistics.mean(errors):+.1f} %, largest {100 * max(errors, key=abs):+.1f} %"


errors = {"table between the runs": [], "table made once": [], "that in proportion to memory": []}
with tempfile.TemporaryDirectory() as folder:
    out, once, table, imatrix = (os.path.join(folder, f) for f in ("q.precis.gguf", "once.json", "costs.json", "imatrix.gguf"))
    print(run("bench", model, "--cost-table", once))
    text = os.path.join(folder, "text")
    with open(os.path.join(os.path.dirname(__file__), "..", "data", "eval.txt")) as f, open(text, "w") as g:
        g.write(f.read(1500))
    run("profile", model, "-o", imatrix, "--calib", text)
    weights = sorted(t["name"] for t in run("quant", model, "--type", "Q8_0", "--dry-run", "--no-calib")["tensors"] if t["from"] != t["to"])
    for i in range(int(n)):
        level = rng.uniform(0, len(ladder) - 1)
        types = ",".join(f"{w}={ladder[min(max(round(level + rng.uniform(-2, 2)), 0), len(ladder) - 1)]}" for w in weights)
        run("quant", model, "--type", types, "--method", "rtn", "--no-calib", "--no-eval", "-o", out)
        bench = lambda: run("bench", out, "--prompt", "8", "--gen", "96")
        runs = [bench()]
        run("bench", model, "--cost-table", table)
        runs.append(bench())
        now, before = (run("plan", model, "--no-profile", "--imatrix", imatrix, "--max-size", "100%", "--pin", types, "--cost-table", t) for t in (table, once))
        measured, memory = (statistics.mean(f(r) for r in runs) for f in (lambda r: r["decode_tok_s"], lambda r: r["limit"]["memory_bytes_s"]))
        for e, predicted in zip(errors.values(), (now["decode_tok_s"], before["decode_tok_s"], before["decode_tok_s"] * memory / before["read_bytes_s"])):
            e.append(predicted / measured - 1)
        print(f"{i + 1}: {now['bytes']} bytes, measured {runs[0]['decode_tok_s']:.1f} and {runs[1]['decode_tok_s']:.1f}, memory {memory / 1e9:.1f} GB/s; " + ", ".join(f"{name} {100 * e[-1]:+.1f} %" for name, e in errors.items()), flush=True)
for name, e in errors.items():
    print(f"{len(e)} plans, {name}: {row(e)}")
if int(n) == 20:
    goals.record("costs", sum(abs(e) <= 0.1 for e in errors["table between the runs"]))
