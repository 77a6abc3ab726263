"""Small archives of torch.export (.pt2) by hand, as torch's writer lays them out; torch is not needed.
usage: pt2_files.py FOLDER: the archives that tests and fuzzing begin with, good ones and hostile ones."""
import json, os, struct, sys, zlib

F32, F16, BF16, I64, BOOL, U8, I8, F8 = 7, 6, 13, 5, 12, 1, 2, 29
FLAGS = 0x0808  # a descriptor behind the data; names in UTF-8


def archive(members, root="net/", flags=FLAGS, wrong=None, zip64=True, tail=b""):
    """A zip with its oddities: versions and date 0, descriptors, data at multiples of 64, zip64 records always.
    wrong(what, member, bytes) may change what is written."""
    out, directory = b"", b""
    change = wrong or (lambda what, name, data: data)
    for name, data in members:
        full = (root + name).encode()
        crc, at = zlib.crc32(data), len(out)
        extra = b"FB" + struct.pack("<H", -(at + 30 + len(full) + 4) % 64)
        extra += b"Z" * (-(at + 30 + len(full) + 4) % 64)
        sizes = (0, 0, 0) if flags & 8 else (crc, len(data), len(data))
        local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 0, flags, 0, 0, 0, *sizes, len(full), len(extra)) + full + extra
        out += change("local", name, local) + change("data", name, data)
        if flags & 8:
            out += change("descriptor", name, struct.pack("<IIII", 0x08074B50, crc, len(data), len(data)))
        entry = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0, 0, flags, 0, 0, 0, crc, len(data), len(data), len(full), 0, 0, 0, 0, 0, at) + full
        directory += change("entry", name, entry)
    start = len(out)
    out += directory
    if zip64:
        record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 0, 45, 0, 0, len(members), len(members), len(directory), start)
        out += change("end64", "", record) + change("locator", "", struct.pack("<IIQI", 0x07064B50, 0, start + len(directory), 1))
    return out + change("end", "", struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(members), len(members), len(directory), start, 0)) + tail


def size(d):
    """A number, "s0" a symbol, ("*", 2, "s0") an expression."""
    if isinstance(d, int):
        return {"as_int": d}
    text = lambda e: f"Integer({e})" if isinstance(e, int) else f"Symbol('{e}', positive=True, integer=True)" if isinstance(e, str) else f"{ {'*': 'Mul', '+': 'Add'}[e[0]]}({text(e[1])}, {text(e[2])})"
    return {"as_expr": {"expr_str": text(d), "hint": None}}


def dense(shape):
    strides, n = [], 1
    for d in reversed(shape):
        strides.insert(0, n)
        n *= d if isinstance(d, int) else 1
    return strides


def meta(dtype, shape, strides=None, offset=0):
    return {"dtype": dtype, "sizes": [size(d) for d in shape], "requires_grad": False, "device": {"type": "cpu", "index": None},
            "strides": [{"as_int": s} for s in (dense(shape) if strides is None else strides)], "storage_offset": {"as_int": offset}, "layout": 7}


def argument(v):
    """None, numbers, lists; "name" a tensor, "#name" a number of the graph, ["name", None] tensors; ("type", 7) what it says."""
    if v is None:
        return {"as_none": True}
    if isinstance(v, dict):
        return v
    if isinstance(v, bool):
        return {"as_bool": v}
    if isinstance(v, int):
        return {"as_int": v}
    if isinstance(v, float):
        return {"as_float": v}
    if isinstance(v, str):
        return {"as_sym_int": {"as_name": v[1:]}} if v[0] == "#" else {"as_string": v[1:]} if v[0] == "'" else {"as_tensor": {"name": v}}
    if any(isinstance(e, str) and e[0] == "#" for e in v):
        return {"as_sym_ints": [{"as_name": e[1:]} if isinstance(e, str) else {"as_int": e} for e in v]}
    if all(isinstance(e, int) for e in v):
        return {"as_ints": list(v)}
    if None in v:
        return {"as_optional_tensors": [{"as_none": True} if e is None else {"as_tensor": {"name": e}} for e in v]}
    return {"as_tensors": [{"name": e} for e in v]}


