/* product_whole - matrices of whole numbers of 8 bits less their zero points, summed in I32: ONNX's MatMulInteger. Zero
 * points: one, or one of each row of a and of each column of b (an input of their type that spreads over a and b). */
#include "graph/element.h"

static bool byte(pcs_dtype d) { return d == PCS_I8 || d == PCS_U8; }

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    if (!byte(a->dtype) || !byte(b->dtype) || g->values[n->in[2]].dtype != a->dtype ||
        g->values[n->in[3]].dtype != b->dtype)
        return pcs_op_fail(g, n, "takes a and b of 8 bits and zero points of their types");
    if (a->dims < 2 || b->dims < 2 || a->shape[a->dims - 1] != b->shape[b->dims - 2])
        return pcs_op_fail(g, n, "takes a[..., m, k] and b[..., k, n]");
    if (a->shape[a->dims - 1] > INT32_MAX / (255 * 255))
        return pcs_op_fail(g, n, "sums %lld products, which may be more than I32 holds",
                           (long long)a->shape[a->dims - 1]);
    for (uint32_t i = 2; i < 4; i++) {
        const pcs_value *z = &g->values[n->in[i]], *of = i == 2 ? a : b;
        int64_t count = 1;
        for (uint32_t k = 0; k < z->dims; k++) count = pcs_dim_is_id(z->shape[k]) ? -1 : count * z->shape[k];
        const int64_t wanted = of->shape[of->dims - (i == 2 ? 2 : 1)];
        if (count != 1 && count != wanted)
            return pcs_op_fail(g, n, "has %lld zero points, not 1 or %lld", (long long)count, (long long)wanted);
    }
    out->dims = a->dims > b->dims ? a->dims : b->dims;
    for (uint32_t i = 0; i + 2 < out->dims; i++) {
        const int64_t p = i < out->dims - a->dims ? 1 : a->shape[i - (out->dims - a->dims)],
                      q = i < out->dims - b->dims ? 1 : b->shape[i - (out->dims - b->dims)];
        if (p != q && p != 1 && q != 1)
            return pcs_op_fail(g, n, "has batches of %lld and %lld", (long long)p, (long long)q);
        out->shape[i] = p == 1 ? q : p;
    }
    out->shape[out->dims - 2] = a->shape[a->dims - 2];
    out->shape[out->dims - 1] = b->shape[b->dims - 1];
    out->dtype = PCS_I32;
    return PRECIS_OK;
}

static int32_t code(const pcs_arg *a, int64_t i)
{
    return a->dtype == PCS_I8 ? ((const int8_t *)a->data)[i] : ((const uint8_t *)a->data)[i];
}

static int64_t matrix(const pcs_arg *y, const pcs_arg *a, int64_t i)
{
    int64_t at = 0, each = 1;
    for (uint32_t k = y->dims - 2; k-- > y->dims - a->dims; i /= y->shape[k]) {
        const int64_t d = a->shape[k - (y->dims - a->dims)];
        at += (d == 1 ? 0 : i % y->shape[k]) * each;
        each *= d;
    }
    return at;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *a = &c->in[0], *b = &c->in[1], *za = &c->in[2], *zb = &c->in[3], *y = &c->out[0];
    const int64_t m = y->shape[y->dims - 2], n = pcs_arg_width(y), k = pcs_arg_width(a), rows = pcs_arg_rows(y);
    const bool each_row = pcs_arg_count(za) > 1, each_column = pcs_arg_count(zb) > 1;
    for (int64_t r = ith; r < rows && n; r += nth) {
        const int64_t from = matrix(y, a, r / m) * m * k + r % m * k, other = matrix(y, b, r / m) * k * n;
        const int32_t zero = code(za, each_row ? r % m : 0);
        int32_t *to = (int32_t *)y->data + r * n;
        memset(to, 0, (size_t)n * sizeof *to);
        for (int64_t i = 0; i < k; i++) {
            const int32_t v = code(a, from + i) - zero;
            for (int64_t j = 0; j < n; j++) to[j] += v * (code(b, other + i * n + j) - code(zb, each_column ? j : 0));
        }
    }
}

static uint64_t products(const pcs_call *c) { return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)pcs_arg_width(&c->in[0]); }

const pcs_op pcs_op_product_whole = { .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, .name = "product_whole", .min_in = 4, .max_in = 4, .infer = infer, .eval = eval, .products = products };
