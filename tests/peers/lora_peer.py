"""precis against peft: low-rank adapters beside the weights and merged into them.

usage: lora_peer.py PRECIS [--llama PYTHON_WITH_LLAMA_CPP]
"""
import os, shutil, sys

from torch_common import IDS, TEXT, check, failures, nll_of, out, precis, run
import numpy as np, torch, transformers as T
from peft import LoraConfig, get_peft_model


def score(*args):
    return np.array(precis("eval", args[0], "--ids", TEXT, "--nll", "--weights-only", *args[1:])["nll"])


def nll(m):
    with torch.no_grad():
        return nll_of(m(torch.tensor([IDS])).logits[0])


base = dict(vocab_size=300, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)
linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
cases = {
    "llama, all linear": (T.LlamaConfig(**base), dict(r=8, lora_alpha=16, target_modules=linear)),
    "llama, q and v": (T.LlamaConfig(**base), dict(r=4, lora_alpha=12, target_modules=["q_proj", "v_proj"])),
    "llama, rank-stabilized": (T.LlamaConfig(**base), dict(r=8, lora_alpha=16, use_rslora=True, target_modules=linear)),
    "llama, patterns of rank and alpha": (T.LlamaConfig(**base), dict(r=8, lora_alpha=16, target_modules=linear, rank_pattern={"q_proj": 3, "layers.1.mlp.up_proj": 5}, alpha_pattern={"v_proj": 40})),
    "llama, embedding and head": (T.LlamaConfig(**base), dict(r=4, lora_alpha=8, target_modules=["q_proj", "embed_tokens", "lm_head"])),
    "qwen2": (T.Qwen2Config(**base), dict(r=8, lora_alpha=16, target_modules=linear)),
    "qwen3": (T.Qwen3Config(**base, head_dim=32), dict(r=8, lora_alpha=16, target_modules=linear)),
    "gemma2": (T.Gemma2Config(**base, head_dim=32, sliding_window=8, query_pre_attn_scalar=32), dict(r=8, lora_alpha=16, target_modules=linear)),
    "phi3": (T.Phi3Config(**base, original_max_position_embeddings=128), dict(r=8, lora_alpha=16, target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"])),
    "gpt2": (T.GPT2Config(vocab_size=300, n_positions=128, n_embd=64, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2), dict(r=8, lora_alpha=16, fan_in_fan_out=True, target_modules=["c_attn", "c_proj", "c_fc"])),
    "llama, DoRA": (T.LlamaConfig(**base), dict(r=8, lora_alpha=16, use_dora=True, target_modules=linear)),
    "llama, trained biases": (T.LlamaConfig(**base, attention_bias=True), dict(r=8, lora_alpha=16, bias="lora_only", target_modules=linear)),
    "llama, whole modules": (T.LlamaConfig(**base), dict(r=8, lora_alpha=16, target_modules=["q_proj"], modules_to_save=["lm_head"])),
}
REFUSED = {"llama, DoRA", "llama, trained biases", "llama, whole modules"}
for name, (config, lora) in cases.items():
    try:
        torch.manual_seed(0)
        m = T.AutoModelForCausalLM.from_config(config).float().eval()
        for n, w in m.named_parameters():
            w.data.copy_(torch.randn_like(w) * (0.05 if "embed" in n or "wte" in n or "wpe" in n else 0.1 if w.dim() == 1 else w.shape[-1] ** -0.5) + (1 if "norm" in n or "ln_" in n else 0))
        d, adapter, merged, g = (os.path.join(out, x) for x in ("model", "adapter", "merged", "model.gguf"))
        for x in (d, adapter, merged):
            shutil.rmtree(x, ignore_errors=True)
        m.save_pretrained(d)
        plain = nll(m)
        tuned = get_peft_model(m, LoraConfig(task_type="CAUSAL_LM", **lora)).eval()
        for n, w in tuned.named_parameters():
            if "lora_" in n:
                w.data.copy_(torch.randn_like(w) * 0.1)
            elif w.requires_grad:
                w.data.add_(torch.randn_like(w) * 0.1)
        want = nll(tuned)
        tuned.save_pretrained(adapter)
        if name in REFUSED:
            r = run("eval", d, "--ids", "3,4", "--lora", adapter)
            check(name, r.returncode == 3 and len(r.stderr) > 20, r.stderr.strip())
            continue
        beside, half = score(d, "--lora", adapter), score(d, "--lora", adapter + "=0")
        precis("convert", d, "-o", merged, "--format", "safetensors", "--lora", adapter)
        precis("convert", d, "-o", g, "--lora", adapter)
        ways = [np.abs(x - want).max() for x in (beside, score(merged), score(g))]
        again = T.AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
        ways.append(np.abs(nll(again) - want).max())
        check(name, max(ways) < 1e-4 and np.abs(half - plain).max() < 1e-5 and np.abs(want - plain).max() > 0.01,
              f"the adapter moves the nll by {np.abs(want - plain).max():.2g}; peft's differs by {ways[0]:.2g} beside, {ways[1]:.2g} merged into safetensors, {ways[2]:.2g} into GGUF, {ways[3]:.2g} there in transformers")
    except RuntimeError as e:
        check(name, False, str(e))
sys.exit(bool(failures))
