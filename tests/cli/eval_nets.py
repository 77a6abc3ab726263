"""What `precis eval` of nets must say, computed here without any package.
usage: eval_nets.py make FOLDER: nets, samples and labels; eval_nets.py want FOLDER NAME < JSON: compare."""
import json, math, os, random, struct, sys, zipfile, zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import onnx_files as o

N, IN, OUT = 37, 4, 3
rng = random.Random(7)
X = [[rng.choice((-2, -1, -.5, .5, 1, 2)) for _ in range(IN)] for _ in range(N)]
W = [[rng.choice((-1, -.5, .25, .5, 1)) for _ in range(OUT)] for _ in range(IN)]
V = [[w + rng.choice((-.125, 0, .125)) for w in row] for row in W]
Y = [rng.randrange(OUT) for _ in range(N)]


def times(x, w):
    return [sum(x[i] * w[i][k] for i in range(len(x))) for k in range(len(w[0]))]


def flat(rows):
    return [v for row in rows for v in row]


def write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, pixels, claims=None):
    rows = b"".join(b"\0" + bytes(pixels[y * width * 3:(y + 1) * width * 3]) for y in range(height))
    head = struct.pack(">IIBBBBB", *(claims or (width, height)), 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_as(way, width, height, pixels):
    """The same picture with a fourth channel, with 16 bits, with a gamma, or with a color that is none."""
    rows, color, bits, more = b"", 2, 8, b""
    for y in range(height):
        row = [tuple(pixels[3 * i:3 * i + 3]) for i in range(y * width, (y + 1) * width)]
        if way == "alpha":
            row, color = [p + (37 * i % 256,) for i, p in enumerate(row)], 6
        rows += b"\0" + bytes(c for p in row for c in (p if way != "deep" else [b for v in p for b in (v, v)]))
    if way == "deep":
        bits = 16
    if way == "gamma":
        more = chunk(b"gAMA", struct.pack(">I", 100000))
    if way == "key":
        more = chunk(b"tRNS", struct.pack(">3H", *pixels[:3]))
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def crossed():
    """Results that are called as other nodes, and an output that has codes."""
    own = random.Random(5)
    f = lambda name, *shape: o.floats(name, list(shape), [own.gauss(0, .5) for _ in range(math.prod(shape))])
    nodes = [o.node("MatMul", ["x", "w"], ["first"], name="a"), o.node("Sigmoid", ["first"], ["a"], name="s"),
             o.node("MatMul", ["a", "v"], ["s"], name="b"), o.node("LeakyRelu", ["s"], ["b"], name="c", alpha=.1),
             o.node("MatMul", ["b", "u"], ["y"], name="d")]
    return o.model(o.graph(nodes, [o.port("x", o.F32, ["N", IN])], [o.port("y", o.F32, ["N", OUT]), o.port("b", o.F32, ["N", 8])],
                           [f("w", IN, 8), f("v", 8, 8), f("u", 8, OUT)]))


def linear(batch, w):
    return o.model(o.graph([o.node("MatMul", ["x", "w"], ["y"])], [o.port("x", o.F32, [batch, IN])],
                           [o.port("y", o.F32, [batch, OUT])], [o.floats("w", [IN, OUT], flat(w))]))


def same(shape):
    return o.model(o.graph([o.node("Identity", ["x"], ["y"])], [o.port("x", o.F32, shape)], [o.port("y", o.F32, shape)]))


IMAGES = [(6, 4, [(7 * i + 31 * k) % 256 for i in range(72)]) for k in range(4)]
SEG_N, CLASSES, PLACES = 9, 3, 4
SEG = [[rng.random() for _ in range(CLASSES * PLACES)] for _ in range(SEG_N)]
SEG2 = [[v + rng.choice((0, 0, .4)) for v in s] for s in SEG]
SEG_Y = [[rng.choice((0, 1, 2, 255)) for _ in range(PLACES)] for _ in range(SEG_N)]
BOXES = 5


def box():
    x, y = rng.random() * 10, rng.random() * 10
    return [x, y, x + 1 + 4 * rng.random(), y + 1 + 4 * rng.random()]


LABELS = [[(box(), rng.randrange(2)) for _ in range(rng.randrange(4))] for _ in range(8)]
FOUND = []
for image in LABELS:
    rows = [[v + rng.choice((0, .2, 1)) for v in b] + [rng.random(), c] for b, c in image]
    rows += [box() + [rng.random(), rng.randrange(2)] for _ in range(BOXES - len(rows))]
    FOUND.append(rows)


STEPS, SIGNS = 7, 4
SPOKEN = [[[rng.random() for _ in range(SIGNS)] for _ in range(STEPS)] for _ in range(11)]
SAID = [[rng.randrange(1, SIGNS) for _ in range(rng.randrange(1, 5))] for _ in range(11)]
GIVEN = [rng.randrange(11) for _ in range(18)]
RATED = [rng.randrange(21) for _ in range(N)]
HIDDEN = 8
A = [[rng.uniform(-1, 1) for _ in range(HIDDEN)] for _ in range(IN)]
B = [[rng.uniform(-1, 1) for _ in range(OUT)] for _ in range(HIDDEN)]


def codes(w, scale):
    return b"".join(struct.pack("b", max(-127, min(127, round(v / scale)))) for v in flat(w))


def in_codes(a, scale, zero=128, own=None, bias=0.0):
    """h = x a; y = h b, with h in codes of a scale and, where own is given, a in codes of that scale."""
    nodes = [o.node("MatMul", ["x", "a"], ["h"], name="first"), o.node("QuantizeLinear", ["h", "s", "z"], ["hq"]),
             o.node("DequantizeLinear", ["hq", "s", "z"], ["hd"]), o.node("Add", ["hd", "c"], ["g"]),
             o.node("MatMul", ["g", "b"], ["y"])]
    weights = [o.floats("a", [IN, HIDDEN], flat(a)), o.floats("b", [HIDDEN, OUT], flat(B)), o.floats("s", [], [scale]),
               o.tensor("z", o.U8, [], bytes([zero])), o.floats("c", [1], [bias])]
    if own:
        nodes.insert(0, o.node("DequantizeLinear", ["aq", "as"], ["a"]))
        weights[0] = o.tensor("aq", o.I8, [IN, HIDDEN], codes(a, own))
        weights.append(o.floats("as", [], [own]))
    return o.model(o.graph(nodes, [o.port("x", o.F32, ["N", IN])], [o.port("y", o.F32, ["N", OUT])], weights))


def in_float(a):
    nodes = [o.node("MatMul", ["x", "a"], ["h"], name="first"), o.node("Add", ["h", "c"], ["g"]),
             o.node("MatMul", ["g", "b"], ["y"])]
    weights = [o.floats("a", [IN, HIDDEN], flat(a)), o.floats("b", [HIDDEN, OUT], flat(B)), o.floats("c", [1], [0.0])]
    return o.model(o.graph(nodes, [o.port("x", o.F32, ["N", IN])], [o.port("y", o.F32, ["N", OUT])], weights))


def folded():
    """Norms that convolutions take in, a clamp, and the last states of an LSTM alone; values have other names than nodes."""
    own = random.Random(11)
    f = lambda name, *shape: o.floats(name, list(shape), [own.gauss(0, 1) for _ in range(math.prod(shape))])
    norm = lambda name, n: [o.floats(name + k, [n], [abs(own.gauss(0, 3)) + 1 for _ in range(n)]) for k in ("g", "b", "m", "v")]
    nodes = [o.node("Reshape", ["x", "to"], ["p"], name="planes"), o.node("Conv", ["p", "w1"], ["c"], name="conv"),
             o.node("BatchNormalization", ["c", "1g", "1b", "1m", "1v"], ["n"], name="norm"), o.node("Relu", ["n"], ["r"], name="clamp"),
             o.node("Conv", ["r", "w2"], ["d"], name="conv2"), o.node("BatchNormalization", ["d", "2g", "2b", "2m", "2v"], ["m"], name="norm2"),
             o.node("Reshape", ["m", "rows"], ["s"], name="steps"), o.node("Sigmoid", ["s"], ["g"], name="gate"), o.node("Mul", ["s", "g"], ["u"], name="silu"), o.node("LSTM", ["u", "lw", "lr"], ["all", "last", "cell"], name="lstm", hidden_size=4),
             o.node("Mul", ["last", "cell"], ["t"], name="both"), o.node("Reshape", ["t", "out"], ["y"], name="flat")]
    ints = [f("w1", 3, 2, 1, 1), f("w2", 3, 3, 1, 1), f("lw", 1, 16, 6), f("lr", 1, 16, 4), *norm("1", 3), *norm("2", 3),
            o.longs("to", [-1, 2, 1, 2]), o.longs("rows", [1, -1, 6]), o.longs("out", [-1, 4])]
    return o.model(o.graph(nodes, [o.port("x", o.F32, ["N", IN])], [o.port("y", o.F32, ["N", 4])], ints))


def hidden():
    return [times(x, A) for x in X]


RANGE = max(abs(v) for v in flat(hidden())) / 127
OUTLIER = [[v * (40 if k == 2 else 1) for k, v in enumerate(row)] for row in A]
LARGEST = max(abs(v) for v in flat(OUTLIER)) / 127


def make(folder):
    os.makedirs(folder, exist_ok=True)
    write(folder, "folded.onnx", folded())
    write(folder, "deep.onnx", in_float(A))
    write(folder, "good.onnx", in_codes(A, RANGE))
    write(folder, "narrow.onnx", in_codes(A, RANGE / 2))
    write(folder, "wide.onnx", in_codes(A, RANGE * 30))
    write(folder, "fine.onnx", in_codes(A, RANGE, bias=.3))
    write(folder, "outliers.onnx", in_float(OUTLIER))
    write(folder, "one_scale.onnx", in_codes(OUTLIER, max(abs(v) for x in X for v in times(x, OUTLIER)) / 127,
                                             own=LARGEST * 3))
    def w(n, d):
        write(folder, n, d)
    for name, batch, weights in (("free", "N", W), ("one", 1, W), ("five", 5, W), ("other", "N", V)):
        w(name + ".onnx", linear(batch, weights))
    w("x.npy", o.npy(flat(X), (N, IN)))
    w("f8.npy", o.npy(flat(X), (N, IN), "<f8"))
    w("short.npy", o.npy(flat(X)[:IN * 5], (5, IN)))
    w("y.npy", o.npy(Y, (N,), "<i8"))
    w("high.npy", o.npy([3] * N, (N,), "<i8"))
    w("y.txt", "".join(f"{v}\n" for v in Y).encode())
    w("bad.txt", b"1\ntwo\n")
    with zipfile.ZipFile(os.path.join(folder, "x.npz"), "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("x.npy", o.npy(flat(X), (N, IN)))
    os.makedirs(os.path.join(folder, "npz"), exist_ok=True)
    for i in range(N):
        with zipfile.ZipFile(os.path.join(folder, "npz", f"{i:03}.npz"), "w") as z:
            z.writestr("x.npy", o.npy(X[i], (1, IN) if i % 2 else (IN,)))
    # two inputs; a net whose output is no number for one sample; images; places; boxes
    w("two.onnx", o.model(o.graph([o.node("Mul", ["a", "b"], ["y"])], [o.port(n, o.F32, ["N", 2]) for n in "ab"],
                                  [o.port("y", o.F32, ["N", 2])])))
    w("a.npy", o.npy([1, 2, 3, 1], (2, 2)))
    w("b.npy", o.npy([2, 2, 1, 5], (2, 2)))
    w("ab.npy", o.npy([1, 0], (2,), "<i8"))
    w("log.onnx", o.model(o.graph([o.node("Log", ["x"], ["y"])], [o.port("x", o.F32, ["N", IN])],
                                  [o.port("y", o.F32, ["N", IN])])))
    w("positive.npy", o.npy([1 + i % 3 if i != 22 else -1 for i in range(40)], (10, IN)))
    w("pixels.onnx", same(["N", 3, "H", "W"]))
    w("grey.onnx", same(["N", "H", "W", 1]))
    for k, (width, height, pixels) in enumerate(IMAGES):
        os.makedirs(os.path.join(folder, "images", "cat" if k < 3 else "dog"), exist_ok=True)
        w(os.path.join("images", "cat" if k < 3 else "dog", f"{k}.png"), png(width, height, pixels))
    w("crossed.onnx", crossed())
    width, height, pixels = IMAGES[0]
    for way in "alpha", "deep", "gamma", "key":
        os.makedirs(os.path.join(folder, "as_" + way), exist_ok=True)
        w(f"as_{way}/0.png", png_as(way, width, height, pixels))
    planes = [pixels[3 * i + c] / 255 for c in range(3) for i in range(width * height)]
    port = lambda name: o.port(name, o.F32, ["N", 3, height, width])
    w("handed.onnx", o.model(o.graph([o.node("Identity", ["x"], ["y"])], [port("x")], [port("y")])))
    w("picture.onnx", o.model(o.graph([o.node("Mul", ["x", "none"], ["m"]), o.node("Add", ["m", "c"], ["y"])], [port("x")], [port("y")],
                                      [o.floats("none", [], [0.0]), o.floats("c", [1, 3, height, width], planes)])))
    w("bomb.png", png(6, 4, IMAGES[0][2], (16000, 16000)))
    w("broken.png", png(6, 4, IMAGES[0][2])[:-20])
    w("mean.onnx", o.model(o.graph([o.node("GlobalAveragePool", ["x"], ["m"]), o.node("Flatten", ["m"], ["y"])],
                                   [o.port("x", o.F32, ["N", 3, 4, 4])], [o.port("y", o.F32, ["N", 3])])))
    w("seg.onnx", same(["N", CLASSES, 2, 2]))
    w("noise.onnx", o.model(o.graph([o.node("Add", ["x", "c"], ["y"])], [o.port("x", o.F32, ["N", CLASSES, 2, 2])],
                                    [o.port("y", o.F32, ["N", CLASSES, 2, 2])],
                                    [o.floats("c", [1, CLASSES, 2, 2], [.3, 0, 0, 0] + [0] * 8)])))
    w("seg.npy", o.npy(flat(SEG), (SEG_N, CLASSES, 2, 2)))
    w("segy.npy", o.npy(flat(SEG_Y), (SEG_N, 2, 2), "|u1"))
    w("det.onnx", same(["N", BOXES, 6]))
    w("det.npy", o.npy(flat(flat(FOUND)), (len(FOUND), BOXES, 6)))
    w("det.json", json.dumps({"images": [{"boxes": [b for b, _ in i], "classes": [c for _, c in i]}
                                         for i in LABELS]}).encode())
    w("wrong.json", b'{"images": [{"boxes": [[1, 2, 3]], "classes": [0]}]}')
    yolo = []
    for image in FOUND:  # [4 + classes][boxes]
        rows = [[(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]] +
                [b[4] if b[5] == c else 0 for c in range(2)] for b in image]
        yolo += [row[k] for k in range(6) for row in rows]
    # sequences: [n][places][classes] and [places][n][classes]; pairs of rows and of tokens with a mask; one number
    w("read.onnx", same(["N", STEPS, SIGNS]))
    w("times.onnx", o.model(o.graph([o.node("Transpose", ["x"], ["y"], perm=[1, 0, 2])],
                                    [o.port("x", o.F32, ["N", STEPS, SIGNS])],
                                    [o.port("y", o.F32, [STEPS, "N", SIGNS])])))
    w("misread.onnx", o.model(o.graph([o.node("Add", ["x", "c"], ["y"])], [o.port("x", o.F32, ["N", STEPS, SIGNS])],
                                      [o.port("y", o.F32, ["N", STEPS, SIGNS])],
                                      [o.floats("c", [1, 1, SIGNS], [0, .35, 0, 0])])))
    w("read.npy", o.npy(flat(flat(SPOKEN)), (len(SPOKEN), STEPS, SIGNS)))
    w("said.json", json.dumps({"sequences": SAID}).encode())
    w("said.txt", "".join(" ".join(map(str, s)) + "\n" for s in SAID).encode())
    w("said.npy", o.npy(flat([s + [-1] * (STEPS - len(s)) for s in SAID]), (len(SAID), STEPS), "<i8"))
    w("ragged.json", b'{"sequences": [[1, 2], 3]}')
    w("rows.onnx", same(["N", IN]))
    w("pairs.npy", o.npy([s * .5 for s in GIVEN], (len(GIVEN),)))
    w("pairs.txt", "".join(f"{s * .5}\n" for s in GIVEN).encode())
    w("even.npy", o.npy(flat(X[:36]), (36, IN)))
    w("tokens.onnx", o.model(o.graph([o.node("Identity", ["x"], ["y"]), o.node("Identity", ["attention_mask"], ["m"])],
                                     [o.port("x", o.F32, ["N", 2, 2]), o.port("attention_mask", o.I64, ["N", 2])],
                                     [o.port("y", o.F32, ["N", 2, 2]), o.port("m", o.I64, ["N", 2])])))
    w("tokens.npy", o.npy(flat(X[:36]), (36, 2, 2)))
    w("mask.npy", o.npy(flat([[1, i % 3 and 1] for i in range(36)]), (36, 2), "<i8"))
    w("number.onnx", o.model(o.graph([o.node("ReduceSum", ["x", "axis"], ["y"])], [o.port("x", o.F32, ["N", IN])],
                                     [o.port("y", o.F32, ["N", 1])], [o.longs("axis", [1])])))
    w("number.npy", o.npy([s * .25 for s in RATED], (N,)))
    w("yolo.onnx", same(["N", 6, BOXES]))
    w("yolo.npy", o.npy(yolo, (len(FOUND), 6, BOXES)))


# ---- the same figures, another way -------------------------------------------------------------------
def best(v):
    return max(range(len(v)), key=lambda k: (v[k], -k))


def wilson(k, n, z=1.959964):
    p, d = k / n, 1 + z * z / n
    half = z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    return (p + z * z / 2 / n - half) / d, (p + z * z / 2 / n + half) / d


def sqnr(ref, got):
    return 10 * math.log10(sum(r * r for r in ref) / sum((r - g) ** 2 for r, g in zip(ref, got)))


def f32(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]


def iou_of(scores):
    said = [[best([f32(s[c * PLACES + p]) for c in range(CLASSES)]) for p in range(PLACES)] for s in scores]
    pairs = [(a, b) for s, y in zip(said, SEG_Y) for a, b in zip(s, y) if b != 255]
    each = []
    for c in range(CLASSES):
        both = sum(a == c and b == c for a, b in pairs)
        either = sum(a == c or b == c for a, b in pairs)
        each += [both / either] if either else []
    return sum(each) / len(each), sum(a == b for a, b in pairs) / len(pairs)


def overlap(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = w * h if w > 0 and h > 0 else 0
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def average_precision(found=None):
    """COCO's, written down from its definition: precision at 101 recalls, of each class and overlap."""
    total = []
    for t in [.5 + .05 * i for i in range(10)]:
        for c in (0, 1):
            rows, labels = [], sum(k == c for i in LABELS for _, k in i)
            if not labels:
                continue
            for image, boxes in zip(LABELS, found or FOUND):
                free = [b for b, k in image if k == c]
                for b in sorted((b for b in boxes if b[5] == c), key=lambda b: -b[4]):
                    fits = [(overlap(b, g), g) for g in free if overlap(b, g) >= t]
                    if fits:
                        free.remove(max(fits, key=lambda f: f[0])[1])
                    rows.append((b[4], bool(fits)))
            rows.sort(key=lambda r: -r[0])
            points, hits = [], 0
            for k, (_, hit) in enumerate(rows):
                hits += hit
                points.append((hits / labels, hits / (k + 1)))
            total.append((t, sum(max([p for r, p in points if r >= q / 100 - 1e-9], default=0)
                                 for q in range(101)) / 101))
    half = [v for t, v in total if t == .5]
    return sum(v for _, v in total) / len(total), sum(half) / len(half)


def apart(boxes):
    kept = []
    for b in sorted((b for b in boxes if b[4] >= .001), key=lambda b: -b[4]):
        if all(k[5] != b[5] or overlap(k, b) <= .7 for k in kept):
            kept.append(b)
    return kept


def read(x, more=0, blank=0):
    out, last = [], None
    for row in x:
        k = best([f32(f32(v) + f32(more)) if c == 1 else f32(v) for c, v in enumerate(row)])
        if k != last and k != blank:
            out.append(k)
        last = k
    return out


def edits(a, b):
    """By the definition, without a table: of small lists."""
    if not a or not b:
        return len(a) + len(b)
    return edits(a[1:], b[1:]) if a[0] == b[0] else 1 + min(edits(a[1:], b), edits(a, b[1:]), edits(a[1:], b[1:]))


def rank(v):
    return [sum(u < w for u in v) + (sum(u == w for u in v) - 1) / 2 for w in v]


def pearson(x, y):
    a, b = sum(x) / len(x), sum(y) / len(y)
    return (sum((u - a) * (v - b) for u, v in zip(x, y)) /
            math.sqrt(sum((u - a) ** 2 for u in x) * sum((v - b) ** 2 for v in y)))


def cosines(rows):
    def of(u, v):
        by = math.sqrt(sum(a * a for a in u) * sum(b * b for b in v))
        return sum(a * b for a, b in zip(u, v)) / by if by else 0
    return [of(rows[2 * i], rows[2 * i + 1]) for i in range(len(rows) // 2)]


def want(name, j):
    def close(a, b, eps=1e-5):
        assert a is not None and abs(a - b) <= eps * max(1, abs(b)), (a, b, j)
    a, b = [times(x, V) for x in X], [times(x, W) for x in X]
    right = [best(v) == y for v, y in zip(a, Y)], [best(v) == y for v, y in zip(b, Y)]
    if name in ("net", "pair"):
        of = right[1] if name == "net" else right[0]
        close(j["accuracy"], sum(of) / N)
        low, high = wilson(sum(of), N)
        close(j["accuracy_low"], low), close(j["accuracy_high"], high)
        assert j["n"] == N
    if name == "pair":
        close(j["agree"], sum(best(v) == best(u) for v, u in zip(a, b)) / N)
        close(j["sqnr_db"], sqnr(flat(b), flat(a)), 1e-4)
        lost = sum(r and not g for g, r in zip(*right))
        won = sum(g and not r for g, r in zip(*right))
        assert (j["to_wrong"], j["to_right"]) == (lost, won) and lost + won > 0
        p = min(1, 2 * sum(math.comb(lost + won, k) for k in range(min(lost, won) + 1)) / 2 ** (lost + won))
        close(j["mcnemar_p"], p)
        close(j["drop"], (lost - won) / N)
        assert j["drop_low"] < j["drop"] < j["drop_high"]
    if name == "seg":
        miou, pixel = iou_of(SEG)
        close(j["miou_reference"], miou), close(j["pixel_accuracy_reference"], pixel)
        noisy = [[v + (.3 if k == 0 else 0) for k, v in enumerate(s)] for s in SEG]
        miou, pixel = iou_of(noisy)
        close(j["miou"], miou), close(j["pixel_accuracy"], pixel)
        assert j["miou_low"] <= j["miou"] <= j["miou_high"] and j["miou_low"] < j["miou_high"]
    if name in ("good", "narrow", "wide", "fine", "one_scale"):
        nodes = {n["name"]: n for n in j["nodes"]}
        assert set(nodes) == {"h", "g", "y"}, nodes
        h = nodes["h"]
        if name != "one_scale":
            scale = RANGE * {"narrow": .5, "wide": 30}.get(name, 1)
            x = flat(hidden())
            coded = [max(-128, min(127, round(v / f32(scale)))) * f32(scale) for v in x]
            close(h["added_db"], sqnr(x, coded), 1e-3), close(h["sqnr_db"], sqnr(x, coded), 1e-3)
            top = 127.5 * scale
            close(h["clipped"], sum(not -top - scale <= v <= top for v in x) / len(x), 1e-6)
        # what h lost comes into y, which itself adds nothing
        assert nodes["y"]["added_db"] is None or nodes["y"]["added_db"] > 100, nodes
        assert nodes["y"]["sqnr_db"] < 100
        w = {n["name"]: n for n in j["worst"]}
        cause, option = {"good": ("rounding", "--activations u16"), "narrow": ("clipped", "--observer"),
                         "wide": ("range far from data", "--observer"), "fine": ("rounding", "--activations u16"),
                         "one_scale": ("outlier channel", "--per-channel")}[name]
        assert w["h"]["cause"] == cause and w["h"]["option"].startswith(option), w["h"]
        if name in ("narrow", "wide"):  # predicted: what the right range gives
            x = flat(hidden())
            right = sqnr(x, [round(v / RANGE) * RANGE for v in x])
            assert abs(w["h"]["added_db"] + w["h"]["gain_db"] - right) < 1.5, (w["h"], right)
        if name == "fine":
            assert w["g"]["cause"] == "bias" and w["g"]["gain_db"] > 20, w["g"]
    if name.startswith("folded"):  # a convolution is its norm now; no value is taken for another one
        nodes = {n["name"]: n for n in j["nodes"]}
        assert {"last", "cell", "y"} <= set(nodes) and not {"c", "d", "all"} & set(nodes), nodes
        assert "n" in nodes and "u" in nodes and ("r" in nodes) == (name != "folded_static"), nodes
        for n in nodes.values():
            assert all(n[k] is None or n[k] > 15 for k in ("sqnr_db", "added_db")), n
        assert nodes["n"]["added_db"] is not None and nodes["m"]["added_db"] is not None, nodes
        assert name == "folded_static" or nodes["last"]["added_db"] is not None, nodes
    if name in ("read", "misread", "last", "float"):
        more, blank = .35 if name in ("misread", "float") else 0, 3 if name == "last" else 0
        labels = [read(x) for x in SPOKEN] if name == "float" else SAID
        said = [read(x, more, blank) for x in SPOKEN]
        close(j["exact"], sum(a == b for a, b in zip(said, labels)) / len(labels))
        close(j["edits"], sum(map(edits, said, labels)) / sum(map(len, labels)))
        if name == "float":
            assert j["labels"] == "reference" and j["exact_reference"] == 1 and 0 < j["exact"] < 1
    if name in ("rows", "tokens", "number"):
        rows = X[:36]
        if name == "tokens":
            rows = [[a[0], a[1]] if i % 3 == 0 else [(a[0] + a[2]) / 2, (a[1] + a[3]) / 2] for i, a in enumerate(rows)]
        got, given = (cosines(rows), GIVEN) if name != "number" else ([sum(x) for x in X], RATED)
        close(j["spearman"], pearson(rank(got), rank(given)), 1e-6)
        close(j["pearson"], pearson(got, given), 1e-6)
        assert j["n"] == len(given) and j["spearman_low"] < j["spearman"] < j["spearman_high"]
    if name in ("det", "yolo"):
        whole, half = average_precision([apart(i) for i in FOUND] if name == "yolo" else None)
        close(j["map"], whole), close(j["map50"], half)
        assert 0 < j["map"] < 1 and j["map_low"] < j["map_high"]


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        want(sys.argv[3], json.load(sys.stdin))
