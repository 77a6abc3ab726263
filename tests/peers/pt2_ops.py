"""One net for each op of torch's, and each way in which one is used that differs: (name, function, inputs)."""
import torch, torch.nn as nn, torch.nn.functional as F

g = torch.Generator().manual_seed(11)
R = lambda *s: torch.randn(*s, generator=g)
P = lambda *s: torch.rand(*s, generator=g) + .1  # above zero
I = lambda n, *s: torch.randint(0, n, s, generator=g)
x, y, p, q, i = R(3, 4, 5), R(3, 4, 5), P(3, 4, 5), torch.rand(3, 4, 5, generator=g) * .98 - .49, I(7, 3, 4, 5) - 3
m, pic, vec = R(3, 4, 5) > 0, R(2, 6, 8, 9), R(6)
A = torch.ops.aten


def elements():
    for n in ("abs neg sign floor ceil round trunc exp sin cos tan tanh sigmoid erf relu square sgn expm1 exp2 isnan isinf isfinite atan sinh cosh asinh frac"
              " logical_not positive").split():
        if n not in ("frac", "positive"):
            yield n, getattr(torch, n), (x,)
    for n in "log log2 log10 log1p sqrt rsqrt reciprocal".split():
        yield n, getattr(torch, n), (p,)
    for n in "asin acos atanh".split():
        yield n, getattr(torch, n), (q,)
    yield "acosh", torch.acosh, (p + 1,)
    for n in "silu mish selu elu celu leaky_relu hardswish hardsigmoid hardtanh relu6 softplus hardshrink softshrink logsigmoid gelu".split():
        yield n, getattr(F, n), (x,)
    yield "gelu_tanh", lambda a: F.gelu(a, approximate="tanh"), (x,)
    yield "elu_alpha", lambda a: F.elu(a, 0.5), (x,)
    yield "softplus_beta", lambda a: F.softplus(a, 3., 2.), (x,)
    yield "threshold", lambda a: F.threshold(a, .2, -7.), (x,)
    yield "glu", lambda a: F.glu(a, 1), (x,)
    yield "prelu", lambda a, w: F.prelu(a, w), (pic, vec)
    for n in "exp sqrt sigmoid sin".split():
        yield n + "_of_whole", getattr(torch, n), (i.abs(),)
    for n in "abs neg sign relu square bitwise_not floor".split():
        yield n + "_whole", getattr(torch, n), (i,)
    yield "clamp", lambda a: (a.clamp(-.5, .7), a.clamp(min=.1), a.clamp(max=0), a.clamp_min(0.2), a.clamp_max(.3)), (x,)
    yield "clamp_tensor", lambda a, b: torch.clamp(a, min=b), (x, y)
    yield "clamp_whole", lambda a: a.clamp(-1, 2), (i,)
    yield "bitwise_not_bool", torch.bitwise_not, (m,)


