/* product - matrices times matrices, batches spread over one another, as NumPy's matmul: a[..., m, k] b[..., k, n]. Of
 * f32: fma, k ascending (gemm), the same bits everywhere; f64 likewise without fma; whole numbers wrap. */
#include "base/pool.h"
#include "graph/op/matrices.h"

#define PANELS 4
#define TILE 60

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    if (a->dtype != b->dtype || !pcs_dtype_bytes(a->dtype) ||
        (pcs_domain_of(a->dtype) == PCS_IN_F32 && a->dtype != PCS_F32))
        return pcs_op_fail(g, n, "does not take %s and %s", pcs_dtype_name(a->dtype), pcs_dtype_name(b->dtype));
    out->dtype = a->dtype;
    return pcs_infer_matrices(g, n, out);
}

static size_t scratch(const pcs_call *c)
{
    return c->in[0].dtype == PCS_F32
               ? PANELS * pcs_line_up(64 * (size_t)pcs_arg_width(&c->in[0])) + TILE * PANELS * 64 + 256
               : 0;
}

/* Up to 64 columns of one matrix. */
static void columns(const pcs_call *c, const float *a, const float *b, float *y, int64_t first, uint32_t ith)
{
    const size_t k = (size_t)pcs_arg_width(&c->in[0]), n = (size_t)pcs_arg_width(&c->in[1]),
                 m = (size_t)c->out[0].shape[c->out[0].dims - 2];
    const size_t step = pcs_line_up(64 * k) / sizeof(float),
                 count = n - (size_t)first < 16 * PANELS ? n - (size_t)first : 16 * PANELS, panels = (count + 15) / 16;
    float *packed = (float *)(void *)(c->scratch + ith * c->scratch_size), *tile = packed + PANELS * step;
    for (size_t p = 0; p < panels; p++) {
        const size_t wide = count - 16 * p < 16 ? count - 16 * p : 16;
        for (size_t r = 0; r < k; r++) {
            float *to = packed + p * step + 16 * r;
            memcpy(to, b + r * n + (size_t)first + 16 * p, wide * sizeof *to);
            for (size_t l = wide; l < 16; l++) to[l] = 0;
        }
    }
    for (size_t r = 0; r < m; r += TILE) {
        const size_t rows = m - r < TILE ? m - r : TILE;
        c->kernels->gemm_wide(
            &(pcs_gemm_wide_args){ { a + r * k, k, packed, 16, k, rows, tile, 16 * PANELS, false }, panels, step });
        for (size_t i = 0; i < rows; i++)
            memcpy(y + (r + i) * n + (size_t)first, tile + i * 16 * PANELS, count * sizeof *y);
    }
}

/* One row of the result, in whole numbers or f64. */
static void product_row(const pcs_call *c, size_t from_a, size_t from_b, size_t to)
{
    const size_t k = (size_t)pcs_arg_width(&c->in[0]), n = (size_t)pcs_arg_width(&c->in[1]);
    for (size_t j = 0; j < n; j++) {
        double s = 0;
        uint64_t w = 0;
        for (size_t i = 0; i < k; i++) {
            if (c->in[0].dtype == PCS_F64)
                s += ((const double *)c->in[0].data)[from_a + i] * ((const double *)c->in[1].data)[from_b + i * n + j];
            else w += (uint64_t)pcs_int_at(&c->in[0], from_a + i) * (uint64_t)pcs_int_at(&c->in[1], from_b + i * n + j);
        }
        if (c->in[0].dtype == PCS_F64) ((double *)c->out[0].data)[to + j] = s;
        else
            pcs_elements_store(c->out[0].dtype, &w, 1,
                               (char *)c->out[0].data + (to + j) * pcs_dtype_bytes(c->out[0].dtype));
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
    const int64_t m = y->shape[y->dims - 2], n = pcs_arg_width(y), k = pcs_arg_width(a),
                  blocks = (n + 16 * PANELS - 1) / (16 * PANELS);
    if (!pcs_arg_count(y)) return;
    const int64_t batches = pcs_arg_count(y) / (m * n), each = y->dtype == PCS_F32 ? blocks : m;
    uint64_t begin, end;
    pcs_share((uint64_t)(batches * each), 1, ith, nth, &begin, &end);
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        const int64_t batch = i / each, at_a = pcs_matrix_at(y, a, batch) * m * k,
                      at_b = pcs_matrix_at(y, b, batch) * k * n;
        if (y->dtype == PCS_F32)
            columns(c, (const float *)a->data + at_a, (const float *)b->data + at_b, (float *)y->data + batch * m * n,
                    i % each * 16 * PANELS, ith);
        else product_row(c, (size_t)(at_a + i % each * k), (size_t)at_b, (size_t)(i * n));
    }
}

const pcs_op pcs_op_product = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, .name = "product", .min_in = 2, .max_in = 2, .infer = infer,
    .eval = eval, .scratch = scratch, .products = pcs_matrix_products,
};
