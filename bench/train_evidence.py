"""What training is worth, with seeds and intervals: QAT against rounding after training, and nanoGPT beside precis.

usage: train_evidence.py PRECIS FOLDER [small|full] [qat] [nanogpt]     (make train-evidence SIZE=small)

QAT (issue of training, point 9): for each seed a float model is trained from scratch; a control goes on in float and one run for
each type goes on in that type, all three for the same further tokens, in the same order. The control is then rounded by
gptq, search and round, and the best of the three (on the held-out text itself, which favours rounding) is what QAT is compared
with. Losses are of the written files, by `precis eval`, in nats a byte; differences are paired by seed, and their standard
error is that of the mean over seeds.

nanoGPT (point 8): its CPU configuration (4 layers, 4 heads, width 128, context 64, batch 12, AdamW 1e-3 to 1e-4, betas .9 and .99,
2000 steps) on tinyshakespeare by precis and by torch (GPT2LMHeadModel of transformers, the same shape, in the environment
tests/peers/environment-torch makes), over all of the held-out tenth. Skipped by name where that is not there.

Sizes: small ends in minutes, full is what a claim is made of. FOLDER keeps all runs; a second call goes on.
"""
import json, math, os, statistics, subprocess, sys, time

precis, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
size = next((a for a in sys.argv[3:] if a in ("small", "full")), "small")
parts = [a for a in sys.argv[3:] if a in ("qat", "nanogpt")] or ["qat", "nanogpt"]
here = os.path.dirname(os.path.abspath(__file__))
data = os.path.join(here, "..", "..", "shared", "data", "tinyshakespeare", "input.txt")
if not os.path.exists(data):
    data = os.path.join(here, "..", "..", "..", "shared", "data", "tinyshakespeare", "input.txt")
TYPES = {"4 bits": ("INT4_G32", "lsq"), "3 bits": ("INT3_G32", "lsq"), "2 bits": ("UINT2_G32", "ste"), "ternary": ("TERNARY", "ternary")}
SIZES = {
    "small": dict(width=64, layers=2, hidden=192, context=64, batch=16, steps=600, further=300, seeds=5, nano=300),
    "full": dict(width=256, layers=6, hidden=768, context=128, batch=16, steps=6000, further=3000, seeds=8, nano=2000),
}
S = SIZES[size]
os.makedirs(folder, exist_ok=True)


def path(name):
    return os.path.join(folder, f"{size}-{name}")


def run(*args):
    r = subprocess.run([precis, *args, "-q", "--json"], capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"{' '.join(args)}: exit {r.returncode}: {r.stderr}")
    return r.stdout


def split():
    text = open(data, encoding="utf-8").read()
    n = len(text) * 9 // 10
    for name, piece in (("train.txt", text[:n]), ("heldout.txt", text[n:]), ("calib.txt", text[:120000])):
        with open(path(name), "w", encoding="utf-8") as f:
            f.write(piece)


