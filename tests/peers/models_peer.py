"""precis against llama.cpp (llama-cpp-python): architectures, perplexity of the same file, files that precis writes.

usage: models_peer.py PRECIS [--model SMOLLM2.gguf] [--windows N]

Architectures: random two-layer models that this script writes in F32; the negative log-likelihood of a sequence in one
call and token by token. Perplexity: llama.cpp's windows, both sides on the same text and file; F16 within 0.2 %,
quantized within 0.5 %.
"""
import argparse, json, os, subprocess, sys, tempfile
import gguf, numpy as np
from llama_cpp import Llama

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("--model", default=""), p.add_argument("--vectors"), p.add_argument("--windows", type=int, default=8)
a = p.parse_args()
made_here = tempfile.TemporaryDirectory()  # removed at the end
folder, failed = made_here.name, 0
TEXT = "data/eval.txt"


def precis(*args):
    r = subprocess.run([a.precis, *args, "--json", "-q"], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"precis {' '.join(args)}: {r.stderr}")
    return json.loads(r.stdout)


def check(name, ok, text):
    global failed
    failed += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {name}: {text}", flush=True)


# ---- architectures ---------------------------------------------------------------------------------
def random_model(arch, path, heads=4, kv=2, dim=64, layers=2, hidden=96, head=16, vocab=300, seed=0):
    rng, w = np.random.default_rng(seed), gguf.GGUFWriter(path, arch)
    w.add_block_count(layers), w.add_context_length(128), w.add_embedding_length(dim), w.add_feed_forward_length(hidden)
    w.add_head_count(heads), w.add_head_count_kv(kv), w.add_layer_norm_rms_eps(1e-6), w.add_rope_freq_base(10000.0)
    if head * heads != dim or arch in ("gemma3", "qwen3"):
        w.add_key_length(head), w.add_value_length(head)
    w.add_vocab_size(vocab)
    if arch == "gemma3":
        w.add_sliding_window(8)
    w.add_tokenizer_model("llama")
    w.add_token_list(["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)] + [f"w{i}" for i in range(vocab - 259)])
    w.add_token_scores([0.0] * vocab), w.add_token_types([2, 3, 3] + [6] * 256 + [1] * (vocab - 259))

    def t(name, *shape, scale=None, base=0.0):
        w.add_tensor(name, (base + rng.standard_normal(shape) * (scale or shape[-1] ** -0.5)).astype(np.float32))

    t("token_embd.weight", vocab, dim, scale=1.0), t("output_norm.weight", dim, scale=0.1, base=1)
    if arch != "gemma3":
        t("output.weight", vocab, dim)
    for i in range(layers):
        b = f"blk.{i}."
        for n in ("attn_norm", "ffn_norm") + (("post_attention_norm", "post_ffw_norm") if arch == "gemma3" else ()):
            t(b + n + ".weight", dim, scale=0.1, base=1)
        if arch in ("gemma3", "qwen3"):
            for n in ("attn_q_norm", "attn_k_norm"):
                t(b + n + ".weight", head, scale=0.1, base=1)
        for n, rows, cols in (("attn_q", heads * head, dim), ("attn_k", kv * head, dim), ("attn_v", kv * head, dim), ("attn_output", dim, heads * head),
                              ("ffn_gate", hidden, dim), ("ffn_up", hidden, dim), ("ffn_down", dim, hidden)):
            t(b + n + ".weight", rows, cols)
            if arch == "qwen2" and n in ("attn_q", "attn_k", "attn_v"):
                t(b + n + ".bias", rows, scale=0.2)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
    return path


def nll(logits, ids):
    x = np.array(logits, dtype=np.float64)[:-1]
    m = x.max(axis=1)
    return m + np.log(np.exp(x - m[:, None]).sum(axis=1)) - x[np.arange(len(ids) - 1), ids[1:]]


def gemma3_f64(path, ids, heads, kv, head, layers, half_gelu):
    """The net in numpy, f64. llama.cpp takes GELU from a table in half precision: half_gelu does the same."""
    w = {t.name: np.array(t.data, dtype=np.float64) for t in gguf.GGUFReader(path).tensors}

    def norm(x, g):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * g

    def rope(x, base):
        half = x.shape[-1] // 2
        angle = np.arange(len(ids))[:, None, None] * base ** (-np.arange(half) / half)
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], -1)

    def gelu(x):
        if half_gelu:
            x = x.astype(np.float16).astype(np.float64)
        y = 0.5 * x * (1 + np.tanh(0.79788456080286535588 * x * (1 + 0.044715 * x * x)))
        return y.astype(np.float16).astype(np.float64) if half_gelu else y

    n, dim = len(ids), w["token_embd.weight"].shape[1]
    x = w["token_embd.weight"][ids] * np.float32(np.sqrt(dim))
    for i in range(layers):
        p, local = f"blk.{i}.", (i + 1) % 6 != 0
        h = norm(x, w[p + "attn_norm.weight"])
        q, k = ((h @ w[p + f"attn_{c}.weight"].T).reshape(n, -1, head) for c in "qk")
        v = (h @ w[p + "attn_v.weight"].T).reshape(n, kv, head)
        q, k = (rope(norm(a, w[p + f"attn_{c}_norm.weight"]), 10000.0) for a, c in ((q, "q"), (k, "k")))
        out, at = np.zeros((n, heads, head)), np.arange(n)
        seen = (at[:, None] >= at) & ((at[:, None] - at < 8) | (not local))
        for j in range(heads):
            s = np.where(seen, q[:, j] @ k[:, j // (heads // kv)].T / np.sqrt(head), -np.inf)
            s = np.exp(s - s.max(-1, keepdims=True))
            out[:, j] = s / s.sum(-1, keepdims=True) @ v[:, j // (heads // kv)]
        x = x + norm(out.reshape(n, -1) @ w[p + "attn_output.weight"].T, w[p + "post_attention_norm.weight"])
        h = norm(x, w[p + "ffn_norm.weight"])
        h = (gelu(h @ w[p + "ffn_gate.weight"].T) * (h @ w[p + "ffn_up.weight"].T)) @ w[p + "ffn_down.weight"].T
        x = x + norm(h, w[p + "post_ffw_norm.weight"])
    return nll(norm(x, w["output_norm.weight"]) @ w["token_embd.weight"].T, ids)


for arch, more in (("llama", {}), ("llama", {"kv": 4, "head": 32}), ("qwen2", {}), ("qwen3", {"head": 32}), ("gemma3", {"layers": 7, "head": 24})):
    path = random_model(arch, os.path.join(folder, "random.gguf"), **more)
    ids = np.random.default_rng(5).integers(3, 300, 48).tolist()
    llm = Llama(model_path=path, n_ctx=128, logits_all=True, verbose=False, n_threads=2, type_k=0, type_v=0)
    llm.eval(ids)
    whole = nll(llm.scores[: len(ids)], ids)
    llm.reset()
    for i in ids:
        llm.eval([i])
    steps = nll(llm.scores[: len(ids)], ids)
    got = np.array(precis("eval", path, "--ids", ",".join(map(str, ids)), "--weights-only")["nll"])
    fast = np.array(precis("eval", path, "--ids", ",".join(map(str, ids)))["nll"])
    worst = max(np.abs(got - whole).max(), np.abs(got - steps).max(), np.abs(fast - whole).max())
    if arch == "gemma3":  # the peer's GELU is too coarse to judge by: both against f64
        exact, table = (gemma3_f64(path, ids, 4, 2, more["head"], more["layers"], t) for t in (False, True))
        peer, worst = np.abs(whole - table).max(), max(np.abs(got - exact).max(), np.abs(fast - exact).max())
        check("gemma3's judge", peer < 1e-3, f"llama.cpp against f64 with GELU in half precision {peer:.2g}, with exact GELU {np.abs(whole - exact).max():.2g}")
    check(f"{arch} {more or ''}", worst < 1e-3, f"nll of {len(ids) - 1} tokens, largest difference {worst:.2g}")
    del llm


# ---- perplexity --------------------------------------------------------------------------------------
def peer_ppl(path, n_ctx):
    llm = Llama(model_path=path, n_ctx=n_ctx, n_batch=n_ctx, logits_all=True, verbose=False, n_threads=2)
    ids = llm.tokenize(open(TEXT, "rb").read(), add_bos=True, special=False)
    bos = llm.token_bos() if ids[0] == llm.token_bos() else None
    total = []
    for k in range(min(a.windows, len(ids) // n_ctx)):
        t = ids[k * n_ctx : (k + 1) * n_ctx]
        llm.reset()
        llm.eval([bos] + t[1:] if bos is not None else t)
        total.append(nll(llm.scores[:n_ctx], t)[n_ctx // 2 :])
    del llm
    return float(np.exp(np.mean(np.concatenate(total))))


def compare(name, path, n_ctx, limit):
    ours = precis("eval", path, "--text", TEXT, "--ctx", str(n_ctx), "--chunks", str(a.windows))["ppl"]
    theirs = peer_ppl(path, n_ctx)
    check(name, abs(ours / theirs - 1) < limit, f"perplexity {ours:.4f}, llama.cpp {theirs:.4f}: {100 * (ours / theirs - 1):+.3f} % (limit {100 * limit} %)")


def made(source, kind, *more):
    out = os.path.join(folder, f"{kind}.gguf")
    precis("quant", source, "--type", kind, "-o", out, "--no-eval", *more)
    return out


carried = "models/gutenberg-7m"
im = os.path.join(folder, "im.gguf")
precis("profile", carried, "-o", im)
compare("gutenberg-7m F16", made(carried, "F16"), 256, 0.002)
for kind in "Q8_0 Q6_K Q5_K_M Q5_0 Q5_1 Q4_K_M Q4_0 Q4_1 IQ4_NL IQ4_XS Q3_K_M Q2_K MXFP4 TQ2_0 TQ1_0 IQ3_S IQ3_XXS IQ2_S IQ2_XS IQ2_XXS IQ1_M IQ1_S NVFP4".split():
    compare(f"gutenberg-7m {kind}", made(carried, kind, "--imatrix", im), 256, 0.005)
if a.model:
    compare("SmolLM2 as it comes", a.model, 512, 0.005)
    compare("SmolLM2 F16", made(a.model, "F16"), 512, 0.002)
    for kind in ("Q8_0", "Q4_0", "Q4_K_M"):
        compare(f"SmolLM2 {kind}", made(a.model, kind, "--no-calib"), 512, 0.005)
else:
    print("skipped: SmolLM2 is not here")
sys.exit(failed != 0)
