"""make_pt2_ops.py FOLDER [NAME ...]: writes pt2_NAME.inc, cases of ops of torch as rows of C for test_pt2_ops.c.

A case is a function of pt2_cases.py; torch.export says which calls it is made of, torch what they give. It runs in a
virtual environment of tests/peers/environment-torch.
"""
import importlib
import io
import json
import os
import sys
import zipfile

import torch

TYPES = {torch.float32: "float", torch.float64: "double", torch.float16: "float16", torch.bfloat16: "bfloat16", torch.int64: "int64",
         torch.int32: "int32", torch.int16: "int16", torch.int8: "int8", torch.uint8: "uint8", torch.bool: "bool"}
WIDTH = 118
NOWHERE = {"device", "layout", "memory_format", "pin_memory"}  # arguments that only say where a result lies


class Net(torch.nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *a):
        return self.f(*a)


def number(v, dtype):
    if not dtype.is_floating_point:
        return str(int(v))
    text = repr(float(v)) if dtype == torch.float64 else f"{float(v):.8g}"
    return text[:-2] if text.endswith(".0") else text


def tensor(name, t):
    shape = f"[{','.join(map(str, t.shape))}]" if t.dim() else ""
    return f"{TYPES[t.dtype]}{shape} {name} {{{', '.join(number(v, t.dtype) for v in t.contiguous().view(-1).tolist())}}}"


def value(arg):
    (kind, v), = arg.items()
    if kind == "as_tensor":
        return v["name"]
    if kind in ("as_int", "as_float"):
        return {"Infinity": "inf", "-Infinity": "-inf"}.get(v, repr(v))
    if kind == "as_bool":
        return str(v).lower()
    if kind == "as_string":
        return "'" + "".join(c for c in v if c not in "'\"\\\n") + "'"
    if kind == "as_none":
        return "none"
    if kind == "as_scalar_type":
        return f"%{v}"
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return f"#{v['as_name']}" if "as_name" in v else repr(list(v.values())[0])
    if kind in ("as_ints", "as_floats", "as_bools"):
        return "[" + ", ".join(repr(e).lower() for e in v) + "]"
    if kind == "as_sym_ints":
        return "[" + ", ".join(f"#{e['as_name']}" if "as_name" in e else str(e["as_int"]) for e in v) + "]"
    if kind == "as_tensors":
        return "[" + ", ".join(e["name"] for e in v) + "]"
    if kind == "as_optional_tensors":
        return "[" + ", ".join("none" if "as_none" in e else e["as_tensor"]["name"] for e in v) + "]"
    raise ValueError(kind)


def call(node):
    outs = ", ".join(value(o) for o in node["outputs"])
    ins = ", ".join(f"{i['name']}={value(i['arg'])}" for i in node["inputs"] if i["name"] not in NOWHERE)
    return f"{outs} = {node['target'].removeprefix('torch.ops.')}({ins})"


def strings(text):
    out, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) + 1 > WIDTH - 6:
            out.append(line + " ")
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [f'"{t}"' for t in out + [line]]


def row(name, function, inputs):
    with torch.no_grad():
        program = torch.export.export(Net(function), inputs)
        want = program.module()(*inputs)
    want = [w for w in (want if isinstance(want, (tuple, list)) else [want])]
    memory = io.BytesIO()
    torch.export.save(program, memory)
    archive = zipfile.ZipFile(memory)
    graph = json.loads(archive.read(next(n for n in archive.namelist() if n.endswith("models/model.json"))))["graph_module"]
    outs = [o["user_output"]["arg"] for o in graph["signature"]["output_specs"] if "user_output" in o]
    ins = [i["user_input"]["arg"]["as_tensor"]["name"] for i in graph["signature"]["input_specs"] if "user_input" in i]
    if len(ins) != len(graph["signature"]["input_specs"]) or len(outs) != len(want):
        raise ValueError("it has more than inputs and outputs")
    texts = [" ".join(call(n) for n in graph["graph"]["nodes"]), " ".join(tensor(n, t) for n, t in zip(ins, inputs)),
             " ".join(tensor(value(o), torch.as_tensor(w)) for o, w in zip(outs, want) if "as_tensor" in o)]
    lines, line = [], "{ " + f'"{name}",'
    for part in [p for t in texts for p in [*strings(t)[:-1], strings(t)[-1] + ","]]:
        if len(line) + len(part) + 3 > WIDTH:
            lines.append(line)
            line = "  " + part
        else:
            line += " " + part
    return "\n".join(lines + [line[:-1] + " },"])


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    cases = importlib.import_module("pt2_cases")
    for name in sys.argv[2:] or cases.NAMES:
        with open(os.path.join(sys.argv[1], f"pt2_{name}.inc"), "w") as f:
            f.write("/* Cases of torch, by make_pt2_ops.py: name, calls, inputs, outputs. */\n")
            for case in getattr(cases, name)():
                try:
                    f.write(row(*case) + "\n")
                except Exception as e:
                    print(f"{case[0]}: {type(e).__name__} {str(e)[:300]}", file=sys.stderr)


main()
