"""What make_pt2_ops.py asks torch about: (name, function, inputs), each for one overload or a few that are alike."""
import torch
import torch.ao.quantization.fx._decomposed
import torch.nn.functional as F

NAMES = ["elements", "shapes", "layers", "made"]
g = torch.Generator().manual_seed(3)
A = torch.ops.aten


def R(*s):
    return (torch.randn(*s, generator=g) * 100).round() / 100


def I(n, *s):
    return torch.randint(0, n, s, generator=g)


x, y, i = R(2, 3, 2), R(2, 3, 2), I(7, 2, 3) - 3
v, p, m = R(2, 3), R(2, 3).abs() + .2, R(2, 3) > 0


def elements():
    for names in ("abs neg sign floor ceil round trunc", "exp sin cos tan tanh sigmoid erf", "expm1 exp2 atan sinh cosh asinh", "relu square sgn isnan isinf isfinite logical_not"):
        yield names.split()[0], lambda a, n=names: tuple(getattr(torch, k)(a) for k in n.split()), (v,)
    yield "logs", lambda a: (a.log(), a.log2(), a.log10(), a.log1p(), a.sqrt(), a.rsqrt(), a.reciprocal(), torch.acosh(a + 1)), (p,)
    yield "inverses", lambda a: (torch.asin(a), torch.acos(a), torch.atanh(a)), (torch.tanh(v),)
    yield "acts", lambda a: (F.silu(a), F.mish(a), F.selu(a), F.elu(a, .5), F.celu(a, .7), F.leaky_relu(a, .2), F.hardswish(a), F.hardsigmoid(a), F.hardtanh(a, -.3, .4), F.relu6(a)), (v,)
    yield "more_acts", lambda a: (F.softplus(a), F.softplus(a, 3., 2.), F.hardshrink(a), F.softshrink(a), F.logsigmoid(a), F.gelu(a), F.gelu(a, approximate="tanh"), F.threshold(a, .2, -7.)), (v,)
    yield "glu", lambda a: F.glu(a, 1), (R(2, 4),)
    yield "prelu", lambda a, w: F.prelu(a, w), (v, R(3))
    yield "of_whole", lambda a: (a.exp(), a.abs(), a.sign(), a.relu(), a.bitwise_not(), a.floor(), a.sigmoid()), (i,)
    yield "clamps", lambda a, b: (a.clamp(-.5, .7), a.clamp(min=.1), a.clamp(max=0), a.clamp_min(.2), a.clamp_max(.3), torch.clamp(a, min=b), torch.clamp(a, min=b, max=b + 1)), (v, p - .5)
    yield "clamp_whole", lambda a: (a.clamp(-1, 2), a.clamp(min=0)), (i,)
    yield "pairs", lambda a, b: (a + b, a - b, a * b, a / b, torch.remainder(a, b), torch.fmod(a, b), torch.maximum(a, b), torch.minimum(a, b), torch.atan2(a, b)), (v, p)
    yield "whole_pairs", lambda a, b: (a + b, a - b, a * b, a & b, a | b, a ^ b, a == b, a < b, a >= b, a != b, torch.maximum(a, b)), (i, i.flip(0))
    yield "truths", lambda a, b: (a & b, a | b, a ^ b, torch.logical_and(a, b), torch.logical_or(a, b), torch.logical_xor(a, b), ~a, a == b), (m, m.flip(0))
    yield "alpha", lambda a, b: (torch.add(a, b, alpha=2), torch.sub(a, b, alpha=.5), torch.rsub(a, 2, alpha=3), A.rsub.Tensor(a, b)), (v, p)
    yield "scalars", lambda a: (a + 1, a - 2.5, 3 - a, a * 2, a / 4, 2 / a, a ** 2, a ** 3, a // .3, a % .7, a > 0, a == 0, a <= .5), (v,)
    yield "whole_scalars", lambda a: (a + 1, 3 - a, a * 2, a / 4, a ** 2, a // 2, a % 3, a > 0, a + 1.5, a << 1, a >> 1), (i,)
    yield "divisions", lambda a, b: (torch.div(a, b, rounding_mode="floor"), torch.div(a, b, rounding_mode="trunc"), torch.floor_divide(a, b), torch.div(a, 2, rounding_mode="trunc")), (v, p)
    yield "whole_divisions", lambda a: (torch.div(a, 2, rounding_mode="floor"), torch.div(a, -2, rounding_mode="trunc"), a // -2, a.float() // 2), (i,)
    yield "powers", lambda a, b: (a ** b, 2 ** b, a ** .5, a ** -1.5), (p, v)
    yield "promotion", lambda a, b, c: (a + b, b * c, a * c, b + True, b * .5, a.half() + b, a.half() + a, a.double() + a), (v, i, m)
    yield "where", lambda a, b, c: (torch.where(c, a, b), torch.where(c, a, 0.), torch.where(c, 1, 0), torch.where(a > 0, a, b.double())), (v, p, m)
    yield "masked_fill", lambda a, c: (a.masked_fill(c, -1), a.masked_fill(c, float("-inf")), a.masked_fill(c, a[0, 0])), (v, m)
    yield "addc", lambda a, b: (torch.addcmul(a, b, b, value=.5), torch.addcdiv(a, b, b, value=2.), torch.lerp(a, b, .3)), (v, p)
    yield "casts", lambda a, b: (a.half(), a.double(), a.to(torch.int32), b.float(), a.bool(), b.to(torch.uint8), b.type_as(a), (a * 50).to(torch.int8)), (v, i)
    for n in "sum mean prod amax amin".split():
        yield n, lambda a, f=getattr(torch, n): (f(a, 1), f(a, -1, keepdim=True), *((f(a, (0, 2)),) if f is not torch.prod else ())), (x,)
    yield "any_all", lambda a: (a.any(), a.all(), a.any(1), a.all(-1, keepdim=True), A.any.dims(a, [0, 1]), A.all.dims(a, [0])), (m,)
    yield "whole_tensors", lambda a: (a.sum(), a.mean(), a.prod(), a.max(), a.min(), a.amax(), a.argmax(), a.argmin(), a.any(), a.var(), a.std(), a.norm()), (v,)
    yield "sums_of_whole", lambda a, c: (a.sum(), a.sum(1), a.prod(1), a.max(), c.sum(), c.sum(0), a.amax(1), a.argmax(1), a.sum(dtype=torch.float32)), (i, m)
    yield "extremes", lambda a: (*a.max(1), *a.min(2, keepdim=True), a.argmax(1), a.argmin(2, keepdim=True)), (x,)
    yield "variance", lambda a: (a.var(1), a.std(2, keepdim=True), a.var(dim=(0, 1), unbiased=False), torch.var(a, dim=1, correction=2), *torch.var_mean(a, dim=1), *torch.std_mean(a, dim=0)), (x,)
    yield "norms", lambda a: (a.norm(dim=1), a.norm(p=1, dim=2), torch.linalg.vector_norm(a, ord=float("inf"), dim=1), torch.linalg.vector_norm(a, 3, dim=(0, 1)), torch.linalg.vector_norm(a, 0, dim=1)), (x,)
    yield "softmax", lambda a: (a.softmax(1), a.log_softmax(-1), F.softmax(a, 2, dtype=torch.float64), a.logsumexp(1)), (x,)
    yield "cumsum", lambda a, b: (a.cumsum(1), b.cumsum(-1), a.cumprod(1)), (v, i)
    yield "sort", lambda a: (*a.sort(1), *a.sort(1, descending=True), a.argsort(0), *a.topk(2, 1), *a.topk(1, 0, largest=False)), (v,)
    yield "normalize", lambda a: (F.normalize(a, dim=1), F.cosine_similarity(a, a.flip(0), dim=1)), (v,)
    yield "cdist", lambda a, b: (torch.cdist(a, b), torch.cdist(a, b, p=1.)), (v, p)


def shapes():
    yield "shapes", lambda a: (a.view(4, 3), a.view(-1, 2), a.reshape(3, 4), a.flatten(1), a.flatten(), a.unflatten(1, (3, -1)), a.unsqueeze(1), a[:, :1].squeeze(1), a[:1, :1].squeeze(), a.view_as(a)), (x,)
    yield "orders", lambda a: (a.permute(2, 0, 1), a.transpose(0, 2), a.mT, a[0].t(), a.movedim(0, 2), a.swapaxes(0, 1), a.moveaxis(2, 0), a[0].T, a.adjoint()), (x,)
    yield "slices", lambda a: (a[1:], a[:, 1:3], a[:, ::2], a[:, -2:], a[..., :-1], a[1], a[-1, 2], a[:, 1], a.narrow(1, 1, 2), a[:, 5:]), (x,)
    yield "splits", lambda a: (*a.split(2, 1), *a.split([1, 2], 1), *a.chunk(2, 1), *a.unbind(0)), (x,)
    yield "expand", lambda a: (a[:1].expand(2, 3, 2), a.expand(2, -1, -1, -1), a[:, :1].expand_as(a)), (x,)
    yield "diagonal", lambda a: (a.diagonal(0, 1, 2), a.diagonal(1, 0, 1), a.unfold(1, 2, 1)), (x,)
    yield "strided", lambda a: (a.as_strided((2, 6), (6, 1)), a.as_strided((12,), (1,)), a.as_strided((4, 3), (3, 1))), (x,)
    yield "sizes", lambda a: (a.view(a.shape[0], -1), a.new_zeros(a.shape[1]), torch.full((a.shape[2],), a.numel())), (x,)
    yield "cat", lambda a, b: (torch.cat([a, b]), torch.cat([a, b, a], -1), torch.stack([a, b], 1), torch.cat([a, b.double()], 1), torch.hstack([a, b]), torch.vstack([a, b])), (v, p)
    yield "repeats", lambda a: (a.repeat(2, 1), a.repeat(2, 1, 1), a.repeat_interleave(2, 1), a.tile(2), a.repeat_interleave(2)), (v,)
    yield "turns", lambda a: (a.flip(0), a.flip([1, 2]), a.roll(1, 0), a.roll((2, -1), (1, 2)), a.roll(3), torch.rot90(a, 1, (1, 2)), torch.rot90(a, 2, (0, 1)), torch.rot90(a, -1, (1, 2)), torch.fliplr(a), torch.flipud(a)), (x,)
    yield "tri", lambda a: (a.tril(), a.triu(1), a.tril(-1)), (R(3, 3),)
    yield "pads", lambda a: (F.pad(a, (1, 2)), F.pad(a, (1, 0, 2, 1), value=3.), F.pad(a, (1, 1), mode="reflect"), F.pad(a, (2, 1), mode="replicate"), F.pad(a, (1, 2), mode="circular"), F.pad(a, (-1, 0, 0, -1))), (x,)
    yield "pads_2d", lambda a: (F.pad(a, (1, 1, 1, 0), mode="reflect"), F.pad(a, (1, 0, 2, 1), mode="replicate")), (R(1, 1, 2, 3),)
    yield "pixels", lambda a: (F.pixel_shuffle(a, 2), F.pixel_unshuffle(a, 2), F.channel_shuffle(a, 2)), (R(1, 4, 2, 2),)
    yield "meshgrid", lambda a: (*torch.meshgrid(a, a[:2], indexing="ij"), *torch.meshgrid(a, a[:2], indexing="xy")), (R(3),)
    yield "fills", lambda a: (torch.zeros(2, 3) + a, torch.ones_like(a), torch.full((2,), 7), a.new_full((2, 2), .5), torch.arange(5), torch.arange(1, 8, 2), torch.arange(0., 1., .25), torch.eye(3), torch.eye(2, 3), torch.linspace(0, 1, 5)), (v,)
    yield "more_fills", lambda a: (torch.zeros_like(a), torch.full_like(a, 2.), a.new_zeros(2), a.new_ones(2), torch.scalar_tensor(3.) + a, A.fill.Scalar(a, 4.)), (v,)
    yield "index_one", lambda a, k: (a[k], a[:, k], a[:, :, k]), (R(2, 2, 2), I(2, 3))
    yield "index_two", lambda a, k: (a[k, k], a[:, k, k], a[k, :, k], a[k[:, None], k[None]]), (R(2, 2, 2), I(2, 2))
    yield "index_mask", lambda a, c: a[c], (v, m)
    yield "index_put", lambda a, k, b: (a.index_put((k,), b), torch.index_put(a, (k, k), b[0, :2], accumulate=True)), (R(3, 3), torch.tensor([2, 0]), R(2, 3))
    yield "gather", lambda a, k: (a.gather(1, k), torch.take_along_dim(a, k, 1)), (v, I(3, 2, 2))
    yield "scatter", lambda a, k, b: (a.scatter(1, k, b), a.scatter(1, k, 3.), a.scatter_add(1, k, b)), (v, torch.tensor([[0, 2], [1, 0]]), R(2, 2))
    for how in "sum prod amax amin".split():
        yield "scatter_" + how, lambda a, k, b, how=how: a.scatter_reduce(1, k, b, how), (v, torch.tensor([[0, 0], [1, 0]]), R(2, 2))
    yield "select", lambda a, k: (a.index_select(1, k), F.embedding(k, a)), (v, I(2, 3))
    yield "index_ops", lambda a, k, b: (a.index_add(0, k, b), a.index_copy(0, k, b), a.index_fill(1, k, 2.), a.index_add(0, k, b, alpha=2)), (R(3, 3), torch.tensor([2, 0]), R(2, 3))
    yield "nonzero", lambda a: (a.nonzero(), a.masked_select(a > 0)), (i,)
    yield "masked_scatter", lambda a, c, b: a.masked_scatter(c, b), (v, m, p)
    yield "one_hot", lambda k: F.one_hot(k, 4), (I(4, 3),)
    yield "scatters_of_parts", lambda a, b: (torch.slice_scatter(a, b[:, :2], 1, 1, 3), torch.select_scatter(a, b[0], 0, 1), torch.slice_scatter(a, b[:, :2], 1, 0, 3, 2)), (v, p)
    yield "in_place", lambda a: a.clone().relu_().add_(1).mul_(2).clamp_(max=3).sub_(.5).div_(2).sigmoid_().tanh_().exp_().neg_(), (v,)
    yield "written", written, (R(2, 4),)
    yield "filled_views", lambda a, c: (lambda b: (b[:, 0].fill_(3), b.masked_fill_(c, 0), b)[2])(a.clone()), (v, m)
    yield "put_in_place", lambda a, k: (lambda b: (b.__setitem__(k, 1.), b)[1])(a.clone()), (R(3, 2), torch.tensor([2, 0]))
    yield "copies", lambda a: (A.view_copy(a, [3, 2]), A.permute_copy(a, [1, 0]), A.transpose_copy.int(a, 0, 1), A.unsqueeze_copy(a, 0), A.expand_copy(a, [2, 2, 3]), A.slice_copy.Tensor(a, 1, 0, 2), A.select_copy.int(a, 0, 1), A.t_copy(a)), (v,)


def written(a):
    b = a.clone()
    b[:, 1:3].copy_(a[:, 2:4])
    c = b[0]
    c += 1
    b[:, ::2] = 7
    b.transpose(0, 1)[2] *= 2
    first, second = b.chunk(2, 1)
    second.zero_()
    b.view(-1)[3] = -1
    b[..., 1].relu_()
    b.select(1, 3).unsqueeze(0).sub_(3)
    return b, c, first, b.permute(1, 0)


def layers():
    pic, w = R(1, 2, 4, 4), R(2, 2, 2, 2)
    yield "conv1d", lambda a, k, b: (F.conv1d(a, k, b, 2, 1), F.conv1d(a, k, padding="same"), F.conv1d(a, k, padding="valid")), (R(1, 2, 5), R(2, 2, 3), R(2))
    yield "conv2d", lambda a, k, b: (F.conv2d(a, k, b, 2, 1), F.conv2d(a, k, padding="same"), F.conv2d(a[0], k, dilation=(1, 2))), (pic, w, R(2))
    yield "conv2d_groups", lambda a, k: F.conv2d(a, k, groups=2, stride=(2, 1)), (pic, R(2, 1, 2, 2))
    yield "conv3d", lambda a, k: F.conv3d(a, k, padding=(0, 1, 0)), (R(1, 1, 2, 2, 3), R(1, 1, 2, 2, 2))
    yield "transposed", lambda a, k: (F.conv_transpose2d(a, k, None, 2, 1, 1), F.conv_transpose2d(a, k, dilation=2)), (R(1, 2, 2, 2), w)
    yield "transposed1d", lambda a, k, b: F.conv_transpose1d(a, k, b, 2, groups=2), (R(1, 2, 3), R(2, 1, 2), R(2))
    yield "transposed3d", lambda a, k: F.conv_transpose3d(a, k, stride=2), (R(1, 1, 1, 2, 2), R(1, 1, 2, 1, 1))
    yield "batch_norm", lambda a, b, c, e, f: (F.batch_norm(a, b, c, e, f), F.batch_norm(a, b, c), F.instance_norm(a, None, None, e, f)), (pic, R(2), R(2).abs() + 1, R(2), R(2))
    yield "layer_norm", lambda a, b, c: (F.layer_norm(a, (3,), b, c), F.layer_norm(a, (2, 3)), F.rms_norm(a, (3,), b), F.rms_norm(a, (3,), b, 1e-3)), (R(2, 2, 3), R(3), R(3))
    yield "group_norm", lambda a, b, c: F.group_norm(a, 2, b, c, 1e-3), (R(1, 4, 2), R(4), R(4))
    yield "local_response", lambda a: F.local_response_norm(a, 3, .1, .5, 2.), (R(1, 4, 2, 2),)
    yield "linear", lambda a, k, b: (F.linear(a, k, b), F.linear(a, k), F.linear(a[0], k)), (v, R(2, 3), R(2))
    yield "max_pool1d", lambda a: (F.max_pool1d(a, 2), F.avg_pool1d(a, 2, 1, 1)), (R(1, 2, 5),)
    yield "max_pool2d", lambda a: (F.max_pool2d(a, 3, 2, 1), F.max_pool2d(a, 3, 2, ceil_mode=True), F.max_pool2d(a, 2, 1, dilation=2), *F.max_pool2d(a, 2, return_indices=True)), (pic,)
    yield "avg_pool2d", lambda a: (F.avg_pool2d(a, 3, 2, 1), F.avg_pool2d(a, 3, 2, 1, ceil_mode=True), F.avg_pool2d(a, 3, 2, 1, count_include_pad=False), F.avg_pool2d(a, 2, divisor_override=5)), (pic,)
    yield "pool3d", lambda a: (F.max_pool3d(a, 2), F.avg_pool3d(a, (1, 2, 2))), (R(1, 1, 2, 2, 4),)
    yield "adaptive", lambda a: (F.adaptive_avg_pool2d(a, (2, 3)), F.adaptive_avg_pool2d(a, 1), F.adaptive_max_pool2d(a, (3, 2)), F.adaptive_avg_pool2d(a, (None, 2))), (pic,)
    yield "adaptive_1d", lambda a: (F.adaptive_avg_pool1d(a, 2), F.adaptive_max_pool1d(a, 2)), (R(1, 2, 5),)
    yield "adaptive_3d", lambda a: F.adaptive_avg_pool3d(a, (1, 2, 1)), (R(1, 1, 2, 3, 2),)
    yield "columns", lambda a: (F.unfold(a, 2, stride=2), F.unfold(a, (2, 1), dilation=2), F.fold(F.unfold(a, 2, stride=1), (3, 3), 2), F.fold(F.unfold(a, 2, padding=1), (3, 3), 2, padding=1)), (R(1, 1, 3, 3),)
    yield "dropout", lambda a: (F.dropout(a, .5, False), F.dropout2d(a, .5, False), F.alpha_dropout(a, .5, False)), (R(1, 2, 3),)
    yield "bag", lambda a, k, o: (F.embedding_bag(k, a, o, mode="sum"), F.embedding_bag(k, a, o), F.embedding_bag(k, a, o, mode="max")), (R(5, 2), I(5, 5), torch.tensor([0, 2]))
    both = lambda h, n, d: [t for _ in range(d) for t in (R(n * h, 3), R(n * h, h), R(n * h), R(n * h))]
    yield "lstm", lambda a, h, c, *w: torch._VF.lstm(a, (h, c), list(w), True, 1, 0., False, False, False), (R(2, 1, 3), R(1, 1, 2), R(1, 1, 2), *both(2, 4, 1))
    yield "lstm_both", lambda a, h, c, *w: torch._VF.lstm(a, (h, c), list(w), True, 1, 0., False, True, True), (R(1, 2, 3), R(2, 1, 2), R(2, 1, 2), *both(2, 4, 2))
    yield "gru", lambda a, h, *w: torch._VF.gru(a, h, list(w), True, 1, 0., False, False, False), (R(2, 1, 3), R(1, 1, 2), *both(2, 3, 1))
    yield "rnn", lambda a, h, *w: (torch._VF.rnn_tanh(a, h, list(w), True, 1, 0., False, False, False)[0], torch._VF.rnn_relu(a, h, list(w), True, 1, 0., False, False, False)[0]), (R(2, 1, 3), R(1, 1, 2), *both(2, 1, 1))
    q = R(1, 2, 2, 3)
    yield "attention", lambda a, b, c: (F.scaled_dot_product_attention(a, b, c), F.scaled_dot_product_attention(a, b, c, is_causal=True), F.scaled_dot_product_attention(a, b, c, scale=.3)), (q, R(1, 2, 3, 3), R(1, 2, 3, 3))
    yield "attention_mask", lambda a, k: (F.scaled_dot_product_attention(a, a, a, attn_mask=k), F.scaled_dot_product_attention(a, a, a, attn_mask=k.float())), (q, torch.tensor([[True, False], [True, True]]))
    yield "attention_grouped", lambda a, b: F.scaled_dot_product_attention(a, b, b, enable_gqa=True), (q, R(1, 1, 2, 3))
    yield "products", lambda a, b: (a @ b.mT, a[0] @ b[0].t(), a[0] @ b[0, 0], a[0, 0] @ b[0, 0], torch.bmm(a, b.mT), torch.baddbmm(a @ b.mT, a, b.mT, beta=.5, alpha=2), a.unsqueeze(1) @ b.mT), (R(2, 2, 3), R(2, 2, 3))
    yield "addmm", lambda a, b, c: (torch.addmm(c, a, b), torch.addmm(c, a, b, beta=.5, alpha=2), torch.addmm(c[0], a, b), torch.mm(a, b), torch.outer(a[0], c[0])), (R(2, 3), R(3, 2), R(2, 2))
    yield "einsum", lambda a, b: (torch.einsum("bij,bkj->bik", a, b), torch.einsum("bij->bj", a)), (R(2, 2, 2), R(2, 1, 2))
    small = R(1, 1, 2, 3)
    for mode in "nearest nearest-exact bilinear bicubic".split():
        k = {} if "near" in mode else {"align_corners": False}
        yield "resize_" + mode, lambda a, mode=mode, k=k: (F.interpolate(a, scale_factor=2, mode=mode, **k), F.interpolate(a, size=(3, 4), mode=mode, **k), F.interpolate(a, scale_factor=1.7, mode=mode, **k)), (small,)
    yield "resize_corners", lambda a: (F.interpolate(a, size=(3, 5), mode="bilinear", align_corners=True), F.interpolate(a, size=(3, 5), mode="bicubic", align_corners=True)), (small,)
    yield "resize_1d", lambda a: (F.interpolate(a, scale_factor=2), F.interpolate(a, size=5, mode="linear")), (R(1, 1, 3),)
    yield "resize_3d", lambda a: F.interpolate(a, scale_factor=2, mode="trilinear"), (R(1, 1, 1, 2, 2),)
    yield "grid_sample", lambda a, k: (F.grid_sample(a, k, align_corners=False), F.grid_sample(a, k, mode="nearest", padding_mode="border", align_corners=True), F.grid_sample(a, k, mode="bicubic", padding_mode="border", align_corners=True)), (R(1, 1, 3, 4), R(1, 2, 2, 2))


def made():
    """Tensors made of numbers, codes, and ops that are few others put together."""
    whole, wide = torch.int64, R(2, 4)
    yield "ranges", lambda a: (torch.arange(5.5, dtype=whole), torch.arange(.9, 5.1, dtype=whole), torch.arange(.5, 5), torch.arange(5, 0, -2), torch.arange(0., 1., .3), torch.arange(-3, 3, dtype=torch.float64), torch.arange(3, 3), torch.arange(0, 7, 3, dtype=torch.int32), torch.arange(1., -1., -.5), torch.arange(0, 2, .5, dtype=torch.float16), torch.arange(-2.7, 3.2, 2, dtype=whole), torch.arange(0, 3, .5, dtype=whole), torch.arange(2.9, .2, -1.5, dtype=torch.int32)), (v,)
    yield "spaced", lambda a: (torch.linspace(0, 1, 7), torch.linspace(3, -2, 4), torch.linspace(.5, 2, 1), torch.linspace(0, 1, 0), torch.linspace(-1, 1, 6, dtype=torch.float64), torch.linspace(0, 10, 5, dtype=whole), torch.linspace(0, 1, 3, dtype=torch.float16)), (v,)
    yield "unit", lambda a: (torch.eye(3, dtype=whole), torch.eye(3, 2), torch.eye(0), torch.eye(2, 4, dtype=torch.bool)), (v,)
    yield "full", lambda a, b: (torch.full((2,), 2.7, dtype=whole), torch.full((2,), -2.7, dtype=torch.int32), torch.full((), True), torch.full((1, 2), 3), torch.full((2,), 0.5), torch.full_like(a, 3), torch.full_like(b, 2.5), a.new_full((2,), 7), b.new_full((2,), 1.5), torch.zeros_like(a, dtype=whole), torch.ones(2, dtype=torch.bool), b.new_ones((2,), dtype=torch.float64), torch.full((2,), float("inf"), dtype=torch.float16), torch.scalar_tensor(2, dtype=torch.int32) + b), (v, i)
    yield "far_steps", lambda a: (a[::2305843009213693952], a[1::4611686018427387904], a[5:2], a[-9:9]), (R(3),)
    yield "quarters", lambda a: tuple(torch.rot90(a, k, d) for k in (0, 1, 2, 3, 5, -2) for d in ((0, 1), (2, 0))), (R(2, 1, 2),)
    yield "along", lambda a, k: (torch.take_along_dim(a, k), torch.take_along_dim(a, k, 1), torch.take_along_dim(a, k[:1], 1), torch.take_along_dim(a[:1], k, 1)), (v, I(3, 2, 2))
    yield "tiles", lambda a: (a.tile(2, 1, 3), a.tile(()), a.tile(2), a[0].tile(2, 2)), (R(2, 2),)
    yield "parts_of_numbers", lambda a, b: (torch.frac(a * 3), torch.logaddexp(a, b), torch.nan_to_num(a.log()), torch.nan_to_num(a.log(), 7., 8., -9.), torch.nan_to_num((a * 0).log().double()), torch.nan_to_num((a * 0).log().half()), torch.nan_to_num((a * 0).reciprocal().bfloat16().float()), torch.nan_to_num(a > 0), torch.outer(a[0], b[1])), (v, p)
    yield "cosines", lambda a, b: (F.cosine_similarity(a, b), F.cosine_similarity(a, b, 0, .5), F.cosine_similarity(a, b * 0, -1)), (v, p)
    yield "bounds", lambda a, b: (torch.clamp_min(a, b), torch.clamp_max(a, b), torch.clamp(a, b - 1, b), A.clamp_min.Tensor(a, b), A.clamp_max.default(a, 0), A.clip(a, None, .5)), (v, p - .5)
    yield "mixed", lambda a, b, k: (torch.lerp(a, b, k), torch.lerp(a, b, .25), A.rsub.Scalar(a, 2), A.rsub.Tensor(a, b, alpha=3), A._prelu_kernel(a, b[:1]), A.log_sigmoid_forward(a)[0], A.special_expm1(a)), (v, p, p.flip(0))
    yield "casts_of_parts", lambda a, b: (torch.ops.prims.convert_element_type(a, torch.float64), torch.ops.prims.convert_element_type(b, torch.float32), a.contiguous(), *torch.sort(a, stable=True, dim=0), a.to(torch.float16, copy=True), b.to(a.device, torch.float32)), (v, i)
    yield "halves", lambda a: (F.glu(a), F.glu(a, 0), F.glu(a[0], 0)), (wide,)
    yield "shuffles", lambda a: (A.channel_shuffle(a, 3), A.channel_shuffle(a[:, :, :0], 2), A.channel_shuffle(a, 1)), (R(1, 6, 2),)
    yield "grids", lambda a, b: (*A.meshgrid([a, b]), *torch.meshgrid(a, b, a[:1], indexing="xy"), *torch.meshgrid(a, indexing="xy"), *torch.meshgrid(a[0], b, indexing="ij")), (R(3), R(2))
    yield "norms_with_moments", lambda a, b, c: (*A.native_layer_norm(a, [4], b, c, 1e-5), *A._native_batch_norm_legit.no_stats(a, b, c, True, .1, 1e-3)[:1], A.native_group_norm(a, b, c, 2, 4, 3, 2, 1e-5)[0], A._fused_rms_norm(a, [3], None, None)[0]) if a.shape[-1] == 4 else (A._native_batch_norm_legit.no_stats(a, b, c, True, .1, 1e-3)[0], A._native_batch_norm_legit.no_stats(a, None, None, True, .1, 1e-3)[0], A.native_group_norm(a, b, c, 2, 4, 3, 2, 1e-5)[0]), (R(2, 4, 3), R(4), R(4))
    yield "layer_moments", lambda a, b, c: (*A.native_layer_norm(a, [3], b, c, 1e-5), *A.native_layer_norm(a, [2, 3], None, None, 1e-3)), (R(2, 2, 3), R(3), R(3))
    yield "trained_norm", lambda a, b, c, e, f: A._native_batch_norm_legit_no_training(a, b, c, e, f, .1, 1e-3)[0], (R(2, 3, 2), R(3), R(3), R(3), R(3).abs() + 1)
    q = torch.ops.quantized_decomposed
    yield "channels", lambda a, s, z: (q.quantize_per_channel(a, s, z, 0, -128, 127, torch.int8), q.dequantize_per_channel(q.quantize_per_channel(a, s, z, 0, -7, 7, torch.int8), s, z, 0, -7, 7, torch.int8), q.quantize_per_channel(a, s.double(), z, 0, 0, 15, torch.uint8)), (R(3, 4) * 3, torch.tensor([.1, .05, .5]), torch.tensor([0, 1, 2]))
    yield "channels_of_others", lambda a, s, z: (q.quantize_per_channel(a, s, z, 1, 0, 255, torch.uint8), q.dequantize_per_channel(q.quantize_per_channel(a, s, z, 1, 0, 255, torch.uint8), s, None, 1, 0, 255, torch.uint8)), (R(2, 3, 2) * 3, torch.tensor([.1, .05, .5]), torch.tensor([0, 100, 255]))
    yield "chosen", lambda a: (*q.choose_qparams_symmetric.tensor(a, -127, 127, 1e-6, torch.int8), *q.choose_qparams.tensor(a, -128, 127, 1e-6, torch.int8), *q.choose_qparams.tensor(a.abs() + 1, 0, 255, 1e-6, torch.uint8)), (v,)
    yield "whole_codes", lambda a: (q.quantize_per_tensor(a, .05, 3, -100, 100, torch.int8), q.quantize_per_tensor(a, .05, 3, 0, 255, torch.uint8), q.quantize_per_tensor(a, .05, 3, -30000, 30000, torch.int16)), (x,)