def pairs():
    for n in "add sub mul div remainder fmod maximum minimum atan2".split():
        yield n, getattr(torch, n), (x, y)
    for n in "add sub mul maximum minimum bitwise_and bitwise_or bitwise_xor eq ne lt le gt ge".split():
        yield n + "_whole", getattr(torch, n), (i, i.flip(0))
    for n in "eq ne lt le gt ge logical_and logical_or logical_xor".split():
        yield n, getattr(torch, n), (x, y)
        yield n + "_bool", getattr(torch, n), (m, m.flip(0))
    yield "add_bool", lambda a, b: (a + b, a * b, a & b, a | b, a ^ b), (m, m.flip(0))
    yield "alpha", lambda a, b: (torch.add(a, b, alpha=2), torch.sub(a, b, alpha=.5), torch.rsub(a, 2, alpha=3)), (x, y)
    yield "scalars", lambda a: (a + 1, a - 2.5, 3 - a, a * 2, a / 4, 2 / a, a ** 2, a ** 3, a // .3, a % .7, a > 0, a == 0), (x,)
    yield "scalars_whole", lambda a: (a + 1, a - 2, 3 - a, a * 2, a / 4, a ** 2, a // 2, a % 3, a > 0, a + 1.5, a << 1, a >> 1), (i,)
    yield "div_modes", lambda a, b: (torch.div(a, b, rounding_mode="floor"), torch.div(a, b, rounding_mode="trunc"), torch.floor_divide(a, b)), (x, y)
    yield "div_modes_whole", lambda a: (torch.div(a, 2, rounding_mode="floor"), torch.div(a, -2, rounding_mode="trunc"), a // -2, a / 2), (i,)
    yield "pow", lambda a, b: (a ** b, 2 ** b, a ** .5, a ** -1.5), (p, y)
    yield "promotion", lambda a, b, c: (a + b, b * c, a * c, b + True, c + 1, c * 2.5, b * 0.5, a.half() + b, a.half() + a, torch.tensor(2.) * b), (x, i, m)
    yield "promotion_scalar_tensor", lambda a, s: (a + s, a.to(torch.int32) * s, a.half() * s), (x, torch.tensor(3))
    yield "spread", lambda a, b: a[:, :1] * b[:1] + a[0, 0], (x, y)
    yield "where", lambda a, b, c: (torch.where(c, a, b), torch.where(c, a, 0.), torch.where(c, 1, 0), torch.where(a > 0, a, b.double())), (x, y, m)
    yield "masked_fill", lambda a, c: (a.masked_fill(c, -1), a.masked_fill(c, float("-inf")), a.masked_fill(c, torch.tensor(2.))), (x, m)
    yield "addc", lambda a, b, c: (torch.addcmul(a, b, c, value=.5), torch.addcdiv(a, b, c), torch.lerp(a, b, .3)), (x, y, p)


def reductions():
    for n in "sum mean prod amax amin any all".split():
        f = getattr(torch, n)
        yield n, lambda a, f=f: (f(a, 1), f(a, -1, keepdim=True)), (x,)
    for n in "sum mean amax amin".split():
        f = getattr(torch, n)
        yield n + "_dims", lambda a, f=f: (f(a, (0, 2)), f(a, (0, -1), keepdim=True)), (x,)
    yield "whole", lambda a: (a.sum(), a.mean(), a.prod(), a.max(), a.min(), a.any(), a.all(), a.amax(), a.argmax(), a.argmin()), (x[:1, :2],)
    yield "of_whole", lambda a, c: (a.sum(), a.sum(1), a.prod(2), a.max(), c.sum(), c.sum(0), a.amax(1), a.argmax(1), a.sum(dtype=torch.float32)), (i, c_ := m)
    yield "max_dim", lambda a: (*a.max(1), *a.min(2, keepdim=True)), (x,)
    yield "arg", lambda a: (a.argmax(1), a.argmin(2, keepdim=True)), (x,)
    yield "var", lambda a: (a.var(1), a.std(2, keepdim=True), a.var(dim=(0, 1), unbiased=False), torch.var(a, dim=1, correction=2), a.var(), a.std()), (x,)
    yield "var_mean", lambda a: torch.var_mean(a, dim=1), (x,)
    yield "norms", lambda a: (a.norm(), a.norm(dim=1), a.norm(p=1, dim=2), torch.linalg.vector_norm(a, ord=float("inf"), dim=1), torch.linalg.vector_norm(a, 3, dim=(0, 1))), (x,)
    yield "logsumexp", lambda a: a.logsumexp(1), (x,)
    yield "softmax", lambda a: (a.softmax(1), a.log_softmax(-1), F.softmax(a, 2, dtype=torch.float64)), (x,)
    yield "cumsum", lambda a, b: (a.cumsum(1), b.cumsum(-1), a.cumprod(2)), (x, i)
    yield "topk", lambda a: (*a.topk(2, 1), *a.topk(3, -1, largest=False)), (x,)
    yield "sort", lambda a: (*a.sort(1), *a.sort(2, descending=True), a.argsort(0)), (x,)
    yield "normalize", lambda a: (F.normalize(a, dim=1), F.cosine_similarity(a, a.flip(0), dim=1)), (x,)


def views():
    yield "shapes", lambda a: (a.view(12, 5), a.view(-1, 2, 5), a.reshape(5, 12), a.flatten(1), a.flatten(), a.unflatten(1, (2, -1)), a.unsqueeze(1), a.unsqueeze(-1), a[:, :1].squeeze(1), a[:1].squeeze()), (x,)
    yield "orders", lambda a: (a.permute(2, 0, 1), a.transpose(0, 2), a.mT, a[0].t(), a.movedim(0, 2), a.movedim(2, 0), a.swapaxes(0, 1)), (x,)
    yield "slices", lambda a: (a[1:], a[:, 1:3], a[:, :, ::2], a[:, -2:], a[..., :-1], a[1], a[-1, 2], a[:, 1], a.narrow(1, 1, 2), a[:, 5:]), (x,)
    yield "splits", lambda a: (*a.split(2, 1), *a.split([1, 4], 2), *a.chunk(3, 1), *a.unbind(0), *a.chunk(2, 2)), (x,)
    yield "expand", lambda a: (a[:1].expand(3, 4, 5), a.expand(2, -1, -1, -1), a[:, :1].expand_as(a)), (x,)
    yield "diagonal", lambda a: (a.diagonal(0, 1, 2), a.diagonal(1, 0, 1)), (x,)
    yield "unfold", lambda a: (a.unfold(1, 2, 1), a.unfold(2, 3, 2)), (x,)
    yield "sizes", lambda a: (a.view(a.shape[0], -1), a.shape[1], a.numel()), (x,)
    yield "cat", lambda a, b: (torch.cat([a, b]), torch.cat([a, b, a], -1), torch.stack([a, b], 1), torch.cat([a, b.double()], 1), torch.hstack([a, b])), (x, y)
    yield "repeats", lambda a: (a.repeat(2, 1, 3), a.repeat(2, 1, 1, 1), a.repeat_interleave(2, 1), a.tile(2), a.repeat_interleave(3)), (x,)
    yield "turns", lambda a: (a.flip(0), a.flip([1, 2]), a.roll(1, 0), a.roll((2, -1), (1, 2)), a.roll(3), torch.rot90(a, 1, (1, 2))), (x,)
    yield "tri", lambda a: (a.tril(), a.triu(1), a.tril(-1)), (x,)
    yield "pads", lambda a: (F.pad(a, (1, 2)), F.pad(a, (1, 0, 2, 1), value=3.), F.pad(a, (1, 2), mode="reflect"), F.pad(a, (2, 1), mode="replicate"), F.pad(a, (1, 2), mode="circular"), F.pad(a, (-1, 0, 0, -1))), (x,)
    yield "pads_2d", lambda a: (F.pad(a, (1, 2, 3, 1), mode="reflect"), F.pad(a, (1, 2, 3, 1), mode="replicate"), nn.ZeroPad2d(2)(a)), (pic,)
    yield "pixels", lambda a: (F.pixel_shuffle(a[:, :4], 2), F.pixel_unshuffle(a[..., :8], 2), F.channel_shuffle(a, 3)), (pic,)
    yield "meshgrid", lambda a: (*torch.meshgrid(a, a[:3], indexing="ij"), *torch.meshgrid(a, a[:3], indexing="xy")), (vec,)
    yield "fills", lambda a: (torch.zeros(2, 3), torch.ones_like(a), torch.full((2,), 7), a.new_zeros(3), a.new_full((2, 2), .5), torch.arange(5), torch.arange(1, 8, 2), torch.arange(0., 1., .25), torch.eye(3), torch.linspace(0, 1, 7), a + torch.zeros(1)), (x,)
    yield "casts", lambda a, b: (a.half(), a.double(), a.to(torch.int32), b.float(), a.bool(), b.to(torch.uint8), a.type_as(b), (a * 100).to(torch.int8)), (x, i)


def indices():
    yield "index_one", lambda a, k: (a[k], a[:, k], a[:, :, k % 5]), (x, I(3, 4))
    yield "index_two", lambda a, k: (a[k, k], a[:, k, k], a[k, :, k], a[k[:, None], k[None]]), (x, I(3, 4))
    yield "index_mask", lambda a, c: (a[c], a[a > 0], a[:, c[0, :, 0]]), (x, m)
    yield "index_put", lambda a, k, v: (a.index_put((k,), v[:2]), torch.index_put(a, (k, k), v[0, :2], accumulate=True)), (x, torch.tensor([2, 0]), y)
    yield "gather", lambda a, k: (a.gather(1, k), torch.take_along_dim(a, k, 1)), (x, I(4, 3, 2, 5))
    yield "scatter", lambda a, k, v: (a.scatter(1, k, v), a.scatter(1, k, 3.), a.scatter_add(1, k, v), a.scatter_reduce(1, k, v, "amax")), (x, I(4, 3, 2, 5), y)
    yield "select", lambda a, k: (a.index_select(1, k), F.embedding(k, a[0])), (x, I(3, 4))
    yield "index_ops", lambda a, k, v: (a.index_add(0, k, v[:2]), a.index_copy(0, k, v[:2]), a.index_fill(1, k, 2.)), (x, torch.tensor([2, 0]), y)
    yield "nonzero", lambda a: (a.nonzero(), a.masked_select(a > 0)), (i,)
    yield "masked_scatter", lambda a, v: a.masked_scatter(a > 0, v), (x, y)
    yield "cdist", lambda a, b: (torch.cdist(a, b), torch.cdist(a, b, p=1.)), (x, y)
    yield "one_hot", lambda k: F.one_hot(k, 5), (I(5, 3, 4),)
    yield "scatters_of_parts", lambda a, v: (torch.slice_scatter(a, v[:, :2], 1, 1, 3), torch.select_scatter(a, v[0], 0, 1), torch.slice_scatter(a, v[:, :, :3], 2, 0, 5, 2)), (x, y)


def layers():
    conv = lambda *a, **k: nn.Conv2d(*a, **k)
    for n, net, inputs in (
        ("conv1d", nn.Conv1d(4, 6, 3, 2, 1), x[:, :, :]), ("conv2d", conv(6, 8, 3, 2, 1), pic), ("conv2d_groups", conv(6, 12, 3, groups=3, dilation=2), pic),
        ("conv2d_same", conv(6, 4, 4, padding="same"), pic), ("conv2d_valid", conv(6, 4, 3, padding="valid"), pic), ("conv2d_lone", conv(6, 4, 3), pic[0]),
        ("conv2d_sides", conv(6, 4, (3, 5), (1, 2), (1, 2)), pic), ("conv2d_reflect", conv(6, 4, 3, padding=1, padding_mode="reflect"), pic),
        ("conv3d", nn.Conv3d(2, 4, 3, padding=1), R(1, 2, 5, 6, 7)), ("transposed1d", nn.ConvTranspose1d(4, 3, 3, 2), x),
        ("transposed2d", nn.ConvTranspose2d(6, 4, 3, 2, 1, 1), pic), ("transposed_groups", nn.ConvTranspose2d(6, 4, 3, 2, groups=2, dilation=2), pic),
        ("transposed3d", nn.ConvTranspose3d(2, 3, 2, 2), R(1, 2, 3, 4, 5)), ("channels_last", conv(6, 8, 3).to(memory_format=torch.channels_last), pic),
        ("batch_norm1d", nn.BatchNorm1d(4), x), ("batch_norm2d", nn.BatchNorm2d(6), pic), ("batch_norm_plain", nn.BatchNorm2d(6, affine=False), pic),
        ("layer_norm", nn.LayerNorm(5), x), ("layer_norm_two", nn.LayerNorm((4, 5)), x), ("layer_norm_plain", nn.LayerNorm(5, elementwise_affine=False), x),
        ("group_norm", nn.GroupNorm(3, 6), pic), ("instance_norm", nn.InstanceNorm2d(6, affine=True), pic), ("rms_norm", nn.RMSNorm(5), x), ("rms_norm_eps", nn.RMSNorm(5, eps=1e-3), x),
        ("local_response", nn.LocalResponseNorm(3), pic), ("linear", nn.Linear(5, 7), x), ("linear_vector", nn.Linear(5, 7), x[0, 0]), ("bilinear", nn.Sequential(nn.Linear(5, 3, bias=False)), x),
        ("max_pool1d", nn.MaxPool1d(2), x), ("max_pool2d", nn.MaxPool2d(3, 2, 1), pic), ("max_pool2d_ceil", nn.MaxPool2d(3, 2, ceil_mode=True), pic), ("max_pool2d_dilated", nn.MaxPool2d(2, 1, dilation=2), pic),
        ("max_pool3d", nn.MaxPool3d(2), R(1, 2, 4, 4, 4)), ("avg_pool1d", nn.AvgPool1d(2), x), ("avg_pool2d", nn.AvgPool2d(3, 2, 1), pic), ("avg_pool2d_ceil", nn.AvgPool2d(3, 2, 1, ceil_mode=True), pic),
        ("avg_pool2d_inside", nn.AvgPool2d(3, 2, 1, count_include_pad=False), pic), ("avg_pool2d_divisor", nn.AvgPool2d(3, 2, 1, divisor_override=5), pic), ("avg_pool3d", nn.AvgPool3d(2), R(1, 2, 4, 4, 4)),
        ("adaptive1d", nn.AdaptiveAvgPool1d(2), x), ("adaptive2d", nn.AdaptiveAvgPool2d((3, 5)), pic), ("adaptive2d_one", nn.AdaptiveAvgPool2d(1), pic), ("adaptive2d_half", nn.AdaptiveAvgPool2d((4, 3)), pic),
        ("adaptive2d_kept", nn.AdaptiveAvgPool2d((None, 3)), pic), ("adaptive3d", nn.AdaptiveAvgPool3d(2), R(1, 2, 4, 5, 4)), ("adaptive_max2d", nn.AdaptiveMaxPool2d((3, 5)), pic),
        ("dropout", nn.Sequential(nn.Dropout(.5), nn.Dropout2d(.5), nn.AlphaDropout(.5)), pic), ("embedding", nn.Embedding(9, 4, padding_idx=1), I(9, 3, 4)),
        ("lstm", nn.LSTM(5, 6), x), ("lstm_deep", nn.LSTM(5, 6, 2, bidirectional=True, batch_first=True), x), ("lstm_no_bias", nn.LSTM(5, 6, bias=False), x), ("lstm_lone", nn.LSTM(5, 6), x[0]),
        ("gru", nn.GRU(5, 6, 2, batch_first=True), x), ("gru_both", nn.GRU(5, 6, bidirectional=True), x), ("rnn", nn.RNN(5, 6), x), ("rnn_relu", nn.RNN(5, 6, nonlinearity="relu", bidirectional=True), x),
    ):
        yield n, net, (inputs,)
    h, c = R(3, 6), R(3, 6)
    yield "lstm_cell", lambda a, h, c, m=nn.LSTMCell(5, 6): m(a[:, 0], (h, c)), (x, h, c)
    yield "cells", lambda a, h, g=nn.GRUCell(5, 6, bias=False), t=nn.RNNCell(5, 6), q=nn.RNNCell(5, 6, nonlinearity="relu"): (g(a[:, 0], h), t(a[:, 0], h), q(a[:, 0], h)), (x, h)
    for dim in (0, 1, 2, None):
        yield f"weight_norm_{dim}", nn.utils.weight_norm(nn.Conv1d(4, 6, 3), dim=dim), (x,)
    yield "spectral_norm", nn.utils.parametrizations.spectral_norm(nn.Linear(5, 4)), (x,)
    yield "affine_grid", lambda t: (F.affine_grid(t, (2, 4, 3, 5), align_corners=True), F.affine_grid(t, (2, 4, 3, 5), align_corners=False)), (R(2, 2, 3),)
    yield "rrelu", lambda a: F.rrelu(a, .1, .3, False), (x,)
    yield "big_angles", lambda a: (torch.sin(a * 1e12), torch.cos(a * 1e30), torch.tan(a * 1e10)), (x,)
    yield "fold", lambda a: (F.unfold(a, 3, padding=1, stride=2), F.unfold(a[0], (2, 3), dilation=2), F.fold(F.unfold(a, 2, stride=1), (8, 9), 2), F.fold(F.unfold(a, 3, padding=1), (8, 9), 3, padding=1)), (pic,)
    yield "pool_places", lambda a: F.max_pool2d(a, 2, return_indices=True), (pic,)
    yield "bag", nn.EmbeddingBag(10, 4, mode="sum"), (I(10, 6), torch.tensor([0, 2, 6]))
    yield "bag_mean", nn.EmbeddingBag(10, 4), (I(10, 3, 4),)
    yield "attention", lambda a, b, c: (F.scaled_dot_product_attention(a, b, c), F.scaled_dot_product_attention(a, b, c, is_causal=True), F.scaled_dot_product_attention(a, b, c, scale=.3)), (R(2, 2, 4, 8), R(2, 2, 6, 8), R(2, 2, 6, 8))
    yield "attention_mask", lambda a, k: (F.scaled_dot_product_attention(a, a, a, attn_mask=k), F.scaled_dot_product_attention(a, a, a, attn_mask=k.float())), (R(2, 2, 4, 8), torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]]).bool())
    yield "attention_grouped", lambda a, b: F.scaled_dot_product_attention(a, b, b, enable_gqa=True), (R(2, 4, 5, 8), R(2, 2, 5, 8))
    yield "attention_weights", nn.MultiheadAttention(8, 2, batch_first=True), (R(1, 3, 8),) * 3
    yield "products", lambda a, b: (a @ b.mT, a[0] @ b[0].t(), a[0] @ b[0, 0], a[0, 0] @ b[0, 0], torch.bmm(a, b.mT), torch.baddbmm(a @ b.mT, a, b.mT, beta=.5, alpha=2), a.unsqueeze(1) @ b.mT), (x, y)
    yield "addmm", lambda a, b, c: (torch.addmm(c, a, b), torch.addmm(c, a, b, beta=.5, alpha=2), torch.addmm(c[0], a, b)), (R(3, 4), R(4, 5), R(3, 5))
    yield "einsum", lambda a, b: (torch.einsum("bij,bkj->bik", a, b), torch.einsum("bij->bj", a)), (x, y)
    for mode in "nearest nearest-exact bilinear bicubic".split():
        k = {} if "near" in mode else {"align_corners": False}
        yield "resize_" + mode, lambda a, mode=mode, k=k: (F.interpolate(a, scale_factor=2, mode=mode, **k), F.interpolate(a, size=(5, 13), mode=mode, **k), F.interpolate(a, scale_factor=1.7, mode=mode, **k)), (pic,)
    yield "resize_corners", lambda a: F.interpolate(a, size=(5, 13), mode="bilinear", align_corners=True), (pic,)
    yield "resize_1d", lambda a: (F.interpolate(a, scale_factor=2), F.interpolate(a, size=7, mode="linear")), (x,)
    yield "resize_3d", lambda a: F.interpolate(a, scale_factor=2, mode="trilinear"), (R(1, 2, 3, 3, 3),)
    yield "grid_sample", lambda a, k: (F.grid_sample(a, k, align_corners=False), F.grid_sample(a, k, mode="nearest", padding_mode="border", align_corners=True)), (pic, torch.rand(2, 4, 5, 2, generator=g) * 2 - 1)


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.zeros(2))

    def forward(self, a):
        self.n.add_(1)
        self.n[0] = 5
        return a[..., :2] * self.n


