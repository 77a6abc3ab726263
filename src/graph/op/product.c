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

/* Batches of the result that an operand's matrix `which` has a part in, in ascending order: each is asked. */
static bool has_part(const pcs_call *c, uint32_t operand, int64_t batch, int64_t which)
{
    return pcs_matrix_at(&c->out[0], &c->in[operand], batch) == which;
}

static int64_t batches_of(const pcs_call *c)
{
    const pcs_arg *y = &c->out[0];
    return pcs_arg_count(y) / (y->shape[y->dims - 2] * y->shape[y->dims - 1]);
}

static size_t scratch_back(const pcs_call *c)
{
    const size_t m = (size_t)c->out[0].shape[c->out[0].dims - 2], n = (size_t)pcs_arg_width(&c->out[0]);
    return (m > n ? m : n) * 64 + TILE * (64 + 4 * m) + 256;
}

/* da[m][16 columns from `first` on] of a's matrix `which`: sums over n ascending, batches ascending. */
static void by_first(const pcs_call *c, const pcs_grads *g, int64_t which, size_t first, float *mem)
{
    const size_t m = (size_t)c->out[0].shape[c->out[0].dims - 2], n = (size_t)pcs_arg_width(&c->out[0]),
                 k = (size_t)pcs_arg_width(&c->in[0]), wide = k - first < 16 ? k - first : 16;
    float *tile = mem + 16 * (m > n ? m : n), *da = g->in[0] + (size_t)which * m * k + first;
    for (int64_t batch = 0; batch < batches_of(c); batch++) {
        if (!has_part(c, 0, batch, which)) continue;
        const float *b = (const float *)c->in[1].data +
                         (size_t)pcs_matrix_at(&c->out[0], &c->in[1], batch) * k * n + first * n;
        for (size_t j = 0; j < n; j++)
            for (size_t l = 0; l < 16; l++) mem[16 * j + l] = l < wide ? b[l * n + j] : 0.0f;
        for (size_t r = 0; r < m; r += TILE) {
            const size_t rows = m - r < TILE ? m - r : TILE;
            c->kernels->gemm(&(pcs_gemm_args){ g->out[0] + ((size_t)batch * m + r) * n, n, mem, 16, n, rows, tile, 16,
                                               false });
            for (size_t i = 0; i < rows; i++)
                for (size_t l = 0; l < wide; l++) da[(r + i) * k + l] += tile[16 * i + l];
        }
    }
}

/* db[k][16 columns from `first` on] of b's matrix `which`: sums over m ascending, batches ascending. */
static void by_second(const pcs_call *c, const pcs_grads *g, int64_t which, size_t first, float *mem)
{
    const size_t m = (size_t)c->out[0].shape[c->out[0].dims - 2], n = (size_t)pcs_arg_width(&c->out[0]),
                 k = (size_t)pcs_arg_width(&c->in[0]), wide = n - first < 16 ? n - first : 16;
    float *tile = mem + 16 * (m > n ? m : n), *turned = tile + TILE * 16,
          *db = g->in[1] + (size_t)which * k * n + first;
    for (int64_t batch = 0; batch < batches_of(c); batch++) {
        if (!has_part(c, 1, batch, which)) continue;
        const float *a = (const float *)c->in[0].data + (size_t)pcs_matrix_at(&c->out[0], &c->in[0], batch) * m * k,
                    *d = g->out[0] + (size_t)batch * m * n + first;
        for (size_t r = 0; r < m; r++)
            for (size_t l = 0; l < 16; l++) mem[16 * r + l] = l < wide ? d[r * n + l] : 0.0f;
        for (size_t at = 0; at < k; at += TILE) {
            const size_t rows = k - at < TILE ? k - at : TILE;
            for (size_t r = 0; r < m; r++)
                for (size_t i = 0; i < rows; i++) turned[i * m + r] = a[r * k + at + i];
            c->kernels->gemm(&(pcs_gemm_args){ turned, m, mem, 16, m, rows, tile, 16, false });
            for (size_t i = 0; i < rows; i++)
                for (size_t l = 0; l < wide; l++) db[(at + i) * n + l] += tile[16 * i + l];
        }
    }
}

/* Matrices and blocks of 16 columns, each one thread's. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    float *mem = (float *)(void *)(c->scratch + ith * c->scratch_size);
    if (!pcs_arg_count(&c->out[0])) return;
    for (uint32_t operand = 0; operand < 2; operand++) {
        const pcs_arg *x = &c->in[operand];
        const int64_t width = pcs_arg_width(x), blocks = (width + 15) / 16,
                      matrices = width ? pcs_arg_count(x) / (width * x->shape[x->dims - 2]) : 0;
        for (int64_t i = ith; g->in[operand] && i < matrices * blocks; i += nth)
            (operand ? by_second : by_first)(c, g, i / blocks, (size_t)(i % blocks) * 16, mem);
    }
}

const pcs_op pcs_op_product = {
    .backward = backward, .scratch_back = scratch_back, .name = "product", .min_in = 2, .max_in = 2, .infer = infer,
    .eval = eval, .scratch = scratch, .products = pcs_matrix_products,
};
