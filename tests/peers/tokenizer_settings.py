"""Settings of tokenizers, one tiny tokenizer each: what precis makes of a text, from the folder, from the GGUF that it writes and from the
folder that it makes of that again, or the name under which it refuses the setting.

usage: tokenizer_settings.py PRECIS FOLDER [--peer]
Only Python's own library is needed; with --peer the carried ids are compared with the tokenizers package (tests/peers/run calls it so).
"""
import copy, json, os, shutil, struct, subprocess, sys

TEXT = "It WAS the <x> the  <x>b"


def byte_characters():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


def added(id, content, **settings):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **settings}


def byte_level():
    vocab = {c: i for i, c in enumerate(byte_characters().values())}
    merges = [("t", "h"), ("th", "e"), ("\u0120", "the"), ("I", "t"), ("W", "A"), ("WA", "S"), ("\u0120", "WAS"), ("\u0120", "\u0120")]
    for a, b in merges:
        vocab[a + b] = len(vocab)
    n = len(vocab)
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [added(n, "<s>"), added(n + 1, "</s>"), added(n + 2, "<x>")], "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                      "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": [" ".join(m) for m in merges]}}


def pieces():
    vocab = {t: i for i, t in enumerate(["<unk>", "<s>", "</s>", *[f"<0x{b:02X}>" for b in range(256)], "\u2581", *"theItWASb<x>"])}
    merges = [("t", "h"), ("th", "e"), ("\u2581", "the"), ("I", "t"), ("\u2581", "It"), ("W", "A"), ("WA", "S"), ("\u2581", "\u2581")]
    for c in "".join(a + b for a, b in merges):
        vocab.setdefault(c, len(vocab))
    for a, b in merges:
        vocab[a + b] = len(vocab)
    vocab = {t: i for i, t in enumerate(vocab)}
    n = len(vocab)
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>"), added(n, "<y>")],
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
            "pre_tokenizer": None, "post_processor": None,
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                                                         {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                      "byte_fallback": True, "ignore_merges": False, "vocab": vocab, "merges": [list(m) for m in merges]}}


def words():
    vocab = {t: i for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "it", "was", "the", "b", "x", "<", ">", "##s", "##e", "th"])}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [added(i, t) for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])],
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab}}


def unigram():
    vocab = [["<unk>", 0.0], ["<s>", 0.0], ["</s>", 0.0], ["\u2581", -2.0], ["\u2581the", -1.0], ["\u2581It", -1.5], ["the", -3.0], *[[c, -5.0] for c in "ItWAShebx<>"]]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
            "normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}, "post_processor": None, "decoder": {"type": "Metaspace",
            "replacement": "\u2581", "prepend_scheme": "always", "split": True}, "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": False}}


BASES = {"bytes": byte_level(), "pieces": pieces(), "words": words(), "unigram": unigram()}
SPACE = {"type": "Sequence", "normalizers": []}
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

