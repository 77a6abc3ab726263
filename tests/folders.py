"""Tiny transformers folders (python3 alone): folders.py OUT CASE (folders.py bases lists those without an oddity), and what tests of them look up in GGUF files.

A case is a base (an architecture of BASES) with the one oddity that its name says.
"""
import json, os, random, struct, sys

WIDTH, HEADS, KV, DIM, HIDDEN, LAYERS, WORDS = 32, 4, 2, 8, 32, 2, 264


def save(path, tensors):
    head, at, data = {"__metadata__": {"format": "pt"}}, 0, []
    for name, (dtype, shape, raw) in tensors.items():
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data.append(raw)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(data))


rng = random.Random(1)


def f32(*shape, base=0.0, scale=None):
    n = 1
    for d in shape:
        n *= d
    s = scale or shape[-1] ** -0.5
    return "F32", shape, struct.pack(f"<{n}f", *(base + rng.gauss(0, s) for _ in range(n)))


def norm(n):
    return f32(n, base=1.0, scale=0.1)


def raw(dtype, shape, width, byte=0):
    n = width
    for d in shape:
        n *= d
    return dtype, shape, bytes([byte]) * n


# ---- architectures: config.json and tensors ------------------------------------------------------------------------
def config(**more):
    return {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "intermediate_size": HIDDEN, "num_attention_heads": HEADS, "num_key_value_heads": KV,
            "head_dim": DIM, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "vocab_size": WORDS,
            "bos_token_id": 256, "eos_token_id": 257, **more}


def decoder(kind, rows=WORDS, layers=LAYERS, tied=False):
    """llama and what varies it."""
    gemma = kind.startswith("gemma")
    t = {"model.embed_tokens.weight": f32(rows, WIDTH, scale=1.0), "model.norm.weight": norm(WIDTH)}
    if not gemma and kind != "bitnet" and not tied:
        t["lm_head.weight"] = f32(rows, WIDTH)
    for i in range(layers):
        p = f"model.layers.{i}."
        t[p + "input_layernorm.weight"] = norm(WIDTH)
        t[p + "post_attention_layernorm.weight"] = norm(WIDTH)
        if kind in ("gemma2", "gemma3_text"):
            t[p + "pre_feedforward_layernorm.weight"], t[p + "post_feedforward_layernorm.weight"] = norm(WIDTH), norm(WIDTH)
        if kind in ("qwen3", "qwen3_moe", "gemma3_text"):
            t[p + "self_attn.q_norm.weight"], t[p + "self_attn.k_norm.weight"] = norm(DIM), norm(DIM)
        if kind == "bitnet":
            t[p + "self_attn.attn_sub_norm.weight"], t[p + "mlp.ffn_sub_norm.weight"] = norm(HEADS * DIM), norm(HIDDEN)
        if kind == "phi3":
            t[p + "self_attn.qkv_proj.weight"] = f32((HEADS + 2 * KV) * DIM, WIDTH)
            t[p + "mlp.gate_up_proj.weight"] = f32(2 * HIDDEN, WIDTH)
        else:
            for n, r in (("q", HEADS), ("k", KV), ("v", KV)):
                t[p + f"self_attn.{n}_proj.weight"] = f32(r * DIM, WIDTH)
                if kind == "qwen2":
                    t[p + f"self_attn.{n}_proj.bias"] = f32(r * DIM, scale=0.2)
        t[p + "self_attn.o_proj.weight"] = f32(WIDTH, HEADS * DIM)
        if kind in ("mixtral", "qwen3_moe"):
            place, names = ("block_sparse_moe", ("w1", "w3", "w2")) if kind == "mixtral" else ("mlp", ("gate_proj", "up_proj", "down_proj"))
            t[p + place + ".gate.weight"] = f32(4, WIDTH)
            for e in range(4):
                for n, r, c in zip(names, (HIDDEN, HIDDEN, WIDTH), (WIDTH, WIDTH, HIDDEN)):
                    t[p + f"{place}.experts.{e}.{n}.weight"] = f32(r, c)
            continue
        if kind != "phi3":
            t[p + "mlp.gate_proj.weight"], t[p + "mlp.up_proj.weight"] = f32(HIDDEN, WIDTH), f32(HIDDEN, WIDTH)
        t[p + "mlp.down_proj.weight"] = f32(WIDTH, HIDDEN)
    return t


