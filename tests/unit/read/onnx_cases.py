"""What make_onnx_nodes.py asks about: small nets in ONNX's text, most of one node, with their inputs."""
import numpy as np

NAMES = ["elements", "shapes", "windows", "sequences", "codes"]


def r(*shape, seed=1, dtype=np.float32):
    """Two digits each, so that cases can be read."""
    a = np.random.default_rng(seed + 7 * len(shape)).normal(size=shape)
    return np.round(a, 2).astype(dtype)


def i(top, *shape, seed=1, dtype=np.int64, low=0):
    return np.random.default_rng(seed).integers(low, top, size=shape).astype(dtype)


def n(*values, dtype=np.int64):
    return np.array(values, dtype)


def op(nodes, opset=17, out="y", **kw):
    known = {k: kw.pop(k) for k in ("writes", "judge", "types", "means") if k in kw}
    return {"nodes": nodes, "opset": opset, "out": out.split(), "in": {k: np.asarray(v) for k, v in kw.items()}, **known}


def elements():
    x, p = r(2, 3), np.abs(r(2, 3)) + np.float32(.25)
    for name in "Abs Neg Sign Floor Ceil Round Exp Sin Cos Tan Atan Sinh Cosh Asinh Tanh Sigmoid Erf Softplus Softsign Mish HardSwish Relu".split():
        yield op(f"y = {name} (x)", 18, x=x)
    for name in "Log Sqrt Reciprocal".split():
        yield op(f"y = {name} (x)", x=p)
    for name in "Asin Acos Atanh".split():
        yield op(f"y = {name} (x)", x=np.tanh(x).round(2))
    yield op("y = Acosh (x)", x=p + 1)
    yield op("y = Elu <alpha = 0.5> (x)", x=x)
    yield op("y = Selu <alpha = 1.5, gamma = 2.0> (x)", x=x)
    yield op("y = Celu <alpha = 0.5> (x)", x=x)
    yield op("y = LeakyRelu <alpha = 0.2> (x)", x=x)
    yield op("y = ThresholdedRelu <alpha = 0.3> (x)", x=x)
    yield op("y = HardSigmoid <alpha = 0.3, beta = 0.4> (x)", x=x)
    yield op("y = Shrink <lambd = 0.3, bias = 0.1> (x)", x=x)
    yield op("y = Swish <alpha = 1.5> (x)", 24, x=x)
    yield op('y = Gelu <approximate = "tanh"> (x)', 20, x=x)
    yield op("y = Gelu (x)", 20, x=x)
    yield op("y = IsNaN (x)", x=np.float32([1, np.nan, -2, np.inf]))
    for a, b in ((1, 1), (0, 1), (1, 0)):
        yield op(f"y = IsInf <detect_positive = {a}, detect_negative = {b}> (x)", 20, x=np.float32([1, np.inf, -np.inf, np.nan]))
    yield op("y = Not (x)", x=np.array([True, False]))
    yield op("y = BitwiseNot (x)", 18, x=n(0, 1, -7, 200))
    for name in "Add Sub Mul Div".split():
        yield op(f"y = {name} (a, b)", a=x, b=p[:, :1])
        yield op(f"y = {name} (a, b)", a=n(-7, 8, 9), b=n(2, -3, 4))
    for name in "And Or Xor".split():
        yield op(f"y = {name} (a, b)", a=np.array([True, True, False, False]), b=np.array([True, False, True, False]))
    for name in "BitwiseAnd BitwiseOr BitwiseXor".split():
        yield op(f"y = {name} (a, b)", 18, a=n(12, -5, 7), b=n(10, 3, 0))
    for name in "Equal Less LessOrEqual Greater GreaterOrEqual".split():
        yield op(f"y = {name} (a, b)", a=n(1, 2, 3), b=n(3, 2, 1))
        yield op(f"y = {name} (a, b)", a=x, b=x[::-1].copy())
    yield op("y = PRelu (x, s)", x=x, s=np.float32([.1, .2, .3]))
    yield op('y = BitShift <direction = "LEFT"> (a, b)', a=n(1, 4, 9, dtype=np.uint8), b=n(2, 1, 7, dtype=np.uint8))
    yield op('y = BitShift <direction = "RIGHT"> (a, b)', a=n(200, 4, 9, dtype=np.uint8), b=n(2, 1, 3, dtype=np.uint8))
    yield op("y = Mod (a, b)", a=n(-7, 7, -8, 8), b=n(3, -3, 5, -5))
    yield op("y = Mod <fmod = 1> (a, b)", a=np.float32([-7.5, 7.5, 5.25]), b=np.float32([2, -2, 1.5]))
    yield op("y = Pow (a, b)", a=p, b=x)
    yield op("y = Pow (a, b)", a=p, b=np.float32(2))
    yield op("y = Pow (a, b)", a=n(2, -3, 4), b=n(3, 2, 0))
    for name in "Sum Max Min Mean".split():
        yield op(f"y = {name} (a, b, c)", a=x, b=p, c=np.float32([[.5], [-.5]]))
        yield op(f"y = {name} (a)", a=x)
    yield op("y = Clip (x, lo, hi)", x=x, lo=np.float32(-.5), hi=np.float32(.6))
    yield op("y = Clip (x, , hi)", x=x, hi=np.float32(.1))
    yield op("y = Clip (x, lo)", x=n(-3, 0, 5), lo=np.int64(-1))
    yield op("y = Clip <min = -0.25, max = 0.75> (x)", 6, x=x)
    yield op("y = Where (c, a, b)", c=np.array([[True], [False]]), a=x, b=p)
    yield op("y = Identity (x)", x=x)
    yield op("y, m = Dropout (x)", out="y m", x=x)
    yield op("y = Cast <to = 6> (x)", x=np.float32([1.5, -2.7, 3.2]), types=[6])
    yield op("y = Cast <to = 9> (x)", x=np.float32([1.5, 0, -.25]), types=[9])
    yield op("y = Cast <to = 10> (x)", x=np.float32([1.5, .1, -3e5]), types=[10])
    yield op("y = Cast <to = 1> (x)", x=n(3, -4))
    yield op("y = Cast <to = 2> (x)", x=n(3, 250, 7, dtype=np.int32), types=[2])
    yield op("y = CastLike (x, l)", x=n(3, -4), l=np.float32([0]))
    yield op("y = BitCast <to = 6> (x)", 26, x=np.float32([1, -2.5]), types=[6], writes=False)
    for name in "Sum Mean Max Min Prod L1 L2 LogSumExp SumSquare".split():
        yield op(f"y = Reduce{name} <axes = [1], keepdims = 0> (x)", 11, x=r(2, 3, 2))
        yield op(f"y = Reduce{name} <keepdims = 1> (x, a)", 18, x=r(2, 3, 2), a=n(-1, 0))
        yield op(f"y = Reduce{name} (x)", 18, x=r(2, 3))
    yield op("y = ReduceLogSum <axes = [0], keepdims = 1> (x)", 13, x=p)
    yield op("y = ReduceSum <noop_with_empty_axes = 1> (x, a)", x=r(2, 3), a=n())
    yield op("y = ReduceMax (x, a)", 18, x=i(9, 2, 3, dtype=np.int32), a=n(1))
    yield op("y = ReduceMean (x, a)", 18, x=np.int32([[7, 8], [-3, 2]]), a=n(1))
    ties = np.float32([[1, 3, 3], [2, 2, 0]])
    for name in "ArgMax ArgMin".split():
        yield op(f"y = {name} <axis = 1, keepdims = 0> (x)", x=ties, types=[7])
        yield op(f"y = {name} <axis = -1, select_last_index = 1> (x)", x=ties, types=[7])
    for name in "Softmax LogSoftmax Hardmax".split():
        yield op(f"y = {name} <axis = 1> (x)", 13, x=r(2, 3, 2))
        yield op(f"y = {name} (x)", 13, x=r(2, 3))
        yield op(f"y = {name} <axis = 1> (x)", 11, x=r(2, 3, 2), judge="onnxruntime")  # the reference has the later meaning
    for e, b in ((0, 0), (1, 0), (0, 1), (1, 1)):
        yield op(f"y = CumSum <exclusive = {e}, reverse = {b}> (x, a)", x=r(2, 3), a=np.int64(1))
    yield op("y = CumProd <exclusive = 1> (x, a)", 26, x=r(2, 3), a=np.int64(1))
    yield op("y = MeanVarianceNormalization (x)", 13, x=r(2, 2, 2, 2))
    yield op("y = LpNormalization <axis = 1, p = 1> (x)", x=r(2, 3), judge="onnxruntime")  # the reference adds without signs
    yield op("y = LpNormalization (x)", x=r(2, 3))
    yield op("y = com.microsoft.Gelu (x)", x=x)
    yield op("y = com.microsoft.BiasGelu (x, b)", x=x, b=r(3))
    yield op("y = com.microsoft.FastGelu (x, b)", x=x, b=r(3))
    yield op("y = com.microsoft.QuickGelu <alpha = 1.5> (x)", x=x)


