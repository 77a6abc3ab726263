"""precis against compressed-tensors (and the published layouts of GPTQ and AWQ): quantized checkpoints read and written.

usage: quantized_peer.py PRECIS
"""
import json, os, shutil, sys

os.environ["TORCHDYNAMO_DISABLE"] = "1"
from torch_common import IDS, check, failures, nll_of, out, precis, run
import numpy as np, torch, transformers as T
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme, QuantizationStatus, apply_quantization_config
from safetensors.torch import load_file, save_file


def tensor(model, name, shape):
    raw = os.path.join(out, "t.raw")
    r = run("inspect", model, "--tensor", name, "-o", raw)
    if r.returncode:
        raise RuntimeError(r.stderr)
    return np.fromfile(raw, dtype=np.float32).reshape(shape)


base = dict(vocab_size=300, hidden_size=256, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=64, intermediate_size=384, max_position_embeddings=128, bos_token_id=1, eos_token_id=2,
            tie_word_embeddings=False)


def model(cls=T.Qwen2Config, dtype=torch.bfloat16, **more):
    torch.manual_seed(0)
    m = T.AutoModelForCausalLM.from_config(cls(**{k: v for k, v in (base | more).items() if k != "head_dim" or cls is not T.Qwen2Config})).to(dtype).eval()
    for n, w in m.named_parameters():
        w.data.copy_(torch.randn_like(w) * (0.05 if "embed" in n else 0.1 if w.dim() == 1 else w.shape[-1] ** -0.5) + (1 if "norm" in n else 0))
    return m


W = lambda **k: QuantizationArgs(**k)
def frozen(m, weights, inputs=None):
    """Scales by the layout's own rules; what each module's weights then are."""
    from compressed_tensors.quantization.lifecycle.forward import fake_quantize

    config = QuantizationConfig(config_groups={"group_0": QuantizationScheme(targets=["Linear"], weights=weights, input_activations=inputs)}, ignore=["lm_head", "re:.*mlp.gate$"], quantization_status="frozen")
    apply_quantization_config(m, config)
    want = {}
    for n, mod in m.named_modules():
        if not hasattr(mod, "quantization_scheme"):
            continue
        w = mod.weight.data.float()
        g = weights.group_size or w.shape[1]
        if weights.strategy == "tensor":
            g = w.shape[1]
        x = w.reshape(w.shape[0], -1, g)
        top = x.abs().amax() if weights.strategy == "tensor" else x.abs().amax(-1)
        if weights.type == "float" and weights.num_bits == 4:
            glob = (448.0 * 6.0 / w.abs().max()).reshape(1)
            mod.weight_global_scale.data = glob
            mod.weight_scale.data = (glob * top / 6.0).to(torch.float8_e4m3fn).to(mod.weight_scale.dtype)
            if hasattr(mod, "input_global_scale"):
                mod.input_global_scale.data = torch.tensor([448.0 * 6.0 / 4.0])
        elif weights.symmetric:
            limit = (2 ** (weights.num_bits - 1) - 1) + 0.5 if weights.type == "int" else 448.0
            mod.weight_scale.data = (top / limit).reshape(mod.weight_scale.shape).bfloat16().to(mod.weight_scale.dtype)
        else:
            lo, hi = x.amin(-1).clamp(max=0), x.amax(-1).clamp(min=0)
            s = (hi - lo) / (2**weights.num_bits - 1)
            mod.weight_scale.data = s.bfloat16().to(mod.weight_scale.dtype)
            mod.weight_zero_point.data = (-(2 ** (weights.num_bits - 1)) - lo / s).round().clamp(-(2 ** (weights.num_bits - 1)), 2 ** (weights.num_bits - 1) - 1).to(mod.weight_zero_point.dtype)
        if hasattr(mod, "input_scale") and inputs and not inputs.dynamic:
            mod.input_scale.data = torch.full_like(mod.input_scale.data, 5.0 / 448.0 * (1 + len(want) % 3))
        want[n] = fake_quantize(x=w, scale=mod.weight_scale.data.float(), zero_point=getattr(mod, "weight_zero_point", None), args=weights, global_scale=getattr(mod, "weight_global_scale", None)).float().numpy()
    return want