def gpt2():
    t = {"wte.weight": f32(WORDS, WIDTH, scale=1.0), "wpe.weight": f32(64, WIDTH, scale=0.1), "ln_f.weight": norm(WIDTH), "ln_f.bias": f32(WIDTH, scale=0.1)}
    for i in range(LAYERS):
        p = f"h.{i}."
        for n in ("ln_1", "ln_2"):
            t[p + n + ".weight"], t[p + n + ".bias"] = norm(WIDTH), f32(WIDTH, scale=0.1)
        for n, r, c in (("attn.c_attn", WIDTH, 3 * WIDTH), ("attn.c_proj", WIDTH, WIDTH), ("mlp.c_fc", WIDTH, HIDDEN), ("mlp.c_proj", HIDDEN, WIDTH)):
            t[p + n + ".weight"], t[p + n + ".bias"] = f32(r, c), f32(c, scale=0.1)
        t[p + "attn.bias"], t[p + "attn.masked_bias"] = raw("F32", (1, 1, 64, 64), 4), raw("F32", (), 4)
    return t


def exaone():
    """llama's tensors under names of its own."""
    names = (("model.embed_tokens", "transformer.wte"), ("model.norm", "transformer.ln_f"), ("model.layers", "transformer.h"), ("input_layernorm", "ln_1"),
             ("post_attention_layernorm", "ln_2"), ("self_attn.o_proj", "attn.attention.out_proj"), ("self_attn", "attn.attention"), ("gate_proj", "c_fc_0"),
             ("up_proj", "c_fc_1"), ("down_proj", "c_proj"))
    out = {}
    for name, tensor in decoder("llama").items():
        for a, b in names:
            name = name.replace(a, b)
        out[name] = tensor
    return out


def bert():
    e = "embeddings."
    t = {e + "word_embeddings.weight": f32(WORDS, WIDTH, scale=1.0), e + "position_embeddings.weight": f32(64, WIDTH, scale=0.1),
         e + "token_type_embeddings.weight": f32(2, WIDTH, scale=0.1), e + "LayerNorm.weight": norm(WIDTH), e + "LayerNorm.bias": f32(WIDTH, scale=0.1),
         e + "position_ids": raw("I64", (1, 64), 8), "pooler.dense.weight": f32(WIDTH, WIDTH), "pooler.dense.bias": f32(WIDTH)}
    for i in range(LAYERS):
        p = f"encoder.layer.{i}."
        for n, r, c in (("attention.self.query", WIDTH, WIDTH), ("attention.self.key", WIDTH, WIDTH), ("attention.self.value", WIDTH, WIDTH),
                        ("attention.output.dense", WIDTH, WIDTH), ("intermediate.dense", HIDDEN, WIDTH), ("output.dense", WIDTH, HIDDEN)):
            t[p + n + ".weight"], t[p + n + ".bias"] = f32(r, c), f32(r, scale=0.1)
        for n in ("attention.output.LayerNorm", "output.LayerNorm"):
            t[p + n + ".weight"], t[p + n + ".bias"] = norm(WIDTH), f32(WIDTH, scale=0.1)
    return t


