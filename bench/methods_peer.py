"""llm-compressor's GPTQ, AWQ and RTN on the CPU, evaluated by precis: the peer's row for bench/methods.py.
usage: methods_peer.py PRECIS MODEL_FOLDER TEXT CALIB CTX CHUNKS   (an environment with llmcompressor)"""
import json, os, subprocess, sys, tempfile, warnings

warnings.filterwarnings("ignore")
import torch, transformers as T
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import GPTQModifier, QuantizationModifier
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from tokenizers import Tokenizer

precis, model, text, calib, ctx, chunks = sys.argv[1:7]
ctx = int(ctx)
tok = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
ids = tok.encode(open(calib).read(), add_special_tokens=False).ids
windows = [ids[i : i + ctx] for i in range(0, len(ids) - ctx + 1, ctx)]
data = Dataset.from_dict({"input_ids": windows, "attention_mask": [[1] * ctx] * len(windows)})
rows = {}
for name in ("rtn", "gptq", "awq"):
    for bits in (4, 3, 2):
        scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(num_bits=bits, type="int", symmetric=False, strategy="group", group_size=64))
        kw = dict(config_groups={"g": scheme}, ignore=["lm_head"])
        try:
            if name == "awq":
                from llmcompressor.modifiers.awq import AWQModifier
                recipe = [AWQModifier(**kw)]
            else:
                recipe = [GPTQModifier(**kw) if name == "gptq" else QuantizationModifier(**kw)]
            m = T.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
            with tempfile.TemporaryDirectory() as d:
                oneshot(model=m, dataset=data if name != "rtn" else None, recipe=recipe, max_seq_length=ctx, num_calibration_samples=len(windows), output_dir=d)
                m.save_pretrained(d, save_compressed=True)
                for f in ("tokenizer.json",):
                    open(os.path.join(d, f), "w").write(open(os.path.join(model, f)).read())
                r = subprocess.run([precis, "eval", d, "--against", model, "--text", text, "--ctx", str(ctx), "--chunks", chunks, "--json", "-q"], capture_output=True, text=True)
                e = json.loads(r.stdout) if r.returncode == 0 else None
                rows.setdefault(name, []).append(f"{e['kld_mean']:.4f} ± {e['kld_se']:.4f}" if e else r.stderr.strip()[:90])
        except Exception as x:
            rows.setdefault(name, []).append(f"{type(x).__name__}: {str(x)[:90]}")
        print(name, bits, rows[name][-1], flush=True)
for name, row in rows.items():
    print(f"| llm-compressor, {name} | {' | '.join(row)} |")
