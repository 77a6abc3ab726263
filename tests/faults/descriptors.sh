#!/bin/sh
# Too few file descriptors are a lack of resources (4): never a crash, never success without a part of the result.
. "$(dirname "$0")/../common.sh"

"$precis" inspect "$model" >"$work/inspect"
"$precis" run "$model" -p hello -n 4 -q >"$work/run"
"$precis" convert "$model" -o "$work/whole.gguf" -q >/dev/null
"$precis" quant "$model" --type Q4_0 --no-calib --no-eval -o "$work/small.gguf" -q >/dev/null
cat >"$work/few.py" <<'P'
import filecmp, os, resource, subprocess, sys
precis, model, work = sys.argv[1:]
bad = 0
def run(limit, args, out=None, same=None):
    global bad
    if out and os.path.exists(out): os.remove(out)
    p = subprocess.run([precis] + args, capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    if p.returncode == 127 and b"shared libraries" in p.stderr: return
    if p.returncode == 0: ok = filecmp.cmp(out, same, False) if out else p.stdout == open(same, "rb").read()
    else: ok = p.returncode == 4 and b"Too many open files" in p.stderr and not (out and os.path.exists(out))
    if not ok:
        bad = 1
        print(f"{limit} descriptors: exit {p.returncode}: {args}: {p.stderr[-200:]}")
for limit in range(3, 21):
    run(limit, ["inspect", model], None, work + "/inspect")
    run(limit, ["run", model, "-p", "hello", "-n", "4", "-q"], None, work + "/run")
    if limit > 8 and limit % 4: continue
    run(limit, ["convert", model, "-o", work + "/c.gguf", "-q"], work + "/c.gguf", work + "/whole.gguf")
    run(limit, ["quant", model, "--type", "Q4_0", "--no-calib", "--no-eval", "-o", work + "/q.gguf", "-q"], work + "/q.gguf", work + "/small.gguf")
sys.exit(bad)
P
python3 "$work/few.py" "$precis" "$model" "$work" || failed=1
exit $failed