def config(name, steps, seed, lr, **more):
    c = {"data": {"text": [path("train.txt")], "heldout": path("heldout.txt"), "context": S["context"], "batch": S["batch"]}, "steps": steps,
         "checkpoint": steps, "seed": seed, "optimizer": {"name": "adamw", "lr": lr, "betas": [0.9, 0.95], "decay": 0.1, "clip": 1},
         "schedule": {"name": "cosine", "warmup": steps // 20, "final": 0}, **more}
    with open(path(name + ".json"), "w") as f:
        json.dump(c, f)
    return path(name + ".json")


def loss(file):
    kept = file + ".loss"
    if not os.path.exists(kept):
        out = json.loads(run("eval", file, "--text", path("heldout.txt"), "--ctx", str(S["context"]), "--chunks", "400", "--weights-only"))
        with open(kept, "w") as f:
            f.write(str(math.log(out["ppl"])))
    return float(open(kept).read())


def train(name, cfg, *args):
    out = path(name + ".gguf")
    if not os.path.exists(out):
        run("train", cfg, "-o", out, "--no-history", *args)
    return out


def rounded(control, type, method, seed):
    out = path(f"{seed}-{method}-{type}.precis.gguf")
    if not os.path.exists(out):
        run("quant", control, "--type", f"*blk*={type}", "--method", method, "--fallback", "--calib", path("calib.txt"), "--ctx", "256", "--no-eval", "-o", out)
    return loss(out)


def interval(xs):
    se = statistics.stdev(xs) / math.sqrt(len(xs)) if len(xs) > 1 else math.inf
    return statistics.mean(xs), se


def qat():
    model = {"arch": "llama", "width": S["width"], "layers": S["layers"], "heads": 4, "hidden": S["hidden"], "vocabulary": 256, "qk_norm": True}
    rows = {t: [] for t in TYPES}
    floats = []
    for seed in range(1, S["seeds"] + 1):
        base = train(f"{seed}-base", config(f"{seed}-base", S["steps"], seed, 4e-3, model=model))
        further = config(f"{seed}-further", S["further"], 100 + seed, 1e-3)
        control = train(f"{seed}-control", further, "--from", base)
        floats.append(loss(control))
        for label, (type, estimator) in TYPES.items():
            served = path(f"{seed}-qat-{type}-served.precis.gguf")
            if not os.path.exists(served):
                train(f"{seed}-qat-{type}", further, "--from", base, "--qat", type, "--estimator", estimator, "--quantized", served)
            after = {m: rounded(control, type, m, seed) for m in ("gptq", "search", "round")}
            best = min(after, key=after.get)
            rows[label].append((loss(served), after[best], best))
        print(f"seed {seed}: float {floats[-1]:.4f}, " + ", ".join(f"{t}: QAT {r[-1][0]:.4f}, {r[-1][2]} {r[-1][1]:.4f}" for t, r in rows.items()), file=sys.stderr, flush=True)
    m, se = interval(floats)
    print(f"Float control, {S['seeds']} seeds: {m:.4f} ± {se:.4f} nats a byte (width {S['width']}, {S['layers']} layers; {S['steps']} + {S['further']} steps of {S['batch'] * S['context']} tokens)\n")
    print("| type | after training, over the control (best of gptq, search, round) | QAT, over the control | QAT less after training | standard errors |\n|---|---|---|---|---|")
    for label, r in rows.items():
        a, ase = interval([x[1] - f for x, f in zip(r, floats)])
        q, qse = interval([x[0] - f for x, f in zip(r, floats)])
        d, dse = interval([x[0] - x[1] for x in r])
        names = ", ".join(f"{n} {sum(x[2] == n for x in r)}" for n in ("gptq", "search", "round") if any(x[2] == n for x in r))
        print(f"| {label} ({TYPES[label][0]}, {TYPES[label][1]}) | {a:+.4f} ± {ase:.4f} ({names}) | {q:+.4f} ± {qse:.4f} | {d:+.4f} ± {dse:.4f} | {d / dse if dse else 0:+.1f} |")


TORCH = """
import sys, math, torch
from transformers import GPT2Config, GPT2LMHeadModel
train, held, steps, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
torch.manual_seed(1337)
a = torch.tensor(list(open(train, 'rb').read()))
b = torch.tensor(list(open(held, 'rb').read()))
T, B = 64, 12
net = GPT2LMHeadModel(GPT2Config(vocab_size=256, n_positions=T, n_embd=128, n_layer=4, n_head=4, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, activation_function='gelu'))
decay = [p for p in net.parameters() if p.dim() > 1]
rest = [p for p in net.parameters() if p.dim() < 2]
opt = torch.optim.AdamW([{'params': decay, 'weight_decay': 0.1}, {'params': rest, 'weight_decay': 0}], lr=1e-3, betas=(0.9, 0.99))
warm = 100 * steps // 2000
for step in range(steps):
    lr = 1e-3 * (step + 1) / warm if step < warm else 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm))) * 9e-4
    for group in opt.param_groups: group['lr'] = lr
    at = torch.randint(len(a) - T - 1, (B,))
    x = torch.stack([a[i:i + T] for i in at]); y = torch.stack([a[i + 1:i + T + 1] for i in at])
    loss = torch.nn.functional.cross_entropy(net(x).logits.flatten(0, 1), y.flatten())
    opt.zero_grad(); loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
net.eval()
total = n = 0
with torch.no_grad():
    for i in range(0, min(len(b) - T - 1, 400 * T), T):
        logits = net(b[i:i + T][None]).logits[0]
        total += torch.nn.functional.cross_entropy(logits, b[i + 1:i + T + 1], reduction='sum').item(); n += T
print(total / n)
"""


def nanogpt():
    python = os.path.expanduser("~/.cache/precis/peers-torch/bin/python")
    steps = S["nano"]
    model = {"arch": "llama", "width": 128, "layers": 4, "heads": 4, "hidden": 344, "vocabulary": 256}
    c = {"model": model, "data": {"text": [path("train.txt")], "heldout": path("heldout.txt"), "context": 64, "batch": 12, "heldout_tokens": 400 * 64}, "steps": steps, "checkpoint": steps, "seed": 1337,
         "optimizer": {"name": "adamw", "lr": 1e-3, "betas": [0.9, 0.99], "decay": 0.1, "clip": 1}, "schedule": {"name": "cosine", "warmup": 100 * steps // 2000, "final": 0.1}}
    with open(path("nano.json"), "w") as f:
        json.dump(c, f)
    begun = time.time()
    last = json.loads([l for l in run("train", path("nano.json"), "-o", path("nano.gguf"), "--no-history").splitlines() if l.startswith("{")][-1])
    took = time.time() - begun
    if not os.path.exists(python):
        print(f"\nnanoGPT's configuration, {steps} steps: precis {last['heldout']:.4f} ± {last['heldout_error']:.4f} in {took:.0f} s; torch skipped: no {python} (tests/peers/environment-torch)")
        return
    begun = time.time()
    r = subprocess.run([python, "-c", TORCH, path("train.txt"), path("heldout.txt"), str(steps), str(os.cpu_count())], capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(r.stderr)
    theirs = float(r.stdout.split()[-1])
    print(f"\nnanoGPT's configuration on tinyshakespeare, {steps} steps, nats a byte: precis {last['heldout']:.4f} ± {last['heldout_error']:.4f} ({last['parameters']} parameters, {took:.0f} s), "
          f"torch {theirs:.4f} ({time.time() - begun:.0f} s); {'no worse' if last['heldout'] <= theirs + 0.02 else 'WORSE'} than torch's + 0.02")


if not os.path.exists(data):
    raise SystemExit("train_evidence: skipped, there is no shared/data/tinyshakespeare")
split()
for part in parts:
    {"qat": qat, "nanogpt": nanogpt}[part]()
