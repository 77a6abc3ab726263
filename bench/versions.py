"""An older build beside a newer one, in turns on one machine: is anything slower?

usage: versions.py OLD NEW [ROUNDS [THREADS]]     (OLD, NEW: programs; ROUNDS: 9; THREADS: 1)

A random llama is made by `precis train` of NEW (134 million weights, as F32), and its quantized forms by OLD, so that
both take the same files; a build that does not know a command is an error. For each figure the median of each build
over the rounds, the median of the ratio of neighbours (new over old, of times or of speeds turned to times: above 1 is
slower), and half the range between the ratio's quartiles. Times of `quant` are processor time.
"""
import json, os, resource, statistics, subprocess, sys, tempfile

old, new = map(os.path.abspath, sys.argv[1:3])
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
threads = sys.argv[4] if len(sys.argv) > 4 else "1"
TYPES = ("Q4_0", "Q4_K", "Q8_0", "F16")
CONFIG = {
    "model": {"arch": "llama", "width": 1024, "layers": 8, "heads": 16, "kv_heads": 4, "hidden": 4096, "vocabulary": 256},
    "data": {"language": {"seed": 7}, "context": 16, "batch": 1, "heldout_tokens": 32}, "steps": 1,
    "optimizer": {"name": "sgd", "lr": 1e-3},
}


def command(*words):
    """JSON of a command and the processor seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    r = subprocess.run(words, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if r.returncode:
        sys.exit(f"{' '.join(words)}: {r.stderr}")
    return r.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def speeds(program, model):
    """Milliseconds to load, of a prompt's token, of a token behind it."""
    j = json.loads(command(program, "bench", model, "--prompt", "128", "--gen", "32", "-t", threads, "--json", "-q")[0])
    return {"load to first token": j["load_ms"] + 1000 / j["decode_tok_s"], "prompt": 1000 / j["prefill_tok_s"],
            "decode": 1000 / j["decode_tok_s"]}


def behind(program, model):
    """Milliseconds of a token behind 1,024 others, where keys and values are read as much as weights."""
    words = ("--prompt", "1024", "--gen", "48", "-t", threads, "--json", "-q")
    return {"decode behind 1,024": 1000 / json.loads(command(program, "bench", model, *words)[0])["decode_tok_s"]}


def coding(program, source, kind, out):
    more = ("--method", "search", "--no-calib", "--no-eval", "-t", threads, "-q", "-o", out)
    return {"processor ms": 1000 * command(program, "quant", source, "--type", kind, *more)[1]}


def loads(program, source, out):
    """The whole command: reading, hashing, writing."""
    return {"processor ms": 1000 * command(program, "convert", source, "--format", "packed", "-q", "-o", out)[1]}


def main():
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as d:
        config, source = os.path.join(d, "c.json"), os.path.join(d, "source.gguf")
        with open(config, "w") as f:
            json.dump(CONFIG, f)
        command(new, "train", config, "-o", os.path.join(d, "trained.gguf"), "-q", "--no-history")
        more = ("--method", "rtn", "--no-calib", "--no-eval", "-q", "-o")
        command(new, "quant", os.path.join(d, "trained.gguf"), "--type", "F16", *more, source)
        files = {"F16": source}
        for kind in TYPES[:-1]:
            files[kind] = os.path.join(d, kind + ".gguf")
            command(old, "quant", source, "--type", kind, *more, files[kind])
        out = os.path.join(d, "out.packed.gguf")
        work = {("bench", k): lambda p, k=k: speeds(p, files[k]) for k in TYPES}
        work[("bench", "Q4_0 ")] = lambda p: behind(p, files["Q4_0"])
        work |= {("quant", k): lambda p, k=k: coding(p, source, k, out) for k in TYPES[:-1]}
        work[("convert to packed", "Q4_0")] = lambda p: loads(p, files["Q4_0"], out)
        print(f"{'':34}{'old':>10}{'new':>10}{'new/old':>10}{'+-':>8}")
        for (what, kind), run in work.items():
            pairs = []
            for i in range(rounds + 1):  # the first fills caches
                order = (old, new) if i % 2 else (new, old)
                pair = {p: run(p) for p in order}
                pairs += [pair] if i else []
            for figure in pairs[0][old]:
                a, b = ([p[which][figure] for p in pairs] for which in (old, new))
                ratio = [y / x for x, y in zip(a, b)]
                q = statistics.quantiles(ratio, n=4)
                print(f"{what + ' ' + kind + ', ' + figure:34}{statistics.median(a):10.3f}{statistics.median(b):10.3f}"
                      f"{statistics.median(ratio):10.3f}{(q[2] - q[0]) / 2:8.3f}", flush=True)


main()
