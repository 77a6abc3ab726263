"""KL divergence of planned models beside AutoRound's (Cheng et al. 2023, signed gradient descent on roundings) at the same bytes, with one calibration text.

usage: autoround.py PRECIS MODEL_FOLDER CALIB TEXT CTX CHUNKS FOLDER [BITS ...] [direct]     (default: 4 3 2)

Needs the environment of tests/peers/environment-torch and, in it, `pip install auto-round==0.16.1 py-cpuinfo`; by its python. MODEL_FOLDER is a Hugging Face model with tokenizer.json. AutoRound: WnA16, groups of 32,
symmetric, 200 iterations, 128 samples of 256 tokens; its checkpoint (GPTQ's container) is evaluated by precis as it is, embeddings and output stay as they were. The plan may take any GGUF type and no more bytes than
the checkpoint's file; "same rest": with embeddings and output kept at F16 and gptq, so that the bytes of the layers are alike. Minutes for gutenberg-7m, hours for SmolLM2. FOLDER keeps checkpoints, profile and importance matrix: a second run goes on.

direct: no plan, but the very same codes: INTb_G32 (whole numbers without a zero point, a scale for 32) for the layers and F16 for the rest, by gptq and by round;
and seconds of processor time that each side took, of all its threads.
"""
import json, math, os, resource, subprocess, sys, time

sys.path.pop(0)  # bench/kernels.py is not the package that transformers looks for
precis, model, calib, text, ctx, chunks, folder = sys.argv[1:8]
direct = "direct" in sys.argv[8:]
bits = [int(b) for b in sys.argv[8:] if b != "direct"] or [4, 3, 2]
os.makedirs(folder, exist_ok=True)


def run(*a):
    r = subprocess.run([precis, *a, "-q", "--json"], capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"{' '.join(a)}: {r.stderr}")
    return json.loads(r.stdout) if r.stdout.strip() else {}


def rounded(b):
    out = os.path.join(folder, f"w{b}")
    if not os.path.isdir(out):
        import torch
        from auto_round import AutoRound
        from transformers import PreTrainedTokenizerFast

        tokens = PreTrainedTokenizerFast(tokenizer_file=os.path.join(model, "tokenizer.json"))
        tokens.pad_token = tokens.decode([0])
        ids = tokens(open(calib, encoding="utf-8").read()).input_ids
        n = min(128, len(ids) // 256)  # windows of 256 tokens as they are, in batches of 8; its own reader of texts needs more packages
        samples = [{"input_ids": torch.tensor([ids[256 * k : 256 * k + 256] for k in range(i, min(i + 8, n))])} for i in range(0, n, 8)]
        began = time.process_time()
        AutoRound(model, tokenizer=tokens, scheme=f"W{b}A16", group_size=32, dataset=samples, iters=200, nsamples=n, seqlen=256, batch_size=8, device_map="cpu", enable_torch_compile=False).quantize_and_save(
            output_dir=out, format="auto_gptq")
        with open(out + ".seconds", "w") as f:
            f.write(str(time.process_time() - began))
    return next(root for root, _, files in os.walk(out) if "config.json" in files)


def score(path):
    e = run("eval", path, "--against", model, "--text", text, "--ctx", ctx, "--chunks", chunks, "--weights-only")
    return e["kld_mean"], e["kld_se"]


def children():
    u = resource.getrusage(resource.RUSAGE_CHILDREN)
    return u.ru_utime + u.ru_stime


if direct:
    print("| | AutoRound | seconds | gptq | seconds | round | over AutoRound (90 %) | seconds | of its time |\n|---|---|---|---|---|---|---|---|---|", flush=True)
    for b in bits:
        peer = rounded(b)
        a, sa = score(peer)
        theirs = float(open(os.path.join(folder, f"w{b}.seconds")).read())
        row = []
        for m in ("gptq", "round"):
            ours, began = os.path.join(folder, f"{m}{b}.precis.gguf"), children()
            run("quant", model, "--type", f"*blk*={'INT%d_G32' % b},*=F16", "--method", m, "--fallback", "--calib", calib, "--ctx", "256", "--no-eval", "-o", ours)
            took = children() - began
            k, sk = score(ours)
            w = 1.645 * math.hypot(sa / a, sk / k)
            row.append((k, sk, took, f"{k / a:.2f} ({k / a * math.exp(-w):.2f} to {k / a * math.exp(w):.2f})"))
        g, r = row
        print(f"| {b} bits, groups of 32 | {a:.5f} ± {sa:.5f} | {theirs:.0f} | {g[0]:.5f} ± {g[1]:.5f} | {g[2]:.0f} | {r[0]:.5f} ± {r[1]:.5f} | {r[3]} | {r[2]:.0f} | {r[2] / theirs:.2f} |", flush=True)
    raise SystemExit


imatrix, profile, plan, ours = (os.path.join(folder, n) for n in ("imatrix.gguf", "profile.json", "plan.json", "ours.gguf"))
if not os.path.exists(imatrix):
    run("profile", model, "--calib", calib, "-o", imatrix)
run("profile", model, "--calib", calib, "--imatrix", imatrix, "-o", profile)
print("| AutoRound | bytes | its loss | search, ratio (90 %) | gptq, ratio (90 %) | gptq, same rest | round, same rest |\n|---|---|---|---|---|---|---|", flush=True)
for b in bits:
    peer = rounded(b)
    budget = os.path.getsize(os.path.join(peer, "model.safetensors"))
    a, sa = score(peer)
    row = []
    for m, pins in (("search", []), ("gptq", []), ("gptq", ["--pin", "token_embd.weight=F16", "--pin", "output.weight=F16"]), ("round", ["--pin", "token_embd.weight=F16", "--pin", "output.weight=F16"])):
        run("plan", model, "--max-size", str(budget), "--profile", profile, "--imatrix", imatrix, "-o", plan, "--types", "all", *pins)
        run("quant", model, "--plan", plan, "--method", m, "--fallback", "--calib", calib, "--imatrix", imatrix, "--no-eval", "-o", ours)
        k, sk = score(ours)
        w = 1.645 * math.hypot(sa / a, sk / k)
        row.append(f"{k:.5f} ± {sk:.5f}, {k / a:.2f} ({k / a * math.exp(-w):.2f} to {k / a * math.exp(w):.2f}), {os.path.getsize(ours)} bytes")
    print(f"| W{b}, groups of 32 | {budget} | {a:.5f} ± {sa:.5f} | {' | '.join(row)} |", flush=True)
