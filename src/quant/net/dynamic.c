/* dynamic.c - products with the range of each run: DynamicQuantizeLinear in front (u8, from the pieces that ONNX
 * defines it by), integer products with stored weights, and the scales after them. One set of codes is made of a value
 * for all nodes that read it. */
#include "quant/net/net.h"

#include <stdio.h>

extern const pcs_op pcs_op_conv, pcs_op_matmul, pcs_op_product;

typedef struct {
    precis_net_quant *q;
    const char *name; /* of the node, for names of what it becomes */
    unsigned made;
} making;

static precis_value make(making *m, const char *op, const precis_attr *attrs, uint32_t n, const precis_value *in)
{
    char name[160];
    for (uint32_t i = 0; i < n; i++)
        if (in[i] < 0) return -1;
    snprintf(name, sizeof name, "%.120s_%s%u", m->name, op, m->made++);
    return precis_graph_node(m->q->g, name, op, attrs, n, in);
}

static precis_value make2(making *m, const char *op, precis_value a, precis_value b)
{
    return make(m, op, NULL, 2, (const precis_value[]){ a, b });
}

static precis_value number(making *m, float v) { return pcs_net_constant(m->q, "number", PCS_F32, 0, NULL, &v); }

static precis_value extreme(making *m, const char *kind, precis_value x)
{
    int64_t axes[PCS_GRAPH_DIMS];
    const uint32_t dims = m->q->g->values[x].dims;
    for (uint32_t i = 0; i < dims; i++) axes[i] = i;
    const precis_value r = make(m, "reduce",
                                PRECIS_ATTRS(precis_attr_text("kind", kind), precis_attr_list("axes", dims, axes),
                                             precis_attr_int("keep", 0)), 1, &x);
    return make2(m, kind, r, number(m, 0));
}

/* Codes, scale and zero point of x, made once. */
static bool codes_of(making *m, precis_value x, const precis_value **out)
{
    pcs_net_value *v = &m->q->values[x];
    *out = v->dynamic;
    if (v->dynamic[0] >= 0) return true;
    const precis_value from = m->q->map[x], zero = number(m, 0), full = number(m, 255);
    const precis_value hi = extreme(m, "max", from), lo = extreme(m, "min", from), range = make2(m, "sub", hi, lo);
    const precis_value same = make2(m, "equal", range, zero);
    const precis_value some = make(m, "where", NULL, 3, (const precis_value[]){ same, number(m, 1), range });
    const precis_value scale = make2(m, "div", some, full);
    const precis_value at = make2(m, "sub", zero, make2(m, "div", lo, scale));
    const precis_value held = make2(m, "min", make2(m, "max", at, zero), full), near = make(m, "round", NULL, 1, &held);
    v->dynamic[1] = scale;
    v->dynamic[2] = make(m, "cast", PRECIS_ATTRS(precis_attr_int("to", PCS_U8)), 1, &near);
    v->dynamic[0] = make(m, "to_codes", PRECIS_ATTRS(precis_attr_int("to", PCS_U8)), 3,
                         (const precis_value[]){ from, scale, v->dynamic[2] });
    return v->dynamic[0] >= 0;
}

/* A matrix of codes [n, k] as [k, n]; its scales stand along the last dimension then. */
precis_value pcs_net_turned(precis_net_quant *q, precis_value v)
{
    const pcs_value w = q->g->values[v];
    const int64_t shape[] = { w.shape[1], w.shape[0] };
    const int8_t *from = pcs_value_elements(&w, w.dtype, (uint64_t)shape[0] * (uint64_t)shape[1]);
    if (!from || pcs_dtype_bytes(w.dtype) != 1)
        return pcs_graph_fail(q->g, PRECIS_EINVAL, "value %s is no matrix of codes of 8 bits", w.name);
    int8_t *to = pcs_alloc(q->ctx, (size_t)(shape[0] * shape[1]) + 1, 1);
    if (!to) return pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    for (int64_t r = 0; r < shape[0]; r++)
        for (int64_t c = 0; c < shape[1]; c++) to[r * shape[1] + c] = from[c * shape[0] + r];
    const precis_value t = pcs_net_constant(q, w.name, w.dtype, 2, shape, to);
    pcs_free(q->ctx, to);
    return t;
}

