/* product_whole - matrices of whole numbers of 8 bits less their zero points, summed in I32: ONNX's MatMulInteger. Zero
 * points: one, or one of each row of a and of each column of b (an input of their type that spreads over a and b). */
#include "graph/op/matrices.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    if (!pcs_dtype_byte(a->dtype) || !pcs_dtype_byte(b->dtype) || g->values[n->in[2]].dtype != a->dtype ||
        g->values[n->in[3]].dtype != b->dtype)
        return pcs_op_fail(g, n, "takes a and b of 8 bits and zero points of their types");
    out->dtype = PCS_I32;
    const precis_status st = pcs_infer_matrices(g, n, out);
    if (st) return st;
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
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *a = &c->in[0], *b = &c->in[1], *za = &c->in[2], *zb = &c->in[3], *y = &c->out[0];
    const int64_t m = y->shape[y->dims - 2], n = pcs_arg_width(y), k = pcs_arg_width(a), rows = pcs_arg_rows(y);
    const bool each_row = pcs_arg_count(za) > 1, each_column = pcs_arg_count(zb) > 1;
    for (int64_t r = ith; r < rows && n; r += nth) {
        const int64_t from = pcs_matrix_at(y, a, r / m) * m * k + r % m * k, other = pcs_matrix_at(y, b, r / m) * k * n;
        const int32_t zero = pcs_byte_at(za, each_row ? r % m : 0);
        int32_t *to = (int32_t *)y->data + r * n;
        memset(to, 0, (size_t)n * sizeof *to);
        for (int64_t i = 0; i < k; i++) {
            const int32_t v = pcs_byte_at(a, from + i) - zero;
            for (int64_t j = 0; j < n; j++)
                to[j] += v * (pcs_byte_at(b, other + i * n + j) - pcs_byte_at(zb, each_column ? j : 0));
        }
    }
}

const pcs_op pcs_op_product_whole = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, .name = "product_whole", .min_in = 4, .max_in = 4, .infer = infer,
    .eval = eval, .products = pcs_matrix_products,
};
