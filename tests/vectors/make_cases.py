#!/usr/bin/env python3
"""make_cases.py OUT: cases of training in the form of ../shared/reference/train/vectors.json, with results by torch's
autograd and formulas written from the papers, at sizes and settings other than those there. Needs torch
(tests/peers/environment-torch).
"""

import json
import math
import sys

import torch

torch.manual_seed(4)
torch.set_num_threads(1)
CASES = []
R = torch.randn


def plain(t):
    if not torch.is_tensor(t):
        return t
    return {"shape": list(t.shape), "data": [float("%.9g" % x) for x in t.detach().double().flatten().tolist()]}


def case(family, attr, inputs, out, tol=(1e-6, 1e-5)):
    n = sum(c["family"] == family for c in CASES) + 1
    CASES.append(
        {
            "id": "own-%s-%d" % (family, n),
            "family": family,
            "attr": attr,
            "in": {k: plain(v) for k, v in inputs.items()},
            "out": {k: plain(v) for k, v in out.items()},
            "tol": {"abs": tol[0], "rel": tol[1]},
        }
    )


def leaf(t):
    return t.clone().requires_grad_()


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, g):
        return g


rnd = Round.apply


def absmax(x, bits):
    """Symmetric by rows, straight through."""
    s = (x.detach().abs().amax(-1, keepdim=True) / (2 ** (bits - 1) - 1)).clamp_min(1e-8)
    return x + ((x / s).round() * s - x).detach(), s


# ---- estimators
for qmin, qmax, s, z in ((-4, 3, 0.3, 0), (0, 255, 0.01, 100), (0, 3, 0.5, 1), (-128, 127, 0.05, -7)):
    x, dy = leaf(torch.cat([R(30) * qmax * s, torch.tensor([qmin - z - 0.5, qmax - z + 0.5, qmax - z + 0.49]) * s])), R(
        33
    )
    y = torch.fake_quantize_per_tensor_affine(x, s, z, qmin, qmax)
    y.backward(dy)
    case(
        "fake_quant",
        {"qmin": qmin, "qmax": qmax, "scale": s, "zero_point": z},
        {"x": x, "dy": dy},
        {"y": y, "dx": x.grad},
    )
x, dy, s, z = leaf(R(5, 3, 4)), R(5, 3, 4), torch.tensor([0.1, 0.2, 0.35]), torch.tensor([3, 0, 8])
y = torch.fake_quantize_per_channel_affine(x, s, z.int(), 1, 0, 15)
y.backward(dy)
case(
    "fake_quant_channel",
    {"qmin": 0, "qmax": 15, "axis": 1},
    {"x": x, "dy": dy, "scale": s, "zero_point": z},
    {"y": y, "dx": x.grad},
)
for bits in (2, 3, 8):
    x, dy = leaf(R(3, 20)), R(3, 20)
    y, s = absmax(x, bits)
    y.backward(dy)
    case("fake_quant_absmax", {"bits": bits}, {"x": x, "dy": dy}, {"y": y, "dx": x.grad, "scale": s})
for bits, signed in ((8, True), (2, False), (4, True)):
    v, dy = leaf(R(4, 10) if signed else R(4, 10).abs()), R(4, 10)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    s = leaf(2 * v.detach().abs().mean() / math.sqrt(high))
    q = torch.clamp(v / s, low, high)
    y = rnd(q) * s
    y.backward(dy)
    case(
        "lsq",
        {"bits": bits, "signed": signed},
        {"v": v, "dy": dy},
        {"init": s, "y": y, "dv": v.grad, "ds": s.grad / math.sqrt(40 * high)},
    )
x, dy, s, z = leaf(R(30)), R(30), leaf(torch.tensor([0.2])), leaf(torch.tensor([5.0]))
y = torch._fake_quantize_learnable_per_tensor_affine(x, s, z, 0, 15, 0.1)
y.backward(dy)
case(
    "learnable_tensor",
    {"qmin": 0, "qmax": 15, "grad_factor": 0.1},
    {"x": x, "dy": dy, "scale": s, "zero_point": z},
    {"y": y, "dx": x.grad, "dscale": s.grad, "dzero_point": z.grad},
)
x, dy, s, b = leaf(R(30)), R(30), leaf(torch.tensor(0.15)), leaf(torch.tensor(0.4))
y = rnd(torch.clamp((x - b) / s, -4, 3)) * s + b
y.backward(dy)
case(
    "lsq_plus",
    {"n": -4, "p": 3},
    {"x": x, "dy": dy, "s": s, "beta": b},
    {"y": y, "dx": x.grad, "ds": s.grad, "dbeta": b.grad},
    (2e-6, 1e-5),
)
for bits in (2, 8):
    x, dy, a = leaf(R(30) * 2), R(30), torch.tensor(1.7)
    y = (torch.clamp(x, 0, 1.7) * ((2**bits - 1) / a)).round() * (a / (2**bits - 1))
    keep, over = (x >= 0) & (x < a), x >= a
    case("pact", {"bits": bits}, {"x": x, "dy": dy, "alpha": a}, {"y": y, "dx": dy * keep, "dalpha": (dy * over).sum()})
