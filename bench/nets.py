"""Nets of arrays: precis beside onnxruntime and OpenVINO, in turns. Run in the environment of tests/peers/environment-nets:

    . tests/peers/environment-nets; "$nets/bin/python" bench/nets.py build/precis FOLDER [--threads 1] [--rounds 5]
        [--seconds 1] [--nets resnet18:1,mobilenet_v2:1] [--kinds int8,f32] [--csv OUT]

FOLDER keeps the nets (bench/nets_make.py). Each engine is a process of its own; in each round they run one after another
for `seconds`, in an order that turns. Figures are the least run in milliseconds of wall time, and of processor time: where
others use the machine wall time is two to ten times longer, and processor time is what can be compared (one thread).
peak: what the machine multiplies in registers, measured beside precis; floor: the net's products at that speed.
Two engines are given what suits them: onnxruntime U8S8 files of its own quantizer, OpenVINO the same file.
"""
import argparse
import csv
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import nets_make  # noqa: E402

WORKER = r"""
import sys, time
sys.path.insert(0, {here!r})
from nets_make import inputs_of
engine, path, plain, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
feeds = inputs_of(plain, 5)
if engine == "onnxruntime":
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.intra_op_num_threads = threads
    o.log_severity_level = 3
    session = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    run = lambda: session.run(None, feeds)
else:
    import openvino as ov
    config = dict(INFERENCE_NUM_THREADS=threads, NUM_STREAMS=1, PERFORMANCE_HINT="LATENCY")
    if "int8" not in path:
        config["INFERENCE_PRECISION_HINT"] = "f32"
    request = ov.Core().compile_model(path, "CPU", config).create_infer_request()
    run = lambda: request.infer(feeds)
run()
print("ready", flush=True)
for line in sys.stdin:
    end, wall, used, runs = time.perf_counter() + float(line), 1e9, 1e9, 0
    while runs < 3 or time.perf_counter() < end:
        t, u = time.perf_counter(), time.process_time()
        run()
        wall, used, runs = min(wall, time.perf_counter() - t), min(used, time.process_time() - u), runs + 1
    print(1e3 * wall, 1e3 * used, flush=True)
"""


class Peer:
    def __init__(self, engine, path, plain, threads):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER.format(here=HERE), engine, path, plain, str(threads)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.alive = self.process.stdout.readline().strip() == "ready"

    def round(self, seconds):
        if not self.alive:
            return None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return [float(x) for x in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Precis:
    def __init__(self, program, path, threads):
        self.command = [program, "bench", path, "--threads", str(threads), "--json", "--seconds"]
        self.last = {}

    def round(self, seconds):
        self.last = json.loads(subprocess.run(self.command + [str(max(1, round(seconds)))], check=True,
                                              capture_output=True, text=True).stdout)
        return [self.last["ms"], self.last["processor_ms"]]

    def close(self):
        pass


def measured(engines, rounds, seconds):
    best = {}
    for r in range(rounds):
        names = list(engines)
        for name in names[r % len(names):] + names[: r % len(names)]:
            got = engines[name].round(seconds)
            if got:
                best[name] = [min(a, b) for a, b in zip(best.get(name, [1e9, 1e9]), got)]
    return best


def main():
    p = argparse.ArgumentParser()
    p.add_argument("precis")
    p.add_argument("folder")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=1)
    p.add_argument("--nets", default=",".join(f"{n}:1" for n in nets_make.NETS))
    p.add_argument("--kinds", default="int8,f32")
    p.add_argument("--csv")
    a = p.parse_args()
    rows = []
    for item in a.nets.split(","):
        net, _, batch = item.partition(":")
        for kind in a.kinds.split(","):
            plain, path = (nets_make.made(a.folder, net, int(batch or 1), k) for k in ("f32", kind))
            engines = {"precis": Precis(a.precis, path, a.threads)}
            for peer in "onnxruntime", "openvino":
                engines[peer] = Peer(peer, path, plain, a.threads)
            best = measured(engines, a.rounds, a.seconds)
            for e in engines.values():
                e.close()
            last = engines["precis"].last
            row = {"net": net, "batch": batch or 1, "kind": kind, "threads": a.threads, "cpu": last["cpu"]}
            for name in engines:
                wall, used = best.get(name, (float("nan"),) * 2)
                row[f"{name}_ms"], row[f"{name}_cpu_ms"] = f"{wall:.3f}", f"{used:.3f}"
            row.update(peak_code_g=f"{last['multiply_s'] * 1e-9:.0f}", peak_f32_g=f"{last['fma_s'] * 1e-9:.0f}",
                       floor_ms=f"{last['floor_ms']:.3f}", share=f"{last['floor_ms'] / best['precis'][0]:.3f}",
                       load=f"{os.getloadavg()[0]:.1f}")
            rows.append(row)
            print(" ".join(f"{k}={v}" for k, v in row.items()), flush=True)
    if a.csv:
        with open(a.csv, "w", newline="") as f:
            out = csv.DictWriter(f, rows[0])
            out.writeheader()
            out.writerows(rows)


main()
