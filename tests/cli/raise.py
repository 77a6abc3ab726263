"""A transformer block as an exporter without fused ops writes it, and what passes make of it. Needs no package.
usage: raise.py make FOLDER              block.onnx: two layer norms, attention, GELU; and its arrays
       raise.py near A.npy B.npy PART    are the numbers within a part of the largest?"""
import os, random, re, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from onnx_files import F32, floats, graph, longs, model, node, npy, port

T, D, H, F = 9, 16, 2, 32


def noise(n, scale):
    return [scale * (random.random() * 2 - 1) for _ in range(n)]


class Block:
    def __init__(self):
        self.nodes, self.ints, self.n = [], [], 0

    def op(self, kind, *inputs, **attrs):
        self.n += 1
        out = f"v{self.n}"
        self.nodes.append(node(kind, list(inputs), [out], name=f"{kind.lower()}_{self.n}", **attrs))
        return out

    def const(self, shape, values):
        self.n += 1
        self.ints.append(floats(f"c{self.n}", shape, values))
        return f"c{self.n}"

    def number(self, v):
        return self.const([], [v])

    def shape(self, *dims):
        self.n += 1
        self.ints.append(longs(f"s{self.n}", list(dims)))
        return f"s{self.n}"

    def norm(self, x):
        d = self.op("Sub", x, self.op("ReduceMean", x, axes=[-1]))
        v = self.op("ReduceMean", self.op("Pow", d, self.number(2.0)), axes=[-1])
        q = self.op("Div", d, self.op("Sqrt", self.op("Add", v, self.number(1e-5))))
        return self.op("Add", self.op("Mul", q, self.const([D], [1 + v for v in noise(D, .3)])), self.const([D], noise(D, .3)))

    def linear(self, x, k, n):
        return self.op("Add", self.op("MatMul", x, self.const([k, n], noise(k * n, .4))), self.const([n], noise(n, .2)))

    def heads(self, x, perm):
        return self.op("Transpose", self.op("Reshape", x, self.shape(2, T, H, D // H)), perm=perm)

    def attention(self, x):
        q, k, v = (self.heads(self.linear(x, D, D), p) for p in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        s = self.op("Div", self.op("MatMul", q, k), self.number((D / H) ** .5))
        mask = self.const([1, 1, 1, T], [0.0] * (T - 2) + [-1e4] * 2)
        p = self.op("Softmax", self.op("Add", s, mask), axis=-1)
        y = self.op("Transpose", self.op("MatMul", p, v), perm=[0, 2, 1, 3])
        return self.linear(self.op("Reshape", y, self.shape(2, T, D)), D, D)

    def gelu(self, x):
        e = self.op("Erf", self.op("Div", x, self.number(2 ** .5)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", e, self.number(1.0))), self.number(0.5))


def make(folder):
    os.makedirs(folder, exist_ok=True)
    random.seed(7)
    b = Block()
    x = b.op("Add", "x", b.attention(b.norm("x")))
    y = b.op("Add", x, b.linear(b.gelu(b.linear(b.norm(x), D, F)), F, D))
    b.nodes.append(node("Identity", [y], ["y"], name="last"))
    net = model(graph(b.nodes, [port("x", F32, [2, T, D])], [port("y", F32, [2, T, D])], b.ints), opset=13)
    open(os.path.join(folder, "block.onnx"), "wb").write(net)
    open(os.path.join(folder, "x.npy"), "wb").write(npy(noise(2 * T * D, 2), [2, T, D]))


def numbers(path):
    data = open(path, "rb").read()
    return struct.unpack(f"<{(len(data) - 10 - struct.unpack('<H', data[8:10])[0]) // 4}f", data[10 + struct.unpack("<H", data[8:10])[0]:])


def near(a, b, part):
    a, b = numbers(a), numbers(b)
    worst = max(abs(x - y) for x, y in zip(a, b))
    if len(a) != len(b) or not worst <= part * max(map(abs, b)):
        sys.exit(f"{len(a)} and {len(b)} numbers, {worst:g} apart")


if __name__ == "__main__":
    make(sys.argv[2]) if sys.argv[1] == "make" else near(sys.argv[2], sys.argv[3], float(sys.argv[4]))