for bits in (1, 3, 4):
    w, dy = R(4, 9), R(4, 9)
    top = 2 ** (bits - 1) - 1
    init = w.abs().mean(-1, keepdim=True) if bits == 1 else w.abs().amax(-1, keepdim=True) / top
    a = init * 0.8
    v = w / a
    low, high = (-1, 1) if bits == 1 else (-top - 1, top)
    q = w.sign() if bits == 1 else v.round().clamp(low, high)
    inside = (v >= low) & (v <= high)
    da = q if bits == 1 else torch.where(v < low, low, torch.where(v > high, high, v.round() - v))
    case(
        "paretoq",
        {"bits": bits},
        {"w": w, "dy": dy, "alpha": a},
        {"init": init, "y": q * a, "dw": dy * inside, "dalpha": (dy * da).sum(-1, keepdim=True) / math.sqrt(36 * high)},
    )
x, w, dy = leaf(R(3, 24)), leaf(R(5, 24) * 0.1), R(3, 5)
n = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)
xq, _ = absmax(n, 8)
s = w.detach().abs().mean()
wq = w + ((w / s).round().clamp(-1, 1) * s - w).detach()
y = xq @ wq.T
y.backward(dy)
case(
    "bitlinear",
    {},
    {"x": x, "w": w, "dy": dy},
    {"y": y, "dx": x.grad, "dw": w.grad, "w_scale": s, "codes": (w / s).round().clamp(-1, 1)},
    (2e-6, 2e-5),
)


def sylvester(n):
    h = torch.ones(1, 1, dtype=torch.float64)
    while len(h) < n:
        h = torch.cat([torch.cat([h, h], 1), torch.cat([h, -h], 1)])
    return (h / math.sqrt(n)).float()


for bits, c in ((2, 1.49353), (3, 2.05107), (8, 3.88494)):
    x, dy = R(2, 128), R(2, 128)
    h = sylvester(128)
    r = x @ h
    rms = r.square().mean(-1, keepdim=True).sqrt()
    step = 2 * c * rms / (2**bits - 1)
    q = (torch.clamp(r, -c * rms, c * rms) / step + 0.5).round() * step - step / 2
    mask = (q - r).abs() <= rms * c / (2**bits - 1)
    sure = ((q - r).abs() / rms - c / (2**bits - 1)).abs() > 1e-5
    dy = dy @ h * sure @ h.T  # nothing hangs on the last bit
    out = {"y": q @ h.T, "y_rotated": q, "dx": (dy @ h * mask) @ h.T}
    case("quest", {"bits": bits, "c": c}, {"x": x, "dy": dy}, out, (5e-6, 2e-5))

# ---- optimizers
for name, make, attr in (
    (
        "adamw",
        lambda p: torch.optim.AdamW(p, lr=0.003, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.0),
        {"lr": 0.003, "betas": [0.8, 0.99], "eps": 1e-6, "weight_decay": 0.0},
    ),
    ("sgd", lambda p: torch.optim.SGD(p, lr=0.1), {"lr": 0.1}),
    (
        "sgd",
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, weight_decay=0.1),
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.1},
    ),
    (
        "sgd_nesterov",
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
        {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    ),
):
    p = torch.nn.Parameter(R(3, 5))
    o, inputs, out = make([p]), {"p0": p.detach().clone()}, {}
    for t in range(1, 6):
        p.grad = R(3, 5) * 10 ** (1 - t)
        inputs["g%d" % t] = p.grad.clone()
        o.step()
        out["p%d" % t] = p.detach().clone()
    case("optimizer", dict(attr, name=name), inputs, out, (2e-7, 1e-5))
