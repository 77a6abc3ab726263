/* moe_matmul - each token by the matrices of its experts: x [tokens, k] or [tokens, top, k], w [experts, n, k] and a
 * route give [tokens, top, n], times the expert's number in scale [experts] when it is given. Sums are those of
 * matmul, row by row, so a result does not depend on the batch. */
#include "base/pool.h"
#include "graph/pieces.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]], *r = &g->values[n->in[2]];
    if ((x->dims != 2 && x->dims != 3) || w->dims != 3 || r->dims != 2 || x->shape[x->dims - 1] != w->shape[2] ||
        x->shape[0] != r->shape[0] || r->shape[1] % 2 || (x->dims == 3 && x->shape[1] != r->shape[1] / 2) ||
        (n->n_in > 3 && (g->values[n->in[3]].dtype != PCS_F32 || g->values[n->in[3]].dims != 1 ||
                         g->values[n->in[3]].shape[0] != w->shape[0])))
        return pcs_op_fail(g, n, "takes x[tokens, (top,) k], w[experts, n, k], a route and scale[experts]");
    out->dims = 3;
    out->shape[0] = x->shape[0];
    out->shape[1] = r->shape[1] / 2;
    out->shape[2] = w->shape[1];
    return PRECIS_OK;
}

static size_t scratch(const pcs_call *c)
{
    const size_t k = (size_t)c->in[1].shape[2];
    if (c->in[0].dtype == PCS_ACT_BF16) return pcs_line_up(pcs_mp_bf16_scratch(k)) + 256;
    if (c->in[0].dtype == PCS_ACT_INT8) return pcs_line_up(pcs_mp_int8_scratch(k)) + 256;
    if (c->in[0].dtype == PCS_ACT) return pcs_line_up(pcs_mp_scratch(k)) + 256;
    return pcs_line_up(sizeof(float) * pcs_piece_floats(&c->in[1], 1)) + 256;
}

static uint32_t workers(const pcs_call *c) { return pcs_piece_threads((size_t)c->in[1].shape[1]); }

static size_t expert(const pcs_call *c, size_t t, size_t slot)
{
    const size_t top = (size_t)c->out[0].shape[1], experts = (size_t)c->in[1].shape[0];
    const float id = ((const float *)c->in[2].data)[t * 2 * top + slot];
    return id >= 0 && id < (float)experts ? (size_t)id : 0;
}

static void scaled(const pcs_call *c, size_t expert, float *y, size_t n)
{
    const float by = c->n_in > 3 ? ((const float *)c->in[3].data)[expert] : 1.0f;
    for (size_t i = 0; i < n && by != 1.0f; i++) y[i] *= by;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1];
    const size_t n = (size_t)w->shape[1], k = (size_t)w->shape[2], tokens = (size_t)c->out[0].shape[0],
                 top = (size_t)c->out[0].shape[1];
    float *rows = (float *)(void *)(c->scratch + ith * c->scratch_size), *panel = rows + PCS_PANEL * pcs_piece(w),
          tile[16];
    uint64_t begin, end;
    if (!pcs_piece_share(n, ith, nth, &begin, &end)) return;
    for (size_t t = 0; t < tokens; t++)
        for (size_t s = 0; s < top; s++) {
            const size_t e = expert(c, t, s);
            const float *in = (const float *)x->data + (x->dims == 3 ? t * top + s : t) * k;
            for (size_t n0 = begin; n0 < end; n0 += 16) {
                const size_t count = end - n0 < 16 ? end - n0 : 16;
                for (size_t at = 0; at < k || !at; at += pcs_piece(w)) {
                    const size_t now = k - at < pcs_piece(w) ? k - at : pcs_piece(w);
                    pcs_piece_panel(c, &(pcs_piece_at){ e * n + n0, count, at, now }, rows, panel);
                    c->kernels->gemm(&(pcs_gemm_args){ in + at, k, panel, 16, now, 1, tile, 16, at > 0 });
                }
                scaled(c, e, tile, count);
                memcpy((float *)c->out[0].data + (t * top + s) * n + n0, tile, count * sizeof *tile);
            }
        }
}

