"""What the benches found, each figure beside its goal (issue "Speed"). A bench calls record(KEY, VALUE); as a program it prints the table of this machine.

usage: goals.py
"""
import csv, datetime, os, platform, re

# key: (what, unit, at least or at most, goal)
GOALS = {
    "decode 1.1b Q4_0 limit": ("decode of 1.1B, Q4_0, part of the read limit, 1 thread", "%", ">=", 88),
    "decode 1.1b Q4_0 peer": ("decode of 1.1B, Q4_0, over llama.cpp, 1 thread", "x", ">=", 1.2),
    "decode 1.1b Q4_K limit": ("decode of 1.1B, Q4_K, part of the read limit, 1 thread", "%", ">=", 88),
    "decode 1.1b Q4_K peer": ("decode of 1.1B, Q4_K, over llama.cpp, 1 thread", "x", ">=", 1.65),
    "decode 1.1b Q8_0 limit": ("decode of 1.1B, Q8_0, part of the read limit, 1 thread", "%", ">=", 88),
    "decode 1.1b Q8_0 peer": ("decode of 1.1B, Q8_0, over llama.cpp, 1 thread", "x", ">=", 1.0),
    "own peer": ("decode of 1.1B, IQ4_XS under a head of Q6_K, over llama.cpp's Q4_0", "x", ">=", 1.35),
    "own kl 1.1b": ("its KL divergence over that of llama.cpp's Q4_0", "x", "<=", 1),
    "own kl gutenberg-7m": ("the same of gutenberg-7m", "x", "<=", 1),
    "decode 1.1b TQ2_0 limit": ("decode of 1.1B, ternary in 2 bits (TQ2_0), part of the read limit", "%", ">=", 85),
    "decode 1.1b TQ2_0 peer": ("decode of 1.1B, TQ2_0, over llama.cpp", "x", ">=", 2),
    "decode 1.1b TQ1_0 limit": ("decode of 1.1B, ternary in 1.7 bits (TQ1_0), part of the read limit", "%", ">=", 80),
    "decode 1.1b TQ1_0 peer": ("decode of 1.1B, TQ1_0, over llama.cpp", "x", ">=", 2),
    "decode smollm2 Q4_0 peer": ("decode of SmolLM2-135M, Q4_0, over llama.cpp", "x", ">=", 1.8),
    "decode smollm2 Q8_0 peer": ("decode of SmolLM2-135M, Q8_0, over llama.cpp", "x", ">=", 1.8),
    "decode smollm2 Q4_K peer": ("decode of SmolLM2-135M, Q4_K, over llama.cpp", "x", ">=", 3),
    "decode gemma Q4_0 peer": ("decode of Gemma-3-270M, Q4_0, over llama.cpp", "x", ">=", 1.8),
    "decode gemma Q8_0 peer": ("decode of Gemma-3-270M, Q8_0, over llama.cpp", "x", ">=", 1.8),
    "decode gemma Q4_K peer": ("decode of Gemma-3-270M, Q4_K, over llama.cpp", "x", ">=", 3),
    "prefill 1.1b Q4_0 peer": ("prefill of 1.1B, Q4_0, over llama.cpp (AVX-512 VNNI without AMX)", "x", ">=", 2),
    "gemm Q4_0": ("GEMM kernel of Q4_0, part of the multipliers' peak", "%", ">=", 55),
    "gemm Q4_K": ("GEMM kernel of Q4_K, part of the multipliers' peak", "%", ">=", 55),
    "gemm Q8_0": ("GEMM kernel of Q8_0, part of the multipliers' peak", "%", ">=", 55),
    "gemm Q4_0 avx2": ("GEMM kernel of Q4_0 at AVX2, part of the multipliers' peak", "%", ">=", 55),
    "read": ("the kernel that reads fastest, part of the read limit (more than that, and it is none)", "%", "<=", 105),
    "prefill 1.1b Q4_0 limit": ("prefill of 1.1B as a whole, Q4_0, part of the peak of its multiplications", "%", ">=", 55),
    "prefill smollm2 Q4_0 peer": ("prefill of SmolLM2-135M, Q4_0, over llama.cpp", "x", ">=", 2),
    "prefill 1.1b Q4_0 peer avx2": ("prefill of 1.1B, Q4_0, over llama.cpp, both with AVX2 only", "x", ">=", 1.5),
    "prefill 1.1b Q4_K peer avx2": ("prefill of 1.1B, Q4_K, over llama.cpp, both with AVX2 only", "x", ">=", 1.5),
    "prefill 1.1b Q8_0 peer avx2": ("prefill of 1.1B, Q8_0, over llama.cpp, both with AVX2 only", "x", ">=", 1.5),
    "prefill smollm2 Q4_0 peer avx2": ("prefill of SmolLM2-135M, Q4_0, over llama.cpp, both with AVX2 only", "x", ">=", 1.5),
    "sequences 8 1.1b": ("8 sequences of 1.1B, Q4_0, together over one", "x", ">=", 5),
    "sequences 8": ("8 sequences of SmolLM2-135M, Q4_0, together over one", "x", ">=", 5),
    "context int8": ("decode behind 2,048 tokens, int8 cache, over llama.cpp's best", "x", ">=", 1.5),
    "context int4": ("decode behind 2,048 tokens, int4 cache, over llama.cpp's best", "x", ">=", 1.5),
    "crowded 1": ("two threads over one beside one busy loop", "x", ">=", 0.8),
    "crowded 2": ("two threads over one beside two busy loops", "x", ">=", 0.8),
    "threads 8": ("8 threads on 1.1B Q4_0, part of the read limit, by barriers and strips (estimated)", "%", ">=", 90),
    "threads 16": ("16 threads on 1.1B Q4_0, part of the read limit, by barriers and strips (estimated)", "%", ">=", 90),
    "evaluate": ("eval with kept logits over llama.cpp's perplexity tool, both as run, 1 thread", "x", ">=", 4),
    "weights-only": ("prompts in the reference arithmetic (--weights-only), F16, part of the f32 peak", "%", ">=", 60),
    "quantize Q4_0": ("quant by search over llama.cpp, Q4_0, 2 threads", "x", ">=", 1.5),
    "quantize Q4_K": ("quant by search over llama.cpp, Q4_K, 2 threads", "x", ">=", 4),
    "quantize IQ4_NL": ("quant by search over llama.cpp, IQ4_NL, 2 threads", "x", ">=", 8),
    "gptq": ("GPTQ of one layer of 2048 x 5632 over torch", "x", ">=", 1),
    "costs": ("plans of 20 whose predicted speed is within 10 %", "", ">=", 20),
    "load packed": ("load of a packed file to the first token, less one token", "ms", "<=", 20),
    "load plain": ("load of a plain GGUF to the first token, over llama.cpp's time", "x", "<=", 1),
    "memory 1.1b": ("peak RSS of 1.1B Q4_0 over file, cache and 32 MiB", "x", "<=", 1),
}


