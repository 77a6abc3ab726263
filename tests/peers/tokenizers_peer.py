"""100,000 seeded strings per tokenizer: precis against `tokenizers` and `sentencepiece`.

usage: tokenizers_peer.py PRECIS --vectors FOLDER [--model SMOLLM2.gguf] [--count N] [--seed N]
Code points are those assigned in Unicode 14 or earlier (both sides' tables agree there).
"""
import argparse, io, os, random, subprocess, sys, tempfile, unicodedata
import gguf, tokenizers, sentencepiece as spm
import tokenizer_settings
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import Regex, models, normalizers, pre_tokenizers

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def field(reader, name):
    f = reader.fields.get(name)
    return f.contents() if f else None


def rewrite(path, pre, out):
    """The same vocabulary under another pre-tokenizer."""
    r = gguf.GGUFReader(path)
    w = gguf.GGUFWriter(out, "llama")
    w.add_tokenizer_model(field(r, "tokenizer.ggml.model"))
    w.add_tokenizer_pre(pre)
    w.add_token_list(field(r, "tokenizer.ggml.tokens"))
    w.add_token_types(field(r, "tokenizer.ggml.token_type"))
    w.add_token_merges(field(r, "tokenizer.ggml.merges"))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    return out


def bpe(path, pre):
    r = gguf.GGUFReader(path)
    tokens = field(r, "tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ", 1)) for m in field(r, "tokenizer.ggml.merges")]
    t = tokenizers.Tokenizer(models.BPE(vocab={s: i for i, s in reversed(list(enumerate(tokens)))}, merges=merges, ignore_merges=pre == "llama-bpe"))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre in ("gpt-2", "smollm", "starcoder"))
    if pre in ("smollm", "starcoder"):
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])
    elif pre in ("llama-bpe", "qwen2"):
        split = pre_tokenizers.Split(Regex(LLAMA3 if pre == "llama-bpe" else QWEN2), "isolated")
        t.pre_tokenizer = pre_tokenizers.Sequence([split, level])
        if pre == "qwen2":
            t.normalizer = normalizers.NFC()
    else:
        t.pre_tokenizer = level
    return lambda texts: [e.ids for e in t.encode_batch(texts, add_special_tokens=False)]


def sentencepiece(path):
    r = gguf.GGUFReader(path)
    m, unknown = pb.ModelProto(), False
    for text, score, kind in zip(field(r, "tokenizer.ggml.tokens"), field(r, "tokenizer.ggml.scores"), field(r, "tokenizer.ggml.token_type")):
        p = m.pieces.add()
        if kind == 2:  # the package allows one unknown
            kind, unknown = (3 if unknown else 2), True
        p.piece, p.score, p.type = text, score, kind
    m.trainer_spec.model_type = pb.TrainerSpec.BPE
    m.trainer_spec.byte_fallback = True
    m.trainer_spec.vocab_size = len(m.pieces)
    m.normalizer_spec.name = "identity"
    m.normalizer_spec.add_dummy_prefix = True
    m.normalizer_spec.remove_extra_whitespaces = False
    sp = spm.SentencePieceProcessor(model_proto=m.SerializeToString())
    return lambda texts: sp.encode(texts)


def wordpiece(path):
    vocab = {}
    for i, t in enumerate(field(gguf.GGUFReader(path), "tokenizer.ggml.tokens")):
        vocab.setdefault("##\u2581" if t == "\u2581" else t[1:] if t.startswith("\u2581") else t if t.startswith("[") and t.endswith("]") else "##" + t, i)
    t = tokenizers.Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    return lambda texts: [e.ids for e in t.encode_batch(texts, add_special_tokens=False)]


def unigram(folder, rule, fallback):
    """A model that the package trains here, as SentencePiece file in a folder and as GGUF."""
    prefix = os.path.join(folder, f"unigram-{rule}-{fallback}")
    spm.SentencePieceTrainer.train(input="data/eval.txt", model_prefix=prefix, model_type="unigram", vocab_size=2000, normalization_rule_name=rule, byte_fallback=fallback, minloglevel=2,
                                   character_coverage=0.999, hard_vocab_limit=False)
    m = pb.ModelProto()
    m.ParseFromString(open(prefix + ".model", "rb").read())
    w = gguf.GGUFWriter(prefix + ".gguf", "t5")
    w.add_tokenizer_model("t5")
    w.add_token_list([p.piece for p in m.pieces]), w.add_token_scores([p.score for p in m.pieces]), w.add_token_types([p.type for p in m.pieces])
    w.add_add_space_prefix(m.normalizer_spec.add_dummy_prefix), w.add_remove_extra_whitespaces(m.normalizer_spec.remove_extra_whitespaces)
    if m.normalizer_spec.precompiled_charsmap:
        w.add_precompiled_charsmap(m.normalizer_spec.precompiled_charsmap)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    sp = spm.SentencePieceProcessor(model_file=prefix + ".model")
    return prefix + ".gguf", lambda texts: sp.encode(texts)


