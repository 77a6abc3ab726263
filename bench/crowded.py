"""Decode on shared cores: one and two threads beside 0, 1 and 2 busy loops pinned to the cores; llama.cpp beside it where its package is.

usage: crowded.py PRECIS MODEL.gguf [ROUNDS]     (medians; needs llama-cpp-python for the peer: tests/peers/environment)
"""
import json, os, statistics, subprocess, sys
import goals

precis, model = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
PEER = """
import sys, time
from llama_cpp import Llama
path, threads, gen = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
llm = Llama(model_path=path, n_ctx=gen + 64, n_threads=threads, n_threads_batch=threads, verbose=False)
llm.eval([3])
t = time.perf_counter()
for i in range(gen):
    llm.eval([i * 37 % 4000 + 3])
print(gen / (time.perf_counter() - t))
"""


def ours(threads):
    r = subprocess.run([precis, "bench", model, "--prompt", "8", "--gen", "128", "-t", str(threads), "--json", "-q"], capture_output=True, text=True, check=True)
    return json.loads(r.stdout)["decode_tok_s"]


def theirs(threads):
    r = subprocess.run([sys.executable, "-c", PEER, model, str(threads), "64"], capture_output=True, text=True)
    return float(r.stdout) if r.returncode == 0 else float("nan")


print(f"{'busy loops':>10s}{'1 thread':>10s}{'2 threads':>11s}{'ratio':>7s}{'llama.cpp 2':>13s}")
for loops in (0, 1, 2):
    busy = [subprocess.Popen(["taskset", "-c", str(i), sys.executable, "-c", "while True: pass"]) for i in range(loops)]
    try:
        one, two, peer = [], [], []
        for _ in range(rounds):
            one.append(ours(1)), two.append(ours(2)), peer.append(theirs(2))
    finally:
        for b in busy:
            b.kill()
    m = statistics.median
    print(f"{loops:10d}{m(one):10.1f}{m(two):11.1f}{m(two) / m(one):7.2f}{m(peer):13.1f}", flush=True)
    if loops:
        goals.record(f"crowded {loops}", m(two) / m(one))