def path():
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return os.path.join(os.path.dirname(__file__), "results", "goals-" + re.sub(r"[^a-z0-9]+", "-", (cpu[1] if cpu else platform.machine()).lower()).strip("-") + ".csv")


def read():
    if not os.path.exists(path()):
        return {}
    with open(path(), newline="") as f:
        return {r["key"]: r for r in csv.DictReader(f)}


def record(key, value):
    """Nothing for a key that has no goal, or where nothing was measured (NaN)."""
    if key not in GOALS or value != value:
        return
    rows = read()
    rows[key] = {"key": key, "value": f"{value:.4g}", "date": datetime.date.today().isoformat()}
    with open(path(), "w", newline="") as f:
        w = csv.DictWriter(f, ["key", "value", "date"])
        w.writeheader()
        w.writerows(rows[k] for k in GOALS if k in rows)


if __name__ == "__main__":
    rows = read()
    print(f"{'what':86s}{'measured':>10s}{'goal':>12s}")
    for key, (what, unit, side, goal) in GOALS.items():
        r = rows.get(key)
        met = r and (float(r["value"]) >= goal if side == ">=" else float(r["value"]) <= goal)
        print(f"{what:86s}{r['value'] + ' ' + unit if r else 'not run':>10s}{side + ' ' + str(goal) + ' ' + unit:>12s}  {'met' if met else 'NOT MET' if r else ''}")
