"""Nets with random weights in the shapes of well-known ones, as ONNX, and what onnxruntime's quantizers make of them.

Run by bench/nets.py in the environment of tests/peers/environment-nets: nets_make.py FOLDER [NET...]. A file that is there
is kept. Weights are scaled so that activations keep their size from layer to layer (He et al. 2015), which is what matters
for ranges; the numbers mean nothing.
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights, self.count = [], [], 0

    def weight(self, array, name="w"):
        self.count += 1
        name = f"{name}{self.count}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op, inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"{op.lower()}{self.count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}{self.count}", **attributes))
        return names[0] if outputs == 1 else names

    def normal(self, *shape, scale=1.0):
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def conv(self, x, channels, to, kernel, stride=1, groups=1, pad=None, act=None):
        pad = kernel // 2 if pad is None else pad
        fan = channels // groups * kernel * kernel
        w = self.weight(self.normal(to, channels // groups, kernel, kernel, scale=(2 / fan) ** 0.5))
        b = self.weight(self.normal(to, scale=0.05), "b")
        y = self.node("Conv", [x, w, b], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups)
        if act == "relu":
            y = self.node("Relu", [y])
        if act == "relu6":
            y = self.node("Clip", [y, self.scalar(0.0), self.scalar(6.0)])
        return y

    def scalar(self, value):
        return self.weight(np.array(value, np.float32), "c")

    def linear(self, x, k, n):
        y = self.node("MatMul", [x, self.weight(self.normal(k, n, scale=k ** -0.5))])
        return self.node("Add", [self.weight(self.normal(n, scale=0.05), "b"), y])

    def save(self, path, inputs, output, shape):
        graph = helper.make_graph(
            self.nodes, "net", [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def resnet18(path, batch):
    n = Net(1)
    x = n.conv("x", 3, 64, 7, 2, act="relu")
    x = n.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    have = 64
    for width, first in (64, 1), (128, 2), (256, 2), (512, 2):
        for stride in (first, 1):
            y = n.conv(x, have, width, 3, stride, act="relu")
            y = n.conv(y, width, width, 3)
            if stride != 1 or have != width:
                x = n.conv(x, have, width, 1, stride)
            x = n.node("Relu", [n.node("Add", [y, x])])
            have = width
    x = n.node("Flatten", [n.node("GlobalAveragePool", [x])])
    w, b = n.weight(n.normal(1000, 512, scale=512 ** -0.5)), n.weight(n.normal(1000, scale=0.05), "b")
    x = n.node("Gemm", [x, w, b], transB=1)
    n.save(path, [("x", TensorProto.FLOAT, [batch, 3, 224, 224])], x, [batch, 1000])


def mobilenet_v2(path, batch):
    n = Net(2)
    x = n.conv("x", 3, 32, 3, 2, act="relu6")
    have = 32
    for t, c, count, first in (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), \
            (6, 320, 1, 1):
        for i in range(count):
            stride = first if i == 0 else 1
            y, wide = x, have * t
            if t != 1:
                y = n.conv(y, have, wide, 1, act="relu6")
            y = n.conv(y, wide, wide, 3, stride, wide, act="relu6")
            y = n.conv(y, wide, c, 1)
            x = n.node("Add", [x, y]) if stride == 1 and have == c else y
            have = c
    x = n.conv(x, 320, 1280, 1, act="relu6")
    x = n.node("Flatten", [n.node("GlobalAveragePool", [x])])
    w, b = n.weight(n.normal(1000, 1280, scale=1280 ** -0.5)), n.weight(n.normal(1000, scale=0.05), "b")
    x = n.node("Gemm", [x, w, b], transB=1)
    n.save(path, [("x", TensorProto.FLOAT, [batch, 3, 224, 224])], x, [batch, 1000])


def encoder(path, batch, layers, width, wide, heads, tokens=128, words=4096):
    """As torch.onnx writes BERT: layer norm as one node, GELU by Erf, attention by its pieces."""
    n = Net(3)
    gamma = lambda: n.weight((1 + n.normal(width, scale=0.05)).astype(np.float32))
    beta = lambda: n.weight(n.normal(width, scale=0.05))
    norm = lambda v: n.node("LayerNormalization", [v, gamma(), beta()], axis=-1, epsilon=1e-12)
    each = width // heads
    shape = n.weight(np.array([batch, tokens, heads, each], np.int64), "s")
    back = n.weight(np.array([batch, tokens, width], np.int64), "s")
    x = n.node("Gather", [n.weight(n.normal(words, width)), "ids"], axis=0)
    x = norm(n.node("Add", [x, n.weight(n.normal(1, tokens, width))]))
    m = n.node("Cast", ["mask"], to=TensorProto.FLOAT)
    m = n.node("Unsqueeze", [m, n.weight(np.array([1, 2], np.int64), "a")])
    m = n.node("Mul", [n.node("Sub", [n.scalar(1.0), m]), n.scalar(-10000.0)])
    for _ in range(layers):
        q, k, v = (n.node("Reshape", [n.linear(x, width, width), shape]) for _ in range(3))
        q, v = (n.node("Transpose", [a], perm=[0, 2, 1, 3]) for a in (q, v))
        k = n.node("Transpose", [k], perm=[0, 2, 3, 1])
        s = n.node("Div", [n.node("MatMul", [q, k]), n.scalar(each ** 0.5)])
        s = n.node("Softmax", [n.node("Add", [s, m])], axis=-1)
        y = n.node("Reshape", [n.node("Transpose", [n.node("MatMul", [s, v])], perm=[0, 2, 1, 3]), back])
        x = norm(n.node("Add", [n.linear(y, width, width), x]))
        y = n.linear(x, width, wide)
        e = n.node("Add", [n.node("Erf", [n.node("Div", [y, n.scalar(2 ** 0.5)])]), n.scalar(1.0)])
        y = n.node("Mul", [n.node("Mul", [y, e]), n.scalar(0.5)])
        x = norm(n.node("Add", [n.linear(y, wide, width), x]))
    n.save(path, [("ids", TensorProto.INT64, [batch, tokens]), ("mask", TensorProto.INT64, [batch, tokens])], x,
           [batch, tokens, width])


def lstm(path, batch, steps=100, width=256, hidden=512):
    n = Net(4)
    x, have = "x", width
    squeeze = n.weight(np.array([1], np.int64), "a")
    for _ in range(2):
        w = n.weight(n.normal(1, 4 * hidden, have, scale=have ** -0.5))
        r = n.weight(n.normal(1, 4 * hidden, hidden, scale=hidden ** -0.5))
        b = n.weight(n.normal(1, 8 * hidden, scale=0.05), "b")
        y = n.node("LSTM", [x, w, r, b], outputs=3, hidden_size=hidden)[0]
        x, have = n.node("Squeeze", [y, squeeze]), hidden
    n.save(path, [("x", TensorProto.FLOAT, [steps, batch, width])], n.linear(x, hidden, 64), [steps, batch, 64])


NETS = {
    "resnet18": resnet18, "mobilenet_v2": mobilenet_v2,
    "minilm": lambda p, b: encoder(p, b, 6, 384, 1536, 12), "bert_base": lambda p, b: encoder(p, b, 12, 768, 3072, 12),
    "lstm": lstm,
}
STATIC = ("resnet18", "mobilenet_v2")


def inputs_of(path, seed):
    rng, feeds = np.random.default_rng(seed), {}
    for i in onnx.load(path, load_external_data=False).graph.input:
        shape = [d.dim_value for d in i.type.tensor_type.shape.dim]
        whole = i.type.tensor_type.elem_type == TensorProto.INT64
        feeds[i.name] = (np.ones(shape, np.int64) if i.name == "mask" else
                         rng.integers(0, 4096, shape) if whole else rng.standard_normal(shape).astype(np.float32))
    return feeds


def quantized(path, to, static):
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
    if not static:
        quantize_dynamic(path, to, weight_type=QuantType.QInt8, per_channel=True)
        return

    class Reader:
        rows = iter([inputs_of(path, s) for s in range(100, 102)])

        def get_next(self):
            return next(self.rows, None)

    quantize_static(path, to, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def made(folder, net, batch, kind):
    """The path of a net in float ("f32") or quantized ("int8"), made when it is not there."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{net}-b{batch}.onnx")
    if not os.path.exists(path):
        NETS[net](path + ".new", batch)
        os.replace(path + ".new", path)
    if kind == "f32":
        return path
    to = os.path.join(folder, f"{net}-b{batch}-int8.onnx")
    if not os.path.exists(to):
        quantized(path, to + ".new", net in STATIC)
        os.replace(to + ".new", to)
    return to


if __name__ == "__main__":
    for each in sys.argv[2:] or NETS:
        name, _, batch = each.partition(":")
        for kind in "f32", "int8":
            print(made(sys.argv[1], name, int(batch or 1), kind), flush=True)