def shapes():
    x = r(2, 3, 4)
    yield op("y = Reshape (x, s)", x=x, s=n(0, -1, 2))
    yield op("y = Reshape <allowzero = 1> (x, s)", x=r(0, 3), s=n(3, 0))
    yield op("y = Reshape (x, s)", 5, x=x, s=n(4, -1))
    yield op("y = Flatten <axis = 2> (x)", x=x)
    yield op("y = Flatten <axis = 0> (x)", x=x)
    yield op("y = Flatten <axis = -1> (x)", x=x)
    yield op("y = Squeeze (x, a)", x=r(1, 3, 1), a=n(-1))
    yield op("y = Squeeze (x)", x=r(1, 3, 1))
    yield op("y = Squeeze <axes = [0]> (x)", 11, x=r(1, 3, 1))
    yield op("y = Unsqueeze (x, a)", x=r(2, 3), a=n(0, -1))
    yield op("y = Unsqueeze <axes = [1]> (x)", 11, x=r(2, 3))
    yield op("y = Shape <start = 1> (x)", x=x, types=[7])
    yield op("y = Shape <start = -2, end = -1> (x)", x=x, types=[7])
    yield op("y = Size (x)", x=x, types=[7])
    yield op("y = Transpose <perm = [2, 0, 1]> (x)", x=x)
    yield op("y = Transpose (x)", x=x)
    yield op("y = Slice (x, s, e, a, t)", x=x, s=n(-1, 0), e=n(-9, 4), a=n(1, -1), t=n(-1, 2))
    yield op("y = Slice (x, s, e)", x=x, s=n(0, 1), e=n(9, -1))
    yield op("y = Slice (x, s, e, a, t)", x=r(3, 2), s=n(-1), e=n(-2**63), a=n(0), t=n(-1))
    yield op("y = Slice <starts = [1], ends = [3], axes = [2]> (x)", 9, x=x)
    yield op("a, b = Split <axis = 2> (x, s)", out="a b", x=x, s=n(1, 3))
    yield op("a, b = Split <axis = 1, num_outputs = 2> (x)", 18, out="a b", x=x)
    yield op("a, b = Split <axis = 2, split = [3, 1]> (x)", 11, out="a b", x=x)
    yield op("y = Concat <axis = -1> (a, b)", a=r(2, 2), b=r(2, 1))
    yield op("y = Gather <axis = 1> (x, k)", x=x, k=n(2, -1, 0))
    yield op("y = Gather (x, k)", x=x, k=np.int64(-1))
    yield op("y = GatherElements <axis = 1> (x, k)", x=r(2, 3), k=np.int64([[0, -1], [2, 1]]))
    yield op("y = GatherND (x, k)", x=x, k=np.int64([[0, 1], [1, -1]]))
    yield op("y = GatherND <batch_dims = 1> (x, k)", x=x, k=np.int64([[1], [0]]))
    for how in "none add mul max min".split():
        yield op(f'y = ScatterElements <axis = 1, reduction = "{how}"> (x, k, u)', 18, x=r(2, 3), k=np.int64([[0, -1], [1, 2]]), u=r(2, 2, seed=5))
        yield op(f'y = ScatterND <reduction = "{how}"> (x, k, u)', 18, x=r(4, 2), k=np.int64([[2], [0]]), u=r(2, 2, seed=5))
    yield op("y = Scatter <axis = 0> (x, k, u)", 9, x=r(2, 3), k=np.int64([[1, 0, 1]]), u=r(1, 3, seed=5), judge="onnxruntime")
    yield op("y = Expand (x, s)", x=r(3, 1), s=n(2, 1, 4))
    yield op("y = Tile (x, s)", x=r(2, 2), s=n(2, 3))
    for mode in "constant edge reflect wrap".split():
        yield op(f'y = Pad <mode = "{mode}"> (x, p)', 19, x=r(3, 3), p=n(0, 2, 1, 1))
    yield op("y = Pad (x, p, v)", x=r(2, 3), p=n(1, -1, 0, 2), v=np.float32(.5))
    yield op("y = Pad (x, p, v, a)", 18, x=r(2, 3), p=n(1, 2), v=np.float32(.5), a=n(-1))
    yield op('y = Pad <pads = [0, 1, 0, 1], value = 0.25> (x)', 2, x=r(2, 2), judge="onnxruntime")
    for mode in "DCR CRD".split():
        yield op(f'y = DepthToSpace <blocksize = 2, mode = "{mode}"> (x)', x=r(1, 4, 2, 1))
    yield op("y = SpaceToDepth <blocksize = 2> (x)", x=r(1, 1, 2, 4))
    yield op("c = Constant <value = float[2] {1, 2}> () y = Add (x, c)", x=r(2, 2))
    yield op("c = Constant <value_int = 3> () y = Mul (x, c)", x=n(2, 5))
    yield op("c = Constant <value_float = 1.5> () y = Mul (x, c)", x=r(2, 2))
    yield op("c = Constant <value_ints = [0, 1]> () y = Gather (x, c)", x=r(3, 2))
    yield op("c = Constant <value_floats = [0.5, 1.0]> () y = Add (x, c)", x=r(2, 2))
    yield op("y = ConstantOfShape <value = int64[1] {7}> (s)", s=n(2, 2), types=[7], writes=False)
    yield op("y = ConstantOfShape (s)", s=n(3), writes=False)
    yield op("y = Range (a, b, c)", a=np.int64(10), b=np.int64(3), c=np.int64(-3), types=[7], writes=False)
    yield op("y = Range (a, b, c)", a=np.float32(0), b=np.float32(1), c=np.float32(.25), writes=False)
    yield op("y = EyeLike <k = 1, dtype = 1> (x)", x=r(3, 4))
    yield op("y = EyeLike <k = -1> (x)", x=r(3, 3))
    yield op("y = Trilu <upper = 0> (x)", x=r(2, 3, 3))
    yield op("y = Trilu (x, k)", x=r(3, 3), k=np.int64(1))
    yield op("y = Trilu <upper = 1> (x, k)", x=i(9, 3, 4), k=np.int64(-1))
    yield op("y = OneHot <axis = 1> (x, d, v)", x=n(0, 2, -1), d=np.int64(3), v=np.float32([-1, 2]))
    yield op("y = OneHot (x, d, v)", x=np.int64([[1], [0]]), d=np.int64(2), v=n(0, 1))
    for least in (0, 1):
        yield op(f"y, k = TopK <axis = 1, largest = {1 - least}> (x, n)", out="y k", x=np.float32([[3, 1, 3, 2], [0, 5, -1, 5]]), n=n(3))
    yield op("y, k = TopK <axis = 0> (x, n)", out="y k", x=i(9, 4, 2), n=n(2))
    yield op("y, k = TopK <axis = 1, k = 2> (x)", 9, out="y k", x=r(2, 3), types=[1, 7])
    yield op("y = ReverseSequence <time_axis = 0, batch_axis = 1> (x, l)", x=r(4, 2), l=n(3, 2))
    yield op("y = ReverseSequence <time_axis = 1, batch_axis = 0> (x, l)", x=r(2, 4), l=n(1, 4))
    yield op("y = CenterCropPad (x, s)", 18, x=r(3, 4), s=n(5, 2))
    yield op("y = CenterCropPad <axes = [1]> (x, s)", 18, x=r(2, 3), s=n(2))
    yield op("y = NonZero (x)", x=n(0, 3, 0, -1), types=[7], writes=False)
    yield op("y = NonZero (x)", x=np.float32([[0, 1.5], [2, 0]]), types=[7], writes=False)
    yield op("y = Compress <axis = 1> (x, c)", x=r(2, 3), c=np.array([True, False, True]))
    yield op("y = Compress (x, c)", x=r(2, 3), c=np.array([False, True, True, False, True]))
    yield op("y, a, b, c = Unique (x)", out="y a b c", x=np.float32([2, 1, 1, 3, 4, 3]), types=[1, 7, 7, 7], writes=False)
    yield op("y, a, b, c = Unique <sorted = 0> (x)", out="y a b c", x=n(2, 1, 1, 3, 4, 3), types=[7, 7, 7, 7], writes=False)
    yield op("y, a, b, c = Unique <axis = 0> (x)", out="y a b c", x=np.float32([[1, 0], [1, 0], [0, 3]]), types=[1, 7, 7, 7], writes=False)
    yield op("y, a, b, c = Unique <axis = 1, sorted = 0> (x)", out="y a b c", x=np.float32([[2, 1, 2], [0, 3, 0]]), types=[1, 7, 7, 7], writes=False, judge="onnxruntime")  # the reference keeps doubles
    boxes = np.float32([[[0, 0, 1, 1], [0, .1, 1, 1.1], [0, -.1, 1, .9], [0, 10, 1, 11], [0, 10.1, 1, 11.1], [0, 100, 1, 101]]])
    scores = np.float32([[[.9, .75, .6, .95, .5, .3], [.1, .2, .8, .4, .35, .6]]])
    yield op("y = NonMaxSuppression (b, s, m, o, t)", 11, b=boxes, s=scores, m=n(2), o=np.float32([.5]), t=np.float32([.25]), types=[7], writes=False)
    centers = np.float32([[[.5, .5, 1, 1], [.6, .5, 1, 1], [10.5, .5, 1, 1], [-1, 2, 1, 2]]])
    yield op("y = NonMaxSuppression <center_point_box = 1> (b, s, m, o)", 11, b=centers, s=np.float32([[[.3, .9, .5, .4]]]), m=n(3), o=np.float32([.4]), types=[7], writes=False)
    yield op("y = Einsum <equation = \"ij,jk->ik\"> (a, b)", a=r(2, 3), b=r(3, 2, seed=2))
    yield op("y = Einsum <equation = \"bij,bjk->bik\"> (a, b)", a=r(2, 2, 3), b=r(2, 3, 1, seed=2))
    yield op("y = Einsum <equation = \"ii->i\"> (a)", a=r(3, 3))
    yield op("y = Einsum <equation = \"...ij->...ji\"> (a)", a=r(2, 1, 3))
    yield op("y = Einsum <equation = \"ij,j,i->\"> (a, b, c)", a=r(2, 3), b=r(3, seed=4), c=r(2, seed=5))
    yield op("y = Einsum <equation = \"ba,cb\"> (a, b)", a=r(2, 3), b=r(2, 2, seed=4))
    yield op("y = Det (x)", x=r(2, 3, 3), writes=False)
    yield op("y = Det (x)", x=r(2, 2), writes=False)
    yield op("y = TensorScatter (x, u, w)", 24, x=r(2, 1, 4, 2), u=r(2, 1, 1, 2, seed=3), w=n(1, 3))
    yield op('y = TensorScatter <mode = "circular"> (x, u, w)', 24, x=r(1, 1, 3, 2), u=r(1, 1, 2, 2, seed=3), w=n(2))
    yield op("y = Col2Im (x, s, b)", 18, x=r(1, 4, 4), s=n(3, 3), b=n(2, 2))
    yield op("y = Col2Im <strides = [2, 1], pads = [1, 0, 1, 0], dilations = [1, 2]> (x, s, b)", 18, x=r(1, 4, 6), s=n(4, 4), b=n(2, 2))


