"""Make the first inputs of each fuzz target: small valid files. Needs no package. usage: seeds.py OUT_FOLDER"""
import hashlib, json, os, struct, sys

out = sys.argv[1]


def save(target, name, data):
    os.makedirs(f"{out}/{target}", exist_ok=True)
    with open(f"{out}/{target}/{name}", "wb") as f:
        f.write(data)


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def key(name, kind, value):
    pack = {4: "<I", 6: "<f", 5: "<i", 7: "<?", 10: "<Q"}
    b = text(name) + struct.pack("<I", kind)
    if kind == 8:
        return b + text(value)
    if kind == 9:
        item, values = value
        b += struct.pack("<IQ", item, len(values))
        return b + b"".join(text(v) if item == 8 else struct.pack(pack[item], v) for v in values)
    return b + struct.pack(pack[kind], value)


def gguf(keys, tensors, version=3):
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys)
    data = b""
    for name, dims, kind, blob in tensors:
        head += text(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", kind, len(data))
        data += blob + bytes(-len(blob) % 32)
    return head + bytes(-len(head) % 32) + data


def f32(n, v=0.01):
    return struct.pack(f"<{n}f", *[v * ((i * 37) % 19 - 9) for i in range(n)])


def llama(arch="llama", tok="gpt2", user=False):
    d, h, v = 32, 32, 24
    keys = [key("general.architecture", 8, arch), key(f"{arch}.block_count", 4, 1), key(f"{arch}.embedding_length", 4, d), key(f"{arch}.context_length", 4, 16),
            key(f"{arch}.attention.head_count", 4, 2), key(f"{arch}.attention.head_count_kv", 4, 1), key(f"{arch}.feed_forward_length", 4, h),
            key(f"{arch}.attention.layer_norm_rms_epsilon", 6, 1e-5), key("tokenizer.ggml.model", 8, tok),
            key("tokenizer.chat_template", 8, "{% for m in messages %}{{ m.content }}{% endfor %}")]
    if tok == "gpt2":
        keys += [key("tokenizer.ggml.pre", 8, "smollm"), key("tokenizer.ggml.tokens", 9, (8, ["<|im_end|>"] + [chr(97 + i) for i in range(20)] + ["ab", "abc", "\u0120a"])),
                 key("tokenizer.ggml.merges", 9, (8, ["a b", "ab c", "\u0120 a"])), key("tokenizer.ggml.token_type", 9, (5, [3] + [1] * 20 + [4 if user else 1] + [1] * 2))]
    else:
        keys += [key("tokenizer.ggml.tokens", 9, (8, ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(10)] + ["\u2581", "a", "b", "ab", "\u2581ab", "c", "d", "e", "f", "g", "h"])),
                 key("tokenizer.ggml.scores", 9, (6, [float(-i) for i in range(24)])), key("tokenizer.ggml.token_type", 9, (5, [2, 3, 3] + [6] * 10 + [1] * 11))]
    q4 = lambda n: (b"\x00\x2c" + bytes(range(16))) * (n // 32)
    t = [("token_embd.weight", (d, v), 2, q4(d * v)), ("output_norm.weight", (d,), 0, f32(d, 0.1))]
    for name, rows in (("attn_q", d), ("attn_k", d // 2), ("attn_v", d // 2), ("attn_output", d), ("ffn_gate", h), ("ffn_up", h), ("ffn_down", d)):
        t.append((f"blk.0.{name}.weight", (d, rows), 2, q4(d * rows)))
    names = ["attn_norm", "ffn_norm"] + (["post_attention_norm", "post_ffw_norm"] if arch == "gemma3" else [])
    t += [(f"blk.0.{n}.weight", (d,), 0, f32(d, 0.1)) for n in names]
    if arch == "gemma3":
        t += [(f"blk.0.{n}.weight", (d // 2,), 0, f32(d // 2, 0.1)) for n in ("attn_q_norm", "attn_k_norm")]
    return gguf(keys, t)


save("gguf", "llama_bpe", llama())
save("gguf", "user_token", llama(user=True))
save("gguf", "qwen2_spm", llama("qwen2", "llama"))
save("gguf", "gemma3", llama("gemma3", "llama"))
save("gguf", "empty", gguf([], []))
save("gguf", "v2", gguf([key("a", 9, (8, ["x", ""]))], [("t", (4,), 0, f32(4))], 2))
sizes = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
         16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
         29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17)}
save("gguf", "types", gguf([], [(f"t{k}", (n,), k, bytes(i * 7 & 255 for i in range(b))) for k, (n, b) in sizes.items()]))

head = struct.pack("<7i", 32, 32, 1, 2, 1, 24, 16)
n = 24 * 32 + 32 + 32 * 32 + 32 * 16 * 2 + 32 * 32 + 32 + 3 * 32 * 32 + 32 + 16 * 16
save("llama2c", "legacy", head + f32(n))
save("llama2c", "v1", struct.pack("<Ii", 0x616B3432, 1) + head + b"\x01" + bytes(256 - 37) + f32(n - 256))

tensor = {"a.weight": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]}, "b": {"dtype": "BF16", "shape": [3], "data_offsets": [32, 38]}, "__metadata__": {"format": "pt"}}
j = json.dumps(tensor).encode()
save("safetensors", "file", struct.pack("<Q", len(j)) + j + f32(8) + bytes(6))
config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
          "vocab_size": 24, "max_position_embeddings": 16, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2}
names = {"model.embed_tokens.weight": (24, 32), "model.norm.weight": (32,), "model.layers.0.input_layernorm.weight": (32,), "model.layers.0.post_attention_layernorm.weight": (32,),
         "model.layers.0.self_attn.q_proj.weight": (32, 32), "model.layers.0.self_attn.k_proj.weight": (16, 32), "model.layers.0.self_attn.v_proj.weight": (16, 32),
         "model.layers.0.self_attn.o_proj.weight": (32, 32), "model.layers.0.mlp.gate_proj.weight": (32, 32), "model.layers.0.mlp.up_proj.weight": (32, 32), "model.layers.0.mlp.down_proj.weight": (32, 32)}
at, header, data = 0, {}, b""
for name, shape in names.items():
    count = shape[0] * (shape[1] if len(shape) > 1 else 1)
    header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + 4 * count]}
    at += 4 * count
    data += f32(count)
