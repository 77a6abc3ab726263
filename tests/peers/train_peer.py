"""Ternary models that precis trained, in llama.cpp: TQ1_0 and TQ2_0 have training's held-out loss within .01 there.

usage: train_peer.py PRECIS [--model M] [--vectors V]
"""
import argparse, json, os, subprocess, tempfile
import numpy as np
from llama_cpp import Llama

p = argparse.ArgumentParser()
p.add_argument("precis")
p.add_argument("--model") # every peer is given these
p.add_argument("--vectors")
a = p.parse_args()
root = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
work = tempfile.mkdtemp()
CONTEXT, SEQUENCES = 64, 32
held = os.path.join(root, "CONTRIBUTING.md")
config = {"model": {"width": 256, "layers": 2, "heads": 4, "kv_heads": 2, "hidden": 512},
          "data": {"text": [os.path.join(root, "docs", f) for f in sorted(os.listdir(os.path.join(root, "docs")))
                            if f.endswith(".md")][:60],
                   "heldout": held, "context": CONTEXT, "batch": 8, "heldout_tokens": CONTEXT * SEQUENCES},
          "steps": 60, "optimizer": {"lr": 0.006},
          "schedule": {"name": "two_stage", "warmup": 6, "decay_until": 0.5},
          "quant": {"estimator": "ternary"}}
path = os.path.join(work, "config.json")
json.dump(config, open(path, "w"))
text = open(held, "rb").read()
for kind in ("TQ2_0", "TQ1_0"):
    out = os.path.join(work, kind + ".gguf")
    r = subprocess.run([a.precis, "train", path, "-o", os.path.join(work, "t.gguf"), "--qat", kind, "--quantized", out,
                        "--json", "--no-history"], check=True, capture_output=True, text=True)
    end = json.loads(r.stdout.splitlines()[-1])
    assert abs(end["served"] - end["heldout"]) < 1e-4, end
    llm = Llama(model_path=out, n_ctx=CONTEXT, logits_all=True, verbose=False, n_threads=2, type_k=0, type_v=0)
    total = 0.0
    for s in range(SEQUENCES):
        ids = list(text[s * CONTEXT:(s + 1) * CONTEXT + 1])
        llm.reset()
        llm.eval(ids[:CONTEXT])
        x = np.array(llm.scores[:CONTEXT], dtype=np.float64)
        m = x.max(axis=1)
        total += (m + np.log(np.exp(x - m[:, None]).sum(axis=1)) - x[np.arange(CONTEXT), ids[1:]]).mean() / SEQUENCES
    print(f"{kind}: held out {end['heldout']:.5f} in training, {end['served']:.5f} run by precis, {total:.5f} by llama.cpp")
    assert abs(total - end["heldout"]) < 0.01, kind