MOE = {"num_local_experts": 4, "num_experts_per_tok": 2}
GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True, "sliding_window": 16, "query_pre_attn_scalar": DIM}
BASES = {
    "llama": (config(model_type="llama"), lambda: decoder("llama")),
    "mistral": (config(model_type="mistral", sliding_window=None), lambda: decoder("mistral")),
    "mixtral": (config(model_type="mixtral", **MOE), lambda: decoder("mixtral")),
    "qwen2": (config(model_type="qwen2"), lambda: decoder("qwen2")),
    "qwen3": (config(model_type="qwen3"), lambda: decoder("qwen3")),
    "qwen3_moe": (config(model_type="qwen3_moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=HIDDEN, norm_topk_prob=True, decoder_sparse_step=1,
                         mlp_only_layers=[]), lambda: decoder("qwen3_moe")),
    "phi3": (config(model_type="phi3", original_max_position_embeddings=64, pad_token_id=257), lambda: decoder("phi3")),
    "gemma": (config(model_type="gemma", hidden_act="gelu_pytorch_tanh", tie_word_embeddings=True), lambda: decoder("gemma")),
    "gemma2": (config(model_type="gemma2", attn_logit_softcapping=50.0, final_logit_softcapping=30.0, **GEMMA), lambda: decoder("gemma2")),
    "gemma3": (config(model_type="gemma3_text", rope_local_base_freq=10000.0, **GEMMA), lambda: decoder("gemma3_text")),
    "bitnet": (config(model_type="bitnet", hidden_act="silu", tie_word_embeddings=True), lambda: decoder("bitnet")),
    "exaone": ({"model_type": "exaone", "hidden_size": WIDTH, "num_layers": LAYERS, "intermediate_size": HIDDEN, "num_attention_heads": HEADS,
                "num_key_value_heads": KV, "head_dim": DIM, "max_position_embeddings": 64, "layer_norm_epsilon": 1e-5, "rope_theta": 10000.0,
                "vocab_size": WORDS, "bos_token_id": 256, "eos_token_id": 257, "activation_function": "silu"}, exaone),
    "gpt2": ({"model_type": "gpt2", "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_inner": HIDDEN, "n_positions": 64, "layer_norm_epsilon": 1e-5,
              "vocab_size": WORDS, "bos_token_id": 256, "eos_token_id": 257, "activation_function": "gelu_new"}, gpt2),
    "bert": ({"model_type": "bert", "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "intermediate_size": HIDDEN, "num_attention_heads": HEADS,
              "max_position_embeddings": 64, "layer_norm_eps": 1e-12, "vocab_size": WORDS, "type_vocab_size": 2, "hidden_act": "gelu"}, bert),
}


# ---- tokenizers ------------------------------------------------------------------------------------------------------
def byte_chars():
    keep = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    rest = [b for b in range(256) if b not in keep]
    return [chr(b) if b in keep else chr(256 + rest.index(b)) for b in range(256)]


def added(i, text, special=True):
    return {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": special}


def byte_level():
    vocab = {c: i for i, c in enumerate(byte_chars())}
    merges = [("t", "h"), ("th", "e"), ("a", "n"), ("i", "n"), ("Ġ", "a"), ("Ġ", "t")]
    names = ["<|begin|>", "<|end_here|>"]
    for i, (a, b) in enumerate(merges):
        vocab[a + b] = 258 + i
    return {"version": "1.0", "added_tokens": [added(256 + i, n) for i, n in enumerate(names)], "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "byte_fallback": False, "vocab": {**vocab, **{n: 256 + i for i, n in enumerate(names)}},
                      "merges": [f"{a} {b}" for a, b in merges]}}


def wordpiece():
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + list("abcdefghijklmnopqrstuvwxyz0123456789.,!?") + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"]
    vocab += ["the", "and", "of"] + [f"word{i}" for i in range(WORDS - len(vocab) - 3)]
    return {"version": "1.0", "added_tokens": [added(i, n) for i, n in enumerate(vocab[:4])],
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                               {"SpecialToken": {"id": "[SEP]", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                               "special_tokens": {n: {"id": n, "ids": [i], "tokens": [n]} for n, i in (("[CLS]", 2), ("[SEP]", 3))}},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                      "vocab": {n: i for i, n in enumerate(vocab)}}}


