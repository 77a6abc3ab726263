"""A llama of random weights in F16: what the benches that use it measure is how many bytes lie where.

usage: random_llama.py FILE [LAYERS [ternary]]     (writes it where it is not there)

ternary: weights are -0.02, 0 and 0.02, as models have them that were trained so; TQ1_0 and TQ2_0 hold those exactly.
"""
import os, sys
import gguf, numpy as np


def write(path, layers=22, vocab=32000, ternary=False):
    """TinyLlama's shape, by default all of it."""
    w, rng = gguf.GGUFWriter(path + ".new", "llama"), np.random.default_rng(1)
    dim, hidden, heads, kv = 2048, 5632, 32, 4
    w.add_block_count(layers), w.add_context_length(2048), w.add_embedding_length(dim), w.add_feed_forward_length(hidden)
    w.add_head_count(heads), w.add_head_count_kv(kv), w.add_layer_norm_rms_eps(1e-5), w.add_rope_dimension_count(64), w.add_vocab_size(vocab)
    w.add_tokenizer_model("llama"), w.add_token_list(["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)] + [f"w{i}" for i in range(vocab - 259)])
    w.add_token_scores([0.0] * vocab), w.add_token_types([2, 3, 3] + [6] * 256 + [1] * (vocab - 259))
    base = (rng.standard_normal(1 << 20) * 0.02).astype(np.float16)
    if ternary:
        base = (rng.integers(-1, 2, 1 << 20) * 0.02).astype(np.float16)

    def t(name, *shape):
        w.add_tensor(name, np.resize(np.roll(base, int(rng.integers(1 << 20))), shape) if len(shape) > 1 else np.ones(shape, np.float32))

    t("token_embd.weight", vocab, dim), t("output_norm.weight", dim), t("output.weight", vocab, dim)
    for i in range(layers):
        b = f"blk.{i}."
        t(b + "attn_norm.weight", dim), t(b + "ffn_norm.weight", dim), t(b + "attn_q.weight", dim, dim), t(b + "attn_k.weight", kv * 64, dim)
        t(b + "attn_v.weight", kv * 64, dim), t(b + "attn_output.weight", dim, dim), t(b + "ffn_gate.weight", hidden, dim)
        t(b + "ffn_up.weight", hidden, dim), t(b + "ffn_down.weight", dim, hidden)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
    os.rename(path + ".new", path)


if __name__ == "__main__" and not os.path.exists(sys.argv[1]):
    write(sys.argv[1], *map(int, sys.argv[2:3]), ternary="ternary" in sys.argv[3:])
