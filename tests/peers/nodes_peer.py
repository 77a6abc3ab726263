"""eval --nodes beside NumPy: what each value lost, and what its node added, computed from what onnxruntime gives.

usage: nodes_peer.py PRECIS [FIRST [COUNT]] (in the environment of environment-nets). Nets are those of random_nets.py that
have a product of two values (attention, gates), and an attention net with a norm. The net in codes is cut at every value
that both nets have, and each part is fed with the float net's values: what comes out less the float value is what it added.
"""
import json, os, sys, tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

import random_nets as nets


def attention():
    """x -> norm -> q, k, v -> softmax(q k) v -> a gate by its sigmoid -> a projection, and the sum with x."""
    m = nets.Making(5)
    m.batch, m.open = 2, False
    x = m.input(("N", 6, 8))
    n = m.put("LayerNormalization", [x[0], m.floats(8), m.floats(8, scale=.2)], x[1], axis=-1)
    y = m.attention(n)
    y = m.put("MatMul", [y[0], m.floats(y[1][-1], 8, scale=.4)], ("N", 6, 8))
    g = m.put("Mul", [y[0], m.put("Sigmoid", [y[0]], y[1])[0]], y[1])
    y = m.put("Add", [m.put("MatMul", [g[0], m.floats(8, 8, scale=.4)], y[1])[0], x[0]], y[1])
    y = m.put("MatMul", [y[0], m.floats(8, 4, scale=.4)], ("N", 6, 4))
    graph = helper.make_graph(m.nodes, "g", [helper.make_tensor_value_info(x[0], TensorProto.FLOAT, [2, 6, 8])],
                              [helper.make_tensor_value_info(y[0], TensorProto.FLOAT, [2, 6, 4])], m.ints)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), {x[0]: [2, 6, 8]}