/* Rows [begin, end) of the matrices, by each token's own, which lie packed or as codes have them. */
static void fast_rows(const pcs_call *c, size_t begin, size_t end, char *mem)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1];
    const size_t n = (size_t)w->shape[1], k = (size_t)w->shape[2], tokens = (size_t)c->out[0].shape[0],
                 top = (size_t)c->out[0].shape[1], row_bytes = pcs_row_bytes(w->format, k), chunks = pcs_chunks(k);
    pcs_mv_fn *mv = w->dtype == PCS_STORED ? pcs_few(c->kernels, w->format, k) : NULL;
    pcs_mvf_fn *mvf = w->dtype == PCS_STORED ? pcs_few_floats(c->kernels, w->format, k) : NULL;
    for (size_t t = 0; t < tokens; t++)
        for (size_t s = 0; s < top; s++) {
            const size_t e = expert(c, t, s);
            const uint8_t *data = (const uint8_t *)w->data + e * n * row_bytes;
            const uint8_t *panels = w->panels ? (const uint8_t *)w->panels + e * pcs_panels_bytes(w->format, k, n)
                                              : NULL;
            const size_t r = x->dims == 3 ? t * top + s : t;
            float *y = (float *)c->out[0].data + (t * top + s) * n;
            if (x->dtype == PCS_ACT_BF16)
                c->kernels->mp_bf16(&(pcs_mp_bf16_args){ w->format, panels ? panels : data, row_bytes, k, begin, end, 1,
                                                         pcs_act_bf16_row(x->data, k, r), y, n, NULL, mem,
                                                         panels != NULL, 0, 0 });
            else if (x->dtype == PCS_ACT_INT8) {
                const pcs_act_int8 all = pcs_act_int8_in(x->data, (size_t)pcs_arg_rows(x), k);
                c->kernels->mp_int8(&(pcs_mp_int8_args){ w->format, panels ? panels : data, row_bytes, k, begin, end, 1,
                                                         pcs_act_int8_row(&all, k, r), y, n, NULL, mem,
                                                         panels != NULL, 0 });
            } else if (x->dtype == PCS_ACT)
                (mv ? mv : c->kernels->mp)(&(pcs_mp_args){ w->format, panels ? panels : data, row_bytes, k, begin, end,
                                                           1, pcs_act_row(x->data, chunks, r), y, n, NULL, mem,
                                                           panels != NULL });
            else
                mvf(&(pcs_mvf_args){ w->format, panels, k, begin, end, 1, (const float *)x->data + r * k, y, n, NULL });
            scaled(c, e, y + begin, end - begin);
        }
}

static void fast(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1];
    const size_t n = (size_t)w->shape[1], k = (size_t)w->shape[2];
    const bool coded = x->dtype == PCS_ACT || x->dtype == PCS_ACT_BF16 || x->dtype == PCS_ACT_INT8;
    if (!coded && (w->dtype != PCS_STORED || !w->panels || !pcs_few_floats(c->kernels, w->format, k))) {
        eval(c, ith, nth);
        return;
    }
    const uint32_t units = pcs_piece_threads(n), threads = nth < units ? nth : units;
    if (ith >= threads) return;
    pcs_claim claim = pcs_claim_open(c->claims, c->step, units, ith, threads);
    while (pcs_claim_next(&claim, units)) {
        const size_t end = (size_t)claim.end * PCS_PANEL;
        fast_rows(c, (size_t)claim.begin * PCS_PANEL, end < n ? end : n, c->scratch + ith * c->scratch_size);
    }
}

/* Where the product of token t's slot s lies, and what it is made of. */
typedef struct {
    size_t n, k, tokens, top;
    const float *x;
    bool each; /* x has a row for each slot */
} expert_sizes;

static expert_sizes expert_sizes_of(const pcs_call *c)
{
    return (expert_sizes){ (size_t)c->in[1].shape[1],
                    (size_t)c->in[1].shape[2],
                    (size_t)c->out[0].shape[0],
                    (size_t)c->out[0].shape[1],
                    c->in[0].data,
                    c->in[0].dims == 3 };
}