schemes = {
    "W4A16 group 128": W(num_bits=4, type="int", symmetric=True, strategy="group", group_size=128),
    "W4A16 asymmetric, group 32": W(num_bits=4, type="int", symmetric=False, strategy="group", group_size=32),
    "W8A16 channel": W(num_bits=8, type="int", symmetric=True, strategy="channel"),
    "W3A16 group 64": W(num_bits=3, type="int", symmetric=True, strategy="group", group_size=64),
    "W2A16 group 64": W(num_bits=2, type="int", symmetric=True, strategy="group", group_size=64),
    "W8A8 int": (W(num_bits=8, type="int", symmetric=True, strategy="channel"), W(num_bits=8, type="int", symmetric=True, strategy="token", dynamic=True)),
    "FP8 dynamic": (W(num_bits=8, type="float", symmetric=True, strategy="channel"), W(num_bits=8, type="float", symmetric=True, strategy="token", dynamic=True)),
    "FP8 tensor": W(num_bits=8, type="float", symmetric=True, strategy="tensor"),
    "NVFP4A16": W(num_bits=4, type="float", symmetric=True, strategy="tensor_group", group_size=16, scale_dtype=torch.float8_e4m3fn, zp_dtype=torch.float8_e4m3fn),
}
for name, args in schemes.items():
    weights, inputs = args if isinstance(args, tuple) else (args, None)
    try:
        m = model(dtype=torch.float32)
        want = frozen(m, weights, inputs)
        d = os.path.join(out, "ct")
        shutil.rmtree(d, ignore_errors=True)
        compressor = ModelCompressor.from_pretrained_model(m)
        compressor.compress_model(m)
        m.save_pretrained(d)
        compressor.update_config(d)
        kinds = {t["name"]: t["type"] for t in precis("inspect", d)["tensors"]}
        worst, types = 0.0, set()
        for n, w in want.items():
            got = tensor(d, n + ".weight", w.shape)
            scale = tensor(d, n + ".scale", (1,))[0] if kinds[n + ".weight"] == "NVFP4" else 1.0
            worst, types = max(worst, float(np.abs(got * scale - w).max() / np.abs(w).max())), types | {kinds[n + ".weight"]}
        check(f"compressed-tensors, {name}", worst < 2e-6, f"{len(want)} modules read as {' '.join(sorted(types))}; largest difference {worst:.2g} of the largest weight")
        nll = precis("eval", d, "--ids", ",".join(map(str, IDS)), "--nll", "--weights-only")["nll"]
        back = os.path.join(out, "back")
        shutil.rmtree(back, ignore_errors=True)
        report = precis("convert", d, "-o", back, "--format", "safetensors")["tensors"]
        again = precis("eval", back, "--ids", ",".join(map(str, IDS)), "--nll", "--weights-only")["nll"]
        peer = T.AutoModelForCausalLM.from_pretrained(back, dtype=torch.float32, quantization_config=T.CompressedTensorsConfig(dequantize=True) if hasattr(T, "CompressedTensorsConfig") else None).eval()
        with torch.no_grad():
            theirs = nll_of(peer(torch.tensor([IDS])).logits[0])
        check(f"compressed-tensors, {name}, written", all(t["exact"] for t in report) and np.abs(np.array(again) - nll).max() < 1e-5 and np.abs(theirs - np.array(nll)).max() < 0.02,
              f"reads back the same ({np.abs(np.array(again) - nll).max():.2g}); transformers on it, which multiplies in the scales' own type: nll differs by {np.abs(theirs - np.array(nll)).max():.2g}")
    except Exception as e:
        check(f"compressed-tensors, {name}", False, f"{type(e).__name__}: {str(e)[:400]}")


# ---- experts: each its own modules on disk, one tensor here ---------------------------------------------------------
class Tree(torch.nn.Module):
    """Linear modules by their names in the file; transformers keeps experts in one parameter, which the package does not see."""

    def __init__(self, tensors):
        super().__init__()
        self.other = {}
        for n, w in tensors.items():
            parts, at = n.split("."), self
            if w.dim() != 2 or "embed" in n:
                self.other[n] = w
                continue
            for x in parts[:-2]:
                if not hasattr(at, x):
                    at.add_module(x, torch.nn.Module())
                at = getattr(at, x)
            lin = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
            lin.weight.data = w.float()
            at.add_module(parts[-2], lin)