def written(a):
    b = a.clone()
    b[:, 1:3].copy_(a[:, 2:4])
    c = b[0]
    c += 1
    b[:, 0, ::2] = 7
    b.transpose(0, 1)[2] *= 2
    first, second = b.chunk(2, 1)
    second.zero_()
    b.view(-1)[3] = -1
    b[..., 1].relu_()
    b.select(2, 4).unsqueeze(0).sub_(3)
    return b, c, first, b.permute(2, 0, 1)


def grad_off(a):
    with torch.no_grad():
        b = a * 2
        c = b.relu()
    return c + 1, b


def in_place():
    yield "written", written, (x,)
    yield "in_place", lambda a: a.clone().relu_().add_(1).mul_(2).clamp_(max=3).sub_(.5).div_(2).sigmoid_().tanh_().exp_().neg_(), (x,)
    yield "in_place_of_views", lambda a: (lambda b: (b[:, 0].fill_(3), b)[1])(a.clone()), (x,)
    yield "input_written", lambda a: a.add_(1) * 2, (x.clone(),)
    yield "buffer", Counter(), (x,)
    yield "masked_fill_in_place", lambda a, c: a.clone().masked_fill_(c, 0), (x, m)
    yield "index_put_in_place", lambda a, k: (lambda b: (b.__setitem__(k, 1.), b)[1])(a.clone()), (x, torch.tensor([2, 0]))
    yield "no_grad", grad_off, (x,)
    yield "given_back", lambda a: (a, a, a + 0), (x,)


def all_ops():
    for f in (elements, pairs, reductions, views, indices, layers, in_place):
        for name, fn, inputs in f():
            yield f"{f.__name__}.{name}", fn, inputs