UPPER, LOWER, ENDING = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = "|".join([r"[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+" + ENDING, r"[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + "*" + ENDING,
                  r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
TEKKEN = O200K.replace(ENDING, "").replace("{1,3}", "")


def template(before, after):
    ids = {"<s>": (BASES["bytes"]["added_tokens"][0]["id"]), "</s>": BASES["bytes"]["added_tokens"][1]["id"]}
    part = lambda t: {"SpecialToken": {"id": t, "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [*map(part, before), text, *map(part, after)], "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in {*before, *after}}}


def split(regex, **settings):
    return {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False, **settings},
                                                  {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}


LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
X = BASES["bytes"]["added_tokens"][2]["id"]
last = lambda **s: [*BASES["bytes"]["added_tokens"][:2], added(X, "<x>", **s)]
# name, base, changes of tokenizer.json ("model." reaches into the model), files beside, what it is refused for (None: it is not)
CASES = [
    ("bytes", "bytes", {}, {}, None), ("pieces", "pieces", {}, {}, None), ("words", "words", {}, {}, None), ("unigram", "unigram", {}, {}, None),
    ("bos by template", "bytes", {"post_processor": template(["<s>"], [])}, {}, None),
    ("eos by template", "bytes", {"post_processor": template([], ["</s>"])}, {}, None),
    ("both in a sequence", "bytes", {"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                                                                                          template(["<s>"], ["</s>"])]}}, {}, None),
    ("roberta", "bytes", {"post_processor": {"type": "RobertaProcessing", "sep": ["</s>", X - 1], "cls": ["<s>", X - 2], "trim_offsets": True, "add_prefix_space": False}}, {}, None),
    ("two before", "bytes", {"post_processor": template(["<s>", "</s>"], [])}, {}, "more than one token on a side"),
    ("pieces with bos", "pieces", {"post_processor": {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}}, {}, None),
    ("words without", "words", {"post_processor": None}, {}, None),
    ("unigram with eos", "unigram", {"post_processor": {**template([], ["</s>"]), "special_tokens": {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}}}, {}, None),
    ("lstrip", "bytes", {"added_tokens": last(lstrip=True)}, {}, None), ("rstrip", "bytes", {"added_tokens": last(rstrip=True)}, {}, None),
    ("both strips", "bytes", {"added_tokens": last(lstrip=True, rstrip=True)}, {}, None), ("single word", "bytes", {"added_tokens": last(single_word=True)}, {}, None),
    ("not special", "bytes", {"added_tokens": last(special=False, rstrip=True)}, {}, None),
    ("gap", "bytes", {"added_tokens": [*last(), added(X + 5, "<z>")]}, {}, None),
    ("llama 3", "bytes", {"pre_tokenizer": split(CL100K)}, {}, None), ("llama 3, ignore_merges", "bytes", {"pre_tokenizer": split(CL100K), "model.ignore_merges": True}, {}, None),
    ("removed, inverted", "bytes", {"pre_tokenizer": split(CL100K, behavior="Removed", invert=True)}, {}, None),
    ("gpt-4o", "bytes", {"pre_tokenizer": split(O200K)}, {}, None), ("tekken", "bytes", {"pre_tokenizer": split(TEKKEN)}, {}, None),
    ("tekken, ignore_merges", "bytes", {"pre_tokenizer": split(TEKKEN), "model.ignore_merges": True}, {}, None),
    ("qwen 2, NFC", "bytes", {"pre_tokenizer": split(CL100K.replace("{1,3}", "")), "normalizer": {"type": "NFC"}}, {}, None),
    ("qwen 2", "bytes", {"pre_tokenizer": split(CL100K.replace("{1,3}", ""))}, {}, None), ("NFC", "bytes", {"normalizer": {"type": "NFC"}}, {}, None),
    ("digits", "bytes", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, LEVEL]}}, {}, None),
    ("no prefix", "pieces", {"normalizer": BASES["pieces"]["normalizer"]["normalizers"][1]}, {}, None),
    ("metaspace", "pieces", {"normalizer": None, "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": False}}, {}, None),
    ("config adds no bos", "bytes", {"post_processor": None}, {"tokenizer_config.json": {"add_bos_token": False, "bos_token": "<s>"}}, None),
    *[(f"normalizer {t}", "bytes", {"normalizer": n}, {}, t) for t, n in [
        ("Lowercase", {"type": "Lowercase"}), ("Strip", {"type": "Strip", "strip_left": True, "strip_right": True}), ("StripAccents", {"type": "StripAccents"}),
        ("NFD", {"type": "NFD"}), ("NFKC", {"type": "NFKC"}), ("NFKD", {"type": "NFKD"}), ("Nmt", {"type": "Nmt"}), ("ByteLevel", {"type": "ByteLevel"}),
        ("Prepend", {"type": "Prepend", "prepend": "\u2581"}), ("Replace", {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}),
        ("Lowercase", {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]})]],
    ("pieces, lower", "pieces", {"normalizer": {"type": "Sequence", "normalizers": [*BASES["pieces"]["normalizer"]["normalizers"], {"type": "Lowercase"}]}}, {}, "Lowercase"),
    ("pieces unmarked", "pieces", {"normalizer": None}, {}, "unmarked"),
    ("cased words", "words", {"normalizer": {**BASES["words"]["normalizer"], "lowercase": False}}, {}, "lowercase"),
    ("words keep accents", "words", {"normalizer": {**BASES["words"]["normalizer"], "strip_accents": False}}, {}, "strip_accents"),
    ("short words", "words", {"model.max_input_chars_per_word": 5}, {}, "max_input_chars_per_word"),
    ("other prefix", "words", {"model.continuing_subword_prefix": "@@"}, {}, "continuing_subword_prefix"),
    ("unigram, NFKC", "unigram", {"normalizer": {"type": "NFKC"}}, {}, "NFKC"),
    ("dropout", "bytes", {"model.dropout": 0.1}, {}, "dropout"), ("end of word", "bytes", {"model.end_of_word_suffix": "</w>"}, {}, "end_of_word_suffix"),
    ("subword prefix", "bytes", {"model.continuing_subword_prefix": "##"}, {}, "continuing_subword_prefix"),
    ("prefix space", "bytes", {"pre_tokenizer": {**LEVEL, "add_prefix_space": True}}, {}, "add_prefix_space"),
    ("whitespace", "bytes", {"pre_tokenizer": {"type": "Whitespace"}}, {}, "Whitespace"), ("no pre-tokenizer", "bytes", {"pre_tokenizer": None}, {}, "pre_tokenizer"),
    ("unknown pattern", "bytes", {"pre_tokenizer": split(r"\w+|\s+")}, {}, "pattern"), ("merged pattern", "bytes", {"pre_tokenizer": split(CL100K, behavior="MergedWithNext")}, {}, "MergedWithNext"),
    ("no digits apart", "bytes", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": False}, LEVEL]}}, {}, "individual_digits"),
    ("word level", "bytes", {"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}, {}, "WordLevel"),
    ("a new key", "bytes", {"prefix_table": {}}, {}, "prefix_table"), ("a new model key", "bytes", {"model.temperature": 1}, {}, "temperature"),
    ("decoder", "bytes", {"decoder": {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}}, {}, "CTC"),
    ("splits specials", "bytes", {}, {"tokenizer_config.json": {"split_special_tokens": True}}, "split_special_tokens"),
    ("config prefix space", "bytes", {}, {"tokenizer_config.json": {"add_prefix_space": True}}, "add_prefix_space"),
]
TEXTS = {"gpt-4o": "the IttheWAS the's 12345 //\n/", "tekken": "the IttheWAS the's 12345 //\n/", "tekken, ignore_merges": "the IttheWAS the's 12345 //\n/",
         "llama 3": "It'S 12345 the\n\n the", "llama 3, ignore_merges": "WAS It \u0120", "qwen 2": "e\u0301 12345", "qwen 2, NFC": "e\u0301 12345", "NFC": "e\u0301 the", "digits": "12 3",
         "gap": "a<z>b<x>", "both strips": " <x> \n<x>  the", "single word": "a<x> <x> <x>_ (<x>)", "pieces": "It  WAS the\u00e9<y>b", "words": "It WAS \u00c9 the <b>thes"}
# What the tokenizers package makes of them.
IDS = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer_settings.json")))


def tokenizer(base, changes):
    t = copy.deepcopy(BASES[base])
    for k, v in changes.items():
        if k.startswith("model."):
            t["model"][k[6:]] = v
        else:
            t[k] = v
    return t


def tensors(rows, hidden=32):
    t = {"model.embed_tokens.weight": (rows, hidden), "model.norm.weight": (hidden,)}
    p = "model.layers.0."
    t.update({p + n + ".weight": s for n, s in {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (hidden, hidden), "self_attn.v_proj": (hidden, hidden),
              "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (64, hidden), "mlp.up_proj": (64, hidden), "mlp.down_proj": (hidden, 64),
              "input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}.items()})
    return t


def put(folder, t, files, rows, tokenizer_model=None):
    """A llama of one layer with the tokenizer; its weights are all alike."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for n, s in tensors(rows).items():
        size = 4 * s[0] * (s[1] if len(s) > 1 else 1)
        head[n] = {"dtype": "F32", "shape": list(s), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(folder + "/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + struct.pack("<f", 0.01) * (at // 4))
    config = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 64, "vocab_size": rows,
              "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True}
    files = {"config.json": config, **files, **({"tokenizer.json": t} if t else {})}
    for n, v in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, n)), exist_ok=True)
        with open(os.path.join(folder, n), "w") as f:
            f.write(v if isinstance(v, str) else json.dumps(v))
    if tokenizer_model:
        open(folder + "/tokenizer.model", "wb").write(tokenizer_model)


def count(t):
    vocab = t["model"]["vocab"]
    return max([a["id"] for a in t["added_tokens"]] + (list(vocab.values()) if isinstance(vocab, dict) else [len(vocab) - 1])) + 1


def run(*command):
    r = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    return r.returncode, r.stdout.decode(), r.stderr.decode()


failed = 0


def check(name, ok, *what):
    global failed
    if not ok:
        failed = 1
        print(name + ":", *what)


def ids(precis, path, text):
    rc, out, err = run(precis, "tokenize", path, "-p", text)
    return [int(x) for x in out.split()] if rc == 0 else (rc, err)


def proto(vocab, types):
    """SentencePiece's tokenizer.model: BPE with byte fallback and no rules for characters."""
    varint = lambda v: bytes([v & 127 | 128]) + varint(v >> 7) if v > 127 else bytes([v])
    text = lambda n, b: varint(n << 3 | 2) + varint(len(b)) + b
    number = lambda n, v: varint(n << 3) + varint(v)
    out = b"".join(text(1, text(1, t.encode()) + varint(2 << 3 | 5) + struct.pack("<f", -i) + number(3, types.get(t, 6 if t.startswith("<0x") else 1))) for i, t in enumerate(vocab))
    return out + text(2, number(3, 2) + number(35, 1) + number(40, 0) + number(41, 1) + number(42, 2)) + text(3, number(3, 1) + number(4, 0))


def beside(precis, folder):
    """Files beside a tokenizer."""
    vocab = list(BASES["pieces"]["model"]["vocab"])
    n, model, d = len(vocab), proto(vocab, {"<unk>": 2, "<s>": 3, "</s>": 3}), os.path.join(folder, "beside")
    def expect(name, want, text, rows=n + 8, note="", **files):
        put(d, None, {k.replace("__", "."): v for k, v in files.items()}, rows, model)
        got = ids(precis, d, text)
        rc, out, err = run(precis, "tokenize", d, "-p", text)
        check(name, got == want and note in err, "precis", got, "right", want, err)
        rc, out, err = run(precis, "convert", d, "-o", d + ".gguf", "-q")
        check(name, rc == 0 and ids(precis, d + ".gguf", text) == got, "the GGUF has", ids(precis, d + ".gguf", text), err)
    the, b = vocab.index("\u2581the"), vocab.index("b")
    expect("pieces alone", [1, the, b], "theb")
    expect("added_tokens.json", [1, the, n + 1, b], "the<b>b", added_tokens__json={"<a>": n, "<b>": n + 1})
    expect("added_tokens.json with a gap", [1, the, n + 5, b], "the<b>b", added_tokens__json={"<a>": n, "<b>": n + 5})
    expect("added_tokens_decoder", [1, the, n + 1, vocab.index("\u2581"), b], "the<b>  b", tokenizer_config__json={"added_tokens_decoder": {str(n + 1): added(0, "<b>", rstrip=True), str(n): added(0, "<a>")}})
    expect("config adds no bos", [the, b], "theb", tokenizer_config__json={"add_bos_token": False, "bos_token": "<s>"})
    expect("config adds eos", [1, the, b, 2], "theb", tokenizer_config__json={"add_eos_token": True, "eos_token": {"content": "</s>"}})
    expect("more tokens than rows", [1, the, *(vocab.index(c) for c in "<b>"), b], "the<b>b", rows=n + 1, note="are left out", added_tokens__json={"<a>": n, "<b>": n + 1})
    expect("an unknown key", [1, the, b], "theb", note="colour", tokenizer_config__json={"colour": 1})
    # tokenizer.json's post-processor, and tokenizer_config.json, which overrides it
    base = tokenizer("bytes", {"post_processor": template(["<s>"], [])})
    put(d, base, {"tokenizer_config.json": {"add_bos_token": False}}, count(base))
    check("override", ids(precis, d, "b") == [BASES["bytes"]["model"]["vocab"]["b"]], ids(precis, d, "b"))
    put(d, tokenizer("bytes", {}), {"tokenizer_config.json": {"add_bos_token": True, "bos_token": "</s>"}}, count(base))
    check("bos by name", ids(precis, d, "b")[0] == X - 1, ids(precis, d, "b"))
    # files that do not go alone
    put(d, None, {"vocab.json": {"a": 0}, "merges.txt": ""}, 8)
    rc, out, err = run(precis, "tokenize", d, "-p", "a")
    check("lone files", rc == 3 and "vocab.json without tokenizer.json" in err, rc, err)


def main():
    precis, folder, peer = sys.argv[1], sys.argv[2], "--peer" in sys.argv
    made = {}
    for i, (name, base, changes, files, why) in enumerate(CASES):
        t, text, d = tokenizer(base, changes), TEXTS.get(name, TEXT), os.path.join(folder, f"c{i}")
        put(d, t, files, count(t) + 3)
        if why:
            rc, out, err = run(precis, "tokenize", d, "-p", text)
            check(name, rc == 3 and why in err, "is not refused for", why, rc, err)
            continue
        if peer:
            import tokenizers
            made[name] = tokenizers.Tokenizer.from_str(json.dumps(t)).encode(text).ids
            if name == "gap":  # the package numbers such tokens anew, and says so; the embedding's rows have the file's ids
                made[name] = IDS[name]
            check(name, made[name] == IDS.get(name), "carried", IDS.get(name), "the package has", made[name])
        got = ids(precis, d, text)
        check(name, got == IDS.get(name), ascii(text), "precis", got, "tokenizers", IDS.get(name))
        rc, out, err = run(precis, "convert", d, "-o", d + ".gguf", "-q")
        check(name, rc == 0 and ids(precis, d + ".gguf", text) == got, "the GGUF has", ids(precis, d + ".gguf", text), err)
        shutil.rmtree(d + ".out", ignore_errors=True)
        if base == "words":
            continue  # no llama has them: a folder of it would not be one
        rc, out, err = run(precis, "convert", d + ".gguf", "-o", d + ".out", "--format", "safetensors", "-q")
        check(name, rc == 0 and ids(precis, d + ".out", text) == got, "the folder made again has", ids(precis, d + ".out", text), err)
    beside(precis, folder)
    if peer:
        json.dump(made, open(os.path.join(folder, "made.json"), "w"), indent=0)
    sys.exit(failed)


if __name__ == "__main__":
    main()
