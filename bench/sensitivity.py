"""The factors between a tensor's relative error and the KL divergence that it causes (src/quant/budget.c): one class of tensors at
a time is quantized, the rest stays F16, and the measured KL is divided by the sum of the relative errors.

usage: sensitivity.py PRECIS MODEL [--types Q2_K,Q3_K,Q4_K] [--ctx 256] [--chunks 40]
"""
import argparse, json, subprocess, tempfile, os

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("model"), p.add_argument("--types", default="Q2_K,Q3_K,Q4_K"), p.add_argument("--ctx", default="256"), p.add_argument("--chunks", default="40")
a = p.parse_args()
made_here = tempfile.TemporaryDirectory()  # removed at the end
folder = made_here.name


def precis(*args):
    return json.loads(subprocess.run([a.precis, *args, "--json", "-q"], check=True, capture_output=True, text=True).stdout)


base, im, out = (os.path.join(folder, n) for n in ("base.gguf", "im.gguf", "out.gguf"))
precis("quant", a.model, "--type", "F16", "-o", base, "--no-calib", "--no-eval")
precis("profile", base, "-o", im)
print(f"{'class':14s}{'type':8s}{'sum of errors':>14s}{'KL':>10s}{'factor':>9s}")
for name in ("attn_q.", "attn_k.", "attn_v.", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
    for kind in a.types.split(","):
        made = precis("quant", base, "--type", f"*{name}*={kind}", "--imatrix", im, "-o", out, "--no-eval")
        err = sum(t["error"] for t in made["tensors"] if name in t["name"] and t["to"] != t["from"])
        kl = precis("eval", out, "--against", base, "--ctx", a.ctx, "--chunks", a.chunks, "--weights-only")["kld_mean"]
        print(f"{name:14s}{kind:8s}{err:14.4f}{kl:10.5f}{kl / err if err else 0:9.3f}", flush=True)