TYPE = lambda n: {"as_scalar_type": n}


def call(target, out, /, **inputs):
    """out: a name, "#name" a number, a list of names in a list: one list of tensors."""
    if isinstance(out, str):
        out = [out]
    outputs = [argument(out[0])] if len(out) == 1 and isinstance(out[0], list) else [argument(o) for o in out]
    if "." not in target.replace("aten.", "", 1) and target.startswith("aten."):
        target += ".default"
    target = target if target.startswith(("_operator", "math.")) or not target.startswith(("aten.", "quantized", "higher")) else "torch.ops." + target
    return {"target": target, "inputs": [{"name": k, "arg": argument(v), "kind": 1} for k, v in inputs.items()], "outputs": outputs,
            "metadata": {"stack_trace": "File \"net.py\", line 1"}, "is_hop_single_tensor_return": None}


class Net:
    """A graph in the making."""

    def __init__(self):
        self.specs, self.inputs, self.metas, self.nodes, self.members = [], [], {}, [], {}
        self.config = {"weights": {}, "constants": {}}
        self.outputs, self.ranges = [], {}

    def given(self, name, dtype, shape):
        self.specs.append({"user_input": {"arg": argument(name)}})
        self.inputs.append(argument(name))
        self.metas[name] = meta(dtype, shape)
        return self

    def stored(self, name, dtype, shape, data, strides=None, offset=0, kind="parameter", member=None, **more):
        store = "constants" if kind in ("tensor_constant", "passing") else "weights"
        spec = {"arg": {"name": f"p_{name}"}, ("buffer" if kind == "passing" else kind) + "_name": name}
        spec.update({"persistent": kind != "passing"} if kind in ("buffer", "passing") else {})
        self.specs.append({"buffer" if kind == "passing" else kind: spec})
        self.inputs.append(argument(f"p_{name}"))
        self.metas[f"p_{name}"] = meta(dtype, shape, strides, offset)
        path = member or f"{'weight' if store == 'weights' else 'tensor'}_{len(self.members)}"
        if data is not None:
            self.members[f"data/{store}/{path}"] = data
        self.config[store][name] = {"path_name": path, "is_param": kind == "parameter", "use_pickle": False, "tensor_meta": meta(dtype, shape, strides, offset), **more}
        return self

    def call(self, target, out, /, **inputs):
        self.nodes.append(call(target, out, **inputs))
        return self

    def gives(self, *names):
        self.outputs = [argument(n) for n in names]
        return self

    def graph(self, **changes):
        g = {"graph_module": {"graph": {"inputs": self.inputs, "outputs": self.outputs, "nodes": self.nodes, "tensor_values": self.metas, "sym_int_values": {}, "sym_bool_values": {},
                                        "sym_float_values": {}, "is_single_tensor_return": False, "custom_obj_values": {}},
                              "signature": {"input_specs": self.specs, "output_specs": [{"user_output": {"arg": o}} for o in self.outputs]},
                              "module_call_graph": [], "metadata": {}, "treespec_namedtuple_fields": {}},
             "opset_version": {"aten": 10}, "range_constraints": self.ranges, "schema_version": {"major": 8, "minor": 20}, "verifiers": ["TRAINING"], "torch_version": "2.15.0", "guards_code": []}
        g.update(changes)
        return g

    def parts(self, graph=None):
        model = graph if isinstance(graph, bytes) else json.dumps(graph or self.graph()).encode()
        return [*self.members.items(), ("data/weights/model_weights_config.json", json.dumps({"config": self.config["weights"]}).encode()),
                ("data/constants/model_constants_config.json", json.dumps({"config": self.config["constants"]}).encode()), ("models/model.json", model),
                ("data/sample_inputs/model.pt", b"\x80\x02never opened"), ("archive_format", b"pt2"), ("archive_version", b"0"), (".data/version", b"6\n"), ("byteorder", b"little"),
                (".data/serialization_id", b"0" * 40)]

    def save(self, graph=None, **k):
        return archive(self.parts(graph), **k)


def floats(*v):
    return struct.pack(f"<{len(v)}f", *v)


