"""What calibration text that the model samples costs beside real text: files of one budget and seed, measured on text from all over what is held
out, beside real text of one kind and of all kinds.

usage: sampled.py PRECIS MODEL VALID BOOK SEEDS BITS TEXT...     (SEEDS: 0,1,2; BITS: 2.797,3.701; each TEXT a file that the model's text is like)

Real text of one kind is the first 60 kB of BOOK; of all kinds, 60 kB from the middles of all TEXT, in equal parts, paragraphs joined to one line.
It is measured on ten pieces of 8 kB at even distances over VALID: the first windows of a held out text are often of one document, which BOOK may be.
"""
import json, math, os, re, subprocess, sys, tempfile

precis, model, valid, book, seeds, bits, *texts = sys.argv[1:]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def middle(path, n):
    s = "\n\n".join(re.sub(r"\s+", " ", p) for p in read(path).split("\n\n"))
    return s[int(len(s) * 0.45):][:n]


with tempfile.TemporaryDirectory() as folder:
    def text(name, s):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(s)
        return path

    held = read(valid)
    at = [int(len(held) * (i + 0.5) / 10) for i in range(10)]
    measured = text("held", "".join(held[max(a - 4000, 0):a + 4000] + "\n\n" for a in at))
    ways = {"sampled": [], "one": ["--calib", text("one", read(book)[:60000])],
            "all": ["--calib", text("all", "\n\n".join(middle(p, 60000 // len(texts)) for p in texts))]}
    ratios = {"one": [], "all": []}
    print("| bits | seed | sampled | one kind: KL, ratio | all kinds: KL, ratio |\n" + "|---" * 5 + "|", flush=True)
    for seed in seeds.split(","):
        for b in bits.split(","):
            kld = {}
            for way, calib in ways.items():
                r = subprocess.run([precis, "quant", model, "--bpw", b, "--seed", seed, *calib, "--text", measured, "--ctx", "256", "-o",
                                    os.path.join(folder, "q.gguf"), "--json", "-q"], capture_output=True, text=True)
                if r.returncode:
                    sys.exit(r.stderr)
                kld[way] = json.loads(r.stdout)["eval"]["kld_mean"]
            for way in ratios:
                ratios[way].append(math.log(kld["sampled"] / kld[way]))
            print(f"| {b} | {seed} | {kld['sampled']:.5f} | " + " | ".join(f"{kld[w]:.5f}, {kld['sampled'] / kld[w]:.2f}" for w in ratios) + " |", flush=True)
    for way, r in ratios.items():
        mean = sum(r) / len(r)
        print(f"{way}: sampled text loses {math.exp(mean):.3f} times as much, standard error {math.sqrt(sum((x - mean) ** 2 for x in r)) / len(r):.3f}")
