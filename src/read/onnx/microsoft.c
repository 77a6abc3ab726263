/* microsoft.c - ops of onnxruntime's own domain that its quantizers and optimizers write. */
#include "read/onnx/functions.h"

static precis_value zero_at(pcs_onnx_node *n, uint32_t i, pcs_dtype d)
{
    return pcs_has(n, i) ? n->in[i] : pcs_numbers(n, d, 0);
}

/* Numbers of codes, with the scale and zero point after them. */
static precis_value numbers(pcs_onnx_node *n, uint32_t i)
{
    const precis_value x = pcs_in(n, i), s = pcs_scale_of(n, i + 1);
    return x < 0 || s < 0 ? -1
                          : pcs_make3(n, "from_codes", NULL, x, pcs_shaped(n, s, 0, NULL),
                                      pcs_shaped(n, zero_at(n, i + 2, pcs_of(n, x)->dtype), 0, NULL));
}

static precis_value codes(pcs_onnx_node *n, precis_value v, uint32_t scale, pcs_dtype dflt)
{
    const precis_value s = pcs_scale_of(n, scale);
    if (v < 0 || s < 0) return -1;
    const precis_value z = pcs_shaped(n, zero_at(n, scale + 1, dflt), 0, NULL);
    return z < 0 ? -1
                 : pcs_make3(n, "to_codes", PRECIS_ATTRS(precis_attr_int("to", pcs_of(n, z)->dtype)), v,
                             pcs_shaped(n, s, 0, NULL), z);
}

/* QLinearAdd, QLinearMul: (a, sa, za, b, sb, zb, sy, zy). */
void pcs_raise_qlinear_two(pcs_onnx_node *n)
{
    if (pcs_in(n, 0) < 0) return;
    n->out[0] = codes(n, pcs_make2(n, n->row->with, NULL, numbers(n, 0), numbers(n, 3)), 6, pcs_of(n, n->in[0])->dtype);
}

/* One operand: (x, sx, zx, sy, zy), as numbers under the name of ONNX's own op. */
/* The numbers of x; -1 where there are none, or they lie otherwise. */
static precis_value one_of_codes(pcs_onnx_node *n)
{
    if (pcs_in(n, 0) < 0) return -1;
    if (!pcs_attr_int(n, "channels_last", 0)) return numbers(n, 0);
    pcs_refuse(n, "has its channels last");
    return -1;
}

/* Codes of y, which was made of one_of_codes, as x has them. */
static void as_codes(pcs_onnx_node *n, precis_value y)
{
    if (y >= 0) n->out[0] = codes(n, y, 3, pcs_of(n, n->in[0])->dtype);
}

void pcs_raise_qlinear_one(pcs_onnx_node *n)
{
    const double dflt = n->row->with[0] == 'l' ? 0.01 : 1; /* of LeakyRelu; a logistic has none */
    as_codes(n, pcs_make1(n, n->row->with, PRECIS_ATTRS(precis_attr_real("alpha", pcs_attr_real(n, "alpha", dflt))),
                          one_of_codes(n)));
}

void pcs_raise_qlinear_mean(pcs_onnx_node *n)
{
    const precis_value x = one_of_codes(n);
    int64_t axes[PCS_GRAPH_DIMS];
    uint32_t count = 0;
    for (uint32_t i = 2; x >= 0 && i < pcs_of(n, x)->dims; i++) axes[count++] = i;
    if (x >= 0) as_codes(n, pcs_reduced(n, x, n->row->with, count, axes, true));
}

void pcs_raise_qlinear_softmax(pcs_onnx_node *n)
{
    const int64_t opset = pcs_attr_int(n, "opset", 13), axis = pcs_attr_int(n, "axis", -1);
    const precis_value x = one_of_codes(n);
    if (x >= 0 && opset < 13 && pcs_axis(axis, pcs_of(n, x)->dims) + 1 != pcs_of(n, x)->dims) {
        pcs_refuse(n, "is of opset %lld over more than the last dimension", (long long)opset);
        return;
    }
    as_codes(n, pcs_make1(n, n->row->with, PRECIS_ATTRS(precis_attr_int("axis", axis)), x));
}

