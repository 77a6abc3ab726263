"""eval that is stopped: running figures stand beside the bar of a terminal, Ctrl-C prints what was done, and the exit
code is 130. Stopped when its own figures are seen, so nothing here is a matter of time.
usage: stopped.py PRECIS SOURCE_FOLDER"""
import array, ast, fcntl, json, math, os, pty, re, select, shutil, signal, struct, subprocess, sys, tempfile, termios

import checks
from checks import check

precis, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
model = os.path.join(source, "models", "gutenberg-7m")
work = tempfile.mkdtemp()
os.environ.update(XDG_CACHE_HOME=work + "/cache", XDG_STATE_HOME=work + "/state")


def stop(mark, *arguments, columns=120, on="err"):
    """Runs precis on a terminal of so many columns that is its stderr, sends SIGINT when `mark` is matched in what is
    written there (or in its output), and gives exit code, output and what stood on the terminal."""
    screen, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    run = subprocess.Popen([precis, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=end, cwd=work)
    os.close(end)
    seen, sent = {"err": b"", "out": b""}, False
    pipes = {screen: "err", run.stdout.fileno(): "out"}
    while pipes:
        ready, _, _ = select.select(list(pipes), [], [], 120)
        if not ready:
            run.kill()
            break
        for fd in ready:
            try:
                data = os.read(fd, 65536)
            except OSError:  # the terminal's other end is closed
                data = b""
            seen[pipes[fd]] += data
            if not data:
                del pipes[fd]
        if not sent and re.search(mark, seen[on].decode(errors="replace")):
            sent = True
            run.send_signal(signal.SIGINT)
    code = run.wait()
    os.close(screen)
    check(sent, f"{arguments}: {mark!r} was not seen")
    return code, seen["out"].decode(), seen["err"].decode(errors="replace").replace("\r\n", "\n")


def stopped(mark, *arguments, more="", **how):
    """That it ends with 130, says so, and that its output is there: an object with --json."""
    code, out, err = stop(mark, *arguments, **how)
    check(code == 130, f"{arguments}: exit {code}")
    check(re.search(r"precis: stopped: .*" + more, " ".join(err.split())), f"{arguments}: it said {err[-300:]!r}")
    check(out.strip(), f"{arguments}: it had nothing")
    if "--json" not in arguments:
        return out
    got = json.loads(out)
    check(got.get("stopped") is True, f"{arguments}: not said to be stopped: {out[:200]}")
    return got


long = os.path.join(work, "long.txt")
with open(long, "w", encoding="utf-8") as f:
    f.write(open(os.path.join(source, "data", "eval.txt"), encoding="utf-8").read() * 6)
with open(os.path.join(work, "brief.txt"), "w", encoding="utf-8") as f:
    f.write(open(long, encoding="utf-8").read(3000))
one = ("-t", "1", "--ctx", "64")

# a text, at three widths: the figures and their errors are seen at each
for columns in (48, 80, 120):
    j = stopped(r"ppl \d+\.\d+ \+- \d", "eval", model, "--text", long, *one, "--json", columns=columns)
    check(j["windows"] > 0 and j["tokens"] == 31 * j["windows"] and j["ppl_se"] > 0, f"a text: {j}")
    code, out, err = stop(r"KL \d\.\d+ \+- ", "eval", model, "--against", model, "--text", long, *one, columns=columns)
    lines = [l for part in err.split("\n") for l in part.split("\r")]
    wide = [l for l in (re.sub(r"\x1b\[K", "", l) for l in lines) if "%" in l and len(l) >= columns]
    check(code == 130 and "perplexity" in out and not wide, f"{columns} columns: {code} {out!r} {wide[:1]}")
out = stopped("ppl", "eval", model, "--text", long, *one, "--logits", "kept.gguf", "--against", model)
check("top-1 agreement" in out and not os.path.exists(work + "/kept.gguf"), "logits of a part were kept")

# several texts, tasks, the gate: no verdict, nothing kept
gate = ("--against", model, "--gate", "--max-kld", "0.1", "--text", long, *one)
j = stopped("long.txt ppl", "eval", model, *gate, "--json", more="no verdict")
check(j["verdict"] is None and j["evidence"] == [] and 0 < j["domains"][0]["tokens"], f"gate: {j}")
check("ACCEPT" not in stopped("KL", "eval", model, *gate), "a stopped gate had a verdict")
check(not os.path.exists(work + "/state/precis/results.sqlite"), "results of a part were kept")
j = stopped(r"copy right \d+\.\d%", "eval", model, "--tasks", "arithmetic,copy", "--limit", "40", "-t", "1", "--samples", "s.jsonl", "--json")
first, second = j["tasks"]
check(first["items"] >= 40 and 0 < second["items"] < first["items"] + 40 and 0 <= second["acc"] <= 1, f"tasks: {j}")
check(sum(g["items"] for g in second["groups"]) == second["items"] and not os.path.exists(work + "/s.jsonl"), f"tasks: {j}")
j = stopped(r"copy right", "eval", model, "--against", model, "--tasks", "copy", "--limit", "60", "-t", "1", "--json")
check(j["tasks"][0]["items"] > 0 and j["tasks"][0].get("to_wrong", 0) == 0, f"tasks of two models: {j}")

# ids, schemes
ids = ",".join(str(3 + i % 900) for i in range(9000))
j = stopped(r"evaluate .*%", "eval", model, "--ids", ids, "--json")
check(0 < len(j["nll"]) < 8999 and math.isclose(sum(j["nll"]) / len(j["nll"]), j["mean"], rel_tol=1e-6), "ids")
out = stopped(r"W8A8 .*\+-", "eval", model, "--ladder", ",".join(["W8A8"] * 30), "--chunks", "1", "--calib", "brief.txt", on="out", more="whole")
check(1 <= out.count("W8A8") < 30, f"ladder: {out}")

# nets: with labels, against another, the gate, node by node
subprocess.run([sys.executable, os.path.join(source, "tests", "cli", "eval_nets.py"), "make", work + "/f"], check=True)


def tiled(name, times):
    """x.npy of so many times its samples."""
    data = open(f"{work}/f/{name}", "rb").read()
    n = struct.unpack("<H", data[8:10])[0]
    head = ast.literal_eval(data[10:10 + n].decode())
    shape = (head["shape"][0] * times, *head["shape"][1:])
    text = repr({"descr": head["descr"], "fortran_order": False, "shape": shape}).encode()
    text += b" " * (117 - len(text)) + b"\n"
    with open(f"{work}/many_{name}", "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data[10 + n:] * times)
    return shape[0]


samples = tiled("x.npy", 20000)
tiled("y.npy", 20000)
net = ("eval", "f/other.onnx", "--data", "many_x.npy", "--batch", "1", "-t", "1")
j = stopped(r"accuracy 0\.\d+ \(0\.\d+ to ", *net, "--labels", "many_y.npy", "--json")
check(0 < j["n"] < samples and j["accuracy_low"] < j["accuracy"] < j["accuracy_high"], f"a net: {j}")
whole = subprocess.run([precis, *net, "--labels", "many_y.npy", "--limit", str(j["n"]), "--json", "-q"], cwd=work, capture_output=True, text=True)
again = json.loads(whole.stdout)
check(again == {**j, "stopped": False}, f"what was stopped is not the first {j['n']}: {j} {again}")
gate = ("--against", "f/free.onnx", "--labels", "many_y.npy", "--gate", "--max-drop", "50%")
j = stopped(r"agree \d\.\d+", *net, *gate, "--json", more="without a verdict")
check(j["gate"] is None and 0 < j["agree"] <= 1, f"a net's gate: {j}")
check("gate:" not in stopped("agree", *net, *gate, columns=48), "a stopped gate of a net had a verdict")
tiled("x.npy", 20000)
j = stopped("compare nodes", "eval", "f/other.onnx", "--against", "f/free.onnx", "--data", "many_x.npy", "--nodes", "--limit", "700000", "-t", "1", "--json")
check(j["nodes"], f"nodes: {j}")

shutil.rmtree(work)
print("stopped evaluations:", "all as they should be" if not checks.failed else f"{checks.failed} faults")
sys.exit(checks.failed != 0)
