"""Dequantization of every type that the gguf package decodes: bit for bit, on random bytes.

usage: formats_peer.py PRECIS
"""
import argparse, os, subprocess, sys, tempfile
import gguf, numpy as np
from gguf.quants import dequantize

np.seterr(all="ignore")  # random bytes hold infinities

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("--model"), p.add_argument("--vectors")
a = p.parse_args()
made_here = tempfile.TemporaryDirectory()  # removed at the end
folder, rng = made_here.name, np.random.default_rng(1)
path, w, want = os.path.join(folder, "all.gguf"), None, {}
w = gguf.GGUFWriter(path, "llama")
for t in gguf.GGMLQuantizationType:
    block, size = gguf.GGML_QUANT_SIZES[t]
    raw = rng.integers(0, 256, (64, 4 * size), dtype=np.uint8)
    try:
        out = dequantize(raw, t) if t.name not in ("F32", "F16") else raw.view(t.name.lower().replace("f", "float")).astype(np.float32)
    except NotImplementedError:
        continue
    want[t.name] = np.ascontiguousarray(out, dtype=np.float32)
    w.add_tensor("t." + t.name, raw, raw_dtype=t)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
bad = 0
for name, ref in want.items():
    raw = os.path.join(folder, "raw")
    r = subprocess.run([a.precis, "inspect", path, "--tensor", "t." + name, "-o", raw], capture_output=True, text=True)
    if r.returncode:
        print(name, r.stderr.strip()); bad += 1
        continue
    got = np.fromfile(raw, "<f4").reshape(ref.shape)
    nan = np.isnan(ref)
    same = (got.view(np.uint32) == ref.view(np.uint32)) | (nan & np.isnan(got))
    if not same.all():
        bad += 1
        i = np.argwhere(~same)[0]
        print(f"{name}: {np.sum(~same)} of {same.size} differ, first at {i}: {got[tuple(i)]!r} {ref[tuple(i)]!r}")
print(f"{len(want)} types compared, {bad} differ")
sys.exit(bad != 0)