def windows():
    x, w = r(1, 2, 4, 4), r(2, 2, 2, 2, seed=3)
    yield op("y = Conv <pads = [1, 0, 0, 1], strides = [2, 1]> (x, w, b)", x=x, w=w, b=r(2))
    yield op('y = Conv <auto_pad = "SAME_UPPER", dilations = [2, 2]> (x, w)', x=x, w=w)
    yield op('y = Conv <auto_pad = "SAME_LOWER"> (x, w)', x=x, w=w)
    yield op('y = Conv <auto_pad = "VALID", group = 2> (x, w)', x=x, w=r(4, 1, 2, 2), judge="onnxruntime")  # the reference pads it
    yield op("y = Conv <pads = [1, 1]> (x, w)", x=r(1, 2, 5), w=r(1, 2, 3))
    yield op("y = Conv (x, w)", x=r(1, 1, 2, 3, 3), w=r(1, 1, 2, 2, 2))
    yield op("y = ConvTranspose <strides = [2, 2], output_padding = [1, 0]> (x, w, b)", x=r(1, 2, 2, 2), w=w, b=r(2))
    yield op("y = ConvTranspose <pads = [1, 1, 0, 0], group = 2> (x, w)", x=r(1, 2, 3, 3), w=r(2, 1, 2, 2))
    yield op("y = ConvTranspose <output_shape = [5, 5], strides = [2, 2]> (x, w)", x=r(1, 2, 2, 2), w=w)
    yield op('y = ConvTranspose <auto_pad = "SAME_UPPER", strides = [2]> (x, w)', x=r(1, 1, 3), w=r(1, 1, 3))
    yield op('y = ConvTranspose <auto_pad = "SAME_LOWER", strides = [2], dilations = [1]> (x, w)', x=r(1, 1, 3), w=r(1, 2, 2))
    yield op("y = MaxPool <kernel_shape = [2, 2], strides = [2, 1], pads = [0, 1, 1, 0]> (x)", x=x)
    yield op("y, k = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)", out="y k", x=x, types=[1, 7])
    yield op("y = MaxPool <kernel_shape = [2], ceil_mode = 1, strides = [2]> (x)", x=r(1, 1, 5))
    yield op("y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x)", x=x)
    yield op("y = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 0, 0]> (x)", x=x)
    yield op("y = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 0, 0], count_include_pad = 1> (x)", x=x)
    yield op("y = AveragePool <kernel_shape = [3], strides = [2], ceil_mode = 1> (x)", 19, x=r(1, 1, 6))
    yield op('y = AveragePool <kernel_shape = [2, 2], auto_pad = "SAME_UPPER"> (x)', x=x)
    yield op("y = LpPool <kernel_shape = [2, 2], p = 3, strides = [2, 2]> (x)", 18, x=x)
    for name in "Average Max Lp".split():
        yield op(f"y = Global{name}Pool (x)", x=x)
    yield op("y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (x, k)", x=r(1, 1, 2, 2), k=np.int64([[[[1, 7], [8, 15]]]]))
    yield op("y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (x, k, s)", x=r(1, 1, 2, 2), k=np.int64([[[[1, 7], [8, 15]]]]), s=n(1, 1, 5, 5), judge="reference")  # onnxruntime counts places in the larger picture
    c, v = np.abs(r(2)) + 1, np.abs(r(2, seed=9)) + 1
    yield op("y = BatchNormalization <epsilon = 0.01> (x, s, b, m, v)", 15, x=x, s=c, b=r(2), m=r(2, seed=4), v=v)
    yield op("y, m, s = LayerNormalization <axis = 1, epsilon = 0.001> (x, w, b)", out="y m s", x=r(2, 3, 2), w=r(3, 2), b=r(3, 2, seed=3))
    yield op("y = LayerNormalization (x, w)", x=r(2, 4), w=r(4))
    yield op("y = RMSNormalization <epsilon = 0.01> (x, w)", 23, x=r(2, 4), w=r(4))
    yield op("y = SimplifiedLayerNormalization <epsilon = 0.01> (x, w)", x=r(2, 4), w=r(4), judge="onnxruntime")
    yield op("y = InstanceNormalization <epsilon = 0.01> (x, s, b)", x=x, s=c, b=r(2))
    yield op("y = GroupNormalization <num_groups = 2, epsilon = 0.01> (x, s, b)", 21, x=r(1, 4, 2, 2), s=r(4), b=r(4, seed=2))
    yield op("y = GroupNormalization <num_groups = 2> (x, s, b)", 18, x=r(1, 4, 2, 2), s=r(2), b=r(2, seed=2))
    yield op("y = LRN <size = 3, alpha = 0.1, beta = 0.5, bias = 2.0> (x)", x=r(1, 4, 2, 1), judge="onnxruntime")  # the reference sums other channels
    yield op("y = com.microsoft.SkipLayerNormalization <epsilon = 0.01> (x, k, g, b, c)", x=r(1, 2, 4), k=r(1, 2, 4, seed=2), g=r(4), b=r(4, seed=3), c=r(4, seed=4))
    yield op("y, , , s = com.microsoft.SkipSimplifiedLayerNormalization <epsilon = 0.01> (x, k, g, c)", out="y s", x=r(1, 2, 4), k=r(1, 2, 4, seed=2), g=r(4), c=r(4, seed=4))
    up = r(1, 1, 2, 3)
    for where in "half_pixel align_corners asymmetric pytorch_half_pixel half_pixel_symmetric".split():
        yield op(f'y = Resize <mode = "linear", coordinate_transformation_mode = "{where}"> (x, , s)', 19, x=up, s=np.float32([1, 1, 2, 2 if where == "align_corners" else 1.5]))
    for how in "round_prefer_floor round_prefer_ceil floor ceil".split():
        yield op(f'y = Resize <mode = "nearest", nearest_mode = "{how}"> (x, , s)', 13, x=up, s=np.float32([1, 1, 2, 2]))
    yield op('y = Resize <mode = "cubic", exclude_outside = 1> (x, , , z)', 13, x=r(1, 1, 4, 4), z=n(1, 1, 3, 6))
    yield op('y = Resize <mode = "cubic", cubic_coeff_a = -0.5> (x, , , z)', 13, x=r(1, 1, 4, 4), z=n(1, 1, 3, 6))
    yield op('y = Resize <mode = "linear", antialias = 1> (x, , , z)', 18, x=r(1, 1, 4, 4), z=n(1, 1, 2, 3))
    yield op('y = Resize <mode = "linear", axes = [2, 3], keep_aspect_ratio_policy = "not_larger"> (x, , , z)', 18, x=up, z=n(4, 9))
    yield op('y = Resize <mode = "linear", axes = [3, 2], keep_aspect_ratio_policy = "not_smaller"> (x, , , z)', 18, x=up, z=n(9, 4))
    yield op('y = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = 7.0> (x, q, , z)', 13, x=r(1, 1, 3, 3), q=np.float32([0, 0, .2, -.5, 1, 1, .8, 1.2]), z=n(1, 1, 2, 3), judge="reference")  # onnxruntime extrapolates nothing here
    yield op('y = Upsample <mode = "nearest"> (x, s)', 9, x=up, s=np.float32([1, 1, 2, 3]), judge="onnxruntime")
    yield op('y = Resize <mode = "linear"> (x, s)', 10, x=up, s=np.float32([1, 1, 2, 2]), judge="onnxruntime")
    grid = np.float32([[[[-1, -1], [.3, .1]], [[.9, -1.4], [0, 1]]]])
    for mode in "linear nearest cubic".split():
        for pads in "zeros border reflection".split():
            yield op(f'y = GridSample <mode = "{mode}", padding_mode = "{pads}", align_corners = {int(pads == "border")}> (x, g)', 20, x=r(1, 1, 3, 4), g=grid,
                     **(dict(judge="onnxruntime") if mode + pads == "cubicborder" else {}))  # torch, too; the reference does not
    yield op("y = AffineGrid <align_corners = 1> (t, s)", 20, t=r(1, 2, 3), s=n(1, 1, 2, 3))
    yield op("y = AffineGrid (t, s)", 20, t=r(1, 3, 4), s=n(1, 1, 2, 1, 2))
    rois = np.float32([[0, 0, 3, 3], [1, .5, 2.5, 3.5]])
    for mode in "avg max".split():
        yield op(f'y = RoiAlign <mode = "{mode}", output_height = 2, output_width = 2, sampling_ratio = 2, spatial_scale = 0.5> (x, r, b)', 16, x=r(2, 1, 4, 4), r=rois, b=n(0, 1), writes=False)
    yield op('y = RoiAlign <output_height = 1, output_width = 2, coordinate_transformation_mode = "output_half_pixel"> (x, r, b)', 16, x=r(2, 1, 4, 4), r=rois, b=n(1, 0), writes=False)
    yield op("y = DeformConv <kernel_shape = [2, 2], pads = [0, 0, 0, 0]> (x, w, o, b, m)", 19, x=r(1, 2, 3, 3), w=r(1, 2, 2, 2), o=r(1, 8, 2, 2, seed=6), b=r(1), m=np.abs(r(1, 4, 2, 2)), judge="reference", writes=False)
    yield op("y = DeformConv <kernel_shape = [2, 2], pads = [1, 1, 0, 0], strides = [2, 2], group = 2, offset_group = 2> (x, w, o)", 19, x=r(1, 2, 3, 3), w=r(2, 1, 2, 2), o=r(1, 16, 2, 2, seed=6), judge="reference", writes=False)
    yield op('y = com.microsoft.FusedConv <activation = "Relu"> (x, w, b)', x=x, w=w, b=r(2))
    yield op('y = com.microsoft.FusedConv <activation = "LeakyRelu", activation_params = [0.2]> (x, w, b)', x=x, w=w, b=r(2))
    yield op('y = com.microsoft.FusedConv <activation = "Clip", activation_params = [-0.5, 0.5]> (x, w)', x=x, w=w)