/* Scales as they spread over the product's result: along dimension 1 of images, the last of rows. */
static precis_value spread(making *m, precis_value s, bool conv, uint32_t dims)
{
    const pcs_value x = m->q->g->values[s];
    int64_t n = 1, shape[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < x.dims; i++) n *= x.shape[i];
    const float *scales = pcs_value_f32(&x, (uint64_t)n);
    if (n == 1) return pcs_net_constant(m->q, x.name, PCS_F32, 0, NULL, scales);
    if (!conv) return pcs_net_constant(m->q, x.name, PCS_F32, 1, &n, scales);
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == 1 ? n : 1;
    return pcs_net_constant(m->q, x.name, PCS_F32, dims, shape, scales);
}

static precis_value with_bias(making *m, precis_value y, precis_value bias, bool conv)
{
    if (bias < 0) return y;
    const pcs_value b = m->q->g->values[bias];
    int64_t shape[PCS_GRAPH_DIMS];
    const uint32_t dims = m->q->g->values[y].dims;
    if (!conv) return make2(m, "add", y, bias);
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == 1 ? b.shape[0] : 1;
    const float *numbers = pcs_value_f32(&b, (uint64_t)b.shape[0]);
    return make2(m, "add", y, pcs_net_constant(m->q, b.name, PCS_F32, dims, shape, numbers));
}

/* Codes, and the scales beside them, of the weights that pcs_net_store made a from_codes of. */
void pcs_net_parts(const precis_net_quant *q, precis_value decoded, precis_value *codes, precis_value *scales)
{
    const pcs_node *n = NULL;
    for (size_t i = q->g->n_nodes; i-- > 0 && !n;)
        if (q->g->nodes[i].out[0] == decoded) n = &q->g->nodes[i];
    *codes = n ? n->in[0] : -1;
    *scales = n ? n->in[1] : -1;
}

bool pcs_net_can_dynamic(const precis_graph *g, const pcs_node *n)
{
    const bool bias = n->op->bias && n->n_in > n->op->bias;
    if (n->op != &pcs_op_conv && n->op != &pcs_op_matmul && n->op != &pcs_op_product) return false;
    return !bias || pcs_value_is_known(&g->values[n->in[n->op->bias]]);
}

precis_status pcs_net_dynamic(precis_net_quant *q, const pcs_node *old, const pcs_node *stored)
{
    making m = { .q = q, .name = old->name };
    const bool conv = old->op == &pcs_op_conv, rows = old->op == &pcs_op_matmul;
    const precis_value *x;
    precis_value w, s;
    const precis_value bias = old->op->bias && stored->n_in > old->op->bias ? stored->in[old->op->bias] : -1;
    pcs_net_parts(q, stored->in[1], &w, &s);
    if (w >= 0 && rows) w = pcs_net_turned(q, w);
    if (w < 0 || s < 0 || !codes_of(&m, old->in[0], &x)) return q->g->error ? q->g->error : PRECIS_ENOMEM;
    const int8_t zero = 0;
    const precis_value in[] = { x[0], w, x[2], pcs_net_constant(q, "zero_point", PCS_I8, 0, NULL, &zero) };
    const precis_value sum = make(&m, conv ? "conv_whole" : "product_whole", conv ? old->attr : NULL, 4, in);
    if (sum < 0) return q->g->error ? q->g->error : PRECIS_ENOMEM;
    const uint32_t dims = q->g->values[sum].dims;
    const precis_value real = make(&m, "cast", PRECIS_ATTRS(precis_attr_int("to", PCS_F32)), 1, &sum);
    precis_value y = make2(&m, "mul", real, make2(&m, "mul", x[1], spread(&m, s, conv, dims)));
    if (y >= 0) y = with_bias(&m, y, bias, conv);
    if (y < 0) return q->g->error ? q->g->error : PRECIS_ENOMEM;
    q->g->nodes[q->g->values[y].node].name = old->name; /* by which others know the node, and its result */
    q->g->values[y].name = q->g->values[old->out[0]].name;
    q->map[old->out[0]] = y;
    return PRECIS_OK;
}
