/* xnor - y[t][n] = sum_k sign(x[t][k]) b[t] w[n][k] + bias[n], b the mean magnitude of the row of x: a product of signs
 * by counting bits where a weight is one bit and one scale a row (BINARY), in every arithmetic (XNOR-Net, 1603.05279,
 * section 3.2, with one scale a row of x). The same as fake_quant of 1 bit and matmul but for the order of sums: here
 * it is one whole number times both scales. Weights of other types are decoded; a row of one magnitude is counted all
 * the same, with the same bits, and others are added up in ascending k. */
#include "graph/op/weight_rows.h"

/* Signs and scales of all rows of x, and a row of weights as numbers. */
static size_t scratch(const pcs_call *c)
{
    const size_t k = (size_t)c->in[1].shape[1], m = (size_t)pcs_arg_rows(&c->in[0]);
    const size_t bytes = c->in[1].format ? (size_t)pcs_row_bytes(c->in[1].format, k) : 0;
    const size_t signs = pcs_line_up(4 * m * pcs_xnor_words(k)), row = pcs_line_up(4 * (k + PCS_ROW_PAD));
    return signs + pcs_line_up(4 * m) + row + pcs_line_up(bytes) + 128 + pcs_line_up(4 * pcs_xnor_words(k));
}

/* Is a row of the format a scale and a bit for each weight? */
static bool is_bits(const pcs_arg *w)
{
    const pcs_format *f = w->format;
    return w->dtype == PCS_STORED && w->data && f->kind == PCS_QUANT && f->head == 4 && f->block == 32 && f->bytes == 4;
}

typedef struct { const pcs_call *c; size_t k, n, m; uint32_t *signs; float *scale, *row; uint8_t *bytes; } xnor_work;

static xnor_work begin_work(const pcs_call *c, uint32_t ith)
{
    xnor_work w = { .c = c, .k = (size_t)c->in[1].shape[1], .n = (size_t)c->in[1].shape[0],
                    .m = (size_t)pcs_arg_rows(&c->in[0]) };
    char *mem = c->scratch + ith * c->scratch_size;
    w.signs = (uint32_t *)(void *)mem;
    w.scale = (float *)(void *)(mem += pcs_line_up(4 * w.m * pcs_xnor_words(w.k)));
    w.row = (float *)(void *)(mem += pcs_line_up(4 * w.m));
    w.bytes = (uint8_t *)(mem + pcs_line_up(4 * (w.k + PCS_ROW_PAD)));
    for (size_t t = 0; t < w.m; t++)
        w.scale[t] = pcs_xnor_signs((const float *)c->in[0].data + t * w.k, w.k, w.signs + t * pcs_xnor_words(w.k));
    return w;
}

/* Has the row one magnitude? */
static bool is_even(const float *row, size_t k)
{
    for (size_t i = 1; i < k; i++)
        if (row[i] != row[0] && row[i] != -row[0]) return false;
    return row[0] == row[0];
}

/* Output r of all tokens, where the weights are not stored as bits. */
static void add_up(const xnor_work *w, size_t r)
{
    const pcs_call *c = w->c;
    const float *row = w->row;
    if (c->in[1].dtype == PCS_F32) row = (const float *)c->in[1].data + r * w->k;
    else pcs_decode_by(c->kernels, c->in[1].format, w->k, pcs_arg_row(&c->in[1], r, w->k, w->bytes), w->row);
    uint8_t *bits = w->bytes + pcs_line_up(c->in[1].format ? (size_t)pcs_row_bytes(c->in[1].format, w->k) : 0);
    const bool even = is_even(row, w->k);
    const float magnitude = row[0] < 0 ? -row[0] : row[0];
    if (even) pcs_xnor_signs(row, w->k, (uint32_t *)(void *)(bits + 64));
    memcpy(bits + 60, &magnitude, sizeof magnitude);
    for (size_t t = 0; t < w->m; t++) {
        const uint32_t *signs = w->signs + t * pcs_xnor_words(w->k);
        float *y = (float *)c->out[0].data + r;
        const pcs_xnor_args one = { bits + 60, 0, w->k, 0, 1, w->m, w->signs, w->scale, y, w->n };
        if (even) {
            pcs_xnor_store(&one, 0, t, pcs_xnor_rest(bits + 64, signs, 0, w->k));
            continue;
        }
        float sum = 0;
        for (size_t i = 0; i < w->k; i++) sum += signs[i / 32] >> i % 32 & 1 ? row[i] : -row[i];
        ((float *)c->out[0].data)[t * w->n + r] = sum * w->scale[t];
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)c->in[1].shape[0];
    uint64_t begin, end;
    pcs_share(rows, 16, ith, nth, &begin, &end);
    if (begin >= end) return;
    const xnor_work w = begin_work(c, ith);
    if (is_bits(&c->in[1])) {
        const size_t row = (size_t)pcs_row_bytes(c->in[1].format, w.k);
        c->kernels->xnor(
            &(pcs_xnor_args){ c->in[1].data, row, w.k, begin, end, w.m, w.signs, w.scale, c->out[0].data, w.n });
    } else
        for (size_t r = begin; r < end; r++) add_up(&w, r);
    for (size_t t = 0; t < w.m && c->n_in > 2; t++)
        for (size_t r = begin; r < end; r++)
            ((float *)c->out[0].data)[t * w.n + r] += ((const float *)c->in[2].data)[r];
}

static uint64_t products(const pcs_call *c)
{
    return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)c->in[1].shape[1];
}

const pcs_op pcs_op_xnor = {
    .name = "xnor", .min_in = 2, .max_in = 3, .weight = 1, .bias = 2, .reads_stored = 1,
    .infer = pcs_infer_rows, .eval = eval, .scratch = scratch, .products = products,
    .not_differentiable = "training has fake_quant of 1 bit and a product of what is rounded",
};