moe = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=128, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[])
for name in ("W4A16 group 128", "W8A8 int", "FP8 dynamic", "FP8 tensor", "FP8 static", "NVFP4A16", "NVFP4"):
    try:
        weights, inputs = schemes[name] if isinstance(schemes.get(name), tuple) else (schemes.get(name, schemes["NVFP4A16"]), None)
        if name == "FP8 static":
            weights, inputs = schemes["FP8 tensor"], W(num_bits=8, type="float", symmetric=True, strategy="tensor", dynamic=False)
        if name == "NVFP4":
            inputs = W(num_bits=4, type="float", symmetric=True, strategy="tensor_group", group_size=16, dynamic="local", scale_dtype=torch.float8_e4m3fn, zp_dtype=torch.float8_e4m3fn)
        torch.manual_seed(0)
        m = T.AutoModelForCausalLM.from_config(T.Qwen3MoeConfig(**base, **moe)).float().eval()
        for n, w in m.named_parameters():
            w.data.copy_(torch.randn_like(w) * (0.05 if "embed" in n else 0.1 if w.dim() == 1 else w.shape[-1] ** -0.5) + (1 if "norm" in n else 0))
        plain, d = os.path.join(out, "moe-plain"), os.path.join(out, "moe")
        for x in (plain, d):
            shutil.rmtree(x, ignore_errors=True)
        m.save_pretrained(plain)
        t = load_file(os.path.join(plain, "model.safetensors"))
        tree = Tree(t)
        want = frozen(tree, weights, inputs)
        compressor = ModelCompressor.from_pretrained_model(tree)
        compressor.compress_model(tree)
        os.mkdir(d)
        shutil.copy(os.path.join(plain, "config.json"), d)
        save_file({k: v.contiguous() for k, v in (tree.state_dict() | tree.other).items()}, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})
        compressor.update_config(d)
        save_file(t | {n + ".weight": torch.from_numpy(w) for n, w in want.items()}, os.path.join(plain, "model.safetensors"), metadata={"format": "pt"})
        i = ",".join(map(str, IDS))
        nll = {k: precis("eval", x, "--ids", i, "--nll", "--weights-only")["nll"] for k, x in (("ours", d), ("plain", plain))}
        far = np.abs(np.subtract(*nll.values())).max()
        kinds = sorted({x["type"] for x in precis("inspect", d)["tensors"] if "_exps.weight" in x["name"]})
        back, g = os.path.join(out, "back"), os.path.join(out, "back.gguf")
        shutil.rmtree(back, ignore_errors=True)
        exact = [x["exact"] for fmt, o in (("safetensors", back), ("gguf", g)) for x in precis("convert", d, "-o", o, "--format", fmt)["tensors"]]
        again = [np.abs(np.subtract(precis("eval", o, "--ids", i, "--nll", "--weights-only")["nll"], nll["ours"])).max() for o in (back, g)]
        emulated = [precis("eval", o, "--ids", i, "--nll", "--emulate")["nll"] for o in (d, back)] if inputs else [[0], [0]]
        check(f"experts, {name}", far < 1e-4 and again[0] < 1e-5 and (again[1] < 1e-5 or not all(exact)) and np.abs(np.subtract(*emulated)).max() < 1e-5 and np.isfinite(emulated[0]).all(), f"read as {' '.join(kinds)}; nll differs by {far:.2g} from the package's weights; written as safetensors and read again {again[0]:.2g}, GGUF {again[1]:.2g}; {sum(exact)} of {len(exact)} tensors exact")
    except Exception as e:
        check(f"experts, {name}", False, f"{type(e).__name__}: {str(e)[:600]}")

for kind, fmt in (("INT4_G128", "gptq"), ("UINT4_G64", "awq")):
    try:
        q, d = os.path.join(out, "q.precis.gguf"), os.path.join(out, fmt)
        shutil.rmtree(d, ignore_errors=True)
        precis("quant", os.path.join(out, "moe-plain"), "--type", f"output.weight=F16,token_embd.weight=F16,blk.*.ffn_gate_inp.weight=F16,*={kind}", "-o", q, "--no-eval", "--no-calib")
        report = precis("convert", q, "-o", d, "--format", fmt)["tensors"]
        t = load_file(os.path.join(d, "model.safetensors"))
        modules = sum("experts" in k and k.endswith(".qweight") for k in t)
        same = np.abs(np.subtract(*(precis("eval", x, "--ids", ",".join(map(str, IDS)), "--nll", "--weights-only")["nll"] for x in (q, d)))).max()
        check(f"experts, {fmt} from {kind}", modules == 2 * 4 * 3 and same < 1e-6 and all(x["exact"] for x in report if "_exps" in x["name"]), f"{modules} modules; nll differs by {same:.2g}")
    except Exception as e:
        check(f"experts, {fmt} from {kind}", False, f"{type(e).__name__}: {str(e)[:600]}")


