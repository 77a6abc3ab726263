"""Small models of one layer that calibrate, evaluate and profile in milliseconds. Needs no package. usage: tiny_models.py OUT_FOLDER
m.gguf, split-00001-of-00002.gguf and its second part, hf/ (as transformers has it), hf8/ (a norm of 8 dimensions), five/ (a tensor of 5), scalar/ (one of none)."""
import json, os, struct, sys

out = sys.argv[1]
D, H, CTX = 32, 64, 64
TOKENS = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
V = len(TOKENS)


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def key(name, kind, value):
    pack = {2: "<H", 4: "<I", 5: "<i", 6: "<f"}
    b = text(name) + struct.pack("<I", kind)
    if kind == 8:
        return b + text(value)
    if kind == 9:
        item, values = value
        return b + struct.pack("<IQ", item, len(values)) + b"".join(text(v) if item == 8
                                                                    else struct.pack(pack[item], v) for v in values)
    return b + struct.pack(pack[kind], value)


def gguf(path, keys, tensors):
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys)
    data = b""
    for name, dims, blob in tensors:
        head += text(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d)
                                                                     for d in dims) + struct.pack("<IQ", 0, len(data))
        data += blob + bytes(-len(blob) % 32)
    open(f"{out}/{path}", "wb").write(head + bytes(-len(head) % 32) + data)


seed = 1


def weights(n):
    global seed
    x = []
    for _ in range(n):
        seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
        x.append((seed >> 8 & 0xFFFF) / 65536 - 0.5)
    return struct.pack(f"<{n}f", *x)


ones = lambda n: struct.pack(f"<{n}f", *[1.0] * n)
shapes = [("attn_q", "self_attn.q_proj", D, D), ("attn_k", "self_attn.k_proj", D, D // 2), ("attn_v",
        "self_attn.v_proj", D, D // 2), ("attn_output", "self_attn.o_proj", D, D),
          ("ffn_gate", "mlp.gate_proj", D, H), ("ffn_up", "mlp.up_proj", D, H), ("ffn_down", "mlp.down_proj", H, D)]
blobs = {name: weights(a * b) for name, _, a, b in shapes}
blobs["embed"], blobs["head"] = weights(D * V), weights(D * V)

keys = [key("general.architecture", 8, "llama"), key("llama.block_count", 4, 1), key("llama.embedding_length", 4, D),
        key("llama.context_length", 4, CTX),
        key("llama.attention.head_count", 4, 2), key("llama.attention.head_count_kv", 4,
                                                     1), key("llama.feed_forward_length", 4, H),
        key("llama.attention.layer_norm_rms_epsilon", 6, 1e-5), key("tokenizer.ggml.model", 8,
                                                                    "llama"), key("tokenizer.ggml.tokens", 9, (8,
                TOKENS)),
        key("tokenizer.ggml.scores", 9, (6, [0.0] * V)), key("tokenizer.ggml.token_type", 9, (5, [2, 3,
                3] + [6] * 256))]
tensors = [("token_embd.weight", (D, V), blobs["embed"]), ("output.weight", (D, V), blobs["head"]),
           ("output_norm.weight", (D,), ones(D)), ("blk.0.attn_norm.weight", (D,), ones(D)),
           ("blk.0.ffn_norm.weight", (D,), ones(D))] + [(f"blk.0.{n}.weight", (a, b), blobs[n]) for n, _, a,
                                                        b in shapes]
gguf("m.gguf", keys, tensors)
split = lambda i: [key("split.no", 2, i), key("split.count", 2, 2), key("split.tensors.count", 5, len(tensors))]
gguf("split-00001-of-00002.gguf", keys + split(0), tensors[:6])
gguf("split-00002-of-00002.gguf", split(1), tensors[6:])


def folder(name, norm=(D,), more=(), kind="llama"):
    os.makedirs(f"{out}/{name}", exist_ok=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": kind, "hidden_size": D, "intermediate_size": H,
               "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
              "vocab_size": V, "max_position_embeddings": CTX, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False, "hidden_act": "silu", "torch_dtype": "float32"}
    json.dump(config, open(f"{out}/{name}/config.json", "w"))
    json.dump({"eos_token_id": 2}, open(f"{out}/{name}/generation_config.json", "w"))
    json.dump({"model_max_length": CTX}, open(f"{out}/{name}/tokenizer_config.json", "w"))
    vocab = {t: i for i, t in enumerate(["<a>"] + [chr(0x100 + i) if i < 33 or 127 <= i < 161 or i == 173
                                                   else chr(i) for i in range(256)])}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "byte_fallback": False, "vocab": vocab, "merges": []}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    json.dump({"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": level, "decoder": level,
                "model": model}, open(f"{out}/{name}/tokenizer.json", "w"))
    all = [("model.embed_tokens.weight", (V, D), blobs["embed"]), ("lm_head.weight", (V, D), blobs["head"]),
           ("model.norm.weight", (D,), ones(D)),
           ("model.layers.0.input_layernorm.weight", (D,), ones(D)), ("model.layers.0.post_attention_layernorm.weight",
                                                                      norm, ones(D))]
    all += [(f"model.layers.0.{hf}.weight", (b, a), blobs[n]) for n, hf, a, b in shapes] + list(more)
    head, data = {}, b""
    for n, shape, blob in all:
        head[n] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(blob)]}
        data += blob
    h = json.dumps(head).encode()
    h += b" " * (-len(h) % 8)
    open(f"{out}/{name}/model.safetensors", "wb").write(struct.pack("<Q", len(h)) + h + data)


folder("hf")
folder("hf8", (D, 1, 1, 1, 1, 1, 1, 1))
five = [("visual.patch_embed.proj.weight", (4, 3, 2, 2, 2), weights(96)), ("visual.norm", (D, 1, 1, 1, 1, 1, 1, 1), ones(D))]
folder("five", more=five)
folder("unknown5", more=five, kind="of_pictures")
folder("scalar", more=[("model.layers.0.self_attn.k_scale", (), ones(1))], kind="of_pictures")
with open(f"{out}/tasks.jsonl", "w") as f:
    for i in range(3):
        f.write(json.dumps({"context": f"{i} and", "choices": [" one", " two"], "answer": i % 2}) + "\n")
open(f"{out}/calib.txt", "w").write("".join(f"{i} is a number. " for i in range(60)))
