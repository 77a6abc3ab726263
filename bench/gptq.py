"""GPTQ of one layer, beside the same in torch on the same cores: a weight of 2048 x 5632 in groups of 32 with 4 bits, from 2,048 tokens. Medians of ROUNDS, one after the other.

usage: gptq.py PRECIS [ROUNDS [THREADS]]     (needs torch and gguf: tests/peers/environment-torch)

precis quantizes a model of one block whose ffn_down is that weight and alone takes part (`quant --method gptq`); its time is that of the whole command less that of `--method search` of the same (loading, calibrating, writing),
so that running the model to the layer, the Hessian, its factor and the coding are in it. torch's is of Hessian, factor and coding from inputs that are there already (Frantar et al. 2022, algorithm 1: blocks of 128 columns, no order).
"""
import os, statistics, subprocess, sys, tempfile, time
import goals, random_llama

precis = sys.argv[1]
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
threads = int(sys.argv[3]) if len(sys.argv) > 3 else os.cpu_count()
ROWS, COLS, TOKENS = 2048, 5632, 2048
TORCH = f"""
import sys, time, torch
threads = int(sys.argv[1])
torch.set_num_threads(threads)
torch.manual_seed(0)
w, x = torch.randn({ROWS}, {COLS}) * 0.02, torch.randn({TOKENS}, {COLS})
t = time.perf_counter()
h = x.t() @ x
h += 0.01 * h.diagonal().mean() * torch.eye({COLS})
u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
q = torch.empty_like(w)
for b in range(0, {COLS}, 128):
    block, lost, part = w[:, b : b + 128].clone(), torch.empty({ROWS}, 128), u[b : b + 128, b : b + 128]
    for i in range(128):
        if i % 32 == 0:
            d = block[:, i : i + 32].abs().amax(1).clamp(min=1e-9) / 7.5
        c = block[:, i]
        r = (c / d).round().clamp(-8, 7) * d
        q[:, b + i] = r
        e = (c - r) / part[i, i]
        block[:, i:] -= e[:, None] * part[i, i:][None]
        lost[:, i] = e
    w[:, b + 128 :] -= lost @ u[b : b + 128, b + 128 :]
print(time.perf_counter() - t)
"""


with tempfile.TemporaryDirectory() as folder:
    model, text, out = (os.path.join(folder, n) for n in ("model.gguf", "text", "out.gguf"))
    random_llama.write(model, layers=1, vocab=512)
    with open(text, "w") as f:
        f.write("the quick brown fox " * (TOKENS // 20 + 1))

    def ours(method):
        t = time.perf_counter()
        subprocess.run([precis, "quant", model, "--type", "blk.0.ffn_down.weight=Q4_0,*=F16", "--method", method, "--calib", text, "--calib-tokens", str(TOKENS), "--no-eval", "-t", str(threads), "-q", "-o", out], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - t

    own, base, peer = [], [], []
    for _ in range(rounds):
        own.append(ours("gptq")), base.append(ours("search"))
        peer.append(float(subprocess.run([sys.executable, "-c", TORCH, str(threads)], capture_output=True, text=True, check=True).stdout))
m = statistics.median
print(f"GPTQ of {ROWS} x {COLS}, {TOKENS} tokens, {threads} threads: torch {m(peer):.2f} s, precis {m(own) - m(base):.2f} s (whole command {m(own):.2f}, by search {m(base):.2f}): {m(peer) / (m(own) - m(base)):.2f} times")
goals.record("gptq", m(peer) / (m(own) - m(base)))