j = json.dumps(header).encode()
save("safetensors", "folder", json.dumps(config).encode() + b"\0" + struct.pack("<Q", len(j)) + j + data)



def folder(name, config, tensors):
    """config.json, a zero byte, a safetensors file of (name, dtype, shape, bytes)."""
    at, header, data = 0, {}, b""
    for n, dtype, shape, blob in tensors:
        header[n] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        data += blob
    j = json.dumps(header).encode()
    save("safetensors", name, json.dumps(config).encode() + b"\0" + struct.pack("<Q", len(j)) + j + data)


dense = [(n, "F32", s, f32(s[0] * (s[1] if len(s) > 1 else 1))) for n, s in names.items()]
q = "model.layers.0.self_attn.q_proj"
rest = [t for t in dense if t[0] != q + ".weight"]
words = lambda n: b"".join(struct.pack("<I", (i * 2654435761) & 0xFFFFFFFF) for i in range(n))
half = lambda n: struct.pack(f"<{n}e", *[0.01 + 0.001 * (i % 5) for i in range(n)])
ct = lambda fmt, w, a=None: {**config, "quantization_config": {"quant_method": "compressed-tensors", "format": fmt, "config_groups": {"group_0": {"targets": ["Linear"], "weights": w, "input_activations": a}}}}
w4 = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 32}
folder("ct_pack", ct("pack-quantized", w4), rest + [(q + ".weight_packed", "I32", (32, 4), words(128)), (q + ".weight_scale", "F16", (32, 1), half(32)), (q + ".weight_shape", "I64", (2,), struct.pack("<2q", 32, 32)),
                                                  (q + ".weight_zero_point", "I32", (4, 1), words(4))])