/* (sy, zy, then x, sx, zx of each). */
void pcs_raise_qlinear_concat(pcs_onnx_node *n)
{
    const int64_t axis = pcs_attr_int(n, "axis", 0);
    const uint32_t count = n->n_in > 2 ? (n->n_in - 2) / 3 : 0;
    precis_value *v = pcs_room(n, count, sizeof *v);
    if (!v || !count) {
        pcs_wrong(n, "has no operands");
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        if ((v[i] = numbers(n, 2 + 3 * i)) < 0) return;
    n->out[0] = codes(n, pcs_joined(n, count, v, axis), 0, pcs_of(n, n->in[2])->dtype);
}

/* A zero point or scale of columns, or one. */
static precis_value whole_product(pcs_onnx_node *n, precis_value a, precis_value b, precis_value za, precis_value zb)
{
    return pcs_make(n, "product_whole", NULL, 4, (const precis_value[]){ a, b, za, zb });
}

/* A constant of one code for each column, where all of them are alike (onnxruntime's QGemm wants as many as scales). */
static precis_value one_of_alike(pcs_onnx_node *n, precis_value v)
{
    const pcs_value *x = v < 0 ? NULL : pcs_of(n, v);
    const uint8_t *codes = x && x->dims == 1 && pcs_dtype_bytes(x->dtype) == 1 ? pcs_value_host(x) : NULL;
    if (!codes || x->shape[0] < 1 || !pcs_dtype_whole(x->dtype)) return v;
    for (int64_t i = 1; i < x->shape[0]; i++)
        if (codes[i] != codes[0]) return v;
    return pcs_data(n, x->dtype, 0, NULL, codes);
}

/* a, sa, za, b, sb, zb, c, sy, zy: a whole product; without sy the result is numbers. */
void pcs_raise_qgemm(pcs_onnx_node *n)
{
    precis_value a = pcs_in(n, 0), b = pcs_in(n, 3);
    const precis_value sa = pcs_scale_of(n, 1), sb = pcs_scale_of(n, 4);
    const double alpha = pcs_attr_real(n, "alpha", 1);
    const bool ta = pcs_attr_int(n, "transA", 0) != 0, tb = pcs_attr_int(n, "transB", 0) != 0;
    if (a < 0 || b < 0 || sa < 0 || sb < 0) return;
    const pcs_dtype da = pcs_of(n, a)->dtype, db = pcs_of(n, b)->dtype;
    if (ta) a = pcs_swapped(n, a);
    if (tb) b = pcs_swapped(n, b);
    precis_value y = whole_product(n, a, b, zero_at(n, 2, da), one_of_alike(n, zero_at(n, 5, db))),
                 factor = pcs_make2(n, "mul", NULL, sa, sb);
    if (pcs_has(n, 6)) y = pcs_make2(n, "add", NULL, y, n->in[6]);
    if (alpha != 1) factor = pcs_make2(n, "mul", NULL, factor, pcs_numbers(n, PCS_F32, alpha));
    if (pcs_has(n, 7))
        n->out[0] = pcs_make3(n, "requantize", NULL, y, pcs_make2(n, "div", NULL, factor, pcs_scale_of(n, 7)),
                              zero_at(n, 8, da));
    else n->out[0] = pcs_make2(n, "mul", NULL, pcs_as(n, y, PCS_F32), factor);
}

/* a, b, sa, sb, za, zb, bias in 8 bits give numbers: MatMulIntegerToFloat. */
void pcs_raise_to_float(pcs_onnx_node *n)
{
    const precis_value a = pcs_in(n, 0), b = pcs_in(n, 1),
                       factor = pcs_make2(n, "mul", NULL, pcs_scale_of(n, 2), pcs_scale_of(n, 3));
    if (a < 0 || b < 0) return;
    precis_value y = whole_product(n, a, b, zero_at(n, 4, pcs_of(n, a)->dtype), zero_at(n, 5, pcs_of(n, b)->dtype));
    y = pcs_make2(n, "mul", NULL, pcs_as(n, y, PCS_F32), factor);
    n->out[0] = pcs_has(n, 6) ? pcs_make2(n, "add", NULL, y, n->in[6]) : y;
}

void pcs_raise_dynamic_matmul(pcs_onnx_node *n)
{
    const precis_value a = pcs_in(n, 0), b = pcs_in(n, 1), sb = pcs_scale_of(n, 2);
    precis_value q[3];
    if (a < 0 || b < 0 || sb < 0) return;
    pcs_dynamic_codes(n, a, q);
    precis_value y = whole_product(n, q[0], b, q[2], zero_at(n, 3, pcs_of(n, b)->dtype));
    y = pcs_make2(n, "mul", NULL, pcs_as(n, y, PCS_F32), pcs_make2(n, "mul", NULL, q[1], sb));
    n->out[0] = pcs_has(n, 4) ? pcs_make2(n, "add", NULL, y, n->in[4]) : y;
}

/* Rows of weights in blocks of codes of 2, 4 or 8 bits: a, b[n, blocks, bytes], scales, zero points, order, bias. */
void pcs_raise_nbits(pcs_onnx_node *n)
{
    const int64_t k = pcs_attr_int(n, "K", 0), rows = pcs_attr_int(n, "N", 0), bits = pcs_attr_int(n, "bits", 4),
                  size = pcs_attr_int(n, "block_size", 0);
    precis_value a = pcs_in(n, 0), b = pcs_in(n, 1), s = pcs_scale_of(n, 2), z = pcs_has(n, 3) ? n->in[3] : -1;
    pcs_attr_int(n, "accuracy_level", 0);
    if (a < 0 || b < 0 || s < 0) return;
    if (k < 1 || rows < 1 || size < 16 || k > (int64_t)1 << 31 || size > (int64_t)1 << 31 ||
        (bits != 2 && bits != 4 && bits != 8)) {
        pcs_wrong(n, "has %lld rows of %lld in blocks of %lld, %lld bits each", (long long)rows, (long long)k,
                  (long long)size, (long long)bits);
        return;
    }
    if (pcs_has(n, 4)) {
        pcs_refuse(n, "has its columns in an order of their own (g_idx)");
        return;
    }
    const pcs_dtype d = pcs_of(n, a)->dtype;
    const int64_t blocks = (k + size - 1) / size, each[] = { rows, blocks }, joined[] = { rows, blocks * size },
                  per_row = (blocks * bits + 7) / 8;
    b = pcs_shaped(n, pcs_make1(n, "unpack", PRECIS_ATTRS(precis_attr_int("bits", bits)), b), 2, joined);
    s = pcs_shaped(n, pcs_f32(n, s), 2, each);
    if (z < 0)
        z = pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", 2, each)),
                      pcs_numbers(n, PCS_U8, (double)(1 << (bits - 1))));
    else if (pcs_of(n, z)->dtype == PCS_U8) {
        z = pcs_make1(n, "unpack", PRECIS_ATTRS(precis_attr_int("bits", bits)),
                      pcs_shaped(n, z, 2, (const int64_t[]){ rows, per_row }));
        z = pcs_part(n, z, 1, 0, blocks);
    } else {
        pcs_refuse(n, "has zero points that are no codes");
        return;
    }
    const precis_attr *attrs = PRECIS_ATTRS(precis_attr_int("axis", 1), precis_attr_int("block", size));
    precis_value w = pcs_make3(n, "from_codes", attrs, b, s, z);
    if (joined[1] != k) w = pcs_part(n, w, 1, 0, k);
    const precis_value in[] = { pcs_f32(n, a), w, pcs_has(n, 5) ? pcs_f32(n, n->in[5]) : -1 };
    n->out[0] = pcs_as(n, pcs_make(n, "matmul", NULL, in[2] < 0 ? 2 : 3, in), d);
}

