"""Decode on shared cores: one and two threads beside 0, 1 and 2 busy loops pinned to the cores; llama.cpp beside it where its package is.

usage: crowded.py PRECIS MODEL.gguf [ROUNDS]     (medians; needs llama-cpp-python for the peer: tests/peers/environment)
"""
import statistics, subprocess, sys
import goals, sides

precis, model = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5


def ours(threads):
    return sides.precis(precis, "bench", model, "--prompt", 8, "--gen", 128, "-t", threads)["decode_tok_s"]


print(f"{'busy loops':>10s}{'1 thread':>10s}{'2 threads':>11s}{'ratio':>7s}{'llama.cpp 2':>13s}")
for loops in (0, 1, 2):
    busy = [subprocess.Popen(["taskset", "-c", str(i), sys.executable, "-c", "while True: pass"]) for i in range(loops)]
    try:
        one, two, peer = [], [], []
        for _ in range(rounds):
            one.append(ours(1)), two.append(ours(2)), peer.append(sides.llama_speed(model, 2, 8, 64)[1])
    finally:
        for b in busy:
            b.kill()
    m = statistics.median
    print(f"{loops:10d}{m(one):10.1f}{m(two):11.1f}{m(two) / m(one):7.2f}{m(peer):13.1f}", flush=True)
    if loops:
        goals.record(f"crowded {loops}", m(two) / m(one))
