"""What training is worth, with seeds and intervals: QAT against rounding after training, and nanoGPT beside precis.

usage: train_evidence.py PRECIS FOLDER [small|medium|full] [qat] [nanogpt] [cnn] [carried]     (make train-evidence SIZE=small: qat, nanogpt and cnn)

QAT (issue of training, point 9): for each seed a float model is trained from scratch; a control goes on in float and one run for
each type goes on in that type, all three for the same further tokens, in the same order. The control is then rounded by
gptq, search and round, and the best of the three (on the held-out text itself, which favours rounding) is what QAT is compared
with. Losses are of the written files, by `precis eval`, in nats a byte; differences are paired by seed, and their standard
error is that of the mean over seeds.

nanoGPT (point 8): its CPU configuration (4 layers, 4 heads, width 128, context 64, batch 12, AdamW 1e-3 to 1e-4, betas .9 and .99,
2000 steps) on tinyshakespeare by precis and by torch (GPT2LMHeadModel of transformers, the same shape, in the environment
tests/peers/environment-torch makes), over all of the held-out tenth. Skipped by name where that is not there.

CNN (point 8): MNIST's 10,000 test images, 8,000 to train and 2,000 held out (there are no others in shared/data). For each seed a small convolutional
net with batch norms from scratch; a control that goes on in float, and one run each in 4 and 2 bits (weights by channel, first and last layer 8 bits at
2; activations of 8 bits; LSQ; norms folded), all for the same further samples. The control is quantized after training: int8 (--static, the best of
three observers), int4 and int2 (weights alone, and at int2 the first and last layer stay float, as all activations do, which favours them: the best of
nearest, round and equalize+round on the held-out images themselves). Accuracy and loss are of the written files, by `precis eval`.

Carried (point 8): gutenberg-7m's shape (with QK norms) on its own training text and tokenizer, 4 epochs or what BUDGET seconds (environment, 300) hold; then its
4-bit, 2-bit and ternary sisters, which learn from it (--distill). Held out is its valid.txt, by token and character. COMPUTE (f32; bf16 where tiles are), BATCH (8),
LR (0.03) and OTHERS_LR (0.006) of muon, DECAY (0.3). PRIDE: a file with Pride and Prejudice (Standard Ebooks, CC0; paragraphs one line each, a
chapter's number before its first), which is among that text and not in SHARED; without it the text lacks that book.

TYPES (environment, all): of QAT, for example "3 bits,ternary". JOBS (environment, 1): seeds side by side, each process with THREADS (2) threads. SHARED: the folder of shared/data.

Sizes: small ends in minutes, medium in some on 16 cores (bench/train_device), full is what a claim is made of. FOLDER keeps all runs; a second call goes on.
"""
import array, gzip, json, math, os, re, statistics, struct, subprocess, sys, time, zipfile
from concurrent.futures import ThreadPoolExecutor

precis, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
size = next((a for a in sys.argv[3:] if a in ("small", "medium", "full")), "small")
parts = [a for a in sys.argv[3:] if a in ("qat", "nanogpt", "cnn", "carried")] or ["qat", "nanogpt", "cnn"]
jobs, threads = int(os.environ.get("JOBS", "1")), os.environ.get("THREADS", "2")
here = os.path.dirname(os.path.abspath(__file__))
shared = next((d for d in (os.environ.get("SHARED", ""), *(os.path.join(here, *[".."] * n, "shared", "data") for n in (1, 2, 3))) if d and os.path.isdir(d)), "shared/data")
data = os.path.join(shared, "tinyshakespeare", "input.txt")
QAT_TYPES = {"4 bits": ("INT4_G32", "lsq"), "3 bits": ("INT3_G32", "lsq"), "2 bits": ("UINT2_G32", "ste"), "ternary": ("TERNARY", "ternary")}
TYPES = {k: v for k, v in QAT_TYPES.items() if k in os.environ.get("TYPES", ",".join(QAT_TYPES)).split(",")}
SIZES = {
    "small": dict(width=64, layers=2, hidden=192, context=64, batch=16, steps=600, further=300, seeds=5, nano=300, cnn=250),
    "medium": dict(width=96, layers=3, hidden=288, context=128, batch=16, steps=2000, further=1000, seeds=5, nano=1000, cnn=600),
    "full": dict(width=256, layers=6, hidden=768, context=128, batch=16, steps=6000, further=3000, seeds=8, nano=2000, cnn=1500),
}
S = SIZES[size]
os.makedirs(folder, exist_ok=True)