/* ---- what its optimizers make ------------------------------------------------------------------- */

static precis_value biased(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    return pcs_has(n, 1) ? pcs_make2(n, "add", NULL, x, n->in[1]) : x;
}

/* "tanh": by that form. */
void pcs_raise_bias_gelu(pcs_onnx_node *n) { n->out[0] = pcs_gelu(n, biased(n), n->row->with[0] == 't'); }

/* x sigmoid(alpha x). */
void pcs_raise_quick_gelu(pcs_onnx_node *n)
{
    const precis_attr *alpha = PRECIS_ATTRS(precis_attr_real("alpha", pcs_attr_real(n, "alpha", 1.702)));
    n->out[0] = pcs_make1(n, n->row->with, alpha, biased(n));
}

/* x + skip + bias, normalized: (x, skip, gamma, beta, bias), or of mean squares alone (x, skip, gamma, bias). */
void pcs_raise_skip_norm(pcs_onnx_node *n)
{
    const bool rms = n->row->with[0] == 'r';
    const double eps = pcs_attr_real(n, "epsilon", 1e-12);
    const uint32_t bias = rms ? 3 : 4;
    precis_value x = pcs_make2(n, "add", NULL, pcs_f32(n, pcs_in(n, 0)), pcs_f32(n, pcs_in(n, 1)));
    if (pcs_has(n, bias)) x = pcs_make2(n, "add", NULL, x, pcs_f32(n, n->in[bias]));
    if (x < 0) return;
    const pcs_dtype d = pcs_of(n, n->in[0])->dtype;
    const int64_t axis = (int64_t)pcs_of(n, x)->dims - 1;
    pcs_moments m = { .count = 1, .axes = &axis, .eps = eps, .centered = !rms };
    precis_value y = pcs_make2(n, "mul", NULL, pcs_normalized(n, x, &m), pcs_f32(n, pcs_in(n, 2)));
    if (!rms && pcs_has(n, 3)) y = pcs_make2(n, "add", NULL, y, pcs_f32(n, n->in[3]));
    n->out[0] = pcs_as(n, y, d);
    if (n->n_out > 1) n->out[1] = m.mean;
    if (n->n_out > 2) n->out[2] = m.inverse;
    if (n->n_out > 3) n->out[3] = pcs_as(n, x, d);
}