static float expert_scale(const pcs_call *c, size_t e)
{
    return c->n_in > 3 ? ((const float *)c->in[3].data)[e] : 1.0f;
}

static size_t scratch_back(const pcs_call *c)
{
    const size_t k = (size_t)c->in[1].shape[2];
    return pcs_line_up(4 * k) + pcs_line_up((size_t)(c->in[1].format ? pcs_row_bytes(c->in[1].format, k) : 0) + 64);
}

static const float *expert_row(const pcs_call *c, size_t r, size_t k, char *mem)
{
    const pcs_arg *w = &c->in[1];
    if (w->dtype == PCS_F32) return (const float *)w->data + r * k;
    pcs_decode_by(c->kernels, w->format, k, pcs_arg_row(w, r, k, (uint8_t *)mem + pcs_line_up(4 * k)), (float *)mem);
    return (const float *)mem;
}

/* A thread has tokens: dx of each from the rows of its experts. */
static void back_to_input(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const expert_sizes z = expert_sizes_of(c);
    for (size_t t = ith; t < z.tokens; t += nth)
        for (size_t s = 0; s < z.top; s++) {
            const size_t e = expert(c, t, s);
            const float *d = g->out[0] + (t * z.top + s) * z.n;
            float *dx = g->in[0] + (z.each ? t * z.top + s : t) * z.k;
            for (size_t r = 0; r < z.n; r++) {
                const float *w = expert_row(c, e * z.n + r, z.k, c->scratch + ith * c->scratch_size),
                            by = d[r] * expert_scale(c, e);
                for (size_t i = 0; i < z.k; i++) dx[i] += by * w[i];
            }
        }
}

/* A thread has rows of every expert: dw of them from all tokens. */
static void back_to_weights(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const expert_sizes z = expert_sizes_of(c);
    uint64_t begin, end;
    pcs_share(z.n, 1, ith, nth, &begin, &end);
    for (size_t t = 0; t < z.tokens; t++)
        for (size_t s = 0; s < z.top; s++) {
            const size_t e = expert(c, t, s);
            const float *d = g->out[0] + (t * z.top + s) * z.n, *x = z.x + (z.each ? t * z.top + s : t) * z.k;
            for (size_t r = begin; r < end; r++)
                for (size_t i = 0; i < z.k; i++) g->in[1][(e * z.n + r) * z.k + i] += d[r] * expert_scale(c, e) * x[i];
        }
}

/* A thread has experts; the product without the scale is made anew, since the scale may be 0. */
static void by_scale(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const expert_sizes z = expert_sizes_of(c);
    for (size_t t = 0; t < z.tokens; t++)
        for (size_t s = 0; s < z.top; s++) {
            const size_t e = expert(c, t, s);
            if (e % nth != ith) continue;
            const float *d = g->out[0] + (t * z.top + s) * z.n, *x = z.x + (z.each ? t * z.top + s : t) * z.k;
            double sum = 0;
            for (size_t r = 0; r < z.n; r++) {
                const float *w = expert_row(c, e * z.n + r, z.k, c->scratch + ith * c->scratch_size);
                double dot = 0;
                for (size_t i = 0; i < z.k; i++) dot += (double)w[i] * x[i];
                sum += dot * d[r];
            }
            g->in[3][e] += (float)sum;
        }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    if (g->in[0]) back_to_input(c, g, ith, nth);
    if (g->in[1]) back_to_weights(c, g, ith, nth);
    if (c->n_in > 3 && g->in[3]) by_scale(c, g, ith, nth);
}

const pcs_op pcs_op_moe_matmul = {
    .name = "moe_matmul", .min_in = 3, .max_in = 4, .weight = 1, .route = 2, .channel_axis = 1, .reads_stored = 1,
    .infer = infer, .eval = eval, .fast = fast, .scratch = scratch, .workers = workers,
    .backward = backward, .scratch_back = scratch_back,
};
