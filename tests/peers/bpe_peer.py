"""precis tokenize --train against the BPE trainer of `tokenizers`: vocabularies and merges must be the same.

usage: bpe_peer.py PRECIS [--llama PYTHON]
"""
import argparse, json, os, random, subprocess, tempfile
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

p = argparse.ArgumentParser()
p.add_argument("precis")
p.add_argument("--llama") # every peer of torch's environment is given it
a = p.parse_args()
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
work = tempfile.mkdtemp()


def peer(files, n):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train(files, trainers.BpeTrainer(vocab_size=n, show_progress=False,
                                       initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def drawn(seed):
    """Words of few letters, so that many pairs occur equally often."""
    r = random.Random(seed)
    path = os.path.join(work, f"{seed}.txt")
    with open(path, "w") as f:
        for _ in range(400):
            f.write("".join(r.choice("aab \n\té中") for _ in range(r.randint(1, 40))))
    return path


texts = [[os.path.join(root, "README.md"), os.path.join(root, "docs", "architecture.md")],
         [os.path.join(root, "src", "train", "llama.c")]]
shakespeare = os.path.join(root, "..", "shared", "data", "tinyshakespeare", "input.txt")
if os.path.exists(shakespeare):
    texts.append([shakespeare])
else:
    print("skipped: tinyshakespeare is not here")
texts += [[drawn(seed)] for seed in range(20)]
for files in texts:
    for n in (256, 257, 600, 4096):
        out = os.path.join(work, "tok.json")
        subprocess.run([a.precis, "tokenize", "--train", *files, "--vocab", str(n), "-o", out], check=True,
                       stdout=subprocess.DEVNULL)
        want, got = json.loads(peer(files, n).to_str())["model"], json.load(open(out))["model"]
        pairs = lambda m: [tuple(x) if isinstance(x, list) else tuple(x.split(" ")) for x in m["merges"]]
        assert want["vocab"] == got["vocab"], (files, n, "vocabulary")
        assert pairs(want) == pairs(got), (files, n, "merges")
        text = open(files[0], encoding="utf-8").read()
        assert Tokenizer.from_file(out).encode(text).ids == peer(files, n).encode(text).ids, (files, n, "ids")
print(f"{4 * len(texts)} tokenizers of {len(texts)} texts: the same vocabularies, merges and ids")