for most in (0.5, 100.0):
    a, b = leaf(R(7)), leaf(R(2, 2, 3))
    a.grad, b.grad = R(7), R(2, 2, 3)
    inputs = {"a": a.grad.clone(), "b": b.grad.clone()}
    norm = torch.nn.utils.clip_grad_norm_([a, b], most)
    case("clip_norm", {"max": most}, inputs, {"norm": norm, "a": a.grad, "b": b.grad})
for n, w, lr, f in ((10, 0, 0.5, 0.0), (50, 7, 2e-3, 0.05)):
    cos = [
        lr * (t + 1) / w if t < w else lr * (f + (1 - f) * (1 + math.cos(math.pi * max(0, t + 1 - w) / (n - w))) / 2)
        for t in range(n)
    ]
    wsd = [
        lr * (t + 1) / w if t < w else lr * (1 if t < 0.8 * n else 1 - (1 - f) * (t - 0.8 * n) / (0.2 * n))
        for t in range(n)
    ]
    case(
        "schedule",
        {"steps": n, "warmup": w, "lr": lr, "final": f},
        {},
        {"cosine": torch.tensor(cos), "wsd": torch.tensor(wsd)},
        (1e-9, 1e-5),
    )
for shape in ((7, 3), (4, 4)):
    g = R(*shape)
    x = g.T if shape[0] > shape[1] else g
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    case(
        "muon",
        {},
        {"g": g},
        {"ortho": x.T if shape[0] > shape[1] else x, "scale": max(1, shape[0] / shape[1]) ** 0.5},
        (1e-5, 1e-4),
    )

# ---- losses, attention
for T in (1.0, 4.0):
    s, t, lab = leaf(R(5, 8) * 2), R(5, 8) * 2, torch.tensor([0, 7, 3, 3, 1])
    out = {}
    ls, lt = torch.log_softmax(s / T, -1), torch.log_softmax(t / T, -1)
    kd = (lt.exp() * (lt - ls)).sum(-1).mean() * T * T
    kd.backward()
    out["kd"], out["dkd"] = kd, s.grad.clone()
    s.grad = None
    ls, lt = torch.log_softmax(s, -1), torch.log_softmax(t, -1)
    rev = (ls.exp() * (ls - lt)).sum(-1).mean()
    rev.backward()
    out["reverse"], out["dreverse"] = rev, s.grad.clone()
    s.grad = None
    ce = torch.nn.functional.cross_entropy(s, lab) + 1e-2 * torch.logsumexp(s, -1).square().mean()
    ce.backward()
    out["ce_z"], out["dce_z"] = ce, s.grad.clone()
    case("losses", {"T": T}, {"student": s, "teacher": t, "labels": lab}, out)


def attend(q, k, v, weigh):
    s = q @ k.T / math.sqrt(q.shape[1])
    hidden = torch.ones_like(s).triu(1).bool()
    return weigh(s.masked_fill(hidden, -math.inf)).masked_fill(hidden, 0) @ v


def one(s):
    top = s.amax(-1, keepdim=True).clamp_min(0)
    return (s - top).exp() / ((s - top).exp().sum(-1, keepdim=True) + (-top).exp())


rms = lambda x: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
for family, attr, weigh, norm in (
    ("attention", {}, lambda s: s.softmax(-1), 0),
    ("attention_softmax1", {}, one, 0),
    ("attention_qk_norm", {}, lambda s: s.softmax(-1), 1),
    ("attention_clipped", {"zeta": 1.1, "gamma": -0.05}, lambda s: (1.15 * s.softmax(-1) - 0.05).clamp(0, 1), 0),
):
    q, k, v, dy = leaf(R(9, 6)), leaf(R(9, 6)), leaf(R(9, 6)), R(9, 6)
    y = attend(rms(q) if norm else q, rms(k) if norm else k, v, weigh)
    y.backward(dy)
    case(
        family,
        attr,
        {"q": q, "k": k, "v": v, "dy": dy},
        {"y": y, "dq": q.grad, "dk": k.grad, "dv": v.grad},
        (2e-6, 1e-5),
    )

# ---- elements
x = torch.cat([R(30) * 10 ** torch.linspace(-9, 5, 30), torch.tensor([448.0, 57344.0, -57344.0, 0.0])])
sat = lambda t, m: t.clamp(-m, m)
case(
    "fp8_cast",
    {},
    {"x": x},
    {"e4m3_sat": sat(x, 448).to(torch.float8_e4m3fn).float(), "e5m2_sat": sat(x, 57344).to(torch.float8_e5m2).float()},
    (0, 0),
)
x = torch.cat([R(1, 300) * 5, torch.zeros(1, 300)])
out, scales = torch.zeros_like(x), torch.zeros(2, 3)
for r in range(2):
    for t in range(3):
        block = x[r, 128 * t : 128 * t + 128]
        s = block.abs().max() / 448
        scales[r, t] = s
        out[r, 128 * t : 128 * t + 128] = (block / s).to(torch.float8_e4m3fn).float() * s if s > 0 else 0