folder("ct_int8", ct("int-quantized", {"num_bits": 8, "type": "int"}, {"num_bits": 8, "type": "int", "symmetric": True}), rest + [(q + ".weight", "I8", (32, 32), bytes(range(256)) * 4), (q + ".weight_scale", "BF16", (32, 1), bytes([0, 60]) * 32)])
folder("ct_fp8", ct("float-quantized", {"num_bits": 8, "type": "float"}, {"num_bits": 8, "type": "float"}), rest + [(q + ".weight", "F8_E4M3", (32, 32), bytes(range(128)) * 8), (q + ".weight_scale", "F32", (1,), f32(1)), (q + ".input_scale", "F32", (1,), f32(1))])
folder("ct_mxfp4", ct("mxfp4-pack-quantized", {"num_bits": 4, "type": "float"}), rest + [(q + ".weight_packed", "U8", (32, 16), bytes(range(256)) * 2), (q + ".weight_scale", "U8", (32, 1), bytes([120]) * 32)])
gptq = {**config, "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32}}
folder("gptq", gptq, rest + [(q + ".qweight", "I32", (4, 32), words(128)), (q + ".qzeros", "I32", (1, 4), b"\x77" * 16), (q + ".scales", "F16", (1, 32), half(32)), (q + ".g_idx", "I32", (32,), bytes(128))])
folder("awq", {**config, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}},
       rest + [(q + ".qweight", "I32", (32, 4), words(128)), (q + ".qzeros", "I32", (1, 4), words(4)), (q + ".scales", "F16", (1, 32), half(32))])
g2 = {"h.0.ln_1.weight": (32,), "h.0.ln_1.bias": (32,), "h.0.ln_2.weight": (32,), "h.0.attn.c_attn.weight": (32, 96), "h.0.attn.c_attn.bias": (96,), "h.0.attn.c_proj.weight": (32, 32), "h.0.mlp.c_fc.weight": (32, 64),
      "h.0.mlp.c_proj.weight": (64, 32), "ln_f.weight": (32,), "wte.weight": (24, 32), "wpe.weight": (16, 32)}
folder("gpt2", {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 16, "n_inner": 64, "layer_norm_epsilon": 1e-5},
       [("transformer." + n, "F32", s, f32(s[0] * (s[1] if len(s) > 1 else 1))) for n, s in g2.items()])