BODY = "body = b (int64 i, bool go, float[2] a) => (bool on, float[2] s, float[2] e) { on = Identity (go) s = Add (a, x) e = Mul (s, s) }"


def sequences():
    yield op("y = MatMul (a, b)", a=r(2, 2, 3), b=r(3, 2))
    yield op("y = MatMul (a, b)", a=r(3), b=r(3, 2))
    yield op("y = Gemm <transA = 1, alpha = 0.5, beta = 2.0> (a, b, c)", a=r(3, 2), b=r(3, 2, seed=2), c=r(2))
    yield op("y = Gemm <transB = 1> (a, b)", a=r(2, 3), b=r(2, 3, seed=2))
    yield op("y = com.microsoft.FusedMatMul <transA = 1, alpha = 0.5> (a, b)", a=r(3, 2), b=r(3, 2, seed=2))
    yield op("y = com.microsoft.FusedMatMul <transB = 1> (a, b)", a=r(2, 3), b=r(2, 3, seed=2))
    for act in "Relu Sigmoid Tanh LeakyRelu".split():
        yield op(f'y = com.microsoft.FusedGemm <activation = "{act}", activation_alpha = 0.1> (a, b, c)', a=r(2, 3), b=r(3, 2, seed=2), c=r(2))
    q, k, v = r(1, 2, 3, 4), r(1, 2, 3, 4, seed=2), r(1, 2, 3, 4, seed=3)
    yield op("y = Attention (q, k, v)", 23, q=q, k=k, v=v)
    yield op("y = Attention <is_causal = 1, scale = 0.3, softcap = 2.0> (q, k, v)", 23, q=q, k=k, v=v)
    yield op("y = Attention (q, k, v, m)", 23, q=q, k=k, v=v, m=r(3, 3))
    yield op("y = Attention (q, k, v, m)", 23, q=q, k=k, v=v, m=np.array([[True, False, True]] * 3))
    yield op("y = Attention <q_num_heads = 4, kv_num_heads = 2> (q, k, v)", 23, q=r(1, 2, 8), k=r(1, 3, 4, seed=2), v=r(1, 3, 4, seed=3))
    for qk in (0, 1, 2, 3):
        yield op(f"y, pk, pv, z = Attention <qk_matmul_output_mode = {qk}, softcap = 1.5> (q, k, v, m, a, b)", 23, out="y pk pv z", q=r(1, 2, 1, 4), k=r(1, 2, 1, 4, seed=2),
                 v=r(1, 2, 1, 4, seed=3), m=r(1, 3), a=r(1, 2, 2, 4, seed=5), b=r(1, 2, 2, 4, seed=6))
    cos, sin = r(4, 2), r(4, 2, seed=3)
    yield op("y = RotaryEmbedding (x, c, s, p)", 23, x=r(1, 2, 3, 4), c=cos, s=sin, p=np.int64([[2, 0, 1]]))
    yield op("y = RotaryEmbedding <interleaved = 1> (x, c, s, p)", 23, x=r(1, 2, 3, 4), c=cos, s=sin, p=np.int64([[2, 0, 1]]))
    yield op("y = RotaryEmbedding <num_heads = 2> (x, c, s)", 23, x=r(1, 3, 8), c=r(1, 3, 2), s=r(1, 3, 2, seed=2))
    yield op("y = RotaryEmbedding <rotary_embedding_dim = 2> (x, c, s)", 23, x=r(1, 2, 3, 4), c=r(1, 3, 1), s=r(1, 3, 1, seed=2))
    yield op("y = com.microsoft.RotaryEmbedding (x, p, c, s)", x=r(1, 2, 3, 4), p=np.int64([[0, 1, 2]]), c=cos, s=sin)
    for name, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
        both = "y, h, c" if name == "LSTM" else "y, h"
        outs = both.replace(",", "")
        W = lambda d: dict(w=r(d, gates * 2, 3), r=r(d, gates * 2, 2, seed=2), b=r(d, gates * 4, seed=3))
        yield op(f"{both} = {name} <hidden_size = 2> (x, w, r, b)", 14, out=outs, x=r(2, 1, 3), **W(1))
        yield op(f'{both} = {name} <hidden_size = 2, direction = "reverse"> (x, w, r)', 14, out=outs, x=r(2, 1, 3), **{k: a for k, a in W(1).items() if k != "b"}, judge="onnxruntime")
        yield op(f'{both} = {name} <hidden_size = 2, direction = "bidirectional"> (x, w, r, b, l, s)', 14, out=outs, x=r(3, 2, 3), **W(2), l=n(3, 2, dtype=np.int32), s=r(2, 2, 2), judge="onnxruntime")
    yield op("y, h = GRU <hidden_size = 2, linear_before_reset = 1> (x, w, r, b)", 14, out="y h", x=r(2, 1, 3), w=r(1, 6, 3), r=r(1, 6, 2), b=r(1, 12))
    yield op('y, h = RNN <hidden_size = 2, activations = ["Relu"], clip = 0.5> (x, w, r)', 14, out="y h", x=r(2, 1, 3), w=r(1, 2, 3), r=r(1, 2, 2), judge="onnxruntime")
    yield op("y, h, c = LSTM <hidden_size = 2> (x, w, r, b, , s, t, p)", 14, out="y h c", x=r(2, 1, 3), w=r(1, 8, 3), r=r(1, 8, 2), b=r(1, 16), s=r(1, 1, 2), t=r(1, 1, 2, seed=4), p=r(1, 6))
    # what is clipped are gates, and not the cell (onnxruntime); more units than a block has
    yield op("y, h, c = LSTM <hidden_size = 2, clip = 0.2> (x, w, r)", 14, out="y h c", x=r(3, 1, 3), w=r(1, 8, 3), r=r(1, 8, 2), judge="onnxruntime")
    yield op("y, h = GRU <hidden_size = 17> (x, w, r)", 14, out="y h", x=r(2, 2, 1), w=r(1, 51, 1), r=r(1, 51, 17), judge="onnxruntime")
    yield op("y, h, c = LSTM <hidden_size = 2, input_forget = 1> (x, w, r)", 14, out="y h c", x=r(2, 1, 3), w=r(1, 8, 3), r=r(1, 8, 2), judge="onnxruntime")
    branch = lambda name, o: f"{name} = b () => (float[2] z) {{ z = {o} (x) }}"
    for c in (True, False):
        yield op(f"y = If <{branch('then_branch', 'Exp')}, {branch('else_branch', 'Neg')}> (c)", c=np.bool_(c), x=r(2), writes=False)
    yield op(f"y, e = Loop <{BODY}> (m, , z)", out="y e", m=np.int64(3), z=r(2), x=r(2, seed=4), writes=False)
    yield op(f"y, e = Loop <{BODY}> (m, c, z)", out="y e", m=np.int64(2), c=np.bool_(True), z=r(2), x=r(2, seed=4), writes=False)
    scan = "body = b (float[2] s, float[2] x) => (float[2] t, float[2] o) { t = Add (s, x) o = Mul (t, x) }"
    yield op(f"y, o = Scan <num_scan_inputs = 1, {scan}> (s, x)", out="y o", s=r(2), x=r(3, 2), judge="reference")
    yield op(f"y, o = Scan <num_scan_inputs = 1, scan_input_directions = [1], scan_output_directions = [1], {scan}> (s, x)", out="y o", s=r(2), x=r(3, 2), judge="onnxruntime")
    yield op(f"y, o = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1], {scan}> (s, x)", out="y o", s=r(2), x=r(2, 3), judge="onnxruntime")
    for how in "none mean sum".split():
        yield op(f'y = NegativeLogLikelihoodLoss <reduction = "{how}", ignore_index = 1> (x, t, w)', 13, x=-np.abs(r(3, 3)), t=n(0, 1, 2), w=np.float32([.5, 1, 2]))
        yield op(f'y, l = SoftmaxCrossEntropyLoss <reduction = "{how}"> (x, t)', 13, out="y l", x=r(3, 3), t=n(0, 1, 2))
    yield op("y = SoftmaxCrossEntropyLoss <ignore_index = 2> (x, t, w)", 13, x=r(2, 3, 2), t=np.int64([[0, 2], [1, 1]]), w=np.float32([.5, 1, 2]))
    yield op("y = DFT (x, , a)", 20, x=r(1, 4, 1), a=np.int64(1), writes=False)
    yield op("y = DFT <onesided = 1> (x, l, a)", 20, x=r(1, 5, 1), l=np.int64(4), a=np.int64(1), writes=False)
    yield op("y = DFT <inverse = 1> (x, , a)", 20, x=r(1, 3, 2), a=np.int64(1), writes=False)
    yield op("y = DFT <axis = 0> (x)", 17, x=r(3, 2, 1), writes=False)
    yield op("y = STFT (x, t, w)", 17, x=r(1, 8, 1), t=np.int64(2), w=np.float32([.5, 1, 1, .5]), types=[1], writes=False)
    yield op("y = STFT <onesided = 0> (x, t, , l)", 17, x=r(1, 6, 1), t=np.int64(2), l=np.int64(4), judge="onnxruntime", writes=False)
    for name in "Hann Hamming Blackman".split():
        for periodic in (0, 1):
            yield op(f"y = {name}Window <periodic = {periodic}> (n)", 17, n=np.int64(5), writes=False)
    yield op("y = MelWeightMatrix (a, b, c, d, e)", 17, a=np.int64(3), b=np.int64(8), c=np.int64(8000), d=np.float32(100), e=np.float32(3000), writes=False)
    yield op("y, s = CausalConvWithState (x, w, b)", 27, out="y s", x=r(1, 2, 4), w=r(2, 1, 3), b=r(2), judge="reference")
    yield op('y, s = CausalConvWithState <activation = "silu"> (x, w, , p)', 27, out="y s", x=r(1, 2, 3), w=r(2, 1, 2), p=r(1, 2, 1, seed=4), judge="reference")
    lin = dict(q=r(1, 2, 4), k=r(1, 2, 4, seed=2), v=r(1, 2, 4, seed=3))
    for rule in "linear gated delta gated_delta".split():
        extra = dict(d=-np.abs(r(1, 2, 2, seed=5))) if "gated" in rule else {}
        extra |= dict(b=np.abs(r(1, 2, 2, seed=6))) if "delta" in rule else {}
        names = f"q, k, v, , {'d' if 'd' in extra else ''}" + (", b" if "b" in extra else "")
        names = names.rstrip(" ,") if len(extra) == 0 else names
        yield op(f'y, s = LinearAttention <q_num_heads = 2, kv_num_heads = 2, update_rule = "{rule}"> ({names})', 27, out="y s", **lin, **extra, judge="reference")
    yield op('y, s = LinearAttention <q_num_heads = 2, kv_num_heads = 1, scale = 0.5, update_rule = "linear"> (q, k, v, p)', 27, out="y s", q=r(1, 2, 4), k=r(1, 2, 2, seed=2), v=r(1, 2, 3, seed=3), p=r(1, 1, 2, 3), judge="reference")


