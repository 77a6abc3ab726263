"""Nets of random nodes: precis beside onnxruntime in float and in every way of quantizing, C files beside precis run.

usage: random_nets.py PRECIS [FIRST [COUNT]] (in the environment of environment-nets). A net is made of a seed alone, so
that what is found can be made again; --keep FOLDER keeps the nets and files of seeds that failed.
"""
import os, re, shutil, subprocess, sys, tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

PRECIS = os.path.abspath(sys.argv[1])


class Making:
    """Nodes one after another; a value is (name, shape), with N standing for the batch."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.ints, self.count = [], [], 0
        self.batch = int(self.rng.integers(1, 4))
        self.open = self.rng.random() < .4  # the batch has no size in the file
        self.inputs, self.pool = [], []

    def pick(self, *of):
        return of[int(self.rng.integers(len(of)))]

    def chance(self, p):
        return self.rng.random() < p

    def name(self, like):
        self.count += 1
        return f"{like.lower()}_{self.count}"

    def const(self, v, like="c"):
        n = self.name(like)
        self.ints.append(numpy_helper.from_array(np.ascontiguousarray(v), n))
        return n

    def floats(self, *shape, scale=1.0):
        return self.const((self.rng.standard_normal(shape) * scale).astype(np.float32), "w")

    def longs(self, *v):
        return self.const(np.array(v, np.int64), "i")

    def put(self, op, ins, shape, outs=1, **attrs):
        names = [self.name(op) for _ in range(outs)]
        self.nodes.append(helper.make_node(op, ins, names, name=self.name("node_" + op), **attrs))
        return (names[0], tuple(shape)) if outs == 1 else [(n, tuple(s)) for n, s in zip(names, shape)]

    def input(self, shape):
        n = self.name("x")
        self.inputs.append((n, shape))
        return n, shape

    # ---- nodes: each takes a value and gives one, or None where it does not fit ----

    def conv(self, v):
        (x, s), r = v, self.rng
        if len(s) not in (3, 4):
            return None
        d, c = len(s) - 2, s[1]
        groups = self.pick(1, 1, 1, c) if c > 1 else 1
        if c % 2 == 0 and self.chance(.15):
            groups = 2
        to = groups * int(r.integers(1, 5)) if groups < c else c * self.pick(1, 1, 2)
        k = [int(r.integers(1, min(4, n) + 1)) for n in s[2:]]
        dil = [self.pick(1, 1, 2) if k[i] * 2 - 1 <= s[2 + i] else 1 for i in range(d)]
        st = [self.pick(1, 1, 2) for _ in range(d)]
        pads = [int(r.integers(0, k[i % d])) for i in range(2 * d)] if self.chance(.6) else [0] * 2 * d
        size = [(s[2 + i] + pads[i] + pads[d + i] - dil[i] * (k[i] - 1) - 1) // st[i] + 1 for i in range(d)]
        if min(size) < 1:
            return None
        w = self.floats(to, c // groups, *k, scale=(2 / (c // groups * np.prod(k))) ** .5)
        more = [self.floats(to, scale=.3)] if self.chance(.6) else []
        return self.put("Conv", [x, w, *more], (s[0], to, *size), kernel_shape=k, strides=st, dilations=dil, pads=pads, group=groups)

    def conv_transposed(self, v):
        x, s = v
        if len(s) != 4 or s[2] * s[3] > 300:
            return None
        groups = 2 if s[1] % 2 == 0 and self.chance(.3) else 1
        each, k, st = int(self.rng.integers(1, 4)), self.pick(2, 3), self.pick(1, 2)
        pad = int(self.rng.integers(0, k)) if min(s[2:]) > 2 else 0
        size = [(n - 1) * st + k - 2 * pad for n in s[2:]]
        if min(size) < 1:
            return None
        w = self.floats(s[1], each, k, k, scale=(2 / (s[1] * k)) ** .5)
        more = [self.floats(each * groups, scale=.3)] if self.chance(.5) else []
        return self.put("ConvTranspose", [x, w, *more], (s[0], each * groups, *size), strides=[st] * 2, pads=[pad] * 4, group=groups)

    def norm(self, v):
        x, s = v
        if len(s) < 3:
            return None
        c = s[1]
        if self.chance(.2):
            return self.put("InstanceNormalization", [x, self.floats(c), self.floats(c)], s) if np.prod(s[2:]) > 3 else None
        var = self.const((self.rng.random(c) + .3).astype(np.float32))
        return self.put("BatchNormalization", [x, self.floats(c), self.floats(c, scale=.3), self.floats(c, scale=.3), var], s)

    def layer_norm(self, v):
        x, s = v
        if len(s) < 2 or s[-1] < 4:
            return None
        return self.put("LayerNormalization", [x, self.floats(s[-1]), self.floats(s[-1], scale=.2)], s, axis=-1)

    def unary(self, v):
        x, s = v
        op = self.pick("Relu", "Relu", "Relu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "LeakyRelu", "Elu", "Erf", "Abs", "Neg", "Exp", "Softplus", "Selu", "Floor",
                       "Softsign", "Mish", "Gelu", "Celu", "Identity", "Sin", "Reciprocal", "Sqrt", "ThresholdedRelu")
        more = {"LeakyRelu": dict(alpha=.2), "Elu": dict(alpha=.7)}.get(op, {})
        if op in ("Exp", "Reciprocal"):  # of a bounded range
            x, s = self.put("Tanh", [x], s)
        if op in ("Sqrt", "Reciprocal"):
            x, s = self.put("Abs", [x], s)
        if op == "Reciprocal":
            x, s = self.put("Add", [x, self.const(np.float32(.5))], s)
        return self.put(op, [x], s, **more)

    def clip(self, v):
        x, s = v
        low, high = sorted(self.rng.standard_normal(2) * 2)
        low, high = self.pick((0., 6.), (low, high), (0., high if high > 0 else 1.), (-1., 1.))
        ends = self.pick((low, high), (low, high), (low, None), (None, high))
        ins = [x] + ["" if e is None else self.const(np.float32(e)) for e in ends]
        return self.put("Clip", ins if ins[-1] else ins[:-1], s)

    def prelu(self, v):
        x, s = v
        if len(s) < 3:
            return None
        return self.put("PRelu", [x, self.floats(s[1], *[1] * (len(s) - 2), scale=.3)], s)

    def silu(self, v):
        x, s = v
        g = self.put(self.pick("Sigmoid", "HardSigmoid", "Tanh"), [x], s)
        return self.put("Mul", self.pick([x, g[0]], [g[0], x]), s)

    def gelu(self, v):
        x, s = v
        e = self.put("Erf", [self.put("Div", [x, self.const(np.float32(2 ** .5))], s)[0]], s)
        y = self.put("Mul", [x, self.put("Add", [e[0], self.const(np.float32(1))], s)[0]], s)
        return self.put("Mul", [y[0], self.const(np.float32(.5))], s)

    def pool_of(self, v):
        x, s = v
        if len(s) not in (3, 4):
            return None
        if self.chance(.25):
            return self.put(self.pick("GlobalAveragePool", "GlobalMaxPool", "GlobalAveragePool"), [x], (*s[:2], *[1] * (len(s) - 2)))
        d = len(s) - 2
        k = [int(self.rng.integers(1, min(3, n) + 1)) for n in s[2:]]
        st = [self.pick(1, 2) for _ in range(d)]
        pads = [int(self.rng.integers(0, k[i % d])) for i in range(2 * d)] if self.chance(.4) else [0] * 2 * d
        size = [(s[2 + i] + pads[i] + pads[d + i] - k[i]) // st[i] + 1 for i in range(d)]
        if min(size) < 1:
            return None
        if self.chance(.5):
            return self.put("MaxPool", [x], (*s[:2], *size), kernel_shape=k, strides=st, pads=pads)
        return self.put("AveragePool", [x], (*s[:2], *size), kernel_shape=k, strides=st, pads=pads, count_include_pad=self.pick(0, 1))

    def reduce(self, v):
        x, s = v
        axes = sorted(int(a) for a in self.rng.choice(range(1, len(s)), size=int(self.rng.integers(1, len(s))), replace=False)) if len(s) > 1 else []
        if not axes:
            return None
        keep = self.pick(0, 1)
        shape = [1 if i in axes else n for i, n in enumerate(s) if keep or i not in axes]
        op = self.pick("ReduceMean", "ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin", "ReduceL2")
        if op == "ReduceSum":
            return self.put(op, [x, self.longs(*axes)], shape, keepdims=keep)
        return self.put(op, [x], shape, axes=[a - len(s) if self.chance(.5) else a for a in axes], keepdims=keep)

    def pair(self, v):
        """With another value of the same shape, or a constant that spreads."""
        x, s = v
        op = self.pick("Add", "Add", "Add", "Mul", "Mul", "Sub", "Max", "Min", "Div")
        others = [o for o in self.pool if o[0] != x and len(o[1]) <= len(s) and all(a == b or b == 1 for a, b in zip(s[::-1], o[1][::-1])) and (len(o[1]) < len(s) or o[1][0] == s[0])
                  and not (len(o[1]) < len(s) and o[1][0] == "N")]
        if op != "Div" and others and self.chance(.75):
            o = self.pick(*others)[0]
        else:
            shape = self.pick((), (1,), s[-1:] if s[-1] != "N" else (1,), (s[1], *[1] * (len(s) - 2)) if len(s) > 2 else (1,))
            o = self.const(((np.abs(self.rng.standard_normal(shape)) + .4) * self.pick(1., .1, 8.)).astype(np.float32)) if op == "Div" else self.floats(*shape)
        return self.put(op, [x, o] if op == "Div" or self.chance(.7) else [o, x], s)

    def concat(self, v):
        x, s = v
        if len(s) < 2:
            return None
        axis = int(self.rng.integers(1, len(s)))
        others = [o for o in self.pool if len(o[1]) == len(s) and all(i == axis or a == b for i, (a, b) in enumerate(zip(s, o[1])))]
        parts = [v] + [self.pick(*others) for _ in range(int(self.rng.integers(1, 3)))]
        return self.put("Concat", [p[0] for p in parts], [sum(p[1][axis] for p in parts) if i == axis else n for i, n in enumerate(s)], axis=self.pick(axis, axis - len(s)))

    def split(self, v):
        x, s = v
        axes = [i for i in range(1, len(s)) if s[i] >= 2]
        if not axes:
            return None
        axis = self.pick(*axes)
        first = int(self.rng.integers(1, s[axis]))
        sizes = [first, s[axis] - first]
        parts = self.put("Split", [x, self.longs(*sizes)], [[k if i == axis else n for i, n in enumerate(s)] for k in sizes], outs=2, axis=axis)
        self.pool.append(parts[0])
        return parts[1]

    def slice(self, v):
        x, s = v
        axes = [i for i in range(1, len(s)) if s[i] >= 2]
        if not axes:
            return None
        axis = self.pick(*axes)
        if self.chance(.25):
            back = self.longs(-1), self.longs(-(1 << 40)), self.longs(axis), self.longs(-1)
            return self.put("Slice", [x, *back], s)
        a, step = int(self.rng.integers(0, s[axis] - 1)), self.pick(1, 1, 2)
        b = int(self.rng.integers(a + 1, s[axis] + 1))
        size = (b - a + step - 1) // step
        return self.put("Slice", [x, self.longs(a), self.longs(b if self.chance(.7) else b - s[axis] if b < s[axis] else 1 << 40), self.longs(axis), self.longs(step)],
                        [size if i == axis else n for i, n in enumerate(s)])

    def pad(self, v):
        x, s = v
        if len(s) not in (3, 4):
            return None
        d = len(s) - 2
        mode = self.pick("constant", "constant", "constant", "reflect", "edge")
        most = 2 if mode != "reflect" else min(2, min(s[2:]) - 1)
        p = [int(self.rng.integers(0, most + 1)) for _ in range(2 * d)]
        value = [self.const(np.float32(self.pick(0., 0., .7, -1.)))] if mode == "constant" and self.chance(.6) else []
        return self.put("Pad", [x, self.longs(0, 0, *p[:d], 0, 0, *p[d:]), *value], (*s[:2], *[s[2 + i] + p[i] + p[d + i] for i in range(d)]), mode=mode)

    def resize(self, v):
        x, s = v
        if len(s) != 4 or s[2] * s[3] > 300:
            return None
        k = [int(self.rng.integers(1, 3)) for _ in range(2)]
        mode = self.pick("nearest", "nearest", "linear")
        scales = self.const(np.array([1, 1, *k], np.float32))
        how = self.pick("asymmetric", "half_pixel") if mode == "linear" else "asymmetric"
        return self.put("Resize", [x, "", scales], (*s[:2], s[2] * k[0], s[3] * k[1]), mode=mode, coordinate_transformation_mode=how, **(dict(nearest_mode="floor") if mode == "nearest" else {}))

    def move(self, v):
        x, s = v
        kind = self.pick("transpose", "reshape", "flatten", "unsqueeze", "squeeze", "depth", "tile", "gather", "expand")
        if kind == "transpose" and len(s) > 2:
            p = [0, *(1 + self.rng.permutation(len(s) - 1))]
            return self.put("Transpose", [x], [s[int(i)] for i in p], perm=[int(i) for i in p])
        if kind == "reshape" and len(s) > 2:
            a = int(self.rng.integers(1, len(s) - 1))
            return self.put("Reshape", [x, self.longs(0, *s[1:a], s[a] * s[a + 1], *s[a + 2:])], (*s[:a], s[a] * s[a + 1], *s[a + 2:]))
        if kind == "flatten" and len(s) > 2 and np.prod(s[1:]) < 500:
            return self.put("Flatten", [x], (s[0], int(np.prod(s[1:]))))
        if kind == "unsqueeze" and len(s) < 5:
            a = int(self.rng.integers(1, len(s) + 1))
            return self.put("Unsqueeze", [x, self.longs(a)], (*s[:a], 1, *s[a:]))
        if kind == "squeeze" and 1 in s[1:] and len(s) > 2:
            a = s.index(1, 1)
            return self.put("Squeeze", [x, self.longs(a)], (*s[:a], *s[a + 1:]))
        if kind == "depth" and len(s) == 4 and s[1] % 4 == 0:
            return self.put("DepthToSpace", [x], (s[0], s[1] // 4, s[2] * 2, s[3] * 2), blocksize=2, mode=self.pick("DCR", "CRD"))
        if kind == "depth" and len(s) == 4 and s[2] % 2 == 0 and s[3] % 2 == 0:
            return self.put("SpaceToDepth", [x], (s[0], s[1] * 4, s[2] // 2, s[3] // 2), blocksize=2)
        if kind == "tile" and np.prod(s[1:]) < 200 and len(s) > 1:
            return self.put("Tile", [x, self.longs(*[1] * (len(s) - 1), 2)], (*s[:-1], s[-1] * 2))
        if kind == "gather" and len(s) > 1:
            a = int(self.rng.integers(1, len(s)))
            at = self.rng.integers(-s[a], s[a], size=int(self.rng.integers(1, 5)))
            return self.put("Gather", [x, self.longs(*at)], [len(at) if i == a else n for i, n in enumerate(s)], axis=a)
        if kind == "expand" and s[-1] == 1 and len(s) > 1:
            return self.put("Expand", [x, self.longs(*[1] * (len(s) - 1), 3)], (*s[:-1], 3))
        return None

    def linear(self, v):
        x, s = v
        if len(s) < 2 or s[-1] > 600:
            return None
        k, n = s[-1], int(self.rng.integers(1, 12))
        if len(s) == 2 and self.chance(.6):
            t = self.pick(0, 1)
            w = self.floats(*((n, k) if t else (k, n)), scale=k ** -.5)
            more = [self.floats(*self.pick((n,), (1, n), (n,)), scale=.3)] if self.chance(.7) else []
            extra = self.pick({}, {}, dict(alpha=self.pick(.5, 1.)), dict(beta=.25) if more else {})
            return self.put("Gemm", [x, w, *more], (s[0], n), transB=t, **extra)
        y = self.put("MatMul", [x, self.floats(k, n, scale=k ** -.5)], (*s[:-1], n))
        return self.put("Add", [y[0], self.floats(n, scale=.3)], y[1]) if self.chance(.5) else y

    def matmul(self, v):
        """A product of two values."""
        x, s = v
        if len(s) not in (3, 4):
            return None
        others = [o for o in self.pool if len(o[1]) == len(s) and o[1][:-2] == s[:-2] and o[1][-2] == s[-1]] or \
                 [self.put("Transpose", [o[0]], (*o[1][:-2], o[1][-1], o[1][-2]), perm=[*range(len(s) - 2), len(s) - 1, len(s) - 2])
                  for o in self.pool if len(o[1]) == len(s) and o[1][:-2] == s[:-2] and o[1][-1] == s[-1]][:1]
        if not others:
            return None
        o = self.pick(*others)
        return self.put("MatMul", [x, o[0]], (*s[:-1], o[1][-1]))

    def batches(self, v):
        """A constant matrix for each of several batches."""
        x, s = v
        if len(s) < 3:
            return None
        n = int(self.rng.integers(2, 9))
        return self.put("MatMul", [x, self.floats(*s[1:-2], s[-1], n, scale=s[-1] ** -.5)], (*s[:-1], n))

    def attention(self, v):
        x, s = v
        if len(s) != 3 or s[2] > 64 or s[1] > 40:
            return None
        h, e = self.pick(1, 2), 4
        heads = []
        for k in range(3):
            y = self.put("MatMul", [x, self.floats(s[2], h * e, scale=s[2] ** -.5)], (*s[:2], h * e))
            y = self.put("Reshape", [y[0], self.longs(0, s[1], h, e)], (*s[:2], h, e))
            p = (0, 2, 3, 1) if k == 1 else (0, 2, 1, 3)
            heads.append(self.put("Transpose", [y[0]], [y[1][i] for i in p], perm=p))
        q, k, u = heads
        a = self.put("MatMul", [q[0], k[0]], (s[0], h, s[1], s[1]))
        a = self.put("Mul", [a[0], self.const(np.float32(e ** -.5))], a[1])
        a = self.put("Softmax", [a[0]], a[1], axis=-1)
        y = self.put("Transpose", [self.put("MatMul", [a[0], u[0]], (s[0], h, s[1], e))[0]], (s[0], s[1], h, e), perm=(0, 2, 1, 3))
        return self.put("Reshape", [y[0], self.longs(0, s[1], h * e)], (*s[:2], h * e))

    def softmax(self, v):
        return self.put(self.pick("Softmax", "Softmax", "LogSoftmax"), [v[0]], v[1], axis=self.pick(-1, len(v[1]) - 1, 1 if len(v[1]) > 1 else -1))

    def where(self, v):
        x, s = v
        c = self.put("Greater", [x, self.const(np.float32(.1))], s)
        return self.put("Where", [c[0], x, self.const(np.float32(-.2))], s)

    def recurrent(self, v):
        x, s = v
        if len(s) != 3 or s[1] > 40 or s[2] > 64:
            return None
        t = self.put("Transpose", [x], (s[1], s[0], s[2]), perm=[1, 0, 2])
        op, h, ways = self.pick("LSTM", "GRU", "RNN"), self.pick(3, 5), self.pick(1, 1, 2)
        g = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
        ins = [t[0], self.floats(ways, g * h, s[2], scale=s[2] ** -.5), self.floats(ways, g * h, h, scale=h ** -.5)]
        ins += [self.floats(ways, 2 * g * h, scale=.2)] if self.chance(.6) else []
        more = dict(linear_before_reset=self.pick(0, 1)) if op == "GRU" else {}
        y = self.put(op, ins, (s[1], ways, s[0], h), hidden_size=h, direction="bidirectional" if ways == 2 else self.pick("forward", "reverse"), **more)
        y = self.put("Transpose", [y[0]], (s[0], s[1], ways, h), perm=[2, 0, 1, 3])
        return self.put("Reshape", [y[0], self.longs(0, s[1], ways * h)], (s[0], s[1], ways * h))


def made(seed):
    """model, shapes of inputs for some batch"""
    m = Making(seed)
    shape = m.pick((3, 8, 8), (4, 7, 9), (2, 6, 12), (1, 10, 10), (5, 12), (6, 9), (8, 8), (12,), (4, 6, 6))
    m.pool.append(m.input(("N", *shape)))
    if m.chance(.3):
        m.pool.append(m.input(("N", *shape)))
    kinds = [m.conv] * 6 + [m.linear] * 4 + [m.norm] * 2 + [m.unary] * 4 + [m.clip] * 2 + [m.pair] * 5 + [m.pool_of] * 2 + [m.concat] * 2 + [m.move] * 4 + \
            [m.prelu, m.silu, m.gelu, m.reduce, m.split, m.slice, m.pad, m.resize, m.matmul, m.attention, m.softmax, m.where, m.layer_norm, m.conv_transposed, m.recurrent, m.matmul, m.batches]
    for _ in range(int(m.rng.integers(3, 14))):
        for _ in range(20):
            v = m.pool[-1] if m.chance(.75) else m.pick(*m.pool)
            y = m.pick(*kinds)(v)
            if y and np.prod([d for d in y[1] if d != "N"]) <= 4000 and len(y[1]) <= 5:
                m.pool.append(y)
                break
    used = {i for n in m.nodes for i in n.input}
    outs = [v for v in m.pool if v[0] not in used and v[0] not in dict(m.inputs)][-3:] or [m.pool[-1]]
    wanted, keep = {o[0] for o in outs}, []
    for n in m.nodes[::-1]:
        if wanted & set(n.output):
            keep.insert(0, n)
            wanted |= set(n.input)
    inputs = [i for i in m.inputs if i[0] in wanted]
    dim = lambda s: ["N" if d == "N" and m.open else m.batch if d == "N" else d for d in s]
    g = helper.make_graph(keep, "g", [helper.make_tensor_value_info(n, TensorProto.FLOAT, dim(s)) for n, s in inputs],
                          [helper.make_tensor_value_info(n, TensorProto.FLOAT, dim(s)) for n, s in outs], [i for i in m.ints if i.name in wanted])
    opset = 20 if any(n.op_type == "Gelu" for n in keep) else 18 if any(n.op_type == "Mish" for n in keep) else 17
    for n in g.node:  # axes are an input from opset 18 on
        if opset >= 18 and n.op_type.startswith("Reduce") and len(n.input) == 1:
            axes = [a for a in n.attribute if a.name == "axes"][0]
            n.attribute.remove(axes)
            i = m.const(np.array(axes.ints, np.int64), "i")
            n.input.append(i)
            g.initializer.append(m.ints[-1])
    model = helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return model, {n: [m.batch if d == "N" else d for d in s] for n, s in inputs}


# ---- judging -----------------------------------------------------------------------------------------

def session(path, optimized=True):
    o = ort.SessionOptions()
    o.log_severity_level, o.intra_op_num_threads, o.inter_op_num_threads = 4, 1, 1
    if not optimized:
        o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])


def precis(*args):
    r = subprocess.run([PRECIS, *map(str, args)], capture_output=True, text=True)
    lines = [l for l in r.stderr.strip().split("\n") if l]
    return r.returncode, r.stdout, lines[-1] if lines else ""


def run_here(net, feed, folder, outs):
    args = []
    for k, v in feed.items():
        np.save(f"{folder}/{k}.npy", v)
        args += ["--input", f"{k}={folder}/{k}.npy"]
    code, _, said = precis("run", net, *args, "--output-dir", f"{folder}/out", "--threads", "1")
    if code:
        raise RuntimeError(f"exit {code}: {said}")
    return [np.load(f"{folder}/out/{n}.npy") for n in outs]


def decibels(want, got):
    w, g = (np.concatenate([np.asarray(a, np.float64).ravel() for a in v]) for v in (want, got))
    if w.shape != g.shape:
        return -999.0
    lost, size = np.linalg.norm(w - g), np.linalg.norm(w)
    return 200.0 if lost <= 1e-9 * size or lost == 0 else -200.0 if size == 0 else 20 * np.log10(size / lost)


def c_main(path, folder):
    text = open(path).read()
    prefix = re.search(r"#ifndef (\w+)_INCLUDED", text).group(1)
    run = re.search(r"^int (\w+)_run\(([^)]*)\)", text, re.M)
    kinds = [t.strip() for t in run.group(2).split(",")]
    sizes = [int(v) for v in re.findall(rf"#define {prefix}_(?:INPUT|OUTPUT)(?:_\d+)?_SIZE (\d+)", text)]
    lines = [f"#define {prefix}_HEADER_ONLY", f'#include "{path}"', "#include <stdio.h>"]
    body = []
    for i, (kind, size) in enumerate(zip(kinds, sizes)):
        lines.append(f"static {kind.replace('const ', '').split('*')[0].strip()} a{i}[{size}];")
        into = kind.startswith("const")
        act = f"fread(a{i}, 1, sizeof a{i}, f) != sizeof a{i}" if into else f"fwrite(a{i}, 1, sizeof a{i}, f) != sizeof a{i}"
        body.append(f'    f = fopen("{folder}/{"in" if into else "out"}{i}", "{"rb" if into else "wb"}");\n    if (!f || {act}) return 9;\n    fclose(f);')
    n = sum(k.startswith("const") for k in kinds)
    call = f"    if ({run.group(1)}_run({', '.join(f'a{i}' for i in range(len(kinds)))})) return 8;"
    return "\n".join(lines + ["int main(void)", "{", "    FILE *f;"] + body[:n] + [call] + body[n:] + ["    return 0;", "}"]), n


def c_file(net, feed, want, folder):
    """What is wrong with the C file of a net; None: nothing, or it is refused by name."""
    path = f"{folder}/net.c"
    some = [i for i in session(net, False).get_inputs() if "N" in i.shape][:1]
    size = ["--size", f"N={feed[some[0].name].shape[0]}"] if some else []
    code, _, said = precis("convert", net, "-q", *size, "-o", path)
    if code:
        return None if code == 3 and "cannot be written as C" in said else f"C: exit {code}: {said}"
    main, n = c_main(path, folder)
    open(f"{folder}/main.c", "w").write(main)
    r = subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", path, f"{folder}/main.c", "-o", f"{folder}/c"], capture_output=True, text=True)
    if r.returncode:
        return "C: gcc: " + r.stderr[:300]
    for i, x in enumerate(feed.values()):
        x.tofile(f"{folder}/in{i}")
    r = subprocess.run([f"{folder}/c"])
    if r.returncode:
        return f"C: its program ended with {r.returncode}"
    for i, y in enumerate(want):
        got = np.fromfile(f"{folder}/out{n + i}", y.dtype)
        if got.tobytes() != y.tobytes():
            return f"C: output {i}: {int((got != y.ravel()).sum()) if got.size == y.size else got.size} of {y.size} numbers differ from precis run"
    return None


WAYS = {"static": ["--static"], "qop": ["--static", "--qop"], "like": ["--static", "--like", "onnxruntime"], "tensor": ["--static", "--per-tensor", "--all-int8"],
        "s8": ["--static", "--activations", "s8", "--symmetric"], "u16": ["--static", "--activations", "u16"], "dynamic": ["--dynamic"], "w8": ["--weight-only"],
        "w4": ["--weight-only", "--weights", "int4"], "w2": ["--weight-only", "--weights", "int2", "--group", "16"], "fp8": ["--weight-only", "--weights", "fp8"]}


def judge(seed, folder):
    """Everything that is wrong with one seed."""
    model, shapes = made(seed)
    net, wrong, rng = f"{folder}/net.onnx", [], np.random.default_rng(seed + 1)
    onnx.save(model, net)
    feeds = [{n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()} for _ in range(5)]
    outs = [o.name for o in model.graph.output]
    try:
        want = session(net).run(None, feeds[4])
    except Exception as e:  # a net that onnxruntime itself refuses judges nothing
        return [f"(onnxruntime refuses it: {str(e)[:150]})"]
    try:
        here = run_here(net, feeds[4], folder, outs)
    except RuntimeError as e:
        return [f"float: {e}"]
    db = decibels(want, here)
    if db < 90:
        wrong.append(f"float: {db:.1f} dB from onnxruntime")
    bad = c_file(net, feeds[4], here, folder)
    wrong += [f"float {bad}"] if bad else []
    os.makedirs(f"{folder}/calib", exist_ok=True)
    for k, f in enumerate(feeds):
        np.savez(f"{folder}/calib/{k}.npz", **f)
    losses = {}
    for way, args in WAYS.items():
        q = f"{folder}/{way}.onnx"
        calib = ["--calib", f"{folder}/calib"] if args[0] == "--static" else []
        code, _, said = precis("quant", net, *args, *calib, "--no-speed", "-q", "-o", q)
        if code:
            wrong.append(f"{way}: exit {code}: {said}")
            continue
        try:
            here = run_here(q, feeds[4], folder, outs)
        except RuntimeError as e:
            wrong.append(f"{way}: {e}")
            continue
        try:
            theirs, plain = session(q).run(None, feeds[4]), session(q, False).run(None, feeds[4])
        except Exception as e:
            wrong.append(f"{way}: onnxruntime: {str(e)[:300]}")
            continue
        apart, loss = max(decibels(theirs, here), decibels(plain, here)), decibels(want, here)
        least = {"u16": 50, "w8": 80, "w4": 80, "w2": 80, "fp8": 80}.get(way, 38)
        if apart < least and apart < loss + 15:
            wrong.append(f"{way}: {apart:.1f} dB from onnxruntime ({loss:.1f} from float)")
        losses[way] = loss
        if way in ("static", "s8", "tensor", "w8"):
            bad = c_file(q, feeds[4], here, folder)
            wrong += [f"{way} {bad}"] if bad else []
    for way in "static", "qop", "tensor", "s8", "u16", "dynamic", "w8":  # a net may be ill-conditioned: then all lose it
        best = max(losses.get(w, -99) for w in ("like", "static", "s8") if w != way)
        if losses.get(way, 99) < min(25, best - (12 if way == "tensor" else 8)):
            wrong.append(f"{way}: {losses[way]:.1f} dB from float, where another way has {best:.1f}")
    return wrong


def main():
    rest = sys.argv[2:]
    keep = rest.pop(rest.index("--keep") + 1) if "--keep" in rest else None
    numbers = [int(a) for a in rest if not a.startswith("--")]
    first, count = (numbers + [2000, 40][len(numbers):])[:2]
    failed = skipped = 0
    for seed in range(first, first + count):
        folder = tempfile.mkdtemp()
        wrong = judge(seed, folder)
        theirs = bool(wrong) and wrong[0].startswith("(")
        skipped += theirs
        failed += bool(wrong) and not theirs
        for w in wrong:
            print(f"seed {seed}: {w}", flush=True)
        if wrong and keep:
            shutil.copytree(folder, f"{keep}/{seed}", dirs_exist_ok=True)
        shutil.rmtree(folder)
    print(f"{count} nets from seed {first} on: {failed} with something wrong, {skipped} that onnxruntime refuses")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
