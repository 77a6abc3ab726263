"""Generated tokens per second behind a long context, by type of the KV cache, beside llama.cpp; and eight sequences together beside one. One after the other in one run,
medians of ROUNDS. The files are precis's own, read by both.

usage: context.py PRECIS MODEL.gguf [--context 2048] [--rounds 5] [--threads 1]
"""
import argparse, json, statistics, subprocess, sys
import goals

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("model"), p.add_argument("--context", type=int, default=2048), p.add_argument("--rounds", type=int, default=5)
p.add_argument("--threads", type=int, default=1), p.add_argument("--gen", type=int, default=48), p.add_argument("--python", default=sys.executable)
a = p.parse_args()

PEER = """
import sys, time, llama_cpp
from llama_cpp import Llama
path, kind = sys.argv[1:3]
threads, prompt, gen = map(int, sys.argv[3:])
t = {"f16": llama_cpp.GGML_TYPE_F16, "q8_0": llama_cpp.GGML_TYPE_Q8_0, "q4_0": llama_cpp.GGML_TYPE_Q4_0}[kind]
llm = Llama(model_path=path, n_ctx=prompt + gen + 64, n_batch=512, n_threads=threads, n_threads_batch=threads, type_k=t, type_v=t, flash_attn=sys.argv[2] != "f16", verbose=False)
llm.eval([i * 91 % 4000 + 3 for i in range(prompt)])
t = time.perf_counter()
for i in range(gen):
    llm.eval([i * 37 % 4000 + 3])
print(gen / (time.perf_counter() - t))
"""


def ours(*more):
    r = subprocess.run([a.precis, "bench", a.model, "--gen", str(a.gen), "-t", str(a.threads), "--json", "-q", *more], capture_output=True, text=True, check=True)
    return json.loads(r.stdout)["decode_tok_s"]


def theirs(kind):
    r = subprocess.run([a.python, "-c", PEER, a.model, kind, str(a.threads), str(a.context), str(a.gen)], capture_output=True, text=True)
    return float(r.stdout) if r.returncode == 0 else float("nan")


runs = {f"precis {t}": (lambda t=t: ours("--prompt", str(a.context), "--cache-k", t, "--cache-v", t)) for t in ("f16", "int8", "int4")}
runs |= {f"llama.cpp {t}": (lambda t=t: theirs(t)) for t in ("f16", "q8_0", "q4_0")}
runs |= {"precis, 1 sequence": lambda: ours("--prompt", "16"), "precis, 8 sequences": lambda: ours("--prompt", "16", "--sequences", "8")}
got = {k: [] for k in runs}
for _ in range(a.rounds):
    for k, f in runs.items():
        got[k].append(f())
got = {k: statistics.median(v) for k, v in got.items()}
for k, v in got.items():
    print(f"{k:22s}{v:10.1f} tokens/s")
best = max(v for k, v in got.items() if k.startswith("llama.cpp") and v == v)
print("behind %d tokens, beside llama.cpp's best: int8 %.2f, int4 %.2f; eight sequences %.2f times one" % (a.context, got["precis int8"] / best, got["precis int4"] / best, got["precis, 8 sequences"] / got["precis, 1 sequence"]))
if a.context == 2048:
    goals.record("context int8", got["precis int8"] / best), goals.record("context int4", got["precis int4"] / best), goals.record("sequences 8", got["precis, 8 sequences"] / got["precis, 1 sequence"])