# ---- BitNet: transformers packs it and runs it -------------------------------------------------------------------------
for kind in ("autobitlinear", "bitlinear"):
    try:
        from transformers.integrations.bitnet import pack_weights

        d = os.path.join(out, "bitnet")
        shutil.rmtree(d, ignore_errors=True)
        m = model(T.BitNetConfig, torch.float32, intermediate_size=512)  # whole blocks of TQ2_0
        t = {}
        for n, w in m.state_dict().items():
            if n.endswith("_proj.weight"):
                s = w.abs().mean()
                t[n] = pack_weights((w / s).round().clamp(-1, 1))
                t[n + "_scale"] = (s if kind == "autobitlinear" else 1 / s).reshape(1).bfloat16()
            else:
                t[n] = w.clone()
        m.config.save_pretrained(d)
        save_file(t, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})
        c = json.load(open(os.path.join(d, "config.json")))
        c["quantization_config"] = {"quant_method": "bitnet", "linear_class": kind, "quantization_mode": "offline", "modules_to_not_convert": ["lm_head"]}
        json.dump(c, open(os.path.join(d, "config.json"), "w"))
        peer = T.AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32).eval()
        with torch.no_grad():
            theirs = nll_of(peer(torch.tensor([IDS])).logits[0])
        far = np.abs(theirs - precis("eval", d, "--ids", ",".join(map(str, IDS)), "--nll", "--emulate")["nll"])
        alike = int(np.argmax(np.append(far, 1) > 1e-5))  # until an activation lies on the edge of two codes, and falls to the other side
        types = {t["type"] for t in precis("inspect", d)["tensors"] if "_proj" in t["name"]}
        g = os.path.join(out, "bitnet.gguf")
        report = precis("convert", d, "-o", g)["tensors"]
        exact = all(x["exact"] for x in report)
        moved = np.abs(np.subtract(*(precis("eval", x, "--ids", "3,4,5", "--nll", "--emulate")["nll"] for x in (g, d)))).max()
        check(f"bitnet, {kind}", alike >= 10 and far.max() < 0.05 and types == {"TERNARY"} and moved <= (0 if exact else 0.05) and {x["to"] for x in report if x["from"] == "TERNARY"} <= {"TQ2_0", "F16"} and (exact or kind == "bitlinear"), f"read as {' '.join(types)}; transformers' nll differs by {far[:alike].max():.2g} for {alike} tokens, by {far.max():.2g} once an activation falls to another code; in GGUF {sum(x['exact'] for x in report)} of {len(report)} tensors exact (a scale that divides is none in F16; nll moves by {moved:.2g}), {sum(x['to'] == 'TQ2_0' for x in report)} as TQ2_0")
        n = "model.layers.0.self_attn.q_proj.weight"
        t[n] = torch.full_like(t[n], 255)
        save_file(t, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})
        r = run("inspect", d)
        check(f"bitnet, {kind}, a code of 3", r.returncode == 3 and "q_proj" in r.stderr, r.stderr.strip())
    except Exception as e:
        check(f"bitnet, {kind}", False, f"{type(e).__name__}: {str(e)[:400]}")