def good():
    """name, archive. x is F32 [2, 3, 4], or [s0, ...] where the first dimension is open."""
    x = lambda *shape: Net().given("x", F32, shape or (2, 3, 4))
    n = x("s0", 4).stored("w", F32, [2, 4], floats(*range(8))).stored("b", F32, [2], floats(.5, -.5))
    n.ranges = {"s0": {"min_val": 1, "max_val": 6}}
    yield "linear", n.call("aten.linear", "l", input="x", weight="p_w", bias="p_b").call("aten.relu", "y", self="l").gives("y").save()
    n = x().call("aten.clone", "c", self="x").call("aten.slice.Tensor", "s", self="c", dim=2, start=1, end=3).call("aten.mul_.Tensor", "m", self="s", other=2)
    n.call("aten.select.int", "r", self="c", dim=0, index=1).call("aten.fill_.Scalar", "f", self="r", value=7.0).call("aten.slice.Tensor", "t", self="s", dim=2, start=1)
    yield "written", n.gives("c", "s", "t").save()
    n = x().call("aten.transpose.int", "t", self="x", dim0=0, dim1=2).call("aten.reshape", "r", self="t", shape=[24]).call("aten.add_.Tensor", "a", self="x", other=1)
    n.metas["t"] = meta(F32, [4, 3, 2], [1, 4, 12])
    yield "unsure", n.gives("r").save()  # whether r is a copy depends on strides
    n = x()
    n.stored("plain", F32, [2, 2], floats(1, 2, 3, 4), member="a").stored("tied", F32, [2, 2], None, member="a").stored("turned", F32, [2, 2], None, [1, 2], member="a")
    n.stored("part", F32, [2], None, [2], 1, member="a").stored("half", BF16, [2], struct.pack("<HH", 0x3F80, 0xC000)).stored("empty", F32, [0, 3], b"").stored("number", I64, [], struct.pack("<q", -3), kind="buffer")
    n.stored("truth", BOOL, [2], b"\1\0", kind="passing").stored("tiny", F8, [2], bytes([0x38, 0xC0]), kind="tensor_constant").stored("wide", F32, [3, 2], floats(5, 6), [0, 1])
    yield "weights", n.gives(*(f"p_{k}" for k in ("plain", "tied", "turned", "part", "half", "empty", "number", "truth", "tiny", "wide"))).save()
    n = x("s0", 3, 4).call("aten.sym_size.int", "#n", self="x", dim=0).call("_operator.mul", "#m", a="#n", b=3).call("aten.view", "v", self="x", size=["#m", 4]).call("aten.arange", "r", end="#n", device={"as_device": {"type": "cpu", "index": None}})
    yield "numbers", n.gives("v", "#m", "r", None, 3, 2.5, True, "x", "v").save()
    n = Net().given("x", F32, ["s0", ("*", 2, "s0")])
    yield "expression", n.call("aten.sum", "y", self="x").gives("y").save()
    n = x()
    n.metas["x"]["sizes"][0] = {"as_expr": {"expr_str": "Add(" * 5000, "hint": None}}  # nothing that is followed: any size
    yield "deep_expression", n.call("aten.relu", "y", self="x").gives("y").save()
    n = x(1, 2, 5, 5).stored("w", F32, [2, 2, 3, 3], floats(*[.1 * i for i in range(36)]), [18, 1, 6, 2]).stored("g", F32, [2], floats(1, 2)).stored("v", F32, [2], floats(.5, 2), kind="buffer")
    n.call("aten.conv2d.padding", "c", input="x", weight="p_w", padding="'same").call("aten.batch_norm", "n", input="c", weight="p_g", bias="p_g", running_mean="p_g", running_var="p_v", training=False, momentum=.1, eps=1e-5, cudnn_enabled=True)
    yield "picture", n.call("aten.hardtanh_", "h", self="n", min_val=0.0, max_val=6.0).call("aten.max_pool2d", "p", self="h", kernel_size=[2, 2]).call("aten.adaptive_avg_pool2d", "y", self="p", output_size=[1, 1]).gives("y").save()
    code = dict(quant_min=0, quant_max=255, dtype=TYPE(U8))
    n = x().call("quantized_decomposed.quantize_per_tensor.default", "q", input="x", scale=.05, zero_point=128, **code)
    yield "codes", n.call("quantized_decomposed.dequantize_per_tensor.default", "y", input="q", scale=.05, zero_point=128, **code).gives("y", "q").save()
    n = x().call("quantized_decomposed.choose_qparams.tensor", ["s", "z"], input="x", quant_min=0, quant_max=255, eps=1e-6, dtype=TYPE(U8))
    yield "dynamic", n.call("quantized_decomposed.quantize_per_tensor.tensor", "q", input="x", scale="s", zero_point="z", **code).call("quantized_decomposed.dequantize_per_tensor.tensor", "y", input="q", scale="s", zero_point="z", **code).gives("y").save()
    inner = {"inputs": [argument("arg")], "outputs": [argument("neg")], "nodes": [call("aten.neg", "neg", self="arg")], "tensor_values": {}}
    n = x()
    n.nodes.append(call("higher_order.wrap_with_set_grad_enabled", ["neg_1"]))
    n.nodes[0]["inputs"] = [{"name": "", "arg": a, "kind": 1} for a in (argument(False), {"as_graph": {"name": "sub", "graph": inner}}, argument("x"))]
    yield "no_grad", n.call("aten.relu", "neg", self="neg_1").gives("neg").save()
    n = x().call("aten.split.Tensor", [["a", "b"]], self="x", split_size=2, dim=2).call("aten.cat", "y", tensors=["b", "a"], dim=-1).call("aten.index.Tensor", "i", self="x", indices=[None, "k"])
    yield "lists", n.given("k", I64, [2]).gives("y", "i").save()
    n = x(6).given("k", I64, [2]).call("aten.take_along_dim", "t", self="x", indices="k")  # both are flat already
    yield "along", n.call("aten.mul.Tensor", "y", self="t", other=2).gives("y").save()
    n = x(2, 4).stored("h", F32, [2, 2], floats(1, -2, 3, .5), kind="buffer").stored("wi", F32, [2, 4], floats(*range(8))).stored("wh", F32, [2, 2], floats(1, 0, -1, 2))
    n.call("aten.rnn_relu_cell", "c", input="x", hx="p_h", w_ih="p_wi", w_hh="p_wh").call("aten._weight_norm", "u", v="p_wi", g="p_g", dim=0)
    n.stored("g", F32, [2, 1], floats(2, 3)).call("aten.rrelu", "r", self="x").call("aten.view", "f", self="x", size=[8]).call("aten.vdot", "d", self="f", other="f")
    n.stored("th", F32, [1, 2, 3], floats(1, 0, .5, 0, 2, 0)).call("aten.affine_grid_generator", "a", theta="p_th", size=[1, 1, 2, 3], align_corners=True)
    yield "cells", n.gives("c", "u", "r", "d", "a").save()
    yield "sizes_in_headers", x().call("aten.relu", "y", self="x").gives("y").save(flags=0x0800, zip64=False)


