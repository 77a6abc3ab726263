"""Generated tokens per second behind a long context, by type of the KV cache, beside llama.cpp; and eight sequences together beside one, also of LARGE. One after the other in one run,
medians of ROUNDS. The files are read by both.

usage: context.py PRECIS MODEL.gguf [--large LARGE.gguf] [--context 2048] [--rounds 5] [--threads 1]
"""
import argparse, statistics, sys
import goals, sides

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("model"), p.add_argument("--large"), p.add_argument("--context", type=int, default=2048), p.add_argument("--rounds", type=int, default=5)
p.add_argument("--threads", type=int, default=1), p.add_argument("--gen", type=int, default=48), p.add_argument("--python", default=sys.executable)
a = p.parse_args()


def ours(*more, model=a.model):
    return sides.precis(a.precis, "bench", model, "--gen", a.gen, "-t", a.threads, *more)["decode_tok_s"]


def theirs(kind):
    return sides.llama_speed(a.model, a.threads, a.context, a.gen, kind, a.python)[1]


runs = {f"precis {t}": (lambda t=t: ours("--prompt", a.context, "--cache-k", t, "--cache-v", t)) for t in ("f16", "int8", "int4")}
runs |= {f"llama.cpp {t}": (lambda t=t: theirs(t)) for t in ("f16", "q8_0", "q4_0")}
pairs = {"": a.model} | ({", large": a.large} if a.large else {})
for name, model in pairs.items():
    runs |= {f"precis, {n} sequence{'s' * (n > 1)}{name}": (lambda n=n, model=model: ours("--prompt", "16", "--sequences", n, model=model)) for n in (1, 8)}
got = {k: [] for k in runs}
for _ in range(a.rounds):
    for k, f in runs.items():
        got[k].append(f())
got = {k: statistics.median(v) for k, v in got.items()}
for k, v in got.items():
    print(f"{k:28s}{v:10.1f} tokens/s")
best = max(v for k, v in got.items() if k.startswith("llama.cpp") and v == v)
together = {name: got[f"precis, 8 sequences{name}"] / got[f"precis, 1 sequence{name}"] for name in pairs}
print("behind %d tokens, beside llama.cpp's best: int8 %.2f, int4 %.2f; eight sequences %s times one" % (a.context, got["precis int8"] / best, got["precis int4"] / best, " and ".join(f"{v:.2f}" for v in together.values())))
if a.context == 2048:
    goals.record("context int8", got["precis int8"] / best), goals.record("context int4", got["precis int4"] / best), goals.record("sequences 8", together[""])
    goals.record("sequences 8 1.1b", together.get(", large", float("nan")))
