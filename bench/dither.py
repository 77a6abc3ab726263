"""An F16 copy of a quantized GGUF with seeded half-step dither: its weights no longer lie on the grid of the file that they came from, so methods can be
compared on it. usage: dither.py IN.gguf OUT.gguf [SEED]   (needs the gguf package: tests/peers/environment)"""
import sys
import gguf, numpy as np

rng = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
r = gguf.GGUFReader(sys.argv[1])
w = gguf.GGUFWriter(sys.argv[2], r.fields["general.architecture"].contents())
for name, f in r.fields.items():
    if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type", "general.quantization_version"):
        continue
    kind = f.types[0]
    w.add_key_value(name, f.contents(), kind, f.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
for t in r.tensors:
    x = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
    if t.tensor_type not in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16):
        flat = np.sort(x.reshape(-1, 32), axis=1)  # the step of a block: the least distance of two of its numbers
        gaps = np.diff(flat, axis=1)
        step = np.where(gaps > 1e-7, gaps, np.inf).min(axis=1)
        step = np.where(np.isfinite(step), step, 0)
        x = (x.reshape(-1, 32) + (rng.random((flat.shape[0], 32)) - 0.5) * step[:, None]).reshape(x.shape).astype(np.float16)
    w.add_tensor(t.name, x)
w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
