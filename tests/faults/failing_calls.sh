#!/bin/sh
# Every call of a command that writes fails, one after the other: exit 0 means that all files are there and right, else
# 3 or 4, and then nothing that was begun is left, and what was
# there before is whole. FULL=1 takes every call; else some. usage: failing_calls.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
[ -z "${SANITIZE:-}" ] || { echo "skipped: a preloaded library does not go with sanitizers"; exit 0; }
${CC:-cc} -shared -fPIC -O1 -D_GNU_SOURCE -w -o "$work/failing.so" "$root/tests/faults/failing_calls.c" -ldl || { echo "skipped: no compiler"; exit 0; }
python3 "$root/tests/faults/tiny_models.py" "$work" || exit 1
python3 "$root/tests/faults/nets_quant.py" make "$work" || exit 1
python3 - "$precis" "$work" "${FULL:-}" <<'PYTHON' || failed=1
import errno, hashlib, os, shutil, subprocess, sys

precis, work, full = os.path.abspath(sys.argv[1]), sys.argv[2], bool(sys.argv[3])
so = work + "/failing.so"
bad = runs = 0


def tree(folder):
    return {os.path.relpath(os.path.join(a, f), folder): hashlib.sha256(open(os.path.join(a, f), "rb").read()).hexdigest() for a, _, fs in os.walk(folder) for f in fs}


def start(args, folder, **env):
    e = {**os.environ, "LD_PRELOAD": so, "XDG_STATE_HOME": work + "/state", "TMPDIR": work, **env}
    return subprocess.run([precis, *[a.replace("@", work) for a in args], "-q", "-t", "1"], cwd=folder, env=e, capture_output=True, text=True)


def wrong(what, args, fail, r):
    global bad
    bad += 1
    if bad < 12:
        print(f"{what}: FAIL={fail} precis {' '.join(args)}: exit {r.returncode}: {r.stderr.strip()[-200:]}")


# keep: the outputs with other bytes that were there before; exact: the right result has the same bytes in every run.
def attack(args, keep=(), exact=True, calls=None):
    global runs
    folder = work + "/out"

    def fresh():
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        for k in keep:
            open(f"{folder}/{k}", "w").write("older " + k)
        return tree(folder)

    before = fresh()
    r = start(args, folder, COUNT=work + "/count")
    if r.returncode:
        return wrong("fails without a fault", args, "", r)
    want = tree(folder)
    count = {a: int(b) for a, b in (line.split() for line in open(work + "/count"))}
    left = [f for f in want if f not in before]
    for call, n in count.items():
        if calls and call not in calls:
            continue
        errors = {"write": ("ENOSPC", "EIO", "EDQUOT", "EFBIG"), "sync": ("EIO", "ENOSPC"), "open": ("EACCES", "ENOSPC", "EMFILE"), "read": ("EIO",)}.get(call, ("EIO", "ENOSPC"))
        ks = range(1, n + 1) if full or n <= 6 else sorted({1, 2, *range(3, n - 3, max(1, n // 4)), *range(n - 3, n + 1)})
        for i, (k, mode) in enumerate((k, mode) for k in ks for mode in ("once", "on")):
            for error in errors if full else errors[i % len(errors):][:1]:
                before = fresh()
                fail = f"{call}:{k}:{getattr(errno, error)}:{mode}"
                r = start(args, folder, FAIL=fail)
                got = tree(folder)
                runs += 1
                if r.returncode not in (0, 3, 4):
                    wrong("no typed exit", args, fail, r)
                elif r.returncode == 0 and (got != want if exact else set(got) != set(want) or any(not os.path.getsize(f"{folder}/{f}") for f in got)):
                    wrong("exit 0 with other files", args, fail, r)
                elif r.returncode and [f for f in got if f not in want or f.endswith(".part")]:
                    wrong(f"left {sorted(set(got) - set(want))}", args, fail, r)
                elif r.returncode and any(got[f] not in (want.get(f), before.get(f)) for f in got) and exact:
                    wrong("a file is neither the old nor the new one", args, fail, r)
                elif r.returncode and exact and call in ("write", "sync") and got != before: # a profile is kept from time to time, and goes on from there
                    wrong(f"changed {sorted(f for f in set(got) | set(before) if got.get(f) != before.get(f))}", args, fail, r)
                elif r.returncode == 3 and call == "write" and error != "EIO":
                    wrong("a full disk is exit 4", args, fail, r)
                elif r.returncode and not r.stderr.startswith("precis: "):
                    wrong("no sentence", args, fail, r)
                elif r.returncode and any(got[f] == before.get(f) and got.get(f[:-14]) == want.get(f[:-14]) for f in got if f.endswith(".manifest.json")):
                    wrong("the manifest is of another file", args, fail, r)


attack(["quant", "@/m.gguf", "--type", "Q4_0", "--no-calib", "--no-eval", "-o", "q.gguf"], keep=("q.gguf", "q.gguf.manifest.json"))
for out in ("q.onnx", "q.c"):
    attack(["quant", "@/small.onnx", "--static", "--calib", "@/calib.npy", "--no-speed", "-o", out], keep=(out, out + ".manifest.json"), calls=("write", "sync", "rename", "link"))
attack(["convert", "@/m.gguf", "--format", "safetensors", "-o", "folder"])
attack(["convert", "@/hf", "--format", "gguf", "-o", "m.gguf"], keep=("m.gguf",), calls=("write", "sync", "rename", "link"))
attack(["profile", "@/m.gguf", "--calib", "@/calib.txt", "--tokens", "64", "--types", "Q4_0", "-o", "p.json"], exact=False, calls=("write", "sync", "rename", "link"))
attack(["profile", "@/m.gguf", "--calib", "@/calib.txt", "--tokens", "64", "-o", "im.gguf"], keep=("im.gguf",), calls=("write", "sync", "rename", "link"))
attack(["plan", "@/m.gguf", "--max-size", "40%", "--no-profile", "--calib", "@/calib.txt", "-o", "plan.json"], keep=("plan.json",), calls=("write", "sync", "rename", "link"))
attack(["eval", "@/m.gguf", "--against", "@/m.gguf", "--ctx", "32", "--chunks", "1", "--text", "@/calib.txt", "--logits", "l.gguf"], calls=("write", "sync", "rename", "link", "open"))
attack(["eval", "@/m.gguf", "--tasks", "@/tasks.jsonl", "--samples", "s.jsonl"], keep=("s.jsonl",), calls=("write", "sync", "rename", "link", "open", "close"))
attack(["report", "--new-key", "k.pem"], exact=False, calls=("write", "sync", "link", "open"))
attack(["law", "plot", "-o", "plot.html"], keep=("plot.html",), calls=("write", "sync", "rename", "link"))
attack(["inspect", "@/m.gguf", "--tensor", "output.weight", "-o", "raw"], keep=("raw",), calls=("write", "sync", "rename", "link", "read"))
print(f"{runs} runs, {bad} wrong") if bad or full else None
sys.exit(bad > 0)
PYTHON
exit $failed
