#!/bin/sh
# A second SIGTERM ends the command at once, and leaves nothing behind where files without names cannot be made: at each sync
# of each output. usage: second_signal.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

[ -z "${SANITIZE:-}" ] || { echo "skipped: a sanitizer must be the first library"; exit 0; }
cc -shared -fPIC -O1 "$root/tests/faults/calls.c" -o "$work/calls.so" -ldl || exit 1
mkdir "$work/out"
cat >"$work/kill.py" <<'P'
import os, signal, subprocess, sys, time
precis, model, work = sys.argv[1:]
out, mark, bad, stopped = work + "/out", work + "/mark", 0, 0
commands = [["convert", model, "-o", out + "/m.gguf"], ["convert", model, "-o", out + "/folder", "--format", "safetensors"],
            ["quant", model, "--type", "Q4_0", "--no-calib", "--no-eval", "-o", out + "/q.gguf"]]
for c in commands:
    for at in range(1, 40):
        if os.path.exists(mark): os.remove(mark)
        p = subprocess.Popen([precis, *c, "-q", "-t", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                             env={**os.environ, "LD_PRELOAD": work + "/calls.so", "NO_TMPFILE": "1", "STOP_AT": str(at), "MARK": mark})
        while p.poll() is None and not os.path.exists(mark): time.sleep(0.01)
        if p.poll() is not None: break  # there are no more syncs
        hidden = os.listdir(out)
        p.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        p.send_signal(signal.SIGTERM)
        rc, left = p.wait(), os.listdir(out)
        stopped += any(n.endswith(".part") for n in hidden)
        if rc != 130 or any(n.endswith(".part") for n in left):
            bad = 1
            print(f"{c[0]}: exit {rc} at sync {at}, left {left} of {hidden}")
        for n in left: subprocess.run(["rm", "-rf", os.path.join(out, n)])
    subprocess.run(["sh", "-c", f"rm -rf {out}/* {out}/.[!.]*"])
print(f"{stopped} times with a hidden name")
sys.exit(bad or stopped < 5)
P
python3 "$work/kill.py" "$precis" "$model" "$work" || failed=1
exit $failed
