"""make_onnx_nodes.py FOLDER [NAME ...]: writes onnx_NAME.inc, cases of ops of ONNX as rows of C for test_onnx_nodes.c.

Answers are onnx's reference evaluator's and, for what it lacks (com.microsoft), onnxruntime's; where both have an op,
they must agree, but for rows that say whose answer is right and why. `means`: nodes that say the same, to ask about. It runs in a virtual environment of
tests/peers/environment-nets; cases are onnx_cases.py's.
"""
import importlib
import os
import sys

import numpy as np
import onnx
import onnx.parser
from onnx.reference import ReferenceEvaluator

TYPES = {"float32": "float", "float64": "double", "float16": "float16"}
WIDTH = 118


def type_of(a):
    return TYPES.get(str(a.dtype), str(a.dtype))


def number(v):
    if isinstance(v, (np.bool_, bool)):
        return str(int(v))
    if isinstance(v, np.integer):
        return str(int(v))
    text = str(np.float32(v) if v.dtype == np.float16 else v)
    return text[:-2] if text.endswith(".0") else text


def tensor(name, a):
    shape = "".join(("[", ",".join(map(str, a.shape)), "]")) if a.ndim else ""
    return f"{type_of(a)}{shape} {name} {{{', '.join(number(v) for v in a.ravel())}}}"


def strings(text):
    """C strings of at most WIDTH columns, broken at spaces."""
    out, line = [], ""
    for word in text.replace("\\", "\\\\").replace('"', '\\"').split(" "):
        if line and len(line) + len(word) + 1 > WIDTH - 10:
            out.append(line + " ")
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [f'"{t}"' for t in out + [line]]


def answers(model, inputs, case):
    got = {}
    for who in ("reference", "onnxruntime"):
        if case.get("judge", who) != who:
            continue
        try:
            if who == "reference":
                got[who] = ReferenceEvaluator(model).run(None, inputs)
            else:
                import onnxruntime
                options = onnxruntime.SessionOptions()
                options.log_severity_level = 4
                options.intra_op_num_threads = 1  # its LSTM of codes has another range of h for each thread's sequences
                session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
                got[who] = session.run(None, {k: v for k, v in inputs.items()})
        except Exception as e:
            got.setdefault("why", []).append(f"{who}: {str(e)[:200]}")
    both = [got[w] for w in ("reference", "onnxruntime") if w in got]
    if not both:
        print(f"{case['nodes']}: nobody runs it: {got['why']}", file=sys.stderr)
        return None
    if len(both) == 2:
        for a, b in zip(*both):
            a, b = np.asarray(a), np.asarray(b)
            if a.shape != b.shape or not np.allclose(a.astype(np.float64), b.astype(np.float64), 2e-5, 2e-6, equal_nan=True):
                print(f"{case['nodes']}: they differ\n  {a.ravel()[:12]}{a.shape}\n  {b.ravel()[:12]}{b.shape}", file=sys.stderr)
    return [np.asarray(a) for a in both[0]]


def model_of(case):
    ins = ", ".join(tensor(k, v).split(" {")[0] for k, v in case["in"].items())
    outs = ", ".join(f"float[] {o}" for o in case["out"])
    sets = f'"" : {case["opset"]}, "com.microsoft" : 1'
    text = f'<ir_version: 10, opset_import: [{sets}]> g ({ins}) => ({outs}) {{ {case.get("means", case["nodes"])} }}'
    try:
        model = onnx.parser.parse_model(text)
    except Exception as e:
        sys.exit(f"{text}: {e}")
    for o in model.graph.output:
        o.type.Clear()
        o.type.tensor_type.elem_type = 1
    return model


def typed(model, outs):
    for o, a in zip(model.graph.output, outs):
        o.type.tensor_type.elem_type = onnx.helper.np_dtype_to_tensor_dtype(a.dtype)


def row(case):
    model = model_of(case)
    if "types" in case:
        for o, t in zip(model.graph.output, case["types"]):
            o.type.tensor_type.elem_type = t
    outs = answers(model, case["in"], case)
    if outs is None:
        return None
    texts = [case["nodes"], str(case["opset"])]
    for names, arrays in ((case["in"], case["in"].values()), (case["out"], outs)):
        texts.append(" ".join(tensor(k, a) for k, a in zip(names, arrays)))
    texts.append("true" if case.get("writes", True) else "false")
    parts = [p for i, t in enumerate(texts) for p in packed(t, i in (0, 2, 3))]
    lines, line = [], "{"
    for part in parts:
        if len(line) + len(part) + 3 > WIDTH:
            lines.append(line)
            line = "  " + part
        else:
            line += " " + part
    return "\n".join(lines + [line[:-1] + " },"])


def packed(text, quoted):
    pieces = strings(text) if quoted else [text]
    return pieces[:-1] + [pieces[-1] + ","]


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    cases = importlib.import_module("onnx_cases")
    for name in sys.argv[2:] or cases.NAMES:
        with open(os.path.join(sys.argv[1], f"onnx_{name}.inc"), "w") as f:
            f.write("/* Cases of ONNX, by make_onnx_nodes.py: nodes, opset, inputs, outputs, does precis write it? */\n")
            for case in getattr(cases, name)():
                text = row(case)
                if text:
                    f.write(text + "\n")


main()
