"""A llama of one layer as GGUF, changed: counts.py OUT [key=value|-key|+tensor=rows,cols|tensor*=factor|arch=name ...]."""
import random, struct, sys

W, H, KV, D, HIDDEN, VOCAB = 32, 4, 2, 8, 48, 64
keys = {"block_count": 1, "embedding_length": W, "context_length": 64, "attention.head_count": H, "attention.head_count_kv": KV,
        "feed_forward_length": HIDDEN}
tensors = {"token_embd.weight": (VOCAB, W), "output_norm.weight": (W,), "blk.0.attn_norm.weight": (W,), "blk.0.ffn_norm.weight": (W,),
           "blk.0.attn_q.weight": (H * D, W), "blk.0.attn_k.weight": (KV * D, W), "blk.0.attn_v.weight": (KV * D, W),
           "blk.0.attn_output.weight": (W, H * D), "blk.0.ffn_gate.weight": (HIDDEN, W), "blk.0.ffn_up.weight": (HIDDEN, W),
           "blk.0.ffn_down.weight": (W, HIDDEN)}
arch, factors = "llama", {}
for change in sys.argv[2:]:
    name, _, value = change.partition("=")
    if name == "arch":
        arch = value
    elif name[-1] == "*":
        factors[name[:-1]] = float(value)
    elif name[0] == "-":
        keys.pop(name[1:])
    elif name[0] == "+":
        tensors[name[1:]] = tuple(int(v) for v in value.split(","))
    else:
        keys[name] = int(value) if value.lstrip("-").isdigit() else float(value)


def text(s):
    s = s.encode()
    return struct.pack("<Q", len(s)) + s


def key(k, v):
    if isinstance(v, float):
        return text(f"{arch}.{k}") + struct.pack("<If", 6, v)
    if v < 1 << 32:
        return text(f"{arch}.{k}") + struct.pack("<II", 4, v)
    return text(f"{arch}.{k}") + struct.pack("<IQ", 10, v)


head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys) + 1)
head += text("general.architecture") + struct.pack("<I", 8) + text(arch) + b"".join(key(k, v) for k, v in keys.items())
data, at = b"", 0
r = random.Random(1)
for name, shape in tensors.items():
    n = 1
    for d in shape:
        n *= d
    head += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", d) for d in reversed(shape)) + struct.pack("<IQ", 0, len(data))
    norm = name.endswith("norm.weight")
    data += struct.pack(f"<{n}f", *((1.0 if norm else r.gauss(0, 0.1)) * factors.get(name, 1) for _ in range(n)))
    data += b"\0" * (-len(data) % 32)
open(sys.argv[1], "wb").write(head + b"\0" * (-len(head) % 32) + data)
