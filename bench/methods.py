"""KL divergence per method at 2, 3 and 4 bits, as a table. usage: methods.py PRECIS MODEL TEXT CALIB CTX CHUNKS [METHOD ...]"""
import json, subprocess, sys, os, tempfile

precis, model, text, calib, ctx, chunks = sys.argv[1:7]
methods = sys.argv[7:] or ["rtn", "search", "hqq", "gptq", "awq", "clip", "awq+clip", "smoothquant", "rotate+gptq", "hadamard+gptq", "awq+gptq", "svd", "svd+gptq"]
types = ["UINT4_G64", "UINT3_G64", "UINT2_G64"]
print(f"| method | {' | '.join(types)} |\n|---|{'---|' * len(types)}", flush=True)
with tempfile.TemporaryDirectory() as folder:
    for m in methods:
        row = []
        for t in types:
            c = [] if calib == "-" else ["--calib", calib]
            r = subprocess.run([precis, "quant", model, "--type", f"token_embd.weight=F16,output.weight=F16,*={t}", "--method", m, "-o", os.path.join(folder, "q.precis.gguf"), "--text", text, "--ctx", ctx, "--chunks", chunks,
                                "--json", "-q", *c], capture_output=True, text=True)
            if r.returncode:
                row.append(r.stderr.strip()[:80])
                continue
            d = json.loads(r.stdout)
            row.append(f"{d['eval']['kld_mean']:.4f} ± {d['eval']['kld_se']:.4f}")
        print(f"| {m} | {' | '.join(row)} |", flush=True)