def pieces(unigram):
    """SentencePiece's tokenizer.model: <unk> <s> </s>, bytes, and five pieces."""
    def varint(v):
        out = b""
        while v > 127:
            out, v = out + bytes([v & 127 | 128]), v >> 7
        return out + bytes([v])

    def chunk(number, data):
        return varint(number << 3 | 2) + varint(len(data)) + data

    rows = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)] + [(f"<0x{b:02X}>", 0.0, 6) for b in range(256)]
    rows += [(p, -1.0 - i, 1) for i, p in enumerate(("▁", "t", "h", "e", "th"))]
    out = b"".join(chunk(1, chunk(1, p.encode()) + struct.pack("<Bf", 0x15, s) + varint(3 << 3) + varint(k)) for p, s, k in rows)
    train = b"".join(varint(n << 3) + varint(v) for n, v in ((3, 1 if unigram else 2), (35, 1), (40, 0), (41, 1), (42, 2)))
    return out + chunk(2, train) + chunk(3, varint(3 << 3) + varint(1) + varint(4 << 3) + varint(0))


def write(out, cfg, tensors, tokenizer=None, **files):
    os.makedirs(out, exist_ok=True)
    if tensors is not None:
        save(os.path.join(out, "model.safetensors"), tensors)
    if cfg is not None:
        json.dump(cfg, open(os.path.join(out, "config.json"), "w"))
    if isinstance(tokenizer, bytes):
        open(os.path.join(out, "tokenizer.model"), "wb").write(tokenizer)
    elif tokenizer:
        json.dump(tokenizer, open(os.path.join(out, "tokenizer.json"), "w"), ensure_ascii=False)
    for name, value in files.items():
        json.dump(value, open(os.path.join(out, name + ".json"), "w"))


def base(name):
    rng.seed(name)  # its numbers are its own, whatever else is in the table
    cfg, tensors = BASES[name]
    return dict(cfg), tensors(), wordpiece() if name == "bert" else byte_level()