case("fp8_tile", {}, {"x": x}, {"y": out, "scale": scales})
E2M1 = torch.tensor([0.0, 0.5, 1, 1.5, 2, 3, 4, 6])


def e2m1(v):
    a = v.abs().clamp_max(6)
    gap = (a[..., None] - E2M1).abs()
    best = gap.amin(-1, keepdim=True)
    codes = torch.arange(8).expand_as(gap)
    near = torch.where(gap == best, codes, 99).amin(-1)  # ties: the even code
    other = torch.where(gap == best, codes, -1).amax(-1)
    return torch.copysign(E2M1[torch.where(near % 2 == 0, near, other)], v)


x = R(3, 32) * torch.tensor([[0.01], [1], [50]])
g = x.abs().max() / (448 * 6)
s = ((x.reshape(3, 2, 16).abs().amax(-1) / 6) / g).to(torch.float8_e4m3fn).float() * g
y = torch.where(s[..., None] > 0, e2m1(x.reshape(3, 2, 16) / s[..., None]) * s[..., None], 0).reshape(3, 32)
case("nvfp4", {}, {"x": x}, {"y": y, "block_scale": s, "global_scale": g})
s = 2.0 ** (x.abs().amax(-1).log2().floor() - 2)
case("mxfp4_floor", {}, {"x": x}, {"y": e2m1(x / s[:, None]) * s[:, None], "scale": s[:, None]})

# ---- products, roundings, pruning
code = lambda t, s: (t / s).round()
x, w, dy = R(5, 12), R(7, 12), R(5, 7)
rows = lambda t: t.abs().amax(-1, keepdim=True) / 127
sw = w.abs().max() / 127
prod = lambda a, b, sb: (code(a, rows(a)) @ code(b, sb)) * rows(a) * sb
case("switchback", {}, {"x": x, "w": w, "dy": dy}, {"y": prod(x, w.T, sw), "dx": prod(dy, w, sw), "dw": dy.T @ x})
w, x, V = R(4, 6) * 0.4, R(9, 6), leaf(R(4, 6))
s, beta, qmin, qmax = 0.15, 3.0, -4, 3
f = w / s - (w / s).floor()
h = (torch.sigmoid(V) * 1.2 - 0.1).clamp(0, 1)
wq = s * (torch.floor(w / s) + h).clamp(qmin, qmax)
rec = ((x @ wq.T - x @ w.T) ** 2).sum(-1).mean()
reg = 0.01 * (1 - (2 * h - 1).abs() ** beta).sum()
(rec + reg).backward()
case(
    "adaround",
    {"scale": s, "beta": beta, "qmin": qmin, "qmax": qmax},
    {"w": w, "x": x, "V": V},
    {"V_init": -torch.log(1.2 / (f + 0.1) - 1), "h": h, "reconstruction": rec, "regularizer": reg, "dV": V.grad},
    (2e-6, 1e-4),
)
w, x = R(3, 24), R(40, 24)
score = w.abs() * x.norm(dim=0)


def least(s, k):
    return torch.zeros_like(s).scatter(-1, s.argsort(dim=-1, stable=True)[..., :k], 1.0)


H = (x.double().T @ x.double()) * 2 / 40
H += 0.01 * H.diag().mean() * torch.eye(24)
U = torch.linalg.cholesky(torch.linalg.inv(H), upper=True)
W, mask = w.double().clone(), torch.zeros(3, 24)
for c in range(24):
    if c % 4 == 0:
        mask[:, c : c + 4] = least((W[:, c : c + 4] / U.diag()[c : c + 4]) ** 2, 2).float()
    err = W[:, c] * mask[:, c] / U[c, c]
    W[:, c:] -= err[:, None] * U[c, c:]
    W[:, c] *= 1 - mask[:, c]
case(
    "pruning",
    {},
    {"w": w, "x": x},
    {
        "wanda_half": least(score, 12),
        "wanda_24": least(score.reshape(3, 6, 4), 2).reshape(3, 24),
        "sparsegpt_24": mask,
        "sparsegpt_w": W.float(),
    },
    (1e-4, 1e-3),
)


