"""What C files of published nets take (docs/c-files.md): their shapes with made-up weights, quantized and written; the
figures that the file predicts, beside those that were published. usage: c_files.py PRECIS"""
import json, os, random, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
from onnx_files import F32, floats, graph, longs, model, node, npy, port

rng = random.Random(3)


def noise(n, scale):
    return [rng.gauss(0, scale) for _ in range(n)]


class Net:
    def __init__(self, shape):
        self.nodes, self.ints, self.at, self.shape, self.first, self.count = [], [], "x", list(shape), list(shape), 0

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def put(self, op, inputs, shape, **attrs):
        out = self.name()
        self.nodes.append(node(op, inputs, [out], name=out, **attrs))
        self.at, self.shape = out, shape
        return self

    def weight(self, shape, fan):
        name, n = self.name(), 1
        for d in shape:
            n *= d
        self.ints.append(floats(name, shape, noise(n, fan ** -.5)))
        return name

    def conv(self, outs, kernel, stride=1, group=1, relu=True):
        c, h, w = self.shape
        kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        oh, ow = -(-h // stride), -(-w // stride)
        ph, pw = max((oh - 1) * stride + kh - h, 0), max((ow - 1) * stride + kw - w, 0)
        weight = self.weight([outs, c // group, kh, kw], c // group * kh * kw)
        self.put("Conv", [self.at, weight, self.weight([outs], 100)], [outs, oh, ow], group=group,
                 strides=[stride, stride], pads=[ph // 2, pw // 2, ph - ph // 2, pw - pw // 2])
        return self.put("Relu", [self.at], self.shape) if relu else self

    def depthwise(self, stride=1):
        return self.conv(self.shape[0], 3, stride, self.shape[0])

    def pool(self, op):
        c, h, w = self.shape
        return self.put(op, [self.at], [c, h // 2, w // 2], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])

    def add(self, other):
        return self.put("Relu", [self.put("Add", [self.at, other], self.shape).at], self.shape)

    def dense(self, outs, relu=False):
        if len(self.shape) > 1:
            n = self.shape[0] * self.shape[1] * self.shape[2]
            self.ints.append(longs(self.name(), [0, -1]))
            self.put("Reshape", [self.at, f"v{self.count}"], [n])
        weight = self.weight([outs, self.shape[0]], self.shape[0])
        self.put("Gemm", [self.at, weight, self.weight([outs], 100)], [outs], transB=1)
        return self.put("Relu", [self.at], self.shape) if relu else self

    def mean(self):
        return self.put("GlobalAveragePool", [self.at], [self.shape[0], 1, 1])

    def file(self, folder):
        n = 1
        for d in self.first:
            n *= d
        net = graph(self.nodes, [port("x", F32, ["N"] + self.first)], [port(self.at, F32, ["N"] + self.shape)], self.ints)
        open(f"{folder}/net.onnx", "wb").write(model(net))
        open(f"{folder}/x.npy", "wb").write(npy(noise(2 * n, 1), [2] + self.first))


def cifar():
    return Net([3, 32, 32]).conv(32, 5, relu=False).pool("MaxPool").conv(32, 5).pool("AveragePool").conv(64, 5).pool("AveragePool").dense(10)


def words():
    net = Net([1, 49, 10]).conv(64, (10, 4), 2)
    for _ in range(4):
        net.depthwise().conv(64, 1)
    return net.mean().dense(12)


def images():
    net = Net([3, 32, 32]).conv(16, 3)
    for outs, stride in ((16, 1), (32, 2), (64, 2)):
        start, shape = net.at, net.shape
        net.conv(outs, 3, stride).conv(outs, 3, relu=False)
        end, done = net.at, net.shape
        if stride > 1:
            net.at, net.shape = start, shape
            start = net.conv(outs, 1, stride, relu=False).at
            net.at, net.shape = end, done
        net.add(start)
    return net.mean().dense(10)


def people():
    net = Net([3, 96, 96]).conv(8, 3, 2)
    for outs, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)) + ((128, 1),) * 5 + ((256, 2), (256, 1)):
        net.depthwise(stride).conv(outs, 1)
    return net.mean().dense(2)


def sounds():
    net = Net([640])
    for outs in (128,) * 4 + (8,) + (128,) * 4:
        net.dense(outs, True)
    return net.dense(640)


# Name, net, core, what was published: cycles, and by whom.
ROWS = (
    ("CIFAR-10 CNN", cifar, "Cortex-M7", 99.1e-3 * 216e6, "CMSIS-NN"),
    ("MLPerf Tiny IC (ResNet-8)", images, "Cortex-M4", 120e6 / 1.420, "TFLM 2.3.1"),
    ("MLPerf Tiny KWS (DS-CNN)", words, "Cortex-M4", 120e6 / 5.497, "TFLM 2.3.1"),
    ("MLPerf Tiny VWW (MobileNetV1 0.25)", people, "Cortex-M4", 120e6 / 1.665, "TFLM 2.3.1"),
    ("MLPerf Tiny AD (autoencoder)", sounds, "Cortex-M4", 120e6 / 99.487, "TFLM 2.3.1"),
)

precis = sys.argv[1]
print("| net | products | published, million cycles | a product | precis predicts, million cycles | flash | RAM |\n|---|---|---|---|---|---|---|")
for name, net, core, cycles, who in ROWS:
    with tempfile.TemporaryDirectory() as folder:
        net().file(folder)
        done = subprocess.run([precis, "quant", f"{folder}/net.onnx", "--static", "--all-int8", "--calib", f"{folder}/x.npy", "-o", f"{folder}/net.c", "--json"],
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        k = json.loads(done.stdout)
        low, high = (v / 1e6 for v in k["cycles"][core])
        print(f"| {name}, {core} | {k['macs'] / 1e6:.2f} M | {who}: {cycles / 1e6:.3g} | {cycles / k['macs']:.1f} | {low:.3g} to {high:.3g} | "
              f"{k['flash']['all'] / 1e3:.1f} kB | {k['ram']['all'] / 1e3:.1f} kB |")