# ---- oddities ----------------------------------------------------------------------------------------------------------
def make(out, case):
    if case in BASES:
        return write(out, *base(case))
    cfg, t, tok = base("llama")
    files = {}
    if case.startswith("padded"):
        rows = 300
        t = decoder("llama", rows)
        cfg["vocab_size"] = rows
        tok = {"padded": tok, "padded-spm": pieces(False), "padded-unigram": pieces(True)}[case]
    elif case == "spm":
        tok = pieces(False)
        cfg.update(bos_token_id=1, eos_token_id=2)
    elif case == "unigram":
        tok = pieces(True)
        cfg.update(bos_token_id=1, eos_token_id=2)
    elif case == "short":  # added tokens without rows
        tok["added_tokens"] += [added(WORDS, "<|more|>"), added(WORDS + 1, "<|most|>")]
    elif case == "foreign-tokenizer":
        for i in range(3):
            tok["model"]["vocab"][f"more{i}"] = WORDS + i
    elif case == "eos-list":
        cfg["bos_token_id"], cfg["eos_token_id"] = [256], [257, 11, 256]
        files = {"generation_config": {"eos_token_id": [257, 11, 256, 12]}, "tokenizer_config": {"bos_token": "<|begin|>", "eos_token": {"content": "<|begin|>"}}}
    elif case == "eos-named":
        del cfg["eos_token_id"], cfg["bos_token_id"]
        files = {"tokenizer_config": {"bos_token": "<|begin|>", "eos_token": "<|end_here|>"}}
    elif case == "buffers":
        for i in range(LAYERS):
            t[f"model.layers.{i}.self_attn.rotary_emb.inv_freq"] = f32(DIM // 2)
    elif case == "heads":
        t["value_head.weight"], t["v_head.summary.bias"], t["mtp.layers.0.weight"], t["score.weight"] = f32(1, WIDTH), f32(1), f32(WIDTH, WIDTH), f32(2, WIDTH)
    elif case == "more-layers":
        t = decoder("llama", layers=LAYERS + 1)
    elif case == "fewer-layers":
        cfg["num_hidden_layers"] = LAYERS + 2
    elif case == "missing":
        del t["model.layers.1.self_attn.q_proj.weight"]
    elif case == "missing-head":
        del t["lm_head.weight"]
        cfg.update(tie_word_embeddings=False, architectures=["LlamaForCausalLM"])
    elif case == "missing-expert":
        cfg, t, tok = base("mixtral")
        del t["model.layers.1.block_sparse_moe.experts.2.w2.weight"]
    elif case in ("mlx", "mlx-unknown"):
        for n in [n for n in t if n.endswith("_proj.weight")]:
            rows, cols = t[n][1]
            t[n] = raw("U32", (rows, cols // 8), 4, 1)
            t[n[:-6] + "scales"], t[n[:-6] + "biases"] = raw("F16", (rows, 1), 2), raw("F16", (rows, 1), 2)
        cfg["quantization"] = cfg["quantization_config"] = {"group_size": 32, "bits": 4}
        if case == "mlx-unknown":
            cfg["model_type"] = "something_new"
    elif case == "quanto":
        for n in [n for n in t if n.endswith("_proj.weight")]:
            shape = t.pop(n)[1]
            t[n + "._data"], t[n + "._scale"] = raw("I8", shape, 1, 1), f32(shape[0], 1)
    elif case == "bnb8":
        for n in [n for n in t if n.endswith("_proj.weight")]:
            shape = t[n][1]
            t[n], t[n[:-6] + "SCB"] = raw("I8", shape, 1, 1), f32(shape[0])
    elif case == "bnb4":
        for n in [n for n in t if n.endswith("_proj.weight")]:
            rows, cols = t[n][1]
            t[n], t[n + ".absmax"], t[n + ".quant_map"] = raw("U8", (rows * cols // 2, 1), 1, 1), f32(rows), f32(16)
    elif case == "gemma-tied":  # the embedding once more, as some programs save it
        cfg, t, tok = base("gemma")
        t["lm_head.weight"] = t["model.embed_tokens.weight"]
    elif case == "no-tokenizer":
        tok = None
        del cfg["vocab_size"], cfg["rms_norm_eps"]
    else:
        sys.exit(f"no case {case}")
    write(out, cfg, t, tok, **files)


# ---- GGUF, to look at ----------------------------------------------------------------------------------------------------
def gguf(path):
    """Keys and names of tensors."""
    d = open(path, "rb").read()
    at = 8
    sizes = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

    def get(form):
        nonlocal at
        v = struct.unpack_from("<" + form, d, at)[0]
        at += struct.calcsize("<" + form)
        return v

    def text():
        nonlocal at
        n = get("Q")
        at += n
        return d[at - n : at].decode(errors="replace")

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            item, n = get("I"), get("Q")
            return [value(item) for _ in range(n)]
        return get(sizes[kind])

    tensors, keys = get("Q"), get("Q")
    k = {}
    for _ in range(keys):
        name = text()
        k[name] = value(get("I"))
    t = {}
    for _ in range(tensors):
        name = text()
        t[name] = [get("Q") for _ in range(get("I"))]
        get("I"), get("Q")
    return k, t


if __name__ == "__main__":
    if sys.argv[1] == "bases":  # an architecture's each
        sys.exit(print(*BASES))
    if sys.argv[1] == "check":  # check FILE EXPRESSION over k (keys) and t (tensors)
        k, t = gguf(sys.argv[2])
        if not eval(sys.argv[3]):
            sys.exit(f"{sys.argv[3]}: {({n: v for n, v in k.items() if not isinstance(v, list) or len(v) < 9}, list(t)[:4])}")
    else:
        for name in sys.argv[2:]:
            make(os.path.join(sys.argv[1], name), name)
