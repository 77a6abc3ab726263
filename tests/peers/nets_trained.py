"""Nets that precis trained in few bits, in onnxruntime: the same outputs as `precis run` has, in 8, 4 and 2 bits, with learned and observed ranges; and their checkpoint, which is a float net.

usage: nets_trained.py PRECIS      (tests/peers/run BUILD nets_trained; the environment of tests/peers/environment-nets)

A code may differ by one where a sum lies on the border of two, so outputs are compared within a step of a thousandth of the largest. onnxruntime 1.32 takes Q and DQ into QLinearConv and MaxPool
and then refuses weights of 2 bits and activations of 4, so those run with its basic optimizations.
"""
import json, os, subprocess, sys, tempfile

import numpy as np
import onnxruntime

precis = os.path.abspath(sys.argv[1])
onnxruntime.set_default_logger_severity(3)
failed = 0


def run(*args):
    r = subprocess.run([precis, *args, "-q"], capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"{' '.join(args)}: {r.stderr}")


def compare(name, file, x, small):
    global failed
    options = onnxruntime.SessionOptions()
    if small:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    want = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    run("run", file, "--input", "x=h.npy", "--output-dir", "out")
    off = float(np.abs(np.load("out/y.npy") - want).max() / np.abs(want).max())
    failed += off > 1e-3
    print(f"{'ok' if off <= 1e-3 else 'FAILED'} {name}: outputs differ by {off:.1e} of the largest")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    rng = np.random.default_rng(3)
    for name, n in (("x", 256), ("h", 128)):
        labels = rng.integers(0, 4, n)
        pictures = rng.normal(0.3, 0.35, (n, 1, 8, 8))
        for i, c in enumerate(labels):
            pictures[i, 0, 4 * (c // 2) : 4 * (c // 2) + 4, 4 * (c % 2) : 4 * (c % 2) + 4] += 0.4
        np.save(name + ".npy", pictures.astype(np.float32))
        np.save(name + "l.npy", labels)
    net = [{"conv": 4, "norm": True, "activation": "relu", "pool": 2}, {"conv": 8, "norm": True, "activation": "gelu"}, {"conv": 8, "groups": 8, "norm": True, "activation": "relu"}, {"linear": 16, "activation": "relu"}]
    x = np.load("h.npy")
    for name, quant in {
        "8 bits, ste, observed": {"weights": "INT8_C", "activations": "int8 observed"},
        "4 bits, lsq": {"weights": "INT4_C", "activations": "int8", "estimator": "lsq"},
        "4 bits of one scale, activations of 4": {"weights": "INT4_T", "activations": "int4", "estimator": "lsq"},
        "2 bits, lsq": {"weights": "INT2_C", "activations": "int8", "estimator": "lsq"},
        "4 bits, weights alone": {"weights": "INT4_C"},
    }.items():
        with open("c.json", "w") as f:
            json.dump({"model": {"arch": "cnn", "input": [1, 8, 8], "classes": 4, "net": net}, "data": {"arrays": "x.npy", "labels": "xl.npy", "heldout": "h.npy", "heldout_labels": "hl.npy", "batch": 16},
                       "steps": 60, "optimizer": {"lr": 1e-2}, "schedule": {"warmup": 5}, "quant": {**quant, "from": 0.3}}, f)
        run("train", "c.json", "-o", "float.onnx", "--quantized", "q.onnx", "--no-history")
        compare(name, "q.onnx", x, "INT2" in quant["weights"] or quant.get("activations") == "int4")
    compare("the checkpoint", "float.onnx", x, False)
sys.exit(failed > 0)