def pieces(folder, rule):
    """BPE with byte fallback that normalizes, as tokenizer.model of a folder."""
    out, d = io.BytesIO(), os.path.join(folder, "bpe-" + rule)
    spm.SentencePieceTrainer.train(input="data/eval.txt", model_writer=out, model_type="bpe", vocab_size=1000, normalization_rule_name=rule, byte_fallback=True, minloglevel=2,
                                   character_coverage=0.999, hard_vocab_limit=False)
    sp = spm.SentencePieceProcessor(model_proto=out.getvalue())
    tokenizer_settings.put(d, None, {}, sp.get_piece_size(), out.getvalue())
    return d, lambda texts: sp.encode(texts)


def alphabet():
    groups = {}
    for cp in range(1, 0x110000):
        if 0xD800 <= cp <= 0xDFFF:
            continue
        cat = unicodedata.category(chr(cp))
        if cat not in ("Cn", "Co"):
            groups.setdefault(cat, []).append(chr(cp))
    return groups


WORDS = "the of and to a in that it is was I for on you he be with as by at have are this not but had his they from she which or we an there her were one do been all their has would will what if can when so my isn't we're I'll they've he'd I'm DON'T WE'RE 's 'S x1 3.14159 2024 100,000 http://a.b/c?d=e foo_bar() {} [] <div> \t \n \r\n \n\n    ".split(" ")


def strings(count, seed):
    rng, groups = random.Random(seed), alphabet()
    cats, out = sorted(groups), []
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(0, 12)):
            kind = rng.random()
            if kind < 0.35:
                parts.append(rng.choice(WORDS) + " " * rng.choice((0, 1, 1, 1, 2, 5)))
            elif kind < 0.5:
                parts.append("".join(chr(rng.randint(1, 126)) for _ in range(rng.randint(1, 8))))
            elif kind < 0.6:
                parts.append(rng.choice((" ", "\n", "\t", "\u00a0", "\u3000", "\u2028", "\r\n", "\u0085", "\u180e", "\u200b", "'", "\u017f", "\u0301")) * rng.randint(1, 6))
            elif kind < 0.7:
                parts.append(rng.choice("aAbzé한ก0５٣²½") * rng.randint(1, 30))
            else:
                group = groups[rng.choice(cats)]
                parts.append("".join(rng.choice(group) for _ in range(rng.randint(1, 6))))
        out.append("".join(parts).replace("\0", ""))
    return out


def ours(precis, path, texts, folder):
    name = os.path.join(folder, "texts")
    with open(name, "wb") as f:
        f.write(b"".join(t.encode() + b"\0" for t in texts))
    r = subprocess.run([precis, "tokenize", path, "--file", name, "--batch", "--no-special"], capture_output=True)
    if r.returncode:
        sys.exit(r.stderr.decode())
    return [[int(x) for x in line.split()] for line in r.stdout.decode().split("\n")[:-1]]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("precis"), p.add_argument("--vectors"), p.add_argument("--model", default="")
    p.add_argument("--count", type=int, default=100000), p.add_argument("--seed", type=int, default=1), p.add_argument("--only", default="")
    a = p.parse_args()
    if not os.path.isdir(a.vectors):
        sys.exit(f"skipped: {a.vectors} is not here")
    made_here = tempfile.TemporaryDirectory()  # removed at the end
    folder = made_here.name
    v = lambda n: os.path.join(a.vectors, f"ggml-vocab-{n}.gguf")
    cases = [("gpt-2", v("gpt-2"), bpe(v("gpt-2"), "gpt-2")), ("starcoder", v("starcoder"), bpe(v("starcoder"), "starcoder"))]
    for pre in ("llama-bpe", "qwen2", "smollm"):
        path = rewrite(v("starcoder"), pre, os.path.join(folder, pre + ".gguf"))
        cases.append((pre + " (starcoder's tokens)", path, bpe(path, pre)))
    if a.model:
        cases.append(("SmolLM2", a.model, bpe(a.model, "smollm")))
    for n in ("llama-spm", "phi-3"):
        cases.append((n, v(n), sentencepiece(v(n))))
    cases.append(("bert-bge", v("bert-bge"), wordpiece(v("bert-bge"))))
    for rule, fallback in (("nmt_nfkc", False), ("nfkc_cf", False), ("identity", True)):
        path, peer = unigram(folder, rule, fallback)
        cases.append((f"unigram, {rule}{', byte fallback' if fallback else ''}", path, peer))
    for rule in ("nmt_nfkc", "nfkc_cf", "identity"):
        cases.append((f"BPE of pieces, {rule}", *pieces(folder, rule)))
    if a.only:
        cases = [c for c in cases if a.only in c[0]]
    texts, failed = strings(a.count, a.seed), 0
    for name, path, peer in cases:
        got, want = ours(a.precis, path, texts, folder), peer(texts)
        bad = [i for i in range(len(texts)) if got[i] != want[i]]
        print(f"{name}: {len(texts)} strings, {len(bad)} differ (seed {a.seed})", flush=True)
        for i in bad[:3]:
            print("  ", ascii(texts[i]), "\n    precis", got[i], "\n    peer  ", want[i])
        failed += bool(bad)
    sys.exit(failed != 0)


main()