def path(name):
    return os.path.join(folder, f"{size}-{name}")


def run(*args):
    r = subprocess.run([precis, *args, "-q", "--json", "--threads", threads], capture_output=True, text=True)
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

    def one(seed):
        base = train(f"{seed}-base", config(f"{seed}-base", S["steps"], seed, 4e-3, model=model))
        further = config(f"{seed}-further", S["further"], 100 + seed, 1e-3)
        control = train(f"{seed}-control", further, "--from", base)
        row = {}
        for label, (type, estimator) in TYPES.items():
            served = path(f"{seed}-qat-{type}-served.precis.gguf")
            if not os.path.exists(served):
                train(f"{seed}-qat-{type}", further, "--from", base, "--qat", type, "--estimator", estimator, "--quantized", served)
            after = {m: rounded(control, type, m, seed) for m in ("gptq", "search", "round")}
            best = min(after, key=after.get)
            row[label] = (loss(served), after[best], best)
        print(f"seed {seed}: float {loss(control):.4f}, " + ", ".join(f"{t}: QAT {r[0]:.4f}, {r[2]} {r[1]:.4f}" for t, r in row.items()), file=sys.stderr, flush=True)
        return loss(control), row

    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(one, range(1, S["seeds"] + 1)))
    floats = [f for f, _ in results]
    rows = {t: [row[t] for _, row in results] for t in TYPES}
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


# ---- a convolutional net ----------------------------------------------------------------------------------