def codes():
    x, s = r(2, 3), np.float32(.02)
    u8, i8, i32 = np.uint8, np.int8, np.int32
    yield op("y = QuantizeLinear (x, s, z)", 13, x=x, s=s, z=u8(128), types=[2])
    yield op("y = QuantizeLinear (x, s)", 13, x=np.abs(x), s=s, types=[2])
    yield op("y = QuantizeLinear <axis = 0> (x, s, z)", 13, x=x, s=np.float32([.02, .05]), z=np.array([0, 3], i8), types=[3])
    yield op("y = QuantizeLinear <axis = 1, block_size = 2> (x, s)", 21, x=r(2, 4), s=np.float32([[.02, .03], [.01, .05]]), types=[2])
    yield op("y = DequantizeLinear (x, s, z)", 13, x=i(255, 2, 3, dtype=u8), s=s, z=u8(100))
    yield op("y = DequantizeLinear <axis = 1> (x, s)", 13, x=i(99, 2, 3, dtype=i8, low=-99), s=np.float32([.1, .2, .3]))
    yield op("y = DequantizeLinear <axis = 1, block_size = 2> (x, s)", 21, x=i(99, 2, 4, dtype=i8, low=-99), s=np.float32([[.02, .03], [.01, .05]]))
    yield op("y, s, z = DynamicQuantizeLinear (x)", 11, out="y s z", x=x, types=[2, 1, 2])
    yield op("y = com.microsoft.DequantizeLinear (x, s, z)", x=i(255, 2, 3, dtype=u8), s=s, z=u8(100))
    yield op("y = com.microsoft.QuantizeLinear (x, s, z)", x=x, s=s, z=u8(100), types=[2])
    yield op("y = ConvInteger <pads = [1, 1, 0, 0]> (x, w, a, b)", 10, x=i(255, 1, 1, 3, 3, dtype=u8), w=i(99, 1, 1, 2, 2, dtype=u8), a=u8(100), b=u8(50), types=[6], judge="onnxruntime")
    yield op("y = MatMulInteger (a, b, c, d)", 10, a=i(255, 2, 3, dtype=u8), b=i(99, 3, 2, dtype=i8, low=-99), c=u8(100), d=i8(5), types=[6])
    A = dict(a=i(255, 2, 3, dtype=u8), sa=np.float32(.02), za=u8(120), b=i(255, 3, 2, dtype=u8, seed=3), sb=np.float32(.03), zb=u8(130))
    B = dict(b=i(255, 2, 3, dtype=u8, seed=3), sb=np.float32(.03), zb=u8(130))
    y = dict(sy=np.float32(.037), zy=u8(110))
    yield op("y = QLinearMatMul (a, sa, za, b, sb, zb, sy, zy)", 10, **A, **y, types=[2])
    yield op("y = QLinearConv <strides = [2, 2]> (x, sx, zx, w, sw, zw, sy, zy, b)", 10, x=i(255, 1, 2, 4, 4, dtype=u8), sx=np.float32(.02), zx=u8(120), w=i(255, 2, 2, 2, 2, dtype=u8, seed=2),
             sw=np.float32(.01), zw=u8(125), sy=np.float32(.05), zy=u8(100), b=i(500, 2, dtype=i32), types=[2], judge="onnxruntime")
    yield op("y = com.microsoft.QLinearAdd (a, sa, za, b, sb, zb, sy, zy)", **{**A, **B}, **y, types=[2])
    yield op("y = com.microsoft.QLinearMul (a, sa, za, b, sb, zb, sy, zy)", **{**A, **B}, **y, types=[2])
    one = dict(x=i(255, 1, 2, 2, 2, dtype=u8), sx=np.float32(.03), zx=u8(100))
    out = dict(sy=np.float32(.0113), zy=u8(20))
    yield op("y = com.microsoft.QLinearSigmoid (x, sx, zx, sy, zy)", **one, **out, types=[2])
    yield op("y = com.microsoft.QLinearLeakyRelu <alpha = 0.2> (x, sx, zx, sy, zy)", **one, **out, types=[2])
    yield op("y = com.microsoft.QLinearGlobalAveragePool <channels_last = 0> (x, sx, zx, sy, zy)", **one, **out, types=[2])
    yield op("y = com.microsoft.QLinearSoftmax <axis = -1, opset = 13> (x, sx, zx, sy, zy)", **one, **{**out, 'sy': np.float32(1 / 256), 'zy': np.uint8(0)}, types=[2])
    yield op("y = com.microsoft.QLinearConcat <axis = 0> (sy, zy, a, sa, za, b, sb, zb)", **y, **{**A, **B}, types=[2])
    yield op("y = com.microsoft.QGemm <transB = 1, alpha = 0.5> (a, sa, za, b, sb, zb, c, sy, zy)", **{**A, "b": A["b"].T.copy()}, c=i(99, 2, dtype=i32), **y, types=[2])
    yield op("y = com.microsoft.QGemm (a, sa, za, b, sb, zb)", **A)
    yield op("y = com.microsoft.MatMulIntegerToFloat (a, b, sa, sb, za, zb, c)", **{k: A[k] for k in ("a", "b", "sa", "sb", "za", "zb")}, c=r(2))
    yield op("y = com.microsoft.DynamicQuantizeMatMul (a, b, sb, zb, c)", a=x, b=A["b"], sb=A["sb"], zb=A["zb"], c=r(2))
    yield op("y = com.microsoft.MatMulNBits <K = 20, N = 2, bits = 4, block_size = 16> (a, b, s)", a=r(1, 20), b=i(256, 2, 2, 8, dtype=u8), s=np.float32([.1, .2, .3, .4]))
    yield op("y = com.microsoft.MatMulNBits <K = 16, N = 2, bits = 4, block_size = 16> (a, b, s, z)", a=r(2, 16), b=i(256, 2, 1, 8, dtype=u8), s=np.float32([.1, .2]), z=n(7, 9, dtype=u8))
    yield op("y = com.microsoft.MatMulNBits <K = 16, N = 2, bits = 8, block_size = 16> (a, b, s, z)", a=r(1, 16), b=i(256, 2, 1, 16, dtype=u8), s=np.float32([.1, .2]), z=n(120, 130, dtype=u8))
    lstm = dict(x=r(2, 1, 3), w=i(255, 1, 3, 8, dtype=u8), r=i(255, 1, 2, 8, dtype=u8, seed=2))
    codes = "(x, w, r, , , , , , sw, zw, sr, zr)"
    yield op(f"y, h, e = com.microsoft.DynamicQuantizeLSTM <hidden_size = 2> {codes}", out="y h e", **lstm, sw=np.float32([.01]), zw=n(128, dtype=u8), sr=np.float32([.01]), zr=n(128, dtype=u8))
    # zero points that are not 128, both ways, ends of sequences
    ways = dict(sw=np.float32([.01, .02]), sr=np.float32([.012, .007]), zw=n(120, 140, dtype=u8), zr=n(131, 99, dtype=u8))
    yield op('y, h, e = com.microsoft.DynamicQuantizeLSTM <hidden_size = 3, direction = "bidirectional"> (x, w, r, b, l, , , , sw, zw, sr, zr)', out="y h e", x=r(4, 2, 2), w=i(255, 2, 2, 12, dtype=u8), r=i(255, 2, 3, 12, dtype=u8, seed=2), b=r(2, 24), l=n(4, 2, dtype=np.int32), **ways)
    # more units than a block has
    yield op(f"y, h, e = com.microsoft.DynamicQuantizeLSTM <hidden_size = 17> {codes}", out="y h e", x=r(3, 1, 1), w=i(127, 1, 1, 68, dtype=np.int8, low=-127), r=i(127, 1, 17, 68, dtype=np.int8, low=-127, seed=2), sw=np.float32([.01]), zw=n(0, dtype=np.int8), sr=np.float32([.002]), zr=n(0, dtype=np.int8))
