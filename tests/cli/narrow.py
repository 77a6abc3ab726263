"""A llama of one narrow layer as a folder of transformers, which is measured in a moment. usage: narrow.py FOLDER [loops]
[WIDTH INNER]. loops: whatever it reads, it says token 5. WIDTH, INNER: lengths of rows (64 and 96)."""
import json, os, random, struct, sys

folder, loops = sys.argv[1], "loops" in sys.argv[2:]
os.makedirs(folder)
sizes = [int(a) for a in sys.argv[2:] if a.isdigit()]
width, inner = sizes or (64, 96)
vocab = 64
shapes = {"model.embed_tokens.weight": [vocab, width], "model.norm.weight": [width], "lm_head.weight": [vocab, width]}
for name, shape in {"self_attn.q_proj": [width, width], "self_attn.k_proj": [width, width], "self_attn.v_proj": [width, width],
                    "self_attn.o_proj": [width, width], "mlp.gate_proj": [inner, width], "mlp.up_proj": [inner, width],
                    "mlp.down_proj": [width, inner]}.items():
    shapes[f"model.layers.0.{name}.weight"] = shape
for name in ("input_layernorm", "post_attention_layernorm"):
    shapes[f"model.layers.0.{name}.weight"] = [width]
random.seed(1)
head, at, data = {}, 0, b""
for name, shape in shapes.items():
    n = shape[0] * (shape[1] if len(shape) > 1 else 1)
    numbers = [1.0 if len(shape) == 1 else random.gauss(0, 0.2) for _ in range(n)]
    if loops and name == "model.embed_tokens.weight":
        numbers = [3.0 + x for x in numbers]  # all alike
    elif loops and name == "lm_head.weight":
        numbers = [x * 0.01 + (2.0 if i // width == 5 else 0.0) for i, x in enumerate(numbers)]
    part = struct.pack(f"<{n}f", *numbers)
    head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(part)]}
    data += part
    at += len(part)
text = json.dumps(head).encode()
with open(folder + "/model.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)
with open(folder + "/config.json", "w") as f:
    json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width, "intermediate_size": inner,
               "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": vocab,
               "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
               "tie_word_embeddings": False}, f)