def npy(name, shape, descr, numbers):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, tuple(shape))).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    with open(path(name), "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + numbers.tobytes())


def mnist():
    images = gzip.open(os.path.join(shared, "mnist", "t10k-images-idx3-ubyte.gz")).read()[16:]
    labels = gzip.open(os.path.join(shared, "mnist", "t10k-labels-idx1-ubyte.gz")).read()[8:]
    for name, a, b in (("train", 0, 8000), ("calib", 0, 1000), ("held", 8000, 10000)):
        npy(name + ".npy", (b - a, 1, 28, 28), "<f4", array.array("f", [v / 255 for v in images[784 * a : 784 * b]]))
        npy(name + "_labels.npy", (b - a,), "<i8", array.array("q", list(labels[a:b])))


def score(file):
    out = json.loads(run("eval", file, "--data", path("held.npy"), "--labels", path("held_labels.npy")))
    return out["loss"], 100 * out["accuracy"]


def after_training(control, seed, label, *ways):
    best = None
    for i, way in enumerate(ways):
        out = path(f"{seed}-{label.replace(' ', '-')}-{i}.onnx")
        if not os.path.exists(out):
            run("quant", control, "-o", out, "--no-speed", *way)
        best = min(best or (math.inf, 0), score(out))
    return best


CNN_QAT = {"4 bits": '"*weight=INT4_C"', "2 bits": '"conv1*weight=INT8_C,classes*weight=INT8_C,*weight=INT2_C"'}


def one_cnn(seed):
    d = {"arrays": path("train.npy"), "labels": path("train_labels.npy"), "heldout": path("held.npy"), "heldout_labels": path("held_labels.npy"), "batch": 64}
    net = [{"conv": 8, "norm": True, "activation": "relu", "pool": 2}, {"conv": 16, "norm": True, "activation": "relu", "pool": 2}, {"linear": 32, "activation": "relu"}]
    n = S["cnn"]

    def go(name, lr, model, at, *args, **more):
        out = path(f"{seed}-{name}.onnx")
        if not os.path.exists(out):
            c = {"data": d, "model": model, "steps": n, "seed": at, "optimizer": {"lr": lr, "decay": 0.01}, "schedule": {"name": "cosine", "warmup": n // 25}, **more}
            with open(path(f"{seed}-{name}.json"), "w") as f:
                json.dump(c, f)
            run("train", path(f"{seed}-{name}.json"), "-o", out, "--no-history", *args)
        return out

    base = go("cnn", 3e-3, {"arch": "cnn", "input": [1, 28, 28], "classes": 10, "net": net}, seed)
    control = go("cnn-control", 3e-3, {"from": base}, 100 + seed)
    row = {"float": score(control)}
    calib = ("--calib", path("calib.npy"))
    row["int8 after training"] = after_training(control, seed, "int8", *[("--static", "--observer", o, *calib) for o in ("minmax", "mse", "histogram")])
    for label, bits in (("4 bits", "int4"), ("2 bits", "int2")):
        ends = ("--float", "conv1", "--float", "classes") if bits == "int2" else ()
        row[label + " after training"] = after_training(control, seed, bits, ("--weight-only", "--weights", bits, *ends), *[("--weight-only", "--weights", bits, *ends, "--method", m, *calib) for m in ("round", "equalize+round")])
        served = path(f"{seed}-cnn-{bits}-served.onnx")
        if not os.path.exists(served):
            quant = {"weights": json.loads(CNN_QAT[label]), "activations": "int8 observed", "estimator": "lsq", "freeze": 0.9, "freeze_norm": 0.5}
            go(f"cnn-{bits}", 3e-3, {"from": base}, 100 + seed, "--quantized", served, quant=quant)
        row[label + " QAT"] = score(served)
    print(f"seed {seed}: " + ", ".join(f"{k} {v[0]:.4f} {v[1]:.2f} %" for k, v in row.items()), file=sys.stderr, flush=True)
    return row


def cnn():
    if not os.path.isdir(os.path.join(shared, "mnist")):
        print("\nCNN: skipped, there is no shared/data/mnist")
        return
    mnist()
    with ThreadPoolExecutor(jobs) as pool:
        rows = list(pool.map(one_cnn, range(1, S["seeds"] + 1)))
    print(f"\nMNIST (8,000 of the test images to train, 2,000 held out), two convolutions and two products, 26,722 numbers; {S['seeds']} seeds, {S['cnn']} + {S['cnn']} steps of 64\n")
    print("| | loss, nats | right, % | loss over float | QAT less after training | standard errors |\n|---|---|---|---|---|---|")
    for k in rows[0]:
        l, lse = interval([r[k][0] for r in rows])
        a, ase = interval([r[k][1] for r in rows])
        o, ose = interval([r[k][0] - r["float"][0] for r in rows])
        row = f"| {k} | {l:.4f} ± {lse:.4f} | {a:.2f} ± {ase:.2f} | {o:+.4f} ± {ose:.4f} |"
        if k.endswith("QAT"):
            d, dse = interval([r[k][0] - r[k.replace("QAT", "after training")][0] for r in rows])
            row += f" {d:+.4f} ± {dse:.4f} | {d / dse if dse else 0:+.1f} |"
        else:
            row += " | |"
        print(row)


# ---- a model that is carried ------------------------------------------------------------------------------


def corpus():
    """The training part of gutenberg-7m's documents that lie here, as its maker joined them: paragraphs one line each, the first 94.9 % of each document (valid.txt is the last 5 %)."""
    documents = []
    for f in sorted(os.listdir(os.path.join(shared, "gutenberg"))):
        if f.endswith(".txt") and f != "SOURCE.txt":
            documents.append(open(os.path.join(shared, "gutenberg", f), encoding="latin-1").read())
    for name in ("inaugural", "state_union"):
        z = zipfile.ZipFile(os.path.join(shared, "nltk", name + ".zip"))
        documents += [z.read(n).decode("latin-1") for n in sorted(z.namelist()) if n.endswith(".txt") and "README" not in n]
    with open(path("carried.txt"), "w", encoding="utf-8") as f:
        for d in documents:
            x = "\n\n".join(p for p in (" ".join(q.split()) for q in re.split(r"\n\s*\n", d)) if p)
            f.write(x[: int(len(x) * 0.949)] + "\n\n")
        if os.environ.get("PRIDE"):
            x = open(os.environ["PRIDE"], encoding="utf-8").read()
            f.write(x[: int(len(x) * 0.949)] + "\n\n")
    return path("carried.txt")


def carried():
    budget, begun = float(os.environ.get("BUDGET", "300")), time.time()
    seven = os.path.join(shared, "gutenberg-7m")
    valid = os.path.join(seven, "valid.txt")
    model = {"arch": "llama", "width": 256, "layers": 8, "heads": 4, "kv_heads": 2, "hidden": 768, "vocabulary": 4096, "qk_norm": True}
    d = {"text": [corpus()], "heldout": valid, "tokenizer": os.path.join(seven, "tokenizer.json"), "context": 256, "batch": int(os.environ.get("BATCH", "8")), "heldout_tokens": 65536}
    each = d["context"] * d["batch"]

    muon = {"name": "muon", "lr": float(os.environ.get("LR", "0.03")), "others_lr": float(os.environ.get("OTHERS_LR", "0.006")), "betas": [0.9, 0.95], "decay": float(os.environ.get("DECAY", "0.3")), "clip": 1}
    def write(name, steps, optimizer, data, **more):
        c = {"data": data, "steps": steps, "checkpoint": 500, "seed": 1, "optimizer": optimizer, "schedule": {"name": "cosine", "warmup": max(1, steps // 20), "final": 0}, "compute": os.environ.get("COMPUTE", "f32"), **more}
        with open(path(name + ".json"), "w") as f:
            json.dump(c, f)
        return path(name + ".json")

    def last(out):
        return [json.loads(l) for l in out.splitlines() if l.startswith("{")]

    probe = last(run("train", write("probe", 8, muon, {**d, "heldout_tokens": 256}, model=model), "-o", path("probe.gguf"), "--no-history", "--card", path("card.json")))
    card = json.load(open(path("card.json")))
    rate, epoch = probe[-2]["tokens_s"], card["texts"][0]["tokens"]
    left = budget - (time.time() - begun)
    steps = max(20, min(4 * epoch // each, int(0.65 * left * rate / each)))
    print(f"\nCarried: {rate:.0f} tokens/s in 8 steps; {steps} steps of {each} tokens, an epoch has {epoch}; about {steps * each / rate:.0f} s", file=sys.stderr, flush=True)
    out = path("carried.gguf")
    main = last(run("train", write("carried", steps, muon, d, model=model), "-o", out, "--no-history"))[-1]
    bits = main["heldout"] * card["heldout"]["tokens"] / len(open(valid, encoding="utf-8").read()) / math.log(2)
    print(f"\nCarried: {main['parameters']} numbers, {main['tokens']} tokens ({main['tokens'] / epoch:.2f} epochs), contamination {100 * main.get('contamination', 0):.2f} %: held out {main['heldout']:.4f} ± {main['heldout_error']:.4f} nats a token, {bits:.3f} bits a character (gutenberg-7m: 4.0711)", flush=True)
    # Sisters learn from the model itself (KL), layers in few bits and the embedding in 8; a type takes the rate and the steps that it needs.
    for label, type, estimator, lr, share in (("4 bits", "Q4_0", "lsq", 1e-4, 40), ("2 bits", "Q2_K", "ste", 2e-4, 24), ("ternary", "TQ2_0", "ternary", 1.2e-3, 9)):
        served, adamw = path(f"carried-{type}.gguf"), {"name": "adamw", "lr": lr, "betas": [0.9, 0.95], "decay": 0.1, "clip": 1}
        further = max(20, steps // share)
        c = write(f"carried-{type}", further, adamw, {k: v for k, v in d.items() if k != "tokenizer"})
        r = last(run("train", c, "-o", path(f"carried-{type}-train.gguf"), "--from", out, "--distill", out, "--qat", f"*embd*=Q8_0,*blk*={type}", "--estimator", estimator, "--quantized", served, "--no-history"))[-1]
        print(f"  {label} ({type}, {estimator}), {further} further steps: {r['heldout']:.4f} ± {r['heldout_error']:.4f}, run from its file {r['served']:.4f}", flush=True)


if not os.path.exists(data):
    raise SystemExit("train_evidence: skipped, there is no shared/data/tinyshakespeare")
split()
for part in parts:
    {"qat": qat, "nanogpt": nanogpt, "cnn": cnn, "carried": carried}[part]()
