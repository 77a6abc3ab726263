/* whole.c - nodes of codes alone, for files with QLinear ops: sums requantized by one factor, and ops that move codes.
 */
#include "quant/net/net.h"

#include <stdio.h>

extern const pcs_op pcs_op_conv, pcs_op_matmul, pcs_op_product, pcs_op_pool, pcs_op_reshape, pcs_op_flatten,
    pcs_op_transpose, pcs_op_slice, pcs_op_expand, pcs_op_take;

/* Ops that take codes as they take numbers. */
static const pcs_op *const movers[] = { &pcs_op_pool,  &pcs_op_reshape, &pcs_op_flatten, &pcs_op_transpose,
                                        &pcs_op_slice, &pcs_op_expand,  &pcs_op_take };

static precis_value node(precis_net_quant *q, const char *of, const char *op, const precis_attr *attrs, uint32_t n,
                         const precis_value *in)
{
    char name[160];
    snprintf(name, sizeof name, "%.100s_%s", of, op);
    for (uint32_t i = 0; i < n; i++)
        if (in[i] < 0) return -1;
    return precis_graph_node(q->g, name, op, attrs, n, in);
}

static precis_status failed(const precis_net_quant *q)
{
    return q->g->error ? pcs_fail(q->ctx, q->g->error, "%s", q->g->message) : PRECIS_ENOMEM;
}

/* Numbers again, for readers that want them; the codes are kept for those that do not. */
static precis_status settle(precis_net_quant *q, precis_value y, precis_value codes, precis_value s, precis_value z)
{
    const precis_value in[] = { codes, s, z };
    const precis_value back = node(q, q->g->values[y].name, "from_codes", NULL, 3, in);
    if (back < 0) return failed(q);
    memcpy(q->values[y].dynamic, in, sizeof in);
    q->map[y] = back;
    return PRECIS_OK;
}

static precis_status move(precis_net_quant *q, const pcs_node *old, bool *done)
{
    const pcs_net_value *x = &q->values[old->in[0]];
    bool moves = false;
    for (size_t i = 0; i < sizeof movers / sizeof *movers; i++) moves = moves || movers[i] == old->op;
    if (!moves || x->dynamic[0] < 0 || !q->values[old->out[0]].coded) return PRECIS_OK;
    precis_value in[8];
    for (uint32_t i = 0; i < old->n_in && i < 8; i++) in[i] = i ? q->map[old->in[i]] : x->dynamic[0];
    const precis_value codes = precis_graph_node(q->g, old->name, old->op->name, old->attr, old->n_in, in);
    *done = true;
    return codes < 0 ? failed(q) : settle(q, old->out[0], codes, x->dynamic[1], x->dynamic[2]);
}

/* Elements of a constant: as many as there are channels, or one. */
typedef struct { pcs_dtype dtype; const void *data; int64_t n; } by_channels;

/* The constant, as it spreads over the result `sum`. */
static precis_value spread_over(precis_net_quant *q, const char *name, by_channels c, precis_value sum, bool conv)
{
    int64_t shape[PCS_GRAPH_DIMS];
    const uint32_t dims = q->g->values[sum].dims;
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == (conv ? 1 : dims - 1) ? c.n : 1;
    if (conv) return pcs_net_constant(q, name, c.dtype, dims, shape, c.data);
    return pcs_net_constant(q, name, c.dtype, c.dtype == PCS_F32 && c.n == 1 ? 0 : 1, &c.n, c.data);
}

/* s_x * s_w / s_y of each channel, in f32 as a reader of QLinearConv computes it. */
static precis_value factor_of(precis_net_quant *q, float x, precis_value weights, float y, precis_value sum, bool conv)
{
    const pcs_value s = q->g->values[weights];
    int64_t n = 1;
    for (uint32_t i = 0; i < s.dims; i++) n *= s.shape[i];
    const float *scales = pcs_value_f32(&s, (uint64_t)n);
    if (!scales) return pcs_graph_fail(q->g, PRECIS_EINVAL, "scales %s are fewer than their shape", s.name);
    float *f = pcs_alloc(q->ctx, (size_t)n + 1, sizeof *f);
    if (!f) return pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    for (int64_t i = 0; i < n; i++) f[i] = x * scales[i] / y;
    const precis_value v = spread_over(q, "factor", (by_channels){ PCS_F32, f, n }, sum, conv);
    pcs_free(q->ctx, f);
    return v;
}

/* Codes of the zero points beside it. */
static precis_value zero_of(precis_net_quant *q, pcs_dtype d, int32_t zero)
{
    uint64_t room = 0;
    pcs_set_real(&(pcs_arg){ .dtype = d, .data = &room }, 0, zero);
    return pcs_net_constant(q, "zero_point", d, 0, NULL, &room);
}

static precis_status multiply(precis_net_quant *q, const pcs_node *old, size_t at, bool *done)
{
    const bool conv = old->op == &pcs_op_conv, rows = old->op == &pcs_op_matmul;
    const precis_value y = q->nodes[at].result, x_value = old->in[0];
    const pcs_net_value *x = &q->values[x_value], *to = &q->values[y];
    pcs_node n = *old;
    precis_value w, s, bias = -1, scales;
    if ((!conv && !rows && old->op != &pcs_op_product) || x->dynamic[0] < 0 || !to->coded) return PRECIS_OK;
    const bool matrix = q->g->values[x_value].dims == 2;
    if (rows && !matrix) return PRECIS_OK;
    const precis_status st = pcs_net_store(q, at, &n, &x->params, x_value);
    if (st) return st;
    pcs_net_parts(q, n.in[1], &w, &s);
    if (n.op->bias && n.n_in > n.op->bias) pcs_net_parts(q, n.in[n.op->bias], &bias, &scales);
    if (w >= 0 && rows) w = pcs_net_turned(q, w);
    const precis_value in[] = { x->dynamic[0], w, x->dynamic[2], zero_of(q, PCS_I8, 0) };
    precis_value sum = node(q, old->name, conv ? "conv_whole" : "product_whole", conv ? old->attr : NULL, 4, in);
    if (sum >= 0 && bias >= 0) {
        const pcs_value b = q->g->values[bias];
        const by_channels sums = { PCS_I32, pcs_value_elements(&b, PCS_I32, (uint64_t)b.shape[0]), b.shape[0] };
        const precis_value added = spread_over(q, b.name, sums, sum, conv);
        sum = node(q, old->name, "add", NULL, 2, (const precis_value[]){ sum, added });
    }
    if (sum < 0) return failed(q);
    const precis_value z = zero_of(q, q->activation_type, to->params.zero);
    const precis_value factor = factor_of(q, x->params.scale, s, to->params.scale, sum, conv);
    const precis_value codes = node(q, old->name, "requantize", NULL, 3, (const precis_value[]){ sum, factor, z });
    const precis_value scale = pcs_net_constant(q, "scale", PCS_F32, 0, NULL, &to->params.scale);
    *done = q->nodes[at].whole = true;
    return codes < 0 || scale < 0 ? failed(q) : settle(q, y, codes, scale, z);
}

precis_status pcs_net_whole(precis_net_quant *q, const pcs_node *old, size_t at, bool *done)
{
    *done = false;
    if (q->mode != PCS_NET_STATIC || pcs_dtype_bytes(q->activation_type) != 1) return PRECIS_OK;
    if (q->nodes[at].kind == PCS_CODES_SHARE) return move(q, old, done);
    if (q->nodes[at].kind != PCS_CODES_MULTIPLY || !q->nodes[at].saturated) return PRECIS_OK;
    return multiply(q, old, at, done);
}