# ---- layouts of the same names that are packed otherwise ---------------------------------------------------------------
plain = os.path.join(out, "plain")
model(dtype=torch.float32).save_pretrained(plain)
c = json.load(open(os.path.join(plain, "config.json")))
for q, word in (({"quant_method": "awq", "bits": 4, "version": "gemv"}, "gemv"), ({"quant_method": "awq", "bits": 8, "version": "gemm"}, "8 bits"), ({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}, "marlin"),
                ({"quant_method": "compressed-tensors", "format": "marlin-24"}, "marlin-24"), ({"quant_method": "compressed-tensors", "format": "dense", "sparsity_config": {"format": "sparse-24-bitmask"}}, "sparse-24-bitmask"),
                ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes")):
    json.dump(c | {"quantization_config": q}, open(os.path.join(plain, "config.json"), "w"))
    r = run("inspect", plain)
    check(f"{word}, refused", r.returncode == 3 and word in r.stderr, r.stderr.strip())

# ---- GPTQ and AWQ: the layouts as their papers' code publishes them, decoded here by numpy -------------------------
def gptq_decode(q, z, s, g, bits, v1):
    n_in, n_out = q.shape[0] * 32 // bits, q.shape[1]
    stream = np.unpackbits(q.view(np.uint8).reshape(q.shape[0], n_out, 4), axis=2, bitorder="little").transpose(1, 0, 2).reshape(n_out, -1)
    codes = (stream.reshape(n_out, n_in, bits) << np.arange(bits)).sum(-1)
    zs = (np.unpackbits(z.view(np.uint8), axis=1, bitorder="little").reshape(z.shape[0], n_out, bits) << np.arange(bits)).sum(-1) + v1
    return s.T.astype(np.float32)[:, g] * (codes - zs.T[:, g]).astype(np.float32)


def awq_decode(q, z, s, group):
    order = np.array([0, 4, 1, 5, 2, 6, 3, 7]) * 4
    codes = (q[:, :, None] >> order & 15).reshape(q.shape[0], -1)
    zs = (z[:, :, None] >> order & 15).reshape(z.shape[0], -1)
    g = np.arange(q.shape[0]) // group
    return (s.astype(np.float32)[g] * (codes - zs[g]).astype(np.float32)).T


plain = os.path.join(out, "plain")
model(dtype=torch.float32).save_pretrained(plain)
for kind, fmt in (("INT4_G128", "gptq"), ("UINT4_G64", "gptq"), ("INT8_G32", "gptq"), ("INT2_G64", "gptq"), ("Q4_0", "gptq"), ("UINT4_G128", "awq"), ("INT4_G32", "awq")):
    try:
        q, d = os.path.join(out, "q.precis.gguf"), os.path.join(out, fmt)
        shutil.rmtree(d, ignore_errors=True)
        precis("quant", plain, "--type", f"output.weight=F16,token_embd.weight=F16,*={kind}", "-o", q, "--no-eval", "--no-calib")
        report = precis("convert", q, "-o", d, "--format", fmt)["tensors"]
        t = {k: v.numpy() for k, v in load_file(os.path.join(d, "model.safetensors")).items()}
        c = json.load(open(os.path.join(d, "config.json")))["quantization_config"]
        worst = 0.0
        for n in [k[:-8] for k in t if k.endswith(".qweight")]:
            got = tensor(d, n + ".weight", (t[n + ".scales"].shape[1], -1))
            group = c["group_size"] if c["group_size"] > 0 else got.shape[1]
            want = gptq_decode(t[n + ".qweight"], t[n + ".qzeros"], t[n + ".scales"], t[n + ".g_idx"], c["bits"], 1) if fmt == "gptq" else awq_decode(t[n + ".qweight"], t[n + ".qzeros"], t[n + ".scales"], group)
            worst = max(worst, float(np.abs(want - got).max()))
        i = ",".join(map(str, IDS))
        same = np.abs(np.array(precis("eval", q, "--ids", i, "--nll", "--weights-only")["nll"]) - precis("eval", d, "--ids", i, "--nll", "--weights-only")["nll"]).max()
        check(f"{fmt} from {kind}", worst < 1e-7 and same < 1e-6, f"numpy's reading differs by {worst:.2g}; nll by {same:.2g}; {sum(x['exact'] for x in report)} of {len(report)} tensors exact")
        if kind == "INT4_G128":  # act-order: the same weights with inputs in another order of groups
            perm = np.random.default_rng(1).permutation(256)
            n = "model.layers.0.self_attn.q_proj"
            t2 = {k: torch.from_numpy(v.copy()) for k, v in t.items()}
            t2[n + ".g_idx"] = torch.from_numpy(t[n + ".g_idx"][perm].copy())
            save_file(t2, os.path.join(d, "model.safetensors"))
            got = tensor(d, n + ".weight", (256, 256))
            want = gptq_decode(t[n + ".qweight"], t[n + ".qzeros"], t[n + ".scales"], t[n + ".g_idx"][perm], 4, 1)
            check("gptq with act-order", float(np.abs(got - want).max()) < 1e-7, f"differs by {np.abs(got - want).max():.2g}")
            for what, key, value in (("g_idx", ".g_idx", 99), ("zero point", ".qzeros", -1)):
                bad = {k: v.clone() for k, v in t2.items()}
                bad[n + key].view(-1)[0] = value
                save_file(bad, os.path.join(d, "model.safetensors"))
                r = run("inspect", d)
                check(f"gptq, {what} out of range", r.returncode == 3 and n in r.stderr, r.stderr.strip())
    except Exception as e:
        check(f"{fmt} from {kind}", False, f"{type(e).__name__}: {str(e)[:400]}")
sys.exit(bool(failures))
