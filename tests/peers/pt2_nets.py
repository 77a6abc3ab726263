"""Nets of the usual kinds with random weights, written here: what pt2_peer.py exports and compares."""
import torch, torch.nn as nn, torch.nn.functional as F


class Basic(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride > 1 or i != o else None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.b2(self.c2(self.relu(self.b1(self.c1(x)))))
        y += x if self.down is None else self.down(x)
        return self.relu(y)


def resnet18():
    layers, i = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)], 64
    for o, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Basic(i, o, stride), Basic(o, o, 1)]
        i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


class Inverted(nn.Module):
    def __init__(self, i, o, stride, t):
        super().__init__()
        h = i * t
        act = lambda k: [nn.BatchNorm2d(k), nn.ReLU6(inplace=True)]
        self.body = nn.Sequential(*([nn.Conv2d(i, h, 1, bias=False), *act(h)] if t > 1 else []), nn.Conv2d(h, h, 3, stride, 1, groups=h, bias=False),
                                  *act(h), nn.Conv2d(h, o, 1, bias=False), nn.BatchNorm2d(o))
        self.adds = stride == 1 and i == o

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


def mobilenet_v2():
    layers, i = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6(inplace=True)], 32
    for t, o, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for k in range(n):
            layers.append(Inverted(i, o, s if k == 0 else 1, t))
            i = o
    layers += [nn.Conv2d(i, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(.2), nn.Linear(1280, 1000))


class ViT(nn.Module):
    def __init__(self, d=96, h=4):
        super().__init__()
        self.n1, self.n2, self.a = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6), nn.MultiheadAttention(d, h, batch_first=True)
        self.m = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Dropout(.1), nn.Linear(2 * d, d))

    def forward(self, x):
        y = self.n1(x)
        x = x + self.a(y, y, y, need_weights=False)[0]
        return x + self.m(self.n2(x))


class LSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.l, self.o = nn.Embedding(100, 32), nn.LSTM(32, 48, 2, batch_first=True, bidirectional=True), nn.Linear(96, 5)

    def forward(self, x):
        return self.o(self.l(self.e(x))[0][:, -1])


class Block(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.n1, self.qkv, self.p, self.n2, self.f1, self.f2, self.h = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d), nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d), h

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.p(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d))
        return x + self.f2(F.gelu(self.f1(self.n2(x))))


class GPT(nn.Module):
    def __init__(self, v=97, d=64, n=2, t=128):
        super().__init__()
        self.t, self.pe, self.b, self.n, self.o = nn.Embedding(v, d), nn.Embedding(t, d), nn.ModuleList(Block(d, 4) for _ in range(n)), nn.LayerNorm(d), nn.Linear(d, v, bias=False)
        self.o.weight = self.t.weight

    def forward(self, x):
        h = self.t(x) + self.pe(torch.arange(x.shape[1], device=x.device))
        for b in self.b:
            h = b(h)
        return self.o(self.n(h))


def mlp():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.LayerNorm(128), nn.GELU(), nn.Dropout(.1), nn.Linear(128, 10))


def settle(net):
    """Statistics of batch norms as after training, so that they do something."""
    g = torch.Generator().manual_seed(3)
    for m in net.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.running_mean.copy_(torch.randn(m.running_mean.shape, generator=g) * .1)
            m.running_var.copy_(torch.rand(m.running_var.shape, generator=g) + .5)
    return net.eval()


def all_nets():
    picture, b, t = torch.randn(1, 3, 224, 224), torch.export.Dim("batch", min=1, max=64), torch.export.Dim("seq", min=2, max=128)
    yield "resnet18", resnet18(), (picture,), None
    yield "mobilenet_v2", mobilenet_v2(), (picture,), None
    yield "vit_block", ViT(), (torch.randn(2, 50, 96),), None
    yield "mlp", mlp(), (torch.randn(4, 64),), ({0: b},)
    yield "lstm", LSTM(), (torch.randint(0, 100, (3, 12)),), None
    yield "gpt", GPT(), (torch.randint(0, 97, (2, 16)),), ({0: b, 1: t},)
    yield "encoder", nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, dropout=0.), 2, enable_nested_tensor=False), (torch.randn(2, 10, 64),), None
