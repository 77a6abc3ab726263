"""A model of some 70 kB with a tokenizer and a chat template, a low-rank adapter for it, texts, questions and a table
of runs: what run.py and unit.alloc work on."""

import math
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

ALIGN = 32
HERE = os.path.dirname(os.path.abspath(__file__))


def string(s):
    s = s.encode()
    return struct.pack("<Q", len(s)) + s


def value(v):
    """A GGUF value with its type in front."""
    if isinstance(v, bool):
        return struct.pack("<IB", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    kind = 8 if isinstance(v[0], str) else 5
    return struct.pack("<IIQ", 9, kind, len(v)) + b"".join(string(x) if kind == 8 else struct.pack("<i", x) for x in v)


def write_gguf(path, keys, tensors):
    """tensors: (name, shape with the row's length first, floats)."""
    head = struct.pack("<IIQQ", 0x46554747, 3, len(tensors), len(keys))
    for k, v in keys:
        head += string(k) + value(v)
    at, data = 0, b""
    for name, shape, x in tensors:
        head += (
            string(name)
            + struct.pack("<I", len(shape))
            + struct.pack(f"<{len(shape)}Q", *shape)
            + struct.pack("<IQ", 0, at)
        )
        raw = struct.pack(f"<{len(x)}f", *x)
        data += raw + b"\0" * (-len(raw) % ALIGN)
        at = len(data)
    with open(path, "wb") as f:
        f.write(head + b"\0" * (-len(head) % ALIGN) + data)


def bytes_as_characters():
    """GPT-2's printable character for each byte."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    beyond = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(beyond)) for b in range(256)]


TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def make_model(path, width=32, inner=64, seed=1):
    r = random.Random(seed)
    merges = ["t h", "th e", "i n", "a n", "Ġ the", "e r", "o n", "an d"]
    tokens = ["<|end|>", "<|im_start|>", "<|im_end|>"] + bytes_as_characters() + [m.replace(" ", "") for m in merges]
    keys = [
        ("general.architecture", "llama"),
        ("general.name", "tiny"),
        ("llama.block_count", 1),
        ("llama.embedding_length", width),
        ("llama.context_length", 64),
        ("llama.feed_forward_length", inner),
        ("llama.attention.head_count", 2),
        ("llama.attention.head_count_kv", 1),
        ("llama.attention.layer_norm_rms_epsilon", 1e-5),
        ("llama.rope.freq_base", 10000.0),
        ("llama.rope.dimension_count", width // 2),
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.pre", "smollm"),
        ("tokenizer.ggml.tokens", tokens),
        ("tokenizer.ggml.token_type", [3, 3, 3] + [1] * (len(tokens) - 3)),
        ("tokenizer.ggml.merges", merges),
        ("tokenizer.ggml.bos_token_id", 1),
        ("tokenizer.ggml.eos_token_id", 0),
        ("tokenizer.chat_template", TEMPLATE),
    ]

    def matrix(name, columns, rows):
        return name, (columns, rows), [r.gauss(0, 1 / math.sqrt(columns)) for _ in range(columns * rows)]

    def ones(name):
        return name, (width,), [1 + r.gauss(0, 0.1) for _ in range(width)]

    write_gguf(
        path,
        keys,
        [
            matrix("token_embd.weight", width, len(tokens)),
            ones("output_norm.weight"),
            ones("blk.0.attn_norm.weight"),
            matrix("blk.0.attn_q.weight", width, width),
            matrix("blk.0.attn_k.weight", width, width // 2),
            matrix("blk.0.attn_v.weight", width, width // 2),
            matrix("blk.0.attn_output.weight", width, width),
            ones("blk.0.ffn_norm.weight"),
            matrix("blk.0.ffn_gate.weight", width, inner),
            matrix("blk.0.ffn_up.weight", width, inner),
            matrix("blk.0.ffn_down.weight", inner, width),
        ],
    )


def make_adapter(path, width=32, rank=2):
    r = random.Random(5)
    keys = [
        ("general.architecture", "llama"),
        ("general.type", "adapter"),
        ("adapter.type", "lora"),
        ("adapter.lora.alpha", 4.0),
    ]
    write_gguf(
        path,
        keys,
        [
            ("blk.0.attn_q.weight.lora_a", (width, rank), [r.gauss(0, 0.1) for _ in range(width * rank)]),
            ("blk.0.attn_q.weight.lora_b", (rank, width), [r.gauss(0, 0.1) for _ in range(width * rank)]),
        ],
    )


def main(folder):
    make_model(folder + "/m.gguf")
    make_adapter(folder + "/lora.gguf")
    sentence = "The other one and the man in there, another thing on the stone; then a winter and an inn. "
    for name, n in (("t.txt", 6), ("other.txt", 4), ("short.txt", 1)):
        with open(f"{folder}/{name}", "w") as f:
            f.write((sentence * n)[: 40 if n == 1 else None])
    with open(folder + "/tasks.jsonl", "w") as f:
        for i in range(3):
            f.write('{"context": "on and %d is", "choices": [" an inn", " the stone"], "answer": %d}\n' % (i, i % 2))
    with open(folder + "/template.jinja", "w") as f:
        f.write(TEMPLATE)
    with open(folder + "/own.law", "w") as f:
        f.write(
            "law own\nparam A = 400 positive start 0 5\nparam alpha = 0.34 start 0.3\n"
            "param E = 1.7 positive start 0\nlet base = A / N^alpha + E\n"
        )
    with open(folder + "/train.json", "w") as f:
        f.write(
            '{"model": {"width": 32, "layers": 1, "heads": 2, "hidden": 32}, "steps": 3,\n'
            ' "data": {"text": ["t.txt", "other.txt"], "heldout": "t.txt", "context": 8, "batch": 2,\n'
            ' "heldout_tokens": 32},\n'
            ' "optimizer": {"lr": 0.01}, "quant": {"weights": "Q4_0", "from": 0.5}}\n'
        )
    with open(folder + "/formats.txt", "w") as f:
        f.write("bf16 16 1 8 7\nfp8 8 0.5 4 3\nint4 4 0.25\n")
    with open(folder + "/ladder.txt", "w") as f:
        f.write("int8 8 2.51\nint4 4 2.6\nint3 3 2.9\n")
    r = random.Random(3)
    with open(folder + "/runs.csv", "w") as f:
        f.write("N,D,loss,run\n")
        for i in range(24):
            n, d = 10 ** r.uniform(7, 9.5), 10 ** r.uniform(9, 11.5)
            f.write("%.6g,%.6g,%.6f,r%d\n" % (n, d, 1.7 + 400 / n**0.34 + 410 / d**0.28 + r.gauss(0, 0.002), i // 2))
    # nets of arrays: one of convolutions, and what it is calibrated and evaluated with
    made = tempfile.mkdtemp()
    subprocess.run([sys.executable, os.path.join(HERE, "../faults/nets_quant.py"), "make", made], check=True)
    for name in ("small.onnx", "calib.npy"):
        shutil.copy(os.path.join(made, name), folder)
    # one that a number decides, and an LSTM
    subprocess.run([sys.executable, os.path.join(HERE, "../cli/values.py"), made], check=True)
    subprocess.run([sys.executable, os.path.join(HERE, "../cli/c_recurrent.py"), os.path.join(made, "rec")], check=True)
    shutil.copy(os.path.join(made, "net.onnx"), os.path.join(folder, "rates.onnx"))
    shutil.copy(os.path.join(made, "x.npy"), os.path.join(folder, "rates.npy"))
    shutil.copy(os.path.join(made, "rate.npy"), folder)
    shutil.copy(os.path.join(made, "rec", "lstm_states.onnx"), os.path.join(folder, "lstm.onnx"))
    shutil.rmtree(made)


if __name__ == "__main__":
    main(sys.argv[1])
