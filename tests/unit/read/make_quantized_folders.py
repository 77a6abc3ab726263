"""make_quantized_folders.py > quantized_folders.inc: modules as other programs pack them, and the weights that they are: scale * (code - zero).
The packing is written from the formats' definitions (AutoGPTQ: qlinear; compressed-tensors: pack_to_int32); no code of the reader's. python3 alone."""
import random

rng = random.Random(7)


def text(kind, shape, name, values):
    return f"{kind}[{','.join(map(str, shape))}] {name} {{{','.join(repr(v) if isinstance(v, float) else str(v) for v in values)}}}"


def signed(w):
    return w - (1 << 32) if w >> 31 else w


def stream(codes, bits):
    """Codes one after another in the bits of words, low first."""
    all_bits = sum(c << (i * bits) for i, c in enumerate(codes))
    return [signed(all_bits >> (32 * i) & 0xFFFFFFFF) for i in range(-(-len(codes) * bits // 32))]


def show(name, config, tensors, rows, cols, weights):
    out = f'{{ "{name}",\n  "{config}",\n'
    for t in tensors:
        out += "".join(f'  "{t[i:i + 110]}"\n' for i in range(0, len(t), 110)).rstrip("\n") + '\n  " "\n'
    w = text("float", (rows, cols), "m.weight", weights)
    print(out[:-1] + ",\n" + "\n".join(f'  "{w[i:i + 110]}"' for i in range(0, len(w), 110)) + ", NULL },")


def gptq(name, bits, rows, cols, group, order=None, v2=False):
    groups = cols // group
    code = [[rng.randrange(1 << bits) for _ in range(cols)] for _ in range(rows)]
    zero = [[rng.randrange(1, 1 << bits) for _ in range(rows)] for _ in range(groups)]
    scale = [[rng.choice((.25, .5, 1., 2.)) for _ in range(rows)] for _ in range(groups)]
    g = order or [c // group for c in range(cols)]
    columns = [stream(code[r], bits) for r in range(rows)]
    words = [columns[r][w] for w in range(len(columns[0])) for r in range(rows)]
    zeros = [w for k in range(groups) for w in stream([z - (0 if v2 else 1) for z in zero[k]], bits)]
    tensors = [text("int32", (len(columns[0]), rows), "m.qweight", words), text("int32", (groups, rows * bits // 32), "m.qzeros", zeros),
               text("float16", (groups, rows), "m.scales", [s for k in scale for s in k]), text("int32", (cols,), "m.g_idx", g)]
    config = "'quant_method':'gptq','bits':%d,'group_size':%d%s" % (bits, group, ",'checkpoint_format':'gptq_v2'" if v2 else "")
    show(name, config, tensors, rows, cols, [scale[g[c]][r] * (code[r][c] - zero[g[c]][r]) for r in range(rows) for c in range(cols)])


def packed(name, bits, rows, cols, groups, zero_kind, said=True):
    code = [[rng.randrange(1 << bits) for _ in range(cols)] for _ in range(rows)]
    half = 1 << (bits - 1)
    count = {"one": 1, "groups": rows * groups}[zero_kind]
    zero = [rng.randrange(-half, half) for _ in range(count)]
    scale = [rng.choice((.25, .5, 1., 2.)) for _ in range(rows * groups)]
    words = [stream(code[r], bits) for r in range(rows)]
    tensors = [text("int32", (rows, len(words[0])), "m.weight_packed", [w for r in words for w in r]), text("float", (rows, groups), "m.weight_scale", scale),
               text("int8", (rows, groups) if zero_kind == "groups" else (1,), "m.weight_zero_point", zero), text("int64", (2,), "m.weight_shape", [rows, cols])]
    config = "'quant_method':'compressed-tensors'" + (",'config_groups':{'group_0':{'weights':{'num_bits':%d}}}" % (bits if said is True else said) if said else "")
    at = lambda r, c: r * groups + c // (cols // groups)
    show(name, config, tensors, rows, cols, [scale[at(r, c)] * (code[r][c] - half - zero[at(r, c) % count]) for r in range(rows) for c in range(cols)])


def integers(name, rows, cols, groups, zero_kind):
    code = [rng.randrange(-128, 128) for _ in range(rows * cols)]
    count = {"one": 1, "rows": rows, "groups": rows * groups}[zero_kind]
    zero = [rng.randrange(-5, 6) for _ in range(count)]
    scale = [rng.choice((.25, .5, 1., 2.)) for _ in range(rows * groups)]
    tensors = [text("int8", (rows, cols), "m.weight", code), text("float", (rows, groups), "m.weight_scale", scale), text("int8", (count,), "m.weight_zero_point", zero)]
    of = lambda r, c: r * groups + c // (cols // groups)
    z = lambda r, c: zero[0 if count == 1 else r if count == rows else of(r, c)]
    show(name, "'quant_method':'compressed-tensors'", tensors, rows, cols, [scale[of(r, c)] * (code[r * cols + c] - z(r, c)) for r in range(rows) for c in range(cols)])


print("/* Modules by make_quantized_folders.py: name, quantization_config, tensors, weights. */")
gptq("gptq", 4, 8, 16, 8)
gptq("gptq in the order of activations", 4, 8, 16, 8, [0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0])
gptq("gptq v2", 8, 4, 8, 4, v2=True)
gptq("gptq of three bits", 3, 32, 32, 32)
packed("packed with zero points apart", 4, 2, 16, 2, "groups")
packed("packed with one zero point", 4, 3, 8, 1, "one")
packed("packed of bits that are not said", 3, 2, 32, 2, "groups", said=False)
packed("eight bits beside a group of four", 8, 2, 32, 1, "one", said=4)
integers("eight bits with one zero point", 2, 6, 1, "one")
integers("eight bits with a zero point of each row", 3, 4, 2, "rows")
integers("eight bits with a zero point of each group", 3, 4, 2, "groups")
