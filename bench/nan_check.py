"""What the look for NaN in weights costs: two builds in turn, one whose pcs_model_seen() returns true (no look).

usage: nan_check.py PRECIS PRECIS_WITHOUT MODEL.gguf TEXT [TIMES]    (MODEL of F16 or quantized; TIMES: 11)
Prints a CSV: the command, the median CPU seconds (user and system) and wall seconds of both, and the median of the
differences of neighbours as a part of the time.
"""
import os, resource, shutil, statistics, subprocess, sys, tempfile, time


def once(command):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - start


def main():
    with_look, without, model, text = sys.argv[1:5]
    times = int(sys.argv[5]) if len(sys.argv) > 5 else 11
    work = tempfile.mkdtemp(dir="/dev/shm")
    commands = {
        "convert to packed": ["convert", model, "-o", work + "/p.packed.gguf", "--format", "packed", "-q"],
        "convert to safetensors": ["convert", model, "-o", work + "/f", "--format", "safetensors", "-q"],
        "run -n 1": ["run", model, "-p", "w1 w2", "-n", "1", "-q"],
        "run -n 64": ["run", model, "-p", "w1 w2", "-n", "64", "-q"],
        "eval": ["eval", model, "--text", text, "--ctx", "128", "--chunks", "2", "-q"],
        "quant": ["quant", model, "--type", "Q8_0", "--no-calib", "--no-eval", "--method", "rtn",
                  "-o", work + "/q.gguf", "-q"],
    }
    print("command,cpu_s,cpu_s_without,cpu_part,wall_s,wall_s_without,wall_part")
    for name, arguments in commands.items():
        runs = []
        for i in range(times + 1):  # the first fills caches
            pair = {}
            for build in (with_look, without) if i % 2 else (without, with_look):
                for left in ("p.gguf", "p.packed.gguf", "f", "q.gguf"):
                    path = os.path.join(work, left)
                    if os.path.isdir(path):
                        shutil.rmtree(path)
                    elif os.path.exists(path):
                        os.remove(path)
                pair[build] = once([build] + arguments)
            runs.append(pair)
        row = [name]
        for k in (0, 1):
            a, b = ([r[build][k] for r in runs[1:]] for build in (with_look, without))
            row += [f"{statistics.median(a):.3f}", f"{statistics.median(b):.3f}",
                    f"{100 * statistics.median(x - y for x, y in zip(a, b)) / statistics.median(b):+.1f}%"]
        print(",".join(row), flush=True)
    shutil.rmtree(work)


main()
