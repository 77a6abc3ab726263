#!/bin/sh
# A mapped file that is cut short while several threads read it ends the command with a sentence and exit code 3, whichever thread meets the end.
. "$(dirname "$0")/../common.sh"

"$precis" convert "$model" -o "$work/whole.gguf" -q >/dev/null
cat >"$work/cut.py" <<'P'
import os, shutil, subprocess, sys, time
precis, work = sys.argv[1:]
m, ends, bad = work + "/m.gguf", 0, 0
shutil.copy(work + "/whole.gguf", m)
subprocess.run([precis, "convert", m, "-o", work + "/undisturbed.gguf", "-q"], check=True, stdout=subprocess.DEVNULL)
undisturbed = open(work + "/undisturbed.gguf", "rb").read()
os.remove(work + "/undisturbed.gguf")


def whole(name):
    """An output that had its name when its input was cut."""
    return name == "c.gguf" and open(f"{work}/{name}", "rb").read() == undisturbed


commands = [["run", m, "-p", "hello", "-n", "60"], ["quant", m, "--type", "Q4_K", "-o", work + "/o.gguf", "--no-calib", "--no-eval"], ["eval", m, "--chunks", "1"], ["convert", m, "-o", work + "/c.gguf"]]
for turn in range(7):
    for c in commands:
        for f in ("o.gguf", "c.gguf"):
            if os.path.exists(f"{work}/{f}"): os.remove(f"{work}/{f}")
        shutil.copy(work + "/whole.gguf", m)
        p = subprocess.Popen([precis, *c, "-t", "4", "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        time.sleep(0.004 + 0.012 * turn)
        os.truncate(m, 300000)
        err = p.communicate(timeout=60)[1].decode()
        ends += p.returncode == 3
        if p.returncode not in (0, 3) or (p.returncode == 3 and "m.gguf" not in err):
            bad = 1
            print(f"exit {p.returncode} after {4 + 12 * turn} ms: {c[0]}: {err[-200:]}")
        if p.returncode == 3 and any(f.startswith(".") or (f in ("o.gguf", "c.gguf") and not whole(f)) for f in os.listdir(work)):
            bad = 1
            print(f"{c[0]} left {os.listdir(work)}")
# cut off within the last page, which reads as zeros then: nothing is written
import signal
size, late = os.path.getsize(work + "/whole.gguf"), 0
for turn in range(6):
    shutil.copy(work + "/whole.gguf", m)
    if os.path.exists(work + "/c.gguf"): os.remove(work + "/c.gguf")
    p = subprocess.Popen([precis, "quant", m, "--type", "Q6_K", "--no-calib", "--no-eval", "-o", work + "/c.gguf", "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.02)
    p.send_signal(signal.SIGSTOP)
    there = os.path.exists(work + "/c.gguf")
    os.truncate(m, size - 50)
    p.send_signal(signal.SIGCONT)
    err = p.communicate(timeout=60)[1].decode()
    late += p.returncode == 3
    if not there and (p.returncode != 3 or "m.gguf" not in err or os.path.exists(work + "/c.gguf")):
        bad = 1
        print(f"exit {p.returncode} when the last page was cut: {err[-200:]}")
print(f"{late} of 6 ended by a cut of 50 bytes")
print(f"{ends} of {7 * len(commands)} ended by the cut")
sys.exit(bad or ends == 0)
P
python3 "$work/cut.py" "$precis" "$work" || failed=1
exit $failed