def everything(path):
    """A session that gives every value of numbers, and their names."""
    model = onnx.load(path)
    types = {v.name: v.type.tensor_type.elem_type for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    have = {o.name for o in model.graph.output}
    for n in model.graph.node:
        for o in n.output:
            if o and o not in have and (types.get(o) or TensorProto.FLOAT) == TensorProto.FLOAT and n.domain in ("", "ai.onnx"):
                model.graph.output.append(helper.make_tensor_value_info(o, TensorProto.FLOAT, None))
    with tempfile.NamedTemporaryFile(suffix=".onnx") as f:
        onnx.save(model, f.name)
        s = nets.session(f.name, False)
    return s, [o.name for o in s.get_outputs()]


class Pair:
    """A float value and what the net in codes has of it: v, and d behind its codes."""

    def __init__(self, name, f, v, d):
        self.name, self.f, self.v, self.d = name, f, v, d
        self.signal = self.total = self.added = 0.0


def decoded(q, v):
    """What a DequantizeLinear makes of v's codes; v where it has none."""
    for n in q.graph.node:
        if n.op_type == "QuantizeLinear" and n.input[0] == v:
            for k in q.graph.node:
                if k.op_type == "DequantizeLinear" and k.input[0] == n.output[0]:
                    return k.output[0]
    return v


def past(model, known, v, codes):
    """Behind single readers of v that the net in codes does not have: clamps within codes, and norms."""
    consts = {i.name for i in model.graph.initializer}
    maker = {o: n for n in model.graph.node for o in n.output}
    while True:
        readers = [n for n in model.graph.node if v in n.input]
        if len(readers) != 1 or v in [o.name for o in model.graph.output] or readers[0].input[0] != v or len(readers[0].output) != 1:
            return v
        n = readers[0]
        if n.output[0] in known or n.name in known or any(i and i not in consts for i in n.input[1:]):
            return v
        if n.op_type not in ("BatchNormalization",) and not (codes and n.op_type in ("Relu", "Clip")):
            return v
        v = n.output[0]
        assert v in maker


def pairs_of(float_model, q, names):
    maker = {o: n for n in float_model.graph.node for o in n.output}
    known = {o for n in q.graph.node for o in n.output} | {n.name for n in q.graph.node}
    inputs = {i.name for i in float_model.graph.input}
    out = []
    for name in names:
        if name in inputs:
            out.append(Pair(name, name, name, decoded(q, name)))
            continue
        v = name
        if not any(name in n.output for n in q.graph.node):  # by its node: the last of what that became
            of, part = maker[name].name, list(maker[name].output).index(name)
            its = lambda k: k == (f"{of}.{part}" if part else of) or (maker[name].op_type != "Split" and k.startswith(of + "."))
            nodes = [n for n in q.graph.node if n.op_type not in ("QuantizeLinear", "DequantizeLinear")]
            v = ([o for n in nodes for o in n.output if its(o)] or [n.output[0] for n in nodes if its(n.name)])[-1]
        d = decoded(q, v)
        f, owner = past(float_model, known, name, d != v), [n for n in float_model.graph.node if n.name == v]
        if owner and f not in owner[0].output and not (name in maker and maker[name] is owner[0]):
            raise LookupError(f"{name} is taken for what {v} gives")
        out.append(Pair(name, f, v, d))
    return out


def compare(net, q_path, feeds, folder, what):
    rows = []
    for k, f in enumerate(feeds):
        os.makedirs(f"{folder}/data", exist_ok=True)
        np.savez(f"{folder}/data/{k}.npz", **f)
    code, text, said = nets.precis("eval", q_path, "--against", net, "--data", f"{folder}/data", "--nodes", "--json")
    if code:
        return [f"{what}: exit {code}: {said}"], 0
    told = {n["name"]: n for n in json.loads(text)["nodes"]}
    float_model, q = onnx.load(net), onnx.load(q_path)
    try:
        pairs = pairs_of(float_model, q, list(told))
    except LookupError as e:
        return [f"{what}: {e}"], 0
    fs, f_names = everything(net)
    qs, q_names = everything(q_path)
    parts = Extractor(onnx.shape_inference.infer_shapes(q))
    given = {i.name for i in q.graph.input}
    for feed in feeds:
        f = dict(zip(f_names, fs.run(None, feed)), **feed)
        g = dict(zip(q_names, qs.run(None, {k: v for k, v in feed.items() if k in given})), **feed)
        for p in pairs:
            want, got = (np.asarray(a, np.float64) for a in (f[p.f], g[p.d]))
            p.signal += (want ** 2).sum()
            p.total += ((got.reshape(want.shape) - want) ** 2).sum()
            ends = [o.d for o in pairs if o.d != p.d] + [i for i in given if i not in [o.d for o in pairs]]
            part = parts.extract_model(ends, [p.d])
            used = {i for n in part.graph.node for i in n.input}
            for i in [i for i in part.graph.input if i.name not in used]:
                part.graph.input.remove(i)
            for i in part.graph.input:  # a shape of the file is of any batch
                i.type.tensor_type.ClearField("shape")
            path = f"{folder}/part.onnx"
            onnx.save(part, path)
            by = {o.d: f[o.f] for o in pairs}
            shaped = {i.name: (by[i.name].reshape(g[i.name].shape) if i.name in by and i.name in g else feed[i.name] if i.name in feed else by[i.name]) for i in part.graph.input}
            for i in feed:
                if i in shaped:
                    shaped[i] = feed[i]
            got = np.asarray(nets.session(path, False).run(None, shaped)[0], np.float64)
            p.added += ((got.reshape(want.shape) - want) ** 2).sum()
    db = lambda noise, p: np.inf if noise <= 0 else 10 * np.log10(p.signal / noise) if p.signal > 0 else -np.inf
    wrong = []
    for p in pairs:
        for key, noise in ("sqnr_db", p.total), ("added_db", p.added), ("carried_db", max(p.total - p.added, 0)):
            want, got = db(noise, p), told[p.name][key]
            got = np.inf if got is None else got
            if want > 95 and got > 95 or key == "carried_db" and min(want, got) > db(p.total, p) + 15:
                continue  # what lies at the rounding of f32, or a difference of two sums of which one is nearly all
            if not abs(want - got) < .3:
                wrong.append(f"{what}: {p.name}: {key} {got:.2f}, by NumPy {want:.2f}")
    return wrong, len(pairs)


def two_values(model):
    """Has it a product of two values?"""
    made = {o for n in model.graph.node for o in n.output} | {i.name for i in model.graph.input}
    return any(n.op_type in ("MatMul", "Mul") and len(set(n.input) & made) == 2 for n in model.graph.node)


def main():
    numbers = [int(a) for a in sys.argv[2:]]
    first, count = (numbers + [2000, 40][len(numbers):])[:2]
    failed = told = 0
    cases = [("attention", *attention())]
    cases += [(f"seed {s}", *made) for s in range(first, first + count) for made in [nets.made(s)] if two_values(made[0])]
    for name, model, shapes in cases:
        with tempfile.TemporaryDirectory() as folder:
            net, rng = f"{folder}/net.onnx", np.random.default_rng(3)
            onnx.save(model, net)
            feeds = [{n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()} for _ in range(4)]
            os.makedirs(f"{folder}/calib")
            for k, f in enumerate(feeds):
                np.savez(f"{folder}/calib/{k}.npz", **f)
            for way, args in ("static", ["--static", "--all-int8", "--calib", f"{folder}/calib"]), ("weights", ["--weight-only"]):
                q = f"{folder}/{way}.onnx"
                code, _, said = nets.precis("quant", net, *args, "--no-speed", "-q", "-o", q)
                wrong, n = ([f"{name}, {way}: {said}"], 0) if code else compare(net, q, feeds[:2], folder, f"{name}, {way}")
                failed += bool(wrong)
                told += n
                for w in wrong:
                    print(w, flush=True)
    print(f"{told} values of {len(cases)} nets in two ways: {failed} with something wrong")
    sys.exit(failed > 0 or told < 10)


if __name__ == "__main__":
    main()