def hostile():
    """name, bytes, exit code, what the message says"""
    net = lambda: Net().given("x", F32, [2, 3, 4])
    relu = net().call("aten.relu", "y", self="x").gives("y")
    plain = relu.save()
    yield "empty", b"", 3, "empty|zip"
    yield "cut", plain[:-30], 3, "end record"
    yield "tail", plain + b"more", 3, "end record"
    yield "text", b"PK\3\4 and nothing of a zip", 3, "end record"
    change = lambda what, part, f: relu.save(wrong=lambda w, name, data: f(data) if w == what and part in name else data)
    put = lambda at, b: lambda data: data[:at] + b + data[at + len(b):]
    yield "crc", change("data", "model.json", lambda d: d.replace(b"TRAINING", b"TRAININ!")), 3, "CRC-32"
    yield "descriptor", change("descriptor", "models/", put(8, b"\xff\xff\0\0")), 3, "descriptor"
    yield "descriptor_crc", change("descriptor", "models/", put(4, b"abcd")), 3, "descriptor"
    yield "gap", change("descriptor", "models/", lambda d: d + b"gap!"), 3, "end records begin|gap|directory"
    yield "overlap", change("entry", "archive_version", put(42, b"\0\0\0\0")), 3, "member|overlap"
    yield "local_name", change("local", "models/", put(34, b"X")), 3, "another name"
    yield "compressed", change("entry", "models/", put(10, b"\x08\0")), 3, "compressed"
    yield "encrypted", change("entry", "models/", put(8, b"\x09\x08")), 3, "flags"
    yield "two_sizes", change("entry", "models/", put(20, b"\1\0\0\0")), 3, "two sizes"
    yield "many", change("end", "", put(8, b"\xf0\xff\xf0\xff")), 3, "says otherwise|members"
    yield "many64", change("end64", "", put(24, b"\xff" * 8 + b"\xff" * 8)), 3, "says otherwise"
    yield "zip64_place", change("end64", "", put(48, b"\xff" * 8)), 3, "says otherwise"
    yield "locator", change("locator", "", put(8, b"\xff" * 8)), 3, "zip64 locator"
    yield "disks", change("end", "", put(4, b"\1\0")), 3, "disks"
    yield "directory_place", relu.save(zip64=False, wrong=lambda w, n, d: put(16, b"\xff\xff\xff\x7f")(d) if w == "end" else d), 3, "directory"
    for name, member in (("up", "../../etc/passwd"), ("absolute", "/etc/passwd"), ("backslash", "a\\b"), ("here", "./a")):
        yield f"name_{name}", archive([*relu.parts(), (member, b"x")]), 3, "path"
    yield "name_twice", archive([*relu.parts(), ("byteorder", b"little")]), 3, "one name"
    yield "other_root", archive(relu.parts()[:-1]).replace(b"net/.data/version", b"nut/.data/version"), 3, "outside of the folder"
    without = lambda name: archive([p for p in relu.parts() if p[0] != name])
    with_ = lambda name, data: archive([(k, data if k == name else v) for k, v in relu.parts()])
    yield "no_format", without("archive_format"), 3, "archive_format"
    yield "version", with_("archive_version", b"1"), 3, "archive_version is 1"
    yield "big", with_("byteorder", b"big"), 3, "byteorder is big"
    yield "no_config", without("data/weights/model_weights_config.json"), 3, "model_weights_config.json"
    yield "two_models", archive([*relu.parts(), ("models/other.json", b"{}")]), 3, "2 nets .model, other"
    # other files of torch's, with the lines that make one that is read
    yield "torch28", archive([("data/weights/model.pt", b"PK"), ("models/model.json", b"{}")]), 3, "torch.export.load"
    yield "before28", archive([("serialized_exported_program.json", b"{}"), ("version", b"1")]), 3, "torch.export.load"
    yield "checkpoint", archive([("data.pkl", b"\x80\2}q\0."), ("data/0", b"abcd"), ("version", b"3")]), 3, "load_state_dict"
    yield "script", archive([("code/__torch__.py", b"def f"), ("data.pkl", b"\x80\2."), ("version", b"3")]), 3, "TorchScript"
    yield "old_checkpoint", bytes([0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]) + bytes(100), 3, "load_state_dict"
    yield "compiled", archive([("data/aotinductor/model/a.so", b"ELF"), ("archive_format", b"pt2")]), 3, "AOTInductor"
    # graphs
    g = relu.graph()
    yield "json_cut", relu.save(json.dumps(g).encode()[:-5]), 3, "byte"
    yield "json_deep", relu.save(b"[" * 100000), 3, "nested too deeply"
    yield "json_list", relu.save(b"[1]"), 3, "no object"
    yield "schema", relu.save(relu.graph(schema_version={"major": 9, "minor": 0})), 3, "schema 9"
    yield "no_signature", relu.save(relu.graph(graph_module={"graph": {}})), 3, "signature"
    yield "unknown", net().call("aten.wobble", "y", self="x").gives("y").save(), 3, "aten.wobble.default.: this op is not supported"
    yield "cond", net().call("higher_order.cond", ["y"]).gives("y").save(), 3, "higher_order.cond.: this op"
    yield "argument", net().call("aten.relu", "y", self="x", wobble=3).gives("y").save(), 3, "argument wobble"
    yield "value", net().call("aten.elu", "y", self="x", input_scale=3).gives("y").save(), 3, "scales what comes"
    yield "left_out", net().call("aten.permute", "y", self="x").gives("y").save(), 3, "argument dims is left out"
    yield "nothing", net().call("aten.relu", "y", self="z").gives("y").save(), 3, "nothing before it makes"
    yield "twice", net().call("aten.relu", "y", self="x").call("aten.relu", "y", self="x").gives("y").save(), 3, "made twice"
    yield "no_result", net().call("aten.relu", "z", self="x").gives("y").save(), 3, "nothing before it makes"
    yield "training", net().call("aten.dropout", "y", input="x", p=.5, train=True).gives("y").save(), 3, "training"
    n = net().call("aten.relu", "y", self="x").gives("y")
    n.metas["y"] = meta(F32, [2, 3, 5])
    yield "described", n.save(), 3, "describes otherwise"
    yield "work", net().call("aten.expand", "y", self="x", size=[1 << 20, 1 << 20, 2, 3, 4]).gives("y").save(), 3, "2.31|fit|number"
    yield "range", net().call("aten.arange", "y", end=1 << 62).gives("y").save(), 3, "range"
    n = net().call("aten.expand", "e", self="x", size=[2, 3, 4]).call("aten.add_.Tensor", "y", self="e", other=1)
    yield "through", n.gives("x").save(), 3, "cannot be put back"
    # weights
    one = lambda **k: net().stored("w", F32, [4], k.pop("data", floats(1, 2, 3, 4)), **k).call("aten.neg", "y", self="p_w").gives("y").save()
    yield "short", one(data=bytes(12)), 3, "storage of 12 bytes"
    yield "offset", one(offset=1), 3, "reads element 4"
    yield "stride", one(strides=[1 << 39]), 3, "reads element"
    yield "stride_minus", one(strides=[-1]), 3, "stride"
    yield "pickled", one(use_pickle=True), 3, "never opened"
    yield "path", one(member="../x", data=None), 3, "path_name"
    yield "missing", one(member="none", data=None), 3, "not in the archive"
    spread = net().stored("w", F32, [1 << 15, 1 << 15], floats(1), [0, 0]).call("aten.neg", "y", self="p_w").gives("y")
    yield "spread", spread.save(), 3, "contiguous"
    huge = net().stored("w", F32, [1 << 40, 1 << 40], floats(1), [0, 0]).call("aten.neg", "y", self="p_w").gives("y")
    yield "huge", huge.save(), 3, "2.31"
    other = net().stored("w", F32, [4], floats(1, 2, 3, 4)).call("aten.neg", "y", self="p_w").gives("y")
    other.metas["p_w"] = meta(F16, [4])
    yield "other_type", other.save(), 3, "describes otherwise"
    for name, scale in (("nan", "NaN"), ("zero", 0.0), ("minus", -1.0), ("infinite", "Infinity")):
        q = net().call("quantized_decomposed.quantize_per_tensor.default", "y", input="x", scale={"as_float": scale}, zero_point=0, quant_min=0, quant_max=255, dtype=TYPE(U8))
        yield f"scale_{name}", q.gives("y").save(), 3, "node y .*scale"
    nan = net().stored("w", F32, [2, 4], floats(1, 2, 3, 4, 5, float("nan"), 7, 8)).call("aten.linear", "y", input="x", weight="p_w").gives("y")
    yield "nan_weight", nan.save(), 3, "node y .*aten.linear.default.: element 5 of its weights w is NaN"
    same = net()
    for i in range(40):
        same.call("aten.cat", f"c{i}", tensors=[f"c{i - 1}" if i else "x"] * 2, dim=0)
    yield "doubling", same.gives("c39").save(), 3, "2.31"


if __name__ == "__main__":
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    for name, data in good():
        with open(f"{out}/{name}.pt2", "wb") as f:
            f.write(data)
    with open(f"{out}/hostile.txt", "w") as table:
        for name, data, code, text in hostile():
            with open(f"{out}/bad_{name}.pt2", "wb") as f:
                f.write(data)
            table.write(f"{name}\t{code}\t{text}\n")
