"""Tokens per second of precis and llama.cpp on the same files, which llama.cpp's quantizer makes of F16 (Q4_K: its mix
Q4_K_M), one after the other in one run, medians of ROUNDS; beside the limit that precis measures. Writes
bench/results/speed-MACHINE.csv.

usage: speed.py PRECIS --cache FOLDER [--smollm2 FILE] [--gemma FILE] [--rounds 5] [--threads 1,2,4,...] [--layers 22]
                [--arithmetics exact,mixed] [--level LEVEL --python FILE] [MODEL ...]

Threads: by default 1, and twice as many up to the processors that there are. Arithmetics: by default exact, and mixed
where precis says that this machine has tiles; each is measured in every round, beside one run of llama.cpp.
"""
import argparse, csv, datetime, os, platform, re, shutil, statistics, subprocess, sys, tempfile
import goals, random_llama, sides

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("models", nargs="*"), p.add_argument("--cache"), p.add_argument("--smollm2", default=""), p.add_argument("--gemma", default="")
p.add_argument("--rounds", type=int, default=5), p.add_argument("--threads", default=",".join(str(1 << i) for i in range(os.cpu_count().bit_length())))
p.add_argument("--arithmetics", default=""), p.add_argument("--layers", type=int, default=22, help="of the random 1.1B")
p.add_argument("--types", default="Q4_0,Q4_K,Q8_0"), p.add_argument("--prompt", type=int, default=128), p.add_argument("--gen", type=int, default=48)
p.add_argument("--python", default=sys.executable, help="the interpreter whose llama_cpp is measured")
p.add_argument("--level", default="", help="mask of instruction sets for both: PRECIS_CPU for precis, an interpreter whose llama_cpp is built so for the peer")
a = p.parse_intermixed_args()
if a.level:
    os.environ["PRECIS_CPU"] = a.level


def ours(path, threads, arithmetic):
    more = () if arithmetic == "exact" else ("--arithmetic", arithmetic)
    j = sides.precis(a.precis, "bench", path, "--prompt", a.prompt, "--gen", a.gen, "-t", threads, *more)
    return j["prefill_tok_s"], j["decode_tok_s"], j["limit"]["decode_tok_s"], j["cpu"], j["limit"]["prefill_tok_s"], j["rss_bytes"], {t["threads"]: t["share"] for t in j["scaling"]["threads"]}


cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
machine = f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores"
compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
folder = tempfile.mkdtemp(dir=a.cache)
sources = {"gutenberg-7m": os.path.join(folder, "gutenberg.gguf"), "smollm2": a.smollm2, "gemma": a.gemma, "1.1b": os.path.join(a.cache, f"random-1.1b{'' if a.layers == 22 else f'-{a.layers}'}.gguf")}
rows = []
arithmetics = a.arithmetics.split(",") if a.arithmetics else ["exact", "mixed"] if sides.level(a.precis) == "amx" else ["exact"]
print(f"{machine}; {compiler}\n{'model':14s}{'type':8s}{'sums':6s}{'threads':>8s}{'decode':>10s}{'llama.cpp':>11s}{'ratio':>7s}{'limit':>8s}{'prefill':>9s}{'llama.cpp':>11s}{'ratio':>7s}{'limit':>8s}", flush=True)
for name in a.models or sources:
    source = sources[name]
    if not source:
        print(f"skipped: {name} is not here")
        continue
    if name == "gutenberg-7m":
        sides.precis(a.precis, "convert", "models/gutenberg-7m", "-o", source)
    if name == "1.1b" and not os.path.exists(source):
        random_llama.write(source, a.layers)
    for kind in a.types.split(","):
        path = os.path.join(folder, "model.gguf")
        sides.llama_quantize(source, path, kind)
        for threads, arithmetic in ((int(t), x) for t in a.threads.split(",") for x in arithmetics):
            if arithmetic == arithmetics[0]:
                every, peer = {x: [] for x in arithmetics}, []
                for _ in range(a.rounds):
                    for x in arithmetics:
                        every[x].append(ours(path, threads, x))
                    peer.append(sides.llama_speed(path, threads, a.prompt, a.gen, python=a.python))
            got = every[arithmetic]
            med = lambda x, i: statistics.median(r[i] for r in x)
            row = dict(date=datetime.date.today().isoformat(), machine=machine, level=got[0][3], compiler=compiler, model=name if name != "1.1b" or a.layers == 22 else f"1.1b, {a.layers} layers", type=kind, arithmetic=arithmetic, threads=threads, rounds=a.rounds,
                       decode=med(got, 1), peer_decode=med(peer, 1), limit_decode=med(got, 2), prompt=a.prompt, prefill=med(got, 0), peer_prefill=med(peer, 0), limit_prefill=med(got, 4), bytes=os.path.getsize(path))
            rows.append(row)
            if name == "1.1b" and kind == "Q4_0" and a.layers == 22 and arithmetic == "exact":  # 22 layers of 256 keys and values in f16
                goals.record("memory 1.1b", max(r[5] for r in got) / (row["bytes"] + (a.prompt + a.gen) * 22 * 512 * 2 + (32 << 20)))
            if name == "1.1b" and kind == "Q4_0" and not a.level and threads == 2 and arithmetic == "exact":
                for n in (8, 16):
                    goals.record(f"threads {n}", 100 * statistics.median(r[6][n] for r in got))
            if threads == 1 and arithmetic == "exact":
                for what in ("decode", "prefill"):
                    for key, value in ((f"{what} {name} {kind} peer", row[what] / row["peer_" + what]), (f"{what} {name} {kind} limit", 100 * row[what] / row["limit_" + what])):
                        key += f" {a.level}" if a.level else ""
                        goals.record(key, value)
            print(f"{name:14s}{kind:8s}{arithmetic:6s}{threads:8d}{row['decode']:10.1f}{row['peer_decode']:11.1f}{row['decode'] / row['peer_decode']:7.2f}{row['limit_decode']:8.0f}"
                  f"{row['prefill']:9.1f}{row['peer_prefill']:11.1f}{row['prefill'] / row['peer_prefill']:7.2f}{row['limit_prefill']:8.0f}", flush=True)
        os.unlink(path)
shutil.rmtree(folder)
slug = re.sub(r"[^a-z0-9]+", "-", (cpu[1] if cpu else platform.machine()).lower()).strip("-")
out = f"bench/results/speed-{slug}-{rows[0]['level']}.csv"
kept = []
if os.path.exists(out):  # rows of other models, types and prompts stay
    with open(out, newline="") as f:
        kept = [r for r in csv.DictReader(line for line in f if not line.startswith("#")) if not any(all(str(n[k]) == r.get(k, "exact") for k in ("model", "type", "arithmetic", "threads", "prompt")) for n in rows)]
    kept = [{"arithmetic": "exact", **r} for r in kept]
with open(out, "w", newline="") as f:
    f.write(f"# make bench; peer: llama-cpp-python, built for {'the same level' if a.level else 'this machine'}; tokens per second, medians of {a.rounds} alternations\n")
    w = csv.DictWriter(f, rows[0].keys())
    w.writeheader()
    w.writerows(kept)
    w.writerows([{k: f"{v:.1f}" if isinstance(v, float) else v for k, v in r.items()} for r in rows])
print(f"wrote {out}")
