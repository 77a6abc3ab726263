"""KL divergence from a reference's kept logits: precis eval --logits beside llama.cpp on the same file and tokens, medians of ROUNDS, one after the other.

usage: evaluate.py PRECIS MODEL.gguf REFERENCE.gguf TEXT [CHUNKS [ROUNDS [THREADS]]]     (needs llama-cpp-python: tests/peers/environment)

Windows of 512 tokens, the second half scored. llama.cpp's time is that of its llama_decode calls alone: what its tool adds, reading logits of the base and summing over the vocabulary, is not in it, while
precis's is of the whole command.
"""
import os, statistics, subprocess, sys, tempfile, time
import goals, sides

precis, model, reference, text = sys.argv[1:5]
chunks = int(sys.argv[5]) if len(sys.argv) > 5 else 24
rounds = int(sys.argv[6]) if len(sys.argv) > 6 else 5
threads = int(sys.argv[7]) if len(sys.argv) > 7 else 1
PEER = """
import sys, time
from llama_cpp import llama_cpp as low
quiet = low.llama_log_callback(lambda *a: None)
low.llama_log_set(quiet, None)
path, text, chunks, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
model = low.llama_load_model_from_file(path.encode(), low.llama_model_default_params())
c = low.llama_context_default_params()
c.n_ctx = c.n_batch = c.n_ubatch = 512
c.n_threads = c.n_threads_batch = threads
ctx = low.llama_new_context_with_model(model, c)
raw = open(text, "rb").read()[: chunks * 512 * 8]
ids = (low.llama_token * (chunks * 512 * 8))()
n = low.llama_tokenize(low.llama_model_get_vocab(model), raw, len(raw), ids, len(ids), True, False)
assert n >= chunks * 512, n
batch = low.llama_batch_init(512, 0, 1)
spent = 0
for w in range(-1, chunks):  # the first warms up
    batch.n_tokens = 512
    for i in range(512):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = ids[max(w, 0) * 512 + i], i, 1, 0, i >= 256
    low.llama_memory_clear(low.llama_get_memory(ctx), True)
    t = time.perf_counter()
    assert low.llama_decode(ctx, batch) == 0
    low.llama_get_logits(ctx)
    spent += (time.perf_counter() - t) * (w >= 0)
print(spent)
"""
peer, own = [], []
with tempfile.TemporaryDirectory() as folder:
    logits = os.path.join(folder, "logits.gguf")
    command = [precis, "eval", model, "--logits", logits, "--text", text, "--chunks", chunks, "-t", threads]
    sides.precis(*command, "--against", reference)
    for _ in range(rounds):
        r = subprocess.run([sys.executable, "-c", PEER, model, text, str(chunks), str(threads)], capture_output=True, text=True, check=True)
        peer.append(float(r.stdout.split()[-1]))
        t = time.perf_counter()
        j = sides.precis(*command)
        own.append(time.perf_counter() - t)
a, b = statistics.median(peer), statistics.median(own)
print(f"{chunks * 512} tokens, {threads} thread(s): llama.cpp {a:.1f} s (decoding alone), precis {b:.1f} s: {a / b:.2f} times; KL {j['kld_mean']:.6f} ± {j['kld_se']:.6f}")
if chunks == 24 and threads == 1:
    goals.record("evaluate", a / b)
r = sides.precis(precis, "bench", reference, "--weights-only", "--prompt", 512, "--gen", 1, "-t", threads)
share = 100 * r["prefill_tok_s"] / r["limit"]["prefill_tok_s"]
print(f"{reference} in the reference arithmetic, 512 tokens: {r['prefill_tok_s']:.0f} tokens/s, {share:.0f} % of the f32 peak")
if threads == 1:
    goals.record("weights-only", share)