# ---- nets
def llama(bits_w, bits_a, bits_kv, heads, kv_heads, layers, width, hidden, vocabulary, context, batch):
    q = lambda t, b: t if b > 8 else absmax(t, b)[0]
    dim, P = width // heads, {}
    P["token_embd.weight"], P["output_norm.weight"] = R(vocabulary, width) * 0.3, 1 + R(width) * 0.1
    for i in range(layers):
        for n, s in (
            ("attn_norm", (width,)),
            ("ffn_norm", (width,)),
            ("attn_q", (width, width)),
            ("attn_k", (dim * kv_heads, width)),
            ("attn_v", (dim * kv_heads, width)),
            ("attn_output", (width, width)),
            ("ffn_gate", (hidden, width)),
            ("ffn_up", (hidden, width)),
            ("ffn_down", (width, hidden)),
        ):
            P["blk.%d.%s.weight" % (i, n)] = 1 + R(*s) * 0.1 if len(s) == 1 else R(*s) / math.sqrt(s[1])
    inputs = {k: v.clone() for k, v in P.items()}
    P = {k: torch.nn.Parameter(v) for k, v in P.items()}
    ids, target = torch.randint(vocabulary, (batch, context)), torch.randint(vocabulary, (batch, context))
    norm = lambda t, g: t * torch.rsqrt(t.square().mean(-1, keepdim=True) + 1e-5) * g
    angle = torch.arange(context)[:, None] * 10000.0 ** (-torch.arange(0, dim, 2).double() / dim)
    cos, sin = angle.cos().float(), angle.sin().float()

    def rope(t):
        a, b = t[..., : dim // 2], t[..., dim // 2 :]
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

    def loss():
        x = P["token_embd.weight"][ids]
        for i in range(layers):
            W = lambda n: P["blk.%d.%s.weight" % (i, n)]
            lin = lambda t, n: t @ q(W(n), bits_w).T
            split = lambda t, h: t.reshape(batch, context, h, dim).transpose(1, 2)
            a = q(norm(x, W("attn_norm")), bits_a)
            k, v = q(rope(split(lin(a, "attn_k"), kv_heads)), bits_kv), q(split(lin(a, "attn_v"), kv_heads), bits_kv)
            k, v = (t.repeat_interleave(heads // kv_heads, 1) for t in (k, v))
            s = rope(split(lin(a, "attn_q"), heads)) @ k.transpose(2, 3) / math.sqrt(dim)
            o = s.masked_fill(torch.ones(context, context).triu(1).bool(), -math.inf).softmax(-1) @ v
            x = x + lin(q(o.transpose(1, 2).reshape(batch, context, width), bits_a), "attn_output")
            a = q(norm(x, W("ffn_norm")), bits_a)
            x = x + lin(q(torch.nn.functional.silu(lin(a, "ffn_gate")) * lin(a, "ffn_up"), bits_a), "ffn_down")
        logits = norm(x, P["output_norm.weight"]) @ P["token_embd.weight"].T
        return torch.nn.functional.cross_entropy(logits.reshape(-1, vocabulary), target.reshape(-1))

    o = torch.optim.AdamW(
        [
            {"params": [p for p in P.values() if p.dim() > 1], "weight_decay": 0.1},
            {"params": [p for p in P.values() if p.dim() == 1], "weight_decay": 0.0},
        ],
        lr=1e-2,
        betas=(0.9, 0.95),
    )
    out, losses = {}, []
    for t in range(5):
        o.zero_grad()
        value = loss()
        value.backward()
        losses.append(value.item())
        if t == 0:
            out["loss"] = value
            out.update({"d " + k: p.grad.clone() for k, p in P.items()})
        torch.nn.utils.clip_grad_norm_(list(P.values()), 1.0)
        o.step()
    out["losses_of_5_steps"] = torch.tensor(losses)
    attr = dict(
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        hidden=hidden,
        vocabulary=vocabulary,
        context=context,
        batch=batch,
        w_bits=bits_w,
        a_bits=bits_a,
        kv_bits=bits_kv,
    )
    case("llama", attr, dict(inputs, tokens=ids, targets=target), out, (2e-5, 1e-3))


llama(16, 16, 16, 2, 1, 1, 12, 10, 9, 5, 3)
llama(4, 8, 4, 2, 2, 1, 8, 12, 7, 6, 1)
json.dump(
    {"made_by": "tests/vectors/make_cases.py", "torch": torch.__version__, "cases": CASES},
    open(sys.argv[1], "w"),
    separators=(",", ":"),
)