/* MatMul of operands that may be turned, times alpha. */
void pcs_raise_fused_matmul(pcs_onnx_node *n)
{
    precis_value a = pcs_in(n, 0), b = pcs_in(n, 1);
    const double alpha = pcs_attr_real(n, "alpha", 1);
    if (pcs_attr_int(n, "transBatchA", 0) || pcs_attr_int(n, "transBatchB", 0)) {
        pcs_refuse(n, "turns its batches");
        return;
    }
    if (pcs_attr_int(n, "transA", 0)) a = pcs_swapped(n, a);
    if (pcs_attr_int(n, "transB", 0)) b = pcs_swapped(n, b);
    const precis_value y = pcs_make2(n, "product", NULL, a, b);
    n->out[0] = y < 0 || alpha == 1 ? y : pcs_make2(n, "mul", NULL, y, pcs_numbers(n, pcs_of(n, y)->dtype, alpha));
}

/* Conv or Gemm with an activation after it; a Conv's fourth input is added before that. */
void pcs_raise_fused(pcs_onnx_node *n)
{
    static const struct {
        const char *name, *op;
        double a, b;
    } acts[] = { { "Relu", "relu", 1, 1 },
                 { "Sigmoid", "sigmoid", 1, 1 },
                 { "Tanh", "tanh", 1, 1 },
                 { "LeakyRelu", "leaky_relu", 0.01, 1 },
                 { "HardSigmoid", "hard_sigmoid", 0.2, 0.5 },
                 { "Clip", NULL, 0, 0 } };
    uint32_t count;
    const bool conv = n->row->with[0] == 'c';
    const char *name = pcs_attr_text(n, "activation", "");
    const float *p = pcs_attr_reals(n, "activation_params", &count);
    const double alpha = pcs_attr_real(n, "activation_alpha", 0.01);
    (conv ? pcs_raise_conv : pcs_raise_gemm)(n);
    precis_value y = n->out[0];
    if (conv && pcs_has(n, 3)) y = pcs_make2(n, "add", NULL, y, n->in[3]);
    for (size_t i = 0; i < sizeof acts / sizeof *acts && y >= 0; i++) {
        if (strcmp(acts[i].name, name)) continue;
        const double a = !conv && i == 3 ? alpha
                         : count > 0     ? (double)p[0]
                                         : acts[i].a,
                     b = count > 1 ? (double)p[1] : acts[i].b;
        if (!acts[i].op)
            y = pcs_make2(n, "min", NULL, pcs_make2(n, "max", NULL, y, pcs_numbers(n, PCS_F32, a)),
                          pcs_numbers(n, PCS_F32, b));
        else if (i == 0) y = pcs_make1(n, "relu", NULL, y);
        else y = pcs_make1(n, acts[i].op, PRECIS_ATTRS(precis_attr_real("alpha", a), precis_attr_real("beta", b)), y);
        n->out[0] = y;
        return;
    }
    n->out[0] = y;
    if (*name && y >= 0) pcs_refuse(n, "activation %.40s is not supported", name);
}