moe = [t for t in dense if "mlp" not in t[0]] + [("model.layers.0.block_sparse_moe.gate.weight", "F32", (2, 32), f32(64))]
moe += [(f"model.layers.0.block_sparse_moe.experts.{e}.{w}.weight", "F32", (32, 32), f32(1024)) for e in range(2) for w in ("w1", "w2", "w3")]
folder("mixtral", {**config, "model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 1}, moe)
be = {"embeddings.word_embeddings.weight": (24, 32), "embeddings.position_embeddings.weight": (16, 32), "embeddings.token_type_embeddings.weight": (2, 32), "embeddings.LayerNorm.weight": (32,)}
for n in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense", "output.dense"):
    be[f"encoder.layer.0.{n}.weight"] = (32, 32)
be["encoder.layer.0.attention.output.LayerNorm.weight"] = be["encoder.layer.0.output.LayerNorm.weight"] = (32,)
folder("bert", {**config, "model_type": "bert", "hidden_act": "gelu", "num_key_value_heads": None}, [(n, "F32", s, f32(s[0] * (s[1] if len(s) > 1 else 1))) for n, s in be.items()])
folder("yarn", {**config, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}}, dense)
folder("llama3", {**config, "rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8}}, dense)


def pieces(tok):
    t = ["<unk>", "<s>", "</s>", "\u2581", "a", "b", "ab", "\u2581ab", "e", "l", "o", "\u2581H", "[UNK]", "[CLS]", "[SEP]"]
    k = [key("tokenizer.ggml.model", 8, tok), key("tokenizer.ggml.tokens", 9, (8, t)), key("tokenizer.ggml.scores", 9, (6, [float(-i) for i in range(len(t))])),
         key("tokenizer.ggml.token_type", 9, (5, [2, 3, 3] + [1] * (len(t) - 3))), key("tokenizer.ggml.unknown_token_id", 4, 0)]
    if tok == "t5":  # a character map of four units: "A" stays out
        k.append(key("tokenizer.ggml.precompiled_charsmap", 9, (5, list(struct.unpack("<6i", struct.pack("<I", 16) + struct.pack("<4I", 0x400, 0x41, 0, 1) + b"a\0b\0")))))
    return gguf(k, [])


save("gguf", "wordpiece", pieces("bert"))
save("gguf", "unigram", pieces("t5"))
save("gguf", "scheme", gguf([key("precis.scheme.tensors", 9, (8, ["blk.0.attn_q.weight"])), key("precis.scheme.types", 9, (8, ["INT4_G32"])), key("precis.scheme.widths", 9, (10, [33]))],
                            [("blk.0.attn_q.weight", (36, 2), 24, bytes(72))]))
field = lambda n, b: bytes([n << 3 | 2, len(b)]) + b
piece = lambda s, score, kind=1: field(1, field(1, s.encode()) + b"\x15" + struct.pack("<f", score) + bytes([0x18, kind]))
spm = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + b"".join(piece(s, -i) for i, s in enumerate(("\u2581", "a", "b", "ab", "\u2581ab")))
for kind in (1, 2):
    save("tokenizer_model", f"kind{kind}", spm + field(2, bytes([0x18, kind, 0xC0, 2, 0])) + field(3, field(2, struct.pack("<I", 16) + struct.pack("<4I", 0x400, 0x41, 0, 1) + b"a\0") + bytes([0x18, 1, 0x20, 1])))
save("adapter", "gguf", gguf([key("general.type", 8, "adapter"), key("adapter.type", 8, "lora"), key("adapter.lora.alpha", 6, 4.0)],
                             [("blk.0.attn_q.weight.lora_a", (32, 2), 0, f32(64)), ("blk.0.attn_q.weight.lora_b", (2, 32), 0, f32(64))]))
pa = [("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", (2, 32)), ("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", (32, 2))]
j = json.dumps({n: {"dtype": "F32", "shape": list(s), "data_offsets": [256 * i, 256 * i + 256]} for i, (n, s) in enumerate(pa)}).encode()
save("adapter", "peft", json.dumps({"r": 2, "lora_alpha": 4}).encode() + b"\0" + struct.pack("<Q", len(j)) + j + f32(128))

tok = {"version": "1.0", "added_tokens": [{"id": 0, "content": "<|endoftext|>", "special": True}], "normalizer": None,
       "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]},
       "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3, "\u0120": 4}, "merges": ["a b"]}}
save("tokenizer_json", "bpe", json.dumps(tok).encode())
tok["model"]["merges"] = [["a", "b"]]
tok["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
save("tokenizer_json", "pairs", json.dumps(tok, ensure_ascii=False).encode())

uni = {"version": "1.0", "added_tokens": [{"id": 0, "content": "<unk>", "special": True}], "normalizer": {"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": "EAAAAAAEAABBAAAAAAAAAAEAAABhAA=="}]},
       "pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "always"}, "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["\u2581", -1.0], ["a", -2.0], ["ab", -3.5]], "byte_fallback": False}}
save("tokenizer_json", "unigram", json.dumps(uni).encode())
wp = {"version": "1.0", "added_tokens": [{"id": 0, "content": "[UNK]", "special": True}], "normalizer": {"type": "BertNormalizer"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
      "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "hel": 3, "##lo": 4, "w": 5}}}
save("tokenizer_json", "wordpiece", json.dumps(wp).encode())
lt = {"version": "1.0", "added_tokens": [{"id": 0, "content": "<unk>", "special": True}], "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}]}, "pre_tokenizer": None,
      "model": {"type": "BPE", "byte_fallback": True, "vocab": {"<unk>": 0, "<0x41>": 1, "\u2581": 2, "a": 3, "b": 4, "ab": 5, "\u2581ab": 6}, "merges": ["a b", "\u2581 ab"]}}
save("tokenizer_json", "llama", json.dumps(lt).encode())

templates = ["{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ 'x' }}{% endif %}{{'<' + message['role'] + '\\n' + message.content | trim + '>'}}{% endfor %}{% if add_generation_prompt %}a{% endif %}",
             "{%- set ns = namespace(n=0) -%}{% for m in messages[::-1] if m.role is defined and not m.role in ['x', \"y\"] %}{% set ns.n = ns.n + loop.index0 %}{{ ns.n // 2 ~ m.content[1:] | upper }}{% else %}-{% endfor %}",
             "{# c #}{{ bos_token }}{{ {'a': [1, 2.5, none, true]} | tojson }}{{ 'abc'.split('b')[-1].replace('c', 'd') if 1 < 2 else raise_exception('no') }}{{ range(3) | list | length }}{{ strftime_now('%Y') }}"]
for i, t in enumerate(templates):
    save("chat_template", f"t{i}", t.encode())

name = b"blk.0.attn_q.weight"
save("imatrix", "legacy", struct.pack("<ii", 1, len(name)) + name + struct.pack("<ii", 2, 4) + f32(4, 0.0) + struct.pack("<ii", 2, 4) + b"text")
save("imatrix", "gguf", gguf([key("general.type", 8, "imatrix"), key("imatrix.datasets", 9, (8, ["x"])), key("imatrix.chunk_count", 4, 1), key("imatrix.chunk_size", 4, 512)],
                             [("blk.0.attn_q.weight.in_sum2", (4, 1), 0, struct.pack("<4f", 1, 2, 3, 4)), ("blk.0.attn_q.weight.counts", (1, 1), 0, struct.pack("<f", 2))]))

# evaluation sets: the first byte picks the task
def question(text, answer):
    return json.dumps([{"instruction": text, "input": "", "output": "", "answer": answer}]).encode()


save("task", "arc", b"\x00" + question("Please choose the correct answer to the question: What melts?\n\nAnswer1: ice Answer2: steam\n\nAnswer format: answer1/answer2", "answer1"))
save("task", "piqa", b"\x01" + question("Please choose the correct solution to the question: How?\n\nSolution1: so\n\nSolution2: so\n\nAnswer format: solution1/solution2", "solution2"))
save("task", "winogrande", b"\x02" + question("Please choose the correct answer to fill in the blank to complete the given sentence: A saw B so _ ran.\n\nOption1: A Option2: B Answer format: option1/option2", "option2"))
save("task", "boolq", b"\x03" + question("Please answer the following question with true or false, question: is it so?\n\nAnswer format: true/false", "true"))
save("task", "hellaswag", b"\x04Cooking: A man\n2\na\nb\nc\nd\n")
save("task", "lambada", b"\x05" + b'{"text": "once upon a time"}\n')
save("task", "gsm8k", b"\x06" + b'{"question": "1 + 1?", "answer": "It is <<1+1=2>>2.\\n#### 2"}\n')
save("task", "own", b"\x07" + b'{"context": "a", "choices": [" b", " c"], "answer": 1, "group": "g"}\n')
save("attest", "small", json.dumps({"payloadType": "application/vnd.in-toto+json", "payload": "e30=", "signatures": [{"keyid": "0", "sig": "A" * 86 + "=="}]}).encode())
save("resume", "front", struct.pack("<IIQ", 1, 19, 4) + b"blk.0.attn_q.weight" + b"1234" + bytes(144))


# ---- models for whole commands: a byte that picks the options, then a GGUF ------------------------------------------------
def words(vocabulary):
    """Keys of a byte-level tokenizer of so many pieces."""
    t = ["<|im_end|>"] + [chr(97 + i) for i in range(20)] + ["ab", "abc", "\u0120a", "\u0120", "\u010a"]
    t += [f"w{i}" for i in range(vocabulary - len(t))]
    return [key("tokenizer.ggml.model", 8, "gpt2"), key("tokenizer.ggml.pre", 8, "smollm"), key("tokenizer.ggml.tokens", 9, (8, t)),
            key("tokenizer.ggml.merges", 9, (8, ["a b", "ab c", "\u0120 a"])), key("tokenizer.ggml.token_type", 9, (5, [3] + [1] * (len(t) - 1))),
            key("tokenizer.ggml.bos_token_id", 4, 0), key("tokenizer.ggml.eos_token_id", 4, 0),
            key("tokenizer.chat_template", 8, "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}")]


def coded(kind, n, at):
    """n weights of about one size: of F32, F16, Q8_0, Q4_0 or Q4_K."""
    r = lambda i: (i * 2654435761 + at * 40503) >> 7 & 255
    if kind == 0:
        return struct.pack(f"<{n}f", *[(r(i) - 127) / 1000 for i in range(n)])
    if kind == 1:
        return struct.pack(f"<{n}e", *[(r(i) - 127) / 1000 for i in range(n)])
    block, head, size = {8: (32, struct.pack("<e", 0.001), 34), 2: (32, struct.pack("<e", 0.02), 18),
                         12: (256, struct.pack("<2e", 0.001, 0.002), 144)}[kind]
    return b"".join(head + bytes(r(b * 97 + i) for i in range(size - len(head))) for b in range(n // block))


def tiny(arch, kind, layers=2, d=32, ff=64, heads=2, dim=16, experts=0, qk_norm=False, head=False, small=2):
    """A model that runs. kind: of weights with d columns; small: of those with 32 or 64."""
    v = 40
    k = [key("general.architecture", 8, arch), key(f"{arch}.block_count", 4, layers), key(f"{arch}.embedding_length", 4, d),
         key(f"{arch}.context_length", 4, 32), key(f"{arch}.attention.head_count", 4, heads), key(f"{arch}.attention.head_count_kv", 4, 1),
         key(f"{arch}.attention.key_length", 4, dim), key(f"{arch}.attention.value_length", 4, dim), key(f"{arch}.feed_forward_length", 4, ff),
         key(f"{arch}.attention.layer_norm_rms_epsilon", 6, 1e-5), key(f"{arch}.rope.freq_base", 6, 10000.0)]
    if experts:
        k += [key(f"{arch}.expert_count", 4, experts), key(f"{arch}.expert_used_count", 4, 1), key(f"{arch}.expert_feed_forward_length", 4, ff)]
    t = [("token_embd.weight", (d, v), kind), ("output_norm.weight", (d,), 0)] + ([("output.weight", (d, v), kind)] if head else [])
    for b in range(layers):
        p = f"blk.{b}."
        t += [(p + "attn_norm.weight", (d,), 0), (p + "ffn_norm.weight", (d,), 0), (p + "attn_q.weight", (d, heads * dim), kind),
              (p + "attn_k.weight", (d, dim), kind), (p + "attn_v.weight", (d, dim), kind), (p + "attn_output.weight", (heads * dim, d), small)]
        if qk_norm:
            t += [(p + "attn_q_norm.weight", (dim,), 0), (p + "attn_k_norm.weight", (dim,), 0)]
        if arch == "gemma3":
            t += [(p + "post_attention_norm.weight", (d,), 0), (p + "post_ffw_norm.weight", (d,), 0)]
        if experts:
            t += [(p + "ffn_gate_inp.weight", (d, experts), 0), (p + "ffn_gate_exps.weight", (d, ff, experts), kind),
                  (p + "ffn_up_exps.weight", (d, ff, experts), kind), (p + "ffn_down_exps.weight", (ff, d, experts), small)]
        else:
            t += [(p + "ffn_gate.weight", (d, ff), kind), (p + "ffn_up.weight", (d, ff), kind), (p + "ffn_down.weight", (ff, d), small)]
    number = lambda s: s[0] * (s[1] if len(s) > 1 else 1) * (s[2] if len(s) > 2 else 1)
    data = lambda i, s, c: struct.pack(f"<{s[0]}f", *[1 + (j % 5) / 10 for j in range(s[0])]) if len(s) == 1 else coded(c, number(s), i)
    return gguf(k + words(v), [(n, s, c, data(i, s, c)) for i, (n, s, c) in enumerate(t)])


models = {"q4_0": tiny("llama", 2, ff=32), "experts": tiny("qwen3moe", 8, 1, ff=32, experts=2, qk_norm=True, small=8),
          "q4_0_2": tiny("llama", 2, ff=32, head=True), "gemma3": tiny("gemma3", 8, 1, ff=32, qk_norm=True, small=8),
          "q4_0_3": tiny("qwen2", 2, ff=32), "f16": tiny("llama", 1, 1, ff=32, small=1), "q4_0_4": tiny("llama", 2, 1, ff=32)}
large = {"f32": tiny("llama", 0, 1, ff=32, small=0), "q4_k": tiny("llama", 12, 1, d=256, ff=32)}
rows = {"command_quant": 20, "command_convert": 8, "command_run": 8, "command_profile": 6, "command_eval": 7}
for target, n in rows.items():
    for i in range(n):
        name = list(models)[i % len(models)]
        save(target, f"{i:02}_{name}", bytes([i]) + models[name])
    for i, name in enumerate(large if target in ("command_quant", "command_convert") else []):
        save(target, f"{i + 1:02}_{name}", bytes([i + 1]) + large[name])
mark = "@" * 64
calibration = (b"ab abc a ab abc abab cab a b c abc ab a abc ab ab a c b a abc abc ab ab a b c ab a\n"
               b"the cat sat on the mat and the dog ran after a ball of red wool that fell down\n")  # fuzz_text of command.h
for name, arguments in (("plain", ["--type", "Q8_0", "--no-calib"]), ("text", ["--type", "Q4_K_M", "--calib", "text", "--calib-tokens", "64"]),
                        ("budget", ["--bpw", "6", "--types", "Q4_0,Q8_0", "--calib-tokens", "16"])):
    inputs = [{"option": "--calib", "path": "text", "sha256": hashlib.sha256(calibration).hexdigest()}] if name == "text" else []
    m = {"precis": "manifest", "version": 1, "program": "0.1.0", "arguments": arguments, "inputs": inputs, "seed": 0,
         "model": {"path": "m.gguf", "tensors_sha256": mark}, "output": {"bytes": 1, "sha256": "0"}}
    save("command_replay", name, json.dumps(m).encode() + b"\0" + models["f16" if name == "plain" else "q4_0"])

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests"))
import onnx_files, pt2_files

for name, data in onnx_files.good():
    save("onnx", name, data)
for name, data, _, _ in onnx_files.hostile():
    save("onnx", "bad_" + name, data)
for name, data in pt2_files.good():
    save("pt2", name, data)
for name, data, _, _ in pt2_files.hostile():
    if len(data) < 65536:
        save("pt2", "bad_" + name, data)
for name, data in (("f4", onnx_files.npy([1, 2, 3, 4, 5, 6], (2, 3))), ("fortran", onnx_files.npy([1, 2, 3, 4, 5, 6], (2, 3), ">i8", True, 2)), ("scalar", onnx_files.npy([1], (), "|b1", False, 3))):
    save("npy", name, data)

# Archives of arrays, and images: a PNG by hand, a JPEG of 10 x 7 pixels as text.
import base64, io, zipfile, zlib


def npz(arrays, how):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as z:
        for name, values, shape in arrays:
            z.writestr(zipfile.ZipInfo(name + ".npy"), onnx_files.npy(values, shape), how)
    return out.getvalue()


for name, how in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
    save("npz", name, npz([("x", list(range(6)), (2, 3)), ("y", [7], ())], how))


def png(kind, depth, rows, extra=b""):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 5, len(rows), depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + chunk(b"IEND", b"")


for name, kind, depth, width in (("grey", 0, 8, 5), ("rgb", 2, 8, 15), ("rgba16", 6, 16, 40), ("bits", 0, 1, 1)):
    save("image", name, png(kind, depth, [bytes((7 * x + 50 * y) % 256 for x in range(width)) for y in range(4)]))
save("image", "jpeg", base64.b85decode(
    "|JeWF01!$>Nk#wx0RR9200961|JwjV01XKW3knDg3knMk4h;_zAQcl55)&sJ9v2`kDKRiEDJ?8BI!Zn>HbyrrEkIX6ModmpQ&KWM"
    "T47pHU`kO^PygEhLjevB4iga*CKVMXPc<zyPft%zPft%zPft%zPft%zPft%zPft%zPft%zPft%zPft%zPft%zPft%zPft%zPf!2A"
    "01*fP2LK8K0U`hb5di}c0sq7R9{>OW1pxs80RaI300000000010s{mE1_uZU3Jd?l0JRVR0s#X90t5pE1q1{D00Dgg0s{a95d{(<"
    "F+m0sQDFxnaTGFvk)a49Lb1UWQqk}vGh%Xr2?`b$7#SKRCMPH<Dl|1VH#j*uLqtVJM@UIZQ&d$}S6EqEV`OD!XJ~0^b98lfcX)Yv"
    "gM@{Khlq)al9QB`mY0~BnxdnmrKYE-sj9NGw6(UkxVgH*!^FkL$H>Xb($mz{*4NnC+Tr5k<mKk)=;`Y5^7Hid_V@Vt`v1fL9{~UZ"
    "0RaI40RaI40RR91000010s{mE1_uZU3Jd?l0JRYS0s#U91Oo&I1q1{D0Rndb0RjUN1O*{61`<J02Vrp&A~Jyp6he`qvB3!=Gg9ys"
    "Vsg<679=#`CGi&+85$-hC@Cs6Ha9pqIzvQ7Mn_0VN>fx-R##YAT4Q8oW@l(=YIAgTc6WGrdV+(5g@%WSiHeewl$Dm3n3<ZQqok##"
    "r>Lo_va__cwzs&sy28W6#m2|T$;#5x)YaD4*xB0R<K*S$=jiF`^7Hid_V@Vt`v2Mh3<CiG0ucid06zd<v?NH7X{x1MW6b-fws!hp"
    "cOyLUj<m(nB`OGD208^?QAKm(Ys(1;N*cLd?dtTfu})ZO(xFAT#x~nV^y>Pb|Je"))
