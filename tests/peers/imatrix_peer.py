"""The two kinds of imatrix file: what precis writes, read by others; what others would write, read by precis.

usage: imatrix_peer.py PRECIS
"""
import argparse, json, os, struct, subprocess, sys, tempfile
import gguf, numpy as np

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("--model"), p.add_argument("--vectors")
a = p.parse_args()
made_here = tempfile.TemporaryDirectory()  # removed at the end
folder, model = made_here.name, "models/gutenberg-7m"
dat, gg = os.path.join(folder, "im.dat"), os.path.join(folder, "im.gguf")
for out in (dat, gg):
    subprocess.run([a.precis, "profile", model, "--tokens", "256", "-o", out, "-q"], check=True, capture_output=True)
b, at, legacy = open(dat, "rb").read(), 4, {}
for _ in range(struct.unpack("<i", b[:4])[0]):
    n, = struct.unpack_from("<i", b, at); name = b[at + 4:at + 4 + n].decode(); at += 4 + n
    calls, k = struct.unpack_from("<ii", b, at); at += 8
    legacy[name] = np.frombuffer(b, "<f4", k, at) / calls; at += 4 * k
chunks, n = struct.unpack_from("<ii", b, at)
assert at + 8 + n == len(b), "the legacy file has a tail"
r = gguf.GGUFReader(gg)
t = {x.name: np.array(x.data, dtype=np.float64).reshape(-1) for x in r.tensors}
assert r.fields["general.type"].contents() == "imatrix"
new = {k[:-8]: v / t[k[:-8] + ".counts"] for k, v in t.items() if k.endswith(".in_sum2")}
assert set(new) == set(legacy) and len(new) == 57, (len(new), len(legacy))
worst = max(float(np.max(np.abs(new[k] - legacy[k]) / (np.abs(legacy[k]) + 1e-12))) for k in new)
print(f"{len(new)} tensors in both, largest relative difference {worst:.2g}, {chunks} chunks")
sys.exit(worst > 1e-6)
