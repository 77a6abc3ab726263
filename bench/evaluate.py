"""KL divergence from a reference's kept logits: precis eval --logits beside llama.cpp's perplexity tool with --kl-divergence, on the same file and text, medians of ROUNDS, one after the other.

usage: evaluate.py PRECIS MODEL.gguf REFERENCE.gguf TEXT LLAMA_PERPLEXITY [CHUNKS [ROUNDS [THREADS]]]     (the tool: tests/peers/environment-perplexity)

Windows of 512 tokens, the second half scored. Both as run, whole commands, on the first THREADS cores (the tool takes a thread for each core that it may use besides those it is told). The divergence that it finds is
printed, too.
"""
import os, re, statistics, subprocess, sys, tempfile, time
import goals, sides

precis, model, reference, text, tool = sys.argv[1:6]
chunks = int(sys.argv[6]) if len(sys.argv) > 6 else 24
rounds = int(sys.argv[7]) if len(sys.argv) > 7 else 5
threads = int(sys.argv[8]) if len(sys.argv) > 8 else 1
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def timed(run):
    t = time.perf_counter()
    out = run()
    return time.perf_counter() - t, out


def theirs(of, *more):
    r = subprocess.run([tool, "-m", of, "-f", part, "-c", "512", "--chunks", str(chunks), "-t", str(threads), "--kl-divergence-base", base, *more], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"llama-perplexity: {(r.stdout + r.stderr)[-500:]}")
    return r.stdout + r.stderr


peer, own = [], []
with tempfile.TemporaryDirectory() as folder:
    logits, base, part = (os.path.join(folder, n) for n in ("logits.gguf", "base.kld", "text"))
    with open(text, "rb") as f, open(part, "wb") as to:
        to.write(f.read(chunks * 512 * 8).rsplit(b"\n", 1)[0])
    command = [precis, "eval", model, "--logits", logits, "--text", part, "--chunks", chunks, "-t", threads]
    sides.precis(*command, "--against", reference)
    theirs(reference)
    for _ in range(rounds):
        t, out = timed(lambda: theirs(model, "--kl-divergence"))
        peer.append(t)
        kl = re.search(r"Mean +KLD: *(-?[0-9.]+) *± *([0-9.]+)", out)
        t, j = timed(lambda: sides.precis(*command))
        own.append(t)
a, b = statistics.median(peer), statistics.median(own)
print(f"{chunks * 512} tokens, {threads} thread(s): llama.cpp {a:.1f} s as run, precis {b:.1f} s: {a / b:.2f} times; KL by llama.cpp {' ± '.join(kl.groups()) if kl else 'not found'}, by precis {j['kld_mean']:.6f} ± {j['kld_se']:.6f}")
if chunks == 24 and threads == 1:
    goals.record("evaluate", a / b)
r = sides.precis(precis, "bench", reference, "--weights-only", "--prompt", 512, "--gen", 1, "-t", threads)
share = 100 * r["prefill_tok_s"] / r["limit"]["prefill_tok_s"]
print(f"{reference} in the reference arithmetic, 512 tokens: {r['prefill_tok_s']:.0f} tokens/s, {share:.0f} % of the f32 peak")
if threads == 1:
    goals.record("weights-only", share)
