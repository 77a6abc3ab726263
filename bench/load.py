"""From the start of loading to the first token: a plain GGUF, the same packed (convert --format packed, mapped and used in place), and llama.cpp, one after the other, medians of ROUNDS.

usage: load.py PRECIS MODEL.gguf [ROUNDS]     (needs llama-cpp-python: tests/peers/environment)

The file is in the page cache. precis's figures are of `bench`: opening, the runner, and one token; llama.cpp's of its constructor and one token, without its import.
"""
import os, statistics, subprocess, sys, tempfile
import goals, sides

precis, model = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
PEER = """
import sys, time
from llama_cpp import Llama
t = time.perf_counter()
llm = Llama(model_path=sys.argv[1], n_ctx=128, n_threads=1, n_threads_batch=1, verbose=False)
llm.eval([3])
print(1000 * (time.perf_counter() - t))
"""


def ours(path, *more):
    j = sides.precis(precis, "bench", path, "--prompt", 1, "--gen", 32, "-t", 1, *more)
    return j["load_ms"], 1000 / j["decode_tok_s"]


with tempfile.TemporaryDirectory() as folder:
    packed = os.path.join(folder, "p.packed.gguf")
    sides.precis(precis, "convert", model, "--format", "packed", "-o", packed)
    got = {"packed file": [], "plain file, unpacked": [], "plain file, packed at load": []}
    peer = []
    for _ in range(rounds):
        got["packed file"].append(ours(packed)), got["plain file, unpacked"].append(ours(model, "--pack", "off")), got["plain file, packed at load"].append(ours(model, "--pack", "load"))
        peer.append(float(subprocess.run([sys.executable, "-c", PEER, model], capture_output=True, text=True, check=True).stdout.split()[-1]))
for what, v in got.items():
    load, token = (statistics.median(x[i] for x in v) for i in (0, 1))
    print(f"{what:30s}{load:8.1f} ms, and one token of {token:.1f} ms")
print(f"{'llama.cpp':30s}{statistics.median(peer):8.1f} ms with one token")
goals.record("load plain", statistics.median(sum(x) for x in got["plain file, unpacked"]) / statistics.median(peer))
goals.record("load packed", statistics.median(x[0] for x in got["packed file"]))
